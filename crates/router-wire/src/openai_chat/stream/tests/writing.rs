//! A Messages upstream's stream as a Chat client gets it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::canonical::{Citation, Shown, Start, Stop, StopReason};
use crate::openai_chat::stream::Writer;
use crate::usage::Usage;

const MESSAGES: &str = include_str!("../../../../fixtures/anthropic/stream/full.sse");

fn written(session: &Session, events: &[Event<'_>]) -> String {
    let mut writer = Writer::default();
    let mut out = Vec::new();
    for event in events {
        writer.event(session, event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

fn start() -> Event<'static> {
    Event::Start(Start {
        id: "msg_01".into(),
        model: "up".into(),
        created_s: None,
        service_tier: None,
    })
}

fn open(kind: Block<'_>) -> Event<'_> {
    Event::Open { block: 0, kind }
}

fn delta(delta: Delta<'_>) -> Event<'_> {
    Event::Delta { block: 0, delta }
}

fn call(name: &str) -> Event<'_> {
    open(Block::ToolCall {
        id: "c1".into(),
        name: name.into(),
        namespace: None,
        custom: false,
        hosted: None,
    })
}

const CLOSE: Event<'static> = Event::Close { block: 0 };

fn finish(reason: StopReason) -> Event<'static> {
    Event::Finish(Stop::new(reason))
}

/// The deltas and finish reasons of a Chat stream, and `DONE`.
fn deltas(sse: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for data in sse.split("\n\n").filter_map(|block| block.strip_prefix("data: ")) {
        if data == "[DONE]" {
            all.push(json!("DONE"));
            continue;
        }
        let chunk: Value = serde_json::from_str(data).unwrap();
        assert_eq!(chunk["id"], "chatcmpl-01");
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!((&chunk["model"], &chunk["created"]), (&json!("shown"), &json!(1_800_000_000)));
        match chunk["choices"].as_array().unwrap().as_slice() {
            [] => all.push(json!({"usage": chunk["usage"]["total_tokens"]})),
            [choice] if choice["finish_reason"].is_null() => all.push(choice["delta"].clone()),
            [choice] => all.push(choice["finish_reason"].clone()),
            more => panic!("{more:?}"),
        }
    }
    all
}

#[test]
fn a_messages_stream_becomes_a_chat_stream() {
    let session = Session { include_usage: true, ..to_chat() };
    let (out, progress) = translated(&session, &[MESSAGES.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    insta::assert_snapshot!(out);
}

#[test]
fn however_a_messages_stream_is_cut_the_chat_client_sees_the_same() {
    let (whole, _) = translated(&to_chat(), &[MESSAGES.as_bytes()]);
    for at in 0..MESSAGES.len() {
        let (a, b) = MESSAGES.as_bytes().split_at(at);
        assert_eq!(translated(&to_chat(), &[a, b]).0, whole, "cut at {at}");
    }
}

#[test]
fn b7_21_a_cut_stream_ends_in_an_error_without_done() {
    let events: Vec<&str> = MESSAGES.split_inclusive("\n\n").collect();
    for count in 0..events.len() - 2 {
        let (out, progress) = translated(&to_chat(), &[events[..count].concat().as_bytes()]);
        assert!(matches!(progress, Progress::Failed(_)), "cut after {count}");
        let last = out.trim_end().rsplit("\n\n").next().unwrap();
        let error: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
        assert!(error["error"]["message"].is_string() && !out.contains("[DONE]"), "{out}");
        assert!(!out.contains("\"finish_reason\":\"") && out.matches("\"error\"").count() == 1);
    }
}

#[test]
fn d58_usage_is_shown_only_to_those_who_asked() {
    let usage = Event::Usage(Usage { output: Some(5), ..Usage::default() });
    let events = [start(), finish(StopReason::EndTurn), usage, Event::End];
    let without = written(&to_chat(), &events);
    assert!(!without.contains("usage"));
    assert_eq!(
        deltas(&without),
        [json!({"role": "assistant", "content": ""}), json!("stop"), json!("DONE")]
    );
    let session = Session { include_usage: true, ..to_chat() };
    let with = written(&session, &events);
    assert_eq!(with.matches("\"usage\":null").count(), 2);
    assert_eq!(deltas(&with)[2], json!({"usage": 5}));
}

#[test]
fn calls_are_counted_and_never_without_arguments() {
    let events = [
        start(),
        call("f"),
        delta(Delta::Input("{\"a\":".into())),
        delta(Delta::Input("1}".into())),
        CLOSE,
        call("g"),
        CLOSE,
        finish(StopReason::ToolUse),
        Event::End,
    ];
    let begin = |index: u8, name: &str| {
        json!({"tool_calls": [{"index": index, "id": "c1", "type": "function",
                               "function": {"name": name, "arguments": ""}}]})
    };
    let more = |index: u8, text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
    assert_eq!(
        deltas(&written(&to_chat(), &events))[1..],
        [
            begin(0, "f"),
            more(0, "{\"a\":"),
            more(0, "1}"),
            begin(1, "g"),
            more(1, "{}"),
            json!("tool_calls"),
            json!("DONE")
        ]
    );
}

#[test]
fn clients_of_the_old_functions_get_the_old_form() {
    let session = Session { legacy_functions: true, ..to_chat() };
    let events = [
        start(),
        call("f"),
        delta(Delta::Input("{}".into())),
        CLOSE,
        finish(StopReason::ToolUse),
        Event::End,
    ];
    assert_eq!(
        deltas(&written(&session, &events))[1..],
        [
            json!({"function_call": {"name": "f", "arguments": ""}}),
            json!({"function_call": {"arguments": "{}"}}),
            json!("function_call"),
            json!("DONE")
        ]
    );
}

#[test]
fn free_text_tools_keep_their_form() {
    let kind = Block::ToolCall {
        id: "c1".into(),
        name: "patch".into(),
        namespace: None,
        custom: true,
        hosted: None,
    };
    let events = [start(), open(kind), delta(Delta::Input("a\nb".into())), CLOSE];
    assert_eq!(
        deltas(&written(&to_chat(), &events))[1..],
        [
            json!({"tool_calls": [{"index": 0, "id": "c1", "type": "custom", "custom": {"name": "patch", "input": ""}}]}),
            json!({"tool_calls": [{"index": 0, "custom": {"input": "a\nb"}}]}),
        ]
    );
}

#[test]
fn d55_thinking_is_shown_unless_the_operator_or_the_client_hides_it() {
    let events = [
        start(),
        open(Block::Thinking { redacted: false }),
        delta(Delta::Text("a".into())),
        delta(Delta::Break),
        delta(Delta::Text("b".into())),
        CLOSE,
    ];
    let thought = |session: &Session| {
        deltas(&written(session, &events))
            .iter()
            .filter_map(|delta| delta["reasoning_content"].as_str())
            .collect::<String>()
    };
    assert_eq!(thought(&to_chat()), "a\n\nb");
    assert_eq!(thought(&Session { reasoning_to_chat: false, ..to_chat() }), "");
    assert_eq!(thought(&Session { shown: Shown::Hidden, ..to_chat() }), "");
}

#[test]
fn citations_come_with_the_place_they_belong_to() {
    let citation = Citation::Url {
        url: "https://x".into(),
        title: None,
        cited_text: None,
        start: None,
        end: None,
    };
    let events = [
        start(),
        open(Block::Text),
        delta(Delta::Text(crate::json::Str::Literal("\\u00e9\\ud83d\\ude00\\n"))),
        CLOSE,
        open(Block::Text),
        delta(Delta::Text("天b".into())),
        delta(Delta::Citation(citation)),
        CLOSE,
        finish(StopReason::EndTurn),
    ];
    let all = deltas(&written(&to_chat(), &events));
    let annotation = &all[all.len() - 2]["annotations"][0]["url_citation"];
    assert_eq!((&annotation["start_index"], &annotation["end_index"]), (&json!(3), &json!(5)));
}

#[test]
fn a_refusal_is_explained_and_filtered() {
    let stop = Stop { details: Some("no".into()), ..Stop::new(StopReason::Refusal) };
    let all = deltas(&written(&to_chat(), &[start(), Event::Finish(stop), Event::End]));
    assert_eq!(all[1..], [json!({"refusal": "no"}), json!("content_filter"), json!("DONE")]);
}

#[test]
fn probabilities_are_items_of_their_chunk() {
    let items = crate::canonical::Json(r#"[{"token":"x"}]"#.into());
    let events = [start(), open(Block::Text), delta(Delta::Logprobs(items))];
    let out = written(&to_chat(), &events);
    let last = out.trim_end().rsplit("data: ").next().unwrap();
    let chunk: Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        chunk["choices"][0]["logprobs"],
        json!({"content": [{"token": "x"}], "refusal": null})
    );
}

#[test]
fn pings_are_comments_before_and_after_the_start() {
    assert!(written(&to_chat(), &[Event::Ping]).starts_with(": ping"));
    assert!(written(&to_chat(), &[start(), Event::Ping]).contains("\n: ping"));
}

#[test]
fn nothing_follows_the_end() {
    let out = written(
        &to_chat(),
        &[start(), finish(StopReason::EndTurn), Event::End, Event::Ping, Event::End],
    );
    assert!(out.ends_with("data: [DONE]\n\n") && out.matches("[DONE]").count() == 1);
}

/// A block as the sequencer hands it to a writer.
#[derive(Clone, Debug)]
struct Piece {
    kind: u8,
    texts: Vec<String>,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (0..5_u8, proptest::collection::vec("\\PC{0,5}", 0..4))
        .prop_map(|(kind, texts)| Piece { kind, texts });
    proptest::collection::vec(piece, 0..6)
}

fn block_events(piece: &Piece) -> Vec<Event<'_>> {
    let kind = match piece.kind {
        0 => Block::Text,
        1 => Block::Thinking { redacted: false },
        2 => Block::Refusal,
        _ => Block::ToolCall {
            id: "c".into(),
            name: "f".into(),
            namespace: None,
            custom: piece.kind == 4,
            hosted: None,
        },
    };
    let is_call = piece.kind > 2;
    let mut events = vec![open(kind)];
    events.extend(piece.texts.iter().map(|text| {
        let text = text.as_str().into();
        delta(if is_call { Delta::Input(text) } else { Delta::Text(text) })
    }));
    events.push(CLOSE);
    events
}

proptest! {
    /// Whatever an answer holds: every chunk is JSON, calls are counted from 0 in order, there is
    /// one finish reason and one end, and put together the deltas are the answer.
    #[test]
    fn the_deltas_put_together_are_the_answer(pieces in pieces()) {
        let mut events = vec![start()];
        events.extend(pieces.iter().flat_map(block_events));
        events.extend([finish(StopReason::EndTurn), Event::End]);
        let mut all = deltas(&written(&to_chat(), &events));
        prop_assert_eq!(all.pop(), Some(json!("DONE")));
        prop_assert_eq!(all.pop(), Some(json!("stop")));
        prop_assert_eq!(&all[0]["role"], "assistant");
        let joined = |kind: u8| -> String {
            pieces.iter().filter(|piece| piece.kind == kind).map(|piece| piece.texts.concat()).collect()
        };
        let seen = |member: &str| -> String {
            all.iter().filter_map(|delta| delta[member].as_str()).collect()
        };
        prop_assert_eq!(seen("content"), joined(0));
        prop_assert_eq!(seen("reasoning_content"), joined(1));
        prop_assert_eq!(seen("refusal"), joined(2));
        let mut calls: Vec<String> = Vec::new();
        for call in all.iter().filter_map(|delta| delta["tool_calls"].get(0)) {
            if call.get("id").is_some() {
                calls.push(String::new());
            }
            prop_assert_eq!(&call["index"], &json!(calls.len() - 1));
            for (kind, member) in [("function", "arguments"), ("custom", "input")] {
                calls.last_mut().unwrap().push_str(call[kind][member].as_str().unwrap_or(""));
            }
        }
        let expect: Vec<String> = pieces
            .iter()
            .filter(|piece| piece.kind > 2)
            .map(|piece| match piece.texts.concat() {
                text if text.is_empty() && piece.kind == 3 => "{}".to_owned(),
                text => text,
            })
            .collect();
        prop_assert_eq!(calls, expect);
    }
}
