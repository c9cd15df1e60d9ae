//! The operators' listener and the commands beside it, against the shipped binary.

use std::net::SocketAddr;
use std::process::Output;

use anyhow::{Context, Result, ensure};
use router_e2e::http::{self, Answer};
use router_e2e::{Provider, Router, router};
use serde_json::{Value, json};

const KEY: &str = "operators-secret";

/// The provider's config with a listener for operators on a free port, answers that say how they
/// were routed, and `aliases` besides.
fn config(provider: &Provider, aliases: &Value) -> Result<Value> {
    let mut config = provider.config(&["demo-error-500"])?;
    config["masterKey"] = json!("clients-secret");
    config["server"] = json!({ "debug": true, "admin": { "port": 0, "key": KEY } });
    let known = config["modelAliases"].as_object_mut().context("no aliases")?;
    for (name, alias) in aliases.as_object().context("no aliases to add")? {
        known.insert(name.clone(), alias.clone());
    }
    Ok(config)
}

/// Where the router listens for operators, as it says itself.
pub(crate) fn operators(router: &Router) -> Result<SocketAddr> {
    router.wait_for_log("operators:")?;
    let log = router.log();
    let line = log.iter().find_map(|line| line.trim().strip_prefix("operators:"));
    let address = line.and_then(|line| line.trim().strip_prefix("http://")?.split(' ').next());
    Ok(address.context("no address")?.parse()?)
}

fn ask(to: SocketAddr, method: &str, path: &str, body: &Value) -> Result<Answer> {
    let headers = [("authorization", "Bearer operators-secret")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    http::send(to, method, path, &headers, body.as_bytes())
}

/// The value of the series with these labels; 0 if there is none.
fn metric(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
}

fn metrics(operators: SocketAddr) -> Result<String> {
    let answer = ask(operators, "GET", "/metrics", &Value::Null)?;
    ensure!(answer.status == 200, "{}", answer.text());
    ensure!(answer.header("content-type").is_some_and(|it| it.starts_with("text/plain")));
    Ok(answer.text())
}

fn chat(router: &Router, model: &str, stream: bool) -> Result<Answer> {
    let question = json!({ "role": "user", "content": "Say hello." });
    http::post(
        router.address(),
        "/v1/chat/completions",
        &json!({ "model": model, "stream": stream, "messages": [question] }),
    )
}

fn explained(operators: SocketAddr, model: &str) -> Result<Value> {
    let answer = ask(operators, "POST", "/admin/explain", &json!({ "model": model }))?;
    ensure!(answer.status == 200, "{}", answer.text());
    answer.json()
}

/// Runs a command of the binary with `config` as its config file.
fn command(config: &Value, arguments: &[&str]) -> Result<Output> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("config.json");
    std::fs::write(&path, config.to_string())?;
    let mut command = router::command(folder.path())?;
    Ok(command.args(arguments).arg("--config").arg(&path).output()?)
}

#[test]
fn nothing_is_answered_without_the_operators_key() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&config(&provider, &json!({}))?)?;
    let operators = operators(&router)?;
    for (method, path) in [
        ("GET", "/metrics"),
        ("GET", "/admin/status"),
        ("GET", "/admin/cooldowns"),
        ("DELETE", "/admin/cooldowns"),
        ("POST", "/admin/explain"),
        ("POST", "/admin/reload"),
        ("GET", "/nothing"),
    ] {
        for key in ["", "Bearer wrong", "Bearer clients-secret"] {
            let answer = http::send(operators, method, path, &[("authorization", key)], b"")?;
            assert_eq!(answer.status, 401, "{method} {path} with {key:?}");
            assert_eq!(answer.json()?["error"]["type"], "unauthorized");
        }
    }
    let by_api_key = http::send(operators, "GET", "/metrics", &[("x-api-key", KEY)], b"")?;
    assert_eq!(by_api_key.status, 200);
    assert_eq!(ask(operators, "GET", "/nothing", &Value::Null)?.status, 404);
    let wrong_method = ask(operators, "GET", "/admin/explain", &Value::Null)?;
    assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, Some("POST")));
    let misspelt = ask(operators, "DELETE", "/admin/cooldowns?provder=demo", &Value::Null)?;
    assert_eq!(misspelt.status, 400, "a misspelt name must not clear everything");
    // Clients have no business there, and operators none at the clients' address.
    assert_eq!(http::get(router.address(), "/metrics")?.status, 404);
    assert!(router.log().iter().all(|line| !line.contains(KEY)));
    Ok(())
}

#[test]
fn the_listener_is_off_unless_configured_and_never_leaves_the_machine() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    assert!(router.log().iter().all(|line| !line.contains("operators:")));
    for admin in [json!({ "key": KEY, "host": "0.0.0.0" }), json!({ "port": 0 })] {
        let mut config = provider.config(&[])?;
        config["server"] = json!({ "admin": admin });
        let refused = command(&config, &["start", "--port", "0"])?;
        assert_eq!(refused.status.code(), Some(3), "{admin}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("listener for operators"), "{said}");
    }
    Ok(())
}

#[test]
fn metrics_count_what_happened() -> Result<()> {
    let provider = Provider::start()?;
    let aliases = json!({
        "careful": {
            "strategy": "ordered",
            "targets": ["demo/demo-too-long"],
            "fallbackTargets": ["demo/demo-chat"],
        },
    });
    let router = Router::start(&config(&provider, &aliases)?)?;
    let operators = operators(&router)?;
    assert_eq!(chat(&router, "careful", false)?.status, 200);
    assert_eq!(chat(&router, "careful", true)?.status, 200);
    assert_eq!(chat(&router, "demo/demo-classic", true)?.status, 200);
    assert_eq!(chat(&router, "no-such-model", false)?.status, 404);
    let page = metrics(operators)?;
    let ended = |alias: &str, model: &str, outcome: &str| {
        metric(
            &page,
            &format!(
                "llm_router_exchanges_total{{alias=\"{alias}\",provider=\"demo\",\
                 model=\"{model}\",inbound=\"openai-chat\",outbound=\"openai-chat\",\
                 outcome=\"{outcome}\"}}"
            ),
        )
    };
    let of = |name: &str, model: &str, more: &str| {
        let labels = format!("provider=\"demo\",model=\"{model}\"{more}");
        metric(&page, &format!("llm_router_{name}{{{labels}}}"))
    };
    let counted = [
        ("careful exchanges", ended("careful", "demo-chat", "complete"), 2.0),
        ("direct exchanges", ended("", "demo-classic", "complete"), 1.0),
        ("too long", of("attempts_total", "demo-too-long", ",class=\"context-too-long\""), 2.0),
        ("completed calls", of("attempts_total", "demo-chat", ",class=\"complete\""), 2.0),
        ("fallbacks", of("fallbacks_total", "demo-chat", ""), 2.0),
        ("first bytes", of("first_byte_seconds_count", "demo-classic", ""), 1.0),
        ("exchange times", of("exchange_seconds_count", "demo-chat", ""), 2.0),
        ("attempt times", of("attempt_seconds_count", "demo-too-long", ""), 2.0),
        ("2xx", metric(&page, "llm_router_http_answers_total{status=\"2xx\"}"), 3.0),
        ("4xx", metric(&page, "llm_router_http_answers_total{status=\"4xx\"}"), 1.0),
        ("dropped", metric(&page, "llm_router_records_total{result=\"dropped\"}"), 0.0),
        ("in flight", metric(&page, "llm_router_inflight"), 0.0),
    ];
    for (what, found, expected) in counted {
        assert!((found - expected).abs() < f64::EPSILON, "{what}: {found} in\n{page}");
    }
    assert!(of("tokens_total", "demo-chat", ",kind=\"output\"") >= 2.0, "{page}");
    assert!(!page.contains("no-such-model"), "labels come from the config, not from clients");
    Ok(())
}

#[test]
fn the_gauges_say_what_is_left_of_a_client_key() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = config(&provider, &json!({}))?;
    let limits = json!([{ "name": "monthly", "requests": 4, "window": "month" }]);
    config["clientKeys"] = json!([{ "label": "team", "key": "team-secret", "limits": limits }]);
    let router = Router::start(&config)?;
    let headers = [("content-type", "application/json"), ("authorization", "Bearer team-secret")];
    let body =
        json!({ "model": "demo/demo-chat", "messages": [{ "role": "user", "content": "hi" }] });
    let path = "/v1/chat/completions";
    let answer = http::send(router.address(), "POST", path, &headers, body.to_string().as_bytes())?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = metrics(operators(&router)?)?;
    let left = "llm_router_client_limit_left_ratio{client=\"team\",limit=\"monthly\"}";
    assert!((metric(&page, left) - 0.75).abs() < f64::EPSILON, "{page}");
    Ok(())
}

#[test]
fn a_full_bucket_is_counted_and_explained() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = config(&provider, &json!({}))?;
    config["providers"][0]["rateLimits"] =
        json!([{ "name": "daily", "models": ["demo-chat"], "requests": 2, "window": "day" }]);
    let router = Router::start(&config)?;
    let operators = operators(&router)?;
    let statuses: Vec<u16> = (0..3)
        .map(|_| Ok(chat(&router, "demo/demo-chat", false)?.status))
        .collect::<Result<_>>()?;
    assert_eq!(statuses, [200, 200, 429]);
    let page = metrics(operators)?;
    let refusals = "llm_router_limit_refusals_total{provider=\"demo\",bucket=\"daily\"}";
    assert!((metric(&page, refusals) - 1.0).abs() < f64::EPSILON, "{page}");
    let left = "llm_router_bucket_left_ratio{provider=\"demo\",bucket=\"daily\",credential=\"\"}";
    assert!(page.contains(left) && metric(&page, left).abs() < f64::EPSILON, "{page}");
    let explanation = explained(operators, "demo/demo-chat")?;
    assert_eq!(explanation["candidates"], json!([]));
    assert_eq!(explanation["skipped"][0]["reason"], "quota-exhausted (daily)");
    assert!(explanation["skipped"][0]["until"].is_u64());
    let status = ask(operators, "GET", "/admin/status", &Value::Null)?.json()?;
    let bucket = &status["providers"][0]["buckets"][0];
    assert_eq!(bucket["caps"], json!([{ "counts": "requests", "used": 2, "cap": 2 }]));
    Ok(())
}

#[test]
fn what_translation_loses_is_counted_as_it_is_told() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = config(&provider, &json!({}))?;
    let chat = config["providers"][0]["baseUrlByFormat"]["openai"].take();
    config["providers"][0]["baseUrlByFormat"] = json!({ "openai": chat });
    config["providers"][0]["formats"] = json!(["openai"]);
    let router = Router::start(&config)?;
    let operators = operators(&router)?;
    for (stream, expected) in [(false, 1.0), (true, 2.0)] {
        let turn = json!({ "role": "user", "content": "Say hello." });
        let body = json!({ "model": "demo/demo-chat", "max_tokens": 64, "top_k": 5,
                           "stream": stream, "messages": [turn] });
        let answer = http::post(router.address(), "/v1/messages", &body)?;
        ensure!(answer.status == 200, "{}", answer.text());
        let told = answer.header("x-llm-router-loss").context("nothing lost")?;
        let codes: Vec<&str> = told.split_once("; ").context("no codes")?.1.split(", ").collect();
        let page = metrics(operators)?;
        for code in codes {
            let is_of = |line: &&str| line.contains(&format!("code=\"{code}\"}}"));
            let line = page.lines().find(is_of).with_context(|| format!("no {code} in {page}"))?;
            let count: f64 = line.rsplit(' ').next().unwrap_or_default().parse()?;
            assert!((count - expected).abs() < f64::EPSILON, "{line}");
        }
        assert!(page.contains("inbound=\"anthropic\",outbound=\"openai-chat\""), "{page}");
    }
    Ok(())
}

#[test]
fn an_explanation_is_what_then_happens() -> Result<()> {
    let provider = Provider::start()?;
    let aliases = json!({
        "spread": {
            "strategy": "weighted-rr",
            "targets": [
                { "model": "demo/demo-chat", "weight": 3 },
                { "model": "demo/demo-classic", "weight": 1 },
            ],
        },
    });
    let router = Router::start(&config(&provider, &aliases)?)?;
    let operators = operators(&router)?;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let first = explained(operators, "spread")?["candidates"][0]["target"].clone();
        let again = explained(operators, "spread")?["candidates"][0]["target"].clone();
        assert_eq!(first, again, "asking takes no turn");
        let answer = chat(&router, "spread", false)?;
        let selected = answer.header("x-llm-router-selected-candidate").unwrap_or_default();
        let first = first.as_str().unwrap_or_default();
        assert!(selected.starts_with(first), "explained {first}, went to {selected}");
        seen.insert(first.to_owned());
    }
    assert_eq!(seen.len(), 2);
    // A session stays where it is, whatever the rotation says.
    let question = json!({ "model": "spread", "session": "s-1", "dialect": "openai-chat" });
    let body = json!({ "model": "spread", "messages": [{ "role": "user", "content": "Hi" }] });
    let headers = [("content-type", "application/json"), ("x-session-affinity", "s-1")];
    for turn in 0..4 {
        let explanation = ask(operators, "POST", "/admin/explain", &question)?.json()?;
        assert_eq!(explanation["by_affinity"], json!(turn > 0));
        let path = "/v1/chat/completions";
        let body = body.to_string();
        let answer = http::send(router.address(), "POST", path, &headers, body.as_bytes())?;
        let selected = answer.header("x-llm-router-selected-candidate").unwrap_or_default();
        let first = explanation["candidates"][0]["target"].as_str().unwrap_or_default();
        assert!(selected.starts_with(first), "explained {first}, went to {selected}");
    }
    Ok(())
}

#[test]
fn a_cooldown_is_seen_and_cleared() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&config(&provider, &json!({}))?)?;
    let operators = operators(&router)?;
    let held = || -> Result<Value> {
        Ok(ask(operators, "GET", "/admin/cooldowns", &Value::Null)?.json()?["cooldowns"].take())
    };
    assert_eq!(held()?, json!([]));
    assert_eq!(chat(&router, "demo/demo-quota", false)?.status, 429);
    let kept_out = held()?;
    assert_eq!(kept_out[0]["provider"], "demo");
    assert_eq!(kept_out[0]["class"], "billing");
    assert!(metrics(operators)?.contains("llm_router_cooldown_seconds{provider=\"demo\""));
    let skipped = explained(operators, "demo/demo-chat")?;
    assert_eq!(skipped["candidates"][0]["probe"], json!(true), "{skipped}");
    let unknown = ask(operators, "DELETE", "/admin/cooldowns?provider=other", &Value::Null)?;
    assert_eq!(unknown.status, 404);
    assert_eq!(held()?, kept_out);
    let cleared = ask(operators, "DELETE", "/admin/cooldowns?provider=demo", &Value::Null)?;
    assert_eq!(cleared.json()?["cleared"], kept_out.as_array().map_or(0, Vec::len));
    assert_eq!(held()?, json!([]));
    assert_eq!(explained(operators, "demo/demo-chat")?["candidates"][0]["probe"], json!(false));
    Ok(())
}

#[test]
fn a_reload_says_what_is_wrong_and_keeps_the_running_config() -> Result<()> {
    let provider = Provider::start()?;
    let good = config(&provider, &json!({}))?;
    let router = Router::start_with(&good, &["--watch-config=false"], &[])?;
    let operators = operators(&router)?;
    let reload = || ask(operators, "POST", "/admin/reload", &Value::Null);
    let mut bad = good.clone();
    bad["modelAliases"]["broken"] = json!({ "targets": 7 });
    bad["server"]["drainMs"] = json!("soon");
    std::fs::write(router.config_path(), bad.to_string())?;
    let refused = reload()?;
    assert_eq!(refused.status, 422);
    let message = refused.json()?["error"]["message"].to_string();
    assert!(message.contains("drainMs"), "{message}");
    assert_eq!(chat(&router, "demo", false)?.status, 200);
    let mut new = good;
    new["modelAliases"]["fresh"] = json!({ "targets": ["demo/demo-chat"] });
    new["server"]["admin"]["key"] = json!("another-secret");
    std::fs::write(router.config_path(), new.to_string())?;
    let reloaded = reload()?.json()?;
    assert_eq!(reloaded["reloaded"], json!(true));
    assert_eq!(
        reloaded["changes"],
        json!(["alias `fresh` added", "server.admin.key changed"]),
        "{reloaded}"
    );
    assert_eq!(chat(&router, "fresh", false)?.status, 200);
    assert_eq!(reload()?.status, 401, "a changed key counts at once");
    let headers = [("x-api-key", "another-secret")];
    let status = http::send(operators, "GET", "/admin/status", &headers, b"")?.json()?;
    assert_eq!(status["config"]["reloads"], json!(1));
    assert_eq!(status["config"]["refused"], json!(1));
    assert!(status["aliases"].as_array().is_some_and(|all| all.contains(&json!("fresh"))));
    Ok(())
}

#[test]
fn the_explain_command_asks_the_running_router() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = config(&provider, &json!({}))?;
    let router = Router::start(&config)?;
    let operators = operators(&router)?;
    chat(&router, "demo/demo-auth", false)?;
    config["server"]["admin"]["port"] = json!(operators.port());
    let asked = command(&config, &["explain", "--model", "demo-balanced"])?;
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    assert!(said.contains("cooldown (unauthorized, credential) until"), "{said}");
    let as_json = command(&config, &["explain", "--model", "demo-balanced", "--json"])?;
    let as_json: Value = serde_json::from_slice(&as_json.stdout)?;
    assert_eq!(as_json["route"], "demo-balanced");
    let unknown = command(&config, &["explain", "--model", "nothing"])?;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("unknown model `nothing`"));
    config["server"]["admin"]["key"] = json!("wrong");
    let refused = command(&config, &["explain", "--model", "demo-balanced"])?;
    assert_eq!(refused.status.code(), Some(2));
    // Without a router, the config alone is explained.
    config["server"]["admin"]["key"] = json!(KEY);
    drop(router);
    let alone = command(&config, &["explain", "--model", "demo-fallback", "--as-client", "codex"])?;
    let said = String::from_utf8_lossy(&alone.stdout).into_owned();
    let (head, rest) = said.split_once(", at ").context("no moment")?;
    let (_, candidates) = rest.split_once('\n').context("one line")?;
    assert_eq!(head, "alias `demo-fallback`, strategy ordered");
    assert_eq!(
        candidates,
        "  1. demo/demo-rate-limit with `key-1` in openai-responses, primary\n     weight 1\n  \
         2. demo/demo-overloaded with `key-1` in openai-responses, primary\n     weight 1\n  \
         3. demo/demo-chat with `key-1` in openai-responses, fallback\n     weight 1\n"
    );
    assert!(String::from_utf8_lossy(&alone.stderr).contains("from the config alone"));
    Ok(())
}

#[test]
fn the_simulate_command_replays_records_and_made_up_traffic() -> Result<()> {
    let provider = Provider::start()?;
    let config = config(&provider, &json!({}))?;
    let flags = ["simulate", "--synthetic", "500", "--models", "demo-balanced", "--json"];
    let made_up = command(&config, &flags)?;
    assert!(made_up.status.success(), "{}", String::from_utf8_lossy(&made_up.stderr));
    let report: Value = serde_json::from_slice(&made_up.stdout)?;
    let report = &report["config.json"];
    assert_eq!(report["requests"], json!(500));
    assert_eq!(report["served"], json!(500));
    assert_eq!(made_up.stdout, command(&config, &flags)?.stdout, "the same seed, the same report");

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.jsonl");
    let failed = json!({ "target": "demo/demo-rate-limit", "failure": "rate-limited",
                         "answered": true, "first_output_ms": 20, "total_ms": 20 });
    let served = json!({ "target": "demo/demo-chat", "answered": true, "first_output_ms": 300,
                         "total_ms": 900 });
    let record = json!({ "at": 1_770_000_000_000_u64, "model": "demo-fallback",
                         "dialect": "anthropic", "attempts": [failed, served] });
    std::fs::write(&file, format!("{record}\n\n{record}\n"))?;
    let file = file.to_string_lossy().into_owned();
    let replayed = command(&config, &["simulate", "--records", &file, "--json"])?;
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    let reports: Value = serde_json::from_slice(&replayed.stdout)?;
    assert_eq!(reports["recorded"]["fallbacks"], json!(2));
    assert_eq!(reports["config.json"]["served"], json!(2));
    let shown = command(&config, &["simulate", "--records", &file])?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("share of demo/demo-chat"), "{shown}");
    std::fs::write(&file, "{\"at\": 1}\nnonsense\n")?;
    let refused = command(&config, &["simulate", "--records", &file])?;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("line 2 is not a record"));
    Ok(())
}
