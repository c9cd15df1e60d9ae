//! What an answer says about a dialect and a model.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use router_core::failure::{Answer, Failure, FailureClass, classify};
use router_core::time::UnixMs;
use router_wire::Dialect;
use router_wire::translate::Session;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Characters of a provider's words that are kept.
const MESSAGE_CHARS_MAX: usize = 300;

/// What came of asking a model in a dialect.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The model answered, in the dialect.
    Ok,
    /// No connection, or it broke.
    NetworkError,
    /// The provider asks to slow down.
    RateLimit,
    /// It still does after every retry, or for longer than anybody waits.
    RateLimitMaxRetries,
    /// There is nothing at this address.
    NoAddress,
    /// Something answers that does not speak the dialect.
    FormatMismatch,
    /// The credential is refused.
    AuthError,
    /// The provider does not have the model, or not in this dialect.
    ModelUnsupported,
    /// The provider failed or was too slow; another time it may work.
    RuntimeError,
    /// It answered with an error that tells nothing about the model.
    Unconfirmed,
    /// Nobody asked: the budget was spent, or the operator interrupted.
    NotTested,
}

impl Outcome {
    /// The outcome's one name in reports and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NetworkError => "network-error",
            Self::RateLimit => "rate-limit",
            Self::RateLimitMaxRetries => "rate-limit-max-retries",
            Self::NoAddress => "no-address",
            Self::FormatMismatch => "format-mismatch",
            Self::AuthError => "auth-error",
            Self::ModelUnsupported => "model-unsupported",
            Self::RuntimeError => "runtime-error",
            Self::Unconfirmed => "unconfirmed",
            Self::NotTested => "not-tested",
        }
    }

    /// Whether asking again would bring the same: the provider has made itself clear.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Ok | Self::NoAddress | Self::FormatMismatch | Self::ModelUnsupported)
    }
}

impl Outcome {
    /// How far it is from an answer: of several outcomes the smallest says most.
    pub(crate) const fn distance(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::RateLimit | Self::RateLimitMaxRetries => 1,
            Self::RuntimeError => 2,
            Self::Unconfirmed => 3,
            Self::ModelUnsupported => 4,
            Self::AuthError => 5,
            Self::NotTested => 6,
            Self::FormatMismatch => 7,
            Self::NoAddress => 8,
            Self::NetworkError => 9,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One model, asked once in one dialect.
#[derive(Clone, Debug)]
pub struct Check {
    /// What came of it.
    pub outcome: Outcome,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// The provider's words about a failure, or what happened; empty if all is well. Holds no
    /// secret.
    pub message: String,
    /// From sending to the last byte.
    pub latency: Duration,
    /// Rate limits that were waited for.
    pub retries: u32,
}

/// A check, and what to do next.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) check: Check,
    /// How long the provider asked to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Whether another limit on the answer might please the model.
    pub(super) is_about_limit: bool,
}

impl Judged {
    pub(super) fn no_answer(outcome: Outcome, message: &str) -> Self {
        Self::new(outcome, None, message)
    }

    fn new(outcome: Outcome, status: Option<u16>, message: &str) -> Self {
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = message.chars().take(MESSAGE_CHARS_MAX).collect();
        let check = Check { outcome, status, message, latency: Duration::ZERO, retries: 0 };
        Self { check, retry_after: None, is_about_limit: false }
    }
}

/// Reads an answer to a question in `dialect` about `model`.
pub(super) fn judge(
    dialect: Dialect,
    model: &str,
    answer: &Response<Bytes>,
    session: Session,
    now: UnixMs,
) -> Judged {
    let status = answer.status().as_u16();
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let said = Answer { status, headers: &header, body: answer.body() };
    let Some(failure) = classify(&said, now) else {
        return success(status, answer.body(), session);
    };
    let (outcome, is_about_limit) = of_failure(dialect, model, &failure, answer.body());
    let message = match failure.class {
        FailureClass::Misconfigured if (300..400).contains(&status) => {
            "it redirects to another address, which is not followed: give that one".to_owned()
        }
        _ if is_page(answer.body()) => format!("an HTML page with status {status}"),
        _ => failure.message,
    };
    let judged = Judged::new(outcome, Some(status), &message);
    Judged { retry_after: failure.retry_after, is_about_limit, ..judged }
}

/// A success status proves nothing by itself: the body must be an answer in the dialect.
fn success(status: u16, body: &[u8], mut session: Session) -> Judged {
    let mut discarded = Vec::new();
    match session.response(body, &mut discarded) {
        Ok(_) => Judged::new(Outcome::Ok, Some(status), ""),
        Err(_) if is_page(body) => {
            let what = format!("an HTML page with status {status}");
            Judged::new(Outcome::FormatMismatch, Some(status), &what)
        }
        Err(error) => Judged::new(Outcome::FormatMismatch, Some(status), &error.message),
    }
}

/// What a failure means here, and whether it is about the limit on the answer.
fn of_failure(dialect: Dialect, model: &str, failure: &Failure, body: &[u8]) -> (Outcome, bool) {
    use FailureClass as Class;
    let words = failure.message.to_ascii_lowercase();
    let any = |list: &[&str]| list.iter().any(|word| words.contains(word));
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let fits = has_error_of(dialect, &body);
    let outcome = match failure.class {
        Class::RateLimited => Outcome::RateLimit,
        Class::Unauthorized | Class::Forbidden => Outcome::AuthError,
        Class::Overloaded | Class::ServerError | Class::TimedOut | Class::Billing => {
            Outcome::RuntimeError
        }
        Class::Unreachable | Class::Interrupted | Class::Garbled => Outcome::NetworkError,
        Class::Misconfigured => Outcome::FormatMismatch,
        Class::NotFound => {
            let by_code = failure.code.as_deref().is_some_and(|code| code.contains("model"));
            let by_words = words.contains(&model.to_ascii_lowercase()) || words.contains("model");
            // Gemini's address holds the name of the model, which a page may repeat.
            let names_it = by_code || (by_words && (fits || dialect != Dialect::Gemini));
            if names_it { Outcome::ModelUnsupported } else { Outcome::NoAddress }
        }
        Class::Unsupported if matches!(failure.status, Some(405 | 406 | 415 | 501)) => {
            Outcome::NoAddress
        }
        _ if !fits => Outcome::FormatMismatch,
        _ if any(LIMIT_WORDS) => return (Outcome::Unconfirmed, true),
        _ if any(OTHER_ENDPOINT_WORDS) => Outcome::ModelUnsupported,
        _ => Outcome::Unconfirmed,
    };
    (outcome, false)
}

const LIMIT_WORDS: &[&str] = &[
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "maxoutputtokens",
    "max_new_tokens",
    "output limit was reached",
    "minimum value",
];

const OTHER_ENDPOINT_WORDS: &[&str] = &[
    "only supported in",
    "use another endpoint",
    "use the v1/responses",
    "use v1/responses",
    "not supported in the v1/",
    "not a chat model",
    "does not support chat",
    "does not support generatecontent",
];

/// Whether an error body has the shape in which `dialect` reports errors. Servers of the Chat
/// dialect have many.
fn has_error_of(dialect: Dialect, body: &Value) -> bool {
    let body = body.get(0).unwrap_or(body);
    let error = body.get("error");
    let is_anthropic =
        body.get("type").is_some_and(|kind| kind == "error") && error.is_some_and(Value::is_object);
    let is_gemini = error.and_then(|error| error.get("status")).is_some_and(Value::is_string);
    match dialect {
        Dialect::Anthropic => is_anthropic,
        Dialect::Gemini => is_gemini,
        Dialect::OpenaiChat | Dialect::OpenaiResponses if is_anthropic => false,
        Dialect::OpenaiResponses => error.is_some_and(|error| !error.is_null()),
        Dialect::OpenaiChat => {
            error.is_some_and(|error| !error.is_null())
                || ["message", "detail", "object"].iter().any(|name| body.get(name).is_some())
        }
    }
}

fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests;
