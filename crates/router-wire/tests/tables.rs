//! The tables of what is known about models, cell by cell: every fact of every pattern, what an
//! asked level of effort becomes, and what becomes of cache marks and keys.
//!
//! After a wanted change, run the test with `INSTA_UPDATE=always` and read the difference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use router_wire::Dialect;
use router_wire::facts::FactsTable;
use router_wire::translate::{Options, RequestExtra, Target, translate_request};
use serde_json::{Value, json};

fn snapshot(name: &str, table: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("golden/tables");
    settings.bind(|| insta::assert_snapshot!(name, table));
}

/// A name that fits a pattern: `*` stands for nothing at the end and for a word elsewhere.
fn sample(pattern: &str) -> String {
    pattern.strip_suffix('*').unwrap_or(pattern).trim_end_matches('-').replace('*', "x")
}

#[test]
fn every_fact_of_every_pattern_is_pinned() {
    let file: Vec<Value> = serde_json::from_str(include_str!("../data/model-facts.json")).unwrap();
    let table = FactsTable::embedded();
    let plain = serde_json::to_value(table.lookup("unheard-of")).unwrap();
    let mut text = format!("unheard-of {plain}\n");
    for pattern in file.iter().flat_map(|record| record["models"].as_array().unwrap()) {
        let pattern = pattern.as_str().unwrap();
        let name = sample(pattern);
        let facts = serde_json::to_value(table.lookup(&name)).unwrap();
        let odd = facts.as_object().unwrap().iter().filter(|(key, value)| plain[*key] != **value);
        let odd: Value = odd.map(|(key, value)| (key.clone(), value.clone())).collect();
        writeln!(text, "{pattern} ({name}) {odd}").unwrap();
    }
    snapshot("facts", &text);
}

#[test]
fn every_fact_is_documented() {
    let document = include_str!("../../../docs/translation.md");
    let facts = serde_json::to_value(FactsTable::embedded().lookup("unheard-of")).unwrap();
    for name in facts.as_object().unwrap().keys() {
        assert!(document.contains(&format!("`{name}`")), "docs/translation.md lacks {name}");
    }
}

/// The outbound body and the codes of the losses, or the refusal.
fn sent(
    inbound: Dialect,
    body: &Value,
    (dialect, model): (Dialect, &str),
    options: &Options,
) -> Result<(Value, Vec<String>), String> {
    let facts = FactsTable::embedded().lookup(model);
    let target = Target { dialect, model, facts: &facts, options };
    let bytes = body.to_string();
    let out = translate_request(inbound, bytes.as_bytes(), &RequestExtra::default(), &target)
        .map_err(|error| error.to_string())?;
    let codes = out.losses.iter().map(|loss| loss.code.to_string()).collect();
    Ok((serde_json::from_slice(&out.body).unwrap(), codes))
}

/// Models of every row of the ladder, and the dialects they are reached by.
const LADDER: [(&str, &[Dialect]); 27] = {
    const OPENAI: &[Dialect] = &[Dialect::OpenaiChat, Dialect::OpenaiResponses];
    const CHAT: &[Dialect] = &[Dialect::OpenaiChat];
    const MESSAGES: &[Dialect] = &[Dialect::Anthropic];
    const GEMINI: &[Dialect] = &[Dialect::Gemini];
    [
        ("claude-3-5-haiku", MESSAGES),
        ("claude-3-7-sonnet", MESSAGES),
        ("claude-sonnet-4-5", MESSAGES),
        ("claude-opus-4-5", MESSAGES),
        ("claude-opus-4-6", MESSAGES),
        ("claude-opus-4-7", MESSAGES),
        ("claude-sonnet-5", MESSAGES),
        ("gpt-4o", OPENAI),
        ("o1-mini", OPENAI),
        ("o3", OPENAI),
        ("gpt-5", OPENAI),
        ("gpt-5-mini", OPENAI),
        ("gpt-5-codex", OPENAI),
        ("gpt-5-pro", OPENAI),
        ("gpt-5.1", OPENAI),
        ("gpt-5.2", OPENAI),
        ("gpt-5.2-codex", OPENAI),
        ("gpt-5.4-pro", OPENAI),
        ("gpt-5.5", OPENAI),
        ("gpt-5.6", OPENAI),
        ("gpt-6", OPENAI),
        ("gpt-oss-120b", CHAT),
        ("deepseek-v4", CHAT),
        ("gemini-2.5-flash", GEMINI),
        ("gemini-2.5-pro", GEMINI),
        ("gemini-3-pro", GEMINI),
        ("gemini-3-flash", GEMINI),
    ]
};

/// What a body says about thinking.
fn thinking(body: &Value) -> Value {
    let places = [
        "/reasoning_effort",
        "/reasoning/effort",
        "/thinking",
        "/output_config/effort",
        "/generationConfig/thinkingConfig",
    ];
    let found = places.iter().filter_map(|place| Some((*place, body.pointer(place)?)));
    found.map(|(place, value)| (place.trim_start_matches('/').to_owned(), value.clone())).collect()
}

#[test]
fn b6_4_every_asked_level_becomes_what_the_model_takes() {
    let mut text = String::new();
    for (model, dialects) in LADDER {
        for dialect in dialects {
            writeln!(text, "{model} by {dialect}").unwrap();
            // The client must not speak the upstream's dialect.
            let chat = *dialect != Dialect::OpenaiChat;
            for level in ["none", "minimal", "low", "medium", "high", "xhigh", "max"] {
                let (inbound, body) = if chat {
                    let turn = json!([{"role": "user", "content": "q"}]);
                    let body = json!({"model": "m", "messages": turn, "reasoning_effort": level, "max_tokens": 10_000});
                    (Dialect::OpenaiChat, body)
                } else {
                    let body = json!({"model": "m", "input": "q", "reasoning": {"effort": level}, "max_output_tokens": 10_000});
                    (Dialect::OpenaiResponses, body)
                };
                let (body, codes) =
                    sent(inbound, &body, (*dialect, model), &Options::default()).unwrap();
                writeln!(text, "  {level:8} {} {}", thinking(&body), codes.join(" ")).unwrap();
            }
        }
    }
    snapshot("effort", &text);
}

#[test]
fn b6_4_a_budget_becomes_a_level_by_its_share() {
    let mut text = String::new();
    for max in [Some(10_000), None] {
        for budget in [0, 500, 1024, 2499, 2500, 5499, 5500, 7499, 7500, 8999, 9000, 24_000, 32_000]
        {
            let mut body = json!({"contents": [{"parts": [{"text": "q"}]}],
                "generationConfig": {"thinkingConfig": {"thinkingBudget": budget}}});
            if let Some(max) = max {
                body["generationConfig"]["maxOutputTokens"] = json!(max);
            }
            let target = (Dialect::OpenaiResponses, "gpt-5.6");
            let (body, _) = sent(Dialect::Gemini, &body, target, &Options::default()).unwrap();
            writeln!(text, "{budget} of {max:?}: {}", thinking(&body)).unwrap();
        }
    }
    snapshot("budget", &text);
}

/// Every member about caching, with its place.
fn caching(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let at = format!("{at}/{key}");
                if key.starts_with("prompt_cache") || key == "cache_control" {
                    found.push(format!("{at}={value}"));
                } else {
                    caching(value, &at, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                caching(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn cached(
    text: &mut String,
    name: &str,
    inbound: Dialect,
    body: &Value,
    target: (Dialect, &str),
    options: &Options,
) {
    let (dialect, model) = target;
    write!(text, "{name} to {model} by {dialect}:").unwrap();
    match sent(inbound, body, target, options) {
        Err(error) => writeln!(text, " refused: {error}").unwrap(),
        Ok((body, codes)) => {
            let mut found = Vec::new();
            caching(&body, "", &mut found);
            for place in found {
                write!(text, "\n    {place}").unwrap();
            }
            writeln!(text, "\n    losses: {}", codes.join(" ")).unwrap();
        }
    }
}

#[test]
fn b6_5_marks_of_messages_become_what_the_upstream_takes() {
    let mark = |ttl: Option<&str>| match ttl {
        Some(ttl) => json!({"type": "ephemeral", "ttl": ttl}),
        None => json!({"type": "ephemeral"}),
    };
    let body = |ttl: Option<&str>, places: &[&str]| {
        let mut body = json!({"model": "m", "max_tokens": 9,
            "metadata": {"user_id": "{\"session_id\":\"s-1\"}"},
            "system": [{"type": "text", "text": "x-anthropic-billing-header: a"}, {"type": "text", "text": "s"}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "q"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}]}, {"type": "text", "text": "z"}]}]});
        for place in places {
            body.pointer_mut(place).unwrap()["cache_control"] = mark(ttl);
        }
        body
    };
    let all = [
        "/system/1",
        "/tools/0",
        "/messages/0/content/0",
        "/messages/0/content/1",
        "/messages/0/content/2",
        "/messages/1/content/0",
        "/messages/2/content/0",
        "/messages/2/content/1",
    ];
    let targets = [
        (Dialect::OpenaiChat, "gpt-5.6"),
        (Dialect::OpenaiResponses, "gpt-5.6"),
        (Dialect::OpenaiChat, "gpt-4o"),
        (Dialect::OpenaiChat, "llama3.3"),
        (Dialect::Gemini, "gemini-3-flash"),
    ];
    let (plain, long) = (Options::default(), Options { cache_12h: true, ..Options::default() });
    let mut text = String::new();
    for target in targets {
        for place in all {
            cached(&mut text, place, Dialect::Anthropic, &body(None, &[place]), target, &plain);
        }
        cached(&mut text, "all eight", Dialect::Anthropic, &body(None, &all), target, &plain);
        cached(&mut text, "top level", Dialect::Anthropic, &body(None, &[""]), target, &plain);
        for (ttl, options, name) in
            [("5m", &plain, "5m"), ("1h", &plain, "1h"), ("1h", &long, "1h where 12 h are allowed")]
        {
            let body = body(Some(ttl), &["/system/1"]);
            cached(&mut text, name, Dialect::Anthropic, &body, target, options);
        }
    }
    snapshot("cache-from-messages", &text);
}

#[test]
fn b6_5_keys_and_breakpoints_become_what_the_upstream_takes() {
    let part =
        |point: Value| json!({"type": "text", "text": "q", "prompt_cache_breakpoint": point});
    let asks = [
        ("nothing", json!({}), None),
        ("key", json!({"prompt_cache_key": "k"}), None),
        ("long key", json!({"prompt_cache_key": "k".repeat(65)}), None),
        ("retention 24h", json!({"prompt_cache_retention": "24h"}), None),
        ("retention in_memory", json!({"prompt_cache_retention": "in_memory"}), None),
        ("implicit", json!({"prompt_cache_options": {"mode": "implicit"}}), None),
        ("explicit", json!({"prompt_cache_options": {"mode": "explicit"}}), None),
        ("ttl 30m", json!({"prompt_cache_options": {"ttl": "30m"}}), None),
        ("breakpoint", json!({}), Some(json!({"mode": "explicit"}))),
        ("breakpoint 30m", json!({}), Some(json!({"mode": "explicit", "ttl": "30m"}))),
        ("breakpoint 12h", json!({}), Some(json!({"mode": "explicit", "ttl": "12h"}))),
    ];
    let targets = [
        (Dialect::Anthropic, "claude-opus-4-7"),
        (Dialect::Anthropic, "llama3.3"),
        (Dialect::OpenaiResponses, "gpt-5.2"),
        (Dialect::OpenaiResponses, "gpt-5.6"),
        (Dialect::Gemini, "gemini-3-flash"),
    ];
    let mut text = String::new();
    for target in targets {
        for (name, members, point) in &asks {
            let content =
                point.as_ref().map_or_else(|| json!("q"), |point| json!([part(point.clone())]));
            let mut body = members.clone();
            body["model"] = json!("m");
            body["messages"] = json!([{"role": "user", "content": content}]);
            cached(&mut text, name, Dialect::OpenaiChat, &body, target, &Options::default());
        }
    }
    snapshot("cache-from-chat", &text);
}
