//! Calls of upstreams through the platform's `fetch`.

use http::header::CONTENT_ENCODING;
use http::{Request, Response, StatusCode};
use js_sys::Uint8Array;
use router_core::failure::{Failure, Fault, classify_transport};
use router_drive::Payload;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortController;

use crate::clock::words;
use crate::glue::{self, from_js, to_js};
use crate::incoming::{AbortOnDrop, Incoming};

/// Encodings that the platform has undone when a body is read, although the header stays.
const UNDONE: [&str; 3] = ["gzip", "x-gzip", "br"];

/// Sends a request; resolves when the head of the answer has come.
pub(crate) async fn send(request: Request<Payload>) -> Result<Response<Incoming>, Failure> {
    let failed = |thrown: JsValue| {
        let message = format!("cannot reach the upstream: {}", words(&thrown));
        classify_transport(Fault::Connect, None, &message)
    };
    let controller = AbortController::new().map_err(failed)?;
    let signal = controller.signal();
    let call = AbortOnDrop::new(controller);
    let (head, body) = request.into_parts();
    let (url, lines) = (head.uri.to_string(), to_js(&head.headers));
    let body = Uint8Array::from(&body.join()[..]);
    let promise = glue::send(&url, head.method.as_str(), &lines, &body, &signal);
    let response = JsFuture::from(promise).await.map_err(failed)?;
    let response: web_sys::Response = response.unchecked_into();
    let headers = from_js(&response.headers());
    let status = response.status();
    let mut answer = Response::new(Incoming::new(response, &headers, Some(call)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *answer.headers_mut() = headers;
    let headers = answer.headers_mut();
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    if encoding.is_some_and(|encoding| UNDONE.contains(&encoding.trim())) {
        headers.remove(CONTENT_ENCODING);
    }
    Ok(answer)
}
