//! The Worker in workerd, where it is not merely the native server elsewhere (for that see
//! `parity`): its lock, its owners, clients that leave, official SDKs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use router_demo::{At, Fault, Script};
use router_e2e::http::{Exchange, get, send};
use router_e2e::{Edge, Provider, sdk};
use serde_json::{Value, json};

use crate::common::{JSON, Speaks};

/// The key of the SDKs' scripts.
const KEY: (&str, &str) = ("x-api-key", "unused");

fn config(provider: &Provider, models: &[&str]) -> Result<Value> {
    let mut config = provider.config(models)?;
    config["masterKey"] = json!(KEY.1);
    Ok(config)
}

fn chat(edge: &Edge, key: &str, model: &str) -> Result<router_e2e::http::Answer> {
    let body = Speaks::Chat.request(model, false).to_string();
    let path = Speaks::Chat.path(model, false);
    send(edge.address(), "POST", &path, &[JSON, ("x-api-key", key)], body.as_bytes())
}

#[test]
fn without_a_key_it_serves_nobody_and_says_why() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["server"] = json!({"requireAuth": false});
    let edge = Edge::start(&config)?;
    assert_eq!(get(edge.address(), "/health")?.status, 200);
    for path in ["/ready", "/v1/models", "/"] {
        let answer = get(edge.address(), path)?;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text());
        assert!(answer.text().contains("LLM_ROUTER_MASTER_KEY"), "{path}: {}", answer.text());
    }
    let answer = chat(&edge, "", "demo/demo-chat")?;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(provider.demo().requests().is_empty());
    Ok(())
}

#[test]
fn a_config_that_cannot_be_used_is_said_in_the_log_and_serves_nobody() -> Result<()> {
    let bindings = json!({"LLM_ROUTER_CONFIG_JSON": "{\"providers\": 7}"});
    let mut edge = Edge::start_with(&json!({ "bindings": bindings }))?;
    assert_eq!(get(edge.address(), "/health")?.status, 200);
    assert_eq!(chat(&edge, "any", "a/b")?.status, 503);
    edge.wait_for_log("the config cannot be used")?;
    Ok(())
}

#[test]
fn a_config_that_comes_late_to_kv_is_soon_served() -> Result<()> {
    let provider = Provider::start()?;
    let config = config(&provider, &[])?;
    let mut edge = Edge::start_with(&json!({ "bindings": {}, "objects": true, "kv": {} }))?;
    assert_eq!(chat(&edge, KEY.1, "demo/demo-chat")?.status, 503);
    edge.put(&json!({ "llm-router.json": config.to_string() }))?;
    let since = Instant::now();
    while chat(&edge, KEY.1, "demo/demo-chat")?.status != 200 {
        // A config that works is looked at again after 30 s.
        assert!(since.elapsed() < Duration::from_secs(10), "nobody is served");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn without_the_namespace_limits_are_the_isolates_and_it_says_so() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = config(&provider, &[])?;
    config["server"] = json!({"debug": true});
    config["providers"][0]["rateLimits"] =
        json!([{"id": "day", "models": "all", "requests": 2, "window": {"unit": "month"}}]);
    for has_objects in [false, true] {
        let edge = Edge::start_with(&json!({
            "bindings": {"LLM_ROUTER_CONFIG_JSON": config.to_string()},
            "objects": has_objects,
        }))?;
        let ready = get(edge.address(), "/ready")?;
        assert_eq!(ready.status, 200);
        assert_eq!(ready.text().contains("PROVIDERS"), !has_objects, "{}", ready.text());
        let answer = chat(&edge, KEY.1, "demo/demo-chat")?;
        assert_eq!(answer.header("x-llm-router-state").is_some(), !has_objects);
        assert_eq!(chat(&edge, KEY.1, "demo/demo-chat")?.status, 200);
        assert_eq!(chat(&edge, KEY.1, "demo/demo-chat")?.status, 429, "objects: {has_objects}");
    }
    Ok(())
}

#[test]
fn a_client_that_leaves_cancels_the_upstream_and_gives_its_place_back() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = config(&provider, &["m"])?;
    config["providers"][0]["rateLimits"] = json!([{"id": "one", "models": "all", "concurrent": 1}]);
    let edge = Edge::start(&config)?;
    for fault in [Fault::BlackHole, Fault::Stall(At::AfterOutput)] {
        provider.demo().reset();
        provider.demo().script("m", Script::always(fault.clone()));
        let (body, path) =
            (Speaks::Chat.request("demo/m", true), Speaks::Chat.path("demo/m", true));
        let text = body.to_string();
        let mut exchange =
            Exchange::open(edge.address(), "POST", &path, &[JSON, KEY], text.as_bytes())?;
        if fault == Fault::BlackHole {
            wait_for(|| !provider.demo().requests().is_empty())?;
        } else {
            assert_eq!(exchange.head()?.status, 200);
            while exchange.line()?.is_some_and(|line| !line.contains("content\":\"This")) {}
            // Of a client that is lost in the middle of a write workerd says nothing.
            std::thread::sleep(Duration::from_millis(200));
        }
        exchange.reset()?;
        wait_for(|| provider.demo().requests().iter().any(|record| record.aborted.is_some()))
            .with_context(|| format!("{fault:?} was not cancelled"))?;
        provider.demo().script("m", Script::default());
        wait_for(|| chat(&edge, KEY.1, "demo/m").is_ok_and(|answer| answer.status == 200))
            .with_context(|| format!("{fault:?}: its place was not given back"))?;
    }
    Ok(())
}

/// No bucket counts these calls, so the later ones do not wait for their owner and are told of when
/// they are over; what they taught is written down a little later.
#[test]
fn what_a_call_that_nothing_counts_teaches_outlives_the_worker() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = config(&provider, &["m", "k"])?;
    config["modelAliases"] = json!({"x": {"strategy": "ordered", "targets": ["demo/m", "demo/k"]}});
    let folder = tempfile::tempdir()?;
    let bindings = json!({"LLM_ROUTER_CONFIG_JSON": config.to_string()});
    let options = json!({"bindings": bindings, "objects": true, "persist": folder.path()});
    let serve = || {
        provider.demo().reset();
        provider.demo().script("m", Script::always(Fault::rate_limit(600)));
        provider.demo().script("k", Script::default());
        Edge::start_with(&options)
    };
    let edge = serve()?;
    assert_eq!(chat(&edge, KEY.1, "demo/k")?.status, 200);
    assert_eq!(chat(&edge, KEY.1, "x")?.status, 200);
    assert_eq!(provider.demo().requests().len(), 3, "the first target was asked in vain");
    std::thread::sleep(Duration::from_millis(2_500));
    drop(edge);
    let edge = serve()?;
    assert_eq!(chat(&edge, KEY.1, "x")?.status, 200);
    assert_eq!(provider.demo().requests().len(), 1, "it was not asked again");
    Ok(())
}

#[test]
fn without_a_provider_it_is_up_and_serves_no_model() -> Result<()> {
    let edge = Edge::start(&json!({"masterKey": KEY.1, "providers": []}))?;
    assert_eq!(get(edge.address(), "/health")?.status, 200);
    let models = send(edge.address(), "GET", "/v1/models", &[KEY], b"")?;
    assert_eq!((models.status, models.json()?["data"].clone()), (200, json!([])));
    let answer = chat(&edge, KEY.1, "a/b")?;
    assert_eq!(answer.status, 404, "{}", answer.text());
    Ok(())
}

fn wait_for(is: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is() {
        if deadline < Instant::now() {
            bail!("it never happened");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn judge(script: &str) -> Result<()> {
    let provider = Provider::start()?;
    let numbered =
        ["demo-cut-4", "demo-cut-5", "demo-cut-6", "demo-error-500", "demo-rate-limit-0"];
    let more = ["demo-reset-body-4", "demo-reset-body-5", "demo-slow-50"];
    let edge = Edge::start(&config(&provider, &[numbered.as_slice(), &more].concat())?)?;
    sdk::run(script, &edge.url(""))
}

#[test]
fn openai_for_python_works() -> Result<()> {
    judge("openai_chat.py")?;
    judge("openai_responses.py")
}

#[test]
fn anthropic_for_python_works() -> Result<()> {
    judge("anthropic_messages.py")
}
