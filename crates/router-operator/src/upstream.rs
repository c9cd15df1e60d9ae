//! Asking a provider something on an operator's behalf: one request, and what it came to.
//!
//! The probe, the test of a provider, its list of models and the doctor all ask here, so that an
//! answer means the same everywhere. Keys go to the addresses the operator gave and nowhere else:
//! redirects are not followed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use router_client::{Client, FetchError, Limits, OutboundBody, Transport};
use router_config::{AuthHeader, BaseUrl, Operation, Upstream};
use router_core::time::UnixMs;
use router_wire::Dialect;
use router_wire::facts::{Facts, FactsTable};

mod body;
mod judge;
mod pace;

pub use judge::{Check, Outcome};
pub use pace::{Budget, Pace, Pacer};

use body::{Limit, question};
use judge::{Judged, judge};

/// Rate limits that ask for a longer wait than this are not waited for.
pub const WAIT_MAX: Duration = Duration::from_mins(2);
/// The shortest wait after a rate limit.
const WAIT_MIN: Duration = Duration::from_millis(250);
/// Requests with another limit on the answer, after one that was refused for its limit.
const LIMIT_RETRIES_MAX: usize = 4;
/// How the router names itself.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("llm-router/", env!("CARGO_PKG_VERSION")));
/// The version of a request where config names none.
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// A way to ask: a dialect, where it is spoken, and how the credential is presented.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Way {
    /// The dialect.
    pub dialect: Dialect,
    /// The address.
    pub base: BaseUrl,
    /// The credential's header.
    pub auth: AuthHeader,
}

/// Asks one provider, with one of its credentials.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Connections.
    pub client: &'a Client,
    /// Credentials and headers. Its addresses are not used: each [`Way`] has its own.
    pub upstream: &'a Upstream,
    /// Which credential.
    pub credential: usize,
    /// Time for one request.
    pub timeout: Duration,
    /// How often a rate limit is waited for.
    pub rate_limit_retries: u32,
}

/// A wait, and why.
#[derive(Clone, Debug)]
pub struct Wait {
    /// How long.
    pub time: Duration,
    /// Which retry follows; 0 if it is only the pace.
    pub retry: u32,
    /// What the provider said.
    pub message: String,
}

impl Asker<'_> {
    /// Asks `model` for a few words.
    ///
    /// A rate limit is waited for, and a limit on the answer that the model does not take is
    /// replaced by another. Each request takes a turn of `pacer`; `None` when the budget is spent.
    pub async fn answer(
        &self,
        way: &Way,
        model: &str,
        pacer: &Pacer<'_>,
        on_wait: &(dyn Fn(Wait) + Sync),
    ) -> Option<Check> {
        let facts = FactsTable::embedded().lookup(model);
        let limits = Limit::variants(way.dialect, &facts);
        let (mut retries, mut at) = (0, 0);
        loop {
            pacer.turn(on_wait).await?;
            let limit = limits.get(at).copied().unwrap_or_default();
            let judged = self.once(way, model, &facts, limit).await;
            let mut check = judged.check;
            if check.outcome == Outcome::RateLimit {
                let wait = judged.retry_after.unwrap_or_else(|| pacer.interval()).max(WAIT_MIN);
                if retries < self.rate_limit_retries && wait <= WAIT_MAX {
                    retries += 1;
                    let message = check.message;
                    pacer.slow_down(wait);
                    on_wait(Wait { time: wait, retry: retries, message });
                    continue;
                }
                check.outcome = Outcome::RateLimitMaxRetries;
            } else if judged.is_about_limit && at + 1 < limits.len() && at < LIMIT_RETRIES_MAX {
                at += 1;
                continue;
            }
            check.retries = retries;
            return Some(check);
        }
    }

    async fn once(&self, way: &Way, model: &str, facts: &Facts, limit: Limit) -> Judged {
        let question = match question(way.dialect, model, facts, limit) {
            Ok(question) => question,
            Err(why) => return Judged::no_answer(Outcome::Unconfirmed, &why),
        };
        let body = Bytes::from(question.body);
        let started = Instant::now();
        let url = url(way, Operation::Generate { stream: false }, model);
        let request = url.and_then(|url| self.request(way, &url, Method::POST, Some(body)));
        let sent = match request {
            Ok(request) => self.send(request).await,
            Err(failed) => Err(failed),
        };
        let mut judged = match sent {
            Ok(answer) => judge(way.dialect, model, &answer, question.session, now()),
            Err(failed) => Judged::no_answer(failed.outcome, &failed.message),
        };
        judged.check.latency = started.elapsed();
        judged.check.message = self.scrub(&judged.check.message);
        judged
    }

    /// Asks for something that costs nothing, such as the list of models; `query` is added to the
    /// address.
    pub async fn read(
        &self,
        way: &Way,
        operation: Operation,
        query: Option<&str>,
    ) -> Result<Response<Bytes>, Failed> {
        let mut url = url(way, operation, "")?;
        if let Some(query) = query {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(query);
        }
        self.send(self.request(way, &url, Method::GET, None)?).await
    }

    async fn send(&self, request: Request<OutboundBody>) -> Result<Response<Bytes>, Failed> {
        let limits = Limits { connect: self.timeout, total: self.timeout, ..Limits::default() };
        let sent = self.client.fetch(request, limits).await;
        sent.map_err(|error| Failed::of(&error))
    }

    fn request(
        &self,
        way: &Way,
        url: &str,
        method: Method,
        body: Option<Bytes>,
    ) -> Result<Request<OutboundBody>, Failed> {
        let bad =
            |outcome, message: &str| Failed { outcome, message: message.to_owned(), kind: None };
        let uri: Uri =
            url.parse().map_err(|_| bad(Outcome::NoAddress, "the address cannot be used"))?;
        let mut upstream = self.upstream.clone();
        upstream.auth.insert(way.dialect, way.auth.clone());
        let headers = upstream.headers(way.dialect, self.credential);
        let mut headers = headers.map_err(|missing| bad(Outcome::AuthError, &missing))?;
        headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if way.dialect == Dialect::Anthropic {
            headers.entry("anthropic-version").or_insert(ANTHROPIC_VERSION);
        }
        if body.is_some() {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let mut request = Request::new(OutboundBody::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// A provider's words without the credential, which some repeat.
    pub fn scrub(&self, text: &str) -> String {
        let secrets = self.upstream.credentials.iter().filter_map(|each| each.secret.as_ref());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "***"))
    }
}

/// Why there was no HTTP answer.
#[derive(Clone, Debug)]
pub struct Failed {
    /// What it means for a model.
    pub outcome: Outcome,
    /// What happened, without addresses.
    pub message: String,
    /// The kind of failure, where the connection failed.
    pub kind: Option<Transport>,
}

impl Failed {
    fn of(error: &FetchError) -> Self {
        let (outcome, kind) = match error {
            FetchError::Transport { kind, .. } => {
                let outcome = match kind {
                    // Something is there: another request may fare better.
                    Transport::Closed => Outcome::RuntimeError,
                    Transport::Protocol => Outcome::FormatMismatch,
                    _ => Outcome::NetworkError,
                };
                (outcome, Some(*kind))
            }
            FetchError::TimedOut(_) => (Outcome::RuntimeError, None),
            FetchError::TooLong(_) => (Outcome::FormatMismatch, None),
        };
        Self { outcome, message: error.to_string(), kind }
    }
}

fn url(way: &Way, operation: Operation, model: &str) -> Result<String, Failed> {
    way.base.endpoint(way.dialect, operation, model).ok_or_else(|| Failed {
        outcome: Outcome::NoAddress,
        message: "the address is complete and has no place for this".to_owned(),
        kind: None,
    })
}

/// This moment.
pub fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
