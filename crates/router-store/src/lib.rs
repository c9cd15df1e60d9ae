//! Native state behind the core's contract.
//!
//! The core's [`State`] is plain data; a store holds one and lets many requests at it. Every call
//! is a few hundred nanoseconds under one lock that is never held across an await: planning reads,
//! reserving, committing and settling write. What a reservation says was taken is exact at any
//! concurrency, as it is checked and counted in one go.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use router_core::catalog::Catalog;
use router_core::plan::{self, Plan, RequestFacts};
use router_core::resolve::Route;
use router_core::state::{Refused, Reservation, Settlement, State, Table};
use router_core::time::UnixMs;

mod inspect;

/// Calls between two clean-ups of what has expired.
const PRUNE_EVERY: u32 = 1_024;

/// State in memory, shared by all requests of a process.
#[derive(Debug, Default)]
pub struct Store {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    calls: u32,
}

impl Store {
    /// Makes room for what `catalog` names; what is known of unchanged providers stays.
    pub fn install(&self, catalog: Arc<Catalog>, now: UnixMs) -> Table {
        self.lock().state.table(catalog, now)
    }

    /// Plans a request and takes its turn in the rotation.
    pub fn plan(&self, table: &Table, route: &Route, facts: &RequestFacts, now: UnixMs) -> Plan {
        let mut inner = self.lock();
        let plan = plan::plan(&inner.state.view(table), route, facts, now);
        inner.state.accept(&plan, now);
        plan
    }

    /// Counts a call of the plan's candidate `index` in all its buckets, or in none.
    pub fn reserve(
        &self,
        table: &Table,
        plan: &Plan,
        index: usize,
        now: UnixMs,
    ) -> Result<Reservation, Refused> {
        self.lock().state.reserve(table, plan, index, now)
    }

    /// The call produced its first output, `first_output` after it was sent.
    pub fn commit(
        &self,
        reservation: &mut Reservation,
        first_output: Option<Duration>,
        now: UnixMs,
    ) {
        self.lock().state.commit(reservation, first_output, now);
    }

    /// Ends a call.
    pub fn settle(&self, reservation: Reservation, how: &Settlement, now: UnixMs) {
        let mut inner = self.lock();
        inner.state.settle(reservation, how, now);
        inner.calls = inner.calls.wrapping_add(1);
        if inner.calls.is_multiple_of(PRUNE_EVERY) {
            inner.state.prune(now);
        }
    }

    /// A panic while the lock was held leaves counters that are at worst one call off.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
