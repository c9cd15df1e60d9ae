//! `SQLite` files: opened privately, checked, and set aside when they cannot be read.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::clock;
use crate::notice::{Notice, Report};

/// What a file holds, and how it is shared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    /// Statements that make version `version` of an empty file.
    pub create: &'static str,
    /// Kept in `user_version`; another one is not read.
    pub version: i64,
    /// Whether this process wants the file for itself.
    pub exclusive: bool,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// Another process has it.
    InUse,
    /// It is no database of the expected kind.
    Damaged(String),
    /// The system refuses.
    Unusable(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Unusable(error.to_string()),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Unusable(error.to_string())
    }
}

/// A connection, and whether the file is a fresh one.
#[derive(Debug)]
pub(crate) struct Opened {
    pub connection: Connection,
    pub fresh: bool,
}

/// Opens `path`; a file that cannot be read is set aside. `None` if it cannot be used at all.
pub(crate) fn open(path: &Path, schema: Schema, report: &Report) -> Option<Opened> {
    match connect(path, schema) {
        Ok(opened) => Some(opened),
        Err(Trouble::Damaged(why)) => replace(path, schema, why, report),
        Err(trouble) => give_up(path, trouble, report),
    }
}

/// Sets a damaged file aside and begins a fresh one.
pub(crate) fn replace(path: &Path, schema: Schema, why: String, report: &Report) -> Option<Opened> {
    let to = match set_aside(path) {
        Ok(to) => to,
        Err(error) => return give_up(path, error.into(), report),
    };
    report(&Notice::SetAside { path: path.to_owned(), to, why });
    match connect(path, schema) {
        // What the older program counted is no better than what was set aside.
        Ok(opened) => Some(Opened { fresh: false, ..opened }),
        Err(trouble) => give_up(path, trouble, report),
    }
}

fn give_up(path: &Path, trouble: Trouble, report: &Report) -> Option<Opened> {
    let path = path.to_owned();
    report(&match trouble {
        Trouble::InUse => Notice::InUse { path },
        Trouble::Damaged(why) | Trouble::Unusable(why) => Notice::Unusable { path, why },
    });
    None
}

fn connect(path: &Path, schema: Schema) -> Result<Opened, Trouble> {
    let fresh = create_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    if schema.exclusive {
        connection.busy_timeout(Duration::ZERO)?;
        // Before the first access: then the write-ahead log needs no shared memory either.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    } else {
        connection.busy_timeout(Duration::from_secs(2))?;
    }
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = version == schema.version || version == 0;
    if !known {
        return Err(Trouble::Damaged(format!("it has version {version} of its format")));
    }
    let checked: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if checked != "ok" {
        return Err(Trouble::Damaged(checked));
    }
    // Takes the lock that an exclusive file then keeps.
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT;",
        schema.create, schema.version
    ))?;
    Ok(Opened { connection, fresh })
}

/// Makes sure that only the owner reads the file. Returns whether there was none.
fn create_private(path: &Path) -> io::Result<bool> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    // An existing file is not opened: closing it would drop the locks of this process.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
            Ok(fs::metadata(path)?.len() == 0)
        }
        Err(error) => Err(error),
    }
}

/// Renames the file and what belongs to it.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let to = with_suffix(path, &format!(".corrupt-{}", clock::now().0));
    fs::rename(path, &to)?;
    for companion in ["-wal", "-shm"] {
        let from = with_suffix(path, companion);
        match fs::rename(&from, with_suffix(&to, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(to)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
