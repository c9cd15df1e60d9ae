//! Reading the errors of upstreams, in whatever shape they come.

use serde_json::Value;

use super::{ClientError, ErrorKind};
use crate::peek::{Items, Kind, Members};

/// The most of an unstructured error text that is kept, in bytes.
const TEXT_BYTES_MAX: usize = 1_000;

/// What an upstream said about its failure.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UpstreamError {
    /// The HTTP status it came with; 0 when it came inside a stream.
    pub status: u16,
    /// What it says, never empty.
    pub message: String,
    /// `type` of the error (OpenAI, Anthropic), or `status` (Gemini).
    pub kind: Option<String>,
    /// `code`, as text.
    pub code: Option<String>,
    /// `param`.
    pub param: Option<String>,
    /// How long to wait, in milliseconds, where the body says so (Gemini's `RetryInfo`).
    pub retry_after_ms: Option<u64>,
}

impl UpstreamError {
    /// Reads an error body of any vendor: an `error` object or string, a bare `message` or
    /// `detail`, a list of these, or no JSON at all.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let mut error = serde_json::from_slice::<Value>(text)
            .map_or_else(|_| Self::from_text(text), |value| Self::from_value(&value));
        error.status = status;
        if error.message.is_empty() {
            error.message = match status {
                0 => "the upstream reported an error without a message".to_owned(),
                status => format!("the upstream answered with status {status} and no message"),
            };
        }
        error
    }

    /// The failure a client is told, with the status it came with.
    pub fn to_client_error(&self) -> ClientError {
        let status = if self.status >= 400 { self.status } else { self.implied_status() };
        let mut error = ClientError::from_status(status, self.message.clone());
        if self.is_context_too_long() {
            error.kind = ErrorKind::ContextTooLong;
        } else if self.code.as_deref() == Some("model_not_found") {
            error.kind = ErrorKind::ModelNotFound;
        } else if let Some(code) = self.code.as_ref().filter(|code| !is_status(code)) {
            error.code = Some(code.clone().into());
        }
        error.param.clone_from(&self.param);
        error.retry_after_s = self.retry_after_ms.map(|millis| millis.div_ceil(1_000));
        error
    }

    /// Whether the upstream says that the conversation does not fit its model.
    pub fn is_context_too_long(&self) -> bool {
        if self.code.as_deref() == Some("context_length_exceeded") {
            return true;
        }
        let message = self.message.to_ascii_lowercase();
        let says = [
            "prompt is too long",
            "maximum context length",
            "context length exceeded",
            "context window",
            "exceeds the maximum number of tokens",
            "input is too long",
        ];
        matches!(self.status, 0 | 200 | 400 | 413 | 422)
            && says.iter().any(|phrase| message.contains(phrase))
    }

    /// The status that an error without one stands for, by its type or code.
    pub fn implied_status(&self) -> u16 {
        let numeric =
            |text: &String| text.parse().ok().filter(|status| (400..600).contains(status));
        if let Some(status) = self.code.as_ref().and_then(numeric) {
            return status;
        }
        [self.code.as_deref(), self.kind.as_deref()]
            .into_iter()
            .flatten()
            .find_map(status_of_name)
            .unwrap_or(502)
    }

    fn from_value(value: &Value) -> Self {
        match value {
            // Gemini wraps its error in a list when the stream was to be a list.
            Value::Array(items) => items.first().map(Self::from_value).unwrap_or_default(),
            Value::String(text) => Self { message: text.clone(), ..Self::default() },
            Value::Object(members) => {
                let member = |name: &str| members.get(name).filter(|value| !value.is_null());
                let nested = member("error")
                    .or_else(|| member("response").and_then(|response| response.get("error")))
                    .or_else(|| member("detail"))
                    .or_else(|| member("errors"))
                    .filter(|value| !value.is_null());
                let own = |name: &str| member(name).and_then(plain);
                let mut error = Self {
                    status: 0,
                    message: member("message")
                        .or_else(|| member("msg"))
                        .map(said)
                        .unwrap_or_default(),
                    // The envelope's own type says only that this is an error.
                    kind: own("type").filter(|kind| kind != "error").or_else(|| own("status")),
                    code: own("code"),
                    param: own("param"),
                    retry_after_ms: member("details").and_then(retry_delay_ms),
                };
                if let Some(inner) = nested {
                    let inner = Self::from_value(inner);
                    if !inner.message.is_empty() {
                        error.message = inner.message;
                    }
                    error.kind = inner.kind.or(error.kind);
                    error.code = inner.code.or(error.code);
                    error.param = inner.param.or(error.param);
                    error.retry_after_ms = inner.retry_after_ms.or(error.retry_after_ms);
                }
                error
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::default(),
        }
    }

    fn from_text(bytes: &[u8]) -> Self {
        let start = bytes.get(..bytes.len().min(TEXT_BYTES_MAX)).unwrap_or_default();
        let text = String::from_utf8_lossy(start);
        let message = if text.trim_start().starts_with('<') { title(&text) } else { text.trim() };
        Self { message: message.to_owned(), ..Self::default() }
    }
}

/// The title of an HTML page, empty when it has none: no person wants to read the page itself.
fn title(html: &str) -> &str {
    html.split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map_or("", |(title, _)| title.trim())
}

/// The `retryDelay` among the details of a Gemini error, such as `34s` or `1.5s`.
fn retry_delay_ms(details: &Value) -> Option<u64> {
    let delay = details.as_array()?.iter().find_map(|detail| detail.get("retryDelay"))?;
    let (whole, fraction) = {
        let seconds = delay.as_str()?.strip_suffix('s')?;
        seconds.split_once('.').unwrap_or((seconds, ""))
    };
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let millis = thousandths.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(millis)
}

/// A message as text, whatever a vendor put there.
fn said(value: &Value) -> String {
    plain(value).unwrap_or_else(|| {
        let mut text = value.to_string();
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text
    })
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_status(code: &str) -> bool {
    code.parse::<u16>().is_ok()
}

fn status_of_name(name: &str) -> Option<u16> {
    Some(match name {
        "invalid_request_error"
        | "invalid_prompt"
        | "invalid_encrypted_content"
        | "INVALID_ARGUMENT"
        | "FAILED_PRECONDITION" => 400,
        "authentication_error" | "invalid_api_key" | "UNAUTHENTICATED" => 401,
        "billing_error" | "insufficient_quota" => 402,
        "permission_error" | "PERMISSION_DENIED" => 403,
        "not_found_error" | "model_not_found" | "NOT_FOUND" => 404,
        "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED" => 429,
        "api_error" | "server_error" | "INTERNAL" => 500,
        "overloaded" | "server_is_overloaded" | "slow_down" | "UNAVAILABLE" => 503,
        "overloaded_error" => 529,
        "timeout_error" | "timeout" | "DEADLINE_EXCEEDED" => 504,
        _ => return None,
    })
}

/// Whether a body that came with a success status is an error object all the same: an `error`
/// that is not null, or `"type": "error"`, and none of the members an answer has.
pub fn is_error_body(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    if body.starts_with(b"[") {
        return Items::new(body).next().is_some_and(is_error_body);
    }
    let mut found = false;
    for entry in Members::new(body) {
        if ["choices", "content", "candidates", "output", "data"].iter().any(|name| entry.is(name))
        {
            return false;
        }
        found |= (entry.is("error")
            && !matches!(entry.member.kind, Kind::Null | Kind::False)
            && entry.value != b"\"\"")
            || (entry.is("type") && entry.value == b"\"error\"");
    }
    found
}
