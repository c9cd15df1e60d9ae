//! A Messages agent works for five turns on a Chat model: parallel calls, a failed tool, an image
//! as a result, thinking that must come back. The upstream holds every request to Chat's rules.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use router_wire::Dialect;
use router_wire::facts::FactsTable;
use router_wire::translate::{Options, RequestExtra, Target, translate_request};
use serde_json::{Value, json};

/// Holds a Chat request to the rules of strict servers; gives its messages.
fn accept(body: &[u8]) -> Vec<Value> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let text = body.to_string();
    assert!(!text.contains("cache_control") && !text.contains("llmr1:"), "{text}");
    let messages = body["messages"].as_array().unwrap().clone();
    let mut waiting: Vec<String> = Vec::new();
    for message in &messages {
        match message["role"].as_str().unwrap() {
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap();
                assert_eq!(waiting.remove(0), id, "results follow their calls, in order");
                assert!(message["content"].is_string() || message["content"].is_array());
            }
            role => {
                assert!(waiting.is_empty(), "{role} before the results of {waiting:?}");
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    let arguments = call["function"]["arguments"].as_str().unwrap();
                    assert!(serde_json::from_str::<Value>(arguments).unwrap().is_object());
                    waiting.push(call["id"].as_str().unwrap().to_owned());
                }
            }
        }
    }
    assert!(waiting.is_empty());
    messages
}

fn answer(turn: usize) -> Value {
    let calls: Vec<Value> = (0..2)
        .map(|n| {
            json!({"id": format!("call_{turn}_{n}"), "type": "function", "function":
                {"name": "Bash", "arguments": format!("{{\"command\":\"step {turn}\\n{n}\"}}")}})
        })
        .collect();
    json!({"id": format!("chatcmpl-{turn}"), "object": "chat.completion", "created": 1, "model": "u",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant",
            "content": Value::Null, "reasoning_content": format!("thought {turn}"), "tool_calls": calls}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
            "prompt_tokens_details": {"cached_tokens": 60}}})
}

fn results(turn: usize) -> Value {
    let image = json!({"type": "image", "source":
        {"type": "base64", "media_type": "image/png", "data": "aGk="}});
    json!([
        {"type": "text", "text": "go on"},
        {"type": "tool_result", "tool_use_id": format!("call_{turn}_1"), "is_error": true, "content": "no"},
        {"type": "tool_result", "tool_use_id": format!("call_{turn}_0"), "content": [image],
            "cache_control": {"type": "ephemeral"}},
    ])
}

#[test]
fn five_turns_of_an_agent_stay_acceptable_upstream() {
    for (model, thoughts) in [("kimi-k2", true), ("gpt-4o", false)] {
        let facts = FactsTable::embedded().lookup(model);
        let options = Options::default();
        let target =
            Target { dialect: Dialect::OpenaiChat, model, facts: &facts, options: &options };
        let mut request = json!({"model": "claude-x", "max_tokens": 4000,
            "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
            "messages": [{"role": "user", "content": "begin"}]});
        for turn in 0..5 {
            let bytes = serde_json::to_vec(&request).unwrap();
            let extra = RequestExtra::default();
            let out = translate_request(Dialect::Anthropic, &bytes, &extra, &target).unwrap();
            let sent = accept(&out.body);
            let with_thoughts =
                sent.iter().filter(|message| message["reasoning_content"].is_string()).count();
            assert_eq!(with_thoughts, if thoughts { turn } else { 0 }, "{model} {turn}");
            let images = sent.iter().filter(|m| m.to_string().contains("image_url")).count();
            assert_eq!(images, turn, "each image of a result reaches the model");

            let mut session = out.session;
            let mut reply = Vec::new();
            let upstream = serde_json::to_vec(&answer(turn)).unwrap();
            session.response(&upstream, &mut reply).unwrap();
            let reply: Value = serde_json::from_slice(&reply).unwrap();
            assert_eq!(reply["stop_reason"], "tool_use");
            assert_eq!(reply["model"], "claude-x");
            assert_eq!(reply["usage"]["input_tokens"], 40);
            assert_eq!(reply["usage"]["cache_read_input_tokens"], 60);
            assert_eq!(reply["content"][0]["thinking"], format!("thought {turn}"));
            assert_eq!(reply["content"][1]["input"]["command"], format!("step {turn}\n0"));
            let messages = request["messages"].as_array_mut().unwrap();
            messages.push(json!({"role": "assistant", "content": reply["content"]}));
            messages.push(json!({"role": "user", "content": results(turn)}));
        }
    }
}
