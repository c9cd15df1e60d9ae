//! Looking at the state without changing it, and letting operators undo what failures did.

use router_core::explain::{Explanation, explain};
use router_core::plan::RequestFacts;
use router_core::resolve::Route;
use router_core::state::{ClientStatus, Held, ProviderStatus, Table};
use router_core::time::UnixMs;

use super::Store;

impl Store {
    /// What [`Store::plan`] would decide now, and why. Takes no turn and pins no session.
    pub fn explain(
        &self,
        table: &Table,
        route: &Route,
        facts: &RequestFacts,
        now: UnixMs,
    ) -> Explanation {
        explain(&self.lock().state.view(table), route, facts, now)
    }

    /// How every provider of the table's catalog stands.
    pub fn status(&self, table: &Table, now: UnixMs) -> Vec<ProviderStatus> {
        self.lock().state.view(table).status(now)
    }

    /// How every client key of the table's catalog stands.
    pub fn clients(&self, table: &Table, now: UnixMs) -> Vec<ClientStatus> {
        self.lock().state.view(table).clients(now)
    }

    /// Every cooldown and open circuit.
    pub fn held(&self, now: UnixMs) -> Vec<Held> {
        self.lock().state.held(now)
    }

    /// Ends the cooldowns and closes the circuits of `provider`, or of every provider. Returns how
    /// many there were.
    pub fn clear(&self, provider: Option<&str>, now: UnixMs) -> usize {
        self.forget_shared(provider);
        self.lock().state.clear(provider, now)
    }
}
