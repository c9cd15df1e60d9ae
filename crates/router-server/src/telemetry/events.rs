//! What there is to tell of an exchange, at its end.

use std::time::Duration;

use router_core::catalog::{Catalog, ModelRef};
use router_core::exchange::{Exchange, RefusalKind};
use router_wire::{Dialect, Usage};

use super::Labels;

/// An exchange that is over. Told exactly once, whatever its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) labels: &'a Labels,
    /// The number of the alias that was asked for; `None` for a model named directly.
    pub(crate) alias: Option<usize>,
    pub(crate) inbound: Dialect,
    pub(crate) exchange: &'a Exchange,
    pub(crate) outcome: Outcome,
    /// What the upstream reported.
    pub(crate) usage: Option<&'a Usage>,
    /// From accept to the first meaningful output.
    pub(crate) first_output: Option<Duration>,
    /// From accept to the end.
    pub(crate) total: Duration,
}

impl Ended<'_> {
    /// The model that answered, or the last one tried; `None` if none was called.
    pub(super) fn model(&self) -> Option<ModelRef> {
        self.exchange.attempts().last()?;
        self.exchange.candidate().map(|candidate| candidate.model)
    }
}

/// How an exchange ended, as the client saw it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Outcome {
    /// With a complete answer.
    Complete,
    /// With an error event after some output.
    Broken,
    /// The client went away.
    ClientGone,
    /// With an upstream's failure.
    Failed,
    /// Refused: every bucket was full.
    Exhausted,
    /// Refused: everything was cooling down.
    Cooling,
    /// Refused: nothing could have served it.
    NoCandidate,
}

impl Outcome {
    /// The outcome's one name in metrics and documents.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Broken => "broken",
            Self::ClientGone => "client-gone",
            Self::Failed => "failed",
            Self::Exhausted => "exhausted",
            Self::Cooling => "cooling",
            Self::NoCandidate => "no-candidate",
        }
    }
}

impl From<RefusalKind> for Outcome {
    fn from(kind: RefusalKind) -> Self {
        match kind {
            RefusalKind::Upstream => Self::Failed,
            RefusalKind::Broken => Self::Broken,
            RefusalKind::Exhausted => Self::Exhausted,
            RefusalKind::Cooling => Self::Cooling,
            RefusalKind::NoCandidate => Self::NoCandidate,
        }
    }
}
