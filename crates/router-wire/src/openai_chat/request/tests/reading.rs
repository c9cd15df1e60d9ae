//! What a Chat client may send, member by member.

use proptest::prelude::*;

use super::*;
use crate::canonical::{CustomFormat, Tool};

fn user(content: Value) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": content}]})
}

fn with(member: &str, value: Value) -> Value {
    let mut body = user(json!("hi"));
    body[member] = value;
    body
}

/// What is kept aside of a request, as `path: what becomes of it`.
fn extras(body: &Value) -> Vec<String> {
    let text = parse(body);
    let request = read_ok(&text);
    let word = |extra: &crate::canonical::Extra<'_>| {
        let kind = match &extra.fallback {
            crate::canonical::Fallback::Refuse(_) => "refuse",
            _ => "drop",
        };
        format!("{}: {kind}", extra.path)
    };
    request.extras.iter().map(word).collect()
}

#[test]
fn every_simple_member_is_read() {
    let text = parse(&json!({
        "model": "gpt-x", "messages": [], "max_completion_tokens": 7, "max_tokens": 9,
        "stop": ["a", "b"], "n": 2, "temperature": 0.5, "top_p": 0.9, "top_k": 40,
        "presence_penalty": 1, "frequency_penalty": -1, "seed": -3, "logit_bias": {"1": 2},
        "logprobs": true, "top_logprobs": 3, "verbosity": "low", "reasoning_effort": "xhigh",
        "service_tier": "flex", "metadata": {"a": "b"}, "store": true, "safety_identifier": "s",
        "user": "u", "prompt_cache_key": "k", "prompt_cache_retention": "24h",
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"}, "stream": true,
        "stream_options": {"include_usage": true, "include_obfuscation": false},
        "parallel_tool_calls": false, "tool_choice": "required",
        "response_format": {"type": "json_object"}
    }));
    let r = read_ok(&text);
    assert_eq!(&r.model, "gpt-x");
    assert_eq!(r.max_tokens, Some(7));
    assert_eq!(r.stop.len(), 2);
    assert_eq!(r.choices, Some(2));
    let s = &r.sampling;
    assert_eq!((s.temperature, s.top_p, s.top_k), (Some(0.5), Some(0.9), Some(40)));
    assert_eq!(
        (s.presence_penalty, s.frequency_penalty, s.seed),
        (Some(1.0), Some(-1.0), Some(-3))
    );
    assert_eq!(s.logit_bias.as_ref().unwrap().text(), r#"{"1":2}"#);
    assert_eq!(r.logprobs.unwrap().top, 3);
    assert_eq!(r.verbosity.unwrap().name(), "low");
    assert_eq!(r.reasoning.effort.unwrap().name(), "xhigh");
    assert_eq!(r.service_tier, Some(ServiceTier::Flex));
    assert_eq!(r.storage.store, Some(true));
    assert_eq!(r.identity.end_user.as_ref().unwrap(), "s");
    assert_eq!(r.identity.user.as_ref().unwrap(), "u");
    assert_eq!(r.cache.key.as_ref().unwrap(), "k");
    assert_eq!((r.cache.explicit, r.cache.ttl_s), (Some(true), Some(1800)));
    assert!(r.stream && r.include_usage);
    assert_eq!(r.parallel_tools, Some(false));
    assert!(matches!(r.tool_choice, Some(ToolChoice::Required)));
    assert!(matches!(r.format, Some(OutputFormat::JsonObject)));
    assert!(r.extras.is_empty());
}

#[test]
fn null_members_ask_for_nothing() {
    let mut body = user(json!("hi"));
    for member in [
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "n",
        "temperature",
        "top_p",
        "seed",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "verbosity",
        "reasoning_effort",
        "reasoning",
        "service_tier",
        "metadata",
        "store",
        "safety_identifier",
        "user",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "functions",
        "function_call",
        "response_format",
        "web_search_options",
        "modalities",
        "audio",
        "prediction",
        "moderation",
        "something_else",
    ] {
        body[member] = Value::Null;
    }
    let text = parse(&body);
    let request = read_ok(&text);
    assert!(request.extras.is_empty() && request.tools.is_empty());
    assert!(!request.legacy_functions && request.tool_choice.is_none());
}

#[test]
fn members_of_chat_alone_are_kept_with_a_verdict() {
    for (body, expect) in [
        (with("audio", json!({"voice": "x"})), vec!["audio: refuse"]),
        (with("modalities", json!(["text", "audio"])), vec!["modalities: refuse"]),
        (with("modalities", json!(["text"])), vec![]),
        (with("prediction", json!({"type": "content"})), vec!["prediction: drop"]),
        (with("moderation", json!({})), vec!["moderation: drop"]),
        (with("frobnicate", json!(1)), vec!["frobnicate: drop"]),
        (with("stream_options", json!({"x": 1})), vec!["stream_options.x: drop"]),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "y": 1}], "id": 3}]}),
            vec!["messages[0].content[0].y: drop", "messages[0].id: drop"],
        ),
    ] {
        assert_eq!(extras(&body), expect, "{body}");
    }
}

#[test]
fn malformed_members_are_named_by_their_path() {
    for (body, expect) in [
        (json!({"messages": 3}), "messages: expected an array, found a number"),
        (json!({"messages": [{"content": "x"}]}), "messages[0]: `role` is missing"),
        (with("temperature", json!("hot")), "temperature: expected a number, found a string"),
        (
            with("reasoning_effort", json!("huge")),
            "reasoning_effort: unknown effort; expected none, minimal, low, medium, high, xhigh or max",
        ),
        (
            with("tool_choice", json!("sometimes")),
            "tool_choice: unknown tool choice; expected none, auto, required or a tool",
        ),
        (
            with("tools", json!([{"type": "function", "function": {}}])),
            "tools[0]: `name` is missing",
        ),
        (
            with(
                "tools",
                json!([{"type": "function", "function": {"name": "f", "parameters": 1}}]),
            ),
            "tools[0].function.parameters: expected an object",
        ),
        (
            with("response_format", json!({"type": "yaml"})),
            "response_format: unknown `type`; expected text, json_object or json_schema",
        ),
        (
            with("response_format", json!({"type": "json_schema"})),
            "response_format: `json_schema` is missing",
        ),
        (user(json!([{"type": "image_url"}])), "messages[0].content[0]: `image_url` is missing"),
        (
            user(json!([{"type": "file", "file": {}}])),
            "messages[0].content[0].file: `file_data` or `file_id` is missing",
        ),
        (
            json!({"messages": [{"role": "robot"}]}),
            "messages[0].role: unknown role; expected developer, system, user, assistant, tool or function",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages[0]: `tool_call_id` is missing",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}),
            "messages[0].tool_calls[0]: the name of the tool is missing",
        ),
    ] {
        assert_eq!(problem(&body), expect);
    }
}

#[test]
fn reasoning_is_understood_in_every_form_servers_gave_it() {
    use crate::canonical::{Effort, Shown, ThinkingForm};
    let read = |member, value| {
        let text = parse(&with(member, value));
        let r = read_ok(&text).reasoning;
        (r.effort, r.form, r.shown)
    };
    let (unset, off) = (ThinkingForm::Unset, ThinkingForm::Off);
    for (member, value, expect) in [
        ("reasoning_effort", json!("HIGH"), (Some(Effort::High), unset, Shown::Unset)),
        ("reasoning", json!({"effort": "low"}), (Some(Effort::Low), unset, Shown::Unset)),
        (
            "reasoning",
            json!({"max_tokens": 2000, "exclude": true}),
            (None, ThinkingForm::Budget(2000), Shown::Hidden),
        ),
        ("reasoning", json!({"enabled": false}), (Some(Effort::None), off, Shown::Unset)),
        ("thinking", json!({"type": "disabled"}), (Some(Effort::None), off, Shown::Unset)),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 9}),
            (None, ThinkingForm::Budget(9), Shown::Unset),
        ),
    ] {
        assert_eq!(read(member, value.clone()), expect, "{member} {value}");
    }
}

#[test]
fn content_null_with_calls_has_no_empty_text() {
    let text = parse(&json!({"messages": [
        {"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null,
         "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
        {"role": "assistant", "content": "", "tool_calls": [{"index": 0, "id": "c2", "type": "custom", "custom": {"name": "p", "input": "patch"}}]},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "[tool error] no"}]}
    ]}));
    let r = read_ok(&text);
    let [first, second, third] = r.turns.as_slice() else { panic!("{:?}", r.turns) };
    let Content::ToolCall(call) = &first.parts[0].content else { panic!("{first:?}") };
    assert_eq!((first.parts.len(), call.custom), (1, false));
    let ToolInput::Text(input) = &call.input else { panic!("{call:?}") };
    assert_eq!(input, r#"{"a":1}"#);
    let Content::ToolCall(call) = &second.parts[0].content else { panic!("{second:?}") };
    assert_eq!((second.parts.len(), call.custom), (1, true));
    let Content::ToolResult(result) = &third.parts[0].content else { panic!("{third:?}") };
    assert!(third.role == Role::User && result.custom && result.is_error);
    let Content::Text { text, .. } = &result.content[0].content else { panic!("{result:?}") };
    assert_eq!(text, "no");
    assert!(r.extras.is_empty(), "{:?}", r.extras);
}

#[test]
fn legacy_functions_become_tools_and_results_find_their_calls() {
    let text = parse(&json!({
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "done"}
        ],
        "functions": [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        "function_call": {"name": "f"}
    }));
    let r = read_ok(&text);
    assert!(r.legacy_functions && r.tools.len() == 1);
    let Some(ToolChoice::Named(name)) = &r.tool_choice else { panic!("{:?}", r.tool_choice) };
    assert_eq!(&name.name, "f");
    let Content::ToolCall(call) = &r.turns[1].parts[0].content else { panic!() };
    let Content::ToolResult(result) = &r.turns[2].parts[0].content else { panic!() };
    assert_eq!(call.id, result.call_id);
}

#[test]
fn reasoning_a_client_sends_back_stands_in_front_of_its_turn() {
    let text = parse(&json!({"messages": [{
        "role": "assistant", "content": "t", "reasoning_content": "hm", "reasoning": "hm",
        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]
    }]}));
    let r = read_ok(&text);
    let [thinking, said, call] = r.turns[0].parts.as_slice() else { panic!("{:?}", r.turns) };
    let Content::Thinking(thinking) = &thinking.content else { panic!("{thinking:?}") };
    assert!(&thinking.text == "hm" && thinking.opaque.is_none());
    assert!(matches!(said.content, Content::Text { .. }));
    assert!(matches!(call.content, Content::ToolCall(_)));
}

#[test]
fn files_and_images_are_taken_apart() {
    use crate::canonical::Media;
    let text = parse(&user(json!([
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}},
        {"type": "image_url", "image_url": "https://x/y.png"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BB=="}},
        {"type": "file", "file": {"filename": "a.csv", "file_data": "CC=="}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": "DD==", "format": "mp3"}},
        {"type": "hologram"}
    ])));
    let r = read_ok(&text);
    let word = |media: &Media<'_>| match media {
        Media::Base64 { media_type, data } => format!("{media_type:?} {data:?}"),
        Media::Url { url, .. } => format!("{url:?}"),
        Media::FileId(id) => format!("id {id:?}"),
        other => format!("{other:?}"),
    };
    let words: Vec<String> = r.turns[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::Image(image) => word(&image.media),
            Content::Document(document) => word(&document.media),
            Content::Audio(media) => word(media),
            Content::Foreign(foreign) => foreign.kind.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        words,
        [
            r#""image/png" "AA==""#,
            r#""https://x/y.png""#,
            r#""application/pdf" "BB==""#,
            r#""text/csv" "CC==""#,
            r#"id "file-1""#,
            r#""audio/mpeg" "DD==""#,
            "hologram",
        ]
    );
}

#[test]
fn tools_are_read_in_the_shapes_clients_send() {
    let text = parse(&with(
        "tools",
        json!([
            {"type": "function", "function": {"name": "a", "strict": true, "parameters": {"type": "object"}}},
            {"type": "function", "name": "b", "parameters": {}},
            {"name": "c", "input_schema": {"type": "object"}},
            {"type": "custom", "custom": {"name": "d", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}}}},
            {"type": "web_search"},
            {"type": "teleport", "speed": 9}
        ]),
    ));
    let words: Vec<String> = read_ok(&text)
        .tools
        .iter()
        .map(|tool| match tool {
            Tool::Function(f) => format!("{:?} {:?}", f.name, f.parameters.is_some()),
            Tool::Custom(c) => {
                format!("{:?} {}", c.name, matches!(c.format, CustomFormat::Grammar { .. }))
            }
            Tool::WebSearch(_) => "search".to_owned(),
            Tool::Hosted(hosted) => hosted.kind.to_string(),
        })
        .collect();
    assert_eq!(
        words,
        ["\"a\" true", "\"b\" true", "\"c\" true", "\"d\" true", "search", "teleport"]
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "(text|function|tool|auto|json_schema|data:a;base64,|\\PC{0,4})".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let key = "(type|name|text|function|custom|content|role|id|tools|mode|url|\\PC{0,3})";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever stands in a member: it is read and can be written, or the error has a place and a
    /// reason.
    #[test]
    fn any_value_is_read_or_refused_at_its_place(value in any_json(), at in 0_usize..90) {
        #[derive(serde::Deserialize)]
        struct Members {
            base: Value,
            members: Vec<(String, Value)>,
        }
        const FILE: &str = include_str!("../../../../fixtures/openai-chat/members.json");
        let Members { mut base, members } = serde_json::from_str(FILE).unwrap();
        let (pointer, _) = &members[at % members.len()];
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        if let Some(Value::Object(parent)) = base.pointer_mut(parent) {
            parent.insert(key.to_owned(), value);
        }
        let text = base.to_string();
        match read(&text, &RequestExtra::default()) {
            Ok(request) => {
                if let Err(refusal) = written(&request, Dialect::OpenaiChat, &openai()) {
                    prop_assert!(refusal.contains(": "), "{refusal}");
                }
            }
            Err(ReadError::Json(error)) => {
                prop_assert!(!path_at(&text, error.at).is_empty(), "{error} in {text}");
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}
