//! What went wrong, and what a person can do about it.

use std::fmt;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The operation failed.
    Failed,
    /// Something the operator gave is missing or wrong.
    Input,
    /// The config file cannot be deployed.
    Config,
    /// Nobody answers.
    Unreachable,
}

/// An error for a person. Never holds a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Whose turn it is.
    pub kind: Kind,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Cloudflare's error codes, in the order they came.
    pub codes: Vec<i64>,
}

impl Problem {
    /// An error without a hint.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, codes: Vec::new() }
    }

    /// Bad or missing input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Kind::Input, message)
    }

    /// The operation failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether Cloudflare gave this code.
    pub fn has_code(&self, code: i64) -> bool {
        self.codes.contains(&code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
