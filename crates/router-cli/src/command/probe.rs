//! `llm-router provider probe`: finds out what a provider speaks and which models answer, and
//! writes it into the config.

use std::fmt::Write as _;
use std::path::Path;

use router_config::{BaseUrl, parse};
use router_operator::file::ConfigFile;
use router_operator::operate::probed::probed;
use router_operator::probe::{Report, Settings, Subject, probe, state_path};
use router_secret::Host;
use serde_json::json;

use super::config_of::{loaded, provider_id};
use super::far;
use super::progress::Progress;
use crate::args::probe::ProviderProbe;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::{BAD, FAINT, GOOD, STRONG, WARN, styled};

pub(crate) fn run(cx: &Cx, flags: &ProviderProbe) -> Result<Outcome, Failure> {
    let config = loaded(cx)?;
    let id = provider_id(&config, &flags.id)?;
    let mut subject =
        Subject::of(&config, &id).ok_or_else(|| Failure::input("that provider is turned off"))?;
    if let Some(models) = flags.models.as_deref().filter(|text| !text.trim().is_empty()) {
        subject.models = parse::models(models).found;
    }
    if let Some(endpoints) = &flags.endpoints {
        let read = parse::endpoints(endpoints);
        if !read.ignored.is_empty() {
            let what = read.ignored.join(", ");
            return Err(Failure::input(format!("--endpoints: not an address: {what}")));
        }
        let bases: Result<Vec<_>, _> = read.found.iter().map(|text| BaseUrl::new(text)).collect();
        let bases = bases.map_err(|why| Failure::input(format!("--endpoints: {why}")))?;
        subject.add_endpoints(&bases);
    }
    let path = cx.config_path()?;
    let state = state_path(&path, &id);
    if flags.fresh {
        let _ = std::fs::remove_file(&state);
    }
    let report = ask(cx, &subject, flags.asking.settings(), &state)?;
    let again = format!("`llm-router provider probe {id}` goes on from here");
    let mend = "the config is as it was; check address and key with `llm-router doctor`";
    usable(&report, &again, mend)?;
    let (done, saved) = ConfigFile::new(&path, &Host)
        .edit(flags.edit.dry_run, |document| probed(document, &report, &subject.upstream))?;
    let outcome = super::edit::outcome(&done, &saved, flags.edit.dry_run);
    Ok(with_report(outcome, &report))
}

/// Probes, and shows how far it is.
pub(crate) fn ask(
    cx: &Cx,
    subject: &Subject,
    settings: Settings,
    state: &Path,
) -> Result<Report, Failure> {
    let progress = Progress::new(cx);
    let report = far::run(async |client, cancel| {
        let note = |event: &_| progress.event(event);
        probe(subject, settings, client, Some(state), cancel, &note).await
    });
    progress.end();
    report
}

/// An edit's outcome with what the probe before it found.
pub(crate) fn with_report(mut outcome: Outcome, report: &Report) -> Outcome {
    outcome.text = format!("{}\n{}", shown(report), outcome.text);
    if let Some(members) = outcome.value.as_mut().and_then(serde_json::Value::as_object_mut) {
        members.insert("probe".to_owned(), report.to_json());
    }
    outcome
}

/// Refuses a report with nothing to write: `again` says how an interrupted probe goes on, `mend`
/// what to do about a failed one.
pub(crate) fn usable(report: &Report, again: &str, mend: &str) -> Result<(), Failure> {
    let details = json!({ "probe": report.to_json() });
    if report.is_interrupted {
        let message = format!("interrupted\n{}", shown(report));
        return Err(Failure::new(Kind::Interrupted, message)
            .hint(format!("nothing was written; {again}"))
            .details(details));
    }
    if report.is_ok() {
        return Ok(());
    }
    let (kind, message) = if report.is_unreachable() {
        (Kind::Unreachable, "nobody answers at any address".to_owned())
    } else if report.models.is_empty() {
        (Kind::Input, "the provider has no list of models, and none is named".to_owned())
    } else {
        (Kind::Failed, "no model could be confirmed".to_owned())
    };
    let message = format!("{message}\n{}", shown(report));
    let hint = match kind {
        Kind::Input => "name some with --models",
        _ => mend,
    };
    Err(Failure::new(kind, message).hint(hint).details(details))
}

/// The report for a person.
fn shown(report: &Report) -> String {
    let mut text = String::new();
    for (format, way) in report.ways() {
        let count = report.confirmed().filter(|model| model.dialects.contains(&format)).count();
        let name = styled(STRONG, format.config_name());
        let _ = writeln!(text, "{name} works at {}: {count} model(s)", way.base.written());
    }
    for model in &report.models {
        let formats: Vec<_> = model.dialects.iter().map(|format| format.config_name()).collect();
        let _ = if formats.is_empty() {
            let why = styled(FAINT, &model.why);
            writeln!(text, "  {} {} {} {why}", styled(BAD, "-"), model.id, model.outcome)
        } else {
            writeln!(text, "  {} {} {}", styled(GOOD, "+"), model.id, formats.join(", "))
        };
    }
    let is_about_model = |warning: &&String| {
        report.models.iter().any(|model| warning.starts_with(&format!("{} is ", model.id)))
    };
    for warning in report.warnings.iter().filter(|warning| !is_about_model(warning)) {
        let _ = writeln!(text, "{} {warning}", styled(WARN, "warning:"));
    }
    text.truncate(text.trim_end().len());
    text
}
