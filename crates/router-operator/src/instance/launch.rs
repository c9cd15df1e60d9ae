//! Starting a router that outlives the terminal.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Instance, Instances, log};

/// How long a router may take until it serves.
const READY_MAX: Duration = Duration::from_secs(30);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(20);
/// Bytes of what a router said before it failed that are repeated.
const SAID_BYTES_MAX: u64 = 16 * 1024;

/// Why there is no router in the background.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Its log cannot be written.
    #[error("cannot write the log {path}: {error}")]
    Log {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The program cannot be run.
    #[error("cannot run {path}: {error}")]
    Spawn {
        /// The program.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// It ended before it served.
    #[error("the router ended before it served: {said}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What it printed.
        said: String,
    },
    /// It neither serves nor ends; it was killed.
    #[error("the router does not serve after {} s: {said}", READY_MAX.as_secs())]
    Slow {
        /// What it printed.
        said: String,
    },
}

/// Runs `program` detached, with everything it prints in `log`, and waits until it serves.
pub fn launch(
    instances: &Instances,
    program: &Path,
    arguments: &[OsString],
    log: &Path,
) -> Result<Instance, LaunchError> {
    let no_log = |error| LaunchError::Log { path: log.display().to_string(), error };
    let output = log::open(log).map_err(no_log)?;
    let before = output.metadata().map_err(no_log)?.len();
    let errors = output.try_clone().map_err(no_log)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(output).stderr(errors);
    let child = command.spawn().map_err(|error| {
        let path = program.display().to_string();
        LaunchError::Spawn { path, error }
    })?;
    wait(instances, child, &|| said(log, before))
}

fn wait(
    instances: &Instances,
    mut child: Child,
    said: &dyn Fn() -> String,
) -> Result<Instance, LaunchError> {
    let deadline = Instant::now() + READY_MAX;
    loop {
        if let Some(instance) = instances.of_process(child.id()) {
            return Ok(instance);
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(LaunchError::Ended { status, said: said() });
        }
        if deadline < Instant::now() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(LaunchError::Slow { said: said() });
        }
        thread::sleep(POLL);
    }
}

/// What was appended to `log` after `before` bytes.
fn said(log: &Path, before: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = fs::File::open(log)?;
        file.seek(SeekFrom::Start(before))?;
        let mut said = Vec::new();
        file.take(SAID_BYTES_MAX).read_to_end(&mut said)?;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    };
    read().unwrap_or_default()
}
