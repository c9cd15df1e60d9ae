//! What all edits have in common: doing them, and showing what they did.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read};

use clap::builder::styling::Style;
use router_config::edit::Document;
use router_config::render;
use router_operator::change::Change;
use router_operator::file::{ConfigFile, Saved};
use router_operator::operate::Done;
use router_secret::Host;
use serde_json::{Value, json};

use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};
use crate::output::{BAD, FAINT, GOOD, WARN, note, styled};

/// Bytes of a secret on standard input at most.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// The member of a provider that a probe leaves for programs.
const RECORD: &str = "lastProbe";
/// Characters of a value that is shown on one line.
const LINE_CHARS_MAX: usize = 88;

/// Changes the config, checks and writes it, and shows the difference.
pub(crate) fn apply(
    cx: &Cx,
    flags: crate::args::edit::Edit,
    change: impl FnOnce(&mut Document) -> Result<Done, Failure>,
) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    let (done, saved) = ConfigFile::new(&path, &Host).edit(flags.dry_run, change)?;
    Ok(outcome(&done, &saved, flags.dry_run))
}

/// The document as it is now; what is wrong with the file itself is said.
pub(crate) fn document(cx: &Cx) -> Result<(Document, bool), Failure> {
    let path = cx.config_path()?;
    let current = ConfigFile::new(&path, &Host).read()?;
    for warning in &current.warnings {
        note(&format!("{} {warning}", styled(WARN, "warning:")));
    }
    Ok((current.document, current.exists))
}

/// The config as it is written, to be shown.
pub(crate) fn file(cx: &Cx) -> Result<router_config::schema::File, Failure> {
    let (document, _) = document(cx)?;
    router_config::schema::File::parse(document.text())
        .map_err(|error| Failure::input(error.to_string()))
}

/// What an edit did, for people and for programs.
pub(crate) fn outcome(done: &Done, saved: &Saved, dry_run: bool) -> Outcome {
    let notes: Vec<&String> = done.notes.iter().chain(&saved.notes).collect();
    let mut text = styled(GOOD, &done.message);
    if dry_run {
        text.push_str("\ndry run: nothing was written");
    } else if !saved.written {
        text.push_str("\nnothing to change");
    }
    // What a probe found is told in its own words.
    for change in saved.changes.iter().filter(|change| !change.path.contains(RECORD)) {
        let _ = write!(text, "\n{}", shown(change));
    }
    for each in &notes {
        let _ = write!(text, "\n{} {each}", styled(WARN, "note:"));
    }
    if !saved.warnings.is_empty() {
        let _ = write!(text, "\n{}", render(&saved.warnings).trim_end());
    }
    if !saved.remaining.is_empty() {
        let remaining = render(&saved.remaining);
        let _ = write!(text, "\n{}\n{}", styled(WARN, "still wrong:"), remaining.trim_end());
    }
    if let Some(backup) = &saved.backup {
        let backup = format!("before: {} (`llm-router config undo`)", backup.display());
        let _ = write!(text, "\n{}", styled(FAINT, backup));
    }
    let value = json!({
        "message": done.message,
        "path": saved.path,
        "written": saved.written,
        "dryRun": dry_run,
        "changes": saved.changes.iter().map(Change::to_json).collect::<Value>(),
        "backup": saved.backup,
        "notes": notes,
        "warnings": saved.warnings,
        "remaining": saved.remaining,
        "result": done.result,
    });
    Outcome::new(text, value)
}

fn shown(change: &Change) -> String {
    let path = &change.path;
    match (&change.before, &change.after) {
        (None, Some(after)) => block('+', path, after, GOOD),
        (Some(before), None) => block('-', path, before, BAD),
        (before, after) => {
            let text = |value: &Option<Value>| json!(value).to_string();
            let line = format!("  ~ {path}: {} -> {}", text(before), text(after));
            styled(WARN, line)
        }
    }
}

/// A value that came or went.
fn block(mark: char, path: &str, value: &Value, style: Style) -> String {
    let mut value = value.clone();
    if let Some(record) = value.get_mut(RECORD).and_then(Value::as_object_mut) {
        record.retain(|key, _| matches!(key.as_str(), "ok" | "at"));
    }
    let lines = format!("{path}: {}", pretty(&value, 0));
    let lines: Vec<String> =
        lines.lines().map(|line| styled(style, format!("  {mark} {line}"))).collect();
    lines.join("\n")
}

/// JSON in which what fits on one line stays on it.
fn pretty(value: &Value, indent: usize) -> String {
    let line = value.to_string();
    let pad = " ".repeat(indent);
    let wrap = |open: char, parts: Vec<String>, close: char| {
        format!("{open}\n{pad}  {}\n{pad}{close}", parts.join(&format!(",\n{pad}  ")))
    };
    let inner = indent.saturating_add(2);
    match value {
        _ if line.chars().count().saturating_add(indent) <= LINE_CHARS_MAX => line,
        Value::Object(members) => {
            let each = members.iter();
            let each = each.map(|(key, value)| format!("\"{key}\": {}", pretty(value, inner)));
            wrap('{', each.collect(), '}')
        }
        Value::Array(items) => {
            wrap('[', items.iter().map(|item| pretty(item, inner)).collect(), ']')
        }
        _ => line,
    }
}

/// A secret as a flag gives it: `-` reads standard input, in a terminal without showing it.
pub(crate) fn secret(cx: &Cx, flag: &str, text: &str) -> Result<String, Failure> {
    if text != "-" {
        let is_reference =
            ["env:", "file:", "keychain:"].iter().any(|kind| text.trim().starts_with(kind));
        if !is_reference && !text.trim().is_empty() {
            note(&format!(
                "{} {flag}: other users of this machine can see what is typed here; `-` reads \
                 standard input, and `env:NAME` refers to a variable",
                styled(WARN, "warning:")
            ));
        }
        return Ok(text.trim().to_owned());
    }
    let failed = |error: io::Error| Failure::failed(format!("cannot read the secret: {error}"));
    let text = if io::stdin().is_terminal() {
        if !cx.may_ask {
            return Err(Failure::input(format!("{flag}: nothing is on standard input"))
                .hint("pipe the secret in, or name it as env:NAME"));
        }
        super::hidden::ask(format!("{flag} (not shown): "))?
    } else {
        let mut text = String::new();
        io::stdin().lock().take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        text
    };
    let text = text.trim();
    if text.is_empty() || text.contains(['\n', '\r']) {
        return Err(Failure::input(format!("{flag}: standard input holds no secret of one line")));
    }
    Ok(text.to_owned())
}
