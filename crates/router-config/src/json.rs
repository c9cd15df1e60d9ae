//! A JSON document with the place of every value.
//!
//! Comments and trailing commas are accepted, nothing else that JSON does not allow.

use jsonc_parser::ast;
use jsonc_parser::common::Range;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::diagnostic::{Diagnostic, Excerpt, Severity, Source};

/// Byte range in the document.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl From<Range> for Span {
    fn from(range: Range) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As written, so that no precision is lost.
    Number(String),
    String(String),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

/// One entry of an object; objects keep duplicate keys.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

impl Node {
    /// What kind of value this is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }

    /// The string, if it is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value without its place.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(text) => serde_json::from_str(text).unwrap_or(serde_json::Value::Null),
            Value::String(text) => text.as_str().into(),
            Value::Array(items) => items.iter().map(Self::to_json).collect(),
            Value::Object(members) => serde_json::Value::Object(
                members.iter().map(|member| (member.key.clone(), member.node.to_json())).collect(),
            ),
        }
    }
}

/// The syntax accepted by every reader and editor of the file.
pub(crate) fn syntax() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// Reads `source`; a blank document is an empty object.
pub(crate) fn parse(source: &Source<'_>) -> Result<Node, Box<Diagnostic>> {
    let parsed = parse_to_ast(source.text(), &CollectOptions::default(), &syntax())
        .map_err(|error| Box::new(syntax_error(source, &error)))?;
    Ok(parsed.value.map_or_else(
        || Node { span: Span::default(), value: Value::Object(Vec::new()) },
        |value| convert(&value),
    ))
}

fn convert(value: &ast::Value<'_>) -> Node {
    match value {
        ast::Value::NullKeyword(null) => Node { span: null.range.into(), value: Value::Null },
        ast::Value::BooleanLit(lit) => {
            Node { span: lit.range.into(), value: Value::Bool(lit.value) }
        }
        ast::Value::NumberLit(lit) => {
            Node { span: lit.range.into(), value: Value::Number(lit.value.to_owned()) }
        }
        ast::Value::StringLit(lit) => {
            Node { span: lit.range.into(), value: Value::String(lit.value.clone().into_owned()) }
        }
        ast::Value::Array(array) => Node {
            span: array.range.into(),
            value: Value::Array(array.elements.iter().map(convert).collect()),
        },
        ast::Value::Object(object) => Node {
            span: object.range.into(),
            value: Value::Object(object.properties.iter().map(convert_member).collect()),
        },
    }
}

fn convert_member(member: &ast::ObjectProp<'_>) -> Member {
    let (key, range) = match &member.name {
        ast::ObjectPropName::String(lit) => (lit.value.clone().into_owned(), lit.range),
        ast::ObjectPropName::Word(lit) => (lit.value.to_owned(), lit.range),
    };
    Member { key, key_span: range.into(), node: convert(&member.value) }
}

fn syntax_error(source: &Source<'_>, error: &ParseError) -> Diagnostic {
    let (what, hint) = explain(error.kind());
    let span = Span::from(error.range());
    let (line, column) = source.position(span.start);
    Diagnostic {
        severity: Severity::Error,
        path: String::new(),
        line,
        column,
        message: format!("invalid JSON: {what}"),
        hint: Some(hint.to_owned()),
        excerpt: Some(Excerpt::hiding_values(source, span)),
    }
}

/// What is wrong, and what usually causes it.
fn explain(kind: &ParseErrorKind) -> (&'static str, &'static str) {
    match kind {
        ParseErrorKind::UnterminatedObject => {
            ("an object is not closed", "add the missing `}`; the object starts at this place")
        }
        ParseErrorKind::UnterminatedArray => {
            ("a list is not closed", "add the missing `]`; the list starts at this place")
        }
        ParseErrorKind::ExpectedComma => {
            ("a comma is missing", "put `,` between this and the entry before it")
        }
        ParseErrorKind::ExpectedColonAfterObjectKey => {
            ("a colon is missing", "write `\"key\": value`")
        }
        ParseErrorKind::ExpectedObjectValue => {
            ("a value is missing", "write a value after the colon")
        }
        ParseErrorKind::ExpectedStringObjectProperty | ParseErrorKind::UnexpectedWord => {
            ("a word without quotes", "put double quotes around keys and texts")
        }
        ParseErrorKind::SingleQuotedStringsNotAllowed => {
            ("a text in single quotes", "use double quotes")
        }
        ParseErrorKind::MultipleRootJsonValues => {
            ("something follows the end of the document", "remove it, or check for a `}` too many")
        }
        ParseErrorKind::UnexpectedCloseBrace | ParseErrorKind::UnexpectedCloseBracket => {
            ("a closing bracket too many", "remove it, or add the opening one")
        }
        ParseErrorKind::UnexpectedComma => ("a comma too many", "remove it"),
        ParseErrorKind::String(_) => (
            "a text is not closed or has a wrong escape",
            "end it with a double quote; write `\\\\` for a backslash and `\\n` for a new line",
        ),
        ParseErrorKind::UnterminatedCommentBlock => ("a comment is not closed", "end it with `*/`"),
        ParseErrorKind::NestingDepthExceeded => {
            ("brackets are nested too deeply", "check for brackets that are not closed")
        }
        ParseErrorKind::ExpectedDigit
        | ParseErrorKind::ExpectedDigitFollowingNegativeSign
        | ParseErrorKind::ExpectedPlusMinusOrDigitInNumberLiteral
        | ParseErrorKind::HexadecimalNumbersNotAllowed
        | ParseErrorKind::NonFiniteNumbersNotAllowed
        | ParseErrorKind::UnaryPlusNumbersNotAllowed
        | ParseErrorKind::BareDecimalPointNumbersNotAllowed => {
            ("not a number", "write numbers as `12`, `0.5` or `-3`")
        }
        _ => {
            ("something that cannot stand here", "check the brackets, commas and quotes before it")
        }
    }
}
