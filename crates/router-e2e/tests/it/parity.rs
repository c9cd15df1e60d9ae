//! One suite, two hosts: what the native server does, the Worker in workerd does too.
//!
//! Each scenario runs against both, with the same providers behind them. What the client gets
//! (status, headers that mean something, every byte of the body) and what the providers are asked
//! (path, headers, every byte of the body) has to be the same, but for what no two runs share.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use router_demo::{Record, Script};
use router_e2e::http::send;
use router_e2e::provider::KEY;
use router_e2e::{Edge, Provider, Router};
use serde_json::{Value, json};

use scenarios::{Ask, Scenario, all};

mod figures;
mod scenarios;

/// The published report.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/parity.md");
/// The key of clients, which a Worker always asks for.
const CLIENT_KEY: &str = "gw-parity-key-6fJ2mQ9x";
/// Models that scenarios script.
const MODELS: [&str; 3] = ["m", "n", "demo-chat"];

/// Headers of an answer that mean something to a client.
const ANSWER_HEADERS: [&str; 16] = [
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "allow",
    "cache-control",
    "content-type",
    "retry-after",
    "www-authenticate",
    "x-accel-buffering",
    "x-content-type-options",
    "x-llm-router-attempts",
    "x-llm-router-estimate",
    "x-llm-router-loss",
    "x-llm-router-selected-candidate",
    "x-llm-router-skipped-candidates",
];
/// Headers of a call that the router decides on.
const CALL_HEADERS: [&str; 8] = [
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "authorization",
    "content-type",
    "user-agent",
    "x-api-key",
    "x-goog-api-key",
];

/// The two providers, and a config that names both.
struct Bench {
    a: Provider,
    b: Provider,
}

impl Bench {
    fn start() -> Result<Self> {
        Ok(Self { a: Provider::start()?, b: Provider::start()? })
    }

    fn config(&self) -> Value {
        let provider = |id: &str, provider: &Provider, formats: Value| {
            json!({
                "id": id,
                "baseUrl": provider.demo().url(),
                "formats": formats,
                "apiKey": KEY,
                "models": [{"id": "m"}, {"id": "n"}, {"id": "demo-chat"}],
            })
        };
        let every = json!(["openai", "responses", "claude", "gemini"]);
        let mut config = json!({
            "version": 2,
            "masterKey": CLIENT_KEY,
            "defaultModel": "a/m",
            "server": {"requireAuth": true, "debug": true},
            "providers": [provider("a", &self.a, every.clone()), provider("b", &self.b, every)],
            "modelAliases": {
                "pair": {"strategy": "ordered", "targets": ["a/m", "b/m"]},
                "tiers": {"strategy": "ordered", "targets": ["a/m"], "fallbackTargets": ["b/m"]},
                "sticky": {"strategy": "round-robin", "targets": ["a/m", "b/m"]},
            },
            "routing": {
                "retry": {"attempts": 1},
                "circuit": {"failures": 0},
                "cooldown": {"rateLimitMs": 1, "authMs": 1, "billingMs": 1, "notFoundMs": 1},
                "timeouts": {"firstByteMs": 600, "idleMs": 600},
            },
        });
        for (id, formats) in [
            ("chat", "openai"),
            ("responses", "responses"),
            ("messages", "claude"),
            ("gemini", "gemini"),
        ] {
            let one = provider(id, &self.a, json!([formats]));
            if let Some(list) = config["providers"].as_array_mut() {
                list.push(one);
            }
        }
        config
    }

    fn reset(&self) {
        for each in [&self.a, &self.b] {
            each.demo().reset();
            for model in MODELS {
                each.demo().script(model, Script::default());
            }
        }
    }

    /// What the scenario looks like at `address`.
    fn run(&self, scenario: &Scenario, address: SocketAddr) -> Result<Vec<String>> {
        self.reset();
        for (model, fault) in &scenario.faults {
            self.a.demo().script(model, fault.clone());
        }
        let mut seen = Vec::new();
        for ask in &scenario.asks {
            // A cooldown of a millisecond is over.
            std::thread::sleep(std::time::Duration::from_millis(5));
            seen.push(answer(ask, address)?);
        }
        for (name, provider) in [("a", &self.a), ("b", &self.b)] {
            for record in provider.demo().requests() {
                seen.push(call(name, &record));
            }
        }
        let own = [self.a.demo().url(), self.b.demo().url()];
        Ok(seen.into_iter().map(|text| own.iter().fold(text, |t, u| t.replace(u, "URL"))).collect())
    }
}

fn answer(ask: &Ask, address: SocketAddr) -> Result<String> {
    let mut headers: Vec<(&str, &str)> = vec![];
    if ask.has_key {
        headers.push(("x-api-key", CLIENT_KEY));
    }
    headers.extend(ask.headers.iter().map(|(name, value)| (*name, *value)));
    let body = ask.body.as_ref().map(ToString::to_string).unwrap_or_default();
    let body = ask.raw.map_or(body, str::to_owned);
    if !body.is_empty() && headers.iter().all(|(name, _)| *name != "content-type") {
        headers.push(("content-type", "application/json"));
    }
    let answer = send(address, ask.method, &ask.path, &headers, body.as_bytes())?;
    let kept = answer.headers.iter().filter(|(name, _)| ANSWER_HEADERS.contains(&name.as_str()));
    let kept: BTreeMap<_, _> = kept.cloned().collect();
    let mut text = format!("answer {} complete={}\n", answer.status, answer.complete);
    for (name, value) in kept {
        let _ = writeln!(text, "  {name}: {value}");
    }
    text.push_str(&steady(&answer.text()));
    Ok(text)
}

fn call(provider: &str, record: &Record) -> String {
    let mut text = format!("call of {provider}: {} {}\n", record.method, record.path);
    for name in CALL_HEADERS {
        let value = record.header(name);
        if !value.is_empty() {
            let _ = writeln!(text, "  {name}: {value}");
        }
    }
    text.push_str(&String::from_utf8_lossy(&record.body));
    text
}

/// The text without what no two runs share: ids, times, and how a host says that a connection
/// failed.
fn steady(text: &str) -> String {
    let mut out = text.to_owned();
    for (begin, ends, stand_in) in [
        ("req_", "\"' ,\n", "req_ID"),
        ("\"created\":", ",}", "\"created\":TIME"),
        ("\"created_at\":", ",}", "\"created_at\":TIME"),
        ("\"completed_at\":", ",}", "\"completed_at\":TIME"),
        ("\"timestamp\":", ",}", "\"timestamp\":TIME"),
        ("\"createTime\":", ",}", "\"createTime\":TIME"),
        ("\"responseId\":", ",}", "\"responseId\":ID"),
        ("\"id\":\"resp_", "\"", "\"id\":\"resp_ID"),
        ("\"id\":\"msg_", "\"", "\"id\":\"msg_ID"),
        ("\"id\":\"chatcmpl-", "\"", "\"id\":\"chatcmpl-ID"),
        ("\"item_id\":\"", "\"", "\"item_id\":\"ID"),
        ("cannot reach the upstream: ", "\"", "cannot reach the upstream: WHY"),
        (
            "the connection to the upstream broke: ",
            "\"",
            "the connection to the upstream broke: WHY",
        ),
    ] {
        out = replace(&out, begin, ends, stand_in);
    }
    out
}

/// Puts `stand_in` for everything from `begin` up to one of `ends`.
fn replace(text: &str, begin: &str, ends: &str, stand_in: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(begin) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        out.push_str(stand_in);
        let after = from.split_at(begin.len()).1;
        let end = after.find(|c| ends.contains(c)).unwrap_or(after.len());
        rest = after.split_at(end).1;
    }
    out + rest
}

#[test]
fn the_worker_does_what_the_native_server_does_and_the_published_report_is_true() -> Result<()> {
    let bench = Bench::start()?;
    let mut failed = Vec::new();
    let mut report: Vec<(&str, &str, bool)> = Vec::new();
    for (setting, change, scenarios) in all() {
        let mut config = bench.config();
        change(&mut config);
        let (native, edge) = (Router::start(&config)?, Edge::start(&config)?);
        for scenario in &scenarios {
            let shown = || format!("{setting}: {}", scenario.name);
            let here = bench.run(scenario, native.address()).with_context(shown)?;
            let there = bench.run(scenario, edge.address()).with_context(shown)?;
            let same = here == there;
            report.push((setting, scenario.name, same));
            if !same {
                failed.push(difference(&shown(), &here, &there));
            }
        }
    }
    if !failed.is_empty() {
        bail!("{} of {} scenarios differ:\n{}", failed.len(), report.len(), failed.join("\n"));
    }
    publish(&render(&report))
}

fn difference(name: &str, here: &[String], there: &[String]) -> String {
    let mut text = format!("--- {name}: {} and {} entries", here.len(), there.len());
    for index in 0..here.len().max(there.len()) {
        let [native, worker] = [here, there].map(|all| all.get(index).map_or("", String::as_str));
        if native != worker {
            let _ = write!(text, "\n  native: {native}\n  worker: {worker}");
        }
    }
    text
}

fn render(report: &[(&str, &str, bool)]) -> String {
    let mut text = String::from(
        "# The Worker beside the native server\n\n\
         Written by `cargo x parity`; do not edit. Each scenario ran against both hosts with the same providers\n\
         behind them, the Worker in workerd with Durable Objects on. Compared are the status, the headers and every\n\
         byte of each answer, and the path, the headers and every byte of each call of a provider. Left out are ids,\n\
         times, and a host's own words for a connection that failed.\n",
    );
    let mut last = "";
    for (setting, name, same) in report {
        if *setting != last {
            let _ = write!(text, "\n## {setting}\n\n| scenario | same |\n|---|---|\n");
            last = setting;
        }
        let _ = writeln!(text, "| {name} | {} |", if *same { "yes" } else { "no" });
    }
    let _ = write!(text, "\n{} scenarios.\n", report.len());
    text
}

fn publish(fresh: &str) -> Result<()> {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(Path::new(PATH), fresh)?;
    }
    let published = std::fs::read_to_string(PATH).context("docs/parity.md")?;
    assert!(published == fresh, "docs/parity.md is stale; run `cargo x parity`");
    Ok(())
}

/// Two hundred requests at once on a bucket of fifty: the owner of the provider's state lets
/// exactly fifty pass, however many isolates ask.
#[test]
fn of_two_hundred_requests_at_once_on_a_bucket_of_fifty_the_worker_lets_exactly_fifty_pass()
-> Result<()> {
    let bench = Bench::start()?;
    bench.reset();
    let mut config = bench.config();
    config["providers"][0]["rateLimits"] =
        json!([{"id": "day", "models": "all", "requests": 50, "window": {"unit": "day"}}]);
    let edge = Edge::start(&config)?;
    let body = json!({"model": "a/m", "messages": [{"role": "user", "content": "hi"}]});
    let ask = Ask::post("/v1/chat/completions", body);
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    std::thread::scope(|scope| -> Result<()> {
        let all: Vec<_> = (0..200).map(|_| scope.spawn(|| answer(&ask, edge.address()))).collect();
        for each in all {
            let Ok(answered) = each.join() else { bail!("a client panicked") };
            let status = answered?.split(' ').nth(1).unwrap_or_default().to_owned();
            *statuses.entry(status).or_default() += 1;
        }
        Ok(())
    })?;
    assert_eq!(statuses, BTreeMap::from([("200".to_owned(), 50), ("429".to_owned(), 150)]));
    assert_eq!(bench.a.demo().requests().len(), 50);
    Ok(())
}
