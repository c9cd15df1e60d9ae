//! One suite, two hosts: what the native server does, the Worker in workerd does too.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};
use router_e2e::http::send;
use router_e2e::parity::{self, Scenario};
use router_e2e::provider::KEY;
use router_e2e::{Edge, Provider};
use serde_json::{Value, json};

mod figures;

/// The published report.
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/parity.md");
/// The key of clients, which a Worker always asks for.
const CLIENT_KEY: (&str, &str) = ("x-api-key", "gw-parity-key-6fJ2mQ9x");
/// Files played at the same time: most of the time is spent waiting.
const PLAYERS: usize = 3;

#[test]
fn both_hosts_do_what_the_parity_files_say_and_the_published_report_is_true() -> Result<()> {
    let is_update = std::env::var_os("UPDATE_DOCS").is_some();
    let names = Mutex::new(parity::names()?);
    let next = || names.lock().ok()?.pop();
    let play = || -> Vec<String> {
        let failed = |error: anyhow::Error| vec![format!("{error:#}")];
        let files = std::iter::from_fn(next);
        files.flat_map(|name| both(&name, is_update).unwrap_or_else(failed)).collect()
    };
    let different = std::thread::scope(|scope| {
        let players = [(); PLAYERS].map(|()| scope.spawn(play));
        let ended = players.into_iter().map(|it| it.join().map_err(|_| "a player panicked"));
        ended.flat_map(|it| it.unwrap_or_else(|why| vec![why.to_owned()])).collect::<Vec<_>>()
    });
    if !different.is_empty() {
        bail!("{} steps differ:\n{}", different.len(), different.join("\n"));
    }
    let fresh = parity::report()?;
    if is_update {
        std::fs::write(Path::new(REPORT), &fresh)?;
    }
    let published = std::fs::read_to_string(REPORT).context("docs/parity.md")?;
    assert!(published == fresh, "docs/parity.md is stale; run `cargo x parity`");
    Ok(())
}

/// The differences of both hosts from what a file expects, each host at the same time.
fn both(name: &str, is_update: bool) -> Result<Vec<String>> {
    let scenario = parity::load(name)?;
    let worker = |scenario: &Scenario| parity::worker(scenario).context("the Worker");
    let (native, worker) = std::thread::scope(|scope| {
        let worker = scope.spawn(|| worker(&scenario));
        (parity::native(&scenario), worker.join())
    });
    let native = native.with_context(|| format!("{name}: the native server"))?;
    let Ok(worker) = worker else { bail!("{name}: the Worker's client panicked") };
    if is_update {
        parity::write_expected(name, &native)?;
    }
    let mut different = parity::differences(&format!("native server, {name}"), name, &native)?;
    for outcomes in worker.with_context(|| name.to_owned())? {
        different.extend(parity::differences(&format!("Worker, {name}"), name, &outcomes)?);
    }
    Ok(different)
}

/// A config with one provider, called `a`, and one model, called `m`.
fn config(provider: &Provider, format: &str) -> Value {
    json!({
        "version": 2,
        "masterKey": CLIENT_KEY.1,
        "providers": [{
            "id": "a", "baseUrl": provider.demo().url(), "formats": [format], "apiKey": KEY,
            "models": [{"id": "m"}, {"id": "demo-chat"}],
        }],
    })
}

/// Two hundred requests at once on a bucket of fifty: the owner of the provider's state lets
/// exactly fifty pass, however many isolates ask.
#[test]
fn of_two_hundred_requests_at_once_on_a_bucket_of_fifty_the_worker_lets_exactly_fifty_pass()
-> Result<()> {
    let provider = Provider::start()?;
    let mut config = config(&provider, "openai");
    config["providers"][0]["rateLimits"] =
        json!([{"id": "month", "models": "all", "requests": 50, "window": {"unit": "month"}}]);
    let edge = Edge::start(&config)?;
    let body = json!({"model": "a/demo-chat", "messages": [{"role": "user", "content": "hi"}]});
    let body = body.to_string();
    let headers = [("content-type", "application/json"), CLIENT_KEY];
    let path = "/v1/chat/completions";
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    std::thread::scope(|scope| -> Result<()> {
        let ask = || send(edge.address(), "POST", path, &headers, body.as_bytes());
        let all: Vec<_> = (0..200).map(|_| scope.spawn(ask)).collect();
        for each in all {
            let Ok(answer) = each.join() else { bail!("a client panicked") };
            *statuses.entry(answer?.status).or_default() += 1;
        }
        Ok(())
    })?;
    assert_eq!(statuses, BTreeMap::from([(200, 50), (429, 150)]));
    assert_eq!(provider.demo().requests().len(), 50);
    Ok(())
}
