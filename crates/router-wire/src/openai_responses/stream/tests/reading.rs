use super::{STREAMS, each, line, session};
use crate::dialect::Dialect;
use crate::openai_responses::stream::Reader;

fn lines(stream: &str) -> Vec<String> {
    let mut reader = Reader::new(&session(Dialect::Anthropic, Dialect::OpenaiResponses));
    let mut lines = Vec::new();
    each(stream, |name, data| {
        let read = reader.event(name, data, &mut |event| lines.push(line(&event)));
        if let Err(error) = read {
            lines.push(format!("error {error}"));
        }
    });
    lines
}

#[test]
fn streams_are_read() {
    for (name, stream) in STREAMS {
        insta::assert_snapshot!(name, lines(stream).join("\n"));
    }
}

/// Text of the lines that pass content on, block by block.
fn content(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .filter(|line| !line.starts_with("ping") && !line.starts_with("start"))
        .cloned()
        .collect()
}

#[test]
fn what_is_done_says_nothing_twice() {
    let all = lines(STREAMS[0].1);
    for needle in ["Look ", "world", "\"ld\"", "*** Begin"] {
        let count = all.iter().filter(|line| line.contains(needle)).count();
        assert!(count <= 1, "{needle} came {count} times: {all:#?}");
    }
}

#[test]
fn arguments_that_come_only_when_done_are_found() {
    let all = content(&lines(STREAMS[1].1));
    assert!(all.iter().any(|line| line == r#"0 < "{\"path\":\"/\"}""#), "{all:#?}");
    assert!(all.iter().any(|line| line == r#"1 < "{}""#), "{all:#?}");
    assert!(all.iter().any(|line| line.starts_with("finish ToolUse")), "{all:#?}");
}

#[test]
fn an_answer_told_only_at_the_end_is_told_whole() {
    let all = content(&lines(STREAMS[2].1));
    let has = |needle: &str| all.iter().any(|line| line.contains(needle));
    assert!(has("Look first.") && has("world") && has("path") && has("finish ToolUse"), "{all:#?}");
}

#[track_caller]
fn check_event(data: &str, expected: &[&str]) {
    let mut reader = Reader::new(&session(Dialect::Anthropic, Dialect::OpenaiResponses));
    let mut lines = Vec::new();
    reader.event("", data, &mut |event| lines.push(line(&event))).expect("readable");
    assert_eq!(lines, expected, "{data}");
}

#[test]
fn every_event_family_is_known() {
    for family in [
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "file_search_call.searching",
        "code_interpreter_call.interpreting",
        "code_interpreter_call_code.delta",
        "image_generation_call.partial_image",
        "mcp_call.in_progress",
        "mcp_call_arguments.delta",
        "mcp_list_tools.completed",
        "shell_call_command.delta",
        "shell_call_output_content.delta",
        "compaction.compacting",
        "never.heard.of",
    ] {
        check_event(&format!(r#"{{"type":"response.{family}","output_index":0}}"#), &["ping"]);
    }
    check_event(r#"{"type":"response.content_part.added","output_index":0}"#, &[]);
    check_event(r#"{"type":"keepalive"}"#, &["ping"]);
    check_event(
        r#"{"type":"response.audio.delta","delta":"AAAA"}"#,
        &["failed Upstream None the upstream answers in audio"],
    );
    check_event(
        r#"{"error":{"message":"no","type":"invalid_request_error"}}"#,
        &["failed InvalidRequest None no"],
    );
}

#[test]
fn the_name_of_the_event_stands_in_for_a_missing_type() {
    let mut reader = Reader::new(&session(Dialect::Anthropic, Dialect::OpenaiResponses));
    let mut lines = Vec::new();
    reader
        .event("response.output_text.delta", r#"{"delta":"x"}"#, &mut |event| {
            lines.push(line(&event));
        })
        .expect("readable");
    assert_eq!(lines, ["start  ", "0 text", "0 + \"x\""]);
}

#[test]
fn a_call_without_an_id_gets_one_that_stays() {
    let data = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","name":"f","arguments":"{}"}}"#;
    let read = || {
        let mut reader = Reader::new(&session(Dialect::Anthropic, Dialect::OpenaiResponses));
        let mut lines = Vec::new();
        reader.event("", data, &mut |event| lines.push(line(&event))).expect("readable");
        lines
    };
    assert!(read().iter().any(|line| line.starts_with("0 call call_")), "{:?}", read());
    assert_eq!(read(), read());
}

#[test]
fn a_call_that_is_named_late_is_told_whole() {
    let mut reader = Reader::new(&session(Dialect::Anthropic, Dialect::OpenaiResponses));
    let mut lines = Vec::new();
    for data in [
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"c","name":""}}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc","delta":"{\"a\""}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":"{\"a\":1}"}}"#,
    ] {
        reader.event("", data, &mut |event| lines.push(line(&event))).expect("readable");
    }
    assert_eq!(
        lines,
        [
            "start  ",
            "0 call c f namespace=None custom=false hosted=None",
            r#"0 < "{\"a\":1}""#,
            "0 close"
        ]
    );
}

#[test]
fn nothing_follows_the_end() {
    let mut reader = Reader::new(&session(Dialect::Anthropic, Dialect::OpenaiResponses));
    let mut count = 0;
    for _ in 0..2 {
        reader
            .event("error", r#"{"type":"error","message":"x"}"#, &mut |_| count += 1)
            .expect("readable");
    }
    assert_eq!(count, 1);
}

#[test]
fn more_of_a_complete_item_is_not_swallowed() {
    let mut reader = Reader::new(&session(Dialect::Anthropic, Dialect::OpenaiResponses));
    let done = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"m","content":[{"type":"output_text","text":"a"}]}}"#;
    reader.event("", done, &mut |_| {}).expect("readable");
    let late = r#"{"type":"response.output_text.delta","output_index":0,"delta":"b"}"#;
    assert!(reader.event("", late, &mut |_| {}).is_err());
}

#[test]
fn the_last_event_has_two_names() {
    let stream = "data: {\"type\":\"response.done\",\"response\":{\"id\":\"r\",\"status\":\"completed\",\
                  \"output\":[{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\",\
                  \"content\":[{\"type\":\"output_text\",\"text\":\"Hi\"}]}]}}\n\n";
    let all = content(&lines(stream));
    assert!(all.iter().any(|line| line.starts_with("finish EndTurn")), "{all:#?}");
    let failed = stream.replace("\"completed\"", "\"failed\",\"error\":{\"message\":\"boom\"}");
    let all = content(&lines(&failed));
    assert!(all.iter().any(|line| line.contains("boom")), "{all:#?}");
    assert!(!all.iter().any(|line| line.starts_with("finish")), "{all:#?}");
}
