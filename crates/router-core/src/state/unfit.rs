//! Parameters that a model turned out not to take.
//!
//! The first request with one pays for a failed attempt; for a while the others do not: what is
//! translated leaves the parameter out, and what passes untouched goes to another candidate.

use std::time::Duration;

use super::{Place, State, Table};
use crate::catalog::ModelRef;
use crate::time::UnixMs;

/// How long a refused parameter is remembered: models learn, and gateways are mended.
const MEMORY: Duration = Duration::from_hours(1);
/// Parameters of one model that are remembered at most.
const PARAMETERS_MAX: usize = 16;

impl State {
    /// A model of the table's catalog does not take this member of a request.
    pub fn learn_unfit(&mut self, table: &Table, model: ModelRef, parameter: &str, now: UnixMs) {
        let Some((place, slot)) = slot(table, model) else { return };
        let Some(provider) = self.provider_mut(place) else { return };
        let Some(model) = provider.models.get_mut(slot) else { return };
        model.unfit.retain(|(name, until)| now < *until && name != parameter);
        if model.unfit.len() < PARAMETERS_MAX {
            model.unfit.push((parameter.to_owned(), now.after(MEMORY)));
        }
    }

    /// What a model of the table's catalog is known not to take. Almost always nothing.
    pub fn unfit(&self, table: &Table, model: ModelRef, now: UnixMs) -> Vec<String> {
        let provider = slot(table, model).and_then(|(place, slot)| {
            let provider = self.providers.get(place.provider)?;
            (provider.epoch == place.epoch).then(|| provider.models.get(slot))?
        });
        let known = provider.map_or(&[][..], |it| it.unfit.as_slice());
        let known = known.iter().filter(|(_, until)| now < *until);
        known.map(|(name, _)| name.clone()).collect()
    }
}

/// Where a model stands.
fn slot(table: &Table, model: ModelRef) -> Option<(Place, usize)> {
    let at = table.provider(model)?;
    let place = Place { provider: at.slot, epoch: at.epoch, ..Place::default() };
    at.models.get(model.model).map(|slot| (place, *slot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, catalog};

    const MODEL: ModelRef = ModelRef { provider: 0, model: 0 };

    fn learn(world: &mut World, parameter: &str) {
        world.state.learn_unfit(&world.table, MODEL, parameter, world.now);
    }

    fn known(world: &World, now: UnixMs) -> Vec<String> {
        world.state.unfit(&world.table, MODEL, now)
    }

    #[test]
    fn a_refused_parameter_is_remembered_for_an_hour_and_no_longer() {
        let mut world = World::new(catalog("a"));
        assert_eq!(known(&world, world.now), Vec::<String>::new());
        learn(&mut world, "top_k");
        learn(&mut world, "top_k");
        assert_eq!(known(&world, world.now), ["top_k"]);
        assert!(known(&world, world.now.after(MEMORY)).is_empty());
        for number in 0..99 {
            learn(&mut world, &format!("p{number}"));
        }
        assert_eq!(known(&world, world.now).len(), PARAMETERS_MAX);
    }

    #[test]
    fn a_changed_provider_is_asked_anew() {
        let mut world = World::new(catalog("a"));
        learn(&mut world, "top_k");
        world.reload(catalog("a").change("a", |provider| provider.fingerprint = 9));
        assert!(known(&world, world.now).is_empty());
    }
}
