//! One try against one candidate, up to its commit point.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use router_core::catalog::Timeouts;
use router_core::exchange::Dial;
use router_core::failure::{Answer, Failure, Fault, classify, classify_transport};
use router_wire::{Usage, peek, tap};
use tokio::time::{Instant, timeout_at};

use super::decode::{Encoding, accepts};
use super::settle::Settling;
use super::watch::{Cut, Verdict, Watch, failure_of};
use super::{Job, headers, outbound};
use crate::app::now;
use crate::client::failure::{Transport, chain, transport};
use crate::reply::{self, ReplyBody};

/// Bytes of a whole answer at most; embeddings and pictures are the largest ones.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of an error's body that are read.
const ERROR_BYTES_MAX: usize = 256 * 1024;

/// An answer at its commit point.
#[derive(Debug)]
pub(crate) enum Ready {
    /// All of it.
    Whole(Box<Whole>),
    /// Its first meaningful output, and the rest on its way.
    Stream(Box<Streaming>),
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) usage: Option<Usage>,
}

/// A stream that has begun.
#[derive(Debug)]
pub(crate) struct Streaming {
    pub(crate) headers: HeaderMap,
    /// Whole events, not yet sent.
    pub(crate) held: Bytes,
    /// `None` if the stream is already complete.
    pub(crate) upstream: Option<Incoming>,
    pub(crate) watch: Watch,
    pub(crate) timeouts: Timeouts,
}

impl Ready {
    /// The headers for the client.
    pub(crate) fn headers(&self) -> HeaderMap {
        match self {
            Self::Whole(whole) => whole.headers.clone(),
            Self::Stream(stream) => stream.headers.clone(),
        }
    }
}

/// An attempt without an answer.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// What the upstream said, where the client can read it as it is.
    pub(crate) native: Option<Native>,
}

/// An upstream's error answer in the client's own dialect.
#[derive(Debug)]
pub(crate) struct Native {
    pub(crate) failure: Failure,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Native {
    pub(crate) fn into_response(self) -> Response<ReplyBody> {
        let mut response = reply::json(self.status, self.body);
        response.headers_mut().extend(self.headers);
        response
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, native: None }
    }
}

/// Calls one candidate and waits for its commit point.
pub(crate) async fn make(job: &Job, settling: &mut Settling, dial: &Dial) -> Result<Ready, Failed> {
    let begun = Instant::now();
    let total = dial.timeouts.total.map(|total| begun + total);
    let first = dial.timeouts.first_byte.map(|first| begun + first);
    let response = send(job, settling, dial, earlier(first, total)).await?;
    settling.answered();
    let (head, body) = response.into_parts();
    if !head.status.is_success() {
        return Err(refused(job, head, body, earlier(first, total)).await);
    }
    if outbound::streams(job) && is_event_stream(&head.headers) {
        return stream(job, &head.headers, body, dial.timeouts, first).await;
    }
    whole(job, head, body, dial.timeouts, total).await
}

async fn send(
    job: &Job,
    settling: &Settling,
    dial: &Dial,
    deadline: Option<Instant>,
) -> Result<Response<Incoming>, Failure> {
    let candidate = settling.exchange().plan().candidates.get(dial.candidate);
    let unusable = || classify_transport(Fault::Misconfigured, None, "the candidate is gone");
    let request = outbound::build(job, candidate.ok_or_else(unusable)?)?;
    let sent = within(deadline, job.worker.client.send(request, dial.timeouts.connect)).await;
    let Some(sent) = sent else {
        return Err(classify_transport(
            Fault::Timeout,
            None,
            "the upstream did not answer in time",
        ));
    };
    sent.map_err(|error| {
        let fault = match transport(&error) {
            Transport::Connect | Transport::Dns => Fault::Connect,
            Transport::ConnectTimeout => Fault::ConnectTimeout,
            Transport::Tls => Fault::Tls,
            Transport::Closed => Fault::Reset,
            Transport::Protocol => Fault::Garbled,
        };
        let message = format!("cannot reach the upstream: {}", chain(&error));
        classify_transport(fault, None, &message)
    })
}

/// The upstream answered with something other than success.
async fn refused(
    job: &Job,
    head: http::response::Parts,
    body: Incoming,
    deadline: Option<Instant>,
) -> Failed {
    if head.status.is_redirection() || head.status.is_informational() {
        let message = format!("the upstream answered {}: redirects are not followed", head.status);
        let failure =
            classify_transport(Fault::Misconfigured, Some(head.status.as_u16()), &message);
        return failure.into();
    }
    let body = within(deadline, collect(body, ERROR_BYTES_MAX)).await;
    let body = body.and_then(Result::ok).unwrap_or_default();
    let plain = Encoding::of(&head.headers).decode(&body, ERROR_BYTES_MAX).unwrap_or_default();
    let failure = classified(&head, &plain).unwrap_or_else(|| {
        classify_transport(Fault::Garbled, Some(head.status.as_u16()), "unexpected status")
    });
    let readable = job.native_only || is_native(job, &plain);
    let native = readable.then(|| Native {
        failure: failure.clone(),
        status: head.status,
        headers: headers::to_client(&head.headers),
        body: plain,
    });
    Failed { failure, native }
}

/// Whether an error's body is one that clients of the inbound dialect can read.
fn is_native(job: &Job, body: &[u8]) -> bool {
    peek::find(body, "error").is_some_and(|error| error.starts_with(b"{"))
        && (job.dialect != router_wire::Dialect::Anthropic || peek::find(body, "type").is_some())
}

fn classified(head: &http::response::Parts, body: &[u8]) -> Option<Failure> {
    let status = head.status.as_u16();
    let look_up = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    classify(&Answer { status, headers: &look_up, body }, now())
}

/// A whole answer, proved to be one.
async fn whole(
    job: &Job,
    head: http::response::Parts,
    body: Incoming,
    timeouts: Timeouts,
    total: Option<Instant>,
) -> Result<Ready, Failed> {
    let status = head.status.as_u16();
    let body = within(total, collect_paced(body, timeouts)).await;
    let body = body.unwrap_or(Err(Cut::Idle)).map_err(|cut| failure_of(&cut))?;
    let encoding = Encoding::of(&head.headers);
    let garbled = |message: &str| classify_transport(Fault::Garbled, Some(status), message);
    let Some(plain) = encoding.decode(&body, ANSWER_BYTES_MAX) else {
        return Err(
            garbled("the upstream's answer is encoded in a way the router cannot read").into()
        );
    };
    if let Some(failure) = classified(&head, &plain) {
        return Err(failure.into());
    }
    if peek::peek(&plain).is_err() {
        return Err(garbled("the upstream's answer is not a JSON object").into());
    }
    let usage = Some(tap::usage_of_body(job.dialect, &plain)).filter(|usage| !usage.is_empty());
    let mut headers = headers::to_client(&head.headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let declared = head.headers.get(CONTENT_ENCODING);
    let passes = declared.and_then(|value| value.to_str().ok());
    let body = match (declared, passes.is_some_and(|name| accepts(&job.headers, name))) {
        (Some(encoding), true) => {
            headers.insert(CONTENT_ENCODING, encoding.clone());
            body
        }
        _ => plain,
    };
    Ok(Ready::Whole(Box::new(Whole { status: head.status, headers, body, usage })))
}

/// A stream, held until its first meaningful output.
async fn stream(
    job: &Job,
    upstream: &HeaderMap,
    mut body: Incoming,
    timeouts: Timeouts,
    first: Option<Instant>,
) -> Result<Ready, Failed> {
    if Encoding::of(upstream) != Encoding::Identity {
        let message = "the upstream compressed a stream although it was asked not to";
        return Err(classify_transport(Fault::Garbled, Some(200), message).into());
    }
    let policy = &job.snapshot.config.catalog.routing.stream;
    let give_up_holding = Instant::now() + policy.hold;
    let mut watch = Watch::new(job.dialect, job.id.to_string(), job.asked.clone());
    let mut held = BytesMut::new();
    let mut first = first;
    let mut headers = headers::to_client(upstream);
    reply::stream_headers(&mut headers);
    loop {
        let idle = timeouts.idle.map(|idle| Instant::now() + idle);
        // The first byte has its own limit; after it silence is what counts.
        let Some(frame) = within(first.take().or(idle), body.frame()).await else {
            return Err(failure_of(&Cut::Idle).into());
        };
        let cut = match frame {
            Some(Ok(frame)) => {
                let Ok(piece) = frame.into_data() else { continue };
                let events = watch.push(piece);
                match watch.verdict() {
                    Verdict::Fail(failure) => return Err(failure.into()),
                    Verdict::Hold
                        if held.len() + events.len() < policy.hold_bytes
                            && Instant::now() < give_up_holding =>
                    {
                        held.extend_from_slice(&events);
                        continue;
                    }
                    Verdict::Hold | Verdict::Commit => {}
                }
                let held = join(held, events);
                let upstream = Some(body);
                let stream = Streaming { headers, held, upstream, watch, timeouts };
                return Ok(Ready::Stream(Box::new(stream)));
            }
            Some(Err(error)) => Cut::Broken(chain(&error)),
            None => Cut::Closed,
        };
        let last = watch.end_uncommitted(&cut)?;
        let held = join(held, last);
        let stream = Streaming { headers, held, upstream: None, watch, timeouts };
        return Ok(Ready::Stream(Box::new(stream)));
    }
}

fn join(mut held: BytesMut, events: Bytes) -> Bytes {
    if held.is_empty() {
        return events;
    }
    held.extend_from_slice(&events);
    held.freeze()
}

/// Reads a whole body, each piece of it within the idle timeout.
async fn collect_paced(mut body: Incoming, timeouts: Timeouts) -> Result<Bytes, Cut> {
    let mut whole = Pieces::default();
    loop {
        let idle = timeouts.idle.map(|idle| Instant::now() + idle);
        match within(idle, body.frame()).await {
            None => return Err(Cut::Idle),
            Some(None) => return Ok(whole.join()),
            Some(Some(Err(error))) => return Err(Cut::Broken(chain(&error))),
            Some(Some(Ok(frame))) => {
                let Ok(piece) = frame.into_data() else { continue };
                if !whole.add(piece, ANSWER_BYTES_MAX) {
                    let limit = format!("the answer is larger than {ANSWER_BYTES_MAX} bytes");
                    return Err(Cut::Broken(limit));
                }
            }
        }
    }
}

/// Reads a body up to `limit` bytes and leaves the rest.
async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, hyper::Error> {
    let mut whole = Pieces::default();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data()
            && !whole.add(piece, limit)
        {
            break;
        }
    }
    Ok(whole.join())
}

/// A body as it arrives; a single piece is not copied.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    rest: BytesMut,
}

impl Pieces {
    /// Adds a piece; false if the body would be larger than `limit`.
    fn add(&mut self, piece: Bytes, limit: usize) -> bool {
        if limit < self.first.len().max(self.rest.len()) + piece.len() {
            return false;
        }
        if self.first.is_empty() {
            self.first = piece;
        } else {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&self.first);
            }
            self.rest.extend_from_slice(&piece);
        }
        true
    }

    fn join(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    value.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream")
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

/// What `future` gives before `deadline`; `None` after it.
async fn within<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        None => Some(future.await),
        Some(deadline) => timeout_at(deadline, future).await.ok(),
    }
}
