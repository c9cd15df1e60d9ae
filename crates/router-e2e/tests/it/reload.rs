//! Changing the config of a running router, and stopping it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use router_demo::{Fault, Script};
use router_e2e::http::{Exchange, get, post, send};
use router_e2e::provider::KEY;
use router_e2e::{Provider, Router};
use serde_json::{Value, json};

use crate::common::{JSON, Speaks};

/// A config whose aliases tell which version it is, quick to be taken.
fn version(provider: &Provider, name: &str) -> Result<Value> {
    let mut config = provider.config(&["m"])?;
    config["server"] = json!({"reloadDebounceMs": 20, "drainMs": 3_000});
    config["modelAliases"] = json!({ name: {"targets": ["demo/demo-chat"]} });
    Ok(config)
}

fn text(provider: &Provider, name: &str) -> Result<String> {
    Ok(version(provider, name)?.to_string())
}

fn has(router: &Router, name: &str) -> Result<bool> {
    Ok(get(router.address(), &format!("/v1/models/{name}"))?.status == 200)
}

/// Waits until the router knows the alias `name`.
fn wait_for(router: &Router, name: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(8);
    while !has(router, name)? {
        if deadline < Instant::now() {
            bail!("`{name}` never came into force:\n{}", router.log().join("\n"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn count(router: &Router, text: &str) -> usize {
    router.log().iter().filter(|line| line.contains(text)).count()
}

#[test]
fn every_way_editors_save_a_file_is_noticed() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&version(&provider, "v0")?)?;
    let path = router.config_path();
    let beside = |name: &str| router.home().join(name);
    let begun = Instant::now();

    fs::write(&path, text(&provider, "in-place")?)?;
    wait_for(&router, "in-place")?;

    fs::write(beside("new"), text(&provider, "renamed")?)?;
    fs::rename(beside("new"), &path)?;
    wait_for(&router, "renamed")?;

    // Vim: the old file becomes the backup, a new one takes its name, the backup goes.
    fs::rename(&path, beside("config.json~"))?;
    fs::write(&path, text(&provider, "backup")?)?;
    fs::remove_file(beside("config.json~"))?;
    wait_for(&router, "backup")?;

    fs::remove_file(&path)?;
    fs::write(&path, text(&provider, "recreated")?)?;
    wait_for(&router, "recreated")?;

    // Byte by byte, as over a slow network.
    let slow = text(&provider, "slowly")?;
    let half = slow.len() / 2;
    fs::write(&path, slow.get(..half).context("no half")?)?;
    thread::sleep(Duration::from_millis(5));
    fs::write(&path, &slow)?;
    wait_for(&router, "slowly")?;
    // None of it waited for the poll that is there for file systems without events.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn what_waits_for_a_restart_is_told() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&version(&provider, "v0")?)?;
    let mut next = version(&provider, "next")?;
    next["state"] = json!({ "backend": "memory" });
    fs::write(router.config_path(), next.to_string())?;
    wait_for(&router, "next")?;
    router.wait_for_log("only in force after a restart: state")?;
    Ok(())
}

#[test]
fn a_config_behind_symlinks_is_followed() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&version(&provider, "v0")?)?;
    let path = router.config_path();
    let begun = Instant::now();
    for name in ["one", "two"] {
        fs::create_dir(router.home().join(name))?;
        fs::write(router.home().join(name).join("real.json"), text(&provider, name)?)?;
    }
    let link = |target: &Path, at: &Path| {
        let fresh = router.home().join("fresh");
        symlink(target, &fresh).and_then(|()| fs::rename(fresh, at))
    };
    // The file becomes a link, the link is swapped, and then its target changes.
    link(&router.home().join("one/real.json"), &path)?;
    wait_for(&router, "one")?;
    link(Path::new("two/real.json"), &path)?;
    wait_for(&router, "two")?;
    fs::write(router.home().join("two/real.json"), text(&provider, "behind")?)?;
    wait_for(&router, "behind")?;
    // A folder on the way is a link too, as with mounted secrets.
    link(Path::new("one"), &router.home().join("current"))?;
    link(Path::new("current/real.json"), &path)?;
    wait_for(&router, "one")?;
    link(Path::new("two"), &router.home().join("current"))?;
    wait_for(&router, "behind")?;
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn a_folder_that_never_rests_does_not_put_a_change_off() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&version(&provider, "v0")?)?;
    let log = router.home().join("noise.log");
    let done = Arc::new(AtomicBool::new(false));
    let noise = {
        let done = Arc::clone(&done);
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let _ = fs::write(&log, "noise");
                thread::sleep(Duration::from_millis(5));
            }
        })
    };
    thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    fs::write(router.config_path(), text(&provider, "v1")?)?;
    let waited = wait_for(&router, "v1").map(|()| begun.elapsed());
    done.store(true, Ordering::Relaxed);
    let _ = noise.join();
    let waited = waited?;
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    assert_eq!(count(&router, "config reloaded"), 1, "noise is no change");
    Ok(())
}

#[test]
fn a_hangup_reloads_even_where_nobody_watches() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start_with(&version(&provider, "v0")?, &["--watch-config=false"], &[])?;
    fs::write(router.config_path(), text(&provider, "v1")?)?;
    thread::sleep(Duration::from_millis(150));
    assert!(!has(&router, "v1")?);
    router.signal("HUP")?;
    wait_for(&router, "v1")?;
    assert!(!has(&router, "v0")?);
    Ok(())
}

#[test]
fn a_bad_file_never_replaces_a_good_config() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&version(&provider, "v0")?)?;
    let path = router.config_path();
    let good = text(&provider, "v0")?;
    let wrong = good.replace("\"drainMs\":3000", "\"drainMs\":\"long\"");
    let disabled = good.replace("\"id\":\"demo\"", "\"id\":\"demo\",\"enabled\":false");
    for (round, (bad, why)) in [
        ("{\"version\": 2, \"providers\": [", "line 1"),
        ("", "no enabled provider"),
        ("   \n", "no enabled provider"),
        ("{\"version\": 2, \"providers\": []}", "no enabled provider"),
        ("[]", "object"),
        (wrong.as_str(), "drainMs"),
        (disabled.as_str(), "no enabled provider"),
    ]
    .into_iter()
    .enumerate()
    {
        let before = count(&router, "not reloaded");
        fs::write(&path, bad)?;
        let deadline = Instant::now() + Duration::from_secs(8);
        while count(&router, "not reloaded") == before {
            assert!(Instant::now() < deadline, "{bad}: nothing is said\n{:?}", router.log());
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(20));
        let log = router.log().join("\n");
        let said = log.rsplit("not reloaded").next().unwrap_or_default();
        assert!(said.contains(why), "`{why}` is not said of {bad}: {said}");
        let last = format!("v{round}");
        assert!(has(&router, &last)?, "{last} is not in force any more");
        let model = json!({"model": last, "messages": [{"role": "user", "content": "x"}]});
        assert_eq!(post(router.address(), "/v1/chat/completions", &model)?.status, 200);
        // It recovers by itself.
        let next = format!("v{}", round + 1);
        fs::write(&path, text(&provider, &next)?)?;
        wait_for(&router, &next)?;
    }
    Ok(())
}

#[test]
fn a_deleted_file_keeps_the_config_until_it_is_back() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&version(&provider, "v0")?)?;
    fs::remove_file(router.config_path())?;
    router.wait_for_log("not reloaded")?;
    assert!(has(&router, "v0")?);
    fs::write(router.config_path(), text(&provider, "v1")?)?;
    wait_for(&router, "v1")
}

#[test]
fn a_reload_changes_the_key_and_never_drops_it() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = version(&provider, "v0")?;
    config["masterKey"] = json!("first");
    let router = Router::start_with(&config, &["--host", "0.0.0.0"], &[])?;
    let status = |key: &str| {
        let headers = [("x-api-key", key)];
        Ok::<_, anyhow::Error>(send(router.address(), "GET", "/v1/models", &headers, b"")?.status)
    };
    assert_eq!((status("first")?, status("second")?), (200, 401));
    config["masterKey"] = json!("second");
    fs::write(router.config_path(), config.to_string())?;
    router.wait_for_log("config reloaded")?;
    assert_eq!((status("first")?, status("second")?), (401, 200));
    // Other machines reach this router: a file without a key is no config for it.
    fs::write(router.config_path(), text(&provider, "open")?)?;
    router.wait_for_log("not reloaded")?;
    assert_eq!((status("")?, status("second")?), (401, 200));
    let said = router.log().join("\n");
    assert!(!said.contains("second") && said.contains("masterKey"), "{said}");
    Ok(())
}

#[test]
fn a_mended_credential_is_used_at_once() -> Result<()> {
    let (first, second) = (Provider::start()?, Provider::start()?);
    let account = |id: &str, provider: &Provider, key: &str| {
        json!({"id": id, "baseUrl": provider.demo().url(), "formats": ["openai"], "apiKey": key,
            "models": ["demo-chat"]})
    };
    let mut config = json!({
        "version": 2,
        "providers": [account("a", &first, "expired"), account("b", &second, KEY)],
        "modelAliases": {"v0": {"targets": ["a/demo-chat", "b/demo-chat"]}},
        "server": {"reloadDebounceMs": 20},
    });
    let router = Router::start(&config)?;
    let ask = || post(router.address(), "/v1/chat/completions", &Speaks::Chat.request("v0", false));
    for _ in 0..3 {
        assert_eq!(ask()?.status, 200);
    }
    // Once was enough to learn that the first one's key is bad.
    assert_eq!((first.demo().requests().len(), second.demo().requests().len()), (1, 3));
    config["providers"][0]["apiKey"] = json!(KEY);
    fs::write(router.config_path(), config.to_string())?;
    router.wait_for_log("config reloaded")?;
    assert_eq!(ask()?.status, 200);
    assert_eq!((first.demo().requests().len(), second.demo().requests().len()), (2, 3));
    Ok(())
}

#[test]
fn a_request_under_way_keeps_its_config() -> Result<()> {
    let (old, new) = (Provider::start()?, Provider::start()?);
    let pace = Fault::Pace(Duration::from_millis(40));
    old.demo().script("m", Script::always(pace));
    let router = Router::start(&version(&old, "v0")?)?;
    let body = Speaks::Chat.request("demo/m", true).to_string();
    let path = Speaks::Chat.path("demo/m", true);
    let mut running = Exchange::open(router.address(), "POST", &path, &[JSON], body.as_bytes())?;
    assert_eq!(running.head()?.status, 200);
    fs::write(router.config_path(), text(&new, "v1")?)?;
    wait_for(&router, "v1")?;
    let asked = Speaks::Chat.request("demo/demo-chat", false);
    assert_eq!(post(router.address(), "/v1/chat/completions", &asked)?.status, 200);
    assert_eq!((old.demo().requests().len(), new.demo().requests().len()), (1, 1));
    let mut last = String::new();
    while let Some(line) = running.line()? {
        if line.starts_with("data:") {
            last = line;
        }
    }
    assert_eq!(last, "data: [DONE]");
    Ok(())
}

#[test]
fn a_reload_under_load_fails_no_request() -> Result<()> {
    const RELOADS: usize = 50;
    let provider = Provider::start()?;
    let router = Arc::new(Router::start(&version(&provider, "v0")?)?);
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let hammers: Vec<_> = (0..8)
        .map(|number| {
            let (router, done) = (Arc::clone(&router), Arc::clone(&done));
            let answered = Arc::clone(&answered);
            thread::spawn(move || -> Result<()> {
                let speaks = [Speaks::Chat, Speaks::Messages][number % 2];
                let is_stream = number % 4 < 2;
                let body = speaks.request("demo/demo-chat", is_stream);
                let path = speaks.path("demo/demo-chat", is_stream);
                while !done.load(Ordering::Relaxed) {
                    let answer = post(router.address(), &path, &body)?;
                    let is_good = if is_stream {
                        speaks.is_complete_stream(&answer)
                    } else {
                        speaks.is_answer(&answer)
                    };
                    if !is_good {
                        bail!("{} {}", answer.status, answer.text());
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        })
        .collect();
    let path = router.config_path();
    let rewritten = (1..=RELOADS).try_for_each(|round| {
        let text = text(&provider, &format!("v{round}"))?;
        if round % 2 == 0 {
            fs::write(&path, text)?;
        } else {
            fs::write(router.home().join("new"), text)?;
            fs::rename(router.home().join("new"), &path)?;
        }
        wait_for(&router, &format!("v{round}"))
    });
    done.store(true, Ordering::Relaxed);
    for hammer in hammers {
        hammer.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    rewritten?;
    assert!(RELOADS <= answered.load(Ordering::Relaxed), "hardly any load");
    assert!(RELOADS <= count(&router, "config reloaded"));
    assert_eq!(count(&router, "not reloaded"), 0, "{:?}", router.log());
    Ok(())
}

/// A router with one stream under way that takes about `pace` times its events.
fn with_a_stream(pace: Fault, drain_ms: u64) -> Result<(Provider, Router, Exchange)> {
    let provider = Provider::start()?;
    provider.demo().script("m", Script::always(pace));
    let mut config = version(&provider, "v0")?;
    config["server"]["drainMs"] = json!(drain_ms);
    let router = Router::start(&config)?;
    let body = Speaks::Messages.request("demo/m", true).to_string();
    let path = Speaks::Messages.path("demo/m", true);
    let mut running = Exchange::open(router.address(), "POST", &path, &[JSON], body.as_bytes())?;
    assert_eq!(running.head()?.status, 200);
    Ok((provider, router, running))
}

/// The last event of a stream, and whether its framing was whole.
fn rest(mut running: Exchange) -> (String, bool) {
    let (mut last, mut is_whole) = (String::new(), false);
    while let Ok(Some(line)) = running.line() {
        if line.starts_with("data:") {
            last.clone_from(&line);
        }
        is_whole = line == "0" || (line.is_empty() && is_whole);
    }
    (last, is_whole)
}

#[test]
fn a_stop_lets_a_stream_finish_and_takes_nothing_new() -> Result<()> {
    for signal in ["TERM", "INT"] {
        let pace = Fault::Pace(Duration::from_millis(40));
        let (_provider, mut router, running) = with_a_stream(pace, 5_000)?;
        router.signal(signal)?;
        router.wait_for_log("stopping")?;
        let deadline = Instant::now() + Duration::from_secs(2);
        while std::net::TcpStream::connect(router.address()).is_ok() {
            assert!(Instant::now() < deadline, "{signal}: still listening");
            thread::sleep(Duration::from_millis(2));
        }
        let (last, is_whole) = rest(running);
        assert!(last.contains("message_stop") && is_whole, "{signal}: {last}");
        assert_eq!(router.wait()?.code(), Some(0));
        router.wait_for_log("stopped")?;
    }
    Ok(())
}

#[test]
fn a_stop_does_not_wait_forever() -> Result<()> {
    let stall = Fault::Stall(router_demo::At::AfterOutput);
    let (_provider, mut router, running) = with_a_stream(stall, 300)?;
    let begun = Instant::now();
    router.signal("TERM")?;
    assert_eq!(router.wait()?.code(), Some(0));
    let took = begun.elapsed();
    assert!(Duration::from_millis(290) < took && took < Duration::from_secs(3), "{took:?}");
    router.wait_for_log("1 connection(s) were cut off")?;
    let (last, is_whole) = rest(running);
    assert!(!last.contains("message_stop") && !is_whole, "{last}");
    Ok(())
}

#[test]
fn a_second_signal_stops_at_once() -> Result<()> {
    let stall = Fault::Stall(router_demo::At::AfterOutput);
    let (_provider, mut router, _running) = with_a_stream(stall, 60_000)?;
    router.signal("TERM")?;
    router.wait_for_log("stopping")?;
    let begun = Instant::now();
    router.signal("TERM")?;
    router.wait()?;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn an_idle_router_stops_at_once() -> Result<()> {
    let provider = Provider::start()?;
    let mut router = Router::start(&version(&provider, "v0")?)?;
    // A kept connection without a request under way is no reason to wait.
    let _idle = std::net::TcpStream::connect(router.address())?;
    thread::sleep(Duration::from_millis(30));
    let begun = Instant::now();
    router.signal("TERM")?;
    assert_eq!(router.wait()?.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    Ok(())
}
