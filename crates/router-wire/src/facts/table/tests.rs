use super::*;
use crate::canonical::Effort;
use crate::facts::{CacheMarks, SamplingRule, ThinkingKind, TokensField};

fn efforts(model: &str) -> String {
    let facts = FactsTable::embedded().lookup(model);
    facts.efforts.iter().map(|level| level.name()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_embedded_file_is_well_formed() {
    FactsTable::default().merge(include_str!("../../../data/model-facts.json")).unwrap();
}

#[test]
fn effort_levels_follow_the_model() {
    for (model, levels) in [
        ("o3-mini", "low medium high"),
        ("gpt-5", "minimal low medium high"),
        ("gpt-5-mini", "minimal low medium high"),
        ("gpt-5.1", "none low medium high"),
        ("gpt-5.2", "none low medium high xhigh"),
        ("gpt-5.5", "none low medium high xhigh"),
        ("gpt-5.6", "none low medium high xhigh max"),
        ("gpt-5.2-codex", "low medium high xhigh"),
        ("gpt-5-pro", "high"),
        ("gpt-5.4-pro", "medium high xhigh"),
        ("gpt-4o", ""),
        ("claude-sonnet-4-5-20250929", ""),
        ("claude-opus-4-6", "low medium high max"),
        ("claude-opus-4-7", "low medium high xhigh max"),
        ("claude-sonnet-5", "low medium high xhigh max"),
        ("no-such-model", ""),
    ] {
        assert_eq!(efforts(model), levels, "{model}");
    }
}

#[test]
fn vendor_prefixes_and_suffixes_are_ignored() {
    let table = FactsTable::embedded();
    let plain = table.lookup("gpt-5.2");
    for name in ["openai/gpt-5.2", "openrouter/openai/gpt-5.2:online", "GPT-5.2"] {
        assert_eq!(table.lookup(name), plain, "{name}");
    }
    assert_eq!(table.lookup("us.anthropic.claude-opus-4-6-v1:0").vendor, "anthropic");
}

#[test]
fn asked_levels_are_clamped_downwards_first() {
    let table = FactsTable::embedded();
    for (model, asked, got) in [
        ("gpt-5.2", Effort::Max, Some(Effort::Xhigh)),
        ("gpt-5.2", Effort::Minimal, Some(Effort::None)),
        ("gpt-5.6", Effort::Minimal, Some(Effort::None)),
        ("o3", Effort::Minimal, Some(Effort::Low)),
        ("o3", Effort::None, None),
        ("gpt-5-pro", Effort::Low, Some(Effort::High)),
        ("gpt-4o", Effort::High, None),
        ("gpt-5", Effort::None, Some(Effort::Minimal)),
    ] {
        assert_eq!(table.lookup(model).clamp(asked), got, "{model} {asked:?}");
    }
}

#[test]
fn other_facts_follow_the_model() {
    let table = FactsTable::embedded();
    let opus = table.lookup("claude-opus-4-7");
    assert_eq!(opus.sampling, SamplingRule::None);
    assert_eq!(opus.thinking, [ThinkingKind::Disabled, ThinkingKind::Adaptive]);
    assert!(opus.mid_system && !opus.prefill);
    let sonnet = table.lookup("claude-sonnet-4-5");
    assert_eq!(sonnet.thinking, [ThinkingKind::Disabled, ThinkingKind::Budget]);
    assert_eq!(sonnet.max_output, Some(64_000));
    let gpt = table.lookup("gpt-5.6");
    assert_eq!(gpt.cache_marks, CacheMarks::Breakpoint);
    assert_eq!(gpt.tokens_field, TokensField::MaxCompletionTokens);
    assert!(gpt.chat_tools_refuse_effort && gpt.developer_role);
    assert!(!table.lookup("gpt-5.2").chat_tools_refuse_effort);
    assert_eq!(table.lookup("llama3.3").tokens_field, TokensField::MaxTokens);
}

#[test]
fn later_records_outweigh_earlier_ones() {
    let mut table = FactsTable::embedded();
    table.merge(r#"[{"models":["gpt-5.2"],"facts":{"efforts":["low"],"max_output":5}}]"#).unwrap();
    let facts = table.lookup("openai/gpt-5.2");
    assert_eq!((facts.efforts, facts.max_output), (vec![Effort::Low], Some(5)));
    assert_eq!(facts.vendor, "openai");
}

#[test]
fn a_wrong_record_changes_nothing() {
    let mut table = FactsTable::embedded();
    for bad in [
        "{}",
        r#"[{"models":["a"],"facts":{"eforts":[]}}]"#,
        r#"[{"models":["a"],"facts":{"max_output":"x"}}]"#,
    ] {
        assert!(table.merge(bad).is_err(), "{bad}");
    }
    assert_eq!(table.lookup("gpt-5.2"), FactsTable::embedded().lookup("gpt-5.2"));
}
