//! What Linux tells about processes: CPU time, memory, descendants; and about
//! the machine. Everything is read from `/proc` (see `proc(5)`).

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

/// Ticks per second in `/proc/PID/stat`; fixed at 100 for user space on every
/// architecture Rust supports.
const TICKS_PER_SECOND: u64 = 100;
const TICK: Duration = Duration::from_millis(1_000 / TICKS_PER_SECOND);

/// CPU time of a process and its descendants, user and system together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// From `schedstat` of every live thread: nanoseconds, but forgets threads
    /// that ended.
    fine: Duration,
    /// From `stat` of every process: 10 ms steps, includes ended threads.
    coarse: Duration,
    processes: u32,
}

impl Cpu {
    /// What the tree under `pid` has used so far.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut cpu = Self::default();
        for pid in tree(pid) {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            // After the name in parentheses: state is field 3, utime 14, stime 15.
            let fields: Vec<&str> =
                stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
            let ticks = |field: usize| -> u64 {
                fields.get(field - 3).and_then(|text| text.parse().ok()).unwrap_or(0)
            };
            cpu.coarse += Duration::from_millis((ticks(14) + ticks(15)) * 1_000 / TICKS_PER_SECOND);
            cpu.processes += 1;
            for task in fs::read_dir(format!("/proc/{pid}/task"))? {
                // A thread may end between the listing and the reading.
                let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
                let nanos = text.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
                cpu.fine += Duration::from_nanos(nanos);
            }
        }
        ensure!(cpu.processes > 0, "process {pid} is gone");
        Ok(cpu)
    }

    /// What was used since `earlier`: the fine figure, unless threads ended
    /// meanwhile (or the kernel has no `schedstat`) and the coarse one shows it.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let fine = self.fine.saturating_sub(earlier.fine);
        let coarse = self.coarse.saturating_sub(earlier.coarse);
        if coarse > fine + TICK * 2 * self.processes { coarse } else { fine }
    }
}

/// CPU time, user and system, of the processes that this one has started and seen end, in steps of
/// 10 ms.
pub(crate) fn waited_for() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // After the name in parentheses: state is field 3, cutime 16, cstime 17.
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    let ticks: u64 = fields.skip(16 - 3).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

/// Memory of a process and its descendants.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Resident now, in bytes.
    pub(crate) resident: u64,
    /// The most that ever was resident, in bytes.
    pub(crate) peak: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut memory = Self::default();
        for pid in tree(pid) {
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            memory.resident += field(&status, "VmRSS:").unwrap_or(0) * 1024;
            memory.peak += field(&status, "VmHWM:").unwrap_or(0) * 1024;
        }
        ensure!(memory.peak > 0, "process {pid} is gone");
        Ok(memory)
    }
}

/// The number behind `name` in a file of `name value` lines.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// `root` and all its descendants that are alive, the root first.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (_, rest) = stat.rsplit_once(')')?;
            let mut fields = rest.split_whitespace();
            let alive = fields.next() != Some("Z");
            alive.then_some((pid, fields.next()?.parse().ok()?))
        })
        .collect();
    let mut pids: Vec<u32> =
        parents.iter().filter(|(pid, _)| *pid == root).map(|(pid, _)| *pid).collect();
    let mut at = 0;
    while let Some(parent) = pids.get(at).copied() {
        pids.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    pids
}

/// Open files a process may have (the soft limit).
pub(crate) fn open_files_max() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    field(&limits, "Max open files").unwrap_or(0)
}

/// Binds this process, with its threads, to one core.
pub(crate) fn pin_self(core: usize) -> Result<()> {
    let (core, pid) = (core.to_string(), std::process::id().to_string());
    let output = Command::new("taskset").args(["-a", "-c", "-p", &core, &pid]).output();
    let output = output.context("taskset, of util-linux")?;
    ensure!(output.status.success(), "taskset: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The machine and the state it was in.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpus: usize,
    pub(crate) cpu_model: String,
    pub(crate) kernel: String,
    pub(crate) memory_mib: u64,
    /// Runnable processes in the last minute, before the run began.
    pub(crate) load_before: f64,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        Self {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_model: model
                .and_then(|line| line.split_once(": "))
                .map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0) / 1024,
            load_before: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_threads_is_counted_even_after_they_ended() {
        let before = Cpu::of(std::process::id()).unwrap();
        let burn = || {
            let end = std::time::Instant::now() + Duration::from_millis(200);
            while std::time::Instant::now() < end {
                std::hint::spin_loop();
            }
        };
        std::thread::spawn(burn).join().unwrap();
        let used = Cpu::of(std::process::id()).unwrap().since(before);
        assert!(used >= Duration::from_millis(20), "{used:?}");
    }

    #[test]
    fn a_process_is_the_root_of_its_tree() {
        let pid = std::process::id();
        assert_eq!(tree(pid).first(), Some(&pid));
        assert!(Memory::of(pid).unwrap().peak > 0);
        assert!(open_files_max() > 0);
    }
}
