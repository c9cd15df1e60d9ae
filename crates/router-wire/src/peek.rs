//! One look at a JSON request body: the few members routing needs, and where they stand.
//!
//! A body that keeps its dialect is never parsed into a tree. [`peek`] walks it once, skips every
//! string by searching for its closing quote, and notes the byte spans of a handful of top-level
//! members, so that [`splice`](crate::splice) can replace them and leave the rest untouched.
//!
//! The walk proves that the body is one complete JSON object of valid UTF-8: brackets, commas,
//! colons, literals, numbers and nesting are all checked. The inside of a string is not (its
//! escapes and raw control characters are the upstream's to judge), because that is nearly all
//! of the bytes, and nothing the router decides depends on it.

mod walk;

use std::borrow::Cow;
use std::ops::Range;

use walk::Walker;
pub use walk::{Entry, Items, Kind, Members};

/// How deep objects and arrays may nest, the body itself included. It is what `serde_json`
/// accepts too, so a body that was let in can always be translated.
pub const DEPTH_MAX: usize = 127;

/// A stretch of the body, in bytes: `start` is the first, `end` is one past the last.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset one past the last byte.
    pub end: usize,
}

impl Span {
    /// The span as a range, for slicing.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The bytes of `body` that the span covers; empty when it reaches beyond the end.
    pub fn of(self, body: &[u8]) -> &[u8] {
        body.get(self.range()).unwrap_or_default()
    }
}

/// A top-level member of the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member {
    /// The key with its quotes.
    pub key: Span,
    /// The value, without the white space around it.
    pub value: Span,
    /// What sort of value it is.
    pub kind: Kind,
}

/// What one walk over a request body found.
#[derive(Clone, Debug)]
pub struct Peek<'a> {
    body: &'a [u8],
    /// The object, braces included. What lies around it is white space or a byte order mark.
    pub object: Span,
    /// How many members the object has.
    pub members_count: usize,
    /// `model`: a string, or null.
    pub model: Option<Member>,
    /// `stream`: true, false, or null.
    pub stream: Option<Member>,
    /// `stream_options`, of any type.
    pub stream_options: Option<Member>,
    /// `metadata`, of any type. Messages clients put their session into it.
    pub metadata: Option<Member>,
    /// `prompt_cache_key`, of any type.
    pub prompt_cache_key: Option<Member>,
    /// `user`, of any type.
    pub user: Option<Member>,
    /// `n`, of any type: how many answers a Chat client wants.
    pub n: Option<Member>,
}

/// Why a body was refused, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{problem} (at byte {offset})")]
pub struct PeekError {
    /// Offset of the byte at fault, from the start of the body.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// There is nothing but white space.
    #[error("the request body is empty")]
    Empty,
    /// The bytes are not UTF-8.
    #[error("the request body is not valid UTF-8")]
    NotUtf8,
    /// The body is some other JSON value.
    #[error("the request body must be a JSON object")]
    NotAnObject,
    /// The body ends before the object does.
    #[error("the request body is cut off: expected {0}")]
    Truncated(&'static str),
    /// Something else stands where this was expected.
    #[error("invalid JSON: expected {0}")]
    Expected(&'static str),
    /// A number that JSON does not allow, such as `01` or `1.`.
    #[error("invalid JSON: malformed number")]
    Number,
    /// A key with an escape that JSON does not know.
    #[error("invalid JSON: malformed escape in a member name")]
    Escape,
    /// Objects and arrays nest deeper than [`DEPTH_MAX`].
    #[error("the request body nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// Something follows the object.
    #[error("invalid JSON: data after the end of the object")]
    TrailingData,
    /// A member that routing reads stands in the object twice.
    #[error("duplicate member `{0}`")]
    Duplicate(&'static str),
    /// A member that routing reads has the wrong type.
    #[error("`{member}` must be {expected}")]
    WrongType {
        /// The member.
        member: &'static str,
        /// What it must be, with its article.
        expected: &'static str,
    },
}

/// Walks `body` once.
///
/// A leading byte order mark is accepted. Nothing is allocated, unless a top-level key is written
/// with escapes.
pub fn peek(body: &[u8]) -> Result<Peek<'_>, PeekError> {
    if let Err(error) = std::str::from_utf8(body) {
        return Err(PeekError { offset: error.valid_up_to(), problem: Problem::NotUtf8 });
    }
    let mut walker = Walker::new(body, if body.starts_with(BYTE_ORDER_MARK) { 3 } else { 0 });
    walker.skip_space();
    let start = walker.offset();
    match walker.byte() {
        Some(b'{') => {}
        Some(_) => return Err(walker.error(Problem::NotAnObject)),
        None => return Err(walker.error(Problem::Empty)),
    }
    let mut found = Peek {
        body,
        object: Span { start, end: start },
        members_count: 0,
        model: None,
        stream: None,
        stream_options: None,
        metadata: None,
        prompt_cache_key: None,
        user: None,
        n: None,
    };
    let mut first = true;
    while let Some(member) = walker.next_member(first)? {
        first = false;
        found.note(member)?;
    }
    found.object.end = walker.offset();
    walker.skip_space();
    if walker.byte().is_some() {
        return Err(walker.error(Problem::TrailingData));
    }
    Ok(found)
}

/// What a walk found, apart from the body it walked: for hosts that keep a body and move it.
#[derive(Clone, Debug)]
pub struct Found(Peek<'static>);

impl<'a> Peek<'a> {
    /// What was found, without the body.
    pub fn found(&self) -> Found {
        Found(Peek { body: &[], ..*self })
    }

    /// Puts back together what [`Peek::found`] took apart; `body` must be the one that was walked.
    pub fn of(body: &'a [u8], found: &Found) -> Self {
        Self { body, ..found.0 }
    }

    /// The body that was walked.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Offset of the first byte after a byte order mark, 0 when there is none.
    pub fn text_start(&self) -> usize {
        if self.body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
    }

    /// How many answers the client wants: `n`, or one.
    pub fn choices_asked(&self) -> u64 {
        self.n.and_then(|member| count_of(member.value.of(self.body))).unwrap_or(1).max(1)
    }

    /// The model's name, unescaped; `None` when the member is absent or null.
    ///
    /// A name with a malformed escape (`"\q"`, half a surrogate pair) is `None` too.
    pub fn model_name(&self) -> Option<Cow<'a, str>> {
        self.model.and_then(|member| self.text(member))
    }

    /// Whether `stream` is true. Absent and null are false.
    pub fn is_stream(&self) -> bool {
        self.stream.is_some_and(|member| member.kind == Kind::True)
    }

    /// The bytes of a member's value.
    pub fn value(&self, member: Member) -> &'a [u8] {
        member.value.of(self.body)
    }

    /// A member's value as unescaped text, when it is a well-formed string.
    pub fn text(&self, member: Member) -> Option<Cow<'a, str>> {
        text_of(self.value(member))
    }

    /// All top-level members in order, walked again.
    pub fn members(&self) -> Members<'a> {
        Members::at(self.body, self.object.start)
    }

    /// The first top-level member called `name`.
    pub fn find(&self, name: &str) -> Option<Member> {
        self.members().find(|entry| entry.is(name)).map(|entry| entry.member)
    }

    fn note(&mut self, member: Member) -> Result<(), PeekError> {
        self.members_count += 1;
        let raw = member.key.of(self.body);
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        if memchr::memchr(b'\\', inner).is_none() {
            return self.note_as(inner, member);
        }
        let Some(name) = text_of(raw) else {
            return Err(PeekError { offset: member.key.start, problem: Problem::Escape });
        };
        self.note_as(name.as_bytes(), member)
    }

    fn note_as(&mut self, name: &[u8], member: Member) -> Result<(), PeekError> {
        let (name, slot) = match name {
            b"model" => ("model", &mut self.model),
            b"stream" => ("stream", &mut self.stream),
            b"stream_options" => ("stream_options", &mut self.stream_options),
            b"metadata" => ("metadata", &mut self.metadata),
            b"prompt_cache_key" => ("prompt_cache_key", &mut self.prompt_cache_key),
            b"user" => ("user", &mut self.user),
            b"n" => {
                // Nothing is routed by it, so it may stand there twice for all the router cares.
                self.n = Some(member);
                return Ok(());
            }
            _ => return Ok(()),
        };
        if slot.replace(member).is_some() {
            let problem = Problem::Duplicate(name);
            return Err(PeekError { offset: member.key.start, problem });
        }
        let expected = match (name, member.kind) {
            ("model", Kind::String | Kind::Null)
            | ("stream", Kind::True | Kind::False | Kind::Null)
            | ("stream_options" | "metadata" | "prompt_cache_key" | "user", _) => {
                return Ok(());
            }
            ("model", _) => "a string",
            _ => "true or false",
        };
        let problem = Problem::WrongType { member: name, expected };
        Err(PeekError { offset: member.value.start, problem })
    }
}

/// Reads a JSON string, quotes included; borrows unless it has escapes. `None` when `raw` is not
/// one well-formed JSON string.
pub fn text_of(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr2(b'\\', b'"', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(raw).ok().map(Cow::Owned)
}

/// The value of the member called `name` in `object`, a JSON object as bytes.
///
/// `None` when there is none, or when `object` is no object or is malformed before that member.
pub fn find<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    Members::new(object).find(|entry| entry.is(name)).map(|entry| entry.value)
}

/// The values of the members called `names`, the first of each, by one walk; as [`find`] otherwise.
pub fn find_each<'a, const N: usize>(object: &'a [u8], names: [&str; N]) -> [Option<&'a [u8]>; N] {
    let mut found = [None; N];
    for entry in Members::new(object) {
        let wanted = found.iter_mut().zip(names).find(|(_, name)| entry.is(name));
        if let Some((slot, _)) = wanted {
            slot.get_or_insert(entry.value);
        }
    }
    found
}

/// Follows `path` through nested objects.
pub fn find_path<'a>(object: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    path.iter().try_fold(object, |at, name| find(at, name))
}

/// Reads a JSON number as a count; fractions and negative figures count as zero tokens of
/// precision and are refused.
pub fn count_of(raw: &[u8]) -> Option<u64> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests;
