//! Why an operation did not happen, for people and for programs.

use std::fmt;

use serde_json::{Value, json};

/// The kinds of failure; each has an exit code of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The operation failed, or the operator said no.
    Failed,
    /// Missing or bad input.
    Input,
    /// The config file has errors.
    Config,
    /// Something that should answer cannot be reached.
    Unreachable,
    /// The operator interrupted it.
    Interrupted,
}

impl Kind {
    /// The exit code of a process that ends this way.
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Input => 2,
            Self::Config => 3,
            Self::Unreachable => 4,
            Self::Interrupted => 130,
        }
    }

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Input => "input",
            Self::Config => "config",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What went wrong, and what to do about it. Holds no secret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Failure {
    /// Which kind it is.
    pub kind: Kind,
    /// What went wrong; may have several lines.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// More for programs; `null` if there is nothing to add.
    pub details: Box<Value>,
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, details: Box::default() }
    }

    /// Bad input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Kind::Input, message)
    }

    /// An operation that failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Adds what can be done about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds more for programs.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = Box::new(details);
        self
    }

    /// The documented JSON object.
    pub fn to_json(&self) -> Value {
        json!({ "error": {
            "kind": self.kind.name(),
            "message": self.message,
            "hint": self.hint,
            "details": self.details,
        }})
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
