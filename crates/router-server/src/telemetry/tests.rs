use std::sync::Arc;
use std::time::Duration;

use router_core::catalog::{Alias, Credential, Model, Price, Provider, Routing, Target, TargetRef};
use router_core::exchange::{Exchange, Outcome, Step};
use router_core::failure::{Fault, classify_transport};
use router_core::plan::RequestFacts;
use router_core::time::UnixMs;
use router_drive::Ended;
use router_store::Store;
use router_wire::canonical::{Loss, Severity};
use router_wire::{Dialect, Usage};

use super::*;

const NOW: UnixMs = UnixMs(1_770_000_000_000);

/// Two providers of one model each behind alias `x`.
fn catalog() -> Catalog {
    let provider = |id: &str| Provider {
        id: id.to_owned(),
        models: vec![Model {
            id: "m\"1".to_owned(),
            price: Some(Price { input: 2.0, output: 10.0, ..Price::default() }),
            ..Model::default()
        }],
        dialects: vec![Dialect::OpenaiChat],
        credentials: vec![Credential { label: "k1".to_owned(), weight: 1.0 }],
        ..Provider::default()
    };
    let target =
        |provider| Target { to: TargetRef::Model(ModelRef { provider, model: 0 }), weight: None };
    let alias = Alias { targets: vec![target(0), target(1)], affinity: true, ..Alias::default() };
    Catalog {
        providers: vec![provider("a"), provider("b")],
        aliases: BTreeMap::from([("x".to_owned(), alias)]),
        ..Catalog::default()
    }
}

/// An exchange of alias `x` whose first call fails and whose second completes.
fn tell(meter: &Meter, labels: &Labels, catalog: &Catalog) {
    let store = Store::default();
    let table = store.install(Arc::new(catalog.clone()), NOW);
    let route = Route::Alias("x".to_owned());
    let facts = RequestFacts {
        inbound: Dialect::Anthropic,
        native_only: false,
        session: None,
        tokens: router_core::bucket::Tokens::default(),
        client: None,
    };
    let plan = store.plan(&table, &route, &facts, NOW);
    meter.begun();
    let mut exchange = Exchange::new(plan, &Routing::default(), true, NOW, 7);
    assert!(matches!(exchange.step(NOW), Step::Dial(_)));
    let failure = classify_transport(Fault::Misconfigured, None, "no key");
    let (_, next) = exchange.on_failure(failure, NOW);
    assert!(matches!(next, Step::Dial(_)));
    let _relay = exchange.on_commit(NOW);
    let usage = Usage { input_uncached: Some(1_000), output: Some(100), ..Usage::default() };
    exchange.on_end(None, NOW.after(Duration::from_secs(2)));
    let loss = Loss {
        path: "thinking".to_owned(),
        code: "reasoning-dropped".into(),
        why: "no place for it".into(),
        severity: Severity::Content,
        count: 3,
    };
    let ended = Ended {
        catalog,
        inbound: Dialect::Anthropic,
        exchange: &exchange,
        outcome: Outcome::Complete,
        status: Some(200),
        losses: &[loss],
        usage: Some(&usage),
        first_output: Some(Duration::from_millis(30)),
        total: Duration::from_secs(2),
    };
    meter.ended(&ended, labels, labels.alias(&route), NOW);
}

fn page(telemetry: &Telemetry) -> String {
    let records = Some((5, 1));
    let (providers, clients, held) = (Vec::new(), Vec::new(), Vec::new());
    let gauges = Gauges { providers, clients, held, records, now: NOW };
    render(telemetry, &gauges)
}

#[track_caller]
fn check(page: &str, line: &str) {
    assert!(page.lines().any(|each| each == line), "no line `{line}` in\n{page}");
}

#[test]
fn what_two_workers_counted_is_added_up() {
    let (telemetry, catalog) = (Telemetry::new(), catalog());
    let labels = telemetry.labels(&catalog);
    for _ in 0..2 {
        tell(&telemetry.meter(), &labels, &catalog);
    }
    let page = page(&telemetry);
    for line in [
        "llm_router_exchanges_total{alias=\"x\",provider=\"b\",model=\"m\\\"1\",\
         inbound=\"anthropic\",outbound=\"openai-chat\",outcome=\"complete\"} 2",
        "llm_router_attempts_total{provider=\"a\",model=\"m\\\"1\",class=\"misconfigured\"} 2",
        "llm_router_attempts_total{provider=\"b\",model=\"m\\\"1\",class=\"complete\"} 2",
        "llm_router_fallbacks_total{provider=\"b\",model=\"m\\\"1\"} 2",
        "llm_router_tokens_total{provider=\"b\",model=\"m\\\"1\",kind=\"input\"} 2000",
        "llm_router_tokens_total{provider=\"b\",model=\"m\\\"1\",kind=\"output\"} 200",
        "llm_router_cost_dollars_total{provider=\"b\",model=\"m\\\"1\"} 0.006",
        "llm_router_first_byte_seconds_bucket{provider=\"b\",model=\"m\\\"1\",le=\"0.025\"} 0",
        "llm_router_first_byte_seconds_bucket{provider=\"b\",model=\"m\\\"1\",le=\"0.05\"} 2",
        "llm_router_first_byte_seconds_bucket{provider=\"b\",model=\"m\\\"1\",le=\"+Inf\"} 2",
        "llm_router_exchange_seconds_sum{provider=\"b\",model=\"m\\\"1\"} 4",
        "llm_router_attempt_seconds_count{provider=\"b\",model=\"m\\\"1\"} 2",
        "llm_router_inflight 0",
        "llm_router_losses_total{severity=\"content\",code=\"reasoning-dropped\"} 6",
        "llm_router_records_total{result=\"dropped\"} 1",
    ] {
        check(&page, line);
    }
}

#[test]
fn counts_survive_a_config_that_names_other_things_first() {
    let (telemetry, catalog) = (Telemetry::new(), catalog());
    let meter = telemetry.meter();
    tell(&meter, &telemetry.labels(&catalog), &catalog);
    let mut changed = catalog;
    changed.providers[0].id = "c".to_owned();
    let labels = telemetry.labels(&changed);
    tell(&meter, &labels, &changed);
    let page = page(&telemetry);
    for (provider, class, count) in
        [("a", "misconfigured", 1), ("c", "misconfigured", 1), ("b", "complete", 2)]
    {
        check(
            &page,
            &format!(
                "llm_router_attempts_total{{provider=\"{provider}\",model=\"m\\\"1\",\
                 class=\"{class}\"}} {count}"
            ),
        );
    }
}

#[test]
fn every_sample_belongs_to_a_family_described_before_it() {
    let (telemetry, catalog) = (Telemetry::new(), catalog());
    let meter = telemetry.meter();
    tell(&meter, &telemetry.labels(&catalog), &catalog);
    meter.answered(404);
    let mut family = String::new();
    for line in page(&telemetry).lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&family) && !family.is_empty(), "{line} is not of {family}");
            let value = line.rsplit(' ').next().unwrap_or_default();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
