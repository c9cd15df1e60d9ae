//! Client keys: who may ask for what, how much, and what of it outlives the process.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use router_demo::{At, Fault, Script};
use router_e2e::http::{Answer, send};
use router_e2e::{Provider, Router};
use serde_json::{Value, json};

use crate::common::{ALL, JSON, Speaks};

const MODEL: &str = "demo/demo-chat";

fn config(provider: &Provider, keys: &Value) -> Result<Value> {
    let mut config = provider.config(&["other"])?;
    config["masterKey"] = json!("master-secret");
    config["clientKeys"] = keys.clone();
    config["modelAliases"] = json!({ "fast": { "targets": [MODEL] } });
    Ok(config)
}

fn ask(router: &Router, speaks: Speaks, key: &str, model: &str) -> Result<Answer> {
    let bearer = format!("Bearer {key}");
    let headers = [JSON, ("authorization", bearer.as_str())];
    let body = speaks.request(model, false).to_string();
    send(router.address(), "POST", &speaks.path(model, false), &headers, body.as_bytes())
}

fn status(router: &Router, key: &str, model: &str) -> Result<u16> {
    Ok(ask(router, Speaks::Chat, key, model)?.status)
}

#[test]
fn a_client_key_opens_the_router_and_strangers_stay_out() -> Result<()> {
    let provider = Provider::start()?;
    let keys = json!([
        { "label": "team", "key": "team-secret" },
        { "label": "gone", "key": "gone-secret", "enabled": false },
    ]);
    let router = Router::start(&config(&provider, &keys)?)?;
    for (key, expect) in
        [("team-secret", 200), ("master-secret", 200), ("gone-secret", 401), ("other", 401)]
    {
        assert_eq!(status(&router, key, MODEL)?, expect, "{key}");
    }
    let bare = send(router.address(), "POST", "/v1/messages", &[JSON], b"{}")?;
    assert_eq!(bare.status, 401, "where there are client keys, a key is asked for");
    Ok(())
}

#[test]
fn a_key_may_ask_for_its_models_only_and_sees_no_others() -> Result<()> {
    let provider = Provider::start()?;
    let keys = json!([{ "label": "team", "key": "team-secret", "models": ["fast", "demo/other"] }]);
    let router = Router::start(&config(&provider, &keys)?)?;
    assert_eq!(status(&router, "team-secret", "fast")?, 200, "whatever the alias leads to");
    for speaks in ALL {
        let refused = ask(&router, speaks, "team-secret", MODEL)?;
        assert_eq!(refused.status, 403, "{speaks:?}");
        let told = speaks.error(&refused)?.message;
        assert!(told.contains("`team`") && told.contains(MODEL), "{told}");
    }
    assert_eq!(status(&router, "master-secret", MODEL)?, 200);
    let listed = |key: &str| -> Result<Vec<String>> {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str())];
        let list = send(router.address(), "GET", "/v1/models", &headers, b"")?.json()?;
        let rows = list["data"].as_array().context("no list")?;
        Ok(rows.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)).collect())
    };
    assert_eq!(listed("team-secret")?, ["fast", "demo/other"]);
    assert!(2 < listed("master-secret")?.len());
    Ok(())
}

#[test]
fn a_key_is_held_to_its_limits_by_any_number_of_requests_at_once() -> Result<()> {
    let provider = Provider::start()?;
    let limits = json!([{ "name": "monthly", "requests": 20, "window": "month" }]);
    let keys = json!([{ "label": "team", "key": "team-secret", "limits": limits }]);
    let router = Router::start(&config(&provider, &keys)?)?;
    let all = thread::scope(|scope| {
        let asked = [(); 8].map(|()| {
            scope.spawn(|| (0..5).map(|_| status(&router, "team-secret", MODEL)).collect())
        });
        asked.into_iter().map(|it| it.join().expect("a client ended")).collect()
    });
    let all: Result<Vec<Vec<u16>>> = all;
    let all = all?.concat();
    assert_eq!(all.iter().filter(|status| **status == 200).count(), 20, "{all:?}");
    assert_eq!(all.iter().filter(|status| **status == 429).count(), 20, "{all:?}");
    for speaks in ALL {
        let refused = ask(&router, speaks, "team-secret", MODEL)?;
        assert_eq!(refused.status, 429);
        assert!(refused.header("retry-after").is_some_and(|it| it != "0"));
        let told = speaks.error(&refused)?.message;
        assert!(told.contains("`team`") && told.contains("`monthly`"), "{told}");
    }
    assert_eq!(status(&router, "master-secret", MODEL)?, 200, "nobody else is held to it");
    Ok(())
}

#[test]
fn a_request_counts_once_whatever_it_took_and_what_nobody_answered_is_given_back() -> Result<()> {
    let provider = Provider::start()?;
    let limits = json!([{ "requests": 2, "window": "month" }]);
    let keys = json!([{ "label": "team", "key": "team-secret", "limits": limits }]);
    let mut config = config(&provider, &keys)?;
    config["providers"].as_array_mut().context("no providers")?.push(json!({
        "id": "gone", "baseUrl": "http://127.0.0.1:1", "format": "openai", "models": ["m"],
    }));
    config["routing"] = json!({ "retry": { "baseDelayMs": 1 } });
    let router = Router::start(&config)?;
    for _ in 0..3 {
        assert_eq!(status(&router, "team-secret", "gone/m")?, 502);
    }
    let cut = || Some(Fault::Cut(At::Start));
    let failing = Script::sequence([cut(), cut()]);
    provider.demo().script("other", failing);
    assert_eq!(status(&router, "team-secret", "demo/other")?, 200, "at the third attempt");
    assert_eq!(status(&router, "team-secret", "demo/other")?, 200);
    assert_eq!(status(&router, "team-secret", "demo/other")?, 429);
    Ok(())
}

#[test]
fn records_name_the_key_and_budgets_in_money_outlive_a_restart() -> Result<()> {
    let provider = Provider::start()?;
    let limits = json!([{ "name": "money", "cost": 0.000_001, "window": "month" }]);
    let keys = json!([{ "label": "team", "key": "team-secret", "limits": limits }]);
    let mut config = config(&provider, &keys)?;
    config["providers"][0]["models"] = json!([
        { "id": "demo-chat", "cost": { "input": 5, "output": 5 } }, { "id": "other" }
    ]);
    let path = tempfile::TempDir::new()?;
    let file = path.path().join("state.sqlite");
    config["state"] = json!({ "path": file });
    let mut router = Router::start(&config)?;
    let unpriced = ask(&router, Speaks::Chat, "team-secret", "demo/other")?;
    assert_eq!(unpriced.status, 400, "{}", unpriced.text());
    assert_eq!(status(&router, "team-secret", MODEL)?, 200);
    assert_eq!(status(&router, "team-secret", MODEL)?, 429);
    assert_eq!(status(&router, "master-secret", MODEL)?, 200);
    router.signal("TERM")?;
    router.wait()?;
    let mut command = router_e2e::router::command(router.home())?;
    let records = router.home().join(".llm-router.records.sqlite");
    let output = command.args(["records", "export", "--file"]).arg(records).output()?;
    let text = String::from_utf8(output.stdout)?;
    let labels: Vec<Value> = text
        .lines()
        .map(|line| Ok(serde_json::from_str::<Value>(line)?["client"].clone()))
        .collect::<Result<_>>()?;
    assert_eq!(labels, ["team", "team", "team", "master"]);
    assert!(!text.contains("secret"), "{text}");
    let router = Router::start(&config)?;
    assert_eq!(status(&router, "team-secret", MODEL)?, 429);
    Ok(())
}

#[test]
fn a_key_with_too_much_in_flight_waits_a_moment() -> Result<()> {
    let provider = Provider::start()?;
    let limits = json!([{ "concurrent": 1 }]);
    let keys = json!([{ "label": "team", "key": "team-secret", "limits": limits }]);
    let mut config = config(&provider, &keys)?;
    config["routing"] = json!({ "queue": { "maxWaitMs": 5_000 } });
    let router = Router::start(&config)?;
    let slow = Script::always(Fault::SlowHead(Duration::from_millis(100)));
    provider.demo().script("other", slow);
    let all: Vec<u16> = thread::scope(|scope| {
        let asked = [(); 4].map(|()| scope.spawn(|| status(&router, "team-secret", "demo/other")));
        asked.into_iter().map(|it| it.join().expect("a client ended")).collect::<Result<_>>()
    })?;
    assert_eq!(all, [200; 4], "one after the other");
    Ok(())
}
