//! How the native server treats connections: those of clients that are refused, that say nothing,
//! that are gone, and those of web pages.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use router_e2e::http::{Exchange, get, send};
use router_e2e::{Provider, Router};
use serde_json::json;

use crate::common::{ALL, JSON, Speaks};

const MODEL: &str = "demo/demo-chat";
const KEY: &str = "manners-master-key";

/// Sends a body as a network does, piece by piece, and fails as most clients do if it cannot be
/// sent to its end.
fn upload(address: SocketAddr, head: &str, bytes: usize) -> Result<u16> {
    let head = format!("{head}\r\nhost: x\r\ncontent-length: {bytes}\r\n\r\n");
    let mut exchange = Exchange::raw(address, head.as_bytes())?;
    let piece = vec![b' '; 0x8000];
    for sent in 0..bytes / 0x8000 {
        exchange.write(&piece).with_context(|| format!("after {sent} pieces"))?;
        std::thread::sleep(Duration::from_millis(1));
    }
    exchange.write(&vec![b' '; bytes % 0x8000])?;
    Ok(exchange.head()?.status)
}

#[test]
fn a_refused_client_can_send_its_body_to_the_end_and_read_why() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["masterKey"] = json!(KEY);
    config["server"] = json!({"requireAuth": true, "maxBodyBytes": 4_000_000});
    let router = Router::start(&config)?;
    let json = "content-type: application/json";
    for (line, status, bytes) in [
        (format!("POST /v1/messages HTTP/1.1\r\n{json}"), 401, 3 << 20),
        (format!("POST /v1/nowhere HTTP/1.1\r\nx-api-key: {KEY}\r\n{json}"), 404, 3 << 20),
        (format!("POST /v1/models HTTP/1.1\r\nx-api-key: {KEY}\r\n{json}"), 405, 3 << 20),
        (format!("POST /v1/messages HTTP/1.1\r\nx-api-key: {KEY}\r\n{json}"), 413, 6 << 20),
        (
            format!("POST /v1/messages HTTP/1.1\r\nx-api-key: {KEY}\r\ncontent-type: text/plain"),
            415,
            3 << 20,
        ),
    ] {
        let answered = upload(router.address(), &line, bytes).with_context(|| line.clone())?;
        ensure!(answered == status, "{line}: {answered}");
    }
    Ok(())
}

#[test]
fn a_client_that_waits_to_be_asked_for_a_refused_body_is_not_asked() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["server"] = json!({"maxBodyBytes": 100_000});
    let router = Router::start(&config)?;
    let head = "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                expect: 100-continue\r\ncontent-length: 200000\r\n\r\n";
    let begun = Instant::now();
    ensure!(Exchange::raw(router.address(), head.as_bytes())?.head()?.status == 413);
    ensure!(begun.elapsed() < Duration::from_secs(3), "after {:?}", begun.elapsed());
    Ok(())
}

/// How long a connection stays open on which `bytes` and nothing else are sent.
fn open_for(address: SocketAddr, bytes: &[u8]) -> Result<Duration> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    let begun = Instant::now();
    stream.write_all(bytes)?;
    std::io::copy(&mut stream.take(1 << 20), &mut std::io::sink())?;
    Ok(begun.elapsed())
}

#[test]
fn who_says_nothing_or_is_gone_holds_no_place() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["server"] = json!({"headerTimeoutMs": 300});
    let router = Router::start(&config)?;
    for bytes in [
        b"".as_slice(),
        b"P",
        b"PRI * HTTP/2.0\r\n\r\nS",
        b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n",
        // It is pinged, and does not answer.
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ] {
        let open = open_for(router.address(), bytes)?;
        let text = String::from_utf8_lossy(bytes);
        ensure!(Duration::from_millis(250) < open, "{text}: closed after {open:?}");
        ensure!(open < Duration::from_secs(10), "{text}: closed after {open:?}");
    }
    // A request that takes longer than that is not disturbed, however short it is.
    let body = Speaks::Chat.request("demo/demo-slow", false);
    let slow = send(router.address(), "POST", "/openai", &[JSON], body.to_string().as_bytes())?;
    ensure!(slow.status == 200, "{}", slow.text());
    ensure!(get(router.address(), "/health")?.status == 200);
    Ok(())
}

#[test]
fn a_name_of_any_length_makes_a_short_error() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let long = "m".repeat(40_000);
    for speaks in ALL {
        let body = speaks.request(&long, false).to_string();
        let path = speaks.path(&long, false);
        let answer = send(router.address(), "POST", &path, &[JSON], body.as_bytes())?;
        ensure!(answer.status == 404 && answer.body.len() < 1_000, "{}", answer.body.len());
        ensure!(speaks.error(&answer)?.message.contains("mmm…"), "{}", answer.text());
    }
    let one = get(router.address(), &format!("/v1/models/{long}"))?;
    ensure!(one.status == 404 && one.body.len() < 1_000, "{}", one.body.len());
    Ok(())
}

#[test]
fn a_page_of_the_web_cannot_spend_through_a_router_without_a_key() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["masterKey"] = json!(KEY);
    config["server"] = json!({"cors": {"allowedOrigins": ["https://ours.example"]}});
    let router = Router::start(&config)?;
    // What a browser sends for a page without asking first: a body of no declared type.
    let by_browser = ("sec-fetch-site", "cross-site");
    let ask = |origin: &str, more: &[(&str, &str)], speaks: Speaks| {
        let headers = [&[("origin", origin)], more].concat();
        let body = speaks.request(MODEL, false).to_string();
        send(router.address(), "POST", &speaks.path(MODEL, false), &headers, body.as_bytes())
    };
    for speaks in ALL {
        let rebound = ("host", "rebound.example:8787");
        for (origin, header) in [
            ("https://evil.example", by_browser),
            ("http://rebound.example:8787", rebound),
            ("null", by_browser),
        ] {
            let answer = ask(origin, &[header], speaks)?;
            ensure!(answer.status == 403, "{origin}: {}", answer.text());
            ensure!(speaks.error(&answer)?.message.contains("server.cors.allowedOrigins"));
        }
    }
    ensure!(provider.demo().requests().is_empty(), "nobody was asked");
    for origin in ["https://ours.example", "http://localhost:3000", "app://desktop"] {
        ensure!(ask(origin, &[by_browser], Speaks::Chat)?.status == 200, "{origin}");
    }
    // No browser, whatever it says.
    ensure!(ask("https://evil.example", &[], Speaks::Chat)?.status == 200);
    // Whoever has a key is no page that came by.
    ensure!(
        ask("https://evil.example", &[by_browser, ("x-api-key", KEY)], Speaks::Chat)?.status == 200
    );
    Ok(())
}
