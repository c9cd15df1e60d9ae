//! Who is let in, and that no secret is ever told.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use router_e2e::http::{get, post, send};
use router_e2e::provider::KEY;
use router_e2e::router::run;
use router_e2e::{Provider, Router};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{ALL, JSON, Speaks};

const MASTER: &str = "master-s3cret";
const MODEL: &str = "demo/demo-chat";

fn guarded(provider: &Provider) -> Result<Value> {
    let mut config = provider.config(&["demo-error-401"])?;
    config["masterKey"] = json!(MASTER);
    config["server"] = json!({"requireAuth": true});
    Ok(config)
}

#[test]
fn d19_the_key_is_taken_in_every_form_clients_send_it() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&guarded(&provider)?)?;
    let bearer = |scheme: &str| format!("{scheme} {MASTER}");
    let (usual, lower, upper) = (bearer("Bearer"), bearer("bearer"), bearer("BEARER"));
    for headers in [
        vec![("authorization", usual.as_str())],
        vec![("authorization", lower.as_str())],
        vec![("Authorization", upper.as_str())],
        vec![("x-api-key", MASTER)],
        vec![("X-Api-Key", MASTER), ("authorization", "Bearer dummy")],
        vec![("x-api-key", "dummy"), ("authorization", usual.as_str())],
        vec![("x-goog-api-key", MASTER)],
    ] {
        for speaks in ALL {
            let path = speaks.path(MODEL, false);
            let body = speaks.request(MODEL, false).to_string();
            let headers = [headers.as_slice(), &[JSON]].concat();
            let answer = send(router.address(), "POST", &path, &headers, body.as_bytes())?;
            assert!(speaks.is_answer(&answer), "{headers:?} {path}: {}", answer.text());
        }
        assert_eq!(send(router.address(), "GET", "/v1/models", &headers, b"")?.status, 200);
    }
    for record in provider.demo().requests() {
        let told = format!("{record:?}");
        assert!(!told.contains(MASTER), "{told}");
    }
    Ok(())
}

#[test]
fn a_wrong_key_is_refused_in_the_clients_dialect() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&guarded(&provider)?)?;
    for headers in [
        vec![],
        vec![("authorization", "Bearer wrong")],
        vec![("authorization", "Basic master-s3cret")],
        vec![("authorization", "Bearer master-s3cre")],
        vec![("authorization", "Bearer master-s3crett")],
        vec![("authorization", "Bearer")],
        vec![("authorization", "")],
        vec![("x-api-key", "wrong")],
        vec![("cookie", "key=master-s3cret")],
    ] {
        for speaks in ALL {
            let path = speaks.path(MODEL, false);
            let body = speaks.request(MODEL, false).to_string();
            let headers = [headers.as_slice(), &[JSON]].concat();
            let answer = send(router.address(), "POST", &path, &headers, body.as_bytes())?;
            assert_eq!(answer.status, 401, "{headers:?} {path}: {}", answer.text());
            let kind = match speaks {
                Speaks::Gemini => "UNAUTHENTICATED",
                _ => "authentication_error",
            };
            assert_eq!(speaks.error(&answer)?.kind, kind, "{path}");
        }
    }
    for path in ["/", "/v1/models", "/v1/models/demo", "/nowhere", "/v1/messages?key=master-s3cret"]
    {
        let answer = get(router.address(), path)?;
        assert_eq!(answer.status, 401, "{path}: {}", answer.text());
        assert!(answer.header("www-authenticate").is_some());
    }
    for path in ["/health", "/ready", "/api/hello"] {
        assert_eq!(get(router.address(), path)?.status, 200, "{path} is open");
    }
    assert!(provider.demo().requests().is_empty());
    Ok(())
}

#[test]
fn nobody_is_asked_on_the_loopback_address_unless_config_says_so() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["masterKey"] = json!(MASTER);
    let open = Router::start(&config)?;
    let body = Speaks::Chat.request(MODEL, false);
    assert_eq!(post(open.address(), "/v1/chat/completions", &body)?.status, 200);
    let asked = Router::start_with(&config, &["--require-auth"], &[])?;
    assert_eq!(post(asked.address(), "/v1/chat/completions", &body)?.status, 401);
    let by_env = Router::start_with(&config, &[], &[("LLM_ROUTER_REQUIRE_AUTH", "true")])?;
    assert_eq!(post(by_env.address(), "/v1/chat/completions", &body)?.status, 401);
    Ok(())
}

#[test]
fn d2_a_key_in_the_environment_outweighs_the_file() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = guarded(&provider)?;
    let env = [("LLM_ROUTER_MASTER_KEY", "from-env")];
    let router = Router::start_with(&config, &[], &env)?;
    let ask = |key: &str| send(router.address(), "GET", "/v1/models", &[("x-api-key", key)], b"");
    assert_eq!((ask("from-env")?.status, ask(MASTER)?.status), (200, 401));
    config["masterKey"] = json!("env:MY_ROUTER_KEY");
    let router = Router::start_with(&config, &[], &[("MY_ROUTER_KEY", "elsewhere")])?;
    let answer = send(router.address(), "GET", "/v1/models", &[("x-api-key", "elsewhere")], b"")?;
    assert_eq!(answer.status, 200);
    Ok(())
}

#[test]
fn the_router_does_not_start_where_strangers_could_use_it() -> Result<()> {
    let provider = Provider::start()?;
    let folder = TempDir::new()?;
    let path = folder.path().join("config.json");
    let name = path.to_string_lossy().into_owned();
    let start = |config: &Value, flags: &[&str]| {
        std::fs::write(&path, config.to_string())?;
        run(&[&["start", "--port", "0", "--config", &name], flags].concat(), &[])
    };
    let mut config = provider.config(&[])?;
    for host in ["0.0.0.0", "::", "[::]"] {
        let ended = start(&config, &["--host", host])?;
        assert_eq!(ended.code, Some(2), "{host}: {}", ended.err);
        assert!(ended.err.contains("--allow-unauthenticated"), "{}", ended.err);
    }
    config["server"] = json!({"host": "0.0.0.0"});
    assert_eq!(start(&config, &[])?.code, Some(2));
    config["masterKey"] = json!(MASTER);
    assert_eq!(start(&config, &["--require-auth=false"])?.code, Some(2));
    config["masterKey"] = json!("env:NOT_SET_ANYWHERE");
    assert_ne!(start(&config, &[])?.code, Some(0));
    config["masterKey"] = json!("   ");
    assert_ne!(start(&config, &[])?.code, Some(0));
    // Off by default means no key is needed; asked for without a key means no start.
    let mut local = provider.config(&[])?;
    local["server"] = json!({"requireAuth": true});
    assert!(matches!(start(&local, &[])?.code, Some(2 | 3)));
    Ok(())
}

#[test]
fn other_machines_are_served_with_a_key_or_when_told_so() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    let flags = ["--host", "0.0.0.0", "--allow-unauthenticated"];
    let open = Router::start_with(&config, &flags, &[])?;
    assert_eq!(get(open.address(), "/v1/models")?.status, 200);
    config["masterKey"] = json!(MASTER);
    let guarded = Router::start_with(&config, &["--host", "0.0.0.0"], &[])?;
    assert_eq!(get(guarded.address(), "/v1/models")?.status, 401);
    let key = [("x-api-key", MASTER)];
    assert_eq!(send(guarded.address(), "GET", "/v1/models", &key, b"")?.status, 200);
    Ok(())
}

#[test]
fn no_secret_is_ever_logged_or_told() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = guarded(&provider)?;
    config["providers"][0]["headers"] = json!({"x-extra": "header-s3cret"});
    config["providers"][0]["retyped"] = json!("typo");
    let away = json!({
        "id": "away", "baseUrl": "http://user:url-s3cret@127.0.0.1:9/v1?token=query-s3cret",
        "formats": ["openai"], "apiKey": "away-s3cret", "models": ["m"],
    });
    config["providers"].as_array_mut().context("no providers")?.push(away);
    for format in ["text", "json"] {
        let flags = ["--log", "trace", "--log-format", format];
        let mut router = Router::start_with(&config, &flags, &[])?;
        let bearer = format!("Bearer {MASTER}");
        let mut told = String::new();
        for model in [MODEL, "demo/demo-error-401", "demo/demo-cut", "away/m", "nobody"] {
            for speaks in ALL {
                for key in [bearer.as_str(), "Bearer wrong-s3cret"] {
                    for is_stream in [false, true] {
                        let path = speaks.path(model, is_stream);
                        let separator = if path.contains('?') { '&' } else { '?' };
                        let path = format!("{path}{separator}key=param-s3cret");
                        let body = speaks.request(model, is_stream).to_string();
                        let headers = [JSON, ("authorization", key)];
                        let answer =
                            send(router.address(), "POST", &path, &headers, body.as_bytes())?;
                        let _ = writeln!(told, "{:?}{}", answer.headers, answer.text());
                    }
                }
            }
        }
        let broken =
            std::fs::read_to_string(router.config_path())?.replace("\"formats\"", "\"formats");
        std::fs::write(router.config_path(), broken)?;
        router.signal("HUP")?;
        router.wait_for_log("not reloaded")?;
        router.signal("TERM")?;
        router.wait()?;
        let log = router.log().join("\n");
        assert!(log.contains("answered"), "the log is not at trace level");
        for secret in ["s3cret", KEY] {
            for (what, text) in [("log", &log), ("answers", &told)] {
                let line = text.lines().find(|line| line.contains(secret));
                assert_eq!(line, None, "`{secret}` is in the {what}");
            }
        }
    }
    Ok(())
}
