//! One try against one candidate, up to its commit point.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use router_config::Operation as Endpoint;
use router_core::catalog::Timeouts;
use router_core::exchange::Dial;
use router_core::failure::{Answer, Failure, FailureClass, Fault, classify, classify_transport};
use router_wire::canonical::Loss;
use router_wire::error::{ClientError, UpstreamError};
use router_wire::gemini::count::write_answer;
use router_wire::{Dialect, Usage, peek, tap};

use super::collect::{ANSWER_BYTES_MAX, collect, collect_paced, earlier};
use super::decode::{Encoding, accepts};
use super::outbound::{Translated, Unwanted, Way};
use super::settle::Settling;
use super::watch::{Cut, Verdict, Watch, failure_of};
use super::{Job, headers, outbound};
use crate::body::Payload;
use crate::host::{Host, within};
use crate::reply;

/// Set to `true` on a count that no upstream made.
const ESTIMATE: HeaderName = HeaderName::from_static("x-llm-router-estimate");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Bytes of an error's body that are read.
const ERROR_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the longest name of an event's field.
const FIELD_BYTES_MAX: usize = "retry:".len();

/// An answer at its commit point.
#[derive(Debug)]
pub(crate) enum Ready<H: Host> {
    /// All of it.
    Whole(Box<Whole>),
    /// Its first meaningful output, and the rest on its way.
    Stream(Box<Streaming<H>>),
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) usage: Option<Usage>,
    pub(crate) losses: Vec<Loss>,
}

/// A stream that has begun.
#[derive(Debug)]
pub(crate) struct Streaming<H: Host> {
    pub(crate) headers: HeaderMap,
    /// Whole events, not yet sent.
    pub(crate) held: Bytes,
    /// `None` if the stream is already complete.
    pub(crate) upstream: Option<H::Body>,
    pub(crate) watch: Watch,
    pub(crate) timeouts: Timeouts,
}

impl<H: Host> Ready<H> {
    /// The status for the client.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Whole(whole) => whole.status,
            Self::Stream(_) => StatusCode::OK,
        }
    }

    /// The headers for the client.
    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        match self {
            Self::Whole(whole) => &mut whole.headers,
            Self::Stream(stream) => &mut stream.headers,
        }
    }
}

/// An attempt without an answer.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// The best words for it, if there are better ones than the failure's own.
    pub(crate) words: Option<Box<Words>>,
}

/// How a client is told of a failure.
#[derive(Debug)]
pub(crate) enum Words {
    /// By the upstream's own answer, which is in the client's dialect.
    Native { status: StatusCode, headers: HeaderMap, body: Bytes },
    /// By this error.
    Error(ClientError),
}

impl Failed {
    /// A failure of which the client is told by `error`.
    pub(crate) fn told(failure: Failure, error: ClientError) -> Self {
        Self { failure, words: Some(Box::new(Words::Error(error))) }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, words: None }
    }
}

/// Calls one candidate and waits for its commit point.
pub(crate) async fn make<H: Host>(
    job: &Job<H>,
    settling: &mut Settling<H>,
    dial: &Dial,
) -> Result<Ready<H>, Failed> {
    let begun = H::instant();
    let total = dial.timeouts.total.map(|total| begun + total);
    let first = dial.timeouts.first_byte.map(|first| begun + first);
    let plan = settling.exchange().plan();
    let candidate = plan.candidates.get(dial.candidate).copied();
    let unusable = || classify_transport(Fault::Misconfigured, None, "the candidate is gone");
    let candidate = candidate.ok_or_else(unusable)?;
    let unwanted = Unwanted { members: settling.unfit(), state: dial.stateless };
    let outbound = outbound::build(job, &candidate, unwanted)?;
    let call = Call { job, way: outbound.way, timeouts: dial.timeouts };
    let sent = job.host.send(outbound.request, dial.timeouts.connect);
    let response = match within::<H, _>(earlier(first, total), sent).await {
        Some(sent) => sent?,
        None => return Err(late().into()),
    };
    settling.answered();
    let (head, mut body) = response.into_parts();
    if cannot_count(job, head.status) {
        // That says nothing about how the upstream does otherwise.
        return estimated(job).await.map_err(|error| {
            Failed::told(Failure::new(FailureClass::Rejected, error.to_string()), error)
        });
    }
    if !head.status.is_success() {
        return Err(call.refused(head, body, earlier(first, total)).await);
    }
    if !outbound::streams(job) {
        return call.whole(head, Bytes::new(), body, total).await;
    }
    let mut begun = Bytes::new();
    if !is_event_stream(&head.headers) {
        begun = beginning::<H>(&mut body, earlier(first, total)).await?;
        if !begins_event_stream(&begun) {
            return call.whole(head, begun, body, total).await;
        }
    }
    call.stream(&head.headers, begun, body, first).await
}

/// The first bytes of a body, enough to tell what it is.
async fn beginning<H: Host>(
    body: &mut H::Body,
    deadline: Option<H::Instant>,
) -> Result<Bytes, Failed> {
    let mut begun = BytesMut::new();
    while begun.len() < FIELD_BYTES_MAX {
        let piece = match within::<H, _>(deadline, body.frame()).await {
            None => return Err(late().into()),
            Some(None) => break,
            Some(Some(Err(error))) => return Err(failure_of(&Cut::Broken(H::words(&error))).into()),
            Some(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        begun.extend_from_slice(&piece);
    }
    Ok(begun.freeze())
}

/// Whether a body that is not labelled as an event stream is one all the same: some proxies label
/// everything alike.
fn begins_event_stream(begun: &[u8]) -> bool {
    [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].iter().any(|field| begun.starts_with(field))
}

/// Whether an upstream that speaks the client's dialect has no endpoint that counts tokens.
fn cannot_count<H: Host>(job: &Job<H>, status: StatusCode) -> bool {
    job.endpoint == Endpoint::CountTokens
        && matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
}

/// The router's own estimate, in place of an upstream's count.
pub(crate) async fn estimated<H: Host>(job: &Job<H>) -> Result<Ready<H>, ClientError> {
    let tokens = job.host.count_tokens(job.dialect, &job.asked, &job.body).await?;
    let body = count_answer(job.dialect, tokens);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ESTIMATE, HeaderValue::from_static("true"));
    let (status, losses) = (StatusCode::OK, Vec::new());
    Ok(Ready::Whole(Box::new(Whole { status, headers, body, usage: None, losses })))
}

/// The answer to a token count in the client's dialect.
fn count_answer(dialect: Dialect, tokens: u64) -> Bytes {
    match dialect {
        Dialect::Gemini => {
            let mut out = Vec::new();
            write_answer(tokens, &mut out);
            out.into()
        }
        Dialect::Anthropic | Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            format!("{{\"input_tokens\":{tokens}}}").into()
        }
    }
}

fn late() -> Failure {
    classify_transport(Fault::Timeout, None, "the upstream did not answer in time")
}

/// A call under way.
struct Call<'a, H: Host> {
    job: &'a Job<H>,
    way: Way,
    timeouts: Timeouts,
}

impl<H: Host> Call<'_, H> {
    /// The upstream answered with something other than success.
    async fn refused(
        self,
        head: http::response::Parts,
        body: H::Body,
        deadline: Option<H::Instant>,
    ) -> Failed {
        let status = head.status.as_u16();
        if head.status.is_redirection() || head.status.is_informational() {
            let message =
                format!("the upstream answered {}: redirects are not followed", head.status);
            return classify_transport(Fault::Misconfigured, Some(status), &message).into();
        }
        let body = within::<H, _>(deadline, collect::<H>(body, ERROR_BYTES_MAX)).await;
        let body = body.and_then(Result::ok).unwrap_or_default();
        let plain = Encoding::of(&head.headers).decode(&body, ERROR_BYTES_MAX).unwrap_or_default();
        let failure = classified::<H>(&head, &plain).unwrap_or_else(|| {
            classify_transport(Fault::Garbled, Some(status), "unexpected status")
        });
        let native = matches!(self.way, Way::Native) && is_native(self.job, &plain);
        let words = if native {
            let headers = headers::to_client(&head.headers);
            let status = known_status(self.job.dialect, head.status);
            Words::Native { status, headers, body: plain }
        } else {
            Words::Error(UpstreamError::read(status, &plain).to_client_error())
        };
        Failed { failure, words: Some(Box::new(words)) }
    }

    /// A whole answer, proved to be one.
    async fn whole(
        mut self,
        head: http::response::Parts,
        begun: Bytes,
        body: H::Body,
        total: Option<H::Instant>,
    ) -> Result<Ready<H>, Failed> {
        let body = collect_paced::<H>(body, self.timeouts, total).await;
        let body = body.map_err(|cut| failure_of(&cut))?;
        let body = join(BytesMut::from(begun), body);
        let garbled =
            |what: &str| classify_transport(Fault::Garbled, Some(head.status.as_u16()), what);
        let plain = Encoding::of(&head.headers).decode(&body, ANSWER_BYTES_MAX);
        let plain = plain.ok_or_else(|| {
            garbled("the upstream's answer is encoded in a way the router cannot read")
        })?;
        if let Some(failure) = classified::<H>(&head, &plain) {
            return Err(failure.into());
        }
        if peek::peek(&plain).is_err() && !plain.starts_with(b"[") {
            return Err(garbled("the upstream's answer is not a JSON object").into());
        }
        let plain = self.continued(plain, total).await;
        match self.way {
            Way::Native if outbound::streams(self.job) && !self.job.array => {
                if self.job.endpoint == Endpoint::Completions {
                    return Err(garbled("the upstream answered a streamed request whole").into());
                }
                let session = outbound::native_session(self.job);
                let told = Translated { session, losses: Vec::new(), again: None };
                replayed(self.job, &head.headers, &plain, told, self.timeouts)
            }
            Way::Native => Ok(native_whole(self.job, &head, body, plain)),
            Way::Translated(translated) if self.job.stream => {
                replayed(self.job, &head.headers, &plain, *translated, self.timeouts)
            }
            Way::Translated(translated) => translated_whole(self.job, &head, &plain, *translated),
        }
    }

    /// The answer with what further calls bring, as long as the upstream interrupts itself.
    async fn continued(&mut self, plain: Bytes, total: Option<H::Instant>) -> Bytes {
        let Way::Translated(translated) = &mut self.way else { return plain };
        let Some(mut again) = translated.again.take() else { return plain };
        let mut last = plain;
        while let Some(body) = again.turn.whole(&last) {
            let Some(next) = self.answer(again.request(body), total).await else { break };
            last = next;
        }
        again.turn.joined(&last).map_or(last, Bytes::from)
    }

    /// The whole answer to a further call; nothing if it is none.
    async fn answer(&self, request: Request<Payload>, total: Option<H::Instant>) -> Option<Bytes> {
        let sent = self.job.host.send(request, self.timeouts.connect);
        let (head, body) = within::<H, _>(total, sent).await?.ok()?.into_parts();
        let body = collect_paced::<H>(body, self.timeouts, total).await.ok()?;
        let plain = Encoding::of(&head.headers).decode(&body, ANSWER_BYTES_MAX)?;
        let is_answer = head.status.is_success() && classified::<H>(&head, &plain).is_none();
        (is_answer && peek::peek(&plain).is_ok()).then_some(plain)
    }

    /// A stream, held until its first meaningful output.
    async fn stream(
        self,
        upstream: &HeaderMap,
        begun: Bytes,
        mut body: H::Body,
        first: Option<H::Instant>,
    ) -> Result<Ready<H>, Failed> {
        if Encoding::of(upstream) != Encoding::Identity {
            let message = "the upstream compressed a stream although it was asked not to";
            return Err(classify_transport(Fault::Garbled, Some(200), message).into());
        }
        let policy = &self.job.host.snapshot().config.catalog.routing.stream;
        let give_up_holding = H::instant() + policy.hold;
        let mut held = BytesMut::new();
        let mut first = first;
        let timeouts = self.timeouts;
        let headers = stream_headers(self.job, upstream, &self.way);
        let mut watch = Watch::new(self.job, self.way);
        let mut begun = (!begun.is_empty()).then(|| Ok(Frame::data(begun)));
        loop {
            let idle = timeouts.idle.map(|idle| H::instant() + idle);
            // The first byte has its own limit; after it silence is what counts.
            let limit = first.take().or(idle);
            let frame = match begun.take() {
                Some(begun) => Some(begun),
                None => within::<H, _>(limit, body.frame())
                    .await
                    .ok_or_else(|| failure_of(&Cut::Idle))?,
            };
            let cut = match frame {
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else { continue };
                    let events = watch.push(piece);
                    let waits = held.len() + events.len() < policy.hold_bytes
                        && H::instant() < give_up_holding;
                    match watch.verdict() {
                        Verdict::Fail(failed) => return Err(*failed),
                        Verdict::Hold if waits => {
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
                Some(Err(error)) => Cut::Broken(H::words(&error)),
                None => Cut::Closed,
            };
            let last = watch.end_uncommitted(&cut)?;
            let held = join(held, last);
            let stream = Streaming { headers, held, upstream: None, watch, timeouts };
            return Ok(Ready::Stream(Box::new(stream)));
        }
    }
}

/// Whether an error's body is one that clients of the inbound dialect can read.
fn is_native<H: Host>(job: &Job<H>, body: &[u8]) -> bool {
    let Some(error) = peek::find(body, "error").filter(|error| error.starts_with(b"{")) else {
        return false;
    };
    match job.dialect {
        Dialect::Anthropic => peek::find(body, "type").is_some(),
        Dialect::Gemini => peek::find(error, "status").is_some(),
        Dialect::OpenaiChat | Dialect::OpenaiResponses => true,
    }
}

/// The status of an upstream's error as clients of `dialect` know it: 529 is for Messages alone.
fn known_status(dialect: Dialect, status: StatusCode) -> StatusCode {
    let is_foreign = status.as_u16() == 529 && dialect != Dialect::Anthropic;
    if is_foreign { StatusCode::SERVICE_UNAVAILABLE } else { status }
}

/// The upstream's answer as it is, but for an encoding that the client cannot read.
fn native_whole<H: Host>(
    job: &Job<H>,
    head: &http::response::Parts,
    body: Bytes,
    plain: Bytes,
) -> Ready<H> {
    let usage = Some(tap::usage_of_body(job.dialect, &plain)).filter(|usage| !usage.is_empty());
    let mut headers = headers::to_client(&head.headers);
    headers.insert(CONTENT_TYPE, JSON);
    let declared = head.headers.get(CONTENT_ENCODING);
    let readable = declared.and_then(|value| value.to_str().ok());
    let body = match (declared, readable.is_some_and(|name| accepts(&job.headers, name))) {
        (Some(encoding), true) => {
            headers.insert(CONTENT_ENCODING, encoding.clone());
            body
        }
        _ => plain,
    };
    Ready::Whole(Box::new(Whole { status: head.status, headers, body, usage, losses: Vec::new() }))
}

fn translated_whole<H: Host>(
    job: &Job<H>,
    head: &http::response::Parts,
    plain: &[u8],
    mut translated: Translated,
) -> Result<Ready<H>, Failed> {
    let mut body = Vec::with_capacity(plain.len() + 512);
    let answer = translated.session.response(plain, &mut body).map_err(|error| {
        let message = error.message.clone();
        Failed::told(classify_transport(Fault::Garbled, Some(502), &message), *error)
    })?;
    job.host.kept().keep(&answer.kept);
    let mut headers = headers::to_client(&head.headers);
    headers.insert(CONTENT_TYPE, JSON);
    let mut losses = translated.losses;
    losses.extend(answer.losses);
    headers::add_losses(job, &losses, &mut headers);
    let usage = Some(answer.usage);
    let whole = Whole { status: StatusCode::OK, headers, body: body.into(), usage, losses };
    Ok(Ready::Whole(Box::new(whole)))
}

/// A whole answer where a stream was asked for, as the stream it would have been.
fn replayed<H: Host>(
    job: &Job<H>,
    upstream: &HeaderMap,
    plain: &Bytes,
    translated: Translated,
    timeouts: Timeouts,
) -> Result<Ready<H>, Failed> {
    let way = Way::Translated(Box::new(translated));
    let headers = stream_headers(job, upstream, &way);
    let mut watch = Watch::new(job, way);
    let events = watch.push(plain.clone());
    let last = watch.end_uncommitted(&Cut::Closed)?;
    let held = join(BytesMut::from(events), last);
    let stream = Streaming { headers, held, upstream: None, watch, timeouts };
    Ok(Ready::Stream(Box::new(stream)))
}

fn stream_headers<H: Host>(job: &Job<H>, upstream: &HeaderMap, way: &Way) -> HeaderMap {
    let mut headers = headers::to_client(upstream);
    reply::stream_headers(job.array, &mut headers);
    if let Way::Translated(translated) = way {
        headers::add_losses(job, &translated.losses, &mut headers);
    }
    headers
}

fn classified<H: Host>(head: &http::response::Parts, body: &[u8]) -> Option<Failure> {
    let status = head.status.as_u16();
    let look_up = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    classify(&Answer { status, headers: &look_up, body }, H::now())
}

fn join(mut held: BytesMut, events: Bytes) -> Bytes {
    if held.is_empty() {
        return events;
    }
    held.extend_from_slice(&events);
    held.freeze()
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    value.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream")
}
