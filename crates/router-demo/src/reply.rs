//! What goes back to a client, and how its bytes are to be treated.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

/// What an event of a stream does for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Comes before any output, such as a role or `message_start`.
    Start,
    /// Carries or frames output.
    Output,
    /// Belongs to the end: what a client needs to know that all is well.
    Terminal,
}

/// One server-sent event, framed.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) mark: Mark,
    pub(crate) bytes: Bytes,
}

impl Event {
    /// An event without a name.
    pub(crate) fn data(mark: Mark, data: &Value) -> Self {
        Self { mark, bytes: Bytes::from(format!("data: {data}\n\n")) }
    }

    /// An event named after the `type` its data carries.
    pub(crate) fn named(mark: Mark, data: &Value) -> Self {
        let name = crate::json::text(data, "type");
        Self { mark, bytes: Bytes::from(format!("event: {name}\ndata: {data}\n\n")) }
    }

    /// Bytes as they are.
    pub(crate) fn raw(mark: Mark, text: &str) -> Self {
        Self { mark, bytes: Bytes::copy_from_slice(text.as_bytes()) }
    }
}

/// The body of a reply.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Whole(Bytes),
    Stream(Vec<Event>),
}

/// How the connection ends after the last byte of the payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// As HTTP says it should.
    #[default]
    Clean,
    /// The connection closes although the message is not complete.
    Close,
    /// The connection is reset (TCP RST).
    Reset,
    /// Nothing more is sent; the connection stays open.
    Stall,
}

/// What happens instead of a response head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Headless {
    Close,
    Reset,
    Stall,
}

/// A reply and the way it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Payload,
    /// Time before the head.
    pub(crate) delay: Duration,
    /// Time before each piece of the body but the first.
    pub(crate) pace: Duration,
    /// Size of the pieces the body is cut into, whatever the events are.
    pub(crate) split: Option<usize>,
    pub(crate) end: End,
    pub(crate) headless: Option<Headless>,
    /// A status line to send ahead of the real one, such as 103.
    pub(crate) informational: Option<u16>,
    /// A `content-length` that is not the truth.
    pub(crate) claim: Option<usize>,
    /// Whether a body may be compressed when the client accepts it.
    pub(crate) gzip: bool,
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::whole(status, "application/json", Bytes::from(body.to_string()))
    }

    /// The page of a web application.
    pub(crate) fn page() -> Self {
        const PAGE: &str = "<!doctype html><html><head><title>App</title></head></html>";
        Self::whole(200, "text/html", Bytes::from_static(PAGE.as_bytes()))
    }

    /// An answer of one piece.
    pub(crate) fn whole(status: u16, content_type: &str, body: Bytes) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), content_type.into())],
            payload: Payload::Whole(body),
            delay: Duration::ZERO,
            pace: Duration::ZERO,
            split: None,
            end: End::Clean,
            headless: None,
            informational: None,
            claim: None,
            gzip: false,
        }
    }

    /// A stream of server-sent events.
    pub(crate) fn stream(events: Vec<Event>) -> Self {
        let mut reply = Self::whole(200, "text/event-stream; charset=utf-8", Bytes::new());
        reply.headers.push(("cache-control".into(), "no-cache".into()));
        reply.payload = Payload::Stream(events);
        reply
    }

    /// Replaces or adds a header.
    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(held, _)| !held.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
    }

    /// The body in the pieces it is sent in.
    pub(crate) fn pieces(&self) -> Vec<Bytes> {
        let events: Vec<Bytes> = match &self.payload {
            Payload::Whole(body) if body.is_empty() => Vec::new(),
            Payload::Whole(body) => vec![body.clone()],
            Payload::Stream(events) => events.iter().map(|event| event.bytes.clone()).collect(),
        };
        let Some(size) = self.split else { return events };
        let all: Vec<u8> = events.concat();
        all.chunks(size.max(1)).map(Bytes::copy_from_slice).collect()
    }

    /// Whether the message can be sent only by writing to the socket directly.
    pub(crate) fn needs_the_socket(&self) -> bool {
        self.headless.is_some()
            || matches!(self.end, End::Close | End::Reset)
            || self.informational.is_some()
            || self.claim.is_some()
    }
}
