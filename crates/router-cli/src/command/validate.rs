//! `llm-router validate`: every problem of a config file, at once.

use router_config::{Diagnostic, Severity};
use router_secret::Host;
use router_server::Source;
use serde_json::json;

use crate::args::Validate;
use crate::exit::{Failure, Kind};
use crate::output;

/// Reads and checks the file; changes nothing.
pub(crate) fn run(flags: &Validate) -> Result<(), Failure> {
    let path = super::start::config_path(&flags.config)?;
    let text = Source::File(path.clone()).read();
    let text = text.map_err(|error| super::start::config_failure(&error))?;
    let loaded = router_config::load(&text, &Host);
    let errors = loaded.diagnostics.iter().filter(|each| each.severity == Severity::Error).count();
    let warnings = loaded.diagnostics.len() - errors;
    if flags.json {
        let problems: Vec<_> = loaded.diagnostics.iter().map(problem).collect();
        let report = json!({ "path": path, "valid": errors == 0, "problems": problems });
        output::result(&report.to_string());
    } else {
        if !loaded.diagnostics.is_empty() {
            output::note(router_config::render(&loaded.diagnostics).trim_end());
        }
        let verdict = if errors == 0 { "valid" } else { "not valid" };
        let counts = format!("{errors} error(s), {warnings} warning(s)");
        output::result(&format!("{}: {verdict}, {counts}", path.display()));
    }
    if errors == 0 { Ok(()) } else { Err(Failure::new(Kind::Config, "the config is not valid")) }
}

fn problem(each: &Diagnostic) -> serde_json::Value {
    json!({
        "severity": if each.severity == Severity::Error { "error" } else { "warning" },
        "path": each.path,
        "line": each.line,
        "column": each.column,
        "message": each.message,
        "hint": each.hint,
    })
}
