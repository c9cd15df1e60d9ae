//! The native host: listens, dials, relays.
//!
//! ```text
//!   Server::bind -> listen -> worker -> router_drive::handle -> client
//!                   reload (file, SIGHUP)   ending (stop, or a successor takes over)
//! ```

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Weak};

use router_config::{Config, Secret};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

mod admin;
mod app;
mod ending;
pub mod explain;
mod host;
mod ids;
mod listen;
mod opening;
mod record;
pub mod reload;
mod stores;
mod telemetry;
mod tokens;
mod watch;
mod worker;

use admin::{Admin, Control};
use app::App;
use ending::{Ending, How};
pub use reload::{ConfigError, Source};
pub use stores::records_path;
use worker::Workers;

/// How long those who sent a command have to hear how it went, once nothing is served.
const TOLD_MAX: std::time::Duration = std::time::Duration::from_secs(1);

/// What the operator decides apart from the config; each outweighs it.
#[derive(Debug)]
pub struct Options {
    /// Where the config comes from.
    pub source: Source,
    /// Address to listen on.
    pub host: Option<IpAddr>,
    /// Port to listen on; 0 picks a free one.
    pub port: Option<u16>,
    /// Whether to apply changes of the config file.
    pub watch_config: Option<bool>,
    /// Whether clients must present the master key.
    pub require_auth: Option<bool>,
    /// Whether to serve other machines without asking them for a key.
    pub allow_unauthenticated: bool,
    /// Folder of the files that the config names no path for. Without one, counters are kept in
    /// memory and there are no records.
    pub home: Option<PathBuf>,
    /// Token of a listener of its own on the loopback address, for commands on this machine.
    pub control: Option<Secret>,
    /// Sockets that somebody else has opened for this server.
    pub inherited: Inherited,
    /// What makes the predecessor give up its place: called when nothing can fail any more, and
    /// before the state file is opened.
    pub take_over: Option<TakeOver>,
}

/// Sockets that a predecessor or the system's service manager has opened.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Where clients connect.
    pub clients: Option<std::net::TcpListener>,
    /// Where operators connect.
    pub operators: Option<std::net::TcpListener>,
}

/// A call to the process whose place is taken; it may block for as long as that takes.
pub struct TakeOver(pub Box<dyn FnOnce() + Send>);

impl fmt::Debug for TakeOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TakeOver")
    }
}

/// Somebody asks for a successor.
#[derive(Debug)]
pub struct HandOver {
    /// The program to start; the one that runs if absent.
    pub program: Option<PathBuf>,
    /// Takes the successor's process id, or why there is none.
    pub reply: oneshot::Sender<Result<u32, String>>,
}

/// Why a server does not start.
#[derive(Debug)]
pub enum StartError {
    /// The config cannot be used.
    Config(ConfigError),
    /// Other machines could use the router, and nothing keeps them out.
    Exposed(SocketAddr),
    /// The address in the config is none.
    Address(String),
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The operators' address cannot be listened on.
    ListenAdmin {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// TLS for upstream connections cannot be set up.
    Tls(router_client::ClientError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Exposed(address) => write!(
                f,
                "{address} can be reached from other machines, and no key would be asked for"
            ),
            Self::Address(host) => write!(f, "`{host}` is not an address to listen on"),
            Self::Listen { address, error } | Self::ListenAdmin { address, error } => {
                write!(f, "cannot listen on {address}: {error}")
            }
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// A router that listens and is about to serve.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    workers: Workers,
    listener: Arc<TcpListener>,
    address: SocketAddr,
    admin: Option<(Arc<TcpListener>, SocketAddr)>,
    control: Option<(TcpListener, SocketAddr, Control)>,
    orders: Option<mpsc::Receiver<HandOver>>,
    source: Source,
    text: String,
    watched: bool,
    hangup: Arc<Notify>,
    ending: Arc<Ending>,
}

impl Server {
    /// Loads the config and listens. Nothing is served before [`Server::run`].
    pub async fn bind(options: Options) -> Result<Self, StartError> {
        let (config, diagnostics, text) = reload::load(&options.source)?;
        reload::report(&diagnostics);
        let address = address(&options, &config)?;
        let require_auth = require_auth(&options, &config, address)?;
        if app::lacks_key(&config, require_auth) {
            return Err(ConfigError::NoKey.into());
        }
        let watched = options.watch_config.unwrap_or(config.server.watch_config);
        let client = router_client::Client::new().map_err(StartError::Tls)?;
        let listening = |error| StartError::Listen { address, error };
        let listener = match options.inherited.clients {
            Some(socket) => adopt(socket).map_err(listening)?,
            None => TcpListener::bind(address).await.map_err(listening)?,
        };
        let address = listener.local_addr().map_err(listening)?;
        let admin = admin::bind(&config.server, options.inherited.operators).await?;
        let (control, orders) = match options.control {
            Some(token) => {
                let (control, orders) = Control::new(token);
                let (listener, address) = admin::bind_control().await?;
                (Some((listener, address, control)), Some(orders))
            }
            None => (None, None),
        };
        if let Some(TakeOver(take_over)) = options.take_over {
            take_over();
        }
        let stores = stores::open(&config, options.home.as_deref());
        let app = Arc::new(App::new(config, require_auth, stores));
        Ok(Self {
            workers: Workers::start(&app, &client).map_err(listening)?,
            app,
            listener: Arc::new(listener),
            address,
            admin,
            control,
            orders,
            source: options.source,
            text,
            watched,
            hangup: Arc::new(Notify::new()),
            ending: Arc::default(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for operators, if it does.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(_, address)| *address)
    }

    /// Where it listens for commands on this machine, if it does.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control.as_ref().map(|(_, address, _)| *address)
    }

    /// Requests for a successor, for whoever can start processes; once.
    pub fn orders(&mut self) -> Option<mpsc::Receiver<HandOver>> {
        self.orders.take()
    }

    /// Whether clients must present a key.
    pub fn requires_auth(&self) -> bool {
        self.app.snapshot().auth
    }

    /// A summary of the config in force, without secrets.
    pub fn config(&self) -> impl std::ops::Deref<Target = Config> + use<> {
        ConfigView(self.app.snapshot())
    }

    /// A handle that stops the server or makes it read its config again.
    pub fn handle(&self) -> Handle {
        let listeners = [Some(&self.listener), self.admin.as_ref().map(|(listener, _)| listener)];
        Handle {
            hangup: Arc::clone(&self.hangup),
            ending: Arc::clone(&self.ending),
            listeners: listeners.map(|each| each.map(Arc::downgrade)),
        }
    }

    /// Serves until the handle stops it, then lets open requests finish within the drain time.
    /// Returns how many connections were cut off.
    pub async fn run(self) -> usize {
        let app = Arc::clone(&self.app);
        let cut_off = self.serve().await;
        app.store.flush();
        if let Some(records) = &app.records {
            records.flush();
        }
        cut_off
    }

    async fn serve(self) -> usize {
        let drain = self.app.snapshot().config.server.drain;
        let tasks = TaskTracker::new();
        let admin = Admin {
            app: Arc::clone(&self.app),
            source: self.source.clone(),
            address: self.address,
            ending: Arc::clone(&self.ending),
            control: None,
        };
        // Answers until the drain is over.
        let _admin = self.admin.map(|(listener, _)| {
            let connections = TaskTracker::new();
            AbortOnDrop(tasks.spawn(admin::serve(Arc::new(admin.clone()), listener, connections)))
        });
        let commands = TaskTracker::new();
        let _control = self.control.map(|(listener, _, control)| {
            let admin = Admin { control: Some(control), ..admin };
            let serve = admin::serve(Arc::new(admin), Arc::new(listener), commands.clone());
            AbortOnDrop(tasks.spawn(serve))
        });
        let follow = reload::follow(
            Arc::clone(&self.app),
            self.source,
            self.text,
            self.watched,
            self.hangup,
        );
        let ending = Arc::clone(&self.ending);
        let mut following = pin!(follow);
        let mut serving = pin!(listen::serve(self.workers, self.listener, &ending, drain));
        let cut_off = tokio::select! {
            cut_off = &mut serving => cut_off,
            () = &mut following => serving.await,
            () = ending.begun() => serving.await,
        };
        ending.over(cut_off);
        // Whoever asked for the end, or for a successor, is told before this process ends.
        commands.close();
        let _ = tokio::time::timeout(TOLD_MAX, commands.wait()).await;
        cut_off
    }
}

/// Tells a running server what to do.
#[derive(Clone, Debug)]
pub struct Handle {
    hangup: Arc<Notify>,
    ending: Arc<Ending>,
    listeners: [Option<Weak<TcpListener>>; 2],
}

impl Handle {
    /// Stop listening, finish what is under way.
    pub fn stop(&self) {
        self.ending.begin(How::Stop(None));
    }

    /// Resolves when the server is about to end because a successor has taken over.
    pub async fn succeeded(&self) {
        self.ending.succeeded().await;
    }

    /// Further descriptors of the sockets it listens on, for a successor: the clients', then the
    /// operators' if there is one.
    pub fn listeners(&self) -> io::Result<Vec<OwnedFd>> {
        let sockets = self.listeners.iter().flatten().filter_map(Weak::upgrade);
        sockets.map(|socket| socket.as_fd().try_clone_to_owned()).collect()
    }

    /// Read the config file now.
    pub fn reload(&self) {
        self.hangup.notify_one();
    }
}

/// A task that ends with its owner.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct ConfigView(Arc<app::Snapshot>);

impl std::ops::Deref for ConfigView {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0.config
    }
}

/// Whether clients must present a key, if that does not follow from config alone. Off the loopback
/// address a key is asked for unless the operator says otherwise.
fn require_auth(
    options: &Options,
    config: &Config,
    address: SocketAddr,
) -> Result<Option<bool>, StartError> {
    if address.ip().to_canonical().is_loopback() || options.allow_unauthenticated {
        return Ok(options.require_auth);
    }
    let asked = options.require_auth.or(config.server.require_auth);
    if asked == Some(false) || !config.has_key() {
        return Err(StartError::Exposed(address));
    }
    Ok(Some(true))
}

/// A socket that is open already, on this event loop.
fn adopt(socket: std::net::TcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// Flag, then config.
fn address(options: &Options, config: &Config) -> Result<SocketAddr, StartError> {
    let port = options.port.unwrap_or(config.server.port);
    if let Some(host) = options.host {
        return Ok(SocketAddr::new(host, port));
    }
    let host = config.server.host.trim();
    ip(host).map(|ip| SocketAddr::new(ip, port)).ok_or_else(|| StartError::Address(host.to_owned()))
}

/// The address a host is written as; `localhost` is one of IPv4.
fn ip(host: &str) -> Option<IpAddr> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
