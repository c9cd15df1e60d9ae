//! Where the platform comes in: `fetch` of the Worker.

use std::net::IpAddr;
use std::pin::pin;

use futures_util::future::{Either, select};
use http::header::HeaderName;
use http::{Method, Request, Response};
use js_sys::Uint8Array;
use router_drive::{ReplyBody, handle};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;
use worker::worker_sys::Context;

use crate::glue::{self, from_js, to_js};
use crate::host::Edge;
use crate::incoming::Incoming;
use crate::isolate::{isolate, request_id};
use crate::outgoing::{Gone, Outgoing};

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
    let refused = |what: &str| JsValue::from_str(what);
    let method = Method::from_bytes(request.method().as_bytes());
    let uri = request.url().parse().map_err(|_| refused("not an address"))?;
    let mut gone = Gone::new(request.signal());
    let mut inbound = Request::new(Incoming::new(request, &headers, None));
    *inbound.method_mut() = method.map_err(|_| refused("not a method of HTTP"))?;
    *inbound.uri_mut() = uri;
    *inbound.headers_mut() = headers;
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
    let body = match body.take_whole() {
        Some(bytes) if bytes.is_empty() => JsValue::UNDEFINED,
        Some(bytes) => Uint8Array::from(&bytes[..]).into(),
        None => Outgoing::stream(body, gone)?.into(),
    };
    glue::respond(head.status.as_u16(), &to_js(&head.headers), &body)
}
