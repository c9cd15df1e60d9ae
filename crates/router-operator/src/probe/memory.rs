//! What an interrupted probe found out, so that the next one goes on from there.
//!
//! Only what would be the same again is kept: answers, missing models, missing addresses. Keys
//! are not kept, and neither are addresses with their queries.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use router_wire::Dialect;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ModelCheck, Subject};
use crate::upstream::{Outcome, now};

/// Seconds after which results are too old to go on from.
const AGE_MAX_S: u64 = 24 * 60 * 60;
/// Bytes of a state file at most.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Version of the file's format.
const VERSION: u32 = 1;

/// Where the state of a provider's probe is kept: beside the config file.
pub fn state_path(config: &Path, provider: &str) -> PathBuf {
    let stem = config.file_stem().unwrap_or(config.as_os_str()).to_string_lossy();
    config.with_file_name(format!("{stem}.probe-{provider}.json"))
}

/// The state file of one probe.
pub(super) struct Memory {
    path: Option<PathBuf>,
    /// Every host adds to it; locked to add and write.
    stored: Mutex<Stored>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Stored {
    version: u32,
    /// Digest of what was probed.
    subject: String,
    /// When it was last written, in seconds since 1970.
    at: u64,
    lanes: Vec<Known>,
}

/// What is known about one lane.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Known {
    endpoint: String,
    format: Dialect,
    /// Index of the way in use.
    pub(super) way: usize,
    checks: Vec<ModelCheck>,
}

impl Known {
    pub(super) fn check(&self, model: &str) -> Option<&ModelCheck> {
        self.checks.iter().find(|check| check.model == model)
    }

    pub(super) fn is_settled(&self) -> bool {
        let tells =
            |check: &ModelCheck| matches!(check.outcome, Outcome::Ok | Outcome::ModelUnsupported);
        self.checks.iter().any(tells)
    }
}

impl Memory {
    /// Reads what an earlier run left, if it is about the same subject and not too old.
    pub(super) fn open(path: Option<&Path>, subject: &Subject) -> Self {
        let fresh = Stored {
            version: VERSION,
            subject: fingerprint(subject),
            at: now().0 / 1_000,
            lanes: Vec::new(),
        };
        let stored = path.and_then(read).filter(|stored| {
            stored.version == VERSION
                && stored.subject == fresh.subject
                && fresh.at.saturating_sub(stored.at) <= AGE_MAX_S
        });
        Self { path: path.map(Path::to_owned), stored: Mutex::new(stored.unwrap_or(fresh)) }
    }

    pub(super) fn lane(&self, endpoint: &str, format: Dialect) -> Option<Known> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |lane: &&Known| lane.endpoint == endpoint && lane.format == format;
        stored.lanes.iter().find(is_it).cloned()
    }

    /// Keeps a conclusive check. A state that cannot be written only costs a later run its start.
    pub(super) fn keep(&self, endpoint: &str, format: Dialect, way: usize, check: &ModelCheck) {
        if self.path.is_none() || !check.outcome.is_final() {
            return;
        }
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |lane: &Known| lane.endpoint == endpoint && lane.format == format;
        let at = stored.lanes.iter().position(is_it).unwrap_or_else(|| {
            let endpoint = endpoint.to_owned();
            stored.lanes.push(Known { endpoint, format, way, checks: Vec::new() });
            stored.lanes.len().saturating_sub(1)
        });
        let Some(lane) = stored.lanes.get_mut(at) else { return };
        lane.way = way;
        if lane.check(&check.model).is_some() {
            return;
        }
        lane.checks.push(check.clone());
        stored.at = now().0 / 1_000;
        if let Some(path) = &self.path {
            let _ = write(path, &stored);
        }
    }

    /// The probe is complete: there is nothing to go on from.
    pub(super) fn forget(&self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

fn read(path: &Path) -> Option<Stored> {
    if FILE_BYTES_MAX < fs::metadata(path).ok()?.len() {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes beside and renames, so that no half of it is ever read.
fn write(path: &Path, stored: &Stored) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(&serde_json::to_vec(stored)?)?;
    drop(file);
    fs::rename(&beside, path)
}

/// What another run must have in common to use the results of this one. The key is not part of
/// it: results that depend on it are not kept.
fn fingerprint(subject: &Subject) -> String {
    let mut hash = Sha256::new();
    for (dialect, base) in &subject.lanes {
        hash.update(format!("{dialect} {}\n", base.reveal()));
        hash.update(format!("{:?}\n", subject.upstream.auth.get(dialect)));
    }
    hash.update(format!("{:?}", subject.upstream.headers.keys().collect::<Vec<_>>()));
    crate::hex(&hash.finalize())
}
