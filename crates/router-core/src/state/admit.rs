//! Budgets of client keys: a request counts once, however many upstreams it needs.

use super::table::CLIENT;
use super::{Place, Refused, Reservation, State, Table};
use crate::bucket::Tokens;
use crate::catalog::Client;
use crate::plan::Plan;
use crate::time::UnixMs;

/// What a request adds to the limits of its client key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admission {
    /// What the key is called where its limits are kept, among providers: none has such an id.
    pub owner: String,
    /// Tokens the request is expected to use.
    pub tokens: Tokens,
}

/// What a client key is called among providers.
pub(super) fn owner(client: &Client) -> String {
    format!("{CLIENT}{}", client.label)
}

impl State {
    /// Counts a request in all buckets of its client key, or in none; `None` where nothing of the
    /// key is capped or nobody would be called. The reservation is settled like that of a call,
    /// when the request is over.
    pub fn admit(
        &mut self,
        table: &Table,
        plan: &Plan,
        now: UnixMs,
    ) -> Result<Option<Reservation>, Refused> {
        let Some(admission) = self.admission(table, plan) else { return Ok(None) };
        self.hold_client(table, plan.client, admission.tokens, now).transpose()
    }

    /// What has to be counted for a request; `None` where nothing of its key is capped or nobody
    /// would be called.
    pub fn admission(&self, table: &Table, plan: &Plan) -> Option<Admission> {
        let (client, _) = table.client(plan.client)?;
        let is_counted = !client.buckets.is_empty() && !plan.candidates.is_empty();
        is_counted.then(|| Admission { owner: owner(client), tokens: self.budgeted(table, plan) })
    }

    /// Counts a request in a state of one client key, [`Catalog::only`]'s.
    ///
    /// [`Catalog::only`]: crate::catalog::Catalog::only
    pub fn admit_alone(
        &mut self,
        table: &Table,
        tokens: Tokens,
        now: UnixMs,
    ) -> Result<Reservation, Refused> {
        self.hold_client(table, Some(0), tokens, now).unwrap_or(Err(Refused::Unplanned))
    }

    /// `None` if the key's position was given away since.
    fn hold_client(
        &mut self,
        table: &Table,
        client: Option<usize>,
        tokens: Tokens,
        now: UnixMs,
    ) -> Option<Result<Reservation, Refused>> {
        let (client, at) = table.client(client)?;
        let place = Place { provider: at.slot, epoch: at.epoch, ..Place::default() };
        let account = self.provider_mut(place)?;
        let full = client.buckets.iter().zip(&at.buckets).filter_map(|(cap, slot)| {
            let level = account.level(cap, *slot, 0, tokens, now);
            (!level.fits).then_some((level.resets_at, cap))
        });
        if let Some((resets_at, cap)) = full.max_by_key(|(resets_at, _)| *resets_at) {
            return Some(Err(Refused::Exhausted { bucket: cap.id.clone(), resets_at }));
        }
        let mut reservation = Reservation { place, tokens, started: now, ..Reservation::default() };
        for (cap, slot) in client.buckets.iter().zip(&at.buckets) {
            account.hold(cap, *slot, 0, &mut reservation, now);
        }
        self.revision += 1;
        Some(Ok(reservation))
    }

    /// What the first candidate of `plan` is expected to use.
    pub(super) fn budgeted(&self, table: &Table, plan: &Plan) -> Tokens {
        let first = plan.candidates.first();
        first.map_or(plan.tokens, |it| self.view(table).expected(it.model, plan.tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Bucket, Catalog, Price, Strategy};
    use crate::plan::SkipReason;
    use crate::state::{Effect, Settlement};
    use crate::testing::{World, bucket, catalog};

    fn keyed(buckets: Vec<Bucket>) -> Catalog {
        let label = "team".to_owned();
        let clients = vec![Client { label, models: Vec::new(), buckets }];
        Catalog { clients, ..catalog("ab").alias("x", Strategy::Ordered, "a b", "") }
    }

    fn world(buckets: Vec<Bucket>) -> World {
        let mut world = World::new(keyed(buckets));
        world.client = Some(0);
        world
    }

    fn admit(world: &mut World) -> Result<Reservation, Refused> {
        let plan = world.plan("x");
        let admitted = world.state.admit(&world.table, &plan, world.now);
        admitted.map(|it| it.expect("the key has a limit"))
    }

    fn over(world: &mut World, admitted: Reservation, answered: bool, used: Option<Tokens>) {
        let how = Settlement { answered, used, effect: Effect::Nothing };
        world.state.settle(admitted, &how, world.now);
    }

    #[test]
    fn a_request_counts_once_for_its_key_however_many_calls_it_needs() {
        let mut world = world(vec![Bucket { requests: Some(2), ..bucket("month") }]);
        for _ in 0..2 {
            let admitted = admit(&mut world).unwrap();
            for target in ["a/m", "b/m", "b/m"] {
                let call = world.begin(target).unwrap();
                world.end(call, Effect::Alive, Some(Tokens::default()));
            }
            over(&mut world, admitted, true, None);
        }
        let Err(Refused::Exhausted { bucket, resets_at }) = admit(&mut world) else { panic!() };
        assert_eq!(bucket, "month");
        assert!(resets_at.is_some_and(|at| world.now < at));
        world.client = None;
        let plan = world.plan("x");
        assert!(world.state.admit(&world.table, &plan, world.now).unwrap().is_none(), "master key");
    }

    #[test]
    fn a_request_that_nobody_answers_is_given_back_and_flights_end() {
        let one = Bucket { requests: Some(1), concurrent: Some(1), ..bucket("month") };
        let mut world = world(vec![one]);
        let admitted = admit(&mut world).unwrap();
        assert!(admit(&mut world).is_err());
        over(&mut world, admitted, false, None);
        let admitted = admit(&mut world).unwrap();
        over(&mut world, admitted, true, None);
        assert!(admit(&mut world).is_err());
    }

    #[test]
    fn all_limits_are_taken_or_none() {
        let tokens = Bucket { tokens: Some(10), ..bucket("tokens") };
        let requests = Bucket { requests: Some(9), ..bucket("requests") };
        let mut world = world(vec![requests, tokens]);
        let admitted = admit(&mut world).unwrap();
        over(&mut world, admitted, true, Some(Tokens::new(8, 2)));
        for _ in 0..3 {
            assert!(admit(&mut world).is_err());
        }
        let account = world.state.providers.iter().find(|it| it.id == "client:team").unwrap();
        let counted = account.buckets.iter().map(|it| it.counters[0].requests);
        assert_eq!(counted.collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn a_budget_in_money_is_kept_and_bars_what_has_no_price() {
        let budget = Bucket { cost: Some(3_000_000), ..bucket("money") };
        let price = Price { input: 1.0, output: 10.0, cache_read: None, cache_write: None };
        let priced = keyed(vec![budget]).change("b", |it| it.models[0].price = Some(price));
        let mut world = World::new(priced);
        (world.client, world.tokens) = (Some(0), Tokens::new(1_000_000, 0));
        let plan = world.plan("x");
        assert_eq!(world.letters(&plan), "b", "nobody knows what a costs");
        assert_eq!(plan.skipped[0].reason, SkipReason::Unpriced);
        let first = admit(&mut world).unwrap();
        let second = admit(&mut world).unwrap();
        over(&mut world, first, true, Some(Tokens::new(1_000_000, 100_000).at_cost(2.0)));
        assert!(admit(&mut world).is_err(), "2 spent, 1 reserved");
        let spent = &world.state.view(&world.table).clients(world.now)[0].limits[0].caps[0];
        assert_eq!((spent.used, spent.cap), (3_000_000, 3_000_000));
        over(&mut world, second, false, None);
        let third = admit(&mut world).unwrap();
        over(&mut world, third, true, None);
        assert!(admit(&mut world).is_err(), "unknown usage keeps the estimate");
        world.client = None;
        assert_eq!(world.letters(&world.plan("x")), "ab");
    }

    #[test]
    fn what_a_key_used_survives_a_reload_and_a_restart() {
        let month = || vec![Bucket { requests: Some(1), ..bucket("month") }];
        let mut world = world(month());
        let admitted = admit(&mut world).unwrap();
        over(&mut world, admitted, true, None);
        world.reload(catalog("ab").alias("x", Strategy::Ordered, "a b", ""));
        world.reload(keyed(month()));
        assert!(admit(&mut world).is_err());
        let saved = serde_json::to_string(&world.state.save(world.now)).unwrap();
        world.state = State::restore(serde_json::from_str(&saved).unwrap());
        world.reload(keyed(month()));
        assert!(admit(&mut world).is_err());
    }
}
