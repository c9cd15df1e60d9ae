//! What the commands print: results on standard output, everything else on standard error.

use std::io::Write;
use std::process::ExitCode;

use crate::exit::{Failure, Kind};

/// Prints a result. A reader that went away is no failure.
pub(crate) fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Tells the operator something.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints help, or what is wrong with the command line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { Kind::Input.code() } else { ExitCode::SUCCESS }
}

/// Prints why a command failed.
pub(crate) fn failure(failure: &Failure) -> ExitCode {
    note(&format!("error: {failure}"));
    if let Some(hint) = &failure.hint {
        note(&format!("hint: {hint}"));
    }
    failure.kind.code()
}
