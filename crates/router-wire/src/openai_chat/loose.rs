//! Members of upstreams that do not keep to the types of the contract.
//!
//! Each function takes one whole value and never fails on a type, only on text that is not JSON.

use crate::json::{Cursor, JsonError, Kind, Str};

/// Text, or a number as text. Nothing for `null` and everything else.
pub(super) fn text<'a>(c: &mut Cursor<'a>) -> Result<Option<Str<'a>>, JsonError> {
    match c.kind()? {
        Kind::String => c.str().map(Some),
        Kind::Number => Ok(Some(Str::plain(c.raw()?.text()))),
        _ => c.skip().map(|()| None),
    }
}

/// Text that is not empty.
pub(super) fn filled<'a>(c: &mut Cursor<'a>) -> Result<Option<Str<'a>>, JsonError> {
    Ok(text(c)?.filter(|text| !text.is_empty()))
}

/// A whole number, also one in quotes or with a fraction of zero. Nothing for everything else,
/// negative numbers included.
pub(super) fn int(c: &mut Cursor<'_>) -> Result<Option<u64>, JsonError> {
    match c.kind()? {
        Kind::Number => {
            let raw = c.raw()?;
            Ok(raw.cursor().u64().ok())
        }
        Kind::String => Ok(c.str()?.decode().trim().parse().ok()),
        _ => c.skip().map(|()| None),
    }
}

/// Reads the members of an object with `member`; any other value is passed over.
pub(super) fn object<'a>(
    c: &mut Cursor<'a>,
    mut member: impl FnMut(&str, &mut Cursor<'a>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    if c.kind()? != Kind::Object {
        return c.skip();
    }
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        member(&key, c)?;
    }
    Ok(())
}

/// Reads the items of an array with `item`; any other value is passed over.
pub(super) fn array<'a>(
    c: &mut Cursor<'a>,
    mut item: impl FnMut(usize, &mut Cursor<'a>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    if c.kind()? != Kind::Array {
        return c.skip();
    }
    let mut items = c.array()?;
    while let Some(index) = items.next(c)? {
        item(index, c)?;
    }
    Ok(())
}
