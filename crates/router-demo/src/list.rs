//! The list of models, in each vendor's shape.

use serde_json::{Value, json};

use crate::Dialect;
use crate::models::{self, DemoModel, FAULTY_MODELS, MODELS};
use crate::refusal::Refusal;
use crate::reply::Reply;

/// A fixed time of creation (2026-01-01), so that lists are always the same.
const CREATED: u64 = 1_767_225_600;

fn all() -> impl Iterator<Item = &'static DemoModel> {
    MODELS.iter().chain(FAULTY_MODELS)
}

fn find(id: &str, dialect: Dialect) -> Result<&'static DemoModel, Refusal> {
    all().find(|model| model.id == id).ok_or_else(|| Refusal::no_model(dialect, id))
}

/// The list, or one model, in the `OpenAI` or the Anthropic shape.
pub(crate) fn models(one: Option<&str>, anthropic: bool) -> Result<Reply, Refusal> {
    let (dialect, shape): (_, fn(&DemoModel) -> Value) = if anthropic {
        (Dialect::Messages, anthropic_shape)
    } else {
        (Dialect::Chat, openai_shape)
    };
    if let Some(id) = one {
        return Ok(Reply::json(200, &shape(find(id, dialect)?)));
    }
    let data: Vec<Value> = all().map(shape).collect();
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
pub(crate) fn gemini(one: Option<&str>) -> Result<Reply, Refusal> {
    let body = match one {
        Some(id) => gemini_shape(find(id, Dialect::Gemini)?),
        None => json!({"models": all().map(gemini_shape).collect::<Vec<_>>()}),
    };
    Ok(Reply::json(200, &body))
}

fn openai_shape(model: &DemoModel) -> Value {
    json!({"id": model.id, "object": "model", "created": CREATED, "owned_by": "demo"})
}

fn anthropic_shape(model: &DemoModel) -> Value {
    let rules = models::rules(model.id);
    let on = |yes: bool| json!({"supported": yes});
    let thinking = rules.map(|rules| rules.thinking);
    json!({
        "type": "model",
        "id": model.id,
        "display_name": model.id,
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

fn gemini_shape(model: &DemoModel) -> Value {
    let rules = models::rules(model.id);
    json!({
        "name": format!("models/{}", model.id),
        "version": "001",
        "displayName": model.id,
        "description": model.what,
        "inputTokenLimit": rules.map(|rules| rules.context),
        "outputTokenLimit": rules.map(|rules| rules.output),
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}
