//! How an exchange ended, as the client saw it.

use serde::{Deserialize, Serialize};

use super::RefusalKind;

/// How an exchange ended, as the client saw it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
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
    /// The outcome's one name in metrics, records and documents.
    pub const fn name(self) -> &'static str {
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
