//! Telling the store how each call ended, exactly once, whatever happens to the request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use router_core::bucket::Tokens;
use router_core::exchange::{Exchange, Outcome, Refusal, Step};
use router_core::failure::Failure;
use router_core::state::Settlement;
use router_store::Reservation;
use router_wire::canonical::Loss;
use router_wire::{Dialect, Usage};

use super::Job;
use super::record::Recording;
use crate::app::{Snapshot, now};
use crate::ids::RequestId;
use crate::telemetry::Ended;
use crate::worker::Worker;

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
    worker: Arc<Worker>,
    snapshot: Arc<Snapshot>,
    id: RequestId,
    inbound: Dialect,
    /// The number of the alias that was asked for.
    alias: Option<usize>,
    exchange: Exchange,
    reservation: Option<Reservation>,
    started: Instant,
    first_output: Option<Duration>,
    sent: Instant,
    answered: bool,
    told: bool,
    losses: Vec<Loss>,
    /// `None` if nothing is recorded.
    recording: Option<Box<Recording>>,
}

impl Settling {
    pub(crate) fn new(job: &Job, exchange: Exchange) -> Self {
        job.worker.meter.begun();
        Self {
            worker: Arc::clone(&job.worker),
            snapshot: Arc::clone(&job.snapshot),
            id: job.id,
            inbound: job.dialect,
            alias: job.snapshot.labels.alias(&job.route),
            exchange,
            reservation: None,
            started: job.started,
            first_output: None,
            sent: job.started,
            answered: false,
            told: false,
            losses: Vec::new(),
            recording: job.worker.app.records.is_some().then(|| Box::new(Recording::new(job))),
        }
    }

    /// The client is about to get an answer of this status.
    pub(crate) fn head(&mut self, status: StatusCode) {
        if let Some(recording) = &mut self.recording {
            recording.head(status);
        }
    }

    /// What the core wants done.
    pub(crate) fn step(&mut self) -> Step {
        self.exchange.step(now())
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Counts the call of the plan's candidate `index`; `Err` is the step after a refusal.
    pub(crate) async fn reserve(&mut self, index: usize) -> Result<(), Step> {
        let plan = self.exchange.plan();
        let store = &self.worker.app.store;
        let refused = match store.reserve(&self.snapshot.table, plan, index, now()).await {
            Ok(reservation) => {
                self.reservation = Some(reservation);
                self.sent = Instant::now();
                self.answered = false;
                return Ok(());
            }
            Err(refused) => refused,
        };
        if let Some(candidate) = plan.candidates.get(index) {
            let (catalog, labels) = (&self.snapshot.config.catalog, &self.snapshot.labels);
            self.worker.meter.refused(catalog, labels, candidate.model, &refused);
        }
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
        self.first_output = Some(self.started.elapsed());
        if let Some(reservation) = &mut self.reservation {
            // A whole answer's time says how long it is, not how soon it began.
            let first_output = self.exchange.is_stream().then(|| self.sent.elapsed());
            self.worker.app.store.commit(reservation, first_output, now());
        }
    }

    /// Keeps what the client will need with its next request and cannot carry.
    pub(crate) fn keep(&self, states: &[(String, String)]) {
        self.worker.app.kept.keep(states);
    }

    /// Notes what the request and its answer lost in translation.
    pub(crate) fn lost<'a>(&mut self, losses: impl IntoIterator<Item = &'a Loss>) {
        self.losses.extend(losses.into_iter().cloned());
    }

    /// The answer is over.
    pub(crate) fn finish(&mut self, end: End, usage: Option<Usage>) {
        let used = usage.as_ref().map(tokens);
        let mut outcome = Outcome::Complete;
        let settlement = match end {
            End::Complete => self.exchange.on_end(used, now()),
            End::ClientGone => {
                outcome = Outcome::ClientGone;
                self.exchange.on_abandoned(self.answered, used, now())
            }
            End::Failed(failure) => {
                tracing::warn!(
                    exchange.id = %self.id,
                    failure.class = failure.class.name(),
                    "an answer broke after output had gone to the client"
                );
                outcome = Outcome::Broken;
                self.exchange.on_failure(failure, now()).0
            }
        };
        self.settle(&settlement);
        self.tell(outcome, usage.as_ref());
    }

    /// There is no answer, and the client is told so.
    pub(crate) fn refused(&mut self, refusal: &Refusal, status: u16) {
        if let Some(recording) = &mut self.recording {
            recording.refused(status);
        }
        self.tell(refusal.kind.into(), None);
    }

    /// Tells what became of the exchange, once.
    fn tell(&mut self, outcome: Outcome, usage: Option<&Usage>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let ended = Ended {
            catalog: &self.snapshot.config.catalog,
            labels: &self.snapshot.labels,
            alias: self.alias,
            inbound: self.inbound,
            exchange: &self.exchange,
            outcome,
            losses: &self.losses,
            usage,
            first_output: self.first_output,
            total: self.started.elapsed(),
        };
        self.worker.meter.ended(&ended, now());
        if let Some((recording, records)) =
            self.recording.take().zip(self.worker.app.records.as_ref())
        {
            records.push(recording.finish(&ended));
        }
    }

    fn settle(&mut self, settlement: &Settlement) {
        if let Some(reservation) = self.reservation.take() {
            self.worker.app.store.settle(reservation, settlement, now());
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if self.reservation.is_some() {
            let settlement = self.exchange.on_abandoned(self.answered, None, now());
            self.settle(&settlement);
        }
        self.tell(Outcome::ClientGone, None);
    }
}

pub(super) fn tokens(usage: &Usage) -> Tokens {
    Tokens { input: usage.input(), output: usage.output() }
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
