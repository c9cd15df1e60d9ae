//! Reading what vendors put into error bodies.

use serde_json::Value;

use super::MESSAGE_MAX;

/// Bytes of a body that are looked at.
const BODY_MAX: usize = 64 * 1024;

/// The parts of an error body that say something.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ErrorBody {
    /// The sentence for people.
    pub message: String,
    /// `error.code` or what stands for it, as text.
    pub code: Option<String>,
    /// `error.type` or the gRPC status name.
    pub kind: Option<String>,
    /// `error.param`: the member of the request that is at fault.
    pub param: Option<String>,
    /// Delay named inside the body, as its own text (`12s`), as Google sends it.
    pub delay: Option<String>,
    /// A status hidden in the body, as vendors send behind a 200.
    pub status: Option<u16>,
    /// Whether the body says by its shape that it is an error.
    pub is_error: bool,
}

/// Reads an error body of any vendor. Text that is no JSON becomes the message.
pub fn read_error(body: &[u8]) -> ErrorBody {
    let body = body.get(..BODY_MAX).unwrap_or(body);
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(items)) => items.first().map(read_value).unwrap_or_default(),
        Ok(value) => read_value(&value),
        Err(_) => ErrorBody { message: plain_text(body), ..ErrorBody::default() },
    }
}

fn read_value(value: &Value) -> ErrorBody {
    let mut found = ErrorBody::default();
    match value.get("error") {
        Some(Value::Object(_)) => {
            found.is_error = true;
            read_members(value.get("error").unwrap_or(value), &mut found);
        }
        Some(Value::String(text)) if !text.is_empty() => {
            found.is_error = true;
            found.message = bounded(text);
            read_members(value, &mut found);
        }
        _ => {
            let kind = value.get("type").and_then(Value::as_str);
            let object = value.get("object").and_then(Value::as_str);
            found.is_error = kind == Some("error") || object == Some("error");
            found.is_error |= failed_response(value);
            read_members(
                value.get("response").and_then(|r| r.get("error")).unwrap_or(value),
                &mut found,
            );
        }
    }
    if found.message.is_empty() {
        found.message = elsewhere(value);
    }
    found
}

/// A Responses object, or the event that carries one, that says it failed.
fn failed_response(value: &Value) -> bool {
    let response = value.get("response").unwrap_or(value);
    response.get("status").and_then(Value::as_str) == Some("failed")
        && response.get("error").is_some_and(Value::is_object)
}

fn read_members(error: &Value, found: &mut ErrorBody) {
    let text = |key: &str| error.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if found.message.is_empty()
        && let Some(message) = text("message").or_else(|| text("detail"))
    {
        found.message = bounded(message);
    }
    match error.get("code") {
        Some(Value::String(code)) if !code.is_empty() => found.code = Some(bounded(code)),
        Some(Value::Number(code)) => {
            found.status = code.as_u64().and_then(|code| u16::try_from(code).ok());
        }
        _ => {}
    }
    found.kind = text("status").or_else(|| text("type")).map(bounded);
    found.param = text("param").map(bounded);
    if let Some(inner) = error.pointer("/innererror/code").and_then(Value::as_str) {
        found.code = Some(bounded(inner));
    }
    // OpenRouter wraps the vendor's own words, FastAPI lists what it did not like.
    if let Some(raw) = error.pointer("/metadata/raw").and_then(Value::as_str) {
        found.message =
            bounded(&format!("{}: {}", found.message, read_error(raw.as_bytes()).message));
    }
    found.delay = delay(error);
}

/// The delay in Google's `RetryInfo`.
fn delay(error: &Value) -> Option<String> {
    let details = error.get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str());
    delay.map(ToOwned::to_owned)
}

fn elsewhere(value: &Value) -> String {
    let detail = value.get("detail").or_else(|| value.pointer("/message/detail"));
    if let Some(Value::Array(items)) = detail {
        let messages = items.iter().filter_map(|item| item.get("msg").and_then(Value::as_str));
        return bounded(&messages.collect::<Vec<_>>().join("; "));
    }
    for pointer in ["/error/message/detail", "/detail", "/error_description", "/title", "/msg"] {
        if let Some(Value::String(text)) = value.pointer(pointer) {
            return bounded(text);
        }
    }
    match value {
        Value::String(text) => bounded(text),
        _ => String::new(),
    }
}

fn plain_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.starts_with('<') {
        return title(text).unwrap_or_default();
    }
    bounded(text)
}

/// The title of an HTML error page.
fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let from = lower.find("<title>")? + "<title>".len();
    let to = from + lower.get(from..)?.find("</title>")?;
    Some(bounded(page.get(from..to)?.trim()))
}

pub(super) fn bounded(text: &str) -> String {
    text.chars().take(MESSAGE_MAX).collect()
}
