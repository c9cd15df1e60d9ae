//! Wire formats: dialects, streams, and the few bytes the router itself must read.
//!
//! This crate is pure: bytes and plain values in, bytes and plain values out. It has no policy,
//! does no I/O, and builds for `wasm32-unknown-unknown`.

pub mod anthropic;
pub mod canonical;
pub mod detect;
pub mod dialect;
pub mod error;
pub mod estimate;
pub mod facts;
pub mod fit;
pub mod gemini;
pub mod ids;
pub mod json;
pub mod media;
pub mod models;
pub mod openai_chat;
pub mod openai_responses;
pub mod peek;
pub mod splice;
pub mod sse;
pub mod surface;
pub mod tap;
pub mod translate;
pub mod usage;

pub use dialect::Dialect;
pub use usage::Usage;
