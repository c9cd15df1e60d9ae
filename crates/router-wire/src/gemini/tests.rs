use serde_json::{Value, json};

use super::*;
use crate::Dialect;
use crate::canonical::Losses;
use crate::facts::FactsTable;
use crate::translate::{
    Options, Outbound, RequestExtra, Session, Target, TranslateError, translate_request,
};

fn try_translated(
    inbound: Dialect,
    body: &Value,
    outbound: Dialect,
    model: &str,
) -> Result<Outbound, TranslateError> {
    let facts = FactsTable::embedded().lookup(model);
    let options = Options::default();
    let target = Target { dialect: outbound, model, facts: &facts, options: &options };
    translate_request(inbound, body.to_string().as_bytes(), &RequestExtra::default(), &target)
}

#[track_caller]
fn translated(inbound: Dialect, body: &Value, outbound: Dialect, model: &str) -> (Value, Session) {
    let out = try_translated(inbound, body, outbound, model).unwrap();
    (serde_json::from_slice(&out.body).unwrap(), out.session)
}

#[track_caller]
fn answered(session: &mut Session, body: &Value) -> Value {
    let mut out = Vec::new();
    session.response(body.to_string().as_bytes(), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn signatures_of_gemini_survive_five_tool_turns_of_a_messages_client() {
    let mut messages = vec![json!({"role": "user", "content": "go"})];
    let tools = json!([{"name": "read", "input_schema": {"type": "object"}}]);
    let mut signatures: Vec<String> = Vec::new();
    for turn in 0..5 {
        let body = json!({"model": "x", "max_tokens": 1000, "tools": tools, "messages": messages});
        let (sent, mut session) =
            translated(Dialect::Anthropic, &body, Dialect::Gemini, "gemini-3-flash");
        let mut seen = Vec::new();
        for part in sent["contents"].as_array().unwrap().iter().flat_map(|content| {
            content["parts"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|part| part["functionCall"].is_object())
        }) {
            seen.push(part["thoughtSignature"].as_str().map(str::to_owned));
        }
        // The first of two parallel calls is signed for both.
        let expected: Vec<_> =
            signatures.iter().flat_map(|one| [Some(one.clone()), None]).collect();
        assert_eq!(seen, expected, "turn {turn}");
        let signature = format!("U2ln{turn}A==");
        let answer = json!({"candidates": [{"index": 0, "finishReason": "STOP", "content": {"parts": [
            {"text": "thinking", "thought": true},
            {"functionCall": {"name": "read", "args": {"n": turn}}, "thoughtSignature": signature},
            {"functionCall": {"name": "read", "args": {"n": -turn}}},
        ]}}], "responseId": format!("r{turn}")});
        signatures.push(signature);
        let answer = answered(&mut session, &answer);
        assert_eq!(answer["stop_reason"], "tool_use");
        let content = answer["content"].clone();
        let results: Vec<Value> = content
            .as_array()
            .unwrap()
            .iter()
            .filter(|block| block["type"] == "tool_use")
            .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "ok"}))
            .collect();
        assert_eq!(results.len(), 2);
        messages.push(json!({"role": "assistant", "content": content}));
        messages.push(json!({"role": "user", "content": results}));
    }
}

#[test]
fn thinking_of_claude_survives_five_tool_turns_of_a_gemini_client_that_drops_thoughts() {
    let mut contents = vec![json!({"role": "user", "parts": [{"text": "go"}]})];
    for turn in 0..5 {
        let body = json!({"contents": contents,
            "tools": [{"functionDeclarations": [{"name": "read", "parametersJsonSchema": {"type": "object"}}]}],
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 2048, "includeThoughts": true}}});
        let (sent, mut session) =
            translated(Dialect::Gemini, &body, Dialect::Anthropic, "claude-sonnet-4-5");
        assert_eq!(sent["thinking"]["type"], "enabled", "turn {turn}: thinking stays on");
        let thought: Vec<&Value> = sent["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|message| message["content"].as_array())
            .flatten()
            .filter(|block| block["type"] == "thinking" || block["type"] == "redacted_thinking")
            .collect();
        assert_eq!(thought.len(), 2 * turn);
        for (n, pair) in thought.chunks(2).enumerate() {
            assert_eq!(
                *pair[0],
                json!({"type": "thinking", "thinking": format!("thöught {n}"), "signature": format!("Eq{n}+/=")})
            );
            assert_eq!(*pair[1], json!({"type": "redacted_thinking", "data": format!("Em{n}==")}));
        }
        let answer = json!({"id": format!("msg_{turn}"), "type": "message", "role": "assistant",
            "model": "claude", "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 5, "output_tokens": 9},
            "content": [
                {"type": "thinking", "thinking": format!("thöught {turn}"), "signature": format!("Eq{turn}+/=")},
                {"type": "redacted_thinking", "data": format!("Em{turn}==")},
                {"type": "tool_use", "id": format!("toolu_{turn}"), "name": "read", "input": {"n": turn}}]});
        let answer = answered(&mut session, &answer);
        let parts: Vec<Value> = answer["candidates"][0]["content"]["parts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|part| part["thought"] != true)
            .cloned()
            .collect();
        contents.push(json!({"role": "model", "parts": parts}));
        contents.push(json!({"role": "user", "parts": [{"functionResponse":
            {"id": format!("toolu_{turn}"), "name": "read", "response": {"output": "ok"}}}]}));
    }
}

#[test]
fn a_call_no_gemini_made_is_sent_with_the_skip_text_and_a_word_about_it() {
    let body = json!({"model": "x", "max_tokens": 9, "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "q"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b", "content": "2"}]}]});
    for (model, expect) in [("gemini-3-flash", Some(state::SKIP)), ("gemini-2.5-pro", None)] {
        let out = try_translated(Dialect::Anthropic, &body, Dialect::Gemini, model).unwrap();
        let sent: Value = serde_json::from_slice(&out.body).unwrap();
        let parts = &sent["contents"][1]["parts"];
        assert_eq!(parts[0]["thoughtSignature"].as_str(), expect, "{model}");
        assert!(parts[1].get("thoughtSignature").is_none(), "{model}");
        let told = out.losses.iter().any(|loss| loss.code == "thought-signature");
        assert_eq!(told, expect.is_some(), "{model}");
    }
}

#[test]
fn images_in_results_of_tools_stand_where_the_model_takes_them() {
    let body = json!({"model": "x", "max_tokens": 9, "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "q"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [
                {"type": "text", "text": "shot"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]}]}]});
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}});
    let (new, _) = translated(Dialect::Anthropic, &body, Dialect::Gemini, "gemini-3-flash");
    let response = &new["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!(response["response"], json!({"output": "shot"}));
    assert_eq!(response["parts"], json!([image]));
    let (old, _) = translated(Dialect::Anthropic, &body, Dialect::Gemini, "gemini-2.5-flash");
    let parts = &old["contents"][2]["parts"];
    assert_eq!(
        parts[0]["functionResponse"]["response"],
        json!({"output": "shot\n[attached below]"})
    );
    assert_eq!(parts[1], image);
}

#[test]
fn every_level_of_effort_becomes_what_the_model_takes() {
    let level = |name: &str| json!({"thinkingLevel": name});
    let budget = |tokens: u64| json!({"thinkingBudget": tokens});
    for (effort, model, expect) in [
        ("none", "gemini-2.5-flash", budget(0)),
        ("none", "gemini-2.5-pro", budget(512)),
        ("none", "gemini-3-flash", level("MINIMAL")),
        ("minimal", "gemini-2.5-flash", budget(512)),
        ("minimal", "gemini-3-flash", level("MINIMAL")),
        ("minimal", "gemini-3-pro", level("LOW")),
        ("low", "gemini-2.5-pro", budget(2048)),
        ("low", "gemini-3-pro", level("LOW")),
        ("medium", "gemini-2.5-pro", budget(8192)),
        ("medium", "gemini-3-flash", level("MEDIUM")),
        ("medium", "gemini-3-pro", level("LOW")),
        ("high", "gemini-2.5-pro", budget(16_384)),
        ("high", "gemini-3-pro", level("HIGH")),
        ("xhigh", "gemini-2.5-flash", budget(24_576)),
        ("max", "gemini-3-flash", level("HIGH")),
        ("high", "gemini-2.0-flash", Value::Null),
    ] {
        let body = json!({"model": "x", "reasoning_effort": effort,
            "messages": [{"role": "user", "content": "q"}]});
        let (sent, _) = translated(Dialect::OpenaiChat, &body, Dialect::Gemini, model);
        let mut config = sent["generationConfig"]["thinkingConfig"].clone();
        if let Some(members) = config.as_object_mut() {
            // Chat clients see the thinking unless the operator says otherwise.
            members.remove("includeThoughts");
        }
        let config = if config == json!({}) { Value::Null } else { config };
        assert_eq!(config, expect, "{effort} for {model}");
    }
}

#[test]
fn thinking_of_a_gemini_client_becomes_what_other_models_take() {
    for (asked, outbound, model, at, expect) in [
        (
            json!({"thinkingBudget": 0}),
            Dialect::OpenaiChat,
            "gpt-5.2",
            "/reasoning_effort",
            json!("none"),
        ),
        (
            json!({"thinkingBudget": -1}),
            Dialect::OpenaiChat,
            "gpt-5.2",
            "/reasoning_effort",
            Value::Null,
        ),
        (
            json!({"thinkingLevel": "HIGH"}),
            Dialect::OpenaiChat,
            "gpt-5.2",
            "/reasoning_effort",
            json!("high"),
        ),
        (
            json!({"thinkingLevel": "XHIGH"}),
            Dialect::OpenaiResponses,
            "gpt-5.2",
            "/reasoning/effort",
            json!("xhigh"),
        ),
        (
            json!({"thinkingLevel": "LOW"}),
            Dialect::Anthropic,
            "claude-opus-4-7",
            "/output_config/effort",
            json!("low"),
        ),
        (
            json!({"thinkingBudget": 4000}),
            Dialect::Anthropic,
            "claude-sonnet-4-5",
            "/thinking/budget_tokens",
            json!(4000),
        ),
        (
            json!({"thinkingBudget": 0}),
            Dialect::Anthropic,
            "claude-sonnet-4-5",
            "/thinking/type",
            json!("disabled"),
        ),
    ] {
        let body = json!({"contents": [{"parts": [{"text": "q"}]}],
            "generationConfig": {"thinkingConfig": asked}});
        let (sent, _) = translated(Dialect::Gemini, &body, outbound, model);
        assert_eq!(sent.pointer(at).unwrap_or(&Value::Null), &expect, "{asked} for {model}");
    }
}

#[test]
fn base64_for_urls_becomes_standard_base64() {
    for (sent, expect) in [("-_8A", "+/8A"), ("_w==", "/w=="), ("+/8A", "+/8A")] {
        let body = json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": sent}}]}]});
        let (out, _) = translated(Dialect::Gemini, &body, Dialect::Anthropic, "claude-sonnet-4-5");
        assert_eq!(out["messages"][0]["content"][0]["source"]["data"], expect);
    }
}

#[test]
fn top_k_never_reaches_a_chat_upstream() {
    let body = json!({"contents": [{"parts": [{"text": "q"}]}], "generationConfig": {"topK": 64}});
    let out = try_translated(Dialect::Gemini, &body, Dialect::OpenaiChat, "gpt-4o").unwrap();
    assert!(!String::from_utf8(out.body).unwrap().contains("top_k"));
    assert!(out.losses.iter().any(|loss| loss.path == "generationConfig.topK"));
}

#[test]
fn results_mixed_with_text_keep_their_pairing() {
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {}}});
    let result = |name: &str, text: &str| json!({"functionResponse": {"name": name, "response": {"output": text}}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [{"text": "both"}, call("a"), call("b"), call("a")]},
        {"role": "user", "parts": [{"text": "first"}, result("b", "B"), result("a", "A1"), {"text": "last"}, result("a", "A2")]}]});
    let (sent, _) = translated(Dialect::Gemini, &body, Dialect::OpenaiChat, "gpt-4o");
    let messages = sent["messages"].as_array().unwrap();
    let calls = messages[1]["tool_calls"].as_array().unwrap();
    for (at, text) in [(0, "A1"), (1, "B"), (2, "A2")] {
        assert_eq!(messages[2 + at]["tool_call_id"], calls[at]["id"]);
        assert_eq!(messages[2 + at]["content"], text);
    }
    assert_eq!(messages[5]["role"], "user");
}

#[test]
fn names_are_shortened_and_come_back() {
    let long = format!("mcp.server/{}", "x".repeat(80));
    let body = json!({"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}],
        "tools": [{"name": long, "input_schema": {"type": "object"}}]});
    let (sent, mut session) =
        translated(Dialect::Anthropic, &body, Dialect::Gemini, "gemini-2.5-pro");
    let name = &sent["tools"][0]["functionDeclarations"][0]["name"];
    assert!(name.as_str().unwrap().len() <= 64);
    let answer = json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [
        {"functionCall": {"name": name, "args": {}}}]}}], "responseId": "r"});
    assert_eq!(answered(&mut session, &answer)["content"][0]["name"], json!(long));
}

#[test]
fn tokens_are_counted_in_both_forms() {
    let plain = r#"{"contents":[{"parts":[{"text":"q"}]}]}"#;
    let nested = r#"{"generateContentRequest":{"model":"models/g","contents":[{"parts":[{"text":"q"}]}],"systemInstruction":{"parts":[{"text":"s"}]}}}"#;
    let extra = RequestExtra { model: Some("models/m"), ..RequestExtra::default() };
    for (body, turns) in [(plain, 1), (nested, 2)] {
        let request = count::read(body, &extra).unwrap();
        assert_eq!(request.turns.len(), turns);
        assert_eq!(request.model, *"m");
    }
    let facts = FactsTable::embedded().lookup("gemini-2.5-pro");
    let options = Options::default();
    let target = Target {
        dialect: Dialect::Gemini,
        model: "gemini-2.5-pro",
        facts: &facts,
        options: &options,
    };
    let mut out = Vec::new();
    let request = count::read(nested, &extra).unwrap();
    count::write(&request, &target, &mut Losses::new(Dialect::Gemini), &mut out).unwrap();
    let sent: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(sent["generateContentRequest"]["model"], "models/gemini-2.5-pro");
    assert_eq!(sent["generateContentRequest"]["contents"][0]["parts"][0]["text"], "q");
    let mut answer = Vec::new();
    count::write_answer(31, &mut answer);
    assert_eq!(count::read_answer(std::str::from_utf8(&answer).unwrap()).unwrap(), 31);
    assert!(count::read_answer("{}").is_err() && count::read("{}", &extra).is_err());
}

#[test]
fn a_stream_of_several_answers_is_asked_for_whole() {
    for stream in [false, true] {
        let body = json!({"model": "x", "n": 2, "stream": stream, "messages": [{"role": "user", "content": "q"}]});
        let outbound =
            try_translated(Dialect::OpenaiChat, &body, Dialect::Gemini, "gemini-2.5-pro").unwrap();
        assert!(!outbound.stream);
        assert_eq!(outbound.session.stream, stream);
        let sent: Value = serde_json::from_slice(&outbound.body).unwrap();
        assert_eq!(sent["generationConfig"]["candidateCount"], 2);
    }
}

#[test]
fn names_of_members_and_models_are_read_in_every_spelling() {
    for (key, expect) in [("topK", "topK"), ("top_k", "topK"), ("a_b_c", "aBC"), ("_x", "_x")] {
        assert_eq!(camel(key), expect);
    }
    assert_eq!(bare_model("models/gemini-3-pro"), "gemini-3-pro");
    assert_eq!(bare_model("team/alias"), "team/alias");
}

#[test]
fn bad_numbers_are_named_and_good_ones_read() {
    for (json, expect) in [("7", Some(7)), ("\"7\"", Some(7)), ("null", None), ("7.0", Some(7))] {
        assert_eq!(number::<u64>(&mut Cursor::new(json)).unwrap(), expect, "{json}");
    }
    for json in ["\"x\"", "-1", "7.5", "{}", "\"-1\"", "true"] {
        assert!(number::<u64>(&mut Cursor::new(json)).is_err(), "{json}");
    }
}

/// Bodies with everything in them.
const BODIES: [&str; 4] = [
    include_str!("../../fixtures/gemini/request/gemini_cli.json"),
    include_str!("../../fixtures/gemini/request/tools_google_schema.json"),
    include_str!("../../fixtures/gemini/response/grounded.json"),
    include_str!("../../fixtures/gemini/response/list.json"),
];

fn read_all(body: &str) {
    let _ = request::read(body, &RequestExtra::default());
    let _ = count::read(body, &RequestExtra::default());
    let _ = response::read(body, &mut Losses::of_answer(Dialect::Gemini));
    let _ = stream::Reader::default().event("", body, &mut |_| {});
}

#[test]
fn a_body_cut_anywhere_is_an_error_and_no_panic() {
    for body in BODIES {
        for at in 0..body.trim_end().len() {
            let Some(cut) = body.get(..at) else { continue };
            read_all(cut);
            assert!(request::read(cut, &RequestExtra::default()).is_err(), "cut at {at}");
            let read = response::read(cut, &mut Losses::of_answer(Dialect::Gemini));
            assert!(read.is_err(), "cut at {at}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn members_of_any_type_are_an_error_or_read_and_no_panic(
        body in 0..BODIES.len(),
        at in 0..120_usize,
        value in proptest::sample::select(vec!["null", "1", "-1.5", "\"x\"", "[]", "{}", "true", "[{}]", "[[1]]", "\"\\ud800\""]),
    ) {
        // Puts a value in place of another.
        let mut json: Value = serde_json::from_str(BODIES[body]).unwrap();
        let mut left = at;
        replace(&mut json, &mut left, &Value::String("@@".to_owned()));
        read_all(&json.to_string().replace("\"@@\"", value));
    }
}

/// Replaces the value number `left`, counting all values in depth.
fn replace(json: &mut Value, left: &mut usize, by: &Value) {
    if *left == 0 {
        *json = by.clone();
    }
    *left = left.wrapping_sub(1);
    match json {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, left, by)),
        Value::Object(members) => {
            members.iter_mut().for_each(|(_, member)| replace(member, left, by));
        }
        _ => {}
    }
}
