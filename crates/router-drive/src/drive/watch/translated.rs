//! A stream that is translated for the client.

use bytes::Bytes;
use http::Request;
use router_core::failure::Failure;
use router_wire::Usage;
use router_wire::canonical::Loss;
use router_wire::error::{ClientError, ErrorKind};
use router_wire::translate::{Progress, StreamTranslator};

use super::{Cut, Verdict, failure_of, failure_of_error};
use crate::body::Payload;
use crate::drive::again::Again;
use crate::drive::attempt::Failed;
use crate::drive::outbound::Translated;
use crate::drive::settle::End;

/// Translates one stream and knows how far it has come.
#[derive(Debug)]
pub(crate) struct TranslatedWatch {
    translator: StreamTranslator,
    progress: Progress,
    request_id: String,
    /// What the request lost.
    losses: Vec<Loss>,
    /// The turn, where the upstream may interrupt it.
    again: Option<Box<Again>>,
}

impl TranslatedWatch {
    pub(super) fn new(translated: Translated, request_id: String) -> Self {
        let Translated { session, losses, again } = translated;
        let translator = session.stream();
        Self { translator, progress: Progress::Startup, request_id, losses, again }
    }

    /// Takes the next piece; returns what it is for the client.
    pub(super) fn push(&mut self, piece: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(piece.len() + piece.len() / 2);
        let mut events = Vec::new();
        let piece: &[u8] = match &mut self.again {
            Some(again) => {
                again.turn.push(piece, &mut events);
                &events
            }
            None => piece,
        };
        self.progress = self.translator.push(piece, &mut out);
        out.into()
    }

    fn is_paused(&self) -> bool {
        self.again.as_ref().is_some_and(|again| again.turn.is_paused())
    }

    /// The next call, if the upstream has interrupted its answer.
    pub(super) fn next_call(&mut self) -> Option<Request<Payload>> {
        let again = self.again.as_mut()?;
        let body = again.turn.next_call()?;
        Some(again.request(body))
    }

    /// The next call answers.
    pub(super) fn resumed(&mut self) {
        if let Some(again) = &mut self.again {
            again.turn.resumed();
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        match &self.progress {
            // What comes next is another call's.
            Progress::Startup if self.is_paused() => Verdict::Commit,
            Progress::Startup => Verdict::Hold,
            Progress::Meaningful | Progress::Finished => Verdict::Commit,
            Progress::Failed(error) => {
                let failed = Failed::told(failure_of_error(error), error.as_ref().clone());
                Verdict::Fail(Box::new(failed))
            }
        }
    }

    /// An answer that is complete waits for the end of the upstream's body all the same, so that
    /// the connection can be used again.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Failed(_))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.progress == Progress::Finished
    }

    pub(super) fn kept(&self) -> &[(String, String)] {
        self.translator.kept()
    }

    pub(super) fn losses(&self) -> impl Iterator<Item = &Loss> {
        self.losses.iter().chain(self.translator.losses())
    }

    pub(super) fn usage(&self) -> Usage {
        *self.translator.usage()
    }

    pub(super) fn end(&mut self, cut: &Cut) -> (Bytes, End) {
        let mut out = Vec::new();
        if let Some(again) = &mut self.again {
            let mut events = Vec::new();
            again.turn.finish(&mut events);
            self.progress = self.translator.push(&events, &mut out);
        }
        if self.progress != Progress::Finished && matches!(cut, Cut::Closed) {
            self.progress = self.translator.end(&mut out);
        }
        let end = match &self.progress {
            Progress::Finished => End::Complete,
            Progress::Failed(error) => {
                let error = error.as_ref().clone();
                self.fail(&error, failure_of_error(&error), &mut out)
            }
            Progress::Startup | Progress::Meaningful => {
                let failure = failure_of(cut);
                let error = ClientError::new(ErrorKind::Upstream, failure.message.as_str());
                self.fail(&error, failure, &mut out)
            }
        };
        (out.into(), end)
    }

    fn fail(&mut self, error: &ClientError, failure: Failure, out: &mut Vec<u8>) -> End {
        self.translator.fail(error, &self.request_id, out);
        End::Failed(failure)
    }
}
