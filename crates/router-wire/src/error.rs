//! What a client may see when something fails, in its own dialect.
//!
//! | status | Messages type | OpenAI type / code | Gemini status |
//! |---|---|---|---|
//! | 400, 422 | `invalid_request_error` | `invalid_request_error` | `INVALID_ARGUMENT` |
//! | 401 | `authentication_error` | `authentication_error` / `invalid_api_key` | `UNAUTHENTICATED` |
//! | 402 | `billing_error` | `insufficient_quota` | `RESOURCE_EXHAUSTED` |
//! | 403 | `permission_error` | `permission_error` | `PERMISSION_DENIED` |
//! | 404 | `not_found_error` | `invalid_request_error` / `model_not_found` | `NOT_FOUND` |
//! | 408, 504 | `timeout_error` | `server_error` / `timeout` | `DEADLINE_EXCEEDED` |
//! | 413 | `invalid_request_error` | `invalid_request_error` | `INVALID_ARGUMENT` |
//! | 429 | `rate_limit_error` | `rate_limit_error` / `rate_limit_exceeded` | `RESOURCE_EXHAUSTED` |
//! | 500, 502 | `api_error` | `server_error` | `INTERNAL` |
//! | 503, 529 | `overloaded_error` | `server_error` / `overloaded` | `UNAVAILABLE` |
//!
//! 529 is Anthropic's own; other clients get 503 for it.

mod upstream;

pub use upstream::UpstreamError;

use std::borrow::Cow;

use serde::Serialize;

use crate::Dialect;

/// What kind of failure a client is told about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ErrorKind {
    /// The request is at fault.
    InvalidRequest,
    /// The conversation does not fit the model.
    ContextTooLong,
    /// The client's key is missing or wrong.
    Authentication,
    /// An account is out of money.
    Billing,
    /// The key may not do this.
    Permission,
    /// There is no such endpoint or object.
    NotFound,
    /// There is no such model.
    ModelNotFound,
    /// The endpoint has no such method.
    MethodNotAllowed,
    /// The content type is not JSON.
    UnsupportedMedia,
    /// The body is larger than the router accepts.
    TooLarge,
    /// A limit is used up for now.
    RateLimit,
    /// Nobody answered in time.
    Timeout,
    /// The router failed.
    Internal,
    /// The upstream failed, or its answer made no sense.
    Upstream,
    /// Nobody can take the request now.
    Overloaded,
}

impl ErrorKind {
    /// The kind that an HTTP status stands for.
    pub fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 | 504 => Self::Timeout,
            413 => Self::TooLarge,
            415 => Self::UnsupportedMedia,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::InvalidRequest,
            502 => Self::Upstream,
            _ => Self::Internal,
        }
    }

    /// The status the router answers with when nothing says otherwise.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::ContextTooLong => 400,
            Self::Authentication => 401,
            Self::Billing => 402,
            Self::Permission => 403,
            Self::NotFound | Self::ModelNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TooLarge => 413,
            Self::UnsupportedMedia => 415,
            Self::RateLimit => 429,
            Self::Internal => 500,
            Self::Upstream => 502,
            Self::Overloaded => 503,
            Self::Timeout => 504,
        }
    }

    /// `error.type` in the Messages dialect.
    pub fn anthropic_type(self) -> &'static str {
        match self {
            Self::InvalidRequest
            | Self::ContextTooLong
            | Self::MethodNotAllowed
            | Self::UnsupportedMedia
            | Self::TooLarge => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Billing => "billing_error",
            Self::Permission => "permission_error",
            Self::NotFound | Self::ModelNotFound => "not_found_error",
            Self::RateLimit => "rate_limit_error",
            Self::Timeout => "timeout_error",
            Self::Internal | Self::Upstream => "api_error",
            Self::Overloaded => "overloaded_error",
        }
    }

    /// `error.type` in OpenAI's dialects.
    pub fn openai_type(self) -> &'static str {
        match self {
            Self::InvalidRequest
            | Self::ContextTooLong
            | Self::NotFound
            | Self::ModelNotFound
            | Self::MethodNotAllowed
            | Self::UnsupportedMedia
            | Self::TooLarge => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Billing => "insufficient_quota",
            Self::Permission => "permission_error",
            Self::RateLimit => "rate_limit_error",
            Self::Timeout | Self::Internal | Self::Upstream | Self::Overloaded => "server_error",
        }
    }

    /// `error.code` in OpenAI's dialects.
    pub fn openai_code(self) -> Option<&'static str> {
        match self {
            Self::ContextTooLong => Some("context_length_exceeded"),
            Self::Authentication => Some("invalid_api_key"),
            Self::Billing => Some("insufficient_quota"),
            Self::ModelNotFound => Some("model_not_found"),
            Self::RateLimit => Some("rate_limit_exceeded"),
            Self::Timeout => Some("timeout"),
            Self::Overloaded => Some("overloaded"),
            Self::InvalidRequest
            | Self::Permission
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::UnsupportedMedia
            | Self::TooLarge
            | Self::Internal
            | Self::Upstream => None,
        }
    }

    /// `error.status` in the Gemini dialect.
    pub fn gemini_status(self) -> &'static str {
        match self {
            Self::InvalidRequest
            | Self::ContextTooLong
            | Self::MethodNotAllowed
            | Self::UnsupportedMedia
            | Self::TooLarge => "INVALID_ARGUMENT",
            Self::Authentication => "UNAUTHENTICATED",
            Self::Billing | Self::RateLimit => "RESOURCE_EXHAUSTED",
            Self::Permission => "PERMISSION_DENIED",
            Self::NotFound | Self::ModelNotFound => "NOT_FOUND",
            Self::Timeout => "DEADLINE_EXCEEDED",
            Self::Internal | Self::Upstream => "INTERNAL",
            Self::Overloaded => "UNAVAILABLE",
        }
    }
}

/// A failure as a client may see it: no secret, no address of an upstream, no inner cause.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ClientError {
    /// The HTTP status, before [`ClientError::status_for`] adapts it to a dialect.
    pub status: u16,
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// One or more sentences for a person.
    pub message: String,
    /// `code` for OpenAI clients; `None` takes the kind's own.
    pub code: Option<Cow<'static, str>>,
    /// `param` for OpenAI clients: the path of the member at fault.
    pub param: Option<String>,
    /// `error.details.error_code` for Messages clients.
    pub detail: Option<Cow<'static, str>>,
    /// Seconds to wait, for the `Retry-After` header, which the host writes.
    pub retry_after_s: Option<u64>,
}

impl ClientError {
    /// A failure of this kind, with the kind's own status.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            status: kind.status(),
            kind,
            message: message.into(),
            code: None,
            param: None,
            detail: None,
            retry_after_s: None,
        }
    }

    /// A failure with this status and the kind that belongs to it.
    pub fn from_status(status: u16, message: impl Into<String>) -> Self {
        Self { status, ..Self::new(ErrorKind::from_status(status), message) }
    }

    /// The same failure with another status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same failure with a `code` for OpenAI clients.
    #[must_use]
    pub fn with_code(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// The same failure with the member at fault.
    #[must_use]
    pub fn with_param(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// The same failure with an `error_code` for Messages clients.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// The same failure with a time to wait, in seconds.
    #[must_use]
    pub fn with_retry_after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// The HTTP status for a client of this dialect.
    pub fn status_for(&self, dialect: Dialect) -> u16 {
        match (self.status, dialect) {
            (529, Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Gemini) => 503,
            (status, _) => status,
        }
    }

    /// The whole error body for a client of this dialect, as JSON.
    ///
    /// Messages bodies carry `request_id`; the others have no place for it, and their clients
    /// read the header.
    pub fn body(&self, dialect: Dialect, request_id: &str) -> Vec<u8> {
        match dialect {
            Dialect::Anthropic => json(&self.anthropic(request_id)),
            Dialect::OpenaiChat | Dialect::OpenaiResponses => {
                json(&OpenaiBody { error: self.openai() })
            }
            Dialect::Gemini => json(&self.gemini()),
        }
    }

    /// The event that ends a stream which fails after it began, with the blank line behind it.
    ///
    /// Nothing may follow it: no `[DONE]`, no stop event. The Responses dialect gets
    /// `response.failed`, because clients wait for a terminal event; `stream` says where that
    /// stream stands.
    pub fn stream_event(&self, dialect: Dialect, stream: &StreamPlace<'_>) -> Vec<u8> {
        match dialect {
            Dialect::Anthropic => event(Some("error"), &json(&self.anthropic(stream.request_id))),
            Dialect::OpenaiChat => event(None, &json(&OpenaiBody { error: self.openai() })),
            Dialect::OpenaiResponses => {
                event(Some("response.failed"), &json(&self.response_failed(stream)))
            }
            Dialect::Gemini => event(None, &json(&self.gemini())),
        }
    }

    fn code(&self) -> Option<&str> {
        self.code.as_deref().or_else(|| self.kind.openai_code())
    }

    fn anthropic<'a>(&'a self, request_id: &'a str) -> AnthropicBody<'a> {
        // Messages clients look for these words to know that they must shorten the conversation.
        let known = "prompt is too long";
        let message = if self.kind == ErrorKind::ContextTooLong && !self.message.contains(known) {
            Cow::Owned(format!("{known}: {}", self.message))
        } else {
            Cow::Borrowed(self.message.as_str())
        };
        AnthropicBody {
            kind: "error",
            error: AnthropicError {
                kind: self.kind.anthropic_type(),
                message,
                details: self.detail.as_deref().map(|error_code| AnthropicDetails { error_code }),
            },
            request_id,
        }
    }

    fn openai(&self) -> OpenaiError<'_> {
        OpenaiError {
            message: &self.message,
            kind: self.kind.openai_type(),
            param: self.param.as_deref(),
            code: self.code(),
        }
    }

    fn gemini(&self) -> GeminiBody<'_> {
        GeminiBody {
            error: GeminiError {
                code: self.status_for(Dialect::Gemini),
                message: &self.message,
                status: self.kind.gemini_status(),
                details: self.retry_after_s.map(|seconds| {
                    [RetryInfo { kind: RETRY_INFO, retry_delay: format!("{seconds}s") }]
                }),
            },
        }
    }

    fn response_failed<'a>(&'a self, stream: &'a StreamPlace<'a>) -> ResponseFailed<'a> {
        ResponseFailed {
            kind: "response.failed",
            sequence_number: stream.sequence_number,
            response: FailedResponse {
                id: stream.response_id,
                object: "response",
                created_at: stream.created_s,
                status: "failed",
                model: stream.model,
                output: [],
                parallel_tool_calls: true,
                tool_choice: "auto",
                tools: [],
                error: FailedError {
                    code: self.code().unwrap_or("server_error"),
                    message: &self.message,
                },
                incomplete_details: None,
                usage: None,
            },
        }
    }
}

/// Where a stream stands when it fails: what its last event must repeat.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StreamPlace<'a> {
    /// The router's own id of the exchange.
    pub request_id: &'a str,
    /// Responses: the id of the response under way.
    pub response_id: &'a str,
    /// Responses: the model the client asked for.
    pub model: &'a str,
    /// Responses: when the response was created, in seconds since 1970.
    pub created_s: u64,
    /// Responses: the number after that of the last event.
    pub sequence_number: u64,
}

#[derive(Serialize)]
struct AnthropicBody<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    error: AnthropicError<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<AnthropicDetails<'a>>,
}

#[derive(Serialize)]
struct AnthropicDetails<'a> {
    error_code: &'a str,
}

#[derive(Serialize)]
struct OpenaiBody<'a> {
    error: OpenaiError<'a>,
}

#[derive(Serialize)]
struct OpenaiError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

#[derive(Serialize)]
struct GeminiBody<'a> {
    error: GeminiError<'a>,
}

#[derive(Serialize)]
struct GeminiError<'a> {
    code: u16,
    message: &'a str,
    status: &'a str,
    /// Gemini clients read how long to wait here, and not in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<[RetryInfo<'a>; 1]>,
}

/// The name of [`RetryInfo`] among the details of errors.
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

#[derive(Serialize)]
struct RetryInfo<'a> {
    #[serde(rename = "@type")]
    kind: &'a str,
    #[serde(rename = "retryDelay")]
    retry_delay: String,
}

#[derive(Serialize)]
struct ResponseFailed<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    sequence_number: u64,
    response: FailedResponse<'a>,
}

/// The members that the published type of a response requires, and those a failure fills.
#[derive(Serialize)]
struct FailedResponse<'a> {
    id: &'a str,
    object: &'a str,
    created_at: u64,
    status: &'a str,
    model: &'a str,
    output: [(); 0],
    parallel_tool_calls: bool,
    tool_choice: &'a str,
    tools: [(); 0],
    error: FailedError<'a>,
    incomplete_details: Option<()>,
    usage: Option<()>,
}

#[derive(Serialize)]
struct FailedError<'a> {
    code: &'a str,
    message: &'a str,
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // The types above hold nothing that JSON cannot: no maps, no floats.
    serde_json::to_vec(value).unwrap_or_default()
}

fn event(name: Option<&str>, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len() + 40);
    if let Some(name) = name {
        bytes.extend_from_slice(b"event: ");
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(b"data: ");
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\n\n");
    bytes
}

#[cfg(test)]
mod tests;
