//! Ending a router: it finishes what is under way, within a limit.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ask::{Question, ask};
use super::process::{Signal, signal, started};
use super::{Instance, Instances};

/// How long a process may take to be gone once nothing is served any more, or the drain is over.
const EXIT_MAX: Duration = Duration::from_secs(10);
/// How long the older program has before it is killed: it drains without a limit.
const OLDER_DRAIN: Duration = Duration::from_secs(30);
/// Time between two looks at a process.
const POLL: Duration = Duration::from_millis(20);

/// How a router ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stopped {
    /// Connections that were cut off, if the router could say.
    pub cut_off: Option<u64>,
    /// Whether it had to be killed.
    pub killed: bool,
}

/// Why a router still runs.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The system does not let this user end it.
    #[error("process {pid} cannot be told to stop: {error}")]
    Refused {
        /// The process.
        pid: u32,
        /// What the system says.
        error: io::Error,
    },
    /// It outlived even the last signal.
    #[error("process {pid} does not end")]
    Stuck {
        /// The process.
        pid: u32,
    },
}

/// Ends `instance`. Open requests have `drain`, or the time its config gives them.
pub fn stop(
    instances: &Instances,
    instance: &Instance,
    drain: Option<Duration>,
) -> Result<Stopped, StopError> {
    let pid = instance.facts.pid;
    let asked = instance.facts.control.as_ref().and_then(|control| {
        let drain = drain.map(|drain| u64::try_from(drain.as_millis()).unwrap_or(u64::MAX));
        let body = serde_json::json!({ "drain_ms": drain }).to_string();
        let patience = None;
        ask(control, &Question { patience, ..Question::post("/control/stop", &body) })
    });
    let (cut_off, patience) = match asked {
        // It answers at the end of the drain; a connection that breaks is one, too.
        Some(answer) => {
            let answer = answer.ok().filter(|answer| answer.status == 200);
            (
                answer.and_then(|answer| answer.json().get("cut_off").and_then(Value::as_u64)),
                EXIT_MAX,
            )
        }
        None if instance.is_alive() => {
            signal(pid, Signal::Terminate).map_err(|error| StopError::Refused { pid, error })?;
            (None, drain.unwrap_or(OLDER_DRAIN) + EXIT_MAX)
        }
        None => (None, Duration::ZERO),
    };
    let mut killed = false;
    if !gone(instance, patience) {
        killed = true;
        signal(pid, Signal::Kill).map_err(|error| StopError::Refused { pid, error })?;
        if !gone(instance, EXIT_MAX) {
            return Err(StopError::Stuck { pid });
        }
    }
    instances.remove(&instance.name, pid);
    Ok(Stopped { cut_off, killed })
}

/// Waits for the recorded process to be gone. Where the system does not tell processes apart, a
/// router that said goodbye counts as gone.
fn gone(instance: &Instance, patience: Duration) -> bool {
    let Some(start) = &instance.facts.process_start else { return true };
    let deadline = Instant::now() + patience;
    while started(instance.facts.pid).as_ref() == Some(start) {
        if deadline <= Instant::now() {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}
