//! Aliases: names clients use that stand for several targets.

use router_config::edit::Document;
use router_config::schema::File;
use router_config::{nearest, parse, strategy_name};
use serde_json::{Map, Value};

use super::references::remove_with;
use super::{Done, json_value, known};
use crate::Failure;

/// Strategies as they are written.
const STRATEGIES: [&str; 7] = [
    "auto",
    "ordered",
    "round-robin",
    "weighted-rr",
    "quota-aware-weighted-rr",
    "least-latency",
    "least-cost",
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
    if let Some(strategy) = strategy.or_else(|| is_new.then_some("auto")) {
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
    check_circle(document, id)?;
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

/// Refuses targets that lead back to the alias.
fn check_circle(document: &Document, id: &str) -> Result<(), Failure> {
    let file = File::parse(document.text()).map_err(|error| Failure::input(error.to_string()))?;
    let mut ways = vec![vec![id.to_owned()]];
    let mut seen = Vec::new();
    while let Some(way) = ways.pop() {
        let last = way.last().cloned().unwrap_or_default();
        let all = file.model_aliases.iter().flat_map(|map| &map.0);
        for (_, alias) in all.filter(|(own, _)| own.trim() == last) {
            let tiers = [alias.targets.as_ref(), alias.fallback_targets.as_ref()];
            let targets = tiers.into_iter().flatten().flat_map(|list| list.iter());
            for to in targets.filter_map(|target| target.to.as_deref()) {
                let to = to.strip_prefix("alias:").unwrap_or(to).trim().to_owned();
                let next: Vec<String> = way.iter().cloned().chain([to.clone()]).collect();
                if to == id {
                    let message = format!("a circle of aliases: {}", next.join(" -> "));
                    return Err(Failure::input(message));
                }
                if !seen.contains(&to) {
                    seen.push(to);
                    ways.push(next);
                }
            }
        }
    }
    Ok(())
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

/// The strategy that a word means: every spelling that a config may use.
fn strategy(word: &str) -> Result<&'static str, Failure> {
    let wanted = word.trim().to_ascii_lowercase();
    strategy_name(&wanted).ok_or_else(|| {
        let failure = Failure::input(format!("`{}` is not a strategy", word.trim()));
        match nearest(&wanted, STRATEGIES) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("strategies are {}", STRATEGIES.join(", "))),
        }
    })
}

/// Reads targets; each has to be there, or to be the alias itself, whose cycle is told later.
fn targets(document: &Document, alias: &str, text: &str) -> Result<Vec<Value>, Failure> {
    let is_known = |name: &str| known(document, name).is_ok();
    if text.trim_start().starts_with(['[', '{']) {
        json_value("the list of targets", text)?;
    }
    let targets = parse::targets(text, &is_known).map_err(Failure::input)?;
    for target in targets.iter().filter_map(parse::target_name) {
        if target != alias {
            known(document, target)?;
        }
    }
    Ok(targets)
}
