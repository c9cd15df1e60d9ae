//! Changes to top-level members of a body that leave every other byte as it was.
//!
//! The result is a list of [`Part`]s: stretches of the original and new bytes in between. A host
//! that holds the body as a reference-counted buffer can send it without copying it.

use std::ops::Range;

use crate::peek::{Member, Peek};

/// One change to a body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change<'a> {
    /// Gives the member this JSON value; an absent member is added in front of the others.
    Set {
        /// The member's name, unescaped.
        name: &'a str,
        /// The value as JSON text. It is written as it is, so it must be valid.
        json: Vec<u8>,
    },
    /// Takes the member away, if it is there.
    Remove {
        /// The member's name, unescaped.
        name: &'a str,
    },
}

impl<'a> Change<'a> {
    /// Sets a member to a string.
    pub fn set_text(name: &'a str, text: &str) -> Self {
        let mut json = Vec::with_capacity(text.len() + 2);
        push_text(&mut json, text);
        Self::Set { name, json }
    }

    fn name(&self) -> &'a str {
        match self {
            Self::Set { name, .. } | Self::Remove { name } => name,
        }
    }
}

/// A piece of the changed body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    /// These bytes of the original.
    Original(Range<usize>),
    /// Bytes the original does not have.
    New(Vec<u8>),
}

/// A changed body, as the pieces it is made of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Splice {
    parts: Vec<Part>,
}

impl Splice {
    /// Applies `changes` to a walked body. When two changes name the same member, the last wins.
    ///
    /// A leading byte order mark is left out of the result; everything else that no change names
    /// stays byte for byte, white space included. When the original has a member twice (possible
    /// only for members the walk does not watch), all its occurrences are changed as one: the
    /// first is set, the others are removed.
    pub fn new(peek: &Peek<'_>, changes: &[Change<'_>]) -> Self {
        if let [Change::Set { name: "model", json }] = changes
            && let Some(model) = peek.model
        {
            // The one change nearly every request needs, without another walk.
            let mut splice = Self::default();
            splice.original(peek.text_start()..model.value.start);
            splice.parts.push(Part::New(json.clone()));
            splice.original(model.value.end..peek.body().len());
            return splice;
        }
        Self::edit(peek, changes)
    }

    /// Replaces the model's name.
    pub fn model(peek: &Peek<'_>, name: &str) -> Self {
        Self::new(peek, &[Change::set_text("model", name)])
    }

    /// The pieces in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The pieces in order, owned.
    pub fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    /// Length of the changed body in bytes.
    pub fn len(&self) -> usize {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Original(range) => range.len(),
                Part::New(bytes) => bytes.len(),
            })
            .sum()
    }

    /// Whether the changed body has no bytes; never so for the splice of a walked body.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The changed body in one piece. `original` must be the body that was walked.
    pub fn to_vec(&self, original: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        for part in &self.parts {
            bytes.extend_from_slice(match part {
                Part::Original(range) => original.get(range.clone()).unwrap_or_default(),
                Part::New(new) => new,
            });
        }
        bytes
    }

    fn edit(peek: &Peek<'_>, changes: &[Change<'_>]) -> Self {
        let mut fates: Vec<(Member, Fate<'_>)> = Vec::with_capacity(peek.members_count);
        let mut met = vec![false; changes.len()];
        for entry in peek.members() {
            let found = changes.iter().rposition(|change| entry.is(change.name()));
            let fate = found.map_or(Fate::Keep, |index| {
                let again = met.get_mut(index).is_none_or(|seen| std::mem::replace(seen, true));
                match changes.get(index) {
                    Some(Change::Set { json, .. }) if !again => Fate::Set(json),
                    _ => Fate::Drop,
                }
            });
            fates.push((entry.member, fate));
        }
        let kept = fates.iter().any(|(_, fate)| !matches!(fate, Fate::Drop));
        let mut splice = Self::default();
        let mut at = peek.object.start + 1;
        splice.original(peek.text_start()..at);
        splice.insert(changes, &met, kept);
        let mut survivor_before = false;
        for (index, (member, fate)) in fates.iter().enumerate() {
            match fate {
                Fate::Keep => survivor_before = true,
                Fate::Set(json) => {
                    splice.original(at..member.value.start);
                    splice.parts.push(Part::New(json.to_vec()));
                    at = member.value.end;
                    survivor_before = true;
                }
                Fate::Drop if survivor_before => {
                    // With the comma in front of it.
                    let before = index.checked_sub(1).and_then(|i| fates.get(i));
                    splice.original(at..before.map_or(at, |(m, _)| m.value.end.max(at)));
                    at = member.value.end;
                }
                Fate::Drop => {
                    // With the comma behind it, if there is one.
                    splice.original(at..member.key.start);
                    let next = fates.get(index + 1);
                    at = next.map_or(member.value.end, |(m, _)| m.key.start);
                }
            }
        }
        splice.original(at..peek.body().len());
        splice
    }

    fn insert(&mut self, changes: &[Change<'_>], met: &[bool], comma_last: bool) {
        let mut new = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            let Change::Set { name, json } = change else { continue };
            let overridden = changes.iter().skip(index + 1).any(|later| later.name() == *name);
            if overridden || met.get(index).is_some_and(|&seen| seen) {
                continue;
            }
            if !new.is_empty() {
                new.push(b',');
            }
            push_text(&mut new, name);
            new.push(b':');
            new.extend_from_slice(json);
        }
        if new.is_empty() {
            return;
        }
        if comma_last {
            new.push(b',');
        }
        self.parts.push(Part::New(new));
    }

    fn original(&mut self, range: Range<usize>) {
        if let Some(Part::Original(last)) = self.parts.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
        } else if !range.is_empty() {
            self.parts.push(Part::Original(range));
        }
    }
}

/// What becomes of a member.
enum Fate<'a> {
    Keep,
    Set(&'a [u8]),
    Drop,
}

/// Writes `text` as a JSON string, quotes included.
pub fn push_text(into: &mut Vec<u8>, text: &str) {
    into.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' => into.extend_from_slice(b"\\\""),
            b'\\' => into.extend_from_slice(b"\\\\"),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\t' => into.extend_from_slice(b"\\t"),
            0..0x20 => {
                let hex = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
                into.extend_from_slice(b"\\u00");
                into.extend_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
            }
            _ => into.push(byte),
        }
    }
    into.push(b'"');
}

#[cfg(test)]
mod tests;
