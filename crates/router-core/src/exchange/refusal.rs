//! What the client is told when there is no answer.

use std::time::Duration;

use crate::explain::moment;
use crate::failure::{Failure, FailureClass};
use crate::time::UnixMs;

/// Why there is no answer, or no more of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// What kind of end it is.
    pub kind: RefusalKind,
    /// The upstream failure to tell of, for [`RefusalKind::Upstream`] and
    /// [`RefusalKind::Broken`].
    pub failure: Option<Failure>,
    /// When it is worth trying again, as a delay for `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The same as a point in time, where it is known.
    pub resets_at: Option<UnixMs>,
}

/// Kinds of [`Refusal`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalKind {
    /// Upstreams were called and failed.
    Upstream,
    /// The answer broke after output had gone to the client.
    Broken,
    /// Every candidate's buckets are full.
    Exhausted,
    /// Every candidate is cooling down and being probed already.
    Cooling,
    /// The route has no candidate that could serve the request.
    NoCandidate,
}

impl Refusal {
    /// HTTP status for the client; meaningless for [`RefusalKind::Broken`], whose status is
    /// already sent.
    pub fn status(&self) -> u16 {
        match self.kind {
            RefusalKind::Upstream | RefusalKind::Broken => {
                self.failure.as_ref().map_or(502, Failure::client_status)
            }
            RefusalKind::Exhausted => 429,
            RefusalKind::Cooling => 503,
            RefusalKind::NoCandidate => 400,
        }
    }

    /// The class the client's error type is chosen by.
    pub fn class(&self) -> FailureClass {
        match (&self.failure, self.kind) {
            (Some(failure), _) => failure.class,
            (None, RefusalKind::Exhausted) => FailureClass::RateLimited,
            (None, RefusalKind::NoCandidate) => FailureClass::Unsupported,
            (None, _) => FailureClass::Overloaded,
        }
    }

    /// `Retry-After` in whole seconds, rounded up, at least 1.
    pub fn retry_after_s(&self) -> Option<u64> {
        let delay = self.retry_after?;
        Some(delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0)).max(1))
    }

    /// The sentence for the client; `route` is what it asked for.
    pub fn message(&self, route: &str) -> String {
        // Whole seconds, so that nobody comes a moment too early.
        let moment = |at: UnixMs| moment(UnixMs(at.0.div_ceil(1_000).saturating_mul(1_000)));
        let at = self.resets_at.map(|at| format!(", at {}", moment(at))).unwrap_or_default();
        let wait = self.retry_after_s().map(|s| format!("; try again in {s} s{at}"));
        let wait = wait.unwrap_or_default();
        match (&self.failure, self.kind) {
            (Some(failure), _) if failure.message.is_empty() => {
                format!("the upstream of `{route}` failed: {}", failure.class)
            }
            (Some(failure), RefusalKind::Exhausted) => format!("{}{wait}", failure.message),
            (Some(failure), _) => failure.message.clone(),
            (None, RefusalKind::Exhausted) => {
                format!("every target of `{route}` has used up its configured limits{wait}")
            }
            (None, RefusalKind::NoCandidate) => {
                format!("no target of `{route}` can serve this kind of request")
            }
            (None, _) => {
                format!("every target of `{route}` is cooling down after failures{wait}")
            }
        }
    }
}
