//! The router's binary as a child process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

/// How long the router may take to say that it listens.
const START_MAX: Duration = Duration::from_secs(10);
/// How long it may take to end after a signal.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Lines of log kept.
const LOG_LINES_MAX: usize = 10_000;

/// A running router with a folder of its own; killed when dropped.
#[derive(Debug)]
pub struct Router {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

/// The binary next to the test's own.
pub fn binary() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("the test has no folder")?;
    let binary = folder.join("llm-router");
    if !binary.exists() {
        bail!("{} is missing; `cargo x test` builds it first", binary.display());
    }
    Ok(binary)
}

/// The binary with nothing of the developer's own environment in its way.
pub fn command(home: &Path) -> Result<Command> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().to_ascii_uppercase();
        if name.starts_with("LLM_ROUTER_") || name.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command.env("HOME", home).env("NO_COLOR", "1").stdin(Stdio::null());
    Ok(command)
}

/// Runs the router with these arguments until it ends by itself, in an empty home directory.
pub fn run(arguments: &[&str], env: &[(&str, &str)]) -> Result<Ended> {
    let home = TempDir::new()?;
    let mut command = command(home.path())?;
    let output = command.args(arguments).envs(env.iter().copied()).output()?;
    Ok(Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// How a process ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Router {
    /// Starts the router with `config` on a free port.
    pub fn start(config: &Value) -> Result<Self> {
        Self::start_with(config, &[], &[])
    }

    /// Starts the router with further flags and environment variables.
    pub fn start_with(config: &Value, flags: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let folder = TempDir::new()?;
        let path = folder.path().join("config.json");
        std::fs::write(&path, serde_json::to_string_pretty(config)?)?;
        let mut command = command(folder.path())?;
        command.arg("start").arg("--config").arg(&path).args(flags).envs(env.iter().copied());
        Self::spawn(command, folder)
    }

    /// Starts the router with its built-in demo provider.
    pub fn demo(flags: &[&str]) -> Result<Self> {
        let folder = TempDir::new()?;
        let mut command = command(folder.path())?;
        command.arg("start").arg("--demo").args(flags);
        Self::spawn(command, folder)
    }

    fn spawn(mut command: Command, folder: TempDir) -> Result<Self> {
        if !command.get_args().any(|flag| flag == "--port") {
            command.args(["--port", "0"]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let log = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().context("no standard output")?, &log);
        collect(child.stderr.take().context("no standard error")?, &log);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut router = Self { child, folder, address: any, log };
        let deadline = Instant::now() + START_MAX;
        loop {
            if let Some(address) = router.log().iter().find_map(|line| listening(line)) {
                router.address = address;
                return Ok(router);
            }
            if let Some(status) = router.child.try_wait()? {
                bail!("the router ended ({status}):\n{}", router.log().join("\n"));
            }
            if deadline < Instant::now() {
                bail!("the router does not listen:\n{}", router.log().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The config file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    /// The router's home directory.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// What it has printed so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a printed line contains `text`.
    pub fn wait_for_log(&self, text: &str) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        while !self.log().iter().any(|line| line.contains(text)) {
            if deadline < Instant::now() {
                bail!("`{text}` was never logged:\n{}", self.log().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .context("cannot run kill")?;
        if !status.success() {
            bail!("kill failed ({status})");
        }
        Ok(())
    }

    /// A figure of `/proc/PID/status` in KiB, such as `VmRSS`.
    pub fn memory_kib(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find(|line| line.starts_with(name));
        let figure = line.and_then(|line| line.split_whitespace().nth(1));
        figure.context("no such figure")?.parse().context("not a number")
    }

    /// Waits for the process to end.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + STOP_MAX;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if deadline < Instant::now() {
                bail!("the router does not end:\n{}", self.log().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on http://")?;
    rest.split_whitespace().next()?.parse().ok()
}

fn collect(stream: impl Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.len() < LOG_LINES_MAX {
                log.push(line);
            }
        }
    });
}
