//! Everything routing remembers between requests: plain data and pure operations.
//!
//! ```text
//!   State::table(catalog) -> Table        once per config: where each name stands in the state
//!   State::view(&table)   -> View         what planning reads
//!   State::accept(&plan)                  turns taken, session pinned
//!   State::admit(..)      -> Reservation  once a request: all buckets of its client key, or none
//!   State::reserve(..)    -> Reservation  before a call: all buckets of a candidate, or none
//!   State::commit(..)                     first output: cooldowns and circuits hear of it
//!   State::settle(reservation, ..)        after the call, exactly once
//! ```
//!
//! Whoever owns the state (a mutex, a Durable Object, a simulation) calls these with the time.
//! None of them waits, allocates without bound or fails half way. A request keeps the [`Table`]
//! it began with; positions of a table stay valid until its part of the state is given away, and
//! after that they read as an empty state and write nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::affinity::{Affinity, PinKey};
use crate::bucket::Counter;
use crate::catalog::{AffinityPolicy, CircuitPolicy, Window};
use crate::circuit::Circuit;
use crate::cooldown::Cooldown;
use crate::latency::Latency;
use crate::num::real;
use crate::plan::Plan;
use crate::time::UnixMs;

mod admit;
mod clear;
mod older;
mod part;
mod peers;
mod reserve;
mod saved;
mod share;
mod status;
mod table;
mod unfit;
mod view;

pub use admit::Admission;
pub use clear::Held;
pub use part::{Call, Part, Report, Session};
pub use peers::{Pinned, SharedSession};
pub use reserve::{Effect, Refused, Reservation, Settlement};
pub use saved::Saved;
pub use share::Claim;
pub use status::{BucketStatus, CapStatus, ClientStatus, ModelStatus, ProviderStatus};
pub use table::Table;
pub use view::{Block, BlockReason, Standing, View};

/// The state of one router.
#[derive(Clone, Debug, Default)]
pub struct State {
    providers: Vec<ProviderState>,
    rotations: Vec<Rotation>,
    affinity: Affinity,
    circuit: CircuitPolicy,
    affinity_policy: AffinityPolicy,
    /// Number of positions given away so far; each gets the next.
    epochs: u64,
    revision: u64,
}

/// Where one (provider, model, credential) stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Place {
    pub provider: usize,
    pub epoch: u64,
    pub model: usize,
    pub credential: usize,
}

/// A cooldown and a circuit.
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    cooldown: Option<Cooldown>,
    circuit: Circuit,
}

#[derive(Clone, Debug, Default)]
struct ProviderState {
    id: String,
    epoch: u64,
    fingerprint: u64,
    health: Health,
    credentials: Vec<CredentialState>,
    models: Vec<ModelState>,
    buckets: Vec<BucketState>,
}

#[derive(Clone, Debug, Default)]
struct CredentialState {
    label: String,
    cooldown: Option<Cooldown>,
    /// Position in the smooth rotation of the provider's credentials.
    turn: f64,
}

#[derive(Clone, Debug, Default)]
struct ModelState {
    id: String,
    health: Health,
    latency: Latency,
    /// Output of an answer in tokens, on average; `None` before the first.
    output: Option<f64>,
    /// One per credential that was ever in trouble; missing ones are fine.
    lanes: Vec<Lane>,
    /// When it was last called.
    used_at: UnixMs,
    /// Parameters it does not take, and until when that is believed.
    unfit: Vec<(String, UnixMs)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    cooldown: Option<Cooldown>,
    probe_until: Option<UnixMs>,
}

#[derive(Clone, Debug)]
struct BucketState {
    id: String,
    window: Window,
    /// One, or one per credential.
    counters: Vec<Counter>,
}

/// Smooth rotation among an alias's targets.
#[derive(Clone, Debug, Default)]
struct Rotation {
    alias: String,
    epoch: u64,
    /// Target names in order, and each one's position.
    targets: Vec<(String, f64)>,
}

impl State {
    /// An empty state.
    pub fn new() -> Self {
        Self::default()
    }

    /// What planning reads, for requests that use `table`.
    pub const fn view<'a>(&'a self, table: &'a Table) -> View<'a> {
        View { state: self, table }
    }

    /// A number that grows with every change worth saving.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Notes that `plan` is being carried out: turns are taken, and its session belongs to its
    /// first candidate unless it already belongs to one that is planned.
    pub fn accept(&mut self, plan: &Plan, now: UnixMs) {
        for turn in &plan.turns {
            let slot = match turn.of {
                TurnOf::Alias { slot, epoch } => self
                    .rotations
                    .get_mut(slot)
                    .filter(|rotation| rotation.epoch == epoch)
                    .and_then(|rotation| rotation.targets.get_mut(turn.index))
                    .map(|(_, position)| position),
                TurnOf::Provider { slot, epoch } => self
                    .providers
                    .get_mut(slot)
                    .filter(|provider| provider.epoch == epoch)
                    .and_then(|provider| provider.credentials.get_mut(turn.index))
                    .map(|credential| &mut credential.turn),
            };
            if let Some(position) = slot {
                *position += turn.change;
                self.revision += 1;
            }
        }
        if let Some(pin) = plan.pin
            && let Some(place) = plan.first_place
        {
            self.pin(pin, place, None, now);
        }
    }

    fn pin(&mut self, key: PinKey, place: Place, tokens: Option<u64>, now: UnixMs) {
        self.affinity.set(key, place, tokens, &self.affinity_policy, now);
        self.revision += 1;
    }

    /// Forgets what has run out. Call it now and then; nothing depends on it but memory.
    pub fn prune(&mut self, now: UnixMs) {
        for provider in &mut self.providers {
            let ended = |slot: &mut Option<Cooldown>| {
                if slot.is_some_and(|cooldown| !cooldown.holds(now)) {
                    *slot = None;
                }
            };
            ended(&mut provider.health.cooldown);
            for credential in &mut provider.credentials {
                ended(&mut credential.cooldown);
            }
            for model in &mut provider.models {
                ended(&mut model.health.cooldown);
                for lane in &mut model.lanes {
                    ended(&mut lane.cooldown);
                }
            }
        }
        self.affinity.trim(&self.affinity_policy, now);
    }

    /// Forgets the health, latency and usual output of models that were not called for `ttl`, once
    /// nothing keeps them out any more.
    pub fn forget_unused(&mut self, ttl: Duration, now: UnixMs) {
        for model in self.providers.iter_mut().flat_map(|provider| &mut provider.models) {
            let out = model.health.cooldown.map(|it| it.until);
            let out = out.max(model.health.circuit.tripped()).unwrap_or_default();
            if model.used_at.max(out).after(ttl) <= now && model.lanes.iter().all(Lane::is_idle) {
                let id = std::mem::take(&mut model.id);
                *model = ModelState { id, used_at: model.used_at, ..ModelState::default() };
            }
        }
    }

    /// The provider at `place`, unless its position was given away since.
    fn provider_mut(&mut self, place: Place) -> Option<&mut ProviderState> {
        self.providers.get_mut(place.provider).filter(|provider| provider.epoch == place.epoch)
    }
}

impl ProviderState {
    /// Drops everything a failure left behind.
    fn forget_failures(&mut self) {
        self.health = Health::default();
        for credential in &mut self.credentials {
            credential.cooldown = None;
        }
        for model in &mut self.models {
            model.health = Health::default();
            model.latency = Latency::default();
            model.lanes.clear();
            model.unfit.clear();
        }
    }
}

impl Lane {
    const fn is_idle(&self) -> bool {
        self.cooldown.is_none() && self.probe_until.is_none()
    }
}

impl ModelState {
    fn lane(&self, credential: usize) -> Lane {
        self.lanes.get(credential).copied().unwrap_or_default()
    }

    /// Takes in what an answer used: an eighth of the difference.
    fn learn_output(&mut self, tokens: u64) {
        let tokens = real(tokens);
        let average = self.output.unwrap_or(tokens);
        self.output = Some(average + (tokens - average) / 8.0);
    }

    fn lane_mut(&mut self, credential: usize) -> Option<&mut Lane> {
        if self.lanes.len() <= credential {
            self.lanes.resize(credential + 1, Lane::default());
        }
        self.lanes.get_mut(credential)
    }
}

/// One step of a smooth rotation, found while planning and taken by [`State::accept`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turn {
    pub of: TurnOf,
    pub index: usize,
    pub change: f64,
}

/// Whose rotation a [`Turn`] belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TurnOf {
    Alias { slot: usize, epoch: u64 },
    Provider { slot: usize, epoch: u64 },
}

/// A catalog ready to be shared by requests.
pub type SharedTable = Arc<Table>;

#[cfg(test)]
mod tests;
