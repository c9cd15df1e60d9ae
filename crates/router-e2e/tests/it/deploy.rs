//! Deploying: the shipped binary against Cloudflare's API, and clients against what came of it.

use anyhow::{Result, ensure};
use router_e2e::router::Ended;
use router_e2e::{Cloudflare, Provider};
use serde_json::{Value, json};

mod again;
mod documents;
mod export;
mod key;
mod manage;
mod target;
mod up;

/// The master key of the configs here.
pub(crate) const KEY: &str = "gw_kJ8vQ2mZ7xR4tB9nW3cL6yHd";
/// Flags of a target that always exists.
pub(crate) const WORKERS_DEV: &str = "--workers-dev=true";

/// A config with one provider, which is called `demo`.
pub(crate) fn config(provider: &Provider) -> Result<Value> {
    let mut config = provider.config(&[])?;
    config["masterKey"] = json!(KEY);
    config["defaultModel"] = json!("demo/demo-chat");
    Ok(config)
}

/// A config for tests that send no request.
pub(crate) fn offline_config() -> Value {
    json!({
        "version": 2,
        "masterKey": KEY,
        "providers": [{
            "id": "openai", "baseUrl": "https://api.example.com/v1", "format": "openai",
            "apiKey": "sk-provider-credential", "models": ["gpt-5"],
        }],
    })
}

/// A stand-in with a config that sends no request.
pub(crate) fn cloudflare() -> Result<Cloudflare> {
    let cloudflare = Cloudflare::start()?;
    cloudflare.write_config(&offline_config())?;
    Ok(cloudflare)
}

/// Fails unless the command did what was asked.
pub(crate) fn done(ended: &Ended) -> Result<()> {
    ensure!(ended.code == Some(0), "exit code {:?}\n{}\n{}", ended.code, ended.out, ended.err);
    Ok(())
}

/// Fails unless the command ended with `code` and said `text`.
pub(crate) fn failed(ended: &Ended, code: i32, text: &str) -> Result<()> {
    ensure!(ended.code == Some(code), "exit code {:?}\n{}\n{}", ended.code, ended.out, ended.err);
    ensure!(ended.err.contains(text), "`{text}` is not in:\n{}", ended.err);
    Ok(())
}

/// The one JSON document a command printed, which has the documented shape.
pub(crate) fn document(ended: &Ended) -> Result<Value> {
    let document: Value = serde_json::from_str(&ended.out)?;
    let schema = router_e2e::cloudflare::folder().join("../../../schema/cli/deploy.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema)?)?;
    let validator = jsonschema::validator_for(&schema)?;
    let problems: Vec<String> =
        validator.iter_errors(&document).map(|problem| problem.to_string()).collect();
    ensure!(problems.is_empty(), "{problems:#?}\n{document:#}");
    Ok(document)
}
