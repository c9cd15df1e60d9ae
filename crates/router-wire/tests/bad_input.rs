//! Requests nobody should send: each is refused with the path of what is wrong, or taken, with a
//! loss where something had to be put right. None becomes a request that says something else.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use router_wire::Dialect::{self, Anthropic, Gemini, OpenaiChat, OpenaiResponses};
use router_wire::facts::FactsTable;
use router_wire::translate::{Options, RequestExtra, Target, TranslateError, translate_request};

/// Translates `frame` with `item` in the place of `@` to every other dialect. `expect` is the path
/// of the error, or after a `+` the code of the loss that must be told, if any.
#[track_caller]
fn check(inbound: Dialect, frame: &str, cases: &[(&str, &str)]) {
    for (item, expect) in cases {
        let (before, after) = frame.split_once('@').unwrap();
        let body = [before, item, after].concat();
        for outbound in Dialect::ALL.into_iter().filter(|outbound| *outbound != inbound) {
            let shown: String = item.chars().take(200).collect();
            let at = format!("{inbound} {shown} to {outbound}");
            match (translated(inbound, body.as_bytes(), outbound), expect.strip_prefix('+')) {
                (Ok(codes), Some(code)) => {
                    assert!(
                        code.is_empty() || codes.iter().any(|it| it == code),
                        "{at}: {codes:?}"
                    );
                }
                (Err((path, problem)), None) => {
                    let told = path
                        .strip_suffix('…')
                        .map_or(path.as_str(), |cut| cut.trim_end_matches("[0]"));
                    assert_eq!(&told, expect, "{at}: {problem}");
                    assert!(problem.len() > 8, "{at}: {problem}");
                }
                (got, _) => panic!("{at}: {got:?}"),
            }
        }
    }
}

/// The codes of the losses, or path and problem.
fn translated(
    inbound: Dialect,
    body: &[u8],
    outbound: Dialect,
) -> Result<Vec<String>, (String, String)> {
    let model = match outbound {
        Anthropic => "claude-opus-4-7",
        OpenaiChat => "gpt-4o",
        OpenaiResponses => "gpt-5.6",
        Gemini => "gemini-2.5-pro",
    };
    let facts = FactsTable::embedded().lookup(model);
    let options = Options::default();
    let target = Target { dialect: outbound, model, facts: &facts, options: &options };
    let extra = RequestExtra { model: Some("m"), ..RequestExtra::default() };
    match translate_request(inbound, body, &extra, &target) {
        Ok(sent) => {
            serde_json::from_slice::<serde_json::Value>(&sent.body).unwrap();
            Ok(sent.losses.iter().map(|loss| loss.code.to_string()).collect())
        }
        Err(TranslateError::Malformed { path, problem }) => Err((path, problem)),
        Err(TranslateError::Refused { path, why }) => Err((path, why)),
        Err(error) => Err((String::new(), error.to_string())),
    }
}

fn nested(levels: usize) -> String {
    format!(r#"{{"role":"user","x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn bad_messages_of_a_messages_request() {
    let deep = nested(200);
    check(
        Anthropic,
        r#"{"model":"m","max_tokens":9,"messages":[@]}"#,
        &[
            ("1", "messages[0]"),
            (r#"{"role":"user"}"#, "messages[0]"),
            (r#"{"role":"robot","content":"x"}"#, "messages[0].role"),
            (r#"{"role":"user","content":7}"#, "messages[0].content"),
            (r#"{"role":"user","content":[{"type":"text"}]}"#, "messages[0].content[0]"),
            (
                r#"{"role":"user","content":[{"type":"text","text":5}]}"#,
                "messages[0].content[0].text",
            ),
            (r#"{"role":"user","content":[{"type":"hologram"}]}"#, "messages[0].content[0]"),
            (
                r#"{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"@@!"}}]}"#,
                "messages[0].content[0]",
            ),
            (
                r#"{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":""}}]}"#,
                "messages[0].content[0]",
            ),
            (r#"{"role":"user","content":"a\ud800b"}"#, "+lone-surrogate"),
            (r#"{"role":"user","content":"a","content":"b"}"#, "+"),
            (
                r#"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":"no"}]}"#,
                "+missing-result",
            ),
            (
                r#"{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]}"#,
                "messages[0].content[0]",
            ),
            (
                r#"{"role":"user","content":[{"type":"tool_result","content":"x"}]}"#,
                "messages[0].content[0]",
            ),
            (
                r#"{"role":"user","content":"q"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"nobody","content":"x"}]}"#,
                "+orphan-result",
            ),
            (
                r#"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"tool_use","id":"t","name":"f","input":{}}]}"#,
                "+",
            ),
            ("", "messages"),
            (&deep, "messages[0].x"),
        ],
    );
}

#[test]
fn bad_messages_of_a_chat_request() {
    let deep = nested(200);
    check(
        OpenaiChat,
        r#"{"model":"m","messages":[@]}"#,
        &[
            ("1", "messages[0]"),
            (r#"{"role":"user"}"#, "messages"),
            (r#"{"role":"robot","content":"x"}"#, "messages[0].role"),
            (r#"{"role":"user","content":7}"#, "messages[0].content"),
            (r#"{"role":"user","content":[{"type":"text"}]}"#, "messages[0].content[0]"),
            (
                r#"{"role":"user","content":[{"type":"text","text":5}]}"#,
                "messages[0].content[0].text",
            ),
            (r#"{"role":"user","content":[{"type":"hologram"}]}"#, "messages[0].content[0]"),
            (
                r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,@@!"}}]}"#,
                "messages[0].content[0]",
            ),
            (
                r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png"}}]}"#,
                "messages[0].content[0]",
            ),
            (
                r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":7}}]}"#,
                "messages[0].content[0].image_url.url",
            ),
            (r#"{"role":"user","content":"\udfffa"}"#, "+lone-surrogate"),
            (
                r#"{"role":"assistant","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{no"}}]}"#,
                "+missing-result",
            ),
            (
                r#"{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
                "+missing-result",
            ),
            (
                r#"{"role":"assistant","tool_calls":[{"id":"t","type":"function"}]}"#,
                "messages[0].tool_calls[0]",
            ),
            (r#"{"role":"tool","content":"x"}"#, "messages[0]"),
            ("", "messages"),
            (&deep, "messages[0].x"),
        ],
    );
}

#[test]
fn bad_items_of_a_responses_request() {
    let deep = nested(200);
    check(
        OpenaiResponses,
        r#"{"model":"m","input":[@]}"#,
        &[
            ("1", "input[0]"),
            (r#"{"role":"user"}"#, "input[0]"),
            (r#"{"role":"robot","content":"x"}"#, "input[0].role"),
            (r#"{"role":"user","content":7}"#, "input[0].content"),
            (r#"{"type":"hologram"}"#, "input[0]"),
            (r#"{"role":"user","content":[{"type":"input_text"}]}"#, "input[0].content[0]"),
            (
                r#"{"role":"user","content":[{"type":"input_text","text":5}]}"#,
                "input[0].content[0].text",
            ),
            (
                r#"{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,@@!"}]}"#,
                "input[0].content[0]",
            ),
            (
                r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{no"}"#,
                "+missing-result",
            ),
            (r#"{"type":"function_call","name":"f","arguments":"{}"}"#, "input[0]"),
            (
                r#"{"role":"user","content":"q"},{"type":"function_call_output","call_id":"nobody","output":"x"}"#,
                "+orphan-result",
            ),
            (r#"{"type":"function_call_output","output":"x"}"#, "input[0]"),
            ("", "input"),
            (&deep, "input[0].x"),
        ],
    );
}

#[test]
fn bad_contents_of_a_gemini_request() {
    let deep = nested(200);
    check(
        Gemini,
        r#"{"contents":[@]}"#,
        &[
            ("1", "contents[0]"),
            (r#"{"role":"user"}"#, "contents"),
            (r#"{"role":"robot","parts":[{"text":"x"}]}"#, "contents[0].role"),
            (r#"{"role":"user","parts":7}"#, "contents[0].parts"),
            (r#"{"role":"user","parts":[{"text":5}]}"#, "contents[0].parts[0].text"),
            (r#"{"role":"user","parts":[{"hologram":5}]}"#, "contents[0].parts[0]"),
            (
                r#"{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"@@!"}}]}"#,
                "contents[0].parts[0]",
            ),
            (
                r#"{"role":"user","parts":[{"inlineData":{"data":"AA=="}}]}"#,
                "contents[0].parts[0].inlineData",
            ),
            (
                r#"{"role":"model","parts":[{"functionCall":{"args":{}}}]}"#,
                "contents[0].parts[0].functionCall",
            ),
            (
                r#"{"role":"model","parts":[{"functionCall":{"name":"f","args":"no"}}]}"#,
                "contents[0].parts[0].functionCall.args",
            ),
            (
                r#"{"role":"user","parts":[{"text":"q"},{"functionResponse":{"name":"nobody","response":{}}}]}"#,
                "+orphan-result",
            ),
            ("", "contents"),
            (&deep, "contents[0].x"),
        ],
    );
}

#[test]
fn a_string_of_many_megabytes_passes_whole() {
    let long = "x".repeat(8 << 20);
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{long}"}}]}}"#);
    for outbound in [Anthropic, OpenaiResponses, Gemini] {
        assert_eq!(translated(OpenaiChat, body.as_bytes(), outbound), Ok(Vec::new()));
    }
}
