//! Bodies that come in from JavaScript: a client's, and an upstream's.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body::{Body, Frame};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, ReadableStream, ReadableStreamDefaultReader, ReadableStreamReadResult,
};
use worker::send::SendWrapper;

use crate::clock::words;
use crate::glue::leave;

/// Bytes of a body that is asked for in one piece, if its length is known: that takes a fraction
/// of reading it as a stream. With a larger one nothing would seem to come for too long.
const SHORT_BYTES_MAX: u64 = 256 * 1024;

#[wasm_bindgen]
extern "C" {
    /// A request or a response: what has a body.
    pub(crate) type Carrier;

    #[wasm_bindgen(method, getter)]
    fn body(this: &Carrier) -> Option<ReadableStream>;

    #[wasm_bindgen(method, js_name = arrayBuffer)]
    fn array_buffer(this: &Carrier) -> Promise;
}

/// A body of a request or an answer, as it arrives. Dropped before its end, it cancels the stream,
/// and with an answer the call.
pub(crate) struct Incoming {
    source: Source,
    /// Ends the call.
    call: Option<AbortOnDrop>,
}

/// Where a body comes from. It is not asked for before it is wanted.
enum Source {
    /// Short: all of it at once.
    Short(SendWrapper<Carrier>),
    /// That, on its way.
    Coming(SendWrapper<JsFuture>),
    /// Long, or of unknown length: piece by piece.
    Long(SendWrapper<Carrier>),
    /// That, being read.
    Read(SendWrapper<Reader>),
    /// Nothing more comes.
    Ended,
}

/// A stream's reader. Dropped before the end, it says that nobody wants the rest.
///
/// What the platform calls is made once, not for each piece: that is a good part of what a piece
/// costs.
struct Reader {
    stream: ReadableStreamDefaultReader,
    /// Whether a piece was asked for that has not come.
    asked: bool,
    has_ended: bool,
    told: Rc<Told>,
    /// What the platform calls with a piece, and what if there is none.
    calls: Option<Calls>,
}

type Calls = [Closure<dyn FnMut(JsValue)>; 2];

/// What the platform said of the piece that was asked for.
#[derive(Default)]
struct Told {
    read: Cell<Option<Result<JsValue, JsValue>>>,
    waker: RefCell<Option<Waker>>,
    /// Of a reader that is gone: the platform may yet call them.
    orphans: Cell<Option<Calls>>,
}

impl Told {
    fn tell(&self, read: Result<JsValue, JsValue>) {
        self.orphans.take();
        self.read.set(Some(read));
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Ends a `fetch`, whatever it is doing, unless there is nothing left to end.
pub(crate) struct AbortOnDrop(Option<SendWrapper<AbortController>>);

/// Why a body broke off.
#[derive(Debug)]
pub(crate) struct Broken(String);

type Piece = Option<Result<Uint8Array, JsValue>>;

impl Incoming {
    /// What `carrier` carries; `call` is the call it belongs to.
    pub(crate) fn new(
        carrier: impl JsCast,
        headers: &HeaderMap,
        call: Option<AbortOnDrop>,
    ) -> Self {
        let carrier = SendWrapper::new(carrier.unchecked_into());
        let source = if is_short(headers) { Source::Short } else { Source::Long };
        Self { source: source(carrier), call }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        loop {
            self.source = match &mut self.source {
                Source::Short(carrier) => {
                    Source::Coming(SendWrapper::new(carrier.array_buffer().into()))
                }
                Source::Long(carrier) => {
                    let Some(stream) = carrier.body() else {
                        self.end();
                        return Poll::Ready(None);
                    };
                    Source::Read(SendWrapper::new(Reader::new(&stream)))
                }
                Source::Coming(whole) => {
                    let whole = ready!(Pin::new(&mut **whole).poll(cx));
                    self.end();
                    return Poll::Ready(Some(whole.map(|buffer| Uint8Array::new(&buffer))));
                }
                Source::Read(reader) => {
                    let piece = ready!(reader.poll(cx));
                    if !matches!(piece, Some(Ok(_))) {
                        self.end();
                    }
                    return Poll::Ready(piece);
                }
                Source::Ended => return Poll::Ready(None),
            };
        }
    }

    fn end(&mut self) {
        self.source = Source::Ended;
        if let Some(call) = &mut self.call {
            call.disarm();
        }
    }
}

/// Whether a body is known to be short. A stream is none of those, whatever its length: its first
/// event is wanted before its last.
fn is_short(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let length = text(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    let is_json = text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    // Decoded, it may have any length.
    let is_plain = !headers.contains_key(CONTENT_ENCODING);
    is_json && is_plain && length.is_some_and(|length| length <= SHORT_BYTES_MAX)
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
        let piece = ready!(self.poll(cx));
        Poll::Ready(piece.map(|piece| match piece {
            Ok(bytes) => Ok(Frame::data(bytes.to_vec().into())),
            Err(thrown) => Err(Broken(words(&thrown))),
        }))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Ended)
    }
}

impl Reader {
    fn new(stream: &ReadableStream) -> Self {
        let stream = stream.get_reader().unchecked_into();
        let told = Rc::<Told>::default();
        let [read, failed] = [Rc::clone(&told), Rc::clone(&told)];
        let calls = Some([
            Closure::new(move |result| read.tell(Ok(result))),
            Closure::new(move |thrown| failed.tell(Err(thrown))),
        ]);
        Self { stream, asked: false, has_ended: false, told, calls }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        if !self.asked
            && let Some([read, failed]) = &self.calls
        {
            self.asked = true;
            let _ = self.stream.read().then2(read, failed);
        }
        let Some(read) = self.told.read.take() else {
            let mut waker = self.told.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        self.asked = false;
        let read = read.map(JsCast::unchecked_into::<ReadableStreamReadResult>);
        self.has_ended = read.as_ref().map_or(true, |read| read.get_done().unwrap_or_default());
        Poll::Ready(match read {
            Ok(_) if self.has_ended => None,
            read => Some(read.map(|read| read.get_value().unchecked_into())),
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.asked {
            self.told.orphans.set(self.calls.take());
        }
        if !self.has_ended {
            leave(&self.stream);
        }
    }
}

impl AbortOnDrop {
    /// Ends the call that has this controller's signal.
    pub(crate) fn new(controller: AbortController) -> Self {
        Self(Some(SendWrapper::new(controller)))
    }

    /// The call is over. To abort it all the same has its price.
    fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(controller) = &self.0 {
            controller.abort();
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}
