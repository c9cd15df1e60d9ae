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

/// State on its way to a Gemini client, collected until the part it belongs to comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Packer {
    /// A signature of Google's own, as it is.
    native: Option<String>,
    records: String,
}

impl Packer {
    /// Whether there is nothing to carry.
    pub(super) const fn is_empty(&self) -> bool {
        self.native.is_none() && self.records.is_empty()
    }

    /// Adds the state of one block of thinking.
    pub(super) fn add(&mut self, opaque: &Opaque<'_>, text: &str, redacted: bool) {
        if opaque.vendor == VENDOR {
            // Thoughts that Google did not sign need nothing to go on.
            let signature = opaque.payload.decode();
            if !signature.is_empty() {
                self.native = Some(signature.into_owned());
            }
            return;
        }
        let state = envelope::wrapped(opaque, VENDOR);
        let separates = |c: char| c == RECORD || c == UNIT;
        if state.contains(separates) || text.contains(separates) {
            // No vendor writes such state; half of it would be worse than none.
            return;
        }
        if !self.records.is_empty() {
            self.records.push(RECORD);
        }
        self.records.push_str(&state);
        if redacted || !text.is_empty() {
            self.records.push(UNIT);
            self.records.push_str(text);
        }
        if redacted {
            self.records.push(UNIT);
            self.records.push('r');
        }
    }

    /// The signature for the next part, if there is state for it.
    pub(super) fn take(&mut self) -> Option<String> {
        let records = std::mem::take(&mut self.records);
        self.native.take().or_else(|| (!records.is_empty()).then(|| base64(records.as_bytes())))
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| chunk.get(at).copied().map_or(0, u32::from);
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18_u32, 12, 6, 0].into_iter().enumerate() {
            let digit = usize::try_from(word >> shift & 63).ok().and_then(|d| DIGITS.get(d));
            let digit = digit.copied().filter(|_| at <= chunk.len()).unwrap_or(b'=');
            text.push(char::from(digit));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opaque(vendor: &'static str, payload: &'static str) -> Opaque<'static> {
        Opaque { vendor: vendor.into(), family: Some("f".into()), payload: Str::plain(payload) }
    }

    #[test]
    fn state_of_several_vendors_comes_back_from_one_signature() {
        let mut packer = Packer::default();
        packer.add(&opaque("anthropic", "EqQB+/="), "first, thïnk", false);
        packer.add(&opaque("anthropic", "redacted=="), "", true);
        packer.add(&opaque("openai", "gAAA"), "", false);
        let signature = packer.take().unwrap();
        assert!(packer.is_empty());
        let urlsafe = signature.replace('+', "-").replace('/', "_");
        for text in [signature, urlsafe] {
            let back = unpack(&Str::from(text), Str::plain("shown"));
            let told: Vec<_> = back
                .iter()
                .map(|thinking| {
                    let opaque = thinking.opaque.as_ref().unwrap();
                    (opaque.vendor.as_ref(), thinking.text.decode(), thinking.redacted)
                })
                .collect();
            assert_eq!(
                told,
                [
                    ("anthropic", "first, thïnk".into(), false),
                    ("anthropic", "".into(), true),
                    ("openai", "".into(), false)
                ]
            );
        }
    }

    #[test]
    fn signatures_of_google_pass_as_they_are() {
        let mut packer = Packer::default();
        packer.add(&opaque("google", "CvcBAT8="), "ignored", false);
        assert_eq!(packer.take().as_deref(), Some("CvcBAT8="));
        let back = unpack(&Str::plain("CvcBAT8="), Str::plain("thought"));
        assert_eq!(back[0].text, *"thought");
        assert_eq!(back[0].opaque.as_ref().unwrap().vendor, "google");
    }

    #[test]
    fn the_skip_text_is_no_state() {
        assert!(unpack(&Str::plain(SKIP), Str::EMPTY).is_empty());
        assert!(unpack(&Str::plain(SKIP_TOO), Str::plain("t"))[0].opaque.is_none());
    }

    proptest! {
        #[test]
        fn base64_is_undone_by_the_reader(text in "\\PC{0,40}") {
            prop_assert_eq!(base64_text(&base64(text.as_bytes())), Some(text));
        }
    }
}
