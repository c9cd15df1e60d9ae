//! `llm-router start`: runs the server until a signal says otherwise.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;

use router_config::Config;
use router_demo::Demo;
use router_server::{ConfigError, Handle, Options, Server, Source, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::Start;
use crate::cx::Cx;
use crate::holder;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output;

/// The demo provider's key. It guards nothing and is only there so that one is sent.
const DEMO_KEY: &str = "demo-key";

/// Starts the server and waits for its end.
pub(crate) fn run(cx: &Cx, flags: &Start) -> Result<Outcome, Failure> {
    log_to_stderr(flags)?;
    // Accepts, reloads and listens for signals; requests are served by the server's own threads.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(serve(cx, flags))
}

async fn serve(cx: &Cx, flags: &Start) -> Result<Outcome, Failure> {
    // Registered before anything is announced, so that no signal meets the default action.
    let mut signals =
        Signals::new().map_err(|error| Failure::failed(format!("no signals: {error}")))?;
    let demo = if flags.demo { Some(start_demo().await?) } else { None };
    let source = match &demo {
        Some(demo) => Source::Text(router_demo::demo_config_json(&demo.url(), DEMO_KEY)),
        None => Source::File(cx.config_path()?),
    };
    let source_name = match &source {
        Source::File(path) => {
            super::validate::warn_if_exposed(path);
            path.display().to_string()
        }
        Source::Text(_) => "built-in demo, nothing leaves this machine".to_owned(),
    };
    let options = Options {
        source,
        host: flags.host,
        port: flags.port,
        watch_config: flags.watch_config,
        require_auth: flags.require_auth,
        allow_unauthenticated: flags.allow_unauthenticated,
        // The demo leaves nothing behind.
        home: if flags.demo { None } else { std::env::home_dir() },
    };
    let server = Server::bind(options).await.map_err(start_failure)?;
    announce(&server, &source_name);
    let handle = server.handle();
    let cut_off = tokio::select! {
        cut_off = server.run() => cut_off,
        () = signals.obey(&handle) => 0,
    };
    if let Some(demo) = demo {
        demo.shutdown().await;
    }
    if cut_off > 0 {
        output::note(&format!("stopped; {cut_off} connection(s) were cut off"));
    } else {
        output::note("stopped");
    }
    Ok(Outcome::printed())
}

async fn start_demo() -> Result<Demo, Failure> {
    let options =
        router_demo::Options { key: Some(DEMO_KEY.to_owned()), ..router_demo::Options::default() };
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let started = Demo::start(address, options).await;
    started.map_err(|error| Failure::failed(format!("cannot start the demo provider: {error}")))
}

/// The signals a server answers to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// SIGHUP reloads; the first SIGTERM or SIGINT drains, and the second one ends this at once.
    async fn obey(&mut self, handle: &Handle) {
        let mut stopping = false;
        loop {
            tokio::select! {
                _ = self.hangup.recv() => {
                    handle.reload();
                    continue;
                }
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            if stopping {
                return;
            }
            stopping = true;
            output::note("stopping; requests under way may finish (again to stop at once)");
            handle.stop();
        }
    }
}

/// Says where the router is and what it serves. Keys are not shown, not even in part.
fn announce(server: &Server, source: &str) {
    let config = server.config();
    let base = format!("http://{}", reachable(server.address()));
    output::result(&format!("llm-router {} listening on {base}", env!("CARGO_PKG_VERSION")));
    output::result(&format!("  Anthropic clients: base URL {base}"));
    output::result(&format!("  OpenAI clients:    base URL {base}/v1"));
    output::result(&format!("  any dialect:       POST {base}/route"));
    output::result(&format!("  config:            {source}"));
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

/// The address as a client on this machine can use it.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() };
        return SocketAddr::new(loopback, address.port());
    }
    address
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

fn start_failure(error: StartError) -> Failure {
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
        StartError::Listen { address, error } => in_use(message, address, &error, "--port"),
        StartError::ListenAdmin { address, error } => {
            in_use(message, address, &error, "server.admin.port")
        }
        StartError::Tls(_) => Failure::failed(message),
    }
}

/// Why an address cannot be listened on; `setting` chooses another port.
fn in_use(message: String, address: SocketAddr, error: &io::Error, setting: &str) -> Failure {
    let failure = Failure::failed(message);
    if error.kind() != io::ErrorKind::AddrInUse {
        return failure;
    }
    let holder = holder::of_port(address.port());
    let holder = holder.map_or_else(|| "another process".to_owned(), |it| it.to_string());
    failure.hint(format!(
        "port {} is held by {holder}; stop it, or choose another port with {setting}",
        address.port()
    ))
}

fn log_to_stderr(flags: &Start) -> Result<(), Failure> {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::builder().parse(&flags.log).map_err(|error| {
        Failure::new(Kind::Input, format!("--log: {error}"))
            .hint("use error, warn, info, debug or trace")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false);
    if flags.log_format == "json" {
        builder.json().init();
    } else {
        builder.init();
    }
    Ok(())
}
