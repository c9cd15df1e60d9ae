//! The thread that talks to Redis.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc as threads};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use router_core::bucket::Tokens;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::scripts::{LEASE_MS, Scripts};
use super::{Board, Order, RedisOptions};
use crate::clock;
use crate::notice::{Notice, Report};
use crate::shared::Shared;

/// How long Redis may take for one answer, and to be connected to.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// Time between two attempts to connect.
const RETRY: Duration = Duration::from_millis(500);
/// Time between two looks at what other routers did.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Buckets of one look's script call; a script keeps Redis from everything else.
const LOOK_MAX: usize = 256;

pub(super) struct Link {
    client: Result<Client, RedisError>,
    scripts: Rc<Scripts>,
    shared: Arc<Shared>,
    board: Arc<Board>,
    report: Report,
    /// Whether that Redis is away was said.
    said: bool,
}

impl Link {
    /// Made on the thread that runs it.
    pub(super) fn new(
        options: &RedisOptions,
        shared: Arc<Shared>,
        board: Arc<Board>,
        report: Report,
    ) -> Self {
        let client = Client::open(options.url.as_str());
        let scripts = Rc::new(Scripts::new(&options.prefix));
        Self { client, scripts, shared, board, report, said: false }
    }

    /// Serves orders until nobody can give one any more. `first` hears when the first attempt to
    /// connect is over.
    pub(super) fn run(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        first: &threads::SyncSender<()>,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                LocalSet::new().block_on(&runtime, self.serve(&mut orders, first));
            }
            Err(error) => (self.report)(&Notice::RedisAway { why: error.to_string() }),
        }
    }

    async fn serve(
        &mut self,
        orders: &mut mpsc::UnboundedReceiver<Order>,
        first: &threads::SyncSender<()>,
    ) {
        loop {
            let failed = match self.join().await {
                Ok(connection) => {
                    self.board.away.store(false, Ordering::Release);
                    let _ = first.try_send(());
                    if std::mem::take(&mut self.said) {
                        (self.report)(&Notice::RedisBack);
                    }
                    let ended = self.follow(&connection, orders).await;
                    self.board.away.store(true, Ordering::Release);
                    match ended {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut self.said, true) {
                (self.report)(&Notice::RedisAway { why: failed.to_string() });
            }
            let _ = first.try_send(());
            if !decline(orders, Instant::now() + RETRY).await {
                return;
            }
        }
    }

    /// Connects, and tells Redis what was counted without it.
    async fn join(&self) -> Result<MultiplexedConnection, RedisError> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_MAX))
            .set_response_timeout(Some(ANSWER_MAX));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        self.send(&mut connection).await?;
        self.look(&mut connection).await?;
        Ok(connection)
    }

    /// Serves until Redis fails (`Err`) or nobody can order anything any more.
    async fn follow(
        &self,
        connection: &MultiplexedConnection,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> Result<(), RedisError> {
        tokio::select! {
            ended = self.answer(connection.clone(), orders) => ended,
            failed = self.send_what_comes(connection.clone()) => Err(failed),
            failed = self.keep_looking(connection.clone()) => Err(failed),
        }
    }

    async fn answer(
        &self,
        mut connection: MultiplexedConnection,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> Result<(), RedisError> {
        let mut calls = JoinSet::new();
        loop {
            let order = tokio::select! {
                order = orders.recv() => order,
                Some(call) = calls.join_next() => {
                    if let Ok(ended) = call {
                        ended?;
                    }
                    continue;
                }
            };
            match order {
                Some(Order::Flush(done)) => {
                    self.send(&mut connection).await?;
                    let _ = done.send(());
                }
                Some(order) => {
                    let (connection, scripts) = (connection.clone(), Rc::clone(&self.scripts));
                    calls.spawn_local(take(connection, scripts, Arc::clone(&self.board), order));
                }
                None => {
                    while let Some(call) = calls.join_next().await {
                        if let Ok(ended) = call {
                            ended?;
                        }
                    }
                    return self.send(&mut connection).await;
                }
            }
        }
    }

    async fn send_what_comes(&self, mut connection: MultiplexedConnection) -> RedisError {
        loop {
            self.board.wake.notified().await;
            if let Err(error) = self.send(&mut connection).await {
                return error;
            }
        }
    }

    /// Sends what is pending. A batch that was not confirmed goes first, under its own name.
    async fn send(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        loop {
            let next = self.board.lock().next_batch();
            let Some((number, name, batch)) = next else { return Ok(()) };
            let kept = self.shared.lock().state.sessions_kept();
            self.scripts.merge(connection, (&name, &batch), kept).await?;
            self.board.lock().confirm(number);
        }
    }

    async fn keep_looking(&self, mut connection: MultiplexedConnection) -> RedisError {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed = Instant::now();
        loop {
            ticks.tick().await;
            if let Err(error) = self.look(&mut connection).await {
                return error;
            }
            if Duration::from_millis(LEASE_MS / 4) <= renewed.elapsed() {
                renewed = Instant::now();
                self.board.lock().renew();
                self.board.wake.notify_one();
            }
        }
    }

    /// Takes over what other routers counted, what they keep out and let back in, and where they
    /// sent sessions.
    async fn look(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let (claims, providers, mut since, changes) = self.board.lock().of_interest();
        let mut rest = providers.as_slice();
        let mut parts: Vec<_> = claims.chunks(LOOK_MAX).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        for part in parts {
            let seen = self.scripts.look(connection, part, rest, since.take()).await?;
            let now = clock::now();
            let mut books = self.board.lock();
            let released = books.learn(rest, &seen, changes, now);
            drop(books);
            let mut inner = self.shared.lock();
            for (claim, counter) in part.iter().zip(seen.counters) {
                inner.state.adopt(claim, counter);
            }
            for each in seen.held.iter().flatten().filter(|each| now < each.until) {
                inner.state.hold(&each.held(), each.since);
            }
            for each in released {
                inner.state.release(&each.held());
            }
            for session in &seen.sessions {
                inner.state.adopt_session(session, now);
            }
            drop(inner);
            rest = &[];
        }
        Ok(())
    }
}

/// Carries out one order. What nobody waits for any more is taken back.
async fn take(
    mut connection: MultiplexedConnection,
    scripts: Rc<Scripts>,
    board: Arc<Board>,
    order: Order,
) -> Result<(), RedisError> {
    let Order::Take { call, claims, provider, reply } = order else { return Ok(()) };
    let taken = scripts.take(&mut connection, &call, &claims, &provider).await?;
    if let Err(taken) = reply.send(taken)
        && taken.fits
    {
        let mut books = board.lock();
        for claim in &claims {
            books.pending.count(claim, -1, Tokens::default(), claim.tokens);
            if claim.bucket.concurrent.is_some() {
                books.pending.end_flight(claim.key.clone(), call.clone(), true);
            }
        }
        drop(books);
        board.wake.notify_one();
    }
    Ok(())
}

/// Turns orders away until `deadline`; false if there will be none any more.
async fn decline(orders: &mut mpsc::UnboundedReceiver<Order>, deadline: Instant) -> bool {
    loop {
        tokio::select! {
            () = sleep_until(deadline) => return true,
            // Dropped, an order tells its request to go on alone.
            order = orders.recv() => if order.is_none() { return false },
        }
    }
}
