//! Running routers as an operator sees them: by name, in the background, one after the other.

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use router_e2e::http::{self, Exchange};
use router_e2e::{Provider, Router, router};
use serde_json::{Value, json};

use crate::common::JSON;

/// How long something may take that should take a moment.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a command in a home directory.
pub(crate) fn run(home: &Path, arguments: &[&str]) -> Result<Output> {
    Ok(router::command(home)?.args(arguments).output()?)
}

/// Runs a command with `--json`, which must succeed, and reads the answer.
pub(crate) fn asked(home: &Path, arguments: &[&str]) -> Result<Value> {
    let output = router::command(home)?.args(arguments).arg("--json").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until `is_so`.
fn wait(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "{what}: never");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A question for a stream of a few events.
fn question(model: &str) -> String {
    let turn = json!([{ "role": "user", "content": "Say hello." }]);
    json!({ "model": model, "stream": true, "messages": turn }).to_string()
}

#[test]
fn a_router_is_seen_reloaded_and_stopped_without_an_admin_section() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    let mut router = Router::start_with(&config, &["--name", "work", "--watch-config=no"], &[])?;
    let home = router.home().to_owned();
    let status = asked(&home, &["status"])?;
    let instance = &status["instances"][0];
    assert_eq!(instance["name"], "work");
    assert_eq!(instance["pid"], router.pid());
    assert_eq!(instance["url"], format!("http://{}", router.address()));
    assert_eq!(instance["status"]["in_flight"], 0);
    assert_eq!(instance["status"]["providers"][0]["provider"], "demo", "{instance}");
    let text = run(&home, &["status", "--name", "work"])?;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("provider    demo: ok") && text.contains("config.json"), "{text}");

    config["modelAliases"]["fresh"] = json!({ "targets": ["demo/demo-chat"] });
    std::fs::write(router.config_path(), config.to_string())?;
    assert_eq!(asked(&home, &["reload"])?["changes"], json!(["alias `fresh` added"]));
    std::fs::write(router.config_path(), "{ \"server\": 7 }")?;
    let refused = run(&home, &["reload"])?;
    assert_eq!(refused.status.code(), Some(3), "{}", error_of(&refused));
    let unknown = run(&home, &["stop", "--name", "wrok"])?;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(error_of(&unknown).contains("running: work"), "{}", error_of(&unknown));

    let stopped = asked(&home, &["stop"])?;
    assert_eq!(
        stopped["stopped"][0],
        json!({ "name": "work", "pid": router.pid(), "cut_off": 0, "killed": false })
    );
    assert!(router.wait()?.success());
    assert_eq!(asked(&home, &["status"])?["instances"], json!([]));
    assert_eq!(asked(&home, &["stop"])?["stopped"], json!([]), "nothing to stop is no failure");
    assert_eq!(run(&home, &["reload"])?.status.code(), Some(1));
    assert!(!home.join(".llm-router/instances").exists(), "nothing is left behind");
    Ok(())
}

#[test]
fn stop_lets_requests_finish_and_says_what_it_cut_off() -> Result<()> {
    let provider = Provider::start()?;
    let config = provider.config(&["demo-slow-300"])?;
    for (model, timeout, cut_off) in
        [("demo/demo-slow-300", "20s", 0), ("demo/demo-stall", "200ms", 1)]
    {
        let mut router = Router::start(&config)?;
        let mut exchange = Exchange::open(
            router.address(),
            "POST",
            "/v1/chat/completions",
            &[JSON],
            question(model).as_bytes(),
        )?;
        exchange.head()?;
        let stopped = asked(router.home(), &["stop", "--timeout", timeout])?;
        assert_eq!(stopped["stopped"][0]["cut_off"], cut_off, "{model}: {stopped}");
        assert!(router.wait()?.success());
    }
    Ok(())
}

#[test]
fn two_routers_have_names_of_their_own_and_one_name_is_for_one() -> Result<()> {
    let provider = Provider::start()?;
    let first = Router::start(&provider.config(&[])?)?;
    let home = first.home().to_owned();
    let config = first.config_path();
    let start = |flags: &[&str]| -> Result<std::process::Child> {
        let mut command = router::command(&home)?;
        command.arg("start").arg("--config").arg(&config).args(["--port", "0"]).args(flags);
        Ok(command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()?)
    };
    let mut second = start(&[])?;
    let names = || -> Result<Vec<String>> {
        let status = asked(&home, &["status"])?;
        let all = status["instances"].as_array().cloned().unwrap_or_default();
        Ok(all.iter().map(|each| each["name"].as_str().unwrap_or_default().to_owned()).collect())
    };
    wait("both run", || Ok(names()?.len() == 2))?;
    let all = names()?;
    assert_eq!(all[0], "default");
    assert!(all[1].starts_with("default-"), "{all:?}");
    let which = run(&home, &["stop"])?;
    assert_eq!(which.status.code(), Some(2), "{}", error_of(&which));
    assert!(error_of(&which).contains("--name"), "{}", error_of(&which));
    let taken = start(&["--name", "default"])?.wait_with_output()?;
    assert_eq!(taken.status.code(), Some(2));
    assert!(error_of(&taken).contains("running already"), "{}", error_of(&taken));
    assert_eq!(asked(&home, &["stop", "--all"])?["stopped"].as_array().map(Vec::len), Some(2));
    assert!(second.wait()?.success());
    Ok(())
}

#[test]
fn a_taken_port_names_its_holder_and_only_a_router_of_ours_is_stopped() -> Result<()> {
    let provider = Provider::start()?;
    let mut first = Router::start(&provider.config(&[])?)?;
    let home = first.home().to_owned();
    let config = first.config_path().display().to_string();
    let port = first.address().port().to_string();
    let start = ["start", "--config", &config, "--port", &port];
    let refused = run(&home, &start)?;
    assert_eq!(refused.status.code(), Some(1));
    let said = error_of(&refused);
    assert!(said.contains("the router `default`") && said.contains("--reclaim"), "{said}");

    let stranger = TcpListener::bind("127.0.0.1:0")?;
    let other = stranger.local_addr()?.port().to_string();
    let refused = run(&home, &["start", "--config", &config, "--port", &other, "--reclaim"])?;
    assert_eq!(refused.status.code(), Some(1));
    let said = error_of(&refused);
    assert!(said.contains("no router of yours") && said.contains("process"), "{said}");

    let mut command = router::command(&home)?;
    let reclaimed = command.args(start).args(["--reclaim", "--background"]).output()?;
    ensure!(reclaimed.status.success(), "{}", error_of(&reclaimed));
    assert!(first.wait()?.success(), "the first one was told, not killed");
    let stopped = asked(&home, &["stop"])?;
    assert_eq!(stopped["stopped"][0]["killed"], false);
    Ok(())
}

#[test]
fn a_router_in_the_background_outlives_the_command_and_keeps_a_log() -> Result<()> {
    let provider = Provider::start()?;
    let folder = tempfile::tempdir()?;
    let (home, config) = (folder.path(), folder.path().join("config.json"));
    std::fs::write(&config, provider.config(&[])?.to_string())?;
    let config = config.display().to_string();
    let start = ["start", "--background", "--config", &config, "--port", "0"];
    let started = asked(home, &start)?;
    let url = started["url"].as_str().context("no url")?;
    let address = url.trim_start_matches("http://").parse()?;
    assert_eq!(http::get(address, "/health")?.status, 200);
    let logged = run(home, &["logs"])?;
    let logged = String::from_utf8_lossy(&logged.stdout).into_owned();
    assert!(logged.contains("listening on"), "{logged}");
    asked(home, &["stop"])?;
    assert!(http::get(address, "/health").is_err());
    let logged = run(home, &["logs", "-n", "1"])?;
    assert_eq!(String::from_utf8_lossy(&logged.stdout).trim(), "stopped", "also afterwards");

    std::fs::write(&config, "{ \"providers\": 7 }")?;
    let begun = Instant::now();
    let failed = run(home, &start)?;
    assert_eq!(failed.status.code(), Some(3), "{}", error_of(&failed));
    assert!(error_of(&failed).contains("providers"), "what it said is repeated");
    assert!(begun.elapsed() < PATIENCE);
    Ok(())
}

/// Clients that send one request after the other, each on a connection it keeps, until told to stop.
struct Load {
    over: Arc<AtomicBool>,
    served: Arc<AtomicU32>,
    clients: Vec<thread::JoinHandle<Result<()>>>,
}

impl Load {
    fn start(address: std::net::SocketAddr, models: &'static [&'static str]) -> Self {
        let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let clients = models.iter().map(|model| {
            let (over, served) = (Arc::clone(&over), Arc::clone(&served));
            thread::spawn(move || {
                let mut client = KeptAlive::new(address);
                while !over.load(Ordering::Relaxed) {
                    let body = client.post("/v1/chat/completions", &question(model))?;
                    ensure!(body.contains("data: [DONE]"), "{model}: cut short: {body}");
                    served.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        });
        let clients = clients.collect();
        Self { over, served, clients }
    }

    /// Waits for so many more answers.
    fn more(&self, count: u32) -> Result<()> {
        let before = self.served.load(Ordering::Relaxed);
        wait("answers", || {
            if self.clients.iter().any(thread::JoinHandle::is_finished) {
                return Ok(true);
            }
            Ok(before + count <= self.served.load(Ordering::Relaxed))
        })
    }

    fn end(self) -> Result<u32> {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            match client.join() {
                Ok(ended) => ended?,
                Err(_) => bail!("a client panicked"),
            }
        }
        Ok(self.served.load(Ordering::Relaxed))
    }
}

/// A client that sends its next request on the same connection unless it was told not to.
struct KeptAlive {
    address: std::net::SocketAddr,
    exchange: Option<Exchange>,
}

impl KeptAlive {
    const fn new(address: std::net::SocketAddr) -> Self {
        Self { address, exchange: None }
    }

    /// Any failure is one: a request that the server has taken is never sent again.
    fn post(&mut self, path: &str, body: &str) -> Result<String> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut exchange = match self.exchange.take() {
            Some(mut exchange) => {
                exchange.write(head.as_bytes())?;
                exchange
            }
            None => Exchange::raw(self.address, head.as_bytes())?,
        };
        let answer = exchange.head()?;
        ensure!(answer.status == 200, "{} {answer:?}", answer.status);
        let closes = answer.header("connection").is_some_and(|value| value == "close");
        let mut text = String::new();
        loop {
            let size = exchange.line()?.context("cut off between chunks")?;
            let size = usize::from_str_radix(size.trim(), 16)?;
            let chunk = exchange.bytes(size + 2)?;
            if size == 0 {
                break;
            }
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
        if !closes {
            self.exchange = Some(exchange);
        }
        Ok(text)
    }
}

const MODELS: &[&str] = &[
    "demo/demo-chat",
    "demo/demo-chat",
    "demo/demo-chat",
    "demo/demo-slow-20",
    "demo/demo-slow-20",
    "demo/demo-slow-40",
];

/// The process that serves now.
fn serving(home: &Path) -> Result<u64> {
    asked(home, &["status"])?["instances"][0]["pid"].as_u64().context("no process")
}

#[test]
fn a_new_process_takes_over_under_load_and_no_request_is_lost() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&["demo-slow-20", "demo-slow-40"])?;
    config["server"] = json!({ "admin": { "port": 0, "key": "operators" }, "drainMs": 5000 });
    config["providers"][0]["rateLimits"] =
        json!([{ "name": "daily", "models": ["all"], "requests": 1_000_000, "window": "day" }]);
    let mut router = Router::start(&config)?;
    let (home, address) = (router.home().to_owned(), router.address());
    let admin = asked(&home, &["status"])?["instances"][0]["admin_address"].clone();
    let load = Load::start(address, MODELS);
    load.more(20)?;
    let mut pids = vec![serving(&home)?];
    for _ in 0..3 {
        let handed = asked(&home, &["reload", "--binary"])?;
        assert_eq!(handed["from"], json!(pids.last()), "{handed}");
        let pid = serving(&home)?;
        assert!(!pids.contains(&pid), "{pid} of {pids:?}");
        pids.push(pid);
        load.more(20)?;
    }
    let status = asked(&home, &["status"])?["instances"][0].take();
    assert_eq!(status["admin_address"], admin, "the operators' socket goes with it");
    let served = load.end()?;
    // What was counted before is still counted: only requests under way at a change may be missing.
    let used = status["status"]["providers"][0]["buckets"][0]["caps"][0]["used"].as_u64();
    assert!(used >= Some(u64::from(served) / 2), "{used:?} of {served}");
    // Whoever started the first process still waits for it, and stops it as before.
    assert!(router.log().iter().any(|line| line.contains("serves from now on")));
    router.signal("TERM")?;
    let code = router.wait()?;
    assert!(code.success(), "{code}: {:#?}", router.log());
    assert!(http::get(address, "/health").is_err(), "nobody is left");
    Ok(())
}

#[test]
fn a_program_that_does_not_serve_takes_nothing_over() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let home = router.home().to_owned();
    for program in ["/bin/false", "/no/such/program"] {
        let refused = run(&home, &["reload", "--binary", program])?;
        assert_eq!(refused.status.code(), Some(1), "{}", error_of(&refused));
        assert!(error_of(&refused).contains(program), "{}", error_of(&refused));
    }
    assert_eq!(serving(&home)?, u64::from(router.pid()));
    assert_eq!(http::get(router.address(), "/health")?.status, 200);
    // A config that went bad is no reason to stop serving either.
    std::fs::write(router.config_path(), "{")?;
    assert_eq!(run(&home, &["reload", "--binary"])?.status.code(), Some(1));
    assert_eq!(http::get(router.address(), "/health")?.status, 200);
    Ok(())
}

/// A program that says it is another version, and is this one.
#[cfg(unix)]
pub(crate) fn other_version(path: &Path, version: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let real = router::binary()?;
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo llm-router {version} && exit 0\nexec {} \"$@\"\n",
        real.display()
    );
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, script)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755))?;
    Ok(std::fs::rename(fresh, path)?)
}

#[test]
fn another_version_in_the_programs_place_takes_over_by_itself() -> Result<()> {
    let provider = Provider::start()?;
    let folder = tempfile::tempdir()?;
    let (home, program) = (folder.path(), folder.path().join("llm-router"));
    let config = home.join("config.json");
    std::fs::write(&config, provider.config(&[])?.to_string())?;
    // A link would be followed: the file itself is watched.
    let binary = router::binary()?;
    std::fs::hard_link(&binary, &program)
        .or_else(|_| std::fs::copy(&binary, &program).map(|_| ()))?;
    let config = config.display().to_string();
    let start = ["start", "--background", "--config", &config, "--port", "0"];
    let mut command = std::process::Command::new(&program);
    let started = command
        .args(start)
        .env("HOME", home)
        .env("LLM_ROUTER_BINARY_WATCH_INTERVAL_MS", "1000")
        .output()?;
    ensure!(started.status.success(), "{}", error_of(&started));
    let before = serving(home)?;
    other_version(&program, "99.0.0")?;
    wait("a successor", || Ok(serving(home).is_ok_and(|pid| pid != before)))?;
    asked(home, &["stop"])?;
    Ok(())
}

#[test]
fn sockets_of_the_service_manager_are_used() -> Result<()> {
    let provider = Provider::start()?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config.json");
    std::fs::write(&config, provider.config(&[])?.to_string())?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = std::process::Command::new("systemd-socket-activate");
    command.arg(format!("--listen=127.0.0.1:{port}")).arg(router::binary()?);
    command.arg("start").arg("--config").arg(&config).args(["--port", "1"]);
    command.env("HOME", folder.path()).stderr(std::process::Stdio::null());
    let mut child = command.stdout(std::process::Stdio::null()).spawn()?;
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let served = wait("an answer", || {
        Ok(http::get(address, "/health").is_ok_and(|answer| answer.status == 200))
    });
    let _ = child.kill();
    let _ = child.wait();
    served
}
