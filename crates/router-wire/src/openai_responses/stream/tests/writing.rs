use proptest::prelude::*;
use serde_json::Value;

use super::{STREAMS, each, session};
use crate::canonical::{
    Block, Citation, Delta, Event, Json, Opaque, Sequencer, Start, Stop, StopReason,
};
use crate::dialect::Dialect;
use crate::json::Str;
use crate::openai_responses::response;
use crate::openai_responses::stream::{Reader, Writer};
use crate::translate::{Answer, Session};
use crate::usage::Usage;

fn responses() -> Session {
    session(Dialect::OpenaiResponses, Dialect::OpenaiResponses)
}

fn events(text: &str) -> Vec<Value> {
    let mut events = Vec::new();
    each(text, |name, data| {
        let value: Value = serde_json::from_str(data).expect("each event is JSON");
        assert_eq!(value["type"], name, "the name of the event is its type");
        events.push(value);
    });
    events
}

fn write(session: &Session, list: Vec<Event<'_>>) -> Vec<Value> {
    let (mut writer, mut out) = (Writer::default(), Vec::new());
    for event in list {
        writer.event(session, &event, &mut out);
    }
    events(&String::from_utf8(out).expect("UTF-8"))
}

fn start() -> Event<'static> {
    Event::Start(Start {
        id: Str::plain("msg_01abc"),
        model: Str::plain("claude"),
        created_s: None,
        service_tier: Some(Str::plain("standard")),
    })
}

fn call(id: &'static str, name: &'static str, custom: bool) -> Block<'static> {
    Block::ToolCall { id: id.into(), name: name.into(), namespace: None, custom, hosted: None }
}

/// An answer with every kind of block, one after the other.
fn all_kinds() -> Vec<Event<'static>> {
    let mut list = said();
    list.extend(called());
    list
}

/// Its thinking and its texts.
fn said() -> Vec<Event<'static>> {
    let text = |block, text: &'static str| Event::Delta { block, delta: Delta::Text(text.into()) };
    let opaque = |block, payload: &'static str| Event::Delta {
        block,
        delta: Delta::Opaque(Opaque {
            vendor: "anthropic".into(),
            family: Some("claude".into()),
            payload: payload.into(),
        }),
    };
    let citation = Citation::Url {
        url: Str::plain("https://example.com"),
        title: None,
        cited_text: None,
        start: None,
        end: None,
    };
    vec![
        start(),
        Event::Ping,
        Event::Open { block: 0, kind: Block::Thinking { redacted: false } },
        text(0, "Look first."),
        Event::Delta { block: 0, delta: Delta::Break },
        text(0, "Then \"edit\"."),
        opaque(0, "EqQB"),
        Event::Close { block: 0 },
        Event::Open { block: 1, kind: Block::Thinking { redacted: true } },
        opaque(1, "EmwK"),
        Event::Close { block: 1 },
        Event::Open { block: 2, kind: Block::Text },
        text(2, "\n"),
        text(2, "Héllo"),
        Event::Delta { block: 2, delta: Delta::Citation(citation) },
        Event::Close { block: 2 },
        Event::Open { block: 3, kind: Block::Text },
        text(3, "world"),
        Event::Delta {
            block: 3,
            delta: Delta::Logprobs(Json(
                r#"[{"token":"world","logprob":-0.1,"bytes":[119],"top_logprobs":[]}]"#.into(),
            )),
        },
        Event::Close { block: 3 },
        Event::Open { block: 4, kind: Block::Text },
        text(4, " \n"),
        Event::Close { block: 4 },
    ]
}

/// Its calls and its end.
fn called() -> Vec<Event<'static>> {
    let input =
        |block, text: &'static str| Event::Delta { block, delta: Delta::Input(text.into()) };
    vec![
        Event::Open { block: 5, kind: call("call_1", "ls", false) },
        input(5, "{\"path\":"),
        input(5, "\"/\"}"),
        Event::Close { block: 5 },
        Event::Open { block: 6, kind: call("call_2", "now", false) },
        Event::Close { block: 6 },
        Event::Open { block: 7, kind: call("call_3", "apply_patch", true) },
        input(7, "*** Begin Patch\n"),
        Event::Close { block: 7 },
        Event::Open {
            block: 8,
            kind: Block::ToolCall {
                id: "call_4".into(),
                name: "shell".into(),
                namespace: None,
                custom: false,
                hosted: Some("shell".into()),
            },
        },
        input(8, "{\"commands\":\n[\"ls\"]}"),
        Event::Close { block: 8 },
        Event::Open {
            block: 9,
            kind: Block::ToolCall {
                id: "call_5".into(),
                name: "spawn".into(),
                namespace: Some("agents".into()),
                custom: false,
                hosted: None,
            },
        },
        input(9, "{}"),
        Event::Close { block: 9 },
        Event::Usage(Usage {
            input_uncached: Some(30),
            cache_read: Some(60),
            cache_write: Some(10),
            output: Some(50),
            reasoning: Some(20),
            ..Usage::default()
        }),
        Event::Finish(Stop::new(StopReason::ToolUse)),
        Event::End,
    ]
}

#[test]
fn every_kind_of_block_is_written() {
    let (mut writer, mut out) = (Writer::default(), Vec::new());
    for event in all_kinds() {
        writer.event(&responses(), &event, &mut out);
    }
    insta::assert_snapshot!("written", String::from_utf8(out).expect("UTF-8"));
}

/// Checks what every stream must keep to, and gives the last event.
#[track_caller]
fn check_stream(list: &[Value]) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut built: Vec<Value> = Vec::new();
    let mut open: Option<Value> = None;
    let mut streamed = String::new();
    let mut last = Value::Null;
    for (number, event) in list.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        assert!(last.is_null(), "nothing follows the last event: {event}");
        let kind = text(&event["type"]);
        let last_word = kind.rsplit('.').next().unwrap_or_default();
        match (number, kind.as_str()) {
            (0, kind) => assert_eq!(kind, "response.created"),
            (1, kind) => assert_eq!(kind, "response.in_progress"),
            (_, "response.output_item.added") => {
                assert!(open.is_none(), "one item is open at a time: {event}");
                assert_eq!(event["output_index"], built.len(), "{event}");
                open = Some(event["item"].clone());
                streamed.clear();
            }
            (_, "response.output_item.done") => {
                let item = &event["item"];
                let added = open.take().expect("an item was open");
                assert_eq!((&added["id"], &added["type"]), (&item["id"], &item["type"]));
                for member in ["arguments", "input"] {
                    if let Some(whole) = item[member].as_str() {
                        assert_eq!(whole, streamed, "the pieces make the whole");
                    }
                }
                built.push(item.clone());
            }
            (_, "response.completed" | "response.incomplete") => {
                assert!(open.is_none(), "all items are done");
                assert_eq!(event["response"]["output"], Value::Array(built.clone()));
                last = event.clone();
            }
            (_, kind) => {
                let item = open.as_ref().expect("an item is open");
                assert_eq!(event["item_id"], item["id"], "{event}");
                assert_eq!(event["output_index"], built.len(), "{event}");
                if kind.ends_with("part.added") {
                    streamed.clear();
                } else if last_word == "delta" {
                    streamed.push_str(&text(&event["delta"]));
                } else if last_word == "done" && !kind.ends_with("part.done") {
                    let whole = ["text", "refusal", "arguments", "input"];
                    let whole = whole.iter().find_map(|member| event[*member].as_str());
                    assert_eq!(whole, Some(streamed.as_str()), "{event}");
                }
            }
        }
    }
    last
}

#[test]
fn the_last_event_is_what_the_others_built() {
    let last = check_stream(&write(&responses(), all_kinds()));
    assert_eq!(last["type"], "response.completed");
    let types: Vec<&str> = last["response"]["output"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|item| item["type"].as_str())
        .collect();
    assert_eq!(
        types,
        [
            "reasoning",
            "reasoning",
            "message",
            "function_call",
            "function_call",
            "custom_tool_call",
            "shell_call",
            "function_call"
        ]
    );
}

#[test]
fn the_whole_answer_is_what_the_stream_ends_with() {
    for (name, stream) in STREAMS {
        let session = responses();
        let mut reader = Reader::new(&session);
        let mut writer = Writer::default();
        let mut out = Vec::new();
        let mut body = None;
        each(stream, |name, data| {
            let value: Value = serde_json::from_str(data).expect("JSON");
            if name == "response.completed" || name == "response.incomplete" {
                body = Some(value["response"].to_string());
            }
            reader
                .event(name, data, &mut |event| writer.event(&session, &event, &mut out))
                .expect("readable");
        });
        let Some(body) = body.filter(|_| name != "done-only") else { continue };
        let last = check_stream(&events(&String::from_utf8(out).expect("UTF-8")));
        let mut losses = crate::canonical::Losses::of_answer(Dialect::OpenaiResponses);
        let Answer::Response(answer) =
            response::read(&body, &session, &mut losses).expect("readable")
        else {
            panic!("{name} is an answer");
        };
        let mut whole = Vec::new();
        response::write(&answer, &session, &mut losses, &mut whole);
        let mut whole: Value = serde_json::from_slice(&whole).expect("JSON");
        let mut streamed = last["response"].clone();
        // The stream tells of parts as they came; whole, their texts are one.
        for answer in [&mut whole, &mut streamed] {
            answer["service_tier"].take();
            for item in answer["output"].as_array_mut().expect("items") {
                if let Some(parts) = item["summary"].as_array() {
                    let texts: Vec<&str> =
                        parts.iter().filter_map(|part| part["text"].as_str()).collect();
                    item["summary"] = texts.join("\n\n").into();
                }
            }
        }
        assert_eq!(whole, streamed, "{name}");
    }
}

#[track_caller]
fn check_end(reason: StopReason, details: Option<&'static str>, refuse: bool, expected: &str) {
    let mut list = vec![start(), Event::Open { block: 0, kind: Block::Text }];
    list.push(Event::Delta { block: 0, delta: Delta::Text("Hi".into()) });
    list.push(Event::Close { block: 0 });
    if refuse {
        list.push(Event::Open { block: 1, kind: Block::Refusal });
        list.push(Event::Delta { block: 1, delta: Delta::Text("No.".into()) });
        list.push(Event::Close { block: 1 });
    }
    let details = details.map(Str::from);
    list.push(Event::Finish(Stop { reason, sequence: None, details }));
    list.push(Event::End);
    let last = check_stream(&write(&responses(), list));
    let answer = &last["response"];
    let item = answer["output"].as_array().and_then(|items| items.last()).expect("an item");
    let part = item["content"].as_array().and_then(|parts| parts.last()).expect("a part");
    let found = format!(
        "{} {} {} {} {}",
        last["type"].as_str().expect("a type"),
        answer["status"].as_str().expect("a status"),
        answer["incomplete_details"]["reason"].as_str().unwrap_or("-"),
        item["status"].as_str().expect("a status"),
        part["type"].as_str().expect("a type"),
    );
    assert_eq!(found, expected, "{reason:?}");
}

#[test]
fn every_stop_reason_has_its_ending() {
    let done = "response.completed completed - completed output_text";
    check_end(StopReason::EndTurn, None, false, done);
    check_end(StopReason::StopSequence, None, false, done);
    check_end(StopReason::ToolUse, None, false, done);
    let cut = "response.incomplete incomplete max_output_tokens incomplete output_text";
    check_end(StopReason::MaxTokens, None, false, cut);
    check_end(StopReason::ContextFull, None, false, cut);
    check_end(StopReason::Pause, None, false, cut);
    let refused = "response.completed completed - completed refusal";
    check_end(StopReason::Refusal, None, true, refused);
    check_end(StopReason::Refusal, Some("Not that."), false, refused);
    let filtered = "response.incomplete incomplete content_filter completed output_text";
    check_end(StopReason::Refusal, None, false, filtered);
}

#[test]
fn usage_counts_cached_tokens_as_input() {
    let last = check_stream(&write(&responses(), all_kinds()));
    let usage = &last["response"]["usage"];
    assert_eq!(usage["input_tokens"], 100);
    assert_eq!(usage["input_tokens_details"]["cached_tokens"], 60);
    assert_eq!(usage["input_tokens_details"]["cache_write_tokens"], 10);
    assert_eq!(usage["output_tokens"], 50);
    assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 20);
    assert_eq!(usage["total_tokens"], 150);
}

#[test]
fn an_upstream_that_counts_nothing_gives_zeros() {
    let list = vec![start(), Event::Finish(Stop::new(StopReason::EndTurn)), Event::End];
    let last = check_stream(&write(&responses(), list));
    assert_eq!(last["response"]["usage"]["output_tokens_details"]["reasoning_tokens"], 0);
    assert_eq!(last["response"]["usage"]["total_tokens"], 0);
}

#[test]
fn the_answer_repeats_the_request_on_one_line() {
    let body = "{\"input\":\"x\",\"temperature\":0.5,\n\"tools\":[\n{\"type\":\"function\",\"name\":\"f\"}],\"instructions\":null}";
    let session = Session { echo: response::echo(body), ..responses() };
    let list = vec![start(), Event::Finish(Stop::new(StopReason::EndTurn)), Event::End];
    let last = check_stream(&write(&session, list));
    let answer = &last["response"];
    assert_eq!(answer["temperature"], 0.5);
    assert_eq!(answer["tools"][0]["name"], "f");
    assert_eq!(answer["tool_choice"], "auto");
    assert_eq!(answer["parallel_tool_calls"], true);
    assert!(answer.get("instructions").is_none());
}

#[test]
fn a_cut_call_is_not_complete() {
    let list = vec![
        start(),
        Event::Open { block: 0, kind: call("c", "f", false) },
        Event::Delta { block: 0, delta: Delta::Input("{\"a\":".into()) },
        Event::Close { block: 0 },
        Event::Finish(Stop::new(StopReason::MaxTokens)),
        Event::End,
    ];
    let last = check_stream(&write(&responses(), list));
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
}

#[test]
fn a_hosted_call_with_bad_input_becomes_a_function_call() {
    let kind = Block::ToolCall {
        id: "c".into(),
        name: "apply_patch".into(),
        namespace: None,
        custom: false,
        hosted: Some("apply_patch".into()),
    };
    let list = vec![
        start(),
        Event::Open { block: 0, kind },
        Event::Delta { block: 0, delta: Delta::Input("not json".into()) },
        Event::Close { block: 0 },
        Event::Finish(Stop::new(StopReason::ToolUse)),
        Event::End,
    ];
    let list = write(&responses(), list);
    let item = &list.last().expect("an event")["response"]["output"][0];
    assert_eq!((&item["type"], &item["arguments"]), (&"function_call".into(), &"not json".into()));
}

#[test]
fn reasoning_without_state_still_names_its_vendor() {
    let session = Session { vendor: "deepseek".to_owned(), ..responses() };
    let list = vec![
        start(),
        Event::Open { block: 0, kind: Block::Thinking { redacted: false } },
        Event::Delta { block: 0, delta: Delta::Text("hm".into()) },
        Event::Close { block: 0 },
        Event::Finish(Stop::new(StopReason::EndTurn)),
        Event::End,
    ];
    let last = check_stream(&write(&session, list));
    let state = &last["response"]["output"][0]["encrypted_content"];
    assert_eq!(state, "llmr1:deepseek:gpt-5:");
}

/// One random step of an upstream.
#[derive(Clone, Debug)]
enum Step {
    Open(u8),
    Text(String),
    Input(String),
    Close,
    Usage(u16),
    Ping,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u8..5).prop_map(Step::Open),
        "\\PC{0,6}".prop_map(Step::Text),
        "[{}\":a-c\\\\]{0,6}".prop_map(Step::Input),
        Just(Step::Close),
        any::<u16>().prop_map(Step::Usage),
        Just(Step::Ping),
    ];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    /// Whatever an upstream sends in whatever order, the stream keeps to its rules.
    #[test]
    fn streams_keep_to_the_rules(steps in steps(), cut in any::<bool>()) {
        let session = responses();
        let (mut writer, mut sequencer, mut out) =
            (Writer::default(), Sequencer::default(), Vec::new());
        let mut failed = false;
        let mut block = 0;
        let mut pass = |event: Event<'_>| {
            sequencer.event(event, &mut |event| {
                failed |= matches!(event, Event::Failed(_));
                writer.event(&session, &event, &mut out);
            });
        };
        pass(start());
        for step in steps {
            match step {
                Step::Open(kind) => {
                    block += 1;
                    let kind = match kind {
                        0 => Block::Text,
                        1 => Block::Refusal,
                        2 => Block::Thinking { redacted: false },
                        3 => call("c", "f", false),
                        _ => call("c", "f", true),
                    };
                    pass(Event::Open { block, kind });
                }
                Step::Text(text) => pass(Event::Delta { block, delta: Delta::Text(text.into()) }),
                Step::Input(text) => {
                    pass(Event::Delta { block, delta: Delta::Input(text.into()) });
                }
                Step::Close => pass(Event::Close { block }),
                Step::Usage(output) => pass(Event::Usage(Usage {
                    output: Some(output.into()),
                    ..Usage::default()
                })),
                Step::Ping => pass(Event::Ping),
            }
        }
        let reason = if cut { StopReason::MaxTokens } else { StopReason::EndTurn };
        pass(Event::Finish(Stop::new(reason)));
        pass(Event::End);
        let list = events(&String::from_utf8(out).expect("UTF-8"));
        let last = check_stream(&list);
        prop_assert_eq!(last.is_null(), failed);
    }
}
