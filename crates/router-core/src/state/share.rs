//! What several routers must agree on, so that a store outside the process can keep it.
//!
//! ```text
//!   claims(candidate) --> store: all fit? take all : take none --> counters --> adopt
//!   reserve, call, settle                                          (local, as ever)
//!   the same claims   --> store: settle each -------------------> counters --> adopt
//!   held              --> store ------------ other routers -----> hold
//! ```
//!
//! The store's counters are the truth. The local ones follow them, so planning sees what the
//! others use, and they go on by themselves while the store is away.

use super::admit::{self, Admission};
use super::{Held, State, Table};
use crate::bucket::{Counter, Tokens};
use crate::catalog::Bucket;
use crate::cooldown::Scope;
use crate::plan::Plan;
use crate::time::UnixMs;
use crate::window::{Span, span};

/// One bucket's part of a call, by name.
#[derive(Clone, Debug)]
pub struct Claim {
    /// `provider/bucket`, or `provider/bucket/credential` where each credential has a counter.
    pub key: String,
    /// The bucket with its caps.
    pub bucket: Bucket,
    /// The span counted in. Requests in flight are counted whatever the span.
    pub span: Span,
    /// Tokens to reserve.
    pub tokens: Tokens,
    provider: String,
    /// Position of the counter.
    counter: usize,
}

impl Claim {
    /// `own` is the label and position of the credential whose counter it is.
    fn new(
        owner: &str,
        bucket: &Bucket,
        own: Option<(&str, usize)>,
        tokens: Tokens,
        now: UnixMs,
    ) -> Self {
        let key = own.map_or_else(
            || format!("{owner}/{}", bucket.id),
            |(label, _)| format!("{owner}/{}/{label}", bucket.id),
        );
        Self {
            key,
            span: span(&bucket.window, now),
            bucket: bucket.clone(),
            tokens,
            provider: owner.to_owned(),
            counter: own.map_or(0, |(_, position)| position),
        }
    }

    /// Whether the claim fits into `counter`.
    pub fn fits(&self, counter: &Counter) -> bool {
        self.in_span(*counter).level(&self.bucket, self.tokens).fits
    }

    /// Counts the claim.
    pub fn take(&self, counter: &mut Counter) {
        *counter = self.in_span(*counter);
        counter.take(self.tokens);
    }

    /// Ends the claim: its tokens become `used`, and with `None` it is taken back.
    pub fn settle(&self, counter: &mut Counter, used: Option<Tokens>) {
        counter.settle(self.span, self.tokens, used);
    }

    /// The counter in the claim's span: empty if it counted in an earlier one.
    fn in_span(&self, counter: Counter) -> Counter {
        if counter.span >= self.span {
            return counter;
        }
        Counter { span: self.span, in_flight: counter.in_flight, ..Counter::default() }
    }
}

impl State {
    /// What a call of a candidate of `plan`, by index, must claim. Empty where nothing is capped.
    pub fn claims(&self, table: &Table, plan: &Plan, candidate: usize, now: UnixMs) -> Vec<Claim> {
        let Some(candidate) = plan.candidates.get(candidate) else { return Vec::new() };
        let provider = table.catalog().provider(candidate.model);
        let place = self.view(table).place(candidate.model, candidate.credential);
        let (Some(provider), Some(place)) = (provider, place) else { return Vec::new() };
        let counted_by =
            table.provider(candidate.model).and_then(|p| p.counted_by.get(candidate.model.model));
        let buckets =
            counted_by.into_iter().flatten().filter_map(|index| provider.buckets.get(*index));
        let label = provider.credentials.get(candidate.credential).map(|c| c.label.as_str());
        let tokens = self.view(table).expected(candidate.model, plan.tokens);
        let claims = buckets.map(|bucket| {
            let own = label.filter(|_| bucket.per_credential).map(|it| (it, place.credential));
            Claim::new(&provider.id, bucket, own, tokens, now)
        });
        claims.collect()
    }

    /// What a request must claim of its client key. Empty where nothing of the key is capped.
    pub fn admission_claims(&self, table: &Table, plan: &Plan, now: UnixMs) -> Vec<Claim> {
        let client = table.client(plan.client).zip(self.admission(table, plan));
        let Some(((client, _), Admission { owner, tokens })) = client else { return Vec::new() };
        client.buckets.iter().map(|it| Claim::new(&owner, it, None, tokens, now)).collect()
    }

    /// Every counter of the catalog, to be followed in a store.
    pub fn counters(&self, table: &Table, now: UnixMs) -> Vec<Claim> {
        let mut all = Vec::new();
        let none = Tokens::default();
        for (provider, place) in table.catalog().providers.iter().zip(&table.providers) {
            for bucket in &provider.buckets {
                let labels = provider.credentials.iter().zip(&place.credentials);
                let own = labels.map(|(it, at)| Some((it.label.as_str(), *at)));
                let one = std::iter::once(None);
                let owners: Vec<_> =
                    if bucket.per_credential { own.collect() } else { one.collect() };
                let claims = owners.into_iter();
                all.extend(claims.map(|own| Claim::new(&provider.id, bucket, own, none, now)));
            }
        }
        for client in &table.catalog().clients {
            let name = admit::owner(client);
            all.extend(client.buckets.iter().map(|it| Claim::new(&name, it, None, none, now)));
        }
        all
    }

    /// Takes over what a store counts for `claim`.
    pub fn adopt(&mut self, claim: &Claim, counter: Counter) {
        let provider = self.providers.iter_mut().find(|state| state.id == claim.provider);
        let buckets = provider.map(|state| &mut state.buckets);
        let Some(state) = buckets.and_then(|b| b.iter_mut().find(|b| b.id == claim.bucket.id))
        else {
            return;
        };
        if state.counters.len() <= claim.counter {
            state.counters.resize(claim.counter + 1, Counter::default());
        }
        if let Some(local) = state.counters.get_mut(claim.counter)
            && counter.span >= local.span
        {
            *local = counter;
            self.revision += 1;
        }
    }
}

/// A cooldown to share: what [`State::hold`] takes, from a failure's settlement.
impl Held {
    /// The cooldown a settlement sets on a candidate of `plan`, if it sets one.
    pub fn of(
        table: &Table,
        plan: &Plan,
        candidate: usize,
        effect: &super::Effect,
        now: UnixMs,
    ) -> Option<Self> {
        let super::Effect::Failure { class, cooldown: Some((scope, length)), .. } = effect else {
            return None;
        };
        let candidate = plan.candidates.get(candidate)?;
        let provider = table.catalog().provider(candidate.model)?;
        let model = table.catalog().model(candidate.model)?;
        let label = &provider.credentials.get(candidate.credential)?.label;
        let one_model = matches!(scope, Scope::Model | Scope::Lane);
        let one_credential = matches!(scope, Scope::Credential | Scope::Lane);
        Some(Self {
            provider: provider.id.clone(),
            model: one_model.then(|| model.id.clone()),
            credential: one_credential.then(|| label.clone()),
            scope: *scope,
            until: now.after(*length),
            class: Some(*class),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::catalog::{Catalog, Strategy};
    use crate::failure::FailureClass;
    use crate::state::{Effect, Reservation, Settlement};
    use crate::testing::{World, bucket, catalog};

    /// A store as simple as can be.
    #[derive(Default)]
    struct Shared(BTreeMap<String, Counter>);

    impl Shared {
        fn counter(&mut self, claim: &Claim) -> &mut Counter {
            self.0.entry(claim.key.clone()).or_default()
        }

        fn take(&mut self, claims: &[Claim]) -> bool {
            let fits = claims.iter().all(|claim| claim.fits(self.counter(claim)));
            for claim in claims.iter().filter(|_| fits) {
                claim.take(self.counter(claim));
            }
            fits
        }
    }

    fn begin(world: &mut World, shared: &mut Shared) -> Option<(Reservation, Vec<Claim>)> {
        let plan = world.plan("a/m");
        let claims = world.state.claims(&world.table, &plan, 0, world.now);
        if plan.candidates.is_empty() || !shared.take(&claims) {
            for claim in &claims {
                world.state.adopt(claim, *shared.counter(claim));
            }
            return None;
        }
        let reservation = world.state.reserve(&world.table, &plan, 0, world.now).unwrap();
        for claim in &claims {
            world.state.adopt(claim, *shared.counter(claim));
        }
        Some((reservation, claims))
    }

    fn end(
        world: &mut World,
        shared: &mut Shared,
        (reservation, claims): (Reservation, Vec<Claim>),
        answered: bool,
    ) {
        let used = answered.then_some(Tokens::new(1, 1));
        world.state.settle(
            reservation,
            &Settlement { answered, used, effect: Effect::Nothing },
            world.now,
        );
        for claim in &claims {
            claim.settle(shared.counter(claim), used);
            world.state.adopt(claim, *shared.counter(claim));
        }
    }

    fn capped() -> Catalog {
        catalog("a").monthly("a", 6).change("a", |provider| {
            provider.buckets.push(Bucket { concurrent: Some(3), ..bucket("flight") });
            provider.credentials[0].label = "k".into();
        })
    }

    #[test]
    fn two_routers_with_one_store_keep_to_one_cap() {
        let mut shared = Shared::default();
        let (mut one, mut two) = (World::new(capped()), World::new(capped()));
        let first = begin(&mut one, &mut shared).unwrap();
        let second = begin(&mut two, &mut shared).unwrap();
        let third = begin(&mut one, &mut shared).unwrap();
        assert!(begin(&mut two, &mut shared).is_none(), "three are in flight");
        assert!(two.plan("a/m").candidates[0].queued, "and the other router knows");
        end(&mut one, &mut shared, first, true);
        end(&mut two, &mut shared, second, false);
        end(&mut one, &mut shared, third, true);
        let mut served = 0;
        for _ in 0..5 {
            for world in [&mut one, &mut two] {
                if let Some(call) = begin(world, &mut shared) {
                    end(world, &mut shared, call, true);
                    served += 1;
                }
            }
        }
        assert_eq!(served, 4, "two counted, one was taken back");
        assert_eq!(shared.0["a/month"].requests, 6);
        assert_eq!(shared.0["a/flight"].in_flight, 0);
    }

    #[test]
    fn a_cooldown_one_router_sets_holds_in_the_other() {
        let make = || catalog("ab").alias("x", Strategy::Ordered, "a b", "");
        let (one, mut two) = (World::new(make()), World::new(make()));
        for scope in [Scope::Lane, Scope::Model, Scope::Credential, Scope::Provider] {
            let cooldown = Some((scope, Duration::from_secs(30)));
            let class = FailureClass::RateLimited;
            let effect = Effect::Failure { class, cooldown, circuit: None };
            let plan = one.plan("x");
            let held = Held::of(&one.table, &plan, 0, &effect, one.now).unwrap();
            two.state.hold(&held, two.now);
            assert_eq!(two.turn("x"), "b", "{scope:?}");
            assert_eq!(two.state.held(two.now), [held]);
            two.state.clear(None, two.now);
        }
        assert_eq!(Held::of(&one.table, &one.plan("x"), 0, &Effect::Success, one.now), None);
    }
}
