//! Reading records back.

use std::io;
use std::path::Path;
use std::time::Duration;

use router_core::time::UnixMs;
use rusqlite::{Connection, OpenFlags, params};

/// Which records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Accepted at this moment or later.
    pub since: Option<UnixMs>,
    /// Only the latest so many.
    pub limit: Option<u64>,
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such file.
    #[error("there are no records: the file does not exist")]
    Missing,
    /// The file cannot be read.
    #[error("the records cannot be read: {0}")]
    Unreadable(#[from] rusqlite::Error),
    /// The lines cannot be written.
    #[error("the records cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Writes records of a file as JSON lines, oldest first, and returns how many. The router may be
/// running meanwhile.
pub fn export(path: &Path, filter: &Filter, out: &mut dyn io::Write) -> Result<u64, ExportError> {
    if !path.exists() {
        return Err(ExportError::Missing);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let since = i64::try_from(filter.since.unwrap_or_default().0).unwrap_or(i64::MAX);
    // A negative limit is none.
    let limit = filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut statement = connection.prepare(
        "SELECT body FROM (SELECT seq, body FROM exchange WHERE ?1 <= time \
         ORDER BY seq DESC LIMIT ?2) ORDER BY seq",
    )?;
    let mut rows = statement.query(params![since, limit])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        out.write_all(body.as_bytes())?;
        out.write_all(b"\n")?;
        count += 1;
    }
    Ok(count)
}
