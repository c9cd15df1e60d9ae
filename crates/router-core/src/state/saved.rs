//! The state as plain data, by name, for a store to keep.
//!
//! Requests in flight are not saved: after a restart none is.

use serde::{Deserialize, Serialize};

use super::{
    BucketState, CredentialState, Health, Lane, ModelState, Place, ProviderState, Rotation, State,
};
use crate::affinity::PinKey;
use crate::bucket::Counter;
use crate::catalog::{AffinityPolicy, Window, WindowUnit};
use crate::circuit::Circuit;
use crate::cooldown::Cooldown;
use crate::latency::Latency;
use crate::time::UnixMs;

/// A saved [`State`]. Made by [`State::save`], read by [`State::restore`].
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Saved {
    pub(super) providers: Vec<SavedProvider>,
    pub(super) rotations: Vec<SavedRotation>,
    pub(super) sessions: Vec<SavedSession>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(super) struct SavedProvider {
    pub id: String,
    fingerprint: u64,
    #[serde(flatten)]
    health: SavedHealth,
    credentials: Vec<SavedCredential>,
    models: Vec<SavedModel>,
    pub buckets: Vec<SavedBucket>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
struct SavedHealth {
    #[serde(skip_serializing_if = "Option::is_none")]
    cooldown: Option<Cooldown>,
    #[serde(skip_serializing_if = "Circuit::is_default")]
    circuit: Circuit,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
struct SavedCredential {
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cooldown: Option<Cooldown>,
    turn: f64,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
struct SavedModel {
    id: String,
    #[serde(flatten)]
    health: SavedHealth,
    latency: Latency,
    output: Option<f64>,
    used_at: UnixMs,
    /// By position of the credential.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lanes: Vec<Option<Cooldown>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(super) struct SavedBucket {
    id: String,
    unit: String,
    size: u32,
    time_zone: Option<String>,
    /// One, or one by position of the credential.
    counters: Vec<Counter>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(super) struct SavedRotation {
    alias: String,
    targets: Vec<(String, f64)>,
}

/// Where a session is, by name.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct SavedSession {
    /// The session's 64-bit name on its route.
    pub key: u64,
    /// Provider id.
    pub provider: String,
    /// Model id.
    pub model: String,
    /// Label of the credential.
    pub credential: String,
    /// When it was last sent there.
    pub used_at: UnixMs,
    /// Input tokens of its last request.
    pub tokens: u64,
}

impl State {
    /// Everything worth keeping at `now`.
    pub fn save(&self, now: UnixMs) -> Saved {
        let used = self.providers.iter().filter(|provider| provider.epoch != 0);
        let rotations = self.rotations.iter().filter(|rotation| rotation.epoch != 0);
        Saved {
            providers: used.map(|provider| SavedProvider::of(provider, now)).collect(),
            rotations: rotations
                .map(|r| SavedRotation { alias: r.alias.clone(), targets: r.targets.clone() })
                .collect(),
            sessions: self
                .affinity
                .iter()
                .filter_map(|(key, pin)| self.session(key, pin))
                .collect(),
        }
    }

    pub(super) fn session(&self, key: PinKey, pin: &crate::affinity::Pin) -> Option<SavedSession> {
        let Place { provider, epoch, model, credential } = pin.place;
        let provider = self.providers.get(provider).filter(|p| p.epoch == epoch)?;
        Some(SavedSession {
            key: key.0,
            provider: provider.id.clone(),
            model: provider.models.get(model)?.id.clone(),
            credential: provider.credentials.get(credential)?.label.clone(),
            used_at: pin.used_at,
            tokens: pin.tokens,
        })
    }

    /// A state with everything in `saved`. What is not finite or makes no sense is dropped.
    pub fn restore(saved: Saved) -> Self {
        let mut state = Self::default();
        for provider in saved.providers {
            let known = state.providers.iter().any(|held| held.id == provider.id);
            if !known && !provider.id.is_empty() {
                let epoch = state.next_epoch_of_restore();
                state.providers.push(provider.into_state(epoch));
            }
        }
        for rotation in saved.rotations {
            let known = state.rotations.iter().any(|held| held.alias == rotation.alias);
            if !known && rotation.targets.iter().all(|(_, position)| position.is_finite()) {
                let epoch = state.next_epoch_of_restore();
                let SavedRotation { alias, targets } = rotation;
                state.rotations.push(Rotation { alias, epoch, targets });
            }
        }
        // Sessions are trimmed to the real policy when a table is made.
        let all = AffinityPolicy { sessions_max: saved.sessions.len(), ..Default::default() };
        for session in saved.sessions {
            if let Some(place) = state.find(&session) {
                let key = PinKey(session.key);
                state.affinity.set(key, place, Some(session.tokens), &all, session.used_at);
            }
        }
        state
    }

    const fn next_epoch_of_restore(&mut self) -> u64 {
        self.epochs += 1;
        self.epochs
    }

    pub(super) fn find(&self, session: &SavedSession) -> Option<Place> {
        let slot = self.providers.iter().position(|p| p.id == session.provider)?;
        let provider = self.providers.get(slot)?;
        Some(Place {
            provider: slot,
            epoch: provider.epoch,
            model: provider.models.iter().position(|m| m.id == session.model)?,
            credential: provider.credentials.iter().position(|c| c.label == session.credential)?,
        })
    }
}

impl From<Health> for SavedHealth {
    fn from(health: Health) -> Self {
        Self { cooldown: health.cooldown, circuit: health.circuit }
    }
}

impl From<SavedHealth> for Health {
    fn from(saved: SavedHealth) -> Self {
        Self { cooldown: saved.cooldown, circuit: saved.circuit }
    }
}

impl SavedProvider {
    pub(super) fn of(state: &ProviderState, now: UnixMs) -> Self {
        Self {
            id: state.id.clone(),
            fingerprint: state.fingerprint,
            health: state.health.into(),
            credentials: state
                .credentials
                .iter()
                .map(|c| SavedCredential {
                    label: c.label.clone(),
                    cooldown: c.cooldown.filter(|cooldown| cooldown.holds(now)),
                    turn: c.turn,
                })
                .collect(),
            models: state
                .models
                .iter()
                .map(|m| SavedModel {
                    id: m.id.clone(),
                    health: m.health.into(),
                    latency: m.latency,
                    output: m.output,
                    used_at: m.used_at,
                    lanes: m.lanes.iter().map(|lane| lane.cooldown).collect(),
                })
                .collect(),
            buckets: state.buckets.iter().map(SavedBucket::of).collect(),
        }
    }

    pub(super) fn into_state(self, epoch: u64) -> ProviderState {
        let credentials = self.credentials.into_iter().map(|c| CredentialState {
            label: c.label,
            cooldown: c.cooldown,
            turn: if c.turn.is_finite() { c.turn } else { 0.0 },
        });
        let models = self.models.into_iter().map(|m| ModelState {
            id: m.id,
            health: m.health.into(),
            latency: m.latency,
            output: m.output.filter(|output| output.is_finite()),
            used_at: m.used_at,
            lanes: m
                .lanes
                .into_iter()
                .map(|cooldown| Lane { cooldown, probe_until: None })
                .collect(),
            unfit: Vec::new(),
        });
        ProviderState {
            id: self.id,
            epoch,
            fingerprint: self.fingerprint,
            health: self.health.into(),
            credentials: credentials.collect(),
            models: models.collect(),
            buckets: self.buckets.into_iter().filter_map(SavedBucket::into_state).collect(),
        }
    }
}

const UNITS: [(&str, WindowUnit); 6] = [
    ("second", WindowUnit::Second),
    ("minute", WindowUnit::Minute),
    ("hour", WindowUnit::Hour),
    ("day", WindowUnit::Day),
    ("week", WindowUnit::Week),
    ("month", WindowUnit::Month),
];

/// The unit a saved state calls so.
pub(super) fn unit(name: &str) -> Option<WindowUnit> {
    UNITS.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
}

impl SavedBucket {
    /// A bucket with one counter.
    pub(super) fn new(id: String, window: &Window, counter: Counter) -> Self {
        let unit = UNITS.iter().find(|(_, unit)| *unit == window.unit);
        Self {
            id,
            unit: unit.map(|(name, _)| (*name).to_owned()).unwrap_or_default(),
            size: window.size,
            time_zone: window.time_zone.clone(),
            counters: vec![counter],
        }
    }

    fn of(state: &BucketState) -> Self {
        let one = Self::new(state.id.clone(), &state.window, Counter::default());
        Self { counters: state.counters.clone(), ..one }
    }

    fn into_state(self) -> Option<BucketState> {
        let unit = unit(&self.unit)?;
        let window = Window { unit, size: self.size.max(1), time_zone: self.time_zone };
        Some(BucketState { id: self.id, window, counters: self.counters })
    }
}
