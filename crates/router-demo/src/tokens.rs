//! Token counts: an estimate that is the same every time.

use serde_json::Value;

/// Tokens an image or document counts for, whatever its size.
const MEDIA_TOKENS: u64 = 256;

/// From this length on, a string without a blank is taken for base64.
const MEDIA_TEXT_MIN: usize = 256;

/// Four bytes of text are a token.
pub(crate) fn of_text(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX)
}

/// The strings of a document, and one token for each value.
pub(crate) fn of(value: &Value) -> u64 {
    match value {
        Value::String(text) if text.len() >= MEDIA_TEXT_MIN && !text.contains(' ') => MEDIA_TOKENS,
        Value::String(text) => of_text(text),
        Value::Array(items) => items.iter().map(of).sum(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| of_text(key) / 2 + of(value)).sum::<u64>() + 1
        }
        _ => 1,
    }
}

/// Splits text into pieces the size of tokens, whitespace leading each word.
pub(crate) fn chunks(text: &str) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let mut room = 0;
    for letter in text.chars() {
        let fresh = room == 0 || letter.is_whitespace();
        match chunks.last_mut() {
            Some(last) if !fresh => {
                last.push(letter);
                room -= 1;
            }
            _ => {
                chunks.push(letter.into());
                room = CHUNK_CHARS_MAX;
            }
        }
    }
    chunks
}

const CHUNK_CHARS_MAX: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_join_to_the_text() {
        for text in ["", " ", "Hello, extraordinary world!", "日本語のテキスト を", "a\n\nb"]
        {
            assert_eq!(chunks(text).concat(), text);
        }
        assert!(chunks("Hello, extraordinary world!").len() > 3);
    }
}
