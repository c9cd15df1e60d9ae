//! What goes back to a client.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

use crate::drive::hold::Holding;
use crate::drive::relay::Relay;
use crate::host::Host;

/// The id of the exchange, on every answer.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The same under the name Anthropic's SDKs read.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// What a stream of server-sent events is labelled with.
pub(crate) const EVENT_STREAM: HeaderValue =
    HeaderValue::from_static("text/event-stream; charset=utf-8");

/// The body of an answer.
#[derive(Debug)]
pub struct ReplyBody<H: Host>(Kind<H>);

#[derive(Debug)]
enum Kind<H: Host> {
    /// Complete bytes; `None` once they are handed on.
    Whole(Option<Bytes>),
    /// A stream after its commit point.
    Relay(Box<Relay<H>>),
    /// A stream whose first output is still awaited while the client is kept alive.
    Holding(Box<Holding<H>>),
}

impl<H: Host> ReplyBody<H> {
    /// No bytes.
    pub(crate) const fn empty() -> Self {
        Self(Kind::Whole(None))
    }

    /// Complete bytes.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    /// A stream after its commit point.
    pub(crate) fn relay(relay: Relay<H>) -> Self {
        Self(Kind::Relay(Box::new(relay)))
    }

    /// A stream whose first output is still awaited.
    pub(crate) fn holding(holding: Holding<H>) -> Self {
        Self(Kind::Holding(Box::new(holding)))
    }

    /// All of it, where it is no stream.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Kind::Whole(bytes) => Some(bytes.take().unwrap_or_default()),
            Kind::Relay(_) | Kind::Holding(_) => None,
        }
    }
}

impl<H: Host> Default for ReplyBody<H> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<H: Host> Body for ReplyBody<H> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Relay(relay) => Pin::new(&mut **relay).poll_frame(cx),
            Kind::Holding(holding) => Pin::new(&mut **holding).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Kind::Relay(_) | Kind::Holding(_) => SizeHint::default(),
        }
    }
}

/// A JSON answer of the router's own.
pub(crate) fn json<H: Host>(status: StatusCode, body: impl Into<Bytes>) -> Response<ReplyBody<H>> {
    let mut response = Response::new(ReplyBody::whole(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The headers of a stream: of server-sent events, or of the elements of one JSON array.
pub(crate) fn stream_headers(array: bool, headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, if array { JSON } else { EVENT_STREAM });
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Tells nginx, as a reverse proxy in front, not to collect events.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}
