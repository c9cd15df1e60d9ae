//! The operators' listener: what the router does, and a few things it can be told.
//!
//! It is off unless config turns it on, listens on loopback only, and answers nobody without its
//! key, which is read from the config in force at every request. It runs on the accepting thread,
//! so that looking takes no time from those who serve.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use router_config::Server;
use router_drive::presents;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::StartError;
use crate::app::App;
use crate::reload::Source;
use answer::Problem;

mod answer;
mod routes;

/// Connections at once at most; further ones are closed.
const CONNECTIONS_MAX: usize = 32;
/// How long a connection may take, its answer included.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);
/// Pause after `accept` fails.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the answers are made from.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) app: Arc<App>,
    pub(crate) source: Source,
    /// Where clients are served.
    pub(crate) address: SocketAddr,
}

/// Listens, if the config says so and has a key.
pub(crate) async fn bind(server: &Server) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let Some(admin) = server.admin.as_ref().filter(|admin| admin.key.is_some()) else {
        return Ok(None);
    };
    let ip = crate::ip(admin.host.trim()).filter(|ip| ip.to_canonical().is_loopback());
    let ip = ip.ok_or_else(|| StartError::Address(admin.host.clone()))?;
    let address = SocketAddr::new(ip, admin.port);
    let listening = |error| StartError::ListenAdmin { address, error };
    let listener = TcpListener::bind(address).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    Ok(Some((listener, address)))
}

/// Answers operators until it is dropped.
pub(crate) async fn serve(admin: Arc<Admin>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let tasks = TaskTracker::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept an operator's connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let connection = connection(Arc::clone(&admin), stream);
        tasks.spawn(async move {
            let _ = tokio::time::timeout(CONNECTION_TIME_MAX, connection).await;
            drop(permit);
        });
    }
}

async fn connection(admin: Arc<Admin>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(handle(&admin, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).keep_alive(false);
    // An error here is the other side's doing.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn handle(admin: &Admin, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let snapshot = admin.app.snapshot();
    let key = snapshot.config.server.admin.as_ref().and_then(|admin| admin.key.as_ref());
    let (head, body) = request.into_parts();
    if !key.is_some_and(|key| presents(&head.headers, &head.uri, false, key.expose())) {
        return answer::problem(&Problem::unauthorized());
    }
    let answered = routes::answer(admin, &snapshot, &head, body).await;
    answered.unwrap_or_else(|problem| answer::problem(&problem))
}
