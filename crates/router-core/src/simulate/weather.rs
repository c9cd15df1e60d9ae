//! How calls end in a simulation.

use super::{Assumptions, Numbers, Recorded, RecordedAttempt};
use crate::catalog::Catalog;
use crate::failure::{Failure, FailureClass};
use crate::num::{real, whole};
use crate::seed::Seed;
use crate::simulate::ms;
use crate::time::UnixMs;

/// A recorded call stands for others within this time, in milliseconds.
const NEAR_MS: u64 = 5 * 60 * 1_000;

/// What is known of how calls end.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    /// Calls of each model, by time.
    seen: Vec<Vec<Seen>>,
    outages: Vec<(Vec<usize>, super::Outage)>,
    assumed: Assumptions,
    seed: Seed,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: UnixMs,
    record: usize,
    attempt: usize,
}

/// How one call ends.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// After how many milliseconds it fails, or has its first output.
    pub first_ms: u64,
    /// After how many milliseconds it ends.
    pub total_ms: u64,
    pub failure: Option<Failure>,
}

impl Weather {
    pub(super) fn new(catalog: &Catalog, records: &[Recorded], assumed: &Assumptions) -> Self {
        let numbers = Numbers::new(catalog);
        let by_name = numbers.by_name();
        let mut seen = vec![Vec::new(); numbers.names.len()];
        for (record, recorded) in records.iter().enumerate() {
            for (attempt, call) in recorded.attempts.iter().enumerate() {
                let number = by_name.get(call.target.as_str());
                if let Some(calls) = number.and_then(|number| seen.get_mut(*number)) {
                    calls.push(Seen { at: recorded.at, record, attempt });
                }
            }
        }
        for calls in &mut seen {
            calls.sort_by_key(|call| call.at);
        }
        let outages = assumed.outages.iter().map(|outage| {
            let hit = catalog.models().filter(|model| {
                let provider = catalog.provider(*model).map(|provider| provider.id.as_str());
                provider == Some(&outage.target) || catalog.name(*model) == outage.target
            });
            (hit.map(|model| numbers.of(model)).collect(), outage.clone())
        });
        let outages = outages.collect();
        Self { seen, outages, assumed: assumed.clone(), seed: Seed::new(assumed.seed) }
    }

    /// How a call of model `number` for `records[record]` ends if it begins at `now` and `tries`
    /// calls of it went before.
    pub(super) fn outcome(
        &mut self,
        records: &[Recorded],
        (record, number, tries): (usize, usize, usize),
        now: UnixMs,
    ) -> Outcome {
        if let Some(class) = self.outage(number, now) {
            let failure = failure(class, class.status() < 502, None);
            return Outcome { first_ms: 50, total_ms: 50, failure: Some(failure) };
        }
        let calls = self.seen.get(number).map_or(&[][..], Vec::as_slice);
        let found = calls.partition_point(|call| call.at <= now);
        let near = [found.checked_sub(1), Some(found)].into_iter().flatten();
        let near = near.filter_map(|index| calls.get(index));
        let distance = |call: &&Seen| now.since(call.at).max(call.at.since(now));
        let own = own(calls, records, record, tries);
        let nearest = near.filter(|call| distance(call) <= ms(NEAR_MS)).min_by_key(distance);
        match own.or(nearest) {
            Some(call) => self.repeat(records, record, *call),
            None => self.assume(records, record),
        }
    }

    fn outage(&mut self, number: usize, now: UnixMs) -> Option<FailureClass> {
        for (hit, outage) in &self.outages {
            if outage.from <= now && now < outage.until && hit.contains(&number) {
                return (self.seed.unit() < outage.share).then_some(outage.class);
            }
        }
        None
    }

    fn repeat(&mut self, records: &[Recorded], record: usize, call: Seen) -> Outcome {
        let seen = records.get(call.record).and_then(|r| r.attempts.get(call.attempt));
        let Some(seen) = seen else { return self.assume(records, record) };
        let RecordedAttempt { first_output_ms, total_ms, .. } = *seen;
        if let Some(class) = seen.failure {
            let failure = Some(failure(class, seen.answered, seen.retry_after_ms));
            return Outcome { first_ms: first_output_ms, total_ms, failure };
        }
        // Another request's answer is as long as this one's tokens take at that pace.
        let output = |index: usize| records.get(index).map_or(0, |record| record.tokens.output);
        let spent = real(total_ms.saturating_sub(first_output_ms));
        let pace = spent / real(output(call.record).max(1));
        let rest = whole(pace * real(output(record)));
        Outcome { first_ms: first_output_ms, total_ms: first_output_ms + rest, failure: None }
    }

    fn assume(&mut self, records: &[Recorded], record: usize) -> Outcome {
        let jitter = 0.5 + self.seed.unit();
        let first_ms = whole(real(self.assumed.first_output_ms) * jitter);
        let output = records.get(record).map_or(0, |record| record.tokens.output);
        let rest = whole(self.assumed.token_ms * real(output));
        Outcome { first_ms, total_ms: first_ms + rest, failure: None }
    }
}

/// The record's own call of the target, the last if there were fewer than `tries`.
fn own<'a>(
    calls: &'a [Seen],
    records: &[Recorded],
    record: usize,
    tries: usize,
) -> Option<&'a Seen> {
    let at = records.get(record)?.at;
    let first = calls.partition_point(|call| call.at < at);
    let same = calls.get(first..)?.iter().take_while(|call| call.at == at);
    same.filter(|call| call.record == record).take(tries + 1).last()
}

fn failure(class: FailureClass, answered: bool, retry_after_ms: Option<u64>) -> Failure {
    Failure {
        class,
        status: answered.then(|| class.status()),
        message: String::new(),
        code: None,
        retry_after: retry_after_ms.map(ms),
        parameter: None,
    }
}
