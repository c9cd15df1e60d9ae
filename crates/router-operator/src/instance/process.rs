//! Processes of this machine: when they started, and signals to them.

use std::io;

/// When process `pid` started, in words that differ between two processes with the same number;
/// `None` if there is none or the system does not say.
pub fn started(pid: u32) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        linux(pid)
    }
    #[cfg(not(target_os = "linux"))]
    {
        by_ps(pid)
    }
}

/// Ticks since boot, and which boot: both outlast changes of the clock (proc(5), `stat`).
#[cfg(target_os = "linux")]
fn linux(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the state and 18 more fields follow it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    // A zombie has ended.
    fields.next().filter(|state| *state != "Z")?;
    let ticks = fields.nth(18)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{ticks}@{}", boot.trim()))
}

#[cfg(not(target_os = "linux"))]
fn by_ps(pid: u32) -> Option<String> {
    let output = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]);
    let text = String::from_utf8_lossy(&output.output().ok()?.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The command line of process `pid`, its parts joined by spaces; `None` where the system hides it.
pub(super) fn command_line(pid: u32) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// Read the config again.
    Hangup,
    /// Finish and end.
    Terminate,
    /// End at once.
    Kill,
}

/// Sends a signal. The caller knows that `pid` is the process it means.
#[cfg(unix)]
pub fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    use rustix::process::{Pid, Signal as Os, kill_process};
    let raw = i32::try_from(pid).map_err(io::Error::other)?;
    let pid = Pid::from_raw(raw).ok_or_else(|| io::Error::other("no process has this number"))?;
    let signal = match signal {
        Signal::Hangup => Os::HUP,
        Signal::Terminate => Os::TERM,
        Signal::Kill => Os::KILL,
    };
    Ok(kill_process(pid, signal)?)
}

/// There are no signals here.
#[cfg(not(unix))]
pub fn signal(_: u32, _: Signal) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no signals"))
}

/// Leaves the terminal and whoever started this process behind.
#[cfg(unix)]
pub fn detach() {
    // It fails only where there is nothing to leave: this process leads a session already.
    let _ = rustix::process::setsid();
}

/// There is nothing to leave here.
#[cfg(not(unix))]
pub fn detach() {}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_keeps_its_start_and_an_ended_one_has_none() {
        let own = started(std::process::id());
        assert!(own.is_some());
        assert_eq!(started(std::process::id()), own);
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert_eq!(started(pid), None);
    }

    #[test]
    fn a_signal_ends_a_child() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        signal(child.id(), Signal::Terminate).unwrap();
        assert!(!child.wait().unwrap().success());
    }
}
