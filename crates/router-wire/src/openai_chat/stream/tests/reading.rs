//! Chunks as vendors send them, and the events they become.

use super::*;
use crate::openai_chat::stream::Reader;

fn read(chunks: &[&str]) -> String {
    let mut reader = Reader::default();
    let mut words = Vec::new();
    for chunk in chunks {
        let read = reader.event("", chunk, &mut |event| words.push(word(&event)));
        if let Err(error) = read {
            words.push(format!("error({error})"));
        }
    }
    words.join(" ")
}

/// Reads deltas of one choice, and the finish reason `stop` after them.
fn deltas(deltas: &[&str]) -> String {
    let mut chunks: Vec<String> = deltas
        .iter()
        .map(|delta| format!(r#"{{"id":"x","choices":[{{"index":0,"delta":{delta}}}]}}"#))
        .collect();
    chunks.push(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#.to_owned());
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let all = read(&chunks);
    all.strip_prefix("start(x) ").unwrap_or(&all).to_owned()
}

#[track_caller]
fn check(given: &[&str], expect: &str) {
    assert_eq!(deltas(given), expect, "{given:?}");
}

#[test]
fn b7_1_name_and_arguments_in_one_chunk_are_both_used() {
    check(
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]}"#,
        ],
        r#"+0:f(a) "{\"x\":1}" finish(EndTurn)"#,
    );
}

#[test]
fn b7_2_a_stream_that_starts_with_a_call_has_no_empty_text() {
    check(
        &[
            r#"{"role":"assistant","content":""}"#,
            r#"{"content":null,"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
        ],
        r#"+0:f(a) "{}" finish(EndTurn)"#,
    );
}

#[test]
fn whitespace_alone_opens_no_block_but_is_not_lost() {
    check(
        &[r#"{"content":"\n"}"#, r#"{"content":" "}"#, r#"{"content":"x"}"#, r#"{"content":" "}"#],
        r#"+0:text "\n " "x" " " -0 finish(EndTurn)"#,
    );
    check(
        &[
            r#"{"content":"\n\n"}"#,
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}"#,
        ],
        "+0:f(a) finish(EndTurn)",
    );
}

#[test]
fn thinking_has_many_names() {
    for delta in [
        r#"{"reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#,
        r#"{"reasoning_content":"hm","reasoning":"hm"}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":null}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
    ] {
        check(
            &[delta, r#"{"content":"x"}"#],
            r#"+0:thinking "hm" -0 +1:text "x" -1 finish(EndTurn)"#,
        );
    }
}

#[test]
fn d47_repeated_and_missing_ids_do_not_split_or_lose_calls() {
    // The id and the name again in every piece.
    check(
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}"#,
        ],
        r#"+0:f(a) "{" "}" finish(EndTurn)"#,
    );
    // Another id in every piece, but no name.
    check(
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":null,"arguments":"}"}}]}"#,
        ],
        r#"+0:f(a) "{" "}" finish(EndTurn)"#,
    );
    // No index.
    check(
        &[
            r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
            r#"{"tool_calls":[{"function":{"arguments":"}"}}]}"#,
            r#"{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}]}"#,
        ],
        r#"+0:f(a) "{" "}" +1:g(b) "{}" finish(EndTurn)"#,
    );
    // Every call is number 0.
    check(
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}]}"#,
        ],
        r#"+0:f(a) "{}" +1:f(b) "{}" finish(EndTurn)"#,
    );
    // The name comes last.
    check(
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"name":"f"}}]}"#,
        ],
        r#"+0:f(a) "{}" finish(EndTurn)"#,
    );
}

#[test]
fn a_call_without_an_id_gets_one_of_its_own() {
    let call = |answer: &str| {
        let chunk = format!(
            r#"{{"id":"{answer}","choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{{"name":"f"}}}},{{"index":1,"function":{{"name":"f"}}}}]}}}}]}}"#
        );
        read(&[&chunk])
    };
    let ids = |words: &str| -> Vec<String> {
        words.split("f(").skip(1).map(|w| w.split(')').next().unwrap().to_owned()).collect()
    };
    let (one, two) = (ids(&call("one")), ids(&call("two")));
    assert!(one.len() == 2 && one[0] != one[1] && one[0] != two[0], "{one:?} {two:?}");
    assert!(one.iter().all(|id| crate::ids::is_portable(id)));
}

#[test]
fn members_of_odd_types_are_understood() {
    assert_eq!(
        read(&[
            r#"{"id":7,"model":null,"created":"1790000000","choices":[{"index":"0","delta":{"content":"x","tool_calls":null,"role":null},"finish_reason":""}]}"#,
            r#"{"id":7,"choices":[{"delta":{"tool_calls":[{"index":"0","id":9,"function":{"name":"f","arguments":{"a":1}}}]},"finish_reason":null}]}"#,
            r#"{"id":7,"choices":[{"delta":null,"finish_reason":"stop","usage":{"prompt_tokens":"3","completion_tokens":4.0}}]}"#,
        ]),
        r#"start(7) +0:text "x" -0 +1:f(9) "{\"a\":1}" finish(EndTurn) usage(3,4)"#
    );
}

#[test]
fn d43_b7_6_usage_is_found_wherever_it_stands() {
    let usage = r#""usage":{"prompt_tokens":3,"completion_tokens":4}"#;
    let finish = r#""choices":[{"delta":{},"finish_reason":"stop"}]"#;
    for (chunks, expect) in [
        (vec![format!("{{{finish},{usage}}}")], "start() finish(EndTurn) usage(3,4)"),
        (
            vec![format!("{{{finish}}}"), format!(r#"{{"choices":[],{usage}}}"#)],
            "start() finish(EndTurn) usage(3,4)",
        ),
        (
            vec![format!("{{{finish}}}"), format!(r#"{{"choices":[],"x_groq":{{{usage}}}}}"#)],
            "start() finish(EndTurn) usage(3,4)",
        ),
        (
            vec![format!(r#"{{"choices":[{{"delta":{{}},{usage}}}]}}"#), format!("{{{finish}}}")],
            "start() usage(3,4) finish(EndTurn)",
        ),
    ] {
        let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        assert_eq!(read(&chunks), expect, "{chunks:?}");
    }
}

#[test]
fn a_whole_message_is_used_once_and_only_without_deltas() {
    let message = r#"{"id":"x","choices":[{"message":{"role":"assistant","content":"all"},"finish_reason":"stop"}]}"#;
    assert_eq!(read(&[message]), r#"start(x) +0:text "all" -0 finish(EndTurn)"#);
    let delta = r#"{"id":"x","choices":[{"delta":{"content":"al"}}]}"#;
    let rest = r#"{"id":"x","choices":[{"delta":{"content":"l"},"message":{"content":"all"},"finish_reason":"stop"}]}"#;
    assert_eq!(read(&[delta, rest]), r#"start(x) +0:text "al" "l" -0 finish(EndTurn)"#);
}

#[test]
fn legacy_and_custom_calls_are_calls() {
    check(
        &[
            r#"{"function_call":{"name":"f","arguments":""}}"#,
            r#"{"function_call":{"arguments":"{}"}}"#,
        ],
        &format!(r#"+0:f({}) "{{}}" finish(EndTurn)"#, crate::ids::call_id(&"x".into(), 0)),
    );
    check(
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"p","input":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"custom":{"input":"*** patch"}}]}"#,
        ],
        r#"+0:custom p(a) "*** patch" finish(EndTurn)"#,
    );
}

#[test]
fn d52_refusals_and_probabilities_are_kept() {
    check(
        &[r#"{"refusal":"I will"}"#, r#"{"refusal":" not"}"#],
        r#"+0:refusal "I will" " not" -0 finish(EndTurn)"#,
    );
    assert_eq!(
        read(&[
            r#"{"choices":[{"delta":{"content":"x"},"logprobs":{"content":[{"token":"x"}],"refusal":null}}]}"#
        ]),
        r#"start() +0:text "x" logprobs[{"token":"x"}]"#
    );
}

#[test]
fn d45_d60_errors_in_the_stream_are_failures() {
    for (chunk, expect) in [
        (r#"{"error":{"message":"boom","type":"server_error"}}"#, "failed(boom)"),
        (r#"{"error":"boom"}"#, "failed(boom)"),
        (r#"{"object":"error","message":"boom","code":500}"#, "failed(boom)"),
        (
            r#"{"id":"x","choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"boom"}}"#,
            "failed(boom)",
        ),
        (
            r#"{"id":"x","choices":[{"delta":{},"finish_reason":"error"}]}"#,
            "start(x) failed(the upstream broke off its answer)",
        ),
    ] {
        assert_eq!(read(&[chunk]), expect, "{chunk}");
    }
    let mut reader = Reader::default();
    let mut words = Vec::new();
    reader.event("error", r#"{"message":"boom"}"#, &mut |event| words.push(word(&event))).unwrap();
    assert_eq!(words, ["failed(boom)"]);
}

#[test]
fn what_makes_no_sense_is_an_error_and_never_an_answer() {
    for (chunk, expect) in [
        ("{", "error(the JSON text ends too early)"),
        ("[]", "error(expected an object, found an array)"),
        (
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
            "start() error(a tool call has no name)",
        ),
        (
            r#"{"choices":[{"delta":{"audio":{"data":"AA=="}}}]}"#,
            "start() error(the upstream answers with sound)",
        ),
    ] {
        assert_eq!(read(&[chunk]), expect, "{chunk}");
    }
}

#[test]
fn a_second_finish_reason_is_passed_over_but_content_after_the_first_is_not() {
    let finish = r#"{"choices":[{"delta":{"content":""},"finish_reason":"stop"}]}"#;
    assert_eq!(read(&[finish, finish]), "start() finish(EndTurn)");
    let late = r#"{"choices":[{"delta":{"content":"more"}}]}"#;
    assert_eq!(
        read(&[finish, late]),
        "start() finish(EndTurn) error(the upstream goes on after its finish reason)"
    );
}

#[test]
fn chunks_that_say_nothing_show_that_the_upstream_lives() {
    assert_eq!(read(&[r#"{"choices":[],"prompt_filter_results":[]}"#, "{}"]), "ping ping");
}

#[test]
fn b7_23_googles_signature_stands_in_front_of_its_call() {
    let call = r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"},
        "extra_content":{"google":{"thought_signature":"SIG"}}}]}"#;
    check(&[call], r#"+0:thinking ? -0 +1:f(a) "{}" finish(EndTurn)"#);
}
