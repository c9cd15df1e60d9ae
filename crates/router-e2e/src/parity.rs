//! One suite of scenarios for every host of the router.
//!
//! A file in `parity/` has a config and requests in order; the upstream is the scripted provider,
//! whose models' names say how they fail. What has to come of each request stands in
//! `parity/expected/NAME.jsonl`: the client's answer and the calls the upstream got, byte for byte
//! but for what differs with every run. A host passes when it does all of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use router_demo::Record;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::{Answer, send};
use crate::{Edge, Provider, Router};

/// Something that serves a config.
pub trait Host: Sized {
    /// Starts it with a config.
    fn start(config: &Value) -> Result<Self>;
    /// Where it listens.
    fn address(&self) -> SocketAddr;
}

impl Host for Router {
    fn start(config: &Value) -> Result<Self> {
        Self::start(config)
    }

    fn address(&self) -> SocketAddr {
        Self::address(self)
    }
}

impl Host for Edge {
    fn start(config: &Value) -> Result<Self> {
        Self::start(config)
    }

    fn address(&self) -> SocketAddr {
        Self::address(self)
    }
}

/// A file of the suite.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, as a sentence.
    pub about: String,
    /// The router's config; `$UPSTREAM` stands for the provider's address.
    pub config: Value,
    /// The requests, in order.
    pub steps: Vec<Step>,
}

/// One request of a client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name, of which a file has no two.
    pub name: String,
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    /// JSON, or text as it is.
    #[serde(default)]
    body: Option<Value>,
}

/// What came of a step.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Outcome {
    name: String,
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    calls: Vec<Call>,
}

/// One call to the upstream.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Call {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Headers of answers that belong to the connection, or differ with every run.
const ANSWER_HEADERS_OF_HOSTS: [&str; 7] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "request-id",
    "transfer-encoding",
    "x-request-id",
];
/// The same for calls to the upstream.
const CALL_HEADERS_OF_HOSTS: [&str; 6] = [
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "x-request-id",
];
/// How long a call may take to be recorded after its answer has arrived.
const RECORD_MAX: Duration = Duration::from_secs(5);

/// The suite's files by name, in order.
pub fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "json")
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
        {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// One file.
pub fn load(name: &str) -> Result<Scenario> {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// Writes what came of a file's steps as what has to come of them.
pub fn write_expected(name: &str, outcomes: &[Outcome]) -> Result<()> {
    let mut text = String::new();
    for outcome in outcomes {
        text.push_str(&serde_json::to_string(outcome)?);
        text.push('\n');
    }
    Ok(std::fs::write(expected_path(name), text)?)
}

/// The steps whose outcome is not the expected one, each with both.
pub fn differences(name: &str, outcomes: &[Outcome]) -> Result<Vec<String>> {
    let path = expected_path(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let expected: Vec<Outcome> =
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    if expected.len() != outcomes.len() {
        bail!("{name}: {} steps, but {} outcomes are expected", outcomes.len(), expected.len());
    }
    let pairs = expected.iter().zip(outcomes).filter(|(expected, outcome)| expected != outcome);
    Ok(pairs
        .map(|(expected, outcome)| {
            format!("{name}: {}\nexpected {expected:#?}\ngot {outcome:#?}", outcome.name)
        })
        .collect())
}

/// Sends every step to a fresh host of kind `H` in front of a fresh provider.
pub fn play<H: Host>(scenario: &Scenario) -> Result<Vec<Outcome>> {
    let provider = Provider::start()?;
    let upstream = provider.demo().url();
    let config = scenario.config.to_string().replace("$UPSTREAM", &upstream);
    let host = H::start(&serde_json::from_str(&config)?)?;
    let mut outcomes = Vec::with_capacity(scenario.steps.len());
    let mut calls_seen = 0;
    for step in &scenario.steps {
        let answer = step.send(host.address()).with_context(|| step.name.clone())?;
        let records = settled(&provider, calls_seen)?;
        calls_seen += records.len();
        outcomes.push(outcome(step, &answer, &records, &upstream));
    }
    Ok(outcomes)
}

impl Step {
    fn send(&self, address: SocketAddr) -> Result<Answer> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = match &self.body {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(json) => json.to_string(),
        };
        send(address, &self.method, &self.path, &headers, body.as_bytes())
    }
}

/// The calls after the first `seen`, once each of them has its end.
fn settled(provider: &Provider, seen: usize) -> Result<Vec<Record>> {
    let deadline = Instant::now() + RECORD_MAX;
    loop {
        let records: Vec<Record> = provider.demo().requests().into_iter().skip(seen).collect();
        let open = |record: &&Record| record.finished.is_none() && record.aborted.is_none();
        let Some(record) = records.iter().find(open) else { return Ok(records) };
        if deadline < Instant::now() {
            bail!("a call never ended: {} {}", record.method, record.path);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn outcome(step: &Step, answer: &Answer, records: &[Record], upstream: &str) -> Outcome {
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut body = steady(&answer.text(), upstream);
    if !answer.complete {
        body.push_str("<cut>");
    }
    Outcome {
        name: step.name.clone(),
        status: answer.status,
        headers: kept(headers, &ANSWER_HEADERS_OF_HOSTS, upstream),
        body,
        calls: records.iter().map(|record| call(record, upstream)).collect(),
    }
}

fn call(record: &Record, upstream: &str) -> Call {
    let headers = record.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("<bytes>")));
    Call {
        method: record.method.to_string(),
        path: record.path.clone(),
        headers: kept(headers, &CALL_HEADERS_OF_HOSTS, upstream),
        body: steady(&String::from_utf8_lossy(&record.body), upstream),
    }
}

fn kept<'h>(
    headers: impl Iterator<Item = (&'h str, &'h str)>,
    left_out: &[&str],
    upstream: &str,
) -> BTreeMap<String, String> {
    headers
        .filter(|(name, _)| !left_out.contains(name))
        .map(|(name, value)| match value.parse() {
            Ok(seconds) if name == "retry-after" && RETRY_AFTER_STEADY_MAX < seconds => {
                (name.to_owned(), "long".to_owned())
            }
            _ => (name.to_owned(), steady(value, upstream)),
        })
        .collect()
}

/// What stands before values that differ with every run: times, and ids the router makes up.
const UNSTEADY: [&str; 6] = [
    "\"created\":",
    "\"created_at\":",
    "\"completed_at\":",
    "\"request_id\":",
    "\"timestamp\":",
    "try again in ",
];
/// Seconds of `retry-after` that may depend on the time of the day from here on.
const RETRY_AFTER_STEADY_MAX: u64 = 60;

/// The text without the provider's address and without what differs with every run.
fn steady(text: &str, upstream: &str) -> String {
    let address = upstream.trim_start_matches("http://");
    let mut text = text.replace(upstream, "$UPSTREAM").replace(address, "$UPSTREAM");
    for member in UNSTEADY {
        let mut fresh = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(member) {
            fresh.extend([before, member]);
            let end = after.find([',', '}', '\n', ' ']).unwrap_or(after.len());
            let (value, tail) = after.split_at(end);
            fresh.push_str(if value == "null" { value } else { "0" });
            rest = tail;
        }
        fresh.push_str(rest);
        text = fresh;
    }
    text
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity")
}

fn expected_path(name: &str) -> PathBuf {
    folder().join("expected").join(format!("{name}.jsonl"))
}
