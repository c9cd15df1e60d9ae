//! Reserve before a call, settle after it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Place, ProviderState, State, Table};
use crate::affinity::PinKey;
use crate::bucket::{Counter, Level, Tokens};
use crate::catalog::Bucket;
use crate::circuit::Gate;
use crate::cooldown::{Cooldown, Scope};
use crate::failure::FailureClass;
use crate::num::{millis, real};
use crate::plan::{Candidate, Plan};
use crate::state::view::{Block, BlockReason};
use crate::time::UnixMs;
use crate::window::Span;

/// How long a last-resort probe keeps others out if its end is never reported.
const PROBE_LEASE: Duration = Duration::from_mins(1);

/// A call that was counted and must be settled exactly once.
#[derive(Debug, Default)]
#[must_use = "a reservation that is not settled is counted as in flight for ever"]
pub struct Reservation {
    pub(super) place: Place,
    pub(super) holds: Vec<Hold>,
    pub(super) tokens: Tokens,
    pub(super) started: UnixMs,
    pub(super) pin: Option<PinKey>,
    pub(super) probes: Probes,
}

/// One bucket's part of a reservation.
#[derive(Debug)]
pub(super) struct Hold {
    bucket: usize,
    counter: usize,
    span: Span,
}

/// What the call is a probe of.
#[derive(Debug, Default)]
pub(super) struct Probes {
    provider: bool,
    model: bool,
    lane: bool,
}

/// Why a candidate cannot be called now, although it was planned.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Refused {
    /// A bucket has no room; by its id, and when there is room again (`None`: when a request in
    /// flight ends).
    Exhausted {
        /// The bucket's id.
        bucket: String,
        /// When its span ends.
        resets_at: Option<UnixMs>,
    },
    /// A cooldown, an open circuit or a probe keeps it out.
    Blocked(Block),
    /// It does not take a parameter the request has, as an earlier answer told.
    Unfit,
    /// The plan has no such candidate.
    Unplanned,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Settlement {
    /// Whether the upstream answered at all, whatever its status: then the request counts.
    pub answered: bool,
    /// Tokens used; `None` keeps the estimate of a call that was answered.
    pub used: Option<Tokens>,
    /// What was learned about the candidate.
    pub effect: Effect,
}

/// What a call teaches about its candidate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Effect {
    /// Nothing: the client went away, or the same candidate is tried again.
    Nothing,
    /// It answers, though not this request.
    Alive,
    /// It works.
    Success,
    /// It failed.
    Failure {
        /// What the failure was.
        class: FailureClass,
        /// What to skip and for how long.
        cooldown: Option<(Scope, Duration)>,
        /// The circuit that counts it.
        circuit: Option<Scope>,
    },
}

impl State {
    /// Counts one call of a candidate of `plan`, by index, in all its buckets or in none.
    ///
    /// `table` must be the one the plan was made with.
    pub fn reserve(
        &mut self,
        table: &Table,
        plan: &Plan,
        candidate: usize,
        now: UnixMs,
    ) -> Result<Reservation, Refused> {
        let candidate = plan.candidates.get(candidate).ok_or(Refused::Unplanned)?;
        let view = self.view(table);
        let place = view.place(candidate.model, candidate.credential).unwrap_or_default();
        let standing = view.standing(candidate.model, candidate.credential, plan.tokens, now);
        if let Some((bucket, resets_at)) = standing.exhausted {
            let buckets = table.catalog().provider(candidate.model).map(|p| &p.buckets);
            let bucket = buckets.and_then(|b| b.get(bucket)).map(|b| b.id.clone());
            return Err(Refused::Exhausted { bucket: bucket.unwrap_or_default(), resets_at });
        }
        if let Some(until) = standing.probing {
            return Err(Refused::Blocked(Block { until, reason: BlockReason::Probing }));
        }
        if let Some(block) = standing.block.filter(|_| !candidate.probe) {
            return Err(Refused::Blocked(block));
        }
        let mut reservation = Reservation {
            place,
            holds: Vec::new(),
            tokens: view.expected(candidate.model, plan.tokens),
            started: now,
            pin: plan.pin,
            probes: Probes::default(),
        };
        if let Some(provider) = self.provider_mut(place) {
            provider.start_probes(&mut reservation, candidate.probe, now);
            provider.take(table, candidate, &mut reservation, now);
            self.revision += u64::from(!reservation.holds.is_empty());
        }
        Ok(reservation)
    }

    /// The same for a call that nothing counts and nothing tells apart from any other: no bucket, no
    /// circuit that waits for a probe. Where its state has an owner, that may hear of it when it
    /// is over. `None` if it is not such a call, or refused.
    pub fn reserve_free(
        &mut self,
        table: &Table,
        plan: &Plan,
        candidate: usize,
        now: UnixMs,
    ) -> Option<Reservation> {
        let model = plan.candidates.get(candidate)?.model;
        if !table.provider(model)?.counted_by.get(model.model)?.is_empty() {
            return None;
        }
        let reservation = self.reserve(table, plan, candidate, now).ok()?;
        let Probes { provider, model, lane } = reservation.probes;
        if !(provider || model || lane) {
            return Some(reservation);
        }
        let unsent = Settlement { answered: false, used: None, effect: Effect::Nothing };
        self.settle(reservation, &unsent, now);
        None
    }

    /// The call produced its first output: the candidate works. `first_output` is how long after
    /// it was sent; `None` for answers that are not streamed, which tell nothing of latency.
    pub fn commit(
        &mut self,
        reservation: &mut Reservation,
        first_output: Option<Duration>,
        now: UnixMs,
    ) {
        let place = reservation.place;
        if let Some(pin) = reservation.pin {
            self.pin(pin, place, None, now);
        }
        let policy = self.circuit.clone();
        let Some(provider) = self.provider_mut(place) else { return };
        provider.on_commit(&policy, reservation);
        if let Some(model) = provider.models.get_mut(place.model)
            && let Some(first_output) = first_output
        {
            model.latency.record(real(millis(first_output)), now);
        }
    }

    /// Ends a call.
    pub fn settle(&mut self, mut reservation: Reservation, how: &Settlement, now: UnixMs) {
        self.revision += 1;
        let place = reservation.place;
        if how.effect == Effect::Success
            && let Some(pin) = reservation.pin
        {
            let tokens = how.used.unwrap_or(reservation.tokens);
            self.pin(pin, place, Some(tokens.input), now);
        }
        let policy = self.circuit.clone();
        let Some(provider) = self.provider_mut(place) else { return };
        if how.effect == Effect::Success
            && let Some(used) = how.used
            && let Some(model) = provider.models.get_mut(place.model)
        {
            model.learn_output(used.output);
        }
        let used = how.answered.then(|| how.used.unwrap_or(reservation.tokens));
        for hold in &reservation.holds {
            let bucket = provider.buckets.get_mut(hold.bucket);
            if let Some(counter) = bucket.and_then(|b| b.counters.get_mut(hold.counter)) {
                counter.settle(hold.span, reservation.tokens, used);
            }
        }
        match how.effect {
            Effect::Nothing => provider.release_probes(&mut reservation),
            Effect::Alive => provider.on_alive(&mut reservation),
            Effect::Success => provider.on_success(&mut reservation),
            Effect::Failure { class, cooldown, circuit } => {
                provider.cool(place, class, cooldown, now);
                provider.count_failure(&policy, &mut reservation, circuit, now);
            }
        }
    }
}

impl ProviderState {
    fn take(
        &mut self,
        table: &Table,
        candidate: &Candidate,
        reservation: &mut Reservation,
        now: UnixMs,
    ) {
        let model = candidate.model;
        let (Some(provider), Some(place)) =
            (table.catalog().provider(model), table.provider(model))
        else {
            return;
        };
        let counted_by = place.counted_by.get(model.model).map_or(&[][..], Vec::as_slice);
        for index in counted_by {
            let pair = provider.buckets.get(*index).zip(place.buckets.get(*index));
            let Some((bucket, slot)) = pair else { continue };
            let counter = if bucket.per_credential { reservation.place.credential } else { 0 };
            self.hold(bucket, *slot, counter, reservation, now);
        }
    }

    /// Counts the reservation in one bucket.
    pub(super) fn hold(
        &mut self,
        bucket: &Bucket,
        slot: usize,
        counter: usize,
        reservation: &mut Reservation,
        now: UnixMs,
    ) {
        let Some(state) = self.buckets.get_mut(slot) else { return };
        if state.counters.len() <= counter {
            state.counters.resize(counter + 1, Counter::default());
        }
        let Some(counted) = state.counters.get_mut(counter) else { return };
        *counted = counted.at(&bucket.window, now);
        counted.take(reservation.tokens);
        reservation.holds.push(Hold { bucket: slot, counter, span: counted.span });
    }

    /// How full one bucket is for a request of `tokens`.
    pub(super) fn level(
        &self,
        bucket: &Bucket,
        slot: usize,
        counter: usize,
        tokens: Tokens,
        now: UnixMs,
    ) -> Level {
        let counted = self.buckets.get(slot).and_then(|it| it.counters.get(counter).copied());
        counted.unwrap_or_default().at(&bucket.window, now).level(bucket, tokens)
    }

    fn start_probes(&mut self, reservation: &mut Reservation, last_resort: bool, now: UnixMs) {
        let half_open = |gate: Gate| matches!(gate, Gate::HalfOpen);
        let place = reservation.place;
        if half_open(self.health.circuit.gate(now)) {
            self.health.circuit.on_probe(now);
            reservation.probes.provider = true;
        }
        let Some(model) = self.models.get_mut(place.model) else { return };
        model.used_at = now;
        if half_open(model.health.circuit.gate(now)) {
            model.health.circuit.on_probe(now);
            reservation.probes.model = true;
        }
        if last_resort && let Some(lane) = model.lane_mut(place.credential) {
            lane.probe_until = Some(now.after(PROBE_LEASE));
            reservation.probes.lane = true;
        }
    }

    /// Ends the probes of a call that taught nothing.
    fn release_probes(&mut self, reservation: &mut Reservation) {
        let probes = std::mem::take(&mut reservation.probes);
        if probes.provider {
            self.health.circuit.on_probe_released();
        }
        let Some(model) = self.models.get_mut(reservation.place.model) else { return };
        if probes.model {
            model.health.circuit.on_probe_released();
        }
        if probes.lane
            && let Some(lane) = model.lane_mut(reservation.place.credential)
        {
            lane.probe_until = None;
        }
    }

    /// The upstream answers: it can be reached, and a circuit that waited for a probe may close.
    fn on_alive(&mut self, reservation: &mut Reservation) {
        let Probes { model, .. } = reservation.probes;
        self.release_probes(reservation);
        self.health.circuit.on_success(reservation.started);
        if model && let Some(model) = self.models.get_mut(reservation.place.model) {
            model.health.circuit.on_success(reservation.started);
        }
    }

    fn on_commit(&mut self, policy: &crate::catalog::CircuitPolicy, reservation: &mut Reservation) {
        self.release_probes(reservation);
        self.health.circuit.on_commit(policy, reservation.started);
        if let Some(model) = self.models.get_mut(reservation.place.model) {
            model.health.circuit.on_commit(policy, reservation.started);
        }
        self.clear_cooldowns(reservation);
    }

    fn on_success(&mut self, reservation: &mut Reservation) {
        self.release_probes(reservation);
        self.health.circuit.on_success(reservation.started);
        if let Some(model) = self.models.get_mut(reservation.place.model) {
            model.health.circuit.on_success(reservation.started);
        }
        self.clear_cooldowns(reservation);
    }

    /// Drops the cooldowns that an answer to this call disproves.
    fn clear_cooldowns(&mut self, reservation: &Reservation) {
        let (place, started) = (reservation.place, reservation.started);
        Cooldown::clear(&mut self.health.cooldown, started);
        if let Some(credential) = self.credentials.get_mut(place.credential) {
            Cooldown::clear(&mut credential.cooldown, started);
        }
        let Some(model) = self.models.get_mut(place.model) else { return };
        Cooldown::clear(&mut model.health.cooldown, started);
        if let Some(lane) = model.lanes.get_mut(place.credential) {
            Cooldown::clear(&mut lane.cooldown, started);
        }
    }

    fn cool(
        &mut self,
        place: Place,
        class: FailureClass,
        cooldown: Option<(Scope, Duration)>,
        now: UnixMs,
    ) {
        let Some((scope, length)) = cooldown else { return };
        let slot = match scope {
            Scope::Provider => Some(&mut self.health.cooldown),
            Scope::Credential => {
                self.credentials.get_mut(place.credential).map(|c| &mut c.cooldown)
            }
            Scope::Model => self.models.get_mut(place.model).map(|m| &mut m.health.cooldown),
            Scope::Lane => self
                .models
                .get_mut(place.model)
                .and_then(|m| m.lane_mut(place.credential))
                .map(|lane| &mut lane.cooldown),
        };
        if let Some(slot) = slot {
            Cooldown::set(slot, Cooldown { until: now.after(length), since: now, class });
        }
    }

    fn count_failure(
        &mut self,
        policy: &crate::catalog::CircuitPolicy,
        reservation: &mut Reservation,
        circuit: Option<Scope>,
        now: UnixMs,
    ) {
        let started = reservation.started;
        match circuit {
            Some(Scope::Provider) => self.health.circuit.on_failure(policy, started, now),
            Some(_) => {
                if let Some(model) = self.models.get_mut(reservation.place.model) {
                    model.health.circuit.on_failure(policy, started, now);
                }
            }
            None => {}
        }
        self.release_probes(reservation);
    }
}
