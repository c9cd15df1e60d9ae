//! The pieces of JavaScript that Rust calls, in `glue.mjs`, and headers as they go through them.
//!
//! Each crossing from WebAssembly into JavaScript has its price; a header would take ten of them.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{AbortSignal, Headers, ReadableStream, ReadableStreamDefaultReader, Response};

#[wasm_bindgen(raw_module = "./glue.mjs")]
extern "C" {
    /// Headers as lines: a name, its value, and so on.
    #[wasm_bindgen(js_name = toLines)]
    fn to_lines(headers: &Headers) -> String;

    /// Sends a request with these lines of headers.
    pub(crate) fn send(
        url: &str,
        method: &str,
        lines: &str,
        body: &Uint8Array,
        signal: &AbortSignal,
    ) -> Promise;

    /// An answer with these lines of headers; `body` is bytes, a stream or undefined.
    #[wasm_bindgen(catch)]
    pub(crate) fn respond(status: u16, lines: &str, body: &JsValue) -> Result<Response, JsValue>;

    /// A stream that `source` fills as it is read.
    #[wasm_bindgen(catch)]
    pub(crate) fn fill(source: JsValue) -> Result<ReadableStream, JsValue>;

    /// Nobody wants the rest.
    pub(crate) fn leave(reader: &ReadableStreamDefaultReader);
}

/// Headers for JavaScript, as lines. Text is all it takes.
pub(crate) fn to_js(headers: &HeaderMap) -> String {
    let mut lines = String::with_capacity(headers.len() * 48);
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            for part in [name.as_str(), "\n", value, "\n"] {
                lines.push_str(part);
            }
        }
    }
    lines
}

/// Headers as Rust has them.
pub(crate) fn from_js(headers: &Headers) -> HeaderMap {
    let lines = to_lines(headers);
    let mut lines = lines.split('\n');
    let mut out = HeaderMap::new();
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            out.append(name, value);
        }
    }
    out
}
