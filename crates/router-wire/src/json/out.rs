//! Writing JSON straight into a byte buffer, in the order the calls are made.

use std::io::Write as _;

use super::scan;
use super::text::Str;

/// Appends `text` as the inside of a JSON string, escaping what must be.
pub fn escaped(buffer: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let (clean, tail) = rest.split_at_checked(scan::special(rest)).unwrap_or((rest, b""));
        buffer.extend_from_slice(clean);
        let Some((&byte, tail)) = tail.split_first() else { return };
        match byte {
            b'"' => buffer.extend_from_slice(b"\\\""),
            b'\\' => buffer.extend_from_slice(b"\\\\"),
            b'\n' => buffer.extend_from_slice(b"\\n"),
            b'\r' => buffer.extend_from_slice(b"\\r"),
            b'\t' => buffer.extend_from_slice(b"\\t"),
            other => write_infallible(buffer, format_args!("\\u{other:04x}")),
        }
        rest = tail;
    }
}

/// Appends `text` as a JSON string with quotes.
pub fn string(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(b'"');
    escaped(buffer, text);
    buffer.push(b'"');
}

/// Appends a number. A value that JSON cannot express (not finite) becomes `null`.
pub fn float(buffer: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_infallible(buffer, format_args!("{value}"));
    } else {
        buffer.extend_from_slice(b"null");
    }
}

/// Appends a whole number.
pub fn int(buffer: &mut Vec<u8>, value: u64) {
    // Digits are made from the back; twenty hold the largest value.
    let mut digits = [0_u8; 20];
    let mut rest = value;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    buffer.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

fn write_infallible(buffer: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    // A Vec accepts every write; there is no error to report.
    let _ = buffer.write_fmt(args);
}

/// An object being written. Nothing but [`Object::end`] closes it.
#[derive(Debug)]
#[must_use = "an object is not complete before end() is called"]
pub struct Object<'o> {
    buffer: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Object<'o> {
    /// Starts an object.
    pub fn new(buffer: &'o mut Vec<u8>) -> Self {
        buffer.push(b'{');
        Self { buffer, first: true }
    }

    /// Writes a key; the caller appends exactly one value to the buffer it gets.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.buffer.push(b',');
        }
        string(self.buffer, key);
        self.buffer.push(b':');
        self.buffer
    }

    /// A member with text.
    pub fn str(&mut self, key: &str, value: &Str<'_>) -> &mut Self {
        value.push(self.key(key));
        self
    }

    /// A member with plain text.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        string(self.key(key), value);
        self
    }

    /// A member with a whole number.
    pub fn int(&mut self, key: &str, value: u64) -> &mut Self {
        int(self.key(key), value);
        self
    }

    /// A member with a number.
    pub fn float(&mut self, key: &str, value: f64) -> &mut Self {
        float(self.key(key), value);
        self
    }

    /// A member that is true or false.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.key(key).extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// A member that is null.
    pub fn null(&mut self, key: &str) -> &mut Self {
        self.raw(key, "null")
    }

    /// A member with JSON text as it stands. The caller vouches that it is valid.
    pub fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key).extend_from_slice(json.as_bytes());
        self
    }

    /// A member that is an object.
    pub fn object(&mut self, key: &str) -> Object<'_> {
        Object::new(self.key(key))
    }

    /// A member that is an array.
    pub fn array(&mut self, key: &str) -> Array<'_> {
        Array::new(self.key(key))
    }

    /// Closes the object.
    pub fn end(self) {
        self.buffer.push(b'}');
    }
}

/// An array being written. Nothing but [`Array::end`] closes it.
#[derive(Debug)]
#[must_use = "an array is not complete before end() is called"]
pub struct Array<'o> {
    buffer: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Array<'o> {
    /// Starts an array.
    pub fn new(buffer: &'o mut Vec<u8>) -> Self {
        buffer.push(b'[');
        Self { buffer, first: true }
    }

    /// The caller appends exactly one value to the buffer it gets.
    pub fn item(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.buffer.push(b',');
        }
        self.buffer
    }

    /// Whether nothing was written yet.
    pub const fn is_empty(&self) -> bool {
        self.first
    }

    /// An item that is an object.
    pub fn object(&mut self) -> Object<'_> {
        Object::new(self.item())
    }

    /// Closes the array.
    pub fn end(self) {
        self.buffer.push(b']');
    }
}
