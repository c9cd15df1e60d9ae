//! Telling the store how each call ended, exactly once, whatever happens to the request.

use std::time::Duration;

use http::StatusCode;
use router_core::bucket::Tokens;
use router_core::exchange::{Exchange, Outcome, Refusal, Step};
use router_core::failure::Failure;
use router_core::plan::Plan;
use router_core::state::{Effect, Refused, Settlement};
use router_wire::canonical::Loss;
use router_wire::{Dialect, Usage};

use super::Job;
use crate::ended::Ended;
use crate::host::Host;
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
pub(crate) struct Settling<H: Host> {
    host: H,
    id: RequestId,
    inbound: Dialect,
    exchange: Exchange,
    reservation: Option<H::Reservation>,
    /// The request's part of its client key's limits.
    admission: Option<H::Reservation>,
    /// Whether any upstream answered, and what the last call used.
    answered_once: bool,
    used: Option<Tokens>,
    /// What the upstream being called is known not to take.
    unfit: Vec<String>,
    /// Whether it may be planned once more: it is admitted, and the first plan may have been old.
    has_second_plan: bool,
    started: H::Instant,
    first_output: Option<Duration>,
    sent: H::Instant,
    answered: bool,
    /// The status of the answer, once it is on its way.
    status: Option<u16>,
    losses: Vec<Loss>,
    /// `None` once the host has been told of the end.
    notes: Option<H::Notes>,
}

impl<H: Host> Settling<H> {
    pub(crate) fn new(job: &Job<H>, exchange: Exchange) -> Self {
        Self {
            host: job.host.clone(),
            id: job.id,
            inbound: job.dialect,
            exchange,
            reservation: None,
            admission: None,
            answered_once: false,
            used: None,
            unfit: Vec::new(),
            has_second_plan: false,
            started: job.started,
            first_output: None,
            sent: job.started,
            answered: false,
            status: None,
            losses: Vec::new(),
            notes: Some(job.host.begun(job)),
        }
    }

    /// Where calls are made.
    pub(crate) fn host(&self) -> H {
        self.host.clone()
    }

    /// The client is about to get an answer of this status.
    pub(crate) fn head(&mut self, status: StatusCode) {
        self.status = Some(status.as_u16());
    }

    /// What the core wants done.
    pub(crate) fn step(&mut self) -> Step {
        self.exchange.step(H::now())
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Counts the request in the limits of its client key, called `label`, and waits a moment for
    /// room in them. Returns what to do then.
    pub(crate) async fn admit(&mut self, label: &str) -> Step {
        loop {
            let refused = match self.host.admit(self.exchange.plan()).await {
                Ok(admission) => {
                    self.has_second_plan = H::VIEW_MAY_BE_OLD;
                    self.admission = admission;
                    return self.step();
                }
                Err(refused) => refused,
            };
            match self.exchange.on_not_admitted(label, &refused, H::now()) {
                Step::Wait { until } => super::wait::<H>(until).await,
                refused => return refused,
            }
        }
    }

    /// Whether the request is planned again: all that was planned with an old view was refused
    /// before any call, and by that the host knows better now.
    pub(crate) fn may_replan(&self) -> bool {
        let (plan, attempts) = (self.exchange.plan(), self.exchange.attempts());
        self.has_second_plan && attempts.is_empty() && !plan.candidates.is_empty()
    }

    /// Begins anew with another plan; what to do then.
    pub(crate) fn replan(&mut self, plan: Plan, job: &Job<H>) -> Step {
        self.has_second_plan = false;
        self.exchange = super::exchange(job, plan);
        self.step()
    }

    /// What the upstream being called is known not to take.
    pub(crate) fn unfit(&self) -> &[String] {
        &self.unfit
    }

    /// The candidate is not called after all; what to do next.
    pub(crate) fn pass_over(&mut self) -> Step {
        let effect = Effect::Nothing;
        self.settle(&Settlement { answered: false, used: None, effect });
        self.exchange.on_refused(&Refused::Unfit, H::now())
    }

    /// Counts the call of the plan's candidate `index`; `Err` is the step after a refusal.
    pub(crate) async fn reserve(&mut self, index: usize) -> Result<(), Step> {
        let plan = self.exchange.plan();
        let refused = match self.host.reserve(plan, index).await {
            Ok(reservation) => {
                let model = plan.candidates.get(index).map(|candidate| candidate.model);
                self.unfit = model.map(|model| self.host.unfit(model)).unwrap_or_default();
                self.reservation = Some(reservation);
                self.sent = H::instant();
                self.answered = false;
                return Ok(());
            }
            Err(refused) => refused,
        };
        self.host.refused(plan, index, &refused);
        Err(self.exchange.on_refused(&refused, H::now()))
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
            elapsed_ms = millis(H::instant() - self.sent),
            "attempt failed"
        );
        if let Some((parameter, called)) =
            failure.parameter.as_deref().zip(self.exchange.candidate())
        {
            self.host.learn_unfit(called.model, parameter);
        }
        let (settlement, step) = self.exchange.on_failure(failure, H::now());
        self.settle(&settlement);
        step
    }

    /// The first meaningful output came.
    pub(crate) fn committed(&mut self) {
        let _relay = self.exchange.on_commit(H::now());
        self.first_output = Some(H::instant() - self.started);
        if let Some(reservation) = &mut self.reservation {
            // A whole answer's time says how long it is, not how soon it began.
            let first_output = self.exchange.is_stream().then(|| H::instant() - self.sent);
            self.host.commit(reservation, first_output);
        }
    }

    /// Keeps what the client will need with its next request and cannot carry.
    pub(crate) fn keep(&self, states: &[(String, String)]) {
        self.host.kept().keep(states);
    }

    /// Notes what the request and its answer lost in translation.
    pub(crate) fn lost<'a>(&mut self, losses: impl IntoIterator<Item = &'a Loss>) {
        self.losses.extend(losses.into_iter().cloned());
    }

    /// The answer is over.
    pub(crate) fn finish(&mut self, end: End, usage: Option<Usage>) {
        let used = usage.as_ref().map(|usage| self.tokens(usage));
        let mut outcome = Outcome::Complete;
        let settlement = match end {
            End::Complete => self.exchange.on_end(used, H::now()),
            End::ClientGone => {
                outcome = Outcome::ClientGone;
                self.exchange.on_abandoned(self.answered, used, H::now())
            }
            End::Failed(failure) => {
                tracing::warn!(
                    exchange.id = %self.id,
                    failure.class = failure.class.name(),
                    "an answer broke after output had gone to the client"
                );
                outcome = Outcome::Broken;
                self.exchange.on_failure(failure, H::now()).0
            }
        };
        self.settle(&settlement);
        self.tell(outcome, usage.as_ref());
    }

    /// There is no answer, and the client is told so.
    pub(crate) fn refused(&mut self, refusal: &Refusal, status: u16) {
        self.status = Some(status);
        self.tell(refusal.kind.into(), None);
    }

    /// Tells what became of the exchange, once.
    fn tell(&mut self, outcome: Outcome, usage: Option<&Usage>) {
        let Some(notes) = self.notes.take() else { return };
        let ended = Ended {
            catalog: &self.host.snapshot().config.catalog,
            inbound: self.inbound,
            exchange: &self.exchange,
            outcome,
            status: self.status,
            losses: &self.losses,
            usage,
            first_output: self.first_output,
            total: (H::instant() - self.started),
        };
        self.host.ended(notes, &ended);
        if let Some(admission) = self.admission.take() {
            let (answered, used, effect) = (self.answered_once, self.used, Effect::Nothing);
            self.host.settle(admission, &Settlement { answered, used, effect });
        }
    }

    /// Tokens and what they cost.
    fn tokens(&self, usage: &Usage) -> Tokens {
        let catalog = &self.host.snapshot().config.catalog;
        let model = self.exchange.candidate().and_then(|it| catalog.model(it.model));
        let price = model.and_then(|model| model.price);
        tokens(usage).at_cost(price.map_or(0.0, |price| price.of(usage)))
    }

    fn settle(&mut self, settlement: &Settlement) {
        self.answered_once |= settlement.answered;
        self.used = settlement.used;
        if let Some(reservation) = self.reservation.take() {
            self.host.settle(reservation, settlement);
        }
    }
}

impl<H: Host> Drop for Settling<H> {
    fn drop(&mut self) {
        if self.reservation.is_some() {
            let settlement = self.exchange.on_abandoned(self.answered, None, H::now());
            self.settle(&settlement);
        }
        self.tell(Outcome::ClientGone, None);
    }
}

pub(super) fn tokens(usage: &Usage) -> Tokens {
    Tokens::new(usage.input(), usage.output())
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
