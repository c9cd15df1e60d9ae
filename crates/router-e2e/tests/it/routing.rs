//! Which upstream a request goes to, and who is next when it fails.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use router_demo::{At, Fault, Script};
use router_e2e::http::{Answer, post, send};
use router_e2e::provider::KEY;
use router_e2e::{Origin, Provider, Router};
use serde_json::{Value, json};

use crate::common::{ALL, IN_BODY, JSON, Speaks};

/// Two providers, `a` and `b`, and a config in which `a/m` falls back to `b/m`.
struct Pair {
    a: Provider,
    b: Provider,
    config: Value,
}

impl Pair {
    fn start() -> Result<Self> {
        let (a, b) = (Provider::start()?, Provider::start()?);
        let provider = |id: &str, provider: &Provider| {
            json!({
                "id": id,
                "baseUrl": provider.demo().url(),
                "formats": ["openai", "responses", "claude", "gemini"],
                "apiKey": KEY,
                "models": [
                    {"id": "m", "aliases": ["em"]},
                    {"id": format!("only-{id}")},
                    {"id": "demo-chat"},
                ],
            })
        };
        let mut config = json!({
            "version": 2,
            "providers": [provider("a", &a), provider("b", &b)],
            "modelAliases": {
                "pair": {"strategy": "ordered", "targets": ["a/m", "b/m"]},
                "tiers": {"strategy": "ordered", "targets": ["a/m"], "fallbackTargets": ["b/m"]},
                "outer": {"strategy": "ordered", "targets": ["inner"]},
                "inner": {"strategy": "ordered", "targets": ["b/only-b"]},
                "only-a": {"strategy": "ordered", "targets": ["b/m"]},
            },
            "routing": {
                "retry": {"attempts": 1},
                "circuit": {"failures": 0},
                "cooldown": {"rateLimitMs": 1, "authMs": 1, "billingMs": 1, "notFoundMs": 1},
                "timeouts": {"connectMs": 500, "firstByteMs": 400, "idleMs": 400},
            },
        });
        config["providers"][0]["models"][0]["fallbackModels"] = json!(["b/m"]);
        for each in [&a, &b] {
            for model in ["m", "only-a", "only-b"] {
                each.demo().script(model, Script::default());
            }
        }
        Ok(Self { a, b, config })
    }

    /// How often each of them was asked since the last time.
    fn asked(&self) -> (usize, usize) {
        let counts = (self.a.demo().requests().len(), self.b.demo().requests().len());
        for each in [&self.a, &self.b] {
            each.demo().reset();
            for model in ["m", "only-a", "only-b"] {
                each.demo().script(model, Script::default());
            }
        }
        counts
    }
}

fn ask(router: &Router, speaks: Speaks, model: &str, is_stream: bool) -> Result<Answer> {
    post(router.address(), &speaks.path(model, is_stream), &speaks.request(model, is_stream))
}

fn chat(router: &Router, model: &str) -> Result<Answer> {
    ask(router, Speaks::Chat, model, false)
}

#[test]
fn names_are_resolved_as_documented() -> Result<()> {
    let mut pair = Pair::start()?;
    pair.config["defaultModel"] = json!("inner");
    let router = Router::start(&pair.config)?;
    for (name, provider, model) in [
        ("a/m", "a", "m"),
        ("b/m", "b", "m"),
        ("A/m", "a", "m"),
        ("a/em", "a", "m"),
        ("only-b", "b", "only-b"),
        // The alias wins over the model of the same name.
        ("only-a", "b", "m"),
        ("a/only-a", "a", "only-a"),
        ("inner", "b", "only-b"),
        ("outer", "b", "only-b"),
        ("alias:outer", "b", "only-b"),
        ("smart", "b", "only-b"),
        ("", "b", "only-b"),
    ] {
        for speaks in IN_BODY {
            let answer = ask(&router, speaks, name, false)?;
            assert!(speaks.is_answer(&answer), "{name}: {}", answer.text());
            let asked = if provider == "a" { &pair.a } else { &pair.b };
            let records = asked.demo().requests();
            let last = records.last().with_context(|| format!("{name} went elsewhere"))?;
            assert_eq!(last.json().get("model"), Some(&json!(model)), "{name}");
            let (a, b) = pair.asked();
            assert_eq!(a + b, 1, "{name}");
        }
    }
    Ok(())
}

#[test]
fn an_ambiguous_name_is_refused_with_the_list() -> Result<()> {
    let pair = Pair::start()?;
    let router = Router::start(&pair.config)?;
    for speaks in ALL {
        for name in ["m", "em", "demo-chat"] {
            let answer = ask(&router, speaks, name, false)?;
            assert_eq!(answer.status, 400, "{name}: {}", answer.text());
            let told = speaks.error(&answer)?;
            assert!(told.message.contains("`a/") && told.message.contains("`b/"), "{told:?}");
        }
    }
    assert_eq!(pair.asked(), (0, 0));
    Ok(())
}

#[test]
fn without_a_default_model_one_has_to_be_named() -> Result<()> {
    let pair = Pair::start()?;
    let router = Router::start(&pair.config)?;
    for body in [json!({"messages": []}), json!({"model": "smart", "messages": []})] {
        let answer = post(router.address(), "/v1/chat/completions", &body)?;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(Speaks::Chat.error(&answer)?.message.contains("default model"));
    }
    Ok(())
}

#[test]
fn ordered_targets_are_asked_in_their_order() -> Result<()> {
    let pair = Pair::start()?;
    let router = Router::start(&pair.config)?;
    for _ in 0..6 {
        assert_eq!(chat(&router, "pair")?.status, 200);
    }
    assert_eq!(pair.asked(), (6, 0));
    for _ in 0..6 {
        assert_eq!(chat(&router, "tiers")?.status, 200);
    }
    assert_eq!(pair.asked(), (6, 0));
    Ok(())
}

/// What sends a request on to the next candidate.
fn passing() -> Vec<(&'static str, Fault)> {
    let mut faults: Vec<(&str, Fault)> = vec![
        ("no answer", Fault::BlackHole),
        ("closed", Fault::CloseBeforeHead),
        ("reset", Fault::ResetBeforeHead),
        ("html", Fault::Html),
        ("html with 200", Fault::HtmlAsSuccess),
        ("error with 200", Fault::ErrorAsSuccess),
        ("empty", Fault::EmptyBody),
        ("redirect", Fault::Redirect("http://127.0.0.1:9/".to_owned())),
    ];
    let statuses = [401, 402, 403, 404, 408, 429, 500, 502, 503, 504, 529];
    faults.extend(statuses.map(|status| ("status", Fault::status(status))));
    faults
}

#[test]
fn whatever_another_upstream_may_do_better_goes_to_the_next_one() -> Result<()> {
    let pair = Pair::start()?;
    let router = Router::start(&pair.config)?;
    // One request per way to get from `a` to `b`, and every dialect for one of them.
    for (what, fault) in passing() {
        for (route, is_stream, speaks) in [
            ("pair", false, Speaks::Chat),
            ("tiers", true, Speaks::Messages),
            ("a/m", false, Speaks::Responses),
            ("a/m", true, Speaks::Gemini),
        ] {
            std::thread::sleep(Duration::from_millis(2));
            pair.a.demo().script("m", Script::always(fault.clone()));
            let answer = ask(&router, speaks, route, is_stream)?;
            let is_good = if is_stream {
                speaks.is_complete_stream(&answer)
            } else {
                speaks.is_answer(&answer)
            };
            let shown = format!("{what} {fault:?} {route} {speaks:?}");
            assert!(is_good, "{shown}: {} {}", answer.status, answer.text());
            assert_eq!(pair.asked(), (1, 1), "{shown}");
        }
    }
    Ok(())
}

#[test]
fn a_stream_that_fails_before_its_first_output_goes_to_the_next_one() -> Result<()> {
    let pair = Pair::start()?;
    let router = Router::start(&pair.config)?;
    for fault in [
        Fault::Cut(At::Start),
        Fault::Cut(At::BeforeOutput),
        Fault::Reset(At::BeforeOutput),
        Fault::Stall(At::BeforeOutput),
        Fault::ErrorEvent(At::Start),
        Fault::ErrorEvent(At::BeforeOutput),
        Fault::BadJson(At::BeforeOutput),
        Fault::GarbageUtf8(At::BeforeOutput),
    ] {
        for speaks in ALL {
            std::thread::sleep(Duration::from_millis(2));
            pair.a.demo().script("m", Script::always(fault.clone()));
            let answer = ask(&router, speaks, "pair", true)?;
            let shown = format!("{fault:?} {speaks:?}");
            assert!(speaks.is_complete_stream(&answer), "{shown}: {}", answer.text());
            assert!(speaks.stream_errors(&answer).is_empty(), "{shown}: {}", answer.text());
            assert_eq!(pair.asked(), (1, 1), "{shown}");
        }
    }
    Ok(())
}

#[test]
fn after_its_first_output_a_stream_never_goes_elsewhere() -> Result<()> {
    let pair = Pair::start()?;
    let router = Router::start(&pair.config)?;
    for fault in [Fault::Cut(At::AfterOutput), Fault::ErrorEvent(At::AfterOutput)] {
        for speaks in ALL {
            pair.a.demo().script("m", Script::always(fault.clone()));
            let answer = ask(&router, speaks, "pair", true)?;
            let shown = format!("{fault:?} {speaks:?}: {}", answer.text());
            assert_eq!((answer.status, speaks.stream_errors(&answer).len()), (200, 1), "{shown}");
            assert_eq!(pair.asked(), (1, 0), "{shown}");
        }
    }
    Ok(())
}

#[test]
fn what_the_client_did_wrong_never_goes_elsewhere() -> Result<()> {
    let pair = Pair::start()?;
    let router = Router::start(&pair.config)?;
    for is_stream in [false, true] {
        for speaks in ALL {
            for status in [400, 422] {
                pair.a.demo().script("m", Script::always(Fault::status(status)));
                let answer = ask(&router, speaks, "pair", is_stream)?;
                assert_eq!(answer.status, status, "{speaks:?}: {}", answer.text());
                speaks.error(&answer)?;
                assert_eq!(pair.asked(), (1, 0), "{speaks:?}");
            }
        }
    }
    let bad = json!({"model": "pair", "messages": "none"});
    assert_eq!(post(router.address(), "/v1/chat/completions", &bad)?.status, 400);
    assert_eq!(pair.asked(), (1, 0));
    Ok(())
}

#[test]
fn a_refused_connection_goes_to_the_next_one() -> Result<()> {
    let mut pair = Pair::start()?;
    let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    pair.config["providers"][0]["baseUrl"] = json!(format!("http://{gone}"));
    let router = Router::start(&pair.config)?;
    for speaks in ALL {
        let answer = ask(&router, speaks, "pair", false)?;
        assert!(speaks.is_answer(&answer), "{speaks:?}: {}", answer.text());
    }
    assert_eq!(pair.asked().1, 4);
    Ok(())
}

#[test]
fn a_name_that_does_not_resolve_goes_to_the_next_one() -> Result<()> {
    let mut pair = Pair::start()?;
    pair.config["providers"][0]["baseUrl"] = json!("http://upstream.invalid");
    let router = Router::start(&pair.config)?;
    assert_eq!(chat(&router, "tiers")?.status, 200);
    let alone = chat(&router, "a/only-a")?;
    assert_eq!(alone.status, 502, "{}", alone.text());
    Ok(())
}

#[test]
fn a_providers_timeout_outweighs_the_routers() -> Result<()> {
    let mut pair = Pair::start()?;
    pair.config["routing"]["timeouts"] = json!({"firstByteMs": 10_000});
    pair.config["providers"][0]["timeouts"] = json!({"firstByteMs": 200});
    let router = Router::start(&pair.config)?;
    pair.a.demo().script("only-a", Script::always(Fault::BlackHole));
    let begun = Instant::now();
    let answer = ask(&router, Speaks::Chat, "a/only-a", false)?;
    assert_eq!(answer.status, 504, "{}", answer.text());
    let took = begun.elapsed();
    assert!(Duration::from_millis(190) < took && took < Duration::from_secs(3), "{took:?}");
    Ok(())
}

#[test]
fn d1_a_whole_answer_has_a_total_limit_and_a_stream_has_none() -> Result<()> {
    let mut pair = Pair::start()?;
    pair.config["routing"]["timeouts"] = json!({"totalMs": 300, "idleMs": 5_000});
    let router = Router::start(&pair.config)?;
    let drip = Fault::Drip { bytes: 40, every: Duration::from_millis(40) };
    pair.a.demo().script("only-a", Script::always(drip));
    let answer = ask(&router, Speaks::Chat, "a/only-a", false)?;
    assert_eq!(answer.status, 504, "{}", answer.text());
    pair.a.demo().script("only-a", Script::always(Fault::Pace(Duration::from_millis(40))));
    let begun = Instant::now();
    let answer = ask(&router, Speaks::Chat, "a/only-a", true)?;
    assert!(Speaks::Chat.is_complete_stream(&answer), "{}", answer.text());
    assert!(Duration::from_millis(300) < begun.elapsed());
    Ok(())
}

#[test]
fn every_way_to_give_a_credential_works() -> Result<()> {
    let origin = Origin::saying(router_e2e::origin::whole("{\"id\":\"x\"}"))?;
    let mut config = origin.config(&["openai"]);
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("key");
    std::fs::write(&file, "from-file\n")?;
    for (member, value, expect) in [
        ("apiKey", "literal".to_owned(), "Bearer literal"),
        ("apiKey", "env:UPSTREAM_KEY".to_owned(), "Bearer from-env"),
        ("apiKey", format!("file:{}", file.display()), "Bearer from-file"),
        ("apiKeyEnv", "UPSTREAM_KEY".to_owned(), "Bearer from-env"),
    ] {
        let provider = config["providers"][0].as_object_mut().context("no provider")?;
        provider.remove("apiKey");
        provider.remove("apiKeyEnv");
        provider.insert(member.to_owned(), json!(value));
        let router = Router::start_with(&config, &[], &[("UPSTREAM_KEY", "from-env")])?;
        assert_eq!(chat(&router, "p/m")?.status, 200);
        assert_eq!(origin.last()?.header("authorization"), expect, "{member}");
    }
    config["providers"][0]["auth"] = json!({"type": "header", "headerName": "api-key"});
    config["providers"][0]["headers"] = json!({"X-Team": "blue"});
    let router = Router::start_with(&config, &[], &[("UPSTREAM_KEY", "from-env")])?;
    assert_eq!(chat(&router, "p/m")?.status, 200);
    let request = origin.last()?;
    let headers =
        ["api-key", "authorization", "x-team"].map(|name| request.header(name).to_owned());
    assert_eq!(headers, ["from-env", "", "blue"]);
    Ok(())
}

#[test]
fn full_buckets_are_a_rate_limit_that_says_when_to_come_back() -> Result<()> {
    let mut pair = Pair::start()?;
    pair.config["providers"][0]["rateLimits"] =
        json!([{"id": "day", "models": "all", "requests": 2, "window": {"unit": "day"}}]);
    let router = Router::start(&pair.config)?;
    assert_eq!(chat(&router, "a/only-a")?.status, 200);
    assert_eq!(chat(&router, "a/only-a")?.status, 200);
    for is_stream in [false, true] {
        for speaks in ALL {
            let answer = ask(&router, speaks, "a/only-a", is_stream)?;
            assert_eq!(answer.status, 429, "{speaks:?}: {}", answer.text());
            let kind = match speaks {
                Speaks::Gemini => "RESOURCE_EXHAUSTED",
                _ => "rate_limit_error",
            };
            assert_eq!(speaks.error(&answer)?.kind, kind);
            let wait: u64 = answer.header("retry-after").context("no retry-after")?.parse()?;
            assert!(0 < wait && wait <= 86_400, "{wait}");
        }
    }
    assert_eq!(pair.asked(), (2, 0));
    // Where somebody else has room, nobody hears of it.
    assert_eq!(chat(&router, "pair")?.status, 200);
    assert_eq!(pair.asked(), (0, 1));
    Ok(())
}

#[test]
fn a_lone_target_is_tried_again_after_a_failure() -> Result<()> {
    let mut pair = Pair::start()?;
    pair.config["routing"] = json!({"retry": {"attempts": 1}});
    let router = Router::start(&pair.config)?;
    // A 401 cools the credential down for minutes; a client that mends it is served all the same.
    pair.a.demo().script("only-a", Script::once(Fault::status(401)));
    assert_eq!(chat(&router, "a/only-a")?.status, 401);
    assert_eq!(chat(&router, "a/only-a")?.status, 200);
    Ok(())
}

#[test]
fn the_same_upstream_is_tried_again_before_the_next() -> Result<()> {
    let mut pair = Pair::start()?;
    pair.config["routing"]["retry"] = json!({"attempts": 3, "baseDelayMs": 1, "maxDelayMs": 5});
    let router = Router::start(&pair.config)?;
    let failing = Some(Fault::status(500));
    pair.a.demo().script("m", Script::sequence([failing.clone(), failing]));
    let body = Speaks::Messages.request("pair", false).to_string();
    let answer = send(router.address(), "POST", "/v1/messages", &[JSON], body.as_bytes())?;
    assert!(Speaks::Messages.is_answer(&answer), "{}", answer.text());
    assert_eq!(pair.asked(), (3, 0));
    pair.a.demo().script("m", Script::always(Fault::status(500)));
    assert_eq!(chat(&router, "pair")?.status, 200);
    assert_eq!(pair.asked(), (3, 1));
    Ok(())
}
