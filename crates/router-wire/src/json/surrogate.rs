//! Halves of surrogate pairs, which no UTF-8 can hold.
//!
//! A client that cuts a string between the two halves of an emoji sends one as an escape
//! (`"\ud83d"`). Many vendors refuse a body with it, and as it then stands in the history of the
//! session, every further request with it.

use super::text::hex4;

/// Bytes of an escape such as `\ud83d`.
const ESCAPE_BYTES: usize = 6;
/// What stands in for half a pair, as long as what it replaces.
const REPLACEMENT: &str = "\\ufffd";

/// The document with U+FFFD in place of every lone half, and where the first one stood; nothing
/// if there is none. Offsets stay what they were.
pub fn mended(document: &str) -> Option<(String, usize)> {
    let (mut mended, mut first, mut from) = (String::new(), None, 0);
    let mut at = 0;
    if !may_have_one(document.as_bytes()) {
        return None;
    }
    while let Some(found) = memchr::memchr(b'\\', document.as_bytes().get(at..)?) {
        at += found;
        let half = unit(document, at);
        if !half.is_some_and(|unit| (0xD800..0xE000).contains(&unit)) {
            at += if half.is_some() { ESCAPE_BYTES } else { 2 };
            continue;
        }
        let is_high = half.is_some_and(|unit| unit < 0xDC00);
        let next = unit(document, at + ESCAPE_BYTES);
        if is_high && next.is_some_and(|unit| (0xDC00..0xE000).contains(&unit)) {
            at += 2 * ESCAPE_BYTES;
            continue;
        }
        first.get_or_insert(at);
        mended.push_str(document.get(from..at)?);
        mended.push_str(REPLACEMENT);
        at += ESCAPE_BYTES;
        from = at;
    }
    mended.push_str(document.get(from..)?);
    first.map(|first| (mended, first))
}

/// Whether there is an escape that may be half a pair: most documents have none at all.
fn may_have_one(document: &[u8]) -> bool {
    memchr::memmem::find_iter(document, b"\\u").any(|at| {
        let digits = document.get(at + 2..at + 4).unwrap_or_default();
        matches!(digits, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F'])
    })
}

/// The code unit that the escape at `at` stands for.
fn unit(document: &str, at: usize) -> Option<u32> {
    hex4(document.get(at..)?.strip_prefix("\\u")?).map(|(unit, _)| unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(document: &str, expect: Option<(&str, usize)>) {
        let got = mended(document);
        assert_eq!(got.as_ref().map(|(text, at)| (text.as_str(), *at)), expect);
    }

    #[test]
    fn only_lone_halves_are_replaced() {
        check(r#""plain \n text""#, None);
        check(r#""\ud83d\ude00 \uD83D\uDE00 \u00e9""#, None);
        check(r#""\\ud83d""#, None);
        check(r#""a\ud83d""#, Some((r#""a\ufffd""#, 2)));
        check(r#""\ude00\ud83d\ude00""#, Some((r#""\ufffd\ud83d\ude00""#, 1)));
        check(r#""\ud83d\ud83d\ude00\\\uDC00""#, Some((r#""\ufffd\ud83d\ude00\\\ufffd""#, 1)));
        check("\\", None);
        check("\\ud", None);
    }

    proptest! {
        #[test]
        fn what_comes_out_has_none(text in r"(\\u[dD][89a-f][0-9]{2}|\\\\|\\n|x|é){0,20}") {
            if let Some((text, _)) = mended(&text) {
                prop_assert!(mended(&text).is_none());
                let quoted = format!("\"{text}\"");
                prop_assert!(serde_json::from_str::<String>(&quoted).is_ok());
            }
        }
    }
}
