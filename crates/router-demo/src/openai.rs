//! Rules that the Chat and Responses APIs share.

use serde_json::Value;

use crate::ask::Ask;
use crate::json::{flag, given, list, text};
use crate::media;
use crate::models::Rules;
use crate::refusal::Refusal;
use crate::route::Head;

/// Efforts the APIs know, whichever a model takes.
pub(crate) const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// Service tiers.
pub(crate) const TIERS: &[&str] = &["auto", "default", "flex", "scale", "priority", "fast"];

/// A schema for a function's parameters or a structured answer.
///
/// `what` names its owner as the API does: `function 'x'`.
pub(crate) fn check_schema(
    schema: &Value,
    strict: bool,
    what: &str,
    param: &str,
    code: &'static str,
) -> Result<(), Refusal> {
    let kind = schema.get("type");
    if kind.and_then(Value::as_str) != Some("object") {
        let got = kind.map_or_else(|| "None".to_owned(), |kind| kind.to_string().replace('"', ""));
        let message = format!(
            "Invalid schema for {what}: schema must be a JSON Schema of 'type: \"object\"', got \
             'type: \"{got}\"'."
        );
        return Err(Refusal::invalid(message).param(param).code(code));
    }
    if strict {
        let flaw = strict_flaw(schema, &mut Vec::new());
        if let Some((context, flaw)) = flaw {
            let context: Vec<String> = context.iter().map(|key| format!("'{key}'")).collect();
            let message =
                format!("Invalid schema for {what}: In context=({}), {flaw}", context.join(", "));
            return Err(Refusal::invalid(message).param(param).code(code));
        }
    }
    Ok(())
}

/// The first object of a schema that strict mode would refuse.
fn strict_flaw(schema: &Value, context: &mut Vec<String>) -> Option<(Vec<String>, String)> {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            let flaw = "'additionalProperties' is required to be supplied and to be false.";
            return Some((context.clone(), flaw.into()));
        }
        let required: Vec<&str> =
            list(schema, "required").iter().filter_map(Value::as_str).collect();
        if let Some(missing) = properties.keys().find(|key| !required.contains(&key.as_str())) {
            let flaw = format!(
                "'required' is required to be supplied and to be an array including every key in \
                 properties. Missing '{missing}'."
            );
            return Some((context.clone(), flaw));
        }
        for (key, inner) in properties {
            context.extend(["properties".to_owned(), key.clone()]);
            if let Some(found) = strict_flaw(inner, context) {
                return Some(found);
            }
            context.truncate(context.len().saturating_sub(2));
        }
    }
    let items = schema.get("items")?;
    context.push("items".into());
    let found = strict_flaw(items, context);
    context.pop();
    found
}

/// Sampling and efforts a model takes, under the names of one API.
pub(crate) fn check_sampling(
    body: &Value,
    rules: &Rules,
    effort: Option<&Value>,
    param: &str,
) -> Result<(), Refusal> {
    if let Some(effort) = effort.and_then(Value::as_str) {
        if rules.efforts.is_empty() {
            let message =
                format!("Unsupported parameter: '{param}' is not supported with this model.");
            return Err(Refusal::invalid(message).param(param).code("unsupported_parameter"));
        }
        if !rules.efforts.contains(&effort) {
            let allowed: Vec<String> =
                rules.efforts.iter().map(|word| format!("'{word}'")).collect();
            let message = format!(
                "Unsupported value: '{effort}' is not supported with this model. Supported values \
                 are: {}.",
                allowed.join(", ")
            );
            return Err(Refusal::invalid(message).param(param).code("unsupported_value"));
        }
    }
    let off = effort.and_then(Value::as_str) == Some("none");
    if !rules.reasoning || off {
        return Ok(());
    }
    for name in ["temperature", "top_p", "presence_penalty", "frequency_penalty"] {
        let neutral = if name.ends_with("penalty") { 0.0 } else { 1.0 };
        let Some(value) = given(body, name).and_then(Value::as_f64) else { continue };
        if (value - neutral).abs() > f64::EPSILON {
            let message = format!(
                "Unsupported value: '{name}' does not support {value} with this model. Only the \
                 default ({neutral}) value is supported."
            );
            return Err(Refusal::invalid(message).param(name).code("unsupported_value"));
        }
    }
    for name in ["logprobs", "top_logprobs", "logit_bias"] {
        if given(body, name).is_some_and(|value| *value != Value::Bool(false)) {
            let message =
                format!("Unsupported parameter: '{name}' is not supported with this model.");
            return Err(Refusal::invalid(message).param(name).code("unsupported_parameter"));
        }
    }
    Ok(())
}

/// Members that make sense only beside others.
pub(crate) fn check_company(body: &Value) -> Result<(), Refusal> {
    let has_tools = !list(body, "tools").is_empty();
    for name in ["tool_choice", "parallel_tool_calls"] {
        let neutral = matches!(body.get(name).and_then(Value::as_str), Some("auto" | "none"));
        if given(body, name).is_some() && !has_tools && !neutral {
            let message = format!(
                "Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
            );
            return Err(Refusal::invalid(message).param(name));
        }
    }
    if given(body, "stream_options").is_some() && !flag(body, "stream") {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::invalid(message).param("stream_options"));
    }
    Ok(())
}

/// Tool names must be unique.
pub(crate) fn check_names(ask: &Ask) -> Result<(), Refusal> {
    for (index, tool) in ask.tools.iter().enumerate() {
        let same = |other: &&crate::ask::Tool| other.name == tool.name && other.space == tool.space;
        if ask.tools.iter().filter(same).count() > 1 {
            let message =
                format!("Duplicate tool name: '{}'. Tool names must be unique.", tool.name);
            return Err(Refusal::invalid(message).param(format!("tools[{index}].name")));
        }
    }
    Ok(())
}

/// The prompt and the limit must fit the model.
pub(crate) fn check_size(ask: &Ask, head: &Head, param: &str) -> Result<(), Refusal> {
    let (prompt, context) = (ask.prompt_tokens(), ask.rules.context);
    if prompt > context {
        let message = format!(
            "This model's maximum context length is {context} tokens. However, your messages \
             resulted in {prompt} tokens. Please reduce the length of the messages."
        );
        return Err(Refusal::invalid(message).param(param).code("context_length_exceeded"));
    }
    match ask.limit {
        Some(limit) if head.strict && limit > ask.rules.output => {
            let message = format!(
                "max_tokens is too large: {limit}. This model supports at most {} completion \
                 tokens, whereas you provided {limit}.",
                ask.rules.output
            );
            Err(Refusal::invalid(message).param("max_tokens").code("invalid_value"))
        }
        _ => Ok(()),
    }
}

/// An image by `data:` or web address; the words that describe it.
pub(crate) fn image(url: &str, param: &str) -> Result<String, Refusal> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(format!("an image at {url}"));
    }
    let Some((kind, data)) = media::data_url(url) else {
        let message = format!(
            "Invalid '{param}'. Expected a valid URL, but got a value with an invalid format."
        );
        return Err(Refusal::invalid(message).param(param).code("invalid_value"));
    };
    let Some(bytes) = media::decode(data) else {
        let message = format!(
            "Invalid '{param}'. Expected a base64-encoded data URL with an image MIME type."
        );
        return Err(Refusal::invalid(message).param(param).code("invalid_base64"));
    };
    match media::kind(&bytes) {
        Some(found) if found.starts_with("image/") && kind.starts_with("image/") => {
            Ok(media::describe(found, &bytes))
        }
        _ => {
            let message = "You uploaded an unsupported image. Please make sure your image has of \
                           one the following formats: ['png', 'jpeg', 'gif', 'webp'].";
            Err(Refusal::invalid(message).param(param).code("invalid_image_format"))
        }
    }
}

/// A file by `data:` address; the words that describe it.
pub(crate) fn file(part: &Value, param: &str) -> Result<String, Refusal> {
    let data = text(part, "file_data");
    if data.is_empty() {
        return Ok("a document by reference".into());
    }
    let (kind, data) = media::data_url(data).unwrap_or(("application/pdf", data));
    if let Some(bytes) = media::decode(data) {
        return Ok(media::describe(kind, &bytes));
    }
    let param = format!("{param}.file_data");
    let message = format!("Invalid '{param}'. Expected a base64-encoded data URL.");
    Err(Refusal::invalid(message).param(param).code("invalid_value"))
}

/// Structured output of type `json_object` needs the word in the prompt.
pub(crate) fn check_json_word(messages: &Value, param: &str) -> Result<(), Refusal> {
    if messages.to_string().to_lowercase().contains("json") {
        return Ok(());
    }
    let message = format!(
        "'{param}' must contain the word 'json' in some form, to use a response format of type \
         'json_object'."
    );
    Err(Refusal::invalid(message).param(param))
}
