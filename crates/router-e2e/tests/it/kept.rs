//! What outlives the process: counts and records.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use router_e2e::http::post;
use router_e2e::{Provider, Router};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::Speaks;

fn start(home: &TempDir, config: &Value) -> Result<Router> {
    Router::start_with(config, &[], &[("HOME", &home.path().to_string_lossy())])
}

fn capped(provider: &Provider, requests: u64) -> Result<Value> {
    let mut config = provider.config(&[])?;
    config["providers"][0]["rateLimits"] = json!([
        {"name": "month", "models": "all", "requests": requests, "window": {"unit": "month", "size": 1}}
    ]);
    Ok(config)
}

fn ask(router: &Router) -> Result<u16> {
    let request = Speaks::Chat.request("demo/demo-chat", false);
    Ok(post(router.address(), &Speaks::Chat.path("demo/demo-chat", false), &request)?.status)
}

fn records(home: &TempDir) -> Result<(String, Vec<Value>)> {
    let path = home.path().join(".llm-router.records.sqlite");
    let mut command = router_e2e::router::command(home.path())?;
    let output = command.args(["records", "export", "--file"]).arg(path).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let all = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((text, all))
}

#[test]
fn counts_and_records_outlive_a_killed_router() -> Result<()> {
    let provider = Provider::start()?;
    let (home, config) = (TempDir::new()?, capped(&provider, 3)?);
    let mut router = start(&home, &config)?;
    assert_eq!((ask(&router)?, ask(&router)?), (200, 200));
    thread::sleep(Duration::from_millis(1_200));
    router.signal("KILL")?;
    router.wait()?;
    let mut router = start(&home, &config)?;
    assert_eq!((ask(&router)?, ask(&router)?), (200, 429));
    router.signal("TERM")?;
    router.wait()?;
    let (text, all) = records(&home)?;
    let told: Vec<_> =
        all.iter().map(|it| (it["status"].as_u64(), it["outcome"].as_str())).collect();
    let complete = (Some(200), Some("complete"));
    assert_eq!(told, [complete, complete, complete, (Some(429), Some("exhausted"))]);
    assert_eq!(all[0]["target"], "demo/demo-chat");
    assert!(0 < all[0]["tokens"]["output"].as_u64().unwrap_or(0), "{}", all[0]);
    assert_eq!(all[3]["attempts"], json!([]));
    let asked = Speaks::Chat.request("demo/demo-chat", false);
    let prompt = asked["messages"][0]["content"].as_str().unwrap_or_default();
    assert!(!prompt.is_empty() && !text.contains(prompt), "no record holds a prompt");
    Ok(())
}

#[test]
fn d38_a_second_router_of_the_same_user_says_that_it_counts_by_itself() -> Result<()> {
    let provider = Provider::start()?;
    let (home, config) = (TempDir::new()?, capped(&provider, 1)?);
    let first = start(&home, &config)?;
    let second = start(&home, &config)?;
    second.wait_for_log("in use by another process")?;
    assert_eq!((ask(&first)?, ask(&second)?), (200, 200));
    assert_eq!((ask(&first)?, ask(&second)?), (429, 429));
    Ok(())
}
