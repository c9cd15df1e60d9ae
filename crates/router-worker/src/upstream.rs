//! Calls of upstreams through the platform's `fetch`.

use http::header::{CONTENT_ENCODING, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use router_core::failure::{Failure, Fault, classify_transport};
use router_drive::Payload;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Headers, RequestInit, RequestRedirect};
use worker::send::SendWrapper;

use crate::body::{AbortOnDrop, Incoming};
use crate::clock::{global, words};

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
    let call = AbortOnDrop(SendWrapper::new(controller));
    let (head, body) = request.into_parts();
    let init = RequestInit::new();
    init.set_method(head.method.as_str());
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&signal));
    init.set_headers_headers(&to_js(&head.headers).map_err(failed)?);
    init.set_body(&js_sys::Uint8Array::from(&body.join()[..]));
    let promise = global().fetch_with_str_and_init(&head.uri.to_string(), &init);
    let response = JsFuture::from(promise).await.map_err(failed)?;
    let response: web_sys::Response = response.unchecked_into();
    let mut answer = Response::new(Incoming::new(response.body(), Some(call)));
    *answer.status_mut() =
        StatusCode::from_u16(response.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = answer.headers_mut();
    *headers = from_js(&response.headers());
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    if encoding.is_some_and(|encoding| UNDONE.contains(&encoding.trim())) {
        headers.remove(CONTENT_ENCODING);
    }
    Ok(answer)
}

/// Headers as JavaScript has them.
pub(crate) fn to_js(headers: &HeaderMap) -> Result<Headers, JsValue> {
    let out = Headers::new()?;
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            out.append(name.as_str(), value)?;
        }
    }
    Ok(out)
}

/// Headers as Rust has them.
pub(crate) fn from_js(headers: &Headers) -> HeaderMap {
    let mut out = HeaderMap::new();
    for entry in js_sys::try_iter(headers).ok().flatten().into_iter().flatten() {
        let Ok(entry) = entry.map(JsCast::unchecked_into::<js_sys::Array>) else { continue };
        let (Some(name), Some(value)) = (entry.get(0).as_string(), entry.get(1).as_string()) else {
            continue;
        };
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            out.append(name, value);
        }
    }
    out
}
