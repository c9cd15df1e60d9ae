//! A stand-in for Cloudflare: its API, and its edge in workerd. Node scripts in `cloudflare/`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http;
use crate::router::{self, Ended};

/// The token the API insists on.
pub const TOKEN: &str = "cf-token-kJ8vQ2mZ7xR4tB9nW3cL";
/// The token for a zone's rules.
pub const RULES_TOKEN: &str = "cf-rules-token-W3xT8nL5qY2z";
/// The account of [`TOKEN`].
pub const ACCOUNT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// A zone of the account.
pub const ZONE: &str = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

/// The running stand-in. Dropping it ends it and every Worker it runs.
#[derive(Debug)]
pub struct Cloudflare {
    child: Child,
    // The scripts end when their standard input does.
    stdin: Option<ChildStdin>,
    api: String,
    control: SocketAddr,
    edge: SocketAddr,
    home: TempDir,
}

/// The folder of the scripts.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cloudflare")
}

impl Cloudflare {
    /// One account with one zone, `example.com`.
    pub fn start() -> Result<Self> {
        Self::start_with(&json!({}))
    }

    /// A stand-in whose world differs in what `options` name.
    pub fn start_with(options: &Value) -> Result<Self> {
        if !folder().join("node_modules/miniflare").exists() {
            bail!("workerd is not installed; `cargo x test` installs it");
        }
        let mut world = json!({
            "token": TOKEN,
            "rulesToken": RULES_TOKEN,
            "accounts": [{ "id": ACCOUNT, "name": "Example" }],
            "zones": [{ "id": ZONE, "name": "example.com", "account": { "id": ACCOUNT } }],
        });
        if let (Some(world), Some(options)) = (world.as_object_mut(), options.as_object()) {
            world.extend(options.clone());
        }
        let mut child = Command::new("node")
            .arg("fake.mjs")
            .arg(world.to_string())
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run node")?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line).context("the stand-in does not start")?;
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        let address = |name: &str| -> Result<SocketAddr> {
            let host = text(name).split('/').nth(2).context("no address")?;
            Ok(host.parse()?)
        };
        let (api, control, edge) = (text("api").to_owned(), address("control")?, address("edge")?);
        Ok(Self { child, stdin, api, control, edge, home: TempDir::new()? })
    }

    /// Address of the API.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Where the one Worker that is reachable is reached.
    pub fn edge(&self) -> SocketAddr {
        self.edge
    }

    /// The same, as a client's base address.
    pub fn url(&self) -> String {
        format!("http://{}", self.edge)
    }

    /// The home directory and working directory of commands.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes the config that commands use.
    pub fn write_config(&self, config: &Value) -> Result<()> {
        let file = self.home().join(".llm-router.json");
        Ok(std::fs::write(file, serde_json::to_string_pretty(config)?)?)
    }

    /// A command line of llm-router against this API, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = router::command(self.home())?;
        for name in ["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"] {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.home())
            .env("CLOUDFLARE_API_BASE_URL", &self.api)
            .env("CLOUDFLARE_API_TOKEN", TOKEN);
        Ok(command)
    }

    /// Runs llm-router against this API.
    pub fn run(&self, arguments: &[&str]) -> Result<Ended> {
        ended(&mut self.command(arguments)?)
    }

    /// Runs `deploy` with the test's module, and a check that needs no provider.
    pub fn deploy(&self, arguments: &[&str]) -> Result<Ended> {
        let module = folder().join("module");
        let module = module.to_str().context("a path that is no text")?;
        let url = self.url();
        let mut line = vec!["deploy", "--module", module, "--check-url", &url, "--check-wait", "5"];
        line.push("--no-check-stream");
        line.extend(arguments);
        self.run(&line)
    }

    /// Every call so far, as `METHOD path status`.
    pub fn calls(&self) -> Result<Vec<String>> {
        let calls = http::get(self.control, "/__fake__/calls")?.json()?;
        let calls = calls.as_array().cloned().unwrap_or_default();
        let text = |call: &Value| {
            let part = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default();
            let status = call.get("status").and_then(Value::as_u64).unwrap_or_default();
            format!("{} {} {status}", part("method"), part("path"))
        };
        Ok(calls.iter().map(text).collect())
    }

    /// What the API knows: scripts, routes, domains, namespaces.
    pub fn state(&self) -> Result<Value> {
        http::get(self.control, "/__fake__/state")?.json()
    }

    /// Makes the next `times` calls of `method` to a path that matches fail with `status`, or, for
    /// 0, cuts their connections.
    pub fn fail(&self, method: &str, path: &str, status: u16, times: u32) -> Result<()> {
        self.fault(&json!({
            "method": method, "path": path, "status": status, "code": 10_013, "times": times,
            "message": "an error that was asked for", "drop": status == 0,
        }))
    }

    /// Cuts the connection of the next such call when it has been carried out.
    pub fn lose_answer(&self, method: &str, path: &str) -> Result<()> {
        self.fault(&json!({
            "method": method, "path": path, "times": 1, "drop": true, "after": true,
        }))
    }

    fn fault(&self, fault: &Value) -> Result<()> {
        let answer = http::post(self.control, "/__fake__/faults", &json!([fault]))?;
        if answer.status != 200 {
            bail!("the fault was not taken: {}", answer.text());
        }
        Ok(())
    }

    /// What the Worker answers to a list of models asked for with `key`.
    pub fn models(&self, key: &str) -> Result<http::Answer> {
        let key = format!("Bearer {key}");
        http::send(self.edge, "GET", "/v1/models", &[("authorization", &key)], b"")
    }
}

/// Runs a command to its end.
pub fn ended(command: &mut Command) -> Result<Ended> {
    let output = command.output()?;
    Ok(Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

impl Drop for Cloudflare {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It takes its Workers with it; killing it at once would leave them.
        let _ = self.child.wait();
    }
}
