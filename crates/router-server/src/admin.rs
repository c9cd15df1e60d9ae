//! The operators' listener: what the router does, and a few things it can be told.
//!
//! It is off unless config turns it on, listens on loopback only, and answers nobody without its
//! key, which is read from the config in force at every request. It runs on the accepting thread,
//! so that looking takes no time from those who serve.
//!
//! A second listener of the same kind is for commands on this machine: its key is a token made at
//! the start, and it can also end the router.

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
use router_config::{Secret, Server};
use router_drive::presents;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::ending::Ending;
use crate::reload::Source;
use crate::{HandOver, StartError};
use answer::Problem;

mod answer;
mod control;
mod routes;

/// Connections at once at most; further ones are closed.
const CONNECTIONS_MAX: usize = 32;
/// How long a connection may take, its answer included.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);
/// The same for a command on this machine, which may wait for the end of a drain.
const COMMAND_TIME_MAX: Duration = Duration::from_hours(24);
/// Requests for a successor that wait at most.
const ORDERS_MAX: usize = 1;
/// Pause after `accept` fails.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the answers are made from.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) app: Arc<App>,
    pub(crate) source: Source,
    /// Where clients are served.
    pub(crate) address: SocketAddr,
    pub(crate) ending: Arc<Ending>,
    /// What a command on this machine may do besides; absent for operators.
    pub(crate) control: Option<Control>,
}

/// What a command on this machine presents, and who starts successors.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    token: Secret,
    orders: mpsc::Sender<HandOver>,
}

impl Control {
    pub(crate) fn new(token: Secret) -> (Self, mpsc::Receiver<HandOver>) {
        let (orders, receiver) = mpsc::channel(ORDERS_MAX);
        (Self { token, orders }, receiver)
    }
}

/// Listens, if the config says so and has a key; on `inherited`, if somebody has opened it.
pub(crate) async fn bind(
    server: &Server,
    inherited: Option<std::net::TcpListener>,
) -> Result<Option<(Arc<TcpListener>, SocketAddr)>, StartError> {
    let Some(admin) = server.admin.as_ref().filter(|admin| admin.key.is_some()) else {
        return Ok(None);
    };
    let ip = crate::ip(admin.host.trim()).filter(|ip| ip.to_canonical().is_loopback());
    let ip = ip.ok_or_else(|| StartError::Address(admin.host.clone()))?;
    let address = SocketAddr::new(ip, admin.port);
    let listening = |error| StartError::ListenAdmin { address, error };
    let listener = match inherited {
        Some(socket) => crate::adopt(socket).map_err(listening)?,
        None => TcpListener::bind(address).await.map_err(listening)?,
    };
    let address = listener.local_addr().map_err(listening)?;
    Ok(Some((Arc::new(listener), address)))
}

/// Listens for commands on this machine.
pub(crate) async fn bind_control() -> Result<(TcpListener, SocketAddr), StartError> {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let listening = |error| StartError::ListenAdmin { address, error };
    let listener = TcpListener::bind(address).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    Ok((listener, address))
}

/// Answers operators until it is dropped; `tasks` has a task for each connection. A successor has
/// the operators' socket as well, and gets its connections from then on.
pub(crate) async fn serve(admin: Arc<Admin>, listener: Arc<TcpListener>, tasks: TaskTracker) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            biased;
            () = admin.ending.succeeded(), if admin.control.is_none() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept an operator's connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let limit = if admin.control.is_some() { COMMAND_TIME_MAX } else { CONNECTION_TIME_MAX };
        let connection = connection(Arc::clone(&admin), stream);
        tasks.spawn(async move {
            let _ = tokio::time::timeout(limit, connection).await;
            drop(permit);
        });
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
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
    let key = match &admin.control {
        Some(control) => Some(&control.token),
        None => snapshot.config.server.admin.as_ref().and_then(|admin| admin.key.as_ref()),
    };
    let (head, body) = request.into_parts();
    if !key.is_some_and(|key| presents(&head.headers, &head.uri, false, key.expose())) {
        return answer::problem(&Problem::unauthorized());
    }
    let answered = routes::answer(admin, &snapshot, &head, body).await;
    answered.unwrap_or_else(|problem| answer::problem(&problem))
}
