//! Waiting for room: in full buckets of candidates, and in those of the request's client key.

use std::time::Duration;

use super::{Exchange, Phase, Refusal, RefusalKind, Step};
use crate::failure::{Failure, FailureClass};
use crate::state::Refused;
use crate::time::UnixMs;

/// How often a request that waits for others to end looks whether there is room.
const QUEUE_POLL: Duration = Duration::from_millis(20);

impl Exchange {
    /// The request's client key has no room for it: to be asked again later, or to be told.
    pub fn on_not_admitted(&mut self, label: &str, refused: &Refused, now: UnixMs) -> Step {
        if *refused == Refused::Unplanned {
            self.phase = Phase::Ended;
            let message = format!("the limits of the key `{label}` cannot be counted here");
            return Step::Fail(Box::new(Refusal {
                kind: RefusalKind::Cooling,
                failure: Some(Failure::new(FailureClass::Overloaded, message)),
                retry_after: None,
                resets_at: None,
            }));
        }
        let (bucket, resets_at) = match refused {
            Refused::Exhausted { bucket, resets_at } => (bucket.as_str(), *resets_at),
            Refused::Blocked(_) | Refused::Unfit | Refused::Unplanned => ("", None),
        };
        let again = resets_at.unwrap_or_else(|| now.after(QUEUE_POLL));
        if again <= self.patience {
            return Step::Wait { until: again };
        }
        self.phase = Phase::Ended;
        let wait = resets_at.map_or(Duration::from_secs(1), |at| at.since(now));
        let message = format!("the key `{label}` has used up its limit `{bucket}`");
        Step::Fail(Box::new(Refusal {
            kind: RefusalKind::Exhausted,
            failure: Some(Failure::new(FailureClass::RateLimited, message)),
            retry_after: Some(wait),
            resets_at,
        }))
    }

    pub(super) const fn is_past_all(&self) -> bool {
        self.current >= self.plan.candidates.len()
    }

    /// Waits for room in a full bucket, where nothing else is left and it may come soon.
    pub(super) fn queue(&mut self, now: UnixMs) {
        let alive = |index: &&usize| {
            self.plan.candidates.get(**index).is_some_and(|candidate| !self.is_dead(candidate))
        };
        let Some(first) = self.full.iter().find(alive).copied() else { return };
        let again = match self.free_at.filter(|at| now < *at) {
            Some(at) if at <= self.patience && !self.refused.flight => at,
            _ if self.refused.flight => now.after(QUEUE_POLL),
            _ => return,
        };
        if again <= self.patience {
            (self.current, self.tries, self.queueing) = (first, 0, true);
            self.phase = Phase::Ready(again);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Bucket, Catalog, Strategy};
    use crate::state::{Effect, Reservation};
    use crate::testing::{World, bucket, catalog};

    fn capped() -> Catalog {
        catalog("ab").alias("x", Strategy::Ordered, "a", "").change("a", |provider| {
            provider.buckets.push(Bucket { concurrent: Some(1), ..bucket("flight") });
        })
    }

    fn exchange(world: &mut World) -> Exchange {
        let plan = world.plan("x");
        Exchange::new(plan, &world.table.catalog().routing, false, world.now, 1)
    }

    /// Goes on until a call is reserved or refused for good; waits up to `moments` times.
    fn go_on(world: &mut World, exchange: &mut Exchange, moments: u32) -> Option<Reservation> {
        let mut step = exchange.step(world.now);
        for _ in 0..moments {
            step = match step {
                Step::Wait { until } => {
                    assert!(world.now < until);
                    world.now = until;
                    exchange.step(world.now)
                }
                Step::Dial(dial) => {
                    let plan = exchange.plan();
                    match world.state.reserve(&world.table, plan, dial.candidate, world.now) {
                        Ok(call) => return Some(call),
                        Err(refused) => exchange.on_refused(&refused, world.now),
                    }
                }
                Step::Fail(_) => return None,
                Step::Relay => panic!("nothing was committed"),
            };
        }
        None
    }

    #[test]
    fn a_request_waits_for_one_in_flight_to_end() {
        let mut world = World::new(capped());
        let first = world.begin("x").unwrap();
        let mut second = exchange(&mut world);
        assert!(second.plan().candidates[0].queued);
        assert!(go_on(&mut world, &mut second, 9).is_none(), "there is no room yet");
        world.end(first, Effect::Success, None);
        let call = go_on(&mut world, &mut second, 9).unwrap();
        assert_eq!(second.attempts().len(), 1, "waiting is no attempt");
        world.end(call, Effect::Success, None);
    }

    #[test]
    fn nobody_waits_longer_than_told() {
        let mut world = World::new(capped());
        let first = world.begin("x").unwrap();
        let (begun, mut second) = (world.now, exchange(&mut world));
        assert!(go_on(&mut world, &mut second, 999).is_none());
        let waited = world.now.since(begun);
        assert!(waited <= Duration::from_secs(1) && Duration::from_millis(900) < waited);
        let Step::Fail(refusal) = second.step(world.now) else { panic!() };
        assert_eq!((refusal.status(), refusal.retry_after_s()), (429, Some(1)));
        world.end(first, Effect::Success, None);
    }

    #[test]
    fn nobody_waits_where_another_can_serve_or_config_says_no() {
        let both = capped().alias("x", Strategy::Ordered, "a b", "");
        let mut world = World::new(both);
        let first = world.begin("x").unwrap();
        assert_eq!(world.letters(&world.plan("x")), "b");
        world.end(first, Effect::Success, None);
        let mut never = capped();
        never.routing.queue = Duration::ZERO;
        let mut world = World::new(never);
        let first = world.begin("x").unwrap();
        assert!(world.plan("x").candidates.is_empty());
        world.end(first, Effect::Success, None);
    }

    #[test]
    fn a_bucket_that_empties_in_a_moment_is_waited_for() {
        let second = crate::catalog::Window {
            unit: crate::catalog::WindowUnit::Second,
            size: 1,
            time_zone: None,
        };
        let each = catalog("a").alias("x", Strategy::Ordered, "a", "").change("a", |provider| {
            let requests = Some(1);
            provider.buckets.push(Bucket { requests, window: second, ..bucket("second") });
        });
        let mut world = World::new(each);
        assert_eq!(world.serve("x"), "a");
        let mut next = exchange(&mut world);
        let call = go_on(&mut world, &mut next, 3).unwrap();
        assert_eq!(world.now.0 % 1_000, 0);
        world.end(call, Effect::Success, None);
    }

    #[test]
    fn what_failed_is_not_called_again_while_others_are_waited_for() {
        let both = capped().alias("x", Strategy::Ordered, "a b", "");
        let mut world = World::new(both);
        let mut second = exchange(&mut world);
        let first = world.begin("x").unwrap();
        let mut called = Vec::new();
        let mut step = second.step(world.now);
        for _ in 0..200 {
            step = match step {
                Step::Wait { until } => {
                    world.now = until;
                    second.step(until)
                }
                Step::Dial(dial) => {
                    let plan = second.plan();
                    match world.state.reserve(&world.table, plan, dial.candidate, world.now) {
                        Err(refused) => second.on_refused(&refused, world.now),
                        Ok(call) => {
                            called.push(dial.candidate);
                            let failure = Failure::new(FailureClass::TimedOut, "late");
                            let (end, step) = second.on_failure(failure, world.now);
                            world.state.settle(call, &end, world.now);
                            step
                        }
                    }
                }
                Step::Fail(_) => break,
                Step::Relay => panic!("nothing was committed"),
            };
        }
        assert_eq!(called, [1], "the full one is waited for, the failed one left alone");
        world.end(first, Effect::Success, None);
    }

    #[test]
    fn a_key_without_room_waits_or_is_told_its_limit() {
        let mut world = World::new(capped());
        let mut waiting = exchange(&mut world);
        let flight = Refused::Exhausted { bucket: "flight".into(), resets_at: None };
        let step = waiting.on_not_admitted("team", &flight, world.now);
        assert!(matches!(step, Step::Wait { until } if world.now < until));
        let resets_at = Some(world.now.after(Duration::from_secs(90)));
        let month = Refused::Exhausted { bucket: "month".into(), resets_at };
        let Step::Fail(refusal) = waiting.on_not_admitted("team", &month, world.now) else {
            panic!()
        };
        assert_eq!((refusal.status(), refusal.retry_after_s()), (429, Some(90)));
        let message = refusal.message("x");
        let told = "the key `team` has used up its limit `month`; try again in 90 s, at ";
        assert!(message.starts_with(told) && message.ends_with('Z'), "{message}");
    }
}
