//! What the commands print: results on standard output, everything else on standard error.
//!
//! Colours are taken out unless a terminal shows them, and where `NO_COLOR` is set.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};

use crate::outcome::{Failure, Kind, Outcome};

/// What stands out: names, counts.
pub(crate) const STRONG: Style = Style::new().bold();
/// What stands back: hints, places.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// Done, added.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Worth a look.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Failed, removed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// A text in a style.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints a result. A reader that went away is no failure.
pub(crate) fn result(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Tells the operator something.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints how a command ended.
pub(crate) fn end(ended: Result<Outcome, Failure>, as_json: bool) -> ExitCode {
    match ended {
        Ok(outcome) => {
            if let Some(value) = outcome.value {
                let text = outcome.text.trim_end();
                if as_json {
                    result(&format!("{value:#}"));
                } else if !text.is_empty() {
                    result(text);
                }
            }
            outcome.bad_news.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(kind.code()))
        }
        Err(failure) => self::failure(&failure, as_json),
    }
}

/// Prints help, or what is wrong with the command line.
pub(crate) fn usage(error: &clap::Error, typed: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let _ = error.print();
    if typed.iter().any(|each| each == "--json") {
        let text = error.render().to_string();
        let mut parts = text.trim().split("\n\n");
        let first = parts.next().unwrap_or_default();
        let hint = parts.collect::<Vec<_>>().join("\n");
        let failure = Failure::input(first.strip_prefix("error: ").unwrap_or(first));
        result(&format!("{:#}", failure.hint(hint.trim()).to_json()));
    }
    ExitCode::from(Kind::Input.code())
}

fn failure(failure: &Failure, as_json: bool) -> ExitCode {
    note(&format!("{} {failure}", styled(BAD.bold(), "error:")));
    if let Some(hint) = &failure.hint {
        note(&format!("{} {hint}", styled(AnsiColor::Cyan.on_default(), "hint:")));
    }
    if as_json {
        result(&format!("{:#}", failure.to_json()));
    }
    ExitCode::from(failure.kind.code())
}
