//! What planning reads.

use serde::{Deserialize, Serialize};

use super::{Place, State, Table};
use crate::affinity::{Pin, PinKey};
use crate::bucket::{Counter, Level, Tokens};
use crate::catalog::{AffinityPolicy, Catalog, ModelRef};
use crate::circuit::Gate;
use crate::cooldown::{Cooldown, Scope};
use crate::failure::FailureClass;
use crate::num::whole;
use crate::plan::expected_cost;
use crate::time::UnixMs;

/// Read-only state as one table sees it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(super) state: &'a State,
    pub(super) table: &'a Table,
}

/// What keeps a candidate out for a while.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Block {
    /// First moment it no longer does.
    pub until: UnixMs,
    /// What it is.
    pub reason: BlockReason,
}

/// Kinds of [`Block`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum BlockReason {
    /// A cooldown of this scope after a failure of this class.
    Cooldown(Scope, FailureClass),
    /// An open circuit of the model or the whole provider.
    Circuit(Scope),
    /// A probe is under way; until it ends nothing else is let through.
    Probing,
}

/// How one (model, credential) stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// What keeps it out; of several the last to end.
    pub block: Option<Block>,
    /// Catalog index of the full bucket that is last to have room again, and when that is;
    /// `None` inside for a cap on requests in flight.
    pub exhausted: Option<(usize, Option<UnixMs>)>,
    /// When the lease of a probe under way ends: until the probe does, nothing is let through.
    pub probing: Option<UnixMs>,
    /// Quota left, 0 to 1, the least over all buckets.
    pub quota: f64,
    /// Failing exchanges in a row.
    pub failures: u32,
    /// Average time to first output in milliseconds, once known.
    pub latency_ms: Option<f64>,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            block: None,
            exhausted: None,
            probing: None,
            quota: 1.0,
            failures: 0,
            latency_ms: None,
        }
    }
}

impl Standing {
    /// Whether a request may be sent now.
    pub const fn is_open(&self) -> bool {
        self.block.is_none() && self.exhausted.is_none()
    }
}

impl<'a> View<'a> {
    /// The catalog behind the view.
    pub fn catalog(&self) -> &'a Catalog {
        self.table.catalog()
    }

    /// What a call of `model` is expected to use: `tokens`, with the output its answers have on
    /// average where `tokens` names none, and what that costs.
    pub fn expected(&self, model: ModelRef, tokens: Tokens) -> Tokens {
        let tokens = if tokens.output > 0 {
            tokens
        } else {
            Tokens { output: self.usual_output(model).map_or(0, whole), ..tokens }
        };
        match self.catalog().model(model).and_then(|model| model.price.as_ref()) {
            Some(price) => tokens.at_cost(expected_cost(price, tokens, 0)),
            None => tokens,
        }
    }

    /// Output of an answer of `model` in tokens, on average.
    fn usual_output(&self, model: ModelRef) -> Option<f64> {
        let place = self.table.provider(model)?;
        let state = self.state.providers.get(place.slot).filter(|p| p.epoch == place.epoch)?;
        state.models.get(*place.models.get(model.model)?)?.output
    }

    /// How `model` stands with a credential, both of the view's catalog, for a request that is
    /// expected to use `tokens`.
    pub fn standing(
        &self,
        model: ModelRef,
        credential: usize,
        tokens: Tokens,
        now: UnixMs,
    ) -> Standing {
        let mut standing = Standing::default();
        let Some(place) = self.place(model, credential) else { return standing };
        let Some(provider) = self.state.providers.get(place.provider) else { return standing };
        if provider.epoch != place.epoch {
            return standing;
        }
        let mut block = Blocks { latest: None, probing: None, now };
        block.cooldown(Scope::Provider, provider.health.cooldown);
        block.gate(Scope::Provider, provider.health.circuit.gate(now));
        if let Some(credential) = provider.credentials.get(place.credential) {
            block.cooldown(Scope::Credential, credential.cooldown);
        }
        if let Some(state) = provider.models.get(place.model) {
            block.cooldown(Scope::Model, state.health.cooldown);
            block.gate(Scope::Model, state.health.circuit.gate(now));
            let lane = state.lane(place.credential);
            block.cooldown(Scope::Lane, lane.cooldown);
            block.probe(lane.probe_until);
            standing.failures = state.health.circuit.failures(&self.state.circuit, now);
            standing.latency_ms = state.latency.settled(now);
        }
        standing.failures =
            standing.failures.max(provider.health.circuit.failures(&self.state.circuit, now));
        standing.block = block.latest;
        standing.probing = block.probing;
        self.levels(model, credential, tokens, now, |bucket, level| {
            standing.quota = standing.quota.min(level.left);
            let later = match (standing.exhausted, level.resets_at) {
                (None, _) => true,
                (Some((_, held)), resets_at) => resets_at > held,
            };
            if !level.fits && later {
                standing.exhausted = Some((bucket, level.resets_at));
            }
        });
        standing
    }

    /// Calls `each` with the catalog index and level of every bucket that counts `model`.
    pub fn levels(
        &self,
        model: ModelRef,
        credential: usize,
        tokens: Tokens,
        now: UnixMs,
        mut each: impl FnMut(usize, Level),
    ) {
        let Some(place) = self.table.provider(model) else { return };
        let Some(provider) = self.catalog().provider(model) else { return };
        let state = self.state.providers.get(place.slot).filter(|p| p.epoch == place.epoch);
        let Some(counted_by) = place.counted_by.get(model.model) else { return };
        let tokens = if counted_by.is_empty() { tokens } else { self.expected(model, tokens) };
        for index in counted_by {
            let (Some(bucket), Some(slot)) =
                (provider.buckets.get(*index), place.buckets.get(*index))
            else {
                continue;
            };
            let credential = place.credentials.get(credential).copied().unwrap_or(0);
            let counter = if bucket.per_credential { credential } else { 0 };
            let level = state.map_or_else(
                || Counter::default().at(&bucket.window, now).level(bucket, tokens),
                |state| state.level(bucket, *slot, counter, tokens, now),
            );
            each(*index, level);
        }
    }

    pub(crate) fn place(&self, model: ModelRef, credential: usize) -> Option<Place> {
        let provider = self.table.provider(model)?;
        Some(Place {
            provider: provider.slot,
            epoch: provider.epoch,
            model: *provider.models.get(model.model)?,
            credential: *provider.credentials.get(credential)?,
        })
    }

    /// Where the session `key` is.
    pub(crate) fn pin(&self, key: PinKey, policy: &AffinityPolicy, now: UnixMs) -> Option<&'a Pin> {
        self.state.affinity.get(key, policy, now)
    }

    /// Position of each target of the alias in its rotation, and the rotation's name.
    pub(crate) fn rotation(&self, alias: &str) -> Option<(super::TurnOf, &'a [(String, f64)])> {
        let (slot, epoch) = self.table.alias(alias)?;
        let rotation = self.state.rotations.get(slot).filter(|r| r.epoch == epoch)?;
        Some((super::TurnOf::Alias { slot, epoch }, &rotation.targets))
    }

    /// Position of a credential in its provider's rotation, and where the turn is taken.
    pub(crate) fn credential_turn(
        &self,
        model: ModelRef,
        credential: usize,
    ) -> Option<(super::TurnOf, usize, f64)> {
        let place = self.place(model, credential)?;
        let provider = self.state.providers.get(place.provider)?;
        let state = provider.credentials.get(place.credential)?;
        let of = super::TurnOf::Provider { slot: place.provider, epoch: place.epoch };
        (provider.epoch == place.epoch).then_some((of, place.credential, state.turn))
    }
}

/// Finds the block that is last to end.
struct Blocks {
    latest: Option<Block>,
    probing: Option<UnixMs>,
    now: UnixMs,
}

impl Blocks {
    fn add(&mut self, until: UnixMs, reason: BlockReason) {
        if self.now < until && self.latest.is_none_or(|held| held.until < until) {
            self.latest = Some(Block { until, reason });
        }
    }

    fn cooldown(&mut self, scope: Scope, cooldown: Option<Cooldown>) {
        if let Some(cooldown) = cooldown {
            self.add(cooldown.until, BlockReason::Cooldown(scope, cooldown.class));
        }
    }

    fn gate(&mut self, scope: Scope, gate: Gate) {
        match gate {
            Gate::Closed | Gate::HalfOpen => {}
            Gate::Open(until) => self.add(until, BlockReason::Circuit(scope)),
            Gate::Probing(until) => self.probe(Some(until)),
        }
    }

    fn probe(&mut self, until: Option<UnixMs>) {
        if let Some(until) = until.filter(|until| self.now < *until) {
            self.probing = self.probing.max(Some(until));
            self.add(until, BlockReason::Probing);
        }
    }
}
