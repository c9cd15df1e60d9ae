//! What there is to tell of an exchange, at its end.

use std::time::Duration;

use router_core::catalog::{Catalog, ModelRef};
use router_core::exchange::{Exchange, Outcome};
use router_wire::canonical::Loss;
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
    /// What translation could not carry.
    pub(crate) losses: &'a [Loss],
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
