//! `llm-router start`: runs the server until a signal says otherwise.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use router_config::Config;
use router_demo::Demo;
use router_operator::instance::launch::{LaunchError, launch};
use router_operator::instance::{
    Control, DEFAULT_NAME, Facts, Instance, Instances, holder, process, reachable, stop, succession,
};
use router_server::{ConfigError, Inherited, Options, Server, Source, StartError, TakeOver};
use serde_json::json;

use crate::args::Start;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output;
use binary::BinaryWatch;
use live::{End, Role, Signals, accompany};

mod binary;
mod live;

/// The demo provider's key. It guards nothing and is only there so that one is sent.
const DEMO_KEY: &str = "demo-key";
/// Who starts this process again, as a service definition says.
const MANAGER_VARIABLE: &str = "LLM_ROUTER_MANAGED_BY";
/// The same in service definitions of the older program.
const OLDER_MANAGER_VARIABLE: &str = "LLM_ROUTER_MANAGED_BY_STARTUP";

/// The folder of files that the config names no path for [default: the home directory].
const DATA_VARIABLE: &str = "LLM_ROUTER_DATA";

/// Starts the server and waits for its end; in the background, for its beginning.
pub(crate) fn run(cx: &Cx, flags: &Start) -> Result<Outcome, Failure> {
    if flags.background && !flags.detached {
        return in_background(flags);
    }
    if flags.detached {
        process::detach();
    }
    log(flags)?;
    let program = std::env::current_exe();
    let program = program.map_err(|error| failed(format!("where is this program? {error}")))?;
    // Read before there is a second thread: they come in the environment.
    let sockets = succession::inherited();
    let sockets = sockets.map_err(|error| failed(format!("no usable socket given: {error}")))?;
    let place = Place::find(flags, program)?;
    // Accepts, reloads and listens for signals; requests are served by the server's own threads.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(format!("cannot start: {error}")))?;
    runtime.block_on(serve(cx, flags, place, sockets))
}

/// Runs this program again, detached.
fn in_background(flags: &Start) -> Result<Outcome, Failure> {
    let home = home()?;
    let instances = Instances::new(&home);
    let name = flags.name.as_deref();
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    arguments.push("--detached".into());
    let path = flags.log_file.clone();
    let path = path.unwrap_or_else(|| instances.log_path(name.unwrap_or(DEFAULT_NAME)));
    if flags.log_file.is_none() {
        arguments.push("--log-file".into());
        arguments.push(path.clone().into());
    }
    let program = std::env::current_exe();
    let program = program.map_err(|error| failed(format!("where is this program? {error}")))?;
    let started =
        launch(&instances, &program, &arguments, &path).map_err(|error| match &error {
            LaunchError::Ended { status, .. } => {
                let kind = kind_of(status.code());
                Failure::new(kind, error.to_string())
            }
            _ => failed(error.to_string()),
        })?;
    let (facts, url) = (&started.facts, started.url());
    let text = format!(
        "llm-router {} listening on {url}\n  instance:          {} (process {})\n  log:               {}",
        facts.version,
        started.name,
        facts.pid,
        path.display()
    );
    let (name, pid) = (&started.name, facts.pid);
    let value = json!({ "name": name, "pid": pid, "url": url, "log": path });
    Ok(Outcome::new(text, value))
}

/// What this process is among the routers of this machine.
struct Place {
    instances: Option<Instances>,
    /// As asked for.
    name: Option<String>,
    program: PathBuf,
    predecessor: Option<Instance>,
}

impl Place {
    fn find(flags: &Start, program: PathBuf) -> Result<Self, Failure> {
        let instances = std::env::home_dir().map(|home| Instances::new(&home));
        let predecessor = instances.as_ref().and_then(succession::predecessor);
        let name = match &predecessor {
            Some(predecessor) => Some(predecessor.name.clone()),
            None => flags.name.clone(),
        };
        let place = Self { instances, name, program, predecessor };
        let taken = place.name.as_deref().and_then(|name| place.running(name));
        if let (Some(running), None) = (taken, &place.predecessor) {
            let (name, pid) = (&running.name, running.facts.pid);
            let message = format!("`{name}` is running already (process {pid}, {})", running.url());
            let hint = format!("choose another --name, or `llm-router stop --name {name}` first");
            return Err(Failure::new(Kind::Input, message).hint(hint));
        }
        Ok(place)
    }

    fn running(&self, name: &str) -> Option<Instance> {
        self.instances.as_ref()?.get(name).filter(Instance::is_alive)
    }

    /// Tells other commands of this router; one that cannot is served all the same.
    fn register(
        &mut self,
        server: &Server,
        token: router_config::Secret,
        (cx, flags): (&Cx, &Start),
    ) {
        let name = self.name.clone().unwrap_or_else(|| match self.running(DEFAULT_NAME) {
            None => DEFAULT_NAME.to_owned(),
            Some(_) => format!("{DEFAULT_NAME}-{}", server.address().port()),
        });
        let (pid, demo) = (std::process::id(), flags.demo);
        let control = server.control_address().map(|address| Control { address, token });
        let facts = Facts {
            pid,
            process_start: process::started(pid),
            address: server.address(),
            admin_address: server.admin_address(),
            control,
            config_path: if demo { None } else { cx.config_path().ok().map(absolute) },
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: Some(self.program.clone()),
            managed_by: manager(),
            requires_auth: server.requires_auth(),
            log: flags.log_file.clone().map(absolute),
            started_at: jiff::Timestamp::now().to_string(),
        };
        self.name = Some(name.clone());
        let written = self.instances.as_ref().map(|it| it.write(&Instance { name, facts }));
        if let Some(Err(error)) = written {
            let what = "`status`, `stop` and `reload` will not find this router";
            output::note(&format!("cannot write its instance file, {what}: {error}"));
        }
    }

    fn leave(&self) {
        if let (Some(instances), Some(name)) = (&self.instances, &self.name) {
            instances.remove(name, std::process::id());
        }
    }
}

fn manager() -> Option<String> {
    let named = std::env::var(MANAGER_VARIABLE).ok().filter(|name| !name.is_empty());
    named.or_else(|| std::env::var_os(OLDER_MANAGER_VARIABLE).map(|_| "startup".to_owned()))
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

async fn serve(
    cx: &Cx,
    flags: &Start,
    mut place: Place,
    sockets: Vec<TcpListener>,
) -> Result<Outcome, Failure> {
    // Registered before anything is announced, so that no signal meets the default action.
    let mut signals = Signals::new().map_err(|error| failed(format!("no signals: {error}")))?;
    let demo = if flags.demo { Some(start_demo().await?) } else { None };
    let token = Control::token().map_err(|error| failed(format!("no random numbers: {error}")))?;
    let mut sockets = sockets.into_iter();
    let options = |inherited| -> Result<Options, Failure> {
        Ok(Options {
            source: match &demo {
                Some(demo) => Source::Text(router_demo::demo_config_json(&demo.url(), DEMO_KEY)),
                None => Source::File(cx.config_path()?),
            },
            host: flags.host,
            port: flags.port,
            watch_config: flags.watch_config,
            require_auth: flags.require_auth,
            allow_unauthenticated: flags.allow_unauthenticated,
            // The demo leaves nothing behind.
            home: if flags.demo { None } else { data_folder() },
            control: Some(token.clone()),
            inherited,
            take_over: take_over(&place),
        })
    };
    let inherited = Inherited { clients: sockets.next(), operators: sockets.next() };
    let bound = match Server::bind(options(inherited)?).await {
        Err(StartError::Listen { address, error }) if flags.reclaim && is_taken(&error) => {
            reclaim(&place, address)?;
            Server::bind(options(Inherited::default())?).await
        }
        bound => bound,
    };
    let server = bound.map_err(|error| start_failure(error, &place))?;
    place.register(&server, token, (cx, flags));
    announce(&server, (cx, flags));
    super::update::offer(&server.config().update);
    let watch = flags.watch_binary.unwrap_or(true).then(|| BinaryWatch::new(place.program.clone()));
    let name = place.name.as_deref().unwrap_or(DEFAULT_NAME);
    let is_successor = place.predecessor.is_some();
    let role = Role { name, program: place.program.clone(), is_successor };
    let end = live::run(server, role, watch, &mut signals).await;
    place.leave();
    if let Some(demo) = demo {
        demo.shutdown().await;
    }
    finish(end, flags, signals).await
}

/// Says how it ended. Whoever waits for this process waits for its successor, too.
async fn finish(end: End, flags: &Start, mut signals: Signals) -> Result<Outcome, Failure> {
    if end.cut_off > 0 {
        output::note(&format!("stopped; {} connection(s) were cut off", end.cut_off));
    } else {
        output::note("stopped");
    }
    match end.successor {
        Some(successor) if !flags.detached => {
            let pid = successor.id();
            let well = accompany(successor, &mut signals).await;
            if well {
                Ok(Outcome::printed())
            } else {
                Err(failed(format!("process {pid}, which served, failed")))
            }
        }
        _ => Ok(Outcome::printed()),
    }
}

fn take_over(place: &Place) -> Option<TakeOver> {
    let control = place.predecessor.as_ref()?.facts.control.clone()?;
    Some(TakeOver(Box::new(move || {
        if let Err(error) = succession::take_over(&control) {
            tracing::warn!(%error, "the predecessor was not told that this process takes over");
        }
    })))
}

async fn start_demo() -> Result<Demo, Failure> {
    let options =
        router_demo::Options { key: Some(DEMO_KEY.to_owned()), ..router_demo::Options::default() };
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let started = Demo::start(address, options).await;
    started.map_err(|error| failed(format!("cannot start the demo provider: {error}")))
}

/// Says where the router is and what it serves. Keys are not shown, not even in part.
fn announce(server: &Server, (cx, flags): (&Cx, &Start)) {
    let config = server.config();
    let base = format!("http://{}", reachable(server.address()));
    output::result(&format!("llm-router {} listening on {base}", env!("CARGO_PKG_VERSION")));
    output::result(&format!("  Anthropic clients: base URL {base}"));
    output::result(&format!("  OpenAI clients:    base URL {base}/v1"));
    output::result(&format!("  any dialect:       POST {base}/route"));
    match (flags.demo, cx.config_path()) {
        (false, Ok(path)) => {
            super::validate::warn_if_exposed(&path);
            output::result(&format!("  config:            {}", path.display()));
        }
        _ => output::result("  config:            built-in demo, nothing leaves this machine"),
    }
    if let Some(model) = &config.catalog.default_model {
        output::result(&format!("  default model:     {model}"));
    }
    output::result(&format!("  providers:         {}", providers(&config)));
    if !config.catalog.aliases.is_empty() {
        let aliases: Vec<_> = config.catalog.aliases.keys().map(String::as_str).collect();
        output::result(&format!("  aliases:           {}", aliases.join(", ")));
    }
    let auth = if server.requires_auth() { "required" } else { "off" };
    output::result(&format!("  client key:        {auth}"));
    if let Some(address) = server.admin_address() {
        output::result(&format!("  operators:         http://{address} (key required)"));
    }
    if io::stdout().is_terminal() {
        output::result("Press Ctrl+C to stop.");
    }
}

fn providers(config: &Config) -> String {
    let each = config.catalog.providers.iter();
    let each = each.map(|provider| format!("{} ({} models)", provider.id, provider.models.len()));
    each.collect::<Vec<_>>().join(", ")
}

/// Why a config cannot be used, for a person.
pub(crate) fn config_failure(error: &ConfigError) -> Failure {
    let (kind, hint) = match error {
        ConfigError::Unreadable { error, .. } if error.kind() == io::ErrorKind::NotFound => (
            Kind::Input,
            "name another one with --config FILE, try the router without one with `llm-router \
             start --demo`, or write {\"version\": 2, \"providers\": [...]} there (README, \
             \"Configuration\")",
        ),
        ConfigError::Unreadable { .. } => (Kind::Input, "check the file's owner and permissions"),
        ConfigError::Invalid { .. } => {
            (Kind::Config, "`llm-router validate` checks a file without starting anything")
        }
        ConfigError::NoProvider => {
            (Kind::Input, "add a provider with a baseUrl, a format and models to `providers`")
        }
        ConfigError::NoKey => {
            (Kind::Input, "set masterKey in the config, or LLM_ROUTER_MASTER_KEY")
        }
    };
    Failure::new(kind, error.to_string()).hint(hint)
}

fn start_failure(error: StartError, place: &Place) -> Failure {
    let message = error.to_string();
    match error {
        StartError::Config(error) => config_failure(&error),
        StartError::Exposed(_) => Failure::new(Kind::Input, message).hint(
            "set masterKey and leave requireAuth on, or say --allow-unauthenticated if something \
             else keeps strangers out",
        ),
        StartError::Address(_) => {
            Failure::new(Kind::Input, message).hint("server.host takes an IP address or localhost")
        }
        StartError::Listen { address, error } => {
            in_use(message, address, (&error, place), "--port")
        }
        StartError::ListenAdmin { address, error } => {
            in_use(message, address, (&error, place), "server.admin.port")
        }
        StartError::Tls(_) => failed(message),
    }
}

/// Why an address cannot be listened on; `setting` chooses another port.
fn in_use(
    message: String,
    address: SocketAddr,
    (error, place): (&io::Error, &Place),
    setting: &str,
) -> Failure {
    let failure = failed(message);
    if !is_taken(error) {
        return failure;
    }
    let port = address.port();
    failure.hint(match holding(place, port) {
        Holding::Ours(instance) => format!(
            "port {port} is held by the router `{}` (process {}); stop it with `llm-router stop --name {0}`, take its place with --reclaim, or choose another port with {setting}",
            instance.name, instance.facts.pid
        ),
        Holding::Other(who) => format!(
            "port {port} is held by {who}; stop it, or choose another port with {setting}"
        ),
    })
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// Who has a port.
enum Holding {
    /// A router this user has started.
    Ours(Box<Instance>),
    /// Somebody else, in words.
    Other(String),
}

fn holding(place: &Place, port: u16) -> Holding {
    let holder = holder::of_port(port);
    let live = place.instances.as_ref().map(Instances::live).unwrap_or_default();
    let ours = live.into_iter().find(|instance| match &holder {
        Some(holder) => instance.facts.pid == holder.pid,
        // The system does not say who it is; the file says who it should be.
        None => instance.facts.address.port() == port,
    });
    if let Some(instance) = ours {
        return Holding::Ours(Box::new(instance));
    }
    let unknown = || "another process".to_owned();
    Holding::Other(holder.map_or_else(unknown, |holder| holder.to_string()))
}

/// Stops the router of ours that holds the port. Nobody else's process is ever touched.
fn reclaim(place: &Place, address: SocketAddr) -> Result<(), Failure> {
    let port = address.port();
    match (holding(place, port), &place.instances) {
        (Holding::Ours(instance), Some(instances)) => {
            let (name, pid) = (&instance.name, instance.facts.pid);
            output::note(&format!("port {port} is held by `{name}` (process {pid}): stopping it"));
            let stopped = stop::stop(instances, &instance, None);
            stopped.map(|_| ()).map_err(|error| failed(error.to_string()))
        }
        (Holding::Other(who), _) => {
            let message = format!("port {port} is held by {who}, which is no router of yours");
            let hint = "stop it yourself, or choose another port with --port";
            Err(failed(message).hint(hint))
        }
        (Holding::Ours(_), None) => Ok(()),
    }
}

/// What a router that ended with `code` had to say.
fn kind_of(code: Option<i32>) -> Kind {
    let kinds = [Kind::Input, Kind::Config, Kind::Unreachable];
    kinds.into_iter().find(|kind| code == Some(i32::from(kind.code()))).unwrap_or(Kind::Failed)
}

/// Where files go that the config names no path for: a service must not write to a whole home.
fn data_folder() -> Option<PathBuf> {
    let named = std::env::var_os(DATA_VARIABLE).filter(|path| !path.is_empty());
    named.map(PathBuf::from).or_else(std::env::home_dir)
}

fn home() -> Result<PathBuf, Failure> {
    let missing = || Failure::new(Kind::Input, "there is no home directory to keep files in");
    std::env::home_dir().ok_or_else(missing)
}

fn failed(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Failed, message)
}

/// Where this process logs to: standard error, or a file that is set aside when it is full.
fn log(flags: &Start) -> Result<(), Failure> {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::fmt::writer::BoxMakeWriter;
    let filter = EnvFilter::builder().parse(&flags.log).map_err(|error| {
        Failure::new(Kind::Input, format!("--log: {error}"))
            .hint("use error, warn, info, debug or trace")
    })?;
    let writer = match &flags.log_file {
        Some(path) => BoxMakeWriter::new(std::sync::Mutex::new(log_file(path)?)),
        None => BoxMakeWriter::new(io::stderr),
    };
    let colour = flags.log_file.is_none()
        && io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colour)
        .with_target(false);
    if flags.log_format == "json" {
        builder.json().init();
    } else {
        builder.init();
    }
    Ok(())
}

fn log_file(path: &Path) -> Result<router_operator::instance::log::Rotating, Failure> {
    router_operator::instance::log::Rotating::open(path).map_err(|error| {
        Failure::new(Kind::Input, format!("cannot write the log {}: {error}", path.display()))
    })
}
