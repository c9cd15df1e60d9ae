//! A scripted, strict LLM provider for demos and tests.
//!
//! [`Demo`] serves the `OpenAI` Chat Completions and Responses APIs, the Anthropic
//! Messages API and the Gemini `generateContent` API on a socket of its own. It
//! holds no model: answers follow from the request by rule, so that the same
//! request is always answered alike. It refuses what the real APIs refuse, in
//! their words and shapes, and fails on purpose where a model name
//! ([`FAULTY_MODELS`]) or a [`Script`] asks for it.
//!
//! ```text
//!  accept -> route -> check the shape -> check the rules -> answer -> fault -> send
//!  serve     route    shape + */shape    */read             brain     apply    serve, bare
//! ```

mod apply;
mod ask;
mod bare;
mod base64;
mod brain;
mod cache;
mod chat;
mod config;
mod demo;
mod face;
mod gemini;
mod gzip;
mod json;
mod legacy;
mod list;
mod media;
mod messages;
mod models;
mod openai;
mod record;
mod refusal;
mod reply;
mod responses;
mod route;
mod sample;
mod script;
mod seal;
mod serve;
mod shape;
mod state;
mod tokens;

pub use crate::cache::CACHED_TOKENS_MIN;
pub use crate::config::demo_config_json;
pub use crate::demo::{Demo, Options};
pub use crate::face::Face;
pub use crate::models::{DemoModel, FAULTY_MODELS, MODELS};
pub use crate::record::{RECORDED_BYTES_MAX, RECORDS_MAX, Record};
pub use crate::script::{At, Fault, Script};
pub use crate::serve::BODY_BYTES_MAX;

/// The wire formats the provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `OpenAI` Chat Completions.
    Chat,
    /// `OpenAI` Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Gemini `generateContent`.
    Gemini,
}
