//! A cooldown or an open circuit as routers tell each other of it.

use router_core::cooldown::Scope;
use router_core::failure::FailureClass;
use router_core::state::Held;
use router_core::time::UnixMs;
use serde::{Deserialize, Serialize};

use super::Part;

/// A cooldown or an open circuit, by name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Cooling {
    provider: String,
    model: Option<String>,
    credential: Option<String>,
    scope: Scope,
    pub(super) until: UnixMs,
    pub(super) since: UnixMs,
    /// `None` for a circuit.
    pub(super) class: Option<FailureClass>,
}

impl Cooling {
    pub(super) fn new(
        part: &Part,
        scope: Scope,
        since: UnixMs,
        until: UnixMs,
        class: Option<FailureClass>,
    ) -> Self {
        let model = matches!(scope, Scope::Model | Scope::Lane).then(|| part.model.clone());
        let credential =
            matches!(scope, Scope::Credential | Scope::Lane).then(|| part.credential.clone());
        Self { provider: part.provider.clone(), model, credential, scope, until, since, class }
    }

    /// What it is called among the provider's.
    pub(super) fn name(&self) -> String {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let kind = if self.class.is_some() { "" } else { "circuit-" };
        let scope = self.scope.name();
        format!("{kind}{scope}/{}/{}", part(&self.credential), part(&self.model))
    }

    /// Whether it keeps out a call of this model with this credential.
    pub(super) fn covers(&self, part: &Part) -> bool {
        self.provider == part.provider
            && self.model.as_ref().is_none_or(|it| *it == part.model)
            && self.credential.as_ref().is_none_or(|it| *it == part.credential)
    }

    /// In the core's words.
    pub(crate) fn held(&self) -> Held {
        Held {
            provider: self.provider.clone(),
            model: self.model.clone(),
            credential: self.credential.clone(),
            scope: self.scope,
            until: self.until,
            class: self.class,
        }
    }
}
