//! Whether the router answers as a tool will ask it.

use http::{Method, Request};
use router_client::{Client, Limits, OutboundBody};
use serde_json::{Value, json};

use super::{Endpoint, Wanted};

/// What came of the question.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The method and path.
    pub endpoint: String,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// What was wrong, if something was.
    pub problem: Option<String>,
}

impl Checked {
    /// Whether the tool will be served.
    pub const fn is_fine(&self) -> bool {
        self.problem.is_none()
    }
}

/// Asks `endpoint` as the tool would, with a question of one word.
pub async fn check(client: &Client, endpoint: Endpoint, wanted: &Wanted) -> Checked {
    let model = &wanted.models.main;
    let turn = json!([{ "role": "user", "content": "ping" }]);
    let (path, body) = match endpoint {
        Endpoint::Messages => (
            "/v1/messages".to_owned(),
            json!({ "model": model, "max_tokens": 16, "messages": turn }),
        ),
        Endpoint::Responses => (
            "/v1/responses".to_owned(),
            json!({ "model": model, "max_output_tokens": 16, "input": "ping" }),
        ),
        Endpoint::Chat => (
            "/v1/chat/completions".to_owned(),
            json!({ "model": model, "max_tokens": 16, "messages": turn }),
        ),
        Endpoint::Gemini => (
            format!("/v1beta/models/{model}:generateContent"),
            json!({ "contents": [{ "role": "user", "parts": [{ "text": "ping" }] }] }),
        ),
    };
    let (status, answer) = match ask(client, wanted, Method::POST, &path, Some(&body)).await {
        Ok(answered) => answered,
        Err(problem) => {
            let endpoint = format!("POST {path}");
            return Checked { endpoint, status: None, problem: Some(problem) };
        }
    };
    let problem = (status != 200).then(|| message(status, &answer));
    Checked { endpoint: format!("POST {path}"), status: Some(status), problem }
}

/// Sends one request with the key where every dialect looks for it.
pub async fn ask(
    client: &Client,
    wanted: &Wanted,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value), String> {
    let key = wanted.key.expose();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", wanted.base))
        .header("authorization", format!("Bearer {key}"))
        .header("x-api-key", key)
        .header("anthropic-version", "2023-06-01")
        .header("content-type", "application/json")
        .body(OutboundBody::new([body.map(Value::to_string).unwrap_or_default().into()]))
        .map_err(|error| format!("not an address: {error}"))?;
    let answer =
        client.fetch(request, Limits::default()).await.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    Ok((status, serde_json::from_slice(answer.body()).unwrap_or_default()))
}

fn message(status: u16, answer: &Value) -> String {
    let said = answer.pointer("/error/message").and_then(Value::as_str);
    said.map_or_else(|| format!("it answered {status}"), |said| format!("{status}: {said}"))
}
