//! `llm-router simulate`: what traffic would do with a config, on a virtual clock.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use router_core::catalog::Catalog;
use router_core::resolve::resolve;
use router_core::simulate::{
    Assumptions, Comparison, Load, Recorded, as_recorded, generate, simulate,
};
use router_server::{Source, reload};
use serde_json::{Map, Value, json};

use super::start::config_failure;
use crate::args::Simulate;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output;

/// What the traffic itself is called in the report.
const RECORDED: &str = "recorded";
/// Records read at most: about a gigabyte of memory.
const RECORDS_MAX: usize = 4_000_000;

/// Replays the traffic against each config and prints the reports side by side.
pub(crate) fn run(cx: &Cx, flags: &Simulate) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    let catalog = catalog(path.clone())?;
    let records = match (&flags.records, flags.synthetic) {
        (Some(file), _) => read(file)?,
        (None, requests) => {
            check_models(&flags.models, &catalog)?;
            made_up(flags, requests.unwrap_or_default(), &catalog)
        }
    };
    let assumed = Assumptions { seed: flags.seed, ..Assumptions::default() };
    let mut reports = Vec::new();
    if flags.records.is_some() {
        reports.push((RECORDED.to_owned(), as_recorded(&records)));
    }
    let (mut own, mut others) = (heading(&path), flags.against.as_deref().map(heading));
    if own == RECORDED || others.as_deref().is_some_and(|name| name == own || name == RECORDED) {
        // Two files of one name are told apart by where they are.
        own = path.display().to_string();
        others = flags.against.as_deref().map(|path| path.display().to_string());
    }
    if let (Some(other), Some(name)) = (&flags.against, others) {
        let against = self::catalog(other.clone())?;
        reports.push((name, simulate(Arc::new(against), &records, &assumed)));
    }
    reports.push((own, simulate(Arc::new(catalog), &records, &assumed)));
    let all = reports.iter().map(|(name, report)| (name.clone(), json!(report)));
    let value = Value::Object(all.collect::<Map<_, _>>());
    let reports: Vec<_> = reports.iter().map(|(name, report)| (name.as_str(), report)).collect();
    Ok(Outcome::new(Comparison(&reports).to_string(), value))
}

fn catalog(path: PathBuf) -> Result<Catalog, Failure> {
    let loaded = reload::load(&Source::File(path));
    loaded.map(|(config, ..)| config.catalog).map_err(|error| config_failure(&error))
}

/// What a config is called in the report: its file name.
fn heading(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<Recorded>, Failure> {
    let failed = |message: String| Failure::new(Kind::Input, message);
    let lines: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path);
        let file =
            file.map_err(|error| failed(format!("cannot read {}: {error}", path.display())))?;
        Box::new(BufReader::new(file))
    };
    let mut records = Vec::new();
    for (number, line) in (1..).zip(lines.lines()) {
        let line = line.map_err(|error| failed(format!("line {number}: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        if records.len() == RECORDS_MAX {
            output::note(&format!("only the first {RECORDS_MAX} records are replayed"));
            break;
        }
        let record = serde_json::from_str(&line);
        records.push(record.map_err(|error| {
            failed(format!("line {number} is not a record: {error}"))
                .hint("each line is one JSON object with at least `at` in milliseconds")
        })?);
    }
    Ok(records)
}

/// Refuses models that clients could not ask for, as nothing would be simulated.
fn check_models(models: &[String], catalog: &Catalog) -> Result<(), Failure> {
    for model in models {
        resolve(catalog, Some(model))
            .map_err(|error| Failure::input(format!("--models: {error}")))?;
    }
    Ok(())
}

fn made_up(flags: &Simulate, requests: u64, catalog: &Catalog) -> Vec<Recorded> {
    let mut models = flags.models.clone();
    if models.is_empty() {
        models.extend(catalog.aliases.keys().cloned());
    }
    if models.is_empty() {
        models.extend(catalog.models().take(1).map(|model| catalog.name(model)));
    }
    let load = Load {
        requests,
        every_ms: flags.every_ms,
        sessions: flags.sessions,
        models,
        seed: flags.seed,
        ..Load::default()
    };
    generate(&load)
}
