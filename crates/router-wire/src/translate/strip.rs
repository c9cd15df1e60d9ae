//! Takes other vendors' thinking out of a body that otherwise passes untouched.
//!
//! A client whose conversation went to one vendor through a translation and goes on at the vendor
//! of its own dialect sends back wrapped state ([`crate::canonical::envelope`]) that the vendor
//! would refuse. Every other byte stays as it is.

use memchr::memmem;

use crate::dialect::Dialect;
use crate::json::{JsonError, Raw};

/// What every wrapped state begins with, in a JSON string.
const TAG: &[u8] = b"\"llmr1:";

/// The body without wrapped state; nothing when there is none, or when the body cannot be read.
pub fn without_foreign_state(dialect: Dialect, body: &[u8]) -> Option<Vec<u8>> {
    memmem::find(body, TAG)?;
    let text = std::str::from_utf8(body).ok()?;
    let (list, inner) = match dialect {
        Dialect::Anthropic => ("messages", Some("content")),
        Dialect::OpenaiResponses => ("input", None),
        Dialect::OpenaiChat | Dialect::Gemini => return None,
    };
    let mut out = Vec::with_capacity(body.len());
    let (at, array) = member(Raw::parse(text).ok()?, list).ok()??;
    out.extend_from_slice(body.get(..at)?);
    rewrite(array, inner, &mut out).ok()?;
    out.extend_from_slice(body.get(at + array.text().len()..)?);
    Some(out)
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

/// Copies an array without the items that are wrapped state. Items whose member `inner` is an
/// array of such things are cleaned inside, and left out if nothing remains.
fn rewrite(array: Raw<'_>, inner: Option<&str>, out: &mut Vec<u8>) -> Result<bool, JsonError> {
    let mut c = array.cursor();
    let mut items = c.array()?;
    let mut any = false;
    out.push(b'[');
    while items.next(&mut c)?.is_some() {
        let item = c.raw()?;
        let mut copy = item.text().as_bytes().to_vec();
        if memmem::find(&copy, TAG).is_some() {
            let nested = match inner {
                Some(name) => member(item, name)?,
                None => None,
            };
            match nested {
                Some((at, list)) if list.text().starts_with('[') => {
                    let start = at - item.at();
                    let mut cleaned = copy.get(..start).unwrap_or_default().to_vec();
                    if !rewrite(list, None, &mut cleaned)? {
                        continue;
                    }
                    cleaned.extend_from_slice(
                        copy.get(start + list.text().len()..).unwrap_or_default(),
                    );
                    copy = cleaned;
                }
                _ if is_state(item)? => continue,
                _ => {}
            }
        }
        if std::mem::replace(&mut any, true) {
            out.push(b',');
        }
        out.extend_from_slice(&copy);
    }
    out.push(b']');
    Ok(any)
}

/// Whether an item is nothing but wrapped state.
fn is_state(item: Raw<'_>) -> Result<bool, JsonError> {
    for name in ["signature", "data", "encrypted_content"] {
        if let Some((_, value)) = member(item, name)?
            && value.text().as_bytes().starts_with(TAG)
        {
            return Ok(true);
        }
    }
    Ok(false)
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
    fn bodies_without_it_are_left_alone() {
        for body in ["{}", r#"{"messages":[]}"#, "llmr1:", r#"{"messages":"llmr1:"#, ""] {
            assert_eq!(stripped(Dialect::Anthropic, body), None, "{body}");
        }
    }
}
