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
    let (old, mut new) = (load(before, lookup), load(after, lookup));
    // A secret that is missing here may be there where the router runs.
    let assumed = load(after, &Assumed(lookup));
    let is_certain = |each: &Diagnostic| assumed.diagnostics.iter().any(|other| other == each);
    for diagnostic in &mut new.diagnostics {
        if !is_certain(diagnostic) {
            diagnostic.severity = Severity::Warning;
        }
    }
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

/// Finds every secret that a config refers to.
struct Assumed<'a>(&'a dyn Lookup);

/// What a secret that is not there is taken for.
const ASSUMED: &str = "assumed";

impl Lookup for Assumed<'_> {
    fn var(&self, name: &str) -> Option<String> {
        let is_setting = name.starts_with("LLM_ROUTER_");
        self.0.var(name).or_else(|| (!is_setting).then(|| ASSUMED.to_owned()))
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.0.file(path).or_else(|_| Ok(ASSUMED.to_owned()))
    }

    fn keychain(&self, name: &str) -> Result<String, String> {
        self.0.keychain(name).or_else(|_| Ok(ASSUMED.to_owned()))
    }
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
    format!("{} {}", path.collect::<String>(), diagnostic.message)
}
