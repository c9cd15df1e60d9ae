//! How upstreams are reached: proxies, addresses, connections.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use anyhow::Result;
use router_e2e::http::post;
use router_e2e::origin::{Origin, answer, whole};
use router_e2e::provider::KEY;
use router_e2e::{Provider, Router};
use serde_json::{Value, json};

use crate::common::{ALL, IN_BODY, Speaks};

fn away() -> Value {
    json!({
        "version": 2,
        "providers": [{
            "id": "p", "baseUrl": "https://upstream.invalid", "formats": ["openai"],
            "apiKey": KEY, "models": ["m"],
        }],
        "routing": {"retry": {"attempts": 1}, "circuit": {"failures": 0}},
    })
}

fn ask(router: &Router) -> Result<u16> {
    let asked = Speaks::Chat.request("p/m", false);
    let answer = post(router.address(), "/v1/chat/completions", &asked)?;
    Speaks::Chat.error(&answer)?;
    Ok(answer.status)
}

#[test]
fn the_proxy_of_the_environment_is_asked_and_told_no_credential() -> Result<()> {
    for name in ["HTTPS_PROXY", "https_proxy"] {
        let proxy = Origin::saying(answer(502, &[], b""))?;
        let router = Router::start_with(&away(), &[], &[(name, &proxy.url())])?;
        assert_eq!(ask(&router)?, 502, "{name}");
        let request = proxy.last()?;
        assert_eq!(request.line, "CONNECT upstream.invalid:443", "{name}");
        assert!(!format!("{request:?}").contains(KEY), "{request:?}");
    }
    Ok(())
}

#[test]
fn what_is_exempt_from_the_proxy_is_asked_directly() -> Result<()> {
    for exempt in ["upstream.invalid", ".invalid", "*", "other.example, upstream.invalid"] {
        let proxy = Origin::saying(answer(502, &[], b""))?;
        let env = [("HTTPS_PROXY", proxy.url()), ("NO_PROXY", exempt.to_owned())];
        let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
        let router = Router::start_with(&away(), &[], &env)?;
        assert_eq!(ask(&router)?, 502, "{exempt}");
        assert!(proxy.received().is_empty(), "{exempt}");
    }
    Ok(())
}

#[test]
fn nothing_is_told_to_an_upstream_that_cannot_prove_who_it_is() -> Result<()> {
    // It takes the greeting of TLS and answers in plain text.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let heard = std::thread::spawn(move || -> Result<Vec<u8>> {
        let (mut stream, _) = listener.accept()?;
        let mut heard = vec![0; 4096];
        let read = stream.read(&mut heard)?;
        heard.truncate(read);
        stream.write_all(&whole("{\"id\":\"x\"}"))?;
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        let _ = stream.read_to_end(&mut heard);
        Ok(heard)
    });
    let mut config = away();
    config["providers"][0]["baseUrl"] = json!(format!("https://127.0.0.1:{port}"));
    let router = Router::start(&config)?;
    assert_eq!(ask(&router)?, 502);
    let heard = heard.join().map_err(|_| anyhow::anyhow!("the upstream panicked"))??;
    // A handshake record (RFC 8446 5.1), and no word of the request.
    assert_eq!(heard.first(), Some(&22));
    let text = String::from_utf8_lossy(&heard);
    assert!(!text.contains(KEY) && !text.contains("messages"), "{text}");
    Ok(())
}

#[test]
fn base_urls_are_completed_as_documented() -> Result<()> {
    let origin = Origin::saying(whole("{\"id\":\"x\"}"))?;
    let mut config = origin.config(&["openai", "claude", "responses"]);
    for (base, [chat, responses, messages]) in [
        ("", ["/v1/chat/completions", "/v1/responses", "/v1/messages"]),
        ("/", ["/v1/chat/completions", "/v1/responses", "/v1/messages"]),
        ("/v1", ["/v1/chat/completions", "/v1/responses", "/v1/messages"]),
        ("/v1/", ["/v1/chat/completions", "/v1/responses", "/v1/messages"]),
        ("/api/v4", ["/api/v4/chat/completions", "/api/v4/responses", "/api/v4/messages"]),
        ("/deep", ["/deep/v1/chat/completions", "/deep/v1/responses", "/deep/v1/messages"]),
    ] {
        config["providers"][0]["baseUrl"] = json!(format!("{}{base}", origin.url()));
        let router = Router::start(&config)?;
        for (speaks, path) in IN_BODY.into_iter().zip([chat, responses, messages]) {
            let asked = speaks.path("p/m", false);
            assert_eq!(post(router.address(), &asked, &speaks.request("p/m", false))?.status, 200);
            assert_eq!(origin.last()?.line, format!("POST {path}"), "{base}");
        }
    }
    Ok(())
}

#[test]
fn connections_to_an_upstream_are_used_again() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for _ in 0..5 {
        for speaks in ALL {
            for is_stream in [false, true] {
                let path = speaks.path("demo/demo-chat", is_stream);
                let body = speaks.request("demo/demo-chat", is_stream);
                assert_eq!(post(router.address(), &path, &body)?.status, 200);
            }
        }
    }
    let records = provider.demo().requests();
    let mut used: Vec<_> = records.iter().map(|record| record.connection).collect();
    used.dedup();
    used.sort_unstable();
    used.dedup();
    assert_eq!(records.len(), 40);
    // A pool for each of the router's threads, at most.
    let threads = std::thread::available_parallelism()?.get();
    assert!(used.len() <= threads * 4, "{} connections", used.len());
    Ok(())
}

#[test]
fn an_upstream_that_closes_kept_connections_is_dialled_again() -> Result<()> {
    // This one promises to keep the connection and closes it.
    let origin = Origin::start(|_, stream| {
        let body = "{\"id\":\"x\"}";
        let length = body.len();
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    })?;
    // One attempt: a close that crosses a request on its way is no failure.
    let router = Router::start(&origin.config(&["openai"]))?;
    for round in 0..60 {
        let asked = Speaks::Chat.request("p/m", false);
        let answer = post(router.address(), "/v1/chat/completions", &asked)?;
        assert_eq!(answer.status, 200, "{round}: {}", answer.text());
    }
    assert_eq!(origin.received().len(), 60, "none was answered twice");
    Ok(())
}
