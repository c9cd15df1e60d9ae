//! The wrapper that carries one vendor's opaque state through a client of another dialect.
//!
//! ```text
//! llmr1:VENDOR:FAMILY:PAYLOAD        such as  llmr1:openai:gpt-5.6:gAAAAAB...
//! ```
//!
//! `llmr1` is the version tag. Vendor and family hold only letters, digits, `.`, `_` and `-`; the
//! payload is the vendor's text as it came. A value without the tag is native: it was made by the
//! vendor whose dialect the client speaks and goes back to that vendor only.

use std::borrow::Cow;

use super::content::Opaque;
use crate::json::Str;

const TAG: &str = "llmr1:";

/// Appends the state as the inside of a JSON string: as it is for a client of its own vendor, else
/// wrapped.
pub fn push_wrapped(opaque: &Opaque<'_>, native_vendor: &str, out: &mut Vec<u8>) {
    if opaque.vendor != native_vendor {
        out.extend_from_slice(TAG.as_bytes());
        push_word(&opaque.vendor, out);
        out.push(b':');
        push_word(opaque.family.as_deref().unwrap_or_default(), out);
        out.push(b':');
    }
    opaque.payload.push_inner(out);
}

/// The wrapped state as plain text, for side tables.
pub fn wrapped(opaque: &Opaque<'_>, native_vendor: &str) -> String {
    let mut head = Vec::new();
    let empty = Opaque { payload: Str::EMPTY, ..opaque.clone() };
    push_wrapped(&empty, native_vendor, &mut head);
    let mut text = String::from_utf8(head).unwrap_or_default();
    opaque.payload.decode_into(&mut text);
    text
}

fn push_word(word: &str, out: &mut Vec<u8>) {
    let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    out.extend(word.bytes().filter(legal));
}

/// Reads a value a client sent back.
pub fn unwrapped<'a>(value: &Str<'a>, native_vendor: &'static str) -> Opaque<'a> {
    let wrapped = match value {
        Str::Literal(text) => split(text).map(|(v, f, p)| (v, f, Str::Literal(p))),
        Str::Plain(Cow::Borrowed(text)) => split(text).map(|(v, f, p)| (v, f, Str::plain(p))),
        Str::Plain(Cow::Owned(text)) => {
            return match split(text) {
                Some((vendor, family, payload)) => Opaque {
                    vendor: Cow::Owned(vendor.to_owned()),
                    family: family_of(family).map(|name| Cow::Owned(name.to_owned())),
                    payload: payload.to_owned().into(),
                },
                None => native(value, native_vendor),
            };
        }
    };
    match wrapped {
        Some((vendor, family, payload)) => Opaque {
            vendor: Cow::Borrowed(vendor),
            family: family_of(family).map(Cow::Borrowed),
            payload,
        },
        None => native(value, native_vendor),
    }
}

fn native<'a>(value: &Str<'a>, vendor: &'static str) -> Opaque<'a> {
    Opaque { vendor: Cow::Borrowed(vendor), family: None, payload: value.clone() }
}

fn family_of(family: &str) -> Option<&str> {
    (!family.is_empty()).then_some(family)
}

fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (vendor, rest) = text.strip_prefix(TAG)?.split_once(':')?;
    let (family, payload) = rest.split_once(':')?;
    Some((vendor, family, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(opaque: &Opaque<'_>, native: &'static str) -> (String, Opaque<'static>) {
        let text = wrapped(opaque, native);
        let back = unwrapped(&Str::from(text.clone()), native);
        (text, back)
    }

    #[test]
    fn foreign_state_comes_back_with_its_vendor() {
        let opaque = Opaque {
            vendor: "openai".into(),
            family: Some("gpt-5.6".into()),
            payload: Str::plain("gAAA:B\n\"x\""),
        };
        let (text, back) = round(&opaque, "anthropic");
        assert_eq!(text, "llmr1:openai:gpt-5.6:gAAA:B\n\"x\"");
        assert_eq!(back, opaque);
    }

    #[test]
    fn native_state_is_not_wrapped() {
        let opaque =
            Opaque { vendor: "anthropic".into(), family: None, payload: Str::plain("EqQB") };
        let (text, back) = round(&opaque, "anthropic");
        assert_eq!(text, "EqQB");
        assert_eq!(back, opaque);
    }

    #[test]
    fn state_of_an_unknown_vendor_is_nobody_elses() {
        let opaque = Opaque { vendor: "".into(), family: None, payload: Str::plain("hm") };
        assert_eq!(round(&opaque, "anthropic"), ("llmr1:::hm".to_owned(), opaque));
    }

    #[test]
    fn a_vendor_name_cannot_break_the_envelope() {
        let opaque =
            Opaque { vendor: "a:\"b".into(), family: Some("c d".into()), payload: Str::plain("p") };
        assert_eq!(wrapped(&opaque, "openai"), "llmr1:ab:cd:p");
    }
}
