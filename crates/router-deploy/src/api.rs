//! Cloudflare's API, version 4: one envelope, one way to page, one way to fail.
//!
//! Source: Cloudflare's published API description, as its client library on npm has it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use router_client::{Client, FetchError, Limits, OutboundBody};
use router_config::Secret;
use router_operator::{Failure, Kind};
use serde_json::Value;

mod explain;

pub(crate) use explain::may_be_done;

/// Where the API lives.
pub const API_URL: &str = "https://api.cloudflare.com/client/v4";
/// Entries of one page; the API's own maximum for zones and memberships.
const PAGE_SIZE: u64 = 50;
/// Pages read at most: ten thousand zones.
const PAGES_MAX: u64 = 200;
/// Tries of a call that may be repeated.
const ATTEMPTS_MAX: u32 = 3;
/// Time before the first repetition; doubles.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// What the API asks for is waited for up to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);
/// An upload of ten megabytes over a slow line.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    total: Duration::from_mins(2),
    body_bytes: 8 * 1024 * 1024,
};

/// One account's way into the API.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    base: String,
    token: Secret,
}

/// What a call carries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
}

impl Body {
    pub(crate) fn json(value: &Value) -> Self {
        Self { content_type: "application/json".to_owned(), bytes: value.to_string().into() }
    }
}

impl Api {
    /// Talks to `base`, or to Cloudflare, with `token`.
    ///
    /// A base without TLS is refused unless it is on this machine: the token would be readable.
    pub fn new(client: Client, base: Option<&str>, token: Secret) -> Result<Self, Failure> {
        let base = base.unwrap_or(API_URL).trim_end_matches('/');
        let uri: http::Uri =
            base.parse().map_err(|_| Failure::input(format!("`{base}` is not an address")))?;
        let host = uri.host().unwrap_or_default();
        let local = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
        if uri.scheme_str() != Some("https") && !(uri.scheme_str() == Some("http") && local) {
            return Err(Failure::input("the address of the API must begin with https://"));
        }
        Ok(Self { client, base: base.to_owned(), token })
    }

    /// The result of a call.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Body>,
    ) -> Result<Value, Failure> {
        self.envelope(method, path, body).await.map(take_result)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// The result, or `None` where the API says there is no such thing.
    pub(crate) async fn find(&self, path: &str) -> Result<Option<Value>, Failure> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(failure) if explain::is_missing(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Every entry of a list, page by page.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let joint = if path.contains('?') { '&' } else { '?' };
        for page in 1..=PAGES_MAX {
            let path = format!("{path}{joint}page={page}&per_page={PAGE_SIZE}");
            let envelope = self.envelope(Method::GET, &path, None).await?;
            let pages = envelope.pointer("/result_info/total_pages").and_then(Value::as_u64);
            let Value::Array(entries) = take_result(envelope) else { break };
            let is_full = u64::try_from(entries.len()).is_ok_and(|count| count >= PAGE_SIZE);
            all.extend(entries);
            // Lists that do not say how many pages there are end with a page that is not full.
            if pages.map_or(!is_full, |pages| page >= pages) {
                return Ok(all);
            }
        }
        Ok(all)
    }

    async fn envelope(
        &self,
        method: Method,
        path: &str,
        body: Option<Body>,
    ) -> Result<Value, Failure> {
        let repeatable = method != Method::POST;
        let mut delay = RETRY_DELAY;
        let mut attempt = 1;
        loop {
            let answer = self.send(&method, path, body.clone()).await;
            let wait = match &answer {
                Ok(answer) if answer.status().as_u16() == 429 => Some(retry_after(answer, delay)),
                Ok(answer) if answer.status().is_server_error() && repeatable => Some(delay),
                Err(_) if repeatable => Some(delay),
                _ => None,
            };
            if let Some(wait) = wait.filter(|_| attempt < ATTEMPTS_MAX) {
                tokio::time::sleep(wait).await;
                attempt += 1;
                delay *= 2;
                continue;
            }
            let answer = answer.map_err(|error| {
                Failure::new(Kind::Unreachable, format!("{} does not answer: {error}", self.host()))
                    .hint("check the network and HTTPS_PROXY, then run the same command again")
            })?;
            return explain::read(&method, path, &answer);
        }
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<Body>,
    ) -> Result<Response<Bytes>, FetchError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("llm-router/", env!("CARGO_PKG_VERSION")));
        // A token that no header can carry is refused as any other wrong one.
        let token = http::HeaderValue::try_from(format!("Bearer {}", self.token.expose()));
        let mut token = token.unwrap_or_else(|_| http::HeaderValue::from_static("Bearer unusable"));
        token.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, token);
        if let Some(body) = &body {
            request = request.header(header::CONTENT_TYPE, &body.content_type);
        }
        let body = body.map(|body| body.bytes);
        let request = request.body(OutboundBody::new(body)).map_err(|_| FetchError::Transport {
            kind: router_client::Transport::Protocol,
            message: "the request cannot be written".to_owned(),
        })?;
        self.client.fetch(request, LIMITS).await
    }

    fn host(&self) -> &str {
        let bare = self.base.split("//").nth(1).unwrap_or(&self.base);
        bare.split('/').next().unwrap_or(bare)
    }
}

fn retry_after(answer: &Response<Bytes>, otherwise: Duration) -> Duration {
    let seconds = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = seconds.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    seconds.unwrap_or(otherwise).min(RETRY_AFTER_MAX)
}

fn take_result(envelope: Value) -> Value {
    match envelope {
        Value::Object(mut object) => object.remove("result").unwrap_or_default(),
        _ => Value::Null,
    }
}

/// A segment of a path, percent-encoded.
pub(crate) fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
