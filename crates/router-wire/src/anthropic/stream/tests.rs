use proptest::prelude::*;

use crate::Dialect;
use crate::canonical::{Block, Citation, Delta, Event, Opaque, Start, Stop, StopReason};
use crate::error::{ClientError, ErrorKind};
use crate::json::Str;
use crate::translate::{Progress, Session};
use crate::usage::Usage;

fn session() -> Session {
    Session {
        model_shown: "shown".to_owned(),
        input_estimate: 7,
        ..Session::new(Dialect::Anthropic, Dialect::Anthropic)
    }
}

/// Writes events as a Messages client gets them.
fn written(session: &Session, events: &[Event<'_>]) -> String {
    let mut writer = super::Writer::default();
    let mut out = Vec::new();
    for event in events {
        writer.event(session, event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// The upstream's stream as the client gets it, and how it ended.
fn translated(pieces: &[&[u8]]) -> (String, Progress) {
    let mut stream = session().stream();
    let mut out = Vec::new();
    for piece in pieces {
        let _ = stream.push(piece, &mut out);
    }
    let progress = stream.end(&mut out);
    if let Progress::Failed(error) = &progress {
        stream.fail(error, "req_1", &mut out);
    }
    (String::from_utf8(out).unwrap(), progress)
}

const FULL: &str = include_str!("../../../fixtures/anthropic/stream/full.sse");

#[test]
fn a_stream_goes_through_with_nothing_but_names_changed() {
    let (out, progress) = translated(&[FULL.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    insta::assert_snapshot!(out);
}

#[test]
fn however_the_bytes_are_cut_the_client_sees_the_same() {
    let (whole, _) = translated(&[FULL.as_bytes()]);
    for at in 0..FULL.len() {
        let (a, b) = FULL.as_bytes().split_at(at);
        assert_eq!(translated(&[a, b]).0, whole, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = FULL.as_bytes().chunks(1).collect();
    assert_eq!(translated(&bytes).0, whole, "byte by byte");
    let crlf = FULL.replace('\n', "\r\n");
    assert_eq!(translated(&[crlf.as_bytes()]).0, whole, "CRLF");
    let no_names: String =
        FULL.split_inclusive('\n').filter(|line| !line.starts_with("event:")).collect();
    assert_eq!(translated(&[no_names.as_bytes()]).0, whole, "no event names");
}

#[test]
fn a_stream_cut_at_any_event_ends_in_exactly_one_error() {
    let events: Vec<&str> = FULL.split_inclusive("\n\n").collect();
    for count in 0..events.len() - 1 {
        let (out, progress) = translated(&[events[..count].concat().as_bytes()]);
        assert!(matches!(progress, Progress::Failed(_)), "cut after {count}");
        assert_eq!(out.matches("event: error").count(), 1);
        assert!(!out.contains("message_stop"), "a fake ending after {count}");
    }
}

#[test]
fn an_error_event_is_reported_and_never_looks_like_an_end() {
    let start = FULL.split_inclusive("\n\n").next().unwrap();
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let (out, progress) = translated(&[start.as_bytes(), error.as_bytes()]);
    let Progress::Failed(failed) = progress else { panic!("{progress:?}") };
    assert_eq!((failed.kind, failed.message.as_str()), (ErrorKind::Overloaded, "Overloaded"));
    assert!(out.contains("\"type\":\"overloaded_error\"") && !out.contains("message_stop"));
}

#[test]
fn what_makes_no_sense_fails_the_stream() {
    for bad in [
        "data: {broken\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":3,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
        "data: [1]\n\n",
        "data: {\"type\":\"message_start\"}\n\n",
        "data: \u{feff}{}\n\n",
    ] {
        let (_, progress) = translated(&[b": hi\n\n", bad.as_bytes()]);
        assert!(matches!(progress, Progress::Failed(_)), "{bad}: {progress:?}");
    }
}

#[test]
fn unknown_events_and_blocks_are_passed_over() {
    let odd = "data: {\"type\":\"hologram_start\",\"x\":[1]}\n\ndata: {\"type\":\"content_block_start\",\"index\":9,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":9,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\ndata: {\"type\":\"content_block_stop\",\"index\":9}\n\n";
    let (start, rest) = FULL.split_at(FULL.find("\n\n").unwrap() + 2);
    let (whole, _) = translated(&[FULL.as_bytes()]);
    let (out, progress) = translated(&[start.as_bytes(), odd.as_bytes(), rest.as_bytes()]);
    assert_eq!((out, progress), (whole, Progress::Finished));
}

#[test]
fn a_whole_answer_on_a_stream_request_is_replayed_as_a_stream() {
    let body = include_bytes!("../../../fixtures/anthropic/response/full.json");
    let (out, progress) = translated(&[b" ", &body[..40], &body[40..]]);
    assert_eq!(progress, Progress::Finished);
    insta::assert_snapshot!(out);
    let error = br#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
    let (_, progress) = translated(&[error]);
    let Progress::Failed(failed) = progress else { panic!("{progress:?}") };
    assert_eq!(failed.kind, ErrorKind::RateLimit);
}

#[test]
fn progress_tells_when_the_client_has_seen_something() {
    let mut stream = session().stream();
    let mut out = Vec::new();
    let mut seen = Vec::new();
    for event in FULL.split_inclusive("\n\n") {
        seen.push(stream.push(event.as_bytes(), &mut out));
    }
    let first = seen.iter().position(|progress| *progress == Progress::Meaningful).unwrap();
    let events: Vec<&str> = FULL.split_inclusive("\n\n").collect();
    assert!(events[first].contains("thinking_delta"), "{}", events[first]);
    assert!(seen[..first].iter().all(|progress| *progress == Progress::Startup));
    assert_eq!(seen.last(), Some(&Progress::Finished));
    assert_eq!(stream.usage().output, Some(89));
    assert_eq!(stream.usage().input_uncached, Some(25));
}

fn start() -> Event<'static> {
    Event::Start(Start {
        id: "chatcmpl-9".into(),
        model: "gpt".into(),
        created_s: None,
        service_tier: None,
    })
}

const fn text(block: u32, text: &'static str) -> Event<'static> {
    Event::Delta { block, delta: Delta::Text(Str::plain(text)) }
}

const fn finish(reason: StopReason) -> Event<'static> {
    Event::Finish(Stop::new(reason))
}

#[test]
fn blank_text_opens_no_block_but_is_kept_when_more_follows() {
    let open = || Event::Open { block: 0, kind: Block::Text };
    let close = || Event::Close { block: 0 };
    let end = [finish(StopReason::EndTurn), Event::End];
    let run = |events: &[Event<'_>]| {
        let mut all = vec![start()];
        all.extend_from_slice(events);
        all.extend_from_slice(&end);
        written(&session(), &all)
    };
    let blank = run(&[open(), text(0, "\n\n"), close()]);
    assert!(!blank.contains("content_block"), "{blank}");
    let kept = run(&[open(), text(0, "\n"), text(0, " "), text(0, "x"), close()]);
    assert!(kept.contains(r#""text":"\n ""#) && kept.contains(r#""text":"x""#), "{kept}");
}

#[test]
fn foreign_thinking_is_signed_with_an_envelope() {
    let mut session = session();
    session.vendor = "openai".to_owned();
    session.family = "gpt-5".to_owned();
    let opaque =
        Opaque { vendor: "openai".into(), family: Some("gpt-5".into()), payload: "gAAA".into() };
    let events = |state: Option<Opaque<'static>>| {
        let mut list = vec![
            start(),
            Event::Open { block: 0, kind: Block::Thinking { redacted: false } },
            text(0, "hm"),
            Event::Delta { block: 0, delta: Delta::Break },
        ];
        list.extend(state.map(|state| Event::Delta { block: 0, delta: Delta::Opaque(state) }));
        list.extend([Event::Close { block: 0 }, finish(StopReason::EndTurn), Event::End]);
        list
    };
    let signed = written(&session, &events(Some(opaque)));
    assert!(signed.contains(r#""signature":"llmr1:openai:gpt-5:gAAA""#), "{signed}");
    assert!(signed.contains(r#""thinking":"\n\n""#), "{signed}");
    let unsigned = written(&session, &events(None));
    assert!(unsigned.contains(r#""signature":"llmr1:openai:gpt-5:""#), "{unsigned}");
    session.shown = crate::canonical::Shown::Hidden;
    let hidden = written(&session, &events(None));
    assert!(hidden.contains(r#""signature":"llmr1:openai:gpt-5:hm\n\n""#), "{hidden}");
    assert!(!hidden.contains("thinking_delta"), "{hidden}");
}

#[test]
fn usage_is_seeded_then_corrected() {
    let events = [
        start(),
        Event::Open { block: 0, kind: Block::Text },
        text(0, "x"),
        Event::Close { block: 0 },
        finish(StopReason::MaxTokens),
        Event::Usage(Usage { output: Some(3), ..Usage::from_inclusive(Some(30), Some(20), None) }),
        Event::End,
    ];
    let out = written(&session(), &events);
    let lines: Vec<&str> = out.lines().filter(|line| line.contains("input_tokens")).collect();
    assert!(lines[0].contains(r#""input_tokens":7"#), "{}", lines[0]);
    assert!(lines[1].contains(
        r#""input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":20"#
    ));
    assert!(
        lines[1].contains(r#""stop_reason":"max_tokens""#)
            && lines[1].contains(r#""output_tokens":3"#)
    );
    assert!(lines.iter().all(|line| line.contains(r#""speed":"standard""#)));
}

#[test]
fn pings_are_comments_before_the_start() {
    let mut writer = super::Writer::default();
    let mut out = Vec::new();
    writer.ping(&mut out);
    assert_eq!(out, b": ping\n\n");
    writer.event(&session(), &start(), &mut out);
    out.clear();
    writer.ping(&mut out);
    assert_eq!(out, b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
    writer.event(&session(), &finish(StopReason::EndTurn), &mut out);
    writer.event(&session(), &Event::End, &mut out);
    out.clear();
    writer.ping(&mut out);
    writer.event(&session(), &text(0, "late"), &mut out);
    assert_eq!(out, b"", "nothing follows the end");
}

/// Any events a reader could make, in any order, with any keys.
fn any_event() -> impl Strategy<Value = Event<'static>> {
    let key = 0_u32..4;
    let kind = prop_oneof![
        Just(Block::Text),
        Just(Block::Refusal),
        any::<bool>().prop_map(|redacted| Block::Thinking { redacted }),
        Just(Block::ToolCall {
            id: "call_1".into(),
            name: "f".into(),
            namespace: None,
            custom: false,
            hosted: None
        }),
    ];
    let delta = prop_oneof![
        "[ a\\n\"é]{0,3}".prop_map(|text| Delta::Text(text.into())),
        prop_oneof![Just("{}"), Just("{\"a\":"), Just("1}"), Just("")]
            .prop_map(|text| Delta::Input(text.into())),
        Just(Delta::Break),
        Just(Delta::Opaque(Opaque { vendor: "openai".into(), family: None, payload: "p".into() })),
        Just(Delta::Citation(Citation::Url {
            url: "https://example.com".into(),
            title: None,
            cited_text: None,
            start: None,
            end: None
        })),
    ];
    prop_oneof![
        (key.clone(), kind).prop_map(|(block, kind)| Event::Open { block, kind }),
        (key.clone(), delta).prop_map(|(block, delta)| Event::Delta { block, delta }),
        key.prop_map(|block| Event::Close { block }),
        Just(Event::Ping),
        (0_u64..9).prop_map(|n| Event::Usage(Usage { output: Some(n), ..Usage::default() })),
        Just(finish(StopReason::EndTurn)),
        Just(Event::End),
        Just(Event::Failed(Box::new(ClientError::new(ErrorKind::Overloaded, "no")))),
    ]
}

/// Holds a Messages stream to the rules of the official SDKs.
fn check_rules(out: &str) {
    let (mut open, mut next, mut started, mut over): (Option<u64>, u64, bool, bool) =
        (None, 0, false, false);
    for block in out.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':')) {
        let (name, data) = block.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        let value: serde_json::Value =
            serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(value["type"], name);
        assert!(!over, "{name} after the end");
        if name == "message_start" {
            assert!(!started, "two starts");
            started = true;
            continue;
        }
        assert!(started, "{name} before the start");
        match name {
            "content_block_start" => {
                assert_eq!(open, None, "two open blocks");
                assert_eq!(value["index"], next, "a gap");
                open = Some(next);
                next += 1;
            }
            "content_block_delta" => assert_eq!(value["index"].as_u64(), open),
            "content_block_stop" => assert_eq!(value["index"].as_u64(), open.take()),
            "message_delta" => assert_eq!(open, None, "an open block at the end"),
            "message_stop" | "error" => over = true,
            "ping" => {}
            other => panic!("unknown event {other}"),
        }
    }
}

proptest! {
    #[test]
    fn any_events_make_a_stream_by_the_rules(
        mut events in proptest::collection::vec(any_event(), 0..24),
    ) {
        events.insert(0, start());
        let session = session();
        let mut sequencer = crate::canonical::Sequencer::default();
        let mut writer = super::Writer::default();
        let mut out = Vec::new();
        for event in events {
            sequencer.event(event, &mut |event| writer.event(&session, &event, &mut out));
        }
        check_rules(&String::from_utf8(out).unwrap());
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (out, _) = translated(&[b"data: ", &bytes]);
        prop_assert!(!out.contains("message_stop"));
    }
}

#[test]
fn the_last_word_on_usage_is_an_estimate_where_the_upstream_counted_nothing() {
    let start = Start { id: Str::EMPTY, model: Str::EMPTY, created_s: None, service_tier: None };
    let events = |usage| {
        [
            Event::Start(start.clone()),
            Event::Usage(usage),
            Event::Finish(Stop::new(StopReason::EndTurn)),
            Event::End,
        ]
    };
    let last = |usage| {
        let out = written(&session(), &events(usage));
        out.split_once("event: message_delta").unwrap().1.to_owned()
    };
    assert!(last(Usage::default()).contains("\"input_tokens\":7,"));
    let counted = Usage { input_uncached: Some(0), cache_read: Some(3), ..Usage::default() };
    assert!(last(counted).contains("\"input_tokens\":0,"), "what was counted is the truth");
}
