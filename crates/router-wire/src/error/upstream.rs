//! Reading the errors of upstreams, in whatever shape they come.

use serde_json::{Map, Value};

use super::{ClientError, ErrorKind};
use crate::peek::{Entry, Members, text_of};

/// Bytes of a body that are looked at.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Characters of a message, code or type that are kept.
const TEXT_CHARS_MAX: usize = 2_000;
/// How deep errors inside errors are followed.
const NESTING_MAX: u32 = 8;

/// What an upstream said about its failure.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UpstreamError {
    /// The HTTP status it came with; 0 when it came inside a stream.
    pub status: u16,
    /// The status that the body itself states, as vendors do behind a 200.
    pub stated_status: Option<u16>,
    /// What it says, never empty.
    pub message: String,
    /// `type` of the error (OpenAI, Anthropic), or `status` (Gemini).
    pub kind: Option<String>,
    /// `code`, as text; one that is a status stands in `stated_status`.
    pub code: Option<String>,
    /// `param`.
    pub param: Option<String>,
    /// How long to wait, in milliseconds, where the body says so (Gemini's `RetryInfo`).
    pub retry_after_ms: Option<u64>,
    /// Whether the body says by its shape that it is an error: an `error` that is an object or
    /// text, `"type"` or `"object"` that is `"error"`, or a Responses object that failed.
    pub is_error: bool,
}

impl UpstreamError {
    /// Reads an error body of any vendor: an `error` object or string, a bare `message` or
    /// `detail`, a list of these, or no JSON at all. 64 KiB of it are looked at.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let body = body.get(..BODY_BYTES_MAX).unwrap_or(body);
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let mut error = serde_json::from_slice::<Value>(text)
            .map_or_else(|_| Self::from_text(text), |value| Self::from_value(&value, NESTING_MAX));
        error.status = status;
        if error.message.is_empty() {
            error.message = match status {
                0 => "the upstream reported an error without a message".to_owned(),
                status => format!("the upstream answered with status {status} and no message"),
            };
        }
        error
    }

    /// Whether `body`, JSON that came with a success, may say by its shape that it is an error:
    /// where this says no, [`Self::read`] would too. Done for every whole answer, so the words are
    /// searched for before anything is walked.
    pub fn is_possible(body: &[u8]) -> bool {
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
        if !text.starts_with(b"{") {
            // Lists of errors are rare enough to be read.
            return true;
        }
        let has = |words: &[u8]| memchr::memmem::find(text, words).is_some();
        (has(b"error\"") || has(b"\"response\"") || has(b"\\u"))
            && Members::new(text).any(|entry| is_telling(&entry))
    }

    /// The failure a client is told, with the status it came with.
    pub fn to_client_error(&self) -> ClientError {
        let status = if self.status >= 400 { self.status } else { self.implied_status() };
        let mut error = ClientError::from_status(status, self.message.clone());
        if matches!(self.status, 0 | 200 | 400 | 413 | 422) && self.is_context_too_long() {
            error.kind = ErrorKind::ContextTooLong;
        } else if self.code.as_deref() == Some("model_not_found") {
            error.kind = ErrorKind::ModelNotFound;
        } else if let Some(code) = &self.code {
            error.code = Some(code.clone().into());
        }
        error.param.clone_from(&self.param);
        error.retry_after_s = self.retry_after_ms.map(|millis| millis.div_ceil(1_000));
        error
    }

    /// Whether the upstream says, by its code or in words, that the conversation does not fit its
    /// model.
    pub fn is_context_too_long(&self) -> bool {
        if self.code.as_deref() == Some("context_length_exceeded") {
            return true;
        }
        let message = self.message.to_ascii_lowercase();
        CONTEXT_WORDS.iter().any(|words| message.contains(words))
    }

    /// The status that an error without one stands for, by what it states, its code or its type.
    pub fn implied_status(&self) -> u16 {
        let stated = self.stated_status.filter(|status| *status >= 400);
        let named = || {
            let names = [self.code.as_deref(), self.kind.as_deref()];
            names.into_iter().flatten().find_map(status_of_name)
        };
        stated.or_else(named).unwrap_or(502)
    }

    fn from_value(value: &Value, depth: u32) -> Self {
        match value {
            // Gemini wraps its error in a list when the stream was to be a list.
            Value::Array(items) if depth > 0 => Self::from_list(items, depth - 1),
            Value::String(text) => Self { message: bounded(text), ..Self::default() },
            Value::Object(members) => Self::from_members(members, depth),
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => Self::default(),
        }
    }

    /// The first of several errors, with the messages of all: `FastAPI` lists what it did not like.
    fn from_list(items: &[Value], depth: u32) -> Self {
        let mut errors = items.iter().map(|item| Self::from_value(item, depth));
        let Some(mut first) = errors.next() else { return Self::default() };
        for message in errors.map(|error| error.message).filter(|message| !message.is_empty()) {
            first.message = bounded(&format!("{}; {message}", first.message));
        }
        first
    }

    fn from_members(members: &Map<String, Value>, depth: u32) -> Self {
        let member = |name: &str| members.get(name).filter(|value| !value.is_null());
        let own = |name: &str| member(name).and_then(plain).filter(|text| !text.is_empty());
        let nested = member("error")
            .or_else(|| member("response").and_then(|response| response.get("error")))
            .or_else(|| member("detail"))
            .or_else(|| member("errors"))
            .filter(|value| !value.is_null() && depth > 0);
        let mut error = Self {
            message: member("message").or_else(|| member("msg")).map(said).unwrap_or_default(),
            // The envelope's own type says only that this is an error.
            kind: own("type")
                .filter(|kind| !matches!(kind.as_str(), "error" | "response.failed"))
                .or_else(|| own("status").filter(|status| status != "failed")),
            param: own("param"),
            retry_after_ms: member("details").and_then(retry_delay_ms),
            is_error: has_error_shape(members),
            ..Self::default()
        };
        error.code = own("code");
        let code = error.code.as_ref().and_then(|code| code.parse().ok());
        error.stated_status = code.filter(|code| (100..600).contains(code));
        if error.stated_status.is_some() {
            error.code = None;
        }
        if let Some(inner) = nested {
            error.take(Self::from_value(inner, depth - 1));
        }
        // Azure tells the reason one level deeper, OpenRouter quotes the vendor behind it.
        if let Some(code) = member("innererror").and_then(|inner| inner.get("code")?.as_str()) {
            error.code = Some(bounded(code));
        }
        if let Some(raw) = member("metadata").and_then(|data| data.get("raw")?.as_str())
            && depth > 0
        {
            let quoted = Self::read(0, raw.as_bytes()).message;
            error.message = bounded(&format!("{}: {quoted}", error.message));
        }
        if error.message.is_empty() {
            let names = ["error_description", "title"];
            error.message = names.into_iter().find_map(own).unwrap_or_default();
        }
        error
    }

    /// Takes over what an error inside this one says.
    fn take(&mut self, inner: Self) {
        if !inner.message.is_empty() {
            self.message = inner.message;
        }
        self.kind = inner.kind.or_else(|| self.kind.take());
        self.code = inner.code.or_else(|| self.code.take());
        self.param = inner.param.or_else(|| self.param.take());
        self.stated_status = inner.stated_status.or(self.stated_status);
        self.retry_after_ms = inner.retry_after_ms.or(self.retry_after_ms);
    }

    fn from_text(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        let message = if text.starts_with('<') { title(text) } else { text };
        Self { message: bounded(message), ..Self::default() }
    }
}

/// Whether a member may be what [`has_error_shape`] looks for.
fn is_telling(entry: &Entry<'_>) -> bool {
    let says_error = || text_of(entry.value).is_none_or(|text| text == "error");
    entry.is("response")
        || (entry.is("error") && entry.value != b"null")
        || ((entry.is("type") || entry.is("object")) && says_error())
}

fn has_error_shape(members: &Map<String, Value>) -> bool {
    let is = |name: &str, word: &str| members.get(name).and_then(Value::as_str) == Some(word);
    let failed = |response: &Value| {
        response.get("status").and_then(Value::as_str) == Some("failed")
            && response.get("error").is_some_and(Value::is_object)
    };
    match members.get("error") {
        Some(Value::Object(_)) => true,
        Some(Value::String(text)) => !text.is_empty(),
        _ => {
            is("type", "error")
                || is("object", "error")
                || members.get("response").is_some_and(failed)
        }
    }
}

/// The title of an HTML page, empty when it has none: no person wants to read the page itself.
fn title(page: &str) -> &str {
    let lower = page.to_ascii_lowercase();
    let range = lower.find("<title>").and_then(|at| {
        let from = at + "<title>".len();
        Some(from..from + lower.get(from..)?.find("</title>")?)
    });
    range.and_then(|range| page.get(range)).unwrap_or_default().trim()
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
    let detail = value.get("detail").and_then(Value::as_str);
    detail.map(bounded).or_else(|| plain(value)).unwrap_or_else(|| bounded(&value.to_string()))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(bounded(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// How vendors say that a conversation is too long.
const CONTEXT_WORDS: [&str; 15] = [
    "prompt is too long",
    "maximum context length",
    "context length exceeded",
    "context_length_exceeded",
    "context window",
    "exceeds the maximum number of tokens",
    "input token count",
    "input is too long",
    "reduce the length of the messages",
    "too many tokens",
    "exceeds the available context size",
    "exceeds context size",
    "longer than the model's context",
    "max_model_len",
    "exceed context limit",
];

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
