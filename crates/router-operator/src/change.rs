//! What is different between two versions of a document, for people and programs.
//!
//! Entries of lists are told apart by their `id` or `label` where they have one. Secrets are masked.

use router_config::parse;
use serde_json::{Map, Value, json};

use crate::mask;

/// One difference. Holds no secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where, such as `providers[groq].models[llama].enabled`.
    pub path: String,
    /// What stood there; `None` if nothing did.
    pub before: Option<Value>,
    /// What stands there now; `None` if nothing does.
    pub after: Option<Value>,
}

impl Change {
    /// The documented JSON object.
    pub fn to_json(&self) -> Value {
        json!({ "path": self.path, "before": self.before, "after": self.after })
    }
}

/// Lists what is different. A text that is not JSON counts as an empty document.
pub fn between(before: &str, after: &str) -> Vec<Change> {
    let read = |text: &str| parse::json(text).unwrap_or_else(|_| Value::Object(Map::new()));
    let mut out = Vec::new();
    compare("", "", Some(&read(before)), Some(&read(after)), &mut out);
    out
}

/// `key` is the nearest key around the values; it tells whether they are secrets.
fn compare(
    path: &str,
    key: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    out: &mut Vec<Change>,
) {
    match (before, after) {
        (Some(old), Some(new)) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for name in old.keys().chain(added) {
                let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&place, mask::within(key, name), old.get(name), new.get(name), out);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new)))
            if !old.is_empty() && !new.is_empty() && have_ids(old) && have_ids(new) =>
        {
            let added = new.iter().filter(|each| !old.iter().any(|seen| id(seen) == id(each)));
            for entry in old.iter().chain(added) {
                let name = id(entry).unwrap_or_default();
                let find = |list: &'_ [Value]| list.iter().position(|each| id(each) == Some(name));
                let place = format!("{path}[{name}]");
                let (old_at, new_at) = (find(old), find(new));
                let (old, new) =
                    (old_at.and_then(|at| old.get(at)), new_at.and_then(|at| new.get(at)));
                compare(&place, key, old, new, out);
            }
        }
        (None | Some(Value::Array(_)), Some(Value::Array(new)))
            if before.and_then(Value::as_array).is_none_or(Vec::is_empty)
                && !new.is_empty()
                && have_ids(new) =>
        {
            for entry in new {
                let place = format!("{path}[{}]", id(entry).unwrap_or_default());
                compare(&place, key, None, Some(entry), out);
            }
        }
        _ => {
            let masked = |value: Option<&Value>| value.map(|value| mask::value(key, value));
            let (old, mut new) = (masked(before), masked(after));
            if old == new {
                new = new.map(|_| Value::from("**** (another)"));
            }
            out.push(Change { path: path.to_owned(), before: old, after: new });
        }
    }
}

fn have_ids(list: &[Value]) -> bool {
    list.iter().all(|each| id(each).is_some())
}

fn id(entry: &Value) -> Option<&str> {
    match entry {
        Value::String(text) => Some(text),
        _ => ["id", "ref", "label"].iter().find_map(|key| entry.get(*key)?.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &Value, after: &Value, expect: &Value) {
        let changes = between(&before.to_string(), &after.to_string());
        let changes: Value = changes.iter().map(Change::to_json).collect();
        assert_eq!(&changes, expect);
    }

    #[test]
    fn entries_are_matched_by_id_not_by_position() {
        let list = |ids: &[&str]| -> Value { ids.iter().map(|id| json!({ "id": id })).collect() };
        check(
            &json!({ "providers": list(&["a", "b"]), "defaultModel": "a/m" }),
            &json!({ "providers": list(&["b", "c"]), "defaultModel": "b/m" }),
            &json!([
                { "path": "providers[a]", "before": { "id": "a" }, "after": null },
                { "path": "providers[c]", "before": null, "after": { "id": "c" } },
                { "path": "defaultModel", "before": "a/m", "after": "b/m" },
            ]),
        );
    }

    #[test]
    fn secrets_are_masked_and_still_seen_to_change() {
        let key = |key: &str| json!({ "masterKey": key, "providers": [{ "id": "p", "apiKeys": [{ "value": key }] }] });
        let changes = between(&key("secret-one").to_string(), &key("secret-two").to_string());
        assert_eq!(changes.len(), 2);
        let shown = changes.iter().map(|each| each.to_json().to_string()).collect::<String>();
        assert!(!shown.contains("secret-"), "{shown}");
        assert!(shown.contains("(another)"), "{shown}");
        let to_env = between(&key("secret-one").to_string(), &key("env:KEY").to_string());
        assert_eq!(to_env.first().unwrap().after, Some("env:KEY".into()));
    }
}
