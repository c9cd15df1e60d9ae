//! Streams no upstream should send, told to every client: put right where that is certain, an error
//! otherwise, never a wrong success.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use Expect::{Calls, Fails, Loses, Says};
use router_wire::Dialect::{self, Anthropic, Gemini, OpenaiChat, OpenaiResponses};
use router_wire::translate::{Progress, Session};
use serde_json::Value;

/// What a client gets.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// `hi`, and nothing lost.
    Says,
    /// `hi`, and something else that is reported.
    Loses,
    /// So many calls, each with an id of its own, the last with the tool's last name.
    Calls(usize),
    /// An error with these words.
    Fails(&'static str),
}

const MESSAGE_START: &str = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"x","stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}"#;
const RESPONSE_CREATED: &str = r#"{"type":"response.created","response":{"id":"r","object":"response","status":"in_progress","output":[]}}"#;

const CASES: &[(Dialect, &str, Expect, &[&str])] = &[
    (
        OpenaiChat,
        "unparsable arguments",
        Calls(1),
        &[
            r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{no"}}]}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            "[DONE]",
        ],
    ),
    (
        OpenaiChat,
        "arguments before the name",
        Calls(1),
        &[
            r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f"}}]}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            "[DONE]",
        ],
    ),
    (
        OpenaiChat,
        "no name ever",
        Fails("a tool call has no name"),
        &[
            r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            "[DONE]",
        ],
    ),
    (
        OpenaiChat,
        "call without id",
        Calls(1),
        &[
            r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"type":"function","function":{"name":"f","arguments":"{}"}}]}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            "[DONE]",
        ],
    ),
    (
        OpenaiChat,
        "two calls with one id",
        Calls(2),
        &[
            r#"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"t","type":"function","function":{"name":"g","arguments":"{}"}}]}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            "[DONE]",
        ],
    ),
    (
        OpenaiChat,
        "done without a finish",
        Fails("without saying why"),
        &[r#"{"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}"#, "[DONE]"],
    ),
    (
        OpenaiChat,
        "text after the finish",
        Fails("goes on after"),
        &[
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"more"}}]}"#,
            "[DONE]",
        ],
    ),
    (
        OpenaiChat,
        "unknown event",
        Says,
        &[
            r#"{"object":"hologram"}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}"#,
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            "[DONE]",
        ],
    ),
    (
        OpenaiChat,
        "wrong types",
        Fails("without saying why"),
        &[r#"{"id":"c","choices":[{"index":0,"delta":{"content":["hi"]}}]}"#, "[DONE]"],
    ),
    (
        OpenaiChat,
        "choices no list",
        Fails("without saying why"),
        &[r#"{"id":"c","choices":7}"#, "[DONE]"],
    ),
    (
        Anthropic,
        "delta of no block",
        Fails("not open"),
        &[
            MESSAGE_START,
            r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"hi"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        Anthropic,
        "delta of another kind",
        Fails("another kind"),
        &[
            MESSAGE_START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        Anthropic,
        "block opened twice",
        Says,
        &[
            MESSAGE_START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        Anthropic,
        "block never closed",
        Calls(1),
        &[
            MESSAGE_START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        Anthropic,
        "stop without a reason",
        Fails("without saying why"),
        &[
            MESSAGE_START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        Anthropic,
        "unknown event and block",
        Loses,
        &[
            MESSAGE_START,
            r#"{"type":"hologram"}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"hologram"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"hi"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        OpenaiResponses,
        "delta of no item",
        Says,
        &[
            RESPONSE_CREATED,
            r#"{"type":"response.output_text.delta","item_id":"x","output_index":0,"content_index":0,"delta":"hi"}"#,
            r#"{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[]}}"#,
        ],
    ),
    (
        OpenaiResponses,
        "unparsable arguments",
        Calls(1),
        &[
            RESPONSE_CREATED,
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"i","call_id":"c","name":"f","arguments":""}}"#,
            r#"{"type":"response.function_call_arguments.delta","item_id":"i","output_index":0,"delta":"{no"}"#,
            r#"{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[]}}"#,
        ],
    ),
    (
        OpenaiResponses,
        "call without a call id",
        Calls(1),
        &[
            RESPONSE_CREATED,
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"i","name":"f","arguments":""}}"#,
            r#"{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[]}}"#,
        ],
    ),
    (
        OpenaiResponses,
        "unknown event",
        Says,
        &[
            RESPONSE_CREATED,
            r#"{"type":"response.hologram"}"#,
            r#"{"type":"response.output_text.delta","item_id":"x","output_index":0,"content_index":0,"delta":"hi"}"#,
            r#"{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[]}}"#,
        ],
    ),
    (
        OpenaiResponses,
        "completed but in progress",
        Says,
        &[
            RESPONSE_CREATED,
            r#"{"type":"response.output_text.delta","item_id":"x","output_index":0,"content_index":0,"delta":"hi"}"#,
            r#"{"type":"response.completed","response":{"id":"r","object":"response","status":"in_progress","output":[]}}"#,
        ],
    ),
    (
        Gemini,
        "call without a name",
        Fails("`name` is missing"),
        &[
            r#"{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"args":{}}}]},"finishReason":"STOP"}]}"#,
        ],
    ),
    (
        Gemini,
        "unknown part",
        Loses,
        &[
            r#"{"candidates":[{"content":{"role":"model","parts":[{"hologram":{}},{"text":"hi"}]},"finishReason":"STOP"}]}"#,
        ],
    ),
    (
        Gemini,
        "unknown finish",
        Fails("HOLOGRAM"),
        &[
            r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"HOLOGRAM"}]}"#,
        ],
    ),
    (
        Gemini,
        "malformed function call",
        Fails("MALFORMED"),
        &[
            r#"{"candidates":[{"content":{"role":"model","parts":[]},"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#,
        ],
    ),
    (
        Gemini,
        "two calls with one id",
        Calls(2),
        &[
            r#"{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"id":"t","name":"f","args":{}}},{"functionCall":{"id":"t","name":"g","args":{}}}]},"finishReason":"STOP"}]}"#,
        ],
    ),
    (
        Gemini,
        "no finish",
        Fails("before the answer did"),
        &[r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]}}]}"#],
    ),
];

#[test]
fn a_bad_stream_is_no_good_answer() {
    for (outbound, name, expect, events) in CASES {
        for inbound in Dialect::ALL.into_iter().filter(|inbound| inbound != outbound) {
            let at = format!("{outbound} to {inbound}, {name}");
            let mut translator = Session::new(inbound, *outbound).stream();
            let mut out = Vec::new();
            for event in *events {
                translator.push(format!("data: {event}\n\n").as_bytes(), &mut out);
            }
            let end = translator.end(&mut out);
            let text = String::from_utf8(out).unwrap();
            let losses = translator.losses().iter().filter(|loss| loss.code == "answer-part");
            match (expect, end) {
                (Fails(words), Progress::Failed(error)) => {
                    assert!(error.message.contains(words), "{at}: {}", error.message);
                }
                (Says, Progress::Finished) => {
                    assert!(text.contains("\"hi\"") && losses.count() == 0, "{at}: {text}");
                }
                (Loses, Progress::Finished) => {
                    assert!(text.contains("\"hi\"") && losses.count() == 1, "{at}: {text}");
                }
                (Calls(count), Progress::Finished) => {
                    let ids = call_ids(inbound, &text);
                    let mut unique = ids.clone();
                    unique.sort();
                    unique.dedup();
                    assert_eq!((ids.len(), unique.len()), (*count, *count), "{at}: {text}");
                }
                (_, end) => panic!("{at}: {end:?} {text}"),
            }
        }
    }
}

#[test]
fn half_a_surrogate_pair_in_an_answer_is_replaced() {
    let whole = r#"{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"a\udf60"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let piece = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a\ud83d"},"finish_reason":"stop"}]}"#;
    for inbound in [OpenaiResponses, Gemini] {
        let mut out = Vec::new();
        let told = Session::new(inbound, Anthropic).response(whole.as_bytes(), &mut out).unwrap();
        assert!(serde_json::from_slice::<Value>(&out).unwrap().to_string().contains("a\u{fffd}"));
        assert_eq!(told.losses.first().map(|loss| loss.path.as_str()), Some("content[0].text"));
        let mut out = Vec::new();
        let mut translator = Session::new(inbound, OpenaiChat).stream();
        translator.push(format!("data: {piece}\n\n").as_bytes(), &mut out);
        assert_eq!(translator.end(&mut out), Progress::Finished);
        assert!(String::from_utf8(out).unwrap().contains("a\\ufffd"));
        assert!(translator.losses().iter().any(|loss| loss.code == "lone-surrogate"));
    }
}

/// The ids of the calls in the stream of a client, in the order of their beginnings.
fn call_ids(inbound: Dialect, text: &str) -> Vec<String> {
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let ids = events.flat_map(|event| match inbound {
        Anthropic => vec![event["content_block"]["id"].clone()],
        OpenaiResponses if event["type"] == "response.output_item.added" => {
            vec![event["item"]["call_id"].clone()]
        }
        OpenaiResponses => Vec::new(),
        OpenaiChat => list(&event["choices"][0]["delta"]["tool_calls"], |call| call["id"].clone()),
        Gemini => list(&event["candidates"][0]["content"]["parts"], |part| {
            part["functionCall"]["id"].clone()
        }),
    });
    ids.filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

fn list(value: &Value, id: impl Fn(&Value) -> Value) -> Vec<Value> {
    value.as_array().map(|list| list.iter().map(id).collect()).unwrap_or_default()
}
