//! Taking over the settings of other programs.
//!
//! What has no place in a config is told, with where it stood and why it was left out.

mod channels;
mod claude_code_router;
mod env;
mod litellm;
mod llm_router;

use std::collections::BTreeSet;

use router_config::edit::Document;
use router_config::slug;
use serde_json::{Map, Value, json};

use crate::operate::Done;
use crate::{Failure, presets};

/// Programs whose settings can be taken over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// `config.yaml` of the `LiteLLM` proxy.
    Litellm,
    /// `config.json` of claude-code-router.
    ClaudeCodeRouter,
    /// Channels of one-api, as its API lists them.
    OneApi,
    /// Channels of new-api, as its API lists them.
    NewApi,
    /// Variables such as `OPENROUTER_API_KEY`, one a line.
    OpenrouterEnv,
    /// A config of this program or of the older one.
    LlmRouter,
}

/// Something that was not taken over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Left {
    /// Where it stood in the file.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What a file holds, as parts of a config.
#[derive(Default)]
pub struct Imported {
    providers: Vec<Map<String, Value>>,
    aliases: Vec<(String, Map<String, Value>)>,
    default_model: Option<String>,
    master_key: Option<String>,
    /// Other sections: the path of keys and the value.
    settings: Vec<(Vec<&'static str>, Value)>,
    left: Vec<Left>,
}

/// Shows no secret.
impl std::fmt::Debug for Imported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Imported").field("left", &self.left).finish_non_exhaustive()
    }
}

/// Reads a file of another program.
pub fn read(origin: Origin, text: &str) -> Result<Imported, Failure> {
    match origin {
        Origin::Litellm => litellm::read(text),
        Origin::ClaudeCodeRouter => claude_code_router::read(text),
        Origin::OneApi => channels::read(text, channels::ONE_API),
        Origin::NewApi => channels::read(text, channels::NEW_API),
        Origin::OpenrouterEnv => env::read(text),
        Origin::LlmRouter => llm_router::read(text),
    }
}

impl Imported {
    /// Puts everything into a document. What is there already stays as it is, and is told.
    pub fn apply(mut self, document: &mut Document) -> Result<Done, Failure> {
        let (mut providers, mut aliases) = (Vec::new(), Vec::new());
        for provider in std::mem::take(&mut self.providers) {
            let id = provider.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            if document.provider_ids().contains(&id) {
                self.leave(format!("provider {id}"), "there is a provider with this id already");
                continue;
            }
            document.add_provider(&id, &provider)?;
            providers.push(id);
        }
        for (id, alias) in std::mem::take(&mut self.aliases) {
            if document.alias_ids().contains(&id) {
                self.leave(format!("alias {id}"), "there is an alias with this name already");
                continue;
            }
            document.put_alias(&id, &alias)?;
            aliases.push(id);
        }
        self.apply_settings(document)?;
        let message =
            format!("{} provider(s) and {} alias(es) taken over", providers.len(), aliases.len());
        let mut done = Done { message, ..Done::default() };
        done.notes =
            self.left.iter().map(|left| format!("left out {}: {}", left.path, left.why)).collect();
        let left = self.left.iter().map(|left| json!({ "path": left.path, "why": left.why }));
        done.result = [
            ("providers".to_owned(), providers.into()),
            ("aliases".to_owned(), aliases.into()),
            ("left".to_owned(), left.collect()),
        ]
        .into_iter()
        .collect();
        Ok(done)
    }

    fn apply_settings(&mut self, document: &mut Document) -> Result<(), Failure> {
        let file = router_config::schema::File::parse(document.text())
            .map_err(|error| Failure::input(error.to_string()))?;
        let is_set =
            |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        if let Some(key) = self.master_key.take() {
            if file.master_key.is_some() {
                self.leave("the client key", "there is a master key already");
            } else {
                document.set_master_key(Some(&key))?;
            }
        }
        if let Some(model) = self.default_model.take() {
            if is_set(&file.default_model) {
                self.leave("the default model", "there is a default model already");
            } else {
                document.set_default_model(Some(&model))?;
            }
        }
        for (keys, value) in std::mem::take(&mut self.settings) {
            let root = router_config::edit::Path::root();
            let path = keys.iter().fold(root, |path, key| path.key(key));
            if document.get(&path).is_some() {
                self.leave(path.to_string(), "the config says something about it already");
            } else {
                document.set(&path, &value)?;
            }
        }
        Ok(())
    }

    fn leave(&mut self, path: impl Into<String>, why: impl Into<String>) {
        self.left.push(Left { path: path.into(), why: why.into() });
    }

    /// Adds a provider under a free id, and says which one it is.
    fn add(&mut self, id: &str, mut members: Map<String, Value>) -> String {
        let taken: BTreeSet<&str> = self
            .providers
            .iter()
            .filter_map(|each| each.get("id").and_then(Value::as_str))
            .collect();
        let base = match slug(id) {
            empty if empty.is_empty() => "provider".to_owned(),
            base => base,
        };
        let mut id = base.clone();
        let mut number = 2;
        while taken.contains(id.as_str()) {
            id = format!("{base}-{number}");
            number += 1;
        }
        let mut provider = Map::new();
        provider.insert("id".to_owned(), id.as_str().into());
        members.remove("id");
        if let (true, Some(name)) = (number > 2, text(members.get("name"))) {
            // Names are unique, as ids are.
            members.insert("name".to_owned(), format!("{name} {}", number - 1).into());
        }
        provider.append(&mut members);
        self.providers.push(provider);
        id
    }

    /// Adds an alias, unless clients could not use its name or it would name itself.
    fn add_alias(
        &mut self,
        path: &str,
        id: &str,
        targets: Vec<Value>,
        more: Map<String, Value>,
    ) -> bool {
        let is_legal = id.starts_with(|c: char| c.is_ascii_alphanumeric())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c));
        if !is_legal {
            self.leave(
                path,
                format!("`{id}` cannot be the name of an alias; clients can use provider/model"),
            );
            return false;
        }
        let mut alias = Map::new();
        alias.insert("targets".to_owned(), targets.into());
        alias.extend(more);
        self.aliases.push((id.to_owned(), alias));
        true
    }
}

/// What is known about a vendor, without its starter models.
fn vendor(preset: &str) -> Result<Map<String, Value>, Failure> {
    let mut members = presets::find(preset)?.provider(false)?;
    members.remove("models");
    Ok(members)
}

/// Puts another address into what is known about a vendor.
///
/// What else the vendor speaks is known of its own address only: behind another one is
/// anything that speaks the first format. Programs that people run themselves, and Azure,
/// have no address of their own.
fn moved(preset: &str, members: &mut Map<String, Value>, base: &str) {
    let own = members.insert("baseUrl".to_owned(), base.into());
    members.remove("baseUrlByFormat");
    let host = |url: &str| url.split('/').nth(2).unwrap_or_default().to_ascii_lowercase();
    let is_elsewhere =
        own.as_ref().and_then(Value::as_str).is_some_and(|own| host(own) != host(base));
    if is_elsewhere && preset != "azure" && members.get("auth").is_none_or(|auth| auth != "none") {
        members.remove("formats");
    }
}

/// A text without what makes every value text: numbers and booleans too.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// A bucket per minute for one model.
fn per_minute(model: &str, cap: &str, count: u64) -> Value {
    let id = slug(&format!("{model} {cap}"));
    json!({
        "id": id,
        "models": [model],
        cap: count,
        "window": { "unit": "minute", "size": 1 },
    })
}

#[cfg(test)]
mod tests;
