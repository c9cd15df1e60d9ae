//! Writes an answer as a response object, whole or as events.

use serde_json::{Map, Value, json};

use crate::ask::{Answer, Ask, Call, Piece, Stop, Think};
use crate::json::{given, list};
use crate::reply::{Event, Mark, Reply};
use crate::seal;
use crate::tokens::chunks;

/// A fixed time of creation (2026-01-01), so that answers are always the same.
const CREATED: u64 = 1_767_225_600;

/// The reply to a Responses request.
pub(crate) fn write(ask: &Ask, answer: &Answer, body: &Value, id: u64) -> Reply {
    let sealed = list(body, "include").iter().any(|one| one == "reasoning.encrypted_content");
    let writer = Writer { ask, answer, body, id, sealed };
    if ask.stream {
        return Reply::stream(writer.stream());
    }
    Reply::json(200, &writer.response(writer.status(), &writer.items()))
}

struct Writer<'a> {
    ask: &'a Ask,
    answer: &'a Answer,
    body: &'a Value,
    id: u64,
    /// Whether reasoning carries its encrypted content.
    sealed: bool,
}

impl Writer<'_> {
    fn status(&self) -> &'static str {
        if self.answer.stop == Stop::Length { "incomplete" } else { "completed" }
    }

    /// The response object; `status` decides about output and usage.
    fn response(&self, status: &str, output: &[Value]) -> Value {
        let echo = |name: &str, or: Value| given(self.body, name).cloned().unwrap_or(or);
        let done = status != "in_progress";
        let incomplete = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
        let body = json!({
            "id": format!("resp_demo{:012}", self.id),
            "object": "response",
            "created_at": CREATED,
            "completed_at": (status == "completed").then_some(CREATED),
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": incomplete,
            "instructions": echo("instructions", Value::Null),
            "max_output_tokens": echo("max_output_tokens", Value::Null),
            "max_tool_calls": echo("max_tool_calls", Value::Null),
            "model": self.ask.model,
            "output": output,
            "parallel_tool_calls": self.ask.parallel,
            "previous_response_id": null,
            "prompt_cache_key": echo("prompt_cache_key", Value::Null),
            "reasoning": echo("reasoning", json!({"effort": null, "summary": null})),
            "safety_identifier": echo("safety_identifier", Value::Null),
            "service_tier": if done { "default" } else { "auto" },
            "store": echo("store", Value::Bool(true)),
            "temperature": echo("temperature", json!(1.0)),
            "text": echo("text", json!({"format": {"type": "text"}, "verbosity": "medium"})),
            "tool_choice": echo("tool_choice", json!("auto")),
            "tools": echo("tools", json!([])),
            "top_logprobs": echo("top_logprobs", json!(0)),
            "top_p": echo("top_p", json!(1.0)),
            "truncation": echo("truncation", json!("disabled")),
            "usage": if done { self.usage() } else { Value::Null },
            "user": echo("user", Value::Null),
            "metadata": echo("metadata", json!({})),
        });
        body
    }

    fn usage(&self) -> Value {
        let used = self.answer.usage;
        json!({
            "input_tokens": used.whole_input(),
            "input_tokens_details": {
                "cached_tokens": used.read, "cache_write_tokens": used.write,
            },
            "output_tokens": used.output,
            "output_tokens_details": {"reasoning_tokens": used.thoughts},
            "total_tokens": used.whole_input() + used.output,
        })
    }

    fn items(&self) -> Vec<Value> {
        self.answer.pieces.iter().enumerate().map(|(n, piece)| self.item(n, piece)).collect()
    }

    fn item_id(&self, kind: &str, index: usize) -> String {
        format!("{kind}_demo{:012}{index:02}", self.id)
    }

    fn item(&self, index: usize, piece: &Piece) -> Value {
        let status = match piece {
            Piece::Text(_) if self.answer.stop == Stop::Length => "incomplete",
            _ => "completed",
        };
        match piece {
            Piece::Thought(text) => {
                let shown = self.ask.think == Think::Shown;
                let summary: Vec<Value> = shown
                    .then(|| json!({"type": "summary_text", "text": text}))
                    .into_iter()
                    .collect();
                let mut item = json!({
                    "id": self.item_id("rs", index), "type": "reasoning", "summary": summary,
                });
                if let (true, Some(members)) = (self.sealed, item.as_object_mut()) {
                    let text = if shown { text.as_str() } else { "" };
                    members
                        .insert("encrypted_content".into(), seal::sign("responses", text).into());
                }
                item
            }
            Piece::Text(_) | Piece::Refusal(_) => json!({
                "id": self.item_id("msg", index), "type": "message", "status": status,
                "role": "assistant", "content": [part(piece)],
            }),
            Piece::Call(call) => self.call(index, call, &call.input, "completed"),
        }
    }

    fn call(&self, index: usize, call: &Call, input: &str, status: &str) -> Value {
        let (kind, prefix, member) = if call.freeform {
            ("custom_tool_call", "ctc", "input")
        } else {
            ("function_call", "fc", "arguments")
        };
        let mut item = json!({
            "id": self.item_id(prefix, index), "type": kind, "status": status,
            "call_id": format!("call_{}", call.id), "name": call.name, member: input,
        });
        if let (Some(space), Some(members)) = (&call.space, item.as_object_mut()) {
            members.insert("namespace".into(), space.clone().into());
        }
        item
    }

    fn stream(&self) -> Vec<Event> {
        let mut out = Events::default();
        let start = self.response("in_progress", &[]);
        out.push(Mark::Start, "response.created", json!({"response": start}));
        out.push(Mark::Start, "response.in_progress", json!({"response": start}));
        for (index, piece) in self.answer.pieces.iter().enumerate() {
            let done = self.item(index, piece);
            match piece {
                Piece::Thought(_) => thought(&mut out, index, &done),
                Piece::Text(_) | Piece::Refusal(_) => message(&mut out, index, piece, &done),
                Piece::Call(call) => {
                    let started = self.call(index, call, "", "in_progress");
                    Self::call_events(&mut out, index, call, &started);
                }
            }
            let data = json!({"output_index": index, "item": done});
            out.push(Mark::Output, "response.output_item.done", data);
        }
        let end = self.response(self.status(), &self.items());
        let name = format!("response.{}", self.status());
        out.push(Mark::Terminal, &name, json!({"response": end}));
        out.events
    }

    fn call_events(out: &mut Events, index: usize, call: &Call, started: &Value) {
        let added = json!({"output_index": index, "item": started});
        out.push(Mark::Output, "response.output_item.added", added);
        let id = started.get("id").cloned().unwrap_or_default();
        let (family, member) = if call.freeform {
            ("response.custom_tool_call_input", "input")
        } else {
            ("response.function_call_arguments", "arguments")
        };
        for delta in chunks(&call.input) {
            let data = json!({"item_id": id, "output_index": index, "delta": delta});
            out.push(Mark::Output, &format!("{family}.delta"), data);
        }
        let mut done = json!({"item_id": id, "output_index": index, member: call.input});
        if let (false, Some(members)) = (call.freeform, done.as_object_mut()) {
            members.insert("name".into(), call.name.clone().into());
        }
        out.push(Mark::Output, &format!("{family}.done"), done);
    }
}

#[derive(Default)]
struct Events {
    events: Vec<Event>,
}

impl Events {
    fn push(&mut self, mark: Mark, kind: &str, data: Value) {
        let mut event = Map::new();
        event.insert("type".into(), kind.into());
        event.insert("sequence_number".into(), self.events.len().into());
        if let Value::Object(data) = data {
            event.extend(data);
        }
        self.events.push(Event::named(mark, &Value::Object(event)));
    }
}

fn part(piece: &Piece) -> Value {
    match piece {
        Piece::Refusal(text) => json!({"type": "refusal", "refusal": text}),
        Piece::Text(text) | Piece::Thought(text) => {
            json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
        }
        Piece::Call(_) => Value::Null,
    }
}

/// The same object with other values for some members.
fn with(value: &Value, changes: &[(&str, Value)]) -> Value {
    let mut value = value.clone();
    if let Some(members) = value.as_object_mut() {
        for (name, change) in changes {
            members.insert((*name).into(), change.clone());
        }
    }
    value
}

fn message(out: &mut Events, index: usize, piece: &Piece, done: &Value) {
    let id = done.get("id").cloned().unwrap_or_default();
    let started = with(done, &[("status", json!("in_progress")), ("content", json!([]))]);
    let added = json!({"output_index": index, "item": started});
    out.push(Mark::Start, "response.output_item.added", added);
    let (family, member, text) = match piece {
        Piece::Refusal(text) => ("response.refusal", "refusal", text),
        Piece::Text(text) | Piece::Thought(text) => ("response.output_text", "text", text),
        Piece::Call(_) => return,
    };
    let place = json!({"item_id": id, "output_index": index, "content_index": 0});
    let empty = with(&part(piece), &[(member, json!(""))]);
    out.push(Mark::Start, "response.content_part.added", with(&place, &[("part", empty)]));
    let plain = family == "response.output_text";
    let extra = |change: (&'static str, Value)| {
        let mut changes = vec![change];
        if plain {
            changes.push(("logprobs", json!([])));
        }
        with(&place, &changes)
    };
    for delta in chunks(text) {
        out.push(Mark::Output, &format!("{family}.delta"), extra(("delta", json!(delta))));
    }
    out.push(Mark::Output, &format!("{family}.done"), extra((member, json!(text))));
    let part = with(&place, &[("part", part(piece))]);
    out.push(Mark::Output, "response.content_part.done", part);
}

fn thought(out: &mut Events, index: usize, done: &Value) {
    let id = done.get("id").cloned().unwrap_or_default();
    let mut started = with(done, &[("summary", json!([]))]);
    if let Some(members) = started.as_object_mut()
        && members.contains_key("encrypted_content")
    {
        members.insert("encrypted_content".into(), json!(""));
    }
    let added = json!({"output_index": index, "item": started});
    out.push(Mark::Start, "response.output_item.added", added);
    for summary in list(done, "summary") {
        let text = crate::json::text(summary, "text");
        let place = json!({"item_id": id, "output_index": index, "summary_index": 0});
        let empty = json!({"type": "summary_text", "text": ""});
        let added = with(&place, &[("part", empty)]);
        out.push(Mark::Start, "response.reasoning_summary_part.added", added);
        for delta in chunks(text) {
            let data = with(&place, &[("delta", json!(delta))]);
            out.push(Mark::Output, "response.reasoning_summary_text.delta", data);
        }
        let full = with(&place, &[("text", json!(text))]);
        out.push(Mark::Output, "response.reasoning_summary_text.done", full);
        let part = with(&place, &[("part", summary.clone())]);
        out.push(Mark::Output, "response.reasoning_summary_part.done", part);
    }
}
