//! Chat chunks, written.
//!
//! ```text
//! role  (content | reasoning_content | refusal | tool_calls)*  [annotations] finish [usage] [DONE]
//! ```
//!
//! What all chunks of a stream share is made once; the rest is copied around it.

use crate::canonical::{Block, Citation, Delta, Event, Shown, Start, Stop, StopReason};
use crate::json::{Object, Str, out as json};
use crate::openai_chat::response::{char_count, tier_name, write_citation};
use crate::openai_chat::{stop, usage};
use crate::translate::Session;
use crate::usage::Usage;
use crate::{ids, sse};

/// Writes one Chat stream.
#[derive(Debug, Default)]
pub struct Writer {
    /// A chunk up to its choice's delta; empty before the start.
    head: Vec<u8>,
    /// Where in it the choice begins.
    choice_at: usize,
    /// The rest of a chunk without a finish reason.
    tail: &'static str,
    over: bool,
    block: Now,
    calls: u64,
    /// Characters of content so far; citations point into them.
    chars: u64,
    /// Where the open text block began.
    block_start: u64,
    citations: Vec<(Citation<'static>, u64, u64)>,
    refused: bool,
    usage: Usage,
}

/// The block events are about.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Now {
    /// None, or one that Chat does not show.
    #[default]
    Hidden,
    Text,
    Thinking,
    Refusal,
    Call {
        custom: bool,
        /// Whether any input came.
        input: bool,
    },
    /// The one call the old form has.
    LegacyCall {
        input: bool,
    },
}

const BETWEEN: &str = ",\"logprobs\":null,\"finish_reason\":null}]}\n\n";
const BETWEEN_WITH_USAGE: &str = ",\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";

impl Writer {
    /// Whether the stream is complete.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the client has got a chunk.
    pub const fn is_started(&self) -> bool {
        !self.head.is_empty()
    }

    /// What was used so far.
    pub const fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Writes what one event means to a Chat client.
    pub fn event(&mut self, session: &Session, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start(start) => self.start(session, start, out),
            Event::Open { block: _, kind } => self.open(session, kind, out),
            Event::Delta { block: _, delta } => self.delta(delta, out),
            Event::Close { block: _ } => self.close(out),
            Event::Usage(used) => self.usage.merge(used),
            Event::Finish(stop) => self.finish(session, stop, out),
            Event::End => self.end(session, out),
            Event::Ping => self.ping(out),
            Event::Choice(index) => self.choice(*index, out),
            // The translator ends the stream with the error the client is to see.
            Event::Failed(_) | Event::Lost { .. } => {}
        }
    }

    /// Says that the router is alive.
    pub fn ping(&self, out: &mut Vec<u8>) {
        if !self.over {
            sse::encode_comment(out, "ping");
        }
    }

    fn start(&mut self, session: &Session, start: &Start<'_>, out: &mut Vec<u8>) {
        if self.is_started() {
            return;
        }
        let Start { id, model: _, created_s, service_tier } = start;
        self.head.extend_from_slice(b"data: ");
        let mut object = Object::new(&mut self.head);
        object
            .text("id", &ids::answer_id("chatcmpl-", id))
            .text("object", "chat.completion.chunk")
            .int("created", created_s.unwrap_or(session.now_s))
            .text("model", &session.model_shown);
        if let Some(tier) = service_tier.as_ref().and_then(tier_name) {
            object.text("service_tier", tier);
        }
        // Not ended: every chunk ends it in its own way.
        let _ = object.key("choices");
        self.choice_at = self.head.len();
        self.tail = if session.include_usage { BETWEEN_WITH_USAGE } else { BETWEEN };
        self.choice(0, out);
    }

    /// Begins a choice, whose chunks repeat its number.
    fn choice(&mut self, index: u32, out: &mut Vec<u8>) {
        self.head.truncate(self.choice_at);
        self.head.extend_from_slice(b"[{\"index\":");
        json::int(&mut self.head, u64::from(index));
        self.head.extend_from_slice(b",\"delta\":");
        (self.block, self.calls, self.chars, self.refused) = (Now::Hidden, 0, 0, false);
        self.chunk(out, b"{\"role\":\"assistant\",\"content\":\"\"}");
    }

    /// A chunk with this delta.
    fn chunk(&self, out: &mut Vec<u8>, delta: &[u8]) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(delta);
        out.extend_from_slice(self.tail.as_bytes());
    }

    /// A chunk whose delta is text between `before` and `after`.
    fn text_chunk(&self, out: &mut Vec<u8>, before: &[u8], text: &Str<'_>, after: &[u8]) {
        out.reserve(self.head.len() + before.len() + text.len_hint() + after.len() + 64);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(before);
        text.push_inner(out);
        out.extend_from_slice(after);
        out.extend_from_slice(self.tail.as_bytes());
    }

    fn open(&mut self, session: &Session, kind: &Block<'_>, out: &mut Vec<u8>) {
        self.block = match kind {
            Block::Text => {
                self.block_start = self.chars;
                Now::Text
            }
            Block::Refusal => {
                self.refused = true;
                Now::Refusal
            }
            Block::Thinking { redacted: false }
                if session.reasoning_to_chat && session.shown != Shown::Hidden =>
            {
                Now::Thinking
            }
            Block::Thinking { redacted: _ } => Now::Hidden,
            Block::ToolCall { id: _, name, .. } if session.legacy_functions => {
                self.open_legacy(name, out)
            }
            // Groups and hosted forms of tools are no part of Chat.
            Block::ToolCall { id, name, namespace: _, custom, hosted: _ } => {
                self.open_call(id, name, *custom, out);
                Now::Call { custom: *custom, input: false }
            }
        };
    }

    fn open_call(&mut self, id: &Str<'_>, name: &Str<'_>, custom: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        let mut delta = Object::new(out);
        let mut list = delta.array("tool_calls");
        let mut call = list.object();
        call.int("index", self.calls).str("id", id);
        let (kind, input) = if custom { ("custom", "input") } else { ("function", "arguments") };
        call.text("type", kind);
        let mut inner = call.object(kind);
        inner.str("name", name).text(input, "");
        inner.end();
        call.end();
        list.end();
        delta.end();
        out.extend_from_slice(self.tail.as_bytes());
        self.calls += 1;
    }

    /// The old form holds one call; the stage before reports what is lost of more.
    fn open_legacy(&mut self, name: &Str<'_>, out: &mut Vec<u8>) -> Now {
        self.calls += 1;
        if self.calls > 1 {
            return Now::Hidden;
        }
        let before = b"{\"function_call\":{\"name\":\"";
        self.text_chunk(out, before, name, b"\",\"arguments\":\"\"}}");
        Now::LegacyCall { input: false }
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) if !text.is_empty() => self.text(text, out),
            Delta::Break => {
                if self.block == Now::Thinking {
                    self.text(&Str::Literal("\\n\\n"), out);
                }
            }
            Delta::Input(text) if !text.is_empty() => self.input(text, out),
            Delta::Citation(citation) => {
                let place = (citation.clone().into_owned(), self.block_start, self.chars);
                self.citations.push(place);
            }
            Delta::Logprobs(items) if !self.head.is_empty() => {
                let items = items.text();
                out.extend_from_slice(&self.head);
                out.extend_from_slice(b"{},\"logprobs\":{\"content\":");
                out.extend_from_slice(items.as_bytes());
                out.extend_from_slice(b",\"refusal\":null}");
                let tail = self.tail.strip_prefix(",\"logprobs\":null").unwrap_or(self.tail);
                out.extend_from_slice(tail.as_bytes());
            }
            // State of the thinking is kept beside the stream: Chat has no place for it.
            Delta::Text(_) | Delta::Input(_) | Delta::Opaque(_) | Delta::Logprobs(_) => {}
        }
    }

    fn text(&mut self, text: &Str<'_>, out: &mut Vec<u8>) {
        let before: &[u8] = match self.block {
            Now::Text => {
                self.chars += char_count(text);
                b"{\"content\":\""
            }
            Now::Thinking => b"{\"reasoning_content\":\"",
            Now::Refusal => b"{\"refusal\":\"",
            Now::Hidden | Now::Call { .. } | Now::LegacyCall { .. } => return,
        };
        self.text_chunk(out, before, text, b"\"}");
    }

    fn input(&mut self, text: &Str<'_>, out: &mut Vec<u8>) {
        match &mut self.block {
            Now::Call { custom, input } => {
                *input = true;
                let custom = *custom;
                let index = self.calls.saturating_sub(1);
                out.extend_from_slice(&self.head);
                out.extend_from_slice(b"{\"tool_calls\":[{\"index\":");
                json::int(out, index);
                out.extend_from_slice(if custom {
                    b",\"custom\":{\"input\":\""
                } else {
                    b",\"function\":{\"arguments\":\""
                });
                text.push_inner(out);
                out.extend_from_slice(b"\"}}]}");
                out.extend_from_slice(self.tail.as_bytes());
            }
            Now::LegacyCall { input } => {
                *input = true;
                self.text_chunk(out, b"{\"function_call\":{\"arguments\":\"", text, b"\"}}");
            }
            Now::Hidden | Now::Text | Now::Thinking | Now::Refusal => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        // Clients parse what they collected: no input is an empty object.
        if matches!(
            self.block,
            Now::Call { custom: false, input: false } | Now::LegacyCall { input: false }
        ) {
            self.input(&Str::Literal("{}"), out);
        }
        self.block = Now::Hidden;
    }

    fn finish(&mut self, session: &Session, ended: &Stop<'_>, out: &mut Vec<u8>) {
        self.close(out);
        // Chat does not say which stop sequence fired.
        let Stop { reason, sequence: _, details } = ended;
        if let (StopReason::Refusal, Some(text), false) = (reason, details, self.refused) {
            self.text_chunk(out, b"{\"refusal\":\"", text, b"\"}");
        }
        if !self.citations.is_empty() {
            out.extend_from_slice(&self.head);
            let mut delta = Object::new(out);
            let mut list = delta.array("annotations");
            for (citation, start, end) in std::mem::take(&mut self.citations) {
                write_citation(&citation, start, end, &mut list);
            }
            list.end();
            delta.end();
            out.extend_from_slice(self.tail.as_bytes());
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{},\"logprobs\":null,\"finish_reason\":");
        json::string(out, stop::name(*reason, session.legacy_functions));
        out.extend_from_slice(if session.include_usage {
            b"}],\"usage\":null}\n\n"
        } else {
            b"}]}\n\n"
        });
    }

    fn end(&mut self, session: &Session, out: &mut Vec<u8>) {
        if session.include_usage && self.is_started() {
            out.extend_from_slice(self.head.get(..self.choice_at).unwrap_or_default());
            out.extend_from_slice(b"[],\"usage\":");
            usage::write(&self.usage, out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.over = true;
    }
}
