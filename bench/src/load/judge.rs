//! Whether an answer is the one that must come.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;

use crate::cases::{Answer, Case};
use crate::payload::{ANSWER, stream_text};

/// The largest translated answer that is collected, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The answer that must come.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    /// These bytes.
    Exact(Bytes),
    /// A Messages answer with the mock's text.
    Message,
    /// A Messages stream whose deltas together are this text.
    MessageStream(String),
}

impl Expect {
    /// What a client must get back for `case`.
    pub(crate) fn new(case: &Case) -> Self {
        match case.answer {
            _ if !case.is_translated() => Self::Exact(case.answer_body()),
            Answer::Whole => Self::Message,
            Answer::Burst { events } | Answer::Paced { events, .. } => {
                Self::MessageStream(stream_text(events))
            }
        }
    }

    /// Begins to read one answer.
    pub(super) fn judge(&self) -> Judge<'_> {
        Judge { expect: self, seen: 0, collected: Vec::new() }
    }
}

/// Reads one answer as it arrives.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    expect: &'a Expect,
    /// How many bytes of an exact answer were seen and right.
    seen: usize,
    collected: Vec<u8>,
}

impl Judge<'_> {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<()> {
        if let Expect::Exact(expected) = self.expect {
            let here = expected.get(self.seen..self.seen + bytes.len());
            ensure!(here == Some(bytes), "an answer that differs after {} bytes", self.seen);
            self.seen += bytes.len();
        } else {
            let length = self.collected.len() + bytes.len();
            ensure!(length <= ANSWER_BYTES_MAX, "an answer of more than {ANSWER_BYTES_MAX} bytes");
            self.collected.extend_from_slice(bytes);
        }
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<()> {
        match self.expect {
            Expect::Exact(expected) => {
                let (seen, whole) = (self.seen, expected.len());
                ensure!(seen == whole, "an answer that ends after {seen} of {whole} bytes");
                Ok(())
            }
            Expect::Message => check_message(&self.collected),
            Expect::MessageStream(text) => check_stream(&self.collected, text),
        }
    }
}

fn check_message(answer: &[u8]) -> Result<()> {
    let answer: Value = serde_json::from_slice(answer).context("answer")?;
    let member = |path: &str| answer.pointer(path).and_then(Value::as_str);
    ensure!(member("/type") == Some("message"), "not a message: {answer}");
    ensure!(member("/content/0/text") == Some(ANSWER), "another text: {answer}");
    ensure!(member("/stop_reason") == Some("end_turn"), "another stop reason: {answer}");
    Ok(())
}

/// Reads the texts of a stream without parsing its events; the mock's words
/// need no escape.
fn check_stream(stream: &[u8], text: &str) -> Result<()> {
    ensure!(stream.starts_with(b"event: message_start"), "a stream without beginning");
    ensure!(memmem::find(stream, b"event: error").is_none(), "an error in the stream");
    let tail = stream.len().saturating_sub(100);
    let (_, end) = stream.split_at(tail);
    ensure!(memmem::find(end, br#""type":"message_stop""#).is_some(), "a stream without end");
    let key = br#""text":""#;
    let mut left = text.as_bytes();
    for at in memmem::find_iter(stream, key) {
        let (_, rest) = stream.split_at(at + key.len());
        let length = memchr::memchr(b'"', rest).context("a text without end")?;
        let (delta, _) = rest.split_at(length);
        left = left.strip_prefix(delta).context("a stream with another text")?;
    }
    ensure!(left.is_empty(), "a stream that lacks the last {} bytes of its text", left.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(expect: &Expect, pieces: &[&str]) -> bool {
        let mut judge = expect.judge();
        pieces.iter().all(|piece| judge.take(piece.as_bytes()).is_ok()) && judge.finish().is_ok()
    }

    #[test]
    fn only_the_same_bytes_are_the_same() {
        let expect = Expect::Exact("abc".into());
        assert!(judge(&expect, &["a", "bc"]));
        for wrong in [&["ab"][..], &["abd"], &["abc", "d"], &[]] {
            assert!(!judge(&expect, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_stream_must_begin_end_and_say_its_text() {
        let start = "event: message_start\ndata: {}\n\n";
        let delta = |text: &str| format!("event: x\ndata: {{\"text\":\"{text}\"}}\n\n");
        let end = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        let expect = Expect::MessageStream("one two ".to_owned());
        let (one, two) = (delta("one "), delta("two "));
        assert!(judge(&expect, &[start, &one, &two, end]));
        assert!(!judge(&expect, &[start, &one, end]), "a lost delta");
        assert!(!judge(&expect, &[start, &two, &one, end]), "another order");
        assert!(!judge(&expect, &[start, &one, &two]), "no end");
        assert!(!judge(&expect, &[start, &one, &two, &one, end]), "too much");
        assert!(!judge(&expect, &[start, &one, "event: error\n\n", &two, end]), "an error");
    }
}
