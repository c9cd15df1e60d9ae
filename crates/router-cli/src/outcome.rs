//! What a command gives back.

use serde_json::Value;

pub(crate) use router_operator::{Failure, Kind};

/// The answer of a command that did what was asked.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// For people; may hold colours, which are taken out where nobody would see them.
    pub(crate) text: String,
    /// For programs: the documented object. `None` if the command has printed all itself.
    pub(crate) value: Option<Value>,
    /// Set if the answer is bad news, such as the problems of a config.
    pub(crate) bad_news: Option<Kind>,
}

impl Outcome {
    /// An answer in both forms.
    pub(crate) fn new(text: impl Into<String>, value: Value) -> Self {
        Self { text: text.into(), value: Some(value), bad_news: None }
    }

    /// Nothing is left to print.
    pub(crate) const fn printed() -> Self {
        Self { text: String::new(), value: None, bad_news: None }
    }

    /// The answer is bad news: the exit code says so.
    pub(crate) const fn bad_news(mut self, kind: Kind) -> Self {
        self.bad_news = Some(kind);
        self
    }
}
