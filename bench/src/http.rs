//! Just enough HTTP/1.1 for a mock and a load generator that must cost far
//! less than the proxies between them: heads by `httparse`, bodies by length
//! or by chunks, nothing copied that is only compared.

use anyhow::{Context as _, Result, bail, ensure};

/// The largest head either side accepts.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most header fields either side accepts.
const HEADER_FIELDS_MAX: usize = 64;

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// That many bytes.
    Length(usize),
    /// Chunks up to the empty one.
    Chunked,
    /// Until the connection closes.
    UntilClose,
}

/// What a message head says that this program acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Length of the head with its blank line, in bytes.
    pub(crate) len: usize,
    /// The status of a response, 0 for a request.
    pub(crate) status: u16,
    /// How the body ends.
    pub(crate) framing: Framing,
    /// Whether the sender closes the connection after this message.
    pub(crate) closes: bool,
}

impl Head {
    /// Reads a request head; `None` until all of it has arrived.
    pub(crate) fn request(input: &[u8]) -> Result<Option<Self>> {
        let mut fields = [httparse::EMPTY_HEADER; HEADER_FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(input).context("request head")? {
            httparse::Status::Complete(len) => {
                Self::new(len, 0, request.headers, Framing::Length(0)).map(Some)
            }
            httparse::Status::Partial => Self::partial(input),
        }
    }

    /// Reads a response head; `None` until all of it has arrived.
    pub(crate) fn response(input: &[u8]) -> Result<Option<Self>> {
        let mut fields = [httparse::EMPTY_HEADER; HEADER_FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        match response.parse(input).context("response head")? {
            httparse::Status::Complete(len) => {
                let status = response.code.unwrap_or(0);
                Self::new(len, status, response.headers, Framing::UntilClose).map(Some)
            }
            httparse::Status::Partial => Self::partial(input),
        }
    }

    fn partial(input: &[u8]) -> Result<Option<Self>> {
        ensure!(input.len() <= HEAD_BYTES_MAX, "a head of more than {HEAD_BYTES_MAX} bytes");
        Ok(None)
    }

    fn new(
        len: usize,
        status: u16,
        fields: &[httparse::Header<'_>],
        mut framing: Framing,
    ) -> Result<Self> {
        let mut closes = false;
        for field in fields {
            if field.name.eq_ignore_ascii_case("content-length") {
                let length = str::from_utf8(field.value)?.trim().parse();
                framing = Framing::Length(length.context("content-length")?);
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                ensure!(field.value.eq_ignore_ascii_case(b"chunked"), "unknown transfer encoding");
                framing = Framing::Chunked;
            } else if field.name.eq_ignore_ascii_case("connection") {
                closes |= field.value.eq_ignore_ascii_case(b"close");
            }
        }
        Ok(Self { len, status, framing, closes })
    }
}

/// Takes a body off the wire piece by piece.
#[derive(Debug)]
pub(crate) struct Body(State);

#[derive(Debug)]
enum State {
    /// So many bytes are left.
    Length(usize),
    /// Everything up to the end of the connection belongs to it.
    UntilClose,
    /// Within the size line of a chunk; the flag is set once `;` was seen.
    Size(usize, bool),
    /// Within a chunk: so many bytes are left.
    Chunk(usize),
    /// At the line end behind a chunk.
    ChunkEnd,
    /// Within the trailer: bytes seen on the current line.
    Trailer(usize),
    Done,
}

impl Body {
    /// A body that ends as `framing` says.
    pub(crate) fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size(0, false),
            Framing::UntilClose => State::UntilClose,
        })
    }

    /// Whether the last byte was taken.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// Whether the end of the connection is a good end here.
    pub(crate) fn may_close(&self) -> bool {
        matches!(self.0, State::Done | State::UntilClose)
    }

    /// Takes what it can of `input`, hands the payload to `sink` and returns
    /// how many bytes it took: all of them unless the body ended.
    pub(crate) fn feed(
        &mut self,
        input: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<usize> {
        let mut rest = input;
        while !rest.is_empty() {
            match &mut self.0 {
                State::Done => break,
                State::UntilClose => {
                    sink(rest)?;
                    rest = &[];
                }
                State::Length(left) => {
                    let (taken, after) = rest.split_at(rest.len().min(*left));
                    sink(taken)?;
                    *left -= taken.len();
                    if *left == 0 {
                        self.0 = State::Done;
                    }
                    rest = after;
                }
                State::Chunk(left) => {
                    let (taken, after) = rest.split_at(rest.len().min(*left));
                    sink(taken)?;
                    *left -= taken.len();
                    if *left == 0 {
                        self.0 = State::ChunkEnd;
                    }
                    rest = after;
                }
                State::Size(..) | State::ChunkEnd | State::Trailer(_) => {
                    let Some((byte, after)) = rest.split_first() else { break };
                    self.line_byte(*byte)?;
                    rest = after;
                }
            }
        }
        Ok(input.len() - rest.len())
    }

    /// Takes one byte of what stands between chunks.
    fn line_byte(&mut self, byte: u8) -> Result<()> {
        self.0 = match (&self.0, byte) {
            (State::Size(size, _), b'\n') if *size == 0 => State::Trailer(0),
            (State::Size(size, _), b'\n') => State::Chunk(*size),
            (State::Size(size, true), _) | (State::Size(size, false), b';' | b'\r' | b' ') => {
                State::Size(*size, true)
            }
            (State::Size(size, false), digit) => {
                let Some(digit) = char::from(digit).to_digit(16) else {
                    bail!("a chunk size with byte {digit:#04x}");
                };
                let size = size.checked_mul(16).context("a chunk size out of range")?;
                State::Size(size + usize::try_from(digit)?, false)
            }
            (State::ChunkEnd, b'\r') => State::ChunkEnd,
            (State::ChunkEnd, b'\n') => State::Size(0, false),
            (State::ChunkEnd, byte) => bail!("byte {byte:#04x} behind a chunk"),
            (State::Trailer(0), b'\n') => State::Done,
            (State::Trailer(_), b'\n') => State::Trailer(0),
            (State::Trailer(seen), b'\r') => State::Trailer(*seen),
            (State::Trailer(seen), _) => State::Trailer(seen + 1),
            (State::Length(_) | State::UntilClose | State::Chunk(_) | State::Done, _) => {
                bail!("a byte outside of a line")
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
