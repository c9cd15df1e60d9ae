//! The faults, and what each of them must come to.

use std::time::Duration;

use router_demo::{At, Fault};

use super::{KEPT, Speaks};

/// What a failed attempt comes down to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    Rejected,
    TooLarge,
    RateLimited,
    Overloaded,
    ServerError,
    TimedOut,
    Interrupted,
    Unreachable,
    Garbled,
    Billing,
    Unauthorized,
    Forbidden,
    NotFound,
    Misconfigured,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// Never: the answer is whole.
    Fine,
    /// Before any output.
    Early(Class),
    /// After output has gone to the client.
    Late,
    /// Between the event that names the reason for the end and the very last one: the answer is
    /// there, its formal end is not.
    Ending,
    /// After the very last event, before the end of the body.
    Sealed,
    /// Before any output, but only where the stream is translated; its bytes pass otherwise.
    Translated(Class),
}

/// One row of the report.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) what: What,
    /// Of a streamed answer.
    pub(super) stream: Option<Fate>,
    /// Of a whole answer.
    pub(super) whole: Option<Fate>,
    /// The upstream's status, if it is not 200.
    pub(super) status: Option<u16>,
    /// Whether the upstream says when to come back: in [`HINT_S`] seconds.
    pub(super) hint: bool,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Nobody listens.
    Refused,
    /// The scripted provider does this.
    Scripted(Fault),
    /// The stream is cut after each number of its events that meets its [`Fate`].
    CutEverywhere,
}

/// Seconds an upstream asks to stay away for, where it asks.
pub(super) const HINT_S: u64 = 20;

/// What is kept out after a request that met a fault, and for how many seconds.
pub(super) type Kept = Vec<(String, u64)>;

impl Class {
    /// Attempts on a candidate that fails so.
    pub(super) fn tries(self, is_hinted: bool) -> usize {
        match self {
            // Worth a second try at once, unless the upstream says that it is not.
            Self::Overloaded | Self::ServerError if is_hinted => 1,
            Self::Overloaded
            | Self::ServerError
            | Self::Interrupted
            | Self::Garbled
            | Self::Unreachable => 2,
            _ => 1,
        }
    }

    /// Whether no other candidate can do better.
    pub(super) fn is_final(self) -> bool {
        self == Self::Rejected
    }

    /// The status of a client for which nobody had an answer, unless the upstream sent one.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Rejected => 400,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Overloaded => 529,
            Self::ServerError => 500,
            Self::TimedOut => 504,
            Self::Interrupted | Self::Unreachable | Self::Garbled | Self::Misconfigured => 502,
            Self::Billing => 402,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
        }
    }

    /// What is kept out for it.
    pub(super) fn kept(self, is_hinted: bool) -> Kept {
        let kept = |what: &str, seconds| vec![(what.to_owned(), seconds)];
        let circuit = kept("the model (circuit)", KEPT.circuit);
        match self {
            Self::Rejected | Self::TooLarge => Vec::new(),
            Self::RateLimited if is_hinted => kept("the model with this key", HINT_S),
            Self::RateLimited => kept("the model with this key", KEPT.rate_limit),
            Self::Overloaded | Self::ServerError if is_hinted => {
                [kept("the model", HINT_S), circuit].concat()
            }
            Self::Overloaded
            | Self::ServerError
            | Self::TimedOut
            | Self::Interrupted
            | Self::Garbled => circuit,
            Self::Unreachable => kept("the provider (circuit)", KEPT.circuit),
            Self::Billing => kept("the key", KEPT.billing),
            Self::Unauthorized => kept("the key", KEPT.auth),
            Self::Forbidden => kept("the model with this key", KEPT.auth),
            Self::NotFound => kept("the model", KEPT.not_found),
            Self::Misconfigured => kept("the provider", KEPT.not_found),
        }
    }
}

impl Row {
    fn new(name: &str, fault: Fault, stream: Option<Fate>, whole: Option<Fate>) -> Self {
        let what = What::Scripted(fault);
        Self { name: name.to_owned(), what, stream, whole, status: None, hint: false }
    }

    /// A fault that comes to the same for streams and whole answers.
    fn both(name: &str, fault: Fault, fate: Fate) -> Self {
        Self::new(name, fault, Some(fate), Some(fate))
    }

    fn stream(name: &str, fault: Fault, fate: Fate) -> Self {
        Self::new(name, fault, Some(fate), None)
    }

    fn whole(name: &str, fault: Fault, fate: Fate) -> Self {
        Self::new(name, fault, None, Some(fate))
    }

    /// A status, with and without a hint when to come back.
    fn status(status: u16, class: Class, is_hinted: bool) -> Self {
        let bare = Fault::status(status);
        let (name, fault) = if is_hinted {
            let hinted = bare.with_header("retry-after", &HINT_S.to_string());
            (format!("status {status} with `retry-after: {HINT_S}`"), hinted)
        } else {
            (format!("status {status}"), bare)
        };
        let row = Self::both(&name, fault, Fate::Early(class));
        Self { status: Some(status), hint: is_hinted, ..row }
    }
}

/// Every row, in the order of the report.
pub(super) fn rows() -> Vec<Row> {
    [connections(), bodies(), cuts(), events(), statuses()].concat()
}

fn connections() -> Vec<Row> {
    use Class::{Interrupted, Misconfigured, TimedOut, Unreachable};
    use Fate::{Early, Fine};
    let refused = Row::both("connection refused", Fault::BlackHole, Early(Unreachable));
    let long = Duration::from_secs(9);
    vec![
        Row { what: What::Refused, ..refused },
        Row::both("black hole: nothing is ever answered", Fault::BlackHole, Early(TimedOut)),
        Row::both("head later than the limit", Fault::SlowHead(long), Early(TimedOut)),
        Row::both("slow head", Fault::SlowHead(Duration::from_millis(60)), Fine),
        Row::both("closed before the head", Fault::CloseBeforeHead, Early(Interrupted)),
        Row::both("reset before the head", Fault::ResetBeforeHead, Early(Interrupted)),
        Row::both("reset after the head", Fault::Reset(At::Start), Early(Interrupted)),
        Row::both("103 ahead of the answer", Fault::Informational(103), Fine),
        Row::both(
            "redirect to another origin",
            Fault::Redirect("http://127.0.0.1:9/".to_owned()),
            Early(Misconfigured),
        ),
    ]
}

fn bodies() -> Vec<Row> {
    use Class::{Garbled, Interrupted, ServerError, TimedOut};
    use Fate::{Early, Ending, Fine, Late, Sealed, Translated};
    let drip = Fault::Drip { bytes: 97, every: Duration::from_millis(2) };
    let text = Fault::ContentType("text/plain".to_owned());
    vec![
        Row::both("slow drip of 97 bytes at a time", drip, Fine),
        Row::both("pieces of one byte", Fault::Split(1), Fine),
        Row::both("labelled text/plain", text, Fine),
        Row::both("200 with an HTML page", Fault::HtmlAsSuccess, Early(Garbled)),
        Row::both("200 with an error", Fault::ErrorAsSuccess, Early(ServerError)),
        Row::both("200 with an empty body", Fault::EmptyBody, Early(Garbled)),
        Row {
            status: Some(502),
            ..Row::both("502 with an HTML page", Fault::Html, Early(ServerError))
        },
        Row::new(
            "content-length too long",
            Fault::LengthTooLong,
            Some(Sealed),
            Some(Early(Interrupted)),
        ),
        Row::new(
            "content-length too short",
            Fault::LengthTooShort,
            Some(Ending),
            Some(Early(Garbled)),
        ),
        Row::whole("cut in the middle", Fault::Cut(At::Middle), Early(Interrupted)),
        Row::whole("reset in the middle", Fault::Reset(At::Middle), Early(Interrupted)),
        Row::whole("stall in the middle", Fault::Stall(At::Middle), Early(TimedOut)),
        Row::whole("half of its JSON", Fault::BadJson(At::Middle), Early(Garbled)),
        Row::whole("twice in one body", Fault::DoubleTerminal, Early(Garbled)),
        Row::new(
            "bytes that are no UTF-8 before output",
            Fault::GarbageUtf8(At::BeforeOutput),
            Some(Early(Garbled)),
            Some(Early(Garbled)),
        ),
        Row::stream(
            "bytes that are no UTF-8 after output",
            Fault::GarbageUtf8(At::AfterOutput),
            Late,
        ),
        Row::stream("bad JSON before output", Fault::BadJson(At::BeforeOutput), Early(Garbled)),
        Row::stream("bad JSON after output", Fault::BadJson(At::AfterOutput), Late),
        Row::both("2 MiB in one event", Fault::Oversize(2 << 20), Fine),
        Row::stream(
            "17 MiB in one event, too much to translate",
            Fault::Oversize(17 << 20),
            Translated(Garbled),
        ),
    ]
}

fn cuts() -> Vec<Row> {
    let everywhere = |name: &str, fate| Row {
        what: What::CutEverywhere,
        ..Row::stream(name, Fault::BlackHole, fate)
    };
    vec![
        everywhere("cut after every event before output", Fate::Early(Class::Interrupted)),
        everywhere("cut after every event of the output", Fate::Late),
        everywhere("cut after every event of the end but the last", Fate::Ending),
        everywhere("cut after the last event", Fate::Sealed),
    ]
}

fn events() -> Vec<Row> {
    use Class::{Interrupted, Overloaded, TimedOut};
    use Fate::{Early, Fine, Late};
    let (before, after) = (At::BeforeOutput, At::AfterOutput);
    vec![
        Row::stream("reset before output", Fault::Reset(before), Early(Interrupted)),
        Row::stream("reset after output", Fault::Reset(after), Late),
        Row::stream("stall before output", Fault::Stall(before), Early(TimedOut)),
        Row::stream("stall after output", Fault::Stall(after), Late),
        Row::stream("error event first", Fault::ErrorEvent(At::Start), Early(Overloaded)),
        Row::stream("error event before output", Fault::ErrorEvent(before), Early(Overloaded)),
        Row::stream("error event after output", Fault::ErrorEvent(after), Late),
        Row::stream("missing terminal event", Fault::NoTerminal, Late),
        Row::stream("terminal event twice", Fault::DoubleTerminal, Fine),
    ]
}

fn statuses() -> Vec<Row> {
    let mut rows = Vec::new();
    for (status, class) in [
        (400, Class::Rejected),
        (401, Class::Unauthorized),
        (402, Class::Billing),
        (403, Class::Forbidden),
        (404, Class::NotFound),
        (408, Class::TimedOut),
        (409, Class::ServerError),
        (413, Class::TooLarge),
        (429, Class::RateLimited),
        (500, Class::ServerError),
        (502, Class::ServerError),
        (503, Class::Overloaded),
        (504, Class::TimedOut),
        (529, Class::Overloaded),
    ] {
        rows.push(Row::status(status, class, false));
        if matches!(class, Class::RateLimited | Class::Overloaded | Class::ServerError) {
            rows.push(Row::status(status, class, true));
        }
    }
    rows
}

/// Where the parts of a healthy stream begin, counted in events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// The first event with output.
    output: usize,
    /// The event that names the reason for the end.
    reason: usize,
    /// Events in all.
    all: usize,
}

impl Parts {
    /// Finds them in the data of a stream's events.
    pub(super) fn of(upstream: Speaks, events: &[String]) -> Option<Self> {
        let first = |holds: &dyn Fn(&str) -> bool| events.iter().position(|event| holds(event));
        let (output, reason) = match upstream {
            Speaks::Chat => (
                first(&|event| {
                    event.contains("\"content\":\"") && !event.contains("\"content\":\"\"")
                }),
                first(&|event| event.contains("\"finish_reason\":\"")),
            ),
            Speaks::Responses => (
                first(&|event| event.contains("response.output_text.delta")),
                first(&|event| event.contains("response.completed")),
            ),
            Speaks::Messages => (
                first(&|event| event.contains("content_block_delta")),
                first(&|event| event.contains("message_delta")),
            ),
            Speaks::Gemini => (
                first(&|event| event.contains("\"text\"")),
                first(&|event| event.contains("finishReason")),
            ),
        };
        Some(Self { output: output?, reason: reason?, all: events.len() })
    }

    /// The numbers of events after which a cut meets this fate.
    pub(super) fn cuts(self, fate: Fate) -> Vec<usize> {
        match fate {
            Fate::Early(_) => (0..=self.output).collect(),
            Fate::Late => (self.output + 1..=self.reason).collect(),
            Fate::Ending => (self.reason + 1..self.all).collect(),
            Fate::Sealed => vec![self.all],
            Fate::Fine | Fate::Translated(_) => Vec::new(),
        }
    }
}
