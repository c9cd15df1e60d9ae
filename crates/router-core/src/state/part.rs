//! One provider's part of a state, by name, where an owner of its own keeps it.
//!
//! ```text
//!   Call::of(plan, candidate) --> owner: reserve_call --> Reservation | Refused
//!                                 owner: part         --> adopt       (what planning then sees)
//!   reserve_free, settled ------> owner: report                       (calls that nothing counts)
//! ```
//!
//! The owner's state is the truth and has one provider: [`Catalog::only`] makes its catalog. A
//! planner's own state follows the parts it is told, and keeps its rotations to itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::admit;
use super::saved::{Saved, SavedProvider, SavedSession};
use super::{CredentialState, ProviderState, Refused, Reservation, Settlement, State, Table};
use crate::affinity::PinKey;
use crate::bucket::Tokens;
use crate::catalog::{Catalog, ModelRef, Timeouts};
use crate::plan::{Candidate, Plan, Tier};
use crate::time::UnixMs;
use router_wire::Dialect;

/// A call of one candidate, by name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Call {
    /// Model id.
    pub model: String,
    /// Credential label.
    pub credential: String,
    /// Whether it is tried as a last resort.
    pub probe: bool,
    /// Tokens the request is expected to use.
    pub tokens: Tokens,
    /// The request's session on its route.
    pub session: Option<u64>,
}

/// A call that nothing counts ([`State::reserve_free`]), when it is over.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Report {
    /// The call.
    pub call: Call,
    /// How long ago it was reserved, in milliseconds.
    pub began_ms_ago: u64,
    /// Whether its first output came.
    pub committed: bool,
    /// How long after it was sent, in milliseconds; `None` where that says nothing.
    pub first_output_ms: Option<u64>,
    /// How it ended.
    pub how: Settlement,
}

/// What one provider's state says, and where one session is in it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Part {
    provider: SavedProvider,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<SavedSession>,
}

/// Where one session is, as an owner keeps it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Session(SavedSession);

impl Call {
    /// The call of a candidate of `plan`, by index, and its provider's id.
    pub fn of(catalog: &Catalog, plan: &Plan, candidate: usize) -> Option<(String, Self)> {
        let candidate = plan.candidates.get(candidate)?;
        let provider = catalog.provider(candidate.model)?;
        let call = Self {
            model: catalog.model(candidate.model)?.id.clone(),
            credential: provider.credentials.get(candidate.credential)?.label.clone(),
            probe: candidate.probe,
            tokens: plan.tokens,
            session: plan.session(),
        };
        Some((provider.id.clone(), call))
    }

    /// A plan of this call alone, in the catalog of its provider alone.
    fn plan(&self, catalog: &Catalog) -> Option<Plan> {
        let provider = catalog.providers.first()?;
        let model = provider.models.iter().position(|model| model.id == self.model)?;
        let credential = provider.credentials.iter().position(|c| c.label == self.credential)?;
        let candidate = Candidate {
            model: ModelRef { provider: 0, model },
            credential,
            // Where the state is kept nobody dials.
            dialect: Dialect::OpenaiChat,
            tier: Tier::Primary,
            probe: self.probe,
            queued: false,
            timeouts: Timeouts::default(),
        };
        let pin = self.session.map(PinKey);
        Some(Plan { candidates: vec![candidate], tokens: self.tokens, pin, ..Plan::default() })
    }
}

impl Plan {
    /// The name of the request's session on its route, where that has a place to be kept to.
    pub fn session(&self) -> Option<u64> {
        self.pin.map(|key| key.0)
    }
}

impl Catalog {
    /// The same policy for one provider alone, without the aliases that name it, or for one client
    /// key, by what it is called among providers.
    pub fn only(&self, id: &str) -> Option<Self> {
        let routing = self.routing.clone();
        if let Some(client) = self.clients.iter().find(|client| admit::owner(client) == id) {
            return Some(Self { clients: vec![client.clone()], routing, ..Self::default() });
        }
        let mut provider = self.providers.iter().find(|provider| provider.id == id)?.clone();
        for model in &mut provider.models {
            model.fallback_models.clear();
        }
        Some(Self { providers: vec![provider], routing, ..Self::default() })
    }
}

impl State {
    /// Counts a call in a state of one provider.
    pub fn reserve_call(
        &mut self,
        table: &Table,
        call: &Call,
        now: UnixMs,
    ) -> Result<Reservation, Refused> {
        let plan = call.plan(table.catalog()).ok_or(Refused::Unplanned)?;
        self.reserve(table, &plan, 0, now)
    }

    /// Takes in what became of a call that nothing counts.
    pub fn report(&mut self, table: &Table, report: &Report, now: UnixMs) {
        let Some(plan) = report.call.plan(table.catalog()) else { return };
        let Some(candidate) = plan.candidates.first() else { return };
        let view = self.view(table);
        let Some(place) = view.place(candidate.model, candidate.credential) else { return };
        let mut reservation = Reservation {
            place,
            tokens: view.expected(candidate.model, plan.tokens),
            started: UnixMs(now.0.saturating_sub(report.began_ms_ago)),
            pin: plan.pin,
            ..Reservation::default()
        };
        if report.committed {
            let first_output = report.first_output_ms.map(Duration::from_millis);
            self.commit(&mut reservation, first_output, now);
        }
        self.settle(reservation, &report.how, now);
    }

    /// One provider's part, with one of its sessions.
    pub fn part(&self, provider: &str, session: Option<u64>, now: UnixMs) -> Option<Part> {
        let state = self.providers.iter().find(|state| state.id == provider)?;
        let session = session.and_then(|key| self.session_of(key, now));
        Some(Part { provider: SavedProvider::of(state, now), session: session.map(|it| it.0) })
    }

    /// Where a session is.
    pub fn session_of(&self, key: u64, now: UnixMs) -> Option<Session> {
        let key = PinKey(key);
        let pin = self.affinity.get(key, &self.affinity_policy, now)?;
        self.session(key, pin).map(Session)
    }

    /// A state of one provider and its sessions.
    pub fn of_part(part: Part, sessions: impl IntoIterator<Item = Session>) -> Self {
        let sessions = sessions.into_iter().map(|session| session.0).collect();
        Self::restore(Saved { providers: vec![part.provider], sessions, ..Saved::default() })
    }

    /// Takes over what an owner says, if it speaks of the same config. Of a session the later
    /// word counts.
    pub fn adopt_part(&mut self, part: Part) {
        if let Some(session) = part.session
            && let Some(place) = self.find(&session)
        {
            let key = PinKey(session.key);
            let policy = self.affinity_policy.clone();
            let known = self.affinity.get(key, &policy, session.used_at);
            if known.is_none_or(|pin| pin.used_at <= session.used_at) {
                self.affinity.set(key, place, Some(session.tokens), &policy, session.used_at);
            }
        }
        let told = part.provider.into_state(0);
        let same = |own: &&mut ProviderState| {
            own.epoch != 0 && own.id == told.id && own.fingerprint == told.fingerprint
        };
        if let Some(own) = self.providers.iter_mut().find(same) {
            own.adopt(told);
            self.revision += 1;
        }
    }
}

impl ProviderState {
    fn adopt(&mut self, told: Self) {
        // Lanes and counters go by the position of the credential.
        let same = |(own, told): (&CredentialState, &CredentialState)| own.label == told.label;
        let aligned = self.credentials.len() == told.credentials.len()
            && self.credentials.iter().zip(&told.credentials).all(same);
        self.health = told.health;
        for credential in told.credentials {
            let own = self.credentials.iter_mut().find(|own| own.label == credential.label);
            if let Some(own) = own {
                own.cooldown = credential.cooldown;
            }
        }
        for model in told.models {
            let Some(own) = self.models.iter_mut().find(|own| own.id == model.id) else { continue };
            own.health = model.health;
            own.latency = model.latency;
            own.output = model.output;
            if aligned {
                own.lanes = model.lanes;
            }
        }
        for bucket in told.buckets.into_iter().filter(|_| aligned) {
            let own = self.buckets.iter_mut().find(|own| own.id == bucket.id);
            if let Some(own) = own.filter(|own| own.window == bucket.window) {
                own.counters = bucket.counters;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Strategy;
    use crate::cooldown::Scope;
    use crate::failure::FailureClass;
    use crate::state::Effect;
    use crate::testing::{World, catalog};

    /// The state of provider `a`, kept apart.
    struct Owner {
        state: State,
        table: Table,
    }

    impl Owner {
        fn new(world: &World) -> Self {
            let mut state = State::new();
            let catalog = world.table.catalog().only("a").unwrap();
            let table = state.table(Arc::new(catalog), world.now);
            Self { state, table }
        }

        fn reserve(&mut self, world: &mut World, route: &str) -> Result<Reservation, Refused> {
            let plan = world.plan(route);
            let (provider, call) = Call::of(world.table.catalog(), &plan, 0).unwrap();
            assert_eq!(provider, "a");
            let json = serde_json::to_string(&call).unwrap();
            let call: Call = serde_json::from_str(&json).unwrap();
            let reserved = self.state.reserve_call(&self.table, &call, world.now);
            self.tell(world, call.session);
            reserved
        }

        /// Tells the planner, as bytes would.
        fn tell(&self, world: &mut World, session: Option<u64>) {
            let part = self.state.part("a", session, world.now).unwrap();
            let part = serde_json::to_string(&part).unwrap();
            world.state.adopt_part(serde_json::from_str(&part).unwrap());
        }
    }

    #[test]
    fn planners_with_one_owner_keep_to_one_cap() {
        let make = || World::new(catalog("a").monthly("a", 3));
        let (mut one, mut two) = (make(), make());
        let mut owner = Owner::new(&one);
        for _ in 0..2 {
            let _kept = owner.reserve(&mut one, "a/m").unwrap();
        }
        let _kept = owner.reserve(&mut two, "a/m").unwrap();
        assert!(two.plan("a/m").candidates.is_empty(), "the second saw what the first used");
        let refused = owner.reserve(&mut one, "a/m").unwrap_err();
        assert!(matches!(refused, Refused::Exhausted { .. }), "{refused:?}");
        assert!(one.plan("a/m").candidates.is_empty(), "and so did the first, once told");
    }

    #[test]
    fn a_failure_one_planner_met_keeps_the_others_away_and_survives_a_restart() {
        let make = || World::new(catalog("ab").alias("x", Strategy::Ordered, "a b", ""));
        let (mut one, mut two) = (make(), make());
        let mut owner = Owner::new(&one);
        let reservation = owner.reserve(&mut one, "x").unwrap();
        let cooldown = Some((Scope::Lane, Duration::from_secs(30)));
        let effect = Effect::Failure { class: FailureClass::RateLimited, cooldown, circuit: None };
        let how = Settlement { answered: true, used: None, effect };
        let json = serde_json::to_string(&how).unwrap();
        owner.state.settle(reservation, &serde_json::from_str(&json).unwrap(), one.now);
        let part = owner.state.part("a", None, one.now).unwrap();
        owner.state = State::of_part(part, []);
        owner.table = owner.state.table(Arc::clone(owner.table.catalog()), one.now);
        for world in [&mut one, &mut two] {
            owner.tell(world, None);
            assert_eq!(world.turn("x"), "b");
        }
    }

    #[test]
    fn a_call_that_nothing_counts_is_told_of_when_it_is_over() {
        let make = || World::new(catalog("ab").alias("x", Strategy::Ordered, "a b", ""));
        let (mut one, mut two) = (make(), make());
        let mut owner = Owner::new(&one);
        let plan = one.plan("x");
        let free = one.state.reserve_free(&one.table, &plan, 0, one.now).unwrap();
        let (_, call) = Call::of(one.table.catalog(), &plan, 0).unwrap();
        let cooldown = Some((Scope::Lane, Duration::from_secs(30)));
        let effect = Effect::Failure { class: FailureClass::RateLimited, cooldown, circuit: None };
        let how = Settlement { answered: true, used: None, effect };
        one.state.settle(free, &how, one.now);
        assert_eq!(one.turn("x"), "b", "who made the call knows at once");
        let report =
            Report { call, began_ms_ago: 50, committed: false, first_output_ms: None, how };
        let json = serde_json::to_string(&report).unwrap();
        owner.state.report(&owner.table, &serde_json::from_str(&json).unwrap(), one.now);
        owner.tell(&mut two, None);
        assert_eq!(two.turn("x"), "b", "and everybody when the owner does");
        // A call that began before that failure and succeeds after it disproves nothing.
        let how = Settlement { answered: true, used: None, effect: Effect::Success };
        let early = Report { committed: true, how, ..report };
        owner.state.report(&owner.table, &early, one.now);
        owner.tell(&mut two, None);
        assert_eq!(two.turn("x"), "b");
        let late = Report { began_ms_ago: 0, ..early };
        two.now = two.now.after(Duration::from_secs(1));
        owner.state.report(&owner.table, &late, two.now);
        owner.tell(&mut two, None);
        assert_eq!(two.turn("x"), "ab", "one that began after it does");
    }

    #[test]
    fn what_a_bucket_counts_or_a_circuit_waits_for_is_not_free() {
        let mut world = World::new(catalog("a").monthly("a", 3));
        let plan = world.plan("a/m");
        for _ in 0..5 {
            assert!(world.state.reserve_free(&world.table, &plan, 0, world.now).is_none());
        }
        assert_eq!(world.plan("a/m").candidates.len(), 1, "asking used nothing up");

        let mut world = World::new(catalog("a"));
        let circuit = Some(Scope::Model);
        let effect = Effect::Failure { class: FailureClass::Overloaded, cooldown: None, circuit };
        let how = Settlement { answered: true, used: None, effect };
        for _ in 0..world.table.catalog().routing.circuit.failures {
            let plan = world.plan("a/m");
            let call = world.state.reserve_free(&world.table, &plan, 0, world.now).unwrap();
            world.state.settle(call, &how, world.now);
        }
        world.now = world.now.after(world.table.catalog().routing.circuit.cooldown);
        let plan = world.plan("a/m");
        assert!(world.state.reserve_free(&world.table, &plan, 0, world.now).is_none());
        let probe = world.state.reserve(&world.table, &plan, 0, world.now);
        assert!(probe.is_ok(), "the probe is still to be had");
    }

    #[test]
    fn what_the_owner_does_not_know_is_refused_and_not_counted() {
        let world = World::new(catalog("a"));
        let mut owner = Owner::new(&world);
        let call = Call {
            model: "other".to_owned(),
            credential: String::new(),
            probe: false,
            tokens: Tokens::default(),
            session: None,
        };
        let refused = owner.state.reserve_call(&owner.table, &call, world.now).unwrap_err();
        assert_eq!(refused, Refused::Unplanned);
    }
}
