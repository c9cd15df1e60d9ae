//! The list of models, in each vendor's shape.

use serde_json::{Value, json};

use crate::Dialect;
use crate::models::{self, FAULTY_MODELS, MODELS};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::state::State;

/// A fixed time of creation (2026-01-01), so that lists are always the same.
const CREATED: u64 = 1_767_225_600;

fn all(state: &State) -> Vec<&str> {
    match &state.options.face.models {
        Some(models) => models.iter().map(String::as_str).collect(),
        None => MODELS.iter().chain(FAULTY_MODELS).map(|model| model.id).collect(),
    }
}

fn find<'a>(state: &State, id: &'a str, dialect: Dialect) -> Result<&'a str, Refusal> {
    all(state).contains(&id).then_some(id).ok_or_else(|| Refusal::no_model(dialect, id))
}

/// What a model does, in one sentence.
fn what(id: &str) -> &'static str {
    let known = MODELS.iter().chain(FAULTY_MODELS).find(|model| model.id == id);
    known.map_or("A model.", |model| model.what)
}

/// The list, or one model, in the `OpenAI` or the Anthropic shape.
pub(crate) fn models(state: &State, one: Option<&str>, anthropic: bool) -> Result<Reply, Refusal> {
    let (dialect, shape): (_, fn(&str) -> Value) = if anthropic {
        (Dialect::Messages, anthropic_shape)
    } else {
        (Dialect::Chat, openai_shape)
    };
    if let Some(id) = one {
        return Ok(Reply::json(200, &shape(find(state, id, dialect)?)));
    }
    let data: Vec<Value> = all(state).into_iter().map(shape).collect();
    let body = if anthropic {
        let id = |value: Option<&Value>| value.and_then(|v| v.get("id")).cloned();
        let (first, last) = (id(data.first()), id(data.last()));
        json!({"data": data, "has_more": false, "first_id": first, "last_id": last})
    } else {
        json!({"object": "list", "data": data})
    };
    Ok(Reply::json(200, &body))
}

/// The list, or one model, in the Gemini shape.
pub(crate) fn gemini(state: &State, one: Option<&str>) -> Result<Reply, Refusal> {
    let body = match one {
        Some(id) => gemini_shape(find(state, id, Dialect::Gemini)?),
        None => json!({"models": all(state).into_iter().map(gemini_shape).collect::<Vec<_>>()}),
    };
    Ok(Reply::json(200, &body))
}

fn openai_shape(model: &str) -> Value {
    json!({"id": model, "object": "model", "created": CREATED, "owned_by": "demo"})
}

fn anthropic_shape(model: &str) -> Value {
    let rules = models::rules(model);
    let on = |yes: bool| json!({"supported": yes});
    let thinking = rules.map(|rules| rules.thinking);
    json!({
        "type": "model",
        "id": model,
        "display_name": model,
        "created_at": "2026-01-01T00:00:00Z",
        "max_tokens": rules.map(|rules| rules.output),
        "max_input_tokens": rules.map(|rules| rules.context),
        "capabilities": {
            "image_input": on(true),
            "pdf_input": on(true),
            "structured_outputs": on(true),
            "effort": on(rules.is_some_and(|rules| !rules.efforts.is_empty())),
            "thinking": {"supported": true, "types": {
                "enabled": on(thinking != Some(models::Thinking::Adaptive)),
                "adaptive": on(thinking != Some(models::Thinking::Budget)),
                "disabled": on(true),
            }},
        },
    })
}

fn gemini_shape(model: &str) -> Value {
    let rules = models::rules(model);
    json!({
        "name": format!("models/{model}"),
        "version": "001",
        "displayName": model,
        "description": what(model),
        "inputTokenLimit": rules.map(|rules| rules.context),
        "outputTokenLimit": rules.map(|rules| rules.output),
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}
