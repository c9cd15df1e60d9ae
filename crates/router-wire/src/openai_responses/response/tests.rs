use super::{read, write};
use crate::canonical::{Content, Losses, Response, StopReason, ToolInput};
use crate::dialect::Dialect;
use crate::error::ErrorKind;
use crate::openai_responses::stream::tests::session;
use crate::translate::Answer;

fn answer(body: &str) -> (Answer<'_>, Losses) {
    let session = session(Dialect::Anthropic, Dialect::OpenaiResponses);
    let mut losses = Losses::of_answer(Dialect::OpenaiResponses);
    let answer = read(body, &session, &mut losses).expect("readable");
    (answer, losses)
}

fn good(body: &str) -> (Box<Response<'_>>, Losses) {
    match answer(body) {
        (Answer::Response(response), losses) => (response, losses),
        (Answer::Failed(error), _) => panic!("{body} failed: {error}"),
    }
}

#[track_caller]
fn check_stop(members: &str, expected: StopReason) {
    let body = format!(r#"{{"id":"r","model":"m",{members}}}"#);
    let (response, _) = good(&body);
    assert_eq!(response.choices[0].stop.reason, expected, "{members}");
}

#[test]
fn an_answer_ends_as_its_status_and_items_say() {
    let text = r#""output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]"#;
    let call = r#""output":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]"#;
    let refusal = r#""output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]"#;
    check_stop(&format!(r#""status":"completed",{text}"#), StopReason::EndTurn);
    check_stop(text, StopReason::EndTurn);
    check_stop(&format!(r#""status":"completed",{call}"#), StopReason::ToolUse);
    check_stop(&format!(r#""status":"completed",{refusal}"#), StopReason::Refusal);
    for (reason, expected) in [
        ("max_output_tokens", StopReason::MaxTokens),
        ("content_filter", StopReason::Refusal),
        ("max_messages", StopReason::MaxTokens),
        ("steered", StopReason::MaxTokens),
        ("never heard of", StopReason::MaxTokens),
    ] {
        let details = format!(r#""incomplete_details":{{"reason":"{reason}"}}"#);
        check_stop(&format!(r#""status":"incomplete",{details},{call}"#), expected);
    }
}

#[track_caller]
fn check_failed(body: &str, kind: ErrorKind, message: &str) {
    match answer(body) {
        (Answer::Failed(error), _) => {
            assert_eq!((error.kind, error.message.as_str()), (kind, message), "{body}");
        }
        (Answer::Response(response), _) => panic!("{body} was read as {response:?}"),
    }
}

#[test]
fn an_error_is_never_an_empty_answer() {
    check_failed(
        r#"{"error":{"message":"Slow down.","type":"rate_limit_error","code":"rate_limit_exceeded"}}"#,
        ErrorKind::RateLimit,
        "Slow down.",
    );
    check_failed(
        r#"{"id":"r","status":"failed","output":[],"error":{"code":"server_error","message":"Oops"}}"#,
        ErrorKind::Internal,
        "Oops",
    );
    check_failed(
        r#"{"id":"r","status":"failed","output":[],"error":{"code":"context_length_exceeded","message":"Long"}}"#,
        ErrorKind::ContextTooLong,
        "Long",
    );
    for status in ["cancelled", "queued", "in_progress", "failed"] {
        let body = format!(r#"{{"id":"r","status":"{status}","output":[]}}"#);
        check_failed(&body, ErrorKind::Upstream, &format!("the upstream's answer is {status}"));
    }
    let session = session(Dialect::Anthropic, Dialect::OpenaiResponses);
    for body in ["{}", "[]", "", "<html>", r#"{"status":"odd","output":[]}"#] {
        let mut losses = Losses::of_answer(Dialect::OpenaiResponses);
        assert!(read(body, &session, &mut losses).is_err(), "{body}");
    }
}

#[test]
fn an_answer_is_read_whole() {
    let body = r#"{"id":"resp_1","object":"response","created_at":1790000000.5,"model":"gpt-5.6","status":"completed","error":null,
      "service_tier":"flex","output":[
        {"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"},
        {"type":"reasoning","id":"rs2","summary":[]},
        {"type":"web_search_call","id":"ws","status":"completed"},
        {"type":"message","id":"m","phase":"final_answer","content":[
          {"type":"output_text","text":"Hi","annotations":[{"type":"file_citation","file_id":"f"}],"logprobs":[{"token":"Hi","logprob":-0.5}]}]},
        {"type":"function_call","name":"f","arguments":"{\"a\":1}"},
        {"type":"custom_tool_call","call_id":"c2","name":"p","input":"*** a"},
        {"type":"apply_patch_call","call_id":"c3","operation":{"type":"delete_file","path":"a"}},
        {"type":"brand_new","x":1}],
      "usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":60},"output_tokens":50,"output_tokens_details":{"reasoning_tokens":20},"total_tokens":150},
      "tool_usage":{"web_search":{"num_requests":2}}}"#;
    let (response, losses) = good(body);
    assert_eq!(response.created_s, Some(1_790_000_000));
    assert_eq!(response.usage.input_uncached, Some(40));
    assert_eq!(response.usage.web_searches, Some(2));
    let choice = &response.choices[0];
    assert_eq!(
        choice.logprobs.as_ref().map(crate::canonical::Json::text),
        Some(r#"[{"token":"Hi","logprob":-0.5}]"#)
    );
    let parts: Vec<String> = choice
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::Text { text, citations } => format!("text {text:?} {}", citations.len()),
            Content::Thinking(thinking) => format!("thinking {:?}", thinking.text),
            Content::ToolCall(call) => {
                let input = match &call.input {
                    ToolInput::Json(json) => json.text().to_owned(),
                    ToolInput::Text(text) => text.decode().into_owned(),
                };
                format!("call {:?} {input} {} {:?}", call.name, call.custom, call.hosted)
            }
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        parts,
        [
            r#"thinking "hm""#,
            r#"text "Hi" 1"#,
            r#"call "f" {"a":1} false None"#,
            r#"call "p" *** a true None"#,
            r#"call "apply_patch" {"type":"delete_file","path":"a"} false Some("apply_patch_call")"#,
        ]
    );
    let codes: Vec<&str> = losses.list().iter().map(|loss| loss.code.as_ref()).collect();
    assert_eq!(codes, ["hosted-step", "phase", "answer-part"]);
}

#[test]
fn ids_of_an_answer_are_the_same_each_time() {
    let body = r#"{"id":"chatcmpl-9","model":"m","output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}"#;
    let session = session(Dialect::OpenaiResponses, Dialect::OpenaiResponses);
    let (response, mut losses) = good(body);
    let mut once = Vec::new();
    write(&response, &session, &mut losses, &mut once);
    let mut twice = Vec::new();
    write(&response, &session, &mut losses, &mut twice);
    assert_eq!(once, twice);
    let value: serde_json::Value = serde_json::from_slice(&once).expect("JSON");
    assert_eq!((&value["id"], &value["output"][0]["id"]), (&"resp_9".into(), &"msg_9_0".into()));
    assert_eq!(value["model"], "my-model");
}

#[test]
fn an_answer_has_all_members_the_type_requires() {
    let body = r#"{"id":"r","model":"m","output":[]}"#;
    let session = session(Dialect::OpenaiResponses, Dialect::OpenaiResponses);
    let (response, mut losses) = good(body);
    let mut out = Vec::new();
    write(&response, &session, &mut losses, &mut out);
    let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    for member in [
        "id",
        "created_at",
        "model",
        "object",
        "output",
        "parallel_tool_calls",
        "tool_choice",
        "tools",
    ] {
        assert!(!value[member].is_null(), "{member}");
    }
}
