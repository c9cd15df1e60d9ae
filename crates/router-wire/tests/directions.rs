//! What must hold in all twelve directions: five tool turns come back to the upstream as it made
//! them, and where the network cuts a stream changes nothing.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use router_wire::Dialect::{self, Anthropic, Gemini, OpenaiChat, OpenaiResponses};
use router_wire::facts::FactsTable;
use router_wire::translate::{Options, Progress, RequestExtra, Session, Target, translate_request};
use serde_json::{Value, json};

const TURNS: usize = 5;

fn directions() -> impl Iterator<Item = (Dialect, Dialect)> {
    let all = Dialect::ALL.into_iter();
    all.flat_map(|inbound| Dialect::ALL.into_iter().map(move |outbound| (inbound, outbound)))
        .filter(|(inbound, outbound)| inbound != outbound)
}

/// A model of each upstream that reasons and hands out state.
fn model(outbound: Dialect) -> &'static str {
    match outbound {
        Anthropic => "claude-opus-4-7",
        OpenaiChat => "deepseek-reasoner",
        OpenaiResponses => "gpt-5.6",
        Gemini => "gemini-3-flash",
    }
}

/// A call as the upstream made it, with what the client answered.
#[derive(Debug, PartialEq)]
struct Call {
    id: Option<String>,
    arguments: Value,
    result: String,
}

#[test]
fn five_tool_turns_come_back_as_the_upstream_made_them() {
    for (inbound, outbound) in directions() {
        let at = format!("{inbound} to {outbound}");
        let (mut history, mut kept) = (vec![user(inbound)], Vec::new());
        for turn in 0..=TURNS {
            let body = request(inbound, &history).to_string();
            let facts = FactsTable::embedded().lookup(model(outbound));
            let options = Options::default();
            let target = Target {
                dialect: outbound,
                model: model(outbound),
                facts: &facts,
                options: &options,
            };
            let extra = RequestExtra { model: Some("m"), kept: &kept, ..RequestExtra::default() };
            let sent = translate_request(inbound, body.as_bytes(), &extra, &target).unwrap();
            let text = String::from_utf8(sent.body).unwrap();
            let wanted: Vec<Call> = (0..turn).map(|turn| made(outbound, turn)).collect();
            assert_eq!(
                calls(outbound, &serde_json::from_str(&text).unwrap()),
                wanted,
                "{at}: {text}"
            );
            for earlier in 0..turn {
                assert!(
                    text.contains(&state(outbound, earlier)),
                    "{at}: state of {earlier}: {text}"
                );
            }
            let mut out = Vec::new();
            let mut session = sent.session;
            let answer = answer(outbound, turn).to_string();
            kept.extend(session.response(answer.as_bytes(), &mut out).unwrap().kept);
            history.extend(replies(inbound, &serde_json::from_slice(&out).unwrap(), turn));
        }
    }
}

fn arguments(turn: usize) -> Value {
    json!({"path": format!("/tmp/ü \"{turn}\"\n"), "deep": {"list": [1, null, turn]}})
}

fn result(turn: usize) -> String {
    format!("result {turn}: \"ok\"\n")
}

fn id(outbound: Dialect, turn: usize) -> String {
    if outbound == Anthropic { format!("toolu_{turn}") } else { format!("call_{turn}") }
}

/// What only the upstream can make, and must get back.
fn state(outbound: Dialect, turn: usize) -> String {
    // Base64 is what vendors send.
    if outbound == OpenaiChat { format!("thought {turn}.") } else { format!("c3RhdGUg{turn}AA=") }
}

fn made(outbound: Dialect, turn: usize) -> Call {
    Call { id: Some(id(outbound, turn)), arguments: arguments(turn), result: result(turn) }
}

fn user(inbound: Dialect) -> Value {
    match inbound {
        Gemini => json!({"role": "user", "parts": [{"text": "go"}]}),
        _ => json!({"role": "user", "content": "go"}),
    }
}

fn request(inbound: Dialect, history: &[Value]) -> Value {
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    match inbound {
        Anthropic => json!({"model": "m", "max_tokens": 8000, "messages": history,
            "thinking": {"type": "adaptive"}, "tools": [{"name": "read", "input_schema": schema}]}),
        OpenaiChat => json!({"model": "m", "messages": history, "reasoning_effort": "high",
            "tools": [{"type": "function", "function": {"name": "read", "parameters": schema}}]}),
        OpenaiResponses => json!({"model": "m", "input": history, "store": false,
            "reasoning": {"effort": "high"}, "include": ["reasoning.encrypted_content"],
            "tools": [{"type": "function", "name": "read", "parameters": schema}]}),
        Gemini => json!({"contents": history,
            "generationConfig": {"thinkingConfig": {"includeThoughts": true}},
            "tools": [{"functionDeclarations": [{"name": "read", "parametersJsonSchema": schema}]}]}),
    }
}

/// The upstream's answer: a thought with its state, and a call.
fn answer(outbound: Dialect, turn: usize) -> Value {
    let (id, thought, state) =
        (id(outbound, turn), format!("thought {turn}."), state(outbound, turn));
    let (object, text) = (arguments(turn), arguments(turn).to_string());
    match outbound {
        Anthropic => json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "stop_reason": "tool_use", "usage": {"input_tokens": 5, "output_tokens": 5}, "content": [
                {"type": "thinking", "thinking": thought, "signature": state},
                {"type": "tool_use", "id": id, "name": "read", "input": object}]}),
        OpenaiChat => json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "m",
            "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}, "choices": [{
                "index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant",
                "content": null, "reasoning_content": thought, "tool_calls": [{"id": id,
                    "type": "function", "function": {"name": "read", "arguments": text}}]}}]}),
        OpenaiResponses => json!({"id": "resp_1", "object": "response", "created_at": 1,
            "status": "completed", "model": "m", "output": [
                {"type": "reasoning", "id": format!("rs_{turn}"), "encrypted_content": state,
                 "summary": [{"type": "summary_text", "text": thought}]},
                {"type": "function_call", "id": format!("fc_{turn}"), "call_id": id, "name": "read",
                 "arguments": text, "status": "completed"}],
            "usage": {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}}),
        Gemini => json!({"responseId": "r1", "candidates": [{"index": 0, "finishReason": "STOP",
            "content": {"role": "model", "parts": [{"text": thought, "thought": true},
                {"functionCall": {"id": id, "name": "read", "args": object},
                 "thoughtSignature": state}]}}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 5}}),
    }
}

/// What a client adds to its history: the answer as it came, and the result of the call.
fn replies(inbound: Dialect, answer: &Value, turn: usize) -> Vec<Value> {
    let result = result(turn);
    match inbound {
        Anthropic => {
            let call = answer["content"].as_array().unwrap().last().unwrap();
            vec![
                json!({"role": "assistant", "content": answer["content"]}),
                json!({"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": call["id"], "content": result}]}),
            ]
        }
        OpenaiChat => {
            let message = &answer["choices"][0]["message"];
            let id = &message["tool_calls"][0]["id"];
            vec![message.clone(), json!({"role": "tool", "tool_call_id": id, "content": result})]
        }
        OpenaiResponses => {
            let mut items = answer["output"].as_array().unwrap().clone();
            let id = items.last().unwrap()["call_id"].clone();
            items.push(json!({"type": "function_call_output", "call_id": id, "output": result}));
            items
        }
        Gemini => {
            let content = &answer["candidates"][0]["content"];
            let call = &content["parts"].as_array().unwrap().last().unwrap()["functionCall"];
            let response =
                json!({"id": call["id"], "name": "read", "response": {"output": result}});
            vec![
                content.clone(),
                json!({"role": "user", "parts": [{"functionResponse": response}]}),
            ]
        }
    }
}

/// The calls in a request to the upstream, each with its result.
fn calls(outbound: Dialect, sent: &Value) -> Vec<Call> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let parsed = |value: &Value| serde_json::from_str(value.as_str().unwrap()).unwrap();
    let (mut calls, mut results) = (Vec::new(), Vec::new());
    match outbound {
        Anthropic => {
            for block in list(&sent["messages"]).iter().flat_map(|turn| list(&turn["content"])) {
                match block["type"].as_str() {
                    Some("tool_use") => calls.push((text(&block["id"]), block["input"].clone())),
                    Some("tool_result") => {
                        let said =
                            text(&block["content"]).or_else(|| text(&block["content"][0]["text"]));
                        results.push((text(&block["tool_use_id"]), said.unwrap()));
                    }
                    _ => {}
                }
            }
        }
        OpenaiChat => {
            for message in list(&sent["messages"]) {
                for call in list(&message["tool_calls"]) {
                    calls.push((text(&call["id"]), parsed(&call["function"]["arguments"])));
                }
                if message["role"] == "tool" {
                    let said = text(&message["content"]).unwrap();
                    results.push((text(&message["tool_call_id"]), said));
                }
            }
        }
        OpenaiResponses => {
            for item in list(&sent["input"]) {
                match item["type"].as_str() {
                    Some("function_call") => {
                        calls.push((text(&item["call_id"]), parsed(&item["arguments"])));
                    }
                    Some("function_call_output") => {
                        results.push((text(&item["call_id"]), text(&item["output"]).unwrap()));
                    }
                    _ => {}
                }
            }
        }
        Gemini => {
            for part in list(&sent["contents"]).iter().flat_map(|turn| list(&turn["parts"])) {
                let (call, result) = (&part["functionCall"], &part["functionResponse"]);
                if call.is_object() {
                    calls.push((text(&call["id"]), call["args"].clone()));
                } else if result.is_object() {
                    let said = &result["response"];
                    let said = text(&said["output"]).or_else(|| text(&said["result"])).unwrap();
                    results.push((text(&result["id"]), said));
                }
            }
        }
    }
    assert_eq!(calls.len(), results.len(), "{sent}");
    let pairs = calls.into_iter().zip(results);
    pairs
        .map(|((id, arguments), (of, result))| {
            assert_eq!(id, of, "a result follows its call");
            Call { id, arguments, result }
        })
        .collect()
}

/// A short stream with everything a cut can hit: thoughts, text beyond ASCII, escapes, two calls.
const SHORT: [&str; 11] = [
    r#"{"role":"assistant","content":""}"#,
    r#"{"reasoning_content":"hm\n"}"#,
    r#"{"content":"Gr\u00fc\u00dfe \ud83d\ude00"}"#,
    r#"{"content":" ü\"\\\n"}"#,
    r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"read","arguments":""}}]}"#,
    r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"p\":\"\\u00fc"}}]}"#,
    r#"{"tool_calls":[{"index":0,"function":{"arguments":"\\n\"}"}}]}"#,
    r#"{"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"read","arguments":"{}"}}]}"#,
    r#"{"content":null}"#,
    r"{}",
    "",
];

/// The short stream in the upstream's dialect.
fn short(outbound: Dialect) -> Vec<u8> {
    let mut chat = String::new();
    for (index, delta) in SHORT.iter().enumerate() {
        let head = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m""#;
        let choices = if delta.is_empty() {
            r#"[],"usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16}"#.to_owned()
        } else {
            let end = if index == SHORT.len() - 2 { "\"tool_calls\"" } else { "null" };
            format!(r#"[{{"index":0,"delta":{delta},"finish_reason":{end}}}]"#)
        };
        chat += &format!("data: {head},\"choices\":{choices}}}\n\n");
    }
    chat.push_str("data: [DONE]\n\n");
    if outbound == OpenaiChat {
        chat.into_bytes()
    } else {
        run(outbound, OpenaiChat, [chat.as_bytes()])
    }
}

/// The client's stream of an upstream's in these pieces.
fn run<'p>(
    inbound: Dialect,
    outbound: Dialect,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Vec<u8> {
    let mut translator =
        Session { stream: true, include_usage: true, ..Session::new(inbound, outbound) }.stream();
    let mut out = Vec::new();
    for piece in pieces {
        translator.push(piece, &mut out);
    }
    assert_eq!(translator.end(&mut out), Progress::Finished, "{outbound} to {inbound}");
    out
}

#[track_caller]
fn check_cuts(inbound: Dialect) {
    for outbound in Dialect::ALL.into_iter().filter(|outbound| *outbound != inbound) {
        let stream = short(outbound);
        let whole = run(inbound, outbound, [&*stream]);
        for at in 0..stream.len() {
            let (a, b) = stream.split_at(at);
            assert!(run(inbound, outbound, [a, b]) == whole, "{outbound} to {inbound} cut at {at}");
        }
        assert!(
            run(inbound, outbound, stream.chunks(1)) == whole,
            "{outbound} to {inbound} by byte"
        );
    }
}

#[test]
fn however_streams_to_messages_clients_are_cut_they_see_the_same() {
    check_cuts(Anthropic);
}

#[test]
fn however_streams_to_chat_clients_are_cut_they_see_the_same() {
    check_cuts(OpenaiChat);
}

#[test]
fn however_streams_to_responses_clients_are_cut_they_see_the_same() {
    check_cuts(OpenaiResponses);
}

#[test]
fn however_streams_to_gemini_clients_are_cut_they_see_the_same() {
    check_cuts(Gemini);
}
