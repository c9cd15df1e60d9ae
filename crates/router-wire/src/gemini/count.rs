//! `countTokens`: the request, and its answer.

use super::request;
use super::{camel, number};
use crate::canonical::{Losses, Request};
use crate::json::{Cursor, JsonError, Object};
use crate::translate::{Refusal, RequestExtra, Target};

/// Reads the body of a `countTokens` call: bare contents, or a whole request inside
/// `generateContentRequest`.
pub fn read<'a>(body: &'a str, extra: &RequestExtra<'a>) -> Result<Request<'a>, JsonError> {
    let mut c = Cursor::new(body);
    let mut request = request::from_cursor(&mut c, true)?;
    c.end()?;
    if let Some(model) = extra.model {
        request.model = super::bare_model(model).into();
    }
    Ok(request)
}

/// Writes the body of a `countTokens` call. Only the nested form counts tools and instructions.
pub fn write(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let mut outer = Object::new(out);
    let mut inner = outer.object("generateContentRequest");
    inner.text("model", &format!("models/{}", super::bare_model(target.model)));
    request::write_object(inner, request, target, losses)?;
    outer.end();
    Ok(())
}

/// Reads the answer: all input tokens.
pub fn read_answer(body: &str) -> Result<u64, JsonError> {
    let mut total = None;
    let mut c = Cursor::new(body);
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        if camel(&key) == "totalTokens" {
            total = number(&mut c)?;
        } else {
            c.skip()?;
        }
    }
    c.end()?;
    total.ok_or_else(|| JsonError::new(0, "`totalTokens` is missing"))
}

/// Writes the answer.
pub fn write_answer(total: u64, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.int("totalTokens", total);
    object.end();
}
