//! Building blocks of the schema.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::json::{Node, Value};
use crate::read::{Context, Read};

/// A list; a single value stands for a list of one.
#[derive(Clone, Debug)]
pub struct List<T>(
    /// The entries that could be read.
    pub Vec<T>,
);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Read> Read for List<T> {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let Value::Array(items) = &node.value else {
            return T::read(node, cx).map(|only| Self(vec![only]));
        };
        let items = items.iter().enumerate();
        Some(Self(items.filter_map(|(index, item)| cx.element(index, item)).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "type": "array", "items": item }, item] })
    }
}

/// An object, or a text that stands for its most important field.
#[derive(Clone, Debug, Default)]
pub struct OrText<T>(
    /// The object.
    pub T,
);

impl<T> Deref for OrText<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Read> Read for OrText<T> {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        T::read(node, cx).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for OrText<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrText", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<T>(), { "type": "string" }] })
    }
}

/// A list of texts or one text, trimmed, without blanks and repetitions.
#[derive(Clone, Debug, Default)]
pub struct Texts(
    /// Each text and its index in the document.
    pub Vec<(usize, String)>,
);

impl Texts {
    /// The texts.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, text)| text.as_str())
    }
}

impl Read for Texts {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let List(all) = List::<String>::read(node, cx)?;
        let mut out: Vec<(usize, String)> = Vec::with_capacity(all.len());
        for (index, text) in all.into_iter().enumerate() {
            let text = text.trim();
            if !text.is_empty() && out.iter().all(|(_, seen)| seen != text) {
                out.push((index, text.to_owned()));
            }
        }
        Some(Self(out))
    }
}

impl JsonSchema for Texts {
    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = json_schema!({ "type": "string" });
        json_schema!({ "anyOf": [{ "type": "array", "items": text }, text] })
    }
}

/// An object with keys of the operator's choice, in the order of the document.
#[derive(Clone, Debug)]
pub struct Map<T>(
    /// Keys as written, with their values.
    pub Vec<(String, T)>,
);

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Read> Read for Map<T> {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let members = cx.members(node)?;
        let present = members.into_iter().filter(|m| !matches!(m.node.value, Value::Null));
        Some(Self(
            present
                .filter_map(|m| cx.member(&m.key, &m.node).map(|value| (m.key.clone(), value)))
                .collect(),
        ))
    }
}

impl<T: JsonSchema> JsonSchema for Map<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

/// A secret as written: the secret itself, or `env:NAME`, `file:PATH`, `keychain:NAME`.
#[derive(Clone, Default)]
pub struct SecretText(
    /// The text; never to be shown.
    pub String,
);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(***)")
    }
}

impl Read for SecretText {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::String(text) => Some(Self(text.clone())),
            _ => cx.wrong_type(node, "a secret in quotes, or `\"env:NAME\"`"),
        }
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}
