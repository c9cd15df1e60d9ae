//! Native state behind the core's contract, and the records of what happened.
//!
//! The core's [`State`](router_core::state::State) is plain data; a store holds one and lets many
//! requests at it. Every call is a few hundred nanoseconds under one lock that is never held
//! across an await: planning reads, reserving, committing and settling write. What a reservation
//! says was taken is exact at any concurrency, as it is checked and counted in one go.
//!
//! ```text
//!   memory    the state, and nothing else
//!   sqlite    the state, written behind to a file
//!   redis     the state as this process sees it; what is shared is counted in Redis
//! ```

use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use router_core::catalog::Catalog;
use router_core::plan::{self, Plan, RequestFacts};
use router_core::resolve::Route;
use router_core::state::{self, Refused, Settlement, Table};
use router_core::time::UnixMs;

mod clock;
mod file;
mod inspect;
mod notice;
pub mod records;
mod shared;
mod sqlite;
#[cfg(test)]
mod testing;

pub use notice::{Notice, Report};
pub use sqlite::SqliteOptions;

use shared::{Inner, Shared};
use sqlite::Writer;

/// Calls between two clean-ups of what has expired.
const PRUNE_EVERY: u32 = 1_024;

/// State shared by all requests of a process. The default is in memory only.
#[derive(Default)]
pub struct Store {
    shared: Arc<Shared>,
    backing: Backing,
}

/// What stands behind the memory.
#[derive(Default)]
enum Backing {
    #[default]
    Nothing,
    File(Writer),
}

/// A call that was counted and must be settled exactly once.
#[derive(Debug)]
#[must_use = "a reservation that is not settled is counted as in flight for ever"]
pub struct Reservation {
    local: state::Reservation,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backing = match &self.backing {
            Backing::Nothing => "memory",
            Backing::File(_) => "sqlite",
        };
        write!(f, "Store({backing})")
    }
}

impl Store {
    /// A store with a file behind it. If the file cannot be used, `report` hears of it and the
    /// state is kept in memory.
    pub fn sqlite(options: &SqliteOptions, report: &Report) -> Self {
        let shared = Arc::<Shared>::default();
        let writer = sqlite::open(options, &shared, report);
        Self { shared, backing: writer.map_or(Backing::Nothing, Backing::File) }
    }

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

    /// Reads the state as it is, for display; requests wait as long as `look` takes.
    pub fn look<T>(&self, look: impl FnOnce(&state::State) -> T) -> T {
        look(&self.lock().state)
    }

    /// Counts a call of the plan's candidate `index` in all its buckets, or in none.
    ///
    /// Waits for nothing unless counters are shared between processes.
    #[expect(clippy::unused_async, reason = "a shared store answers over the network")]
    pub async fn reserve(
        &self,
        table: &Table,
        plan: &Plan,
        index: usize,
        now: UnixMs,
    ) -> Result<Reservation, Refused> {
        let local = self.lock().state.reserve(table, plan, index, now)?;
        Ok(Reservation { local })
    }

    /// The call produced its first output, `first_output` after it was sent.
    pub fn commit(
        &self,
        reservation: &mut Reservation,
        first_output: Option<Duration>,
        now: UnixMs,
    ) {
        self.lock().state.commit(&mut reservation.local, first_output, now);
    }

    /// Ends a call.
    pub fn settle(&self, reservation: Reservation, how: &Settlement, now: UnixMs) {
        let mut inner = self.lock();
        inner.state.settle(reservation.local, how, now);
        inner.calls = inner.calls.wrapping_add(1);
        if inner.calls.is_multiple_of(PRUNE_EVERY) {
            inner.state.prune(now);
        }
    }

    /// Waits until everything counted so far is kept as well as it can be. Call it before the
    /// process ends, and not where requests are served.
    pub fn flush(&self) {
        match &self.backing {
            Backing::Nothing => {}
            Backing::File(writer) => writer.flush(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.lock()
    }
}
