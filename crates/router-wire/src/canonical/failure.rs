//! A failure in words that every dialect can say.

use crate::json::Str;

/// What kind of failure, as far as clients tell kinds apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureKind {
    /// The request is wrong (400, 422).
    InvalidRequest,
    /// The prompt is longer than the model's context (400).
    ContextTooLong,
    /// No valid key (401).
    Authentication,
    /// No money left (402).
    Billing,
    /// Not allowed (403).
    Permission,
    /// No such model or thing (404).
    NotFound,
    /// It took too long (408, 504).
    Timeout,
    /// The body is too large (413).
    TooLarge,
    /// Too many requests (429).
    RateLimit,
    /// The upstream broke (500, 502).
    Api,
    /// The upstream has no capacity (503, 529).
    Overloaded,
}

impl FailureKind {
    /// The kind an HTTP status stands for.
    pub const fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::InvalidRequest,
            _ => Self::Api,
        }
    }
}

/// A failure reported by an upstream, or by the router in mid-stream.
#[derive(Clone, Debug)]
pub struct Failure<'a> {
    /// Kind.
    pub kind: FailureKind,
    /// What happened, for people.
    pub message: Str<'a>,
    /// The upstream's own code or type, where it gave one.
    pub code: Option<Str<'a>>,
    /// The request member at fault, where the upstream named one.
    pub param: Option<Str<'a>>,
}

impl<'a> Failure<'a> {
    /// A failure with a message and nothing else.
    pub fn new(kind: FailureKind, message: impl Into<Str<'a>>) -> Self {
        Self { kind, message: message.into(), code: None, param: None }
    }
}
