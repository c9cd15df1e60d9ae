//! What a whole text has beyond the pieces of it that came before.
//!
//! Pieces are not kept: how many UTF-16 units they had is enough, and is the same however the
//! upstream escapes them, even when it cuts between the two halves of a surrogate pair.

/// UTF-16 units of a JSON string's content.
pub(super) fn units(literal: &str) -> u64 {
    if literal.is_ascii() && memchr::memchr(b'\\', literal.as_bytes()).is_none() {
        return u64::try_from(literal.len()).unwrap_or(u64::MAX);
    }
    let mut count = 0;
    walk(literal, |_, units| {
        count += units;
        true
    });
    count
}

/// The rest of a JSON string's content after this many UTF-16 units; nothing if there are not so
/// many, or if the place is inside a character.
pub(super) fn after(literal: &str, units: u64) -> Option<&str> {
    if units == 0 {
        return Some(literal);
    }
    let (mut left, mut at) = (units, None);
    walk(literal, |end, units| {
        left = left.saturating_sub(units);
        if left == 0 {
            at = Some(end);
        }
        left > 0
    });
    literal.get(at?..)
}

/// Tells of each character or escape where it ends and how many units it has, while wanted.
fn walk(literal: &str, mut tell: impl FnMut(usize, u64) -> bool) {
    let mut chars = literal.char_indices();
    while let Some((start, c)) = chars.next() {
        let (end, units) = if c == '\\' {
            match chars.next() {
                Some((at, 'u')) => {
                    for _ in 0..4 {
                        chars.next();
                    }
                    (at + 5, 1)
                }
                Some((at, other)) => (at + other.len_utf8(), 1),
                None => return,
            }
        } else {
            (start + c.len_utf8(), if c.len_utf16() == 2 { 2 } else { 1 })
        };
        if !tell(end, units) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rest_is_the_same_however_the_start_was_escaped() {
        for (literal, units, rest) in [
            ("hello", 0, Some("hello")),
            ("hello", 2, Some("llo")),
            ("hello", 5, Some("")),
            ("hello", 6, None),
            (r"a\nb", 2, Some("b")),
            (r"\u00e9x", 1, Some("x")),
            ("éx", 1, Some("x")),
            (r"\ud83d\ude00x", 2, Some("x")),
            ("😀x", 2, Some("x")),
        ] {
            assert_eq!(after(literal, units), rest, "{literal} after {units}");
        }
    }

    proptest! {
        /// Units count what UTF-16 has, whatever is escaped.
        #[test]
        fn units_are_utf16(text in "\\PC{0,20}[\\n\"\\\\\t]{0,4}") {
            let quoted = serde_json::to_string(&text).expect("JSON");
            let inner = quoted.strip_prefix('"').and_then(|t| t.strip_suffix('"')).expect("quoted");
            prop_assert_eq!(units(inner), u64::try_from(text.encode_utf16().count()).expect("small"));
        }
    }
}
