//! Reads a Chat request: shape, rules, and what it asks for.

use serde_json::Value;

use super::shape::{REQUEST, REQUEST_REASONING};
use crate::Dialect;
use crate::ask::{Ask, CacheMark, Choice, Form, Given, Think, Tool};
use crate::json::{content_text, flag, given, list, strings, text};
use crate::openai;
use crate::refusal::Refusal;
use crate::route::{Head, model_rules};
use crate::shape;
use crate::state::State;

/// Checks `body` as the real API would and says what it asks for.
pub(crate) fn read(state: &State, body: &Value, head: &Head) -> Result<Ask, Refusal> {
    let model = text(body, "model");
    if model.is_empty() {
        let message = "you must provide a model parameter";
        return Err(Refusal::invalid(message).param("model"));
    }
    let rules = model_rules(state, Dialect::Chat, model)?;
    if head.strict {
        let request = if rules.reasoning_content { &REQUEST_REASONING } else { &REQUEST };
        shape::check(body, request, head.beta)
            .map_err(|flaw| Refusal::of_flaw(Dialect::Chat, &flaw))?;
        check_limits(body, rules.reasoning)?;
        openai::check_sampling(body, &rules, given(body, "reasoning_effort"), "reasoning_effort")?;
        openai::check_company(body)?;
        check_tools(body)?;
        check_turns(list(body, "messages"), rules.reasoning_content)?;
    }
    let mut ask = Ask::new(model, rules);
    ask.stream = flag(body, "stream");
    options(body, &mut ask)?;
    let effort = text(body, "reasoning_effort");
    let steered = !effort.is_empty() && effort != "none";
    if head.strict && rules.tools_exclude_effort && !ask.tools.is_empty() && steered {
        let message = format!(
            "Function tools with reasoning_effort are not supported for {model} in \
             /v1/chat/completions. Please use /v1/responses instead."
        );
        return Err(Refusal::invalid(message).param("reasoning_effort"));
    }
    for (index, turn) in list(body, "messages").iter().enumerate() {
        read_turn(turn, index, &mut ask)?;
    }
    openai::check_names(&ask)?;
    openai::check_size(&ask, head, "messages")?;
    Ok(ask)
}

fn check_limits(body: &Value, reasoning: bool) -> Result<(), Refusal> {
    let old = given(body, "max_tokens").is_some();
    if old && reasoning {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                       'max_completion_tokens' instead.";
        return Err(Refusal::invalid(message).param("max_tokens").code("unsupported_parameter"));
    }
    if old && given(body, "max_completion_tokens").is_some() {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not \
                       supported.";
        return Err(Refusal::invalid(message).param("max_tokens").code("invalid_parameter"));
    }
    if reasoning && given(body, "stop").is_some() {
        let message = "Unsupported parameter: 'stop' is not supported with this model.";
        return Err(Refusal::invalid(message).param("stop").code("unsupported_parameter"));
    }
    if given(body, "top_logprobs").is_some() && !flag(body, "logprobs") {
        let message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.";
        return Err(Refusal::invalid(message).param("top_logprobs"));
    }
    Ok(())
}

fn check_tools(body: &Value) -> Result<(), Refusal> {
    for (index, tool) in list(body, "tools").iter().enumerate() {
        let Some(function) = tool.get("function") else { continue };
        let what = format!("function '{}'", text(function, "name"));
        let param = format!("tools[{index}].function.parameters");
        if let Some(schema) = given(function, "parameters") {
            let strict = flag(function, "strict");
            openai::check_schema(schema, strict, &what, &param, "invalid_function_parameters")?;
        }
    }
    let format = body.get("response_format").unwrap_or(&Value::Null);
    match text(format, "type") {
        "json_object" => {
            openai::check_json_word(body.get("messages").unwrap_or(&Value::Null), "messages")
        }
        "json_schema" => {
            let inner = format.get("json_schema").unwrap_or(&Value::Null);
            let what = format!("response_format '{}'", text(inner, "name"));
            let Some(schema) = given(inner, "schema") else { return Ok(()) };
            let strict = flag(inner, "strict");
            openai::check_schema(schema, strict, &what, "response_format", "invalid_json_schema")
        }
        _ => Ok(()),
    }
}

/// Every call is answered right after it, and nothing answers what was not called.
fn check_turns(turns: &[Value], reasoning_content: bool) -> Result<(), Refusal> {
    let last_user = turns.iter().rposition(|turn| text(turn, "role") == "user").unwrap_or(0);
    let mut open: Vec<&str> = Vec::new();
    let mut called = false;
    for (index, turn) in turns.iter().enumerate() {
        let role = text(turn, "role");
        if role == "tool" {
            let id = text(turn, "tool_call_id");
            if !called {
                let message = "Invalid parameter: messages with role 'tool' must be a response to \
                               a preceeding message with 'tool_calls'.";
                return Err(Refusal::invalid(message).param(format!("messages.[{index}].role")));
            }
            let Some(at) = open.iter().position(|other| *other == id) else {
                let message = format!(
                    "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
                );
                let param = format!("messages.[{index}].tool_call_id");
                return Err(Refusal::invalid(message).param(param));
            };
            open.remove(at);
            continue;
        }
        unanswered(&open, index)?;
        let calls = list(turn, "tool_calls");
        open = calls.iter().map(|call| text(call, "id")).collect();
        called = !calls.is_empty();
        if role == "assistant" {
            check_assistant(turn, index)?;
            let lost = text(turn, "reasoning_content").is_empty();
            if reasoning_content && called && index > last_user && lost {
                let message = "Missing `reasoning_content` field in the assistant message at \
                               message index "
                    .to_owned()
                    + &index.to_string()
                    + ". The reasoning \
                               of a turn with tool calls must be sent back.";
                return Err(Refusal::invalid(message).param("messages"));
            }
        }
    }
    unanswered(&open, turns.len())
}

fn unanswered(open: &[&str], index: usize) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to \
         each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Err(Refusal::invalid(message).param(format!("messages.[{}].role", index.saturating_sub(1))))
}

fn check_assistant(turn: &Value, index: usize) -> Result<(), Refusal> {
    let has = |name: &str| given(turn, name).is_some();
    if has("content") || has("tool_calls") || has("function_call") || has("refusal") || has("audio")
    {
        return Ok(());
    }
    let param = format!("messages[{index}].content");
    let message = "Invalid value for 'content': expected a string, got null.";
    Err(Refusal::invalid(message).param(param))
}

fn options(body: &Value, ask: &mut Ask) -> Result<(), Refusal> {
    ask.limit = ["max_completion_tokens", "max_tokens"]
        .iter()
        .find_map(|name| given(body, name).and_then(Value::as_u64));
    ask.stops = strings(body, "stop");
    ask.parallel = body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true);
    let effort = text(body, "reasoning_effort");
    let asked = !effort.is_empty() && effort != "none";
    ask.think = match (ask.rules.reasoning_content, ask.rules.reasoning || asked) {
        (true, _) => Think::Shown,
        (false, true) if effort != "none" => Think::Hidden,
        _ => Think::No,
    };
    for tool in list(body, "tools") {
        let inner = tool.get("function").or_else(|| tool.get("custom")).unwrap_or(&Value::Null);
        let schema = tool.get("function").map(|function| {
            given(function, "parameters")
                .cloned()
                .unwrap_or_else(|| serde_json::json!({"type": "object"}))
        });
        ask.tools.push(Tool {
            name: text(inner, "name").into(),
            about: text(inner, "description").into(),
            schema,
            space: None,
        });
        ask.segment(tool, CacheMark::None);
    }
    ask.choice = choice(body.get("tool_choice").unwrap_or(&Value::Null), ask)?;
    let format = body.get("response_format").unwrap_or(&Value::Null);
    ask.form = match text(format, "type") {
        "json_object" => Form::Json,
        "json_schema" => format
            .pointer("/json_schema/schema")
            .map_or(Form::Json, |schema| Form::Schema(schema.clone())),
        _ => Form::Text,
    };
    Ok(())
}

fn choice(choice: &Value, ask: &mut Ask) -> Result<Choice, Refusal> {
    let named = choice.pointer("/function/name").or_else(|| choice.pointer("/custom/name"));
    if let Some(name) = named.and_then(Value::as_str) {
        if !ask.tools.iter().any(|tool| tool.name == name) {
            let message =
                format!("Invalid value for 'tool_choice': tool '{name}' not found in 'tools'.");
            return Err(Refusal::invalid(message).param("tool_choice"));
        }
        return Ok(Choice::Named(name.into()));
    }
    let mode = choice.pointer("/allowed_tools/mode").or(Some(choice)).and_then(Value::as_str);
    if let Some(allowed) = choice.pointer("/allowed_tools/tools").and_then(Value::as_array) {
        let name = |tool: &Value| {
            tool.pointer("/function/name")
                .or_else(|| tool.pointer("/custom/name"))
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let allowed: Vec<String> = allowed.iter().filter_map(name).collect();
        ask.tools.retain(|tool| allowed.contains(&tool.name));
    }
    Ok(match mode {
        Some("none") => Choice::Never,
        Some("required") => Choice::Some,
        _ => Choice::Auto,
    })
}

fn read_turn(turn: &Value, index: usize, ask: &mut Ask) -> Result<(), Refusal> {
    let content = turn.get("content").unwrap_or(&Value::Null);
    match text(turn, "role") {
        "user" => {
            ask.user_turn();
            ask.prompt = content_text(content);
            for (nth, part) in content.as_array().into_iter().flatten().enumerate() {
                let at = format!("messages[{index}].content[{nth}]");
                if let Some(image) = part.get("image_url") {
                    let param = format!("{at}.image_url.url");
                    ask.media.push(openai::image(text(image, "url"), &param)?);
                } else if let Some(file) = part.get("file") {
                    ask.media.push(openai::file(file, &format!("{at}.file"))?);
                } else if part.get("input_audio").is_some() {
                    ask.media.push("a sound".into());
                }
            }
        }
        "assistant" => {
            ask.results.clear();
            if !list(turn, "tool_calls").is_empty() {
                ask.rounds += 1;
            }
        }
        "tool" | "function" => {
            ask.results.push(Given { text: content_text(content), failed: false });
        }
        _ => {}
    }
    let mark = if turn.to_string().contains("prompt_cache_breakpoint") {
        CacheMark::Minutes
    } else {
        CacheMark::None
    };
    ask.segment(turn, mark);
    Ok(())
}
