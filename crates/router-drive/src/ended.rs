//! What there is to tell of an exchange, at its end.

use std::time::Duration;

use router_core::catalog::{Catalog, ModelRef};
use router_core::exchange::{Exchange, Outcome};
use router_wire::canonical::Loss;
use router_wire::{Dialect, Usage};

/// An exchange that is over. Told exactly once, whatever its end.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// The catalog it was planned with.
    pub catalog: &'a Catalog,
    /// The inbound dialect.
    pub inbound: Dialect,
    /// What was tried.
    pub exchange: &'a Exchange,
    /// How it ended.
    pub outcome: Outcome,
    /// The status the client got; `None` if it went away before.
    pub status: Option<u16>,
    /// What translation could not carry.
    pub losses: &'a [Loss],
    /// What the upstream reported.
    pub usage: Option<&'a Usage>,
    /// From accept to the first meaningful output.
    pub first_output: Option<Duration>,
    /// From accept to the end.
    pub total: Duration,
}

impl Ended<'_> {
    /// The model that answered, or the last one tried; `None` if none was called.
    pub fn model(&self) -> Option<ModelRef> {
        self.exchange.attempts().last()?;
        self.exchange.candidate().map(|candidate| candidate.model)
    }
}
