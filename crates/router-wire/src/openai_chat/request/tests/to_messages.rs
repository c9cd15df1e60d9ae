//! What a Chat request becomes on Messages, by the faults gateways are known for.

use super::*;
use crate::translate::translate_request;

const OLDER: &str = "claude-sonnet-4-5";
const NEWER: &str = "claude-opus-4-7";

fn translate(body: &Value, model: &str) -> Result<Value, String> {
    let facts = FactsTable::embedded().lookup(model);
    let options = Options::default();
    let target = Target { dialect: Dialect::Anthropic, model, facts: &facts, options: &options };
    let bytes = serde_json::to_vec(body).unwrap();
    translate_request(Dialect::OpenaiChat, &bytes, &RequestExtra::default(), &target)
        .map(|out| serde_json::from_slice(&out.body).unwrap())
        .map_err(|error| error.to_string())
}

fn user() -> Value {
    json!({"role": "user", "content": "hi"})
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "f", "parameters": {"properties": {}}}}])
}

fn call(arguments: &str) -> Value {
    json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}]})
}

fn result() -> Value {
    json!({"role": "tool", "tool_call_id": "call_1", "content": "r"})
}

/// The member at `pointer` after translation of a small request with these members.
#[track_caller]
fn check(model: &str, members: Value, pointer: &str, expect: Value) {
    let mut body = json!({"model": "m", "messages": [user()]});
    for (key, value) in members.as_object().unwrap() {
        body[key] = value.clone();
    }
    let out = translate(&body, model).unwrap();
    assert_eq!(out.pointer(pointer).unwrap_or(&Value::Null), &expect, "{members} gave {out}");
}

#[track_caller]
fn refused(members: Value, expect: &str) {
    let mut body = json!({"model": "m", "messages": [user()]});
    for (key, value) in members.as_object().unwrap() {
        body[key] = value.clone();
    }
    assert_eq!(translate(&body, NEWER), Err(expect.to_owned()), "{members}");
}

#[test]
fn d22_b7_12_no_empty_text_stands_before_a_call() {
    let messages = json!([user(), call("{}"), result()]);
    check(
        NEWER,
        json!({"messages": messages, "tools": tools()}),
        "/messages/1/content",
        json!([{"type": "tool_use", "id": "call_1", "name": "f", "input": {}}]),
    );
}

#[test]
fn d23_d42_instructions_stay_instructions_where_they_stand() {
    let messages = json!([
        {"role": "developer", "content": "a"}, user(),
        {"role": "assistant", "content": "b"}, {"role": "developer", "content": "c"}, user()
    ]);
    check(NEWER, json!({"messages": messages}), "/system/0/text", json!("a"));
    check(
        NEWER,
        json!({"messages": messages}),
        "/messages/2",
        json!({"role": "system", "content": "c"}),
    );
}

#[test]
fn d24_d25_images_and_files_are_passed_on() {
    let content = json!([
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}}
    ]);
    let messages = json!([{"role": "user", "content": content}]);
    check(
        NEWER,
        json!({"messages": messages}),
        "/messages/0/content",
        json!([
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}, "title": "a.pdf"}
        ]),
    );
    refused(
        json!({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}]}),
        "messages[0].content[0]: Messages has no audio input",
    );
}

#[test]
fn d26_the_default_limit_is_the_models_own() {
    check(NEWER, json!({}), "/max_tokens", json!(128_000));
    check(OLDER, json!({"max_tokens": 5}), "/max_tokens", json!(5));
}

#[test]
fn d27_d28_b7_16_sampling_is_sent_only_where_it_is_taken() {
    check(OLDER, json!({"temperature": 1.5}), "/temperature", json!(1));
    check(NEWER, json!({"temperature": 0.5}), "/temperature", json!(null));
    let thinks = json!({"temperature": 0.5, "reasoning_effort": "high"});
    check(OLDER, thinks, "/temperature", json!(null));
}

#[test]
fn d29_b7_8_thinking_is_off_when_history_has_calls_without_it() {
    let members = json!({"messages": [user(), call("{}"), result()], "tools": tools(), "reasoning_effort": "high"});
    let out = {
        let mut body = members.clone();
        body["model"] = json!("m");
        translate(&body, OLDER).unwrap()
    };
    assert_ne!(out["thinking"]["type"], "enabled", "{out}");
    check(NEWER, members, "/thinking/type", json!("adaptive"));
}

#[test]
fn d30_thinking_has_the_form_of_the_model() {
    let effort = json!({"reasoning_effort": "high", "max_tokens": 20_000});
    check(OLDER, effort.clone(), "/thinking/type", json!("enabled"));
    check(NEWER, effort.clone(), "/thinking/type", json!("adaptive"));
    check(NEWER, effort, "/output_config/effort", json!("high"));
    check(NEWER, json!({"reasoning_effort": "none"}), "/thinking/type", json!("disabled"));
}

#[test]
fn d31_d32_tool_choices_are_legal() {
    for (choice, expect) in [
        (json!("none"), json!({"type": "none"})),
        (json!("auto"), json!({"type": "auto"})),
        (json!("required"), json!({"type": "any"})),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            json!({"type": "tool", "name": "f"}),
        ),
    ] {
        check(NEWER, json!({"tools": tools(), "tool_choice": choice}), "/tool_choice", expect);
        check(NEWER, json!({"tool_choice": choice}), "/tool_choice", json!(null));
    }
    let forced = json!({"tools": tools(), "tool_choice": "required", "reasoning_effort": "high", "max_tokens": 20_000});
    let mut body = forced;
    body["model"] = json!("m");
    body["messages"] = json!([user()]);
    let out = translate(&body, OLDER).unwrap();
    let (forced, thinks) =
        (out["tool_choice"]["type"] == "any", out["thinking"]["type"] == "enabled");
    assert!(!(forced && thinks), "{out}");
}

#[test]
fn d33_schemas_of_answers_are_kept() {
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    check(
        NEWER,
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}),
        "/output_config/format",
        json!({"type": "json_schema", "schema": schema}),
    );
}

#[test]
fn d34_several_answers_probabilities_and_sound_are_refused() {
    refused(json!({"n": 2}), "n: Messages gives one answer");
    refused(json!({"logprobs": true}), "logprobs: Messages gives no probabilities");
    let sound = "answers in another form than text exist at OpenAI's Chat only";
    refused(json!({"modalities": ["audio"]}), &format!("modalities: {sound}"));
    check(NEWER, json!({"n": 1}), "/n", json!(null));
}

#[test]
fn d35_settings_with_another_name_are_kept() {
    for (members, pointer, expect) in [
        (json!({"stop": "END"}), "/stop_sequences", json!(["END"])),
        (json!({"stop": ["END", " "]}), "/stop_sequences", json!(["END"])),
        (json!({"user": "u"}), "/metadata/user_id", json!("u")),
        (json!({"user": "u", "safety_identifier": "s"}), "/metadata/user_id", json!("s")),
        (json!({"service_tier": "default"}), "/service_tier", json!("standard_only")),
        (json!({"service_tier": "flex"}), "/service_tier", json!("auto")),
        (
            json!({"tools": tools(), "parallel_tool_calls": false}),
            "/tool_choice",
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
    ] {
        check(NEWER, members, pointer, expect);
    }
}

#[test]
fn d36_a_free_text_tool_is_wrapped_and_a_grammar_refused() {
    let tool =
        |format: Value| json!([{"type": "custom", "custom": {"name": "p", "format": format}}]);
    check(
        NEWER,
        json!({"tools": tool(json!({"type": "text"}))}),
        "/tools/0/input_schema/required",
        json!(["input"]),
    );
    let grammar = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "s: x"}});
    refused(json!({"tools": tool(grammar)}), "tools: the target cannot hold a tool to a grammar");
}

#[test]
fn d37_d38_arguments_that_are_no_object_are_wrapped() {
    for (arguments, expect) in [
        ("{\"x\":1}", json!({"x": 1})),
        ("", json!({})),
        ("{\"x\":", json!({"_raw_arguments": "{\"x\":"})),
        ("[1]", json!({"_raw_arguments": "[1]"})),
    ] {
        let messages = json!([user(), call(arguments), result()]);
        check(
            NEWER,
            json!({"messages": messages, "tools": tools()}),
            "/messages/1/content/0/input",
            expect,
        );
    }
}

#[test]
fn d39_d40_results_share_a_turn_and_schemas_are_objects() {
    let calls = json!({"role": "assistant", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let messages = json!([user(), calls,
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
        {"role": "user", "content": "next"}]);
    let members = json!({"messages": messages, "tools": tools()});
    check(
        NEWER,
        members.clone(),
        "/messages/2/content",
        json!([
            {"type": "tool_result", "tool_use_id": "a", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}]},
            {"type": "tool_result", "tool_use_id": "b", "content": "2"},
            {"type": "text", "text": "next"}
        ]),
    );
    check(NEWER, members, "/tools/0/input_schema/type", json!("object"));
}

#[test]
fn d41_tools_of_responses_keep_their_schema() {
    let tool = json!([{"type": "function", "name": "f", "strict": true,
        "parameters": {"type": "object", "properties": {}, "additionalProperties": false}}]);
    check(NEWER, json!({"tools": tool}), "/tools/0/strict", json!(true));
    check(NEWER, json!({"tools": tool}), "/tools/0/input_schema/type", json!("object"));
}

#[test]
fn moderation_is_the_same_in_both_of_openais_dialects_and_lost_elsewhere() {
    let body = json!({"model": "m", "messages": [user()], "moderation": {"model": "omni"}});
    let bytes = serde_json::to_vec(&body).unwrap();
    let options = Options::default();
    for (dialect, model, passed) in
        [(Dialect::OpenaiResponses, "gpt-5.6", true), (Dialect::Anthropic, NEWER, false)]
    {
        let facts = FactsTable::embedded().lookup(model);
        let target = Target { dialect, model, facts: &facts, options: &options };
        let extra = RequestExtra::default();
        let out = translate_request(Dialect::OpenaiChat, &bytes, &extra, &target).unwrap();
        let body: Value = serde_json::from_slice(&out.body).unwrap();
        assert_eq!(body["moderation"]["model"] == "omni", passed, "{body}");
        assert_eq!(out.losses.is_empty(), passed);
    }
}
