//! Noticing that the program on disk is another version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Time between two looks, if nothing else is said.
const INTERVAL: Duration = Duration::from_secs(15);
/// The shortest time between two looks.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// In milliseconds, how often to look.
const INTERVAL_VARIABLE: &str = "LLM_ROUTER_BINARY_WATCH_INTERVAL_MS";
/// How long a program may take to say its version.
const VERSION_MAX: Duration = Duration::from_secs(5);
/// Time between two looks at a process.
const POLL: Duration = Duration::from_millis(10);

/// What tells one file from another.
type Print = (Option<SystemTime>, u64);

/// Tells when a program's file holds another version.
#[derive(Debug)]
pub(super) struct BinaryWatch {
    program: PathBuf,
    interval: Duration,
    /// The file as it was when it was last looked into.
    known: Option<Print>,
}

impl BinaryWatch {
    pub(super) fn new(program: PathBuf) -> Self {
        let given = std::env::var(INTERVAL_VARIABLE).ok().and_then(|text| text.trim().parse().ok());
        let interval = given.map_or(INTERVAL, Duration::from_millis).max(INTERVAL_MIN);
        let known = print(&program);
        Self { program, interval, known }
    }

    /// Resolves with the program when it is another version than this one. A file that still
    /// changes is left alone until it does not.
    pub(super) async fn changed(&mut self) -> PathBuf {
        let mut seen = self.known;
        loop {
            tokio::time::sleep(self.interval).await;
            let now = print(&self.program);
            let settled = now == seen;
            seen = now;
            if now.is_none() || now == self.known || !settled {
                continue;
            }
            self.known = now;
            let version = version(&self.program).await;
            if version.is_some_and(|version| version != env!("CARGO_PKG_VERSION")) {
                return self.program.clone();
            }
        }
    }
}

fn print(program: &Path) -> Option<Print> {
    let meta = fs::metadata(program).ok()?;
    Some((meta.modified().ok(), meta.len()))
}

/// What `program --version` says behind the name.
async fn version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let deadline = Instant::now() + VERSION_MAX;
    while child.try_wait().ok()?.is_none() {
        if deadline < Instant::now() {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
    let said = child.wait_with_output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.strip_prefix("llm-router ").map(|version| version.trim().to_owned())
}
