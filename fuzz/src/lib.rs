//! What must hold for any input: the bodies of the fuzz targets.
//!
//! A target takes bytes and panics when a claim does not hold; `cargo x fuzz` runs them all. Where the dialect matters there is
//! one target for each, and the target itself goes through everything on the other side, so that
//! the inputs are nothing but bodies and the fixtures of `router-wire` serve as the seeds.

mod bytes;
mod passing;
mod translation;

use router_wire::Dialect::{Anthropic, Gemini, OpenaiChat, OpenaiResponses};
use serde::de::IgnoredAny;
use serde_json::Value;

use translation::{request, response, stream};

/// A target's name and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 18] = [
    ("peek", bytes::peek),
    ("sse", passing::sse),
    ("tap", passing::tap),
    ("count", bytes::count),
    ("errors", bytes::errors),
    ("config", bytes::config),
    ("request_anthropic", |data| request(Anthropic, data)),
    ("request_openai_chat", |data| request(OpenaiChat, data)),
    ("request_openai_responses", |data| request(OpenaiResponses, data)),
    ("request_gemini", |data| request(Gemini, data)),
    ("response_anthropic", |data| response(Anthropic, data)),
    ("response_openai_chat", |data| response(OpenaiChat, data)),
    ("response_openai_responses", |data| response(OpenaiResponses, data)),
    ("response_gemini", |data| response(Gemini, data)),
    ("stream_anthropic", |data| stream(Anthropic, data)),
    ("stream_openai_chat", |data| stream(OpenaiChat, data)),
    ("stream_openai_responses", |data| stream(OpenaiResponses, data)),
    ("stream_gemini", |data| stream(Gemini, data)),
];

/// Pieces of `data` as a network could deliver them: of any small length, also none.
pub(crate) fn pieces(data: &[u8]) -> Vec<&[u8]> {
    let mut state =
        data.iter().fold(7_u32, |sum, &byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let mut rest = data;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = (state >> 24) as usize % if state & 1 << 20 == 0 { 4 } else { 64 };
        let (piece, tail) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// Whether `bytes` are one JSON value. Nesting and the size of numbers are not limited.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    if std::str::from_utf8(bytes).is_err() {
        return false;
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(_) => true,
        Err(error) => {
            let said = error.to_string();
            let limit = said.contains("recursion limit") || said.contains("out of range");
            limit && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
        }
    }
}

/// Panics unless `bytes` are one JSON value.
pub(crate) fn assert_json(bytes: &[u8], what: &str) {
    assert!(is_json(bytes), "{what} is not JSON: {}", String::from_utf8_lossy(bytes));
}
