//! Responses clients on other upstreams, and other clients on Responses upstreams: whole streams
//! through the hub, cut at every place, and an agent's turns back and forth.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use router_wire::Dialect;
use router_wire::error::{ClientError, ErrorKind};
use router_wire::facts::FactsTable;
use router_wire::translate::{
    Options, Outbound, Progress, RequestExtra, Session, StreamTranslator, Target, translate_request,
};
use serde_json::{Value, json};

const MESSAGES: &str = include_str!("../fixtures/anthropic/stream/full.sse");
const CHAT: &str = include_str!("../fixtures/openai-chat/stream/full.sse");
const RESPONSES: &str = include_str!("../fixtures/openai-responses/stream/everything.sse");

fn translate(inbound: Dialect, body: &Value, outbound: Dialect, model: &str) -> Outbound {
    let facts = FactsTable::embedded().lookup(model);
    let options = Options::default();
    let target = Target { dialect: outbound, model, facts: &facts, options: &options };
    let extra = RequestExtra { now_s: 1_800_000_000, ..RequestExtra::default() };
    let bytes = serde_json::to_vec(body).unwrap();
    translate_request(inbound, &bytes, &extra, &target).unwrap()
}

fn session(inbound: Dialect, outbound: Dialect, model: &str) -> Session {
    let body = match inbound {
        Dialect::OpenaiResponses => json!({"model": "m", "input": "hi", "stream": true}),
        _ => json!({"model": "m", "max_tokens": 9, "stream": true,
            "messages": [{"role": "user", "content": "hi"}]}),
    };
    translate(inbound, &body, outbound, model).session
}

/// The whole stream in these pieces, and how it ended.
fn run<'p>(session: &Session, pieces: impl Iterator<Item = &'p [u8]>) -> (String, Progress) {
    let mut translator: StreamTranslator = session.clone().stream();
    let mut out = Vec::new();
    for piece in pieces {
        translator.push(piece, &mut out);
    }
    let progress = translator.end(&mut out);
    (String::from_utf8(out).unwrap(), progress)
}

/// The data of each event.
fn events(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

const PAIRS: [(Dialect, Dialect, &str, &str); 4] = [
    (Dialect::OpenaiResponses, Dialect::Anthropic, "claude-opus-4-7", MESSAGES),
    (Dialect::OpenaiResponses, Dialect::OpenaiChat, "deepseek-reasoner", CHAT),
    (Dialect::Anthropic, Dialect::OpenaiResponses, "gpt-5.6", RESPONSES),
    (Dialect::OpenaiChat, Dialect::OpenaiResponses, "gpt-5.6", RESPONSES),
];

#[test]
fn streams_are_translated_as_agreed() {
    for (inbound, outbound, model, stream) in PAIRS {
        let session = session(inbound, outbound, model);
        let (text, progress) = run(&session, std::iter::once(stream.as_bytes()));
        assert_eq!(progress, Progress::Finished, "{inbound} from {outbound}");
        insta::assert_snapshot!(format!("{inbound}-from-{outbound}"), text);
    }
}

#[test]
fn where_the_network_cuts_changes_nothing() {
    for (inbound, outbound, model, stream) in PAIRS {
        let session = session(inbound, outbound, model);
        let bytes = stream.as_bytes();
        let (whole, _) = run(&session, std::iter::once(bytes));
        let (single, _) = run(&session, bytes.chunks(1));
        assert_eq!(single, whole, "{inbound} from {outbound} byte by byte");
        // Byte by byte goes through all states; long streams need not be cut in two everywhere.
        let step = if bytes.len() < 6_000 { 1 } else { 7 };
        for at in (1..bytes.len()).step_by(step) {
            let (head, tail) = bytes.split_at(at);
            let (text, _) = run(&session, [head, tail].into_iter());
            assert_eq!(text, whole, "{inbound} from {outbound} cut at {at}");
        }
    }
}

#[test]
fn a_stream_that_dies_never_ends_well() {
    for (inbound, outbound, model, stream) in PAIRS {
        let session = session(inbound, outbound, model);
        let starts: Vec<usize> = stream.match_indices("\n\n").map(|(at, _)| at + 2).collect();
        // Once the upstream has said why it stopped, only bookkeeping is missing.
        let stopped = |at: &usize| {
            let so_far = stream.get(..*at).unwrap();
            ["\"stop_reason\":\"", "\"finish_reason\":\"", "response.completed"]
                .iter()
                .any(|said| so_far.contains(said))
        };
        for at in starts.iter().take_while(|at| !stopped(at)) {
            let mut translator = session.clone().stream();
            let mut out = Vec::new();
            translator.push(stream.as_bytes().get(..*at).unwrap(), &mut out);
            let progress = translator.end(&mut out);
            assert!(matches!(progress, Progress::Failed(_)), "{outbound} cut at {at}");
            let error = ClientError::new(ErrorKind::Upstream, "gone");
            translator.fail(&error, "req_1", &mut out);
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{text}");
            if inbound == Dialect::OpenaiResponses {
                let list = events(&text);
                let last = list.last().unwrap();
                assert_eq!(last["type"], "response.failed");
                assert_eq!(last["sequence_number"], list.len() - 1);
                if let [first, _, ..] = list.as_slice() {
                    assert_eq!(last["response"]["id"], first["response"]["id"]);
                }
                assert!(!text.contains("response.completed"), "{text}");
            }
        }
    }
}

/// What Codex sends first.
fn codex() -> Value {
    let text = include_str!("../fixtures/openai-responses/request/codex-second-turn.json");
    let mut body: Value = serde_json::from_str(text).unwrap();
    body["input"] = json!([{"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "Fix it."}]}]);
    body
}

/// A Messages stream that thinks and then calls one tool.
fn messages_call(turn: usize, name: &str, input: &Value) -> String {
    let text = input.to_string();
    let (head, tail) = text.split_at(text.len() / 2);
    let list = [
        json!({"type": "message_start", "message": {"id": format!("msg_{turn}"), "type": "message",
            "role": "assistant", "model": "claude", "content": [], "usage": {"input_tokens": 5, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "thinking_delta", "thinking": format!("step {turn}\n\nnext")}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "signature_delta", "signature": format!("Sig{turn}==")}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1,
            "content_block": {"type": "tool_use", "id": format!("toolu_{turn}"), "name": name, "input": {}}}),
        json!({"type": "content_block_delta", "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": head}}),
        json!({"type": "content_block_delta", "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": tail}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ];
    let lines: Vec<String> = list
        .iter()
        .map(|data| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap()))
        .collect();
    lines.concat()
}

#[test]
fn codex_works_for_five_turns_on_a_messages_model() {
    let patch = "*** Begin Patch\n*** Add File: a\n+\"x\"\n*** End Patch\n";
    let calls = [
        ("exec_command", json!({"cmd": "ls -la"}), "function_call"),
        ("apply_patch", json!({"input": patch}), "custom_tool_call"),
        ("multi_agent_v1__spawn_agent", json!({}), "function_call"),
        ("apply_patch", json!({"input": patch}), "custom_tool_call"),
        ("exec_command", json!({"cmd": "cargo test"}), "function_call"),
    ];
    let mut body = codex();
    for (turn, (name, input, kind)) in calls.iter().enumerate() {
        let outbound =
            translate(Dialect::OpenaiResponses, &body, Dialect::Anthropic, "claude-opus-4-7");
        let sent: Value = serde_json::from_slice(&outbound.body).unwrap();
        check_history(&sent, turn);
        let stream = messages_call(turn, name, input);
        let (text, progress) = run(&outbound.session, stream.as_bytes().chunks(7));
        assert_eq!(progress, Progress::Finished);
        let list = events(&text);
        let done: Vec<&Value> = list
            .iter()
            .filter(|event| event["type"] == "response.output_item.done")
            .map(|event| &event["item"])
            .collect();
        let [reasoning, call] = done.as_slice() else { panic!("{done:?}") };
        assert_eq!(&call["type"], kind, "{call}");
        match *kind {
            "custom_tool_call" => {
                assert_eq!((&call["name"], &call["input"]), (&json!("apply_patch"), &json!(patch)));
                assert!(text.contains("response.custom_tool_call_input.delta"));
            }
            _ if turn == 2 => {
                assert_eq!(call["name"], "spawn_agent");
                assert_eq!(call["namespace"], "multi_agent_v1");
            }
            _ => assert_eq!(call["arguments"], input.to_string()),
        }
        // Codex sends reasoning back without its id, and answers the call.
        let mut reasoning = (*reasoning).clone();
        reasoning.as_object_mut().unwrap().remove("id");
        reasoning["content"] = Value::Null;
        let items = body["input"].as_array_mut().unwrap();
        items.push(reasoning);
        items.push((*call).clone());
        items.push(json!({"type": format!("{kind}_output"), "call_id": call["call_id"],
            "output": format!("result {turn}")}));
    }
    let outbound =
        translate(Dialect::OpenaiResponses, &body, Dialect::Anthropic, "claude-opus-4-7");
    check_history(&serde_json::from_slice(&outbound.body).unwrap(), calls.len());
}

/// Every earlier turn is there as the model made it: its thinking with the signature, its call,
/// and the result behind it.
fn check_history(sent: &Value, turns: usize) {
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1 + 2 * turns, "{sent}");
    for turn in 0..turns {
        let said = &messages[1 + 2 * turn];
        assert_eq!(said["role"], "assistant");
        let thinking = &said["content"][0];
        assert_eq!(thinking["thinking"], format!("step {turn}\n\nnext"), "{said}");
        assert_eq!(thinking["signature"], format!("Sig{turn}=="), "{said}");
        assert_eq!(said["content"][1]["id"], format!("toolu_{turn}"));
        assert!(said["content"][1]["input"].is_object());
        let result = &messages[2 + 2 * turn]["content"][0];
        assert_eq!(result["tool_use_id"], format!("toolu_{turn}"));
        assert_eq!(result["content"], format!("result {turn}"));
    }
}

#[test]
fn a_messages_client_keeps_the_state_of_a_responses_model() {
    let mut body = json!({"model": "m", "max_tokens": 4000, "stream": true,
        "thinking": {"type": "adaptive", "display": "summarized"},
        "tools": [{"name": "ls", "input_schema": {"type": "object", "properties": {}}}],
        "messages": [{"role": "user", "content": "go"}]});
    let outbound = translate(Dialect::Anthropic, &body, Dialect::OpenaiResponses, "gpt-5.6");
    let (text, progress) = run(&outbound.session, std::iter::once(RESPONSES.as_bytes()));
    assert_eq!(progress, Progress::Finished);
    let mut signature = String::new();
    for event in events(&text) {
        if event["delta"]["type"] == "signature_delta" {
            signature.push_str(event["delta"]["signature"].as_str().unwrap());
        }
    }
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": [
        {"type": "thinking", "thinking": "Look first.\n\nThen \"edit\".", "signature": signature},
        {"type": "tool_use", "id": "call_1", "name": "ls", "input": {"path": "/"}}]}));
    messages.push(json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "call_1", "is_error": true, "content": [
            {"type": "text", "text": "no"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]}]}));
    let outbound = translate(Dialect::Anthropic, &body, Dialect::OpenaiResponses, "gpt-5.6");
    let sent: Value = serde_json::from_slice(&outbound.body).unwrap();
    let items = sent["input"].as_array().unwrap();
    let types: Vec<&str> = items.iter().filter_map(|item| item["type"].as_str()).collect();
    assert_eq!(types, ["message", "reasoning", "function_call", "function_call_output"], "{sent}");
    assert_eq!(items[1]["encrypted_content"], "gAAAstate");
    assert!(items.iter().all(|item| item.get("id").is_none()), "{sent}");
    let output = items[3]["output"].as_array().unwrap();
    assert_eq!(output[0]["text"], "[tool error]");
    assert_eq!(output[2]["image_url"], "data:image/png;base64,iVBORw0KGgo=");
    assert_eq!(sent["store"], false);
    assert_eq!(sent["include"], json!(["reasoning.encrypted_content"]));
    // The state of OpenAI is never shown to another vendor.
    let outbound = translate(Dialect::Anthropic, &body, Dialect::Anthropic, "claude-opus-4-7");
    assert!(!String::from_utf8(outbound.body).unwrap().contains("gAAAstate"));
}

#[test]
fn a_hosted_patch_tool_comes_back_as_the_item_the_client_waits_for() {
    let body =
        json!({"model": "m", "input": "patch", "stream": true, "tools": [{"type": "apply_patch"}]});
    let outbound =
        translate(Dialect::OpenaiResponses, &body, Dialect::Anthropic, "claude-opus-4-7");
    let sent: Value = serde_json::from_slice(&outbound.body).unwrap();
    assert_eq!(sent["tools"][0]["name"], "apply_patch");
    let operation = json!({"type": "delete_file", "path": "a"});
    let stream = messages_call(0, "apply_patch", &operation);
    let (text, _) = run(&outbound.session, std::iter::once(stream.as_bytes()));
    let list = events(&text);
    let last = &list.last().unwrap()["response"];
    let item = &last["output"][1];
    assert_eq!((&item["type"], &item["operation"]), (&json!("apply_patch_call"), &operation));
    assert_eq!(last["status"], "completed");
}

/// Translates a whole answer for a Responses client.
fn whole(outbound: Dialect, model: &str, body: &str) -> (Vec<u8>, Session) {
    let mut session = session(Dialect::OpenaiResponses, outbound, model);
    let mut out = Vec::new();
    session.response(body.as_bytes(), &mut out).unwrap();
    (out, session)
}

#[test]
fn a_whole_answer_is_what_its_stream_would_end_with() {
    for (outbound, model, body) in [
        (
            Dialect::Anthropic,
            "claude-opus-4-7",
            include_str!("../fixtures/anthropic/response/full.json"),
        ),
        (
            Dialect::OpenaiChat,
            "deepseek-reasoner",
            include_str!("../fixtures/openai-chat/response/full.json"),
        ),
    ] {
        let (out, session) = whole(outbound, model, body);
        let answer: Value = serde_json::from_slice(&out).unwrap();
        // An upstream that answers a request for a stream with JSON is told as a stream.
        let (text, progress) = run(&session, std::iter::once(body.as_bytes()));
        assert_eq!(progress, Progress::Finished);
        let list = events(&text);
        assert_eq!(list.last().unwrap()["response"], answer, "{outbound}");
        insta::assert_snapshot!(
            format!("openai-responses-whole-from-{outbound}"),
            serde_json::to_string_pretty(&answer).unwrap()
        );
    }
}

proptest::proptest! {
    /// A damaged stream is told in order or fails; it never panics and never breaks the rules.
    #[test]
    fn damage_is_answered(at in 0_usize..14_000, byte in proptest::num::u8::ANY) {
        for (inbound, outbound, model, stream) in PAIRS {
            let session = session(inbound, outbound, model);
            let mut bytes = stream.as_bytes().to_vec();
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
            let (text, progress) = run(&session, bytes.chunks(1000));
            let list = events(&text);
            if inbound == Dialect::OpenaiResponses {
                for (number, event) in list.iter().enumerate() {
                    proptest::prop_assert_eq!(&event["sequence_number"], number);
                }
                let ended = text.contains("event: response.completed")
                    || text.contains("event: response.incomplete");
                proptest::prop_assert_eq!(ended, progress == Progress::Finished);
            }
        }
    }
}
