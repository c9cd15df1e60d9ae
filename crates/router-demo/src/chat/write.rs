//! Writes an answer as a chat completion, whole or as chunks.

use serde_json::{Map, Value, json};

use crate::ask::{Answer, Ask, Piece, Stop};
use crate::json::{flag, given};
use crate::reply::{Event, Mark, Reply};
use crate::tokens::chunks;

/// A fixed time of creation (2026-01-01), so that answers are always the same.
const CREATED: u64 = 1_767_225_600;

/// The reply to a Chat request.
pub(crate) fn write(ask: &Ask, answer: &Answer, body: &Value, id: u64) -> Reply {
    if ask.stream {
        return Reply::stream(stream(ask, answer, body, id));
    }
    let count = given(body, "n").and_then(Value::as_u64).unwrap_or(1);
    let choices: Vec<Value> = (0..count).map(|index| choice(ask, answer, body, index)).collect();
    let mut out = base(ask, id, "chat.completion");
    out.insert("choices".into(), choices.into());
    out.insert("usage".into(), usage(answer, count));
    Reply::json(200, &Value::Object(out))
}

fn base(ask: &Ask, id: u64, object: &str) -> Map<String, Value> {
    let base = json!({
        "id": format!("chatcmpl-demo{id:012}"),
        "object": object,
        "created": CREATED,
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    });
    base.as_object().cloned().unwrap_or_default()
}

fn finish(answer: &Answer) -> &'static str {
    match answer.stop {
        Stop::Length => "length",
        Stop::Calls => "tool_calls",
        Stop::Done | Stop::Sequence(_) | Stop::Refusal => "stop",
    }
}

fn usage(answer: &Answer, choices: u64) -> Value {
    let used = answer.usage;
    let (input, output) = (used.whole_input(), used.output * choices);
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": {
            "cached_tokens": used.read, "cache_write_tokens": used.write, "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": used.thoughts, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

fn choice(ask: &Ask, answer: &Answer, body: &Value, index: u64) -> Value {
    let text = answer.text();
    let content = if text.is_empty() && answer.stop != Stop::Length {
        Value::Null
    } else {
        text.clone().into()
    };
    let mut message = json!({
        "role": "assistant", "content": content, "refusal": answer.refusal(), "annotations": [],
    });
    let calls: Vec<Value> = answer.calls().map(call).collect();
    if let Some(message) = message.as_object_mut() {
        if !calls.is_empty() {
            message.insert("tool_calls".into(), calls.into());
        }
        if ask.rules.reasoning_content {
            message.insert("reasoning_content".into(), answer.thoughts().into());
        }
    }
    json!({
        "index": index,
        "message": message,
        "logprobs": flag(body, "logprobs").then(|| logprobs(&chunks(&text))),
        "finish_reason": finish(answer),
    })
}

fn call(call: &crate::ask::Call) -> Value {
    let id = format!("call_{}", call.id);
    if call.freeform {
        let custom = json!({"name": call.name, "input": call.input});
        json!({"id": id, "type": "custom", "custom": custom})
    } else {
        let function = json!({"name": call.name, "arguments": call.input});
        json!({"id": id, "type": "function", "function": function})
    }
}

fn logprobs(tokens: &[String]) -> Value {
    let one = |token: &String| json!({"token": token, "logprob": -0.125, "bytes": token.as_bytes(), "top_logprobs": []});
    json!({"content": tokens.iter().map(one).collect::<Vec<_>>(), "refusal": null})
}

struct Stream<'a> {
    base: Map<String, Value>,
    with_usage: bool,
    with_logprobs: bool,
    ask: &'a Ask,
    events: Vec<Event>,
}

impl Stream<'_> {
    fn chunk(&mut self, mark: Mark, index: u64, delta: &Value, finish: Option<&str>) {
        let mut out = self.base.clone();
        let token = delta.get("content").and_then(Value::as_str).filter(|text| !text.is_empty());
        let logprobs = match token {
            Some(token) if self.with_logprobs => logprobs(&[token.to_owned()]),
            _ => Value::Null,
        };
        let choice = json!({
            "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish,
        });
        out.insert("choices".into(), json!([choice]));
        if self.with_usage {
            out.insert("usage".into(), Value::Null);
        }
        self.events.push(Event::data(mark, &Value::Object(out)));
    }

    fn answer(&mut self, answer: &Answer, index: u64) {
        let role = json!({"role": "assistant", "content": "", "refusal": null});
        self.chunk(Mark::Start, index, &role, None);
        let mut calls = 0;
        for piece in &answer.pieces {
            match piece {
                Piece::Thought(text) if self.ask.rules.reasoning_content => {
                    for token in chunks(text) {
                        let delta = json!({"reasoning_content": token});
                        self.chunk(Mark::Output, index, &delta, None);
                    }
                }
                Piece::Thought(_) => {}
                Piece::Text(text) => {
                    for token in chunks(text) {
                        self.chunk(Mark::Output, index, &json!({"content": token}), None);
                    }
                }
                Piece::Refusal(text) => {
                    for token in chunks(text) {
                        self.chunk(Mark::Output, index, &json!({"refusal": token}), None);
                    }
                }
                Piece::Call(called) => {
                    self.call(called, index, calls);
                    calls += 1;
                }
            }
        }
        self.chunk(Mark::Terminal, index, &json!({}), Some(finish(answer)));
    }

    fn call(&mut self, called: &crate::ask::Call, index: u64, nth: usize) {
        let (kind, member) =
            if called.freeform { ("custom", "input") } else { ("function", "arguments") };
        let first = json!({"tool_calls": [{
            "index": nth, "id": format!("call_{}", called.id), "type": kind,
            kind: {"name": called.name, member: ""},
        }]});
        self.chunk(Mark::Output, index, &first, None);
        for part in chunks(&called.input) {
            let delta = json!({"tool_calls": [{"index": nth, kind: {member: part}}]});
            self.chunk(Mark::Output, index, &delta, None);
        }
    }
}

fn stream(ask: &Ask, answer: &Answer, body: &Value, id: u64) -> Vec<Event> {
    let options = body.get("stream_options").unwrap_or(&Value::Null);
    let with_usage = flag(options, "include_usage");
    let mut out = Stream {
        base: base(ask, id, "chat.completion.chunk"),
        with_usage,
        with_logprobs: flag(body, "logprobs"),
        ask,
        events: Vec::new(),
    };
    let count = given(body, "n").and_then(Value::as_u64).unwrap_or(1);
    for index in 0..count {
        out.answer(answer, index);
    }
    if with_usage {
        let mut last = out.base.clone();
        last.insert("choices".into(), json!([]));
        last.insert("usage".into(), usage(answer, count));
        out.events.push(Event::data(Mark::Terminal, &Value::Object(last)));
    }
    out.events.push(Event::raw(Mark::Terminal, "data: [DONE]\n\n"));
    out.events
}
