//! The rules of the Messages API that concern more than one member.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::Dialect;
use crate::json::{given, list, text};
use crate::models::{Rules, Thinking};
use crate::refusal::{Class, Refusal};
use crate::route::Head;

/// Dates of the API that are live.
const VERSIONS: &[&str] = &["2023-01-01", "2023-06-01", NEWEST];
const NEWEST: &str = "2026-10-21";

/// The version header must be there and known.
pub(super) fn version(head: &Head) -> Result<(), Refusal> {
    match head.version.as_str() {
        "" => Err(Refusal::invalid("anthropic-version: header is required")),
        known if VERSIONS.contains(&known) => Ok(()),
        other => Err(Refusal::invalid(format!(
            "anthropic-version: \"{other}\" is not a valid version for this resource."
        ))),
    }
}

/// Sampling by version and model.
pub(super) fn sampling(body: &Value, rules: &Rules, head: &Head) -> Result<(), Refusal> {
    let given: Vec<&str> = ["temperature", "top_p", "top_k"]
        .into_iter()
        .filter(|name| given(body, name).is_some())
        .collect();
    match given.as_slice() {
        [name, ..] if head.version == NEWEST || !rules.sampling => {
            Err(Refusal::invalid(format!("{name}: Extra inputs are not permitted")))
        }
        ["temperature", "top_p", ..] => Err(Refusal::invalid(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only \
             one.",
        )),
        _ => Ok(()),
    }
}

/// Thinking, effort and what they exclude.
pub(super) fn thinking(body: &Value, rules: &Rules) -> Result<(), Refusal> {
    let thinking = body.get("thinking").unwrap_or(&Value::Null);
    let kind = text(thinking, "type");
    let effort = body.pointer("/output_config/effort").and_then(Value::as_str);
    if effort.is_some_and(|effort| !rules.efforts.contains(&effort)) {
        return Err(Refusal::invalid(
            "output_config.effort: This model does not support the effort parameter at this level.",
        ));
    }
    match (kind, rules.thinking) {
        ("enabled", Thinking::Adaptive) => {
            return Err(Refusal::invalid(
                "\"thinking.type.enabled\" is not supported for this model. Use \
                 \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking \
                 behavior.",
            ));
        }
        ("adaptive" | "between_tools", Thinking::Budget) => {
            return Err(Refusal::invalid("adaptive thinking is not supported on this model"));
        }
        _ => {}
    }
    if !matches!(kind, "enabled" | "adaptive") {
        return Ok(());
    }
    let number = |name: &str| given(body, name).and_then(Value::as_f64);
    if kind == "enabled" {
        let budget = thinking.get("budget_tokens").and_then(Value::as_u64).unwrap_or(0);
        let most = given(body, "max_tokens").and_then(Value::as_u64);
        if most.is_some_and(|most| most <= budget) {
            return Err(Refusal::invalid(
                "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our \
                 documentation on extended thinking.",
            ));
        }
        let forced = matches!(
            body.pointer("/tool_choice/type").and_then(Value::as_str),
            Some("any" | "tool")
        );
        if forced {
            return Err(Refusal::invalid(
                "Thinking may not be enabled when tool_choice forces tool use.",
            ));
        }
    }
    if number("temperature").is_some_and(|value| (value - 1.0).abs() > f64::EPSILON) {
        return Err(Refusal::invalid(
            "`temperature` may only be set to 1 when thinking is enabled.",
        ));
    }
    if number("top_p").is_some_and(|value| value < 0.95) {
        return Err(Refusal::invalid(
            "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.",
        ));
    }
    if given(body, "top_k").is_some() {
        return Err(Refusal::invalid("`top_k` must be unset when thinking is enabled."));
    }
    Ok(())
}

/// Tools, their names, schemas and the choice among them.
pub(super) fn tools(body: &Value) -> Result<(), Refusal> {
    let tools = list(body, "tools");
    let mut names = BTreeSet::new();
    for (index, tool) in tools.iter().enumerate() {
        let name = text(tool, "name");
        if !name.is_empty() && !names.insert(name) {
            return Err(Refusal::invalid("tools: Tool names must be unique."));
        }
        let Some(schema) = tool.get("input_schema") else { continue };
        match schema.get("type") {
            Some(Value::String(kind)) if kind == "object" => {}
            None => {
                return Err(Refusal::invalid(format!(
                    "tools.{index}.custom.input_schema.type: Field required"
                )));
            }
            Some(_) => {
                return Err(Refusal::invalid(format!(
                    "tools.{index}.custom.input_schema.type: Input should be 'object'"
                )));
            }
        }
    }
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    if !choice.is_null() && tools.is_empty() {
        return Err(Refusal::invalid(
            "tool_choice: `tool_choice` may only be specified while providing `tools`.",
        ));
    }
    let wanted = text(choice, "name");
    if !wanted.is_empty() && !names.contains(wanted) {
        return Err(Refusal::invalid(format!("Tool '{wanted}' not found in provided tools")));
    }
    let used = list(body, "messages")
        .iter()
        .flat_map(|turn| list(turn, "content"))
        .any(|block| matches!(text(block, "type"), "tool_use" | "tool_result"));
    if used && tools.is_empty() {
        return Err(Refusal::invalid(
            "Requests which include `tool_use` or `tool_result` blocks must define tools.",
        ));
    }
    Ok(())
}

/// At most four cache marks, and the longer-lived ones first.
pub(super) fn cache_marks(body: &Value) -> Result<(), Refusal> {
    let mut marks: Vec<(String, bool)> = Vec::new();
    let mut note = |path: String, block: &Value| {
        if let Some(mark) = given(block, "cache_control") {
            marks.push((path, text(mark, "ttl") == "1h"));
        }
    };
    for (index, tool) in list(body, "tools").iter().enumerate() {
        note(format!("tools.{index}"), tool);
    }
    for (index, block) in list(body, "system").iter().enumerate() {
        note(format!("system.{index}"), block);
    }
    for (index, turn) in list(body, "messages").iter().enumerate() {
        for (nth, block) in list(turn, "content").iter().enumerate() {
            for (inner, part) in list(block, "content").iter().enumerate() {
                note(format!("messages.{index}.content.{nth}.content.{inner}"), part);
            }
            note(format!("messages.{index}.content.{nth}"), block);
        }
    }
    note(String::new(), body);
    if marks.len() > 4 {
        return Err(Refusal::invalid(format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {}.",
            marks.len()
        )));
    }
    let short = marks.iter().position(|(_, hour)| !hour).unwrap_or(marks.len());
    match marks.iter().skip(short).find(|(_, hour)| *hour) {
        Some((path, _)) => Err(Refusal::invalid(format!(
            "{path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a \
             ttl='5m' cache_control block. Note that blocks are processed in the following order: \
             `tools`, `system`, `messages`."
        ))),
        None => Ok(()),
    }
}

/// Roles, empty turns and the last turn.
pub(super) fn turns(body: &Value, rules: &Rules) -> Result<(), Refusal> {
    let turns = list(body, "messages");
    let Some(first) = turns.first() else {
        return Err(Refusal::invalid("messages: at least one message is required"));
    };
    if text(first, "role") == "assistant" {
        return Err(Refusal::invalid("messages: first message must use the \"user\" role"));
    }
    for (index, turn) in turns.iter().enumerate() {
        let role = text(turn, "role");
        if role == "system" && !rules.system_turns {
            return Err(Refusal::invalid(
                "messages: Unexpected role \"system\". The Messages API accepts a top-level \
                 `system` parameter, not \"system\" as an input message role.",
            ));
        }
        texts(turn)?;
        let content = turn.get("content").unwrap_or(&Value::Null);
        let empty = content.as_str() == Some("") || content.as_array().is_some_and(Vec::is_empty);
        let last = index + 1 == turns.len();
        if empty && !(last && role == "assistant") {
            return Err(Refusal::invalid(format!(
                "messages.{index}: all messages must have non-empty content except for the \
                 optional final assistant message"
            )));
        }
    }
    let Some(last) = turns.last() else { return Ok(()) };
    if text(last, "role") != "assistant" {
        return Ok(());
    }
    if !rules.prefill {
        return Err(Refusal::invalid(
            "This model does not support assistant message prefill. The conversation must end \
             with a user message.",
        ));
    }
    let tail = match last.get("content") {
        Some(Value::String(text)) => text.as_str(),
        _ => list(last, "content").last().map_or("", |block| text(block, "text")),
    };
    if tail.ends_with(char::is_whitespace) {
        return Err(Refusal::invalid(
            "messages: final assistant content cannot end with trailing whitespace",
        ));
    }
    Ok(())
}

/// No text block may be empty or blank, wherever it stands.
pub(super) fn texts(holder: &Value) -> Result<(), Refusal> {
    let blocks = ["content", "system"].iter().flat_map(|name| list(holder, name));
    for block in blocks {
        if text(block, "type") == "text" {
            let words = text(block, "text");
            if words.is_empty() {
                return Err(Refusal::invalid("messages: text content blocks must be non-empty"));
            }
            if words.trim().is_empty() {
                return Err(Refusal::invalid(
                    "messages: text content blocks must contain non-whitespace text",
                ));
            }
        }
        texts(block)?;
    }
    Ok(())
}

/// Every call has its result in the next turn, ahead of other content, and
/// every result its call in the turn before.
pub(super) fn pairs(body: &Value) -> Result<(), Refusal> {
    let turns = merged(list(body, "messages"));
    let mut seen = BTreeSet::new();
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for (index, (role, blocks)) in turns.iter().enumerate() {
        let results: Vec<&str> = blocks
            .iter()
            .filter(|block| text(block, "type") == "tool_result")
            .map(|block| text(block, "tool_use_id"))
            .collect();
        let unique: BTreeSet<&str> = results.iter().copied().collect();
        if let Some(stray) = unique.iter().find(|id| *role != "user" || !open.contains(**id)) {
            return Err(Refusal::invalid(format!(
                "messages.{index}.content.0: unexpected `tool_use_id` found in `tool_result` \
                 blocks: {stray}. Each `tool_result` block must have a corresponding `tool_use` \
                 block in the previous message."
            )));
        }
        if unique.len() < results.len() {
            return Err(Refusal::invalid(format!(
                "messages.{index}.content: each tool_use must have a single result. Found \
                 multiple `tool_result` blocks."
            )));
        }
        let lost = !open.is_subset(&unique);
        let late = blocks
            .iter()
            .skip_while(|block| text(block, "type") == "tool_result")
            .any(|block| text(block, "type") == "tool_result");
        if lost || (late && !open.is_empty()) {
            return Err(unanswered(index.saturating_sub(1), &open));
        }
        open = blocks
            .iter()
            .filter(|block| text(block, "type") == "tool_use")
            .map(|block| text(block, "id"))
            .collect();
        if let Some(twice) = open.iter().find(|id| !seen.insert((**id).to_owned())) {
            return Err(Refusal::invalid(format!(
                "messages.{index}.content: `tool_use` ids must be unique ({twice})"
            )));
        }
    }
    if open.is_empty() { Ok(()) } else { Err(unanswered(turns.len().saturating_sub(1), &open)) }
}

fn unanswered(index: usize, open: &BTreeSet<&str>) -> Refusal {
    let ids: Vec<&str> = open.iter().copied().collect();
    Refusal::invalid(format!(
        "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately \
         after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the \
         next message.",
        ids.join(", ")
    ))
}

/// Neighbouring turns of one role count as one; system turns stand outside.
fn merged(turns: &[Value]) -> Vec<(&str, Vec<&Value>)> {
    let mut out: Vec<(&str, Vec<&Value>)> = Vec::new();
    for turn in turns.iter().filter(|turn| text(turn, "role") != "system") {
        let role = text(turn, "role");
        match out.last_mut() {
            Some((last, blocks)) if *last == role => blocks.extend(list(turn, "content")),
            _ => out.push((role, list(turn, "content").iter().collect())),
        }
    }
    out
}

/// Thinking comes back as it was sent, and in front where a budget is in force.
pub(super) fn signatures(body: &Value) -> Result<(), Refusal> {
    let turns = list(body, "messages");
    for (index, turn) in turns.iter().enumerate() {
        for (nth, block) in list(turn, "content").iter().enumerate() {
            let good = match text(block, "type") {
                "thinking" => crate::seal::holds(
                    "messages",
                    text(block, "thinking"),
                    text(block, "signature"),
                ),
                "redacted_thinking" => crate::seal::holds("redacted", "", text(block, "data")),
                _ => true,
            };
            if !good {
                return Err(Refusal::invalid(format!(
                    "messages.{index}.content.{nth}: Invalid `signature` in `thinking` block"
                )));
            }
        }
    }
    if body.pointer("/thinking/type").and_then(Value::as_str) != Some("enabled") {
        return Ok(());
    }
    let last = turns.iter().rposition(|turn| text(turn, "role") == "assistant");
    let Some((index, turn)) = last.and_then(|index| Some((index, turns.get(index)?))) else {
        return Ok(());
    };
    let blocks = list(turn, "content");
    let calls = blocks.iter().any(|block| text(block, "type") == "tool_use");
    match blocks.first().map(|block| text(block, "type")) {
        Some(kind) if calls && !matches!(kind, "thinking" | "redacted_thinking") => {
            Err(Refusal::invalid(format!(
                "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but \
                 found `{kind}`. When `thinking` is enabled, a final `assistant` message must \
                 start with a thinking block (preceeding the lastmost set of `tool_use` and \
                 `tool_result` blocks)."
            )))
        }
        _ => Ok(()),
    }
}

/// A thread can be created but, as nothing is kept, not continued.
pub(super) fn thread(body: &Value) -> Result<(), Refusal> {
    if body.pointer("/thread/type").and_then(Value::as_str) != Some("continue") {
        return Ok(());
    }
    Err(Refusal {
        status: 404,
        class: Class::NotFound,
        details: Some(Box::new(json!({"error_code": "thread_not_found"}))),
        ..Refusal::invalid("thread: not found")
    })
}

/// Rules of the newest version.
pub(super) fn newest(body: &Value, head: &Head) -> Result<(), Refusal> {
    if head.version != NEWEST {
        return Ok(());
    }
    for (index, turn) in list(body, "messages").iter().enumerate() {
        for (nth, block) in list(turn, "content").iter().enumerate() {
            let at = format!("messages.{index}.content.{nth}");
            let role = text(turn, "role");
            if role == "assistant" && text(block, "type") == "document" {
                return Err(Refusal::invalid(format!(
                    "{at}: `document` blocks are not permitted in assistant messages"
                )));
            }
            if role == "user"
                && text(block, "type") == "text"
                && !list(block, "citations").is_empty()
            {
                return Err(Refusal::invalid(format!(
                    "{at}.text.citations: citations are not permitted in user messages"
                )));
            }
        }
    }
    Ok(())
}

/// The limit and the prompt must fit the model.
pub(super) fn size(
    limit: Option<u64>,
    prompt: u64,
    rules: &Rules,
    model: &str,
) -> Result<(), Refusal> {
    if prompt > rules.context {
        return Err(Refusal::invalid(format!(
            "prompt is too long: {prompt} tokens > {} maximum",
            rules.context
        )));
    }
    match limit {
        Some(limit) if limit > rules.output => Err(Refusal::invalid(format!(
            "max_tokens: {limit} > {}, which is the maximum allowed number of output tokens for \
             {model}",
            rules.output
        ))),
        _ => Ok(()),
    }
}

/// The dialect all refusals of this module are for.
pub(super) const DIALECT: Dialect = Dialect::Messages;
