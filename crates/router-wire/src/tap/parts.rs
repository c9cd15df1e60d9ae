//! The members of an event that the tap looks at, found in one walk.

use crate::peek::{Kind, Members};

/// Values as written; null counts as absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts<'a> {
    /// `type`, without its quotes.
    pub(super) kind: Option<&'a [u8]>,
    pub(super) error: Option<&'a [u8]>,
    /// `usage` or `usageMetadata`.
    pub(super) usage: Option<&'a [u8]>,
    pub(super) delta: Option<&'a [u8]>,
    pub(super) message: Option<&'a [u8]>,
    pub(super) content_block: Option<&'a [u8]>,
    pub(super) choices: Option<&'a [u8]>,
    pub(super) response: Option<&'a [u8]>,
    pub(super) item: Option<&'a [u8]>,
    pub(super) sequence_number: Option<&'a [u8]>,
    pub(super) candidates: Option<&'a [u8]>,
    pub(super) prompt_feedback: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    /// `None` when the data is not one well-formed JSON object.
    pub(super) fn of(data: &'a [u8]) -> Option<Self> {
        let mut parts = Self::default();
        let mut members = Members::new(data);
        for entry in &mut members {
            let slot = match inner(entry.key) {
                b"type" => {
                    parts.kind = (entry.member.kind == Kind::String).then_some(inner(entry.value));
                    continue;
                }
                b"error" if is_blank(entry.value) => continue,
                b"error" => &mut parts.error,
                b"usage" | b"usageMetadata" => &mut parts.usage,
                b"delta" => &mut parts.delta,
                b"message" => &mut parts.message,
                b"content_block" => &mut parts.content_block,
                b"choices" => &mut parts.choices,
                b"response" => &mut parts.response,
                b"item" => &mut parts.item,
                b"sequence_number" => &mut parts.sequence_number,
                b"candidates" => &mut parts.candidates,
                b"promptFeedback" => &mut parts.prompt_feedback,
                _ => continue,
            };
            if entry.member.kind != Kind::Null {
                *slot = Some(entry.value);
            }
        }
        members.is_complete().then_some(parts)
    }
}

/// A JSON string without its quotes, escapes left as they are. Upstreams do not escape names.
pub(super) fn inner(raw: &[u8]) -> &[u8] {
    raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
}

/// Whether a value says nothing: null, false, an empty string, list or object.
pub(super) fn is_blank(value: &[u8]) -> bool {
    matches!(value, b"null" | b"false" | b"\"\"" | b"[]" | b"{}")
}
