//! Reads a Gemini request: names in either case, shape, rules, and what it asks for.

use serde_json::{Map, Value, json};

use super::shape::{COUNT_REQUEST, REQUEST};
use crate::Dialect;
use crate::ask::{Ask, CacheMark, Choice, Form, Given, Think, Tool};
use crate::json::{flag, given, list, strings, text};
use crate::media;
use crate::refusal::Refusal;
use crate::route::{Head, model_rules};
use crate::shape::{self, Kind};
use crate::state::State;

const DIALECT: Dialect = Dialect::Gemini;

/// Members whose content is the caller's own, names included.
const FOREIGN: &[&str] = &[
    "args",
    "response",
    "parameters",
    "parametersJsonSchema",
    "responseSchema",
    "responseJsonSchema",
    "labels",
    "partMetadata",
];

/// Checks the body of a generation and says what it asks for.
pub(crate) fn read(state: &State, body: &Value, head: &Head) -> Result<Ask, Refusal> {
    let body = &camel(body);
    let ask = common(state, body, head, &REQUEST)?;
    if head.strict {
        check_config(body)?;
        check_turns(list(body, "contents"), ask.rules.reasoning)?;
        check_tools(&ask)?;
    }
    if ask.prompt_tokens() > ask.rules.context {
        return Err(Refusal::invalid(format!(
            "The input token count ({}) exceeds the maximum number of tokens allowed ({}).",
            ask.prompt_tokens(),
            ask.rules.context
        )));
    }
    Ok(ask)
}

/// Checks the body of a token count and says what would be asked.
pub(crate) fn read_count(state: &State, body: &Value, head: &Head) -> Result<Ask, Refusal> {
    let body = camel(body);
    let inner = body.get("generateContentRequest").cloned().unwrap_or_else(|| body.clone());
    if head.strict {
        shape::check(&body, &COUNT_REQUEST, false)
            .map_err(|flaw| Refusal::of_flaw(DIALECT, &flaw))?;
    }
    common(state, &inner, head, &REQUEST)
}

/// `snake_case` member names become `camelCase`, as protobuf reads both.
fn camel(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(camel).collect(),
        Value::Object(members) => {
            let one = |(key, inner): (&String, &Value)| {
                let mut name = String::with_capacity(key.len());
                let mut up = false;
                for letter in key.chars() {
                    match letter {
                        '_' => up = true,
                        _ if up => {
                            name.extend(letter.to_uppercase());
                            up = false;
                        }
                        _ => name.push(letter),
                    }
                }
                let foreign = FOREIGN.contains(&name.as_str());
                let inner = if foreign { inner.clone() } else { camel(inner) };
                (name, inner)
            };
            Value::Object(members.iter().map(one).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn common(state: &State, body: &Value, head: &Head, kind: &Kind) -> Result<Ask, Refusal> {
    let model = head.model.as_deref().unwrap_or_default();
    let rules = model_rules(state, DIALECT, model)?;
    if head.strict {
        shape::check(body, kind, false).map_err(|flaw| Refusal::of_flaw(DIALECT, &flaw))?;
    }
    let mut ask = Ask::new(model, rules);
    ask.stream = head.stream;
    options(body, &mut ask);
    for (index, content) in list(body, "contents").iter().enumerate() {
        read_content(content, index, &mut ask)?;
    }
    Ok(ask)
}

fn check_config(body: &Value) -> Result<(), Refusal> {
    let config = body.get("generationConfig").unwrap_or(&Value::Null);
    let json = text(config, "responseMimeType") == "application/json";
    let schema = ["responseSchema", "responseJsonSchema"]
        .iter()
        .filter(|name| given(config, name).is_some())
        .count();
    if schema == 2 {
        return Err(Refusal::invalid(
            "response_schema and response_json_schema cannot both be set.",
        ));
    }
    if schema == 1 && !json && text(config, "responseMimeType") != "text/x.enum" {
        return Err(Refusal::invalid(
            "Function calling or response_schema is only supported with response_mime_type \
             'application/json'.",
        ));
    }
    let thinking = config.get("thinkingConfig").unwrap_or(&Value::Null);
    if given(thinking, "thinkingBudget").is_some() && given(thinking, "thinkingLevel").is_some() {
        return Err(Refusal::invalid(
            "You can only set only one of thinking budget and thinking level.",
        ));
    }
    Ok(())
}

fn check_tools(ask: &Ask) -> Result<(), Refusal> {
    for (index, tool) in ask.tools.iter().enumerate() {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"_.:-".contains(&b);
        let first = tool.name.bytes().next().unwrap_or(b'0');
        let starts = first.is_ascii_alphabetic() || first == b'_';
        if !starts || !tool.name.bytes().all(legal) {
            return Err(Refusal::invalid(format!(
                "* GenerateContentRequest.tools[0].function_declarations[{index}].name: Invalid \
                 function name. Must start with a letter or an underscore. Must be alphanumeric \
                 (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a \
                 maximum length of 64.\n"
            )));
        }
        if ask.tools.iter().filter(|other| other.name == tool.name).count() > 1 {
            return Err(Refusal::invalid(format!(
                "Duplicate function declaration found: {}",
                tool.name
            )));
        }
    }
    Ok(())
}

/// Results answer the calls of the turn before, as many of them; models that
/// reason want the signature of the first call of each turn back.
fn check_turns(contents: &[Value], signed: bool) -> Result<(), Refusal> {
    let spoken = |content: &Value| {
        text(content, "role") != "model"
            && !list(content, "parts").iter().any(|part| part.get("functionResponse").is_some())
    };
    let last_user = contents.iter().rposition(spoken).unwrap_or(0);
    let mut open = 0;
    for (index, content) in contents.iter().enumerate() {
        let parts = list(content, "parts");
        let of = |name: &'static str| parts.iter().filter(move |part| part.get(name).is_some());
        let answers = of("functionResponse").count();
        if answers != open {
            return Err(Refusal::invalid(
                "Please ensure that the number of function response parts is equal to the number \
                 of function call parts of the function call turn.",
            ));
        }
        open = of("functionCall").count();
        if open > 0 && (index == 0 || text(content, "role") != "model") {
            return Err(Refusal::invalid(
                "Please ensure that function call turn comes immediately after a user turn or \
                 after a function response turn.",
            ));
        }
        for (nth, part) in of("functionCall").enumerate() {
            let name = part.pointer("/functionCall/name").and_then(Value::as_str);
            let name = name.unwrap_or_default();
            match given(part, "thoughtSignature").and_then(Value::as_str) {
                // What Google's documents say to send with calls another model made.
                Some("skip_thought_signature_validator") => {}
                Some(seal) if crate::seal::holds("gemini", name, seal) => {}
                Some(_) => return Err(Refusal::invalid("Corrupted thought signature.")),
                None if signed && nth == 0 && index > last_user => {
                    return Err(Refusal::invalid(format!(
                        "Function call is missing a thought_signature in functionCall parts. This \
                         is required for tools to work correctly, and missing thought_signature \
                         may lead to degraded model performance. Additional data, function call \
                         `default_api:{name}` , position {index}."
                    )));
                }
                None => {}
            }
        }
    }
    Ok(())
}

fn options(body: &Value, ask: &mut Ask) {
    let config = body.get("generationConfig").unwrap_or(&Value::Null);
    ask.limit = given(config, "maxOutputTokens").and_then(Value::as_u64);
    ask.stops = strings(config, "stopSequences");
    let thinking = config.get("thinkingConfig").unwrap_or(&Value::Null);
    let budget = thinking.get("thinkingBudget").and_then(Value::as_i64);
    let asked = budget.is_some_and(|budget| budget != 0)
        || given(thinking, "thinkingLevel").is_some()
        || flag(thinking, "includeThoughts");
    ask.think = match (asked || ask.rules.reasoning, flag(thinking, "includeThoughts")) {
        _ if budget == Some(0) => Think::No,
        (true, true) => Think::Shown,
        (true, false) => Think::Hidden,
        _ => Think::No,
    };
    let schema = given(config, "responseJsonSchema").or_else(|| given(config, "responseSchema"));
    ask.form = match schema {
        Some(schema) => Form::Schema(schema.clone()),
        None if text(config, "responseMimeType") == "application/json" => Form::Json,
        None => Form::Text,
    };
    for tool in list(body, "tools").iter().flat_map(|tool| list(tool, "functionDeclarations")) {
        let schema = given(tool, "parametersJsonSchema").or_else(|| given(tool, "parameters"));
        ask.tools.push(Tool {
            name: text(tool, "name").into(),
            about: text(tool, "description").into(),
            schema: Some(schema.cloned().unwrap_or_else(|| json!({"type": "object"}))),
            space: None,
        });
        ask.segment(tool, CacheMark::None);
    }
    let calling = body.pointer("/toolConfig/functionCallingConfig").unwrap_or(&Value::Null);
    let allowed = strings(calling, "allowedFunctionNames");
    if !allowed.is_empty() {
        ask.tools.retain(|tool| allowed.contains(&tool.name));
    }
    ask.choice = match text(calling, "mode") {
        "ANY" => Choice::Some,
        "NONE" => Choice::Never,
        _ => Choice::Auto,
    };
    if let Some(system) = given(body, "systemInstruction") {
        ask.segment(system, CacheMark::None);
    }
}

fn read_content(content: &Value, index: usize, ask: &mut Ask) -> Result<(), Refusal> {
    let parts = list(content, "parts");
    let has = |name: &str| parts.iter().any(|part| part.get(name).is_some());
    if text(content, "role") == "model" {
        ask.results.clear();
        ask.rounds += usize::from(has("functionCall"));
    } else {
        if !has("functionResponse") {
            ask.user_turn();
        }
        for (nth, part) in parts.iter().enumerate() {
            read_part(part, &format!("contents[{index}].parts[{nth}]"), ask)?;
        }
    }
    ask.segment(content, CacheMark::None);
    Ok(())
}

fn read_part(part: &Value, at: &str, ask: &mut Ask) -> Result<(), Refusal> {
    let said = text(part, "text");
    if !said.is_empty() {
        if !ask.prompt.is_empty() {
            ask.prompt.push('\n');
        }
        ask.prompt.push_str(said);
    }
    if let Some(blob) = part.get("inlineData") {
        let Some(bytes) = media::decode_any(text(blob, "data")) else {
            return Err(Refusal::invalid(format!(
                "Invalid value at '{at}.inline_data.data' (TYPE_BYTES), Base64 decoding failed"
            )));
        };
        let kind = text(blob, "mimeType");
        if kind.starts_with("image/") && media::kind(&bytes).is_none() {
            return Err(Refusal::invalid("Unable to process input image."));
        }
        ask.media.push(media::describe(kind, &bytes));
    }
    if let Some(file) = part.get("fileData") {
        ask.media.push(format!("a file at {}", text(file, "fileUri")));
    }
    if let Some(response) = part.pointer("/functionResponse/response") {
        let failed = response.get("error").is_some();
        let output = ["output", "result", "error"]
            .iter()
            .find_map(|name| response.get(name).and_then(Value::as_str));
        let text = output.map_or_else(|| response.to_string(), str::to_owned);
        ask.results.push(Given { text, failed });
    }
    Ok(())
}
