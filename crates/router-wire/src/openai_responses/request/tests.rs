mod fates;
mod properties;

use super::{read, write};
use crate::canonical::{
    Content, Effort, Fallback, Losses, Part, Request, Role, Shown, Tool, ToolChoice, ToolInput,
};
use crate::dialect::Dialect;
use crate::facts::FactsTable;
use crate::json::path_at;
use crate::translate::{Options, ReadError, Refusal, RequestExtra, Target};

const FIXTURES: [(&str, &str); 5] = [
    (
        "codex-second-turn",
        include_str!("../../../fixtures/openai-responses/request/codex-second-turn.json"),
    ),
    (
        "every-setting",
        include_str!("../../../fixtures/openai-responses/request/every-setting.json"),
    ),
    ("opencode", include_str!("../../../fixtures/openai-responses/request/opencode.json")),
    (
        "probabilities",
        include_str!("../../../fixtures/openai-responses/request/probabilities.json"),
    ),
    ("hosted-items", include_str!("../../../fixtures/openai-responses/request/hosted-items.json")),
];

fn parse(body: &str) -> Request<'_> {
    read(body, &RequestExtra::default()).expect("the body is good")
}

/// The request of one input item.
fn item(item: &str) -> String {
    format!(r#"{{"model":"m","input":[{item}]}}"#)
}

fn render(request: &Request<'_>, model: &str, from: Dialect) -> Result<(String, Losses), Refusal> {
    let facts = FactsTable::embedded().lookup(model);
    let options = Options::default();
    let target =
        Target { dialect: Dialect::OpenaiResponses, model, facts: &facts, options: &options };
    let mut losses = Losses::new(from);
    let mut out = Vec::new();
    write(request, &target, &mut losses, &mut out)?;
    Ok((String::from_utf8(out).expect("the writer writes UTF-8"), losses))
}

fn rewrite(body: &str) -> serde_json::Value {
    let (text, _) = render(&parse(body), "gpt-5.6", Dialect::OpenaiResponses).expect("writable");
    serde_json::from_str(&text).expect("the writer writes JSON")
}

/// What a reader made of the request apart from what it writes back.
fn notes(request: &Request<'_>, losses: &Losses) -> Vec<String> {
    let mut notes = Vec::new();
    for extra in &request.extras {
        let fate = match extra.fallback {
            Fallback::Drop(why) => format!("dropped: {why}"),
            Fallback::Refuse(why) => format!("refused: {why}"),
            Fallback::Text(_) | Fallback::Function(_) => "stood in for".to_owned(),
        };
        notes.push(format!("{} {fate}", extra.path));
    }
    for turn in &request.turns {
        for part in &turn.parts {
            if let Content::Foreign(foreign) = &part.content {
                let fate = match &foreign.fallback {
                    Fallback::Drop(why) => format!("dropped: {why}"),
                    Fallback::Refuse(why) => format!("refused: {why}"),
                    Fallback::Text(text) => format!("text: {text:?}"),
                    Fallback::Function(function) => format!("function {:?}", function.name),
                };
                notes.push(format!("{} {} {fate}", losses.path(part.origin), foreign.kind));
            }
        }
    }
    notes.extend(losses.list().iter().map(|loss| format!("loss {} at {}", loss.code, loss.path)));
    notes
}

#[test]
fn requests_are_read_and_written_back() {
    for (name, body) in FIXTURES {
        let request = parse(body);
        let (text, losses) =
            render(&request, "gpt-5.6", Dialect::OpenaiResponses).expect("writable");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let turns: Vec<String> = request
            .turns
            .iter()
            .map(|turn| {
                format!("{:?} of {} at {}", turn.role, turn.parts.len(), losses.path(turn.origin))
            })
            .collect();
        insta::assert_json_snapshot!(
            name,
            serde_json::json!({ "turns": turns, "notes": notes(&request, &losses), "written": value })
        );
    }
}

#[test]
fn what_is_written_is_read_the_same_again() {
    for (name, body) in FIXTURES {
        let (once, _) =
            render(&parse(body), "gpt-5.6", Dialect::OpenaiResponses).expect("writable");
        let (twice, _) =
            render(&parse(&once), "gpt-5.6", Dialect::OpenaiResponses).expect("writable");
        assert_eq!(once, twice, "{name}");
    }
}

#[track_caller]
fn check_bad(body: &str, path: &str, problem: &str) {
    match read(body, &RequestExtra::default()) {
        Err(ReadError::Json(error)) => {
            let found = path_at(body, error.at);
            assert_eq!((found.as_str(), error.problem.as_ref()), (path, problem), "{body}");
        }
        other => panic!("{body} was read as {other:?}"),
    }
}

#[test]
fn a_malformed_request_names_the_place() {
    check_bad(r#"{"model":"m"}"#, "", "`input` is missing");
    check_bad(r#"{"model":1,"input":""}"#, "model", "expected a string, found a number");
    check_bad(r#"{"input":{}}"#, "input", "expected an array, found an object");
    check_bad(&item("{}"), "input[0]", "`type` is missing");
    check_bad(
        &item(r#"{"role":"robot","content":""}"#),
        "input[0].role",
        "unknown role; expected user, assistant, system or developer",
    );
    check_bad(&item(r#"{"role":"user"}"#), "input[0]", "`content` is missing");
    check_bad(
        &item(r#"{"role":"user","content":[{"type":"input_text"}]}"#),
        "input[0].content[0]",
        "`text` is missing",
    );
    check_bad(
        &item(r#"{"role":"user","content":[{"type":"input_image"}]}"#),
        "input[0].content[0]",
        "`image_url` or `file_id` is missing",
    );
    check_bad(&item(r#"{"type":"function_call","name":"f"}"#), "input[0]", "`call_id` is missing");
    check_bad(&item(r#"{"type":"function_call","call_id":"c"}"#), "input[0]", "`name` is missing");
    check_bad(&item(r#"{"type":"function_call_output"}"#), "input[0]", "`call_id` is missing");
    check_bad(&item(r#"{"type":"shell_call","call_id":"c"}"#), "input[0]", "the action is missing");
    check_bad(r#"{"input":"","tools":[{"name":"f"}]}"#, "tools[0]", "`type` is missing");
    check_bad(r#"{"input":"","tools":[{"type":"function"}]}"#, "tools[0]", "`name` is missing");
    check_bad(
        r#"{"input":"","tools":[{"type":"namespace","name":"n","tools":[{}]}]}"#,
        "tools[0].tools[0]",
        "`type` is missing",
    );
    check_bad(
        r#"{"input":"","tool_choice":"any"}"#,
        "tool_choice",
        "unknown tool choice; expected auto, none or required",
    );
    check_bad(
        r#"{"input":"","tool_choice":{"type":"function"}}"#,
        "tool_choice",
        "`name` is missing",
    );
    check_bad(
        r#"{"input":"","reasoning":{"effort":"huge"}}"#,
        "reasoning.effort",
        "unknown effort; expected none, minimal, low, medium, high, xhigh or max",
    );
    check_bad(
        r#"{"input":"","text":{"format":{"type":"xml"}}}"#,
        "text.format",
        "unknown `type` of output format",
    );
    check_bad(
        r#"{"input":"","prompt_cache_options":{"ttl":"soon"}}"#,
        "prompt_cache_options.ttl",
        "unknown lifetime; expected such as 30m or 12h",
    );
}

#[test]
fn items_of_the_model_make_one_turn_and_messages_of_others_their_own() {
    let body = r#"{"input":[
        {"role":"user","content":"a"},{"role":"user","content":"b"},
        {"type":"reasoning","summary":[]},{"role":"assistant","content":"c"},
        {"type":"function_call","call_id":"1","name":"f","arguments":"{}"},
        {"type":"function_call","call_id":"2","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"1","output":""},
        {"type":"function_call_output","call_id":"2","output":""},
        {"role":"user","content":"d"}]}"#;
    let request = parse(body);
    let shape: Vec<(Role, usize)> =
        request.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    assert_eq!(
        shape,
        [(Role::User, 1), (Role::User, 1), (Role::Assistant, 4), (Role::User, 2), (Role::User, 1)]
    );
}

fn first<'r, 'a>(request: &'r Request<'a>) -> &'r Part<'a> {
    request.turns.first().and_then(|turn| turn.parts.first()).expect("a part")
}

#[test]
fn reasoning_keeps_its_text_and_its_state_apart() {
    let native = item(
        r#"{"type":"reasoning","id":"rs_1","content":null,"summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"gAAA"}"#,
    );
    let wrapped = item(
        r#"{"type":"reasoning","summary":[{"text":"deep"}],"encrypted_content":"llmr1:anthropic:claude:EqQB"}"#,
    );
    let redacted = item(
        r#"{"type":"reasoning","summary":[],"encrypted_content":"llmr1:anthropic:claude_redacted:EmwK"}"#,
    );
    let open = item(
        r#"{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"raw"}]}"#,
    );
    for (body, text, state, is_redacted) in [
        (&native, "a\n\nb", Some(("openai", "gAAA")), false),
        (&wrapped, "deep", Some(("anthropic", "EqQB")), false),
        (&redacted, "", Some(("anthropic", "EmwK")), true),
        (&open, "raw", None, false),
    ] {
        let request = parse(body);
        let Content::Thinking(thinking) = &first(&request).content else { panic!("{body}") };
        let opaque = thinking.opaque.as_ref();
        let found = opaque.map(|o| (o.vendor.to_string(), o.payload.decode().into_owned()));
        let state = state.map(|(vendor, payload)| (vendor.to_owned(), payload.to_owned()));
        assert_eq!(
            (&*thinking.text.decode(), found, thinking.redacted),
            (text, state, is_redacted)
        );
        let family = opaque.and_then(|o| o.family.as_deref());
        assert_ne!(family, Some("claude_redacted"), "the mark is taken off");
    }
}

#[test]
fn reasoning_of_another_vendor_is_not_sent_to_openai() {
    let body = item(
        r#"{"type":"reasoning","summary":[{"text":"deep"}],"encrypted_content":"llmr1:anthropic:claude:EqQB"}"#,
    );
    let (text, losses) =
        render(&parse(&body), "gpt-5.6", Dialect::OpenaiResponses).expect("writable");
    assert!(!text.contains("EqQB"), "{text}");
    assert_eq!(losses.list().first().map(|loss| loss.path.as_str()), Some("input[0]"));
}

#[test]
fn requests_are_stateless_and_ask_for_the_state_of_reasoning_models_only() {
    let body = r#"{"input":"hi"}"#;
    let request = parse(body);
    for (model, include) in
        [("gpt-5.6", Some("[\"reasoning.encrypted_content\"]")), ("gpt-4.1", None)]
    {
        let (text, _) = render(&request, model, Dialect::Anthropic).expect("writable");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["store"], false);
        assert_eq!(value.get("include").map(ToString::to_string).as_deref(), include, "{model}");
    }
}

#[test]
fn item_ids_are_not_sent_upstream() {
    let value = rewrite(&item(
        r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"g"},{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"},{"type":"message","id":"msg_1","role":"assistant","content":"x"}"#,
    ));
    for item in value["input"].as_array().expect("items") {
        assert!(item.get("id").is_none(), "{item}");
    }
}

#[test]
fn a_failed_tool_is_marked_in_its_text_and_found_again() {
    let body =
        item(r#"{"type":"function_call_output","call_id":"c","output":"[tool error] gone"}"#);
    let request = parse(&body);
    let Content::ToolResult(result) = &first(&request).content else { panic!("a result") };
    assert!(result.is_error);
    assert_eq!(rewrite(&body)["input"][0]["output"], "[tool error] gone");
}

#[test]
fn arguments_are_kept_as_text_whatever_they_are() {
    for (arguments, expected) in [
        (r#""{\"a\":1}""#, r#"{"a":1}"#),
        (r#""not json""#, "not json"),
        (r#"{"a":1}"#, r#"{"a":1}"#),
        (r#""""#, "{}"),
    ] {
        let body = item(&format!(
            r#"{{"type":"function_call","call_id":"c","name":"f","arguments":{arguments}}}"#
        ));
        assert_eq!(rewrite(&body)["input"][0]["arguments"], expected);
    }
    let body = item(r#"{"type":"custom_tool_call","call_id":"c","name":"f","input":"*** a"}"#);
    let request = parse(&body);
    let Content::ToolCall(call) = &first(&request).content else { panic!("a call") };
    assert!(call.custom && matches!(&call.input, ToolInput::Text(text) if text == "*** a"));
}

#[test]
fn a_tool_choice_keeps_its_name() {
    for (choice, written) in [
        (r#"{"type":"function","name":"f"}"#, r#"{"name":"f","type":"function"}"#),
        (r#"{"type":"custom","name":"f"}"#, r#"{"name":"f","type":"custom"}"#),
        (r#""required""#, r#""required""#),
        (r#""none""#, r#""none""#),
        (r#"{"type":"mcp","server_label":"s"}"#, r#"{"server_label":"s","type":"mcp"}"#),
    ] {
        let body = format!(
            r#"{{"input":"","tools":[{{"type":"function","name":"f"}}],"tool_choice":{choice}}}"#
        );
        let written: serde_json::Value = serde_json::from_str(written).expect("JSON");
        assert_eq!(rewrite(&body)["tool_choice"], written);
    }
    let request = parse(r#"{"input":"","tool_choice":{"type":"apply_patch"}}"#);
    assert!(matches!(request.tool_choice, Some(ToolChoice::Foreign(_))));
}

#[test]
fn a_choice_without_tools_is_not_written() {
    let value = rewrite(r#"{"input":"","tool_choice":"required","parallel_tool_calls":true}"#);
    assert!(value.get("tool_choice").is_none() && value.get("parallel_tool_calls").is_none());
}

#[test]
fn effort_and_summary_are_read() {
    let request = parse(r#"{"input":"","reasoning":{"effort":"xhigh","summary":"concise"}}"#);
    assert_eq!(request.reasoning.effort, Some(Effort::Xhigh));
    assert_eq!(request.reasoning.shown, Shown::Concise);
    let request = parse(r#"{"input":"","reasoning":{"effort":null,"summary":null}}"#);
    assert_eq!((request.reasoning.effort, request.reasoning.shown), (None, Shown::Unset));
}

#[test]
fn late_tools_join_the_others_once() {
    let body = r#"{"input":[{"type":"additional_tools","role":"developer","tools":[
        {"type":"function","name":"old"},{"type":"function","name":"new"}]}],
        "tools":[{"type":"function","name":"old"}]}"#;
    // `tools` stands after `input`, as JSON has no order.
    let names = |body: &str| -> Vec<String> {
        parse(body)
            .tools
            .iter()
            .map(|tool| match tool {
                Tool::Function(function) => function.name.decode().into_owned(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(names(body), ["old", "new"]);
}
