//! One thread per core, each with an event loop and upstream connections of its own.
//!
//! A request stays on the thread of its connection from accept to settle, and so do the upstream
//! connections it uses. Nothing wakes another thread on the way, which for a stream would happen
//! at every event. Connections go to the worker that has the fewest open.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Request, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use router_client::Client;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::host::Native;
use crate::listen::Accepted;
use crate::opening::Opening;
use crate::telemetry::Meter;

/// Bytes of one request's head at most.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long an HTTP/2 client may take to answer a ping.
const PONG_MAX: Duration = Duration::from_secs(20);

/// What a refused client may still send, and for how long, so that the refusal reaches it: one that
/// is still writing when the connection closes sees a reset instead.
const REFUSED_BYTES_MAX: usize = 32 * 1024 * 1024;
const REFUSED_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a connection without a request may stay open after a successor has taken over. Longer
/// than clients keep one for later use, so that it is they who close it: a request that is sent
/// while the server closes is lost.
const LINGER: Duration = Duration::from_secs(6);

/// How the last connections are treated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drain {
    /// How long open requests may take.
    pub(crate) limit: Duration,
    /// Whether somebody else serves new connections by now.
    pub(crate) succeeded: bool,
}

/// What all requests of one worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) app: Arc<App>,
    pub(crate) client: Client,
    pub(crate) meter: Meter,
}

/// The threads that serve.
#[derive(Debug)]
pub(crate) struct Workers {
    all: Vec<Seat>,
}

/// One worker as the accepting thread sees it.
#[derive(Debug)]
struct Seat {
    /// Unbounded, as every message holds a permit for one of a bounded number of connections.
    connections: mpsc::UnboundedSender<Accepted>,
    open: Arc<AtomicUsize>,
    /// Sent to begin the drain; dropped sends the worker home at once.
    stop: oneshot::Sender<Drain>,
    /// How many connections were cut off.
    stopped: oneshot::Receiver<usize>,
}

impl Workers {
    /// Starts one worker for each core this process may use.
    pub(crate) fn start(app: &Arc<App>, client: &Client) -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let all = (0..count).map(|index| Seat::start(index, app, client.separate()));
        Ok(Self { all: all.collect::<io::Result<_>>()? })
    }

    /// Gives a connection to the worker with the fewest.
    pub(crate) fn hand_over(&self, accepted: Accepted) {
        let open = |seat: &&Seat| seat.open.load(Ordering::Relaxed);
        if let Some(seat) = self.all.iter().min_by_key(open) {
            seat.open.fetch_add(1, Ordering::Relaxed);
            // A worker that is gone has nobody to serve it: the connection is closed.
            let _ = seat.connections.send(accepted);
        }
    }

    /// Lets open requests finish; returns how many connections were cut off.
    pub(crate) async fn drain(self, drain: Drain) -> usize {
        let mut stopped = Vec::new();
        for seat in self.all {
            let _ = seat.stop.send(drain);
            stopped.push(seat.stopped);
        }
        let mut cut_off = 0;
        for count in stopped {
            cut_off += count.await.unwrap_or(0);
        }
        cut_off
    }
}

impl Seat {
    fn start(index: usize, app: &Arc<App>, client: Client) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worker =
            Arc::new(Worker { app: Arc::clone(app), client, meter: app.telemetry.meter() });
        let (connections, accepted) = mpsc::unbounded_channel();
        let (stop, stopping) = oneshot::channel();
        let (report, stopped) = oneshot::channel();
        let open = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&open);
        thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            let cut_off = runtime.block_on(work(worker, accepted, stopping, counter));
            let _ = report.send(cut_off);
        })?;
        Ok(Self { connections, open, stop, stopped })
    }
}

/// Serves connections until told to stop.
async fn work(
    worker: Arc<Worker>,
    mut accepted: mpsc::UnboundedReceiver<Accepted>,
    mut stopping: oneshot::Receiver<Drain>,
    open: Arc<AtomicUsize>,
) -> usize {
    let graceful = GracefulShutdown::new();
    let tasks = TaskTracker::new();
    let closing = Arc::new(AtomicBool::new(false));
    let Drain { limit, succeeded } = loop {
        let next = tokio::select! {
            biased;
            drain = &mut stopping => break drain.unwrap_or_default(),
            next = accepted.recv() => next,
        };
        let Some(Accepted { stream, peer, permit }) = next else { break Drain::default() };
        let served = TcpStream::from_std(stream)
            .map(|stream| serve((&worker, &closing), stream, peer, &graceful));
        let open = Arc::clone(&open);
        tasks.spawn(async move {
            if let Ok(served) = served {
                served.await;
            }
            open.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    };
    if succeeded {
        // Whoever sends a request meanwhile is told to connect anew, to the successor.
        closing.store(true, Ordering::Relaxed);
        tasks.close();
        let _ = tokio::time::timeout(LINGER.min(limit), tasks.wait()).await;
    }
    tokio::select! {
        () = graceful.shutdown() => 0,
        () = tokio::time::sleep(limit) => open.load(Ordering::Relaxed),
    }
}

fn serve(
    (worker, closing): (&Arc<Worker>, &Arc<AtomicBool>),
    stream: TcpStream,
    peer: std::net::SocketAddr,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    let header_timeout = worker.app.snapshot().config.server.header_timeout;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .http2()
        .timer(TokioTimer::new())
        // A peer that is gone does not answer pings. HTTP/2 has no other limit for idle ones.
        .keep_alive_interval(header_timeout)
        .keep_alive_timeout(header_timeout.min(PONG_MAX))
        .max_header_list_size(64 * 1024);
    let (worker, closing) = (Arc::clone(worker), Arc::clone(closing));
    let service = service_fn(move |request: Request<Incoming>| {
        let (id, host) = (worker.app.ids.next(), Native::new(Arc::clone(&worker)));
        let closing = Arc::clone(&closing);
        async move {
            let can_close = request.version() < Version::HTTP_2;
            let (head, mut body) = request.into_parts();
            // Who waits for a `100 Continue` has sent nothing, and nothing is asked of it.
            let is_sending = !head.headers.contains_key(EXPECT);
            let request = Request::from_parts(head, &mut body);
            let mut response = router_drive::handle(host, id, Some(peer.ip()), request).await;
            if is_sending && !body.is_end_stream() {
                let _ = tokio::time::timeout(REFUSED_TIME_MAX, read_on(body)).await;
            }
            if can_close && closing.load(Ordering::Relaxed) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let watcher = graceful.watcher();
    async move {
        let opening = Opening::new(stream, header_timeout);
        let connection = builder.serve_connection(opening, service);
        // An error here is the client's doing (reset, timeout, bad HTTP) and already answered.
        if let Err(error) = watcher.watch(connection.into_owned()).await {
            tracing::trace!(error = %error, "connection ended");
        }
    }
}

/// Reads what is left of a body without keeping any of it.
async fn read_on(mut body: Incoming) {
    let mut left = REFUSED_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, bytes::Bytes::len));
        if left == 0 {
            return;
        }
    }
}
