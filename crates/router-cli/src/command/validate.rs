//! `llm-router validate`: every problem of a config file, at once.

use router_config::{Diagnostic, Severity};
use router_secret::Host;
use router_server::Source;
use serde_json::json;

use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output;

/// Reads and checks the file; changes nothing.
pub(crate) fn run(cx: &Cx) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    let text = Source::File(path.clone()).read();
    let text = text.map_err(|error| super::start::config_failure(&error))?;
    warn_if_exposed(&path);
    let loaded = router_config::load(&text, &Host);
    let errors = loaded.diagnostics.iter().filter(|each| each.severity == Severity::Error).count();
    let warnings = loaded.diagnostics.len() - errors;
    if !cx.json && !loaded.diagnostics.is_empty() {
        output::note(router_config::render(&loaded.diagnostics).trim_end());
    }
    let verdict = if errors == 0 { "valid" } else { "not valid" };
    let text = format!("{}: {verdict}, {errors} error(s), {warnings} warning(s)", path.display());
    let problems: Vec<_> = loaded.diagnostics.iter().map(problem).collect();
    let report = json!({ "path": path, "valid": errors == 0, "problems": problems });
    let outcome = Outcome::new(text, report);
    Ok(if errors == 0 { outcome } else { outcome.bad_news(Kind::Config) })
}

/// Says so if others on this machine can read a file with secrets.
pub(crate) fn warn_if_exposed(path: &std::path::Path) {
    if let Ok(Some(exposed)) = router_secret::exposed(path) {
        let warning = output::styled(output::WARN, "warning:");
        output::note(&format!("{warning} {exposed}; `{}` ends that", exposed.fix()));
    }
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
