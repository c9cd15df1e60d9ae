use proptest::prelude::*;

use super::*;
use crate::facts::FactsTable;

const ANTHROPIC_STREAM: &str = include_str!("../../fixtures/anthropic/stream/full.sse");
const ANTHROPIC_ANSWER: &[u8] = include_bytes!("../../fixtures/anthropic/response/full.json");

#[test]
fn state_a_chat_client_cannot_carry_is_kept_under_its_call() {
    let mut stream = Session::new(Dialect::OpenaiChat, Dialect::Anthropic).stream();
    let mut out = Vec::new();
    assert_eq!(stream.push(ANTHROPIC_STREAM.as_bytes(), &mut out), Progress::Finished);
    let kept = [
        ("toolu_01A".to_owned(), "llmr1:anthropic::EqQBCgIYAg==".to_owned()),
        ("toolu_01A".to_owned(), "llmr1:anthropic:redacted:EmwKAhgB".to_owned()),
    ];
    assert_eq!(stream.kept(), kept);
    let mut session = Session::new(Dialect::OpenaiChat, Dialect::Anthropic);
    let whole = session.response(ANTHROPIC_ANSWER, &mut out).unwrap();
    assert_eq!(whole.kept, kept);
    let mut session = Session::new(Dialect::Anthropic, Dialect::Anthropic);
    assert!(session.response(ANTHROPIC_ANSWER, &mut out).unwrap().kept.is_empty());
}

#[test]
fn readable_thinking_is_kept_where_the_vendor_demands_it() {
    let mut session = Session {
        keeps_text: true,
        vendor: "deepseek".to_owned(),
        family: "deepseek".to_owned(),
        ..Session::new(Dialect::OpenaiChat, Dialect::Anthropic)
    };
    let answer = br#"{"id":"x","content":[{"type":"thinking","thinking":"hm\n"},{"type":"tool_use","id":"c1","name":"f","input":{}}],"stop_reason":"tool_use"}"#;
    let whole = session.response(answer, &mut Vec::new()).unwrap();
    assert_eq!(whole.kept, [("c1".to_owned(), "llmr1:deepseek:deepseek:hm\n".to_owned())]);
}

fn stopping(stops: &[&str]) -> Session {
    Session {
        stops: stops.iter().map(|&stop| stop.to_owned()).collect(),
        ..Session::new(Dialect::Anthropic, Dialect::Anthropic)
    }
}

#[test]
fn the_router_stops_where_the_upstream_would_not() {
    // The text of the fixture is "Hello\n w\u{f6}rld \u{1f600}".
    for stop in ["Hello", "\n w", "ö", "lo\n", "😀"] {
        let mut stream = stopping(&[stop, "never"]).stream();
        let mut out = Vec::new();
        let progress = stream.push(ANTHROPIC_STREAM.as_bytes(), &mut out);
        assert_eq!(progress, Progress::Finished, "{stop:?}");
        let text = String::from_utf8(out).unwrap();
        let quoted = serde_json::to_string(stop).unwrap();
        assert!(
            text.contains(&format!(r#""stop_reason":"stop_sequence","stop_sequence":{quoted}"#)),
            "{stop:?}: {text}"
        );
        assert!(!text.contains(r#""type":"tool_use""#) && text.ends_with("\"message_stop\"}\n\n"));
        let mut out = Vec::new();
        stopping(&[stop]).response(ANTHROPIC_ANSWER, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(r#""stop_reason":"stop_sequence""#), "{stop:?}: {text}");
        assert!(!text.contains(r#""type":"tool_use""#));
    }
}

#[test]
fn a_stop_reason_that_contradicts_the_answer_is_corrected() {
    for (said, parts, wanted) in [
        ("end_turn", r#"{"type":"tool_use","id":"a","name":"f","input":{}}"#, "tool_use"),
        ("tool_use", r#"{"type":"text","text":"x"}"#, "end_turn"),
        ("max_tokens", r#"{"type":"tool_use","id":"a","name":"f","input":{}}"#, "max_tokens"),
        ("refusal", r#"{"type":"text","text":"x"}"#, "refusal"),
    ] {
        let answer = format!(r#"{{"id":"x","content":[{parts}],"stop_reason":"{said}"}}"#);
        let mut out = Vec::new();
        let mut session = Session::new(Dialect::Anthropic, Dialect::Anthropic);
        session.response(answer.as_bytes(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(&format!(r#""stop_reason":"{wanted}""#)), "{said}: {text}");
    }
}

#[test]
fn names_and_free_text_are_restored_in_answers_and_streams() {
    let session = || Session {
        tools: vec![
            ToolAlias {
                sent: "get_weather".to_owned(),
                name: "mcp.get weather".to_owned(),
                ..ToolAlias::default()
            },
            ToolAlias {
                sent: "get_time".to_owned(),
                name: "apply_patch".to_owned(),
                unwrap: true,
                ..ToolAlias::default()
            },
        ],
        ..Session::new(Dialect::OpenaiChat, Dialect::Anthropic)
    };
    let fixture = ANTHROPIC_STREAM.replace(r#"{"zone":"UTC"}"#, r#"{"input":"a\n\"b\""}"#);
    let mut stream = session().stream();
    let mut out = Vec::new();
    assert_eq!(stream.push(fixture.as_bytes(), &mut out), Progress::Finished);
    let streamed = String::from_utf8(out).unwrap();
    let answer = String::from_utf8(ANTHROPIC_ANSWER.to_vec()).unwrap();
    let answer = answer.replace(r#"{"zone":"UTC"}"#, r#"{"input":"a\n\"b\""}"#);
    let mut out = Vec::new();
    session().response(answer.as_bytes(), &mut out).unwrap();
    let whole = String::from_utf8(out).unwrap();
    for text in [streamed, whole] {
        assert!(text.contains("mcp.get weather") && !text.contains("get_weather"), "{text}");
        assert!(text.contains("apply_patch") && !text.contains("get_time"), "{text}");
        assert!(text.contains(r#""input":"a\n\"b\"""#), "{text}");
    }
}

#[test]
fn errors_in_disguise_are_errors() {
    for (body, kind) in [
        (
            &br#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#[..],
            ErrorKind::Overloaded,
        ),
        (b"<html>", ErrorKind::Upstream),
        (b"{\"id\":", ErrorKind::Upstream),
        (b"\xff", ErrorKind::Upstream),
        (b"{}", ErrorKind::Upstream),
        (br#"{"id":"x","content":[],"stop_reason":null}"#, ErrorKind::Upstream),
    ] {
        let mut out = Vec::new();
        let mut session = Session::new(Dialect::OpenaiChat, Dialect::Anthropic);
        let error = session.response(body, &mut out).unwrap_err();
        assert_eq!(error.kind, kind, "{}", String::from_utf8_lossy(body));
        assert!(out.is_empty());
    }
}

#[test]
fn estimates_grow_with_the_text_and_not_with_images() {
    let count = |body: &str| {
        estimate_tokens(Dialect::Anthropic, body.as_bytes(), &RequestExtra::default()).unwrap()
    };
    let text = |n: usize| {
        count(&format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "word ".repeat(n)))
    };
    assert!(text(1000) > 1000 && text(1000) < 2000, "{}", text(1000));
    let image = |n: usize| {
        let data = "A".repeat(n);
        count(&format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{data}"}}}}]}}]}}"#
        ))
    };
    assert_eq!(image(4), image(40_000));
}

const SEEDS: [&str; 3] = [
    include_str!("../../fixtures/anthropic/request/claude_code.json"),
    include_str!("../../fixtures/anthropic/request/tool_turns.json"),
    include_str!("../../fixtures/anthropic/request/server_tool_history.json"),
];

proptest! {
    /// Damaged requests are translated into valid JSON or refused; nothing panics.
    #[test]
    fn any_damage_to_a_request_is_survived(
        seed in 0_usize..3,
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..12, r#"[\[\]{}:,"\\a1 ntf-]{0,4}"#), 1..4),
        model in prop::sample::select(vec!["claude-sonnet-4-5", "gpt-5.6", "gemini-2.5-pro", "x"]),
        dialect in prop::sample::select(Dialect::ALL.to_vec()),
    ) {
        let mut body = SEEDS[seed].as_bytes().to_vec();
        for (at, len, text) in cuts {
            let at = at.index(body.len());
            let end = (at + len).min(body.len());
            body.splice(at..end, text.bytes());
        }
        let facts = FactsTable::embedded().lookup(model);
        let options = Options::default();
        let target = Target { dialect, model, facts: &facts, options: &options };
        let result = translate_request(Dialect::Anthropic, &body, &RequestExtra::default(), &target);
        if let Ok(outbound) = result {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&outbound.body).is_ok());
        }
    }
}

#[test]
fn a_stream_without_its_start_gets_one() {
    let upstream = concat!(
        "data: {\"type\":\"content_block_start\",\"index\":0,",
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0,",
        "\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
    );
    for inbound in Dialect::ALL {
        let mut translator = Session::new(inbound, Dialect::Anthropic).stream();
        let mut out = Vec::new();
        translator.push(upstream.as_bytes(), &mut out);
        let mut tap = crate::tap::Tap::new(inbound);
        let seen = tap.push(&out);
        assert!(seen.meaningful && seen.malformed_count == 0, "{inbound}: {seen:?}");
    }
}
