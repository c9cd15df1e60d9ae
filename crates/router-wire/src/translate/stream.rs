//! The way back: an upstream's answer becomes the client's, whole or piece by piece.

use super::dispatch::{self, Reader, Writer};
use super::keep::Keeper;
use super::mend::mend;
use super::stage::{self, Stage};
use super::{Answer, Session};
use crate::canonical::{Block, Delta, Event, Loss, Losses, Response, Sequencer, Severity, Start};
use crate::dialect::Dialect;
use crate::error::{ClientError, ErrorKind};
use crate::json::Str;
use crate::sse;
use crate::usage::Usage;

/// Most bytes of a whole answer that came where a stream was asked for.
pub const WHOLE_MAX: usize = 64 << 20;

/// How far a stream has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Only what any stream begins with: another upstream could still take over.
    Startup,
    /// The client has seen something of the answer.
    Meaningful,
    /// The answer is complete. What the upstream may still send is of no use.
    Finished,
    /// The upstream failed. Nothing of it was written: before the commit another candidate can
    /// take over, after it [`StreamTranslator::fail`] ends the client's stream.
    Failed(Box<ClientError>),
}

/// What was learned from a whole answer.
#[derive(Clone, Debug)]
pub struct Translated {
    /// Tokens.
    pub usage: Usage,
    /// What could not be carried.
    pub losses: Vec<Loss>,
    /// State to keep for the client by tool-call id, for [`super::RequestExtra::kept`].
    pub kept: Vec<(String, String)>,
}

impl Session {
    /// Translates a whole answer, and appends it to `out`. An answer that makes no sense, or is an
    /// error in spite of its status, is the error.
    pub fn response(
        &mut self,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Translated, Box<ClientError>> {
        let mut losses = Losses::of_answer(self.outbound);
        let text = mend(text_of(body)?, &mut losses);
        let mut response = self.read_whole(&text, &mut losses)?;
        stage::restore(&mut response, self, &mut losses);
        dispatch::write_response(self, &response, &mut losses, out);
        let kept = Keeper::of(&response, self).into_kept();
        Ok(Translated { usage: response.usage, losses: losses.into_list(), kept })
    }

    fn read_whole<'a>(
        &self,
        text: &'a str,
        losses: &mut Losses,
    ) -> Result<Response<'a>, Box<ClientError>> {
        match dispatch::read_response(self, text, losses) {
            Ok(Answer::Response(response)) => Ok(*response),
            Ok(Answer::Failed(error)) => Err(error),
            Err(error) => {
                Err(Box::new(bad(&format!("the upstream's answer makes no sense: {error}"))))
            }
        }
    }

    /// Starts translating a stream.
    pub fn stream(self) -> StreamTranslator {
        let pipe = Pipe {
            reader: Reader::new(&self),
            sequencer: Sequencer::default(),
            stage: Stage::new(&self),
            writer: Writer::new(&self),
            seen: Seen::default(),
            losses: Losses::of_answer(self.outbound),
        };
        let decoder = sse::Decoder::default();
        StreamTranslator { session: self, decoder, pipe, form: Form::Unknown }
    }
}

fn text_of(answer: &[u8]) -> Result<&str, Box<ClientError>> {
    super::request::text_of(answer).map_err(|_| Box::new(bad("the answer is not UTF-8")))
}

fn bad(message: &str) -> ClientError {
    ClientError::new(ErrorKind::Upstream, message)
}

/// Translates one streamed answer.
#[derive(Debug)]
pub struct StreamTranslator {
    session: Session,
    decoder: sse::Decoder,
    pipe: Pipe,
    form: Form,
}

/// What the upstream sends where a stream was asked for.
#[derive(Debug)]
enum Form {
    Unknown,
    Events,
    /// One JSON document: kept until it is whole, then replayed as a stream.
    Whole(Vec<u8>),
}

impl StreamTranslator {
    /// Takes the next piece of the upstream's stream and appends what it means to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Progress {
        if self.pipe.seen.over() {
            return self.progress();
        }
        if matches!(self.form, Form::Unknown) {
            let mut start = piece.iter().filter(|b| !matches!(b, b' ' | b'\r' | b'\n' | b'\t'));
            match start.next() {
                None => return self.blank(piece),
                Some(b'{' | b'[') => self.form = Form::Whole(Vec::new()),
                Some(_) => self.form = Form::Events,
            }
        }
        if let Form::Whole(body) = &mut self.form {
            if body.len().saturating_add(piece.len()) > WHOLE_MAX {
                self.pipe.seen.fail(bad("the upstream's answer is too large"));
            } else {
                body.extend_from_slice(piece);
            }
            return self.progress();
        }
        let (session, pipe) = (&self.session, &mut self.pipe);
        let pushed = self.decoder.push(piece, |event| pipe.event(session, event, out));
        if let Err(error) = pushed {
            self.pipe.seen.fail(bad(&error.to_string()));
        }
        self.progress()
    }

    /// Whether the whole answer is there, although the upstream's bytes may go on. In Chat and
    /// Gemini the reason for the end is the end; the other dialects have an event for it.
    pub fn has_answer(&self) -> bool {
        let has_no_last_event =
            matches!(self.session.outbound, Dialect::OpenaiChat | Dialect::Gemini);
        self.pipe.seen.ended || (self.pipe.seen.stopped && has_no_last_event)
    }

    /// The upstream's bytes have ended. Anything but [`Progress::Finished`] is
    /// [`Progress::Failed`]: the stream was cut. Chat servers leave out the end marker, Gemini has
    /// none; in Messages only `message_stop` says that the figures before it were the last.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Progress {
        if let Form::Whole(body) = std::mem::replace(&mut self.form, Form::Events) {
            self.replay(&body, out);
        }
        // What was cut off behind a whole answer is no part of it.
        if !self.has_answer() {
            let (session, pipe) = (&self.session, &mut self.pipe);
            self.decoder.finish(|event| pipe.event(session, event, out));
        }
        if !self.pipe.seen.over() {
            if self.has_answer() {
                self.pipe.pass(&self.session, Event::End, out);
            } else {
                self.pipe.seen.fail(bad("the upstream's stream ended before the answer did"));
            }
        }
        self.progress()
    }

    /// Takes white space in front of everything: it counts as lines, should events follow.
    fn blank(&mut self, piece: &[u8]) -> Progress {
        if let Err(error) = self.decoder.push(piece, |_| {}) {
            self.pipe.seen.fail(bad(&error.to_string()));
        }
        self.progress()
    }

    /// Tells an answer that came whole as the stream it would have been.
    fn replay(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let Self { session, pipe, .. } = self;
        let text = match text_of(body) {
            Ok(text) => mend(text, &mut pipe.losses),
            Err(error) => return pipe.seen.fail(*error),
        };
        let mut response = match session.read_whole(&text, &mut pipe.losses) {
            Ok(response) => response,
            Err(error) => return pipe.seen.fail(*error),
        };
        stage::restore(&mut response, session, &mut pipe.losses);
        if matches!(session.inbound, Dialect::Anthropic | Dialect::OpenaiResponses)
            && response.choices.len() > 1
        {
            response.choices.truncate(1);
            pipe.losses.add(Severity::Content, "choices", "choices", "clients take one answer");
        }
        pipe.stage.whole(session, &response);
        response.replay(&mut |event| pipe.write(session, &event, out));
    }

    /// Ends the client's stream with an error in its own dialect. Nothing may follow.
    pub fn fail(&mut self, error: &ClientError, request_id: &str, out: &mut Vec<u8>) {
        self.pipe.writer.fail(&self.session, error, request_id, out);
        self.pipe.seen.ended = true;
    }

    /// Says to the client that the router is still there.
    pub fn ping(&self, out: &mut Vec<u8>) {
        self.pipe.writer.ping(out);
    }

    /// Tokens, as far as the upstream has reported them.
    pub const fn usage(&self) -> &Usage {
        &self.pipe.seen.usage
    }

    /// State to keep for the client by tool-call id, for [`super::RequestExtra::kept`].
    pub fn kept(&self) -> &[(String, String)] {
        self.pipe.stage.kept()
    }

    /// What could not be carried.
    pub fn losses(&self) -> &[Loss] {
        self.pipe.losses.list()
    }

    /// What the way there left for the way back.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    fn progress(&self) -> Progress {
        let seen = &self.pipe.seen;
        match &seen.failed {
            Some(error) => Progress::Failed(error.clone()),
            None if seen.ended => Progress::Finished,
            None if seen.meaningful => Progress::Meaningful,
            None => Progress::Startup,
        }
    }
}

/// Everything between the upstream's events and the client's.
#[derive(Debug)]
struct Pipe {
    reader: Reader,
    sequencer: Sequencer,
    stage: Stage,
    writer: Writer,
    seen: Seen,
    losses: Losses,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent things seen of a stream")]
struct Seen {
    started: bool,
    meaningful: bool,
    stopped: bool,
    ended: bool,
    called: bool,
    failed: Option<Box<ClientError>>,
    usage: Usage,
}

impl Seen {
    const fn over(&self) -> bool {
        self.ended || self.failed.is_some()
    }

    fn fail(&mut self, error: ClientError) {
        if !self.over() {
            self.failed = Some(Box::new(error));
        }
    }

    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Open { kind: Block::ToolCall { .. }, .. } => self.meaningful = true,
            Event::Delta { delta: Delta::Text(text) | Delta::Input(text), .. } => {
                self.meaningful = self.meaningful || !text.is_blank();
            }
            Event::Usage(usage) => self.usage.merge(usage),
            Event::Finish(_) => self.stopped = true,
            Event::End if self.stopped => self.ended = true,
            Event::End => self.fail(bad("the upstream ended the stream without saying why")),
            Event::Failed(error) => self.fail(error.as_ref().clone()),
            Event::Start(_)
            | Event::Open { .. }
            | Event::Delta { .. }
            | Event::Close { .. }
            | Event::Choice(_)
            | Event::Lost { .. }
            | Event::Ping => {}
        }
    }
}

impl Pipe {
    fn event(&mut self, session: &Session, event: sse::Event<'_>, out: &mut Vec<u8>) {
        if self.seen.over() {
            return;
        }
        if event.is_done_marker() {
            return self.pass(session, Event::End, out);
        }
        let Self { reader, sequencer, stage, writer, seen, losses } = self;
        let (Ok(name), Ok(data)) = (str::from_utf8(event.name), str::from_utf8(event.data)) else {
            return seen.fail(bad("the upstream's stream is not UTF-8"));
        };
        let data = mend(data, losses);
        let mut end = Tail { writer, seen, losses };
        let read = reader.event(name, &data, &mut |event| {
            sequencer.event(event, &mut |event| {
                stage.event(session, event, &mut |event| end.write(session, &event, out));
            });
        });
        if let Err(error) = read {
            self.seen.fail(bad(&format!("the upstream's stream makes no sense: {error}")));
        }
    }

    /// An event that did not come from the reader.
    fn pass(&mut self, session: &Session, event: Event<'_>, out: &mut Vec<u8>) {
        let Self { reader: _, sequencer, stage, writer, seen, losses } = self;
        let mut end = Tail { writer, seen, losses };
        sequencer.event(event, &mut |event| {
            stage.event(session, event, &mut |event| end.write(session, &event, out));
        });
    }

    /// An event that needs nothing between reader and writer.
    fn write(&mut self, session: &Session, event: &Event<'_>, out: &mut Vec<u8>) {
        let Self { writer, seen, losses, .. } = self;
        Tail { writer, seen, losses }.write(session, event, out);
    }
}

/// The client's end of the pipe.
struct Tail<'p> {
    writer: &'p mut Writer,
    seen: &'p mut Seen,
    losses: &'p mut Losses,
}

impl Tail<'_> {
    /// Writes one event. A stream whose upstream left out the start gets one: clients need it.
    fn write(&mut self, session: &Session, event: &Event<'_>, out: &mut Vec<u8>) {
        let Self { writer, seen, losses } = self;
        seen.note(event);
        if seen.failed.is_some() {
            return;
        }
        match event {
            Event::Lost { severity, code, origin, why } => {
                return losses.add_at(*severity, code, *origin, why);
            }
            // The old form holds one call.
            Event::Open { kind: Block::ToolCall { .. }, .. }
                if session.legacy_functions && std::mem::replace(&mut seen.called, true) =>
            {
                stage::lose_call(losses);
            }
            Event::Delta { delta: Delta::Citation(citation), .. } => {
                stage::note_citation(citation, session, losses);
            }
            _ => {}
        }
        let needs_start = matches!(event, Event::Open { .. } | Event::Finish(_));
        if needs_start && !seen.started {
            let (id, model) = (Str::EMPTY, Str::EMPTY);
            let start = Start { id, model, created_s: None, service_tier: None };
            writer.event(session, &Event::Start(start), out);
        }
        seen.started |= needs_start || matches!(event, Event::Start(_));
        writer.event(session, event, out);
        writer.note_losses(losses);
    }
}
