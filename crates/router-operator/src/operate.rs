//! What operators do to a config: one file per kind of thing.
//!
//! Each function changes a [`Document`] and says what it did. The caller runs it inside of
//! [`ConfigFile::edit`](crate::file::ConfigFile::edit), which checks and writes the result.

mod addresses;
pub mod alias;
pub mod client;
pub mod confirm;
pub mod key;
pub mod limit;
pub mod model;
pub mod probed;
pub mod provider;
mod references;
mod strength;

use router_config::edit::{Document, EditError, Reference};
use router_config::{nearest, parse};
use serde_json::{Map, Value, json};

use crate::{Failure, Kind};

pub use strength::weakness;

/// What an edit did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// In one sentence.
    pub message: String,
    /// What else the operator should know.
    pub notes: Vec<String>,
    /// Facts for programs, such as the id that was made.
    pub result: Map<String, Value>,
}

impl Done {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    fn fact(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.result.insert(key.to_owned(), value.into());
        self
    }

    /// Notes the places that were changed along with the thing itself.
    fn along(mut self, verb: &str, references: &[Reference]) -> Self {
        for reference in references {
            self.notes.push(format!("{verb} `{}` at {} too", reference.text, reference.path));
        }
        let paths: Vec<String> = references.iter().map(|each| each.path.to_string()).collect();
        self.fact("references", paths)
    }
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        let message = error.to_string();
        match error {
            EditError::Syntax(_) => Self::new(Kind::Config, message),
            EditError::Referenced { references, .. } => {
                let all: Vec<Value> = references
                    .iter()
                    .map(|each| json!({ "path": each.path.to_string(), "text": each.text }))
                    .collect();
                Self::input(message)
                    .hint("--cascade removes these places too")
                    .details(json!({ "references": all }))
            }
            EditError::OnlyUse { .. } => Self::input(format!(
                "{message}; without a list it could use everything"
            ))
            .hint("give that key something else first, or remove it: `llm-router key client`"),
            EditError::NotFound { .. } | EditError::Taken(_) | EditError::Shape { .. } => {
                Self::input(message)
            }
        }
    }
}

/// Sets what a request without a model means.
pub fn set_default_model(document: &mut Document, model: &str) -> Result<Done, Failure> {
    known(document, model)?;
    document.set_default_model(Some(model))?;
    Ok(Done::new(format!("the default model is `{model}`")).fact("defaultModel", model))
}

/// Removes what a request without a model means.
pub fn clear_default_model(document: &mut Document) -> Result<Done, Failure> {
    document.set_default_model(None)?;
    Ok(Done::new("there is no default model any more").fact("defaultModel", Value::Null))
}

/// Brings a document to version 2.
pub fn migrate(document: &mut Document, target: u64) -> Result<Done, Failure> {
    if target == 0 || 2 < target {
        let failure = if target == 0 { Kind::Input } else { Kind::Failed };
        return Err(Failure::new(failure, format!("there is no way to version {target}"))
            .hint("2 is the current version"));
    }
    let version = |document: &Document| {
        let file = router_config::schema::File::parse(document.text());
        file.map(|file| file.stated_version()).unwrap_or_default()
    };
    let before = version(document);
    let changed = target == 2 && document.migrate()?;
    let after = version(document);
    let message = if changed {
        format!("version {before} -> {after}")
    } else {
        format!("the config is of version {after} already")
    };
    Ok(Done::new(message).fact("before", before).fact("after", after))
}

/// Refuses a reference to something that is not there, with the nearest name.
fn known(document: &Document, name: &str) -> Result<(), Failure> {
    let targets = document.targets()?;
    let bare = name.strip_prefix("alias:").unwrap_or(name);
    let is_known = |each: &String| {
        each == bare
            || each.split_once('/').is_some_and(|(provider, model)| {
                let same = bare.split_once('/').map(|(p, m)| (router_config::slug(p), m));
                model == bare || same == Some((provider.to_owned(), model))
            })
    };
    if targets.iter().any(is_known) {
        return Ok(());
    }
    let failure = Failure::input(format!("there is no model or alias `{name}`"));
    Err(match nearest(bare, targets.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("name it as provider/model; `llm-router list` shows them"),
    })
}

/// Reads a JSON object given in a flag; the error shows where it is wrong.
pub fn json_object(flag: &str, text: &str) -> Result<Map<String, Value>, Failure> {
    match json_value(flag, text)? {
        Value::Object(members) => Ok(members),
        _ => Err(Failure::input(format!(
            "{flag} takes a JSON object, such as {{\"key\": \"value\"}}"
        ))),
    }
}

/// Reads JSON given in a flag; the error shows where it is wrong.
pub fn json_value(flag: &str, text: &str) -> Result<Value, Failure> {
    parse::json(text).map_err(|diagnostic| {
        let failure = Failure::input(format!(
            "{flag} is not JSON: {} (line {}, column {})",
            diagnostic.message, diagnostic.line, diagnostic.column
        ));
        let place = json!({ "line": diagnostic.line, "column": diagnostic.column });
        let hint = diagnostic.hint.clone().unwrap_or_else(|| {
            "put the whole value in single quotes, so that the shell leaves it alone".to_owned()
        });
        failure.details(place).hint(hint)
    })
}

/// Splits `provider/model`.
pub fn provider_and_model(text: &str) -> Result<(&str, &str), Failure> {
    text.split_once('/')
        .filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
        .ok_or_else(|| {
            Failure::input(format!("`{text}` is not a model of a provider"))
                .hint("write it as provider/model, such as openai/gpt-5")
        })
}

/// The format of config for a word that people use for it.
fn format(word: &str) -> Result<&'static str, Failure> {
    const FORMATS: [(&str, &[&str]); 4] = [
        ("openai", &["openai", "openai-chat", "chat"]),
        ("claude", &["claude", "anthropic"]),
        ("responses", &["responses", "openai-responses"]),
        ("gemini", &["gemini", "google"]),
    ];
    let wanted = word.trim().to_ascii_lowercase();
    let found = FORMATS.iter().find(|(_, words)| words.contains(&wanted.as_str()));
    found.map(|(format, _)| *format).ok_or_else(|| {
        let words = FORMATS.iter().flat_map(|(_, words)| words.iter().copied());
        let failure = Failure::input(format!("`{}` is not a format", word.trim()));
        match nearest(&wanted, words) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("formats are openai, claude, responses and gemini"),
        }
    })
}

#[cfg(test)]
mod tests;
