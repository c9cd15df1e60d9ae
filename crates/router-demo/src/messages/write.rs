//! Writes an answer as a message, whole or as events.

use serde_json::{Value, json};

use crate::ask::{Answer, Ask, Piece, Stop, Think};
use crate::reply::{Event, Mark, Reply};
use crate::seal;
use crate::tokens::chunks;

/// The reply to a Messages request.
pub(crate) fn write(ask: &Ask, answer: &Answer, _body: &Value, id: u64) -> Reply {
    if ask.stream {
        return Reply::stream(stream(ask, answer, id));
    }
    let content: Vec<Value> = answer.pieces.iter().map(|piece| block(ask, piece)).collect();
    let mut message = shell(ask, id);
    if let Some(members) = message.as_object_mut() {
        members.insert("content".into(), content.into());
        let (reason, sequence, details) = stop(answer);
        members.insert("stop_reason".into(), reason.into());
        members.insert("stop_sequence".into(), sequence);
        members.insert("stop_details".into(), details);
        members.insert("usage".into(), usage(answer, answer.usage.output));
    }
    Reply::json(200, &message)
}

fn shell(ask: &Ask, id: u64) -> Value {
    json!({
        "id": format!("msg_demo{id:012}"),
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "stop_details": null,
        "container": null,
        "usage": null,
    })
}

fn stop(answer: &Answer) -> (&'static str, Value, Value) {
    match &answer.stop {
        Stop::Done => ("end_turn", Value::Null, Value::Null),
        Stop::Length => ("max_tokens", Value::Null, Value::Null),
        Stop::Sequence(word) => ("stop_sequence", word.clone().into(), Value::Null),
        Stop::Calls => ("tool_use", Value::Null, Value::Null),
        Stop::Refusal => {
            let details = json!({
                "type": "refusal", "category": null,
                "explanation": answer.refusal().unwrap_or_default(),
            });
            ("refusal", Value::Null, details)
        }
    }
}

fn usage(answer: &Answer, output: u64) -> Value {
    let used = answer.usage;
    json!({
        "input_tokens": used.input,
        "cache_creation_input_tokens": used.write,
        "cache_read_input_tokens": used.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.write.saturating_sub(used.write_hour),
            "ephemeral_1h_input_tokens": used.write_hour,
        },
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": used.thoughts.min(output)},
        "server_tool_use": null,
        "service_tier": "standard",
        "speed": "standard",
        "inference_geo": "not_available",
    })
}

/// The thought as it is shown and its signature.
fn thought(ask: &Ask, text: &str) -> (String, String) {
    let shown = if ask.think == Think::Hidden { String::new() } else { text.to_owned() };
    let signature = seal::sign("messages", &shown);
    (shown, signature)
}

fn block(ask: &Ask, piece: &Piece) -> Value {
    match piece {
        Piece::Thought(text) => {
            let (thinking, signature) = thought(ask, text);
            json!({"type": "thinking", "thinking": thinking, "signature": signature})
        }
        Piece::Text(text) | Piece::Refusal(text) => {
            json!({"type": "text", "text": text, "citations": null})
        }
        Piece::Call(call) => {
            let input: Value = serde_json::from_str(&call.input).unwrap_or_else(|_| json!({}));
            json!({
                "type": "tool_use", "id": format!("toolu_{}", call.id), "name": call.name,
                "input": input, "caller": {"type": "direct"},
            })
        }
    }
}

fn stream(ask: &Ask, answer: &Answer, id: u64) -> Vec<Event> {
    let mut message = shell(ask, id);
    if let Some(members) = message.as_object_mut() {
        members.insert("usage".into(), usage(answer, 1));
    }
    let start = json!({"type": "message_start", "message": message});
    let mut events = vec![
        Event::named(Mark::Start, &start),
        Event::named(Mark::Start, &json!({"type": "ping"})),
    ];
    for (index, piece) in answer.pieces.iter().enumerate() {
        write_block(&mut events, ask, index, piece);
    }
    let (reason, sequence, details) = stop(answer);
    let delta = json!({
        "stop_reason": reason, "stop_sequence": sequence, "stop_details": details,
        "container": null,
    });
    let usage = usage(answer, answer.usage.output);
    let delta = json!({"type": "message_delta", "delta": delta, "usage": usage});
    events.push(Event::named(Mark::Terminal, &delta));
    events.push(Event::named(Mark::Terminal, &json!({"type": "message_stop"})));
    events
}

fn write_block(events: &mut Vec<Event>, ask: &Ask, index: usize, piece: &Piece) {
    let (start, deltas) = match piece {
        Piece::Thought(text) => {
            let (shown, signature) = thought(ask, text);
            let start = json!({"type": "thinking", "thinking": "", "signature": ""});
            let mut deltas: Vec<Value> = chunks(&shown)
                .into_iter()
                .map(|part| json!({"type": "thinking_delta", "thinking": part}))
                .collect();
            deltas.push(json!({"type": "signature_delta", "signature": signature}));
            (start, deltas)
        }
        Piece::Text(text) | Piece::Refusal(text) => {
            let start = json!({"type": "text", "text": "", "citations": null});
            let delta = |part| json!({"type": "text_delta", "text": part});
            (start, chunks(text).into_iter().map(delta).collect())
        }
        Piece::Call(call) => {
            let start = json!({
                "type": "tool_use", "id": format!("toolu_{}", call.id), "name": call.name,
                "input": {}, "caller": {"type": "direct"},
            });
            let delta = |part| json!({"type": "input_json_delta", "partial_json": part});
            let parts = std::iter::once(String::new()).chain(chunks(&call.input));
            (start, parts.map(delta).collect())
        }
    };
    let start = json!({"type": "content_block_start", "index": index, "content_block": start});
    let mark =
        if index == 0 && !matches!(piece, Piece::Call(_)) { Mark::Start } else { Mark::Output };
    events.push(Event::named(mark, &start));
    for delta in deltas {
        let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
        events.push(Event::named(Mark::Output, &delta));
    }
    let end = json!({"type": "content_block_stop", "index": index});
    events.push(Event::named(Mark::Output, &end));
}
