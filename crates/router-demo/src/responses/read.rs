//! Reads a Responses request: shape, rules, and what it asks for.

use serde_json::{Value, json};

use super::shape::REQUEST;
use crate::Dialect;
use crate::ask::{Ask, CacheMark, Choice, Form, Given, Think, Tool};
use crate::json::{content_text, flag, given, list, text};
use crate::openai;
use crate::refusal::Refusal;
use crate::route::{Head, model_rules};
use crate::state::State;
use crate::{seal, shape};

/// Checks `body` as the real API would and says what it asks for.
pub(crate) fn read(state: &State, body: &Value, head: &Head) -> Result<Ask, Refusal> {
    let model = text(body, "model");
    if model.is_empty() {
        let message = "Missing required parameter: 'model'.";
        return Err(Refusal::invalid(message).param("model").code("missing_required_parameter"));
    }
    let rules = model_rules(state, Dialect::Responses, model)?;
    let effort = body.pointer("/reasoning/effort").filter(|effort| !effort.is_null());
    if head.strict {
        shape::check(body, &REQUEST, head.beta)
            .map_err(|flaw| Refusal::of_flaw(Dialect::Responses, &flaw))?;
        openai::check_sampling(body, &rules, effort, "reasoning.effort")?;
        openai::check_company(body)?;
        check_format(body)?;
        check_tools(list(body, "tools"), "tools")?;
        check_items(list(body, "input"), body.get("store") != Some(&Value::Bool(false)))?;
    }
    not_kept(body)?;
    let mut ask = Ask::new(model, rules);
    options(body, &mut ask)?;
    let effort = effort.and_then(Value::as_str);
    let summary = body.pointer("/reasoning/summary").is_some_and(|summary| !summary.is_null());
    ask.think = match (rules.reasoning || effort.is_some(), summary) {
        _ if effort == Some("none") => Think::No,
        (true, true) => Think::Shown,
        (true, false) => Think::Hidden,
        _ => Think::No,
    };
    if let Some(instructions) = given(body, "instructions") {
        ask.segment(instructions, CacheMark::None);
    }
    match body.get("input") {
        Some(Value::String(prompt)) => {
            ask.prompt.clone_from(prompt);
            ask.segment(&json!(prompt), CacheMark::None);
        }
        _ => {
            for (index, item) in list(body, "input").iter().enumerate() {
                read_item(item, index, &mut ask)?;
            }
        }
    }
    openai::check_names(&ask)?;
    openai::check_size(&ask, head, "input")?;
    Ok(ask)
}

/// What needs a store the demo does not have.
fn not_kept(body: &Value) -> Result<(), Refusal> {
    if let Some(id) = given(body, "previous_response_id") {
        let message = format!("Previous response with id {id} not found.").replace('"', "'");
        return Err(Refusal::invalid(message)
            .param("previous_response_id")
            .code("previous_response_not_found"));
    }
    for name in ["conversation", "prompt"] {
        if given(body, name).is_some() {
            let message = format!("The object named by '{name}' was not found.");
            return Err(Refusal { status: 404, ..Refusal::invalid(message).param(name) });
        }
    }
    if flag(body, "background") {
        let message = "Background mode is not available for this organization.";
        return Err(Refusal::invalid(message).param("background"));
    }
    Ok(())
}

fn check_format(body: &Value) -> Result<(), Refusal> {
    let format = body.pointer("/text/format").unwrap_or(&Value::Null);
    match text(format, "type") {
        "json_object" => {
            openai::check_json_word(body.get("input").unwrap_or(&Value::Null), "input")
        }
        "json_schema" => {
            let what = format!("response_format '{}'", text(format, "name"));
            let schema = format.get("schema").unwrap_or(&Value::Null);
            let strict = flag(format, "strict");
            openai::check_schema(schema, strict, &what, "text.format.schema", "invalid_json_schema")
        }
        _ => Ok(()),
    }
}

fn check_tools(tools: &[Value], at: &str) -> Result<(), Refusal> {
    for (index, tool) in tools.iter().enumerate() {
        let param = format!("{at}[{index}]");
        if let Some(schema) = given(tool, "parameters").filter(|_| text(tool, "type") == "function")
        {
            let what = format!("function '{}'", text(tool, "name"));
            let param = format!("{param}.parameters");
            let code = "invalid_function_parameters";
            openai::check_schema(schema, flag(tool, "strict"), &what, &param, code)?;
        }
        check_tools(list(tool, "tools"), &format!("{param}.tools"))?;
    }
    Ok(())
}

/// Calls and outputs belong together, and reasoning comes back as it was sent.
fn check_items(items: &[Value], stored: bool) -> Result<(), Refusal> {
    let ids = |kinds: &[&str]| -> Vec<&str> {
        let of_kind = items.iter().filter(|item| kinds.contains(&text(item, "type")));
        of_kind.map(|item| text(item, "call_id")).collect()
    };
    let calls = ids(&["function_call", "custom_tool_call"]);
    let outputs = ids(&["function_call_output", "custom_tool_call_output"]);
    if let Some(id) = outputs.iter().find(|id| !calls.contains(id)) {
        let message = format!("No tool call found for function call output with call_id {id}.");
        return Err(Refusal::invalid(message).param("input"));
    }
    if let Some(id) = calls.iter().find(|id| !outputs.contains(id)) {
        let message = format!("No tool output found for function call {id}.");
        return Err(Refusal::invalid(message).param("input"));
    }
    for (index, item) in items.iter().enumerate() {
        let id = text(item, "id");
        match text(item, "type") {
            "reasoning" => check_reasoning(item, index, stored)?,
            "item_reference" => return Err(not_persisted(id)),
            "" | "message" => check_parts(item, index)?,
            _ => {}
        }
    }
    Ok(())
}

fn not_persisted(id: &str) -> Refusal {
    let message = format!(
        "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try \
         again with `store` set to true, or remove this item from your input."
    );
    Refusal { status: 404, ..Refusal::invalid(message).param("input") }
}

fn check_reasoning(item: &Value, index: usize, stored: bool) -> Result<(), Refusal> {
    let Some(sealed) = given(item, "encrypted_content").and_then(Value::as_str) else {
        return if stored { Ok(()) } else { Err(not_persisted(text(item, "id"))) };
    };
    if seal::holds("responses", &content_text(&Value::from(list(item, "summary"))), sealed) {
        return Ok(());
    }
    let message = format!(
        "The encrypted content for item {} could not be verified. Reason: Encrypted content could \
         not be decrypted or parsed.",
        text(item, "id")
    );
    let param = format!("input[{index}].encrypted_content");
    Err(Refusal::invalid(message).param(param).code("invalid_encrypted_content"))
}

/// What a model said and what it was told have different part types.
fn check_parts(item: &Value, index: usize) -> Result<(), Refusal> {
    let assistant = text(item, "role") == "assistant";
    for (nth, part) in list(item, "content").iter().enumerate() {
        let kind = text(part, "type");
        let output = matches!(kind, "output_text" | "refusal");
        if output != assistant {
            let allowed = if assistant {
                "'output_text' and 'refusal'"
            } else {
                "'input_text', 'input_image' and 'input_file'"
            };
            let message = format!("Invalid value: '{kind}'. Supported values are: {allowed}.");
            let param = format!("input[{index}].content[{nth}]");
            return Err(Refusal::invalid(message).param(param).code("invalid_value"));
        }
    }
    Ok(())
}

fn options(body: &Value, ask: &mut Ask) -> Result<(), Refusal> {
    ask.stream = flag(body, "stream");
    ask.limit = given(body, "max_output_tokens").and_then(Value::as_u64);
    ask.parallel = body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true);
    let format = body.pointer("/text/format").unwrap_or(&Value::Null);
    ask.form = match text(format, "type") {
        "json_object" => Form::Json,
        "json_schema" => format.get("schema").map_or(Form::Json, |one| Form::Schema(one.clone())),
        _ => Form::Text,
    };
    for tool in list(body, "tools") {
        read_tool(tool, None, ask);
        ask.segment(tool, CacheMark::None);
    }
    ask.choice = choice(body.get("tool_choice").unwrap_or(&Value::Null), ask)?;
    Ok(())
}

fn read_tool(tool: &Value, space: Option<&str>, ask: &mut Ask) {
    let schema = match text(tool, "type") {
        "function" => {
            Some(given(tool, "parameters").cloned().unwrap_or_else(|| json!({"type": "object"})))
        }
        "custom" => None,
        "namespace" => {
            let name = text(tool, "name");
            for inner in list(tool, "tools") {
                read_tool(inner, Some(name), ask);
            }
            return;
        }
        _ => return,
    };
    ask.tools.push(Tool {
        name: text(tool, "name").into(),
        about: text(tool, "description").into(),
        schema,
        space: space.map(str::to_owned),
    });
}

fn choice(choice: &Value, ask: &mut Ask) -> Result<Choice, Refusal> {
    let name = text(choice, "name");
    if matches!(text(choice, "type"), "function" | "custom") {
        if !ask.tools.iter().any(|tool| tool.name == name) {
            let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
            return Err(Refusal::invalid(message).param("tool_choice"));
        }
        return Ok(Choice::Named(name.into()));
    }
    if text(choice, "type") == "allowed_tools" {
        let allowed: Vec<&str> = list(choice, "tools").iter().map(|t| text(t, "name")).collect();
        ask.tools.retain(|tool| allowed.contains(&tool.name.as_str()));
    }
    let mode = choice.as_str().unwrap_or_else(|| text(choice, "mode"));
    Ok(match mode {
        "none" => Choice::Never,
        "required" => Choice::Some,
        _ => Choice::Auto,
    })
}

fn read_item(item: &Value, index: usize, ask: &mut Ask) -> Result<(), Refusal> {
    match text(item, "type") {
        "" | "message" if text(item, "role") == "user" => {
            ask.user_turn();
            let content = item.get("content").unwrap_or(&Value::Null);
            ask.prompt = content_text(content);
            read_media(content, &format!("input[{index}].content"), ask)?;
        }
        // Calls side by side are one round; results end it.
        "function_call" | "custom_tool_call" if ask.rounds == 0 || !ask.results.is_empty() => {
            ask.rounds += 1;
            ask.results.clear();
        }
        "function_call_output" | "custom_tool_call_output" => {
            let output = item.get("output").unwrap_or(&Value::Null);
            ask.results.push(Given { text: content_text(output), failed: false });
            read_media(output, &format!("input[{index}].output"), ask)?;
        }
        _ => {}
    }
    ask.segment(item, CacheMark::None);
    Ok(())
}

fn read_media(content: &Value, at: &str, ask: &mut Ask) -> Result<(), Refusal> {
    for (nth, part) in content.as_array().into_iter().flatten().enumerate() {
        let param = format!("{at}[{nth}]");
        match text(part, "type") {
            "input_image" if given(part, "file_id").is_some() => {
                ask.media.push("an image by reference".into());
            }
            "input_image" => {
                let param = format!("{param}.image_url");
                ask.media.push(openai::image(text(part, "image_url"), &param)?);
            }
            "input_file" => ask.media.push(openai::file(part, &param)?),
            _ => {}
        }
    }
    Ok(())
}
