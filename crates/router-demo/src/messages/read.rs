//! Reads a Messages request: shape, rules, and what it asks for.

use serde_json::{Value, json};

use super::rules::{self, DIALECT};
use super::shape::{COUNT_REQUEST, REQUEST};
use crate::ask::{Ask, CacheMark, Choice, Form, Given, Think, Tool};
use crate::json::{content_text, flag, given, list, strings, text};
use crate::media;
use crate::refusal::Refusal;
use crate::route::{Head, model_rules};
use crate::shape;
use crate::state::State;

/// Checks the body of a message request and says what it asks for.
pub(crate) fn read(state: &State, body: &Value, head: &Head) -> Result<Ask, Refusal> {
    if head.strict {
        rules::version(head)?;
        shape::check(body, &REQUEST, head.beta).map_err(|flaw| Refusal::of_flaw(DIALECT, &flaw))?;
    }
    rules::thread(body)?;
    let ask = common(state, body, head)?;
    if head.strict {
        rules::sampling(body, &ask.rules, head)?;
        rules::size(ask.limit, ask.prompt_tokens(), &ask.rules, &ask.model)?;
        if ask.stops.iter().any(|stop| stop.trim().is_empty()) {
            return Err(Refusal::invalid(
                "stop_sequences: each stop sequence must contain non-whitespace",
            ));
        }
    }
    Ok(ask)
}

/// Checks the body of a token count and says what would be asked.
pub(crate) fn read_count(state: &State, body: &Value, head: &Head) -> Result<Ask, Refusal> {
    if head.strict {
        rules::version(head)?;
        shape::check(body, &COUNT_REQUEST, head.beta)
            .map_err(|flaw| Refusal::of_flaw(DIALECT, &flaw))?;
    }
    common(state, body, head)
}

fn common(state: &State, body: &Value, head: &Head) -> Result<Ask, Refusal> {
    let model = text(body, "model");
    let rules = model_rules(state, DIALECT, model)?;
    if head.strict {
        rules::turns(body, &rules)?;
        rules::texts(&json!({"system": body.get("system")}))?;
        rules::tools(body)?;
        rules::pairs(body)?;
        rules::cache_marks(body)?;
        rules::thinking(body, &rules)?;
        rules::signatures(body)?;
        rules::newest(body, head)?;
    }
    let mut ask = Ask::new(model, rules);
    ask.marks_only = true;
    ask.stream = flag(body, "stream");
    ask.limit = given(body, "max_tokens").and_then(Value::as_u64);
    ask.stops = strings(body, "stop_sequences");
    ask.think = think(body);
    ask.choice = match body.pointer("/tool_choice/type").and_then(Value::as_str) {
        Some("any") => Choice::Some,
        Some("none") => Choice::Never,
        Some("tool") => Choice::Named(
            body.pointer("/tool_choice/name").and_then(Value::as_str).unwrap_or_default().into(),
        ),
        _ => Choice::Auto,
    };
    ask.parallel = body.pointer("/tool_choice/disable_parallel_tool_use") != Some(&json!(true));
    if let Some(schema) = body.pointer("/output_config/format/schema") {
        ask.form = Form::Schema(schema.clone());
    }
    for tool in list(body, "tools") {
        if let Some(schema) = tool.get("input_schema") {
            ask.tools.push(Tool {
                name: text(tool, "name").into(),
                about: text(tool, "description").into(),
                schema: Some(schema.clone()),
                space: None,
            });
        }
        ask.segment(tool, mark(tool));
    }
    match body.get("system") {
        Some(Value::String(text)) => {
            ask.segment(&json!({"type": "text", "text": text}), CacheMark::None);
        }
        _ => list(body, "system").iter().for_each(|block| ask.segment(block, mark(block))),
    }
    for (index, turn) in list(body, "messages").iter().enumerate() {
        read_turn(turn, index, &mut ask)?;
    }
    // A mark on the whole request stands for one on its last block.
    if given(body, "cache_control").is_some()
        && let Some(last) = ask.segments.last_mut()
    {
        last.mark = mark(body);
    }
    Ok(ask)
}

fn think(body: &Value) -> Think {
    let thinking = body.get("thinking").unwrap_or(&Value::Null);
    match (text(thinking, "type"), text(thinking, "display")) {
        ("enabled" | "adaptive" | "between_tools", "omitted") => Think::Hidden,
        ("enabled" | "adaptive" | "between_tools", _) => Think::Shown,
        _ => Think::No,
    }
}

fn mark(block: &Value) -> CacheMark {
    match given(block, "cache_control") {
        Some(mark) if text(mark, "ttl") == "1h" => CacheMark::Hour,
        Some(_) => CacheMark::Minutes,
        None => CacheMark::None,
    }
}

fn read_turn(turn: &Value, index: usize, ask: &mut Ask) -> Result<(), Refusal> {
    let role = text(turn, "role");
    let one;
    let blocks = match turn.get("content") {
        Some(Value::String(text)) => {
            one = [json!({"type": "text", "text": text})];
            &one[..]
        }
        _ => list(turn, "content"),
    };
    let is = |kind: &'static str| move |block: &Value| text(block, "type") == kind;
    let speaks = blocks.iter().any(|block| !is("tool_result")(block));
    match role {
        "user" if speaks && !blocks.iter().any(is("tool_result")) => ask.user_turn(),
        "assistant" => {
            ask.results.clear();
            ask.rounds += usize::from(blocks.iter().any(is("tool_use")));
        }
        _ => {}
    }
    for (nth, block) in blocks.iter().enumerate() {
        let at = format!("messages.{index}.content.{nth}");
        if role == "user" {
            read_block(block, &at, ask)?;
        }
        ask.segment(&json!([role, {"block": without_mark(block)}]), mark(block));
    }
    Ok(())
}

fn without_mark(block: &Value) -> Value {
    let mut block = block.clone();
    if let Some(members) = block.as_object_mut() {
        members.remove("cache_control");
    }
    block
}

fn read_block(block: &Value, at: &str, ask: &mut Ask) -> Result<(), Refusal> {
    match text(block, "type") {
        "text" => {
            if !ask.prompt.is_empty() {
                ask.prompt.push('\n');
            }
            ask.prompt.push_str(text(block, "text"));
        }
        "image" | "document" => ask.media.push(medium(block, at)?),
        "tool_result" => {
            let content = block.get("content").unwrap_or(&Value::Null);
            ask.results
                .push(Given { text: content_text(content), failed: flag(block, "is_error") });
            for (nth, part) in list(block, "content").iter().enumerate() {
                if matches!(text(part, "type"), "image" | "document") {
                    let at = format!("{at}.tool_result.content.{nth}");
                    ask.media.push(medium(part, &at)?);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// An image or document, decoded if it came inline.
fn medium(block: &Value, at: &str) -> Result<String, Refusal> {
    let kind = text(block, "type");
    let source = block.get("source").unwrap_or(&Value::Null);
    match text(source, "type") {
        "base64" => {}
        "text" => return Ok(format!("a document of {} characters", text(source, "data").len())),
        "content" => return Ok("a document of blocks".into()),
        other => return Ok(format!("an {kind} by {other}").replace("an document", "a document")),
    }
    let path = format!("{at}.{kind}.source.base64");
    let Some(bytes) = media::decode(text(source, "data")) else {
        return Err(Refusal::invalid(format!("{path}.data: Invalid base64 data")));
    };
    let said = text(source, "media_type");
    match media::kind(&bytes) {
        Some(found) if found == said => Ok(media::describe(found, &bytes)),
        Some(found) if kind == "image" => Err(Refusal::invalid(format!(
            "{path}.data: The image was specified using the {said} media type, but the image \
             appears to be a {found} image"
        ))),
        _ if kind == "image" => Err(Refusal::invalid("Could not process image")),
        _ => Err(Refusal::invalid(format!("{path}.data: The PDF specified was not valid."))),
    }
}
