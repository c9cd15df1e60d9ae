//! Looking after what keeps state, from outside of the router that uses it.

use std::io;
use std::path::Path;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client};
use rusqlite::{Connection, OpenFlags};

use crate::file::Trouble;

/// How long Redis may take to be connected to, and to answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// How a file stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FileHealth {
    /// There is none yet; a router makes it.
    Missing,
    /// It can be read, and is consistent.
    Good {
        /// Its size in bytes.
        bytes: u64,
    },
    /// A running router has it for itself.
    InUse,
    /// It is no database of the expected kind; a router sets it aside and begins a new one.
    Damaged(String),
    /// The system refuses.
    Unusable(String),
}

/// Reads a file of state or records from end to end, and changes nothing.
pub fn check_file(path: &Path) -> FileHealth {
    let bytes = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return FileHealth::Missing,
        Err(error) => return FileHealth::Unusable(error.to_string()),
    };
    match quick_check(path) {
        Ok(said) if said == "ok" => FileHealth::Good { bytes },
        Ok(said) => FileHealth::Damaged(said),
        Err(Trouble::InUse) => FileHealth::InUse,
        Err(Trouble::Damaged(why)) => FileHealth::Damaged(why),
        Err(Trouble::Unusable(why)) => FileHealth::Unusable(why),
    }
}

fn quick_check(path: &Path) -> Result<String, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection.pragma_query_value(None, "quick_check", |row| row.get(0))?)
}

/// Asks Redis whether it is there. Errors are the driver's words, which hold no address.
pub async fn check_redis(url: &str) -> Result<(), String> {
    let client = Client::open(url).map_err(|error| error.to_string())?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_MAX))
        .set_response_timeout(Some(ANSWER_MAX));
    let connected = client.get_multiplexed_async_connection_with_config(&config).await;
    let mut connection = connected.map_err(|error| error.to_string())?;
    let pong: Result<String, _> = redis::cmd("PING").query_async(&mut connection).await;
    pong.map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{SqliteOptions, Store};

    #[test]
    fn a_file_is_missing_in_use_good_or_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(check_file(&path), FileHealth::Missing);
        let options = SqliteOptions { path: path.clone(), older: None };
        let report: crate::Report = Arc::new(|_: &crate::Notice| {});
        let store = Store::sqlite(&options, &report);
        store.flush();
        assert_eq!(check_file(&path), FileHealth::InUse);
        drop(store);
        assert!(matches!(check_file(&path), FileHealth::Good { bytes: 1.. }));
        std::fs::write(&path, "no database at all, but long enough to look like one".repeat(40))
            .unwrap();
        assert!(matches!(check_file(&path), FileHealth::Damaged(_)));
    }

    #[tokio::test]
    async fn a_redis_that_is_not_there_is_an_error_without_its_password() {
        let error = check_redis("redis://u:hidden@127.0.0.1:1/").await.unwrap_err();
        assert!(!error.contains("hidden"), "{error}");
    }
}
