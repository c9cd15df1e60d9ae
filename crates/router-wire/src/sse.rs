//! Server-sent events: a decoder that may be fed any pieces, and an encoder.
//!
//! Follows the WHATWG text/event-stream format with what model vendors do to it: lines end with
//! LF, CR or CRLF; a byte order mark may lead; comments are skipped; several `data` lines are
//! joined with LF; one space after the colon is dropped. An event is dispatched at its blank
//! line and, because some servers leave the last one out, at the end of the input.
//!
//! Bytes stay bytes, so a character cut in two by the network is whole again in the event. The
//! buffers are reused: in the steady state decoding allocates nothing.

use memchr::{memchr, memchr2};

/// The most one event may hold, in bytes, unless the host says otherwise.
pub const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One event, borrowed from the decoder until the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event<'a> {
    /// The `event:` name; empty when there is none.
    pub name: &'a [u8],
    /// The data lines, joined with LF.
    pub data: &'a [u8],
}

impl Event<'_> {
    /// Whether this is the end marker of OpenAI's streams.
    pub fn is_done_marker(&self) -> bool {
        self.data.trim_ascii() == b"[DONE]"
    }
}

/// An event grew beyond the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an event of the stream is larger than {bytes_max} bytes")]
pub struct EventTooLarge {
    /// The limit, in bytes.
    pub bytes_max: usize,
}

/// An incremental decoder.
#[derive(Clone, Debug)]
pub struct Decoder {
    bytes_max: usize,
    /// The start of a line whose end has not come.
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    data_lines: usize,
    /// A line ended with CR, so an LF right behind it belongs to that end.
    after_cr: bool,
    /// No line has ended yet, so a byte order mark may lead.
    first_line: bool,
    too_large: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(EVENT_BYTES_MAX)
    }
}

impl Decoder {
    /// A decoder that refuses events larger than `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            line: Vec::new(),
            name: Vec::new(),
            data: Vec::new(),
            data_lines: 0,
            after_cr: false,
            first_line: true,
            too_large: false,
        }
    }

    /// Takes the next piece of the stream and hands on every event it completes.
    ///
    /// After an error the decoder takes nothing more: it repeats the error.
    pub fn push(
        &mut self,
        piece: &[u8],
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<(), EventTooLarge> {
        let mut rest = piece;
        while !rest.is_empty() && !self.too_large {
            if std::mem::take(&mut self.after_cr)
                && let Some(tail) = rest.strip_prefix(b"\n")
            {
                rest = tail;
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                if self.fits(rest.len()) {
                    self.line.extend_from_slice(rest);
                }
                break;
            };
            let (part, tail) = rest.split_at_checked(end).unwrap_or((rest, b""));
            self.after_cr = tail.first() == Some(&b'\r');
            rest = tail.get(1..).unwrap_or_default();
            if !self.fits(part.len()) {
                break;
            }
            if self.line.is_empty() {
                self.take_line(part, &mut on_event);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(part);
                self.take_line(&line, &mut on_event);
                line.clear();
                self.line = line;
            }
        }
        if self.too_large { Err(EventTooLarge { bytes_max: self.bytes_max }) } else { Ok(()) }
    }

    /// The input has ended: hands on the event whose blank line did not come, if there is one.
    /// The decoder is as new afterwards.
    pub fn finish(&mut self, mut on_event: impl FnMut(Event<'_>)) {
        if !self.too_large {
            let line = std::mem::take(&mut self.line);
            if !line.is_empty() {
                self.take_line(&line, &mut on_event);
            }
            self.dispatch(&mut on_event);
        }
        *self = Self::new(self.bytes_max);
    }

    /// Whether the stream stands between two events, with nothing of the next one read.
    pub fn is_between_events(&self) -> bool {
        self.line.is_empty() && self.name.is_empty() && self.data_lines == 0
    }

    fn fits(&mut self, more: usize) -> bool {
        let held = self.line.len() + self.name.len() + self.data.len();
        self.too_large = held.saturating_add(more) > self.bytes_max;
        !self.too_large
    }

    fn take_line(&mut self, line: &[u8], on_event: &mut impl FnMut(Event<'_>)) {
        let mut line = line;
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(on_event);
            return;
        }
        let (field, value) = match memchr(b':', line) {
            Some(0) => return,
            Some(colon) => {
                let (field, value) = line.split_at_checked(colon).unwrap_or((line, b""));
                let value = value.get(1..).unwrap_or_default();
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, b"".as_slice()),
        };
        match field {
            b"data" => {
                if self.data_lines > 0 {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.data_lines += 1;
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, on_event: &mut impl FnMut(Event<'_>)) {
        if self.data_lines > 0 {
            on_event(Event { name: &self.name, data: &self.data });
        }
        self.name.clear();
        self.data.clear();
        self.data_lines = 0;
    }
}

/// Writes one event with its blank line. `data` may hold line ends: each line gets its own field.
pub fn encode(into: &mut Vec<u8>, name: &str, data: &[u8]) {
    if !name.is_empty() {
        into.extend_from_slice(b"event: ");
        into.extend(name.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
        into.push(b'\n');
    }
    let mut rest = data;
    loop {
        let (line, tail) = match memchr2(b'\n', b'\r', rest) {
            Some(end) => {
                let (line, tail) = rest.split_at_checked(end).unwrap_or((rest, b""));
                let both = tail.starts_with(b"\r\n");
                (line, tail.get(if both { 2 } else { 1 }..))
            }
            None => (rest, None),
        };
        into.extend_from_slice(b"data: ");
        into.extend_from_slice(line);
        into.push(b'\n');
        match tail {
            Some(tail) => rest = tail,
            None => break,
        }
    }
    into.push(b'\n');
}

/// Writes a comment line with its blank line, which keeps a connection open and says nothing.
pub fn encode_comment(into: &mut Vec<u8>, text: &str) {
    into.extend_from_slice(b": ");
    into.extend(text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
    into.extend_from_slice(b"\n\n");
}

/// The end marker of Chat streams, as an event.
pub const DONE_EVENT: &[u8] = b"data: [DONE]\n\n";

#[cfg(test)]
mod tests;
