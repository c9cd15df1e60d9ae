use serde_json::{Value, json};

use super::*;
use crate::Dialect;
use crate::translate::{Progress, Session};

const ASKED: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#;

fn search(id: &str) -> Value {
    json!({"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": "a\"b"}})
}

fn found(id: &str) -> Value {
    json!({"type": "web_search_tool_result", "tool_use_id": id,
        "content": [{"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "E"}]})
}

fn answer(content: &Value, reason: &str, output: u64) -> Vec<u8> {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": content, "stop_reason": reason, "stop_sequence": null,
        "usage": {"input_tokens": 10, "output_tokens": output}})
    .to_string()
    .into_bytes()
}

fn value(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

#[test]
fn only_requests_with_tools_of_the_vendor_pause() {
    assert!(Turn::may_pause(ASKED));
    assert!(!Turn::may_pause(br#"{"messages":[{"content":"\"type\":\"web_search_1\""}]}"#));
}

#[test]
fn a_paused_answer_is_continued_and_added_up() {
    let mut turn = Turn::new(ASKED.to_vec());
    let first = json!([{"type": "text", "text": "I look."}, search("s1"), found("s1")]);
    let again = value(&turn.whole(&answer(&first, "pause_turn", 5)).unwrap());
    let mut expect = value(ASKED);
    let said = json!({"role": "assistant", "content": first});
    expect["messages"].as_array_mut().unwrap().push(said);
    assert_eq!(again, expect);
    let last = answer(&json!([{"type": "text", "text": "So."}]), "end_turn", 7);
    assert_eq!(turn.whole(&last), None);
    let joined = value(&turn.joined(&last).unwrap());
    assert_eq!(joined["content"].as_array().unwrap().len(), 4);
    assert_eq!(joined["content"][3]["text"], "So.");
    assert_eq!(joined["stop_reason"], "end_turn");
    assert_eq!(joined["usage"]["input_tokens"], 20);
    assert_eq!(joined["usage"]["output_tokens"], 12);
}

#[test]
fn an_answer_that_does_not_pause_is_left_alone() {
    let mut turn = Turn::new(ASKED.to_vec());
    let whole = answer(&json!([{"type": "text", "text": "So."}]), "end_turn", 7);
    assert_eq!(turn.whole(&whole), None);
    assert_eq!(turn.joined(&whole), None);
}

#[test]
fn pauses_have_an_end_and_calls_of_the_client_come_first() {
    let paused = answer(&json!([search("s"), found("s")]), "pause_turn", 1);
    let mut turn = Turn::new(ASKED.to_vec());
    let rounds = std::iter::from_fn(|| turn.whole(&paused)).take(50).count();
    assert_eq!(rounds, usize::from(ROUNDS_MAX));
    assert_eq!(value(&turn.joined(&paused).unwrap())["stop_reason"], "pause_turn");
    let call = json!([{"type": "tool_use", "id": "c", "name": "f", "input": {}}]);
    assert_eq!(Turn::new(ASKED.to_vec()).whole(&answer(&call, "pause_turn", 1)), None);
    for nonsense in [&b"{"[..], b"[]", b"", br#"{"stop_reason":"pause_turn","content":1}"#] {
        assert_eq!(Turn::new(ASKED.to_vec()).whole(nonsense), None);
    }
}

fn events(list: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in list {
        let data = event.to_string();
        crate::sse::encode(&mut out, event["type"].as_str().unwrap(), data.as_bytes());
    }
    out
}

fn start(input: u64) -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
        "model": "m", "content": [], "usage": {"input_tokens": input, "output_tokens": 1}}})
}

fn end(reason: &str, output: u64) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
            "usage": {"output_tokens": output}}),
        json!({"type": "message_stop"}),
    ]
}

fn block(index: u64, block: &Value, deltas: &[Value]) -> Vec<Value> {
    let mut list =
        vec![json!({"type": "content_block_start", "index": index, "content_block": block})];
    for delta in deltas {
        list.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
    }
    list.push(json!({"type": "content_block_stop", "index": index}));
    list
}

/// A call that thinks, says something and searches.
fn paused() -> Vec<u8> {
    let thinking = [
        json!({"type": "thinking_delta", "thinking": "Hm\u{1f600}"}),
        json!({"type": "signature_delta", "signature": "S"}),
    ];
    let text = [
        json!({"type": "text_delta", "text": "I lo"}),
        json!({"type": "text_delta", "text": "ok."}),
        json!({"type": "citations_delta", "citation": {"type": "web_search_result_location",
            "url": "u", "title": "t", "cited_text": "c", "encrypted_index": "I"}}),
    ];
    let input = [
        json!({"type": "input_json_delta", "partial_json": "{\"query\":"}),
        json!({"type": "input_json_delta", "partial_json": "\"a\\\"b\"}"}),
    ];
    let empty = json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}});
    let mut list = vec![start(10)];
    list.extend(block(0, &json!({"type": "thinking", "thinking": "", "signature": ""}), &thinking));
    list.extend(block(1, &json!({"type": "text", "text": ""}), &text));
    list.extend(block(2, &json!({"type": "text", "text": ""}), &[]));
    list.extend(block(3, &empty, &input));
    list.extend(block(4, &found("s1"), &[]));
    list.extend(end("pause_turn", 5));
    events(&list)
}

fn continued() -> Vec<u8> {
    let mut list = vec![start(30)];
    let text = [json!({"type": "text_delta", "text": " So."})];
    list.extend(block(0, &json!({"type": "text", "text": ""}), &text));
    list.extend(end("end_turn", 7));
    events(&list)
}

fn session(inbound: Dialect) -> Session {
    Session { include_usage: true, ..Session::new(inbound, Dialect::Anthropic) }
}

#[test]
fn a_paused_stream_is_continued_as_one_answer() {
    let (first, second) = (paused(), continued());
    for cut in 0..first.len() {
        let mut turn = Turn::new(ASKED.to_vec());
        let mut events = Vec::new();
        let (head, tail) = first.split_at(cut);
        turn.push(head, &mut events);
        turn.push(tail, &mut events);
        assert!(turn.is_paused());
        let again = value(&turn.next_call().unwrap());
        let said = &again["messages"][1];
        assert_eq!(said["role"], "assistant");
        assert_eq!(
            said["content"],
            json!([{"type": "thinking", "thinking": "Hm\u{1f600}", "signature": "S"},
                {"type": "text", "text": "I look.", "citations": [
                    {"type": "web_search_result_location", "url": "u", "title": "t",
                        "cited_text": "c", "encrypted_index": "I"}]},
                search("s1"), found("s1")])
        );
        turn.resumed();
        turn.push(&second, &mut events);
        assert!(!turn.is_paused());
        let mut stream = session(Dialect::OpenaiChat).stream();
        let mut out = Vec::new();
        assert_eq!(stream.push(&events, &mut out), Progress::Finished);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("\"finish_reason\":\"stop\""), "{out}");
        assert!(out.contains("\"content\":\" So.\""), "{out}");
        assert_eq!(stream.usage().input_uncached, Some(40));
        assert_eq!(stream.usage().output, Some(12));
    }
}

#[test]
fn a_pause_that_is_not_continued_ends_the_answer_early() {
    let mut turn = Turn::new(ASKED.to_vec());
    let mut events = Vec::new();
    turn.push(&paused(), &mut events);
    turn.finish(&mut events);
    let mut out = Vec::new();
    let progress = session(Dialect::OpenaiChat).stream().push(&events, &mut out);
    assert_eq!(progress, Progress::Finished);
    assert!(String::from_utf8(out).unwrap().contains("\"finish_reason\":\"length\""));
}

#[test]
fn a_stream_without_a_pause_is_not_changed() {
    let mut turn = Turn::new(ASKED.to_vec());
    let mut out = Vec::new();
    let mut stream = continued();
    stream.extend_from_slice(b"event: odd\ndata: not json\n\n");
    turn.push(&stream, &mut out);
    assert_eq!(out, stream);
    assert_eq!(turn.next_call(), None);
    let (mut turn, mut out) = (Turn::new(ASKED.to_vec()), Vec::new());
    turn.push(b" {\"type\":", &mut out);
    turn.push(b"\n\"message\"}", &mut out);
    turn.finish(&mut out);
    assert_eq!(out, b" {\"type\":\n\"message\"}");
    let (mut turn, mut out) = (Turn::new(ASKED.to_vec()), Vec::new());
    turn.push(b"data: {\"type\":\"message_stop\"}", &mut out);
    turn.finish(&mut out);
    assert_eq!(out, b"data: {\"type\":\"message_stop\"}\n\n");
}
