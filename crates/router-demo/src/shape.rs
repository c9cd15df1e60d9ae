//! The shape a JSON body must have, written as data.
//!
//! Each dialect declares its request as tables of [`Member`]s; [`check`] walks a
//! body against a table and names the first thing a real API would object to.
//! What the objection sounds like is the dialect's own affair: see
//! [`crate::refusal`].

use serde_json::{Map, Value};

/// What a value must be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Anything, `null` too.
    Any,
    /// A string of at least this many characters and at most that many.
    Str(usize, usize),
    /// A string every character of which is in `A-Za-z0-9_-`, of 1 to this length.
    Name(usize),
    /// An integer within bounds, both included.
    Int(i64, i64),
    /// A number within bounds, both included.
    Num(f64, f64),
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of at least this many and at most that many items.
    List(usize, usize, &'static Self),
    /// An object with exactly these members.
    Obj(&'static [Member]),
    /// An object with any members.
    Open,
    /// An object with any keys, all values of one kind.
    Map(&'static Self),
    /// An object whose members depend on the word in one of them.
    Tag(&'static str, &'static [Variant]),
    /// Like [`Kind::Tag`], with the variant to use when the tag is absent.
    TagOr(&'static str, &'static str, &'static [Variant]),
    /// The first kind whose JSON type is the value's.
    Either(&'static [Self]),
    /// `null`, or this.
    Maybe(&'static Self),
}

/// Any string.
pub(crate) const STR: Kind = Kind::Str(0, usize::MAX);
/// Any number of seconds, tokens or similar from zero up.
pub(crate) const COUNT: Kind = Kind::Int(0, i64::MAX);

/// One word of a tag and the members that belong to it.
pub(crate) type Variant = (&'static str, &'static [Member]);

/// One member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    name: &'static str,
    kind: Kind,
    need: bool,
    beta: bool,
}

/// A member that must be there.
pub(crate) const fn need(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, need: true, beta: false }
}

/// A member that may be left out.
pub(crate) const fn may(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, need: false, beta: false }
}

/// A member that exists only for callers that asked for beta features.
pub(crate) const fn beta(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, need: false, beta: true }
}

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
    /// The word a union was decided by; some vendors print it.
    Variant(&'static str),
}

/// The first objection to a body.
#[derive(Debug, PartialEq)]
pub(crate) struct Flaw {
    pub(crate) path: Vec<Step>,
    pub(crate) what: What,
}

/// What is wrong at the path of a [`Flaw`].
#[derive(Debug, PartialEq)]
pub(crate) enum What {
    Missing,
    Unknown,
    Type { expected: &'static str, got: &'static str },
    Word { got: String, allowed: Vec<&'static str> },
    NumberLow { least: String, got: String },
    NumberHigh { most: String, got: String },
    TextShort { least: usize },
    TextLong { most: usize, got: usize },
    NameForm { most: usize, got: String },
    ListShort { least: usize, got: usize },
    ListLong { most: usize, got: usize },
}

/// Checks `value` against `kind`; `betas` says whether beta members exist.
pub(crate) fn check(value: &Value, kind: &Kind, betas: bool) -> Result<(), Flaw> {
    Walk { path: Vec::new(), betas }.value(value, kind)
}

/// The name of a JSON type as error messages spell it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(n) if n.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

struct Walk {
    path: Vec<Step>,
    betas: bool,
}

impl Walk {
    fn flaw(&self, what: What) -> Flaw {
        Flaw { path: self.path.clone(), what }
    }

    fn mismatch(&self, expected: &'static str, value: &Value) -> Flaw {
        self.flaw(What::Type { expected, got: type_name(value) })
    }

    fn value(&mut self, value: &Value, kind: &Kind) -> Result<(), Flaw> {
        match kind {
            Kind::Any => Ok(()),
            Kind::Maybe(_) if value.is_null() => Ok(()),
            Kind::Maybe(inner) => self.value(value, inner),
            Kind::Bool if value.is_boolean() => Ok(()),
            Kind::Bool => Err(self.mismatch("a boolean", value)),
            Kind::Str(least, most) => self.text(value, *least, *most),
            Kind::Name(most) => self.name(value, *most),
            Kind::Word(words) => self.word(value, words),
            Kind::Int(least, most) => self.integer(value, *least, *most),
            Kind::Num(least, most) => self.number(value, *least, *most),
            Kind::List(least, most, item) => self.list(value, *least, *most, item),
            Kind::Either(kinds) => match kinds.iter().find(|kind| fits(value, kind)) {
                Some(kind) => self.value(value, kind),
                None => Err(self.mismatch(expected(kinds), value)),
            },
            Kind::Open | Kind::Map(_) | Kind::Obj(_) | Kind::Tag(..) | Kind::TagOr(..) => {
                let Some(object) = value.as_object() else {
                    return Err(self.mismatch("an object", value));
                };
                self.object(object, kind)
            }
        }
    }

    fn object(&mut self, object: &Map<String, Value>, kind: &Kind) -> Result<(), Flaw> {
        match kind {
            Kind::Obj(members) => self.members(object, members, None),
            Kind::Map(inner) => {
                for (key, item) in object {
                    self.within(Step::Key(key.clone()), item, inner)?;
                }
                Ok(())
            }
            Kind::Tag(tag, variants) => self.tagged(object, tag, None, variants),
            Kind::TagOr(tag, or, variants) => self.tagged(object, tag, Some(or), variants),
            _ => Ok(()),
        }
    }

    fn tagged(
        &mut self,
        object: &Map<String, Value>,
        tag: &'static str,
        or: Option<&str>,
        variants: &'static [Variant],
    ) -> Result<(), Flaw> {
        let word = match (object.get(tag), or) {
            (Some(Value::String(word)), _) => word.as_str(),
            (None, Some(or)) => or,
            (got, _) => {
                self.path.push(Step::Key(tag.into()));
                return Err(match got {
                    None => self.flaw(What::Missing),
                    Some(got) => self.mismatch("a string", got),
                });
            }
        };
        let Some((name, members)) = variants.iter().find(|(name, _)| *name == word) else {
            self.path.push(Step::Key(tag.into()));
            let allowed = variants.iter().map(|(name, _)| *name).collect();
            return Err(self.flaw(What::Word { got: word.into(), allowed }));
        };
        // To the vendors a role is a plain member and not part of the path.
        let shown = tag != "role";
        if shown {
            self.path.push(Step::Variant(name));
        }
        self.members(object, members, Some(tag))?;
        if shown {
            self.path.pop();
        }
        Ok(())
    }

    fn members(
        &mut self,
        object: &Map<String, Value>,
        members: &[Member],
        tag: Option<&str>,
    ) -> Result<(), Flaw> {
        for member in members {
            match object.get(member.name) {
                Some(item) if !member.beta || self.betas => {
                    self.within(Step::Key(member.name.into()), item, &member.kind)?;
                }
                None if member.need => {
                    self.path.push(Step::Key(member.name.into()));
                    return Err(self.flaw(What::Missing));
                }
                _ => {}
            }
        }
        let known = |key: &str| {
            Some(key) == tag || members.iter().any(|m| m.name == key && (!m.beta || self.betas))
        };
        if let Some(key) = object.keys().find(|key| !known(key)).cloned() {
            self.path.push(Step::Key(key));
            return Err(self.flaw(What::Unknown));
        }
        Ok(())
    }

    fn within(&mut self, step: Step, value: &Value, kind: &Kind) -> Result<(), Flaw> {
        self.path.push(step);
        self.value(value, kind)?;
        self.path.pop();
        Ok(())
    }

    fn list(&mut self, value: &Value, least: usize, most: usize, item: &Kind) -> Result<(), Flaw> {
        let Some(items) = value.as_array() else { return Err(self.mismatch("an array", value)) };
        if items.len() < least {
            return Err(self.flaw(What::ListShort { least, got: items.len() }));
        }
        if items.len() > most {
            return Err(self.flaw(What::ListLong { most, got: items.len() }));
        }
        for (index, inner) in items.iter().enumerate() {
            self.within(Step::Index(index), inner, item)?;
        }
        Ok(())
    }

    fn text(&self, value: &Value, least: usize, most: usize) -> Result<(), Flaw> {
        let Some(text) = value.as_str() else { return Err(self.mismatch("a string", value)) };
        let length = text.chars().count();
        if length < least {
            return Err(self.flaw(What::TextShort { least }));
        }
        if length > most {
            return Err(self.flaw(What::TextLong { most, got: length }));
        }
        Ok(())
    }

    fn name(&self, value: &Value, most: usize) -> Result<(), Flaw> {
        let Some(text) = value.as_str() else { return Err(self.mismatch("a string", value)) };
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if (1..=most).contains(&text.len()) && text.bytes().all(legal) {
            Ok(())
        } else {
            Err(self.flaw(What::NameForm { most, got: text.into() }))
        }
    }

    fn word(&self, value: &Value, words: &[&'static str]) -> Result<(), Flaw> {
        match value.as_str() {
            None => Err(self.mismatch("a string", value)),
            Some(text) if words.contains(&text) => Ok(()),
            Some(text) => Err(self.flaw(What::Word { got: text.into(), allowed: words.to_vec() })),
        }
    }

    fn integer(&self, value: &Value, least: i64, most: i64) -> Result<(), Flaw> {
        let Some(number) = value.as_i64() else {
            return Err(self.mismatch("an integer", value));
        };
        if number < least {
            return Err(
                self.flaw(What::NumberLow { least: least.to_string(), got: number.to_string() })
            );
        }
        if number > most {
            return Err(
                self.flaw(What::NumberHigh { most: most.to_string(), got: number.to_string() })
            );
        }
        Ok(())
    }

    fn number(&self, value: &Value, least: f64, most: f64) -> Result<(), Flaw> {
        let Some(number) = value.as_f64() else { return Err(self.mismatch("a decimal", value)) };
        if number < least {
            return Err(
                self.flaw(What::NumberLow { least: least.to_string(), got: value.to_string() })
            );
        }
        if number > most {
            return Err(
                self.flaw(What::NumberHigh { most: most.to_string(), got: value.to_string() })
            );
        }
        Ok(())
    }
}

fn fits(value: &Value, kind: &Kind) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Str(..) | Kind::Name(_) | Kind::Word(_) => value.is_string(),
        Kind::Int(..) | Kind::Num(..) => value.is_number(),
        Kind::Bool => value.is_boolean(),
        Kind::List(..) => value.is_array(),
        Kind::Either(kinds) => kinds.iter().any(|kind| fits(value, kind)),
        Kind::Maybe(inner) => value.is_null() || fits(value, inner),
        _ => value.is_object(),
    }
}

fn expected(kinds: &[Kind]) -> &'static str {
    let list = kinds.iter().any(|kind| matches!(kind, Kind::List(..)));
    let text = kinds.iter().any(|kind| matches!(kind, Kind::Str(..) | Kind::Word(_)));
    match (text, list) {
        (true, true) => "one of a string or array of objects",
        (true, false) => "one of a string or object",
        _ => "an object",
    }
}

#[cfg(test)]
mod tests;
