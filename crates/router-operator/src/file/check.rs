//! Whether the result of an edit may be saved.

use router_config::{Diagnostic, Lookup, Severity, diff, load, render};
use serde_json::json;

use crate::{Failure, Kind};

/// What is left to say about a result that may be saved.
#[derive(Debug)]
pub(super) struct Checked {
    /// Errors from before.
    pub(super) remaining: Vec<Diagnostic>,
    /// New warnings.
    pub(super) warnings: Vec<Diagnostic>,
    /// What a running router does not take over by itself.
    pub(super) notes: Vec<String>,
}

/// Compares the problems before and after; a new error is refused.
pub(super) fn check(before: &str, after: &str, lookup: &dyn Lookup) -> Result<Checked, Failure> {
    let (old, new) = (load(before, lookup), load(after, lookup));
    let mut known: Vec<String> = old.diagnostics.iter().map(same).collect();
    let (mut added, mut remaining) = (Vec::new(), Vec::new());
    for diagnostic in new.diagnostics {
        let name = same(&diagnostic);
        match known.iter().position(|each| *each == name) {
            Some(at) => {
                known.remove(at);
                remaining.push(diagnostic);
            }
            None => added.push(diagnostic),
        }
    }
    let is_error = |each: &Diagnostic| each.severity == Severity::Error;
    let errors: Vec<Diagnostic> = added.iter().filter(|each| is_error(each)).cloned().collect();
    if !errors.is_empty() {
        let message = format!(
            "the config would not be valid, and is as it was\n{}",
            render(&errors).trim_end()
        );
        return Err(Failure::new(Kind::Input, message).details(json!({ "problems": errors })));
    }
    remaining.retain(is_error);
    let notes = match (&old.config, &new.config) {
        (Some(old), Some(new)) => diff(old, new)
            .into_iter()
            .filter(|change| change.needs_restart)
            .map(|change| format!("a running router takes over {change}"))
            .collect(),
        _ => Vec::new(),
    };
    Ok(Checked { remaining, warnings: added, notes })
}

/// What makes two problems the same although something moved in the document.
fn same(diagnostic: &Diagnostic) -> String {
    let mut is_index = false;
    let path = diagnostic.path.chars().filter(|c| {
        match c {
            '[' => is_index = true,
            ']' => is_index = false,
            _ => return !is_index,
        }
        false
    });
    format!("{} {} {}", diagnostic.severity, path.collect::<String>(), diagnostic.message)
}
