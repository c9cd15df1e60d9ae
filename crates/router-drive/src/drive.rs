//! Carrying out what the core decides: one loop from plan to answer.
//!
//! ```text
//!   run -> [ step: Dial -> attempt -> failed ]* -> committed -> reply (Whole or Relay)
//!                  Wait                            refused   -> error in the client's dialect
//! ```

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use router_config::Operation as Endpoint;
use router_core::bucket::Tokens;
use router_core::exchange::{Exchange, Refusal, RefusalKind, Step};
use router_core::failure::{Failure, FailureClass};
use router_core::plan::{Plan, RequestFacts, SessionKey};
use router_core::resolve::Route;
use router_core::time::UnixMs;
use router_wire::Dialect;
use router_wire::error::{ClientError, ErrorKind, StreamPlace};
use router_wire::peek::Found;

use self::attempt::{Ready, Words};
use self::hold::{Driving, Holding};
use self::relay::Relay;
use self::settle::{End, Settling};
use crate::host::{Host, within};
use crate::ids::RequestId;
use crate::inbound::Refused;
use crate::inbound::auth::Caller;
use crate::reply::{self, ReplyBody};

mod again;
mod attempt;
mod collect;
mod decode;
mod headers;
pub(crate) mod hold;
mod outbound;
pub(crate) mod relay;
mod settle;
mod timer;
mod watch;

/// One client request, ready to be sent to somebody.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the request of its own")]
pub struct Job<H: Host> {
    /// Whoever carries it out.
    pub host: H,
    /// Its name.
    pub id: RequestId,
    /// When its head had come.
    pub started: H::Instant,
    /// What the model name means.
    pub route: Route,
    /// How that is called.
    pub route_name: String,
    /// The inbound dialect.
    pub dialect: Dialect,
    /// What is asked for.
    pub endpoint: Endpoint,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether the stream is to be one JSON array, as Gemini clients get it without `alt=sse`.
    pub array: bool,
    /// Whether only an upstream that speaks the inbound dialect can answer.
    pub native_only: bool,
    /// The model as the client named it; empty if it named none.
    pub asked: String,
    /// The client's headers.
    pub headers: HeaderMap,
    /// Whether the client asked for `?beta=true`.
    pub beta: bool,
    /// The session it belongs to.
    pub session: Option<SessionKey>,
    /// Whose key the client presented.
    pub caller: Caller,
    /// The client's bytes.
    pub body: Bytes,
    /// Where the members that matter stand in `body`.
    pub found: Found,
}

/// Answers the request, or says why nobody did.
pub(crate) async fn run<H: Host>(job: Job<H>) -> Result<Response<ReplyBody<H>>, Refused<H>> {
    let interval = job.host.snapshot().config.catalog.routing.stream.keep_alive;
    if !job.stream || interval.is_zero() {
        // Several kilobytes, which every caller's future would hold and copy.
        return Box::pin(drive(job)).await;
    }
    let (dialect, id, asked, array) = (job.dialect, job.id, job.asked.clone(), job.array);
    let mut driving: Driving<H> = Box::pin(drive(job));
    let deadline = H::instant() + interval;
    if let Some(driven) = within::<H, _>(Some(deadline), &mut driving).await {
        return driven;
    }
    let terminal = move |refused: Refused<H>| {
        let error = refused.into_error();
        if array {
            let body = error.body(dialect, &id.to_string());
            return [b"[", body.as_slice(), b"]\n"].concat().into();
        }
        error_event::<H>(&error, dialect, id, &asked)
    };
    let holding = Holding::new(driving, dialect, interval, terminal);
    let mut response = Response::new(ReplyBody::holding(holding));
    reply::stream_headers(array, response.headers_mut());
    Ok(response)
}

/// The dialect's terminal event for a stream of which nothing has been sent but comments.
fn error_event<H: Host>(
    error: &ClientError,
    dialect: Dialect,
    id: RequestId,
    asked: &str,
) -> Bytes {
    let id = id.to_string();
    let place = StreamPlace {
        request_id: &id,
        response_id: &id.replacen("req_", "resp_", 1),
        model: asked,
        created_s: H::now().0 / 1_000,
        sequence_number: 0,
    };
    error.stream_event(dialect, &place).into()
}

/// Does what the core says until there is an answer or nothing left to try.
async fn drive<H: Host>(job: Job<H>) -> Result<Response<ReplyBody<H>>, Refused<H>> {
    let mut words: Vec<(Failure, Words)> = Vec::new();
    let mut settling = Settling::new(&job, exchange(&job, plan(&job).await));
    let label = job.host.snapshot().label(job.caller);
    let mut step = settling.admit(label).await;
    loop {
        step = match step {
            Step::Dial(dial) => match settling.reserve(dial.candidate).await {
                Err(next) => next,
                Ok(()) if is_unfit(&job, &settling) => settling.pass_over(),
                Ok(()) => match attempt::make(&job, &mut settling, &dial).await {
                    Ok(ready) => return Ok(commit(&job, settling, ready)),
                    Err(failed) => {
                        words.extend(failed.words.map(|each| (failed.failure.clone(), *each)));
                        settling.failed(failed.failure)
                    }
                },
            },
            Step::Wait { until } => {
                wait::<H>(until).await;
                settling.step()
            }
            Step::Fail(_) if settling.may_replan() => settling.replan(plan(&job).await, &job),
            Step::Fail(refusal) if counts_alone(&job, &refusal) => {
                return match attempt::estimated(&job).await {
                    Ok(ready) => Ok(commit(&job, settling, ready)),
                    Err(error) => {
                        settling.refused(&refusal, error.status_for(job.dialect));
                        Err(error.into())
                    }
                };
            }
            Step::Fail(refusal) => {
                let told = refused(&job, &settling, &refusal, words);
                settling.refused(&refusal, told.status(job.dialect));
                return Err(told);
            }
            // The core relays only what was committed, and a commit returns above.
            Step::Relay => {
                let error = ClientError::new(ErrorKind::Internal, "the exchange lost its answer");
                return Err(error.into());
            }
        };
    }
}

async fn wait<H: Host>(until: UnixMs) {
    let pause = until.since(H::now()).max(Duration::from_millis(1));
    H::sleep_until(H::instant() + pause).await;
}

/// Whether the request has, as it stands, a parameter that its upstream is known not to take, and
/// another candidate may.
fn is_unfit<H: Host>(job: &Job<H>, settling: &Settling<H>) -> bool {
    let exchange = settling.exchange();
    let is_native = exchange.candidate().is_some_and(|it| it.dialect == job.dialect);
    let has = |name: &String| router_wire::peek::find(&job.body, name).is_some();
    is_native && exchange.has_next() && settling.unfit().iter().any(has)
}

/// Whether the router itself answers: nobody on the route counts tokens in the client's dialect.
fn counts_alone<H: Host>(job: &Job<H>, refusal: &Refusal) -> bool {
    job.endpoint == Endpoint::CountTokens && refusal.kind == RefusalKind::NoCandidate
}

async fn plan<H: Host>(job: &Job<H>) -> Plan {
    let facts = RequestFacts {
        inbound: job.dialect,
        native_only: job.native_only,
        session: job.session,
        tokens: estimate(job.body.len()),
        client: job.caller.client(),
    };
    job.host.plan(&job.route, &facts).await
}

fn exchange<H: Host>(job: &Job<H>, plan: Plan) -> Exchange {
    let policy = &job.host.snapshot().config.catalog.routing;
    Exchange::new(plan, policy, job.stream, H::now(), job.id.seed())
}

/// What a request is expected to use before anybody has counted: about four bytes a token, the
/// JSON around the text included.
pub fn estimate(body_bytes: usize) -> Tokens {
    Tokens::new(u64::try_from(body_bytes / 4).unwrap_or(u64::MAX), 0)
}

/// The first meaningful output is there: from here on there is no other attempt.
fn commit<H: Host>(
    job: &Job<H>,
    mut settling: Settling<H>,
    mut ready: Ready<H>,
) -> Response<ReplyBody<H>> {
    settling.committed();
    let mut headers = std::mem::take(ready.headers_mut());
    if job.host.snapshot().config.server.debug {
        headers::add_debug(job, settling.exchange(), &mut headers);
    }
    settling.head(ready.status());
    let mut response = match ready {
        Ready::Whole(whole) => {
            settling.lost(&whole.losses);
            settling.finish(End::Complete, whole.usage);
            let mut response = Response::new(ReplyBody::whole(whole.body));
            *response.status_mut() = whole.status;
            response
        }
        Ready::Stream(stream) => {
            let policy = &job.host.snapshot().config.catalog.routing.stream;
            let relay = Relay::new(*stream, job.dialect, policy, settling);
            Response::new(ReplyBody::relay(relay))
        }
    };
    *response.headers_mut() = headers;
    response
}

/// Nobody answered: what the client is told.
fn refused<H: Host>(
    job: &Job<H>,
    settling: &Settling<H>,
    refusal: &Refusal,
    words: Vec<(Failure, Words)>,
) -> Refused<H> {
    let told = refusal.failure.as_ref().filter(|_| refusal.kind == RefusalKind::Upstream);
    // The upstream's own words are better than the router's.
    let words = words.into_iter().rfind(|(failure, _)| told == Some(failure));
    let mut debug = HeaderMap::new();
    if job.host.snapshot().config.server.debug {
        headers::add_debug(job, settling.exchange(), &mut debug);
    }
    let error = match words {
        Some((_, Words::Native { status, headers, body })) => {
            let mut response = reply::json(status, body);
            response.headers_mut().extend(headers);
            return Refused::native(own_words(job, refusal), response).with_headers(debug);
        }
        Some((_, Words::Error(error))) => error,
        None => own_words(job, refusal),
    };
    let error = match refusal.retry_after_s() {
        Some(seconds) => error.with_retry_after(seconds),
        None => error,
    };
    Refused::from(error).with_headers(debug)
}

fn own_words<H: Host>(job: &Job<H>, refusal: &Refusal) -> ClientError {
    let error = ClientError::new(kind_of(refusal), refusal.message(&job.route_name));
    let error = error.with_status(refusal.status());
    match refusal.failure.as_ref().and_then(|failure| failure.code.clone()) {
        Some(code) => error.with_code(code),
        None => error,
    }
}

fn kind_of(refusal: &Refusal) -> ErrorKind {
    match refusal.class() {
        FailureClass::Rejected | FailureClass::ContentRefused | FailureClass::Unsupported => {
            ErrorKind::InvalidRequest
        }
        FailureClass::ContextTooLong => ErrorKind::ContextTooLong,
        FailureClass::TooLarge => ErrorKind::TooLarge,
        FailureClass::RateLimited => ErrorKind::RateLimit,
        FailureClass::Overloaded => ErrorKind::Overloaded,
        FailureClass::ServerError
        | FailureClass::Interrupted
        | FailureClass::Unreachable
        | FailureClass::Garbled
        | FailureClass::Misconfigured => ErrorKind::Upstream,
        FailureClass::TimedOut => ErrorKind::Timeout,
        FailureClass::Billing => ErrorKind::Billing,
        FailureClass::Unauthorized => ErrorKind::Authentication,
        FailureClass::Forbidden => ErrorKind::Permission,
        FailureClass::NotFound => ErrorKind::ModelNotFound,
    }
}
