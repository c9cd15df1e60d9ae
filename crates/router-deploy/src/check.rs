//! Asking the live Worker: is it healthy, does it know its models, does it stream, and which keys
//! does it accept?

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use router_client::{Client, Limits, OutboundBody};
use router_config::Secret;
use router_operator::Failure;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::random;

/// What one question may take.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    total: Duration::from_mins(1),
    body_bytes: 4 * 1024 * 1024,
};
/// Time between questions while an answer is not yet the expected one.
const PAUSE: Duration = Duration::from_millis(500);
/// Characters of a key that nobody has.
const MADE_UP_CHARS: usize = 48;
/// Tokens of the one answer that is asked for.
const TOKENS_MAX: u64 = 16;

/// Whom to ask, and with what.
#[derive(Clone, Debug)]
pub struct CheckRequest {
    /// Address of the Worker, without a trailing slash.
    pub url: String,
    /// The key to present; without one only the health is asked for.
    pub key: Option<Secret>,
    /// The model of the streamed request; without one none is sent.
    pub model: Option<String>,
    /// Further headers, such as those of Cloudflare Access.
    pub headers: Vec<(String, Secret)>,
    /// How long new code, keys, names and certificates may take to reach the edge.
    pub wait: Duration,
}

/// One question and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What was asked.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// The answer in words.
    pub detail: String,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// Not asked.
    Skipped,
}

/// Whether the keys are as they should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyCheck {
    /// Whether the new key is accepted.
    pub accepted: bool,
    /// Whether the old key, or one made up, is refused.
    pub refused: bool,
    /// What was answered last, in words.
    pub detail: String,
}

impl KeyCheck {
    /// Whether both are as they should be.
    pub const fn passed(&self) -> bool {
        self.accepted && self.refused
    }
}

/// Asks for health, models and one streamed answer. The last costs a few tokens.
pub async fn check(client: &Client, request: &CheckRequest) -> Vec<Check> {
    let asker = Asker { client, request };
    let deadline = Instant::now() + request.wait;
    let mut checks = vec![asker.until("health", deadline, || asker.health()).await];
    let is_up = checks.iter().all(|check| check.outcome == Outcome::Passed);
    if !is_up {
        return checks;
    }
    if request.key.is_none() {
        checks.push(skipped("models", "no key to ask with; --master-key gives one"));
        return checks;
    }
    checks.push(asker.until("models", deadline, || asker.models()).await);
    match &request.model {
        // Asked once: it costs, and by now the Worker is known to answer.
        Some(model) => checks.push(finished("stream", asker.stream(model).await)),
        None => checks.push(skipped("stream", "no model was asked for")),
    }
    checks
}

fn finished(name: &'static str, answer: Result<String, String>) -> Check {
    let outcome = if answer.is_ok() { Outcome::Passed } else { Outcome::Failed };
    Check { name, outcome, detail: answer.unwrap_or_else(|detail| detail) }
}

fn skipped(name: &'static str, detail: &str) -> Check {
    Check { name, outcome: Outcome::Skipped, detail: detail.to_owned() }
}

/// Waits until the Worker accepts `request.key` and refuses `old`; without an old key it has to
/// refuse one that was made up.
pub async fn check_keys(
    client: &Client,
    request: &CheckRequest,
    old: Option<&Secret>,
) -> Result<KeyCheck, Failure> {
    let made_up = Secret::new(random::text(MADE_UP_CHARS)?);
    let old = old.unwrap_or(&made_up);
    let asker = Asker { client, request };
    let deadline = Instant::now() + request.wait;
    loop {
        let new = asker.status_with(request.key.as_ref()).await;
        let refused = asker.status_with(Some(old)).await;
        let check = KeyCheck {
            accepted: new == Ok(200),
            refused: matches!(refused, Ok(401 | 403)),
            detail: format!("new key: {}; old key: {}", words(&new), words(&refused)),
        };
        if check.passed() || Instant::now() + PAUSE > deadline {
            return Ok(check);
        }
        sleep(PAUSE).await;
    }
}

fn words(answer: &Result<u16, String>) -> String {
    answer.as_ref().map_or_else(Clone::clone, |status| format!("status {status}"))
}

struct Asker<'a> {
    client: &'a Client,
    request: &'a CheckRequest,
}

impl Asker<'_> {
    /// Repeats a question until it is answered well or the time is up.
    async fn until<F>(&self, name: &'static str, deadline: Instant, ask: impl Fn() -> F) -> Check
    where
        F: Future<Output = Result<String, String>>,
    {
        loop {
            let check = finished(name, ask().await);
            if check.outcome == Outcome::Passed || Instant::now() + PAUSE > deadline {
                return check;
            }
            sleep(PAUSE).await;
        }
    }

    async fn health(&self) -> Result<String, String> {
        let answer = self.send("GET", "/health", None, None).await?;
        match answer.status().as_u16() {
            200 => Ok("the Worker answers".to_owned()),
            status => Err(format!("GET /health: status {status}{}", excerpt(&answer))),
        }
    }

    async fn models(&self) -> Result<String, String> {
        let answer = self.send("GET", "/v1/models", self.request.key.as_ref(), None).await?;
        let status = answer.status().as_u16();
        let body: Option<Value> = serde_json::from_slice(answer.body()).ok();
        let models = body.as_ref().and_then(|body| body.get("data")).and_then(Value::as_array);
        match (status, models) {
            (200, Some(models)) => Ok(format!("{} models", models.len())),
            (200, None) => Err("GET /v1/models: not a list of models".to_owned()),
            (401 | 403, _) => Err("GET /v1/models: the key is refused".to_owned()),
            _ => Err(format!("GET /v1/models: status {status}{}", excerpt(&answer))),
        }
    }

    async fn stream(&self, model: &str) -> Result<String, String> {
        let body = json!({
            "model": model,
            "stream": true,
            "max_tokens": TOKENS_MAX,
            "messages": [{ "role": "user", "content": "Say OK." }],
        });
        let path = "/v1/chat/completions";
        let key = self.request.key.as_ref();
        let answer = self.send("POST", path, key, Some(body.to_string().into())).await?;
        let text = String::from_utf8_lossy(answer.body());
        let events = text.lines().filter(|line| line.starts_with("data:")).count();
        let status = answer.status().as_u16();
        if status == 200 && text.trim_end().ends_with("data: [DONE]") {
            return Ok(format!("{model} streamed {events} events"));
        }
        let what = if status == 200 {
            "the stream breaks off".to_owned()
        } else {
            format!("status {status}")
        };
        Err(format!("POST {path} for {model}: {what}{}", excerpt(&answer)))
    }

    async fn status_with(&self, key: Option<&Secret>) -> Result<u16, String> {
        self.send("GET", "/v1/models", key, None).await.map(|answer| answer.status().as_u16())
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        key: Option<&Secret>,
        body: Option<Bytes>,
    ) -> Result<Response<Bytes>, String> {
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.request.url));
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", key.expose()));
        }
        for (name, value) in &self.request.headers {
            request = request.header(name, value.expose());
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(OutboundBody::new(body))
            .map_err(|_| "the key or a header has characters that cannot be sent".to_owned())?;
        self.client.fetch(request, LIMITS).await.map_err(|error| error.to_string())
    }
}

/// The beginning of an error's text.
fn excerpt(answer: &Response<Bytes>) -> String {
    let body: Option<Value> = serde_json::from_slice(answer.body()).ok();
    let message = body.as_ref().and_then(|body| body.pointer("/error/message"));
    message.and_then(Value::as_str).map_or_else(String::new, |message| {
        format!(" ({})", message.chars().take(200).collect::<String>())
    })
}
