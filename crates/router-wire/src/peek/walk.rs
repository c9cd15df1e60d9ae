//! The walk itself: a position in the bytes that only moves over well-formed JSON.

use super::{DEPTH_MAX, Member, PeekError, Problem, Span, text_of};

/// What sort of value stands somewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

impl Kind {
    /// The sort of value that starts with `first`, or `None` when no value does.
    pub fn of_first_byte(first: u8) -> Option<Self> {
        match first {
            b'{' => Some(Self::Object),
            b'[' => Some(Self::Array),
            b'"' => Some(Self::String),
            b'-' | b'0'..=b'9' => Some(Self::Number),
            b't' => Some(Self::True),
            b'f' => Some(Self::False),
            b'n' => Some(Self::Null),
            _ => None,
        }
    }
}

/// A member met by [`Members`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The key as written, quotes and escapes included.
    pub key: &'a [u8],
    /// The value as written.
    pub value: &'a [u8],
    /// Where both stand.
    pub member: Member,
}

impl Entry<'_> {
    /// Whether the key, unescaped, is `name`.
    pub fn is(&self, name: &str) -> bool {
        let inner = self.key.get(1..self.key.len().saturating_sub(1)).unwrap_or_default();
        if inner == name.as_bytes() {
            // An escape would make the written key differ from the name it stands for.
            return memchr::memchr(b'\\', inner).is_none();
        }
        inner.len() > name.len()
            && memchr::memchr(b'\\', inner).is_some()
            && text_of(self.key).is_some_and(|key| key == name)
    }
}

/// The members of a JSON object, in order.
///
/// Ends early where the bytes stop being well-formed, so on bytes that were not checked before it
/// is a best effort; after [`peek`](super::peek) it is complete.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    walker: Walker<'a>,
    state: State,
    complete: bool,
}

impl<'a> Members<'a> {
    /// The members of the object that `object` starts with, after white space.
    pub fn new(object: &'a [u8]) -> Self {
        Self::at(object, 0)
    }

    pub(super) fn at(bytes: &'a [u8], start: usize) -> Self {
        let mut walker = Walker::new(bytes, start);
        walker.skip_space();
        let state = if walker.byte() == Some(b'{') { State::First } else { State::Done };
        Self { walker, state, complete: false }
    }

    /// Whether the iteration reached the closing brace, with nothing malformed before it.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let first = match self.state {
            State::Done => return None,
            State::First => true,
            State::Later => false,
        };
        match self.walker.next_member(first) {
            Ok(Some(member)) => {
                self.state = State::Later;
                let bytes = self.walker.bytes;
                let (key, value) = (member.key.of(bytes), member.value.of(bytes));
                Some(Entry { key, value, member })
            }
            end => {
                self.complete = end.is_ok();
                self.state = State::Done;
                None
            }
        }
    }
}

/// The items of a JSON array, in order, as written. Ends early where the bytes are malformed.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    walker: Walker<'a>,
    state: State,
}

impl<'a> Items<'a> {
    /// The items of the array that `array` starts with, after white space.
    pub fn new(array: &'a [u8]) -> Self {
        let mut walker = Walker::new(array, 0);
        walker.skip_space();
        let state = if walker.byte() == Some(b'[') { State::First } else { State::Done };
        Self { walker, state }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self.state {
            State::Done => return None,
            State::First => self.walker.at += 1,
            State::Later => {
                self.walker.skip_space();
                if self.walker.byte() != Some(b',') {
                    self.state = State::Done;
                    return None;
                }
                self.walker.at += 1;
            }
        }
        self.walker.skip_space();
        let start = self.walker.at;
        if self.walker.value(1).is_err() {
            self.state = State::Done;
            return None;
        }
        self.state = State::Later;
        Some(Span { start, end: self.walker.at }.of(self.walker.bytes))
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    First,
    Later,
    Done,
}

#[derive(Clone, Debug)]
pub(super) struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Which containers are open, one bit each, the innermost lowest: set for an object.
#[derive(Clone, Copy)]
struct Open {
    objects: u128,
    depth: usize,
    depth_floor: usize,
}

impl Open {
    fn push(&mut self, object: bool) -> Result<(), Problem> {
        if self.depth >= DEPTH_MAX {
            return Err(Problem::TooDeep);
        }
        self.depth += 1;
        self.objects = (self.objects << 1) | u128::from(object);
        Ok(())
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn is_empty(&self) -> bool {
        self.depth == self.depth_floor
    }
}

impl<'a> Walker<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    pub(super) fn error(&self, problem: Problem) -> PeekError {
        PeekError { offset: self.at, problem }
    }

    fn expected(&self, what: &'static str) -> PeekError {
        let cut = self.at >= self.bytes.len();
        self.error(if cut { Problem::Truncated(what) } else { Problem::Expected(what) })
    }

    /// Walks the next member of the object at hand: `first` when standing on its brace, otherwise
    /// behind a member's value. `None` when the object ended; the walker stands behind it then.
    pub(super) fn next_member(&mut self, first: bool) -> Result<Option<Member>, PeekError> {
        if first {
            self.at += 1;
        }
        self.skip_space();
        match self.byte() {
            Some(b'}') => {
                self.at += 1;
                return Ok(None);
            }
            Some(b',') if !first => {
                self.at += 1;
                self.skip_space();
            }
            _ if first => {}
            _ => return Err(self.expected("`,` or `}`")),
        }
        let key = self.key()?;
        self.skip_space();
        let start = self.at;
        let kind = self.value(1)?;
        Ok(Some(Member { key, value: Span { start, end: self.at }, kind }))
    }

    /// Walks `"key" :` and stands behind the colon.
    #[inline]
    fn key(&mut self) -> Result<Span, PeekError> {
        if self.byte() != Some(b'"') {
            return Err(self.expected("a member name"));
        }
        let start = self.at;
        self.string()?;
        let key = Span { start, end: self.at };
        self.skip_space();
        if self.byte() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(key)
    }

    /// Walks one value of any size, standing `depth` containers deep.
    pub(super) fn value(&mut self, depth: usize) -> Result<Kind, PeekError> {
        let mut open = Open { objects: 0, depth, depth_floor: depth };
        let kind = self.byte().and_then(Kind::of_first_byte);
        loop {
            match self.byte() {
                Some(b'"') => self.string()?,
                Some(b'{') => {
                    open.push(true).map_err(|problem| self.error(problem))?;
                    self.at += 1;
                    self.skip_space();
                    if self.byte() != Some(b'}') {
                        self.key()?;
                        self.skip_space();
                        continue;
                    }
                }
                Some(b'[') => {
                    open.push(false).map_err(|problem| self.error(problem))?;
                    self.at += 1;
                    self.skip_space();
                    if self.byte() != Some(b']') {
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => return Err(self.expected("a value")),
            }
            if self.close(&mut open)? {
                return kind.ok_or_else(|| self.expected("a value"));
            }
        }
    }

    /// Closes what ends here. True when the whole value is done; false when, after a comma, the
    /// walker stands on the next value of an open container.
    #[inline]
    fn close(&mut self, open: &mut Open) -> Result<bool, PeekError> {
        while !open.is_empty() {
            self.skip_space();
            match (self.byte(), open.in_object()) {
                (Some(b','), in_object) => {
                    self.at += 1;
                    self.skip_space();
                    if in_object {
                        self.key()?;
                        self.skip_space();
                    }
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    open.pop();
                }
                (_, true) => return Err(self.expected("`,` or `}`")),
                (_, false) => return Err(self.expected("`,` or `]`")),
            }
        }
        Ok(true)
    }

    /// Walks a string: to the first quote that an even number of backslashes precedes.
    ///
    /// Looking for quotes alone, and back from each, does not stop at every `\n` of the code and
    /// prose these strings hold.
    #[inline]
    fn string(&mut self) -> Result<(), PeekError> {
        let mut from = self.at + 1;
        loop {
            let rest = self.bytes.get(from..).unwrap_or_default();
            let Some(found) = find_quote(rest) else {
                self.at = self.bytes.len();
                return Err(self.error(Problem::Truncated("the end of a string")));
            };
            let before = rest.get(..found).unwrap_or_default();
            let slashes = before.iter().rev().take_while(|&&b| b == b'\\').count();
            from += found + 1;
            if slashes % 2 == 0 {
                self.at = from;
                return Ok(());
            }
        }
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<(), PeekError> {
        for &expected in literal {
            if self.byte() != Some(expected) {
                return Err(self.expected("true, false or null"));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), PeekError> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.error(Problem::Number)),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        match self.byte() {
            Some(b'0'..=b'9') => Err(self.error(Problem::Number)),
            _ => Ok(()),
        }
    }

    fn digits(&mut self) -> Result<(), PeekError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == start { Err(self.error(Problem::Number)) } else { Ok(()) }
    }
}

/// Where the first quote is. The call of the wide search pays only for long strings, and code in
/// JSON has an escaped quote every few dozen bytes, so the first bytes are looked at right here.
#[inline]
fn find_quote(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const QUOTES: u64 = 0x2222_2222_2222_2222;
    const WORDS_NEAR: usize = 6;
    let (words, _) = bytes.as_chunks::<8>();
    let mut base = 0;
    for word in words.iter().take(WORDS_NEAR) {
        // A byte that is a quote becomes zero, and a zero byte raises its top bit; bits above
        // the lowest raised one may be false, so only the lowest counts.
        let zeroed = u64::from_le_bytes(*word) ^ QUOTES;
        let hits = zeroed.wrapping_sub(ONES) & !zeroed & (ONES << 7);
        if hits != 0 {
            return usize::try_from(hits.trailing_zeros() / 8).ok().map(|lane| base + lane);
        }
        base += 8;
    }
    memchr::memchr(b'"', bytes.get(base..)?).map(|found| base + found)
}
