//! The native host: listens, dials, relays.
//!
//! ```text
//!   Server::bind -> listen -> worker -> router_drive::handle -> client
//!                   reload (file, SIGHUP)   drain (stop)
//! ```

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use router_config::Config;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod admin;
mod app;
pub mod explain;
mod host;
mod ids;
mod listen;
mod record;
pub mod reload;
mod stores;
mod telemetry;
mod tokens;
mod watch;
mod worker;

use app::App;
pub use reload::{ConfigError, Source};
pub use stores::records_path;
use worker::Workers;

/// What the operator decides apart from the config; each outweighs it.
#[derive(Clone, Debug)]
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
    listener: TcpListener,
    address: SocketAddr,
    admin: Option<(TcpListener, SocketAddr)>,
    source: Source,
    text: String,
    watched: bool,
    hangup: Arc<Notify>,
    stop: CancellationToken,
}

impl Server {
    /// Loads the config and listens. Nothing is served before [`Server::run`].
    pub async fn bind(options: Options) -> Result<Self, StartError> {
        let (config, diagnostics, text) = reload::load(&options.source)?;
        reload::report(&diagnostics);
        let address = address(&options, &config)?;
        let exposed = !address.ip().to_canonical().is_loopback();
        let asked = options.require_auth.or(config.server.require_auth);
        // Off the loopback address a key is asked for unless the operator says otherwise.
        let require_auth = if exposed && !options.allow_unauthenticated {
            if asked == Some(false) || !config.has_key() {
                return Err(StartError::Exposed(address));
            }
            Some(true)
        } else {
            options.require_auth
        };
        let watched = options.watch_config.unwrap_or(config.server.watch_config);
        let client = router_client::Client::new().map_err(StartError::Tls)?;
        let stores = stores::open(&config, options.home.as_deref());
        let app = Arc::new(App::new(config, require_auth, stores));
        if app.lacks_key(&app.snapshot().config) {
            return Err(ConfigError::NoKey.into());
        }
        let listening = |error| StartError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let admin = admin::bind(&app.snapshot().config.server).await?;
        Ok(Self {
            workers: Workers::start(&app, &client).map_err(listening)?,
            app,
            listener,
            address,
            admin,
            source: options.source,
            text,
            watched,
            hangup: Arc::new(Notify::new()),
            stop: CancellationToken::new(),
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
        Handle { hangup: Arc::clone(&self.hangup), stop: self.stop.clone() }
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
        // Answers until the drain is over.
        let _admin = self.admin.map(|(listener, _)| {
            let app = Arc::clone(&self.app);
            let admin = admin::Admin { app, source: self.source.clone(), address: self.address };
            AbortOnDrop(tasks.spawn(admin::serve(Arc::new(admin), listener)))
        });
        let follow = reload::follow(
            Arc::clone(&self.app),
            self.source,
            self.text,
            self.watched,
            self.hangup,
        );
        let stop = self.stop.clone();
        let mut following = pin!(follow);
        let mut serving = pin!(listen::serve(self.workers, self.listener, self.stop, drain));
        tokio::select! {
            cut_off = &mut serving => return cut_off,
            () = &mut following => {}
            () = stop.cancelled() => {}
        }
        serving.await
    }
}

/// Tells a running server what to do.
#[derive(Clone, Debug)]
pub struct Handle {
    hangup: Arc<Notify>,
    stop: CancellationToken,
}

impl Handle {
    /// Stop listening, finish what is under way.
    pub fn stop(&self) {
        self.stop.cancel();
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
