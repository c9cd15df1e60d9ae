use proptest::prelude::*;
use serde_json::Value;

use crate::Dialect;
use crate::canonical::{
    Block, Citation, Delta, Event, Losses, Opaque, Shown, Start, Stop, StopReason,
};
use crate::error::{ClientError, ErrorKind};
use crate::gemini::response;
use crate::json::Str;
use crate::translate::{Answer, Progress, Session};
use crate::usage::Usage;

const FULL: &str = include_str!("../../../fixtures/gemini/stream/full.sse");
const CITED: &str = include_str!("../../../fixtures/gemini/stream/cited.sse");
const CLAUDE: &str = include_str!("../../../fixtures/anthropic/stream/full.sse");

fn session(inbound: Dialect, outbound: Dialect) -> Session {
    Session {
        model_shown: "shown".to_owned(),
        include_usage: true,
        shown: Shown::Summary,
        vendor: "anthropic".to_owned(),
        family: "claude".to_owned(),
        now_s: 1_800_000_000,
        ..Session::new(inbound, outbound)
    }
}

/// The upstream's stream as the client gets it, and how it ended.
fn translated(session: Session, pieces: &[&[u8]]) -> (String, Progress) {
    let mut stream = session.stream();
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

fn from_gemini(inbound: Dialect, pieces: &[&[u8]]) -> (String, Progress) {
    translated(session(inbound, Dialect::Gemini), pieces)
}

/// The objects in a stream a Gemini client gets. Empty lines between them are pings.
fn pieces(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn messages_clients_see_thoughts_text_and_calls() {
    let (out, progress) = from_gemini(Dialect::Anthropic, &[FULL.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    insta::assert_snapshot!(out);
}

#[test]
fn chat_clients_see_thoughts_text_and_calls() {
    let (out, progress) = from_gemini(Dialect::OpenaiChat, &[FULL.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    insta::assert_snapshot!(out);
}

#[test]
fn gemini_clients_of_the_hub_see_what_gemini_said() {
    let (out, progress) = from_gemini(Dialect::Gemini, &[FULL.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    insta::assert_snapshot!(out);
}

#[test]
fn gemini_clients_see_what_claude_said() {
    let (out, progress) =
        translated(session(Dialect::Gemini, Dialect::Anthropic), &[CLAUDE.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    insta::assert_snapshot!(out);
}

#[test]
fn sources_reach_the_clients() {
    for dialect in [Dialect::Anthropic, Dialect::Gemini] {
        let (out, progress) = from_gemini(dialect, &[CITED.as_bytes()]);
        assert_eq!(progress, Progress::Finished);
        assert!(out.contains("https://example.com/a"), "{dialect}: {out}");
    }
}

#[test]
fn however_the_bytes_are_cut_the_client_sees_the_same() {
    for inbound in [Dialect::Anthropic, Dialect::OpenaiChat, Dialect::Gemini] {
        let (whole, _) = from_gemini(inbound, &[FULL.as_bytes()]);
        for at in 0..FULL.len() {
            let (a, b) = FULL.as_bytes().split_at(at);
            assert_eq!(from_gemini(inbound, &[a, b]).0, whole, "{inbound}: cut at {at}");
        }
        let bytes: Vec<&[u8]> = FULL.as_bytes().chunks(1).collect();
        assert_eq!(from_gemini(inbound, &bytes).0, whole, "{inbound}: byte by byte");
        let crlf = FULL.replace('\n', "\r\n");
        assert_eq!(from_gemini(inbound, &[crlf.as_bytes()]).0, whole, "{inbound}: CRLF");
        let no_end = FULL.trim_end();
        assert_eq!(from_gemini(inbound, &[no_end.as_bytes()]).0, whole, "{inbound}: last line");
    }
}

#[test]
fn a_stream_cut_at_any_event_ends_in_exactly_one_error() {
    let events: Vec<&str> = FULL.split_inclusive("\n\n").collect();
    for count in 0..events.len() - 1 {
        let cut = events[..count].concat();
        let (out, progress) = from_gemini(Dialect::Anthropic, &[cut.as_bytes()]);
        assert!(matches!(progress, Progress::Failed(_)), "cut after {count}");
        assert_eq!(out.matches("event: error").count(), 1);
        assert!(!out.contains("message_stop"), "a fake ending after {count}");
    }
}

#[test]
fn a_stream_to_a_gemini_client_that_is_cut_ends_in_exactly_one_error() {
    let events: Vec<&str> = CLAUDE.split_inclusive("\n\n").collect();
    for count in 0..events.len() - 1 {
        let cut = events[..count].concat();
        for json_array in [false, true] {
            let session = Session { json_array, ..session(Dialect::Gemini, Dialect::Anthropic) };
            let (out, progress) = translated(session, &[cut.as_bytes()]);
            assert!(matches!(progress, Progress::Failed(_)), "cut after {count}");
            let told = if json_array {
                serde_json::from_str::<Vec<Value>>(&out).unwrap()
            } else {
                pieces(&out)
            };
            assert_eq!(told.iter().filter(|piece| piece.get("error").is_some()).count(), 1);
            assert!(told.last().unwrap()["error"]["code"].is_u64(), "{out}");
            assert!(!out.contains("finishReason"), "a fake ending after {count}");
        }
    }
}

#[test]
fn the_array_form_says_the_same_as_the_events() {
    let told = |json_array| {
        let session = Session { json_array, ..session(Dialect::Gemini, Dialect::Anthropic) };
        translated(session, &[CLAUDE.as_bytes()]).0
    };
    let array: Vec<Value> = serde_json::from_str(&told(true)).unwrap();
    assert_eq!(array, pieces(&told(false)));
}

#[test]
fn a_ping_harms_neither_form() {
    for json_array in [false, true] {
        let session = Session { json_array, ..session(Dialect::Gemini, Dialect::Anthropic) };
        let mut stream = session.stream();
        let mut out = Vec::new();
        stream.ping(&mut out);
        for event in CLAUDE.split_inclusive("\n\n") {
            let _ = stream.push(event.as_bytes(), &mut out);
            stream.ping(&mut out);
        }
        assert_eq!(stream.end(&mut out), Progress::Finished);
        let text = String::from_utf8(out).unwrap();
        if json_array {
            assert!(serde_json::from_str::<Vec<Value>>(&text).is_ok(), "{text}");
        } else {
            assert!(!pieces(&text).is_empty());
            assert!(text.lines().all(|line| line.is_empty() || line.starts_with("data: ")));
        }
    }
}

/// What a stream of events tells, whatever pieces it came in.
fn collect(tell: impl FnOnce(&mut dyn FnMut(Event<'_>))) -> Vec<String> {
    let (mut told, mut cited): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    tell(&mut |event| match event {
        Event::Open { kind: Block::Text, .. } => told.push("text: ".to_owned()),
        Event::Open { kind: Block::Thinking { .. }, .. } => told.push("thinking: ".to_owned()),
        Event::Open { kind: Block::ToolCall { id, name, .. }, .. } => {
            told.push(format!("call {id:?} {name:?}: "));
        }
        Event::Open { kind: Block::Refusal, .. } => told.push("refusal: ".to_owned()),
        Event::Delta { delta: Delta::Text(text) | Delta::Input(text), .. } => {
            told.last_mut().unwrap().push_str(&text.decode());
        }
        Event::Delta { delta: Delta::Opaque(opaque), .. } => {
            let state = format!(" [{}]", opaque.payload.decode());
            told.last_mut().unwrap().push_str(&state);
        }
        Event::Delta { delta: Delta::Citation(Citation::Url { url, .. }), .. } => {
            cited.push(url.decode().into_owned());
        }
        Event::Finish(stop) => told.push(format!("{:?}", stop.reason)),
        Event::Failed(error) => told.push(format!("failed: {error}")),
        Event::Start(start) => told.push(format!("{:?} {:?}", start.id, start.model)),
        _ => {}
    });
    // A text that came before may have been closed when its sources were told.
    told.retain(|block| block != "text: ");
    told.extend(cited);
    told
}

#[test]
fn a_stream_adds_up_to_the_whole_answer() {
    for stream in [FULL, CITED] {
        let bodies: Vec<&str> =
            stream.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
        let streamed = collect(|mut sink| {
            let mut reader = super::Reader::default();
            for body in &bodies {
                reader.event("", body, &mut sink).unwrap();
            }
        });
        let list = format!("[{}]", bodies.join(","));
        let mut losses = Losses::of_answer(Dialect::Gemini);
        let Answer::Response(whole) = response::read(&list, &mut losses).unwrap() else {
            panic!("the list is an answer")
        };
        let replayed = collect(|mut sink| whole.replay(&mut sink));
        assert_eq!(streamed, replayed);
        assert!(losses.list().len() < 2, "{:?}", losses.list());
    }
}

#[test]
fn what_makes_no_sense_fails_the_stream() {
    for bad in [
        "data: {broken\n\n",
        "data: [1]\n\n",
        "data: {\"candidates\":{}}\n\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":1}]}}]}\n\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"args\":{}}}]}}]}\n\n",
        "data: {\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}\n\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}]}\n\n",
        "data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":\"UNAVAILABLE\"}}\n\n",
    ] {
        let (out, progress) = from_gemini(Dialect::Anthropic, &[bad.as_bytes()]);
        assert!(matches!(progress, Progress::Failed(_)), "{bad}: {progress:?}");
        assert!(!out.contains("message_stop"), "{bad}: {out}");
    }
}

#[test]
fn an_error_inside_the_stream_keeps_its_kind_and_message() {
    let error = "data: {\"error\":{\"code\":429,\"message\":\"Quota exceeded\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n";
    let (_, progress) = from_gemini(Dialect::Anthropic, &[error.as_bytes()]);
    let Progress::Failed(failed) = progress else { panic!("{progress:?}") };
    assert_eq!((failed.kind, failed.message.as_str()), (ErrorKind::RateLimit, "Quota exceeded"));
}

#[test]
fn a_blocked_prompt_is_a_refusal_and_not_an_error() {
    let blocked = "data: {\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},\"responseId\":\"r\"}\n\n";
    let (out, progress) = from_gemini(Dialect::Anthropic, &[blocked.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    assert!(out.contains("\"stop_reason\":\"refusal\""), "{out}");
    let (out, _) = from_gemini(Dialect::OpenaiChat, &[blocked.as_bytes()]);
    assert!(out.contains("\"finish_reason\":\"content_filter\""), "{out}");
}

#[test]
fn the_last_usage_counts() {
    let (out, _) = from_gemini(Dialect::Gemini, &[FULL.as_bytes()]);
    let last = pieces(&out).pop().unwrap();
    assert_eq!(
        last["usageMetadata"],
        serde_json::json!({"promptTokenCount": 120, "cachedContentTokenCount": 100,
            "candidatesTokenCount": 30, "thoughtsTokenCount": 12, "totalTokenCount": 162,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 120}]})
    );
}

#[test]
fn a_finish_reason_in_every_piece_loses_no_text() {
    let piece = |text: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}},\"finishReason\":\"STOP\"}}],\"responseId\":\"r\"}}\n\n"
        )
    };
    let stream = [piece("a"), piece("b")].concat();
    let (out, progress) = from_gemini(Dialect::Gemini, &[stream.as_bytes()]);
    assert_eq!(progress, Progress::Finished);
    assert!(out.contains("\"text\":\"a\"") && out.contains("\"text\":\"b\""), "{out}");
}

#[test]
fn thoughts_are_shown_only_to_clients_that_ask() {
    for (shown, expect) in [(Shown::Unset, false), (Shown::Hidden, false), (Shown::Summary, true)] {
        let session = Session { shown, ..session(Dialect::Gemini, Dialect::Anthropic) };
        let (out, _) = translated(session, &[CLAUDE.as_bytes()]);
        assert_eq!(out.contains("\"thought\":true"), expect, "{shown:?}");
        assert!(out.contains("thoughtSignature"), "the state is carried in any case");
    }
}

/// Events as they leave the sequencer.
#[derive(Clone, Debug)]
enum Told {
    Text(String),
    Thinking(String, Option<String>),
    Call(String),
    Ping,
    Used(u64),
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        "\\PC{0,8}".prop_map(Told::Text),
        ("\\PC{0,8}", proptest::option::of("[a-zA-Z0-9+/=]{1,8}"))
            .prop_map(|(text, state)| Told::Thinking(text, state)),
        prop_oneof![Just("{}"), Just("{\"a\":[1,\"}\"]}"), Just(""), Just("[1]"), Just("{\"a\":")]
            .prop_map(|input| Told::Call(input.to_owned())),
        Just(Told::Ping),
        (0..100_u64).prop_map(Told::Used),
    ]
}

fn play(told: &[Told], sink: &mut impl FnMut(Event<'_>)) {
    sink(Event::Start(Start {
        id: "msg_1".into(),
        model: "m".into(),
        created_s: None,
        service_tier: None,
    }));
    for (block, one) in (0_u32..).zip(told) {
        let (kind, delta) = match one {
            Told::Ping => {
                sink(Event::Ping);
                continue;
            }
            Told::Used(count) => {
                sink(Event::Usage(Usage { output: Some(*count), ..Usage::default() }));
                continue;
            }
            Told::Text(text) => (Block::Text, Delta::Text(text.as_str().into())),
            Told::Thinking(text, _) => {
                (Block::Thinking { redacted: false }, Delta::Text(text.as_str().into()))
            }
            Told::Call(input) => (
                Block::ToolCall {
                    id: format!("c{block}").into(),
                    name: "f".into(),
                    namespace: None,
                    custom: false,
                    hosted: None,
                },
                Delta::Input(input.as_str().into()),
            ),
        };
        sink(Event::Open { block, kind });
        sink(Event::Delta { block, delta });
        if let Told::Thinking(_, Some(state)) = one {
            let opaque =
                Opaque { vendor: "anthropic".into(), family: None, payload: Str::plain(state) };
            sink(Event::Delta { block, delta: Delta::Opaque(opaque) });
        }
        sink(Event::Close { block });
    }
    sink(Event::Finish(Stop::new(StopReason::EndTurn)));
    sink(Event::End);
}

proptest! {
    #[test]
    fn any_events_make_a_stream_by_the_rules(events in prop::collection::vec(told(), 0..8),
        json_array in any::<bool>(), cut in any::<bool>()) {
        let session = Session { json_array, ..session(Dialect::Gemini, Dialect::Anthropic) };
        let mut writer = super::Writer::new(&session);
        let mut out = Vec::new();
        play(&events, &mut |event| {
            if !(cut && matches!(event, Event::End)) {
                writer.event(&session, &event, &mut out);
            }
        });
        if cut {
            writer.fail(&ClientError::new(ErrorKind::Upstream, "cut"), &mut out);
        }
        // Nothing may follow the end.
        let length = out.len();
        writer.event(&session, &Event::Ping, &mut out);
        writer.event(&session, &Event::End, &mut out);
        prop_assert_eq!(out.len(), length);
        let text = String::from_utf8(out).unwrap();
        let told = if json_array { serde_json::from_str(&text).unwrap() } else { pieces(&text) };
        let last = told.last().unwrap();
        let ends = told.iter().filter(|p| p["candidates"][0]["finishReason"].is_string()).count();
        prop_assert_eq!(ends, usize::from(!cut));
        prop_assert_eq!(last.get("error").is_some(), cut);
        if !cut {
            prop_assert!(last["usageMetadata"]["totalTokenCount"].is_u64());
        }
        let parts: Vec<&Value> = told
            .iter()
            .filter_map(|piece| piece["candidates"][0]["content"]["parts"].as_array())
            .flatten()
            .collect();
        let said: String = parts
            .iter()
            .filter(|part| part.get("thought").is_none())
            .filter_map(|part| part["text"].as_str())
            .collect();
        let expected: String = events
            .iter()
            .filter_map(|one| if let Told::Text(text) = one { Some(text.as_str()) } else { None })
            .collect();
        prop_assert_eq!(said, expected);
        let calls = parts.iter().filter(|part| part["functionCall"]["args"].is_object()).count();
        let asked = events.iter().filter(|one| matches!(one, Told::Call(_))).count();
        prop_assert_eq!(calls, asked);
    }
}

#[test]
fn probabilities_come_with_the_last_piece() {
    let item = |token: &str| {
        format!("{{\"token\":\"{token}\",\"logprob\":-0.5,\"bytes\":null,\"top_logprobs\":[]}}")
    };
    let session = session(Dialect::Gemini, Dialect::OpenaiChat);
    let mut writer = super::Writer::new(&session);
    let mut out = Vec::new();
    let mut tell = |event| writer.event(&session, &event, &mut out);
    tell(Event::Open { block: 0, kind: Block::Text });
    for token in ["a", "b"] {
        tell(Event::Delta { block: 0, delta: Delta::Text(token.into()) });
        let json = crate::canonical::Json(format!("[{}]", item(token)).into());
        tell(Event::Delta { block: 0, delta: Delta::Logprobs(json) });
    }
    tell(Event::Close { block: 0 });
    tell(Event::Finish(Stop::new(StopReason::EndTurn)));
    tell(Event::End);
    let last = pieces(&String::from_utf8(out).unwrap()).pop().unwrap();
    let chosen = &last["candidates"][0]["logprobsResult"]["chosenCandidates"];
    assert_eq!(chosen[0]["token"], "a");
    assert_eq!(chosen[1]["logProbability"], -0.5);
}
