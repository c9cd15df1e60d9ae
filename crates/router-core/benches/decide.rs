//! How long decisions take: `cargo bench -p router-core`. Prints nanoseconds per request, and fails
//! where a promised figure is missed.

#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use router_core::bucket::Tokens;
use router_core::catalog::{
    Alias, Bucket, BucketModels, Catalog, Credential, Model, ModelRef, Provider, Strategy, Target,
    TargetRef, Window, WindowUnit,
};
use router_core::simulate::{Assumptions, Load, generate, simulate};
use router_core::state::{Effect, Settlement};
use router_core::{Exchange, RequestFacts, State, Step, UnixMs, plan, resolve};
use router_wire::Dialect;

const ROUNDS: u32 = 200_000;
/// Planning over 20 candidates with 5 buckets each.
const PLANNING_MAX: Duration = Duration::from_micros(5);
/// Simulating a million requests.
const SIMULATION_MAX: Duration = Duration::from_secs(10);

/// So many providers with so many buckets each, and alias `all` over them.
fn catalog(providers: usize, buckets: usize, strategy: Strategy) -> Catalog {
    let bucket = |n: usize| Bucket {
        id: format!("bucket-{n}"),
        models: BucketModels::All,
        per_credential: false,
        window: Window { unit: WindowUnit::Day, size: 1, time_zone: None },
        requests: Some(1_000_000_000),
        tokens: Some(1_000_000_000_000),
        input_tokens: None,
        output_tokens: None,
        cost: None,
        concurrent: None,
    };
    let provider = |n: usize| Provider {
        id: format!("provider-{n}"),
        models: vec![Model { id: "model".into(), ..Model::default() }],
        dialects: vec![Dialect::OpenaiChat],
        credentials: vec![Credential { label: "key".into(), weight: 1.0 }],
        buckets: (0..buckets).map(bucket).collect(),
        ..Provider::default()
    };
    let target =
        |provider| Target { to: TargetRef::Model(ModelRef { provider, model: 0 }), weight: None };
    let targets = (0..providers).map(target).collect();
    let alias = Alias { strategy, targets, fallback_targets: Vec::new(), affinity: true };
    Catalog {
        providers: (0..providers).map(provider).collect(),
        aliases: [("all".to_owned(), alias)].into(),
        ..Catalog::default()
    }
}

/// Prints what a decision costs, and returns what planning does: the best of a few rounds, as the
/// machine has other things to do.
fn measure(what: &str, catalog: Catalog, name: &str) -> Duration {
    let mut state = State::new();
    let now = UnixMs(1_770_000_000_000);
    let table = state.table(Arc::new(catalog), now);
    let facts = RequestFacts {
        inbound: Dialect::OpenaiChat,
        native_only: false,
        session: None,
        tokens: Tokens::new(1_000, 100),
        client: None,
    };
    let Ok(route) = resolve(table.catalog(), Some(name)) else { return Duration::MAX };
    let started = Instant::now();
    for _ in 0..ROUNDS {
        let Ok(route) = resolve(table.catalog(), Some(black_box(name))) else {
            return Duration::MAX;
        };
        let plan = plan(&state.view(&table), &route, &facts, now);
        state.accept(&plan, now);
        let mut exchange = Exchange::new(plan, &table.catalog().routing, true, now, 1);
        let Step::Dial(dial) = exchange.step(now) else { return Duration::MAX };
        let Ok(mut held) = state.reserve(&table, exchange.plan(), dial.candidate, now) else {
            return Duration::MAX;
        };
        let relay = exchange.on_commit(now);
        black_box(relay == Step::Relay);
        state.commit(&mut held, None, now);
        let end = exchange.on_end(None, now);
        black_box(matches!(end, Settlement { effect: Effect::Success, .. }));
        state.settle(held, &end, now);
    }
    let all = started.elapsed() / ROUNDS;
    // Planned with counters that stand, as they do but for the first request of each window.
    let planning = || {
        let started = Instant::now();
        for _ in 0..ROUNDS / 5 {
            black_box(plan(&state.view(&table), black_box(&route), &facts, now).candidates.len());
        }
        started.elapsed() / (ROUNDS / 5)
    };
    let planning = (0..5).map(|_| planning()).min().unwrap_or(Duration::MAX);
    let mut out = std::io::stdout().lock();
    let line = writeln!(
        out,
        "{what:<40} plan {:>6} ns   whole exchange {:>6} ns",
        planning.as_nanos(),
        all.as_nanos()
    );
    drop(line);
    planning
}

/// Simulates a million requests of coding agents on an alias of five.
fn measure_simulation() -> Duration {
    let models = vec!["all".to_owned()];
    let load =
        Load { requests: 1_000_000, every_ms: 100, sessions: 200, models, ..Load::default() };
    let records = generate(&load);
    let started = Instant::now();
    let catalog = Arc::new(catalog(5, 2, Strategy::Auto));
    let report = simulate(catalog, &records, &Assumptions::default());
    let took = started.elapsed();
    let mut out = std::io::stdout().lock();
    let line = writeln!(out, "a million requests simulated in {took:?}, {} served", report.served);
    drop(line);
    took
}

/// Resolves the last of so many models by its bare name.
fn measure_names(models: usize) {
    let mut catalog = catalog(4, 0, Strategy::Ordered);
    for provider in &mut catalog.providers {
        let id = |n: usize| format!("{}-model-{n}", provider.id);
        let model = |n| Model { id: id(n), ..Model::default() };
        provider.models = (0..models / 4).map(model).collect();
    }
    let name = format!("provider-3-model-{}", models / 4 - 1);
    let started = Instant::now();
    for _ in 0..ROUNDS / 10 {
        black_box(resolve(&catalog, Some(black_box(&name))).is_ok());
    }
    let took = started.elapsed() / (ROUNDS / 10);
    let mut out = std::io::stdout().lock();
    let line = writeln!(out, "bare name among {models} models: {} ns", took.as_nanos());
    drop(line);
}

fn main() {
    measure_names(1_000);
    let simulation = measure_simulation();
    measure("direct, no buckets", catalog(1, 0, Strategy::Ordered), "provider-0/model");
    measure(
        "direct, bare name of 20 providers",
        catalog(20, 0, Strategy::Ordered),
        "provider-7/model",
    );
    measure("alias of 2, round robin", catalog(2, 0, Strategy::RoundRobin), "all");
    let auto =
        measure("alias of 20 with 5 buckets each, auto", catalog(20, 5, Strategy::Auto), "all");
    let ordered = catalog(20, 5, Strategy::Ordered);
    let ordered = measure("alias of 20 with 5 buckets each, ordered", ordered, "all");
    assert!(auto.max(ordered) < PLANNING_MAX, "planning takes longer than {PLANNING_MAX:?}");
    assert!(simulation < SIMULATION_MAX, "the simulation takes longer than {SIMULATION_MAX:?}");
}
