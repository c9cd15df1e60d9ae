//! Same dialect in and out: bytes pass untouched, headers only where they are listed.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use router_e2e::http::{Answer, get, post, send};
use router_e2e::origin::{Origin, answer, stream, whole};
use router_e2e::provider::KEY;
use router_e2e::{Provider, Router};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const JSON: (&str, &str) = ("content-type", "application/json");
const COMPLETION: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;

/// The path of each dialect and a request its strict upstream takes.
fn requests(model: &str, is_stream: bool) -> [(&'static str, Value); 3] {
    let turn = json!([{ "role": "user", "content": "Say hello to the world, twice." }]);
    [
        (CHAT, json!({"model": model, "messages": turn, "stream": is_stream})),
        ("/v1/responses", json!({"model": model, "input": "Say hello.", "stream": is_stream})),
        (
            "/v1/messages",
            json!({"model": model, "max_tokens": 99, "messages": turn, "stream": is_stream}),
        ),
    ]
}

#[test]
fn d30_a_request_is_untouched_but_for_its_model() -> Result<()> {
    let origin = Origin::saying(whole(COMPLETION))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    for (sent, expect) in [
        // Order, numbers, unknown members, white space.
        (
            "{ \"temperature\" : 1.0,\n\t\"model\" :  \"p/m\" ,\"messages\":[],\"zz\":{\"b\":1e400,\
             \"a\":9223372036854775808,\"c\":-0.0,\"d\":0.1000},\"2\":1,\"1\":2}\r\n",
            "{ \"temperature\" : 1.0,\n\t\"model\" :  \"m\" ,\"messages\":[],\"zz\":{\"b\":1e400,\
             \"a\":9223372036854775808,\"c\":-0.0,\"d\":0.1000},\"2\":1,\"1\":2}\r\n",
        ),
        // An escaped name and an escaped value.
        (r#"{"mod\u0065l":"p\/\u006d","messages":[]}"#, r#"{"mod\u0065l":"m","messages":[]}"#),
        // First, last, and look-alikes in between.
        (
            r#"{"model":"p/m","messages":[{"model":"p/m","content":"\"model\":\"p/m\""}]}"#,
            r#"{"model":"m","messages":[{"model":"p/m","content":"\"model\":\"p/m\""}]}"#,
        ),
        (
            r#"{"metadata":{"model":"p/m"},"messages":[],"seed":18446744073709551616,"model":"p/m"}"#,
            r#"{"metadata":{"model":"p/m"},"messages":[],"seed":18446744073709551616,"model":"m"}"#,
        ),
        // Escapes and plain text stay what they are.
        (
            r#"{"model":"p/m","messages":["\u00e9é\ud83d\ude00😀\/"]}"#,
            r#"{"model":"m","messages":["\u00e9é\ud83d\ude00😀\/"]}"#,
        ),
        // A member that comes twice is the upstream's business.
        (r#"{"n":1,"n":2,"model":"m"}"#, r#"{"n":1,"n":2,"model":"m"}"#),
    ] {
        let answer = send(router.address(), "POST", CHAT, &[JSON], sent.as_bytes())?;
        assert_eq!((answer.status, answer.text()), (200, COMPLETION.to_owned()), "{sent}");
        assert_eq!(String::from_utf8_lossy(&origin.last()?.body), expect);
    }
    Ok(())
}

#[test]
fn a_request_without_a_model_gets_the_default_one_and_keeps_the_rest() -> Result<()> {
    let origin = Origin::saying(whole(COMPLETION))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let sent = r#"{ "messages":[],"temperature":1.0 }"#;
    assert_eq!(send(router.address(), "POST", CHAT, &[JSON], sent.as_bytes())?.status, 200);
    let body = String::from_utf8(origin.last()?.body)?;
    assert_eq!(serde_json::from_str::<Value>(&body)?.get("model"), Some(&json!("m")), "{body}");
    assert!(body.contains(r#""messages":[],"temperature":1.0 }"#), "{body}");
    Ok(())
}

#[test]
fn a_whole_answer_is_untouched() -> Result<()> {
    let body = "\n { \"zz\" : 1.0, \"choices\":[ {\"message\":{\"content\":\"\\u00e9\"},\"n\":1e400}],\
                \r\n\"usage\":{\"prompt_tokens\":9007199254740993},\"a\":{}}  \n";
    let origin = Origin::saying(whole(body))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let answer = post(router.address(), CHAT, &json!({"model": "p/m", "messages": []}))?;
    assert_eq!((answer.status, answer.text().as_str()), (200, body));
    assert!(answer.complete);
    Ok(())
}

#[test]
fn a_stream_is_untouched() -> Result<()> {
    let chunk = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"h\u00e9"},"zz":1.0}]}"#;
    let last = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    for body in [
        format!("data: {chunk}\n\ndata: {last}\n\ndata: [DONE]\n\n"),
        format!(": hello\r\n\r\ndata:{chunk}\r\n\r\ndata: {last}\r\n\r\ndata: [DONE]\r\n\r\n"),
        format!("id: 7\nretry: 10\ndata: {chunk}\n\n\n\n:x\ndata:  {last}\n\ndata: [DONE]\n\n"),
    ] {
        let origin = Origin::saying(stream(&body))?;
        let router = Router::start(&origin.config(&["openai"]))?;
        let asked = json!({"model": "p/m", "messages": [], "stream": true});
        let answer = post(router.address(), CHAT, &asked)?;
        assert_eq!((answer.status, answer.text(), answer.complete), (200, body, true));
    }
    Ok(())
}

#[test]
fn every_dialect_answers_byte_for_byte_as_without_the_router() -> Result<()> {
    // Two providers alike: one behind the router, one asked directly.
    let (provider, twin) = (Provider::start()?, Provider::start()?);
    let router = Router::start(&provider.config(&[])?)?;
    let bearer = format!("Bearer {KEY}");
    for is_stream in [false, true] {
        let through = requests("demo/demo-chat", is_stream);
        let direct = requests("demo-chat", is_stream);
        for ((path, through), (_, direct)) in through.iter().zip(&direct) {
            let key = if path.ends_with("messages") {
                [("x-api-key", KEY), ("anthropic-version", "2023-06-01")]
            } else {
                [("authorization", bearer.as_str()), ("accept", "*/*")]
            };
            let headers = [JSON, key[0], key[1]];
            let body = direct.to_string();
            let address = twin.demo().address();
            let expect = send(address, "POST", path, &headers, body.as_bytes())?;
            let answer = post(router.address(), path, through)?;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            assert_eq!(answer.text(), expect.text(), "{path}");
            let records = provider.demo().requests();
            let record = records.last().context("no request")?;
            assert_eq!(String::from_utf8_lossy(&record.body), body, "{path}");
        }
    }
    Ok(())
}

#[test]
fn usage_chunks_are_not_forced_on_a_stream() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let asked = |extra: Option<bool>| {
        let mut body = json!({
            "model": "demo/demo-chat", "stream": true,
            "messages": [{"role": "user", "content": "hello"}],
        });
        if let Some(on) = extra {
            body["stream_options"] = json!({"include_usage": on});
        }
        post(router.address(), CHAT, &body)
    };
    let counted = |answer: &Answer| {
        answer
            .events()
            .iter()
            .any(|event| event.contains("\"usage\":{\"") && event.contains("\"choices\":[]"))
    };
    assert!(!counted(&asked(None)?));
    assert!(!counted(&asked(Some(false))?));
    assert!(counted(&asked(Some(true))?));
    let first = &provider.demo().requests()[0];
    assert_eq!(first.json().get("stream_options"), None);
    Ok(())
}

/// Headers of a client that says too much.
const TALKATIVE: [(&str, &str); 22] = [
    ("authorization", "Bearer client-secret"),
    ("x-api-key", "client-secret"),
    ("x-goog-api-key", "client-secret"),
    ("cookie", "session=client-secret"),
    ("proxy-authorization", "Basic client-secret"),
    ("content-type", "application/json"),
    ("user-agent", "test/1"),
    ("accept", "application/json"),
    ("te", "trailers"),
    ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"),
    ("x-forwarded-for", "10.0.0.1"),
    ("forwarded", "for=10.0.0.1"),
    ("x-real-ip", "10.0.0.1"),
    ("x-request-id", "mine"),
    ("origin", "https://page.example"),
    ("referer", "https://page.example/secret"),
    ("x-stainless-lang", "rust"),
    ("x-claude-code-session-id", "s"),
    ("x-codex-turn-metadata", "{}"),
    ("openai-organization", "org"),
    ("x-llm-router-anything", "1"),
];

#[test]
fn only_listed_headers_of_a_client_reach_an_upstream() -> Result<()> {
    let origin = Origin::saying(whole(COMPLETION))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let body = br#"{"model":"p/m","messages":[]}"#;
    assert_eq!(send(router.address(), "POST", CHAT, &TALKATIVE, body)?.status, 200);
    let request = origin.last()?;
    let expect = [
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    assert_eq!(request.names(), expect);
    assert_eq!(request.header("authorization"), "Bearer provider-secret");
    assert_eq!(request.header("user-agent"), "test/1");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("accept-encoding"), "identity");
    assert_eq!(request.header("host"), origin.url().replace("http://", ""));
    assert_eq!(request.line, "POST /v1/chat/completions");
    Ok(())
}

#[test]
fn d29_a_messages_upstream_gets_its_own_key_version_and_allowed_beta_features() -> Result<()> {
    let message = r#"{"id":"msg","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;
    let origin = Origin::saying(whole(message))?;
    let mut config = origin.config(&["claude"]);
    config["providers"][0]["anthropicBeta"] = json!(["own-1"]);
    config["providers"][0]["anthropicBetaAllow"] = json!(["good-1", "own-1"]);
    let router = Router::start(&config)?;
    let body = br#"{"model":"p/m","max_tokens":9,"messages":[]}"#;
    let path = "/v1/messages?beta=true&key=client-secret";
    let mut headers = TALKATIVE.to_vec();
    headers.push(("anthropic-version", "2023-01-01"));
    headers.push(("anthropic-beta", "bad-1, good-1"));
    headers.push(("anthropic-beta", "own-1"));
    assert_eq!(send(router.address(), "POST", path, &headers, body)?.status, 200);
    let request = origin.last()?;
    assert_eq!(request.line, "POST /v1/messages?beta=true");
    assert_eq!(request.header("x-api-key"), "provider-secret");
    assert_eq!(request.header("authorization"), "");
    assert_eq!(request.header("anthropic-version"), "2023-01-01");
    assert_eq!(request.header("anthropic-beta"), "own-1,good-1");
    send(router.address(), "POST", "/v1/messages", &[JSON], body)?;
    let request = origin.last()?;
    assert_eq!(request.line, "POST /v1/messages");
    assert_eq!(request.header("anthropic-version"), "2023-06-01");
    assert_eq!(request.header("anthropic-beta"), "own-1");
    Ok(())
}

#[test]
fn only_listed_headers_of_an_upstream_reach_a_client() -> Result<()> {
    let headers = [
        ("content-type", "application/json"),
        ("set-cookie", "a=provider-secret"),
        ("set-cookie", "b=provider-secret"),
        ("server", "origin"),
        ("via", "1.1 origin"),
        ("alt-svc", "h3=\":443\""),
        ("access-control-allow-origin", "*"),
        ("strict-transport-security", "max-age=1"),
        ("keep-alive", "timeout=5"),
        ("x-hop", "hop"),
        ("proxy-authenticate", "Basic"),
        ("x-ratelimit-remaining-requests", "7"),
        ("anthropic-ratelimit-tokens-remaining", "8"),
        ("retry-after", "9"),
        ("openai-processing-ms", "10"),
        ("openai-organization", "provider-org"),
    ];
    let origin = Origin::saying(answer(200, &headers, COMPLETION.as_bytes()))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let answer = post(router.address(), CHAT, &json!({"model": "p/m", "messages": []}))?;
    let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let expect = [
        "anthropic-ratelimit-tokens-remaining",
        "connection",
        "content-length",
        "content-type",
        "date",
        "openai-processing-ms",
        "retry-after",
        "x-ratelimit-remaining-requests",
        "x-request-id",
    ];
    assert_eq!(names, expect);
    Ok(())
}

/// `text` as gzip.
fn gzip(text: &str) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?)
}

fn gunzip(bytes: &[u8]) -> Result<String> {
    Ok(std::io::read_to_string(flate2::read::GzDecoder::new(bytes))?)
}

#[test]
fn gzip_reaches_only_a_client_that_asked_for_it() -> Result<()> {
    let body = gzip(COMPLETION)?;
    let headers = [JSON, ("content-encoding", "gzip")];
    // This upstream compresses whatever it is asked.
    let origin = Origin::saying(answer(200, &headers, &body))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let asked = br#"{"model":"p/m","messages":[]}"#;
    for (accepted, is_gzip) in [
        (None, false),
        (Some("identity"), false),
        (Some("gzip;q=0, identity"), false),
        (Some("br"), false),
        (Some("gzip"), true),
        (Some("deflate, gzip;q=0.5"), true),
    ] {
        let headers: Vec<_> =
            accepted.map(|value| ("accept-encoding", value)).into_iter().collect();
        let headers = [headers.as_slice(), &[JSON]].concat();
        let answer = send(router.address(), "POST", CHAT, &headers, asked)?;
        assert_eq!(answer.status, 200, "{accepted:?}: {}", answer.text());
        assert_eq!(origin.last()?.header("accept-encoding"), accepted.unwrap_or("identity"));
        let encoding = answer.header("content-encoding");
        assert_eq!(encoding, is_gzip.then_some("gzip"), "{accepted:?}");
        let text = if is_gzip { gunzip(&answer.body)? } else { answer.text() };
        assert_eq!(text, COMPLETION, "{accepted:?}");
    }
    Ok(())
}

#[test]
fn a_stream_is_asked_for_uncompressed() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    for (path, mut body) in requests("demo/demo-gzip", true) {
        body["stream"] = json!(true);
        let headers = [JSON, ("accept-encoding", "gzip")];
        let answer = send(router.address(), "POST", path, &headers, body.to_string().as_bytes())?;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-encoding"), None, "{path}");
        assert!(1 < answer.events().len(), "{path}: {}", answer.text());
    }
    Ok(())
}

#[test]
fn an_error_that_comes_compressed_is_readable() -> Result<()> {
    let error = r#"{"error":{"message":"no such thing","type":"invalid_request_error","param":null,"code":null}}"#;
    let body = gzip(error)?;
    let headers = [JSON, ("content-encoding", "gzip")];
    let origin = Origin::saying(answer(400, &headers, &body))?;
    let router = Router::start(&origin.config(&["openai"]))?;
    let answer = post(router.address(), CHAT, &json!({"model": "p/m", "messages": []}))?;
    assert_eq!((answer.status, answer.text().as_str()), (400, error));
    assert_eq!(answer.header("content-encoding"), None);
    Ok(())
}

#[test]
fn d17_redirects_are_not_followed_and_carry_no_credential_away() -> Result<()> {
    let elsewhere = Origin::saying(whole(COMPLETION))?;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/v1/chat/completions", elsewhere.url());
        let origin = Origin::saying(answer(status, &[("location", &location)], b""))?;
        let router = Router::start(&origin.config(&["openai"]))?;
        let answer = post(router.address(), CHAT, &json!({"model": "p/m", "messages": []}))?;
        assert!(500 <= answer.status, "{status}: {} {}", answer.status, answer.text());
        assert_eq!(answer.header("location"), None);
        assert!(!answer.text().contains(&elsewhere.url()), "{}", answer.text());
        assert_eq!(origin.received().len(), 1, "{status}");
    }
    assert_eq!(elsewhere.received().len(), 0);
    Ok(())
}

#[test]
fn every_answer_has_an_id_of_its_own() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let mut ids = Vec::new();
    for is_stream in [false, true] {
        for (path, body) in requests("demo/demo-chat", is_stream) {
            let answer = post(router.address(), path, &body)?;
            ids.push(answer.header("x-request-id").context("no id")?.to_owned());
        }
    }
    for path in ["/health", "/v1/models", "/nowhere"] {
        ids.push(get(router.address(), path)?.header("x-request-id").context("no id")?.to_owned());
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    Ok(())
}

#[test]
fn routing_headers_come_only_in_debug_mode() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = provider.config(&[])?;
    let plain = Router::start(&config)?;
    config["server"] = json!({"debug": true});
    let debug = Router::start(&config)?;
    for is_stream in [false, true] {
        for (path, body) in requests("demo-fallback", is_stream) {
            let named = |answer: &Answer| {
                let names = answer.headers.iter().map(|(name, _)| name.clone());
                names.filter(|name| name.starts_with("x-llm-router-")).collect::<Vec<_>>()
            };
            assert_eq!(named(&post(plain.address(), path, &body)?), Vec::<String>::new(), "{path}");
        }
    }
    for is_stream in [false, true] {
        let [(path, body), ..] = requests("demo-fallback", is_stream);
        let answer = post(debug.address(), path, &body)?;
        assert_eq!(answer.header("x-llm-router-requested-model"), Some("demo-fallback"));
        assert_eq!(answer.header("x-llm-router-route-type"), Some("alias"));
        assert_eq!(answer.header("x-llm-router-route-ref"), Some("demo-fallback"));
        assert_eq!(answer.header("x-llm-router-route-strategy"), Some("ordered"));
        assert_eq!(answer.header("x-llm-router-selected-candidate"), Some("demo/demo-chat"));
    }
    let env = [("LLM_ROUTER_DEBUG_ROUTING", "true")];
    let by_env = Router::start_with(&provider.config(&[])?, &[], &env)?;
    let [(path, body), ..] = requests("demo/demo-chat", false);
    let answer = post(by_env.address(), path, &body)?;
    assert_eq!(answer.header("x-llm-router-route-ref"), Some("demo/demo-chat"));
    Ok(())
}

#[test]
fn embeddings_completions_and_token_counts_pass_through() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let turn = json!([{ "role": "user", "content": "hello" }]);
    for (path, body, member) in [
        ("/v1/embeddings", json!({"model": "demo/demo-embed", "input": "x"}), "data"),
        ("/v1/completions", json!({"model": "demo/demo-instruct", "prompt": "x"}), "choices"),
        (
            "/v1/messages/count_tokens",
            json!({"model": "demo/demo-chat", "messages": turn}),
            "input_tokens",
        ),
    ] {
        let answer = post(router.address(), path, &body)?;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.json()?.get(member).is_some(), "{path}: {}", answer.text());
        let records = provider.demo().requests();
        let record = records.last().context("no request")?;
        assert_eq!(record.path, path);
        let sent = body.to_string().replace("demo/demo-", "demo-");
        assert_eq!(String::from_utf8_lossy(&record.body), sent);
    }
    let body = json!({"model": "demo/demo-instruct", "prompt": "x", "stream": true});
    let answer = post(router.address(), "/v1/completions", &body)?;
    assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"), "{}", answer.text());
    Ok(())
}

#[test]
fn a_stream_reaches_the_client_as_it_comes() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&["demo-slow-40"])?)?;
    for (path, body) in requests("demo/demo-slow-40", true) {
        let begun = Instant::now();
        let text = body.to_string();
        let mut exchange = router_e2e::http::Exchange::open(
            router.address(),
            "POST",
            path,
            &[JSON],
            text.as_bytes(),
        )?;
        assert_eq!(exchange.head()?.status, 200);
        let mut times = Vec::new();
        while let Some(line) = exchange.line()? {
            if line.starts_with("data:") {
                times.push(begun.elapsed());
            }
        }
        let (first, last) = (times[0], times[times.len() - 1]);
        assert!(first + Duration::from_millis(80) < last, "{path}: {times:?}");
    }
    Ok(())
}
