//! Strings that remember whether they are still escaped.

use std::borrow::Cow;

use super::out;

/// Text on its way from one JSON document into another.
#[derive(Clone)]
pub enum Str<'a> {
    /// The content of a checked JSON string literal, without its quotes and with its escapes.
    Literal(&'a str),
    /// Plain text.
    Plain(Cow<'a, str>),
}

impl<'a> Str<'a> {
    /// The empty text.
    pub const EMPTY: Self = Self::Literal("");

    /// Plain text, borrowed.
    pub const fn plain(text: &'a str) -> Self {
        Self::Plain(Cow::Borrowed(text))
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Literal(text) => text.is_empty(),
            Self::Plain(text) => text.is_empty(),
        }
    }

    /// Whether there is nothing but white space, by the rule of the Messages API: such a text
    /// block is refused there.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Plain(text) => text.trim().is_empty(),
            // The first visible character of most texts decides without decoding.
            Self::Literal(text) => match text.trim_start().chars().next() {
                None => true,
                Some('\\') => self.decode().trim().is_empty(),
                Some(_) => false,
            },
        }
    }

    /// The text without escapes. Borrows unless there are escapes. A lone surrogate, which no
    /// Rust string can hold, becomes U+FFFD.
    pub fn decode(&self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Literal(text) if !text.contains('\\') => Cow::Borrowed(text),
            Self::Literal(text) => {
                let mut plain = String::with_capacity(text.len());
                unescape(text, |piece| plain.push_str(piece));
                Cow::Owned(plain)
            }
        }
    }

    /// Adds the text without escapes to `plain`.
    pub fn decode_into(&self, plain: &mut String) {
        match self {
            Self::Plain(text) => plain.push_str(text),
            Self::Literal(text) => unescape(text, |piece| plain.push_str(piece)),
        }
    }

    /// Hands out the text without escapes, piece by piece, and allocates nothing for it.
    pub fn each_piece(&self, mut take: impl FnMut(&str)) {
        match self {
            Self::Plain(text) => take(text),
            Self::Literal(text) => unescape(text, take),
        }
    }

    /// Length in bytes of the decoded text, at most: exact for plain text.
    pub fn len_hint(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Plain(text) => text.len(),
        }
    }

    /// A view that borrows from this text.
    pub fn as_ref(&self) -> Str<'_> {
        match self {
            Self::Literal(text) => Str::Literal(text),
            Self::Plain(text) => Str::Plain(Cow::Borrowed(text)),
        }
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Str<'static> {
        Str::Plain(Cow::Owned(self.decode().into_owned()))
    }

    /// Appends the text as the inside of a JSON string, without quotes.
    pub fn push_inner(&self, buffer: &mut Vec<u8>) {
        match self {
            Self::Literal(text) => buffer.extend_from_slice(text.as_bytes()),
            Self::Plain(text) => out::escaped(buffer, text),
        }
    }

    /// Appends the text as a JSON string with quotes.
    pub fn push(&self, buffer: &mut Vec<u8>) {
        buffer.push(b'"');
        self.push_inner(buffer);
        buffer.push(b'"');
    }
}

impl Default for Str<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Str<'_> {
    fn from(text: String) -> Self {
        Self::Plain(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Str<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Plain(text)
    }
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(a), Self::Plain(b)) => a == b,
            // The same escapes mean the same; different ones may still.
            (Self::Literal(a), Self::Literal(b)) if a == b => true,
            _ => self.decode() == other.decode(),
        }
    }
}

impl Eq for Str<'_> {}

impl PartialEq<str> for Str<'_> {
    fn eq(&self, other: &str) -> bool {
        self.decode() == other
    }
}

impl std::fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&*self.decode(), f)
    }
}

/// Undoes the escapes of checked string content. What the check would have refused is kept as is.
fn unescape(text: &str, mut take: impl FnMut(&str)) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        take(before);
        let mut chars = after.chars();
        let plain = match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => match unicode(chars.as_str()) {
                (Some(plain), after) => {
                    chars = after.chars();
                    plain
                }
                (None, after) => {
                    rest = after;
                    continue;
                }
            },
            Some(other) => other,
            None => return,
        };
        take(plain.encode_utf8(&mut [0; 4]));
        rest = chars.as_str();
    }
    take(rest);
}

/// Decodes `XXXX` and, after a high surrogate, `\uXXXX`; returns what follows, too.
fn unicode(text: &str) -> (Option<char>, &str) {
    let Some((first, rest)) = hex4(text) else { return (None, text) };
    if let Some(c) = char::from_u32(first) {
        return (Some(c), rest);
    }
    let low = rest.strip_prefix("\\u").and_then(hex4);
    match low {
        Some((second @ 0xDC00..=0xDFFF, after)) if (0xD800..0xDC00).contains(&first) => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            (Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)), after)
        }
        _ => (Some(char::REPLACEMENT_CHARACTER), rest),
    }
}

pub(super) fn hex4(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}
