//! Answers to operators.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

/// Why an operator does not get what was asked for.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// Short stable name.
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// Methods of the path, where the one used is not among them.
    pub(super) allow: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), allow: None }
    }

    pub(super) fn unauthorized() -> Self {
        let message = "missing or wrong key: send the operators' key (server.admin.key) as \
                       `Authorization: Bearer KEY`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("this path takes {allow}");
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
        Self { allow: Some(allow), ..problem }
    }
}

/// An answer of some type.
pub(super) fn text(content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A JSON answer.
pub(super) fn ok(body: &Value) -> Response<Full<Bytes>> {
    text("application/json", body.to_string())
}

/// The answer that tells of a problem.
pub(super) fn problem(problem: &Problem) -> Response<Full<Bytes>> {
    let body = json!({ "error": { "type": problem.kind, "message": problem.message } });
    let mut response = ok(&body);
    *response.status_mut() = problem.status;
    let headers = response.headers_mut();
    if let Some(allow) = problem.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"llm-router operators\"");
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
