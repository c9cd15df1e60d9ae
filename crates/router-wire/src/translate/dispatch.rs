//! The one place where a dialect's name becomes a dialect's code.

use super::{Answer, ReadError, Refusal, RequestExtra, Session, Target};
use crate::anthropic;
use crate::canonical::{Event, Losses, Origin, Request, Response, Severity};
use crate::dialect::Dialect;
use crate::error::{ClientError, StreamPlace};
use crate::json::JsonError;
use crate::{gemini, openai_chat, openai_responses};

pub(super) fn read_request<'a>(
    dialect: Dialect,
    body: &'a str,
    extra: &RequestExtra<'a>,
) -> Result<Request<'a>, ReadError> {
    match dialect {
        Dialect::Anthropic => anthropic::request::read(body, extra),
        Dialect::OpenaiChat => openai_chat::request::read(body, extra),
        Dialect::OpenaiResponses => openai_responses::request::read(body, extra),
        Dialect::Gemini => gemini::request::read(body, extra),
    }
}

pub(super) fn write_request(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    match target.dialect {
        Dialect::Anthropic => anthropic::request::write(request, target, losses, out),
        Dialect::OpenaiChat => openai_chat::request::write(request, target, losses, out),
        Dialect::OpenaiResponses => openai_responses::request::write(request, target, losses, out),
        Dialect::Gemini => gemini::request::write(request, target, losses, out),
    }
}

pub(super) fn read_response<'a>(
    session: &Session,
    body: &'a str,
    losses: &mut Losses,
) -> Result<Answer<'a>, JsonError> {
    match session.outbound {
        Dialect::Anthropic => anthropic::response::read(body, losses),
        Dialect::OpenaiChat => openai_chat::response::read(body, losses),
        Dialect::OpenaiResponses => openai_responses::response::read(body, session, losses),
        Dialect::Gemini => gemini::response::read(body, losses),
    }
}

pub(super) fn write_response(
    session: &Session,
    response: &Response<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) {
    match session.inbound {
        Dialect::Anthropic => anthropic::response::write(response, session, losses, out),
        Dialect::OpenaiChat => openai_chat::response::write(response, session, losses, out),
        Dialect::OpenaiResponses => {
            openai_responses::response::write(response, session, losses, out);
        }
        Dialect::Gemini => gemini::response::write(response, session, losses, out),
    }
}

/// Members of the request that the client's dialect repeats in its answers.
pub(super) fn echo(inbound: Dialect, body: &str) -> String {
    match inbound {
        Dialect::OpenaiResponses => openai_responses::response::echo(body),
        Dialect::Anthropic | Dialect::OpenaiChat | Dialect::Gemini => String::new(),
    }
}

/// Reads the events of one upstream stream.
#[derive(Debug)]
pub(super) enum Reader {
    Anthropic(anthropic::stream::Reader),
    OpenaiChat(openai_chat::stream::Reader),
    OpenaiResponses(openai_responses::stream::Reader),
    Gemini(gemini::stream::Reader),
}

impl Reader {
    pub(super) fn new(session: &Session) -> Self {
        match session.outbound {
            Dialect::Anthropic => Self::Anthropic(anthropic::stream::Reader::default()),
            Dialect::OpenaiChat => Self::OpenaiChat(openai_chat::stream::Reader::default()),
            Dialect::OpenaiResponses => {
                Self::OpenaiResponses(openai_responses::stream::Reader::new(session))
            }
            Dialect::Gemini => Self::Gemini(gemini::stream::Reader::default()),
        }
    }

    pub(super) fn event(
        &mut self,
        name: &str,
        data: &str,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), JsonError> {
        match self {
            Self::Anthropic(reader) => reader.event(name, data, sink),
            Self::OpenaiChat(reader) => reader.event(name, data, sink),
            Self::OpenaiResponses(reader) => reader.event(name, data, sink),
            Self::Gemini(reader) => reader.event(name, data, sink),
        }
    }
}

/// Writes the events of one client stream.
#[derive(Debug)]
pub(super) enum Writer {
    Anthropic(Box<anthropic::stream::Writer>),
    OpenaiChat(Box<openai_chat::stream::Writer>),
    OpenaiResponses(Box<openai_responses::stream::Writer>),
    Gemini(Box<gemini::stream::Writer>),
}

impl Writer {
    pub(super) fn new(session: &Session) -> Self {
        match session.inbound {
            Dialect::Anthropic => Self::Anthropic(Box::default()),
            Dialect::OpenaiChat => Self::OpenaiChat(Box::default()),
            Dialect::OpenaiResponses => Self::OpenaiResponses(Box::default()),
            Dialect::Gemini => Self::Gemini(Box::new(gemini::stream::Writer::new(session))),
        }
    }

    pub(super) fn event(&mut self, session: &Session, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Anthropic(writer) => writer.event(session, event, out),
            Self::OpenaiChat(writer) => writer.event(session, event, out),
            Self::OpenaiResponses(writer) => writer.event(session, event, out),
            Self::Gemini(writer) => writer.event(session, event, out),
        }
    }

    /// Notes what the event before lost in the client's dialect alone.
    pub(super) fn note_losses(&mut self, losses: &mut Losses) {
        if let Self::Gemini(writer) = self
            && writer.take_odd()
        {
            let why = "not a JSON object; kept as text";
            losses.add_at(Severity::Content, "tool-input", Origin::default(), why);
        }
    }

    pub(super) fn ping(&self, out: &mut Vec<u8>) {
        match self {
            Self::Anthropic(writer) => writer.ping(out),
            Self::OpenaiChat(writer) => writer.ping(out),
            Self::OpenaiResponses(writer) => writer.ping(out),
            Self::Gemini(writer) => writer.ping(out),
        }
    }

    /// Ends the stream with an error.
    pub(super) fn fail(
        &mut self,
        session: &Session,
        error: &ClientError,
        request_id: &str,
        out: &mut Vec<u8>,
    ) {
        if let Self::Gemini(writer) = self {
            return writer.fail(error, out);
        }
        let place = self.place(session, request_id);
        out.extend_from_slice(&error.stream_event(session.inbound, &place));
    }

    /// What an error event must repeat of the stream so far.
    fn place<'a>(&'a self, session: &'a Session, request_id: &'a str) -> StreamPlace<'a> {
        match self {
            Self::Anthropic(_) | Self::OpenaiChat(_) | Self::Gemini(_) => {
                StreamPlace { request_id, ..StreamPlace::default() }
            }
            Self::OpenaiResponses(writer) => writer.place(session, request_id),
        }
    }
}
