//! What happened, counted once and shown in one place.
//!
//! ```text
//!   router_drive --(Ended)----> Meter, one per worker --+
//!       "    -----(status)---> Meter                   +--> render, at GET /metrics
//!   the store's state at that moment ------------------+
//! ```
//!
//! Labels are names from the config and the router's own words, never a client's, so there are
//! never more series than the configs so far have names. A worker counts in tables of its own:
//! their lock is contended only while somebody looks. Names are numbered when a config comes into
//! force, so that counting compares no text.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use router_core::catalog::{Catalog, ModelRef};
use router_core::resolve::Route;

pub(crate) use metrics::Meter;
pub(crate) use render::{Gauges, render};

mod metrics;
mod render;

/// Counters of the whole process.
#[derive(Debug)]
pub(crate) struct Telemetry {
    names: Mutex<Names>,
    meters: Mutex<Vec<Meter>>,
    started: Instant,
    reloaded: AtomicU64,
    not_reloaded: AtomicU64,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        Self {
            names: Mutex::default(),
            meters: Mutex::default(),
            started: Instant::now(),
            reloaded: AtomicU64::new(0),
            not_reloaded: AtomicU64::new(0),
        }
    }

    /// When the process began to count.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// Tables for one more worker.
    pub(crate) fn meter(&self) -> Meter {
        let meter = Meter::default();
        lock(&self.meters).push(meter.clone());
        meter
    }

    /// Exchanges under way.
    pub(crate) fn in_flight(&self) -> u64 {
        lock(&self.meters).iter().map(Meter::in_flight).sum()
    }

    /// Numbers the names of a catalog; known ones keep their number.
    pub(crate) fn labels(&self, catalog: &Catalog) -> Labels {
        let mut names = lock(&self.names);
        let aliases = catalog.aliases.keys();
        let aliases = aliases.map(|name| (name.clone(), names.aliases.number(name.clone())));
        let aliases = aliases.collect();
        let of_provider = |id: &str, name: &str| (id.to_owned(), name.to_owned());
        let mut labels = Labels { aliases, ..Labels::default() };
        for provider in &catalog.providers {
            let models = provider.models.iter().map(|model| of_provider(&provider.id, &model.id));
            labels.targets.push(models.map(|name| names.targets.number(name)).collect());
            let buckets = provider.buckets.iter().map(|each| of_provider(&provider.id, &each.id));
            labels.buckets.push(buckets.map(|name| names.buckets.number(name)).collect());
        }
        labels
    }

    /// A config was put in force while running, or could not be.
    pub(crate) fn reloaded(&self, in_force: bool) {
        let counter = if in_force { &self.reloaded } else { &self.not_reloaded };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How many configs were put in force while running, and how many could not be.
    pub(crate) fn reloads(&self) -> (u64, u64) {
        (self.reloaded.load(Ordering::Relaxed), self.not_reloaded.load(Ordering::Relaxed))
    }
}

/// Where a catalog's names stand in the tables.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    aliases: BTreeMap<String, usize>,
    targets: Vec<Vec<usize>>,
    buckets: Vec<Vec<usize>>,
}

impl Labels {
    /// The number of a route's alias; `None` for a model named directly.
    pub(crate) fn alias(&self, route: &Route) -> Option<usize> {
        match route {
            Route::Direct(_) => None,
            Route::Alias(name) => self.aliases.get(name).copied(),
        }
    }

    fn target(&self, model: ModelRef) -> Option<usize> {
        self.targets.get(model.provider)?.get(model.model).copied()
    }

    fn bucket(&self, provider: usize, bucket: usize) -> Option<usize> {
        self.buckets.get(provider)?.get(bucket).copied()
    }
}

/// Every name a config of this process ever had.
#[derive(Debug, Default)]
struct Names {
    aliases: Numbered<String>,
    /// Provider and model.
    targets: Numbered<(String, String)>,
    /// Provider and bucket.
    buckets: Numbered<(String, String)>,
}

/// Names, each with the number of its first appearance.
#[derive(Debug)]
struct Numbered<T> {
    list: Vec<T>,
    numbers: BTreeMap<T, usize>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { list: Vec::new(), numbers: BTreeMap::new() }
    }
}

impl<T: Clone + Ord> Numbered<T> {
    fn number(&mut self, name: T) -> usize {
        let next = self.list.len();
        let number = *self.numbers.entry(name.clone()).or_insert(next);
        if number == next {
            self.list.push(name);
        }
        number
    }

    fn name(&self, number: usize) -> Option<&T> {
        self.list.get(number)
    }
}

/// A panic while the lock was held leaves counters that are at worst one event off.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
