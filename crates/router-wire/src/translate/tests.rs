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

type Kinds = Vec<(Cow<'static, str>, Severity)>;

/// What a stream lost, and what the same answer loses when it comes whole.
fn lost(session: &Session, stream: &str, whole: &str) -> (Kinds, Kinds) {
    let kinds = |losses: &[Loss]| {
        let mut kinds: Vec<_> = losses.iter().map(|it| (it.code.clone(), it.severity)).collect();
        kinds.sort();
        kinds
    };
    let mut translator = session.clone().stream();
    let mut out = Vec::new();
    translator.push(stream.as_bytes(), &mut out);
    assert_eq!(translator.end(&mut out), Progress::Finished, "{stream}");
    let answer = session.clone().response(whole.as_bytes(), &mut Vec::new()).unwrap();
    (kinds(translator.losses()), kinds(&answer.losses))
}

fn events(list: &[&str]) -> String {
    list.iter().fold(String::new(), |out, data| out + &format!("data: {data}\n\n"))
}

#[test]
fn a_stream_reports_the_losses_of_the_whole_answer() {
    let search = r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}"#;
    let cases = [
        (
            Dialect::Anthropic,
            events(&[
                r#"{"type":"message_start","message":{"id":"m"}}"#,
                &format!(r#"{{"type":"content_block_start","index":0,"content_block":{search}}}"#),
                r#"{"type":"content_block_stop","index":0}"#,
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"new_kind"}}"#,
                r#"{"type":"content_block_stop","index":1}"#,
                r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":"a"}}"#,
                r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"page_location","start_page_number":1}}}"#,
                r#"{"type":"content_block_stop","index":2}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"odd"},"usage":{"output_tokens":1}}"#,
                r#"{"type":"message_stop"}"#,
            ]),
            format!(
                r#"{{"id":"m","content":[{search},{{"type":"new_kind"}},{{"type":"text","text":"a","citations":[{{"type":"page_location","start_page_number":1}}]}}],"stop_reason":"odd"}}"#
            ),
            4,
        ),
        (
            Dialect::OpenaiResponses,
            events(&[
                r#"{"type":"response.created","response":{"id":"r"}}"#,
                r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"w"}}"#,
                r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"new_kind","id":"n"}}"#,
                r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"message","id":"t","phase":"commentary","content":[{"type":"output_text","text":"a","annotations":[{"type":"file_citation","file_id":"f"}]}]}}"#,
                r#"{"type":"response.completed","response":{"id":"r","status":"completed"}}"#,
            ]),
            r#"{"id":"r","status":"completed","output":[{"type":"web_search_call","id":"w"},{"type":"new_kind","id":"n"},{"type":"message","id":"t","phase":"commentary","content":[{"type":"output_text","text":"a","annotations":[{"type":"file_citation","file_id":"f"}]}]}]}"#.to_owned(),
            4,
        ),
        (
            Dialect::Gemini,
            events(&[
                r#"{"candidates":[{"content":{"parts":[{"executableCode":{"language":"PYTHON","code":"1"}},{"inlineData":{"mimeType":"image/png","data":"AA=="}},{"text":"a"}]},"finishReason":"STOP"}]}"#,
            ]),
            r#"{"candidates":[{"content":{"parts":[{"executableCode":{"language":"PYTHON","code":"1"}},{"inlineData":{"mimeType":"image/png","data":"AA=="}},{"text":"a"}]},"finishReason":"STOP"}]}"#.to_owned(),
            2,
        ),
    ];
    for (outbound, stream, whole, count) in cases {
        for inbound in [Dialect::OpenaiChat, Dialect::Anthropic] {
            if inbound == outbound {
                continue;
            }
            let (streamed, whole) = lost(&Session::new(inbound, outbound), &stream, &whole);
            assert_eq!(streamed, whole, "{outbound} to {inbound}");
            assert_eq!(streamed.len(), count, "{outbound} to {inbound}: {streamed:?}");
        }
    }
}

#[test]
fn a_second_call_is_reported_lost_to_a_client_of_the_old_functions() {
    let session =
        Session { legacy_functions: true, ..Session::new(Dialect::OpenaiChat, Dialect::Anthropic) };
    let whole = String::from_utf8(ANTHROPIC_ANSWER.to_vec()).unwrap();
    let (streamed, whole) = lost(&session, ANTHROPIC_STREAM, &whole);
    for losses in [streamed, whole] {
        assert!(losses.contains(&("parallel-calls".into(), Severity::Content)), "{losses:?}");
    }
}

#[test]
fn losses_of_answers_name_a_place_in_the_answer() {
    let body = br#"{"id":"m","content":[{"type":"text","text":"a"},{"type":"server_tool_use","id":"s","name":"web_search","input":{}}],"stop_reason":"end_turn"}"#;
    let mut session = Session::new(Dialect::OpenaiChat, Dialect::Anthropic);
    let answer = session.response(body, &mut Vec::new()).unwrap();
    assert_eq!(answer.losses[0].path, "content[1]");
}

#[test]
fn several_answers_are_told_one_after_the_other() {
    let upstream = br#"{"id":"c","choices":[
        {"index":0,"message":{"content":"a"},"finish_reason":"stop"},
        {"index":1,"message":{"content":"b","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":5,"completion_tokens":7}}"#;
    let told = |inbound| {
        let session = Session { include_usage: true, ..Session::new(inbound, Dialect::OpenaiChat) };
        let mut translator = session.stream();
        let mut out = Vec::new();
        translator.push(upstream, &mut out);
        assert_eq!(translator.end(&mut out), Progress::Finished);
        let text = String::from_utf8(out).unwrap();
        let losses = translator.losses().len();
        let data = text.split_terminator("\n\n").filter_map(|event| {
            let data = event.rsplit_once("data: ").map_or(event, |(_, data)| data);
            serde_json::from_str::<serde_json::Value>(data).ok()
        });
        (data.collect::<Vec<_>>(), losses)
    };
    let (chunks, losses) = told(Dialect::OpenaiChat);
    assert_eq!(losses, 0);
    for (index, text, finish) in [(0, "a", "stop"), (1, "b", "tool_calls")] {
        let own = chunks.iter().map(|chunk| &chunk["choices"][0]);
        let own: Vec<_> = own.filter(|choice| choice["index"] == index).collect();
        assert_eq!(own[0]["delta"]["role"], "assistant");
        let said: String = own.iter().filter_map(|it| it["delta"]["content"].as_str()).collect();
        assert_eq!(said, text);
        assert_eq!(own.last().unwrap()["finish_reason"], finish);
    }
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 12);
    let (pieces, losses) = told(Dialect::Gemini);
    assert_eq!(losses, 0);
    let ends: Vec<_> = pieces
        .iter()
        .map(|piece| &piece["candidates"][0])
        .filter(|candidate| candidate["finishReason"].is_string())
        .map(|candidate| candidate["index"].as_u64().unwrap())
        .collect();
    assert_eq!(ends, [0, 1]);
    assert_eq!(pieces.last().unwrap()["usageMetadata"]["totalTokenCount"], 12);
    for inbound in [Dialect::Anthropic, Dialect::OpenaiResponses] {
        assert_eq!(told(inbound).1, 1, "{inbound} clients take one answer, and the loss is told");
    }
}

#[test]
fn probabilities_keep_their_form_between_the_dialects() {
    let items = r#"[{"token":"a","logprob":-0.5,"bytes":null,"top_logprobs":[]}]"#;
    let chat = format!(
        r#"{{"id":"c","choices":[{{"message":{{"content":"a"}},"logprobs":{{"content":{items}}},"finish_reason":"stop"}}]}}"#
    );
    let responses = format!(
        r#"{{"id":"r","status":"completed","output":[{{"type":"message","content":[{{"type":"output_text","text":"a","logprobs":{items}}}]}}]}}"#
    );
    for (outbound, body) in [(Dialect::OpenaiChat, &chat), (Dialect::OpenaiResponses, &responses)] {
        for (inbound, place) in [
            (Dialect::OpenaiChat, "/choices/0/logprobs/content/0/token"),
            (Dialect::OpenaiResponses, "/output/0/content/0/logprobs/0/token"),
            (Dialect::Gemini, "/candidates/0/logprobsResult/chosenCandidates/0/token"),
        ] {
            let mut out = Vec::new();
            Session::new(inbound, outbound).response(body.as_bytes(), &mut out).unwrap();
            let answer: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(answer.pointer(place).unwrap(), "a", "{outbound} to {inbound}: {answer}");
        }
    }
}

#[test]
fn only_the_end_marker_ends_a_messages_stream() {
    let cut = ANTHROPIC_STREAM.split("event: message_stop").next().unwrap();
    assert!(cut.contains("stop_reason"));
    for inbound in Dialect::ALL {
        let mut translator = Session::new(inbound, Dialect::Anthropic).stream();
        let mut out = Vec::new();
        translator.push(cut.as_bytes(), &mut out);
        assert!(matches!(translator.end(&mut out), Progress::Failed(_)), "{inbound}");
    }
    let mut tap = crate::tap::Tap::new(Dialect::Anthropic);
    tap.push(cut.as_bytes());
    assert_eq!(tap.finish(), crate::tap::End::Truncated, "and so it is where it passes");
}

#[test]
fn a_member_that_stands_twice_counts_as_it_stands_last() {
    let tool = |inbound, name: &str| match inbound {
        Dialect::Anthropic => {
            format!(r#"[{{"name":"{name}","input_schema":{{"type":"object"}}}}]"#)
        }
        _ => format!(r#"[{{"type":"function","name":"{name}","parameters":{{"type":"object"}}}}]"#),
    };
    for (inbound, dialect, list, turn) in [
        (Dialect::Anthropic, Dialect::OpenaiChat, "messages", r#"[{"role":"user","content":"X"}]"#),
        (Dialect::OpenaiChat, Dialect::Anthropic, "messages", r#"[{"role":"user","content":"X"}]"#),
        (
            Dialect::OpenaiResponses,
            Dialect::OpenaiChat,
            "input",
            r#"[{"role":"user","content":"X"}]"#,
        ),
        (
            Dialect::Gemini,
            Dialect::OpenaiChat,
            "contents",
            r#"[{"role":"user","parts":[{"text":"X"}]}]"#,
        ),
    ] {
        let (first, last) = (turn.replace('X', "first"), turn.replace('X', "last"));
        let (tools, others) = (tool(inbound, "one"), tool(inbound, "two"));
        let tools = if inbound == Dialect::Gemini {
            String::new()
        } else {
            format!(r#""tools":{tools},"tools":{others},"#)
        };
        let body = format!(r#"{{"model":"m",{tools}"{list}":{first},"{list}":{last}}}"#);
        let facts = FactsTable::embedded().lookup("x");
        let options = Options::default();
        let target = Target { dialect, model: "x", facts: &facts, options: &options };
        let out =
            translate_request(inbound, body.as_bytes(), &RequestExtra::default(), &target).unwrap();
        let text = String::from_utf8(out.body).unwrap();
        assert!(text.contains("last") && !text.contains("first"), "{inbound}: {text}");
        assert!(tools.is_empty() || text.contains("two") && !text.contains("one"), "{text}");
    }
}

#[test]
fn an_unknown_member_is_reported_wherever_it_stands_in_its_block() {
    let facts = FactsTable::embedded().lookup("gpt-4o");
    let options = Options::default();
    let target =
        Target { dialect: Dialect::OpenaiChat, model: "x", facts: &facts, options: &options };
    for block in [r#"{"odd":1,"type":"text","text":"q"}"#, r#"{"type":"text","text":"q","odd":1}"#]
    {
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{block}]}}]}}"#
        );
        let out = translate_request(
            Dialect::Anthropic,
            body.as_bytes(),
            &RequestExtra::default(),
            &target,
        )
        .unwrap();
        assert_eq!(out.losses[0].path, "messages[0].content[0].odd", "{block}");
    }
}
