//! Where the router answers, and how it says that it does not.

use anyhow::{Context as _, Result};
use router_e2e::http::{Answer, get, post, send};
use router_e2e::{Provider, Router};
use serde_json::{Value, json};

use crate::common::{ALL, IN_BODY, JSON, Speaks};

const MODEL: &str = "demo/demo-chat";

/// `path` as it is and with a slash behind it.
fn spellings(path: &str) -> [String; 2] {
    [path.to_owned(), format!("{path}/")]
}

fn check(router: &Router, path: &str, body: &Value, speaks: Speaks) -> Result<()> {
    for path in spellings(path) {
        let answer = post(router.address(), &path, body)?;
        assert!(speaks.is_answer(&answer), "POST {path}: {} {}", answer.status, answer.text());
        let asked = format!("{path}?x=1");
        assert_eq!(post(router.address(), &asked, body)?.status, 200, "{asked}");
    }
    Ok(())
}

#[test]
fn every_dialect_is_served_at_all_its_addresses() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for speaks in IN_BODY {
        let (own, tail) = match speaks {
            Speaks::Chat => (Some("/openai"), "chat/completions"),
            Speaks::Responses => (None, "responses"),
            _ => (Some("/anthropic"), "messages"),
        };
        let body = speaks.request(MODEL, false);
        for prefix in ["", "/openai", "/anthropic", "/route", "/router"] {
            check(&router, &format!("{prefix}/{tail}"), &body, speaks)?;
            check(&router, &format!("{prefix}/v1/{tail}"), &body, speaks)?;
        }
        if let Some(path) = own {
            check(&router, path, &body, speaks)?;
            check(&router, &format!("{path}/v1"), &body, speaks)?;
        }
    }
    let body = Speaks::Gemini.request(MODEL, false);
    for prefix in ["", "/gemini", "/route", "/router"] {
        let path = format!("{prefix}{}", Speaks::Gemini.path(MODEL, false));
        check(&router, &path, &body, Speaks::Gemini)?;
    }
    Ok(())
}

#[test]
fn d22_the_unified_addresses_find_the_dialect_in_the_body() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for path in ["/", "/v1", "/v1/", "/route", "/router/", "/route/v1", "/router/v1"] {
        for speaks in [Speaks::Chat, Speaks::Responses] {
            let answer = post(router.address(), path, &speaks.request(MODEL, false))?;
            assert!(speaks.is_answer(&answer), "{path}: {}", answer.text());
        }
        let mut body = Speaks::Messages.request(MODEL, false);
        let version = [JSON, ("anthropic-version", "2023-06-01")];
        let text = body.to_string();
        let answer = send(router.address(), "POST", path, &version, text.as_bytes())?;
        assert!(Speaks::Messages.is_answer(&answer), "{path}: {}", answer.text());
        body["system"] = json!("Be brief.");
        let answer = post(router.address(), path, &body)?;
        assert!(Speaks::Messages.is_answer(&answer), "{path}: {}", answer.text());
        // An ordinary Chat body, also one with a system turn, is not taken for Messages.
        let turns = json!([{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]);
        let answer = post(router.address(), path, &json!({"model": MODEL, "messages": turns}))?;
        assert!(Speaks::Chat.is_answer(&answer), "{path}: {}", answer.text());
    }
    Ok(())
}

#[test]
fn endpoints_without_a_dialect_of_their_own_are_served_under_every_prefix() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let count = json!({"model": MODEL, "messages": [{"role": "user", "content": "x"}]});
    for prefix in ["", "/openai", "/anthropic", "/route", "/router"] {
        for version in ["", "/v1"] {
            for (tail, body) in [
                ("embeddings", json!({"model": "demo/demo-embed", "input": "x"})),
                ("completions", json!({"model": "demo/demo-instruct", "prompt": "x"})),
                ("messages/count_tokens", count.clone()),
            ] {
                for path in spellings(&format!("{prefix}{version}/{tail}")) {
                    let answer = post(router.address(), &path, &body)?;
                    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                }
            }
            for path in spellings(&format!("{prefix}{version}/models")) {
                assert_eq!(get(router.address(), &path)?.status, 200, "{path}");
            }
            let path = format!("{prefix}{version}/models/{MODEL}");
            assert_eq!(get(router.address(), &path)?.status, 200, "{path}");
        }
        for tail in ["health", "ready", "api/hello"] {
            for path in spellings(&format!("{prefix}/{tail}")) {
                let answer = get(router.address(), &path)?;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            }
        }
    }
    Ok(())
}

#[test]
fn d20_the_router_says_what_it_is_and_that_it_lives() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let health = get(router.address(), "/health")?.json()?;
    assert_eq!(health.get("status"), Some(&json!("ok")));
    assert_eq!(health.get("providers"), Some(&json!(1)));
    assert!(health.get("timestamp").and_then(Value::as_str).is_some_and(|at| at.ends_with('Z')));
    assert_eq!(get(router.address(), "/ready")?.json()?.get("status"), Some(&json!("ready")));
    let root = get(router.address(), "/")?;
    assert_eq!(root.json()?.get("name"), Some(&json!("llm-router")));
    assert_eq!(root.header("cache-control"), Some("no-store"));
    assert_eq!(root.header("x-content-type-options"), Some("nosniff"));
    for path in ["/", "/health", "/ready", "/api/hello", "/v1/models"] {
        let whole = get(router.address(), path)?;
        let head = send(router.address(), "HEAD", path, &[], b"")?;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"), "{path}");
    }
    Ok(())
}

#[test]
fn d42_a_wrong_method_is_told_the_right_ones() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for (method, path, allow) in [
        ("GET", "/v1/messages", "POST, OPTIONS"),
        ("GET", "/v1/chat/completions", "POST, OPTIONS"),
        ("HEAD", "/v1/responses", "POST, OPTIONS"),
        ("PUT", "/v1/chat/completions", "POST, OPTIONS"),
        ("DELETE", "/anthropic/v1/messages", "POST, OPTIONS"),
        ("GET", "/openai", "POST, OPTIONS"),
        ("GET", "/v1/embeddings", "POST, OPTIONS"),
        ("GET", "/v1/messages/count_tokens", "POST, OPTIONS"),
        ("GET", "/v1beta/models/m:generateContent", "POST, OPTIONS"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("POST", "/v1/models/demo/demo-chat", "GET, HEAD, OPTIONS"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("DELETE", "/ready", "GET, HEAD, OPTIONS"),
        ("PATCH", "/", "GET, HEAD, POST, OPTIONS"),
        ("TRACE", "/v1/messages", "POST, OPTIONS"),
    ] {
        let answer = send(router.address(), method, path, &[], b"")?;
        assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    Ok(())
}

#[test]
fn an_unknown_address_is_not_found() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for (path, speaks) in [
        ("/nowhere", Speaks::Chat),
        ("/v2/chat/completions", Speaks::Chat),
        ("/V1/messages", Speaks::Chat),
        ("//v1/messages", Speaks::Chat),
        ("/v1/messages/batches", Speaks::Messages),
        ("/anthropic/v1/nowhere", Speaks::Messages),
        ("/openai/v1/nowhere", Speaks::Chat),
        ("/v1/chat", Speaks::Chat),
        ("/gemini/v1beta/nowhere", Speaks::Gemini),
    ] {
        for method in ["GET", "POST"] {
            let answer = send(router.address(), method, path, &[JSON], b"{}")?;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
            speaks.error(&answer).with_context(|| format!("{method} {path}"))?;
        }
    }
    let version = [("anthropic-version", "2023-06-01")];
    let answer = send(router.address(), "GET", "/nowhere", &version, b"")?;
    assert_eq!(Speaks::Messages.error(&answer)?.kind, "not_found_error");
    Ok(())
}

#[test]
fn a_model_nobody_has_is_an_error_of_the_clients_dialect() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for is_stream in [false, true] {
        for speaks in ALL {
            let model = "demo/demo-chta";
            let path = speaks.path(model, is_stream);
            let answer = post(router.address(), &path, &speaks.request(model, is_stream))?;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
            let told = speaks.error(&answer)?;
            let (kind, code) = match speaks {
                Speaks::Chat | Speaks::Responses => ("invalid_request_error", "model_not_found"),
                Speaks::Messages => ("not_found_error", ""),
                Speaks::Gemini => ("NOT_FOUND", "404"),
            };
            assert_eq!((told.kind.as_str(), told.code.as_str()), (kind, code), "{path}");
            assert!(told.message.contains("`demo/demo-chat`"), "{}", told.message);
            let id = answer.header("x-request-id").context("no request id")?;
            if speaks == Speaks::Messages {
                assert_eq!(answer.header("request-id"), Some(id));
                assert_eq!(answer.json()?.get("request_id"), Some(&json!(id)));
            }
        }
    }
    Ok(())
}

#[test]
fn upstream_refusals_keep_their_status_in_every_dialect() -> Result<()> {
    let provider = Provider::start()?;
    let models = ["demo-error-400", "demo-error-401", "demo-error-403", "demo-error-500"];
    let mut config = provider.config(&models)?;
    config["routing"] = json!({"retry": {"attempts": 1}, "circuit": {"failures": 0},
        "cooldown": {"authMs": 1, "rateLimitMs": 1, "billingMs": 1, "notFoundMs": 1}});
    let router = Router::start(&config)?;
    for (model, status, openai, messages, gemini) in [
        (
            "demo-error-400",
            400,
            "invalid_request_error",
            "invalid_request_error",
            "INVALID_ARGUMENT",
        ),
        ("demo-error-500", 500, "server_error", "api_error", "INTERNAL"),
        ("demo-rate-limit", 429, "", "rate_limit_error", "RESOURCE_EXHAUSTED"),
        ("demo-overloaded", 529, "", "overloaded_error", "UNAVAILABLE"),
    ] {
        for is_stream in [false, true] {
            for speaks in ALL {
                let model = format!("demo/{model}");
                let path = speaks.path(&model, is_stream);
                let answer = post(router.address(), &path, &speaks.request(&model, is_stream))?;
                let told = speaks.error(&answer).with_context(|| format!("{model} {path}"))?;
                let kind = match speaks {
                    Speaks::Messages => messages,
                    Speaks::Gemini => gemini,
                    _ => openai,
                };
                assert!(told.kind == kind || kind.is_empty(), "{model} {path}: {told:?}");
                let expect = if status == 529 && speaks != Speaks::Messages { 503 } else { status };
                let is_expected = answer.status == expect || answer.status == status;
                assert!(is_expected, "{model} {path}: {}", answer.status);
                let wait = answer.header("retry-after");
                assert_eq!(wait, (status == 429).then_some("2"), "{model} {path}");
            }
        }
    }
    Ok(())
}

fn ids(answer: &Answer) -> Result<Vec<String>> {
    let body = answer.json()?;
    let rows = body.get("data").and_then(Value::as_array).context("no data")?;
    Ok(rows.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)).collect())
}

#[test]
fn d21_models_are_listed_in_the_shape_of_the_client() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let version = ("anthropic-version", "2023-06-01");
    let openai = send(router.address(), "GET", "/v1/models", &[version], b"")?;
    let rows = openai.json()?;
    assert!(rows["first_id"].is_string() && rows["has_more"] == json!(false), "{rows}");
    assert_eq!(rows.pointer("/data/0/type"), Some(&json!("model")));
    assert!(rows.pointer("/data/0/display_name").is_some());
    let plain = get(router.address(), "/v1/models")?;
    assert_eq!(plain.json()?.get("object"), Some(&json!("list")));
    assert_eq!(plain.json()?.pointer("/data/0/object"), Some(&json!("model")));
    // Aliases are there, and every row can be asked for by its id.
    let names = ids(&plain)?;
    for name in ["demo", "demo-fallback", MODEL, "demo/demo-embed"] {
        assert!(names.iter().any(|each| each == name), "{name} is not in {names:?}");
    }
    assert_eq!(ids(&openai)?, names);
    for path in ["/anthropic/v1/models", "/anthropic/models"] {
        assert!(get(router.address(), path)?.json()?.get("first_id").is_some(), "{path}");
    }
    let gemini = get(router.address(), "/v1beta/models")?.json()?;
    assert!(gemini["models"][0]["name"].as_str().is_some_and(|name| name.starts_with("models/")));
    let forced = send(router.address(), "GET", "/openai/v1/models", &[version], b"")?;
    assert_eq!(forced.json()?.get("object"), Some(&json!("list")));
    let page = send(router.address(), "GET", "/v1/models?limit=2", &[version], b"")?;
    assert_eq!((ids(&page)?.len(), page.json()?["has_more"].clone()), (2, json!(true)));
    let next = format!("/v1/models?limit=1000&after_id={}", ids(&page)?[1]);
    let rest = send(router.address(), "GET", &next, &[version], b"")?;
    assert_eq!(ids(&rest)?, names[2..]);
    Ok(())
}

#[test]
fn one_model_is_found_by_a_name_with_slashes() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&["vendor/deep/name"])?)?;
    for (path, id) in [
        ("/v1/models/demo/demo-chat", MODEL),
        ("/v1/models/demo%2Fdemo-chat", MODEL),
        ("/models/demo/demo-chat/", MODEL),
        ("/v1/models/demo-fallback", "demo-fallback"),
        ("/v1/models/demo/vendor/deep/name", "demo/vendor/deep/name"),
        ("/v1/models/demo%2fvendor%2Fdeep/name", "demo/vendor/deep/name"),
    ] {
        let answer = get(router.address(), path)?;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.json()?.get("id"), Some(&json!(id)), "{path}");
    }
    let version = [("anthropic-version", "2023-06-01")];
    let answer = send(router.address(), "GET", "/v1/models/demo-fallback", &version, b"")?;
    assert_eq!(answer.json()?.get("type"), Some(&json!("model")));
    let missing = get(router.address(), "/v1/models/demo/nothing")?;
    assert_eq!(missing.status, 404);
    assert_eq!(Speaks::Chat.error(&missing)?.code, "model_not_found");
    let missing = send(router.address(), "GET", "/v1/models/nothing", &version, b"")?;
    assert_eq!(Speaks::Messages.error(&missing)?.kind, "not_found_error");
    Ok(())
}

#[test]
fn stored_responses_are_not_found() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for (method, path) in [
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
    ] {
        let answer = send(router.address(), method, path, &[], b"")?;
        assert_eq!(answer.status, 404, "{method} {path}");
        Speaks::Responses.error(&answer)?;
    }
    Ok(())
}

fn preflight(router: &Router, path: &str, origin: Option<&str>) -> Result<Answer> {
    let mut headers = vec![("access-control-request-method", "POST")];
    headers.extend(origin.map(|origin| ("origin", origin)));
    send(router.address(), "OPTIONS", path, &headers, b"")
}

#[test]
fn d31_web_pages_may_call_only_where_the_config_says_so() -> Result<()> {
    const ALLOW: &str = "access-control-allow-origin";
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    let closed = Router::start(&config)?;
    assert_eq!(preflight(&closed, "/v1/messages", Some("https://a.example"))?.status, 403);
    let open = preflight(&closed, "/v1/messages", None)?;
    assert!(open.status < 300 && open.header("access-control-allow-methods").is_some());
    let origin = [("origin", "https://a.example")];
    let answer = send(closed.address(), "GET", "/health", &origin, b"")?;
    assert_eq!(answer.header(ALLOW), None);

    config["server"] = json!({"cors": {"allowedOrigins": ["https://a.example"]}});
    let listed = Router::start(&config)?;
    let answer = preflight(&listed, "/v1/chat/completions", Some("https://a.example"))?;
    assert!(answer.status < 300);
    assert_eq!(answer.header(ALLOW), Some("https://a.example"));
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    let allowed = answer.header("access-control-allow-headers").unwrap_or_default();
    for name in ["x-api-key", "anthropic-version", "Authorization", "Content-Type"] {
        assert!(allowed.contains(name), "{allowed}");
    }
    assert_eq!(preflight(&listed, "/v1/messages", Some("https://A.example"))?.status, 403);
    for path in ["/health", "/v1/models", "/nowhere"] {
        let answer = send(listed.address(), "GET", path, &origin, b"")?;
        assert_eq!(answer.header(ALLOW), Some("https://a.example"), "{path}");
        assert!(answer.header("vary").is_some_and(|vary| vary.contains("Origin")), "{path}");
    }

    let env = [("LLM_ROUTER_CORS_ALLOW_ALL", "true")];
    let all = Router::start_with(&provider.config(&[])?, &[], &env)?;
    let answer = preflight(&all, "/", Some("null"))?;
    assert_eq!(answer.header(ALLOW), Some("*"));
    Ok(())
}

#[test]
fn d18_only_listed_addresses_are_served() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    config["server"] = json!({"allowedIps": ["10.0.0.0/8"]});
    let closed = Router::start(&config)?;
    let claims = [JSON, ("x-forwarded-for", "10.0.0.1"), ("cf-connecting-ip", "10.0.0.1")];
    for speaks in ALL {
        let path = speaks.path(MODEL, false);
        let body = speaks.request(MODEL, false).to_string();
        let answer = send(closed.address(), "POST", &path, &claims, body.as_bytes())?;
        assert_eq!(answer.status, 403, "{path}");
        speaks.error(&answer)?;
    }
    config["server"] = json!({"allowedIps": ["127.0.0.0/8"]});
    let open = Router::start(&config)?;
    assert_eq!(get(open.address(), "/health")?.status, 200);
    assert!(provider.demo().requests().is_empty());
    Ok(())
}

#[test]
fn the_absolute_form_of_a_target_is_taken() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let target = router.url("/v1/models");
    assert_eq!(get(router.address(), &target)?.status, 200);
    Ok(())
}
