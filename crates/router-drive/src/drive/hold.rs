//! Keeping a client's connection alive while no candidate has produced anything yet.
//!
//! When the silence before the first output lasts longer than the keep-alive interval, the client
//! gets its response head and comments, which commit to no content. Fall-over goes on behind it;
//! if every candidate fails, the stream ends in one error event.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use router_wire::Dialect;

use super::relay::ping;
use crate::host::Host;
use crate::inbound::Refused;
use crate::reply::ReplyBody;

/// The rest of an exchange, up to its commit point.
pub(crate) type Driving<H> =
    Pin<Box<dyn Future<Output = Result<Response<ReplyBody<H>>, Refused<H>>> + Send>>;

/// A stream that has only been kept alive so far.
pub(crate) struct Holding<H: Host> {
    state: State<H>,
    /// The inbound dialect.
    dialect: Dialect,
    interval: Duration,
    ping: Pin<Box<H::Sleep>>,
    /// Renders an error as the client dialect's terminal event.
    error_event: Box<dyn Fn(Refused<H>) -> Bytes + Send>,
}

enum State<H: Host> {
    Waiting(Driving<H>),
    Relaying(ReplyBody<H>),
    Done,
}

impl<H: Host> Holding<H> {
    /// Goes on with `driving`; the first ping is due at once.
    pub(crate) fn new(
        driving: Driving<H>,
        dialect: Dialect,
        interval: Duration,
        error_event: impl Fn(Refused<H>) -> Bytes + Send + 'static,
    ) -> Self {
        let ping = Box::pin(H::sleep_until(H::instant()));
        let error_event = Box::new(error_event);
        Self { state: State::Waiting(driving), dialect, interval, ping, error_event }
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.state {
                State::Waiting(driving) => match driving.as_mut().poll(cx) {
                    Poll::Ready(Ok(response)) => {
                        self.state = State::Relaying(response.into_body());
                    }
                    Poll::Ready(Err(error)) => {
                        self.state = State::Done;
                        return Poll::Ready(Some((self.error_event)(error)));
                    }
                    Poll::Pending => {
                        ready!(self.ping.as_mut().poll(cx));
                        H::reset(self.ping.as_mut(), H::instant() + self.interval);
                        return Poll::Ready(Some(ping(self.dialect)));
                    }
                },
                State::Relaying(body) => {
                    let Some(Ok(frame)) = ready!(Pin::new(body).poll_frame(cx)) else {
                        self.state = State::Done;
                        return Poll::Ready(None);
                    };
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(data));
                    }
                }
                State::Done => return Poll::Ready(None),
            }
        }
    }
}

impl<H: Host> Body for Holding<H> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.get_mut().poll_bytes(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl<H: Host> fmt::Debug for Holding<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Waiting(_) => "waiting",
            State::Relaying(_) => "relaying",
            State::Done => "done",
        };
        f.debug_struct("Holding").field("state", &state).finish_non_exhaustive()
    }
}
