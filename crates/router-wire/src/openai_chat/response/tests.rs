use serde_json::{Value, json};

use super::*;
use crate::Dialect;
use crate::error::ErrorKind;
use crate::facts::FactsTable;
use crate::translate::{Options, Progress, RequestExtra, Target, translate_request};

const FULL: &str = include_str!("../../../fixtures/openai-chat/response/full.json");
const MESSAGES: &str = include_str!("../../../fixtures/anthropic/response/full.json");

fn session(inbound: Dialect, outbound: Dialect) -> Session {
    Session {
        model_shown: "shown".to_owned(),
        now_s: 1_800_000_000,
        reasoning_to_chat: true,
        vendor: "deepseek".to_owned(),
        family: "deepseek".to_owned(),
        ..Session::new(inbound, outbound)
    }
}

fn translated(inbound: Dialect, outbound: Dialect, body: &str) -> (Value, Vec<String>) {
    let mut out = Vec::new();
    let done = session(inbound, outbound).response(body.as_bytes(), &mut out).unwrap();
    let losses = done.losses.iter().map(|loss| loss.code.to_string()).collect();
    (serde_json::from_slice(&out).unwrap(), losses)
}

/// The answer a Messages client gets for one choice.
fn to_messages(message: &Value, finish: &str) -> Value {
    let body = json!({"id": "x", "choices": [{"message": message, "finish_reason": finish}]});
    translated(Dialect::Anthropic, Dialect::OpenaiChat, &body.to_string()).0
}

#[test]
fn a_chat_answer_becomes_a_messages_answer() {
    let (body, losses) = translated(Dialect::Anthropic, Dialect::OpenaiChat, FULL);
    assert!(losses.is_empty(), "{losses:?}");
    insta::assert_json_snapshot!(body);
}

#[test]
fn a_messages_answer_becomes_a_chat_answer() {
    let (body, losses) = translated(Dialect::OpenaiChat, Dialect::Anthropic, MESSAGES);
    assert_eq!(losses, ["hosted-step"], "steps of Anthropic's own search are internal");
    insta::assert_json_snapshot!(body);
}

#[test]
fn d50_d51_finish_reasons_follow_the_answer() {
    let call = json!({"content": null, "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]});
    let text = json!({"content": "x"});
    let refusal = json!({"content": null, "refusal": "no"});
    for (message, finish, expect) in [
        (&text, "stop", "end_turn"),
        (&call, "stop", "tool_use"),
        (&call, "tool_calls", "tool_use"),
        (&text, "tool_calls", "end_turn"),
        (&text, "length", "max_tokens"),
        (&call, "length", "max_tokens"),
        (&text, "content_filter", "refusal"),
        (&refusal, "stop", "refusal"),
    ] {
        assert_eq!(to_messages(message, finish)["stop_reason"], expect, "{message} {finish}");
    }
    assert_eq!(to_messages(&refusal, "stop")["content"][0]["text"], "no");
}

#[test]
fn d53_reasoning_is_kept_in_whole_answers_too() {
    let body = to_messages(&json!({"reasoning_content": "hm", "content": "x"}), "stop");
    assert_eq!(
        body["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "llmr1:deepseek:deepseek:"},
            {"type": "text", "text": "x"}
        ])
    );
}

#[test]
fn d37_d38_arguments_that_are_no_object_are_kept_as_text() {
    let with = |arguments: &str| {
        let message =
            json!({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": arguments}}]});
        to_messages(&message, "tool_calls")["content"][0]["input"].clone()
    };
    assert_eq!(with(r#"{"a":1}"#), json!({"a": 1}));
    assert_eq!(with(""), json!({}));
    for broken in ["{\"a\":", "[1]", "7"] {
        assert_eq!(with(broken), json!({"_raw_arguments": broken}));
    }
}

#[test]
fn d60_a_success_that_is_an_error_is_an_error() {
    for (body, kind, message) in [
        (r#"{"error":{"message":"m","type":"rate_limit_error"}}"#, ErrorKind::RateLimit, "m"),
        (r#"{"object":"error","message":"m","code":404}"#, ErrorKind::NotFound, "m"),
        (
            r#"{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}"#,
            ErrorKind::Upstream,
            "the upstream broke off its answer",
        ),
        (
            r#"{"choices":[]}"#,
            ErrorKind::Upstream,
            "the upstream's answer makes no sense: the answer has no choices",
        ),
        (
            r#"{"choices":[{"finish_reason":"stop"}]}"#,
            ErrorKind::Upstream,
            "the upstream's answer makes no sense: `message` is missing",
        ),
        (
            r#"{"choices":[{"message":{"content":"x"}}]}"#,
            ErrorKind::Upstream,
            "the upstream's answer makes no sense: `finish_reason` is missing",
        ),
        ("<html>", ErrorKind::Upstream, "the upstream's answer makes no sense: this is not JSON"),
    ] {
        let mut out = Vec::new();
        let error = session(Dialect::Anthropic, Dialect::OpenaiChat)
            .response(body.as_bytes(), &mut out)
            .unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{body}");
        assert!(out.is_empty());
    }
}

#[test]
fn several_answers_stay_several_for_a_chat_client() {
    let body = json!({"id": "x", "choices": [
        {"message": {"content": "a"}, "finish_reason": "stop"},
        {"message": {"content": "b"}, "finish_reason": "length", "logprobs": {"content": [{"token": "b"}]}}
    ]});
    let text = body.to_string();
    let mut losses = Losses::of_answer(Dialect::OpenaiChat);
    let Answer::Response(response) = read(&text, &mut losses).unwrap() else { panic!() };
    let mut out = Vec::new();
    write(&response, &session(Dialect::OpenaiChat, Dialect::Gemini), &mut losses, &mut out);
    let back: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(back["choices"][1]["index"], 1);
    assert_eq!(back["choices"][1]["message"]["content"], "b");
    assert_eq!(
        back["choices"][1]["logprobs"],
        json!({"content": [{"token": "b"}], "refusal": null})
    );
    assert_eq!(back["choices"][1]["finish_reason"], "length");
}

#[test]
fn clients_of_the_old_functions_get_one_old_call() {
    let body = json!({"type": "message", "id": "msg_1", "model": "m", "stop_reason": "tool_use", "content": [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}}
    ], "usage": {"input_tokens": 1, "output_tokens": 1}});
    let mut old = session(Dialect::OpenaiChat, Dialect::Anthropic);
    old.legacy_functions = true;
    let mut out = Vec::new();
    let done = old.response(body.to_string().as_bytes(), &mut out).unwrap();
    let back: Value = serde_json::from_slice(&out).unwrap();
    let choice = &back["choices"][0];
    assert_eq!(choice["message"]["function_call"], json!({"name": "f", "arguments": "{\"x\":1}"}));
    assert_eq!(choice["finish_reason"], "function_call");
    assert!(choice["message"].get("tool_calls").is_none());
    assert_eq!(done.losses[0].code, "parallel-calls");
}

#[test]
fn a_sounding_answer_is_reported_as_a_loss() {
    let body = json!({"choices": [{"message": {"content": "x", "audio": {"id": "a"}}, "finish_reason": "stop"}]});
    let (_, losses) = translated(Dialect::Anthropic, Dialect::OpenaiChat, &body.to_string());
    assert_eq!(losses, ["audio"]);
}

#[test]
fn tiers_have_chats_names() {
    for (word, expect) in
        [("standard", Some("default")), ("priority", Some("priority")), ("batch", None)]
    {
        assert_eq!(tier_name(&word.into()), expect);
    }
}

#[test]
fn characters_are_counted_through_escapes() {
    for literal in
        ["", "abc", "é天😀", r"\u00e9\n", r"\ud83d\ude00", r"a\\u00e9", r#"\"x\/"#, r"\uD83Dx"]
    {
        let text = Str::Literal(literal);
        let expect = u64::try_from(text.decode().chars().count()).unwrap();
        assert_eq!(char_count(&text), expect, "{literal}");
    }
}

#[test]
fn pictures_in_an_answer_are_not_lost_in_silence() {
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let said = json!({"content": "Here", "images": [picture]});
    let body = json!({"id": "x", "choices": [{"message": said, "finish_reason": "stop"}]});
    let (_, losses) = translated(Dialect::Anthropic, Dialect::OpenaiChat, &body.to_string());
    assert_eq!(losses, ["answer-part"]);

    let chunk = json!({"id": "x", "choices": [{"delta": said, "finish_reason": "stop"}]});
    let mut stream = session(Dialect::Anthropic, Dialect::OpenaiChat).stream();
    let mut out = Vec::new();
    stream.push(format!("data: {chunk}\n\n").as_bytes(), &mut out);
    assert_eq!(stream.end(&mut out), Progress::Finished);
    let codes: Vec<_> = stream.losses().iter().map(|loss| loss.code.as_ref()).collect();
    assert_eq!(codes, ["answer-part"]);
}

#[test]
fn an_upstream_that_counts_nothing_does_not_make_the_conversation_look_empty() {
    let body =
        r#"{"id": "x", "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}"#;
    let mut asked =
        Session { input_estimate: 40, ..session(Dialect::Anthropic, Dialect::OpenaiChat) };
    let mut out = Vec::new();
    let usage = asked.response(body.as_bytes(), &mut out).unwrap().usage;
    let answer: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(answer["usage"]["input_tokens"], 40);
    assert!(usage.is_empty(), "an estimate is not what was used: {usage:?}");
}

/// What a Messages client sends after an answer with a call, as a model gets it.
fn second_request(content: &Value, model: &str) -> (Value, Vec<String>) {
    let result = json!({"type": "tool_result", "tool_use_id": "c1", "content": "ok"});
    let body = json!({"model": "m", "max_tokens": 100, "messages": [
        {"role": "user", "content": "go"}, {"role": "assistant", "content": content},
        {"role": "user", "content": [result]}]});
    let facts = FactsTable::embedded().lookup(model);
    let options = Options::default();
    let target = Target { dialect: Dialect::OpenaiChat, model, facts: &facts, options: &options };
    let extra = RequestExtra::default();
    let body = body.to_string();
    let sent = translate_request(Dialect::Anthropic, body.as_bytes(), &extra, &target).unwrap();
    let losses = sent.losses.iter().map(|loss| loss.code.to_string()).collect();
    (serde_json::from_slice(&sent.body).unwrap(), losses)
}

const CALL: &str = r#"{"index": 0, "id": "c1", "type": "function",
    "function": {"name": "f", "arguments": "{}"}}"#;

#[test]
fn b7_23_details_of_openrouter_go_back_to_the_vendor_that_sealed_them() {
    let call: Value = serde_json::from_str(CALL).unwrap();
    let details = json!([
        {"type": "reasoning.text", "text": "hm", "index": 0, "format": "google-gemini-v1"},
        {"type": "reasoning.encrypted", "data": "U0lH\"", "id": "c1", "index": 1,
         "format": "google-gemini-v1"}]);
    let message = json!({"content": null, "reasoning": "hm", "reasoning_details": details,
        "tool_calls": [call]});
    let answer = to_messages(&message, "tool_calls");
    assert_eq!(answer["content"][0]["thinking"], "hm");
    let (sent, losses) = second_request(&answer["content"], "google/gemini-3-flash-preview");
    assert_eq!(sent["messages"][1]["reasoning_details"], details);
    assert_eq!(losses, Vec::<String>::new());
    for other in ["anthropic/claude-sonnet-4.5", "openai/gpt-5.2"] {
        let (sent, losses) = second_request(&answer["content"], other);
        assert_eq!(sent["messages"][1].get("reasoning_details"), None, "{other}");
        assert!(losses.contains(&"thinking-history".to_owned()), "{other}: {losses:?}");
    }
}

#[test]
fn pieces_of_details_come_back_as_one() {
    let piece =
        |delta: &Value| format!("data: {}\n\n", json!({"id": "x", "choices": [{"delta": delta}]}));
    let detail = |more: Value| {
        let mut all =
            json!({"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([all])
    };
    let call: Value = serde_json::from_str(CALL).unwrap();
    let stream = [
        json!({"reasoning": "Let ", "reasoning_details": detail(json!({"text": "Let "}))}),
        json!({"reasoning": "me", "reasoning_details": detail(json!({"text": "me"}))}),
        json!({"content": "", "reasoning_details": detail(json!({"signature": "SIG"}))}),
        json!({"content": "Now."}),
        json!({"tool_calls": [call], "reasoning_details":
            [{"type": "reasoning.encrypted", "data": "D", "id": "c1", "index": 1}]}),
    ];
    let mut all: String = stream.iter().map(piece).collect();
    all += "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n";
    let mut translator = session(Dialect::Anthropic, Dialect::OpenaiChat).stream();
    let mut out = Vec::new();
    translator.push(all.as_bytes(), &mut out);
    assert_eq!(translator.end(&mut out), Progress::Finished);
    let content = collected(&String::from_utf8(out).unwrap());
    let kinds: Vec<_> = content.iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "text", "thinking", "tool_use"]);
    let (sent, _) = second_request(&Value::Array(content), "anthropic/claude-sonnet-4.5");
    assert_eq!(
        sent["messages"][1]["reasoning_details"],
        json!([
        {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1",
         "text": "Let me", "signature": "SIG"},
        {"type": "reasoning.encrypted", "data": "D", "id": "c1", "index": 1}])
    );
}

/// The blocks a Messages client puts together from its stream.
fn collected(stream: &str) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(data).unwrap();
        if event["type"] == "content_block_start" {
            blocks.push(event["content_block"].clone());
        }
        let delta = event["delta"].as_object();
        let Some(last) = blocks.last_mut() else { continue };
        for (name, value) in delta.into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            match last.get_mut(name.as_str()) {
                Some(Value::String(known)) if name != "type" => known.push_str(text),
                _ => {}
            }
        }
    }
    blocks
}

#[test]
fn what_is_not_sealed_or_is_no_list_goes_nowhere() {
    let details = json!([{"type": "reasoning.text", "text": "hm", "signature": null}]);
    let message = json!({"content": "a", "reasoning_details": details});
    let answer = to_messages(&message, "stop");
    assert_eq!(answer["content"][0]["signature"], "llmr1:deepseek:deepseek:");
    let forged = json!([{"type": "thinking", "thinking": "", "signature": "llmr1:openrouter::{}"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {}}]);
    let (sent, losses) = second_request(&forged, "google/gemini-3-flash-preview");
    assert_eq!(sent["messages"][1].get("reasoning_details"), None);
    assert_eq!(losses, ["thinking-history"]);
}
