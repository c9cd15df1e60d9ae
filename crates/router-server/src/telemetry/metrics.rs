//! The tables of one worker, and what goes into them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use router_core::catalog::{Catalog, ModelRef};
use router_core::exchange::{AttemptRecord, Outcome};
use router_core::failure::FailureClass;
use router_core::plan::SkipReason;
use router_core::state::Refused;
use router_core::time::UnixMs;
use router_drive::Ended;
use router_wire::canonical::Loss;
use router_wire::{Dialect, Usage};

use super::{Labels, lock};

/// Upper bounds of histograms in seconds; what takes longer is counted in none but the total.
pub(super) const BOUNDS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
/// Kinds of losses counted apart; further ones are counted as `other`.
const LOSS_CODES_MAX: usize = 512;

/// What one worker counts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    in_flight: AtomicU64,
    /// Answers by the first digit of their status.
    answers: [AtomicU64; 6],
    tables: Mutex<Tables>,
}

/// Everything counted by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub(super) exchanges: BTreeMap<ExchangeKey, u64>,
    /// By the target's number.
    pub(super) targets: Vec<Target>,
    /// Candidates passed over for want of room, by the bucket's number.
    pub(super) refusals: BTreeMap<usize, u64>,
    /// By severity and code.
    pub(super) losses: BTreeMap<(&'static str, Cow<'static, str>), u64>,
}

/// What exchanges are told apart by.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct ExchangeKey {
    pub(super) alias: Option<usize>,
    pub(super) target: Option<usize>,
    pub(super) inbound: Dialect,
    pub(super) outbound: Option<Dialect>,
    pub(super) outcome: Outcome,
}

/// What is counted for each target.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) attempts: BTreeMap<AttemptEnd, u64>,
    pub(super) fallbacks: u64,
    /// In the order of [`TOKEN_KINDS`].
    pub(super) tokens: [u64; 5],
    pub(super) dollars: f64,
    pub(super) first_byte: Histogram,
    pub(super) exchange: Histogram,
    pub(super) attempt: Histogram,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum AttemptEnd {
    Complete,
    Abandoned,
    Failed(FailureClass),
}

impl AttemptEnd {
    fn of(attempt: &AttemptRecord, is_last: bool, outcome: Outcome) -> Self {
        match attempt.failure {
            Some((class, _)) => Self::Failed(class),
            None if is_last && outcome == Outcome::Complete => Self::Complete,
            None => Self::Abandoned,
        }
    }

    /// Its name as a label.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Abandoned => "abandoned",
            Self::Failed(class) => class.name(),
        }
    }
}

/// Names of the kinds of tokens. Reasoning is part of the output.
pub(super) const TOKEN_KINDS: [&str; 5] =
    ["input", "cache-read", "cache-write", "output", "reasoning"];

fn token_counts(usage: &Usage) -> [u64; 5] {
    let kinds =
        [usage.input_uncached, usage.cache_read, usage.cache_write, usage.output, usage.reasoning];
    kinds.map(Option::unwrap_or_default)
}

/// Durations by size.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// By bound, each counted in the first bound it is within.
    pub(super) counts: [u64; BOUNDS.len()],
    pub(super) count: u64,
    pub(super) sum_s: f64,
}

impl Histogram {
    fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let within = self.counts.iter_mut().zip(BOUNDS).find(|(_, bound)| seconds <= *bound);
        if let Some((count, _)) = within {
            *count += 1;
        }
        self.count += 1;
        self.sum_s += seconds;
    }

    fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum_s += other.sum_s;
    }
}

impl Meter {
    /// An exchange began.
    pub(crate) fn begun(&self) {
        self.shared.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// An exchange that had begun is over.
    pub(crate) fn ended(
        &self,
        ended: &Ended<'_>,
        labels: &Labels,
        alias: Option<usize>,
        now: UnixMs,
    ) {
        self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        lock(&self.shared.tables).ended(ended, labels, alias, now);
    }

    /// A call of `model` was refused; counted if a bucket is why.
    pub(crate) fn refused(
        &self,
        catalog: &Catalog,
        labels: &Labels,
        model: ModelRef,
        refused: &Refused,
    ) {
        let Refused::Exhausted { bucket, .. } = refused else { return };
        let buckets = catalog.provider(model).map(|provider| &provider.buckets);
        let index = buckets.and_then(|all| all.iter().position(|each| each.id == *bucket));
        if let Some(number) = index.and_then(|index| labels.bucket(model.provider, index)) {
            *lock(&self.shared.tables).refusals.entry(number).or_default() += 1;
        }
    }

    /// A request was answered with this status.
    pub(crate) fn answered(&self, status: u16) {
        let class = usize::from(status / 100);
        if let Some(counter) = self.shared.answers.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Answers by the first digit of their status.
    pub(super) fn answers(&self) -> [u64; 6] {
        self.shared.answers.each_ref().map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Adds what was counted so far to `into`.
    pub(super) fn add_to(&self, into: &mut Tables) {
        into.merge(&lock(&self.shared.tables));
    }
}

impl Tables {
    fn ended(&mut self, ended: &Ended<'_>, labels: &Labels, alias: Option<usize>, now: UnixMs) {
        let Ended { exchange, outcome, .. } = *ended;
        let plan = exchange.plan();
        for skipped in &plan.skipped {
            if let SkipReason::Exhausted(bucket) = skipped.reason
                && let Some(number) = labels.bucket(skipped.model.provider, bucket)
            {
                *self.refusals.entry(number).or_default() += 1;
            }
        }
        for loss in ended.losses {
            self.lost(loss);
        }
        let attempts = exchange.attempts();
        for (number, attempt) in (1..).zip(attempts) {
            let model = plan.candidates.get(attempt.candidate).map(|candidate| candidate.model);
            let Some(target) = model.and_then(|model| labels.target(model)) else { continue };
            let end = AttemptEnd::of(attempt, number == attempts.len(), outcome);
            let target = self.target(target);
            *target.attempts.entry(end).or_default() += 1;
            target.attempt.add(attempt.ended.unwrap_or(now).since(attempt.started));
        }
        let model = ended.model();
        let number = model.and_then(|model| labels.target(model));
        let outbound = exchange.candidate().map(|candidate| candidate.dialect);
        let key = ExchangeKey {
            alias,
            target: number,
            inbound: ended.inbound,
            outbound: outbound.filter(|_| number.is_some()),
            outcome,
        };
        *self.exchanges.entry(key).or_default() += 1;
        let Some(number) = number else { return };
        let price = model.and_then(|model| ended.catalog.model(model)?.price);
        let fell_back = attempts.last().is_some_and(|attempt| attempt.candidate > 0);
        let target = self.target(number);
        target.fallbacks += u64::from(fell_back && outcome == Outcome::Complete);
        target.exchange.add(ended.total);
        if let Some(first_output) = ended.first_output {
            target.first_byte.add(first_output);
        }
        if let Some(usage) = ended.usage {
            add(&mut target.tokens, &token_counts(usage));
            target.dollars += price.map_or(0.0, |price| price.of(usage));
        }
    }

    fn lost(&mut self, loss: &Loss) {
        let mut key = (loss.severity.name(), loss.code.clone());
        if self.losses.len() >= LOSS_CODES_MAX && !self.losses.contains_key(&key) {
            key.1 = Cow::Borrowed("other");
        }
        *self.losses.entry(key).or_default() += u64::from(loss.count);
    }

    fn target(&mut self, number: usize) -> &mut Target {
        if self.targets.len() <= number {
            self.targets.resize_with(number + 1, Target::default);
        }
        #[expect(clippy::indexing_slicing, reason = "made longer than `number` just before")]
        &mut self.targets[number]
    }

    fn merge(&mut self, other: &Self) {
        merge(&mut self.exchanges, &other.exchanges);
        merge(&mut self.refusals, &other.refusals);
        merge(&mut self.losses, &other.losses);
        for (number, more) in other.targets.iter().enumerate() {
            let target = self.target(number);
            merge(&mut target.attempts, &more.attempts);
            target.fallbacks += more.fallbacks;
            add(&mut target.tokens, &more.tokens);
            target.dollars += more.dollars;
            target.first_byte.merge(&more.first_byte);
            target.exchange.merge(&more.exchange);
            target.attempt.merge(&more.attempt);
        }
    }
}

fn add<const N: usize>(counts: &mut [u64; N], more: &[u64; N]) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count = count.saturating_add(*more);
    }
}

fn merge<K: Clone + Ord>(counts: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, more) in more {
        *counts.entry(key.clone()).or_default() += more;
    }
}
