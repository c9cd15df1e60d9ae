//! One editor at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::history;

/// How long an edit waits for another one; edits take milliseconds.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often it looks.
const WAIT_STEP: Duration = Duration::from_millis(10);
/// Bytes read of the holder's name at most.
const HOLDER_BYTES_MAX: u64 = 64;

/// Held until dropped, or until the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process has it.
    Held(String),
    /// The lock file cannot be used.
    Io(io::Error),
}

/// Takes the lock of a config file, waiting for whoever has it.
///
/// The lock file stays: to remove it would take it away from under somebody who waits for it.
pub(super) fn take(target: &Path) -> Result<Lock, LockError> {
    let folder = history::folder(target).map_err(LockError::Io)?;
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    super::write::private(&mut options);
    let mut file = options.open(&path).map_err(LockError::Io)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if start.elapsed() < WAIT_MAX => {
                std::thread::sleep(WAIT_STEP);
            }
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&path))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
    }
    // Only for the message above; without it the lock holds all the same.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()));
    Ok(Lock { _file: file })
}

fn holder(path: &Path) -> String {
    let mut text = String::new();
    let file = File::open(path);
    let _ = file.and_then(|file| file.take(HOLDER_BYTES_MAX).read_to_string(&mut text));
    match text.trim().parse::<u32>() {
        Ok(pid) => format!("process {pid}"),
        Err(_) => "another process".to_owned(),
    }
}
