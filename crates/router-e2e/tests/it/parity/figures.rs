//! What the Worker costs, measured in workerd: the figures that plans of Cloudflare limit.
//!
//! A machine that does other things inflates CPU times, and tests run beside others; so they only
//! fail where a figure is far off. `cargo x parity` measures alone and writes the figures down.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use router_e2e::http::send;
use router_e2e::{Edge, Provider, edge};
use serde_json::{Value, json};

use super::{CLIENT_KEY, config};
use crate::common::{JSON, Speaks};

/// Where the figures are written down.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/results/worker.md");
/// Events of a stream at least.
const EVENTS: usize = 200;
/// How long workerd is watched at rest.
const REST: Duration = Duration::from_secs(1);

/// Compressed bytes of the module at most.
const SIZE_MAX: u64 = 1_000_000;
/// What the start should take, beyond the platform's part.
const START_TARGET: Duration = Duration::from_millis(50);
/// What a request that passes through should take.
const PASS_TARGET: Duration = Duration::from_millis(2);
/// What a stream of [`EVENTS`] events should take.
const STREAM_TARGET: Duration = Duration::from_millis(10);
/// A test fails beyond so many times a target: then something got worse, on any machine.
const LEEWAY: u32 = 8;

/// A Worker that hands a request on and its answer back, piece by piece: what the platform takes
/// for that, whoever writes the code.
const RELAY: &str = "export default { async fetch(request, env) {
  const headers = { authorization: `Bearer ${env.CREDENTIAL}`, 'content-type': 'application/json' };
  const body = (await request.text()).replace('a/', '');
  const answer = await fetch(env.UPSTREAM, { method: 'POST', headers, body });
  const reader = answer.body.getReader();
  const pull = async (out) => {
    const { done, value } = await reader.read();
    if (done) out.close(); else out.enqueue(value);
  };
  return new Response(new ReadableStream({ pull }), { headers: answer.headers });
} };
";

/// How much is measured. Of starts and of batches the cheapest counts: what else a machine does
/// only adds to it.
struct Effort {
    /// Requests before anything is measured, so that the code is compiled.
    warm_up: u32,
    batches: u32,
    /// Requests of a batch.
    requests: u32,
    /// Streams of a batch.
    streams: u32,
    starts: u32,
}

const EXACT: Effort = Effort { warm_up: 200, batches: 5, requests: 200, streams: 40, starts: 7 };
const QUICK: Effort = Effort { warm_up: 10, batches: 1, requests: 20, streams: 20, starts: 1 };

/// One line of the report: CPU time of workerd, and how much of it is the platform's part.
struct Figure {
    name: &'static str,
    whole: Duration,
    platform: Duration,
    target: Duration,
}

impl Figure {
    fn own(&self) -> Duration {
        self.whole.saturating_sub(self.platform)
    }
}

#[test]
fn what_the_worker_costs_is_near_what_the_free_plan_gives() -> Result<()> {
    let is_update = std::env::var_os("UPDATE_DOCS").is_some();
    let effort = if is_update { EXACT } else { QUICK };
    let size = size()?;
    let figures = measure(&effort)?;
    if is_update {
        publish(size, &figures, &effort)?;
    }
    ensure!(size < SIZE_MAX, "{size} bytes, compressed");
    for figure in figures {
        let (own, most) = (figure.own(), figure.target * LEEWAY);
        ensure!(own < most, "{}: {own:?} of {most:?}", figure.name);
    }
    Ok(())
}

fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let provider = Provider::start()?;
    let (native, translated) = (config(&provider, "openai"), config(&provider, "claude"));
    let bindings = json!({ "LLM_ROUTER_CONFIG_JSON": native.to_string() });
    let with = |objects: bool| json!({ "bindings": bindings, "objects": objects });
    let relay = relay_module()?;
    let upstream = format!("{}/v1/chat/completions", provider.demo().url());
    let bindings = json!({ "UPSTREAM": upstream, "CREDENTIAL": router_e2e::provider::KEY });
    let relay = json!({ "bindings": bindings, "module": relay.path() });
    let start = |options: &Value| -> Result<Duration> {
        let once = |_| Edge::start_with(options)?.cpu();
        let all: Vec<Duration> = (0..effort.starts).map(once).collect::<Result<_>>()?;
        all.into_iter().min().context("no start")
    };
    let started = (start(&with(true))?, start(&relay)?);
    let edge = Edge::start_with(&relay)?;
    let platform = (cost(&edge, effort, false)?, cost(&edge, effort, true)?);
    let edge = Edge::start_with(&with(false))?;
    let alone = cost(&edge, effort, false)?;
    let edge = Edge::start_with(&with(true))?;
    let (whole, stream) = (cost(&edge, effort, false)?, cost(&edge, effort, true)?);
    let counted = cost(&Edge::start(&limited(native))?, effort, false)?;
    let translated = cost(&Edge::start(&translated)?, effort, true)?;
    let figure = |name, whole, platform, target| Figure { name, whole, platform, target };
    Ok(vec![
        figure("start", started.0, started.1, START_TARGET),
        figure("passing request, state in the isolate", alone, platform.0, PASS_TARGET),
        figure("passing request, state in a Durable Object", whole, platform.0, PASS_TARGET),
        figure("the same, counted by a bucket: a row each", counted, platform.0, PASS_TARGET),
        figure("passing stream of 200 events", stream, platform.1, STREAM_TARGET),
        figure("translated stream of 200 events", translated, platform.1, STREAM_TARGET),
    ])
}

/// The same config with a bucket that is never full.
fn limited(mut config: Value) -> Value {
    config["providers"][0]["rateLimits"] = json!([{
        "id": "month", "models": "all", "requests": 1_000_000, "window": {"unit": "month"},
    }]);
    config
}

fn size() -> Result<u64> {
    let manifest = std::fs::read(edge::module()?.join("manifest.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    manifest["compressedBytes"].as_u64().context("no size")
}

/// The module of [`RELAY`].
fn relay_module() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let manifest = json!({
        "mainModule": "index.mjs",
        "modules": [{"name": "index.mjs", "contentType": "application/javascript+module"}],
        "compatibilityDate": "2026-01-01",
        "compatibilityFlags": [],
        "durableObjects": [],
    });
    std::fs::write(folder.path().join("manifest.json"), manifest.to_string())?;
    std::fs::write(folder.path().join("index.mjs"), RELAY)?;
    Ok(folder)
}

/// CPU of one request of a Chat client, on average over the cheapest batch, beyond what workerd
/// takes at rest.
fn cost(edge: &Edge, effort: &Effort, is_stream: bool) -> Result<Duration> {
    let mut body = Speaks::Chat.request("a/demo-chat", is_stream);
    if is_stream {
        body["messages"][0]["content"] = json!("Write 400 words.");
    }
    let (body, path) = (body.to_string(), Speaks::Chat.path("", is_stream));
    let run = |count: u32| -> Result<()> {
        for _ in 0..count {
            let headers = [JSON, CLIENT_KEY];
            let answer = send(edge.address(), "POST", &path, &headers, body.as_bytes())?;
            ensure!(answer.status == 200 && answer.complete, "{}", answer.text());
            let events = answer.events().len();
            ensure!(!is_stream || EVENTS <= events, "{events} events");
        }
        Ok(())
    };
    let count = if is_stream { effort.streams } else { effort.requests };
    run(effort.warm_up.min(count * effort.batches))?;
    let batch = || -> Result<Duration> {
        let before = edge.cpu()?;
        std::thread::sleep(REST);
        let (middle, begun) = (edge.cpu()?, Instant::now());
        run(count)?;
        let at_rest = middle.saturating_sub(before).mul_f64(begun.elapsed().div_duration_f64(REST));
        Ok(edge.cpu()?.saturating_sub(middle).saturating_sub(at_rest) / count)
    };
    let all: Vec<Duration> = (0..effort.batches).map(|_| batch()).collect::<Result<_>>()?;
    all.into_iter().min().context("no batch")
}

fn publish(size: u64, figures: &[Figure], effort: &Effort) -> Result<()> {
    let Effort { warm_up, batches, requests, streams, starts } = effort;
    let mut text = format!(
        "# What the Worker costs\n\nWritten by `cargo x parity`. CPU time of the whole workerd process (`/proc`, user and \
         system), beyond what it takes at\nrest. A request's figure is the average of {requests}, one after the other, a \
         stream's of {streams}; the cheapest of {batches} such batches\ncounts, after {warm_up} requests that are not \
         measured. A start is the cheapest of {starts}. The platform's part is what a Worker of\nten lines of JavaScript \
         takes that hands the same request to the same provider and its answer back piece by piece.\nThe rest is the \
         router's, the Durable Object with its SQLite and Miniflare's own Workers included. Every event of a\nstream comes \
         in a piece of its own. A busy machine inflates all of it.\n\n\
         | figure | CPU | platform's part | router's part | target | met |\n|---|---|---|---|---|---|\n"
    );
    for figure in figures {
        let own = figure.own();
        let [whole, platform, own_ms] =
            [figure.whole, figure.platform, own].map(|time| time.as_secs_f64() * 1_000.0);
        let (name, target) = (figure.name, figure.target.as_millis());
        let met = if own < figure.target { "yes" } else { "no" };
        text += &format!(
            "| {name} | {whole:.1} ms | {platform:.1} ms | {own_ms:.1} ms | {target} ms | {met} |\n"
        );
    }
    let kilo = |bytes: u64| Duration::from_millis(bytes).as_secs_f64();
    let (measured, limit) = (kilo(size), kilo(SIZE_MAX));
    text +=
        &format!("\nThe module is {measured:.0} KB, compressed; the target is {limit:.0} KB.\n");
    Ok(std::fs::write(Path::new(PATH), text)?)
}
