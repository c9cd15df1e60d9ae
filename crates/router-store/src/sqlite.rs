//! Memory with an `SQLite` file behind it.
//!
//! ```text
//!   requests --> State (one lock) <-- every 400 ms: changed? copy, unlock --> rows that differ
//! ```
//!
//! Memory is the truth; the file is for the next start. One thread writes it, so a request never
//! waits for a disk: at most it waits while the state is copied. A process that is killed loses
//! what it counted since the last write, which is less than a second.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use router_core::state::{Saved, State};
use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock;
use crate::file::{self, Schema, Trouble};
use crate::notice::{Notice, Report};
use crate::shared::Shared;

/// Time between two looks at whether something changed.
const INTERVAL: Duration = Duration::from_millis(400);
/// How long a flush may take before its caller goes on.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// Bytes of the older program's state file that are read at most.
const OLDER_BYTES_MAX: u64 = 64 * 1024 * 1024;

const SCHEMA: Schema = Schema {
    create: "CREATE TABLE IF NOT EXISTS part (kind TEXT NOT NULL, name TEXT NOT NULL, \
             body TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;",
    version: 1,
    exclusive: true,
};

/// Which file.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The state file; made if it is missing, readable by its owner only.
    pub path: PathBuf,
    /// The older program's state file, read when there is no state file yet.
    pub older: Option<PathBuf>,
}

/// The thread that writes. Dropped, it writes once more and ends.
#[derive(Debug)]
pub(crate) struct Writer {
    commands: mpsc::Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Flush(mpsc::SyncSender<()>),
    Release(mpsc::SyncSender<()>),
    Stop,
}

/// Reads the file into `shared` and starts to write it. `None` if it cannot be used: then the
/// state is kept in memory only.
pub(crate) fn open(
    options: &SqliteOptions,
    shared: &Arc<Shared>,
    report: &Report,
) -> Option<Writer> {
    let opened = file::open(&options.path, SCHEMA, report)?;
    let (mut connection, mut fresh) = (opened.connection, opened.fresh);
    let mut written = Rows::new();
    match read(&connection) {
        Ok((rows, saved)) => {
            shared.lock().state = State::restore(saved);
            written = rows;
        }
        Err(trouble) => {
            // Readable as a database, but not as a state: set aside like any other damage.
            drop(connection);
            let why = match trouble {
                Trouble::Damaged(why) | Trouble::Unusable(why) => why,
                Trouble::InUse => "it is in use".to_owned(),
            };
            connection = file::replace(&options.path, SCHEMA, why, report)?.connection;
            fresh = false;
        }
    }
    if fresh && let Some(older) = &options.older {
        import(older, shared, report);
    }
    let (commands, orders) = mpsc::channel();
    let writing = Writing {
        connection,
        path: options.path.clone(),
        shared: Arc::clone(shared),
        report: Arc::clone(report),
        written,
        revision: None,
        failing: false,
    };
    let thread =
        thread::Builder::new().name("state".to_owned()).spawn(move || writing.run(&orders));
    match thread {
        Ok(thread) => Some(Writer { commands, thread: Some(thread) }),
        Err(error) => {
            report(&Notice::Unusable { path: options.path.clone(), why: error.to_string() });
            None
        }
    }
}

fn import(older: &Path, shared: &Shared, report: &Report) {
    let small = std::fs::metadata(older).is_ok_and(|meta| meta.len() <= OLDER_BYTES_MAX);
    let file = if small { std::fs::read(older).ok() } else { None };
    if let Some(saved) = file.and_then(|file| Saved::from_older(&file)) {
        shared.lock().state = State::restore(saved);
        report(&Notice::Imported { from: older.to_owned() });
    }
}

impl Writer {
    /// Waits until what is in memory now is in the file, or writing failed.
    pub(crate) fn flush(&self) {
        self.order(Command::Flush);
    }

    /// Writes what is in memory now and closes the file, so that another process can have it.
    pub(crate) fn release(&self) {
        self.order(Command::Release);
    }

    fn order(&self, command: fn(mpsc::SyncSender<()>) -> Command) {
        let (done, finished) = mpsc::sync_channel(1);
        if self.commands.send(command(done)).is_ok() {
            let _ = finished.recv_timeout(FLUSH_MAX);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Every row of the file by kind and name.
type Rows = BTreeMap<(&'static str, String), String>;

const PROVIDER: &str = "provider";
const ROTATION: &str = "rotation";
const SESSION: &str = "session";

/// A saved state as text, part by part.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    providers: Vec<&'a RawValue>,
    #[serde(borrow)]
    rotations: Vec<&'a RawValue>,
    #[serde(borrow)]
    sessions: Vec<&'a RawValue>,
}

/// What a part is called by: a provider's id, a rotation's alias, a session's key.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, alias = "alias", alias = "key")]
    id: &'a RawValue,
}

fn rows_of(saved: &Saved) -> Result<Rows, serde_json::Error> {
    let text = serde_json::to_string(saved)?;
    let parts: Parts<'_> = serde_json::from_str(&text)?;
    let all = [(PROVIDER, parts.providers), (ROTATION, parts.rotations), (SESSION, parts.sessions)];
    let mut rows = Rows::new();
    for (kind, parts) in all {
        for part in parts {
            let named: Named<'_> = serde_json::from_str(part.get())?;
            rows.insert((kind, named.id.get().to_owned()), part.get().to_owned());
        }
    }
    Ok(rows)
}

fn read(connection: &Connection) -> Result<(Rows, Saved), Trouble> {
    let mut statement = connection.prepare("SELECT kind, name, body FROM part")?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut rows = Rows::new();
    for row in found {
        let (kind, name, body): (String, String, String) = row?;
        let kinds = [PROVIDER, ROTATION, SESSION];
        if let Some(kind) = kinds.into_iter().find(|known| *known == kind) {
            rows.insert((kind, name), body);
        }
    }
    let list = |kind: &str| {
        let of_kind = rows.iter().filter(|((k, _), _)| *k == kind);
        of_kind.map(|(_, body)| body.as_str()).collect::<Vec<_>>().join(",")
    };
    let (providers, rotations, sessions) = (list(PROVIDER), list(ROTATION), list(SESSION));
    let text = format!(
        r#"{{"providers":[{providers}],"rotations":[{rotations}],"sessions":[{sessions}]}}"#
    );
    let saved = serde_json::from_str(&text).map_err(|error| Trouble::Damaged(error.to_string()))?;
    Ok((rows, saved))
}

/// What the thread owns.
struct Writing {
    connection: Connection,
    path: PathBuf,
    shared: Arc<Shared>,
    report: Report,
    /// What the file holds, so that only what differs is written.
    written: Rows,
    /// The state's revision at the last write.
    revision: Option<u64>,
    /// Whether the last write failed and that was said.
    failing: bool,
}

impl Writing {
    fn run(mut self, orders: &mpsc::Receiver<Command>) {
        loop {
            match orders.recv_timeout(INTERVAL) {
                Ok(Command::Flush(done)) => {
                    self.save();
                    let _ = done.send(());
                }
                Ok(Command::Release(done)) => {
                    self.save();
                    drop(self);
                    let _ = done.send(());
                    return;
                }
                Ok(Command::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                    self.save();
                    return;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.save(),
            }
        }
    }

    fn save(&mut self) {
        let copy = {
            let inner = self.shared.lock();
            if Some(inner.state.revision()) == self.revision {
                return;
            }
            // Copied, as making the saved form of many sessions would keep requests waiting.
            inner.state.clone()
        };
        let path = self.path.clone();
        match self.write(&copy.save(clock::now())) {
            Ok(()) => {
                self.revision = Some(copy.revision());
                if std::mem::take(&mut self.failing) {
                    (self.report)(&Notice::Written { path });
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    (self.report)(&Notice::NotWritten { path, why: error.to_string() });
                }
            }
        }
    }

    fn write(&mut self, saved: &Saved) -> Result<(), Box<dyn std::error::Error>> {
        let rows = rows_of(saved)?;
        let transaction = self.connection.transaction()?;
        {
            let mut put = transaction.prepare(
                "INSERT INTO part (kind, name, body) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body",
            )?;
            for ((kind, name), body) in &rows {
                if self.written.get(&(*kind, name.clone())) != Some(body) {
                    put.execute(params![kind, name, body])?;
                }
            }
            let mut remove =
                transaction.prepare("DELETE FROM part WHERE kind = ?1 AND name = ?2")?;
            for (kind, name) in self.written.keys().filter(|key| !rows.contains_key(*key)) {
                remove.execute(params![kind, name])?;
            }
        }
        transaction.commit()?;
        self.written = rows;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
