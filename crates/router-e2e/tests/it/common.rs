//! What several topics need: requests in every dialect, and the shape of its errors.

use anyhow::{Context as _, Result};
use router_e2e::http::Answer;
use serde_json::{Value, json};

/// The header of every request with a body.
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

/// What a client speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Speaks {
    Chat,
    Responses,
    Messages,
    Gemini,
}

/// The dialects that name their model in the body.
pub(crate) const IN_BODY: [Speaks; 3] = [Speaks::Chat, Speaks::Responses, Speaks::Messages];
/// All of them.
pub(crate) const ALL: [Speaks; 4] =
    [Speaks::Chat, Speaks::Responses, Speaks::Messages, Speaks::Gemini];

impl Speaks {
    /// Where its clients send a request to `model`.
    pub(crate) fn path(self, model: &str, is_stream: bool) -> String {
        match self {
            Self::Chat => "/v1/chat/completions".to_owned(),
            Self::Responses => "/v1/responses".to_owned(),
            Self::Messages => "/v1/messages".to_owned(),
            Self::Gemini => {
                let verb =
                    if is_stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                format!("/v1beta/models/{}:{verb}", model.replace('/', "%2F"))
            }
        }
    }

    /// A request for `model` that says hello.
    pub(crate) fn request(self, model: &str, is_stream: bool) -> Value {
        let turn = json!([{ "role": "user", "content": "Say hello to the whole world." }]);
        match self {
            Self::Chat => json!({"model": model, "messages": turn, "stream": is_stream}),
            Self::Responses => json!({"model": model, "input": "Say hello.", "stream": is_stream}),
            Self::Messages => {
                json!({"model": model, "max_tokens": 64, "messages": turn, "stream": is_stream})
            }
            Self::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
        }
    }

    /// Whether `answer` is a whole answer of this dialect.
    pub(crate) fn is_answer(self, answer: &Answer) -> bool {
        let Ok(body) = answer.json() else { return false };
        let text = |path: &str| body.pointer(path).and_then(Value::as_str);
        answer.status == 200
            && match self {
                Self::Chat => text("/object") == Some("chat.completion"),
                Self::Responses => text("/object") == Some("response"),
                Self::Messages => text("/type") == Some("message"),
                Self::Gemini => text("/candidates/0/finishReason").is_some(),
            }
    }

    /// Whether `answer` is a stream that ends as a complete one does.
    pub(crate) fn is_complete_stream(self, answer: &Answer) -> bool {
        let events = answer.events();
        let last = events.last().map_or("", String::as_str);
        answer.status == 200
            && answer.complete
            && match self {
                Self::Chat => last == "[DONE]",
                Self::Responses => last.contains("\"type\":\"response.completed\""),
                Self::Messages => last.contains("\"type\":\"message_stop\""),
                Self::Gemini => last.contains("\"finishReason\""),
            }
    }

    /// The error an answer is, if it is one of this dialect.
    pub(crate) fn error(self, answer: &Answer) -> Result<Told> {
        let body = answer.json()?;
        Told::read(self, &body).with_context(|| format!("not a {self:?} error: {body}"))
    }

    /// The errors in a stream, in the form the dialect has for them.
    pub(crate) fn stream_errors(self, answer: &Answer) -> Vec<Told> {
        let events = answer.events();
        let parsed = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
        parsed
            .filter_map(|event| match self {
                // Upstreams have two ways to say it.
                Self::Responses => {
                    let error = match event.get("type")?.as_str()? {
                        "response.failed" => event.pointer("/response/error")?,
                        "error" => &event,
                        _ => return None,
                    };
                    let text =
                        |name| error.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
                    Some(Told { kind: String::new(), code: text("code"), message: text("message") })
                }
                _ => Told::read(self, &event),
            })
            .collect()
    }
}

/// What an error says.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// `error.type`, or Gemini's `error.status`.
    pub(crate) kind: String,
    /// `error.code`; empty where there is none.
    pub(crate) code: String,
    /// `error.message`.
    pub(crate) message: String,
}

impl Told {
    fn read(speaks: Speaks, body: &Value) -> Option<Self> {
        let error = body.get("error")?.as_object()?;
        let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
        let message = text("message")?;
        match speaks {
            Speaks::Messages => {
                (body.get("type")? == "error").then_some(())?;
                body.get("request_id")?.as_str()?;
                Some(Self { kind: text("type")?, code: String::new(), message })
            }
            Speaks::Gemini => {
                let code = error.get("code")?.as_u64()?.to_string();
                Some(Self { kind: text("status")?, code, message })
            }
            Speaks::Chat | Speaks::Responses => {
                error.get("param")?;
                error.get("code")?;
                Some(Self { kind: text("type")?, code: text("code").unwrap_or_default(), message })
            }
        }
    }
}
