//! Responses events, written.
//!
//! ```text
//! created in_progress
//!   (output_item.added
//!      message:    (content_part.added output_text.delta* output_text.done content_part.done)*
//!      reasoning:  (summary_part.added summary_text.delta* summary_text.done summary_part.done)*
//!      call:       arguments.delta* arguments.done
//!    output_item.done)*
//! completed | incomplete
//! ```
//!
//! An item stays open after its last block is closed, until another begins or the answer ends:
//! only then is it known whether it is complete, and neighbouring texts are parts of one message.
//! The last event repeats the whole answer, so all of it is kept, as the JSON it was sent as.

use super::call::{Call, item_type};
use super::items::{Item, Items, Status};
use crate::canonical::{Block, Delta, Event, Opaque, Start, Stop, StopReason, envelope};
use crate::error::{ClientError, ErrorKind, StreamPlace};
use crate::ids;
use crate::json::{Object, Str};
use crate::openai_responses::request::mark_redacted;
use crate::openai_responses::response::{State, object};
use crate::translate::Session;
use crate::usage::Usage;

/// Most bytes of an answer that its last event can repeat.
const OUTPUT_MAX: usize = 64 << 20;

/// What opaque state a client of this dialect carries unwrapped.
const VENDOR: &str = "openai";

/// Writes one Responses stream, or the answer alone.
#[derive(Debug, Default)]
pub struct Writer {
    started: bool,
    over: bool,
    id: String,
    created_s: u64,
    tier: Option<String>,
    items: Items,
    pending: Pending,
    usage: Usage,
    stop: Option<StopReason>,
    refused: bool,
}

/// A block that is open and holds nothing yet: nothing is written for it.
#[derive(Debug, Default)]
enum Pending {
    #[default]
    None,
    /// Text, with the white space it began with.
    Text(String),
    Refusal,
    Thinking {
        redacted: bool,
    },
}

impl Writer {
    /// A writer whose output is the answer object instead of a stream.
    pub(crate) fn whole() -> Self {
        Self { items: Items::quiet(), ..Self::default() }
    }

    /// What an error event must repeat of the stream so far.
    pub fn place<'a>(&'a self, session: &'a Session, request_id: &'a str) -> StreamPlace<'a> {
        StreamPlace {
            request_id,
            response_id: &self.id,
            model: &session.model_shown,
            created_s: if self.started { self.created_s } else { session.now_s },
            sequence_number: self.items.sequence(),
        }
    }

    /// Says that the router is alive.
    pub fn ping(&self, out: &mut Vec<u8>) {
        if !self.over {
            crate::sse::encode_comment(out, "ping");
        }
    }

    /// Writes what one event means to a Responses client.
    pub fn event(&mut self, session: &Session, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start(start) => self.start(session, start, out),
            Event::Open { block: _, kind } => self.open(kind, out),
            Event::Delta { block: _, delta } => self.delta(delta, out),
            Event::Close { block: _ } => self.close(session, out),
            Event::Usage(used) => self.usage.merge(used),
            Event::Finish(stop) => self.finish(stop, out),
            Event::End => self.end(session, out),
            Event::Ping if self.items.is_quiet() => {}
            Event::Ping => self.ping(out),
            // The translator ends the stream with the error the client is to see.
            Event::Failed(_) | Event::Lost { .. } | Event::Choice(_) => {}
        }
    }

    fn start(&mut self, session: &Session, start: &Start<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let Start { id, model: _, created_s, service_tier } = start;
        self.created_s = created_s.unwrap_or(session.now_s);
        // An upstream without ids must not give all its answers the same.
        let id = if id.is_empty() { Str::from(self.created_s.to_string()) } else { id.clone() };
        self.id = ids::answer_id("resp_", &id);
        self.items.set_suffix(ids::answer_id("", &id));
        self.tier = service_tier.as_ref().map(|tier| tier.decode().into_owned());
        if self.items.is_quiet() {
            return;
        }
        for name in ["response.created", "response.in_progress"] {
            let state = self.state("in_progress", None);
            self.items.emit_response(name, out, |out| object(&state, session, out));
            self.items.count();
        }
    }

    fn state(&self, status: &'static str, incomplete: Option<&'static str>) -> State<'_> {
        let ended = status != "in_progress";
        State {
            id: &self.id,
            created_s: self.created_s,
            status,
            incomplete,
            output: self.items.output(),
            usage: ended.then_some(&self.usage),
            tier: self.tier.as_deref(),
        }
    }

    fn open(&mut self, kind: &Block<'_>, out: &mut Vec<u8>) {
        self.pending = Pending::None;
        match kind {
            Block::Text => self.pending = Pending::Text(String::new()),
            Block::Refusal => {
                self.refused = true;
                self.pending = Pending::Refusal;
            }
            Block::Thinking { redacted } => {
                self.items.end_item(Status::Completed, out);
                self.pending = Pending::Thinking { redacted: *redacted };
            }
            Block::ToolCall { id, name, namespace, custom, hosted } => {
                self.items.end_item(Status::Completed, out);
                let call = Call {
                    id: id.decode().into_owned(),
                    name: name.decode().into_owned(),
                    namespace: namespace.as_ref().map(|space| space.decode().into_owned()),
                    custom: *custom,
                    hosted: hosted.as_deref().map(item_type),
                };
                self.items.begin_call(call, out);
            }
        }
    }

    fn close(&mut self, session: &Session, out: &mut Vec<u8>) {
        self.pending = Pending::None;
        self.items.end_part(out);
        // Clients drop reasoning without state. Some vendors have none, and want the text back.
        if self.items.lacks_state() && !matches!(session.vendor.as_str(), "" | VENDOR) {
            let none = Opaque {
                vendor: session.vendor.as_str().into(),
                family: Some(session.family.as_str().into()),
                payload: Str::EMPTY,
            };
            let mut state = Vec::new();
            envelope::push_wrapped(&none, VENDOR, &mut state);
            self.items.set_state(state);
        }
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) => self.text(text, out),
            Delta::Break => {
                if self.items.is_in(Item::Reasoning) {
                    self.items.end_part(out);
                }
            }
            Delta::Input(text) => self.items.input(text, out),
            Delta::Citation(citation) => {
                if self.begin_message(out) {
                    self.items.annotation(citation, out);
                }
            }
            Delta::Logprobs(json) => {
                if self.begin_message(out) {
                    self.items.logprobs(json.text(), out);
                }
            }
            Delta::Opaque(opaque) => {
                let mut state = Vec::new();
                let redacted = matches!(self.pending, Pending::Thinking { redacted: true });
                if redacted {
                    envelope::push_wrapped(&mark_redacted(opaque), VENDOR, &mut state);
                } else {
                    envelope::push_wrapped(opaque, VENDOR, &mut state);
                }
                self.begin_reasoning(out);
                self.items.set_state(state);
            }
        }
    }

    fn text(&mut self, text: &Str<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        match &mut self.pending {
            Pending::Text(space) if text.is_blank() => return text.decode_into(space),
            Pending::Text(_) | Pending::Refusal => {
                self.begin_message(out);
            }
            Pending::Thinking { redacted: false } => {
                self.items.begin_reasoning(out);
                self.pending = Pending::None;
            }
            // Nobody knows what withheld thinking says.
            Pending::Thinking { redacted: true } => return,
            Pending::None => {}
        }
        self.items.text(text, out);
    }

    /// Begins the part of a message that is pending; whether a part is open.
    fn begin_message(&mut self, out: &mut Vec<u8>) -> bool {
        match std::mem::take(&mut self.pending) {
            Pending::Text(space) => {
                self.items.begin_message_part(false, out);
                if !space.is_empty() {
                    self.items.text(&Str::from(space), out);
                }
            }
            Pending::Refusal => self.items.begin_message_part(true, out),
            other => self.pending = other,
        }
        self.items.is_in(Item::Message)
    }

    fn begin_reasoning(&mut self, out: &mut Vec<u8>) {
        if matches!(self.pending, Pending::Thinking { .. }) {
            self.pending = Pending::None;
            self.items.begin_reasoning(out);
        }
    }

    fn finish(&mut self, stop: &Stop<'_>, out: &mut Vec<u8>) {
        let Stop { reason, sequence: _, details } = stop;
        self.pending = Pending::None;
        let cut =
            matches!(reason, StopReason::MaxTokens | StopReason::ContextFull | StopReason::Pause);
        self.items.end_item(if cut { Status::Incomplete } else { Status::Completed }, out);
        if let (StopReason::Refusal, false, Some(why)) = (reason, self.refused, details)
            && !why.is_empty()
        {
            self.refused = true;
            self.items.begin_message_part(true, out);
            self.items.text(why, out);
            self.items.end_item(Status::Completed, out);
        }
        self.stop = Some(*reason);
    }

    fn end(&mut self, session: &Session, out: &mut Vec<u8>) {
        let Some(reason) = self.stop else { return };
        self.over = true;
        if self.items.output().len() > OUTPUT_MAX {
            let error = ClientError::new(ErrorKind::Upstream, "the answer is too large to repeat");
            let place = self.place(session, "");
            out.extend_from_slice(&error.stream_event(crate::Dialect::OpenaiResponses, &place));
            return;
        }
        let (status, incomplete) = match reason {
            StopReason::EndTurn | StopReason::StopSequence | StopReason::ToolUse => {
                ("completed", None)
            }
            StopReason::Refusal if self.refused => ("completed", None),
            StopReason::Refusal => ("incomplete", Some("content_filter")),
            StopReason::MaxTokens | StopReason::ContextFull | StopReason::Pause => {
                ("incomplete", Some("max_output_tokens"))
            }
        };
        let state = self.state(status, incomplete);
        if self.items.is_quiet() {
            return object(&state, session, out);
        }
        let name = if incomplete.is_some() { "response.incomplete" } else { "response.completed" };
        self.items.emit_response(name, out, |out| object(&state, session, out));
        self.items.count();
    }
}

/// The beginning of an event: its name, and the members all events have.
pub(super) fn event<'o>(name: &str, sequence: u64, out: &'o mut Vec<u8>) -> Object<'o> {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut object = Object::new(out);
    object.text("type", name).int("sequence_number", sequence);
    object
}
