//! Parameters that an upstream refused: paid for once.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use router_e2e::http::post;
use router_e2e::origin::{Origin, answer, whole};
use router_e2e::{Provider, Router};
use serde_json::{Value, json};

use crate::common::Speaks;

const GOOD: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;

/// A Chat upstream that does not take `temperature`, and says so as `OpenAI` does.
fn picky() -> Result<Origin> {
    Origin::start(|request, stream| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let bytes = if body.get("temperature").is_some() {
            let error = r#"{"error":{"message":"Unsupported parameter: 'temperature' is not supported with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_parameter"}}"#;
            answer(400, &[("content-type", "application/json")], error.as_bytes())
        } else {
            whole(GOOD)
        };
        let _ = stream.write_all(&bytes);
    })
}

fn router(picky: &Origin, other: &Provider) -> Result<Router> {
    let mut config = other.config(&[])?;
    config["providers"].as_array_mut().context("no providers")?.push(json!({
        "id": "picky", "baseUrl": picky.url(), "format": "openai", "models": ["m"],
    }));
    let targets = ["picky/m", "demo/demo-chat"];
    config["modelAliases"] = json!({ "x": { "strategy": "ordered", "targets": targets } });
    Router::start(&config)
}

#[test]
fn a_translation_leaves_out_what_was_refused_and_says_so() -> Result<()> {
    let (picky, other) = (picky()?, Provider::start()?);
    let router = router(&picky, &other)?;
    let mut request = Speaks::Messages.request("x", false);
    request["temperature"] = json!(0.5);
    let path = Speaks::Messages.path("x", false);
    let first = post(router.address(), &path, &request)?;
    assert!(Speaks::Messages.is_answer(&first), "{}", first.text());
    assert_eq!(other.demo().requests().len(), 1, "the other one answered");
    for _ in 0..2 {
        let next = post(router.address(), &path, &request)?;
        assert!(Speaks::Messages.is_answer(&next), "{}", next.text());
        let losses = next.header("x-llm-router-loss").context("a loss that nobody is told of")?;
        assert!(losses.contains("parameter-refused"), "{losses}");
    }
    assert_eq!(other.demo().requests().len(), 1);
    assert_eq!(picky.received().len(), 3, "nobody paid for another failed attempt");
    Ok(())
}

#[test]
fn a_request_that_passes_untouched_goes_where_it_is_taken() -> Result<()> {
    let (picky, other) = (picky()?, Provider::start()?);
    let router = router(&picky, &other)?;
    let path = Speaks::Chat.path("x", false);
    let mut request = Speaks::Chat.request("x", false);
    request["temperature"] = json!(0.5);
    for _ in 0..3 {
        let answered = post(router.address(), &path, &request)?;
        assert!(Speaks::Chat.is_answer(&answered), "{}", answered.text());
    }
    assert_eq!(picky.received().len(), 1, "asked once");
    assert_eq!(other.demo().requests().len(), 3);
    // Without the parameter it is as good as ever, and alone it may say no in its own words.
    let plain = post(router.address(), &path, &Speaks::Chat.request("x", false))?;
    assert_eq!(plain.text(), GOOD);
    request["model"] = json!("picky/m");
    let refused = post(router.address(), &path, &request)?;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("Unsupported parameter"), "{}", refused.text());
    Ok(())
}
