//! Bodies that come in from JavaScript, and those that go out to it.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::{Stream, StreamExt};
use http_body::{Body, Frame};
use js_sys::Uint8Array;
use router_drive::ReplyBody;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_streams::readable::IntoStream;
use web_sys::{AbortController, AbortSignal, ReadableStream};
use worker::send::SendWrapper;

use crate::clock::words;
use crate::host::Edge;

/// A body of a request or an answer, as it arrives. Dropped before its end, it cancels the stream,
/// and with an answer the call.
pub(crate) struct Incoming {
    /// `None` where there is none.
    stream: Option<SendWrapper<IntoStream<'static>>>,
    /// Ends the call.
    _call: Option<AbortOnDrop>,
}

/// Ends a `fetch`, whatever it is doing.
pub(crate) struct AbortOnDrop(pub(crate) SendWrapper<AbortController>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why a body broke off.
#[derive(Debug)]
pub(crate) struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl Incoming {
    /// A body; `call` is the call it belongs to.
    pub(crate) fn new(stream: Option<ReadableStream>, call: Option<AbortOnDrop>) -> Self {
        let stream = stream.map(|stream| {
            let stream = wasm_streams::ReadableStream::from_raw(stream.unchecked_into());
            SendWrapper::new(stream.into_stream())
        });
        Self { stream, _call: call }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        let piece = ready!(stream.poll_next_unpin(cx));
        if !matches!(piece, Some(Ok(_))) {
            self.stream = None;
        }
        Poll::Ready(piece.map(|piece| match piece {
            Ok(piece) => {
                let bytes = piece.unchecked_into::<Uint8Array>().to_vec();
                Ok(Frame::data(bytes.into()))
            }
            Err(thrown) => Err(Broken(words(&thrown))),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_none()
    }
}

/// Resolves when the client has gone.
pub(crate) struct Gone {
    signal: AbortSignal,
    told: oneshot::Receiver<()>,
    /// What the platform calls.
    _call: Closure<dyn FnMut()>,
}

impl Gone {
    /// Watches a request's signal.
    pub(crate) fn new(signal: AbortSignal) -> Self {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let call = Closure::<dyn FnMut()>::new(move || {
            if let Some(tell) = tell.take() {
                let _ = tell.send(());
            }
        });
        signal.set_onabort(Some(call.as_ref().unchecked_ref()));
        Self { signal, told, _call: call }
    }
}

impl Future for Gone {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.told).poll(cx).map(drop)
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.signal.set_onabort(None);
    }
}

/// An answer's body on its way to the client. When the client goes away it drops the relay, which
/// closes the upstream.
pub(crate) struct Outgoing {
    body: ReplyBody<Edge>,
    gone: Gone,
}

impl Stream for Outgoing {
    type Item = Result<JsValue, JsValue>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if Pin::new(&mut self.gone).poll(cx).is_ready() {
            self.body = ReplyBody::default();
        }
        loop {
            let frame: Option<Result<Frame<Bytes>, Infallible>> =
                ready!(Pin::new(&mut self.body).poll_frame(cx));
            let Some(Ok(frame)) = frame else { return Poll::Ready(None) };
            if let Ok(piece) = frame.into_data() {
                return Poll::Ready(Some(Ok(Uint8Array::from(&piece[..]).into())));
            }
        }
    }
}

impl Outgoing {
    /// A body for a client that may go away.
    pub(crate) fn new(body: ReplyBody<Edge>, gone: Gone) -> Self {
        Self { body, gone }
    }

    /// As JavaScript reads it: pulled, piece by piece.
    pub(crate) fn into_stream(self) -> ReadableStream {
        wasm_streams::ReadableStream::from_stream(self).into_raw().unchecked_into()
    }
}
