//! Opaque state in a part's `thoughtSignature`.
//!
//! Google's own signatures are base64 text and pass as they are. State of other vendors is packed
//! into one, so that any Gemini client carries it along with the call or text it belongs to:
//!
//! ```text
//! base64( record (RS record)* )
//! record = llmr1:VENDOR:FAMILY:PAYLOAD ( US text ( US "r" )? )?
//! ```
//!
//! RS and US are the ASCII record and unit separators. The readable text of the thinking goes into
//! the record because clients drop thought parts from their history, and some vendors verify or
//! demand the text; `r` marks thinking whose text was withheld.

use super::VENDOR;
use crate::canonical::{Opaque, Thinking, envelope};
use crate::json::Str;
use crate::media::base64_text;

const RECORD: char = '\u{1e}';
const UNIT: char = '\u{1f}';

/// How a packed signature begins: the envelope's tag in base64.
const PACKED: &str = "bGxtcjE6";

/// What Google lets clients send for calls that none of its models made.
pub(super) const SKIP: &str = "skip_thought_signature_validator";

/// The other text Google takes in the same place.
const SKIP_TOO: &str = "context_engineering_is_the_way_to_go";

/// The thinking a signature carries. `text` is the thought text in front of it, which belongs to
/// Google's own signatures; packed ones bring their own.
pub(super) fn unpack<'a>(signature: &Str<'a>, text: Str<'a>) -> Vec<Thinking<'a>> {
    let plain = signature.decode();
    if plain == SKIP || plain == SKIP_TOO {
        return unsigned(text);
    }
    if !plain.starts_with(PACKED) {
        let opaque = Opaque { vendor: VENDOR.into(), family: None, payload: signature.clone() };
        return vec![Thinking { text, opaque: Some(opaque), redacted: false }];
    }
    let Some(records) = base64_text(&plain) else { return unsigned(text) };
    records
        .split(RECORD)
        .map(|record| {
            let mut units = record.split(UNIT);
            let state = units.next().unwrap_or_default().to_owned();
            Thinking {
                opaque: Some(envelope::unwrapped(&Str::from(state), VENDOR)),
                text: Str::from(units.next().unwrap_or_default().to_owned()),
                redacted: units.next() == Some("r"),
            }
        })
        .collect()
}

fn unsigned(text: Str<'_>) -> Vec<Thinking<'_>> {
    if text.is_empty() {
        return Vec::new();
    }
    vec![Thinking { text, opaque: None, redacted: false }]
}
