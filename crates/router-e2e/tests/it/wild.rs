//! What upstreams and networks do beside answering wrongly: the edges of HTTP itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use router_demo::{At, Fault, Script};
use router_e2e::http::{Exchange, post};
use router_e2e::origin::{Origin, whole};
use router_e2e::{Provider, Router};
use serde_json::{Value, json};

use crate::common::{IN_BODY, Speaks};

const CHAT: &str = "/v1/chat/completions";
const GOOD: &str = r#"{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;

fn request(stream: bool) -> Value {
    Speaks::Chat.request("p/m", stream)
}

/// A chunked answer with these chunks as they are, and the end.
fn chunked(kind: &str, chunks: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: \
         close\r\n\r\n{chunks}"
    )
    .into_bytes()
}

#[test]
fn a_head_that_drips_is_given_up_in_time() -> Result<()> {
    let origin = Origin::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nx-slow: ".iter().chain(std::iter::repeat(&b'y'));
        for byte in head.take(400) {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(25));
        }
    })?;
    let mut config = origin.config(&["openai"]);
    config["routing"]["timeouts"] = json!({ "firstByteMs": 500 });
    let router = Router::start(&config)?;
    for stream in [false, true] {
        let begun = Instant::now();
        let answer = post(router.address(), CHAT, &request(stream))?;
        assert_eq!(answer.status, 504, "{}", answer.text());
        assert!(begun.elapsed() < Duration::from_secs(4), "a byte now and then buys no time");
    }
    Ok(())
}

#[test]
fn odd_but_legal_wrappings_are_understood() -> Result<()> {
    let length = GOOD.len();
    let informational = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(20);
    let body = String::from_utf8(whole(GOOD))?;
    for (what, bytes) in [
        ("many 103s", format!("{informational}{body}").into_bytes()),
        (
            "chunk extensions",
            chunked(
                "application/json",
                &format!("{length:x};a=b;c=\"d\"\r\n{GOOD}\r\n0;z\r\n\r\n"),
            ),
        ),
        (
            "trailers",
            chunked(
                "application/json",
                &format!("{length:x}\r\n{GOOD}\r\n0\r\nx-after: provider-secret\r\n\r\n"),
            ),
        ),
        (
            "leading zeros",
            chunked("application/json", &format!("0000{length:x}\r\n{GOOD}\r\n0000\r\n\r\n")),
        ),
        (
            "no length",
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{GOOD}").into_bytes(),
        ),
        (
            "HTTP/1.0",
            format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{GOOD}").into_bytes(),
        ),
    ] {
        let origin = Origin::saying(bytes)?;
        let router = Router::start(&origin.config(&["openai"]))?;
        let answer = post(router.address(), CHAT, &request(false))?;
        assert_eq!((answer.status, answer.text().as_str()), (200, GOOD), "{what}");
        assert!(answer.headers.iter().all(|(_, value)| value != "provider-secret"), "{what}");
    }
    Ok(())
}

#[test]
fn abuse_of_http_is_a_bad_gateway_and_costs_no_memory() -> Result<()> {
    let many = (0..5_000).fold(String::new(), |all, n| format!("{all}x-{n}: y\r\n"));
    let extension = "e".repeat(8 << 20);
    let trailers = "t".repeat(8 << 20);
    for (what, bytes) in [
        ("too many headers", format!("HTTP/1.1 200 OK\r\n{many}\r\n{GOOD}").into_bytes()),
        (
            "an endless chunk extension",
            chunked("application/json", &format!("5;{extension}\r\nhello\r\n0\r\n\r\n")),
        ),
        (
            "endless trailers",
            chunked("application/json", &format!("2\r\n{{}}\r\n0\r\nx: {trailers}\r\n\r\n")),
        ),
        ("a chunk too large to exist", chunked("application/json", "ffffffffffffffffff\r\n{}")),
        (
            "a switch of protocols",
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
                .to_vec(),
        ),
    ] {
        let origin = Origin::saying(bytes)?;
        let router = Router::start(&origin.config(&["openai", "claude", "responses"]))?;
        for speaks in IN_BODY {
            let path = speaks.path("p/m", false);
            let answer = post(router.address(), &path, &speaks.request("p/m", false))?;
            assert!(500 <= answer.status, "{what} {path}: {} {}", answer.status, answer.text());
            speaks.error(&answer).with_context(|| format!("{what} {path}"))?;
        }
        let peak = router.memory_kib("VmHWM")?;
        assert!(peak < 120 * 1024, "{what}: {peak} KiB");
    }
    Ok(())
}

#[test]
fn a_compressed_stream_is_no_stream_and_another_upstream_is_asked() -> Result<()> {
    let gzip =
        chunked("text/event-stream\r\ncontent-encoding: gzip", "4\r\n\u{1f}abc\r\n0\r\n\r\n");
    let bad = Origin::saying(gzip)?;
    let good = Provider::start()?;
    let mut config = good.config(&[])?;
    config["providers"].as_array_mut().context("no providers")?.push(json!({
        "id": "bad", "baseUrl": bad.url(), "format": "openai", "models": ["m"],
    }));
    config["modelAliases"] =
        json!({ "x": { "strategy": "ordered", "targets": ["bad/m", "demo/demo-chat"] } });
    let router = Router::start(&config)?;
    let answer = post(router.address(), CHAT, &Speaks::Chat.request("x", true))?;
    assert!(Speaks::Chat.is_complete_stream(&answer), "{}", answer.text());
    assert_eq!(bad.received()[0].header("accept-encoding"), "identity");
    Ok(())
}

#[test]
fn an_upstream_that_half_closes_has_said_all_it_will() -> Result<()> {
    let origin = Origin::start(|_, stream: &mut TcpStream| {
        let half =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{";
        let _ = stream.write_all(half.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        thread::sleep(Duration::from_secs(8));
    })?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let begun = Instant::now();
    let answer = post(router.address(), CHAT, &request(false))?;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for what cannot come");
    Ok(())
}

#[test]
fn aborted_clients_leave_no_memory_behind() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let body = Speaks::Chat.request("demo/demo-slow", true).to_string();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: \
         {}\r\n\r\n{body}",
        body.len()
    );
    let abort = |count: usize| -> Result<()> {
        for batch in 0..count / 50 {
            let all = (0..50).map(|_| Exchange::raw(router.address(), head.as_bytes()));
            let all = all.collect::<Result<Vec<_>>>()?;
            // Some leave before anything was asked, others in the middle.
            if batch % 2 == 0 {
                thread::sleep(Duration::from_millis(5));
            }
            drop(all);
        }
        Ok(())
    };
    abort(2_000)?;
    let before = router.memory_kib("VmRSS")?;
    abort(10_000)?;
    let answer = post(router.address(), CHAT, &Speaks::Chat.request("demo/demo-chat", false))?;
    assert_eq!(answer.status, 200);
    let grown = router.memory_kib("VmRSS")?.saturating_sub(before);
    assert!(grown < 24 * 1024, "grew by {grown} KiB over 10,000 aborted requests");
    Ok(())
}

/// An origin that speaks HTTP/2 and ends it in many ways; it ends with its standard input.
struct Broken {
    child: Child,
    _input: Option<ChildStdin>,
    port: u16,
}

impl Broken {
    fn start() -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/tls");
        let mut child = Command::new("node")
            .arg(folder.join("broken.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut port = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut port)?;
        let input = child.stdin.take();
        Ok(Self { child, _input: input, port: port.trim().parse()? })
    }

    fn router(&self) -> Result<Router> {
        let trusted = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/tls/ca.pem");
        let env = [("SSL_CERT_FILE", trusted.to_str().context("no path")?)];
        let config = json!({
            "version": 2,
            "providers": [{
                "id": "p", "baseUrl": format!("https://localhost:{}/v1", self.port), "apiKey": "k",
                "format": "openai",
                "models": ["goaway", "reset", "reset-late", "destroy-late", "fine"],
            }],
            "routing": { "retry": { "attempts": 2, "baseDelayMs": 1 }, "circuit": { "failures": 0 } },
        });
        Router::start_with(&config, &[], &env)
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn http2_connections_that_go_away_or_reset_end_like_any_other() -> Result<()> {
    let broken = Broken::start()?;
    let router = broken.router()?;
    let ask = |model: &str| post(router.address(), CHAT, &Speaks::Chat.request(model, true));
    for round in 0..3 {
        let fine = ask("p/fine")?;
        assert!(Speaks::Chat.is_complete_stream(&fine), "{round}: {}", fine.text());
        // A polite end lets what is under way finish, and the next request gets a new connection.
        let polite = ask("p/goaway")?;
        assert!(Speaks::Chat.is_complete_stream(&polite), "{round}: {}", polite.text());
        let reset = ask("p/reset")?;
        assert_eq!(reset.status, 502, "{round}: {}", reset.text());
        for late in ["p/reset-late", "p/destroy-late"] {
            let answer = ask(late)?;
            assert_eq!(answer.status, 200, "{late}");
            assert_eq!(Speaks::Chat.stream_errors(&answer).len(), 1, "{late}: {}", answer.text());
            assert!(!Speaks::Chat.is_complete_stream(&answer), "{late}");
        }
    }
    Ok(())
}

#[test]
fn the_documented_timeout_bounds_the_first_byte_and_never_cuts_a_stream() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&["paced", "late", "never"])?;
    config["routing"] = json!({ "retry": { "attempts": 1 }, "circuit": { "failures": 0 } });
    let env = [("LLM_ROUTER_UPSTREAM_TIMEOUT_MS", "1000")];
    let router = Router::start_with(&config, &[], &env)?;
    let demo = provider.demo();
    demo.script("paced", Script::always(Fault::Pace(Duration::from_millis(400))));
    demo.script("late", Script::always(Fault::SlowHead(Duration::from_secs(3))));
    demo.script("never", Script::always(Fault::Stall(At::Middle)));
    let ask = |model: &str, stream| {
        let begun = Instant::now();
        let model = format!("demo/{model}");
        let answer = post(router.address(), CHAT, &Speaks::Chat.request(&model, stream))?;
        anyhow::Ok((answer, begun.elapsed()))
    };
    let (streamed, took) = ask("paced", true)?;
    assert!(Speaks::Chat.is_complete_stream(&streamed), "{}", streamed.text());
    assert!(Duration::from_millis(1_500) < took, "longer than the limit: {took:?}");
    for (model, stream) in [("late", true), ("late", false), ("never", false)] {
        let (refused, took) = ask(model, stream)?;
        assert_eq!(refused.status, 504, "{model}: {}", refused.text());
        assert!(took < Duration::from_secs(4), "{model}: {took:?}");
    }
    Ok(())
}
