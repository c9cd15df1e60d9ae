//! What a simulation tells.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Numbers, Recorded};
use crate::catalog::Catalog;
use crate::failure::FailureClass;
use crate::num::{millis, percentile, ratio};

/// What would have happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Requests that arrived.
    pub requests: u64,
    /// Requests answered.
    pub served: u64,
    /// Requests whose model means nothing, or that no target could serve.
    pub unresolved: u64,
    /// Requests refused because every bucket was full (429).
    pub exhausted: u64,
    /// Requests refused because everything was cooling down (503).
    pub cooling: u64,
    /// Requests that ended with an upstream's failure, by class.
    pub failed: BTreeMap<&'static str, u64>,
    /// Requests served by another candidate than the one tried first.
    pub fallbacks: u64,
    /// Calls beyond one for each request that made any.
    pub retries: u64,
    /// What each target did, by `provider/model`.
    pub targets: BTreeMap<String, TargetReport>,
    /// How full each bucket was at most, 0 to 1, by `provider/bucket`.
    pub bucket_peaks: BTreeMap<String, f64>,
    /// Sessions seen.
    pub sessions: u64,
    /// Times a session was served by another target than before.
    pub sessions_moved: u64,
    /// From arrival to first output in milliseconds: half of the requests waited no longer.
    pub wait_p50_ms: u64,
    /// The same for 95 of 100.
    pub wait_p95_ms: u64,
    /// The same for 99 of 100.
    pub wait_p99_ms: u64,
    /// Cost of requests served by targets with known prices in US dollars, nothing cached.
    pub cost: f64,
}

/// What one target did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TargetReport {
    /// Calls made.
    pub calls: u64,
    /// Requests served.
    pub served: u64,
    /// Its share of all requests served, 0 to 1.
    pub share: f64,
    /// Calls that failed, by class.
    pub failures: BTreeMap<&'static str, u64>,
}

/// Counts while a simulation runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub requests: u64,
    pub unresolved: u64,
    pub exhausted: u64,
    pub cooling: u64,
    served: u64,
    fallbacks: u64,
    calls: u64,
    called: u64,
    failed: BTreeMap<FailureClass, u64>,
    targets: Vec<(u64, u64, BTreeMap<FailureClass, u64>)>,
    peaks: Vec<Vec<f64>>,
    bucket_names: Vec<Vec<String>>,
    sessions: BTreeMap<u64, usize>,
    moved: u64,
    waits: Vec<u64>,
    cost: f64,
}

impl Tally {
    pub(super) fn new(catalog: &Catalog, numbers: &Numbers) -> Self {
        let names = catalog.providers.iter().map(|provider| {
            provider.buckets.iter().map(|bucket| format!("{}/{}", provider.id, bucket.id)).collect()
        });
        let bucket_names: Vec<Vec<String>> = names.collect();
        Self {
            peaks: bucket_names.iter().map(|names| vec![0.0; names.len()]).collect(),
            bucket_names,
            targets: vec![(0, 0, BTreeMap::new()); numbers.names.len()],
            ..Self::default()
        }
    }

    pub(super) fn call(&mut self, number: usize) {
        self.calls += 1;
        if let Some(target) = self.targets.get_mut(number) {
            target.0 += 1;
        }
    }

    pub(super) fn failed_call(&mut self, number: usize, class: FailureClass) {
        if let Some(target) = self.targets.get_mut(number) {
            *target.2.entry(class).or_default() += 1;
        }
    }

    pub(super) fn failed_exchange(&mut self, class: FailureClass) {
        self.called += 1;
        *self.failed.entry(class).or_default() += 1;
    }

    pub(super) fn level(&mut self, provider: usize, bucket: usize, used: f64) {
        let peak = self.peaks.get_mut(provider).and_then(|peaks| peaks.get_mut(bucket));
        if let Some(peak) = peak {
            *peak = peak.max(used);
        }
    }

    pub(super) fn served(
        &mut self,
        number: usize,
        record: &Recorded,
        fell_back: bool,
        waited: Duration,
        cost: Option<f64>,
    ) {
        self.served += 1;
        self.called += 1;
        self.fallbacks += u64::from(fell_back);
        self.waits.push(millis(waited));
        self.cost += cost.unwrap_or(0.0);
        if let Some(target) = self.targets.get_mut(number) {
            target.1 += 1;
        }
        if let Some(session) = record.session {
            let before = self.sessions.insert(session, number);
            self.moved += u64::from(before.is_some_and(|before| before != number));
        }
    }

    pub(super) fn report(mut self, numbers: &Numbers) -> Report {
        self.waits.sort_unstable();
        let waits = &self.waits;
        let wait = |share: f64| percentile(waits, share);
        let named = |counts: &BTreeMap<FailureClass, u64>| {
            counts.iter().map(|(class, count)| (class.name(), *count)).collect()
        };
        let share = |served: u64| if self.served == 0 { 0.0 } else { ratio(served, self.served) };
        let targets = self.targets.iter().enumerate().map(|(number, (calls, served, failures))| {
            let (calls, served) = (*calls, *served);
            let report =
                TargetReport { calls, served, share: share(served), failures: named(failures) };
            (numbers.name(number).to_owned(), report)
        });
        let peaks = self.bucket_names.iter().flatten().cloned().zip(self.peaks.iter().flatten());
        Report {
            requests: self.requests,
            served: self.served,
            unresolved: self.unresolved,
            exhausted: self.exhausted,
            cooling: self.cooling,
            failed: named(&self.failed),
            fallbacks: self.fallbacks,
            retries: self.calls.saturating_sub(self.called),
            targets: targets.collect(),
            bucket_peaks: peaks.map(|(name, peak)| (name, *peak)).collect(),
            sessions: u64::try_from(self.sessions.len()).unwrap_or(u64::MAX),
            sessions_moved: self.moved,
            wait_p50_ms: wait(0.50),
            wait_p95_ms: wait(0.95),
            wait_p99_ms: wait(0.99),
            cost: self.cost,
        }
    }
}

/// Reports side by side, each under a heading.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a>(pub &'a [(&'a str, &'a Report)]);

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reports = self.0;
        row(f, "", reports.iter().map(|(heading, _)| (*heading).to_owned()))?;
        let mut line = |label: &str, value: &dyn Fn(&Report) -> String| {
            row(f, label, reports.iter().map(|(_, report)| value(report)))
        };
        line("requests", &|r| r.requests.to_string())?;
        line("served", &|r| r.served.to_string())?;
        line("unknown model", &|r| r.unresolved.to_string())?;
        line("refused, buckets full", &|r| r.exhausted.to_string())?;
        line("refused, cooling down", &|r| r.cooling.to_string())?;
        for class in FailureClass::ALL.map(FailureClass::name) {
            if reports.iter().any(|(_, report)| report.failed.contains_key(class)) {
                let count = |r: &Report| r.failed.get(class).copied().unwrap_or(0).to_string();
                line(&format!("failed, {class}"), &count)?;
            }
        }
        line("served by fallback", &|r| r.fallbacks.to_string())?;
        line("calls beyond the first", &|r| r.retries.to_string())?;
        line("sessions", &|r| r.sessions.to_string())?;
        line("session moves", &|r| r.sessions_moved.to_string())?;
        line("first output p50, ms", &|r| r.wait_p50_ms.to_string())?;
        line("first output p95, ms", &|r| r.wait_p95_ms.to_string())?;
        line("first output p99, ms", &|r| r.wait_p99_ms.to_string())?;
        line("cost, US dollars", &|r| format!("{:.2}", r.cost))?;
        for target in names(reports, |report| report.targets.keys().collect()) {
            let share = |r: &Report| {
                let target = r.targets.get(&target);
                target.map_or_else(|| "-".into(), |t| format!("{:.1} %", t.share * 100.0))
            };
            line(&format!("share of {target}"), &share)?;
        }
        for bucket in names(reports, |report| report.bucket_peaks.keys().collect()) {
            let peak = |r: &Report| {
                let peak = r.bucket_peaks.get(&bucket);
                peak.map_or_else(|| "-".into(), |peak| format!("{:.1} %", peak * 100.0))
            };
            line(&format!("peak of {bucket}"), &peak)?;
        }
        Ok(())
    }
}

fn names(
    reports: &[(&str, &Report)],
    of: impl for<'r> Fn(&'r Report) -> Vec<&'r String>,
) -> Vec<String> {
    let mut all: Vec<String> = reports.iter().flat_map(|(_, report)| of(report)).cloned().collect();
    all.sort();
    all.dedup();
    all
}

fn row(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    values: impl Iterator<Item = String>,
) -> fmt::Result {
    write!(f, "{label:<36}")?;
    for value in values {
        write!(f, " {value:>14}")?;
    }
    writeln!(f)
}
