//! What is sent: requests as SDKs and coding agents build them, and the
//! answers of the mock. All of it is made from one fixed sequence of words, so
//! that every run on every machine sends the same bytes.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

/// Size of the small body, in bytes.
const SMALL_BYTES: usize = 1024;
/// Size of the large body, in bytes.
const LARGE_BYTES: usize = 200 * 1024;
/// Tools a coding agent offers.
pub(crate) const TOOLS: usize = 15;
/// Tool calls in the large conversation; with their results, the opening and
/// the closing turn they make its 151 messages.
pub(crate) const TOOL_CALLS: usize = 74;
/// Events of a measured stream, the role chunk and `[DONE]` included.
pub(crate) const STREAM_EVENTS: usize = 200;

/// Which conversation a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// One question, 1 KB.
    Small,
    /// A long agent session, 200 KB: tools, tool calls and their results.
    Large,
}

/// Which format a request is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `OpenAI` Chat Completions.
    Chat,
    /// Anthropic Messages.
    Messages,
}

/// Writes a request of exactly the bytes `size` promises when the model is
/// named `model` (a provider's prefix, `prefix`, comes on top).
pub(crate) fn request(
    format: Format,
    size: Size,
    prefix: &str,
    model: &str,
    stream: bool,
) -> Result<Bytes> {
    let length = match size {
        Size::Small => SMALL_BYTES,
        Size::Large => LARGE_BYTES,
    };
    let write = |model: &str, last: &str| {
        let turns = turns(size, last);
        let body = match format {
            Format::Chat => chat(size, &turns, model, stream),
            Format::Messages => messages(size, &turns, model, stream),
        };
        serde_json::to_vec(&body)
    };
    let bare = write(model, "")?.len();
    let padding = length.checked_sub(bare).context("a request above its size")?;
    let mut last = Words(7).prose(padding);
    last.truncate(padding);
    let body = write(&format!("{prefix}{model}"), &last)?;
    ensure!(body.len() == length + prefix.len(), "a request of {} bytes", body.len());
    Ok(body.into())
}

/// One turn of a conversation, before it is written in a format.
#[derive(Debug)]
enum Turn {
    User(String),
    Call { id: String, tool: String, path: String, text: String },
    Result { id: String, text: String },
}

/// The conversation; `last` is the text of the user's last message.
fn turns(size: Size, last: &str) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut words = Words(3);
    if size == Size::Large {
        turns.push(Turn::User(words.prose(400)));
        for call in 0..TOOL_CALLS {
            let id = format!("call_{call:024}");
            turns.push(Turn::Call {
                id: id.clone(),
                tool: tool_name(call % TOOLS),
                path: format!("/home/dev/project/src/{}/{}.rs", words.next(), words.next()),
                text: words.prose(120),
            });
            // Mostly short results, now and then a whole file.
            let length = if call % 10 == 3 { 8_000 } else { 900 };
            turns.push(Turn::Result { id, text: words.code(length) });
        }
    }
    turns.push(Turn::User(last.to_owned()));
    turns
}

fn system(size: Size) -> String {
    match size {
        Size::Small => "You answer in one short sentence.".to_owned(),
        Size::Large => Words(1).prose(12_000),
    }
}

fn tool_name(number: usize) -> String {
    const VERBS: [&str; 5] = ["read", "write", "search", "list", "run"];
    let verb = VERBS.get(number % VERBS.len()).copied().unwrap_or("use");
    format!("{verb}_{number}")
}

/// The JSON Schema of a tool, about one kilobyte with its description.
fn tool_schema(words: &mut Words) -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": { "type": "string", "description": words.prose(120) },
            "text": { "type": "string", "description": words.prose(120) },
            "limit": { "type": "integer", "minimum": 1, "maximum": 2000, "description": words.prose(60) },
            "mode": { "type": "string", "enum": ["once", "always", "never"] }
        },
        "required": ["path"],
        "additionalProperties": false
    })
}

/// A Chat Completions request with its members in the order of the Python SDK:
/// the messages come first and the model behind them.
fn chat(size: Size, turns: &[Turn], model: &str, stream: bool) -> Value {
    let mut list = vec![json!({ "role": "system", "content": system(size) })];
    list.extend(turns.iter().map(|turn| match turn {
        Turn::User(text) => json!({ "role": "user", "content": text }),
        Turn::Call { id, tool, path, text } => json!({
            "role": "assistant",
            "content": text,
            "tool_calls": [{
                "id": id,
                "type": "function",
                "function": { "name": tool, "arguments": json!({ "path": path, "limit": 200 }).to_string() }
            }]
        }),
        Turn::Result { id, text } => json!({ "role": "tool", "tool_call_id": id, "content": text }),
    }));
    let mut body = json!({ "messages": list, "model": model, "stream": stream });
    if stream {
        put(&mut body, "stream_options", json!({ "include_usage": true }));
    }
    if size == Size::Large {
        put(
            &mut body,
            "tools",
            tools(|name, about, schema| {
                json!({
                    "type": "function",
                    "function": { "name": name, "description": about, "parameters": schema }
                })
            }),
        );
    }
    put(&mut body, "max_tokens", json!(4096));
    put(&mut body, "temperature", json!(0.7));
    body
}

/// A Messages request as coding agents write it: the model first, the system
/// prompt as marked blocks.
fn messages(size: Size, turns: &[Turn], model: &str, stream: bool) -> Value {
    let list: Vec<Value> = turns
        .iter()
        .map(|turn| match turn {
            Turn::User(text) => {
                json!({ "role": "user", "content": [{ "type": "text", "text": text }] })
            }
            Turn::Call { id, tool, path, text } => json!({
                "role": "assistant",
                "content": [
                    { "type": "text", "text": text },
                    { "type": "tool_use", "id": id, "name": tool, "input": { "path": path, "limit": 200 } }
                ]
            }),
            Turn::Result { id, text } => json!({
                "role": "user",
                "content": [{ "type": "tool_result", "tool_use_id": id, "content": text }]
            }),
        })
        .collect();
    let mut body = json!({
        "model": model,
        "max_tokens": 4096,
        "stream": stream,
        "system": [{ "type": "text", "text": system(size), "cache_control": { "type": "ephemeral" } }],
        "messages": list
    });
    if size == Size::Large {
        put(
            &mut body,
            "tools",
            tools(
                |name, about, schema| json!({ "name": name, "description": about, "input_schema": schema }),
            ),
        );
    }
    body
}

fn tools(write: impl Fn(String, String, Value) -> Value) -> Value {
    let mut words = Words(5);
    (0..TOOLS)
        .map(|number| {
            let about = words.prose(500);
            let schema = tool_schema(&mut words);
            write(tool_name(number), about, schema)
        })
        .collect()
}

fn put(body: &mut Value, member: &str, value: Value) {
    if let Some(members) = body.as_object_mut() {
        members.insert(member.to_owned(), value);
    }
}

/// The text of the mock's whole answer.
pub(crate) const ANSWER: &str = "The build fails because the lock file is older than the manifest.";

/// The mock's whole answer to a Chat Completions request.
pub(crate) fn chat_answer(model: &str) -> Bytes {
    json!({
        "id": "chatcmpl-0123456789abcdefghijklmn",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": ANSWER, "refusal": null },
            "logprobs": null,
            "finish_reason": "stop"
        }],
        "usage": usage(),
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789"
    })
    .to_string()
    .into()
}

fn usage() -> Value {
    json!({ "prompt_tokens": 250, "completion_tokens": 200, "total_tokens": 450 })
}

/// The text of a stream of `events` events: one word for each but the four
/// that carry none.
pub(crate) fn stream_text(events: usize) -> String {
    let mut words = Words(11);
    (0..events.saturating_sub(4)).fold(String::new(), |mut text, _| {
        text.push_str(words.next());
        text.push(' ');
        text
    })
}

/// The mock's streamed answer, one server-sent event per item: the role, the
/// words, the end, the usage and `[DONE]`.
pub(crate) fn chat_stream(model: &str, events: usize) -> Vec<String> {
    let mut words = Words(11);
    let text =
        (0..events.saturating_sub(4)).map(|_| json!({ "content": format!("{} ", words.next()) }));
    chat_stream_of(model, text, "stop")
}

/// Like [`chat_stream`], as a coding agent sees it: half of the events are text, the others are
/// the arguments of two tool calls.
pub(crate) fn chat_agent_stream(model: &str, events: usize) -> Vec<String> {
    let deltas = events.saturating_sub(4);
    let (text, call) = (deltas / 2, deltas / 4);
    let mut words = Words(11);
    let mut all: Vec<Value> =
        (0..text).map(|_| json!({ "content": format!("{} ", words.next()) })).collect();
    for (index, pieces) in [(0, call), (1, deltas - text - call)] {
        for piece in 0..pieces {
            let start = json!({
                "index": index,
                "id": format!("call_{index:024}"),
                "type": "function",
                "function": { "name": tool_name(index), "arguments": "" }
            });
            let arguments = match piece {
                1 => "{\"path\":\"".to_owned(),
                _ if piece + 1 == pieces => "\"}".to_owned(),
                _ => format!("{}\\n", words.next()),
            };
            let more = json!({ "index": index, "function": { "arguments": arguments } });
            all.push(json!({ "tool_calls": [if piece == 0 { start } else { more }] }));
        }
    }
    chat_stream_of(model, all, "tool_calls")
}

/// A stream of `deltas` with all that stands around them.
fn chat_stream_of(
    model: &str,
    deltas: impl IntoIterator<Item = Value>,
    finish: &str,
) -> Vec<String> {
    let event = |choices: Value, usage: Value| {
        let data = json!({
            "id": "chatcmpl-0123456789abcdefghijklmn",
            "object": "chat.completion.chunk",
            "created": 1_760_000_000,
            "model": model,
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
            "choices": choices,
            "usage": usage
        });
        format!("data: {data}\n\n")
    };
    let choice = |delta: Value, end: Value| json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": end }]);
    let role = json!({ "role": "assistant", "content": "", "refusal": null });
    let mut stream = vec![event(choice(role, Value::Null), Value::Null)];
    stream.extend(deltas.into_iter().map(|delta| event(choice(delta, Value::Null), Value::Null)));
    stream.push(event(choice(json!({}), json!(finish)), Value::Null));
    stream.push(event(json!([]), usage()));
    stream.push("data: [DONE]\n\n".to_owned());
    stream
}

/// An endless, fixed sequence of words.
#[derive(Debug)]
struct Words(u64);

impl Words {
    const LIST: [&'static str; 24] = [
        "the", "parser", "returns", "early", "when", "a", "buffer", "is", "empty", "so", "callers",
        "must", "check", "length", "before", "they", "index", "into", "it", "again", "because",
        "tests", "cover", "only",
    ];

    fn next(&mut self) -> &'static str {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(self.0 >> 40).unwrap_or(0) % Self::LIST.len();
        Self::LIST.get(at).copied().unwrap_or("word")
    }

    /// At least `length` bytes of sentences that need no escape in JSON.
    fn prose(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            text.push_str(self.next());
            text.push(' ');
        }
        text
    }

    /// At least `length` bytes of source text: every line ends in an escape,
    /// some lines hold quotes, and a few characters are not ASCII.
    fn code(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length + 64);
        let mut line = 0;
        while text.len() < length {
            line += 1;
            let (a, b, c) = (self.next(), self.next(), self.next());
            let wrote = if line % 4 == 0 {
                writeln!(text, "{line:>6}\tlet {a} = \"{b} → {c}\";")
            } else {
                writeln!(text, "{line:>6}\t    {a}.{b}({c}, {line})?;")
            };
            if wrote.is_err() {
                break;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_size_they_promise() {
        for (format, members) in
            [(Format::Chat, TOOL_CALLS * 2 + 3), (Format::Messages, TOOL_CALLS * 2 + 2)]
        {
            let small = request(format, Size::Small, "mock/", "small", false).unwrap();
            assert_eq!(small.len(), SMALL_BYTES + 5);
            let large = request(format, Size::Large, "", "large", true).unwrap();
            assert_eq!(large.len(), LARGE_BYTES);
            let body: Value = serde_json::from_slice(&large).unwrap();
            assert_eq!(body["messages"].as_array().unwrap().len(), members);
            assert_eq!(body["tools"].as_array().unwrap().len(), TOOLS);
        }
    }

    #[test]
    fn a_stream_has_its_events_and_its_text() {
        let stream = chat_stream("paced", STREAM_EVENTS);
        assert_eq!(stream.len(), STREAM_EVENTS);
        let text: String = stream
            .iter()
            .filter_map(|event| serde_json::from_str::<Value>(event.strip_prefix("data: ")?).ok())
            .filter_map(|data| Some(data["choices"][0]["delta"]["content"].as_str()?.to_owned()))
            .collect();
        assert_eq!(text, stream_text(STREAM_EVENTS));
    }
}
