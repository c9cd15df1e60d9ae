//! What is kept out at present, for people, and how they let it back in.

use serde::Serialize;

use super::State;
use crate::circuit::Gate;
use crate::cooldown::{Cooldown, Scope};
use crate::failure::FailureClass;
use crate::time::UnixMs;

/// One cooldown or open circuit.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Held {
    /// Provider id.
    pub provider: String,
    /// Model id, where only one model is kept out.
    pub model: Option<String>,
    /// Credential label, where only one credential is kept out.
    pub credential: Option<String>,
    /// What is kept out.
    pub scope: Scope,
    /// First moment it is let back in.
    pub until: UnixMs,
    /// The failure behind a cooldown; `None` for an open circuit.
    pub class: Option<FailureClass>,
}

impl State {
    /// Everything kept out at `now`.
    pub fn held(&self, now: UnixMs) -> Vec<Held> {
        let mut all = Vec::new();
        for provider in &self.providers {
            let base = Held {
                provider: provider.id.clone(),
                model: None,
                credential: None,
                scope: Scope::Provider,
                until: now,
                class: None,
            };
            let cooling = |held: Held, cooldown: Option<Cooldown>| {
                let cooldown = cooldown.filter(|cooldown| cooldown.holds(now))?;
                Some(Held { until: cooldown.until, class: Some(cooldown.class), ..held })
            };
            let mut add = |held: Held, cooldown| all.extend(cooling(held, cooldown));
            add(base.clone(), provider.health.cooldown);
            for credential in &provider.credentials {
                let label = Some(credential.label.clone());
                let held = Held { credential: label, scope: Scope::Credential, ..base.clone() };
                add(held, credential.cooldown);
            }
            for model in &provider.models {
                let id = Some(model.id.clone());
                let held = Held { model: id, scope: Scope::Model, ..base.clone() };
                all.extend(cooling(held.clone(), model.health.cooldown));
                for (lane, credential) in model.lanes.iter().zip(&provider.credentials) {
                    let credential = Some(credential.label.clone());
                    let held = Held { credential, scope: Scope::Lane, ..held.clone() };
                    all.extend(cooling(held, lane.cooldown));
                }
                if let Gate::Open(until) = model.health.circuit.gate(now) {
                    all.push(Held { until, ..held });
                }
            }
            if let Gate::Open(until) = provider.health.circuit.gate(now) {
                all.push(Held { until, ..base });
            }
        }
        all
    }

    /// Lets back in what is kept out: everything of `provider`, or of every provider. Returns how
    /// much was kept out.
    pub fn clear(&mut self, provider: Option<&str>, now: UnixMs) -> usize {
        let named = |id: &str| provider.is_none_or(|provider| provider == id);
        let held = self.held(now).iter().filter(|held| named(&held.provider)).count();
        for state in self.providers.iter_mut().filter(|state| named(&state.id)) {
            state.forget_failures();
        }
        self.revision += 1;
        held
    }
}
