//! One suite of scenarios for every host of the router.
//!
//! A file in `parity/` has a config and requests in order; the upstream is the scripted provider,
//! whose models' names say how they fail. What has to come of each request stands in
//! `parity/expected/NAME.jsonl`: the client's answer and the calls the upstream got, byte for byte
//! but for what differs with every run. A host passes when it does all of it. The native server
//! writes that file; `docs/parity.md` lists what is in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use router_demo::Record;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::{Answer, Exchange};
use crate::{Edge, Provider, Router};

/// Something that serves a config.
#[derive(Debug)]
enum Host {
    Native(Router),
    Edge(Edge),
}

impl Host {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Native(router) => router.address(),
            Self::Edge(edge) => edge.address(),
        }
    }
}

/// A file of the suite.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, as a sentence.
    pub about: String,
    /// The router's config; `$UPSTREAM` stands for the provider's address.
    config: Value,
    /// Environment variables of the native server, and secrets of the Worker.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Ways in which the Worker gets its config, one after the other.
    #[serde(default = "one_secret")]
    worker: Vec<Source>,
    /// The requests, in order.
    steps: Vec<Step>,
}

/// Where a Worker's config is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// In the secret of this name.
    Secret(String),
    /// In so many secrets.
    Pieces(usize),
    /// In KV, under this key; the Worker is told the key, unless it is the usual one.
    Kv(String),
}

fn one_secret() -> Vec<Source> {
    vec![Source::Secret(CONFIG.to_owned())]
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
    /// Whether the answer has to begin before the upstream has ended.
    #[serde(default)]
    live: bool,
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

impl Outcome {
    /// What is not the same in another, in lines.
    fn unlike(&self, other: &Self) -> String {
        let mut text = String::new();
        let mut tell = |what: &str, expected: String, got: String| {
            if expected != got {
                let same = expected.bytes().zip(got.bytes()).take_while(|(a, b)| a == b).count();
                let part = |text: &str| {
                    let from = text.floor_char_boundary(same.saturating_sub(SHOWN_BEFORE));
                    text.split_at(from).1.chars().take(SHOWN_MAX).collect::<String>()
                };
                let _ = write!(text, "\n  {what}: expected {}", part(&expected));
                let _ = write!(text, "\n  {what}: got      {}", part(&got));
            }
        };
        tell("status", self.status.to_string(), other.status.to_string());
        tell("headers", format!("{:?}", self.headers), format!("{:?}", other.headers));
        tell("body", self.body.clone(), other.body.clone());
        tell("calls", format!("{:?}", self.calls), format!("{:?}", other.calls));
        text
    }
}

/// One call to the upstream.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Call {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// The usual secret of a config.
const CONFIG: &str = "LLM_ROUTER_CONFIG_JSON";
/// The usual key of a config in KV.
const KV_KEY: &str = "llm-router.json";
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
const CALL_HEADERS_OF_HOSTS: [&str; 7] = [
    "accept-encoding",
    "cf-worker",
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "x-request-id",
];
/// Stands at the end of a body whose framing was not completed.
const CUT: &str = "<cut>";
/// Characters of a difference that are shown, and how many of them before it begins.
const SHOWN_MAX: usize = 400;
const SHOWN_BEFORE: usize = 60;
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

/// The steps whose outcome is not the one a file expects, each with both; `shown` names the host
/// and the file.
pub fn differences(shown: &str, name: &str, outcomes: &[Outcome]) -> Result<Vec<String>> {
    let expected = expected(name)?;
    if expected.len() != outcomes.len() {
        bail!("{shown}: {} steps, but {} outcomes are expected", outcomes.len(), expected.len());
    }
    let pairs = expected.iter().zip(outcomes).filter(|(expected, outcome)| expected != outcome);
    Ok(pairs
        .map(|(expected, outcome)| format!("{shown}: {}{}", outcome.name, expected.unlike(outcome)))
        .collect())
}

fn expected(name: &str) -> Result<Vec<Outcome>> {
    let path = expected_path(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// What the native server makes of a file.
pub fn native(scenario: &Scenario) -> Result<Vec<Outcome>> {
    let env: Vec<(&str, &str)> =
        scenario.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    play(scenario, |config| Ok(Host::Native(Router::start_with(config, &[], &env)?)))
}

/// What the Worker makes of a file, once for each way in which it gets its config.
pub fn worker(scenario: &Scenario) -> Result<Vec<Vec<Outcome>>> {
    let run = |source: &Source| {
        let start = |config: &Value| Edge::start_with(&options(config, &scenario.env, source));
        play(scenario, |config| Ok(Host::Edge(start(config)?)))
    };
    scenario.worker.iter().map(run).collect()
}

/// What Miniflare is told, for a config at this place.
fn options(config: &Value, env: &BTreeMap<String, String>, source: &Source) -> Value {
    let mut bindings = env.clone();
    let mut text = config.to_string();
    match source {
        Source::Secret(name) => drop(bindings.insert(name.clone(), text)),
        Source::Pieces(count) => {
            let size = text.len().div_ceil(*count);
            for number in 1..=*count {
                let end = text.ceil_char_boundary(size.min(text.len()));
                bindings.insert(format!("{CONFIG}_{number}"), text.drain(..end).collect());
            }
        }
        Source::Kv(key) => {
            if key != KV_KEY {
                bindings.insert("LLM_ROUTER_CONFIG_KV_KEY".to_owned(), key.clone());
            }
            return json!({ "bindings": bindings, "objects": true, "kv": { key: text } });
        }
    }
    json!({ "bindings": bindings, "objects": true })
}

/// Sends every step to a fresh host in front of a fresh provider.
fn play(scenario: &Scenario, start: impl Fn(&Value) -> Result<Host>) -> Result<Vec<Outcome>> {
    let provider = Provider::start()?;
    let upstream = provider.demo().url();
    let config = scenario.config.to_string().replace("$UPSTREAM", &upstream);
    let host = start(&serde_json::from_str(&config)?)?;
    let mut outcomes = Vec::with_capacity(scenario.steps.len());
    let mut calls_seen = 0;
    for step in &scenario.steps {
        let answer =
            step.send(host.address(), &provider, calls_seen).with_context(|| step.name.clone())?;
        let records = settled(&provider, calls_seen).with_context(|| step.name.clone())?;
        calls_seen += records.len();
        outcomes.push(outcome(step, &answer, &records, &upstream));
    }
    Ok(outcomes)
}

impl Step {
    fn send(&self, address: SocketAddr, provider: &Provider, seen: usize) -> Result<Answer> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = match &self.body {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(json) => json.to_string(),
        };
        let mut exchange =
            Exchange::open(address, &self.method, &self.path, &headers, body.as_bytes())?;
        let head = exchange.head()?;
        if self.live {
            exchange.wait()?;
            let records = provider.demo().requests();
            let call = records.get(seen).context("the answer came before a call")?;
            if call.finished.is_some() {
                bail!("nothing of the answer came before the upstream had ended");
            }
        }
        exchange.rest(head)
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
    // The router's own ids are made of the request's.
    let id =
        answer.header("x-request-id").and_then(|id| id.strip_prefix("req_")).unwrap_or("-none-");
    let mut body = steady(&answer.text().replace(id, "ID"), upstream);
    if !answer.complete {
        body.push_str(CUT);
    }
    if answer.header("x-llm-router-estimate").is_some() {
        // Each host estimates by its own means.
        body = body.replace(|c: char| c.is_ascii_digit(), "");
    }
    // A transport may try again, once, when a kept connection is closed instead of an answer.
    let again = |a: &mut &Record, b: &mut &Record| b.status.is_none() && a.body == b.body;
    let mut records: Vec<&Record> = records.iter().collect();
    records.dedup_by(again);
    Outcome {
        name: step.name.clone(),
        status: answer.status,
        headers: kept(headers, &ANSWER_HEADERS_OF_HOSTS, upstream),
        body,
        calls: records.into_iter().map(|record| call(record, upstream)).collect(),
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

/// Values that differ with every run, or with the host: what stands before them and what ends
/// them.
const UNSTEADY: [(&str, &[char]); 10] = [
    ("\"created\":", &[',', '}']),
    ("\"created_at\":", &[',', '}']),
    ("\"completed_at\":", &[',', '}']),
    ("\"request_id\":", &[',', '}']),
    ("\"timestamp\":", &[',', '}']),
    ("try again in ", &[' ']),
    ("try again in 0 s, at ", &['"']),
    ("\"retryDelay\":", &[',', '}']),
    ("cannot reach the upstream: ", &['"']),
    ("the connection to the upstream broke: ", &['"']),
];
/// Seconds of `retry-after` that may depend on the time of the day from here on.
const RETRY_AFTER_STEADY_MAX: u64 = 60;

/// What keeps the client of a silent stream waiting.
const COMMENT: &str = ": keep-alive\n\n";
const TWO_COMMENTS: &str = ": keep-alive\n\n: keep-alive\n\n";

/// The text without the provider's address and without what differs with every run.
fn steady(text: &str, upstream: &str) -> String {
    let address = upstream.trim_start_matches("http://");
    let mut text = text.replace(upstream, "$UPSTREAM").replace(address, "$UPSTREAM");
    for (member, ends) in UNSTEADY {
        let mut fresh = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(member) {
            fresh.extend([before, member]);
            let (value, tail) = after.split_at(after.find(ends).unwrap_or(after.len()));
            fresh.push_str(if value == "null" { value } else { "0" });
            rest = tail;
        }
        fresh.push_str(rest);
        text = fresh;
    }
    // How many comments there are depends on how fast the machine is.
    while text.contains(TWO_COMMENTS) {
        text = text.replace(TWO_COMMENTS, COMMENT);
    }
    without_numbers(&text)
}

/// The text with the numbers that the scripted provider gives its answers in the order in which
/// they are there: how often a transport tries again is in them.
fn without_numbers(text: &str) -> String {
    const BEGIN: &str = "demo";
    const DIGITS: usize = 12;
    let mut seen: Vec<&str> = Vec::new();
    let mut fresh = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        fresh.extend([before, BEGIN]);
        rest = after;
        let number = after.get(..DIGITS).filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(number) = number else { continue };
        let at = seen.iter().position(|known| *known == number).unwrap_or(seen.len());
        if at == seen.len() {
            seen.push(number);
        }
        let _ = write!(fresh, "{:0DIGITS$}", at + 1);
        rest = after.get(DIGITS..).unwrap_or_default();
    }
    fresh + rest
}

/// The published list of what was compared: every file and every step.
pub fn report() -> Result<String> {
    let mut text = String::from(
        "# The Worker beside the native server\n\n\
         Written by `cargo x parity`; do not edit. Each step is a client's request, sent to the native server and to the\n\
         Worker in workerd with Durable Objects on, each in front of the same scripted provider. Both have to give the\n\
         client the same status, headers and bytes, and the provider the same calls: path, headers and bytes. Left out\n\
         are times, ids, framing, and a host's own words for a connection that failed. Any difference fails the tests.\n",
    );
    let mut count = 0;
    for name in names()? {
        let scenario = load(&name)?;
        let sources = match scenario.worker.len() {
            1 => String::new(),
            many => format!(" The Worker gets its config in {many} ways."),
        };
        let _ = write!(
            text,
            "\n## {name}\n\n{}{sources}\n\n| request | answer | calls of the provider |\n|---|---|---|\n",
            scenario.about
        );
        for (step, outcome) in scenario.steps.iter().zip(expected(&name)?) {
            let live = if step.live { ", as it comes" } else { "" };
            let cut = if outcome.body.ends_with(CUT) { ", cut" } else { "" };
            let calls = outcome.calls.len();
            let _ = writeln!(text, "| {} | {}{live}{cut} | {calls} |", step.name, outcome.status);
            count += 1;
        }
    }
    let _ = write!(text, "\n{count} requests, the same on both.\n");
    Ok(text)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity")
}

fn expected_path(name: &str) -> PathBuf {
    folder().join("expected").join(format!("{name}.jsonl"))
}
