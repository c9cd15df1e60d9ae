//! Parameters that a model turned out not to take.
//!
//! The first request with one pays for a failed attempt; for a while the others do not: what is
//! translated leaves the parameter out, and what passes untouched goes to another candidate.

use std::time::Duration;

use super::{Reservation, State};
use crate::time::UnixMs;

/// How long a refused parameter is remembered: models learn, and gateways are mended.
const MEMORY: Duration = Duration::from_hours(1);
/// Parameters of one model that are remembered at most.
const PARAMETERS_MAX: usize = 16;

impl State {
    /// The call's model does not take this member of the request.
    pub fn learn_unfit(&mut self, reservation: &Reservation, parameter: &str, now: UnixMs) {
        let place = reservation.place;
        let Some(provider) = self.provider_mut(place) else { return };
        let Some(model) = provider.models.get_mut(place.model) else { return };
        model.unfit.retain(|(name, until)| now < *until && name != parameter);
        if model.unfit.len() < PARAMETERS_MAX {
            model.unfit.push((parameter.to_owned(), now.after(MEMORY)));
        }
    }

    /// What the call's model is known not to take. Almost always nothing.
    pub fn unfit(&self, reservation: &Reservation, now: UnixMs) -> Vec<String> {
        let place = reservation.place;
        let provider = self.providers.get(place.provider).filter(|it| it.epoch == place.epoch);
        let model = provider.and_then(|it| it.models.get(place.model));
        let known = model.map_or(&[][..], |it| it.unfit.as_slice());
        let known = known.iter().filter(|(_, until)| now < *until);
        known.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Effect;
    use crate::testing::{World, catalog};

    #[test]
    fn a_refused_parameter_is_remembered_for_an_hour_and_no_longer() {
        let mut world = World::new(catalog("a"));
        let call = world.begin("a/m").unwrap();
        assert_eq!(world.state.unfit(&call, world.now), Vec::<String>::new());
        world.state.learn_unfit(&call, "top_k", world.now);
        world.state.learn_unfit(&call, "top_k", world.now);
        assert_eq!(world.state.unfit(&call, world.now), ["top_k"]);
        assert!(world.state.unfit(&call, world.now.after(MEMORY)).is_empty());
        for number in 0..99 {
            world.state.learn_unfit(&call, &format!("p{number}"), world.now);
        }
        assert_eq!(world.state.unfit(&call, world.now).len(), PARAMETERS_MAX);
        world.end(call, Effect::Alive, None);
    }

    #[test]
    fn a_changed_provider_is_asked_anew() {
        let mut world = World::new(catalog("a"));
        let call = world.begin("a/m").unwrap();
        world.state.learn_unfit(&call, "top_k", world.now);
        world.reload(catalog("a").change("a", |provider| provider.fingerprint = 9));
        assert!(world.state.unfit(&call, world.now).is_empty());
        world.end(call, Effect::Alive, None);
    }
}
