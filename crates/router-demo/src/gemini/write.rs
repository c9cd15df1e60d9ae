//! Writes an answer as a Gemini response, whole or as a stream of partial ones.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Answer, Ask, Piece, Stop, Think};
use crate::reply::{Event, Mark, Reply};
use crate::seal;
use crate::tokens::chunks;

/// The reply to a Gemini request; `sse` is `alt=sse`, without which a stream is
/// one JSON array.
pub(crate) fn write(ask: &Ask, answer: &Answer, id: u64, sse: bool) -> Reply {
    if !ask.stream {
        let parts: Vec<Value> = answer.pieces.iter().filter_map(|piece| part(ask, piece)).collect();
        return Reply::json(200, &response(ask, answer, id, &parts, true));
    }
    let steps = steps(ask, answer);
    let last = steps.len().saturating_sub(1);
    let responses: Vec<Value> = steps
        .iter()
        .enumerate()
        .map(|(index, part)| response(ask, answer, id, std::slice::from_ref(part), index == last))
        .collect();
    if !sse {
        return Reply::whole(
            200,
            "application/json",
            Bytes::from(Value::from(responses).to_string()),
        );
    }
    let mark = |index| if index == last { Mark::Terminal } else { Mark::Output };
    let events = responses.iter().enumerate();
    let events = events.map(|(index, one)| Event {
        bytes: Bytes::from(format!("data: {one}\r\n\r\n")),
        mark: mark(index),
    });
    Reply::stream(events.collect())
}

fn finish(answer: &Answer) -> &'static str {
    match answer.stop {
        Stop::Length => "MAX_TOKENS",
        Stop::Refusal => "SAFETY",
        Stop::Done | Stop::Sequence(_) | Stop::Calls => "STOP",
    }
}

fn response(ask: &Ask, answer: &Answer, id: u64, parts: &[Value], last: bool) -> Value {
    let used = answer.usage;
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let (true, Some(members)) = (last, candidate.as_object_mut()) {
        members.insert("finishReason".into(), finish(answer).into());
        if let Some(refusal) = answer.refusal() {
            members.insert("finishMessage".into(), refusal.into());
        }
    }
    let mut usage = json!({
        "promptTokenCount": used.whole_input(),
        "totalTokenCount": used.whole_input() + if last { used.output } else { 0 },
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": used.whole_input()}],
    });
    if let Some(members) = usage.as_object_mut() {
        if last {
            members.insert("candidatesTokenCount".into(), (used.output - used.thoughts).into());
        }
        if last && used.thoughts > 0 {
            members.insert("thoughtsTokenCount".into(), used.thoughts.into());
        }
        if used.read > 0 {
            members.insert("cachedContentTokenCount".into(), used.read.into());
        }
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": ask.model,
        "responseId": format!("demo{id:012}"),
    })
}

fn part(ask: &Ask, piece: &Piece) -> Option<Value> {
    match piece {
        Piece::Thought(text) => {
            (ask.think == Think::Shown).then(|| json!({"text": text, "thought": true}))
        }
        Piece::Text(text) => Some(json!({"text": text})),
        Piece::Refusal(_) => None,
        Piece::Call(call) => {
            let args: Value = serde_json::from_str(&call.input).unwrap_or_else(|_| json!({}));
            let mut part = json!({
                "functionCall": {"id": call.id, "name": call.name, "args": args},
            });
            if let (true, Some(members)) = (ask.think != Think::No, part.as_object_mut()) {
                members.insert("thoughtSignature".into(), seal::sign("gemini", &call.name).into());
            }
            Some(part)
        }
    }
}

/// One part for each response of a stream; an empty text ends it.
fn steps(ask: &Ask, answer: &Answer) -> Vec<Value> {
    let mut steps = Vec::new();
    for piece in &answer.pieces {
        match piece {
            Piece::Text(text) => {
                steps.extend(chunks(text).into_iter().map(|text| json!({"text": text})));
            }
            Piece::Thought(text) if ask.think == Think::Shown => {
                let part = |text| json!({"text": text, "thought": true});
                steps.extend(chunks(text).into_iter().map(part));
            }
            other => steps.extend(part(ask, other)),
        }
    }
    steps.push(json!({"text": ""}));
    steps
}
