//! The Worker in workerd as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long workerd may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// A Worker in workerd, ended when dropped.
#[derive(Debug)]
pub struct Edge {
    child: Child,
    // The script ends when its standard input does.
    stdin: Option<ChildStdin>,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

/// CPU time of a process's threads, from its folder in `/proc`.
fn exact_cpu(process: &Path) -> Option<Duration> {
    let threads = std::fs::read_dir(process.join("task")).ok()?;
    let nanos = threads.flatten().map(|thread| {
        let counted = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        counted.split_whitespace().next()?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(nanos.sum::<Option<u64>>()?))
}

/// Where `cargo x worker` puts the module.
pub fn module() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/worker");
    if !root.join("manifest.json").exists() {
        bail!("the Worker's module is missing; `cargo x worker` builds it");
    }
    Ok(root.canonicalize()?)
}

impl Edge {
    /// Starts the Worker with this config and Durable Objects.
    pub fn start(config: &Value) -> Result<Self> {
        let bindings = json!({ "LLM_ROUTER_CONFIG_JSON": config.to_string() });
        Self::start_with(&json!({ "bindings": bindings, "objects": true }))
    }

    /// Starts the Worker with these `bindings`, with Durable Objects if `objects` is true, and
    /// with the values of `kv` in the namespace of configs. `module` is another folder than the
    /// built Worker's; `persist` one that the objects' databases stay in.
    pub fn start_with(options: &Value) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cloudflare");
        if !folder.join("node_modules/miniflare").exists() {
            bail!("workerd is not installed; `cargo x test` installs it");
        }
        let mut options = options.clone();
        if let Some(options) = options.as_object_mut()
            && !options.contains_key("module")
        {
            options.insert("module".to_owned(), json!(module()?));
        }
        let mut child = Command::new("node")
            .arg("worker.mjs")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run node")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().context("no standard output")?, &log);
        collect(child.stderr.take().context("no standard error")?, &log);
        let mut stdin = child.stdin.take().context("no standard input")?;
        writeln!(stdin, "{options}")?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut edge = Self { child, stdin: Some(stdin), address: any, log };
        let text = edge.wait_for_log("listening on http://")?;
        let (_, address) = text.split_once("http://").context("no address")?;
        edge.address = address.trim().parse()?;
        Ok(edge)
    }

    /// Puts `values` into the namespace of configs.
    pub fn put(&mut self, values: &Value) -> Result<()> {
        writeln!(self.stdin.as_mut().context("no standard input")?, "{values}")?;
        self.wait_for_log("put into KV").map(drop)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// CPU time that workerd has used so far: of all its threads, to the nanosecond where the
    /// system counts so.
    pub fn cpu(&self) -> Result<Duration> {
        let node = self.child.id().to_string();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            // The name is in brackets and may hold anything; what follows is numbers.
            let Some((name, rest)) = stat.rsplit_once(')') else { continue };
            let fields: Vec<&str> = rest.split_whitespace().collect();
            if name.ends_with("(workerd") && fields.get(1) == Some(&node.as_str()) {
                let ticks = |field: usize| fields.get(field).and_then(|it| it.parse::<u64>().ok());
                let ticks = ticks(11).zip(ticks(12)).context("no times")?;
                let rough = Duration::from_millis((ticks.0 + ticks.1) * 10);
                return Ok(exact_cpu(&entry.path()).unwrap_or(rough));
            }
        }
        bail!("workerd is not running")
    }

    /// What it has printed so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first printed line that contains `text`.
    pub fn wait_for_log(&mut self, text: &str) -> Result<String> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if let Some(line) = self.log().into_iter().find(|line| line.contains(text)) {
                return Ok(line);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the Worker ended ({status}):\n{}", self.log().join("\n"));
            }
            if deadline < Instant::now() {
                bail!("`{text}` was never logged:\n{}", self.log().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}
