//! What the Worker costs, measured in workerd: the figures that plans of Cloudflare limit.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use router_e2e::{Edge, edge};
use serde_json::{Value, json};

use super::scenarios::Ask;
use super::{Bench, answer};

/// Where the figures are written down.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/results/worker.md");
/// Requests of one kind.
const REQUESTS: u32 = 300;
/// Requests before anything is measured, so that the code is compiled.
const WARM_UP: u32 = 60;
/// Events of a stream at least.
const EVENTS: usize = 200;

/// Compressed bytes of the module at most.
const SIZE_MAX: u64 = 1_000_000;
/// CPU of the start, beyond what a Worker that does nothing takes.
const START_MAX: Duration = Duration::from_millis(50);
/// CPU of a request that passes through.
const PASS_MAX: Duration = Duration::from_millis(2);
/// CPU of a translated stream of [`EVENTS`] events.
const STREAM_MAX: Duration = Duration::from_millis(10);

#[test]
fn the_worker_fits_into_the_free_plan() -> Result<()> {
    let bench = Bench::start()?;
    bench.reset();
    let mut config = bench.config();
    config["server"]["debug"] = json!(false);
    let size = size()?;
    let started = Edge::start(&config)?.cpu()?.saturating_sub(idle()?);
    let edge = Edge::start(&config)?;
    let chat = |model: &str, stream: bool, text: &str| {
        let messages = json!([{"role": "user", "content": text}]);
        let body = json!({"model": model, "messages": messages, "stream": stream});
        Ask::post("/v1/chat/completions", body)
    };
    let prompt = "Write 400 words.";
    let pass = cost(&edge, &chat("a/m", false, "hello"), 0)?;
    let pass_stream = cost(&edge, &chat("a/demo-chat", true, prompt), EVENTS)?;
    let translated = cost(&edge, &chat("messages/demo-chat", true, prompt), EVENTS)?;
    let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1_000.0);
    let rows = [
        (
            "module, compressed",
            format!("{:.0} KB", kilo(size)),
            format!("{:.0} KB", kilo(SIZE_MAX)),
        ),
        ("CPU of the start", ms(started), ms(START_MAX)),
        ("CPU of a request that passes through", ms(pass), ms(PASS_MAX)),
        ("CPU of a stream of 200 events that passes through", ms(pass_stream), ms(STREAM_MAX)),
        ("CPU of a translated stream of 200 events", ms(translated), ms(STREAM_MAX)),
    ];
    publish(&rows)?;
    assert!(size < SIZE_MAX, "{rows:?}");
    assert!(started < START_MAX, "{rows:?}");
    assert!(pass < PASS_MAX, "{rows:?}");
    assert!(pass_stream < STREAM_MAX && translated < STREAM_MAX, "{rows:?}");
    Ok(())
}

fn size() -> Result<u64> {
    let manifest = std::fs::read(edge::module()?.join("manifest.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    manifest["compressedBytes"].as_u64().context("no size")
}

/// CPU that workerd itself takes to start a Worker that does nothing.
fn idle() -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let manifest = json!({
        "mainModule": "index.mjs",
        "modules": [{"name": "index.mjs", "contentType": "application/javascript+module"}],
        "compatibilityDate": "2026-01-01",
        "compatibilityFlags": [],
        "durableObjects": [],
    });
    std::fs::write(folder.path().join("manifest.json"), manifest.to_string())?;
    let nothing = "export default { fetch() { return new Response(\"\"); } };\n";
    std::fs::write(folder.path().join("index.mjs"), nothing)?;
    Edge::start_with(&json!({ "bindings": {}, "module": folder.path() }))?.cpu()
}

/// CPU of one such request, on average, answered by at least so many `events`. Workerd's own
/// part, HTTP included, is in it.
fn cost(edge: &Edge, ask: &Ask, events: usize) -> Result<Duration> {
    let run = |count: u32| -> Result<()> {
        for _ in 0..count {
            let seen = answer(ask, edge.address())?;
            anyhow::ensure!(seen.starts_with("answer 200 complete=true"), "{seen}");
            let count = seen.matches("\ndata: ").count();
            anyhow::ensure!(events <= count, "{count} events");
        }
        Ok(())
    };
    run(WARM_UP)?;
    let before = edge.cpu()?;
    run(REQUESTS)?;
    Ok(edge.cpu()?.saturating_sub(before) / REQUESTS)
}

fn kilo(bytes: u64) -> f64 {
    Duration::from_millis(bytes).as_secs_f64()
}

fn publish(rows: &[(&str, String, String)]) -> Result<()> {
    if std::env::var_os("UPDATE_DOCS").is_none() {
        return Ok(());
    }
    let mut text = String::from(
        "# What the Worker costs\n\nWritten by `cargo x parity`. Measured in workerd, by the CPU time of its whole \
         process; a request's figure is the\naverage of 300, one after the other, with Durable Objects on. A start \
         is what it takes beyond a Worker that does\nnothing.\n\n| figure | measured | limit |\n|---|---|---|\n",
    );
    for (name, measured, limit) in rows {
        text += &format!("| {name} | {measured} | {limit} |\n");
    }
    std::fs::write(Path::new(PATH), text)?;
    Ok(())
}
