//! Many at once, soon, and with little.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use router_demo::{Fault, Script};
use router_e2e::http::{Exchange, get, post};
use router_e2e::{Provider, Router};
use serde_json::json;

use crate::common::{ALL, JSON, Speaks};

#[test]
fn two_hundred_streams_at_once_all_complete() -> Result<()> {
    const STREAMS: usize = 200;
    let provider = Provider::start()?;
    provider.demo().script("m", Script::always(Fault::Pace(Duration::from_millis(30))));
    let router = Router::start(&provider.config(&["m"])?)?;
    // One of each first, for what is only ever set up once.
    for speaks in ALL {
        post(router.address(), &speaks.path("demo/m", true), &speaks.request("demo/m", true))?;
    }
    let idle = router.memory_kib("VmRSS")?;
    let mut open = Vec::with_capacity(STREAMS);
    for number in 0..STREAMS {
        let speaks = ALL[number % ALL.len()];
        let body = speaks.request("demo/m", true).to_string();
        let path = speaks.path("demo/m", true);
        let sent = Exchange::open(router.address(), "POST", &path, &[JSON], body.as_bytes())?;
        open.push((speaks, sent));
    }
    let busy = router.memory_kib("VmRSS")?;
    let readers: Vec<_> = open
        .into_iter()
        .map(|(speaks, sent)| thread::spawn(move || (speaks, sent.finish())))
        .collect();
    for reader in readers {
        let (speaks, answer) = reader.join().map_err(|_| anyhow::anyhow!("a reader panicked"))?;
        let answer = answer?;
        assert!(speaks.is_complete_stream(&answer), "{speaks:?}: {}", answer.text());
    }
    assert_eq!(provider.demo().requests().len(), STREAMS + ALL.len());
    // A debug build needs more than the 100 KB per stream that a release build may use.
    let each = busy.saturating_sub(idle) / u64::try_from(STREAMS)?;
    assert!(each < 300, "{each} KiB per stream");
    Ok(())
}

#[test]
fn many_requests_at_once_are_all_answered_in_full() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let address = router.address();
    let clients: Vec<_> = (0..16)
        .map(|number| {
            thread::spawn(move || -> Result<()> {
                let speaks = ALL[number % ALL.len()];
                let body = speaks.request("demo/demo-chat", false);
                let path = speaks.path("demo/demo-chat", false);
                for _ in 0..25 {
                    let answer = post(address, &path, &body)?;
                    assert!(speaks.is_answer(&answer), "{}: {}", answer.status, answer.text());
                    assert!(answer.complete);
                }
                Ok(())
            })
        })
        .collect();
    for client in clients {
        client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    Ok(())
}

#[test]
fn the_router_is_ready_soon_after_its_start() -> Result<()> {
    let provider = Provider::start()?;
    let config = provider.config(&[])?;
    // The best of three: other tests run beside this one.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let router = Router::start(&config)?;
        assert_eq!(get(router.address(), "/ready")?.status, 200);
        best = best.min(begun.elapsed());
    }
    assert!(best < Duration::from_secs(1), "{best:?}");
    Ok(())
}

#[test]
fn the_binary_needs_the_c_library_and_nothing_else() -> Result<()> {
    let output = Command::new("ldd").arg(router_e2e::router::binary()?).output()?;
    let text = String::from_utf8(output.stdout)?;
    for line in text.lines() {
        let name = line.split_whitespace().next().context("an empty line")?;
        let known = ["linux-vdso", "libc.", "libm.", "libgcc_s.", "libpthread.", "libdl.", "/lib"];
        assert!(known.iter().any(|each| name.starts_with(each)), "{name}");
    }
    Ok(())
}

#[test]
fn the_demo_answers_without_any_config() -> Result<()> {
    let router = Router::demo(&[])?;
    for speaks in ALL {
        for model in ["demo", "demo/demo-chat"] {
            let path = speaks.path(model, false);
            let answer = post(router.address(), &path, &speaks.request(model, false))?;
            assert!(speaks.is_answer(&answer), "{path}: {}", answer.text());
            let path = speaks.path(model, true);
            let answer = post(router.address(), &path, &speaks.request(model, true))?;
            assert!(speaks.is_complete_stream(&answer), "{path}: {}", answer.text());
        }
    }
    let unnamed = json!({"messages": [{"role": "user", "content": "hi"}]});
    let answer = post(router.address(), "/v1/chat/completions", &unnamed)?;
    assert!(Speaks::Chat.is_answer(&answer), "{}", answer.text());
    let left: Vec<_> = std::fs::read_dir(router.home())?.flatten().collect();
    // Only where the router is, for `status` and `stop`.
    assert!(left.iter().all(|entry| entry.file_name() == ".llm-router"), "{left:?}");
    Ok(())
}

#[test]
fn a_body_of_many_megabytes_passes() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let picture = format!("data:image/png;base64,{}", "QUJD".repeat(5 << 20));
    let body = json!({
        "model": "demo/demo-chat",
        "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": picture}},
            {"type": "text", "text": "What is this?"},
        ]}],
    });
    let answer = post(router.address(), "/v1/chat/completions", &body)?;
    let record = provider.demo().requests().pop().context("never asked")?;
    assert_eq!(record.body.len() + "demo/".len(), body.to_string().len());
    assert!(answer.status == 200 || answer.status == 400, "{}", answer.text());
    assert!(Speaks::Chat.is_answer(&answer) || Speaks::Chat.error(&answer).is_ok());
    Ok(())
}
