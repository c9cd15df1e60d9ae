//! Aliases: names clients use that stand for several targets.

use router_config::edit::Document;
use router_config::{nearest, parse};
use serde_json::{Map, Value};

use super::references::remove_with;
use super::{Done, known};
use crate::Failure;

/// Strategies, and other words for them.
const STRATEGIES: [(&str, &[&str]); 7] = [
    ("auto", &["automatic", "smart"]),
    ("ordered", &[]),
    ("round-robin", &[]),
    ("weighted-rr", &[]),
    ("quota-aware-weighted-rr", &[]),
    ("least-latency", &[]),
    ("least-cost", &[]),
];

/// What to set; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// How targets are chosen.
    pub strategy: Option<String>,
    /// The first tier: JSON, or a list such as `a/m@2, b/n`.
    pub targets: Option<String>,
    /// The second tier; empty removes it.
    pub fallback_targets: Option<String>,
    /// Free use.
    pub metadata: Option<Map<String, Value>>,
}

/// Adds an alias or changes the one there is.
pub fn put(document: &mut Document, id: &str, fields: &Fields) -> Result<Done, Failure> {
    let id = id.trim();
    check_id(id)?;
    let is_new = !document.alias_ids().iter().any(|each| each == id);
    let mut members = Map::new();
    let strategy = fields.strategy.as_deref().map(strategy).transpose()?;
    if let Some(strategy) = strategy.or(is_new.then_some("auto")) {
        members.insert("strategy".to_owned(), strategy.into());
    }
    if let Some(text) = &fields.targets {
        let targets = targets(document, id, text)?;
        if targets.is_empty() {
            return Err(no_targets());
        }
        members.insert("targets".to_owned(), targets.into());
    } else if is_new {
        return Err(no_targets());
    }
    if let Some(text) = &fields.fallback_targets {
        let targets = targets(document, id, text)?;
        let value = if targets.is_empty() { Value::Null } else { targets.into() };
        // Every spelling of it, or an older one would stay in force beside it.
        for spelling in ["fallback-targets", "fallbacks"] {
            members.insert(spelling.to_owned(), Value::Null);
        }
        members.insert("fallbackTargets".to_owned(), value);
    }
    if let Some(metadata) = &fields.metadata {
        members.insert("metadata".to_owned(), metadata.clone().into());
    }
    document.put_alias(id, &members)?;
    let verb = if is_new { "added" } else { "changed" };
    Ok(Done::new(format!("alias `{id}` {verb}")).fact("alias", id).fact("added", is_new))
}

/// Gives an alias another name, also where it is used.
pub fn rename(document: &mut Document, id: &str, to: &str) -> Result<Done, Failure> {
    check_id(to)?;
    let changed = document.rename_alias(id, to)?;
    Ok(Done::new(format!("alias `{id}` is now `{to}`"))
        .fact("alias", to)
        .along("renamed", &changed))
}

/// Removes an alias; what names it goes too or is a reason to refuse.
pub fn remove(document: &mut Document, id: &str, cascade: bool) -> Result<Done, Failure> {
    let done = Done::new(format!("alias `{id}` removed")).fact("alias", id);
    remove_with(document, cascade, done, |document, on| document.remove_alias(id, on))
}

fn no_targets() -> Failure {
    Failure::input("an alias needs at least one target")
        .hint("--targets 'openai/gpt-5@2, groq/llama-3.3-70b-versatile'")
}

fn check_id(id: &str) -> Result<(), Failure> {
    let is_good = id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c));
    if is_good {
        return Ok(());
    }
    Err(Failure::input(format!("`{id}` cannot be the name of an alias"))
        .hint("a letter or digit, then letters, digits and `.`, `_`, `:`, `-`"))
}

fn strategy(word: &str) -> Result<&'static str, Failure> {
    let wanted = word.trim().to_ascii_lowercase();
    let is_it =
        |(name, others): &&(&str, &[&str])| *name == wanted || others.contains(&wanted.as_str());
    STRATEGIES.iter().find(is_it).map(|(name, _)| *name).ok_or_else(|| {
        let names = STRATEGIES.map(|(name, _)| name);
        let failure = Failure::input(format!("`{}` is not a strategy", word.trim()));
        match nearest(&wanted, names) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("strategies are {}", names.join(", "))),
        }
    })
}

/// Reads targets; each has to be there, or to be the alias itself, whose cycle is told later.
fn targets(document: &Document, alias: &str, text: &str) -> Result<Vec<Value>, Failure> {
    let is_known = |name: &str| known(document, name).is_ok();
    let targets = parse::targets(text, &is_known).map_err(Failure::input)?;
    for target in targets.iter().filter_map(parse::target_name) {
        if target != alias {
            known(document, target)?;
        }
    }
    Ok(targets)
}
