//! No silent loss: every member a client can send is carried over, reported or refused.
//!
//! A request with the member is translated beside one without it. If the outbound body is the
//! same, there must be a loss that the other does not have, or a refusal, or something remembered
//! for the way back. The members come from two lists for each dialect: `sdk-members.jsonl` is
//! made of the official SDKs' own types (`cargo x members`); `members.json` has what clients send
//! beyond those types, and members nobody knows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use router_wire::Dialect;
use router_wire::canonical::Loss;
use router_wire::facts::FactsTable;
use router_wire::translate::{Options, RequestExtra, Target, TranslateError, translate_request};
use serde_json::{Value, json};

const TARGETS: [(Dialect, &str); 6] = [
    (Dialect::Anthropic, "claude-opus-4-7"),
    (Dialect::OpenaiChat, "gpt-4o"),
    (Dialect::OpenaiChat, "gpt-5.6"),
    (Dialect::OpenaiChat, "deepseek-reasoner"),
    (Dialect::OpenaiResponses, "gpt-5.6"),
    (Dialect::Gemini, "gemini-2.5-pro"),
];

/// What came of a translation.
#[derive(Debug, PartialEq)]
struct Trace {
    /// The outbound body.
    body: Vec<u8>,
    losses: Vec<Loss>,
    /// What is remembered for the way back.
    session: String,
}

/// Translates, or says why not.
fn trace(
    inbound: Dialect,
    body: &Value,
    outbound: Dialect,
    model: &str,
) -> Result<Trace, TranslateError> {
    thread_local!(static TABLE: FactsTable = FactsTable::embedded());
    let mut facts = TABLE.with(|table| table.lookup(model));
    // A request with anything a model cannot see is refused as a whole.
    (facts.images, facts.pdf) = (true, true);
    let options = Options::default();
    let target = Target { dialect: outbound, model, facts: &facts, options: &options };
    let extra = RequestExtra { model: Some("m"), ..RequestExtra::default() };
    let bytes = serde_json::to_vec(body).unwrap();
    let out = translate_request(inbound, &bytes, &extra, &target)?;
    let mut session = out.session.clone();
    // An estimate that moved is no sign of having carried anything.
    session.input_estimate = 0;
    // Neither is what the client's own dialect repeats in its answers.
    session.echo.clear();
    Ok(Trace { body: out.body, losses: out.losses, session: format!("{session:?}") })
}

/// Whether a loss is reported for something that the member at `pointer` is part of. A path
/// without a place in a list names a member wherever it stands.
fn is_reported(trace: &Trace, pointer: &str) -> bool {
    let steps: Vec<_> = pointer.split('/').skip(1).collect();
    trace.losses.iter().any(|loss| {
        let path = loss.path.replace('[', ".").replace(']', "");
        let path: Vec<_> = path.split('.').collect();
        let placed = path.iter().any(|step| step.parse::<usize>().is_ok());
        let named = || {
            path.last().is_some_and(|last| steps.contains(last))
                && (path.len() == 1 || path.first() == steps.first())
        };
        steps.starts_with(&path) || (!placed && named())
    })
}

/// Puts `value` at `pointer`, making objects on the way; a number at the end inserts an item.
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
    match at {
        Value::Array(list) => list.insert(key.parse().unwrap(), value.clone()),
        _ => drop(at.as_object_mut().unwrap().insert(key.to_owned(), value.clone())),
    }
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
        let without = trace(inbound, &base, outbound, model).unwrap();
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

/// A request, and members of an SDK's types to put into it: path, JSON pointer and value.
#[derive(serde::Deserialize)]
struct Entry {
    body: Value,
    adds: Vec<(String, String, Value)>,
}

/// Values that ask for what happens anyway: the end of a member's path, and the value. The flag
/// that is off asks for nothing either, wherever it stands.
const AS_IT_IS: &[(&str, &str)] = &[
    (".allowed_callers", r#"["direct"]"#),
    (".detail", r#""auto""#),
    (".environment", r#"{"type":"local"}"#),
    (".format", r#"{"type":"text"}"#),
    (".functionCallingConfig.mode", r#""AUTO""#),
    (".generationConfig.mediaResolution", r#""MEDIA_RESOLUTION_MEDIUM""#),
    (".include", r#"["reasoning.encrypted_content"]"#),
    (".modalities", r#"["text"]"#),
    (".parallel_tool_calls", "true"),
    (".prompt_cache_breakpoint.ttl", r#""30m""#),
    (".prompt_cache_options.mode", r#""explicit""#),
    (".reasoning.effort", r#""none""#),
    (".response_format", r#"{"type":"text"}"#),
    (".serviceTier", r#""standard""#),
    (".serviceTier", r#""unspecified""#),
    (".service_tier", r#""auto""#),
    (".service_tier", r#""default""#),
    (".service_tier", r#""standard_only""#),
    (".speed", r#""standard""#),
    (".thinking", r#"{"type":"adaptive"}"#),
    (".thinking", r#"{"type":"disabled"}"#),
    (".thread", r#"{"type":"create"}"#),
    (".tools[BetaToolParam].type", r#""custom""#),
    (".truncation", r#""disabled""#),
    (".ttl", r#""5m""#),
    (".type", r#""message""#),
    (".type", r#""tool_search_tool_bm25""#),
    (".type", r#""tool_search_tool_regex""#),
    (".type", r#""web_search_2025_08_26""#),
    (".type", r#""web_search_preview_2025_03_11""#),
    ("[ChatCompletionAssistantMessageParam]", r#"{"role":"assistant"}"#),
];

/// Members without a meaning of their own, by the end of their path, each with the reason.
const BOOKKEEPING: &[(&str, &str)] = &[
    (".encrypted_content", "is its vendor's own; the thinking beside it is carried or reported"),
    (".generationConfig.logprobs", "says how many, if `responseLogprobs` asks for any"),
    (".id", "items are known to the vendor by it; calls have a `call_id` beside it"),
    (".json_schema.name", "a label that stands in no answer"),
    (".json_schema.strict", "where it cannot be said, every schema is kept to"),
    (".model", "routing has replaced it"),
    (".parts[Part].mediaResolution.level", "text has no resolution"),
    (".signature", "is its vendor's own; the thinking beside it is carried or reported"),
    (".status", "an item in a request is complete"),
    (".systemInstruction.role", "instructions have no role"),
    (".text.format.name", "a label that stands in no answer"),
    (".text.format.strict", "where it cannot be said, every schema is kept to"),
    ("[Content].text", "the summary beside it says the same"),
    ("[FunctionCallOutput].name", "the call has it"),
    ("[FunctionCallOutput].namespace", "the call has it"),
    ("[ResponseReasoningItemParam].content", "the summary beside it says the same"),
    ("[ResponseReasoningItemParam].content[Content]", "the summary beside it says the same"),
];

fn asks_nothing(path: &str, value: &Value) -> bool {
    let value = value.to_string();
    value == "false"
        || AS_IT_IS.iter().any(|(end, word)| path.ends_with(end) && *word == value)
        || BOOKKEEPING.iter().any(|(end, _)| path.ends_with(end))
}

fn check_sdk(inbound: Dialect, lines: &str) {
    let mut silent = BTreeSet::new();
    let mut malformed = BTreeSet::new();
    for line in lines.lines() {
        let Entry { body, adds } = serde_json::from_str(line).unwrap();
        for (outbound, model) in TARGETS {
            if inbound == outbound {
                continue;
            }
            let without = trace(inbound, &body, outbound, model);
            if let Err(error @ TranslateError::Malformed { .. }) = &without {
                malformed.insert(format!("{error}: {body}"));
            }
            for (path, pointer, value) in &adds {
                match trace(inbound, &with(&body, pointer, value), outbound, model) {
                    Err(error @ TranslateError::Malformed { .. }) => {
                        malformed.insert(format!("{path}: {error}: {value}"));
                    }
                    // Where the request is refused without it, the member has no fate of its own.
                    Err(_) => {}
                    Ok(trace) => {
                        let said = without.as_ref() != Ok(&trace) || is_reported(&trace, pointer);
                        if !said && !asks_nothing(path, value) {
                            silent.insert(format!("{path} = {value} to {outbound} {model}"));
                        }
                    }
                }
            }
        }
    }
    assert!(malformed.is_empty(), "not understood: {malformed:#?}");
    assert!(silent.is_empty(), "silently lost: {silent:#?}");
}

#[test]
fn no_member_of_a_messages_request_is_lost_silently() {
    check(Dialect::Anthropic, include_str!("../fixtures/anthropic/members.json"));
}

#[test]
fn no_member_of_the_anthropic_sdk_is_lost_silently() {
    check_sdk(Dialect::Anthropic, include_str!("../fixtures/anthropic/sdk-members.jsonl"));
}

#[test]
fn no_member_of_a_responses_request_is_lost_silently() {
    check(Dialect::OpenaiResponses, include_str!("../fixtures/openai-responses/members.json"));
}

#[test]
fn no_member_of_the_openai_sdk_s_responses_is_lost_silently() {
    let lines = include_str!("../fixtures/openai-responses/sdk-members.jsonl");
    check_sdk(Dialect::OpenaiResponses, lines);
}

#[test]
fn no_member_of_a_chat_request_is_lost_silently() {
    check(Dialect::OpenaiChat, include_str!("../fixtures/openai-chat/members.json"));
}

#[test]
fn no_member_of_the_openai_sdk_s_chat_is_lost_silently() {
    check_sdk(Dialect::OpenaiChat, include_str!("../fixtures/openai-chat/sdk-members.jsonl"));
}

#[test]
fn no_member_of_a_gemini_request_is_lost_silently() {
    check(Dialect::Gemini, include_str!("../fixtures/gemini/members.json"));
}

#[test]
fn no_member_of_the_google_sdk_is_lost_silently() {
    check_sdk(Dialect::Gemini, include_str!("../fixtures/gemini/sdk-members.jsonl"));
}
