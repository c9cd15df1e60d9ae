//! The list of records and the lookup in it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Facts;

/// A record that does not say what a record must say.
#[derive(Debug, thiserror::Error)]
#[error("not facts about a model: {0}")]
pub struct FactsError(#[from] serde_json::Error);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// Patterns of model names; `*` stands for any text.
    models: Vec<String>,
    /// Facts to set.
    facts: Map<String, Value>,
}

/// All records, in order of rising weight.
#[derive(Clone, Debug, Default)]
pub struct FactsTable {
    records: Vec<Record>,
}

impl FactsTable {
    /// The records the router is built with.
    pub fn embedded() -> Self {
        let mut table = Self::default();
        // A test reads the same file with the same code, so it cannot be malformed here.
        let _ = table.merge(include_str!("../../data/model-facts.json"));
        table
    }

    /// Adds records, a JSON array of `{"models": [patterns], "facts": {...}}`. They outweigh those
    /// already there. Every record is checked before any is added.
    pub fn merge(&mut self, json: &str) -> Result<(), FactsError> {
        let records: Vec<Record> = serde_json::from_str(json)?;
        for record in &records {
            serde_json::from_value::<Facts>(Value::Object(record.facts.clone()))?;
        }
        self.records.extend(records);
        Ok(())
    }

    /// Whether the facts of a record are facts, given as a JSON object.
    pub fn check(facts: &Value) -> Result<(), FactsError> {
        serde_json::from_value::<Facts>(facts.clone())?;
        Ok(())
    }

    /// What is known about `model`. Costs a walk over all records: look up once per target.
    pub fn lookup(&self, model: &str) -> Facts {
        let name = bare_name(model);
        let mut facts = Map::new();
        for record in &self.records {
            if record.models.iter().any(|pattern| matches(pattern, &name)) {
                facts.extend(record.facts.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
        // Each record was checked on its own, and facts do not depend on each other.
        serde_json::from_value(Value::Object(facts)).unwrap_or_default()
    }
}

/// The name without vendor prefix (`openai/`, `models/`, `anthropic.`), region and suffix (`:free`).
fn bare_name(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.split(':').next().unwrap_or(name);
    let name = name.rsplit_once("anthropic.").map_or(name, |(_, rest)| rest);
    name.to_ascii_lowercase()
}

/// Whether `name` fits `pattern`, where `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(tail) = name.strip_prefix(head) else { return false };
    let mut starts = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
    starts.any(|at| tail.get(at..).is_some_and(|tail| matches(rest, tail)))
}

#[cfg(test)]
mod tests;
