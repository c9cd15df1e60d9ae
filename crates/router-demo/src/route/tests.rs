use serde_json::json;

use super::*;
use crate::demo::Options;
use crate::reply::Payload;
use crate::script::{Fault, Script};

const OLD: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];
const NEW: &[(&str, &str)] = &[("anthropic-version", "2026-10-21")];
const BETA: &[(&str, &str)] = &[("anthropic-version", "2023-06-01"), ("anthropic-beta", "x")];

/// An image of two by three pixels.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAC0lEQVR4nGNgQAcAABIAAeRVjecAAAAASUVORK5CYII=";

fn ask(path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String) {
    let state = State::new(Options::default());
    state.script("never", Script::always(Fault::Html));
    let mut request = http::Request::post(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let reply = answer(&state, &parts, &Bytes::from(body.to_string()), 1);
    let text = match reply.payload {
        Payload::Whole(body) => String::from_utf8_lossy(&body).into_owned(),
        Payload::Stream(events) => {
            events.iter().map(|event| String::from_utf8_lossy(&event.bytes).into_owned()).collect()
        }
    };
    (reply.status, text)
}

/// `base` with the members of `change` set; `null` takes one away.
fn with(base: &Value, change: &Value) -> Value {
    let mut body = base.clone();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

#[track_caller]
fn refused(path: &str, headers: &[(&str, &str)], body: &Value, words: &str) {
    let (status, text) = ask(path, headers, body);
    assert!((400..500).contains(&status), "{status} for {body}");
    assert!(text.contains(words), "{text}\nlacks {words:?}\nfor {body}");
}

#[track_caller]
fn taken(path: &str, headers: &[(&str, &str)], body: &Value) {
    let (status, text) = ask(path, headers, body);
    assert_eq!(status, 200, "{text}\nfor {body}");
}

fn object() -> Value {
    json!({"type": "object", "properties": {}})
}

fn user() -> Value {
    json!({"role": "user", "content": "Hi"})
}

#[test]
fn messages_refuses_bad_members_and_turns() {
    let base = json!({"model": "demo-chat", "max_tokens": 5000, "messages": [user()]});
    let tool = json!({"name": "t", "input_schema": object()});
    let used = json!({"role": "assistant", "content": [
        {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}]});
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"});
    let cases = [
        (json!({"max_tokens": null}), "max_tokens: Field required"),
        (json!({"foo": 1}), "foo: Extra inputs are not permitted"),
        (json!({"n": 2}), "n: Extra inputs are not permitted"),
        (json!({"context_management": {}}), "context_management: Extra inputs"),
        (json!({"temperature": 1.5}), "temperature: Input should be less than or equal to 1"),
        (json!({"max_tokens": 999_999}), "which is the maximum allowed number of output tokens"),
        (json!({"messages": []}), "at least one message"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages.0.role"),
        (json!({"messages": [{"role": "assistant", "content": "x"}]}), "first message must use"),
        (json!({"messages": [{"role": "user", "content": ""}]}), "must have non-empty content"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}),
            "text content blocks must be non-empty",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}]}),
            "messages.0.content.0.text.x: Extra inputs",
        ),
        (json!({"system": [{"type": "text", "text": " "}]}), "non-whitespace text"),
        (
            json!({"messages": [user(), {"role": "assistant", "content": "x "}]}),
            "trailing whitespace",
        ),
        (json!({"tools": [tool], "messages": [user(), used]}), "without `tool_result` blocks"),
        (
            json!({"tools": [tool], "messages": [user(), used, user()]}),
            "without `tool_result` blocks",
        ),
        (
            json!({"tools": [tool], "messages": [{"role": "user", "content": [result]}]}),
            "unexpected `tool_use_id`",
        ),
        (
            json!({"tools": [tool], "messages": [user(), used, {"role": "user", "content":
            [{"type": "text", "text": "first"}, result]}]}),
            "immediately after",
        ),
        (
            json!({"messages": [user(), used, {"role": "user", "content": [result]}]}),
            "must define tools",
        ),
    ];
    for (change, words) in cases {
        refused("/v1/messages", OLD, &with(&base, &change), words);
    }
    refused("/v1/messages", &[], &base, "anthropic-version: header is required");
    refused("/v1/messages", NEW, &with(&base, &json!({"top_p": 0.5})), "top_p: Extra inputs");
    let next = json!({"thread": {"type": "continue", "previous_message_id": "m"}});
    refused("/v1/messages", BETA, &with(&base, &next), "thread_not_found");
}

#[test]
fn messages_refuses_bad_tools_marks_thinking_and_media() {
    let base = json!({"model": "demo-chat", "max_tokens": 5000, "messages": [user()]});
    let tool = json!({"name": "t", "input_schema": object()});
    let mark = json!({"type": "ephemeral"});
    let hour = json!({"type": "ephemeral", "ttl": "1h"});
    let text = |mark: &Value| json!({"type": "text", "text": "a", "cache_control": mark});
    let image = |kind: &str, data: &str| {
        json!([{"role": "user", "content": [{"type": "image", "source":
            {"type": "base64", "media_type": kind, "data": data}}]}])
    };
    let cases = [
        (json!({"tools": [tool, tool]}), "Tool names must be unique"),
        (
            json!({"tools": [{"name": "a b", "input_schema": object()}]}),
            "String should match pattern",
        ),
        (
            json!({"tools": [{"name": "a", "input_schema": {}}]}),
            "input_schema.type: Field required",
        ),
        (json!({"tool_choice": {"type": "auto"}}), "while providing `tools`"),
        (
            json!({"tools": [tool], "tool_choice": {"type": "tool", "name": "x"}}),
            "not found in provided",
        ),
        (json!({"system": vec![text(&mark); 5]}), "A maximum of 4 blocks"),
        (json!({"system": [text(&mark), text(&hour)]}), "must not come after a ttl='5m'"),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 1000}}),
            "greater than or equal to 1024",
        ),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 5000}}), "must be greater than"),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}, "temperature": 0.5}),
            "may only be set to 1",
        ),
        (
            json!({"messages": [user(), {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "x", "signature": "y"}]}, user()]}),
            "Invalid `signature`",
        ),
        (json!({"messages": image("image/png", "!!")}), "Invalid base64"),
        (json!({"messages": image("image/jpeg", PNG)}), "appears to be a image/png"),
        (json!({"messages": image("image/bmp", PNG)}), "media_type"),
        (json!({"model": "demo-reasoner", "temperature": 0.5}), "temperature: Extra inputs"),
        (
            json!({"model": "demo-reasoner", "thinking": {"type": "enabled", "budget_tokens": 2000}}),
            "is not supported for this model",
        ),
        (
            json!({"model": "demo-reasoner", "messages": [user(), {"role": "assistant", "content": "x"}]}),
            "does not support assistant message prefill",
        ),
        (
            json!({"model": "demo-classic", "thinking": {"type": "adaptive"}}),
            "adaptive thinking is not",
        ),
        (
            json!({"model": "demo-classic", "messages": [{"role": "system", "content": "x"}, user()]}),
            "Unexpected role",
        ),
        (
            json!({"model": "demo-small", "max_tokens": 9, "messages": [
            {"role": "user", "content": "word ".repeat(9000)}]}),
            "prompt is too long",
        ),
        (json!({"model": "nobody"}), "not_found_error"),
    ];
    for (change, words) in cases {
        refused("/v1/messages", OLD, &with(&base, &change), words);
    }
}

#[test]
fn chat_refuses_what_the_real_api_refuses() {
    let base = json!({"model": "demo-chat", "messages": [user()]});
    let function = |name: &str, schema: Value| json!([{"type": "function", "function": {"name": name, "parameters": schema}}]);
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "t", "arguments": "{}"}}]});
    let loose = json!({"type": "json_schema", "json_schema": {"name": "x", "strict": true,
        "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}});
    let image = |url: &str| json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]);
    let cases = [
        (json!({"messages": null}), "missing_required_parameter"),
        (json!({"messages": []}), "empty_array"),
        (json!({"foo": 1}), "Unknown parameter: 'foo'."),
        (json!({"top_k": 1}), "Unknown parameter: 'top_k'."),
        (
            json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "x", "cache_control": {}}]}]}),
            "Unknown parameter: 'messages[0].content[0].cache_control'.",
        ),
        (json!({"messages": [{"role": "bot", "content": "x"}]}), "Invalid value: 'bot'"),
        (json!({"messages": [{"role": "assistant", "content": null}, user()]}), "got null"),
        (json!({"messages": [user(), call]}), "did not have response messages: c1"),
        (json!({"messages": [user(), call, user()]}), "did not have response messages: c1"),
        (
            json!({"messages": [user(), {"role": "tool", "tool_call_id": "c1", "content": "x"}]}),
            "must be a response to a preceeding message",
        ),
        (json!({"max_tokens": 1, "max_completion_tokens": 1}), "at the same time"),
        (json!({"stop": ["1", "2", "3", "4", "5"]}), "array too long"),
        (json!({"tool_choice": "required"}), "only allowed when 'tools' are specified"),
        (json!({"stream_options": {"include_usage": true}}), "only allowed when 'stream'"),
        (json!({"tools": function(&"x".repeat(65), object())}), "maximum length 64"),
        (json!({"tools": function("a b", object())}), "does not match pattern"),
        (json!({"tools": function("a", json!({}))}), "invalid_function_parameters"),
        (json!({"response_format": loose}), "'additionalProperties' is required"),
        (json!({"response_format": {"type": "json_object"}}), "must contain the word 'json'"),
        (json!({"messages": image("data:image/png;base64,!!")}), "invalid_base64"),
        (json!({"messages": image("data:image/png;base64,QUJD")}), "invalid_image_format"),
        (json!({"model": "demo-reasoner", "max_tokens": 5}), "Use 'max_completion_tokens' instead"),
        (json!({"model": "demo-reasoner", "temperature": 0}), "Only the default (1) value"),
        (json!({"model": "demo-reasoner", "reasoning_effort": "minimal"}), "unsupported_value"),
        (json!({"model": "demo-classic", "reasoning_effort": "low"}), "unsupported_parameter"),
        (
            json!({"model": "demo-frontier", "reasoning_effort": "low", "tools": function("a", object())}),
            "Please use /v1/responses",
        ),
        (
            json!({"model": "demo-small", "messages": [
            {"role": "user", "content": "word ".repeat(9000)}]}),
            "context_length_exceeded",
        ),
        (json!({"model": "nobody"}), "model_not_found"),
    ];
    for (change, words) in cases {
        refused("/v1/chat/completions", &[], &with(&base, &change), words);
    }
    let tools = function("t", object());
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": "x"});
    let turns =
        json!({"model": "demo-deepthink", "tools": tools, "messages": [user(), call, result]});
    refused("/v1/chat/completions", &[], &turns, "Missing `reasoning_content`");
    taken("/v1/chat/completions", &[], &with(&turns, &json!({"model": "demo-chat"})));
}

#[test]
fn responses_refuses_what_the_real_api_refuses() {
    let base = json!({"model": "demo-chat", "input": "Hi"});
    let call = json!({"type": "function_call", "call_id": "c", "name": "t", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "x"});
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": []});
    let sealed = json!({"type": "reasoning", "summary": [], "encrypted_content": "foreign"});
    let cases = [
        (json!({"input": null}), "Missing required parameter: 'input'."),
        (json!({"messages": []}), "Unknown parameter: 'messages'."),
        (json!({"max_output_tokens": 1}), "Expected a value >= 16"),
        (json!({"input": [call]}), "No tool output found for function call c"),
        (json!({"input": [output]}), "No tool call found"),
        (json!({"input": [thought], "store": false}), "Items are not persisted"),
        (json!({"input": [sealed]}), "invalid_encrypted_content"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "output_text", "text": "x"}]}]}),
            "Invalid value: 'output_text'",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}),
            "Invalid value: 'text'",
        ),
        (json!({"previous_response_id": "resp_x"}), "previous_response_not_found"),
        (json!({"tools": [{"type": "function", "function": {"name": "x"}}]}), "tools[0].name"),
        (json!({"model": "demo-reasoner", "temperature": 0.2}), "unsupported_value"),
        (json!({"include": ["everything"]}), "Invalid value: 'everything'"),
        (json!({"model": "nobody"}), "model_not_found"),
    ];
    for (change, words) in cases {
        refused("/v1/responses", &[], &with(&base, &change), words);
    }
}

#[test]
fn gemini_refuses_what_the_real_api_refuses() {
    let base = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "t", "args": {}}}]});
    let answer = json!({"role": "user", "parts": [
        {"functionResponse": {"name": "t", "response": {"result": "x"}}}]});
    let hi = json!({"role": "user", "parts": [{"text": "Hi"}]});
    let declare = |name: &str| json!([{"functionDeclarations": [{"name": name}]}]);
    let cases = [
        (json!({"contents": null}), "contents is not specified"),
        (json!({"foo": 1}), "Unknown name \\\"foo\\\""),
        (json!({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}), "TYPE_ENUM"),
        (json!({"contents": [hi, call, hi]}), "number of function response parts"),
        (json!({"contents": [answer]}), "number of function response parts"),
        (json!({"tools": declare("a b")}), "Invalid function name"),
        (json!({"generationConfig": {"responseSchema": {"type": "STRING"}}}), "response_mime_type"),
        (
            json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "!"}}]}]}),
            "Base64 decoding failed",
        ),
    ];
    for (change, words) in cases {
        refused("/v1beta/models/demo-chat:generateContent", &[], &with(&base, &change), words);
    }
    let round = json!({"contents": [hi, call, answer]});
    let path = "/v1beta/models/demo-reasoner:generateContent";
    refused(path, &[], &round, "missing a thought_signature");
    refused("/v1beta/models/nobody:generateContent", &[], &base, "NOT_FOUND");
    taken("/v1beta/models/demo-chat:generateContent", &[], &round);
    taken(
        "/v1beta/models/demo-chat:generateContent",
        &[],
        &json!({
        "contents": [hi], "system_instruction": {"parts": [{"text": "s"}]},
        "generation_config": {"max_output_tokens": 5}}),
    );
}

#[test]
fn what_real_clients_send_is_taken() {
    let claude_code = json!({
        "model": "claude-fable-5", "stream": true, "max_tokens": 32000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "{\"device_id\":\"d\",\"account_uuid\":\"\",\"session_id\":\"s\"}"},
        "system": [{"type": "text", "text": "x-anthropic-billing-header: a"},
            {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "Bash", "description": "d", "input_schema": object(), "defer_loading": true}],
        "messages": [user(), {"role": "system", "content": "s"}, {"role": "user", "content": [
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}],
    });
    taken("/v1/messages?beta=true", BETA, &claude_code);
    let codex = json!({
        "model": "gpt-5.5", "stream": true, "store": false, "parallel_tool_calls": true,
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k",
        "reasoning": {"effort": "medium", "summary": "auto"}, "tool_choice": "auto",
        "client_metadata": {"a": "b"},
        "tools": [{"type": "function", "name": "exec_command", "parameters": object()},
            {"type": "namespace", "name": "multi_agent_v1", "tools": [
                {"type": "function", "name": "spawn", "parameters": object()}]},
            {"type": "web_search", "external_web_access": false}],
        "input": [{"type": "message", "role": "developer", "id": "m1", "content": [
                {"type": "input_text", "text": "x"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
            {"type": "reasoning", "summary": [], "content": null,
                "encrypted_content": crate::seal::sign("responses", "")},
            {"type": "function_call", "call_id": "c", "name": "exec_command", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "x"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "y"}]}],
    });
    taken("/v1/responses", &[], &codex);
    taken("/responses", &[], &codex);
    let open_code = json!({
        "model": "demo-chat", "max_tokens": 32000, "stream": true, "tool_choice": "auto",
        "stream_options": {"include_usage": true}, "messages": [user()],
        "tools": [{"type": "function", "function": {"name": "bash", "parameters": object()}}],
    });
    taken("/v1/chat/completions", &[], &open_code);
    let aider = json!({"model": "claude-sonnet-4-5", "temperature": 0, "max_tokens": 4096,
        "messages": [user()]});
    taken("/v1/messages", OLD, &aider);
    let llm = json!({"model": "gpt-4o", "stream": false, "messages": [user()], "response_format":
        {"type": "json_schema", "json_schema": {"name": "o", "schema": object()}}});
    taken("/v1/chat/completions", &[], &llm);
    let gemini_cli = json!({
        "contents": [{"role": "user", "parts": [{"text": "x"}]}],
        "systemInstruction": {"role": "user", "parts": [{"text": "s"}]},
        "tools": [{"functionDeclarations": [{"name": "t", "parametersJsonSchema": object()}]}],
        "generationConfig": {"temperature": 1, "topP": 0.95, "topK": 64,
            "thinkingConfig": {"includeThoughts": true, "thinkingBudget": 8192}},
    });
    taken("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", &[], &gemini_cli);
    for (path, body) in [
        ("/v1/embeddings", json!({"model": "demo-embed", "input": ["a", "b"], "dimensions": 8})),
        ("/v1/completions", json!({"model": "demo-instruct", "prompt": "x", "stream": true})),
        ("/v1beta/models/demo-chat:countTokens", json!({"contents": [{"parts": [{"text": "x"}]}]})),
    ] {
        taken(path, &[], &body);
    }
    let count = json!({"model": "demo-chat", "messages": [user()]});
    taken("/v1/messages/count_tokens", OLD, &count);
}

#[test]
fn every_listed_faulty_model_has_its_fault_and_every_healthy_one_none() {
    for model in crate::FAULTY_MODELS {
        assert!(models::named_fault(model.id).is_some(), "{}", model.id);
        assert!(models::rules(model.id).is_some(), "{}", model.id);
    }
    for model in crate::MODELS {
        assert_eq!(models::named_fault(model.id), None);
        assert!(models::rules(model.id).is_some(), "{}", model.id);
    }
    assert_eq!(models::rules("demo-nothing").map(|rules| rules.context), None);
}

#[test]
fn a_repeated_long_prefix_is_read_from_the_cache() {
    let state = State::new(Options::default());
    let request = http::Request::post("/v1/chat/completions");
    let (parts, ()) =
        request.header("content-type", "application/json").body(()).unwrap().into_parts();
    let cached = |prompt: &str| {
        let body = json!({"model": "demo-chat", "messages": [
            {"role": "system", "content": "word ".repeat(2000)}, {"role": "user", "content": prompt}]});
        let reply = answer(&state, &parts, &Bytes::from(body.to_string()), 1);
        let Payload::Whole(body) = reply.payload else { panic!("a whole answer was asked for") };
        let body: Value = serde_json::from_slice(&body).unwrap();
        let usage = &body["usage"];
        assert!(
            usage["prompt_tokens"].as_u64()
                >= usage["prompt_tokens_details"]["cached_tokens"].as_u64()
        );
        usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap()
    };
    assert_eq!(cached("first"), 0);
    let system_only = cached("second");
    assert!(system_only >= 2000);
    assert!(cached("first") > system_only, "the whole prompt was seen before");
}

#[test]
fn the_config_names_every_model_and_dialect() {
    let config = crate::demo_config_json("http://127.0.0.1:9/", "secret");
    let config: Value = serde_json::from_str(&config).unwrap();
    let provider = &config["providers"][0];
    assert_eq!(provider["baseUrlByFormat"]["openai"], "http://127.0.0.1:9/v1");
    assert_eq!(provider["apiKey"], "secret");
    let count = crate::MODELS.len() + crate::FAULTY_MODELS.len();
    assert_eq!(provider["models"].as_array().unwrap().len(), count);
}

#[test]
fn the_list_has_the_shape_of_the_sdk_that_asks() {
    let state = State::new(Options::default());
    for (header, member) in
        [("accept", "data"), ("anthropic-version", "first_id"), ("x-goog-api-key", "models")]
    {
        for path in ["/v1/models", "/v1/models/demo-chat"] {
            let request = http::Request::get(path).header(header, "2023-06-01").body(()).unwrap();
            let reply = answer(&state, &request.into_parts().0, &Bytes::new(), 1);
            let Payload::Whole(body) = reply.payload else { panic!("a list is no stream") };
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body.get(member).is_some(), path == "/v1/models", "{header} {path} {body}");
        }
    }
}
