//! The state file of the older program, `~/.llm-router.runtime.json`: read, never written.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{FILE_BYTES_MAX, Facts, Instance, process};

/// What its only instance is called.
const NAME: &str = "older";
/// Time at most between the start of its process and what it wrote down as its start.
const STARTUP_MAX: Duration = Duration::from_mins(2);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    pid: u32,
    host: String,
    port: u16,
    config_path: Option<PathBuf>,
    #[serde(default)]
    require_auth: bool,
    #[serde(default)]
    managed_by_startup: bool,
    started_at: String,
    #[serde(default)]
    version: String,
}

/// The older program's instance, if it runs.
pub(super) fn read(path: &Path) -> Option<Instance> {
    let meta = fs::metadata(path).ok().filter(|meta| meta.len() <= FILE_BYTES_MAX)?;
    let file: File = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let start = process::started(file.pid)?;
    // It is written once the process serves: another process with its number is younger than the
    // file, and hardly has the router's name in its command line.
    let named = process::command_line(file.pid).is_some_and(|line| line.contains("llm-router"));
    if !named || !began_before(file.pid, meta.modified().ok()?) {
        return None;
    }
    let host: IpAddr = file.host.parse().unwrap_or_else(|_| [127, 0, 0, 1].into());
    let facts = Facts {
        pid: file.pid,
        process_start: Some(start),
        address: SocketAddr::new(host, file.port),
        admin_address: None,
        control: None,
        config_path: file.config_path,
        version: file.version,
        program: None,
        managed_by: file.managed_by_startup.then(|| "startup".to_owned()),
        requires_auth: file.require_auth,
        log: None,
        started_at: file.started_at,
    };
    Some(Instance { name: NAME.to_owned(), facts })
}

/// Whether process `pid` is no younger than `written`, and started shortly before.
fn began_before(pid: u32, written: SystemTime) -> bool {
    // The folder of a process in /proc is as old as the process.
    let Ok(began) = fs::metadata(format!("/proc/{pid}")).and_then(|meta| meta.modified()) else {
        return true;
    };
    let slack = Duration::from_secs(2);
    began <= written + slack && written <= began + STARTUP_MAX
}
