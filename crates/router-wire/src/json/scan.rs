//! Finding the few bytes that matter inside a JSON string, eight at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Index of the first byte that cannot stand unescaped in a JSON string (a quote, a backslash or
/// a control character), or the length.
pub(crate) fn special(bytes: &[u8]) -> usize {
    let mut at = 0;
    let mut rest = bytes;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * 0x22);
        let slash = word ^ (ONES * 0x5c);
        // Each term has the high bit of a byte set where the byte matches; a borrow can only make
        // false marks above a true one, and only the lowest mark is used.
        let marks = (word.wrapping_sub(ONES * 0x20) & !word
            | quote.wrapping_sub(ONES) & !quote
            | slash.wrapping_sub(ONES) & !slash)
            & HIGHS;
        if marks != 0 {
            return at + usize::try_from(marks.trailing_zeros() / 8).unwrap_or(0);
        }
        at += 8;
        rest = tail;
    }
    at + rest.iter().position(|&b| is_special(b)).unwrap_or(rest.len())
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Why a string literal ended badly.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BadString {
    /// The text ended before the closing quote.
    Unclosed,
    /// A control character that must be escaped, at this index.
    Control(usize),
    /// A backslash that starts no known escape, at this index.
    Escape(usize),
}

/// Length of the string content at the start of `bytes`, up to and without the closing quote, and
/// whether there are escapes in it.
pub(crate) fn string_content(bytes: &[u8]) -> Result<(usize, bool), BadString> {
    let (mut at, mut escaped) = (0, false);
    loop {
        at += special(bytes.get(at..).unwrap_or_default());
        match bytes.get(at) {
            None => return Err(BadString::Unclosed),
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                at += escape_len(bytes, at)?;
                escaped = true;
            }
            Some(_) => return Err(BadString::Control(at)),
        }
    }
}

fn escape_len(bytes: &[u8], at: usize) -> Result<usize, BadString> {
    match bytes.get(at + 1) {
        None => Err(BadString::Unclosed),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match bytes.get(at + 2..at + 6) {
            None => Err(BadString::Unclosed),
            Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => Ok(6),
            Some(_) => Err(BadString::Escape(at)),
        },
        Some(_) => Err(BadString::Escape(at)),
    }
}

/// Length of the number at the start of `bytes`, or nothing where none starts.
pub(crate) fn number_len(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        bytes.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes.get(at) == Some(&b'0')) {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        if exponent == 0 {
            return None;
        }
        at += 1 + sign + exponent;
    }
    Some(at)
}
