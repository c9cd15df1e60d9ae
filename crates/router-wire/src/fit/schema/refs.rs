//! References inside a schema, written out for targets that do not follow them.

use std::borrow::Cow;

use crate::json::{Array, Cursor, JsonError, Kind, Object, Raw};

/// Most bytes that references add to a schema.
const ADDED_MAX: usize = 256 << 10;
/// How deep a schema with its references may be.
const DEPTH_MAX: usize = 100;

/// A schema whose references are written out.
#[derive(Debug, Eq, PartialEq)]
pub struct Inlined {
    /// The schema.
    pub schema: String,
    /// Whether a reference was cut: it leads back to itself, nowhere, out of the schema, or the
    /// schema would grow too large. Anything is allowed in its place.
    pub cut: bool,
}

/// Writes every reference out; nothing when there is none, or when the schema cannot be read.
pub fn inline(schema: &str) -> Option<Inlined> {
    memchr::memmem::find(schema.as_bytes(), b"\"$ref\"")?;
    let root = Raw::parse(schema).ok()?;
    let mut writer = Writer { root, open: Vec::new(), left: ADDED_MAX, depth: 0, cut: false };
    let mut out = Vec::with_capacity(schema.len() * 2);
    writer.value(&mut root.cursor(), &mut out).ok()?;
    let schema = String::from_utf8(out).ok()?;
    Some(Inlined { schema, cut: writer.cut })
}

/// Whether a schema refers to itself, so that no finite one says the same.
pub fn is_recursive(schema: &str) -> bool {
    inline(schema).is_some_and(|inlined| inlined.cut)
}

struct Writer<'a> {
    root: Raw<'a>,
    /// References that are being written, outermost first.
    open: Vec<Cow<'a, str>>,
    /// Bytes that references may still add.
    left: usize,
    depth: usize,
    cut: bool,
}

impl<'a> Writer<'a> {
    fn value(&mut self, c: &mut Cursor<'a>, out: &mut Vec<u8>) -> Result<(), JsonError> {
        self.depth += 1;
        match c.kind()? {
            Kind::Object => {
                let raw = c.raw()?;
                let mut object = Object::new(out);
                self.object(raw, &mut object)?;
                object.end();
            }
            Kind::Array => {
                let mut list = Array::new(out);
                let mut items = c.array()?;
                while items.next(c)?.is_some() {
                    self.value(c, list.item())?;
                }
                list.end();
            }
            _ => out.extend_from_slice(c.raw()?.text().as_bytes()),
        }
        self.depth -= 1;
        Ok(())
    }

    /// Schemas by name. The names are data, not words of the schema language.
    fn map(&mut self, c: &mut Cursor<'a>, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let mut object = Object::new(out);
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            self.value(c, object.key(&key))?;
        }
        object.end();
        Ok(())
    }

    /// An object, and what it refers to: its own members outweigh those of its target.
    fn object(&mut self, raw: Raw<'a>, object: &mut Object<'_>) -> Result<(), JsonError> {
        let outer = self.open.len();
        let (mut raw, mut written) = (raw, Vec::new());
        loop {
            self.members(raw, object, &mut written)?;
            let Some(pointer) = reference(raw)? else { break };
            let target = resolve(self.root, &pointer)?.filter(|it| it.kind() == Kind::Object);
            let Some(target) = target.filter(|target| self.may_open(&pointer, *target)) else {
                self.cut = true;
                break;
            };
            self.open.push(pointer);
            raw = target;
        }
        self.open.truncate(outer);
        Ok(())
    }

    /// Whether a reference may be written out here.
    fn may_open(&mut self, pointer: &str, target: Raw<'_>) -> bool {
        let left = self.left.checked_sub(target.text().len());
        let again = self.open.iter().any(|open| open == pointer);
        self.left = left.unwrap_or(0);
        left.is_some() && !again && self.depth < DEPTH_MAX
    }

    /// Members but those already written.
    fn members(
        &mut self,
        raw: Raw<'a>,
        object: &mut Object<'_>,
        written: &mut Vec<Cow<'a, str>>,
    ) -> Result<(), JsonError> {
        let root = raw.at() == self.root.at();
        let mut c = raw.cursor();
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "$ref" if c.kind()? == Kind::String => c.skip()?,
                // Nothing refers to them any more.
                "$defs" | "definitions" if root => c.skip()?,
                name if written.iter().any(|known| known == name) => c.skip()?,
                // Data, not schemas.
                "const" | "enum" | "default" | "examples" => {
                    object.raw(&key, c.raw()?.text());
                    written.push(key);
                }
                "properties" | "patternProperties" | "dependentSchemas" | "$defs"
                | "definitions"
                    if c.kind()? == Kind::Object =>
                {
                    self.map(&mut c, object.key(&key))?;
                    written.push(key);
                }
                _ => {
                    self.value(&mut c, object.key(&key))?;
                    written.push(key);
                }
            }
        }
        Ok(())
    }
}

/// What an object refers to, if it is a reference.
fn reference(object: Raw<'_>) -> Result<Option<Cow<'_, str>>, JsonError> {
    let mut c = object.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        if key == "$ref" && c.kind()? == Kind::String {
            return c.string().map(Some);
        }
        c.skip()?;
    }
    Ok(None)
}

/// The schema a pointer such as `#/$defs/Node` leads to (RFC 6901).
fn resolve<'a>(root: Raw<'a>, pointer: &str) -> Result<Option<Raw<'a>>, JsonError> {
    let Some(path) = pointer.strip_prefix('#') else { return Ok(None) };
    let mut at = root;
    for step in path.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let mut c = at.cursor();
        let mut found = None;
        match c.kind()? {
            Kind::Object => {
                let mut members = c.object()?;
                while let Some(key) = members.next(&mut c)? {
                    let value = c.raw()?;
                    if key == step.as_str() {
                        found = Some(value);
                    }
                }
            }
            Kind::Array => {
                let mut items = c.array()?;
                while let Some(index) = items.next(&mut c)? {
                    let value = c.raw()?;
                    if step.parse() == Ok(index) {
                        found = Some(value);
                    }
                }
            }
            _ => {}
        }
        let Some(next) = found else { return Ok(None) };
        at = next;
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &str, expect: &str, cut: bool) {
        let inlined = inline(schema).unwrap();
        assert_eq!((inlined.schema.as_str(), inlined.cut), (expect, cut), "{schema}");
    }

    #[test]
    fn b6_6_references_are_written_out() {
        check(
            r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"mine"},"b":{"items":{"$ref":"#/$defs/B"}}},"$defs":{"A":{"type":"string","description":"its"},"B":{"$ref":"#/$defs/A"}}}"##,
            r#"{"type":"object","properties":{"a":{"description":"mine","type":"string"},"b":{"items":{"type":"string","description":"its"}}}}"#,
            false,
        );
        check(
            r##"{"properties":{"x/y":{"type":"number"},"b":{"$ref":"#/properties/x~1y"}},"anyOf":[{"a":1},{"$ref":"#/anyOf/0"}]}"##,
            r#"{"properties":{"x/y":{"type":"number"},"b":{"type":"number"}},"anyOf":[{"a":1},{"a":1}]}"#,
            false,
        );
    }

    #[test]
    fn b6_6_a_reference_that_leads_nowhere_or_to_itself_is_cut() {
        check(
            r##"{"$ref":"#/$defs/N","$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}}}"##,
            r#"{"type":"object","properties":{"next":{}}}"#,
            true,
        );
        check(r##"{"a":{"$ref":"#"}}"##, r#"{"a":{"a":{}}}"#, true);
        check(r##"{"a":{"$ref":"#/b"}}"##, r#"{"a":{}}"#, true);
        check(r##"{"a":{"$ref":"https://x"}}"##, r#"{"a":{}}"#, true);
        check(
            r##"{"$defs":{"A":{"$ref":"#/$defs/B"},"B":{"$ref":"#/$defs/A"}},"x":{"$ref":"#/$defs/A"}}"##,
            r#"{"x":{}}"#,
            true,
        );
        assert!(is_recursive(r##"{"a":{"$ref":"#"}}"##));
    }

    #[test]
    fn data_is_no_reference() {
        let schema = r##"{"properties":{"$ref":{"type":"string"}},"enum":[{"$ref":"#/x"}]}"##;
        check(schema, schema, false);
        check(
            r##"{"properties":{"default":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"null"}}}"##,
            r#"{"properties":{"default":{"type":"null"}}}"#,
            false,
        );
        assert_eq!(inline(r#"{"type":"object"}"#), None);
    }

    #[test]
    fn a_schema_cannot_grow_without_bound() {
        let mut schema = String::from("{\"$defs\":{\"d0\":{\"type\":\"string\"}");
        for level in 1..40 {
            let one = format!("{{\"$ref\":\"#/$defs/d{}\"}}", level - 1);
            schema
                .push_str(&format!(",\"d{level}\":{{\"properties\":{{\"a\":{one},\"b\":{one}}}}}"));
        }
        schema.push_str("},\"properties\":{\"x\":{\"$ref\":\"#/$defs/d39\"}}}");
        let inlined = inline(&schema).unwrap();
        assert!(inlined.cut && inlined.schema.len() < 2 * ADDED_MAX, "{}", inlined.schema.len());
    }
}
