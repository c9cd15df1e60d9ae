//! Streams that break, stall, come in odd pieces, or lose their reader.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use router_demo::{At, Fault, Options, Record, Script};
use router_e2e::http::{Answer, Exchange, post};
use router_e2e::origin::Origin;
use router_e2e::provider::KEY;
use router_e2e::{Provider, Router};
use serde_json::{Value, json};

use crate::common::{ALL, JSON, Speaks};

const MODEL: &str = "demo/m";

fn start(routing: &Value) -> Result<(Provider, Router)> {
    let provider = Provider::start()?;
    provider.demo().script("m", Script::default());
    let mut config = provider.config(&["m"])?;
    config["routing"] = routing.clone();
    config["routing"]["retry"] = json!({"attempts": 1});
    config["routing"]["circuit"] = json!({"failures": 0});
    let router = Router::start(&config)?;
    Ok((provider, router))
}

fn ask(router: &Router, speaks: Speaks) -> Result<Answer> {
    post(router.address(), &speaks.path(MODEL, true), &speaks.request(MODEL, true))
}

/// Whether the stream shows what a client takes for a proper end.
fn ends_cleanly(speaks: Speaks, answer: &Answer) -> bool {
    let text = answer.text();
    match speaks {
        Speaks::Chat => text.contains("[DONE]") || text.contains("\"finish_reason\":\""),
        Speaks::Responses => text.contains("response.completed"),
        Speaks::Messages => text.contains("message_stop") || text.contains("message_delta"),
        Speaks::Gemini => text.contains("finishReason"),
    }
}

#[test]
fn a_stream_that_breaks_after_output_ends_in_one_error_event() -> Result<()> {
    let (provider, router) = start(&json!({"timeouts": {"idleMs": 250}}))?;
    for fault in [
        Fault::Cut(At::AfterOutput),
        Fault::Cut(At::Middle),
        Fault::Reset(At::AfterOutput),
        Fault::Stall(At::AfterOutput),
        Fault::BadJson(At::AfterOutput),
        Fault::GarbageUtf8(At::AfterOutput),
        Fault::ErrorEvent(At::AfterOutput),
        Fault::All(vec![Fault::Split(3), Fault::Cut(At::AfterOutput)]),
    ] {
        for speaks in ALL {
            provider.demo().script("m", Script::always(fault.clone()));
            let answer = ask(&router, speaks)?;
            let shown = format!("{fault:?} {speaks:?}: {}", answer.text());
            assert_eq!(answer.status, 200, "{shown}");
            assert!(answer.complete, "{shown}");
            assert_eq!(speaks.stream_errors(&answer).len(), 1, "{shown}");
            assert!(!ends_cleanly(speaks, &answer), "{shown}");
            // The error is the last thing said, and it is whole.
            let last = answer.events().last().cloned().context("no event")?;
            serde_json::from_str::<Value>(&last).with_context(|| shown.clone())?;
            assert!(answer.text().ends_with("\n\n"), "{shown}");
            assert!(last.contains("error"), "{shown}");
        }
    }
    Ok(())
}

#[test]
fn a_stream_without_its_terminal_event_is_not_taken_for_complete() -> Result<()> {
    let (provider, router) = start(&json!({}))?;
    for fault in [Fault::NoTerminal, Fault::Cut(At::BeforeTerminal)] {
        for speaks in ALL {
            provider.demo().script("m", Script::always(fault.clone()));
            let answer = ask(&router, speaks)?;
            let shown = format!("{fault:?} {speaks:?}: {}", answer.text());
            assert_eq!(speaks.stream_errors(&answer).len(), 1, "{shown}");
            assert!(answer.events().last().is_some_and(|last| last.contains("error")), "{shown}");
            assert!(!answer.text().contains("[DONE]"), "{shown}");
            assert!(!answer.text().contains("message_stop"), "{shown}");
        }
    }
    Ok(())
}

#[test]
fn error_events_have_the_form_each_dialect_reads() -> Result<()> {
    let (provider, router) = start(&json!({}))?;
    provider.demo().script("m", Script::always(Fault::Cut(At::AfterOutput)));
    let text = ask(&router, Speaks::Messages)?.text();
    assert!(text.contains("event: error\ndata: {\"type\":\"error\",\"error\":{"), "{text}");
    let text = ask(&router, Speaks::Responses)?.text();
    assert!(text.contains("event: response.failed\ndata: {"), "{text}");
    let failed = ask(&router, Speaks::Responses)?;
    let numbers: Vec<_> = failed
        .events()
        .iter()
        .filter_map(|event| serde_json::from_str::<Value>(event).ok()?["sequence_number"].as_u64())
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let created: Value = serde_json::from_str(&failed.events()[0])?;
    let last: Value = serde_json::from_str(failed.events().last().context("no event")?)?;
    assert_eq!(created["response"]["id"], last["response"]["id"]);
    Ok(())
}

#[test]
fn every_split_of_a_stream_gives_the_client_the_same_bytes() -> Result<()> {
    for speaks in ALL {
        let mut expect: Option<String> = None;
        for fault in [
            None,
            Some(Fault::Split(1)),
            Some(Fault::Split(2)),
            Some(Fault::Split(7)),
            Some(Fault::Split(61)),
            Some(Fault::Drip { bytes: 97, every: Duration::from_millis(1) }),
        ] {
            // A provider of its own each time, for it numbers its answers.
            let (provider, router) = start(&json!({}))?;
            provider.demo().script("m", fault.clone().map_or_else(Script::default, Script::always));
            let answer = ask(&router, speaks)?;
            assert!(speaks.is_complete_stream(&answer), "{speaks:?} {fault:?}: {}", answer.text());
            let text = answer.text();
            assert_eq!(&text, expect.get_or_insert_with(|| text.clone()), "{speaks:?} {fault:?}");
        }
    }
    Ok(())
}

#[test]
fn a_large_event_passes_whole() -> Result<()> {
    let (provider, router) = start(&json!({}))?;
    for speaks in ALL {
        provider.demo().script("m", Script::always(Fault::Oversize(2 << 20)));
        let answer = ask(&router, speaks)?;
        assert!(speaks.is_complete_stream(&answer), "{speaks:?}");
        assert!(2 << 20 <= answer.body.len(), "{speaks:?}: {}", answer.body.len());
    }
    Ok(())
}

/// How often the client was kept alive before its answer began. Google's SDKs take a comment for a
/// broken event, so Gemini clients get empty lines.
fn pings(speaks: Speaks, answer: &Answer) -> usize {
    let text = answer.text();
    match speaks {
        Speaks::Gemini => text.len() - text.trim_start_matches('\n').len(),
        _ => text.matches(": keep-alive\n\n").count(),
    }
}

#[test]
fn a_waiting_client_is_kept_alive_and_then_served() -> Result<()> {
    let (provider, router) = start(&json!({"stream": {"keepAliveMs": 50}}))?;
    for speaks in ALL {
        let fault = Fault::SlowHead(Duration::from_millis(300));
        provider.demo().script("m", Script::always(fault));
        let answer = ask(&router, speaks)?;
        let pings = pings(speaks, &answer);
        assert!((3..=8).contains(&pings), "{speaks:?}: {pings} pings");
        assert!(speaks.is_complete_stream(&answer), "{speaks:?}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
    }
    Ok(())
}

#[test]
fn a_client_that_was_kept_alive_gets_a_late_failure_as_one_event() -> Result<()> {
    let (provider, router) = start(&json!({"stream": {"keepAliveMs": 50}}))?;
    for speaks in ALL {
        let late = Fault::SlowHead(Duration::from_millis(120));
        let fault = Fault::All(vec![late, Fault::status(500)]);
        provider.demo().script("m", Script::always(fault));
        let answer = ask(&router, speaks)?;
        assert_eq!((answer.status, answer.complete), (200, true), "{speaks:?}");
        assert!(0 < pings(speaks, &answer), "{speaks:?}: {}", answer.text());
        assert_eq!(speaks.stream_errors(&answer).len(), 1, "{speaks:?}: {}", answer.text());
        assert!(!ends_cleanly(speaks, &answer), "{speaks:?}: {}", answer.text());
    }
    Ok(())
}

#[test]
fn a_stream_that_pauses_is_kept_alive_in_between() -> Result<()> {
    let (provider, router) = start(&json!({"stream": {"keepAliveMs": 60}}))?;
    for speaks in [Speaks::Chat, Speaks::Messages] {
        provider.demo().script("m", Script::always(Fault::Pace(Duration::from_millis(100))));
        let answer = ask(&router, speaks)?;
        let sign = match speaks {
            // Claude Code does not count comments.
            Speaks::Messages => "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            _ => ": keep-alive\n\n",
        };
        assert!(answer.text().contains(sign), "{speaks:?}: {}", answer.text());
        assert!(speaks.is_complete_stream(&answer), "{speaks:?}");
    }
    Ok(())
}

/// Waits until the provider's latest request has come to an end of its own.
fn wait_for(provider: &Provider, is: impl Fn(&Record) -> bool) -> Result<Record> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let records = provider.demo().requests();
        if let Some(record) = records.last().filter(|record| is(record)) {
            return Ok(record.clone());
        }
        if deadline < Instant::now() {
            bail!("it never happened: {records:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn d8_a_client_that_leaves_cancels_the_upstream_at_once() -> Result<()> {
    // Where the answer stands when the client goes.
    for fault in [
        Fault::BlackHole,
        Fault::Stall(At::BeforeOutput),
        Fault::Stall(At::AfterOutput),
        Fault::Pace(Duration::from_millis(300)),
    ] {
        let (provider, router) = start(&json!({}))?;
        for speaks in ALL {
            for is_stream in [false, true] {
                provider.demo().reset();
                provider.demo().script("m", Script::always(fault.clone()));
                let body = speaks.request(MODEL, is_stream).to_string();
                let path = speaks.path(MODEL, is_stream);
                let exchange =
                    Exchange::open(router.address(), "POST", &path, &[JSON], body.as_bytes())?;
                let is_whole_at_once = !is_stream && matches!(fault, Fault::Pace(_));
                if is_whole_at_once {
                    continue;
                }
                wait_for(&provider, |_| true)?;
                if is_stream && matches!(fault, Fault::Stall(At::AfterOutput)) {
                    let mut exchange = exchange;
                    assert_eq!(exchange.head()?.status, 200);
                    drop(exchange);
                } else {
                    drop(exchange);
                }
                let left = Instant::now();
                let record = wait_for(&provider, |record| record.aborted.is_some())
                    .with_context(|| format!("{fault:?} {speaks:?} stream: {is_stream}"))?;
                let late = record.aborted.context("not aborted")?.saturating_duration_since(left);
                assert!(late < Duration::from_millis(250), "{fault:?} {speaks:?}: {late:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn d8_a_client_that_leaves_while_it_is_kept_alive_cancels_too() -> Result<()> {
    let (provider, router) = start(&json!({"stream": {"keepAliveMs": 20}}))?;
    provider.demo().script("m", Script::always(Fault::BlackHole));
    let body = Speaks::Chat.request(MODEL, true).to_string();
    let path = Speaks::Chat.path(MODEL, true);
    let mut exchange = Exchange::open(router.address(), "POST", &path, &[JSON], body.as_bytes())?;
    assert_eq!(exchange.head()?.status, 200);
    drop(exchange);
    wait_for(&provider, |record| record.aborted.is_some())?;
    Ok(())
}

#[test]
fn silence_within_the_idle_limit_is_no_failure() -> Result<()> {
    let (provider, router) = start(&json!({"timeouts": {"idleMs": 400, "firstByteMs": 5_000}}))?;
    provider.demo().script("m", Script::always(Fault::Pace(Duration::from_millis(120))));
    let begun = Instant::now();
    let answer = ask(&router, Speaks::Chat)?;
    assert!(Speaks::Chat.is_complete_stream(&answer), "{}", answer.text());
    assert!(Duration::from_millis(400) < begun.elapsed());
    provider.demo().script("m", Script::always(Fault::Stall(At::AfterOutput)));
    let begun = Instant::now();
    let answer = ask(&router, Speaks::Chat)?;
    assert_eq!(Speaks::Chat.stream_errors(&answer).len(), 1, "{}", answer.text());
    let took = begun.elapsed();
    assert!(Duration::from_millis(390) < took && took < Duration::from_secs(3), "{took:?}");
    Ok(())
}

#[test]
fn an_upstream_that_never_begins_is_given_up() -> Result<()> {
    let (provider, router) = start(&json!({"timeouts": {"firstByteMs": 200}}))?;
    for speaks in ALL {
        for is_stream in [false, true] {
            for fault in [Fault::BlackHole, Fault::SlowHead(Duration::from_secs(9))] {
                provider.demo().script("m", Script::always(fault));
                let path = speaks.path(MODEL, is_stream);
                let answer = post(router.address(), &path, &speaks.request(MODEL, is_stream))?;
                assert_eq!(answer.status, 504, "{speaks:?}: {}", answer.text());
                speaks.error(&answer)?;
            }
        }
    }
    Ok(())
}

#[test]
fn a_stream_that_repeats_its_end_is_complete_once() -> Result<()> {
    let (provider, router) = start(&json!({}))?;
    for speaks in ALL {
        provider.demo().script("m", Script::always(Fault::DoubleTerminal));
        let answer = ask(&router, speaks)?;
        assert!(answer.complete, "{speaks:?}");
        assert!(speaks.stream_errors(&answer).is_empty(), "{speaks:?}: {}", answer.text());
    }
    Ok(())
}

#[test]
fn a_whole_answer_to_a_streaming_request_is_no_stream() -> Result<()> {
    // Some upstreams ignore `stream`. A client that waits for events must not get a bare object.
    let body = r#"{"id":"c","object":"chat.completion","choices":[]}"#;
    let origin = Origin::start(move |_, stream| {
        let _ = stream.write_all(&router_e2e::origin::whole(body));
    })?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let asked = json!({"model": "p/m", "messages": [], "stream": true});
    let answer = post(router.address(), "/v1/chat/completions", &asked)?;
    let is_stream = answer.header("content-type").is_some_and(|kind| kind.contains("event-stream"));
    assert_eq!(is_stream, answer.text().starts_with("data:"), "{}", answer.text());
    Ok(())
}

#[test]
fn a_slow_reader_slows_the_upstream_instead_of_filling_memory() -> Result<()> {
    const BYTES: usize = 64 << 20;
    let options = Options { key: Some(KEY.to_owned()), ..Options::default() };
    let provider = Provider::start_with(options)?;
    provider.demo().script("m", Script::default());
    let event = format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(8_000)
    );
    let origin = Origin::start(move |_, stream| {
        let head = router_e2e::origin::stream("");
        let _ = stream.write_all(&head);
        let mut sent = 0;
        while sent < BYTES && stream.write_all(event.as_bytes()).is_ok() {
            sent += event.len();
        }
    })?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let before = router.memory_kib("VmRSS")?;
    let body = json!({"model": "p/m", "messages": [], "stream": true}).to_string();
    let path = "/v1/chat/completions";
    let mut exchange = Exchange::open(router.address(), "POST", path, &[JSON], body.as_bytes())?;
    assert_eq!(exchange.head()?.status, 200);
    std::thread::sleep(Duration::from_millis(400));
    let grown = router.memory_kib("VmRSS")?.saturating_sub(before);
    assert!(grown < 16 * 1024, "grew by {grown} KiB for one reader that does not read");
    Ok(())
}

#[test]
fn a_gemini_client_that_does_not_ask_for_events_gets_one_array() -> Result<()> {
    let provider = Provider::start()?;
    let url = provider.demo().url();
    let of = |id: &str, format: &str, path: &str| {
        json!({
            "id": id, "baseUrl": format!("{url}{path}"), "apiKey": KEY,
            "format": format, "models": ["demo-chat"],
        })
    };
    let providers = [of("gem", "gemini", ""), of("chat", "openai", "/v1")];
    let router = Router::start(&json!({ "version": 2, "providers": providers }))?;
    let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Say hello." }] }] });
    for model in ["gem%2Fdemo-chat", "chat%2Fdemo-chat"] {
        let path = format!("/v1beta/models/{model}:streamGenerateContent");
        let answer = post(router.address(), &path, &body)?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"), "{model}");
        let pieces = answer.json()?;
        let pieces = pieces.as_array().context("not an array")?;
        assert!(pieces.iter().all(|piece| piece["candidates"].is_array()), "{pieces:?}");
        let events = post(router.address(), &format!("{path}?alt=sse"), &body)?;
        assert!(
            events.header("content-type").is_some_and(|it| it.starts_with("text/event-stream"))
        );
        assert!(events.events().len() > 1, "{}", events.text());
    }
    Ok(())
}
