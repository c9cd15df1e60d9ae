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

use router_core::catalog::{Catalog, ModelRef};
use router_core::plan::{self, Plan, RequestFacts};
use router_core::resolve::Route;
use router_core::state::{self, Effect, Refused, Settlement, Table};
use router_core::time::UnixMs;

mod check;
mod clock;
mod file;
mod inspect;
mod notice;
mod place;
pub mod records;
mod redis;
mod shared;
mod sqlite;
#[cfg(test)]
mod testing;

pub use check::{FileHealth, check_file, check_redis};
pub use notice::{Notice, Report};
pub use place::{older_state_path, records_path, state_path};
pub use redis::RedisOptions;
pub use sqlite::SqliteOptions;

use redis::{Part, Remote, Taken};
use shared::{Inner, Shared};
use sqlite::Writer;

/// How long what is known of an unused model is kept, unless config says.
const TTL: Duration = Duration::from_hours(24);
/// Calls between two clean-ups of what has expired.
const PRUNE_EVERY: u32 = 1_024;

/// State shared by all requests of a process. The default is in memory only.
pub struct Store {
    shared: Arc<Shared>,
    backing: Backing,
    ttl: Duration,
}

/// What stands behind the memory.
#[derive(Default)]
enum Backing {
    #[default]
    Nothing,
    File(Writer),
    Redis(Remote),
}

/// A call that was counted and must be settled exactly once.
#[derive(Debug)]
#[must_use = "a reservation that is not settled is counted as in flight for ever"]
pub struct Reservation {
    local: state::Reservation,
    /// What Redis must hear at the end.
    part: Option<Box<Part>>,
}

/// A call that Redis did not let through, or that nobody waits for any more.
const TAKEN_BACK: Settlement = Settlement { answered: false, used: None, effect: Effect::Nothing };

/// A call counted here while Redis is asked. Dropped before the answer, it is taken back; the
/// thread that asks does the same with what Redis counted.
struct Pending<'a> {
    shared: &'a Shared,
    local: Option<state::Reservation>,
    now: UnixMs,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(local) = self.local.take() {
            self.shared.lock().state.settle(local, &TAKEN_BACK, self.now);
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backing = match &self.backing {
            Backing::Nothing => "memory",
            Backing::File(_) => "sqlite",
            Backing::Redis(_) => "redis",
        };
        write!(f, "Store({backing})")
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new(Arc::default(), Backing::Nothing)
    }
}

impl Store {
    const fn new(shared: Arc<Shared>, backing: Backing) -> Self {
        Self { shared, backing, ttl: TTL }
    }

    /// The same store, keeping what it knows of models that are not called for so long.
    #[must_use]
    pub fn keeping_for(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// A store with a file behind it. If the file cannot be used, `report` hears of it and the
    /// state is kept in memory.
    pub fn sqlite(options: &SqliteOptions, report: &Report) -> Self {
        let shared = Arc::<Shared>::default();
        let writer = sqlite::open(options, &shared, report);
        Self::new(shared, writer.map_or(Backing::Nothing, Backing::File))
    }

    /// A store that shares counters, cooldowns, circuits and sessions with others through Redis. While Redis is away
    /// it counts by itself, and `report` hears of it.
    pub fn redis(options: &RedisOptions, report: &Report) -> Self {
        let shared = Arc::<Shared>::default();
        let remote = Remote::open(options, &shared, report);
        Self::new(shared, Backing::Redis(remote))
    }

    /// Makes room for what `catalog` names; what is known of unchanged providers stays.
    pub fn install(&self, catalog: Arc<Catalog>, now: UnixMs) -> Table {
        self.lock().state.forget_unused(self.ttl, now);
        if let Backing::Redis(remote) = &self.backing {
            let providers = catalog.providers.iter().map(|it| it.id.clone()).collect();
            let mut inner = self.lock();
            let table = inner.state.table(catalog, now);
            let counters = inner.state.counters(&table, now);
            drop(inner);
            remote.follow(providers, counters);
            return table;
        }
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
    pub async fn reserve(
        &self,
        table: &Table,
        plan: &Plan,
        index: usize,
        now: UnixMs,
    ) -> Result<Reservation, Refused> {
        match &self.backing {
            Backing::Nothing | Backing::File(_) => {
                let local = self.lock().state.reserve(table, plan, index, now)?;
                Ok(Reservation { local, part: None })
            }
            Backing::Redis(remote) => self.reserve_shared(remote, table, plan, index, now).await,
        }
    }

    /// Counts a request in all buckets of its client key, or in none; `None` where nothing of the
    /// key is capped. The reservation is settled when the request is over.
    pub async fn admit(
        &self,
        table: &Table,
        plan: &Plan,
        now: UnixMs,
    ) -> Result<Option<Reservation>, Refused> {
        let local = self.lock().state.admit(table, plan, now)?;
        let Some(local) = local else { return Ok(None) };
        let Backing::Redis(remote) = &self.backing else {
            return Ok(Some(Reservation { local, part: None }));
        };
        let claims = self.lock().state.admission_claims(table, plan, now);
        let part = remote.part(table, plan, None, claims, now);
        self.count_shared(remote, local, part, now).await.map(Some)
    }

    /// Counts here first, as that costs nothing, and then in Redis, which decides.
    async fn reserve_shared(
        &self,
        remote: &Remote,
        table: &Table,
        plan: &Plan,
        index: usize,
        now: UnixMs,
    ) -> Result<Reservation, Refused> {
        let (local, claims) = {
            let mut inner = self.lock();
            let claims = inner.state.claims(table, plan, index, now);
            (inner.state.reserve(table, plan, index, now)?, claims)
        };
        let part = remote.part(table, plan, Some(index), claims, now);
        self.count_shared(remote, local, part, now).await
    }

    async fn count_shared(
        &self,
        remote: &Remote,
        local: state::Reservation,
        part: Part,
        now: UnixMs,
    ) -> Result<Reservation, Refused> {
        let part = Box::new(part);
        let mut pending = Pending { shared: &self.shared, local: Some(local), now };
        let taken =
            if part.is_uncapped() { Some(Taken::default()) } else { remote.take(&part).await };
        let Some(local) = pending.local.take() else { return Err(Refused::Unplanned) };
        let Some(taken) = taken else {
            remote.force(&part);
            return Ok(Reservation { local, part: Some(part) });
        };
        let mut inner = self.lock();
        let fits = taken.fits || part.is_uncapped();
        let kept = if fits {
            Some(local)
        } else {
            inner.state.settle(local, &TAKEN_BACK, now);
            None
        };
        part.adopt(&taken, &mut inner.state, now);
        drop(inner);
        match kept {
            Some(local) => {
                remote.taken(&part, &taken.cooling);
                Ok(Reservation { local, part: Some(part) })
            }
            None => Err(part.refusal(&taken.counters)),
        }
    }

    /// What a model is known not to take. Almost always nothing.
    pub fn unfit(&self, table: &Table, model: ModelRef, now: UnixMs) -> Vec<String> {
        self.lock().state.unfit(table, model, now)
    }

    /// A model does not take this member of a request.
    pub fn learn_unfit(&self, table: &Table, model: ModelRef, parameter: &str, now: UnixMs) {
        self.lock().state.learn_unfit(table, model, parameter, now);
    }

    /// The call produced its first output, `first_output` after it was sent.
    pub fn commit(
        &self,
        reservation: &mut Reservation,
        first_output: Option<Duration>,
        now: UnixMs,
    ) {
        let mut inner = self.lock();
        inner.state.commit(&mut reservation.local, first_output, now);
        if let (Backing::Redis(remote), Some(part)) = (&self.backing, &reservation.part) {
            let session = inner.state.shared_session(reservation.local.session());
            let tripped = part.tripped(&inner.state);
            drop(inner);
            remote.worked(part);
            remote.note(part, tripped, session, now);
        }
    }

    /// Ends a call.
    pub fn settle(&self, reservation: Reservation, how: &Settlement, now: UnixMs) {
        let Reservation { local, part } = reservation;
        let mut inner = self.lock();
        let (session, is_success) = (local.session(), how.effect == Effect::Success);
        inner.state.settle(local, how, now);
        inner.calls = inner.calls.wrapping_add(1);
        if inner.calls.is_multiple_of(PRUNE_EVERY) {
            inner.state.prune(now);
            inner.state.forget_unused(self.ttl, now);
        }
        if let (Backing::Redis(remote), Some(part)) = (&self.backing, &part) {
            let session = inner.state.shared_session(session).filter(|_| is_success);
            let tripped = part.tripped(&inner.state);
            drop(inner);
            remote.settle(part, how, now);
            remote.note(part, tripped, session, now);
        }
    }

    /// Waits until everything counted so far is kept as well as it can be. Call it before the
    /// process ends, and not where requests are served.
    pub fn flush(&self) {
        match &self.backing {
            Backing::Nothing => {}
            Backing::File(writer) => writer.flush(),
            Backing::Redis(remote) => remote.flush(),
        }
    }

    /// Keeps what was counted so far and leaves the file to another process; from now on this one
    /// counts in memory only. Redis is shared anyway.
    pub fn release(&self) {
        match &self.backing {
            Backing::Nothing => {}
            Backing::File(writer) => writer.release(),
            Backing::Redis(remote) => remote.flush(),
        }
    }

    /// What `clear` ends must not come back from Redis.
    fn forget_shared(&self, provider: Option<&str>) {
        if let Backing::Redis(remote) = &self.backing {
            remote.clear(provider);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.lock()
    }
}
