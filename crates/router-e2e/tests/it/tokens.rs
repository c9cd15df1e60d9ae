//! Token counts: forwarded to upstreams that count, estimated for those that do not.

use anyhow::{Context as _, Result};
use router_e2e::http::{Answer, post, send};
use router_e2e::origin::{Origin, answer};
use router_e2e::{Provider, Router, sdk};
use serde_json::{Value, json};

use crate::common::{JSON, Speaks};

const MESSAGES: &str = "/v1/messages/count_tokens";
const GEMINI: &str = "/v1beta/models/demo-chat:countTokens";
const ESTIMATE: &str = "x-llm-router-estimate";

/// The demo provider with no other dialects than `formats`.
fn speaking(provider: &Provider, formats: &[&str]) -> Result<Router> {
    let mut config = provider.config(&[])?;
    let slot = config.pointer_mut("/providers/0").and_then(Value::as_object_mut);
    let entry = slot.context("no provider")?;
    entry.insert("formats".into(), json!(formats));
    // An address of its own is as good as a listed format.
    if let Some(addresses) = entry.get_mut("baseUrlByFormat").and_then(Value::as_object_mut) {
        addresses.retain(|format, _| formats.contains(&format.as_str()));
    }
    Router::start(&config)
}

/// What an agent sends: instructions, a tool, a few turns.
fn typical() -> Value {
    let prose = "You are a careful assistant who reads the files of a project before changing \
                 them, explains each step in plain words, and never guesses what a function does. ";
    json!({
        "model": "demo-chat",
        "system": prose.repeat(8),
        "messages": [
            {"role": "user", "content": format!("What does this project do? {prose}")},
            {"role": "assistant", "content": "It routes requests between clients and providers."},
            {"role": "user", "content": format!("And how are failures handled? {prose}")},
        ],
        "tools": [{
            "name": "read_file",
            "description": "Reads a file of the project and returns its text with line numbers.",
            "input_schema": {
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "Path from the project's root."},
                    "limit": {"type": "integer", "description": "Lines to read at most."},
                },
                "required": ["path"],
            },
        }],
    })
}

fn counted(answer: &Answer, member: &str) -> Result<u64> {
    let body = answer.json()?;
    let count = body.get(member).and_then(Value::as_u64);
    count.with_context(|| format!("{}: {body}", answer.status))
}

#[test]
fn an_upstream_that_counts_is_asked() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    for (path, body, member) in
        [(MESSAGES, typical(), "input_tokens"), (GEMINI, contents, "totalTokens")]
    {
        let answer = post(router.address(), path, &body)?;
        assert!(counted(&answer, member)? > 0, "{path}");
        assert_eq!(answer.header(ESTIMATE), None, "{path}");
        let records = provider.demo().requests();
        assert_eq!(records.last().context("no request")?.path, path);
    }
    Ok(())
}

#[test]
fn an_estimate_is_close_to_the_upstreams_own_count() -> Result<()> {
    let provider = Provider::start()?;
    let exact = Router::start(&provider.config(&[])?)?;
    let exact = counted(&post(exact.address(), MESSAGES, &typical())?, "input_tokens")?;
    let router = speaking(&provider, &["openai"])?;
    let before = provider.demo().requests().len();
    let answer = post(router.address(), MESSAGES, &typical())?;
    let estimate = counted(&answer, "input_tokens")?;
    assert_eq!(answer.header(ESTIMATE), Some("true"));
    assert!(estimate.abs_diff(exact) * 4 <= exact, "{estimate} estimated, {exact} counted");
    assert_eq!(provider.demo().requests().len(), before, "the upstream was asked");
    Ok(())
}

#[test]
fn gemini_clients_get_an_estimate_in_their_own_shape() -> Result<()> {
    let provider = Provider::start()?;
    let router = speaking(&provider, &["openai"])?;
    let contents = json!([{"role": "user", "parts": [{"text": "hello world"}]}]);
    let bare = json!({"contents": contents});
    let answer = post(router.address(), GEMINI, &bare)?;
    assert_eq!(answer.header(ESTIMATE), Some("true"));
    let few = counted(&answer, "totalTokens")?;
    assert!((2..20).contains(&few), "{few}");
    let whole = json!({"generateContentRequest": {
        "model": "models/demo-chat",
        "contents": contents,
        "systemInstruction": {"parts": [{"text": "Answer in one short sentence."}]},
    }});
    let more = counted(&post(router.address(), GEMINI, &whole)?, "totalTokens")?;
    assert!(more > few + 4, "{more} with instructions, {few} without");
    Ok(())
}

#[test]
fn the_sdk_takes_an_estimate_for_a_count() -> Result<()> {
    let provider = Provider::start()?;
    let router = speaking(&provider, &["openai"])?;
    sdk::run("anthropic_tokens.py", &router.url(""))
}

#[test]
fn an_upstream_without_the_endpoint_is_made_up_for() -> Result<()> {
    for status in [404, 405] {
        let words = br#"{"type":"error","error":{"type":"not_found_error","message":"no route"}}"#;
        let origin = Origin::saying(answer(status, &[JSON], words))?;
        let router = Router::start(&origin.config(&["anthropic"]))?;
        let messages = json!([{"role": "user", "content": "hello"}]);
        let body = json!({"model": "p/m", "messages": messages});
        // The second time, too: the upstream is not held to be broken.
        for asked in 1..=2 {
            let answer = post(router.address(), MESSAGES, &body)?;
            assert!(counted(&answer, "input_tokens")? > 0, "{status}");
            assert_eq!(answer.header(ESTIMATE), Some("true"), "{status}");
            assert_eq!(origin.received().len(), asked, "{status}");
        }
    }
    Ok(())
}

#[test]
fn other_refusals_to_count_reach_the_client() -> Result<()> {
    let words = br#"{"type":"error","error":{"type":"invalid_request_error","message":"no"}}"#;
    let origin = Origin::saying(answer(400, &[JSON], words))?;
    let router = Router::start(&origin.config(&["anthropic"]))?;
    let messages = json!([{"role": "user", "content": "hello"}]);
    let answer = post(router.address(), MESSAGES, &json!({"model": "p/m", "messages": messages}))?;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.header(ESTIMATE), None);
    Ok(())
}

#[test]
fn what_cannot_be_read_is_not_counted() -> Result<()> {
    let provider = Provider::start()?;
    let router = speaking(&provider, &["openai"])?;
    let check = |speaks: Speaks, path: &str, body: &str| -> Result<()> {
        let answer = send(router.address(), "POST", path, &[JSON], body.as_bytes())?;
        assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text());
        assert_eq!(answer.header(ESTIMATE), None);
        speaks.error(&answer)?;
        Ok(())
    };
    for body in [
        r#"{"model":"demo-chat","messages":7}"#,
        r#"{"model":"demo-chat","messages":[{"role":"user","content":7}]}"#,
        r#"{"model":"demo-chat","messages":["#,
    ] {
        check(Speaks::Messages, MESSAGES, body)?;
    }
    for body in ["{}", r#"{"contents":7}"#, r#"{"contents":["#] {
        check(Speaks::Gemini, GEMINI, body)?;
    }
    Ok(())
}
