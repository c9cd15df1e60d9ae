//! Gemini generateContent, as Google's SDK describes it for the public API (`v1beta`).
//!
//! The model and whether to stream stand in the path, not in the body:
//! `models/{model}:generateContent`, `…:streamGenerateContent` (with `alt=sse` as server-sent
//! events, without it as one JSON array) and `…:countTokens`.
//!
//! Google reads every member under two names, `camelCase` and `snake_case`, takes `null` for
//! absent and numbers in quotes; so do the readers here. The writers use `camelCase`.

pub mod count;
mod part;
pub mod request;
pub mod response;
mod schema;
mod state;
mod stop;
pub mod stream;
mod usage;

use std::borrow::Cow;

use crate::ids;
use crate::json::{Cursor, JsonError, Kind, Str};

/// The vendor whose opaque state Gemini clients carry as it is.
const VENDOR: &str = "google";

/// The name of a model without the collection it may stand in: `models/gemini-3-pro` is
/// `gemini-3-pro`.
pub fn bare_model(name: &str) -> &str {
    name.strip_prefix("models/").unwrap_or(name)
}

/// The id of an answer; one made from its first piece, where the upstream gives none.
fn answer_id<'a>(id: Str<'a>, first: &str) -> Str<'a> {
    if id.is_empty() { ids::hex(ids::stable_hash(first.as_bytes())).into() } else { id }
}

/// The `camelCase` form of a member's name; allocates only for `snake_case`.
fn camel(key: &str) -> Cow<'_, str> {
    if !key.contains('_') {
        return Cow::Borrowed(key);
    }
    let mut name = String::with_capacity(key.len());
    let mut upper = false;
    for c in key.chars() {
        if c == '_' && !name.is_empty() {
            upper = true;
        } else if std::mem::take(&mut upper) {
            name.push(c.to_ascii_uppercase());
        } else {
            name.push(c);
        }
    }
    Cow::Owned(name)
}

/// A number a member may hold.
trait Number: Sized {
    fn read(c: &mut Cursor<'_>) -> Result<Self, JsonError>;
}

impl Number for u64 {
    fn read(c: &mut Cursor<'_>) -> Result<Self, JsonError> {
        c.u64()
    }
}

impl Number for i64 {
    fn read(c: &mut Cursor<'_>) -> Result<Self, JsonError> {
        c.i64()
    }
}

impl Number for f64 {
    fn read(c: &mut Cursor<'_>) -> Result<Self, JsonError> {
        c.f64()
    }
}

/// A number that may stand in quotes, as 64-bit numbers do in Google's JSON; or null.
fn number<T: Number>(c: &mut Cursor<'_>) -> Result<Option<T>, JsonError> {
    match c.kind()? {
        Kind::Null => c.null().map(|_| None),
        Kind::String => {
            let at = c.position() + 1;
            let text = c.string()?;
            T::read(&mut Cursor::new(&text))
                .map(Some)
                .map_err(|_| JsonError::new(at, "expected a number"))
        }
        _ => T::read(c).map(Some),
    }
}

/// A list of values that `read` reads; null is an empty list.
fn list<'a, T>(
    c: &mut Cursor<'a>,
    mut read: impl FnMut(&mut Cursor<'a>) -> Result<T, JsonError>,
) -> Result<Vec<T>, JsonError> {
    let mut values = Vec::new();
    if c.null()? {
        return Ok(values);
    }
    let mut items = c.array()?;
    while items.next(c)?.is_some() {
        values.push(read(c)?);
    }
    Ok(values)
}

#[cfg(test)]
mod tests;
