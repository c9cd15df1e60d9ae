//! What other routers learned: cooldowns, open circuits, and where sessions are.

use super::saved::SavedSession;
use super::{Held, Reservation, State};
use crate::affinity::PinKey;
use crate::circuit::Circuit;
use crate::cooldown::{Cooldown, Scope};
use crate::num::millis;
use crate::time::UnixMs;

/// Where a session is, by name, for routers to tell each other.
pub type SharedSession = SavedSession;

/// The session of a call, if it has one. Made by [`Reservation::session`].
#[derive(Clone, Copy, Debug)]
pub struct Pinned(Option<PinKey>);

impl Reservation {
    /// The session of the call.
    pub const fn session(&self) -> Pinned {
        Pinned(self.pin)
    }
}

/// A cooldown or a circuit of the state.
enum Slot<'a> {
    Cooldown(&'a mut Option<Cooldown>),
    Circuit(&'a mut Circuit),
}

impl State {
    /// Takes over a cooldown or an open circuit of another router, or lengthens it. What the state
    /// knows nothing of is left alone.
    pub fn hold(&mut self, held: &Held, since: UnixMs) {
        match (self.slot(held), held.class) {
            (Some(Slot::Cooldown(slot)), Some(class)) => {
                Cooldown::set(slot, Cooldown { until: held.until, since, class });
            }
            (Some(Slot::Circuit(circuit)), _) => circuit.on_told(held.until, since),
            _ => return,
        }
        self.revision += 1;
    }

    /// Another router let back in what it had kept out, and this one with it.
    pub fn release(&mut self, held: &Held) {
        match self.slot(held) {
            Some(Slot::Cooldown(slot)) => *slot = None,
            Some(Slot::Circuit(circuit)) => *circuit = Circuit::default(),
            None => return,
        }
        self.revision += 1;
    }

    /// Until when the circuits of a provider and of one of its models are open.
    pub fn tripped(&self, provider: &str, model: &str) -> [Option<UnixMs>; 2] {
        let provider = self.providers.iter().find(|it| it.id == provider);
        let model = provider.and_then(|it| it.models.iter().find(|it| it.id == model));
        [
            provider.and_then(|it| it.health.circuit.tripped()),
            model.and_then(|it| it.health.circuit.tripped()),
        ]
    }

    fn slot(&mut self, held: &Held) -> Option<Slot<'_>> {
        let provider = self.providers.iter_mut().find(|it| it.id == held.provider)?;
        let label = held.credential.as_ref();
        let credential =
            label.and_then(|l| provider.credentials.iter().position(|c| c.label == *l));
        let model = held.model.as_ref();
        let model = model.and_then(|id| provider.models.iter_mut().find(|m| m.id == *id));
        Some(match (held.scope, held.class.is_some()) {
            (Scope::Provider, true) => Slot::Cooldown(&mut provider.health.cooldown),
            (Scope::Provider, false) => Slot::Circuit(&mut provider.health.circuit),
            (Scope::Credential, _) => {
                Slot::Cooldown(&mut provider.credentials.get_mut(credential?)?.cooldown)
            }
            (Scope::Model, true) => Slot::Cooldown(&mut model?.health.cooldown),
            (Scope::Model, false) => Slot::Circuit(&mut model?.health.circuit),
            (Scope::Lane, _) => Slot::Cooldown(&mut model?.lane_mut(credential?)?.cooldown),
        })
    }

    /// How long sessions are kept, in milliseconds, and how many.
    pub fn sessions_kept(&self) -> (u64, usize) {
        (millis(self.affinity_policy.ttl).max(1), self.affinity_policy.sessions_max.max(1))
    }

    /// Where the session of a call is now, if it has one.
    pub fn shared_session(&self, session: Pinned) -> Option<SharedSession> {
        let key = session.0?;
        let pin = self.affinity.known(key)?;
        self.session(key, pin)
    }

    /// Takes over where another router last sent a session, unless this one has sent it elsewhere
    /// since.
    pub fn adopt_session(&mut self, session: &SharedSession, now: UnixMs) {
        let key = PinKey(session.key);
        let used_at = session.used_at.min(now);
        let is_older = self.affinity.known(key).is_some_and(|pin| used_at <= pin.used_at);
        if is_older {
            return;
        }
        if let Some(place) = self.find(session) {
            let policy = &self.affinity_policy;
            self.affinity.set(key, place, Some(session.tokens), policy, used_at);
            self.revision += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Strategy;
    use crate::failure::FailureClass;
    use crate::testing::{World, catalog};

    fn world() -> World {
        World::new(catalog("ab").alias("x", Strategy::RoundRobin, "a b", ""))
    }

    #[test]
    fn a_circuit_one_router_opens_is_open_in_the_other_until_it_closes() {
        let (mut one, mut two) = (world(), world());
        for _ in 0..2 {
            one.fail("a/m", FailureClass::ServerError);
        }
        let held = one.state.held(one.now);
        assert_eq!((held.len(), held[0].class), (1, None));
        assert_eq!(one.state.tripped("a", "m"), [None, Some(held[0].until)]);
        two.state.hold(&held[0], two.now);
        assert_eq!(two.state.held(two.now), held);
        assert_eq!((two.turn("x"), two.turn("x")), ("b".into(), "b".into()));
        two.state.release(&held[0]);
        assert_eq!(two.state.held(two.now), []);
        assert_eq!(two.state.tripped("a", "m"), [None, None]);
        two.state.hold(&held[0], two.now);
        two.wait(31);
        assert_eq!(two.turn("a/m"), "a", "its own probe goes through afterwards");
    }

    #[test]
    fn a_session_is_found_where_the_other_router_left_it() {
        let (mut one, mut two) = (world(), world());
        for world in [&mut one, &mut two] {
            world.session = Some(7);
        }
        assert_eq!(one.turn("x"), "ab");
        let call = one.begin("x").unwrap();
        let session = one.state.shared_session(call.session()).unwrap();
        one.end(call, crate::state::Effect::Success, None);
        two.session = None;
        assert_eq!(two.turn("x"), "ab");
        two.session = Some(7);
        two.state.adopt_session(&session, two.now);
        assert_eq!(two.turn("x"), "ab", "although it is b's turn");
        two.wait(1);
        let elsewhere = SharedSession { provider: "b".into(), ..session };
        two.state.adopt_session(&elsewhere, two.now);
        assert_eq!(two.turn("x"), "ab", "what is older does not count");
    }
}
