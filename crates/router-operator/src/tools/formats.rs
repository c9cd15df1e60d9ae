//! Settings files in the formats of their tools; what an edit does not name stays as it is.

use router_config::edit::{Document, Path};
use serde_json::Value;
use toml_edit::{DocumentMut, Item, Table};

use super::yaml;

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Format {
    /// JSON, with comments and trailing commas if need be.
    Json,
    Toml,
    Yaml,
    /// `NAME=value` lines.
    Env,
}

impl Format {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
            Self::Env => "KEY=value lines",
        }
    }
}

/// A settings file being edited.
#[derive(Debug)]
pub(super) enum Settings {
    Json(Document),
    Toml(Box<DocumentMut>),
    /// Text; only its top level is understood.
    Yaml(String),
    Env(String),
}

impl Settings {
    pub(super) fn parse(text: &str, format: Format) -> Result<Self, String> {
        Ok(match format {
            Format::Json => {
                let text = if text.trim().is_empty() { "{}\n" } else { text };
                Self::Json(Document::parse(text).map_err(|error| error.to_string())?)
            }
            Format::Toml => {
                let document = text.parse::<DocumentMut>().map_err(|error| error.to_string())?;
                Self::Toml(Box::new(document))
            }
            Format::Yaml => Self::Yaml(text.to_owned()),
            Format::Env => Self::Env(text.to_owned()),
        })
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Json(document) => document.text().to_owned(),
            Self::Toml(document) => document.to_string(),
            Self::Yaml(text) | Self::Env(text) => text.clone(),
        }
    }

    /// What stands at a place.
    pub(super) fn get(&self, path: &[&str]) -> Option<Value> {
        match self {
            Self::Json(document) => document.get(&at(path)),
            Self::Yaml(text) => path.first().and_then(|key| yaml::get(text, key)).map(Value::from),
            Self::Toml(_) | Self::Env(_) => None,
        }
    }

    /// Puts a value at a place.
    pub(super) fn set(&mut self, path: &[&str], value: &Value) -> Result<(), String> {
        match self {
            Self::Json(document) => {
                document.set(&at(path), value).map_err(|error| error.to_string())
            }
            Self::Toml(document) => set_toml(document.as_table_mut(), path, value),
            Self::Yaml(text) => {
                *text = yaml::set(text, path.first().copied().unwrap_or_default(), value);
                Ok(())
            }
            Self::Env(text) => {
                *text = set_env(text, path.first().copied().unwrap_or_default(), value);
                Ok(())
            }
        }
    }

    /// Takes a value away, and says nothing if there is none.
    pub(super) fn remove(&mut self, path: &[&str]) -> Result<(), String> {
        match self {
            Self::Json(document) => {
                document.remove(&at(path)).map(|_| ()).map_err(|error| error.to_string())
            }
            Self::Toml(_) | Self::Yaml(_) | Self::Env(_) => {
                Err("nothing can be taken out of such a file".to_owned())
            }
        }
    }

    /// Puts an object into the list at `list`: in the place of the one with the same `key`, or
    /// behind the last.
    pub(super) fn put(&mut self, list: &str, key: &str, entry: &Value) -> Result<(), String> {
        match self {
            Self::Json(document) => {
                let list = Path::root().key(list);
                let entries = document.get(&list);
                let entries = entries.as_ref().and_then(Value::as_array);
                let same = |each: &Value| each.get(key) == entry.get(key);
                let index = entries
                    .map_or(0, |entries| entries.iter().position(same).unwrap_or(entries.len()));
                document.set(&list.index(index), entry).map_err(|error| error.to_string())
            }
            Self::Yaml(text) => {
                *text = yaml::put(text, list, key, entry)?;
                Ok(())
            }
            Self::Toml(_) | Self::Env(_) => Err("such a file has no list".to_owned()),
        }
    }
}

fn at(path: &[&str]) -> Path {
    path.iter().fold(Path::root(), |path, key| path.key(key))
}

fn set_toml(table: &mut Table, path: &[&str], value: &Value) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else { return Ok(()) };
    if rest.is_empty() {
        let text = value.as_str().unwrap_or_default();
        match table.get_mut(key).and_then(Item::as_value_mut) {
            // Keeps the comment behind it.
            Some(old) => {
                let decor = old.decor().clone();
                *old = text.into();
                *old.decor_mut() = decor;
            }
            None => {
                table.insert(key, toml_edit::value(text));
            }
        }
        return Ok(());
    }
    let below = table.entry(key).or_insert_with(|| {
        let mut table = Table::new();
        // `[a.b]` needs no `[a]` above it.
        table.set_implicit(true);
        Item::Table(table)
    });
    let below = below.as_table_mut().ok_or_else(|| format!("`{key}` is not a table"))?;
    set_toml(below, rest, value)
}

/// Replaces the line that sets `name`, or adds one.
fn set_env(text: &str, name: &str, value: &Value) -> String {
    let line = format!("{name}={}", value.as_str().unwrap_or_default());
    let is_it = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut lines: Vec<&str> = text.lines().collect();
    match lines.iter_mut().find(|each| is_it(each)) {
        Some(found) => *found = &line,
        None => lines.push(&line),
    }
    lines.join("\n") + "\n"
}
