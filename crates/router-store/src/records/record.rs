//! What is recorded of an exchange.

use router_core::bucket::Tokens;
use router_core::exchange::Outcome;
use router_core::failure::FailureClass;
use router_core::time::UnixMs;
use router_wire::Dialect;
use serde::{Deserialize, Serialize};

/// One finished exchange. As JSON it is also what `simulate` reads.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    /// The request's id, as the client was told.
    pub id: String,
    /// When it was accepted.
    pub at: UnixMs,
    /// Label of the client key; `None` if no key was asked for.
    pub client: Option<String>,
    /// The client's dialect.
    pub dialect: Dialect,
    /// What was spoken to the last upstream that was called.
    pub outbound: Option<Dialect>,
    /// The model the client asked for.
    pub model: Option<String>,
    /// The alias or model that was found for it.
    pub route: String,
    /// The last upstream that was called, as `provider/model`.
    pub target: Option<String>,
    /// Label of the credential used there.
    pub credential: Option<String>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// The session, as a 64-bit name.
    pub session: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status the client was sent; 499 if it went away before any.
    pub status: u16,
    /// From accept to the first output, in milliseconds.
    pub first_output_ms: Option<u64>,
    /// From accept to the end, in milliseconds.
    pub total_ms: u64,
    /// Tokens as buckets count them.
    pub tokens: Tokens,
    /// The part of the input that was read from a prompt cache.
    pub cache_read: Option<u64>,
    /// The part of the input that was written to a prompt cache.
    pub cache_write: Option<u64>,
    /// The part of the output that was reasoning.
    pub reasoning: Option<u64>,
    /// US dollars, if the model's prices are configured.
    pub cost: Option<f64>,
    /// Codes of what translation could not carry.
    pub losses: Vec<String>,
    /// Every call, in order.
    pub attempts: Vec<RecordedAttempt>,
}

/// One call of an upstream.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RecordedAttempt {
    /// `provider/model`.
    pub target: String,
    /// Label of the credential.
    pub credential: String,
    /// What went wrong; `None` for success, or if the client went away.
    pub failure: Option<FailureClass>,
    /// The upstream's status, where a failure had one.
    pub status: Option<u16>,
    /// How long the upstream asked to be left alone, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether an HTTP answer came at all.
    pub answered: bool,
    /// From accept to the call, in milliseconds.
    pub after_ms: u64,
    /// From the call to its first output, or to its failure, in milliseconds.
    pub first_output_ms: u64,
    /// From the call to its end, in milliseconds.
    pub total_ms: u64,
}
