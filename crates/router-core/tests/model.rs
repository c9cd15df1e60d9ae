//! What holds for every schedule of requests, answers, failures and time.
//!
//! A schedule is a string of bytes; each decides what happens next: a request comes, a call is
//! answered, fails or is abandoned, time passes. A second, much simpler account of the same world
//! is kept beside the state and compared after every event.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop"
)]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use router_core::bucket::Tokens;
use router_core::catalog::{
    Alias, Bucket, BucketModels, Catalog, Credential, Model, ModelRef, Provider, Strategy as Order,
    Target, TargetRef, Window, WindowUnit,
};
use router_core::failure::{Failure, FailureClass};
use router_core::plan::SessionKey;
use router_core::state::{Reservation, Settlement};
use router_core::{Exchange, RequestFacts, State, Step, Table, UnixMs, plan, resolve};
use router_wire::Dialect;

/// Requests a minute, and requests in flight, of every provider.
const PER_MINUTE: u64 = 4;
const IN_FLIGHT: u64 = 3;
const MINUTE: u64 = 60_000;

fn catalog(order: Order) -> Catalog {
    let bucket = |id: &str, requests, concurrent| Bucket {
        id: id.into(),
        models: BucketModels::All,
        per_credential: false,
        window: Window { unit: WindowUnit::Minute, size: 1, time_zone: None },
        requests,
        tokens: None,
        input_tokens: None,
        output_tokens: None,
        cost: None,
        concurrent,
    };
    let key = |label: &str| Credential { label: label.into(), weight: 1.0 };
    let provider = |id: &str, keys: &[&str]| Provider {
        id: id.into(),
        models: vec![Model { id: "m".into(), ..Model::default() }],
        dialects: vec![Dialect::OpenaiChat],
        credentials: keys.iter().map(|label| key(label)).collect(),
        buckets: vec![
            bucket("minute", Some(PER_MINUTE), None),
            bucket("flight", None, Some(IN_FLIGHT)),
        ],
        ..Provider::default()
    };
    let target =
        |provider| Target { to: TargetRef::Model(ModelRef { provider, model: 0 }), weight: None };
    let alias = Alias {
        strategy: order,
        targets: vec![target(0), target(1)],
        fallback_targets: vec![target(2)],
        affinity: true,
    };
    let mut catalog = Catalog {
        providers: vec![provider("a", &["1", "2"]), provider("b", &["1"]), provider("c", &["1"])],
        aliases: [("x".to_owned(), alias)].into(),
        ..Catalog::default()
    };
    catalog.routing.retry.attempts = 2;
    catalog.routing.retry.attempts_total = 5;
    catalog
}

/// A request under way.
struct Running {
    exchange: Exchange,
    held: Option<Call>,
    waits: Option<UnixMs>,
    committed: bool,
    answered_after_commit: u32,
    dials: Vec<usize>,
}

/// A call under way.
struct Call {
    reservation: Reservation,
    provider: usize,
    minute: u64,
}

/// The simple account of one provider: calls that count, each with its minute.
#[derive(Clone, Default)]
struct Account {
    counted: Vec<u64>,
    in_flight: u64,
}

struct World {
    state: State,
    table: Table,
    now: UnixMs,
    running: Vec<Running>,
    accounts: [Account; 3],
    calls: u64,
    settled: u64,
    seed: u64,
}

impl World {
    fn new(order: Order) -> Self {
        let mut state = State::new();
        let now = UnixMs(1_000 * MINUTE);
        let table = state.table(Arc::new(catalog(order)), now);
        let (running, accounts) = (Vec::new(), Default::default());
        Self { state, table, now, running, accounts, calls: 0, settled: 0, seed: 0 }
    }

    fn accept(&mut self, session: Option<u64>) {
        let route = resolve(self.table.catalog(), Some("x")).unwrap();
        let facts = RequestFacts {
            inbound: Dialect::OpenaiChat,
            native_only: false,
            session: session.map(SessionKey),
            tokens: Tokens::default(),
            client: None,
        };
        let plan = plan(&self.state.view(&self.table), &route, &facts, self.now);
        self.state.accept(&plan, self.now);
        self.seed += 1;
        let policy = &self.table.catalog().routing;
        let mut exchange = Exchange::new(plan, policy, true, self.now, self.seed);
        let step = exchange.step(self.now);
        let mut running = Running {
            exchange,
            held: None,
            waits: None,
            committed: false,
            answered_after_commit: 0,
            dials: Vec::new(),
        };
        if self.carry_out(&mut running, step) {
            self.running.push(running);
        }
    }

    /// Carries steps out until a call is under way or the exchange is over; whether it goes on.
    fn carry_out(&mut self, running: &mut Running, mut step: Step) -> bool {
        for _ in 0..100 {
            step = match step {
                Step::Dial(dial) => {
                    assert!(!running.committed, "nothing is dialled after the commit");
                    let plan = running.exchange.plan();
                    let provider = plan.candidates[dial.candidate].model.provider;
                    match self.state.reserve(&self.table, plan, dial.candidate, self.now) {
                        Err(refused) => running.exchange.on_refused(&refused, self.now),
                        Ok(reservation) => {
                            running.dials.push(dial.candidate);
                            let minute = self.now.0 / MINUTE;
                            running.held = Some(Call { reservation, provider, minute });
                            self.calls += 1;
                            let account = &mut self.accounts[provider];
                            account.in_flight += 1;
                            account.counted.push(minute);
                            return true;
                        }
                    }
                }
                Step::Wait { until } => {
                    assert!(until > self.now);
                    running.waits = Some(until);
                    return true;
                }
                Step::Relay => return true,
                Step::Fail(refusal) => {
                    assert!((400..600).contains(&refusal.status()));
                    return false;
                }
            };
        }
        panic!("an exchange goes on for ever");
    }

    /// Something happens to one running exchange.
    fn happen(&mut self, which: usize, what: u8) {
        if self.running.is_empty() {
            return;
        }
        let mut running = self.running.swap_remove(which % self.running.len());
        let goes_on = if let Some(until) = running.waits {
            self.now = self.now.max(until);
            running.waits = None;
            let step = running.exchange.step(self.now);
            self.carry_out(&mut running, step)
        } else {
            self.call_happens(&mut running, what)
        };
        if goes_on {
            self.running.push(running);
        } else {
            assert!(running.held.is_none(), "every reservation is settled");
            check_bounds(&running);
        }
    }

    fn call_happens(&mut self, running: &mut Running, what: u8) -> bool {
        let mut call = running.held.take().unwrap();
        let answered = what.is_multiple_of(2);
        match what % 8 {
            0 | 1 if !running.committed => {
                let step = running.exchange.on_commit(self.now);
                self.state.commit(&mut call.reservation, Some(Duration::from_millis(9)), self.now);
                running.held = Some(call);
                running.committed = true;
                self.carry_out(running, step)
            }
            0 | 1 => {
                let end = running.exchange.on_end(None, self.now);
                self.settle(call, &end);
                false
            }
            2 | 3 => {
                let end = running.exchange.on_abandoned(answered, None, self.now);
                self.settle(call, &end);
                false
            }
            _ => {
                let classes = FailureClass::ALL;
                let class = classes[usize::from(what / 8) % classes.len()];
                let status = answered.then(|| class.status());
                let failure = Failure { status, ..Failure::new(class, "no") };
                let (end, step) = running.exchange.on_failure(failure, self.now);
                self.settle(call, &end);
                assert!(!running.committed || matches!(step, Step::Fail(_)));
                running.answered_after_commit += u32::from(running.committed);
                self.carry_out(running, step)
            }
        }
    }

    fn settle(&mut self, call: Call, end: &Settlement) {
        let account = &mut self.accounts[call.provider];
        account.in_flight -= 1;
        if !end.answered {
            let at = account.counted.iter().rposition(|counted| *counted == call.minute);
            account.counted.swap_remove(at.unwrap());
        }
        self.settled += 1;
        self.state.settle(call.reservation, end, self.now);
    }

    fn check(&self) {
        let minute = self.now.0 / MINUTE;
        for account in &self.accounts {
            assert!(account.in_flight <= IN_FLIGHT);
            let counted = account.counted.iter().filter(|at| **at == minute).count();
            assert!(u64::try_from(counted).unwrap() <= PER_MINUTE);
        }
        let under_way = self.accounts.iter().map(|account| account.in_flight).sum::<u64>();
        assert_eq!(self.calls - self.settled, under_way);
    }

    /// Ends everything, and checks that nothing is left counted as in flight.
    fn finish(&mut self) {
        while !self.running.is_empty() {
            self.happen(0, 2);
        }
        assert_eq!(self.calls, self.settled);
        let view = self.state.view(&self.table);
        let later = self.now.after(Duration::from_hours(1));
        for provider in 0..3 {
            let model = ModelRef { provider, model: 0 };
            view.levels(model, 0, Tokens::default(), later, |_, level| {
                assert!(level.fits && level.left >= 1.0, "{provider}: {level:?}");
            });
        }
    }
}

fn check_bounds(running: &Running) {
    assert!(running.dials.len() <= 5, "attempts of an exchange are bounded");
    for candidate in &running.dials {
        let tries = running.dials.iter().filter(|dial| *dial == candidate).count();
        assert!(tries <= 2, "attempts on a candidate are bounded");
    }
    assert!(running.answered_after_commit <= 1, "one failure ends a committed answer");
}

fn play(schedule: &[u8]) {
    let (first, rest) = schedule.split_first().unwrap_or((&0, &[]));
    let orders = [
        Order::Auto,
        Order::Ordered,
        Order::RoundRobin,
        Order::WeightedRr,
        Order::QuotaAwareWeightedRr,
        Order::LeastLatency,
        Order::LeastCost,
    ];
    let mut world = World::new(orders[usize::from(*first) % orders.len()]);
    for pair in rest.chunks(2) {
        let (what, how) = (pair[0], pair.get(1).copied().unwrap_or(0));
        match what % 4 {
            0 => world.accept((how % 3 > 0).then_some(u64::from(how % 5))),
            1 if how > 200 => world.now = world.now.after(Duration::from_secs(u64::from(how))),
            1 => world.now = world.now.after(Duration::from_millis(u64::from(how) * 20)),
            _ => world.happen(usize::from(what / 4), how),
        }
        world.check();
    }
    world.finish();
}

/// Schedules played: over a million where the optimiser is on, fewer where it is not.
const SCHEDULES: u32 = if cfg!(debug_assertions) { 5_000 } else { 1_100_000 };

proptest! {
    #![proptest_config(ProptestConfig {
        cases: SCHEDULES, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// A bucket is never exceeded, every reservation is settled exactly once, attempts are
    /// bounded and nothing follows the commit, whatever happens in whatever order.
    #[test]
    fn the_promises_hold_for_every_schedule(schedule in prop::collection::vec(any::<u8>(), 0..80)) {
        play(&schedule);
    }
}
