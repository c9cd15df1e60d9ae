//! Takes other vendors' thinking out of a body that otherwise passes untouched.
//!
//! A client whose conversation went to one vendor through a translation and goes on at the vendor
//! of its own dialect sends back wrapped state ([`crate::canonical::envelope`]) that the vendor
//! would refuse. Every other byte stays as it is.

use memchr::memmem;

use crate::dialect::Dialect;
use crate::json::{JsonError, Object, Raw};

/// What every wrapped state begins with, in a JSON string.
const TAG: &[u8] = b"\"llmr1:";

/// What is taken out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Taken {
    /// State in a wrapping.
    Wrapped,
    /// All state, and the ids of items: the vendor would look for the reasoning they belong to.
    All,
}

/// The body without wrapped state; nothing when there is none, or when the body cannot be read.
pub fn without_foreign_state(dialect: Dialect, body: &[u8]) -> Option<Vec<u8>> {
    memmem::find(body, TAG)?;
    without(Taken::Wrapped, dialect, body)
}

/// The body without any state of earlier reasoning, foreign or not, for an upstream that could not
/// read it; nothing when there is none, or when the body cannot be read.
pub fn without_state(dialect: Dialect, body: &[u8]) -> Option<Vec<u8>> {
    without(Taken::All, dialect, body)
}

fn without(taken: Taken, dialect: Dialect, body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let (list, inner) = match dialect {
        Dialect::Anthropic => ("messages", Some("content")),
        Dialect::OpenaiResponses => ("input", None),
        Dialect::OpenaiChat | Dialect::Gemini => return None,
    };
    let mut out = Vec::with_capacity(body.len());
    let (at, array) = member(Raw::parse(text).ok()?, list).ok()??;
    if !array.text().starts_with('[') {
        return None;
    }
    out.extend_from_slice(body.get(..at)?);
    rewrite(array, inner, taken, &mut out).ok()?;
    out.extend_from_slice(body.get(at + array.text().len()..)?);
    (out != body).then_some(out)
}

/// A member of an object and where it stands.
fn member<'a>(object: Raw<'a>, name: &str) -> Result<Option<(usize, Raw<'a>)>, JsonError> {
    let mut c = object.cursor();
    let mut found = None;
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        let raw = c.raw()?;
        if key == name {
            found = Some((raw.at(), raw));
        }
    }
    Ok(found)
}

/// Copies an array without the items that are state. Items whose member `inner` is an array of
/// such things are cleaned inside, and left out if nothing remains. Whether any is left.
fn rewrite(
    array: Raw<'_>,
    inner: Option<&str>,
    taken: Taken,
    out: &mut Vec<u8>,
) -> Result<bool, JsonError> {
    let mut c = array.cursor();
    let mut items = c.array()?;
    let mut any = false;
    out.push(b'[');
    while items.next(&mut c)?.is_some() {
        let item = c.raw()?;
        let start = out.len();
        if any {
            out.push(b',');
        }
        if copied(item, inner, taken, out)? {
            any = true;
        } else {
            out.truncate(start);
        }
    }
    out.push(b']');
    Ok(any)
}

/// Copies one item; false, and perhaps half of it, if it is to be left out.
fn copied(
    item: Raw<'_>,
    inner: Option<&str>,
    taken: Taken,
    out: &mut Vec<u8>,
) -> Result<bool, JsonError> {
    let text = item.text();
    let clean = taken == Taken::Wrapped && memmem::find(text.as_bytes(), TAG).is_none();
    if clean || !text.starts_with('{') {
        out.extend_from_slice(text.as_bytes());
        return Ok(true);
    }
    let nested = match inner {
        Some(name) => member(item, name)?.filter(|(_, list)| list.text().starts_with('[')),
        None => None,
    };
    if let Some((at, list)) = nested {
        let (before, after) = (at - item.at(), at - item.at() + list.text().len());
        out.extend_from_slice(text.get(..before).unwrap_or_default().as_bytes());
        let any = rewrite(list, None, taken, out)?;
        out.extend_from_slice(text.get(after..).unwrap_or_default().as_bytes());
        return Ok(any);
    }
    if is_state(item, taken)? {
        return Ok(false);
    }
    match (taken, member(item, "call_id")?.or(member(item, "role")?)) {
        (Taken::All, Some(_)) => without_id(item, out)?,
        _ => out.extend_from_slice(text.as_bytes()),
    }
    Ok(true)
}

/// Whether an item is nothing but state.
fn is_state(item: Raw<'_>, taken: Taken) -> Result<bool, JsonError> {
    if taken == Taken::All {
        let kind = member(item, "type")?.map(|(_, kind)| kind.text());
        let state = ["\"thinking\"", "\"redacted_thinking\"", "\"reasoning\""];
        return Ok(kind.is_some_and(|kind| state.contains(&kind)));
    }
    for name in ["signature", "data", "encrypted_content"] {
        if let Some((_, value)) = member(item, name)?
            && value.text().as_bytes().starts_with(TAG)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Copies an item of Responses without its id.
fn without_id(item: Raw<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let mut c = item.cursor();
    let mut copy = Object::new(out);
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        let value = c.raw()?;
        if key != "id" {
            copy.raw(&key, value.text());
        }
    }
    copy.end();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(dialect: Dialect, body: &str) -> Option<String> {
        without_foreign_state(dialect, body.as_bytes()).map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn only_wrapped_state_is_taken_out() {
        let body = r#"{ "model":"m","messages":[ {"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"llmr1:openai::g"}, {"type":"thinking","thinking":"b","signature":"EqQB"},{"type":"text","text":"llmr1: is a tag"}]},{"role":"assistant","content":[{"type":"redacted_thinking","data":"llmr1:x::y"}]},{"role":"user","content":"say \"llmr1:\""}] , "x":1}"#;
        let wanted = r#"{ "model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"b","signature":"EqQB"},{"type":"text","text":"llmr1: is a tag"}]},{"role":"user","content":"say \"llmr1:\""}] , "x":1}"#;
        assert_eq!(stripped(Dialect::Anthropic, body).as_deref(), Some(wanted));
        let body = r#"{"input":[{"type":"reasoning","summary":[],"encrypted_content":"llmr1:anthropic::E"},{"type":"message","role":"user","content":"x"}]}"#;
        let wanted = r#"{"input":[{"type":"message","role":"user","content":"x"}]}"#;
        assert_eq!(stripped(Dialect::OpenaiResponses, body).as_deref(), Some(wanted));
    }

    #[test]
    fn b7_22_all_state_can_be_taken_out() {
        let stripped = |dialect, body: &str| {
            without_state(dialect, body.as_bytes()).map(|out| String::from_utf8(out).unwrap())
        };
        let body = r#"{"model":"m","input":[{"role":"user","id":"msg_1","content":"q"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gA"},{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"}],"x":[1]}"#;
        let wanted = r#"{"model":"m","input":[{"role":"user","content":"q"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],"x":[1]}"#;
        assert_eq!(stripped(Dialect::OpenaiResponses, body).as_deref(), Some(wanted));
        let body = r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"E"},{"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"assistant","content":[{"type":"redacted_thinking","data":"E"}]}]}"#;
        let wanted = r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}]}"#;
        assert_eq!(stripped(Dialect::Anthropic, body).as_deref(), Some(wanted));
        for body in ["{}", r#"{"input":"q"}"#, r#"{"input":[{"role":"user","content":"q"}]}"#, "["]
        {
            assert_eq!(stripped(Dialect::OpenaiResponses, body), None, "{body}");
        }
    }

    #[test]
    fn bodies_without_it_are_left_alone() {
        for body in ["{}", r#"{"messages":[]}"#, "llmr1:", r#"{"messages":"llmr1:"#, ""] {
            assert_eq!(stripped(Dialect::Anthropic, body), None, "{body}");
        }
    }
}
