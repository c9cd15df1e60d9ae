//! Records of finished exchanges: who asked for what, who answered, how long it took.
//!
//! ```text
//!   settle --> push --> bounded queue --> one thread --> SQLite, oldest rows removed
//!                 \--> full: dropped and counted
//! ```
//!
//! No record holds a prompt or an answer. A request never waits for a disk: when the thread
//! cannot keep up, records are dropped and the drops are counted. Each row is the record as
//! JSON, so that `SQLite`'s own JSON functions can query it (`body ->> 'status'`).

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::clock;
use crate::file::{self, Schema};
use crate::notice::{Notice, Report};

mod export;
mod record;

pub use export::{ExportError, Filter, export};
pub use record::{Record, RecordedAttempt};

/// Records waiting to be written at most.
const QUEUE_MAX: usize = 8_192;
/// Time in which records gather for one transaction.
const GATHER: Duration = Duration::from_millis(100);
/// Time between two looks at age and size.
const TRIM_EVERY: Duration = Duration::from_mins(1);
/// How long a flush may take before its caller goes on.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// Rounds of removing the oldest twentieth at most, in one look at the size.
const TRIM_ROUNDS_MAX: usize = 60;

const SCHEMA: Schema = Schema {
    create: "CREATE TABLE IF NOT EXISTS exchange (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, \
             body TEXT NOT NULL); CREATE INDEX IF NOT EXISTS exchange_time ON exchange (time);",
    version: 1,
    exclusive: false,
};

/// Where records are kept, and how many.
#[derive(Clone, Debug)]
pub struct RecordsOptions {
    /// The file; made if it is missing, readable by its owner only.
    pub path: PathBuf,
    /// Older records are removed.
    pub age_max: Duration,
    /// The oldest records are removed while their pages take more bytes than this.
    pub bytes_max: u64,
}

/// Takes records. Dropped, it writes what is waiting.
#[derive(Debug)]
pub struct Records {
    queue: mpsc::SyncSender<Message>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

/// Written by requests and by the thread, read by whoever wants to know.
#[derive(Debug, Default)]
struct Counts {
    dropped: AtomicU64,
    written: AtomicU64,
}

enum Message {
    Record(Box<Record>),
    Flush(mpsc::SyncSender<()>),
    Stop,
}

impl Records {
    /// Opens the file and starts the thread. `None` if the file cannot be used; `report` hears why.
    pub fn open(options: RecordsOptions, report: &Report) -> Option<Self> {
        let connection = file::open(&options.path, SCHEMA, report)?.connection;
        let (queue, messages) = mpsc::sync_channel(QUEUE_MAX);
        let counts = Arc::<Counts>::default();
        let path = options.path.clone();
        let keeping = Keeping {
            connection,
            options,
            counts: Arc::clone(&counts),
            report: Arc::clone(report),
            failing: false,
        };
        let thread = thread::Builder::new().name("records".to_owned());
        match thread.spawn(move || keeping.run(&messages)) {
            Ok(thread) => Some(Self { queue, counts, thread: Some(thread) }),
            Err(error) => {
                report(&Notice::Unusable { path, why: error.to_string() });
                None
            }
        }
    }

    /// Hands a record over; it is dropped if too many are waiting. Never waits.
    pub fn push(&self, record: Record) {
        if self.queue.try_send(Message::Record(Box::new(record))).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records that were not kept, as too many were waiting or the file could not be written.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Records written since the start.
    pub fn written(&self) -> u64 {
        self.counts.written.load(Ordering::Relaxed)
    }

    /// Waits until what was handed over is written.
    pub fn flush(&self) {
        let (done, finished) = mpsc::sync_channel(1);
        if self.queue.send(Message::Flush(done)).is_ok() {
            let _ = finished.recv_timeout(FLUSH_MAX);
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        let _ = self.queue.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Keeping {
    connection: Connection,
    options: RecordsOptions,
    counts: Arc<Counts>,
    report: Report,
    /// Whether the last write failed and that was said.
    failing: bool,
}

impl Keeping {
    fn run(mut self, messages: &mpsc::Receiver<Message>) {
        self.trim();
        let mut trimmed = Instant::now();
        let mut stopping = false;
        while !stopping {
            let Ok(first) = messages.recv() else { return };
            if matches!(first, Message::Record(_)) {
                thread::sleep(GATHER);
            }
            let mut records = Vec::new();
            let mut waiting = Vec::new();
            let rest = messages.try_iter().take(QUEUE_MAX);
            for message in std::iter::once(first).chain(rest) {
                match message {
                    Message::Record(record) => records.push(record),
                    Message::Flush(done) => waiting.push(done),
                    Message::Stop => stopping = true,
                }
            }
            self.keep(&records);
            for done in waiting {
                let _ = done.send(());
            }
            if TRIM_EVERY <= trimmed.elapsed() {
                self.trim();
                trimmed = Instant::now();
            }
        }
    }

    fn keep(&mut self, records: &[Box<Record>]) {
        if records.is_empty() {
            return;
        }
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let path = self.options.path.clone();
        match insert(&mut self.connection, records) {
            Ok(()) => {
                self.counts.written.fetch_add(count, Ordering::Relaxed);
                if std::mem::take(&mut self.failing) {
                    (self.report)(&Notice::Written { path });
                }
            }
            Err(error) => {
                self.counts.dropped.fetch_add(count, Ordering::Relaxed);
                if !std::mem::replace(&mut self.failing, true) {
                    (self.report)(&Notice::NotWritten { path, why: error.to_string() });
                }
            }
        }
    }

    /// Removes what is too old, then the oldest while there is too much. What fails is tried again
    /// at the next look.
    fn trim(&self) {
        let age = u64::try_from(self.options.age_max.as_millis()).unwrap_or(u64::MAX);
        let oldest = i64::try_from(clock::now().0.saturating_sub(age)).unwrap_or(i64::MAX);
        let _ = self.connection.execute("DELETE FROM exchange WHERE time < ?1", [oldest]);
        for _ in 0..TRIM_ROUNDS_MAX {
            if bytes(&self.connection).is_none_or(|bytes| bytes <= self.options.bytes_max) {
                break;
            }
            let removed = self.connection.execute(
                "DELETE FROM exchange WHERE seq <= \
                 (SELECT min(seq) + (max(seq) - min(seq)) / 20 FROM exchange)",
                [],
            );
            if removed.unwrap_or(0) == 0 {
                break;
            }
        }
        let _ = vacuum(&self.connection);
    }
}

fn insert(
    connection: &mut Connection,
    records: &[Box<Record>],
) -> Result<(), Box<dyn std::error::Error>> {
    let transaction = connection.transaction()?;
    {
        let mut put = transaction.prepare("INSERT INTO exchange (time, body) VALUES (?1, ?2)")?;
        let mut body = Vec::new();
        for record in records {
            let time = i64::try_from(record.at.0).unwrap_or(i64::MAX);
            body.clear();
            serde_json::to_writer(&mut body, record)?;
            put.execute(params![time, std::str::from_utf8(&body)?])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Gives pages that are not in use back to the system, one a step.
fn vacuum(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut freed = statement.query([])?;
    while freed.next()?.is_some() {}
    // The file itself shrinks when the log is taken over into it.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Bytes of the pages in use.
fn bytes(connection: &Connection) -> Option<u64> {
    let figure = |name| {
        let value = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        value.ok().and_then(|value| u64::try_from(value).ok())
    };
    let pages = figure("page_count")?.saturating_sub(figure("freelist_count")?);
    Some(pages.saturating_mul(figure("page_size")?))
}

#[cfg(test)]
mod tests;
