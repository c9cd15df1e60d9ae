//! A Chat upstream's stream as a Messages client gets it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;

#[test]
fn a_chat_stream_becomes_a_messages_stream() {
    let (out, progress) = translated(&to_messages(), &[FULL.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    insta::assert_snapshot!(out);
}

#[test]
fn d49_b7_25_however_the_bytes_are_cut_the_client_sees_the_same() {
    let session = to_messages();
    let (whole, _) = translated(&session, &[FULL.as_bytes()]);
    for at in 0..FULL.len() {
        let (a, b) = FULL.as_bytes().split_at(at);
        assert_eq!(translated(&session, &[a, b]).0, whole, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = FULL.as_bytes().chunks(1).collect();
    assert_eq!(translated(&session, &bytes).0, whole, "byte by byte");
    let crlf = FULL.replace('\n', "\r\n");
    for at in 0..crlf.len() {
        let (a, b) = crlf.as_bytes().split_at(at);
        assert_eq!(translated(&session, &[a, b]).0, whole, "CRLF cut at {at}");
    }
    let tight = FULL.replace("data: ", "data:");
    assert_eq!(translated(&session, &[tight.as_bytes()]).0, whole, "no blank after the colon");
}

#[test]
fn d45_a_stream_cut_at_any_event_is_never_a_whole_answer() {
    let events: Vec<&str> = FULL.split_inclusive("\n\n").collect();
    let finish = events.iter().position(|event| event.contains("\"tool_calls\"}")).unwrap();
    for count in 0..=finish {
        let (out, progress) = translated(&to_messages(), &[events[..count].concat().as_bytes()]);
        assert!(matches!(progress, Progress::Failed(_)), "cut after {count}");
        assert_eq!(out.matches("event: error").count(), 1);
        assert!(!out.contains("message_stop") && !out.contains("message_delta"), "{count}");
    }
}

#[test]
fn a_missing_done_marker_or_usage_does_no_harm_after_the_finish_reason() {
    let (whole, _) = translated(&to_messages(), &[FULL.as_bytes()]);
    let no_done = FULL.replace("data: [DONE]\n\n", "");
    assert_eq!(translated(&to_messages(), &[no_done.as_bytes()]), (whole, Progress::Finished));
    let events: Vec<&str> = FULL.split_inclusive("\n\n").collect();
    let no_usage = events[..events.len() - 2].concat();
    let (out, progress) = translated(&to_messages(), &[no_usage.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    assert_eq!(out.matches("event: message_stop").count(), 1);
}

#[test]
fn a_done_marker_without_a_finish_reason_is_a_cut() {
    let (start, _) = FULL.split_at(FULL.find("data: {\"id\":\"chatcmpl-Full1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"gpt-5.2-2026-01-01\",\"choices\":[{\"index\":0,\"delta\":{},").unwrap());
    let text = format!("{start}data: [DONE]\n\n");
    let (out, progress) = translated(&to_messages(), &[text.as_bytes()]);
    assert!(matches!(progress, Progress::Failed(_)));
    assert!(!out.contains("message_stop"));
}

#[test]
fn d46_an_error_in_mid_stream_is_one_error_event() {
    let (head, _) = FULL.split_at(FULL.find("data: {\"id\":\"chatcmpl-Full1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"gpt-5.2-2026-01-01\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\"").unwrap());
    let error = "data: {\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\",\"code\":\"rate_limit_exceeded\"}}\n\ndata: [DONE]\n\n";
    let (out, progress) = translated(&to_messages(), &[head.as_bytes(), error.as_bytes()]);
    let Progress::Failed(failed) = progress else { panic!("{progress:?}") };
    assert_eq!((failed.kind, failed.message.as_str()), (ErrorKind::RateLimit, "slow down"));
    assert!(out.ends_with("\n\n") && out.matches("event: error").count() == 1);
    assert!(!out.contains("message_stop"));
}

#[test]
fn a_whole_answer_in_place_of_a_stream_is_replayed() {
    let body = include_bytes!("../../../../fixtures/openai-chat/response/full.json");
    let (out, progress) = translated(&to_messages(), &[&body[..100], &body[100..]]);
    assert_eq!(progress, Progress::Finished);
    let streamed = translated(&to_messages(), &[FULL.as_bytes()]).0;
    assert_eq!(accumulated(&out), accumulated(&streamed));
}

/// What a Messages client has after the stream: content, stop reason, usage. Checks the rules the
/// official SDKs rely on as it goes.
fn accumulated(sse: &str) -> Value {
    let mut content: Vec<Value> = Vec::new();
    let (mut open, mut started, mut stop, mut over) = (None, false, Value::Null, false);
    for block in sse.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':')) {
        let data = block.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let event: Value = serde_json::from_str(data).unwrap();
        assert!(!over, "nothing follows the end: {event}");
        match event["type"].as_str().unwrap() {
            "message_start" => assert!(!std::mem::replace(&mut started, true)),
            "content_block_start" => {
                assert!(started && open.is_none(), "one block at a time: {event}");
                assert_eq!(event["index"], content.len());
                open = Some(String::new());
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                assert_eq!(event["index"], content.len() - 1);
                let delta = &event["delta"];
                let block = content.last_mut().unwrap();
                let text = open.as_mut().expect("an open block");
                for key in ["text", "thinking", "partial_json"] {
                    if let Some(more) = delta[key].as_str() {
                        text.push_str(more);
                    }
                }
                if let Some(signature) = delta["signature"].as_str() {
                    block["signature"] = json!(signature);
                }
                if delta["citation"].is_object() {
                    block["citations"] = json!([delta["citation"]]);
                }
            }
            "content_block_stop" => {
                let text = open.take().expect("an open block");
                let block = content.last_mut().unwrap();
                match block["type"].as_str().unwrap() {
                    "tool_use" if text.is_empty() => {}
                    "tool_use" => block["input"] = serde_json::from_str(&text).unwrap(),
                    kind => {
                        let kind = kind.to_owned();
                        block[kind] = json!(text);
                    }
                }
            }
            "message_delta" => {
                assert!(open.is_none() && stop.is_null());
                stop = json!([event["delta"]["stop_reason"], event["usage"]]);
            }
            "message_stop" => over = true,
            "error" => {
                over = true;
                stop = json!("error");
            }
            "ping" => {}
            other => panic!("unknown event {other}"),
        }
    }
    json!({"content": content, "stop": stop, "over": over})
}

#[test]
fn the_accumulated_stream_is_the_whole_answer() {
    let body = include_bytes!("../../../../fixtures/openai-chat/response/full.json");
    let mut out = Vec::new();
    to_messages().response(body, &mut out).unwrap();
    let whole: Value = serde_json::from_slice(&out).unwrap();
    let streamed = accumulated(&translated(&to_messages(), &[FULL.as_bytes()]).0);
    assert_eq!(streamed["content"], whole["content"]);
    assert_eq!(streamed["stop"][0], whole["stop_reason"]);
    for member in
        ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
    {
        assert_eq!(streamed["stop"][1][member], whole["usage"][member], "{member}");
    }
}

fn any_chunk() -> impl Strategy<Value = String> {
    let text = "[ a-z\"\\\\\n]{0,6}";
    let delta = prop_oneof![
        text.prop_map(|text| json!({"content": text})),
        text.prop_map(|text| json!({"reasoning_content": text})),
        text.prop_map(|text| json!({"refusal": text})),
        (0..3_u8, proptest::option::of("[ab]"), proptest::option::of("[fg]"), "[{}\"a:]{0,3}")
            .prop_map(
                |(index, id, name, arguments)| json!({"tool_calls": [{"index": index, "id": id,
                "function": {"name": name, "arguments": arguments}}]})
            ),
    ];
    prop_oneof![
        12 => delta.prop_map(|delta| json!({"choices": [{"index": 0, "delta": delta}]}).to_string()),
        2 => Just(r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#.to_owned()),
        1 => Just(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#.to_owned()),
        1 => Just(r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned()),
        1 => Just("[DONE]".to_owned()),
        1 => Just("{broken".to_owned()),
    ]
}

proptest! {
    /// Whatever an upstream sends: one start, contiguous blocks one at a time, one end or one
    /// error, nothing after it, and no stop reason that was not given.
    #[test]
    fn any_chunks_make_a_legal_stream(chunks in proptest::collection::vec(any_chunk(), 0..12)) {
        let sse = format!("data: {}\n\n", chunks.join("\n\ndata: "));
        let (out, progress) = translated(&to_messages(), &[sse.as_bytes()]);
        let finish = chunks.iter().any(|chunk| chunk.contains("finish_reason"));
        match progress {
            Progress::Finished => {
                prop_assert!(finish, "an invented end");
                // Arguments are what the upstream made of them; everything else must fit.
                if !sse.contains("arguments") {
                    let seen = accumulated(&out);
                    prop_assert!(seen["over"] == json!(true));
                }
            }
            Progress::Failed(_) => prop_assert!(out.matches("event: error").count() == 1
                && !out.contains("message_stop")),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
