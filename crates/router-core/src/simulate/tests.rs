use super::*;
use crate::catalog::Strategy;
use crate::testing::catalog;

fn load(requests: u64, sessions: u64) -> Vec<Recorded> {
    let models = vec!["x".into()];
    generate(&Load { requests, sessions, models, ..Load::default() })
}

fn run(catalog: Catalog, records: &[Recorded], outages: Vec<Outage>) -> Report {
    simulate(Arc::new(catalog), records, &Assumptions { outages, ..Assumptions::default() })
}

#[test]
fn the_same_input_gives_the_same_report() {
    let records = load(2_000, 5);
    let make = || catalog("abc").alias("x", Strategy::Auto, "a b", "c").monthly("a", 500);
    let report = run(make(), &records, Vec::new());
    assert_eq!(report, run(make(), &records, Vec::new()));
    assert_eq!((report.requests, report.served), (2_000, 2_000));
    assert!(report.targets.values().map(|target| target.served).sum::<u64>() == 2_000);
}

#[test]
fn buckets_fill_and_refuse_as_they_would() {
    let records = load(300, 0);
    let both = catalog("ab").alias("x", Strategy::Ordered, "a b", "");
    let report = run(both.monthly("a", 100).monthly("b", 150), &records, Vec::new());
    assert_eq!((report.served, report.exhausted), (250, 50));
    assert_eq!(report.targets["a/m"].served, 100);
    assert_eq!(report.bucket_peaks["b/month"].to_bits(), 1.0_f64.to_bits());
}

#[test]
fn an_outage_moves_requests_and_sessions_to_the_other_target() {
    let records = load(2_000, 8);
    let from = records[500].at;
    let until = records[1_000].at;
    let outage =
        Outage { target: "a".into(), from, until, class: FailureClass::ServerError, share: 1.0 };
    let make = || catalog("ab").alias("x", Strategy::RoundRobin, "a b", "");
    let calm = run(make(), &records, Vec::new());
    let storm = run(make(), &records, vec![outage]);
    assert_eq!((calm.fallbacks, calm.sessions_moved), (0, 0));
    assert_eq!(storm.served, 2_000, "no request is lost");
    assert!(storm.fallbacks > 0 && storm.sessions_moved > 0);
    assert!(storm.targets["a/m"].share < calm.targets["a/m"].share);
    let text = Comparison(&[("old", &calm), ("new", &storm)]).to_string();
    assert!(
        text.contains("served                                         2000           2000"),
        "{text}"
    );
}

#[test]
fn recorded_outcomes_are_repeated() {
    let attempt = |target: &str, failure, first_output_ms, total_ms| RecordedAttempt {
        target: target.into(),
        failure,
        answered: true,
        first_output_ms,
        total_ms,
        retry_after_ms: None,
    };
    let line = r#"{"at":1767225600000,"model":"x","tokens":{"input":10,"output":10}}"#;
    let mut record: Recorded = serde_json::from_str(line).unwrap();
    record.attempts = vec![
        attempt("a/m", Some(FailureClass::RateLimited), 30, 30),
        attempt("b/m", None, 200, 700),
    ];
    let make = |order| catalog("ab").alias("x", Strategy::Ordered, order, "");
    let report = run(make("a b"), &[record.clone()], Vec::new());
    assert_eq!((report.served, report.fallbacks, report.wait_p50_ms), (1, 1, 230));
    assert_eq!(report.targets["a/m"].failures["rate-limited"], 1);
    let report = run(make("b a"), &[record], Vec::new());
    assert_eq!((report.served, report.fallbacks, report.wait_p50_ms), (1, 0, 200));
}

#[test]
fn unknown_models_are_counted() {
    let mut records = load(3, 0);
    records[1].model = Some("nothing like it".into());
    let report = run(catalog("a").alias("x", Strategy::Ordered, "a", ""), &records, Vec::new());
    assert_eq!((report.served, report.unresolved), (2, 1));
}
