//! One pass over JSON text, value by value.

use std::borrow::Cow;

use super::scan::{self, BadString};
use super::text::Str;
use super::{DEPTH_MAX, JsonError};

/// The kind of value a [`Cursor`] stands on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number
    Number,
    /// A string
    String,
    /// An array
    Array,
    /// An object
    Object,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// The text of one checked JSON value, and where it stood.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Raw<'a> {
    /// Checks that `text` is one JSON value.
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        let mut cursor = Cursor::new(text);
        let raw = cursor.raw()?;
        cursor.end()?;
        Ok(raw)
    }

    /// The JSON text.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Where it stood, in bytes from the start of the document.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The kind of value.
    pub fn kind(&self) -> Kind {
        self.cursor().kind().unwrap_or(Kind::Null)
    }

    /// Reads this value; errors carry positions in the whole document.
    pub const fn cursor(&self) -> Cursor<'a> {
        Cursor { text: self.text, at: 0, base: self.at, depth: 0 }
    }
}

/// A position in JSON text. Every read method takes one whole value.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    base: usize,
    depth: u8,
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning of `text`.
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0, base: 0, depth: 0 }
    }

    /// Position in bytes from the start of the document.
    pub const fn position(&self) -> usize {
        self.base + self.at
    }

    /// An error at the current position.
    pub fn error(&self, problem: impl Into<Cow<'static, str>>) -> JsonError {
        JsonError::new(self.position(), problem)
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// The kind of the next value. Looks at its first byte only.
    pub fn kind(&mut self) -> Result<Kind, JsonError> {
        match self.peek() {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => Err(self.error("this is not JSON")),
            None => Err(self.error("the JSON text ends too early")),
        }
    }

    /// The next value has to start with `first`, as all of its `kind` do.
    fn expect_byte(&mut self, first: u8, kind: Kind) -> Result<(), JsonError> {
        if self.peek() == Some(first) { Ok(()) } else { self.expect(kind) }
    }

    fn expect(&mut self, wanted: Kind) -> Result<(), JsonError> {
        let kind = self.kind()?;
        if kind == wanted {
            Ok(())
        } else {
            Err(self.error(format!("expected {}, found {}", wanted.name(), kind.name())))
        }
    }

    /// Only white space may follow.
    pub fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("unexpected text after the JSON value")),
        }
    }

    /// Takes a `null` if one is next.
    pub fn null(&mut self) -> Result<bool, JsonError> {
        if self.kind()? != Kind::Null {
            return Ok(false);
        }
        self.word("null")?;
        Ok(true)
    }

    /// Reads with `read`, or nothing where the value is `null`.
    pub fn opt<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, JsonError>,
    ) -> Result<Option<T>, JsonError> {
        if self.null()? { Ok(None) } else { read(self).map(Some) }
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        if !self.bytes().starts_with(word.as_bytes()) {
            return Err(self.error("this is not JSON"));
        }
        self.at += word.len();
        Ok(())
    }

    /// A boolean.
    pub fn bool(&mut self) -> Result<bool, JsonError> {
        self.expect(Kind::Bool)?;
        if self.peek() == Some(b't') {
            self.word("true")?;
            return Ok(true);
        }
        self.word("false")?;
        Ok(false)
    }

    /// A string, escapes kept.
    pub fn str(&mut self) -> Result<Str<'a>, JsonError> {
        self.literal().map(|(text, _)| Str::Literal(text))
    }

    /// The inside of a string, escapes kept, and whether there are any.
    fn literal(&mut self) -> Result<(&'a str, bool), JsonError> {
        self.expect_byte(b'"', Kind::String)?;
        let start = self.at + 1;
        let content = self.text.as_bytes().get(start..).unwrap_or_default();
        match scan::string_content(content) {
            Ok((len, escaped)) => {
                self.at = start + len + 1;
                Ok((self.text.get(start..start + len).unwrap_or_default(), escaped))
            }
            Err(BadString::Unclosed) => Err(self.error("the JSON text ends inside a string")),
            Err(BadString::Control(at)) => {
                self.at = start + at;
                Err(self.error("a control character in a string must be escaped"))
            }
            Err(BadString::Escape(at)) => {
                self.at = start + at;
                Err(self.error("unknown escape in a string"))
            }
        }
    }

    /// A string without escapes.
    pub fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.literal().map(decoded)
    }

    fn number(&mut self) -> Result<&'a str, JsonError> {
        self.expect(Kind::Number)?;
        let len = scan::number_len(self.bytes()).ok_or_else(|| self.error("malformed number"))?;
        let start = self.at;
        self.at += len;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// A number that is finite.
    pub fn f64(&mut self) -> Result<f64, JsonError> {
        let start = self.position();
        let text = self.number()?;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(JsonError::new(start, "number out of range")),
        }
    }

    /// A whole number, not negative. `3.0` and `3e2` count as whole, as JSON has one number type.
    pub fn u64(&mut self) -> Result<u64, JsonError> {
        let start = self.position();
        let value = self.i64()?;
        u64::try_from(value).map_err(|_| JsonError::new(start, "number must not be negative"))
    }

    /// A whole number.
    pub fn i64(&mut self) -> Result<i64, JsonError> {
        let start = self.position();
        let text = self.number()?;
        if let Ok(value) = text.parse::<i64>() {
            return Ok(value);
        }
        match text.parse::<f64>() {
            // Beyond 2^53 a float no longer says which whole number was meant.
            Ok(value) if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 => {
                format!("{value:.0}")
                    .parse()
                    .map_err(|_| JsonError::new(start, "number out of range"))
            }
            _ => Err(JsonError::new(start, "expected a whole number")),
        }
    }

    /// Starts an object; ask the result for its keys. After each key, read exactly one value.
    pub fn object(&mut self) -> Result<Members, JsonError> {
        self.expect_byte(b'{', Kind::Object)?;
        self.enter()?;
        Ok(Members { first: true })
    }

    /// Starts an array; ask the result for each item, then read exactly one value.
    pub fn array(&mut self) -> Result<Items, JsonError> {
        self.expect_byte(b'[', Kind::Array)?;
        self.enter()?;
        Ok(Items { first: true, next: 0 })
    }

    fn enter(&mut self) -> Result<(), JsonError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error("nested too deeply"));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Takes the closing bracket, or the comma before another element.
    fn more(&mut self, close: u8, first: bool) -> Result<bool, JsonError> {
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth = self.depth.saturating_sub(1);
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                if self.peek() == Some(close) {
                    return Err(self.error("unexpected comma"));
                }
                Ok(true)
            }
            Some(_) if first => Ok(true),
            Some(_) => Err(self.error("expected a comma or the end of the list")),
            None => Err(self.error("the JSON text ends too early")),
        }
    }

    /// Checks one value of any kind and returns its text.
    pub fn raw(&mut self) -> Result<Raw<'a>, JsonError> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(Raw { text: self.text.get(start..self.at).unwrap_or_default(), at: self.base + start })
    }

    /// Checks one value of any kind and passes over it.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        match self.kind()? {
            Kind::Null => self.word("null"),
            Kind::Bool => self.bool().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::String => self.str().map(drop),
            Kind::Array => {
                let mut items = self.array()?;
                while items.next(self)?.is_some() {
                    self.skip()?;
                }
                Ok(())
            }
            Kind::Object => {
                let mut members = self.object()?;
                while members.next_literal(self)?.is_some() {
                    self.skip()?;
                }
                Ok(())
            }
        }
    }
}

fn decoded((text, escaped): (&str, bool)) -> Cow<'_, str> {
    if escaped { Str::Literal(text).decode() } else { Cow::Borrowed(text) }
}

/// The keys of an object that is being read.
#[derive(Debug)]
pub struct Members {
    first: bool,
}

impl Members {
    /// The next key, or nothing after the last value. A key may come twice: then the later value
    /// is the one to use.
    pub fn next<'a>(&mut self, c: &mut Cursor<'a>) -> Result<Option<Cow<'a, str>>, JsonError> {
        Ok(self.next_literal(c)?.map(decoded))
    }

    /// The next key as it stands there, and whether it has escapes.
    fn next_literal<'a>(
        &mut self,
        c: &mut Cursor<'a>,
    ) -> Result<Option<(&'a str, bool)>, JsonError> {
        if !c.more(b'}', std::mem::take(&mut self.first))? {
            return Ok(None);
        }
        let key = c.literal()?;
        if c.peek() != Some(b':') {
            return Err(c.error("expected a colon"));
        }
        c.at += 1;
        Ok(Some(key))
    }
}

/// The items of an array that is being read.
#[derive(Debug)]
pub struct Items {
    first: bool,
    next: usize,
}

impl Items {
    /// The index of the next item, or nothing after the last.
    pub fn next(&mut self, c: &mut Cursor<'_>) -> Result<Option<usize>, JsonError> {
        if !c.more(b']', std::mem::take(&mut self.first))? {
            return Ok(None);
        }
        let index = self.next;
        self.next += 1;
        Ok(Some(index))
    }
}
