//! What a Worker and the owner of a provider's or a client key's state say to each other, as JSON.

use router_core::bucket::Tokens;
use router_core::state::{Call, Part, Refused, Report, Settlement};
use serde::{Deserialize, Serialize};

/// A question, and whom it is for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Question {
    /// The provider's id, or what the client key is called among providers.
    pub owner: String,
    /// The question.
    pub ask: Ask,
}

/// What an owner is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Ask {
    /// How does the provider stand, and where is this session?
    View {
        /// The session's name.
        session: Option<u64>,
    },
    /// Count this call in all its buckets, or in none.
    Reserve(Call),
    /// Count a request that may use so much in all limits of the client key, or in none.
    Admit(Tokens),
    /// This became of calls.
    Tell(Vec<Event>),
}

/// What became of a call.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Event {
    /// Its first output came.
    Committed {
        /// The call.
        id: u64,
        /// How long after it was sent, in milliseconds; `None` where that says nothing.
        first_output_ms: Option<u64>,
    },
    /// It is over.
    Settled {
        /// The call.
        id: u64,
        /// How it ended.
        how: Settlement,
    },
    /// A call is over that nothing counts, and of which nothing was said before.
    Over(Report),
}

/// An owner's answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Reply {
    /// The call's number, or why it may not be made; `None` if none was asked for.
    pub reserved: Option<Result<u64, Refused>>,
    /// How the provider or key stands now; `None` if the owner's config does not have it.
    pub part: Option<Part>,
}
