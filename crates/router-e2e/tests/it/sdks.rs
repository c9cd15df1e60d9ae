//! The official SDKs, unmodified, through the router's one address.

use anyhow::Result;
use router_e2e::{Provider, Router, sdk};

/// Models with a number in their names, which the demo config does not list.
const NUMBERED: [&str; 8] = [
    "demo-cut-4",
    "demo-cut-5",
    "demo-cut-6",
    "demo-error-500",
    "demo-rate-limit-0",
    "demo-reset-body-4",
    "demo-reset-body-5",
    "demo-slow-50",
];

fn judge(script: &str) -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&NUMBERED)?)?;
    sdk::run(script, &router.url(""))
}

#[test]
fn openai_for_python_chats() -> Result<()> {
    judge("openai_chat.py")
}

#[test]
fn openai_for_python_speaks_responses() -> Result<()> {
    judge("openai_responses.py")
}

#[test]
fn anthropic_for_python_sends_messages() -> Result<()> {
    judge("anthropic_messages.py")
}

#[test]
fn openai_for_node_works() -> Result<()> {
    judge("openai.mjs")
}

#[test]
fn anthropic_for_node_works() -> Result<()> {
    judge("anthropic.mjs")
}

#[test]
fn the_lists_of_members_are_those_of_the_sdks() -> Result<()> {
    sdk::output("request_members.py", "", &[]).map(drop)
}
