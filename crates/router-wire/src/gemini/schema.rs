//! Google's `Schema` objects, which look like JSON Schema with upper-case type names, rewritten.
//!
//! `nullable` becomes a second type, `propertyOrdering` and `example` are left out, counts in
//! quotes become numbers, `defs` and `ref` get their dollar signs. A schema that already is JSON
//! Schema comes out as it was, but for the order of `type` and `enum`.

use std::borrow::Cow;

use super::{camel, number};
use crate::canonical::Json;
use crate::json::{Array, Cursor, JsonError, Kind, Object, Raw, Str, out};

/// Reads a schema object and gives it as JSON Schema.
pub(super) fn read<'a>(c: &mut Cursor<'a>) -> Result<Json<'a>, JsonError> {
    if c.kind()? != Kind::Object {
        return Err(c.error("a schema must be an object"));
    }
    let mut buffer = Vec::with_capacity(256);
    schema(c, &mut buffer)?;
    // Everything written is text of the document or ASCII of our own.
    Ok(Json(Cow::Owned(String::from_utf8(buffer).unwrap_or_default())))
}

/// Why [`hints`] are lost.
pub(super) const HINT_WHY: &str = "JSON Schema has no such word";

/// The words of a schema that [`read`] leaves out and that say something.
pub(super) fn hints(schema: Raw<'_>) -> impl Iterator<Item = &'static str> {
    let text = schema.text().as_bytes();
    let quoted =
        |word: &str| memchr::memmem::find(text, format!("\"{word}\"").as_bytes()).is_some();
    let found = ["propertyOrdering", "example"].map(|word| quoted(word).then_some(word));
    found.into_iter().flatten()
}

/// What waits until all members are known.
#[derive(Default)]
struct Later<'a> {
    kinds: Vec<Cow<'a, str>>,
    nullable: bool,
    choices: Option<Raw<'a>>,
}

fn schema(c: &mut Cursor<'_>, buffer: &mut Vec<u8>) -> Result<(), JsonError> {
    if c.kind()? != Kind::Object {
        // `additionalProperties: false`, and anything else nobody can mean.
        buffer.extend_from_slice(c.raw()?.text().as_bytes());
        return Ok(());
    }
    let mut later = Later::default();
    let mut object = Object::new(buffer);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if c.null()? {
            continue;
        }
        member(c, &key, &mut object, &mut later)?;
    }
    if later.nullable && !later.kinds.is_empty() && !later.kinds.iter().any(|kind| kind == "null") {
        later.kinds.push(Cow::Borrowed("null"));
    }
    match later.kinds.as_slice() {
        [] => {}
        [one] => drop(object.text("type", one)),
        more => {
            let mut list = object.array("type");
            for kind in more {
                out::string(list.item(), kind);
            }
            list.end();
        }
    }
    if let Some(raw) = later.choices {
        choices(raw, later.nullable, object.array("enum"))?;
    }
    object.end();
    Ok(())
}

fn member<'a>(
    c: &mut Cursor<'a>,
    key: &str,
    object: &mut Object<'_>,
    later: &mut Later<'a>,
) -> Result<(), JsonError> {
    match camel(key).as_ref() {
        "type" => later.kinds = kinds(c)?,
        "nullable" => later.nullable = c.bool()?,
        "enum" => later.choices = Some(c.raw()?),
        "propertyOrdering" | "example" => c.skip()?,
        "properties" | "patternProperties" => {
            map(c, object.object(key))?;
        }
        "defs" | "$defs" | "definitions" => map(c, object.object("$defs"))?,
        "ref" | "$ref" => {
            let place = c.str()?;
            object.str("$ref", &Str::from(place.decode().replace("#/defs/", "#/$defs/")));
        }
        name @ ("items" | "additionalProperties" | "not") => schema(c, object.key(name))?,
        name @ ("anyOf" | "oneOf" | "allOf" | "prefixItems") => {
            let mut list = object.array(name);
            let mut items = c.array()?;
            while items.next(c)?.is_some() {
                schema(c, list.item())?;
            }
            list.end();
        }
        name @ ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
        | "maxProperties") => {
            if let Some(count) = number(c)? {
                object.int(name, count);
            }
        }
        _ => drop(object.raw(key, c.raw()?.text())),
    }
    Ok(())
}

/// Names and their schemas. The names are the client's own and stay as they are.
fn map(c: &mut Cursor<'_>, mut object: Object<'_>) -> Result<(), JsonError> {
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        schema(c, object.key(&key))?;
    }
    object.end();
    Ok(())
}

fn kinds<'a>(c: &mut Cursor<'a>) -> Result<Vec<Cow<'a, str>>, JsonError> {
    let lower = |name: Cow<'a, str>| {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            name
        }
    };
    let mut kinds = if c.kind()? == Kind::String {
        vec![lower(c.string()?)]
    } else {
        super::list(c, |c| c.string().map(lower))?
    };
    kinds.retain(|kind| kind != "type_unspecified");
    Ok(kinds)
}

fn choices(raw: Raw<'_>, nullable: bool, mut list: Array<'_>) -> Result<(), JsonError> {
    let mut has_null = false;
    let mut c = raw.cursor();
    let mut items = c.array()?;
    while items.next(&mut c)?.is_some() {
        let choice = c.raw()?;
        has_null |= choice.kind() == Kind::Null;
        list.item().extend_from_slice(choice.text().as_bytes());
    }
    if nullable && !has_null {
        list.item().extend_from_slice(b"null");
    }
    list.end();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_of_google_become_json_schemas() {
        for (google, json) in [
            (r#"{"type":"STRING"}"#, r#"{"type":"string"}"#),
            (r#"{"type":"STRING","nullable":true}"#, r#"{"type":["string","null"]}"#),
            (
                r#"{"type":"STRING","enum":["A"],"nullable":true,"format":"enum"}"#,
                r#"{"format":"enum","type":["string","null"],"enum":["A",null]}"#,
            ),
            (
                r#"{"type":"OBJECT","properties":{"max_items":{"type":"INTEGER"},"type":{"type":"NUMBER"}},"propertyOrdering":["type"],"required":["type"]}"#,
                r#"{"properties":{"max_items":{"type":"integer"},"type":{"type":"number"}},"required":["type"],"type":"object"}"#,
            ),
            (
                r#"{"type":"ARRAY","items":{"any_of":[{"type":"BOOLEAN"},{"type":"NULL"}]},"min_items":"1"}"#,
                r#"{"items":{"anyOf":[{"type":"boolean"},{"type":"null"}]},"minItems":1,"type":"array"}"#,
            ),
            (
                r##"{"defs":{"N":{"type":"OBJECT"}},"ref":"#/defs/N"}"##,
                r##"{"$defs":{"N":{"type":"object"}},"$ref":"#/$defs/N"}"##,
            ),
            (
                r#"{"type":"object","additional_properties":false,"title":null}"#,
                r#"{"additionalProperties":false,"type":"object"}"#,
            ),
            (r#"{"type":["STRING","NULL"],"nullable":true}"#, r#"{"type":["string","null"]}"#),
            (r#"{"type":"TYPE_UNSPECIFIED","description":"x"}"#, r#"{"description":"x"}"#),
        ] {
            let read = read(&mut Cursor::new(google)).unwrap();
            assert_eq!(read.text(), json, "{google}");
        }
    }

    #[test]
    fn a_schema_that_is_no_object_is_refused() {
        assert!(read(&mut Cursor::new("true")).is_err());
        assert!(read(&mut Cursor::new(r#"{"enum":"A"}"#)).is_err());
    }
}
