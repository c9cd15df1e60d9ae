//! Counters, cooldowns, open circuits and sessions that several routers share in Redis or Valkey.
//!
//! ```text
//!   reserve: local state --order--> thread --reserve.lua--> Redis      one round trip
//!                 ^ counters, cooldowns <------------------'
//!   settle:  local state, pending batch -- thread --merge.lua--> Redis  nobody waits
//!   every half second: what others did <-- look.lua -- Redis
//! ```
//!
//! Redis holds the truth about buckets; the local state follows it, plans from it, and goes on by
//! itself while Redis is away. What is counted meanwhile waits in the pending batch and is added
//! when Redis is back. The connection lives on a thread of its own, so a request that is dropped
//! while it waits is still counted once: the thread takes back what nobody came for.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as threads};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use router_core::bucket::{Counter, Tokens};
use router_core::cooldown::Scope;
use router_core::plan::Plan;
use router_core::state::{Claim, Effect, Refused, Settlement, SharedSession, State, Table};
use router_core::time::UnixMs;
use tokio::sync::{Notify, mpsc, oneshot};

use self::batch::Batch;
use self::cooling::Cooling;
use self::scripts::Seen;
use crate::notice::{Notice, Report};
use crate::shared::Shared;

mod batch;
mod cooling;
mod link;
mod scripts;

/// Buckets that are kept up to date at most.
const WATCHED_MAX: usize = 4_096;
/// How long a flush may take before its caller goes on.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// Which Redis.
#[derive(Clone)]
pub struct RedisOptions {
    /// Its address, as `redis://[user:password@]host[:port][/database]` or `unix:///path`.
    pub url: String,
    /// What names of keys begin with; routers that share it share their counts.
    pub prefix: String,
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("RedisOptions").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The way to Redis. Dropped, it sends what is pending and ends its thread.
#[derive(Debug)]
pub(crate) struct Remote {
    /// `None` only while being dropped. Unbounded, as every order belongs to a request that waits
    /// for it.
    orders: Option<mpsc::UnboundedSender<Order>>,
    board: Arc<Board>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is asked to do.
enum Order {
    Take { call: String, claims: Vec<Claim>, provider: String, reply: oneshot::Sender<Taken> },
    Flush(threads::SyncSender<()>),
}

/// How a reservation went in Redis.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub fits: bool,
    /// By claim, as they stand after it.
    pub counters: Vec<Counter>,
    pub cooling: Vec<Cooling>,
}

/// What requests and the thread share. The lock is held for a few map operations.
#[derive(Debug)]
struct Board {
    /// Whether Redis is not to be asked.
    away: AtomicBool,
    books: Mutex<Books>,
    /// Something is pending.
    wake: Notify,
}

#[derive(Debug, Default)]
struct Books {
    /// Name of this process among others.
    instance: String,
    calls: u64,
    pending: Batch,
    /// The batch that was sent last and not confirmed, by its number.
    sent: Option<(u64, Batch)>,
    batches: u64,
    /// The buckets of the config.
    watched: Vec<Claim>,
    providers: Vec<String>,
    /// The moment of Redis's clock from which sessions are looked for.
    sessions_since: u64,
    /// Grows with every change to what is kept out.
    changes: u64,
    /// By call.
    flights: BTreeMap<String, Flight>,
    /// What is known to be kept out, by provider and name.
    cooling: BTreeMap<String, BTreeMap<String, Cooling>>,
}

/// A call in flight.
#[derive(Debug)]
struct Flight {
    /// Buckets with a cap on calls in flight.
    keys: Vec<String>,
    /// Whether Redis may know of it.
    told: bool,
}

/// The shared part of a reservation.
#[derive(Debug)]
pub(crate) struct Part {
    call: String,
    claims: Vec<Claim>,
    provider: String,
    model: String,
    credential: String,
    started: UnixMs,
}

impl Part {
    /// Whether nothing the call counts in is capped.
    pub(crate) fn is_uncapped(&self) -> bool {
        self.claims.is_empty()
    }

    /// How the circuits of the call's provider and model stand.
    pub(crate) fn tripped(&self, state: &State) -> [Option<UnixMs>; 2] {
        state.tripped(&self.provider, &self.model)
    }

    /// Takes over what Redis said.
    pub(crate) fn adopt(&self, taken: &Taken, state: &mut State, now: UnixMs) {
        for (claim, counter) in self.claims.iter().zip(&taken.counters) {
            state.adopt(claim, *counter);
        }
        for each in taken.cooling.iter().filter(|each| now < each.until) {
            state.hold(&each.held(), each.since);
        }
    }

    /// Why the call does not fit, as far as the counters tell.
    pub(crate) fn refusal(&self, counters: &[Counter]) -> Refused {
        let full = self.claims.iter().zip(counters).filter(|(claim, it)| !claim.fits(it));
        let full = full.map(|(claim, it)| (it.level(&claim.bucket, claim.tokens).resets_at, claim));
        let last = full.max_by_key(|(resets_at, _)| *resets_at);
        let named = last.map(|(resets_at, claim)| (resets_at, claim.bucket.id.clone()));
        let (resets_at, bucket) = named.unwrap_or_default();
        Refused::Exhausted { bucket, resets_at }
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    /// Starts the thread; it connects, and reports if it cannot.
    pub(crate) fn open(options: &RedisOptions, shared: &Arc<Shared>, report: &Report) -> Self {
        let instance = format!("{:016x}", RandomState::new().build_hasher().finish());
        let board = Arc::new(Board {
            away: AtomicBool::new(true),
            books: Mutex::new(Books { instance, ..Books::default() }),
            wake: Notify::new(),
        });
        let (orders, inbox) = mpsc::unbounded_channel();
        let (options, report) = (options.clone(), Arc::clone(report));
        let (seen, known, say) = (Arc::clone(shared), Arc::clone(&board), Arc::clone(&report));
        let (first, tried) = threads::sync_channel(1);
        let thread = thread::Builder::new().name("redis".to_owned());
        let thread = thread.spawn(move || {
            link::Link::new(&options, seen, known, say).run(inbox, &first);
        });
        if let Err(error) = &thread {
            report(&Notice::RedisAway { why: error.to_string() });
        }
        // The first requests should find Redis, if it is there.
        let _ = tried.recv_timeout(FLUSH_MAX);
        Self { orders: Some(orders), board, thread: thread.ok() }
    }

    /// Whether Redis is not to be asked now.
    pub(crate) fn is_away(&self) -> bool {
        self.board.away.load(Ordering::Acquire)
    }

    /// The providers and buckets that are followed from now on.
    pub(crate) fn follow(&self, providers: Vec<String>, mut buckets: Vec<Claim>) {
        buckets.truncate(WATCHED_MAX);
        let mut books = self.board.lock();
        (books.providers, books.watched) = (providers, buckets);
    }

    /// The shared part of a call of the plan's candidate `index`, or, without one, of the request's
    /// admission.
    pub(crate) fn part(
        &self,
        table: &Table,
        plan: &Plan,
        index: Option<usize>,
        claims: Vec<Claim>,
        now: UnixMs,
    ) -> Part {
        let catalog = table.catalog();
        let candidate = index.and_then(|index| plan.candidates.get(index));
        let provider = candidate.and_then(|it| catalog.provider(it.model));
        let model = candidate.and_then(|it| catalog.model(it.model));
        let credential = candidate.and_then(|it| provider?.credentials.get(it.credential));
        let mut books = self.board.lock();
        books.calls += 1;
        let call = format!("{}-{}", books.instance, books.calls);
        Part {
            call,
            claims,
            provider: provider.map(|it| it.id.clone()).unwrap_or_default(),
            model: model.map(|it| it.id.clone()).unwrap_or_default(),
            credential: credential.map(|it| it.label.clone()).unwrap_or_default(),
            started: now,
        }
    }

    /// Counts the call in Redis. `None` if Redis is away.
    pub(crate) async fn take(&self, part: &Part) -> Option<Taken> {
        if self.is_away() {
            return None;
        }
        let (reply, taken) = oneshot::channel();
        let order = Order::Take {
            call: part.call.clone(),
            claims: part.claims.clone(),
            provider: part.provider.clone(),
            reply,
        };
        self.orders.as_ref()?.send(order).ok()?;
        taken.await.ok()
    }

    /// Notes that the call goes on without Redis having been asked.
    pub(crate) fn force(&self, part: &Part) {
        let mut books = self.board.lock();
        for claim in &part.claims {
            books.pending.count(claim, 1, claim.tokens, Tokens::default());
        }
        books.begin_flight(part, false);
        drop(books);
        self.board.wake.notify_one();
    }

    /// Notes that Redis counted the call.
    pub(crate) fn taken(&self, part: &Part, cooling: &[Cooling]) {
        let mut books = self.board.lock();
        books.begin_flight(part, true);
        books.know(&part.provider, cooling);
    }

    /// The call works: what kept it out before it began no longer does.
    pub(crate) fn worked(&self, part: &Part) {
        let mut books = self.board.lock();
        let Some(known) = books.cooling.get_mut(&part.provider) else { return };
        let over = |it: &Cooling| it.class.is_some() && it.since <= part.started && it.covers(part);
        let over: Vec<String> =
            known.iter().filter(|(_, it)| over(it)).map(|(name, _)| name.clone()).collect();
        for name in over {
            books.release(&part.provider, name);
        }
        books.wake(&self.board.wake);
    }

    /// Notes where the call left the circuits of its provider and model, and where its session is.
    pub(crate) fn note(
        &self,
        part: &Part,
        tripped: [Option<UnixMs>; 2],
        session: Option<SharedSession>,
        now: UnixMs,
    ) {
        let mut books = self.board.lock();
        for (scope, until) in [Scope::Provider, Scope::Model].into_iter().zip(tripped) {
            let open = Cooling::new(part, scope, now, until.unwrap_or(now), None);
            let known = books.cooling.get(&part.provider).and_then(|it| it.get(&open.name()));
            let known = known.map(|it| it.until);
            match until {
                Some(until) if now < until && known != Some(until) => {
                    books.keep_out(&part.provider, &open);
                }
                None if known.is_some() => books.release(&part.provider, open.name()),
                _ => {}
            }
        }
        if let Some(session) = session {
            books.pending.send(session);
        }
        books.wake(&self.board.wake);
    }

    /// Ends the call.
    pub(crate) fn settle(&self, part: &Part, how: &Settlement, now: UnixMs) {
        if how.effect == Effect::Success {
            self.worked(part);
        }
        let mut books = self.board.lock();
        for claim in &part.claims {
            let used = how.answered.then(|| how.used.unwrap_or(claim.tokens));
            let requests = if used.is_some() { 0 } else { -1 };
            books.pending.count(claim, requests, used.unwrap_or_default(), claim.tokens);
        }
        if let Some(Flight { keys, told }) = books.flights.remove(&part.call) {
            for key in keys {
                books.pending.end_flight(key, part.call.clone(), told);
            }
        }
        if let Effect::Failure { class, cooldown: Some((scope, length)), .. } = how.effect {
            let cooling = Cooling::new(part, scope, now, now.after(length), Some(class));
            books.keep_out(&part.provider, &cooling);
        }
        books.wake(&self.board.wake);
    }

    /// Lets everything of a provider, or of all, back in.
    pub(crate) fn clear(&self, provider: Option<&str>) {
        let mut books = self.board.lock();
        let mut all = Vec::new();
        for (id, names) in &books.cooling {
            if provider.is_none_or(|provider| provider == id) {
                all.extend(names.keys().map(|name| (id.clone(), name.clone())));
            }
        }
        for (id, name) in all {
            books.release(&id, name);
        }
        drop(books);
        self.board.wake.notify_one();
    }

    /// Waits until what is pending was sent, if Redis answers.
    pub(crate) fn flush(&self) {
        let (done, finished) = threads::sync_channel(1);
        let sent = self.orders.as_ref().is_some_and(|it| it.send(Order::Flush(done)).is_ok());
        if sent {
            let _ = finished.recv_timeout(FLUSH_MAX);
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The thread sends what is pending and ends when nobody can order anything any more.
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Books {
    fn begin_flight(&mut self, part: &Part, told: bool) {
        let capped = part.claims.iter().filter(|claim| claim.bucket.concurrent.is_some());
        let keys: Vec<String> = capped.map(|claim| claim.key.clone()).collect();
        if keys.is_empty() {
            return;
        }
        for key in keys.iter().filter(|_| !told) {
            self.pending.begin_flight(key.clone(), part.call.clone());
        }
        self.flights.insert(part.call.clone(), Flight { keys, told });
    }

    /// Renews the lease of every call in flight.
    fn renew(&mut self) {
        for (call, flight) in &self.flights {
            for key in &flight.keys {
                self.pending.begin_flight(key.clone(), call.clone());
            }
        }
    }

    fn know(&mut self, provider: &str, cooling: &[Cooling]) {
        if cooling.is_empty() {
            return;
        }
        let known = self.cooling.entry(provider.to_owned()).or_default();
        for each in cooling {
            known.insert(each.name(), each.clone());
        }
    }

    fn keep_out(&mut self, provider: &str, cooling: &Cooling) {
        self.know(provider, std::slice::from_ref(cooling));
        self.pending.keep_out(provider, cooling);
        self.changes += 1;
    }

    fn release(&mut self, provider: &str, name: String) {
        if let Some(known) = self.cooling.get_mut(provider) {
            known.remove(&name);
        }
        self.pending.release(provider, name);
        self.changes += 1;
    }

    /// Wakes the thread if there is something to send.
    fn wake(&self, thread: &Notify) {
        if !self.pending.is_empty() {
            thread.notify_one();
        }
    }

    /// Takes over what a look found of `providers`. Returns what others let back in before its
    /// time; nothing, if the look may not have seen all that this router knew when it ended.
    fn learn(
        &mut self,
        providers: &[String],
        seen: &Seen,
        changes: Option<u64>,
        now: UnixMs,
    ) -> Vec<Cooling> {
        let mut released = Vec::new();
        let is_fresh = changes.is_some() && changes == self.told();
        for (provider, held) in providers.iter().zip(&seen.held) {
            if is_fresh {
                let known = self.cooling.remove(provider).unwrap_or_default();
                let is_held = |name: &String| held.iter().any(|it| it.name() == *name);
                let gone = known.into_iter().filter(|(name, it)| now < it.until && !is_held(name));
                released.extend(gone.map(|(_, it)| it));
            }
            self.know(provider, held);
        }
        if let Some(next) = seen.next {
            self.sessions_since = next;
        }
        released
    }

    /// What is to be sent next: its number, its name among all routers, and the batch.
    fn next_batch(&mut self) -> Option<(u64, String, Batch)> {
        if self.sent.is_none() {
            if self.pending.is_empty() {
                return None;
            }
            self.batches += 1;
            let batch = std::mem::take(&mut self.pending);
            for (_, call) in batch.flights.keys() {
                if let Some(flight) = self.flights.get_mut(call) {
                    flight.told = true;
                }
            }
            self.sent = Some((self.batches, batch));
        }
        let (number, batch) = self.sent.as_ref()?;
        Some((*number, format!("{}-{number}", self.instance), batch.clone()))
    }

    /// Redis has carried out the batch.
    fn confirm(&mut self, number: u64) {
        self.sent.take_if(|(sent, _)| *sent == number);
    }

    /// The number of changes to what is kept out, if Redis has been told of all.
    fn told(&self) -> Option<u64> {
        let mut waiting = [&self.pending].into_iter().chain(self.sent.iter().map(|(_, it)| it));
        waiting.all(|batch| batch.cooling.is_empty()).then_some(self.changes)
    }

    /// The buckets and providers to look at, from when sessions are wanted, and what Redis knows.
    fn of_interest(&self) -> (Vec<Claim>, Vec<String>, Option<u64>, Option<u64>) {
        let since = Some(self.sessions_since);
        (self.watched.clone(), self.providers.clone(), since, self.told())
    }
}

#[cfg(test)]
mod tests;
