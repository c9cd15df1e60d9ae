//! What is measured: each case is one kind of request and one kind of answer.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;

use crate::payload::{self, Format, STREAM_EVENTS, Size};

/// How the mock answers a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// One small JSON body.
    Whole,
    /// A stream of so many events, all written at once.
    Burst { events: usize },
    /// A stream of so many events, one each `gap`.
    Paced { events: usize, gap: Duration },
}

impl Answer {
    /// What the figures of the case are counted in: events of its streams, or
    /// whole requests.
    pub(crate) fn units(self) -> usize {
        match self {
            Self::Whole => 1,
            Self::Burst { events } | Self::Paced { events, .. } => events,
        }
    }
}

/// One thing to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its name on the command line and in the results; also the model the
    /// request asks for, which is how the mock knows what to answer.
    pub(crate) name: &'static str,
    /// One line for the table.
    pub(crate) about: &'static str,
    /// What the client speaks. The mock always speaks Chat Completions, so
    /// everything else makes the router translate.
    pub(crate) format: Format,
    pub(crate) size: Size,
    pub(crate) answer: Answer,
    /// Connections that are busy at the same time.
    pub(crate) connections: usize,
    /// The CPU time aimed at, as a multiple of nginx's in the same run.
    pub(crate) aim: Option<f64>,
}

const BURST: Answer = Answer::Burst { events: STREAM_EVENTS };
const PACED: Answer = Answer::Paced { events: STREAM_EVENTS, gap: Duration::from_millis(5) };

/// Every case of a default run, in the order of the table.
pub(crate) const CASES: [Case; 8] = [
    Case {
        name: "small",
        about: "1 KB body, small answer",
        format: Format::Chat,
        size: Size::Small,
        answer: Answer::Whole,
        connections: 64,
        aim: Some(2.0),
    },
    Case {
        name: "large",
        about: "200 KB body of a coding agent, small answer",
        format: Format::Chat,
        size: Size::Large,
        answer: Answer::Whole,
        connections: 16,
        aim: Some(2.5),
    },
    Case {
        name: "paced",
        about: "200-event stream, one event each 5 ms",
        format: Format::Chat,
        size: Size::Small,
        answer: PACED,
        connections: 64,
        aim: Some(1.5),
    },
    Case {
        name: "burst",
        about: "200-event stream, all at once",
        format: Format::Chat,
        size: Size::Small,
        answer: BURST,
        connections: 64,
        aim: Some(6.0),
    },
    Case {
        name: "small-translated",
        about: "1 KB Messages to Chat, small answer",
        format: Format::Messages,
        size: Size::Small,
        answer: Answer::Whole,
        connections: 64,
        aim: None,
    },
    Case {
        name: "large-translated",
        about: "200 KB Messages to Chat, small answer",
        format: Format::Messages,
        size: Size::Large,
        answer: Answer::Whole,
        connections: 16,
        aim: None,
    },
    Case {
        name: "paced-translated",
        about: "200-event stream, Chat to Messages, one event each 5 ms",
        format: Format::Messages,
        size: Size::Small,
        answer: PACED,
        connections: 64,
        aim: None,
    },
    Case {
        name: "burst-translated",
        about: "200-event stream, Chat to Messages, all at once",
        format: Format::Messages,
        size: Size::Small,
        answer: BURST,
        connections: 64,
        aim: None,
    },
];

/// A thousand streams held for a minute, four events a second each.
pub(crate) const STREAMS: Case = Case {
    name: "streams",
    about: "1,000 streams held for 60 s, one event each 250 ms",
    format: Format::Chat,
    size: Size::Small,
    answer: Answer::Paced { events: 240, gap: Duration::from_millis(250) },
    connections: 1_000,
    aim: None,
};

impl Case {
    /// Whether the router must translate, which no plain proxy can.
    pub(crate) fn is_translated(&self) -> bool {
        self.format != Format::Chat
    }

    fn streams(&self) -> bool {
        self.answer != Answer::Whole
    }

    /// The request a client sends, head included; `prefix` goes before the
    /// name of the model.
    pub(crate) fn request(&self, prefix: &str) -> Result<Bytes> {
        let body = self.body(prefix)?;
        let (path, fields) = match self.format {
            Format::Chat => ("/v1/chat/completions", "authorization: Bearer bench\r\n"),
            Format::Messages => {
                ("/v1/messages", "x-api-key: bench\r\nanthropic-version: 2023-06-01\r\n")
            }
        };
        let accept = if self.streams() { "text/event-stream" } else { "application/json" };
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}content-type: application/json\r\n\
             accept: {accept}\r\nuser-agent: router-bench\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        Ok(request.into())
    }

    /// The body of the request.
    pub(crate) fn body(&self, prefix: &str) -> Result<Bytes> {
        payload::request(self.format, self.size, prefix, self.name, self.streams())
    }

    /// The payload of the mock's answer.
    pub(crate) fn answer_body(&self) -> Bytes {
        match self.answer {
            Answer::Whole => payload::chat_answer(self.name),
            Answer::Burst { .. } | Answer::Paced { .. } => self.answer_events().concat().into(),
        }
    }

    /// The events of the mock's answer, none when it is not a stream.
    pub(crate) fn answer_events(&self) -> Vec<String> {
        match self.answer {
            Answer::Whole => Vec::new(),
            Answer::Burst { events } | Answer::Paced { events, .. } => {
                payload::chat_stream(self.name, events)
            }
        }
    }
}
