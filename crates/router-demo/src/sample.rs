//! A value that satisfies a JSON Schema, made from the words of a prompt.

use serde_json::{Map, Value, json};

/// How deep a schema is followed before only the shortest value is given.
const DEPTH_MAX: usize = 12;

/// A value of `schema`. `nth` picks another word of the prompt, so that two
/// calls of one tool differ.
pub(crate) fn of_schema(schema: &Value, prompt: &str, nth: usize) -> Value {
    Sampler { root: schema, prompt, nth }.value(schema, "", DEPTH_MAX)
}

struct Sampler<'a> {
    root: &'a Value,
    prompt: &'a str,
    nth: usize,
}

impl Sampler<'_> {
    fn value(&self, schema: &Value, key: &str, depth: usize) -> Value {
        if depth == 0 {
            return Value::Null;
        }
        for fixed in ["const", "default"] {
            if let Some(value) = schema.get(fixed) {
                return value.clone();
            }
        }
        if let Some(first) = schema.get("enum").and_then(|words| words.get(0)) {
            return first.clone();
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = target.trim_start_matches('#');
            return self
                .root
                .pointer(pointer)
                .map_or(Value::Null, |target| self.value(target, key, depth - 1));
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(first) = schema.get(choice).and_then(|choices| choices.get(0)) {
                return self.value(first, key, depth - 1);
            }
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return self.all_of(parts, key, depth);
        }
        match type_of(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => {
                let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1);
                let item = schema.get("items").cloned().unwrap_or_else(|| json!({}));
                (0..count.min(64)).map(|_| self.value(&item, key, depth - 1)).collect()
            }
            "integer" => number(schema, true),
            "number" => number(schema, false),
            "boolean" => Value::Bool(true),
            "null" => Value::Null,
            _ => Value::String(self.text(schema, key)),
        }
    }

    fn all_of(&self, parts: &[Value], key: &str, depth: usize) -> Value {
        let mut merged = Map::new();
        for part in parts {
            match self.value(part, key, depth - 1) {
                Value::Object(members) => merged.extend(members),
                other => return other,
            }
        }
        Value::Object(merged)
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required: Vec<&str> =
            crate::json::list(schema, "required").iter().filter_map(Value::as_str).collect();
        let mut out = Map::new();
        for (index, (key, inner)) in properties.iter().enumerate() {
            // Without a list of what is needed, the first member is the topic.
            if required.contains(&key.as_str()) || (required.is_empty() && index == 0) {
                out.insert(key.clone(), self.value(inner, key, depth - 1));
            }
        }
        Value::Object(out)
    }

    fn text(&self, schema: &Value, key: &str) -> String {
        let mut text = match crate::json::text(schema, "format") {
            "date" => "2026-01-02".to_owned(),
            "date-time" => "2026-01-02T03:04:05Z".to_owned(),
            "time" => "03:04:05Z".to_owned(),
            "email" => "demo@example.com".to_owned(),
            "uri" | "url" => "https://example.com/".to_owned(),
            "uuid" => "00000000-0000-4000-8000-000000000001".to_owned(),
            _ => self.word(key),
        };
        let bound = |name| {
            schema.get(name).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok())
        };
        let least = bound("minLength").unwrap_or(0);
        while text.chars().count() < least {
            text.push('x');
        }
        match bound("maxLength") {
            Some(most) => text.chars().take(most).collect(),
            None => text,
        }
    }

    /// A word that suits a member's name, else a proper noun of the prompt.
    fn word(&self, key: &str) -> String {
        match key {
            "command" | "cmd" => return "echo demo".into(),
            "file_path" | "filePath" | "path" | "file" | "filename" => {
                let path = |word: &&str| word.contains('/') || word.contains('.');
                let named = self.prompt.split_whitespace().find(path);
                return named
                    .map_or("demo.txt", |word| word.trim_matches(['`', '"', ',', '.', '\'', '?']))
                    .to_owned();
            }
            _ => {}
        }
        let trim = |letter: char| !letter.is_alphanumeric();
        let proper: Vec<&str> = self
            .prompt
            .split_whitespace()
            .skip(1)
            .map(|word| word.trim_matches(trim))
            .filter(|word| word.chars().next().is_some_and(char::is_uppercase))
            .collect();
        let count = proper.len().max(1);
        proper.get(self.nth % count).map_or_else(|| format!("demo {key}"), |word| (*word).into())
    }
}

/// The type of a schema in lower case; a list of types gives its first.
fn type_of(schema: &Value) -> String {
    let stated = match schema.get("type") {
        Some(Value::String(one)) => one.as_str(),
        Some(Value::Array(many)) => many.iter().find_map(Value::as_str).unwrap_or_default(),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    };
    stated.to_lowercase()
}

fn number(schema: &Value, whole: bool) -> Value {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let mut number: f64 = 1.0;
    if let Some(most) = bound("maximum") {
        number = number.min(most);
    }
    if let Some(most) = bound("exclusiveMaximum") {
        number = number.min(most - 1.0);
    }
    if let Some(least) = bound("minimum") {
        number = number.max(least.ceil());
    }
    if let Some(least) = bound("exclusiveMinimum") {
        number = number.max(least.floor() + 1.0);
    }
    if let (Some(step), true) = (bound("multipleOf"), number != 0.0) {
        number = (number / step).ceil() * step;
    }
    if !whole {
        return json!(number);
    }
    // A number printed without its fraction is an integer, however large.
    serde_json::from_str(&format!("{number:.0}")).unwrap_or_else(|_| json!(1))
}
