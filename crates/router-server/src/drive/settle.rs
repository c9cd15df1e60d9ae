//! Telling the store how each call ended, exactly once, whatever happens to the request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use router_core::bucket::Tokens;
use router_core::exchange::{Exchange, Step};
use router_core::failure::Failure;
use router_core::state::{Reservation, Settlement};
use router_wire::usage::Usage;

use crate::app::{App, Snapshot, now};
use crate::ids::RequestId;

/// How a relayed answer ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// With everything a complete answer has.
    Complete,
    /// Broken after output had gone to the client.
    Failed(Failure),
    /// The client went away.
    ClientGone,
}

/// An exchange and the reservation of its call under way. Dropped before the end, as when the
/// client disconnects, it settles the call as abandoned.
#[derive(Debug)]
pub(crate) struct Settling {
    app: Arc<App>,
    snapshot: Arc<Snapshot>,
    id: RequestId,
    exchange: Exchange,
    reservation: Option<Reservation>,
    sent: Instant,
    answered: bool,
}

impl Settling {
    pub(crate) fn new(
        app: Arc<App>,
        snapshot: Arc<Snapshot>,
        id: RequestId,
        exchange: Exchange,
    ) -> Self {
        let sent = Instant::now();
        Self { app, snapshot, id, exchange, reservation: None, sent, answered: false }
    }

    /// What the core wants done.
    pub(crate) fn step(&mut self) -> Step {
        self.exchange.step(now())
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Counts the call of the plan's candidate `index`; `Err` is the step after a refusal.
    pub(crate) fn reserve(&mut self, index: usize) -> Result<(), Step> {
        let plan = self.exchange.plan();
        let refused = match self.app.store.reserve(&self.snapshot.table, plan, index, now()) {
            Ok(reservation) => {
                self.reservation = Some(reservation);
                self.sent = Instant::now();
                self.answered = false;
                return Ok(());
            }
            Err(refused) => refused,
        };
        Err(self.exchange.on_refused(&refused, now()))
    }

    /// The upstream's head came.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
    }

    /// The call failed; what to do next.
    pub(crate) fn failed(&mut self, failure: Failure) -> Step {
        tracing::debug!(
            exchange.id = %self.id,
            attempt.number = self.exchange.attempts().len(),
            failure.class = failure.class.name(),
            failure.status = failure.status,
            elapsed_ms = millis(self.sent.elapsed()),
            "attempt failed"
        );
        let (settlement, step) = self.exchange.on_failure(failure, now());
        self.settle(&settlement);
        step
    }

    /// The first meaningful output came.
    pub(crate) fn committed(&mut self) {
        let _relay = self.exchange.on_commit(now());
        if let Some(reservation) = &mut self.reservation {
            self.app.store.commit(reservation, Some(self.sent.elapsed()), now());
        }
    }

    /// The answer is over.
    pub(crate) fn finish(&mut self, end: End, usage: Option<Usage>) {
        let used = usage.as_ref().map(tokens);
        let settlement = match end {
            End::Complete => self.exchange.on_end(used, now()),
            End::ClientGone => self.exchange.on_abandoned(self.answered, used, now()),
            End::Failed(failure) => {
                tracing::warn!(
                    exchange.id = %self.id,
                    failure.class = failure.class.name(),
                    "an answer broke after output had gone to the client"
                );
                self.exchange.on_failure(failure, now()).0
            }
        };
        self.settle(&settlement);
    }

    fn settle(&mut self, settlement: &Settlement) {
        if let Some(reservation) = self.reservation.take() {
            self.app.store.settle(reservation, settlement, now());
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if self.reservation.is_some() {
            let settlement = self.exchange.on_abandoned(self.answered, None, now());
            self.settle(&settlement);
        }
    }
}

fn tokens(usage: &Usage) -> Tokens {
    Tokens { input: usage.input(), output: usage.output() }
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
