//! The load generator: connections that send the same request again and again
//! and compare every answer with the one that must come.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http::{Body, Head};

mod judge;

pub(crate) use judge::Expect;

/// How much of a bad answer an error shows.
const EXCERPT_BYTES_MAX: usize = 300;

/// Where to send what, and what must come back.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    /// The whole request, head and body.
    pub(crate) request: Bytes,
    pub(crate) expect: Arc<Expect>,
}

/// How long to send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Span {
    /// For a time, after a warm-up.
    For { warm: Duration, measure: Duration },
    /// So many requests on each connection.
    Times(usize),
}

/// What was seen in the measured part.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Requests answered, completely and correctly.
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// Time from the first byte sent to the last received, one per request,
    /// ascending.
    pub(crate) times: Vec<Duration>,
}

/// What the connections should be doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Warm,
    Measure,
    Stop,
}

/// An answer with another status than 200.
#[derive(Debug)]
pub(crate) struct Refused {
    status: u16,
    body: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "answered with status {}: {}", self.status, self.body)
    }
}

impl std::error::Error for Refused {}

/// Sends one request and checks the answer.
pub(crate) async fn once(target: &Target, limit: Duration) -> Result<()> {
    let exchange = async { Connection::open(target.addr).await?.exchange(target).await };
    tokio::time::timeout(limit, exchange).await.context("no complete answer in time")?
}

/// Sends over `connections` for `span`. Calls `mark` where the measured part
/// begins and where it ends. Fails on the first wrong answer, and when
/// everything together takes longer than `limit`.
pub(crate) async fn run(
    target: &Target,
    connections: usize,
    span: Span,
    limit: Duration,
    mark: impl FnMut() -> Result<()>,
) -> Result<Load> {
    tokio::time::timeout(limit, drive(target, connections, span, mark))
        .await
        .context("the load did not end in time")?
}

async fn drive(
    target: &Target,
    connections: usize,
    span: Span,
    mut mark: impl FnMut() -> Result<()>,
) -> Result<Load> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(target.addr).await?);
    }
    let first = if matches!(span, Span::Times(_)) { Phase::Measure } else { Phase::Warm };
    let (phase, phases) = watch::channel(first);
    let answered = Arc::new(AtomicU64::new(0));
    if first == Phase::Measure {
        mark()?;
    }
    let mut started = Instant::now();
    let mut workers = JoinSet::new();
    for connection in open {
        let times = if let Span::Times(times) = span { times } else { usize::MAX };
        workers.spawn(work(
            connection,
            target.clone(),
            times,
            phases.clone(),
            Arc::clone(&answered),
        ));
    }
    let mut elapsed = Duration::ZERO;
    if let Span::For { warm, measure } = span {
        let mut pass = async |time| sleep_unless_broken(&mut workers, time).await;
        pass(warm).await?;
        mark()?;
        phase.send(Phase::Measure)?;
        started = Instant::now();
        pass(measure).await?;
        phase.send(Phase::Stop)?;
        mark()?;
        elapsed = started.elapsed();
    }
    let mut times = Vec::new();
    while let Some(ended) = workers.join_next().await {
        times.extend(ended.context("a worker")??);
    }
    if matches!(span, Span::Times(_)) {
        mark()?;
        elapsed = started.elapsed();
    }
    times.sort_unstable();
    Ok(Load { requests: answered.load(Ordering::Relaxed), elapsed, times })
}

/// Lets `time` pass, but ends with the error of a worker that fails before.
async fn sleep_unless_broken(
    workers: &mut JoinSet<Result<Vec<Duration>>>,
    time: Duration,
) -> Result<()> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        Some(ended) = workers.join_next() => {
            ended.context("a worker")??;
            anyhow::bail!("a worker ended early")
        }
    }
}

async fn work(
    mut connection: Connection,
    target: Target,
    times_max: usize,
    phase: watch::Receiver<Phase>,
    answered: Arc<AtomicU64>,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..times_max {
        if *phase.borrow() == Phase::Stop {
            break;
        }
        let start = Instant::now();
        connection.exchange(&target).await?;
        if *phase.borrow() == Phase::Measure {
            answered.fetch_add(1, Ordering::Relaxed);
            times.push(start.elapsed());
        }
    }
    Ok(times)
}

/// One kept-alive client connection.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    addr: SocketAddr,
    buffer: BytesMut,
    /// Whether an answer was already read from it, so that the other side may
    /// rightly have closed it since.
    used: bool,
}

impl Connection {
    async fn open(addr: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(addr).await.with_context(|| format!("connect {addr}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, addr, buffer: BytesMut::with_capacity(64 * 1024), used: false })
    }

    /// Sends the request and checks the answer; once more on a fresh
    /// connection if this one turns out to be closed.
    async fn exchange(&mut self, target: &Target) -> Result<()> {
        let sent = self.stream.write_all(&target.request).await;
        let head = match sent {
            Ok(()) => self.head().await,
            Err(error) => Err(error.into()),
        };
        let head = match head {
            Err(_) if self.used && self.buffer.is_empty() => {
                *self = Self::open(self.addr).await?;
                self.stream.write_all(&target.request).await?;
                self.head().await?
            }
            head => head?,
        };
        self.used = true;
        self.body(head, &target.expect).await?;
        if head.closes {
            *self = Self::open(self.addr).await?;
        }
        Ok(())
    }

    async fn head(&mut self) -> Result<Head> {
        loop {
            if let Some(head) = Head::response(&self.buffer)? {
                self.buffer.advance(head.len);
                return Ok(head);
            }
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "closed without an answer");
        }
    }

    async fn body(&mut self, head: Head, expect: &Expect) -> Result<()> {
        let mut body = Body::new(head.framing);
        let mut judge = expect.judge();
        let mut wrong = Vec::new();
        loop {
            let taken = body.feed(&self.buffer, |bytes| {
                if head.status == 200 {
                    return judge.take(bytes);
                }
                let room = EXCERPT_BYTES_MAX.saturating_sub(wrong.len());
                wrong.extend(bytes.iter().take(room));
                Ok(())
            })?;
            self.buffer.advance(taken);
            if body.is_done() {
                break;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                ensure!(body.may_close(), "an answer cut short");
                break;
            }
        }
        if head.status != 200 {
            let body = String::from_utf8_lossy(&wrong).into_owned();
            return Err(Refused { status: head.status, body }.into());
        }
        judge.finish()
    }
}
