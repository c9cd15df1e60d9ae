//! Why an answer ended.

use crate::json::Str;

/// Why the model stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StopReason {
    /// It was done.
    EndTurn,
    /// The token limit of the request.
    MaxTokens,
    /// The model's context is full.
    ContextFull,
    /// One of the stop sequences.
    StopSequence,
    /// It calls tools and waits for the results.
    ToolUse,
    /// The model or a filter refused.
    Refusal,
    /// The vendor wants the turn sent again to go on (Anthropic server tools).
    Pause,
}

/// How an answer ended.
#[derive(Clone, Debug)]
pub struct Stop<'a> {
    /// Why.
    pub reason: StopReason,
    /// The stop sequence that fired, where the upstream tells.
    pub sequence: Option<Str<'a>>,
    /// Explanation of a refusal.
    pub details: Option<Str<'a>>,
}

impl Stop<'_> {
    /// An end without details.
    pub const fn new(reason: StopReason) -> Self {
        Self { reason, sequence: None, details: None }
    }
}
