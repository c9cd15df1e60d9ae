//! What an upstream answers, whatever dialect it speaks.

use super::content::{Json, Part};
use super::stop::Stop;
use crate::json::Str;
use crate::usage::Usage;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The upstream's id for it. Writers derive their own id from it.
    pub id: Str<'a>,
    /// The model that answered.
    pub model: Str<'a>,
    /// When it was made, in seconds since 1970.
    pub created_s: Option<u64>,
    /// One answer, or as many as were asked for. Never empty.
    pub choices: Vec<Choice<'a>>,
    /// Tokens.
    pub usage: Usage,
    /// The class of service that was used, in the upstream's word.
    pub service_tier: Option<Str<'a>>,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    /// Text, thinking, tool calls, refusals, in order.
    pub parts: Vec<Part<'a>>,
    /// How it ended.
    pub stop: Stop<'a>,
    /// Probabilities of the tokens, in the form of Chat's `logprobs`.
    pub logprobs: Option<Json<'a>>,
}
