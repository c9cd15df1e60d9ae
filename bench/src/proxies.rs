//! The programs between load and mock: how each is configured, started, found
//! ready, and ended.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::cases::{CASES, STREAMS};
use crate::proc;

/// How long a proxy may take to answer its first request.
const START_MAX: Duration = Duration::from_secs(10);
/// How long a proxy may take to end when asked to.
const STOP_MAX: Duration = Duration::from_secs(2);
/// Where Debian puts programs that are for administrators.
const PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";

/// What stands between the load and the mock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nothing at all.
    Direct,
    Nginx,
    Haproxy,
    Router,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Direct, Self::Nginx, Self::Haproxy, Self::Router];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Router => "llm-router",
        }
    }

    /// What stands before the name of the model in a request.
    pub(crate) fn model_prefix(self) -> &'static str {
        if self == Self::Router { "mock/" } else { "" }
    }

    /// The Debian package it comes in.
    pub(crate) fn package(self) -> Option<&'static str> {
        match self {
            Self::Nginx => Some("nginx-light"),
            Self::Haproxy => Some("haproxy"),
            Self::Direct | Self::Router => None,
        }
    }
}

/// A program that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    /// What it says its version is.
    pub(crate) version: String,
    pub(crate) binary_bytes: u64,
}

impl Program {
    /// The program at `path`, if it runs.
    pub(crate) fn new(kind: Kind, path: PathBuf) -> Result<Self> {
        let flag = if kind == Kind::Router { "--version" } else { "-v" };
        let output = Command::new(&path).arg(flag).output();
        let output = output.with_context(|| path.display().to_string())?;
        let said = [output.stdout, output.stderr].concat();
        let version = String::from_utf8_lossy(&said).lines().next().unwrap_or("").to_owned();
        let version = version.split(" - ").next().unwrap_or("").trim().to_owned();
        let binary_bytes = fs::metadata(&path)?.len();
        Ok(Self { kind, path, version, binary_bytes })
    }

    /// Finds a proxy of the distribution; installs its package when it is
    /// missing and this process may.
    pub(crate) fn installed(kind: Kind) -> Result<Self> {
        let name = kind.name();
        if let Some(path) = find(name) {
            return Self::new(kind, path);
        }
        let package = kind.package().context("not in a package")?;
        let command = format!("apt-get install -y --no-install-recommends {package}");
        let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        if !root || find("apt-get").is_none() {
            bail!("{name} is missing; `{command}` installs it on Debian");
        }
        let output = Command::new("apt-get")
            .args(["install", "-y", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output()?;
        match find(name) {
            Some(path) => Self::new(kind, path),
            None => bail!("`{command}`: {}", String::from_utf8_lossy(&output.stderr).trim()),
        }
    }

    /// Starts it in front of `upstream`, alone on `core` if there is one to
    /// give, and waits until it answers `/health`.
    pub(crate) fn start(&self, upstream: SocketAddr, core: Option<usize>) -> Result<Proxy> {
        let dir = tempfile::Builder::new().prefix("router-bench-").tempdir()?;
        let port = free_port()?;
        let mut command = launcher(core);
        command.arg(&self.path).args(self.arguments(dir.path(), port, upstream)?);
        command.env_clear().env("PATH", PATH).env("HOME", dir.path());
        let log = fs::File::create(dir.path().join("output.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let begin = Instant::now();
        let child = command.spawn().with_context(|| self.path.display().to_string())?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut proxy = Proxy { addr, child, started_in: Duration::ZERO, dir };
        while !is_healthy(addr) {
            let ended = proxy.child.try_wait()?.is_some();
            if ended || begin.elapsed() > START_MAX {
                bail!("{} does not start: {}", self.kind.name(), proxy.output());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        proxy.started_in = begin.elapsed();
        Ok(proxy)
    }

    /// Writes the configuration and returns the arguments that name it.
    fn arguments(&self, dir: &Path, port: u16, upstream: SocketAddr) -> Result<Vec<String>> {
        let fill = |template: &str| {
            template
                .replace("{port}", &port.to_string())
                .replace("{upstream}", &upstream.to_string())
                .replace("{dir}", &dir.display().to_string())
        };
        let write = |name: &str, text: String| -> Result<String> {
            let path = dir.join(name);
            fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let arguments = match self.kind {
            Kind::Direct => bail!("a direct connection needs no program"),
            Kind::Nginx => {
                let config = write("nginx.conf", fill(include_str!("../config/nginx.conf")))?;
                let log = dir.join("error.log").display().to_string();
                vec!["-p".into(), dir.display().to_string(), "-e".into(), log, "-c".into(), config]
            }
            Kind::Haproxy => {
                let config = write("haproxy.cfg", fill(include_str!("../config/haproxy.cfg")))?;
                vec!["-db".into(), "-f".into(), config]
            }
            Kind::Router => {
                let config = write("router.json", router_config(upstream))?;
                vec!["start".into(), "--config".into(), config, "--port".into(), port.to_string()]
            }
        };
        Ok(arguments)
    }
}

/// One provider that has a model for each case.
fn router_config(upstream: SocketAddr) -> String {
    let models: Vec<_> =
        CASES.iter().chain([&STREAMS]).map(|case| serde_json::json!({ "id": case.name })).collect();
    let config = serde_json::json!({
        "version": 2,
        "providers": [{
            "id": "mock",
            "name": "mock",
            "baseUrl": format!("http://{upstream}/v1"),
            "apiKey": "bench-upstream-key",
            "formats": ["openai"],
            "models": models
        }]
    });
    format!("{config:#}\n")
}

/// The start of a command line whose process is bound to `core` and told to
/// end when this process ends, however that happens.
fn launcher(core: Option<usize>) -> Command {
    let mut words: Vec<String> = Vec::new();
    if find("setpriv").is_some() {
        words.extend(["setpriv", "--pdeathsig", "TERM", "--"].map(str::to_owned));
    }
    if let Some(core) = core {
        words.extend(["taskset".to_owned(), "-c".to_owned(), core.to_string()]);
    }
    if words.is_empty() {
        words.push("env".to_owned());
    }
    let mut command = Command::new(words.remove(0));
    command.args(words);
    command
}

/// The full path of a program.
fn find(name: &str) -> Option<PathBuf> {
    PATH.split(':').map(|dir| Path::new(dir).join(name)).find(|path| path.is_file())
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn is_healthy(addr: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

/// A running proxy; it ends when dropped, with everything it started.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    /// From exec to the first good answer.
    pub(crate) started_in: Duration,
    child: Child,
    dir: TempDir,
}

impl Proxy {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of what it wrote, to explain a failure.
    pub(crate) fn output(&self) -> String {
        let text = |name: &str| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        let text = text("output.log") + &text("error.log");
        let mut lines: Vec<&str> = text.trim().lines().rev().take(10).collect();
        lines.reverse();
        lines.join("\n")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let signal = |name: &str, pid: u32| {
            let pid = pid.to_string();
            drop(Command::new("sh").args(["-c", "kill -s $0 $1 2>&-", name, &pid]).status());
        };
        let pids = proc::tree(self.child.id());
        signal("TERM", self.child.id());
        let end = Instant::now() + STOP_MAX;
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            for pid in pids {
                signal("KILL", pid);
            }
            // Reaps it; a child that cannot be waited for is gone already.
            drop(self.child.wait());
        }
    }
}
