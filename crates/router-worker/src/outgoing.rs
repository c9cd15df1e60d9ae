//! Bodies that go out to JavaScript: answers, streamed to a client that may leave.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_channel::oneshot;
use http_body::{Body, Frame};
use js_sys::Uint8Array;
use router_drive::ReplyBody;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::future_to_promise;
use web_sys::{AbortSignal, ReadableStream, ReadableStreamDefaultController};

use crate::glue::fill;
use crate::host::Edge;

/// The body of an answer that is being sent; whoever gives it up ends the call.
type Held = Rc<RefCell<ReplyBody<Edge>>>;

/// Resolves when the client has gone. The answer it holds is dropped at that moment, which closes
/// the upstream: the platform may never again ask for more of it.
pub(crate) struct Gone {
    signal: AbortSignal,
    held: Held,
    told: oneshot::Receiver<()>,
    /// What the platform calls.
    _call: Closure<dyn FnMut()>,
}

impl Gone {
    /// Watches a request's signal.
    pub(crate) fn new(signal: AbortSignal) -> Self {
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let held = Held::default();
        let answer = Rc::clone(&held);
        let call = Closure::<dyn FnMut()>::new(move || {
            drop(answer.try_borrow_mut().map(|mut body| std::mem::take(&mut *body)));
            if let Some(tell) = tell.take() {
                let _ = tell.send(());
            }
        });
        signal.set_onabort(Some(call.as_ref().unchecked_ref()));
        Self { signal, held, told, _call: call }
    }

    /// Holds an answer, unless the client has gone meanwhile.
    fn hold(&self, body: ReplyBody<Edge>) {
        if !self.signal.aborted() {
            *self.held.borrow_mut() = body;
        }
    }
}

impl Future for Gone {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.told).poll(cx).map(drop)
    }
}

impl Gone {
    /// The next piece of the answer it holds.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if Pin::new(&mut *self).poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        let mut body = self.held.borrow_mut();
        loop {
            let frame: Option<Result<Frame<Bytes>, Infallible>> =
                ready!(Pin::new(&mut *body).poll_frame(cx));
            let Some(Ok(frame)) = frame else { return Poll::Ready(None) };
            if let Ok(piece) = frame.into_data() {
                return Poll::Ready(Some(piece));
            }
        }
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.signal.set_onabort(None);
    }
}

/// An answer's body on its way to the client: what a stream of the platform is filled from.
///
/// The platform's `cancel` drops the body in the same turn, as a request that is over may get no
/// other.
#[wasm_bindgen]
pub struct Outgoing(Rc<RefCell<Option<Gone>>>);

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}

#[wasm_bindgen]
impl Outgoing {
    /// Hands on the next piece.
    pub fn pull(&self, out: ReadableStreamDefaultController) -> js_sys::Promise {
        let held = Rc::clone(&self.0);
        future_to_promise(async move {
            let piece = poll_fn(|cx| match &mut *held.borrow_mut() {
                Some(gone) => gone.next(cx),
                None => Poll::Ready(None),
            });
            if let Some(piece) = piece.await {
                out.enqueue_with_chunk(&Uint8Array::from(&piece[..]))?;
            } else {
                held.take();
                // It fails where the platform has closed it itself.
                let _ = out.close();
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// The client has gone.
    pub fn cancel(&self) {
        if let Ok(mut gone) = self.0.try_borrow_mut() {
            *gone = None;
        }
    }
}

impl Outgoing {
    /// A body for a client that may go away, as JavaScript reads it: pulled, piece by piece.
    pub(crate) fn stream(body: ReplyBody<Edge>, gone: Gone) -> Result<ReadableStream, JsValue> {
        gone.hold(body);
        fill(JsValue::from(Self(Rc::new(RefCell::new(Some(gone))))))
    }
}
