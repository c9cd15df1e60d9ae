//! Copying a stream to the client after the commit point.
//!
//! The relay owns the upstream's body to its end, whatever that end is: dropped with the client's
//! connection, it closes the upstream's. It hands on whole events only, so that a stream that dies
//! in the middle of one still ends in a readable error event and never in a clean end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use router_core::catalog::StreamPolicy;
use router_wire::Dialect;

use super::again::Calling;
use super::attempt::Streaming;
use super::settle::{End, Settling};
use super::timer::{Silence, SilenceTimer};
use super::watch::{Cut, Watch};
use crate::host::Host;

/// Pieces that are ready at once are merged up to this size; more would only cost memory.
const MERGE_BYTES: usize = 16 * 1024;
/// Polls for which bytes that are ready are kept, so that more can join them: the server polls a
/// body twice in one turn of its task, and the turn after that the upstream's task has had its own.
const WAITS_MAX: u8 = 2;
/// How long an upstream may take to end its body after the client's answer is complete.
const COMPLETE_GRACE: Duration = Duration::from_millis(500);
/// A comment, which every server-sent-event reader skips (WHATWG HTML 9.2.6).
const PING: Bytes = Bytes::from_static(b": keep-alive\n\n");
/// An empty line, as Google's SDKs take a comment for a broken event.
const PING_GEMINI: Bytes = Bytes::from_static(b"\n");

/// The event that clients of Messages count as a sign of life; Claude Code gives up a stream in
/// which only comments come.
const PING_MESSAGES: Bytes = Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");

/// What keeps a connection alive whose answer has not begun, and says nothing to a client of
/// `dialect`.
pub(super) fn ping(dialect: Dialect) -> Bytes {
    if dialect == Dialect::Gemini { PING_GEMINI } else { PING }
}

/// An upstream's stream on its way to the client.
#[derive(Debug)]
pub(crate) struct Relay<H: Host> {
    /// What the client gets next; at first what was held back until the commit point.
    ready: Merged,
    /// Polls since the last piece in which `ready` was kept for more to come.
    waits: u8,
    /// `None` once the stream has ended.
    upstream: Option<H::Body>,
    /// The call that goes on with an interrupted stream; `upstream` is `None` as long as it lasts.
    calling: Option<Calling<H>>,
    connect: Option<Duration>,
    watch: Watch,
    /// The inbound dialect.
    dialect: Dialect,
    /// Whether the client's answer has begun.
    begun: bool,
    timer: SilenceTimer<H>,
    /// When the client's answer became complete.
    complete: Option<H::Instant>,
    settling: Settling<H>,
}

impl<H: Host> Relay<H> {
    /// Starts with what was held back.
    pub(crate) fn new(
        stream: Streaming<H>,
        dialect: Dialect,
        policy: &StreamPolicy,
        settling: Settling<H>,
    ) -> Self {
        let Streaming { held, upstream, watch, timeouts, .. } = stream;
        let timer = SilenceTimer::new(timeouts.idle, policy.keep_alive);
        let mut ready = Merged::default();
        let begun = !held.is_empty();
        ready.add(held);
        let (waits, calling, connect, complete) = (0, None, timeouts.connect, None);
        let mut relay = Self {
            ready,
            waits,
            upstream,
            calling,
            connect,
            watch,
            dialect,
            begun,
            timer,
            complete,
            settling,
        };
        if relay.upstream.is_some() {
            relay.call_again();
        } else {
            relay.settling.keep(relay.watch.kept());
            relay.finish(End::Complete);
        }
        relay
    }

    /// The next bytes for the client; `None` at the end.
    ///
    /// A burst arrives here as one frame per upstream chunk, each delivered by the task of the
    /// upstream's connection. So before handing on what is there, that task gets one turn: what
    /// it delivers goes into the same write, and a token that comes alone waits for microseconds.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while self.is_open() && self.ready.len() < MERGE_BYTES {
            match self.poll_upstream(cx) {
                Poll::Ready(Some(Ok(frame))) => self.take_in(frame),
                Poll::Ready(Some(Err(error))) => {
                    self.end(&Cut::Broken(H::words(&error)));
                }
                Poll::Ready(None) => self.end(&Cut::Closed),
                Poll::Pending if self.ready.is_empty() => {
                    match std::task::ready!(self.timer.poll(cx)) {
                        Silence::Ping => self.ready.add(self.ping()),
                        Silence::Idle => self.end(&Cut::Idle),
                    }
                }
                Poll::Pending if self.waits == WAITS_MAX => break,
                Poll::Pending => {
                    self.waits += 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
        self.waits = 0;
        Poll::Ready(self.ready.take())
    }

    fn ping(&self) -> Bytes {
        if self.begun && self.dialect == Dialect::Anthropic {
            PING_MESSAGES
        } else {
            ping(self.dialect)
        }
    }

    fn is_open(&self) -> bool {
        self.upstream.is_some() || self.calling.is_some()
    }

    /// The next frame of the upstream's body, which may be that of a further call.
    fn poll_upstream(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, H::BodyError>>> {
        if let Some(calling) = &mut self.calling {
            let Some(body) = std::task::ready!(calling.poll(cx)) else { return Poll::Ready(None) };
            (self.upstream, self.calling) = (Some(body), None);
            self.watch.resumed();
            self.timer.heard();
        }
        match &mut self.upstream {
            Some(upstream) => Pin::new(upstream).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    /// If the upstream has interrupted its answer: goes on with it.
    fn call_again(&mut self) {
        if let Some(request) = self.watch.next_call() {
            self.upstream = None;
            self.calling = Some(Calling::new(self.settling.host(), request, self.connect));
        }
    }

    fn take_in(&mut self, frame: Frame<Bytes>) {
        // Trailers say nothing a client of these formats reads.
        let Ok(piece) = frame.into_data() else { return };
        self.timer.heard();
        self.waits = 0;
        let events = self.watch.push(piece);
        if !events.is_empty() {
            self.begun = true;
            self.timer.told();
        }
        self.ready.add(events);
        self.call_again();
        if self.watch.is_over() || self.is_late() {
            self.end(&Cut::Closed);
        }
    }

    /// Whether the client has had its whole answer for a while. An upstream normally ends its body
    /// at once, and its connection can be used again; one that goes on, as where the router itself
    /// found the stop sequence, is cut off.
    fn is_late(&mut self) -> bool {
        if self.complete.is_none() && self.watch.is_complete() {
            self.complete = Some(H::instant());
            self.settling.keep(self.watch.kept());
            self.timer.end_after(COMPLETE_GRACE);
        }
        self.complete.is_some_and(|at| COMPLETE_GRACE < H::instant() - at)
    }

    /// Ends all calls; false if there was none.
    fn close(&mut self) -> bool {
        let was_open = self.is_open();
        (self.upstream, self.calling) = (None, None);
        was_open
    }

    /// The upstream is done, one way or another: what the client still has to be told.
    fn end(&mut self, cut: &Cut) {
        if self.close() {
            let (last, end) = self.watch.end(cut);
            self.ready.add(last);
            if self.complete.is_none() {
                self.settling.keep(self.watch.kept());
            }
            self.finish(end);
        }
    }

    fn finish(&mut self, end: End) {
        self.settling.lost(self.watch.losses());
        self.settling.finish(end, self.watch.usage());
    }
}

impl<H: Host> Body for Relay<H> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.get_mut().poll_bytes(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl<H: Host> Drop for Relay<H> {
    /// The one end that nothing else can notice: the client went away.
    fn drop(&mut self) {
        if self.close() {
            self.finish(End::ClientGone);
        }
    }
}

/// Bytes to hand on together; a single piece is not copied.
#[derive(Debug, Default)]
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
