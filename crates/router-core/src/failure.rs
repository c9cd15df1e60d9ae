//! What went wrong with an attempt, and what it means for routing.
//!
//! ```text
//!   status, headers, body ---+
//!   200 with an error -------+--> Failure { class, message, retry_after, .. }
//!   connection, timeout -----+            |
//!                                         v
//!                   class.treatment(): verdict, cooldown scope and length, circuit
//! ```
//!
//! The two tables here are the whole policy: nothing else in the router looks at a status.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalog::CooldownPolicy;
use crate::cooldown::Scope;

mod classify;
mod hints;
mod parameter;

pub use classify::{Answer, Fault, classify, classify_stream_error, classify_transport};
pub use hints::retry_after;

/// What went wrong, reduced to what routing can act on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// The client's request is at fault; no candidate can do better.
    Rejected,
    /// The vendor's policy refuses the content.
    ContentRefused,
    /// The conversation is longer than this model takes.
    ContextTooLong,
    /// This model or vendor does not take a parameter or feature the request needs, or the
    /// request cannot be carried over to its dialect.
    Unsupported,
    /// The request is larger than this upstream takes.
    TooLarge,
    /// The upstream asks to slow down.
    RateLimited,
    /// The upstream has more work than it can take.
    Overloaded,
    /// The upstream failed.
    ServerError,
    /// The upstream did not answer in time.
    TimedOut,
    /// The connection broke after it was made.
    Interrupted,
    /// No connection could be made.
    Unreachable,
    /// The upstream answered with something that is no answer.
    Garbled,
    /// The account has no money or no quota left.
    Billing,
    /// The credential is not valid.
    Unauthorized,
    /// The credential is valid but may not do this.
    Forbidden,
    /// The model or address does not exist there.
    NotFound,
    /// The provider's configuration cannot work: an unusable URL, a redirect.
    Misconfigured,
}

/// What to do next about a failed attempt that no output came of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Try the same candidate again after a delay, then the next.
    RetrySame,
    /// Try the next candidate; the same only if there is no other.
    TryNext,
    /// Try the next candidate; this one would fail again.
    LeaveCandidate,
    /// No candidate can do better.
    GiveUp,
}

/// How long a cooldown lasts where the upstream does not say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Length {
    RateLimit,
    Auth,
    Billing,
    NotFound,
}

/// What a class means for routing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Treatment {
    /// What to do next.
    pub verdict: Verdict,
    /// What is skipped for a while, and whether by default or only when the upstream says how
    /// long.
    cooldown: Option<(Scope, Option<Length>)>,
    /// The circuit that counts it: a model's, or the whole provider's.
    pub circuit: Option<Scope>,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 17] = [
        Self::Rejected,
        Self::ContentRefused,
        Self::ContextTooLong,
        Self::Unsupported,
        Self::TooLarge,
        Self::RateLimited,
        Self::Overloaded,
        Self::ServerError,
        Self::TimedOut,
        Self::Interrupted,
        Self::Unreachable,
        Self::Garbled,
        Self::Billing,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Misconfigured,
    ];

    /// The class's one name in logs, metrics, records and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::ContentRefused => "content-refused",
            Self::ContextTooLong => "context-too-long",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too-large",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server-error",
            Self::TimedOut => "timed-out",
            Self::Interrupted => "interrupted",
            Self::Unreachable => "unreachable",
            Self::Garbled => "garbled",
            Self::Billing => "billing",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// What the class means for routing: the one table that decides it.
    pub const fn treatment(self) -> Treatment {
        use Verdict::{GiveUp, LeaveCandidate, RetrySame, TryNext};
        let (verdict, cooldown, circuit) = match self {
            Self::Rejected | Self::ContentRefused => (GiveUp, None, None),
            Self::ContextTooLong | Self::Unsupported | Self::TooLarge => {
                (LeaveCandidate, None, None)
            }
            Self::RateLimited => (TryNext, Some((Scope::Lane, Some(Length::RateLimit))), None),
            Self::Overloaded | Self::ServerError => {
                (RetrySame, Some((Scope::Model, None)), Some(Scope::Model))
            }
            Self::Interrupted | Self::Garbled => (RetrySame, None, Some(Scope::Model)),
            // It has cost a client's patience once, and perhaps an answer's price.
            Self::TimedOut => (LeaveCandidate, None, Some(Scope::Model)),
            Self::Unreachable => (RetrySame, None, Some(Scope::Provider)),
            Self::Billing => {
                (LeaveCandidate, Some((Scope::Credential, Some(Length::Billing))), None)
            }
            Self::Unauthorized => {
                (LeaveCandidate, Some((Scope::Credential, Some(Length::Auth))), None)
            }
            Self::Forbidden => (LeaveCandidate, Some((Scope::Lane, Some(Length::Auth))), None),
            Self::NotFound => (LeaveCandidate, Some((Scope::Model, Some(Length::NotFound))), None),
            Self::Misconfigured => {
                (LeaveCandidate, Some((Scope::Provider, Some(Length::NotFound))), None)
            }
        };
        Treatment { verdict, cooldown, circuit }
    }

    /// The status a client gets where the upstream sent none that says it.
    pub const fn status(self) -> u16 {
        match self {
            Self::Rejected | Self::ContentRefused | Self::ContextTooLong | Self::Unsupported => 400,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Overloaded => 529,
            Self::ServerError => 500,
            Self::TimedOut => 504,
            Self::Interrupted | Self::Unreachable | Self::Garbled | Self::Misconfigured => 502,
            Self::Billing => 402,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
        }
    }

    /// How much a client is helped by hearing of this failure rather than of another one of the
    /// same exchange: what it can change first, then what it can wait for, then what only the
    /// operator can mend.
    pub(crate) const fn telling(self) -> u8 {
        match self {
            Self::Rejected | Self::ContentRefused => 7,
            Self::ContextTooLong | Self::TooLarge => 6,
            Self::Unsupported => 5,
            Self::RateLimited => 4,
            Self::Overloaded | Self::ServerError => 3,
            Self::TimedOut | Self::Interrupted | Self::Unreachable | Self::Garbled => 2,
            Self::Billing | Self::Unauthorized | Self::Forbidden => 1,
            Self::NotFound | Self::Misconfigured => 0,
        }
    }
}

impl std::fmt::Display for FailureClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Treatment {
    /// What to skip and for how long; `asked` is the delay the upstream named.
    pub fn cooldown(
        self,
        policy: &CooldownPolicy,
        asked: Option<Duration>,
    ) -> Option<(Scope, Duration)> {
        let (scope, length) = self.cooldown?;
        let default = length.map(|length| match length {
            Length::RateLimit => policy.rate_limit,
            Length::Auth => policy.auth,
            Length::Billing => policy.billing,
            Length::NotFound => policy.not_found,
        });
        let length = asked.filter(|asked| !asked.is_zero()).or(default)?.min(policy.max);
        (!length.is_zero()).then_some((scope, length))
    }
}

/// One failed attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// What it comes down to.
    pub class: FailureClass,
    /// The upstream's status, if it sent one.
    pub status: Option<u16>,
    /// The upstream's own words, or what happened to the connection. Bounded; holds no secret of
    /// the router, but may quote the client's request.
    pub message: String,
    /// The upstream's error code (or type, or status name), if it sent one.
    pub code: Option<String>,
    /// How long the upstream asked to be left alone.
    pub retry_after: Option<Duration>,
    /// The member at the top of the request that the upstream does not know or take, if it says so.
    pub parameter: Option<String>,
}

impl Failure {
    /// A failure the host found by itself.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            message: message.into(),
            code: None,
            retry_after: None,
            parameter: None,
        }
    }

    /// The status for the client: the upstream's if it is an error status, else the class's.
    pub fn client_status(&self) -> u16 {
        self.status
            .filter(|status| (400..600).contains(status))
            .unwrap_or_else(|| self.class.status())
    }

    /// Whether the upstream refuses the state of earlier reasoning in the request: it was made by
    /// another account or model, or has expired.
    pub fn is_about_state(&self) -> bool {
        const WORDS: [&str; 4] = [
            "encrypted content could not be",
            "encrypted_content could not be",
            "invalid `signature` in `thinking`",
            "invalid signature in thinking",
        ];
        if self.code.as_deref() == Some("invalid_encrypted_content") {
            return true;
        }
        let message = self.message.to_ascii_lowercase();
        self.status == Some(400) && WORDS.iter().any(|words| message.contains(words))
    }

    /// Whether an upstream answered at all: its status line came.
    pub const fn answered(&self) -> bool {
        self.status.is_some()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.class)?;
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

#[cfg(test)]
mod tests;
