//! A client's first bytes, which have to come in time.
//!
//! Whether a client speaks HTTP/1 or HTTP/2 shows in its first bytes, and hyper waits for them as
//! long as it takes. A connection that says nothing, or only the beginning of an HTTP/2 preface,
//! would hold a place for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// What an HTTP/2 client begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose reads fail once its first bytes are late.
#[derive(Debug)]
pub(crate) struct Opening {
    io: TokioIo<TcpStream>,
    /// `None` when the protocol is known, and hyper's own limits hold.
    timer: Option<Pin<Box<Sleep>>>,
    /// Bytes of the preface that have come.
    seen: usize,
}

impl Opening {
    /// A connection that has `limit` to show what it speaks.
    pub(crate) fn new(stream: TcpStream, limit: Duration) -> Self {
        let timer = Some(Box::pin(tokio::time::sleep(limit)));
        Self { io: TokioIo::new(stream), timer, seen: 0 }
    }

    /// Takes note of what was read.
    fn saw(&mut self, bytes: &[u8]) {
        let rest = PREFACE.get(self.seen..).unwrap_or_default();
        if rest.len() > bytes.len() && rest.starts_with(bytes) {
            self.seen += bytes.len();
        } else {
            self.timer = None;
        }
    }
}

impl Read for Opening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(timer) = &mut self.timer else {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        };
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let mut first = [0; PREFACE.len()];
        let room = buffer.remaining().min(first.len());
        let mut read = tokio::io::ReadBuf::new(first.get_mut(..room).unwrap_or_default());
        ready!(tokio::io::AsyncRead::poll_read(Pin::new(self.io.inner_mut()), cx, &mut read))?;
        buffer.put_slice(read.filled());
        self.saw(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Opening {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }
}
