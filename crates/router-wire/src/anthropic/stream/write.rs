//! Messages events, written.
//!
//! ```text
//! message_start (block_start block_delta* block_stop)* message_delta message_stop
//! ```
//!
//! Indices count 0, 1, 2... in order of opening, one block is open at a time, and `message_delta`
//! comes when the upstream has ended, so that it has the final usage.

use crate::anthropic::response::{hidden_state, push_state, write_citation};
use crate::anthropic::{stop, usage};
use crate::canonical::{Block, Delta, Event, Opaque, Shown, Stop};
use crate::dialect::Dialect;
use crate::ids;
use crate::json::{Object, Str, out};
use crate::translate::Session;
use crate::usage::Usage;

/// Writes one Messages stream.
#[derive(Debug, Default)]
pub struct Writer {
    started: bool,
    over: bool,
    index: u64,
    block: Now,
    usage: Usage,
    tier: Option<String>,
    stop: Option<Stop<'static>>,
}

/// The block events are about.
#[derive(Debug, Default)]
enum Now {
    #[default]
    None,
    /// A text block that holds nothing but white space so far and is not yet written.
    Blank(String),
    Text,
    /// A thinking block; `hidden` collects what is not shown.
    Thinking {
        hidden: Option<String>,
        signed: bool,
    },
    /// Withheld thinking, which starts when its state comes.
    Redacted,
    /// Withheld thinking that is written.
    Withheld,
    Tool,
}

impl Writer {
    /// Whether the stream is complete.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the client has got an event.
    pub const fn is_started(&self) -> bool {
        self.started
    }

    /// What was used so far.
    pub const fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Writes what one event means to a Messages client.
    pub fn event(&mut self, session: &Session, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start(start) => {
                self.tier = start.service_tier.as_ref().map(|tier| tier.decode().into_owned());
                self.start(session, &start.id, out);
            }
            Event::Open { block: _, kind } => self.open(kind, out),
            Event::Delta { block: _, delta } => self.delta(session, delta, out),
            Event::Close { block: _ } => self.close(session, out),
            Event::Usage(used) => self.usage.merge(used),
            Event::Finish(stop) => self.stop = Some(own_stop(stop)),
            Event::End => self.end(session, out),
            Event::Ping => self.ping(out),
            // The translator ends the stream with the error the client is to see.
            Event::Failed(_) | Event::Lost { .. } | Event::Choice(_) => {}
        }
    }

    /// Says that the router is alive.
    pub fn ping(&self, out: &mut Vec<u8>) {
        if self.started && !self.over {
            out.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
        } else if !self.over {
            crate::sse::encode_comment(out, "ping");
        }
    }

    fn start(&mut self, session: &Session, id: &Str<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let seeded = usage::told(&self.usage, session);
        out.extend_from_slice(b"event: message_start\ndata: ");
        let mut event = Object::new(out);
        event.text("type", "message_start");
        let mut message = event.object("message");
        message
            .text("id", &ids::answer_id("msg_", id))
            .text("type", "message")
            .text("role", "assistant")
            .text("model", &session.model_shown)
            .raw("content", "[]")
            .null("stop_reason")
            .null("stop_sequence");
        usage::write(&mut message, &seeded, self.tier.as_deref().map(Str::plain).as_ref());
        message.end();
        event.end();
        out.extend_from_slice(b"\n\n");
    }

    fn open(&mut self, kind: &Block<'_>, out: &mut Vec<u8>) {
        match kind {
            Block::Text | Block::Refusal => self.block = Now::Blank(String::new()),
            Block::Thinking { redacted: true } => self.block = Now::Redacted,
            Block::Thinking { redacted: false } => {
                self.block = Now::Thinking { hidden: None, signed: false };
                self.block_start(out, |block| {
                    block.text("type", "thinking").text("thinking", "").text("signature", "");
                });
            }
            Block::ToolCall { id, name, namespace: _, custom: _, hosted: _ } => {
                self.block = Now::Tool;
                self.block_start(out, |block| {
                    block.text("type", "tool_use").str("id", id).str("name", name);
                    block.raw("input", "{}");
                });
            }
        }
    }

    fn delta(&mut self, session: &Session, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) => self.text(session, text, out),
            Delta::Break => self.text(session, &Str::Literal("\\n\\n"), out),
            Delta::Input(text) if !text.is_empty() && matches!(self.block, Now::Tool) => {
                self.delta_event("input_json_delta", "partial_json", text, out);
            }
            Delta::Opaque(opaque) => self.state(session, opaque, out),
            Delta::Citation(citation) if citation.has_form_in(Dialect::Anthropic) => {
                self.unblank(out);
                if matches!(self.block, Now::Text) {
                    self.delta_start(out);
                    out.extend_from_slice(b"{\"type\":\"citations_delta\",\"citation\":");
                    write_citation(citation, out);
                    out.extend_from_slice(b"}}\n\n");
                }
            }
            // Messages clients cannot ask for probabilities.
            Delta::Input(_) | Delta::Logprobs(_) | Delta::Citation(_) => {}
        }
    }

    fn text(&mut self, session: &Session, text: &Str<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        match &mut self.block {
            Now::Blank(held) if text.is_blank() => text.decode_into(held),
            Now::Blank(_) => {
                self.unblank(out);
                self.delta_event("text_delta", "text", text, out);
            }
            Now::Text => self.delta_event("text_delta", "text", text, out),
            Now::Thinking { hidden, .. } if session.shown == Shown::Hidden => {
                text.decode_into(hidden.get_or_insert_default());
            }
            Now::Thinking { .. } => self.delta_event("thinking_delta", "thinking", text, out),
            Now::None | Now::Redacted | Now::Withheld | Now::Tool => {}
        }
    }

    /// Starts the text block that was held back, with the white space that came first.
    fn unblank(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.block, Now::Blank(_)) {
            return;
        }
        let held = std::mem::replace(&mut self.block, Now::Text);
        self.block_start(out, |block| {
            block.text("type", "text").text("text", "");
        });
        if let Now::Blank(space) = held
            && !space.is_empty()
        {
            self.delta_event("text_delta", "text", &Str::from(space), out);
        }
    }

    fn state(&mut self, session: &Session, opaque: &Opaque<'_>, out: &mut Vec<u8>) {
        match &mut self.block {
            Now::Thinking { signed, .. } => {
                *signed = true;
                self.sign(session, Some(opaque), out);
            }
            Now::Redacted => {
                self.block_start(out, |block| {
                    block.text("type", "redacted_thinking");
                    push_state(block.key("data"), Some(opaque), session);
                });
                self.block = Now::Withheld;
            }
            Now::None | Now::Blank(_) | Now::Text | Now::Withheld | Now::Tool => {}
        }
    }

    fn sign(&self, session: &Session, opaque: Option<&Opaque<'_>>, out: &mut Vec<u8>) {
        self.delta_start(out);
        out.extend_from_slice(b"{\"type\":\"signature_delta\",\"signature\":");
        push_state(out, opaque, session);
        out.extend_from_slice(b"}}\n\n");
    }

    fn close(&mut self, session: &Session, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.block) {
            // Nothing was written for it.
            Now::None | Now::Blank(_) | Now::Redacted => return,
            Now::Thinking { hidden, signed: false } => {
                let text = Str::from(hidden.unwrap_or_default());
                let kept = hidden_state(&text, None, session);
                self.sign(session, Some(&kept), out);
            }
            Now::Thinking { signed: true, .. } | Now::Text | Now::Withheld | Now::Tool => {}
        }
        out.extend_from_slice(
            b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":",
        );
        out::int(out, self.index);
        out.extend_from_slice(b"}\n\n");
        self.index += 1;
    }

    fn end(&mut self, session: &Session, out: &mut Vec<u8>) {
        let Some(stop) = self.stop.take() else { return };
        self.over = true;
        out.extend_from_slice(b"event: message_delta\ndata: ");
        let mut event = Object::new(out);
        event.text("type", "message_delta");
        let mut delta = event.object("delta");
        stop::write(&mut delta, &stop);
        delta.end();
        let used = usage::told(&self.usage, session);
        usage::write(&mut event, &used, self.tier.as_deref().map(Str::plain).as_ref());
        event.end();
        out.extend_from_slice(b"\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }

    fn block_start(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(
            b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":",
        );
        out::int(out, self.index);
        out.extend_from_slice(b",\"content_block\":");
        let mut block = Object::new(out);
        write(&mut block);
        block.end();
        out.extend_from_slice(b"}\n\n");
    }

    fn delta_start(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
        );
        out::int(out, self.index);
        out.extend_from_slice(b",\"delta\":");
    }

    fn delta_event(&self, kind: &str, member: &str, text: &Str<'_>, out: &mut Vec<u8>) {
        self.delta_start(out);
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(member.as_bytes());
        out.extend_from_slice(b"\":");
        text.push(out);
        out.extend_from_slice(b"}}\n\n");
    }
}

fn own_stop(stop: &Stop<'_>) -> Stop<'static> {
    Stop {
        reason: stop.reason,
        sequence: stop.sequence.clone().map(Str::into_owned),
        details: stop.details.clone().map(Str::into_owned),
    }
}
