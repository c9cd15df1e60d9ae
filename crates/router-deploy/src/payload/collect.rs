//! Finds the secrets of a document and moves them into secrets of the Worker.

use std::collections::BTreeMap;

use router_config::{Lookup, Secret};
use router_operator::{Failure, Kind};
use serde_json::{Map, Value};

use super::{SECRET_PREFIX, Store, is_ours};

/// Fields of a provider that hold credentials or name them.
pub(super) const CREDENTIALS: [&str; 8] = [
    "apiKey",
    "credential",
    "api-key",
    "apiKeys",
    "api-keys",
    "apiKeyEnv",
    "api-key-env",
    "headers",
];
const ONE: [&str; 3] = ["apiKey", "credential", "api-key"];
const MANY: [&str; 2] = ["apiKeys", "api-keys"];
const NAMED: [&str; 2] = ["apiKeyEnv", "api-key-env"];
const VALUE: [&str; 3] = ["value", "key", "apiKey"];
/// Where the keys of clients stand, and the fields of one that hold it.
pub(super) const CLIENTS: [&str; 2] = ["clientKeys", "client-keys"];
pub(super) const CLIENT: [&str; 2] = ["key", "value"];
const VALUE_NAMED: [&str; 3] = ["valueEnv", "env", "apiKeyEnv"];

/// The objects of a list, or the object that stands for a list of one.
pub(super) fn objects(value: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let many: Vec<&mut Value> = match value {
        Some(Value::Array(items)) => items.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    many.into_iter().filter_map(Value::as_object_mut)
}

/// Every secret the document refers to, by the name it has on the Worker. References in the
/// document are rewritten to those names.
pub(super) fn secrets(
    document: &mut Map<String, Value>,
    lookup: &dyn Lookup,
    store: Store,
) -> Result<BTreeMap<String, Secret>, Failure> {
    let mut found = Collector { lookup, store, secrets: BTreeMap::new() };
    for (index, provider) in objects(document.get_mut("providers")).enumerate() {
        let id = provider.get("id").or_else(|| provider.get("name")).and_then(Value::as_str);
        let id = id.map_or_else(|| format!("PROVIDER_{index}"), str::to_owned);
        found.provider(&id, index, provider)?;
    }
    for list in CLIENTS {
        for (index, client) in objects(document.get_mut(list)).enumerate() {
            let label = client.get("label").and_then(Value::as_str).map(str::to_owned);
            let name = format!("CLIENT_{}", label.unwrap_or_else(|| index.to_string()));
            for field in CLIENT {
                found.slot(client.get_mut(field), &name, &format!("{list}[{index}]"), field)?;
            }
        }
    }
    Ok(found.secrets)
}

struct Collector<'a> {
    lookup: &'a dyn Lookup,
    store: Store,
    secrets: BTreeMap<String, Secret>,
}

impl Collector<'_> {
    fn provider(
        &mut self,
        id: &str,
        index: usize,
        provider: &mut Map<String, Value>,
    ) -> Result<(), Failure> {
        let place = format!("providers[{index}]");
        for field in ONE {
            self.slot(provider.get_mut(field), &format!("{id}_API_KEY"), &place, field)?;
        }
        for field in MANY {
            let Some(keys) = provider.get_mut(field) else { continue };
            let keys: Vec<&mut Value> = match keys {
                Value::Array(items) => items.iter_mut().collect(),
                one => vec![one],
            };
            for (number, key) in (1..).zip(keys) {
                let name = format!("{id}_API_KEY_{number}");
                let field = format!("{field}[{}]", number - 1);
                self.key(key, &name, &place, &field)?;
            }
        }
        let has_key = ONE.iter().chain(&MANY).any(|field| provider.contains_key(*field));
        for field in NAMED {
            self.named(provider.get(field), has_key, &place, field)?;
        }
        let headers = provider.get_mut("headers").and_then(Value::as_object_mut);
        for (header, value) in headers.into_iter().flatten() {
            let name = format!("{id}_HEADER_{header}");
            self.slot(Some(value), &name, &place, &format!("headers.{header}"))?;
        }
        Ok(())
    }

    /// An entry of `apiKeys`: a text, or an object with one.
    fn key(
        &mut self,
        key: &mut Value,
        name: &str,
        place: &str,
        field: &str,
    ) -> Result<(), Failure> {
        let Value::Object(object) = key else { return self.slot(Some(key), name, place, field) };
        for inner in VALUE {
            self.slot(object.get_mut(inner), name, place, &format!("{field}.{inner}"))?;
        }
        let has_value = VALUE.iter().any(|inner| object.contains_key(*inner));
        for inner in VALUE_NAMED {
            self.named(object.get(inner), has_value, place, &format!("{field}.{inner}"))?;
        }
        Ok(())
    }

    /// A text that is a secret or refers to one.
    #[expect(clippy::needless_pass_by_value, reason = "it is written to")]
    fn slot(
        &mut self,
        value: Option<&mut Value>,
        name: &str,
        place: &str,
        field: &str,
    ) -> Result<(), Failure> {
        let Some(Value::String(text)) = value else { return Ok(()) };
        let trimmed = text.trim();
        let is_reference = ["env:", "file:", "keychain:"].iter().any(|p| trimmed.starts_with(p));
        if trimmed.is_empty() || (!is_reference && self.store == Store::Secrets) {
            return Ok(());
        }
        let secret = router_config::find_secret(trimmed, self.lookup)
            .map_err(|missing| absent(place, field, &missing))?
            .ok_or_else(|| absent(place, field, "it is empty"))?;
        let own = trimmed.strip_prefix("env:").map(str::trim).filter(|own| is_binding(own));
        let name = match own {
            Some(own) => own.to_owned(),
            None => self.free(&format!("{SECRET_PREFIX}{}", constant(name))),
        };
        *text = format!("env:{name}");
        self.secrets.insert(name, secret);
        Ok(())
    }

    /// The name of a variable that holds a secret; used only where no secret stands beside it.
    fn named(
        &mut self,
        value: Option<&Value>,
        is_spare: bool,
        place: &str,
        field: &str,
    ) -> Result<(), Failure> {
        let name = value.and_then(Value::as_str).map(str::trim).unwrap_or_default();
        if name.is_empty() {
            return Ok(());
        }
        match self.lookup.var(name).filter(|value| !value.trim().is_empty()) {
            Some(value) => {
                self.secrets.insert(name.to_owned(), Secret::new(value.trim()));
                Ok(())
            }
            None if is_spare => Ok(()),
            None => {
                let missing = format!("environment variable `{name}` is not set");
                Err(absent(place, field, &missing))
            }
        }
    }

    fn free(&self, name: &str) -> String {
        let numbered = (2..).map(|number: u32| format!("{name}_{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| !self.secrets.contains_key(name)).unwrap_or_default()
    }
}

fn absent(place: &str, field: &str, missing: &str) -> Failure {
    Failure::new(Kind::Config, format!("{place}.{field}: {missing}"))
        .hint("set it where this command runs, or turn what needs it off with `\"enabled\": false`")
}

/// Whether a variable's name can be a secret's, and is not one that deploys use.
fn is_binding(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !is_ours(name)
}

/// `my-provider` as `MY_PROVIDER`.
fn constant(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(letter).collect()
}
