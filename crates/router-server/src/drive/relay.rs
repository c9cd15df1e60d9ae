//! Copying a stream to the client after the commit point.
//!
//! The relay owns the upstream's body to its end, whatever that end is: dropped with the client's
//! connection, it closes the upstream's. It hands on whole events only, so that a stream that dies
//! in the middle of one still ends in a readable error event and never in a clean end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use router_core::catalog::StreamPolicy;

use super::attempt::Streaming;
use super::settle::{End, Settling};
use super::timer::{Silence, SilenceTimer};
use super::watch::{Cut, Watch};

/// Pieces that are ready at once are merged up to this size; more would only cost memory.
const MERGE_BYTES: usize = 16 * 1024;
/// A comment, which every server-sent-event reader skips (WHATWG HTML 9.2.6).
pub(super) const PING: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// An upstream's stream on its way to the client.
#[derive(Debug)]
pub(crate) struct Relay {
    /// What was held back until the commit point.
    held: Option<Bytes>,
    /// `None` once the stream has ended.
    upstream: Option<Incoming>,
    watch: Watch,
    timer: SilenceTimer,
    settling: Settling,
}

impl Relay {
    /// Starts with what was held back.
    pub(crate) fn new(stream: Box<Streaming>, policy: &StreamPolicy, settling: Settling) -> Self {
        let Streaming { held, upstream, watch, timeouts, .. } = *stream;
        let timer = SilenceTimer::new(timeouts.idle, policy.keep_alive);
        let held = Some(held).filter(|held| !held.is_empty());
        let mut relay = Self { held, upstream, watch, timer, settling };
        if relay.upstream.is_none() {
            relay.settling.finish(End::Complete, relay.watch.usage());
        }
        relay
    }

    /// The next bytes for the client; `None` at the end.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(held) = self.held.take() {
            return Poll::Ready(Some(held));
        }
        let mut ready = Merged::default();
        loop {
            let Some(upstream) = &mut self.upstream else {
                return Poll::Ready(ready.take());
            };
            match Pin::new(upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(piece) = frame.into_data() else { continue };
                    self.timer.heard();
                    ready.add(self.watch.push(piece));
                }
                Poll::Ready(Some(Err(error))) => {
                    ready.add(self.end(&Cut::Broken(crate::client::failure::chain(&error))));
                }
                Poll::Ready(None) => ready.add(self.end(&Cut::Closed)),
                Poll::Pending if ready.is_empty() => match self.timer.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Silence::Ping) => return Poll::Ready(Some(PING)),
                    Poll::Ready(Silence::Idle) => ready.add(self.end(&Cut::Idle)),
                },
                Poll::Pending => return Poll::Ready(ready.take()),
            }
            if MERGE_BYTES <= ready.len() || self.watch.is_over() {
                if self.watch.is_over() {
                    ready.add(self.end(&Cut::Closed));
                }
                return Poll::Ready(ready.take());
            }
        }
    }

    /// The upstream is done, one way or another: what the client still has to be told.
    fn end(&mut self, cut: &Cut) -> Bytes {
        if self.upstream.take().is_none() {
            return Bytes::new();
        }
        let (last, end) = self.watch.end(cut);
        self.settling.finish(end, self.watch.usage());
        last
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.get_mut().poll_bytes(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Drop for Relay {
    /// The one end that nothing else can notice: the client went away.
    fn drop(&mut self) {
        if self.upstream.take().is_some() {
            self.settling.finish(End::ClientGone, self.watch.usage());
        }
    }
}

/// Bytes to hand on together; a single piece is not copied.
#[derive(Default)]
struct Merged {
    first: Bytes,
    rest: BytesMut,
}

impl Merged {
    fn add(&mut self, piece: Bytes) {
        if self.first.is_empty() {
            self.first = piece;
        } else if !piece.is_empty() {
            if self.rest.is_empty() {
                self.rest.reserve(self.first.len() + piece.len());
                self.rest.extend_from_slice(&self.first);
            }
            self.rest.extend_from_slice(&piece);
        }
    }

    fn len(&self) -> usize {
        self.first.len().max(self.rest.len())
    }

    fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    fn take(&mut self) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
        let first = std::mem::take(&mut self.first);
        if self.rest.is_empty() { Some(first) } else { Some(self.rest.split().freeze()) }
    }
}
