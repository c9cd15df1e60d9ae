//! Pieces of a streamed answer, written for a Gemini client.
//!
//! Text goes out as it comes, a call when it is complete, and the last piece has the finish reason
//! and the usage. With `alt=sse` each piece is an event, without it an element of one JSON array.

use crate::canonical::{Block, Citation, Delta, Event, Json, Opaque, Stop};
use crate::dialect::Dialect;
use crate::error::ClientError;
use crate::gemini::response::{
    finish_reason, keep, shows, write_args, write_grounding, write_logprobs,
};
use crate::gemini::state::Packer;
use crate::gemini::usage;
use crate::ids;
use crate::json::{Object, Str};
use crate::translate::Session;
use crate::usage::Usage;

/// Writes one stream for a Gemini client.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent things seen of a stream")]
pub struct Writer {
    json_array: bool,
    id: String,
    over: bool,
    /// Number of the candidate.
    index: u32,
    /// Whether an element of the array has been written.
    written: bool,
    block: Now,
    state: Packer,
    citations: Vec<Citation<'static>>,
    logprobs: Vec<Json<'static>>,
    usage: Usage,
    stop: Option<Stop<'static>>,
    odd: bool,
}

/// The block events are about.
#[derive(Debug, Default)]
enum Now {
    #[default]
    None,
    Text,
    Thinking {
        redacted: bool,
        text: String,
        opaque: Option<Opaque<'static>>,
    },
    Call {
        id: String,
        name: String,
        input: String,
    },
}

impl Writer {
    /// For the client of this session.
    pub fn new(session: &Session) -> Self {
        Self { json_array: session.json_array, ..Self::default() }
    }

    /// Writes what one event means to a Gemini client.
    pub fn event(&mut self, session: &Session, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start(start) => self.id = ids::answer_id("", &start.id),
            Event::Open { block: _, kind } => {
                self.block = match kind {
                    Block::Text | Block::Refusal => Now::Text,
                    Block::Thinking { redacted } => {
                        Now::Thinking { redacted: *redacted, text: String::new(), opaque: None }
                    }
                    Block::ToolCall { id, name, .. } => Now::Call {
                        id: id.decode().into_owned(),
                        name: name.decode().into_owned(),
                        input: String::new(),
                    },
                }
            }
            Event::Delta { block: _, delta } => self.delta(session, delta, out),
            Event::Close { block: _ } => self.close(session, out),
            Event::Usage(used) => self.usage.merge(used),
            Event::Finish(stop) => {
                self.stop = Some(Stop {
                    reason: stop.reason,
                    sequence: None,
                    details: stop.details.clone().map(Str::into_owned),
                });
            }
            Event::End => self.end(session, out),
            Event::Ping => self.ping(out),
            Event::Choice(index) => {
                if self.candidate_end(session, false, out) {
                    self.after(out);
                }
                self.index = *index;
            }
            // The translator ends the stream with the error the client is to see.
            Event::Failed(_) | Event::Lost { .. } => {}
        }
    }

    /// Says that the router is alive: with an empty line in either form, as Google's SDKs take a
    /// comment for a broken event.
    pub fn ping(&self, out: &mut Vec<u8>) {
        if !self.over {
            out.push(b'\n');
        }
    }

    /// Ends the stream with an error object in place of a piece.
    pub fn fail(&mut self, error: &ClientError, out: &mut Vec<u8>) {
        self.before(out);
        out.extend_from_slice(&error.body(Dialect::Gemini, ""));
        self.last(out);
    }

    fn delta(&mut self, session: &Session, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match (&mut self.block, delta) {
            (Now::Text, Delta::Text(text)) => self.text(session, text, out),
            (Now::Text, Delta::Break) => self.text(session, &Str::Literal("\\n\\n"), out),
            (Now::Thinking { text: all, .. }, Delta::Text(text)) => {
                text.decode_into(all);
                self.thought(session, text, out);
            }
            (Now::Thinking { text: all, .. }, Delta::Break) => {
                all.push_str("\n\n");
                self.thought(session, &Str::Literal("\\n\\n"), out);
            }
            (Now::Thinking { opaque: kept, .. }, Delta::Opaque(opaque)) => {
                *kept = Some(Opaque {
                    vendor: opaque.vendor.clone().into_owned().into(),
                    family: opaque.family.clone().map(|family| family.into_owned().into()),
                    payload: opaque.payload.clone().into_owned(),
                });
            }
            (Now::Call { input, .. }, Delta::Input(text)) => text.decode_into(input),
            (_, Delta::Citation(citation)) => self.citations.push(citation.clone().into_owned()),
            (_, Delta::Logprobs(json)) => {
                self.logprobs.push(Json(json.text().to_owned().into()));
            }
            // The rest has no place in its block.
            _ => {}
        }
    }

    fn text(&mut self, session: &Session, text: &Str<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let signature = self.state.take();
        self.piece(session, out, |part| {
            part.str("text", text);
            if let Some(signature) = signature {
                part.text("thoughtSignature", &signature);
            }
        });
    }

    fn thought(&mut self, session: &Session, text: &Str<'_>, out: &mut Vec<u8>) {
        if shows(session) && !text.is_empty() {
            self.piece(session, out, |part| {
                part.str("text", text).bool("thought", true);
            });
        }
    }

    fn close(&mut self, session: &Session, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.block) {
            Now::None | Now::Text => {}
            Now::Thinking { redacted, text, opaque } => {
                keep(&mut self.state, opaque.as_ref(), &text, redacted, session);
            }
            Now::Call { id, name, input } => {
                let signature = self.state.take();
                let mut odd = false;
                self.piece(session, out, |part| {
                    let mut call = part.object("functionCall");
                    call.text("id", &id).text("name", &name);
                    odd = !write_args(&mut call, &input);
                    call.end();
                    if let Some(signature) = signature {
                        part.text("thoughtSignature", &signature);
                    }
                });
                self.odd |= odd;
            }
        }
    }

    /// Whether, since the last time, the input of a call was no JSON object and was kept as text.
    pub const fn take_odd(&mut self) -> bool {
        std::mem::replace(&mut self.odd, false)
    }

    /// One piece with one part and no end.
    fn piece(&mut self, session: &Session, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        self.before(out);
        out.extend_from_slice(b"{\"candidates\":[{\"content\":{\"parts\":[");
        let mut part = Object::new(out);
        write(&mut part);
        part.end();
        out.extend_from_slice(b"],\"role\":\"model\"},\"index\":");
        crate::json::out::int(out, u64::from(self.index));
        out.extend_from_slice(b"}],\"modelVersion\":");
        crate::json::out::string(out, &session.model_shown);
        out.extend_from_slice(b",\"responseId\":");
        crate::json::out::string(out, &self.id);
        out.push(b'}');
        self.after(out);
    }

    fn end(&mut self, session: &Session, out: &mut Vec<u8>) {
        if self.candidate_end(session, true, out) {
            self.last(out);
        }
    }

    /// The piece that ends a candidate, the last one with the usage; false when none has ended.
    fn candidate_end(&mut self, session: &Session, last: bool, out: &mut Vec<u8>) -> bool {
        let Some(stop) = self.stop.take() else { return false };
        self.before(out);
        let mut object = Object::new(out);
        let mut candidates = object.array("candidates");
        let mut candidate = candidates.object();
        let mut content = candidate.object("content");
        let mut parts = content.array("parts");
        let mut part = parts.object();
        part.text("text", "");
        if let Some(signature) = self.state.take() {
            part.text("thoughtSignature", &signature);
        }
        part.end();
        parts.end();
        content.text("role", "model");
        content.end();
        finish_reason(&mut candidate, &stop);
        candidate.int("index", u64::from(self.index));
        write_grounding(&mut candidate, std::mem::take(&mut self.citations).iter(), None);
        write_logprobs(&mut candidate, &std::mem::take(&mut self.logprobs));
        candidate.end();
        candidates.end();
        if last {
            usage::write(&mut object, &self.usage);
        }
        object.text("modelVersion", &session.model_shown).text("responseId", &self.id);
        object.end();
        true
    }

    fn last(&mut self, out: &mut Vec<u8>) {
        self.after(out);
        self.over = true;
        if self.json_array {
            out.push(b']');
        }
    }

    fn before(&mut self, out: &mut Vec<u8>) {
        let first = !std::mem::replace(&mut self.written, true);
        out.extend_from_slice(match (self.json_array, first) {
            (false, _) => b"data: ".as_slice(),
            (true, true) => b"[",
            (true, false) => b",\r\n",
        });
    }

    fn after(&self, out: &mut Vec<u8>) {
        if !self.json_array {
            out.extend_from_slice(b"\n\n");
        }
    }
}
