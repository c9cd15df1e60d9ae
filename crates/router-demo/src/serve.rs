//! Connections: HTTP by hyper, or by hand where a fault needs the bare socket.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::record::{Record, Ticket};
use crate::refusal::Refusal;
use crate::reply::{End, Headless, Reply};
use crate::state::State;
use crate::{Dialect, bare, route};

/// The largest request body taken; larger ones get 413.
pub const BODY_BYTES_MAX: usize = 64 << 20;

/// How often a connection is looked at until enough has come to tell HTTP/2
/// from HTTP/1.
const PREFACE_POLL: Duration = Duration::from_millis(1);

/// Time for what was sent to leave before an HTTP/2 stream is ended by a reset,
/// which drops everything still queued.
const FLUSH_BEFORE_CUT: Duration = Duration::from_millis(20);

/// Accepts connections until `stop` is cancelled.
pub(crate) async fn accept(
    listener: TcpListener,
    state: Arc<State>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let mut connection = 0;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors or similar: give others time to close.
            tokio::time::sleep(PREFACE_POLL).await;
            continue;
        };
        connection += 1;
        let (state, stop) = (Arc::clone(&state), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                // A broken connection is the client's affair and recorded as an abort.
                _ = serve(stream, connection, state) => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, connection: u64, state: Arc<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let hand = Arc::new(Hand::default());
    let http2 = is_http2(&stream).await?;
    let service = {
        let hand = Arc::clone(&hand);
        service_fn(move |request| {
            Box::pin(answer(Arc::clone(&state), Arc::clone(&hand), connection, request))
        })
    };
    let io = TokioIo::new(stream);
    if http2 {
        let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, service)
            .await;
        return served.map_err(io::Error::other);
    }
    let mut served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(io, service);
    tokio::select! {
        done = &mut served => return done.map_err(io::Error::other),
        () = hand.wanted.notified() => {}
    }
    let stream = served.into_parts().io.into_inner();
    let taken = hand.reply.lock().unwrap_or_else(PoisonError::into_inner).take();
    match taken {
        Some((reply, ticket)) => bare::send(stream, reply, ticket).await,
        None => Ok(()),
    }
}

/// Whether the connection opens with the HTTP/2 preface.
async fn is_http2(stream: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2";
    let mut head = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut head).await?;
        let start = head.get(..seen).unwrap_or_default();
        if !PREFACE.starts_with(start) || seen == 0 {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        tokio::time::sleep(PREFACE_POLL).await;
    }
}

/// Passes a reply from the HTTP service to the task that owns the socket.
#[derive(Debug, Default)]
struct Hand {
    reply: Mutex<Option<(Reply, Ticket)>>,
    wanted: Notify,
}

async fn answer(
    state: Arc<State>,
    hand: Arc<Hand>,
    connection: u64,
    request: Request<Incoming>,
) -> io::Result<Response<DemoBody>> {
    let received = Instant::now();
    let http2 = request.version() == http::Version::HTTP_2;
    let (head, body) = request.into_parts();
    let collected = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let collected = collected.map(http_body_util::Collected::to_bytes);
    let body = collected.as_ref().cloned().unwrap_or_default();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let record = Record {
        id: 0,
        connection,
        method: head.method.clone(),
        path,
        headers: head.headers.clone(),
        body: body.clone(),
        received,
        status: None,
        finished: None,
        aborted: None,
    };
    let mut ticket = state.records.push(record);
    let mut reply = if collected.is_ok() {
        route::answer(&state, &head, &body, ticket.id())
    } else {
        let anthropic = head.headers.contains_key("anthropic-version");
        let dialect = if anthropic { Dialect::Messages } else { Dialect::Chat };
        let request_id = format!("req_demo{:012}", ticket.id());
        Reply::json(413, &Refusal::of_status(413).body(dialect, &request_id))
    };
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("gzip"));
    if reply.gzip && head.headers.get("accept-encoding").is_some_and(accepts) {
        crate::gzip::compress(&mut reply);
    }
    if reply.needs_the_socket() && !http2 {
        *hand.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some((reply, ticket));
        hand.wanted.notify_one();
        return std::future::pending().await;
    }
    match reply.headless {
        Some(Headless::Stall) => return std::future::pending().await,
        // Over HTTP/2 only the stream is ended, not the connection.
        Some(Headless::Close | Headless::Reset) => {
            ticket.finish();
            return Err(io::Error::other("the demo provider was told not to answer"));
        }
        None => {}
    }
    ticket.answered(reply.status);
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(DemoBody::new(&reply, ticket));
    *response.status_mut() = status;
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
        {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

/// Pieces with a pause before each but the first, and an end of one's choice.
#[derive(Debug)]
pub(crate) struct DemoBody {
    pieces: std::vec::IntoIter<Bytes>,
    whole: Option<u64>,
    pace: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    end: End,
    /// Whether the time before a cut has been given.
    flushed: bool,
    ticket: Ticket,
}

impl DemoBody {
    fn new(reply: &Reply, ticket: Ticket) -> Self {
        let pieces = reply.pieces();
        let known = matches!(reply.payload, crate::reply::Payload::Whole(_));
        let length = pieces.iter().map(|piece| u64::try_from(piece.len()).unwrap_or(0)).sum();
        let mut body = Self {
            pieces: pieces.into_iter(),
            whole: (known && reply.end == End::Clean).then_some(length),
            pace: reply.pace,
            pause: None,
            end: reply.end,
            flushed: false,
            ticket,
        };
        body.finish_if_done();
        body
    }

    fn cuts(&self) -> bool {
        matches!(self.end, End::Close | End::Reset)
    }

    fn finish_if_done(&mut self) {
        if self.pieces.len() == 0 && self.end == End::Clean {
            self.ticket.finish();
        }
    }
}

impl Body for DemoBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.pieces.len() == 0 && self.cuts() && !self.flushed {
            self.flushed = true;
            self.pause = Some(Box::pin(tokio::time::sleep(FLUSH_BEFORE_CUT)));
        }
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        if let Some(piece) = self.pieces.next() {
            if !self.pace.is_zero() {
                self.pause = Some(Box::pin(tokio::time::sleep(self.pace)));
            }
            self.finish_if_done();
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match self.end {
            End::Clean => Poll::Ready(None),
            End::Stall => Poll::Pending,
            End::Close | End::Reset => {
                self.ticket.finish();
                Poll::Ready(Some(Err(io::Error::other("the demo provider was told to cut here"))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.len() == 0 && self.end == End::Clean
    }

    fn size_hint(&self) -> SizeHint {
        self.whole.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
