//! Annotations of a text, written.

use crate::canonical::Citation;
use crate::dialect::Dialect;
use crate::json::{Object, Str};
use crate::openai_responses::response::flat;

/// Appends an annotation; false for citations that only another dialect has. One without a place
/// is about the whole of `text`.
pub(super) fn push_annotation(citation: &Citation<'_>, text: &[u8], buffer: &mut Vec<u8>) -> bool {
    let comma = !buffer.is_empty();
    match citation {
        Citation::Url { url, title, cited_text: _, start, end } => {
            if comma {
                buffer.push(b',');
            }
            let mut object = Object::new(buffer);
            object.text("type", "url_citation").str("url", url);
            object.str("title", title.as_ref().unwrap_or(&Str::EMPTY));
            object.int("start_index", start.unwrap_or(0));
            let whole = || {
                let inner = std::str::from_utf8(text).unwrap_or_default();
                u64::try_from(Str::Literal(inner).decode().chars().count()).unwrap_or(0)
            };
            object.int("end_index", end.unwrap_or_else(whole));
            object.end();
            true
        }
        Citation::Other(json) => {
            if !citation.has_form_in(Dialect::OpenaiResponses) {
                return false;
            }
            if comma {
                buffer.push(b',');
            }
            flat(buffer, json.text());
            true
        }
    }
}
