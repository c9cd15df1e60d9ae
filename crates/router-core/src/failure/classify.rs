//! From an answer to a failure class, by status and body.

use router_wire::error::UpstreamError;

use super::{Failure, FailureClass, retry_after};
use crate::time::UnixMs;

/// Characters of what happened to a connection that are kept.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// What an upstream sent back, as far as classification needs it.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// Looks a header up by its lower-case name.
    pub headers: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body or its beginning.
    pub body: &'a [u8],
}

impl std::fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What happened to a connection or a body, where no usable answer came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The address could not be resolved or refused the connection.
    Connect,
    /// TLS could not be agreed on.
    Tls,
    /// No connection within the connect timeout.
    ConnectTimeout,
    /// No first byte, or no next one, or no end within its timeout.
    Timeout,
    /// The connection broke.
    Reset,
    /// The body ended early, or the stream ended without its terminal event.
    Cut,
    /// The answer is not what its dialect says: bad JSON, wrong content type, an oversize event.
    Garbled,
    /// The configured URL or header cannot be used, or the upstream redirects.
    Misconfigured,
    /// The request cannot be carried over to the outbound dialect.
    Untranslatable,
}

/// Classifies a failure without an answer. `status` is the upstream's, if its head came.
pub fn classify_transport(fault: Fault, status: Option<u16>, message: &str) -> Failure {
    let class = match fault {
        Fault::Connect | Fault::Tls | Fault::ConnectTimeout => FailureClass::Unreachable,
        Fault::Timeout => FailureClass::TimedOut,
        Fault::Reset | Fault::Cut => FailureClass::Interrupted,
        Fault::Garbled => FailureClass::Garbled,
        Fault::Misconfigured => FailureClass::Misconfigured,
        Fault::Untranslatable => FailureClass::Unsupported,
    };
    let message: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
    Failure { status, ..Failure::new(class, message) }
}

/// Classifies an answer; `None` for a 2xx that is no error in disguise.
///
/// For a 2xx the body must be JSON that says by its shape that it is an error.
pub fn classify(answer: &Answer<'_>, now: UnixMs) -> Option<Failure> {
    let is_success = (200..300).contains(&answer.status);
    if is_success && !UpstreamError::is_possible(answer.body) {
        return None;
    }
    let body = UpstreamError::read(answer.status, answer.body);
    let status = match answer.status {
        _ if is_success && body.is_error => stated(&body),
        _ if is_success => return None,
        status => status,
    };
    let retry_after = retry_after(answer.headers, &body, now);
    let class = class_of(status, &body);
    let parameter = super::parameter::unknown(class, &body);
    let UpstreamError { message, code, kind, .. } = body;
    let (status, code) = (Some(status), code.or(kind));
    Some(Failure { class, status, message, code, retry_after, parameter })
}

/// The error status a body states, or that of success.
fn stated(body: &UpstreamError) -> u16 {
    body.stated_status.filter(|status| (400..600).contains(status)).unwrap_or(200)
}

/// Classifies an error event inside a stream, whose data is `event`.
pub fn classify_stream_error(event: &[u8]) -> Failure {
    let body = UpstreamError::read(0, event);
    let status = stated(&body);
    let class = class_of(status, &body);
    let UpstreamError { message, code, kind, .. } = body;
    let (status, code) = (Some(status), code.or(kind));
    Failure { class, status, message, code, retry_after: None, parameter: None }
}

/// The table: what the body says first, then the status.
fn class_of(status: u16, body: &UpstreamError) -> FailureClass {
    if let Some(class) = by_code(status, body).or_else(|| by_words(status, body)) {
        return class;
    }
    match status {
        200..300 => by_kind(body).unwrap_or(FailureClass::ServerError),
        ..=399 => FailureClass::Misconfigured,
        401 => FailureClass::Unauthorized,
        402 => FailureClass::Billing,
        403 => FailureClass::Forbidden,
        404 | 410 => FailureClass::NotFound,
        408 | 504 | 524 => FailureClass::TimedOut,
        413 => FailureClass::TooLarge,
        429 => FailureClass::RateLimited,
        503 | 529 => FailureClass::Overloaded,
        451 => FailureClass::ContentRefused,
        405 | 406 | 415 | 501 => FailureClass::Unsupported,
        409 | 425 | 500.. => FailureClass::ServerError,
        _ => FailureClass::Rejected,
    }
}

/// Codes that mean one thing whatever the status.
fn by_code(status: u16, body: &UpstreamError) -> Option<FailureClass> {
    let codes = [body.code.as_deref(), body.kind.as_deref()];
    codes.into_iter().flatten().find_map(|code| {
        Some(match code.to_ascii_lowercase().as_str() {
            "insufficient_quota"
            | "billing_hard_limit_reached"
            | "billing_error"
            | "insufficient_balance"
            | "exceeded_current_quota_error"
            | "arrearage"
            | "billing_not_active"
            | "insufficient_credits" => FailureClass::Billing,
            "context_length_exceeded"
            | "contextwindowexceedederror"
            | "string_above_max_length"
            | "context_window_exceeded"
            | "max_tokens_exceeded" => FailureClass::ContextTooLong,
            "content_filter"
            | "content_policy_violation"
            | "responsibleaipolicyviolation"
            | "data_inspection_failed"
            | "moderation_blocked"
            | "cyber_policy"
            | "contentpolicyviolationerror" => FailureClass::ContentRefused,
            "unsupported_parameter"
            | "unsupported_value"
            | "unknown_parameter"
            | "unsupportedparamserror"
            | "unsupported_operation"
            | "operationnotsupported" => FailureClass::Unsupported,
            "model_not_found"
            | "deploymentnotfound"
            | "model_decommissioned"
            | "model_not_available"
            | "model_terms_required" => FailureClass::NotFound,
            "invalid_api_key"
            | "api_key_invalid"
            | "authentication_error"
            | "unauthenticated"
            | "account_deactivated" => FailureClass::Unauthorized,
            "overloaded_error"
            | "engine_overloaded_error"
            | "model_overloaded"
            | "overloaded"
            | "engine_overloaded"
            | "slow_down"
            | "capacity_exceeded" => FailureClass::Overloaded,
            "rate_limit_exceeded"
            | "rate_limit_error"
            | "tokens_exceeded"
            | "rate_limit_reached_error"
                if status == 429 || status < 400 =>
            {
                FailureClass::RateLimited
            }
            "json_validate_failed" | "tool_use_failed" => FailureClass::ServerError,
            _ => return None,
        })
    })
}

/// What an error's type says where no status does: behind a 200 and inside streams.
fn by_kind(body: &UpstreamError) -> Option<FailureClass> {
    let codes = [body.kind.as_deref(), body.code.as_deref()];
    codes.into_iter().flatten().find_map(|kind| {
        Some(match kind.to_ascii_lowercase().as_str() {
            "invalid_request_error"
            | "invalid_argument"
            | "failed_precondition"
            | "badrequesterror"
            | "invalid_prompt" => FailureClass::Rejected,
            "permission_error" | "permission_denied" => FailureClass::Forbidden,
            "not_found_error" | "not_found" | "notfounderror" => FailureClass::NotFound,
            "request_too_large" => FailureClass::TooLarge,
            "rate_limit_error"
            | "rate_limit_exceeded"
            | "resource_exhausted"
            | "too_many_requests"
            | "ratelimiterror"
            | "tokens"
            | "requests" => FailureClass::RateLimited,
            "unavailable" | "service_unavailable" => FailureClass::Overloaded,
            "timeout_error" | "deadline_exceeded" | "timeout" => FailureClass::TimedOut,
            _ => return None,
        })
    })
}

/// Words of a message that mean one thing among the statuses they are looked for in.
fn by_words(status: u16, body: &UpstreamError) -> Option<FailureClass> {
    let text = body.message.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let request_side = matches!(status, 200..300 | 400 | 413 | 422 | 500);
    if request_side && body.is_context_too_long() {
        return Some(FailureClass::ContextTooLong);
    }
    if matches!(status, 200..300 | 400 | 401 | 403 | 429) && any(BILLING_WORDS) {
        // A short-lived limit that happens to be called a quota is a rate limit.
        let passing = status == 429 && any(&["per minute", "per day", "retry in", "try again in"]);
        return Some(if passing { FailureClass::RateLimited } else { FailureClass::Billing });
    }
    if matches!(status, 200..300 | 400 | 403 | 422) && any(POLICY_WORDS) {
        return Some(FailureClass::ContentRefused);
    }
    if matches!(status, 200..300 | 400 | 403) && any(AUTH_WORDS) {
        return Some(FailureClass::Unauthorized);
    }
    if matches!(status, 200..300 | 400 | 404 | 422) && any(MODEL_WORDS) {
        return Some(FailureClass::NotFound);
    }
    if matches!(status, 200..300 | 400 | 404 | 422) && any(UNSUPPORTED_WORDS) {
        return Some(FailureClass::Unsupported);
    }
    if matches!(status, 200..300 | 500) && any(&["overloaded"]) {
        return Some(FailureClass::Overloaded);
    }
    None
}

const BILLING_WORDS: &[&str] = &[
    "insufficient_quota",
    "insufficient quota",
    "insufficient balance",
    "insufficient credits",
    "not enough credits",
    "requires more credits",
    "out of credits",
    "credit balance is too low",
    "payment required",
    "billing hard limit",
    "exceeded your current quota, please check your plan",
    "exceeded your current quota",
    "quota exceeded",
    "spending limit",
    "budget has been exceeded",
    "account is in good standing",
    "key limit exceeded",
];

const POLICY_WORDS: &[&str] = &[
    "content management policy",
    "content policy",
    "content_policy",
    "content filter",
    "policy_violation",
    "usage policy",
    "usage policies",
    "safety system",
    "moderation",
    "flagged",
    "content exists risk",
    "prohibited content",
    "unsafe content",
    "blocked by safety",
    "content filtering policy",
];

const AUTH_WORDS: &[&str] = &[
    "invalid api key",
    "incorrect api key",
    "api key not valid",
    "api key expired",
    "invalid x-api-key",
    "invalid bearer token",
    "no auth credentials found",
    "api_key_invalid",
    "user not found",
];

const MODEL_WORDS: &[&str] = &[
    "model not found",
    "is not a valid model id",
    "invalid model",
    "model_not_found",
    "does not exist or you do not have access",
    "no endpoints found for",
    "is not found for api version",
    "has been decommissioned",
    "try pulling it first",
    "not a chat model",
];

const UNSUPPORTED_WORDS: &[&str] = &[
    "unsupported parameter",
    "unsupported value",
    "is not supported with this model",
    "not supported with this model",
    "is not supported by this model",
    "does not support",
    "not supported for this model",
    "not supported in this model",
    "not supported by the model",
    "unknown parameter",
    "unrecognized request argument",
    "extra inputs are not permitted",
    "extra fields not permitted",
    "unknown name \"",
    "support tool use",
    "support image input",
    "not a multimodal model",
    "is not multimodal",
    "does not support parameters",
    "' is unsupported",
    "function calling is not enabled",
    "system messages are not allowed",
    "enable-auto-tool-choice",
];

#[cfg(test)]
mod tests;
