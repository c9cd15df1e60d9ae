//! Plays streams event by event from one thread, each at its own phase, so
//! that a proxy sees single events as real upstreams send them and not the
//! bundles that a coarse timer makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::oneshot;

/// How late an event may leave before it is counted as late.
const LATE: Duration = Duration::from_millis(2);
/// How long a stream waits when its socket is full.
const FULL_WAIT: Duration = Duration::from_millis(1);
/// How long the thread sleeps when there is nothing to play.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// A stream to play on a connection.
#[derive(Debug)]
pub(super) struct Stream {
    write: OwnedWriteHalf,
    chunks: Arc<[Bytes]>,
    /// The chunk that is due, and how much of it is already written.
    next: usize,
    written: usize,
    gap: Duration,
    /// Gets the connection back after the last chunk.
    done: oneshot::Sender<OwnedWriteHalf>,
}

impl Stream {
    pub(super) fn new(
        write: OwnedWriteHalf,
        chunks: Arc<[Bytes]>,
        gap: Duration,
        done: oneshot::Sender<OwnedWriteHalf>,
    ) -> Self {
        Self { write, chunks, next: 0, written: 0, gap, done }
    }
}

/// The thread that plays them.
#[derive(Debug)]
pub(super) struct Pacer {
    inbox: Sender<Stream>,
    late: Arc<AtomicUsize>,
}

impl Pacer {
    /// Starts the thread; it ends with the last stream after the pacer is dropped.
    pub(super) fn start() -> Result<Self> {
        let (inbox, streams) = mpsc::channel();
        let late = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&late);
        std::thread::Builder::new()
            .name("pacer".to_owned())
            .spawn(move || play_all(&streams, &count))?;
        Ok(Self { inbox, late })
    }

    pub(super) fn play(&self, stream: Stream) -> Result<()> {
        self.inbox.send(stream).ok().context("the pacer ended")
    }

    pub(super) fn late_events(&self) -> usize {
        self.late.load(Ordering::Relaxed)
    }
}

fn play_all(inbox: &Receiver<Stream>, late: &AtomicUsize) {
    let origin = Instant::now();
    let mut started: u32 = 0;
    // By due time; the number keeps streams of the same instant apart.
    let mut streams: BTreeMap<(Instant, u32), Stream> = BTreeMap::new();
    loop {
        let now = Instant::now();
        let wait = streams
            .first_key_value()
            .map_or(IDLE_WAIT, |((due, _), _)| due.saturating_duration_since(now));
        if wait.is_zero() {
            let Some(((due, number), stream)) = streams.pop_first() else { continue };
            if now.saturating_duration_since(due) > LATE {
                late.fetch_add(1, Ordering::Relaxed);
            }
            if let Some((due, stream)) = step(stream, due, now) {
                streams.insert((due, number), stream);
            }
            continue;
        }
        match inbox.recv_timeout(wait) {
            Ok(stream) => {
                started = started.wrapping_add(1);
                streams.insert((first_due(origin, stream.gap, started), started), stream);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if streams.is_empty() => return,
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
        }
    }
}

/// When stream `number` begins: its phase within the gap follows the golden
/// ratio, which spreads any number of streams evenly.
fn first_due(origin: Instant, gap: Duration, number: u32) -> Instant {
    let phase = gap.mul_f64((f64::from(number) * 0.618_033_988_749_895).fract());
    let elapsed = origin.elapsed();
    let gaps = elapsed.as_nanos().checked_div(gap.as_nanos()).unwrap_or(0) + 1;
    origin + gap.saturating_mul(u32::try_from(gaps).unwrap_or(u32::MAX)) + phase
}

/// Writes what is due; returns the stream with its next time, unless it ended
/// or its client is gone.
fn step(mut stream: Stream, due: Instant, now: Instant) -> Option<(Instant, Stream)> {
    let chunk = stream.chunks.get(stream.next)?;
    let (_, rest) = chunk.split_at_checked(stream.written)?;
    match stream.write.try_write(rest) {
        Ok(written) if written == rest.len() => {
            stream.next += 1;
            stream.written = 0;
        }
        Ok(written) => {
            stream.written += written;
            return Some((now + FULL_WAIT, stream));
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            return Some((now + FULL_WAIT, stream));
        }
        Err(_) => return None,
    }
    if stream.next < stream.chunks.len() {
        Some((due + stream.gap, stream))
    } else {
        // A receiver that is gone needs no connection.
        drop(stream.done.send(stream.write));
        None
    }
}
