//! Headers a provider's config adds to requests.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::diagnostic::Severity;
use crate::read::{Context, Show};
use crate::schema;
use crate::secret::{self, Lookup, Secret};

/// Headers that belong to a connection or to the body, never to config.
const CONNECTION_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A header value that is never shown.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Checks the `headers` section of a provider. Names differing only in case are one header; the
/// last one counts.
pub(crate) fn build(
    at: &str,
    headers: &schema::Map<serde_json::Value>,
    lookup: &dyn Lookup,
    cx: &mut Context<'_>,
) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in &headers.0 {
        let path = format!("{at}.headers.{name}");
        if name.trim().is_empty() {
            continue;
        }
        let Ok(header) = HeaderName::try_from(name.trim()) else {
            let what = "the name of this header has characters that headers cannot have";
            report(cx, Severity::Error, &path, what, "use letters, digits and dashes");
            continue;
        };
        if CONNECTION_HEADERS.contains(&header.as_str()) {
            let what = format!("header `{header}` is ignored: the router sets it itself");
            report(cx, Severity::Warning, &path, what, "remove it");
            continue;
        }
        let Some(text) = text_of(value) else { continue };
        let text = match secret::resolve(&text, lookup) {
            Ok(secret) => secret.unwrap_or_else(|| Secret::new("")),
            Err(missing) => {
                let what = format!("header `{header}` is left out: {missing}");
                report(cx, Severity::Warning, &path, what, "set it before starting the router");
                continue;
            }
        };
        let Some(value) = sensitive(text.expose()) else {
            let what = format!("the value of header `{header}` cannot be sent");
            report(
                cx,
                Severity::Error,
                &path,
                what,
                "remove line breaks and other control characters",
            );
            continue;
        };
        if map.insert(header.clone(), value).is_some() {
            let what = format!("header `{header}` is given twice; the last one counts");
            report(cx, Severity::Warning, &path, what, "names of headers ignore case: keep one");
        }
    }
    map
}

fn report(
    cx: &mut Context<'_>,
    severity: Severity,
    path: &str,
    what: impl Into<String>,
    hint: &str,
) {
    cx.report(severity, path, Show::Place, what, Some(hint));
}

/// A header value as text; `null`, `false` and empty texts turn the header off.
fn text_of(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null | serde_json::Value::Bool(false) | serde_json::Value::Object(_) => {
            None
        }
        serde_json::Value::String(text) if text.is_empty() => None,
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Array(items) => {
            let texts: Vec<String> = items.iter().filter_map(text_of).collect();
            Some(texts.join(", "))
        }
        other => Some(other.to_string()),
    }
}
