//! A stream that passes in its own dialect.

use bytes::{Bytes, BytesMut};
use router_core::failure::{Failure, Fault, classify_transport};
use router_wire::error::{ClientError, ErrorKind, UpstreamError};
use router_wire::peek;
use router_wire::sse::{Decoder, Event};
use router_wire::tap::{self, Seen, Tap};
use router_wire::{Dialect, Usage};

use super::{Cut, Verdict, failure_in_stream, failure_of};
use crate::drive::settle::End;

/// Watches one stream that passes in its own dialect. Its events are not changed; an event that
/// is not complete yet waits until it is, so that the client never gets half of one.
#[derive(Debug)]
pub(crate) struct NativeWatch {
    tap: Tap,
    dialect: Dialect,
    /// The beginning of an event whose end has not come.
    tail: BytesMut,
    /// What the client's terminal error event has to repeat.
    request_id: String,
    model: String,
    /// When the answer began, in Unix seconds.
    begun_s: u64,
    failure: Option<Failure>,
}

impl NativeWatch {
    /// `choices` is how many answers the client asked for.
    pub(super) fn new(
        (dialect, choices): (Dialect, u64),
        request_id: String,
        model: String,
        begun_s: u64,
    ) -> Self {
        let tap = Tap::new(dialect).with_choices(choices);
        Self { tap, dialect, tail: BytesMut::new(), request_id, model, begun_s, failure: None }
    }

    /// Takes the next piece; returns the whole events there are now.
    pub(super) fn push(&mut self, piece: Bytes) -> Bytes {
        let malformed = self.tap.seen().malformed_count;
        let seen = self.tap.push(&piece);
        if malformed < seen.malformed_count {
            // Handing it on would break the client's parser instead of telling it.
            let message = "the upstream sent an event that is not JSON";
            self.failure = Some(classify_transport(Fault::Garbled, None, message));
            return Bytes::new();
        }
        if self.tail.is_empty() && self.tap.is_between_events() {
            return piece;
        }
        self.tail.extend_from_slice(&piece);
        if self.tap.is_between_events() {
            return self.tail.split().freeze();
        }
        let complete = events_end(&self.tail);
        self.tail.split_to(complete).freeze()
    }

    /// Whether what has passed is worth committing to.
    pub(super) fn verdict(&self) -> Verdict {
        if let Some(failure) = &self.failure {
            return Verdict::Fail(Box::new(failure.clone().into()));
        }
        match self.tap.seen() {
            Seen { error: true, .. } => Verdict::Fail(Box::new(self.error_event().into())),
            Seen { meaningful: true, .. } => Verdict::Commit,
            _ => Verdict::Hold,
        }
    }

    /// Whether nothing of the stream that may still come can be used.
    pub(super) fn is_over(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether the terminal event has passed. A Chat stream goes on after its finish reason.
    pub(super) fn is_complete(&self) -> bool {
        self.dialect != Dialect::OpenaiChat && self.tap.seen().terminal
    }

    /// The token counts seen.
    pub(super) fn usage(&self) -> Usage {
        self.tap.usage()
    }

    /// The stream is over: the client's last bytes, and what its end means.
    pub(super) fn end(&mut self, cut: &Cut) -> (Bytes, End) {
        if let Some(failure) = self.failure.take() {
            return (self.terminal(&failure), End::Failed(failure));
        }
        match (self.tap.finish(), cut) {
            (tap::End::Clean, _) => (self.sealed(), End::Complete),
            (tap::End::Unwatched, Cut::Closed) => (self.last_event(), End::Complete),
            (tap::End::Failed, _) => (self.last_event(), End::Failed(self.error_event())),
            (tap::End::Truncated | tap::End::NoEvents | tap::End::Unwatched, _) => {
                let failure = failure_of(cut);
                (self.terminal(&failure), End::Failed(failure))
            }
        }
    }

    /// The last event, and what a complete Chat stream ends with where the upstream left it out.
    fn sealed(&mut self) -> Bytes {
        let last = self.last_event();
        if self.dialect != Dialect::OpenaiChat || self.tap.seen().done {
            return last;
        }
        [&last[..], b"data: [DONE]\n\n"].concat().into()
    }

    /// An event that came whole but for the blank line behind it. Half an event is left out.
    fn last_event(&mut self) -> Bytes {
        let mut tail = self.tail.split();
        let mut whole = false;
        let mut decoder = Decoder::default();
        let mut look = |event: Event<'_>| {
            whole |= event.is_done_marker() || peek::peek(event.data).is_ok();
        };
        // Larger than an event may be: then it was not watched, and passes as it is.
        let watched = decoder.push(&tail, &mut look).is_ok();
        decoder.finish(look);
        if watched && !whole {
            return Bytes::new();
        }
        tail.extend_from_slice(b"\n\n");
        tail.freeze()
    }

    fn error_event(&self) -> Failure {
        let unknown = UpstreamError::default();
        let UpstreamError { message, kind, code, .. } = self.tap.error().unwrap_or(&unknown);
        failure_in_stream(message, kind.as_deref(), code.as_deref())
    }

    /// The dialect's terminal error event, as whole as all events before it.
    fn terminal(&mut self, failure: &Failure) -> Bytes {
        self.tail.clear();
        let mut place = self.tap.place(&self.request_id, &self.model);
        if place.created_s == 0 {
            place.created_s = self.begun_s;
        }
        let error = ClientError::new(ErrorKind::Upstream, failure.message.as_str());
        error.stream_event(self.dialect, &place).into()
    }
}

/// Where the last complete event ends: behind the last blank line.
fn events_end(bytes: &[u8]) -> usize {
    let ends = ["\n\n", "\r\n\r\n", "\r\r"].map(|blank| {
        memchr::memmem::rfind(bytes, blank.as_bytes()).map_or(0, |at| at + blank.len())
    });
    ends.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
                        data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hé\"}}]}\n\n\
                        data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                        data: [DONE]\n\n";

    fn watch() -> NativeWatch {
        NativeWatch::new((Dialect::OpenaiChat, 1), "req_1".to_owned(), "m".to_owned(), 0)
    }

    #[test]
    fn whole_events_come_out_wherever_the_stream_is_cut_into_pieces() {
        for size in 1..CHAT.len() {
            let mut watch = watch();
            let mut passed = Vec::new();
            for piece in CHAT.as_bytes().chunks(size) {
                let out = watch.push(Bytes::copy_from_slice(piece));
                assert!(out.is_empty() || out.ends_with(b"\n\n"), "half an event");
                passed.extend_from_slice(&out);
            }
            let (last, end) = watch.end(&Cut::Closed);
            passed.extend_from_slice(&last);
            assert!(matches!(end, End::Complete), "{end:?}");
            assert_eq!(passed, CHAT.as_bytes());
        }
    }

    #[test]
    fn a_stream_cut_anywhere_ends_in_one_readable_error_event() {
        let finish = CHAT.find("\"finish_reason\"").unwrap();
        for cut in 0..finish {
            let mut watch = watch();
            let mut passed = watch.push(Bytes::copy_from_slice(&CHAT.as_bytes()[..cut])).to_vec();
            let (last, end) = watch.end(&Cut::Broken("reset".to_owned()));
            passed.extend_from_slice(&last);
            assert!(matches!(end, End::Failed(_)), "cut at {cut}: {end:?}");
            let text = String::from_utf8(passed).unwrap();
            let events: Vec<_> = text.split_terminator("\n\n").collect();
            let (error, before) = events.split_last().unwrap();
            assert!(error.starts_with("data: {\"error\":"), "cut at {cut}: {error}");
            let good: Vec<_> = CHAT.split_terminator("\n\n").take(before.len()).collect();
            assert_eq!(before, good, "cut at {cut}");
        }
    }

    #[test]
    fn half_an_event_after_the_end_is_left_out_and_the_end_made_whole() {
        for (tail, expect) in [
            ("data: [DONE]", "data: [DONE]\n\n"),
            ("data: [", "data: [DONE]\n\n"),
            ("data: {\"usage\":{}}", "data: {\"usage\":{}}\n\ndata: [DONE]\n\n"),
            ("data: {\"usa", "data: [DONE]\n\n"),
            ("", "data: [DONE]\n\n"),
        ] {
            let mut watch = watch();
            let answer = CHAT.strip_suffix("data: [DONE]\n\n").unwrap();
            watch.push(Bytes::from(format!("{answer}{tail}")));
            let (last, end) = watch.end(&Cut::Closed);
            assert!(matches!(end, End::Complete), "{tail}: {end:?}");
            assert_eq!(last, expect, "{tail}");
        }
    }

    #[test]
    fn an_event_that_is_no_json_is_not_handed_on() {
        let mut watch = watch();
        assert!(watch.push(Bytes::from_static(b"data: {oops\n\n")).is_empty());
        assert!(watch.is_over());
        let (last, end) = watch.end(&Cut::Closed);
        assert!(matches!(end, End::Failed(_)), "{end:?}");
        assert!(last.starts_with(b"data: {\"error\":"), "{last:?}");
    }

    #[test]
    fn start_up_events_alone_do_not_commit() {
        let mut watch = watch();
        let first = CHAT.find("\n\n").unwrap() + 2;
        watch.push(Bytes::copy_from_slice(&CHAT.as_bytes()[..first]));
        assert!(matches!(watch.verdict(), Verdict::Hold), "the role alone");
        watch.push(Bytes::copy_from_slice(&CHAT.as_bytes()[first..]));
        assert!(matches!(watch.verdict(), Verdict::Commit), "the first words");
    }
}
