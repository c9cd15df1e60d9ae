//! Reading nodes into the types of the schema, collecting every problem on the way.
//!
//! A type that reads returns `None` when the value is unusable and has been reported; its owner
//! then goes on as if the value were absent. Canonical paths are kept for every value read, so
//! that later checks can point at the text by path alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Excerpt, Severity, Source};
use crate::json::{Member, Node, Span, Value};
use crate::names::nearest;

/// What may be shown of the text a problem is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Show {
    /// The text itself.
    Value,
    /// Only where it is: it may hold a secret.
    Place,
}

/// Problems found so far, and where things are.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    source: &'a Source<'a>,
    spans: BTreeMap<String, Span>,
    path: String,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'a> Context<'a> {
    /// Starts at the top of a document.
    pub(crate) fn new(source: &'a Source<'a>) -> Self {
        Self { source, spans: BTreeMap::new(), path: String::new(), diagnostics: Vec::new() }
    }

    /// Path of the value being read.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Reads member `key` of the value being read.
    pub(crate) fn member<T: Read>(&mut self, key: &str, node: &Node) -> Option<T> {
        let outer = self.path.len();
        if outer > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        self.leave(outer, node)
    }

    /// Reads element `index` of the list being read.
    pub(crate) fn element<T: Read>(&mut self, index: usize, node: &Node) -> Option<T> {
        let outer = self.path.len();
        let _ = write!(self.path, "[{index}]");
        self.leave(outer, node)
    }

    fn leave<T: Read>(&mut self, outer: usize, node: &Node) -> Option<T> {
        self.spans.insert(self.path.clone(), node.span);
        let value = T::read(node, self);
        self.path.truncate(outer);
        value
    }

    /// Reports the value being read as something else than `expected`.
    pub(crate) fn wrong_type<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        let message = match &node.value {
            Value::Number(text) => format!("expected {expected}, found {text}"),
            _ => format!("expected {expected}, found {}", node.kind()),
        };
        let hint = Some("correct it, or remove it to use the default".to_owned());
        self.report_span(Severity::Error, node.span, Show::Place, message, hint);
        None
    }

    /// Reports a problem of the value being read.
    pub(crate) fn report_span(
        &mut self,
        severity: Severity,
        span: Span,
        show: Show,
        message: String,
        hint: Option<String>,
    ) {
        let path = self.path.clone();
        self.push(severity, path, Some(span), show, (message, hint));
    }

    /// Reports a problem of the value at a canonical path, or of the nearest value around it.
    pub(crate) fn report(
        &mut self,
        severity: Severity,
        path: &str,
        show: Show,
        message: impl Into<String>,
        hint: Option<&str>,
    ) {
        let span = self.span_near(path);
        let text = (message.into(), hint.map(str::to_owned));
        self.push(severity, path.to_owned(), span, show, text);
    }

    /// An error about a value that is safe to show.
    pub(crate) fn error(&mut self, path: &str, message: impl Into<String>, hint: &str) {
        self.report(Severity::Error, path, Show::Value, message, Some(hint));
    }

    /// A warning about a value that is safe to show.
    pub(crate) fn warn(&mut self, path: &str, message: impl Into<String>, hint: &str) {
        self.report(Severity::Warning, path, Show::Value, message, Some(hint));
    }

    fn span_near(&self, path: &str) -> Option<Span> {
        let mut path = path;
        loop {
            if let Some(span) = self.spans.get(path) {
                return Some(*span);
            }
            let cut = path.rfind(['.', '['])?;
            path = path.get(..cut)?;
        }
    }

    fn push(
        &mut self,
        severity: Severity,
        path: String,
        span: Option<Span>,
        show: Show,
        (message, hint): (String, Option<String>),
    ) {
        let (line, column) = span.map_or((0, 0), |span| self.source.position(span.start));
        let excerpt = span.map(|span| match show {
            Show::Value => Excerpt::showing(self.source, span),
            Show::Place => Excerpt::hiding_values(self.source, span),
        });
        self.diagnostics.push(Diagnostic { severity, path, line, column, message, hint, excerpt });
    }

    /// The members of the object being read, by their last spelling; reports duplicates.
    pub(crate) fn members<'n>(&mut self, node: &'n Node) -> Option<Vec<&'n Member>> {
        let Value::Object(members) = &node.value else {
            return self.wrong_type(node, "an object");
        };
        let mut last: Vec<&Member> = Vec::with_capacity(members.len());
        for member in members {
            match last.iter_mut().find(|seen| seen.key == member.key) {
                Some(seen) => {
                    *seen = member;
                    self.report_key(member, "is given twice; the last one counts", None);
                }
                None => last.push(member),
            }
        }
        Some(last)
    }

    /// Reports an unknown key, with the known one it resembles.
    pub(crate) fn unknown(&mut self, member: &Member, known: &[&str]) {
        let hint = nearest(&member.key, known.iter().copied())
            .map(|name| format!("did you mean `{name}`?"));
        self.report_key(member, "is not a known setting and has no effect", hint);
    }

    /// Warns about a key of the object being read.
    pub(crate) fn report_key(&mut self, member: &Member, what: &str, hint: Option<String>) {
        let dot = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{}", self.path, member.key);
        let message = format!("`{}` {what}", member.key);
        let text = (message, hint);
        self.push(Severity::Warning, path, Some(member.key_span), Show::Value, text);
    }
}

/// A type of the schema.
pub(crate) trait Read: Sized {
    /// Takes the value of `node`, or reports why it is unusable.
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self>;
}

impl Read for String {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::String(text) => Some(text.clone()),
            _ => cx.wrong_type(node, "a text in quotes"),
        }
    }
}

impl Read for bool {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => cx.wrong_type(node, "`true` or `false`"),
        }
    }
}

impl Read for serde_json::Value {
    fn read(node: &Node, _: &mut Context<'_>) -> Option<Self> {
        Some(node.to_json())
    }
}

impl Read for f64 {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = match &node.value {
            Value::Number(text) => text.as_str(),
            Value::String(text) => text.trim(),
            _ => return cx.wrong_type(node, "a number"),
        };
        match text.parse::<Self>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => cx.wrong_type(node, "a number"),
        }
    }
}

impl Read for u64 {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = match &node.value {
            Value::Number(text) => text.as_str(),
            Value::String(text) => text.trim(),
            _ => return cx.wrong_type(node, "a whole number"),
        };
        let whole = text.parse::<Self>().ok().or_else(|| whole_part(text));
        whole.or_else(|| cx.wrong_type(node, "a whole number, 0 or more"))
    }
}

/// `1.9` and `2e3`, floored; nothing for negative numbers and those past 2^53.
fn whole_part(text: &str) -> Option<u64> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=9e15).contains(number))?;
    format!("{:.0}", number.floor()).parse().ok()
}

impl Read for u32 {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let number = u64::read(node, cx)?;
        Self::try_from(number).ok().or_else(|| cx.wrong_type(node, "a smaller number"))
    }
}

impl Read for u16 {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let number = u64::read(node, cx)?;
        Self::try_from(number).ok().or_else(|| cx.wrong_type(node, "a number up to 65535"))
    }
}

impl<T: Read> Read for Box<T> {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        T::read(node, cx).map(Self::new)
    }
}

/// Defines a type of the schema: each field with its key and the other spellings of the key.
///
/// The first spelling that is present and not null wins. Fields are optional; `shorthand` names
/// the field that a plain text stands for.
macro_rules! document {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(shorthand $short:ident)? {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty = $key:tt $(| $alias:tt)*, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Default, schemars::JsonSchema)]
        pub struct $name {
            /// Path of this object in the document.
            #[schemars(skip)]
            pub at: String,
            $( $(#[$field_meta])* #[schemars(rename = $key)] pub $field: Option<$type>, )*
        }

        /// Shows only the place: any field may hold a secret.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("at", &self.at).finish_non_exhaustive()
            }
        }

        impl $crate::read::Read for $name {
            fn read(
                node: &$crate::json::Node,
                cx: &mut $crate::read::Context<'_>,
            ) -> Option<Self> {
                const KNOWN: &[&str] = &[$( $key $(, $alias)*, )*];
                const CANONICAL: &[&str] = &[$( $key, )*];
                $(
                    if node.as_str().is_some() {
                        let $short = $crate::read::Read::read(node, cx);
                        return Some(Self { at: cx.path().to_owned(), $short, ..Self::default() });
                    }
                )?
                let members = cx.members(node)?;
                for member in &members {
                    if !KNOWN.contains(&member.key.as_str()) {
                        cx.unknown(member, CANONICAL);
                    }
                }
                Some(Self {
                    at: cx.path().to_owned(),
                    $( $field: $crate::read::field(cx, &members, &[$key $(, $alias)*]), )*
                })
            }
        }
    };
}
pub(crate) use document;

/// Reads the first of `spellings` that is present and not null.
pub(crate) fn field<T: Read>(
    cx: &mut Context<'_>,
    members: &[&Member],
    spellings: &[&str],
) -> Option<T> {
    let canonical = spellings.first()?;
    let mut found = None;
    for spelling in spellings {
        let Some(member) = members.iter().find(|member| member.key == *spelling) else { continue };
        if matches!(member.node.value, Value::Null) {
            continue;
        }
        if found.is_some() {
            let hint = Some(format!("keep one of them, best `{canonical}`"));
            cx.report_key(member, "is ignored: another spelling of it is given too", hint);
        } else {
            found = Some(&member.node);
        }
    }
    cx.member(canonical, found?)
}
