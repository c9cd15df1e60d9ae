//! What did happen, as the same kind of report.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Report, TargetReport};
use super::{Recorded, RecordedAttempt};
use crate::exchange::Outcome;
use crate::num::{percentile, ratio};

/// The report of what the records themselves say, to set beside simulated ones.
///
/// An answer whose client went away counts as served. Bucket levels and cost are unknown.
pub fn as_recorded(records: &[Recorded]) -> Report {
    let mut report = Report::default();
    let mut waits = Vec::new();
    let mut places = BTreeMap::new();
    let mut sessions = BTreeSet::new();
    let mut order: Vec<&Recorded> = records.iter().collect();
    order.sort_by_key(|record| record.at);
    for record in order {
        report.requests += 1;
        sessions.extend(record.session);
        for attempt in &record.attempts {
            count(&mut report, attempt);
        }
        let Some((last, before)) = record.attempts.split_last() else {
            refused(&mut report, record.outcome);
            continue;
        };
        report.retries += u64::try_from(before.len()).unwrap_or(u64::MAX);
        if let Some(class) = last.failure {
            *report.failed.entry(class.name()).or_default() += 1;
            continue;
        }
        report.served += 1;
        report.fallbacks += u64::from(before.iter().any(|attempt| attempt.target != last.target));
        let waited: u64 = before.iter().map(|attempt| attempt.total_ms).sum();
        waits.push(waited.saturating_add(last.first_output_ms));
        if let Some(session) = record.session {
            let previous = places.insert(session, &last.target);
            report.sessions_moved += u64::from(previous.is_some_and(|it| *it != last.target));
        }
    }
    report.sessions = u64::try_from(sessions.len()).unwrap_or(u64::MAX);
    for target in report.targets.values_mut().filter(|target| target.served > 0) {
        target.share = ratio(target.served, report.served);
    }
    waits.sort_unstable();
    report.wait_p50_ms = percentile(&waits, 0.50);
    report.wait_p95_ms = percentile(&waits, 0.95);
    report.wait_p99_ms = percentile(&waits, 0.99);
    report
}

/// Counts a request for which nobody was called.
fn refused(report: &mut Report, outcome: Option<Outcome>) {
    match outcome {
        Some(Outcome::Exhausted) => report.exhausted += 1,
        Some(Outcome::Cooling) => report.cooling += 1,
        Some(Outcome::NoCandidate) => report.unresolved += 1,
        _ => {}
    }
}

fn count(report: &mut Report, attempt: &RecordedAttempt) {
    let target: &mut TargetReport = report.targets.entry(attempt.target.clone()).or_default();
    target.calls += 1;
    match attempt.failure {
        None => target.served += 1,
        Some(class) => *target.failures.entry(class.name()).or_default() += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Tokens;
    use crate::failure::FailureClass;
    use crate::time::UnixMs;
    use router_wire::Dialect;

    fn attempt(target: &str, failure: Option<FailureClass>, ms: u64) -> RecordedAttempt {
        RecordedAttempt {
            target: target.to_owned(),
            failure,
            first_output_ms: ms,
            total_ms: ms,
            ..RecordedAttempt::default()
        }
    }

    fn record(at: u64, attempts: Vec<RecordedAttempt>) -> Recorded {
        Recorded {
            at: UnixMs(at),
            model: None,
            dialect: Dialect::Anthropic,
            stream: true,
            session: Some(7),
            tokens: Tokens::default(),
            attempts,
            outcome: None,
        }
    }

    #[test]
    fn records_are_counted_as_they_are() {
        let failed = Some(FailureClass::Overloaded);
        let records = [
            record(3, vec![attempt("a/m", failed, 50)]),
            record(2, vec![attempt("a/m", failed, 40), attempt("b/m", None, 100)]),
            record(1, vec![attempt("a/m", None, 10)]),
            Recorded { outcome: Some(Outcome::Exhausted), ..record(4, vec![]) },
        ];
        let report = as_recorded(&records);
        assert_eq!((report.requests, report.served, report.fallbacks), (4, 2, 1));
        assert_eq!((report.exhausted, report.cooling, report.unresolved), (1, 0, 0));
        assert_eq!((report.sessions, report.sessions_moved, report.retries), (1, 1, 1));
        assert_eq!(report.failed, BTreeMap::from([("overloaded", 1)]));
        assert_eq!((report.wait_p50_ms, report.wait_p99_ms), (140, 140));
        assert_eq!(report.targets["a/m"].calls, 3);
        assert_eq!(report.targets["b/m"].share.to_bits(), 0.5_f64.to_bits());
    }
}
