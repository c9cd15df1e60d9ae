//! OpenRouter's `reasoning_details`: thinking in the form of the vendor behind it, which wants it
//! back as it was wherever it is signed or encrypted. Gemini refuses calls without it.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::canonical::Opaque;
use crate::json::Raw;

/// Who hands out and takes back such state.
pub(crate) const ROUTER: &str = "openrouter";

/// Most bytes of the details of one answer; more are not kept.
const BYTES_MAX: usize = 1 << 20;

/// The details of an answer while they come.
#[derive(Debug, Default)]
pub(super) struct Details {
    list: Vec<Map<String, Value>>,
    bytes: usize,
}

impl Details {
    /// Takes the next list; in a stream it goes on where the one before ended.
    pub(super) fn take(&mut self, raw: Raw<'_>) {
        self.bytes = self.bytes.saturating_add(raw.text().len());
        let Ok(Value::Array(items)) = serde_json::from_str(raw.text()) else { return };
        if self.bytes > BYTES_MAX {
            self.list.clear();
            return;
        }
        for item in items {
            if let Value::Object(piece) = item {
                self.add(piece);
            }
        }
    }

    fn add(&mut self, piece: Map<String, Value>) {
        let same = |last: &&mut Map<String, Value>| {
            let grows = ["text", "summary"].iter().any(|name| last.contains_key(*name));
            grows
                && last.get("type") == piece.get("type")
                && last.get("index") == piece.get("index")
        };
        let Some(last) = self.list.last_mut().filter(same) else {
            self.list.push(piece);
            return;
        };
        for (name, value) in piece {
            match (last.get_mut(&name), value) {
                (Some(Value::String(text)), Value::String(more))
                    if matches!(name.as_str(), "text" | "summary" | "signature") =>
                {
                    text.push_str(&more);
                }
                (_, Value::Null) => {}
                (_, value) => drop(last.insert(name, value)),
            }
        }
    }

    /// What has come so far, if only the vendor can make it.
    pub(super) fn state(&mut self) -> Option<Opaque<'static>> {
        let list = std::mem::take(&mut self.list);
        let text = |detail: &Map<String, Value>, name: &str| {
            detail
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let sealed = |detail: &Map<String, Value>| {
            text(detail, "signature").or_else(|| text(detail, "data")).is_some()
        };
        if !list.iter().any(sealed) {
            return None;
        }
        // Such as `google-gemini-v1`.
        let family = list.iter().find_map(|detail| text(detail, "format")).and_then(|format| {
            let (vendor, _) = format.split_once('-')?;
            Some(Cow::Owned(vendor.to_owned()))
        });
        let payload = Value::Array(list.into_iter().map(Value::Object).collect()).to_string();
        Some(Opaque { vendor: Cow::Borrowed(ROUTER), family, payload: payload.into() })
    }
}
