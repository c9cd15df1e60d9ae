//! JSON Schemas as targets take them, rewritten while they are copied.

mod refs;

pub use refs::{Inlined, inline, is_recursive};

use crate::dialect::Dialect;
use crate::json::{Cursor, JsonError, Kind, Object, out};

/// What a target needs of schemas.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Close every object with `additionalProperties: false`.
    pub close: bool,
    /// Leave out limits on numbers, texts and lists.
    pub no_limits: bool,
    /// Gemini's upper-case type names and `nullable` become JSON Schema.
    pub from_gemini: bool,
}

impl Rules {
    /// For the input of a tool.
    pub const fn for_tools(_target: Dialect) -> Self {
        Self { close: false, no_limits: false, from_gemini: false }
    }

    /// For the answer's own form.
    pub const fn for_answers(target: Dialect) -> Self {
        let anthropic = matches!(target, Dialect::Anthropic);
        Self { close: anthropic, no_limits: anthropic, from_gemini: false }
    }
}

/// Words that say nothing about the data and that some targets refuse.
const NOISE: [&str; 3] = ["$schema", "$id", "$comment"];

/// Limits Anthropic's structured outputs do not know.
const LIMITS: [&str; 11] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// Formats every target that looks at formats knows.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// A schema as the target takes it.
#[derive(Debug, Eq, PartialEq)]
pub struct Cleaned {
    /// The schema.
    pub text: String,
    /// Words of the client's schema that say something about the data and are not in it.
    pub lost: Vec<&'static str>,
}

/// [`clean`] for the form of the answer, whose root may be of any type.
pub fn clean_answer(schema: &str, rules: &Rules) -> Option<Cleaned> {
    cleaned(schema, *rules, false).filter(|cleaned| cleaned.text != schema)
}

fn cleaned(schema: &str, rules: Rules, root_type: bool) -> Option<Cleaned> {
    let mut buffer = Vec::with_capacity(schema.len() + 32);
    let mut copy = Copy { rules, root_type, lost: Vec::new() };
    copy.schema(&mut Cursor::new(schema), &mut buffer, true).ok()?;
    Some(Cleaned { text: String::from_utf8(buffer).ok()?, lost: copy.lost })
}

/// The schema with what the target refuses taken out; nothing when it can stay as it is.
/// The root is made an object schema.
pub fn clean(schema: &str, rules: &Rules) -> Option<Cleaned> {
    let needed = rules.close
        || rules.no_limits
        || rules.from_gemini
        || ["\"$schema\"", "\"$id\"", "\"$comment\"", "\"format\"", "\"pattern\""]
            .iter()
            .any(|word| memchr::memmem::find(schema.as_bytes(), word.as_bytes()).is_some());
    let rooted = has_object_root(schema);
    if !needed && rooted {
        return None;
    }
    cleaned(schema, *rules, !rooted)
}

fn has_object_root(schema: &str) -> bool {
    let mut c = Cursor::new(schema);
    let mut read = || -> Result<bool, JsonError> {
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            if key == "type" && c.kind()? == Kind::String {
                return Ok(c.string()? == "object");
            }
            c.skip()?;
        }
        Ok(false)
    };
    read().unwrap_or(false)
}

struct Copy {
    rules: Rules,
    root_type: bool,
    lost: Vec<&'static str>,
}

impl Copy {
    fn lose(&mut self, word: Option<&'static str>) {
        self.lost.extend(word.filter(|word| !self.lost.contains(word)));
    }

    /// Copies one schema: an object, or `true` and `false`.
    fn schema(
        &mut self,
        c: &mut Cursor<'_>,
        out: &mut Vec<u8>,
        root: bool,
    ) -> Result<(), JsonError> {
        if c.kind()? != Kind::Object {
            out.extend_from_slice(c.raw()?.text().as_bytes());
            return Ok(());
        }
        let (mut has_properties, mut closed, mut is_object) = (false, false, false);
        let nullable = self.rules.from_gemini && is_nullable(&mut c.clone())?;
        let mut object = Object::new(out);
        if root && self.root_type {
            object.text("type", "object");
            is_object = true;
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                name if NOISE.contains(&name) => c.skip()?,
                name if self.rules.no_limits && LIMITS.contains(&name) => {
                    self.lose(LIMITS.into_iter().find(|limit| *limit == name));
                    c.skip()?;
                }
                "nullable" | "propertyOrdering" | "example" if self.rules.from_gemini => {
                    c.skip()?;
                }
                "type" if root && self.root_type => c.skip()?,
                "type" => {
                    is_object |= c.clone().string().is_ok_and(|kind| kind == "object");
                    self.kind(c, object.key("type"), nullable)?;
                }
                "format" | "pattern" if c.kind()? == Kind::String => {
                    self.text(&key, c, &mut object)?;
                }
                "properties" | "$defs" | "definitions" | "patternProperties"
                | "dependentSchemas" => {
                    has_properties |= key == "properties";
                    self.map(c, object.key(&key))?;
                }
                "items" | "not" | "if" | "then" | "else" | "contains" | "propertyNames"
                | "anyOf" | "allOf" | "oneOf" | "prefixItems" => {
                    self.nested(c, object.key(&key))?;
                }
                "additionalProperties" => {
                    closed = true;
                    if self.rules.close {
                        if c.raw()?.text() != "false" {
                            self.lose(Some("additionalProperties"));
                        }
                        object.bool("additionalProperties", false);
                    } else {
                        self.schema(c, object.key("additionalProperties"), false)?;
                    }
                }
                _ => {
                    let raw = c.raw()?;
                    object.raw(&key, raw.text());
                }
            }
        }
        if self.rules.close && !closed && (has_properties || is_object) {
            object.bool("additionalProperties", false);
        }
        object.end();
        Ok(())
    }

    /// A format or a pattern, if every target knows it.
    fn text(
        &mut self,
        key: &str,
        c: &mut Cursor<'_>,
        object: &mut Object<'_>,
    ) -> Result<(), JsonError> {
        let said = c.str()?;
        let text = said.decode();
        if key == "format" && !FORMATS.contains(&text.as_ref()) {
            self.lose(Some("format"));
        } else if key == "pattern" && !is_plain_pattern(&text) {
            self.lose(Some("pattern"));
        } else {
            object.str(key, &said);
        }
        Ok(())
    }

    /// A schema, or a list of schemas.
    fn nested(&mut self, c: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
        if c.kind()? != Kind::Array {
            return self.schema(c, out, false);
        }
        let mut list = crate::json::Array::new(out);
        let mut items = c.array()?;
        while items.next(c)?.is_some() {
            self.schema(c, list.item(), false)?;
        }
        list.end();
        Ok(())
    }

    /// Schemas by name. The names are data, not words of the schema language.
    fn map(&mut self, c: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
        if c.kind()? != Kind::Object {
            out.extend_from_slice(c.raw()?.text().as_bytes());
            return Ok(());
        }
        let mut object = Object::new(out);
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            self.schema(c, object.key(&key), false)?;
        }
        object.end();
        Ok(())
    }

    fn kind(
        &mut self,
        c: &mut Cursor<'_>,
        out: &mut Vec<u8>,
        nullable: bool,
    ) -> Result<(), JsonError> {
        if !self.rules.from_gemini || c.kind()? != Kind::String {
            out.extend_from_slice(c.raw()?.text().as_bytes());
            return Ok(());
        }
        let name = c.string()?.to_ascii_lowercase();
        if nullable {
            out.push(b'[');
            out::string(out, &name);
            out.extend_from_slice(b",\"null\"]");
        } else {
            out::string(out, &name);
        }
        Ok(())
    }
}

fn is_nullable(c: &mut Cursor<'_>) -> Result<bool, JsonError> {
    let mut nullable = false;
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key == "nullable" && c.kind()? == Kind::Bool {
            nullable = c.bool()?;
        } else {
            c.skip()?;
        }
    }
    Ok(nullable)
}

/// Whether every regex engine can compile the pattern: no look-around, no Unicode classes.
fn is_plain_pattern(pattern: &str) -> bool {
    !["(?", "\\p", "\\P", "\\u{"].iter().any(|odd| pattern.contains(odd))
}

/// Whether a schema is closed enough for strict mode: every object lists all its members as
/// required and takes no others.
pub fn is_strict(schema: &str) -> bool {
    strict(&mut Cursor::new(schema)).unwrap_or(false)
}

fn strict(c: &mut Cursor<'_>) -> Result<bool, JsonError> {
    if c.kind()? != Kind::Object {
        c.skip()?;
        return Ok(true);
    }
    let mut fine = true;
    let (mut properties, mut required, mut closed) = (Vec::new(), Vec::new(), false);
    let mut is_object = false;
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => {
                let raw = c.raw()?;
                is_object |= raw.text().contains("\"object\"");
            }
            "properties" | "$defs" | "definitions" if c.kind()? == Kind::Object => {
                let mut inner = c.object()?;
                while let Some(name) = inner.next(c)? {
                    if key == "properties" {
                        properties.push(name.into_owned());
                    }
                    fine &= strict(c)?;
                }
            }
            "required" if c.kind()? == Kind::Array => {
                let mut items = c.array()?;
                while items.next(c)?.is_some() {
                    if c.kind()? == Kind::String {
                        required.push(c.string()?.into_owned());
                    } else {
                        c.skip()?;
                    }
                }
            }
            "additionalProperties" => closed = c.raw()?.text() == "false",
            "items" | "anyOf" | "allOf" | "oneOf" => {
                if c.kind()? == Kind::Array {
                    let mut items = c.array()?;
                    while items.next(c)?.is_some() {
                        fine &= strict(c)?;
                    }
                } else {
                    fine &= strict(c)?;
                }
            }
            _ => c.skip()?,
        }
    }
    if is_object || !properties.is_empty() {
        fine &= closed && properties.iter().all(|name| required.contains(name));
    }
    Ok(fine)
}

#[cfg(test)]
mod tests;
