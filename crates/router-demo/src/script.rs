//! Faults, and scripts that say which request meets which fault.

use std::collections::VecDeque;
use std::time::Duration;

/// A place in an answer.
///
/// In a stream it counts events. A whole answer has no events: there `Byte`
/// means itself, `Start` the first byte, and every other place the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the first event.
    Start,
    /// After this many events.
    Event(usize),
    /// After this many bytes of the body.
    Byte(usize),
    /// After the start-up events (role, `message_start`, `response.created`)
    /// and before the first piece of output.
    BeforeOutput,
    /// After exactly one piece of output.
    AfterOutput,
    /// Halfway.
    Middle,
    /// After all output, before the event that says the answer is complete.
    BeforeTerminal,
}

/// Something that goes wrong, or merely unusually, with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another status than 200.
    Status {
        /// The status.
        status: u16,
        /// Headers to add, such as `retry-after`.
        headers: Vec<(String, String)>,
        /// The body; without one, an error in the shape of the asked dialect.
        body: Option<Vec<u8>>,
    },
    /// 429 as the dialect says that the account has nothing left.
    Quota,
    /// 400 as the dialect says that the request is longer than the context.
    TooLong,
    /// The head comes this much later.
    SlowHead(Duration),
    /// The request is read and nothing is ever answered.
    BlackHole,
    /// The connection closes instead of an answer.
    CloseBeforeHead,
    /// The connection is reset instead of an answer.
    ResetBeforeHead,
    /// The body ends here and the connection closes.
    Cut(At),
    /// The body ends here and the connection is reset.
    Reset(At),
    /// The body stops here and the connection stays open.
    Stall(At),
    /// This much time passes before each event but the first.
    Pace(Duration),
    /// The body comes in pieces of this size, this far apart.
    Drip {
        /// Bytes in a piece.
        bytes: usize,
        /// Time before each piece but the first.
        every: Duration,
    },
    /// The body is cut into pieces of this many bytes, without pauses.
    Split(usize),
    /// An event that is not JSON; a whole answer ends in mid-JSON.
    BadJson(At),
    /// An event that is not UTF-8; a whole answer gets such bytes in front.
    GarbageUtf8(At),
    /// One output event (or the whole answer) is padded to this many bytes.
    Oversize(usize),
    /// An error event of the dialect, and nothing after it. A whole answer is
    /// replaced by a 500.
    ErrorEvent(At),
    /// The events that say "complete" are missing although the stream ends as
    /// HTTP wants. A whole answer ends in mid-JSON.
    NoTerminal,
    /// The terminal events come twice. A whole answer comes twice.
    DoubleTerminal,
    /// Another content type.
    ContentType(String),
    /// A proxy's HTML error page with status 502.
    Html,
    /// Status 200 with an HTML page.
    HtmlAsSuccess,
    /// Status 200, and the body is an error of the dialect.
    ErrorAsSuccess,
    /// Status 200 and no body.
    EmptyBody,
    /// `content-length` promises more than comes before the connection closes.
    LengthTooLong,
    /// `content-length` promises less than comes.
    LengthTooShort,
    /// An informational response with this status comes ahead of the answer.
    Informational(u16),
    /// A 307 to this address.
    Redirect(String),
    /// The body is gzip-encoded if the request accepts that.
    Gzip,
    /// The answer is the request: a JSON object of method, path, headers and body.
    Echo,
    /// Several of these, in this order.
    All(Vec<Self>),
}

impl Fault {
    /// A status with the dialect's own error body.
    pub fn status(status: u16) -> Self {
        Self::Status { status, headers: Vec::new(), body: None }
    }

    /// A 429 that says when to come back.
    pub fn rate_limit(retry_after_seconds: u64) -> Self {
        Self::status(429).with_header("retry-after", &retry_after_seconds.to_string())
    }

    /// Adds a header to a [`Fault::Status`]; other faults stay as they are.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Status { headers, .. } = &mut self {
            headers.push((name.into(), value.into()));
        }
        self
    }

    /// Gives a [`Fault::Status`] this body; other faults stay as they are.
    #[must_use]
    pub fn with_body(mut self, text: &str) -> Self {
        if let Self::Status { body, .. } = &mut self {
            *body = Some(text.as_bytes().to_vec());
        }
        self
    }
}

/// What the requests to one model meet, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    steps: VecDeque<Option<Fault>>,
    then: Option<Fault>,
}

impl Script {
    /// Every request meets `fault`.
    pub fn always(fault: Fault) -> Self {
        Self { steps: VecDeque::new(), then: Some(fault) }
    }

    /// The first request meets `fault`, the others go well.
    pub fn once(fault: Fault) -> Self {
        Self::sequence([Some(fault)])
    }

    /// Each request meets the next step (`None` goes well), then all go well.
    pub fn sequence(steps: impl IntoIterator<Item = Option<Fault>>) -> Self {
        Self { steps: steps.into_iter().collect(), then: None }
    }

    /// What all requests after the steps meet.
    #[must_use]
    pub fn then(self, fault: Fault) -> Self {
        Self { then: Some(fault), ..self }
    }

    pub(crate) fn next(&mut self) -> Option<Fault> {
        self.steps.pop_front().unwrap_or_else(|| self.then.clone())
    }
}
