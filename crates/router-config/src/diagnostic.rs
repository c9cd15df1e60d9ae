//! What is wrong with a config file, where, and what to do about it.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::json::Span;

/// How much of a source line an excerpt shows, in characters.
const EXCERPT_CHARS: usize = 96;

/// Words outside quotes longer than this are hidden: a secret whose quotes are missing is one.
const BARE_WORD_CHARS: usize = 5;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The config cannot be used.
    Error,
    /// The config works, without the part the message names.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One problem of a config.
///
/// Holds no secret: messages name values that are safe to show, and the excerpt hides every
/// text but the one the problem is about.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where in the document, such as `providers[2].rateLimits[0].window.unit`; empty for the
    /// document as a whole, and `$NAME` for an environment variable.
    pub path: String,
    /// Line in the text, from 1; 0 when the problem is not in the text.
    pub line: usize,
    /// Column in characters, from 1; 0 when the problem is not in the text.
    pub column: usize,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to do, without a full stop.
    pub hint: Option<String>,
    /// The line in question.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

/// A source line with the offending part marked; other texts on the line are hidden.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Excerpt {
    /// The line, cut to a readable length.
    pub text: String,
    /// Characters before the mark.
    pub caret: usize,
    /// Length of the mark in characters, at least 1.
    pub length: usize,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        if !self.path.is_empty() || self.line > 0 {
            f.write_str("\n  -->")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}", self.path)?;
        }
        if self.line > 0 {
            write!(f, " (line {}, column {})", self.line, self.column)?;
        }
        if let Some(excerpt) = &self.excerpt {
            let margin = self.line.to_string();
            let pad = margin.len();
            write!(f, "\n {:pad$} |\n {margin} | {}", "", excerpt.text)?;
            let (caret, length) = (excerpt.caret, excerpt.length);
            write!(f, "\n {:pad$} | {:caret$}{}", "", "", "^".repeat(length))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  help: {hint}")?;
        }
        Ok(())
    }
}

/// A report for people: every diagnostic, errors first, with a blank line between them.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| diagnostic.severity);
    let mut out = String::new();
    for (at, diagnostic) in sorted.iter().enumerate() {
        let gap = if at == 0 { "" } else { "\n" };
        let _ = writeln!(out, "{gap}{diagnostic}");
    }
    out
}

/// A document and where its lines begin.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Takes the text of a file; a byte order mark is not part of the document.
    pub(crate) fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at.saturating_add(1))).collect();
        Self { text, lines }
    }

    /// The document.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Line and column of a byte offset, both from 1.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let (line, start) = self.line_start(offset);
        let before = self.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count().saturating_add(1))
    }

    fn line_start(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset);
        (line, line.checked_sub(1).and_then(|at| self.lines.get(at)).copied().unwrap_or(0))
    }
}

impl Excerpt {
    /// The first line of `span`, showing the text of the span itself if it is a single text;
    /// texts inside of lists and objects stay hidden.
    pub(crate) fn showing(source: &Source<'_>, span: Span) -> Self {
        Self::new(source, span, Some(span))
    }

    /// The first line of `span`, with every value hidden.
    pub(crate) fn hiding_values(source: &Source<'_>, span: Span) -> Self {
        Self::new(source, span, None)
    }

    fn new(source: &Source<'_>, span: Span, shown: Option<Span>) -> Self {
        let (_, start) = source.line_start(span.start);
        let rest = source.text.get(start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let masked = mask(line, start, shown);
        let before = source.text.get(start..span.start).unwrap_or_default().chars().count();
        let inside = source.text.get(span.start..span.end).unwrap_or_default();
        let length = inside.lines().next().unwrap_or_default().chars().count().max(1);
        cut(&masked, before, length)
    }
}

/// Keeps the part of a line around the mark.
fn cut(line: &[char], caret: usize, length: usize) -> Excerpt {
    let indent = line.iter().take_while(|each| each.is_whitespace()).count().min(caret);
    let from = if caret.saturating_sub(indent) > EXCERPT_CHARS / 2 {
        caret.saturating_sub(EXCERPT_CHARS / 3)
    } else {
        indent
    };
    let mut text: String = line
        .iter()
        .skip(from)
        .take(EXCERPT_CHARS)
        .map(|c| if *c == '\t' { ' ' } else { *c })
        .collect();
    let mut caret = caret.saturating_sub(from);
    let length = length.min(EXCERPT_CHARS.saturating_sub(caret)).max(1);
    if line.len() > from.saturating_add(EXCERPT_CHARS) {
        text.push('…');
    }
    if from > indent {
        text.insert(0, '…');
        caret = caret.saturating_add(1);
    }
    Excerpt { text: text.trim_end().to_owned(), caret, length }
}

/// Replaces texts that could be secret by stars: every quoted text that is not a key, and every
/// long word outside quotes. Works on broken JSON too, where nothing is known about the rest.
fn mask(line: &str, line_start: usize, shown: Option<Span>) -> Vec<char> {
    let chars: Vec<(usize, char)> = line.char_indices().collect();
    let mut out: Vec<char> = chars.iter().map(|(_, c)| *c).collect();
    let mut at = 0;
    let mut after_colon = false;
    while let Some(&(byte, c)) = chars.get(at) {
        let end = if c == '"' { string_end(&chars, at) } else { word_end(&chars, at) };
        let token = at..end.max(at.saturating_add(1));
        let is_shown = shown.is_some_and(|span| line_start.saturating_add(byte) == span.start);
        let is_key = c == '"' && !after_colon && next_char(&chars, token.end) == Some(':');
        let is_short = c != '"' && token.len() <= BARE_WORD_CHARS;
        if !is_shown && !is_key && !is_short {
            let inner = out.iter_mut().take(token.end).skip(token.start);
            inner.filter(|c| **c != '"').for_each(|c| *c = '*');
        }
        if !c.is_whitespace() {
            after_colon = c == ':';
        }
        at = token.end;
    }
    out
}

fn string_end(chars: &[(usize, char)], start: usize) -> usize {
    let mut escaped = false;
    for (at, (_, c)) in chars.iter().enumerate().skip(start.saturating_add(1)) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at.saturating_add(1),
            _ => {}
        }
    }
    chars.len()
}

fn word_end(chars: &[(usize, char)], start: usize) -> usize {
    let is_part =
        |c: char| !c.is_whitespace() && !matches!(c, '"' | ',' | ':' | '[' | ']' | '{' | '}');
    let length = chars.iter().skip(start).take_while(|(_, c)| is_part(*c)).count();
    start.saturating_add(length)
}

fn next_char(chars: &[(usize, char)], from: usize) -> Option<char> {
    chars.iter().skip(from).map(|(_, c)| *c).find(|c| !c.is_whitespace())
}
