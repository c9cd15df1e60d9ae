//! From a request to a reply: path, key, JSON, dialect, fault.

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use serde_json::{Map, Value, json};

use crate::apply::{self, Asked};
use crate::ask::{Ask, Usage};
use crate::models::{self, Rules};
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::state::State;
use crate::{Dialect, brain, chat, gemini, legacy, list, messages, responses};

/// What a dialect needs to know beside the body.
#[derive(Debug)]
pub(crate) struct Head {
    /// The number of the request; ids are made from it.
    pub(crate) id: u64,
    pub(crate) strict: bool,
    /// Beta members are understood.
    pub(crate) beta: bool,
    /// `anthropic-version`.
    pub(crate) version: String,
    /// The model of a Gemini path.
    pub(crate) model: Option<String>,
    /// Gemini streams are asked for by path.
    pub(crate) stream: bool,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Alive,
    Models(Option<String>),
    GeminiModels(Option<String>),
    Chat,
    Responses,
    Messages,
    CountTokens,
    Gemini { model: String, method: String },
    Embeddings,
    Completions,
}

impl Endpoint {
    fn of(path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/v1beta/models") {
            let rest = rest.strip_prefix('/');
            return Some(match rest.map(|rest| rest.split_once(':')) {
                Some(Some((model, method))) => {
                    Self::Gemini { model: model.into(), method: method.into() }
                }
                _ => Self::GeminiModels(rest.map(str::to_owned)),
            });
        }
        let short = path.strip_prefix("/v1").unwrap_or(path);
        Some(match short {
            "" | "/" | "/health" | "/api/hello" => Self::Alive,
            "/models" => Self::Models(None),
            "/chat/completions" => Self::Chat,
            "/responses" => Self::Responses,
            "/messages" => Self::Messages,
            "/messages/count_tokens" => Self::CountTokens,
            "/embeddings" => Self::Embeddings,
            "/completions" => Self::Completions,
            _ => {
                let model = short.strip_prefix("/models/")?;
                match model.split_once(':') {
                    Some((model, method)) => {
                        Self::Gemini { model: model.into(), method: method.into() }
                    }
                    None => Self::Models(Some(model.into())),
                }
            }
        })
    }

    fn dialect(&self, anthropic: bool) -> Dialect {
        match self {
            Self::Messages | Self::CountTokens => Dialect::Messages,
            Self::Gemini { .. } | Self::GeminiModels(_) => Dialect::Gemini,
            Self::Responses => Dialect::Responses,
            Self::Models(_) if anthropic => Dialect::Messages,
            _ => Dialect::Chat,
        }
    }

    fn is_read(&self) -> bool {
        matches!(self, Self::Alive | Self::Models(_) | Self::GeminiModels(_))
    }
}

/// The reply to one request; `id` is its number.
pub(crate) fn answer(state: &State, head: &Parts, body: &Bytes, id: u64) -> Reply {
    let face = &state.options.face;
    let anthropic = is_anthropic(state, head);
    let endpoint = face.below(head.uri.path()).and_then(Endpoint::of);
    let is_there = |endpoint: &Endpoint| match endpoint {
        Endpoint::GeminiModels(_) => face.has_list && face.speaks(Dialect::Gemini),
        Endpoint::Models(_) => {
            let gemini = head.headers.contains_key("x-goog-api-key");
            let others = [Dialect::Chat, Dialect::Responses, Dialect::Messages];
            face.has_list
                && (others.iter().any(|dialect| face.speaks(*dialect))
                    || (gemini && face.speaks(Dialect::Gemini)))
        }
        Endpoint::Alive => true,
        other => face.speaks(other.dialect(anthropic)),
    };
    let endpoint = match endpoint.filter(is_there) {
        // The Gemini SDK asks for its list under the same path as the others.
        Some(Endpoint::Models(one))
            if head.headers.contains_key("x-goog-api-key") && face.speaks(Dialect::Gemini) =>
        {
            Some(Endpoint::GeminiModels(one))
        }
        other => other,
    };
    let dialect = match &endpoint {
        Some(endpoint) => endpoint.dialect(anthropic),
        None if anthropic => Dialect::Messages,
        None => Dialect::Chat,
    };
    let request_id = format!("req_demo{id:012}");
    let result = checked(state, head, endpoint.as_ref(), dialect)
        .and_then(|endpoint| dispatch(state, head, body, endpoint, id));
    let (mut reply, model) = match result {
        Ok(done) => done,
        Err(_) if endpoint.is_none() && face.has_pages => (Reply::page(), None),
        Err(refusal) => (Reply::json(refusal.status, &refusal.body(dialect, &request_id)), None),
    };
    headers(&mut reply, dialect, &request_id);
    if let Some(date) = &face.date {
        reply.set_header("date", date);
    }
    if let Some(model) = model {
        let echo = || echo(head, body);
        let asked = Asked { dialect, request_id: &request_id, echo: &echo };
        if let Some(fault) = state.fault(&model) {
            apply::apply(&fault, &mut reply, &asked);
        }
    }
    reply
}

/// Whether a request is one of Messages, by its header.
fn is_anthropic(state: &State, head: &Parts) -> bool {
    head.headers.contains_key("anthropic-version") && state.options.face.speaks(Dialect::Messages)
}

fn checked<'a>(
    state: &State,
    head: &Parts,
    endpoint: Option<&'a Endpoint>,
    dialect: Dialect,
) -> Result<&'a Endpoint, Refusal> {
    let Some(endpoint) = endpoint else {
        let message = format!("Invalid URL ({} {})", head.method, head.uri.path());
        return Err(Refusal { message, ..Refusal::of_status(404) });
    };
    let right = if endpoint.is_read() {
        head.method == Method::GET || head.method == Method::HEAD
    } else {
        head.method == Method::POST
    };
    if !right {
        let message = format!("Not allowed to {} on {}", head.method, head.uri.path());
        return Err(Refusal { status: 405, ..Refusal::invalid(message) });
    }
    if *endpoint != Endpoint::Alive {
        authorised(state, head, dialect)?;
    }
    Ok(endpoint)
}

/// Checks the key in every place the vendors look for one.
fn authorised(state: &State, head: &Parts, dialect: Dialect) -> Result<(), Refusal> {
    let Some(key) = &state.options.key else { return Ok(()) };
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let mut query = head.uri.query().unwrap_or_default().split('&');
    let query = query.find_map(|pair| pair.strip_prefix("key="));
    let own = &state.options.face.key_headers;
    let presented = match dialect {
        _ if !own.is_empty() => own.iter().find_map(|name| match name.as_str() {
            "authorization" => bearer,
            name => header(name),
        }),
        Dialect::Messages => header("x-api-key").or(bearer),
        Dialect::Gemini => header("x-goog-api-key").or(query).or(bearer),
        Dialect::Chat | Dialect::Responses => bearer,
    };
    if presented == Some(key) {
        return Ok(());
    }
    let message = match (dialect, presented) {
        (Dialect::Messages, Some(_)) => "invalid x-api-key",
        (Dialect::Messages, None) => "x-api-key header is required",
        (Dialect::Gemini, Some(_)) => "API key not valid. Please pass a valid API key.",
        (Dialect::Gemini, None) => {
            "Method doesn't allow unregistered callers. Please use API Key or other form of API \
             consumer identity to call this API."
        }
        (_, Some(_)) => "Incorrect API key provided. You can find your API key in your account.",
        (_, None) => {
            "You didn't provide an API key. You need to provide your API key in an Authorization \
             header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
        }
    };
    let message = match presented.filter(|_| state.options.face.repeats_key) {
        Some(presented) => format!("{message} You sent: {presented}"),
        None => message.to_owned(),
    };
    let refusal = Refusal { message, ..Refusal::of_status(401) };
    Err(match (dialect, presented) {
        (Dialect::Gemini, Some(_)) => Refusal { status: 400, class: Class::Invalid, ..refusal },
        (Dialect::Gemini, None) => Refusal { status: 403, class: Class::Permission, ..refusal },
        _ => refusal,
    })
}

/// A reply, and the model whose faults apply to it.
type Done = (Reply, Option<String>);

fn dispatch(
    state: &State,
    parts: &Parts,
    body: &Bytes,
    endpoint: &Endpoint,
    id: u64,
) -> Result<Done, Refusal> {
    let anthropic = is_anthropic(state, parts);
    match endpoint {
        Endpoint::Alive => return Ok((Reply::json(200, &json!({"ok": true})), None)),
        Endpoint::Models(one) => {
            return Ok((list::models(state, one.as_deref(), anthropic)?, None));
        }
        Endpoint::GeminiModels(one) => return Ok((list::gemini(state, one.as_deref())?, None)),
        _ => {}
    }
    let body = parse(parts, body, endpoint.dialect(anthropic))?;
    let header = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let query = parts.uri.query().unwrap_or_default();
    let mut head = Head {
        id,
        strict: state.options.strict,
        beta: !header("anthropic-beta").is_empty() || query.split('&').any(|q| q == "beta=true"),
        version: header("anthropic-version").into(),
        model: None,
        stream: false,
    };
    if let Endpoint::Gemini { model, method } = endpoint {
        head.model = Some(model.clone());
        head.stream = method == "streamGenerateContent";
        let sse = query.split('&').any(|pair| pair == "alt=sse");
        return gemini_call(state, &head, &body, method, sse);
    }
    let ask = match endpoint {
        Endpoint::Chat => chat::read(state, &body, &head)?,
        Endpoint::Responses => responses::read(state, &body, &head)?,
        Endpoint::Messages => messages::read(state, &body, &head)?,
        Endpoint::CountTokens => {
            let ask = messages::read_count(state, &body, &head)?;
            let counted = json!({"input_tokens": ask.prompt_tokens()});
            return Ok((Reply::json(200, &counted), Some(ask.model)));
        }
        Endpoint::Embeddings => return legacy::embeddings(state, &body),
        _ => return legacy::completions(state, &body, id),
    };
    let answer = brain::answer(&ask, account(state, &ask), id);
    let mut reply = match endpoint {
        Endpoint::Chat => chat::write(&ask, &answer, &body, id),
        Endpoint::Responses => responses::write(&ask, &answer, &body, id),
        _ => messages::write(&ask, &answer, &body, id),
    };
    reply.pace = state.options.pace;
    Ok((reply, Some(ask.model)))
}

fn gemini_call(
    state: &State,
    head: &Head,
    body: &Value,
    method: &str,
    sse: bool,
) -> Result<Done, Refusal> {
    let ask = match method {
        "generateContent" | "streamGenerateContent" => gemini::read(state, body, head)?,
        "countTokens" => {
            let ask = gemini::read_count(state, body, head)?;
            let counted = json!({"totalTokens": ask.prompt_tokens()});
            return Ok((Reply::json(200, &counted), Some(ask.model)));
        }
        _ => return Err(Refusal::of_status(404)),
    };
    let answer = brain::answer(&ask, account(state, &ask), head.id);
    let mut reply = gemini::write(&ask, &answer, head.id, sse);
    reply.pace = state.options.pace;
    Ok((reply, Some(ask.model)))
}

fn account(state: &State, ask: &Ask) -> Usage {
    state.cache.account(ask)
}

fn parse(parts: &Parts, body: &Bytes, dialect: Dialect) -> Result<Value, Refusal> {
    let kind = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
    if !kind.unwrap_or_default().starts_with("application/json") {
        let message = format!(
            "Unsupported content type: '{}'. This API method only accepts 'application/json' \
             requests, but you specified the header 'Content-Type: {0}'.",
            kind.unwrap_or_default()
        );
        let status = if dialect == Dialect::Messages { 415 } else { 400 };
        return Err(Refusal { status, ..Refusal::invalid(message) });
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Refusal::invalid("The request body must be a JSON object.")),
        Err(error) => Err(Refusal::invalid(match dialect {
            Dialect::Messages => format!("The request body is not valid JSON: {error}"),
            Dialect::Gemini => format!("Invalid JSON payload received. {error}"),
            _ => "We could not parse the JSON body of your request. (HINT: This likely means you \
                  aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, \
                  but what was sent was not valid JSON.)"
                .to_owned(),
        })),
    }
}

/// The rules of the model a request names.
pub(crate) fn model_rules(state: &State, dialect: Dialect, model: &str) -> Result<Rules, Refusal> {
    match models::rules(model).filter(|_| state.options.face.has(model)) {
        Some(rules) => Ok(rules),
        None if state.is_scripted(model) => {
            models::rules("demo-chat").ok_or_else(|| Refusal::no_model(dialect, model))
        }
        None => Err(Refusal::no_model(dialect, model)),
    }
}

fn headers(reply: &mut Reply, dialect: Dialect, request_id: &str) {
    match dialect {
        Dialect::Messages => {
            reply.set_header("request-id", request_id);
            reply.set_header("anthropic-organization-id", "demo");
            reply.set_header("anthropic-ratelimit-requests-limit", "1000");
            reply.set_header("anthropic-ratelimit-requests-remaining", "999");
        }
        Dialect::Chat | Dialect::Responses => {
            reply.set_header("x-request-id", request_id);
            reply.set_header("openai-version", "2020-10-01");
            reply.set_header("openai-organization", "demo");
            reply.set_header("openai-processing-ms", "1");
            reply.set_header("x-ratelimit-limit-requests", "1000");
            reply.set_header("x-ratelimit-remaining-requests", "999");
            reply.set_header("x-ratelimit-reset-requests", "60ms");
        }
        Dialect::Gemini => reply.set_header("server-timing", "gfet4t7; dur=1"),
    }
}

fn echo(head: &Parts, body: &Bytes) -> Value {
    let mut headers = Map::new();
    for (name, value) in &head.headers {
        headers.insert(name.as_str().into(), String::from_utf8_lossy(value.as_bytes()).into());
    }
    json!({
        "method": head.method.as_str(),
        "path": head.uri.path_and_query().map(http::uri::PathAndQuery::as_str),
        "headers": headers,
        "body": serde_json::from_slice::<Value>(body).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
