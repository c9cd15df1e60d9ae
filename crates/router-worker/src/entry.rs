//! Where the platform comes in: `fetch` of the Worker.

use std::net::IpAddr;
use std::pin::pin;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::header::HeaderName;
use http::{Method, Request, Response};
use router_drive::{ReplyBody, handle};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::ResponseInit;
use worker::Env;
use worker::worker_sys::Context;

use crate::body::{Gone, Incoming, Outgoing};
use crate::host::Edge;
use crate::isolate::{isolate, request_id};
use crate::upstream::{from_js, to_js};

/// The client's address, as the platform saw it; a client's own header of this name is replaced.
const CLIENT: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// Says in the log where a bug is, before the module is started anew.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|info| worker::console_error!("{info}")));
}

/// Answers one request.
#[wasm_bindgen]
pub async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> Result<web_sys::Response, JsValue> {
    let snapshot = isolate().snapshot(&env).await;
    let host = Edge::new(snapshot, &env, context);
    let headers = from_js(&request.headers());
    let peer = headers.get(CLIENT).and_then(|value| value.to_str().ok()?.parse::<IpAddr>().ok());
    let mut inbound = Request::new(Incoming::new(request.body(), None));
    let refused = |what: &str| JsValue::from_str(what);
    *inbound.method_mut() = Method::from_bytes(request.method().as_bytes())
        .map_err(|_| refused("not a method of HTTP"))?;
    *inbound.uri_mut() = request.url().parse().map_err(|_| refused("not an address"))?;
    *inbound.headers_mut() = headers;
    let mut gone = Gone::new(request.signal());
    let mut handling = pin!(handle(host, request_id(), peer, inbound));
    let answer = match select(handling.as_mut(), &mut gone).await {
        Either::Left((answer, _)) => Some(answer),
        // Dropping what was under way cancels and settles it; nobody reads what is answered.
        Either::Right(_) => None,
    };
    respond(answer.ok_or_else(|| refused("the client has gone"))?, gone)
}

fn respond(answer: Response<ReplyBody<Edge>>, gone: Gone) -> Result<web_sys::Response, JsValue> {
    let (head, mut body) = answer.into_parts();
    let init = ResponseInit::new();
    init.set_status(head.status.as_u16());
    init.set_headers_headers(&to_js(&head.headers)?);
    if let Some(bytes) = body.take_whole() {
        whole(&bytes, &init)
    } else {
        let stream = Outgoing::stream(body, gone)?;
        web_sys::Response::new_with_opt_readable_stream_and_init(Some(&stream), &init)
    }
}

fn whole(bytes: &Bytes, init: &ResponseInit) -> Result<web_sys::Response, JsValue> {
    if bytes.is_empty() {
        return web_sys::Response::new_with_opt_readable_stream_and_init(None, init);
    }
    let bytes = js_sys::Uint8Array::from(&bytes[..]);
    web_sys::Response::new_with_opt_js_u8_array_and_init(Some(&bytes), init)
}
