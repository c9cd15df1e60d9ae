//! Bad configs, bad requests, bad upstreams: each is told apart, and nothing breaks.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use router_e2e::http::{Exchange, get, post, send};
use router_e2e::origin::{Origin, answer, whole};
use router_e2e::router::run;
use router_e2e::{Provider, Router};
use serde_json::json;
use tempfile::TempDir;

use crate::common::{ALL, IN_BODY, JSON, Speaks};

const MODEL: &str = "demo/demo-chat";

/// Starts the router with a config of this text, which has to fail.
fn start(text: &str) -> Result<router_e2e::router::Ended> {
    let folder = TempDir::new()?;
    let path = folder.path().join("config.json");
    std::fs::write(&path, text)?;
    run(&["start", "--port", "0", "--config", &path.to_string_lossy()], &[])
}

#[test]
fn a_missing_config_says_where_it_looked_and_how_to_make_one() -> Result<()> {
    let named = run(&["start", "--config", "/nowhere/router.json"], &[])?;
    assert_eq!(named.code, Some(2), "{}", named.err);
    for part in ["/nowhere/router.json", "--config", "--demo", "providers"] {
        assert!(named.err.contains(part), "`{part}` is not in: {}", named.err);
    }
    let default = run(&["start"], &[])?;
    assert_eq!(default.code, Some(2));
    assert!(default.err.contains(".llm-router.json"), "{}", default.err);
    let by_env = run(&["start"], &[("LLM_ROUTER_CONFIG", "/nowhere/env.json")])?;
    assert!(by_env.err.contains("/nowhere/env.json"), "{}", by_env.err);
    Ok(())
}

#[test]
fn an_unreadable_config_is_named() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().to_string_lossy();
    let ended = run(&["start", "--config", &path], &[])?;
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains(&*path), "{}", ended.err);
    std::fs::write(folder.path().join("latin1.json"), b"{\"version\": \"\xe9\"}")?;
    let path = folder.path().join("latin1.json");
    let ended = run(&["start", "--config", &path.to_string_lossy()], &[])?;
    assert!(ended.code == Some(2) && ended.err.contains("latin1.json"), "{}", ended.err);
    Ok(())
}

#[test]
fn broken_json_is_shown_with_line_and_column() -> Result<()> {
    let ended = start("{\n  \"version\": 2,\n  \"providers\": [}\n}\n")?;
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("line 3") || ended.err.contains("3:17"), "{}", ended.err);
    assert!(ended.err.contains("validate"), "{}", ended.err);
    Ok(())
}

#[test]
fn d25_every_problem_of_a_config_is_told_at_once() -> Result<()> {
    let text = r#"{
  "version": 2,
  "providers": [
    {"id": "p", "baseUrl": "http://127.0.0.1:9", "format": "openai", "apiKey": "s3cret-key",
     "models": ["a"], "timeouts": {"connectMs": "soon"}},
    {"id": "P", "baseUrl": "http://127.0.0.1:9", "format": "openai", "models": ["b"]}
  ],
  "modelAliases": {"x": {"strategy": "sideways", "targets": ["p/a"]}},
  "server": {"port": 123456}
}"#;
    let ended = start(text)?;
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    for part in ["connectMs", "strategy", "port"] {
        assert!(ended.err.contains(part), "`{part}` is not in: {}", ended.err);
    }
    assert!(!ended.err.contains("s3cret"), "{}", ended.err);
    Ok(())
}

#[test]
fn a_config_without_a_provider_does_not_start() -> Result<()> {
    for text in ["{}", r#"{"version": 2, "providers": []}"#, "[]", "", "null"] {
        let ended = start(text)?;
        assert!(matches!(ended.code, Some(2 | 3)), "{text}: {:?}", ended.code);
        assert!(ended.err.starts_with("error: "), "{text}: {}", ended.err);
    }
    Ok(())
}

#[test]
fn d6_unknown_keys_are_warned_about_and_kept() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["colour"] = json!("green");
    config["providers"][0]["baseUrll"] = json!("typo");
    let router = Router::start(&config)?;
    router.wait_for_log("colour")?;
    router.wait_for_log("baseUrll")?;
    assert_eq!(get(router.address(), "/health")?.status, 200);
    let kept = std::fs::read_to_string(router.config_path())?;
    assert_eq!(kept, serde_json::to_string_pretty(&config)?);
    Ok(())
}

#[test]
fn d6_validate_reports_without_starting_or_writing() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("config.json");
    let name = path.to_string_lossy().into_owned();
    let validate = |text: &str, flags: &[&str]| {
        std::fs::write(&path, text)?;
        let ended = run(&[&["validate", "--config", &name], flags].concat(), &[])?;
        assert_eq!(std::fs::read_to_string(&path)?, text);
        Ok::<_, anyhow::Error>(ended)
    };
    let good = r#"{"version":2,"providers":[{"id":"p","baseUrl":"https://x.example","format":"openai","apiKey":"k","models":["m"]}]}"#;
    let ended = validate(good, &[])?;
    assert_eq!(ended.code, Some(0), "{} {}", ended.out, ended.err);
    assert!(ended.out.contains(": valid"), "{}", ended.out);
    let bad = good.replace("\"version\":2", "\"version\":2,\"server\":{\"port\":-1},\"zz\":1");
    let ended = validate(&bad, &["--json"])?;
    assert_eq!(ended.code, Some(3), "{} {}", ended.out, ended.err);
    let report: serde_json::Value = serde_json::from_str(&ended.out)?;
    assert_eq!(report.get("valid"), Some(&json!(false)));
    let problems = report["problems"].as_array().context("no problems")?;
    let at = |path: &str| problems.iter().find(|each| each["path"] == json!(path));
    let port = at("server.port").context("the port is not reported")?;
    assert_eq!((port["line"].clone(), port["severity"].clone()), (json!(1), json!("error")));
    assert!(port["column"].as_u64() > Some(1), "{port}");
    assert_eq!(at("zz").map(|each| each["severity"].clone()), Some(json!("warning")));
    Ok(())
}

#[test]
fn exit_codes_tell_what_kind_of_end_it_was() -> Result<()> {
    assert_eq!(run(&["--help"], &[])?.code, Some(0));
    assert_eq!(run(&["--version"], &[])?.code, Some(0));
    assert_eq!(run(&["schema"], &[])?.code, Some(0));
    assert_eq!(run(&["start", "--prot", "1"], &[])?.code, Some(2));
    assert_eq!(run(&["start", "--port", "http"], &[])?.code, Some(2));
    assert_eq!(run(&["start", "--demo", "--log", "a=b=c"], &[])?.code, Some(2));
    assert_eq!(run(&["sing"], &[])?.code, Some(2));
    assert_eq!(run(&["validate", "--config", "/nowhere"], &[])?.code, Some(2));
    Ok(())
}

#[test]
fn a_port_in_use_is_left_to_its_holder() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let ended = run(&["start", "--demo", "--port", &port], &[])?;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains(&port), "{}", ended.err);
    assert!(ended.err.contains(&format!("process {}", std::process::id())), "{}", ended.err);
    // Still ours: a connection arrives here.
    let _client = TcpStream::connect(listener.local_addr()?)?;
    listener.accept()?;
    Ok(())
}

#[test]
fn d41_a_bad_body_is_refused_in_the_clients_dialect() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let deep = format!("{{\"model\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "",
        "   ",
        "{",
        "{\"model\":\"a\"",
        "{\"model\":\"a\"}}",
        "{\"model\":\"a\"} x",
        "{'a':1}",
        "[]",
        "[1,2]",
        "null",
        "1",
        "\"text\"",
        "true",
        "{\"model\":\"a\",\"model\":\"b\"}",
        "{\"model\":\"a\",\"mod\\u0065l\":\"b\"}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"model\":\"\\ud8\"}",
        "{\"model\":\"\\ud800\"}",
        "{\"model\":5}",
        "{\"model\":\"a\",\"n\":01}",
        &deep,
    ] {
        for speaks in IN_BODY {
            let path = speaks.path(MODEL, false);
            let answer = send(router.address(), "POST", &path, &[JSON], body.as_bytes())?;
            let shown = body.get(..40).unwrap_or(body);
            assert_eq!(answer.status, 400, "{path} {shown}: {}", answer.text());
            let told = speaks.error(&answer).with_context(|| shown.to_owned())?;
            assert_eq!(told.kind, "invalid_request_error", "{path} {shown}");
        }
    }
    let body = b"{\n  \"model\": \"a\",\n  \"messages\": [}\n}";
    let answer = send(router.address(), "POST", "/v1/messages", &[JSON], body)?;
    let told = Speaks::Messages.error(&answer)?;
    assert!(told.message.contains("line 3, column 16"), "{}", told.message);
    let answer = send(router.address(), "POST", "/v1/messages", &[JSON], b"{\"model\":\"\xff\"}")?;
    assert!(matches!(answer.status, 400 | 404), "{}", answer.status);
    assert!(provider.demo().requests().is_empty());
    Ok(())
}

#[test]
fn only_json_is_taken() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for speaks in ALL {
        let path = speaks.path(MODEL, false);
        let body = speaks.request(MODEL, false).to_string();
        for kind in
            ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
        {
            let headers = [("content-type", kind)];
            let answer = send(router.address(), "POST", &path, &headers, body.as_bytes())?;
            assert_eq!(answer.status, 415, "{path} {kind}: {}", answer.text());
            speaks.error(&answer)?;
        }
        let headers = [JSON, ("content-encoding", "gzip")];
        let answer = send(router.address(), "POST", &path, &headers, body.as_bytes())?;
        assert_eq!(answer.status, 415, "{path}: {}", answer.text());
        for kind in ["Application/JSON; charset=utf-8", "application/vnd.api+json"] {
            let headers = [("content-type", kind)];
            let answer = send(router.address(), "POST", &path, &headers, body.as_bytes())?;
            assert!(speaks.is_answer(&answer), "{path} {kind}: {}", answer.text());
        }
        let answer = send(router.address(), "POST", &path, &[], body.as_bytes())?;
        assert!(speaks.is_answer(&answer), "{path}: {}", answer.text());
    }
    Ok(())
}

/// A body of `bytes` bytes in all.
fn padded(bytes: usize) -> Vec<u8> {
    let mut body = br#"{"model":"p/m","messages":[],"pad":""#.to_vec();
    body.resize(bytes - 2, b'x');
    body.extend_from_slice(b"\"}");
    body
}

#[test]
fn a_body_up_to_the_limit_is_taken_and_not_a_byte_more() -> Result<()> {
    let origin = Origin::saying(whole("{\"id\":\"x\"}"))?;
    let mut config = origin.config(&["openai", "claude", "responses"]);
    config["server"] = json!({"maxBodyBytes": 100_000});
    let router = Router::start(&config)?;
    for speaks in IN_BODY {
        let path = speaks.path("p/m", false);
        let answer = send(router.address(), "POST", &path, &[JSON], &padded(100_000))?;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let answer = send(router.address(), "POST", &path, &[JSON], &padded(100_001))?;
        assert_eq!(answer.status, 413, "{path}: {}", answer.text());
        assert!(speaks.error(&answer)?.message.contains("100000 bytes"), "{}", answer.text());
    }
    assert_eq!(origin.received().len(), 3);
    Ok(())
}

#[test]
fn d41_an_oversize_body_is_not_kept() -> Result<()> {
    let origin = Origin::saying(whole("{\"id\":\"x\"}"))?;
    let mut config = origin.config(&["openai"]);
    config["server"] = json!({"maxBodyBytes": 1_000_000});
    let router = Router::start(&config)?;
    let before = router.memory_kib("VmHWM")?;
    // Declared: refused although the body never comes.
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nexpect: \
         100-continue\r\nconnection: close\r\n\r\n",
        1_u64 << 40
    );
    let mut declared = Exchange::raw(router.address(), head.as_bytes())?;
    declared.close_sending()?;
    assert_eq!(declared.head()?.status, 413);
    // Not declared: each is refused once it is too large.
    let address = router.address();
    let uploads: Vec<_> = (0..16).map(|_| std::thread::spawn(move || upload(address))).collect();
    for upload in uploads {
        assert_eq!(upload.join().map_err(|_| anyhow::anyhow!("a client panicked"))??, 413);
    }
    let grown = router.memory_kib("VmHWM")?.saturating_sub(before);
    assert!(grown < 128 * 1024, "grew by {grown} KiB for 16 bodies of 50 MiB with a limit of 1 MB");
    assert!(origin.received().is_empty());
    Ok(())
}

/// Sends up to 50 MiB without saying how much it will be; returns the status.
fn upload(address: SocketAddr) -> Result<u16> {
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
                connection: close\r\n\r\n";
    let mut exchange = Exchange::raw(address, head.as_bytes())?;
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x1_0000], b"\r\n"].concat();
    for _ in 0..800 {
        if exchange.write(&chunk).is_err() {
            break;
        }
    }
    Ok(exchange.head()?.status)
}

#[test]
fn a_client_that_never_ends_its_head_is_let_go() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["server"] = json!({"headerTimeoutMs": 300});
    let router = Router::start(&config)?;
    let mut slow = TcpStream::connect(router.address())?;
    slow.set_read_timeout(Some(Duration::from_secs(5)))?;
    let begun = Instant::now();
    slow.write_all(b"POST /v1/messages HTTP/1.1\r\n")?;
    let closed = loop {
        // One header after the other never makes an end.
        if slow.write_all(b"x-more: 1\r\n").is_err() {
            break begun.elapsed();
        }
        slow.set_read_timeout(Some(Duration::from_millis(50)))?;
        let mut byte = [0; 512];
        match slow.read(&mut byte) {
            Ok(0) => break begun.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break begun.elapsed(),
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "still open");
    };
    assert!(Duration::from_millis(250) < closed, "closed after {closed:?}");
    assert_eq!(get(router.address(), "/health")?.status, 200);
    Ok(())
}

#[test]
fn a_head_beyond_its_limit_is_refused() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let mut head = "GET /health HTTP/1.1\r\nhost: x\r\n".to_owned();
    for number in 0..60 {
        let _ = write!(head, "x-{number}: {}\r\n", "y".repeat(4_000));
    }
    head.push_str("\r\n");
    let answer = Exchange::raw(router.address(), b"").and_then(|mut exchange| {
        let _ = exchange.write(head.as_bytes());
        exchange.head()
    });
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 431));
    let answer = Exchange::raw(router.address(), b"this is not HTTP\r\n\r\n")?.head();
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 400));
    assert_eq!(get(router.address(), "/health")?.status, 200);
    Ok(())
}

#[test]
fn an_upstream_that_makes_no_sense_is_an_error_of_the_clients_dialect() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["routing"] = json!({"retry": {"attempts": 1}, "circuit": {"failures": 0},
        "cooldown": {"authMs": 1, "notFoundMs": 1}});
    let router = Router::start(&config)?;
    for model in [
        "demo-close",
        "demo-reset",
        "demo-cut",
        "demo-reset-body",
        "demo-garbage",
        "demo-garbage-utf8",
        "demo-200-error",
        "demo-200-html",
        "demo-html",
        "demo-empty",
        "demo-length-long",
        "demo-length-short",
        "demo-no-terminal",
    ] {
        for speaks in ALL {
            let name = format!("demo/{model}");
            let path = speaks.path(&name, false);
            let answer = post(router.address(), &path, &speaks.request(&name, false))?;
            assert!(500 <= answer.status, "{model} {path}: {} {}", answer.status, answer.text());
            assert!(answer.complete, "{model} {path}");
            let told = speaks.error(&answer).with_context(|| format!("{model} {path}"))?;
            assert!(!told.message.is_empty());
            assert!(!answer.text().contains("<html"), "{model} {path}: {}", answer.text());
        }
    }
    Ok(())
}

#[test]
fn raw_nonsense_from_an_upstream_is_a_bad_gateway() -> Result<()> {
    let good = r#"{"id":"x"}"#;
    for (what, bytes) in [
        ("no HTTP", b"\x16\x03\x01\x02garbage\r\n\r\n".to_vec()),
        ("nothing", Vec::new()),
        ("half a head", b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        (
            "too many bytes of head",
            [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'y'; 1 << 20]].concat(),
        ),
        ("an unknown status", answer(777, &[], good.as_bytes())),
        ("no content", answer(204, &[], b"")),
        ("half a JSON object", answer(200, &[("content-type", "application/json")], b"{\"id\":")),
        (
            "two lengths",
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\n{\"a\":1}".to_vec(),
        ),
        ("not gzip", answer(200, &[("content-encoding", "gzip")], good.as_bytes())),
        ("an unknown encoding", answer(200, &[("content-encoding", "zz")], good.as_bytes())),
        ("a bad chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec()),
    ] {
        let origin = Origin::saying(bytes)?;
        let router = Router::start(&origin.config(&["openai", "claude", "responses"]))?;
        for speaks in IN_BODY {
            let path = speaks.path("p/m", false);
            let answer = post(router.address(), &path, &speaks.request("p/m", false))?;
            assert!(500 <= answer.status, "{what} {path}: {} {}", answer.status, answer.text());
            speaks.error(&answer).with_context(|| format!("{what} {path}"))?;
        }
    }
    Ok(())
}

#[test]
fn a_good_answer_in_an_odd_wrapping_is_an_answer() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for model in ["demo/demo-content-type", "demo/demo-early-hints", "demo/demo-split"] {
        for speaks in ALL {
            let path = speaks.path(model, false);
            let answer = post(router.address(), &path, &speaks.request(model, false))?;
            assert!(speaks.is_answer(&answer), "{path}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        }
    }
    Ok(())
}
