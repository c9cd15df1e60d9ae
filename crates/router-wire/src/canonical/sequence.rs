//! Puts the blocks of a stream in a row.
//!
//! Upstreams may open several tool calls at once and write on them in turns; clients of most
//! dialects take one block after the other. The sequencer passes the events of the open block
//! straight on and holds those of later blocks until their turn comes, in order of opening.
//!
//! The open block ends when its reader closes it, or when another block gets data while the input
//! of the open one already is a complete JSON value, or when the answer finishes. Text and
//! thinking end as soon as another block opens: more text afterwards is a new block.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::content::{Json, Opaque};
use super::event::{Block, Delta, Event};
use crate::error::{ClientError, ErrorKind};
use crate::json::Str;

/// Most bytes held for blocks whose turn has not come; more fails the stream.
pub const HELD_MAX: usize = 32 << 20;

/// Puts the blocks of one stream in a row.
#[derive(Debug, Default)]
pub struct Sequencer {
    open: Option<Open>,
    waiting: VecDeque<Waiting>,
    held: usize,
    /// Keys given out so far; writers see 0, 1, 2...
    next: u32,
    over: bool,
}

#[derive(Debug)]
struct Open {
    key: u32,
    out: u32,
    call: Option<JsonEnd>,
}

#[derive(Debug)]
struct Waiting {
    key: u32,
    kind: Block<'static>,
    input: String,
    rest: Vec<Delta<'static>>,
    closed: bool,
}

impl Sequencer {
    /// Passes an event on, or keeps it until its turn.
    pub fn event(&mut self, event: Event<'_>, sink: &mut impl FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        match event {
            Event::Open { block, kind } => self.open(block, kind, sink),
            Event::Delta { block, delta } => self.delta(block, delta, sink),
            Event::Close { block } => self.close(block, sink),
            Event::Finish(stop) => {
                self.flush(sink);
                sink(Event::Finish(stop));
            }
            Event::Failed(failure) => {
                self.over = true;
                sink(Event::Failed(failure));
            }
            Event::End => {
                self.flush(sink);
                self.over = true;
                sink(Event::End);
            }
            other @ (Event::Start(_)
            | Event::Usage(_)
            | Event::Ping
            | Event::Choice(_)
            | Event::Lost { .. }) => sink(other),
        }
    }

    fn open(&mut self, key: u32, kind: Block<'_>, sink: &mut impl FnMut(Event<'_>)) {
        let interrupts =
            self.open.as_ref().is_some_and(|open| open.call.as_ref().is_none_or(JsonEnd::complete));
        if interrupts {
            self.close_open(sink);
        }
        if self.open.is_none() && self.waiting.is_empty() {
            self.begin(key, kind, sink);
            return;
        }
        let kind = own_block(kind);
        self.waiting.push_back(Waiting {
            key,
            kind,
            input: String::new(),
            rest: Vec::new(),
            closed: false,
        });
        self.advance(sink);
    }

    fn begin(&mut self, key: u32, kind: Block<'_>, sink: &mut impl FnMut(Event<'_>)) {
        let call = matches!(kind, Block::ToolCall { custom: false, .. }).then(JsonEnd::default);
        // A custom call's free text never says that it is complete: only its close does.
        let call = match kind {
            Block::ToolCall { custom: true, .. } => Some(JsonEnd::NEVER),
            _ => call,
        };
        let out = self.next;
        self.next = self.next.saturating_add(1);
        self.open = Some(Open { key, out, call });
        sink(Event::Open { block: out, kind });
    }

    fn delta(&mut self, key: u32, delta: Delta<'_>, sink: &mut impl FnMut(Event<'_>)) {
        if let Some(open) = self.open.as_mut().filter(|open| open.key == key) {
            if let (Some(end), Delta::Input(text)) = (open.call.as_mut(), &delta) {
                end.push(text);
            }
            sink(Event::Delta { block: open.out, delta });
            return;
        }
        let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.key == key) else {
            return self.late(&delta, sink);
        };
        match delta {
            Delta::Input(text) => {
                let before = waiting.input.len();
                text.decode_into(&mut waiting.input);
                self.held = self.held.saturating_add(waiting.input.len() - before);
            }
            other => {
                self.held = self.held.saturating_add(size(&other));
                waiting.rest.push(own_delta(other));
            }
        }
        if self.held > HELD_MAX {
            self.fail("the upstream writes on too many blocks at once", sink);
        } else if self
            .open
            .as_ref()
            .is_some_and(|open| open.call.as_ref().is_none_or(JsonEnd::complete))
        {
            self.close_open(sink);
            self.advance(sink);
        }
    }

    /// Data for a block that is already closed. Blank input does no harm; anything else would be
    /// lost, which must not look like a whole answer.
    fn late(&mut self, delta: &Delta<'_>, sink: &mut impl FnMut(Event<'_>)) {
        let harmless = match delta {
            Delta::Text(text) | Delta::Input(text) => text.is_blank(),
            Delta::Break | Delta::Logprobs(_) | Delta::Citation(_) => true,
            Delta::Opaque(_) => false,
        };
        if !harmless {
            self.fail("the upstream wrote on a block that was complete", sink);
        }
    }

    fn fail(&mut self, message: &'static str, sink: &mut impl FnMut(Event<'_>)) {
        self.over = true;
        sink(Event::Failed(Box::new(ClientError::new(ErrorKind::Upstream, message))));
    }

    fn close(&mut self, key: u32, sink: &mut impl FnMut(Event<'_>)) {
        if self.open.as_ref().is_some_and(|open| open.key == key) {
            self.close_open(sink);
            self.advance(sink);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.key == key) {
            waiting.closed = true;
        }
    }

    fn close_open(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if let Some(open) = self.open.take() {
            sink(Event::Close { block: open.out });
        }
    }

    /// Lets waiting blocks have their turn until one stays open.
    fn advance(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        while self.open.is_none() {
            let Some(waiting) = self.waiting.pop_front() else { return };
            self.held = self.held.saturating_sub(waiting.input.len());
            let key = waiting.key;
            self.begin(key, waiting.kind, sink);
            for delta in waiting.rest {
                self.held = self.held.saturating_sub(size(&delta));
                self.delta(key, delta, sink);
            }
            if !waiting.input.is_empty() {
                self.delta(key, Delta::Input(Str::from(waiting.input)), sink);
            }
            let more = !self.waiting.is_empty();
            let done = self
                .open
                .as_ref()
                .is_some_and(|open| open.call.as_ref().is_none_or(JsonEnd::complete));
            if waiting.closed || (more && done) {
                self.close_open(sink);
            }
        }
    }

    /// Ends the open block and all that wait.
    fn flush(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        self.close_open(sink);
        while !self.waiting.is_empty() {
            self.advance(sink);
            self.close_open(sink);
        }
    }
}

/// Knows when the JSON text pushed so far is one complete object or array.
#[derive(Debug, Default)]
struct JsonEnd {
    depth: u32,
    at: At,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum At {
    #[default]
    Between,
    String,
    Escape,
    End,
    /// The text is not JSON and has no end of its own.
    Never,
}

impl JsonEnd {
    const NEVER: Self = Self { depth: 0, at: At::Never };

    fn complete(&self) -> bool {
        self.at == At::End
    }

    fn push(&mut self, text: &Str<'_>) {
        if self.at != At::Never {
            text.each_piece(|piece| piece.bytes().for_each(|byte| self.byte(byte)));
        }
    }

    const fn byte(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::String, b'\\') => At::Escape,
            (At::String, b'"') => At::Between,
            (At::Escape | At::String, _) | (_, b'"') => At::String,
            (_, b'{' | b'[') => {
                self.depth += 1;
                At::Between
            }
            (_, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 { At::End } else { At::Between }
            }
            (at, _) => at,
        };
    }
}

fn size(delta: &Delta<'_>) -> usize {
    match delta {
        Delta::Text(text) | Delta::Input(text) => text.len_hint(),
        Delta::Opaque(opaque) => opaque.payload.len_hint(),
        Delta::Logprobs(json) => json.text().len(),
        Delta::Break | Delta::Citation(_) => 64,
    }
}

fn own_block(kind: Block<'_>) -> Block<'static> {
    match kind {
        Block::Text => Block::Text,
        Block::Thinking { redacted } => Block::Thinking { redacted },
        Block::Refusal => Block::Refusal,
        Block::ToolCall { id, name, namespace, custom, hosted } => Block::ToolCall {
            id: id.into_owned(),
            name: name.into_owned(),
            namespace: namespace.map(Str::into_owned),
            custom,
            hosted: hosted.map(|kind| Cow::Owned(kind.into_owned())),
        },
    }
}

fn own_delta(delta: Delta<'_>) -> Delta<'static> {
    match delta {
        Delta::Text(text) => Delta::Text(text.into_owned()),
        Delta::Break => Delta::Break,
        Delta::Input(text) => Delta::Input(text.into_owned()),
        Delta::Citation(citation) => Delta::Citation(citation.into_owned()),
        Delta::Opaque(opaque) => Delta::Opaque(Opaque {
            vendor: Cow::Owned(opaque.vendor.into_owned()),
            family: opaque.family.map(|family| Cow::Owned(family.into_owned())),
            payload: opaque.payload.into_owned(),
        }),
        Delta::Logprobs(json) => Delta::Logprobs(Json(Cow::Owned(json.0.into_owned()))),
    }
}

#[cfg(test)]
mod tests;
