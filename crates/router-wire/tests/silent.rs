//! No silent loss: every member a client can send is carried over, reported or refused.
//!
//! For each member in `fixtures/DIALECT/members.json`, which follows the dialect's typed models, a request with it is translated beside one without
//! it. If the outbound body is the same, there must be a loss that the other does not have, or a
//! refusal, or something remembered for the way back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use router_wire::Dialect;
use router_wire::facts::FactsTable;
use router_wire::translate::{Options, RequestExtra, Target, translate_request};
use serde_json::{Value, json};

const TARGETS: [(Dialect, &str); 6] = [
    (Dialect::Anthropic, "claude-opus-4-7"),
    (Dialect::OpenaiChat, "gpt-4o"),
    (Dialect::OpenaiChat, "gpt-5.6"),
    (Dialect::OpenaiChat, "deepseek-reasoner"),
    (Dialect::OpenaiResponses, "gpt-5.6"),
    (Dialect::Gemini, "gemini-2.5-pro"),
];

/// Body, losses and memory of a translation, or its error.
fn trace(inbound: Dialect, body: &Value, outbound: Dialect, model: &str) -> Result<String, String> {
    let mut facts = FactsTable::embedded().lookup(model);
    // A request with anything a model cannot see is refused as a whole.
    (facts.images, facts.pdf) = (true, true);
    let options = Options::default();
    let target = Target { dialect: outbound, model, facts: &facts, options: &options };
    let extra = RequestExtra { model: Some("m"), ..RequestExtra::default() };
    let bytes = serde_json::to_vec(body).unwrap();
    let out =
        translate_request(inbound, &bytes, &extra, &target).map_err(|error| error.to_string())?;
    let mut session = out.session.clone();
    // An estimate that moved is no sign of having carried anything.
    session.input_estimate = 0;
    // Neither is what the client's own dialect repeats in its answers.
    session.echo.clear();
    Ok(format!("{} {:?} {session:?}", String::from_utf8(out.body).unwrap(), out.losses))
}

/// Puts `value` at `pointer`, making objects on the way.
fn with(base: &Value, pointer: &str, value: &Value) -> Value {
    let mut body = base.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let mut at = &mut body;
    for step in parent.split('/').skip(1) {
        at = match step.parse::<usize>() {
            Ok(index) => at.get_mut(index).unwrap(),
            Err(_) => at.as_object_mut().unwrap().entry(step).or_insert_with(|| json!({})),
        };
    }
    at.as_object_mut().unwrap().insert(key.to_owned(), value.clone());
    body
}

/// Wishes that are fulfilled without a word: no tiers are one tier, no thinking is none, and
/// without marks nothing is cached where marks are all there is.
const FULFILLED: [(&str, &str, &str); 4] = [
    ("/service_tier", "standard_only", "deepseek-reasoner"),
    ("/serviceTier", "standard", "deepseek-reasoner"),
    ("/thinking", "disabled", "gpt-4o"),
    ("/prompt_cache_options", "explicit", "claude-opus-4-7"),
];

/// A request and the members to add to it, as pairs of JSON pointer and value.
#[derive(serde::Deserialize)]
struct Members {
    base: Value,
    members: Vec<(String, Value)>,
}

fn check(inbound: Dialect, members: &str) {
    let Members { base, members } = serde_json::from_str(members).unwrap();
    let mut silent = Vec::new();
    for (outbound, model) in TARGETS {
        if inbound == outbound {
            continue;
        }
        let without = match trace(inbound, &base, outbound, model) {
            Err(error) if error.contains("does not translate") => continue,
            other => other.unwrap(),
        };
        for (pointer, value) in &members {
            let fulfilled = FULFILLED.iter().any(|(at, word, who)| {
                at == pointer && *who == model && value.to_string().contains(word)
            });
            if fulfilled {
                continue;
            }
            let body = with(&base, pointer, value);
            if trace(inbound, &body, outbound, model).is_ok_and(|with| with == without) {
                silent.push(format!("{pointer} to {outbound} {model}"));
            }
        }
    }
    assert!(silent.is_empty(), "silently lost: {silent:#?}");
}

#[test]
fn no_member_of_a_messages_request_is_lost_silently() {
    check(Dialect::Anthropic, include_str!("../fixtures/anthropic/members.json"));
}

#[test]
fn no_member_of_a_responses_request_is_lost_silently() {
    check(Dialect::OpenaiResponses, include_str!("../fixtures/openai-responses/members.json"));
}

#[test]
fn no_member_of_a_chat_request_is_lost_silently() {
    check(Dialect::OpenaiChat, include_str!("../fixtures/openai-chat/members.json"));
}

#[test]
fn no_member_of_a_gemini_request_is_lost_silently() {
    check(Dialect::Gemini, include_str!("../fixtures/gemini/members.json"));
}
