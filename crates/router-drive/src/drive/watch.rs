//! Looking at a stream as it passes, and deciding what of it the client gets.

use bytes::Bytes;
use http::Request;
use router_core::failure::{Failure, Fault, classify_stream_error, classify_transport};
use router_wire::Usage;
use router_wire::canonical::Loss;
use router_wire::error::ClientError;
use router_wire::peek::Peek;
use serde_json::json;

use super::Job;
use super::attempt::Failed;
use super::outbound::Way;
use super::settle::End;
use crate::body::Payload;
use crate::host::Host;
use native::NativeWatch;
use translated::TranslatedWatch;

mod native;
mod translated;

/// How a stream's bytes came to an end.
#[derive(Clone, Debug)]
pub(crate) enum Cut {
    /// As HTTP ends a body.
    Closed,
    /// With an error of the connection.
    Broken(String),
    /// Nothing came for too long.
    Idle,
}

/// Whether a stream may be committed.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Only start-up events so far.
    Hold,
    /// There is output.
    Commit,
    /// There is an error and no output.
    Fail(Box<Failed>),
}

/// Watches one stream, in the client's dialect or on its way into it.
#[derive(Debug)]
pub(crate) enum Watch {
    /// The stream's bytes are the client's.
    Native(Box<NativeWatch>),
    /// The client gets a translation.
    Translated(Box<TranslatedWatch>),
}

impl Watch {
    pub(super) fn new<H: Host>(job: &Job<H>, way: Way) -> Self {
        let id = job.id.to_string();
        match way {
            Way::Native => {
                let now_s = H::now().0 / 1_000;
                let choices = Peek::of(&job.body, &job.found).choices_asked();
                let asked = job.asked.clone();
                Self::Native(Box::new(NativeWatch::new((job.dialect, choices), id, asked, now_s)))
            }
            Way::Translated(translated) => {
                Self::Translated(Box::new(TranslatedWatch::new(*translated, id)))
            }
        }
    }

    /// Takes the next piece; returns the whole events the client gets of it.
    pub(crate) fn push(&mut self, piece: Bytes) -> Bytes {
        match self {
            Self::Native(watch) => watch.push(piece),
            Self::Translated(watch) => watch.push(&piece),
        }
    }

    /// The call that goes on with an answer the upstream has interrupted.
    pub(crate) fn next_call(&mut self) -> Option<Request<Payload>> {
        match self {
            Self::Native(_) => None,
            Self::Translated(watch) => watch.next_call(),
        }
    }

    /// That call answers.
    pub(crate) fn resumed(&mut self) {
        if let Self::Translated(watch) = self {
            watch.resumed();
        }
    }

    /// Whether what has passed is worth committing to.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Native(watch) => watch.verdict(),
            Self::Translated(watch) => watch.verdict(),
        }
    }

    /// Whether nothing of the stream that may still come can be used.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Native(watch) => watch.is_over(),
            Self::Translated(watch) => watch.is_over(),
        }
    }

    /// Whether the client has its whole answer.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Native(watch) => watch.is_complete(),
            Self::Translated(watch) => watch.is_complete(),
        }
    }

    /// State of tool calls that the client cannot carry itself.
    pub(crate) fn kept(&self) -> &[(String, String)] {
        match self {
            Self::Native(_) => &[],
            Self::Translated(watch) => watch.kept(),
        }
    }

    /// What translation of the request, and of the stream so far, could not carry.
    pub(crate) fn losses(&self) -> impl Iterator<Item = &Loss> {
        let translated = match self {
            Self::Native(_) => None,
            Self::Translated(watch) => Some(watch.losses()),
        };
        translated.into_iter().flatten()
    }

    /// The token counts seen.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let usage = match self {
            Self::Native(watch) => watch.usage(),
            Self::Translated(watch) => watch.usage(),
        };
        Some(usage).filter(|usage| !usage.is_empty())
    }

    /// The stream is over: the client's last bytes, and what its end means.
    pub(crate) fn end(&mut self, cut: &Cut) -> (Bytes, End) {
        match self {
            Self::Native(watch) => watch.end(cut),
            Self::Translated(watch) => watch.end(cut),
        }
    }

    /// The last bytes of a stream that ended before its commit, or why it cannot be committed.
    pub(crate) fn end_uncommitted(&mut self, cut: &Cut) -> Result<Bytes, Failed> {
        match self.end(cut) {
            (last, End::Complete) => Ok(last),
            (_, End::Failed(failure)) => match self.verdict() {
                Verdict::Fail(failed) => Err(*failed),
                Verdict::Hold | Verdict::Commit => Err(failure.into()),
            },
            (_, End::ClientGone) => Err(failure_of(cut).into()),
        }
    }
}

/// The failure that an error inside an answer is.
fn failure_in_stream(message: &str, kind: Option<&str>, code: Option<&str>) -> Failure {
    let event = json!({ "error": { "message": message, "type": kind, "code": code } });
    classify_stream_error(event.to_string().as_bytes())
}

/// The failure that a translated error is.
fn failure_of_error(error: &ClientError) -> Failure {
    failure_in_stream(&error.message, Some(error.kind.anthropic_type()), error.code.as_deref())
}

/// What an end that should not have been one is.
pub(super) fn failure_of(cut: &Cut) -> Failure {
    match cut {
        Cut::Closed => {
            let message = "the upstream's stream ended before it was complete";
            classify_transport(Fault::Cut, None, message)
        }
        Cut::Broken(error) => {
            let message = format!("the connection to the upstream broke: {error}");
            classify_transport(Fault::Reset, None, &message)
        }
        Cut::Idle => {
            let message = "the upstream sent nothing for too long";
            classify_transport(Fault::Timeout, None, message)
        }
    }
}
