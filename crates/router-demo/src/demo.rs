//! The running provider.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::face::Face;
use crate::record::Record;
use crate::script::Script;
use crate::serve;
use crate::state::State;

/// How the provider behaves for all models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The key requests must carry; without one, any key or none will do.
    pub key: Option<String>,
    /// Time before each event of a stream but the first.
    pub pace: Duration,
    /// Whether requests are checked as strictly as the real APIs check them.
    pub strict: bool,
    /// What it looks like from outside.
    pub face: Face,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: None, pace: Duration::ZERO, strict: true, face: Face::default() }
    }
}

/// A provider that serves until it is shut down or dropped.
#[derive(Debug)]
pub struct Demo {
    address: SocketAddr,
    state: Arc<State>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Demo {
    /// Listens on `address` (port 0 picks a free one) and serves.
    pub async fn start(address: SocketAddr, options: Options) -> io::Result<Self> {
        Self::serve(TcpListener::bind(address).await?, options)
    }

    /// Listens on a free port of the loopback address and serves with the
    /// default options.
    pub async fn local() -> io::Result<Self> {
        Self::start(SocketAddr::from(([127, 0, 0, 1], 0)), Options::default()).await
    }

    /// Serves on a socket that listens already.
    pub fn serve(listener: TcpListener, options: Options) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(options));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(serve::accept(listener, Arc::clone(&state), tasks.clone(), stop.clone()));
        Ok(Self { address, state, tasks, stop })
    }

    /// An address on which nobody listens: connections to it are refused. The
    /// port was free a moment ago; nothing keeps others from taking it.
    pub async fn refusing_address() -> io::Result<SocketAddr> {
        TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?.local_addr()
    }

    /// The address the provider listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL, such as `http://127.0.0.1:40123`, without a path. The
    /// `OpenAI` SDKs want `/v1` behind it, the Anthropic and Gemini SDKs nothing.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, oldest first, at most [`crate::RECORDS_MAX`].
    pub fn requests(&self) -> Vec<Record> {
        self.state.records.all()
    }

    /// Makes the requests to `model` follow `script`. The name may be one the
    /// provider does not know otherwise; `*` stands for every model without a
    /// script of its own.
    pub fn script(&self, model: &str, script: Script) {
        self.state.script(model, script);
    }

    /// Forgets scripts, requests and cached prefixes.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Closes the socket and every connection, and waits until all are closed.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
