//! `llm-router provider test`: asks models, and changes nothing.

use std::fmt::Write as _;

use router_config::slug;
use router_operator::retest::{ModelTest, Selection, TestReport, retest};
use router_operator::upstream::Outcome as Answer;

use super::config_of::loaded;
use super::far;
use crate::args::probe::ProviderTest;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::{BAD, FAINT, GOOD, note, styled};

pub(crate) fn run(cx: &Cx, flags: &ProviderTest) -> Result<Outcome, Failure> {
    let config = loaded(cx)?;
    let selection = Selection {
        providers: flags.ids.iter().map(|id| slug(id)).collect(),
        models: flags.models.clone(),
    };
    let settings = flags.asking.settings();
    let tell = |test: &ModelTest| {
        if !cx.json {
            note(&line(test));
        }
    };
    let report = far::run(async |client, cancel| {
        retest(&config, &selection, settings, client, cancel, &tell).await
    })?;
    let report = report.map_err(|error| Failure::input(error.to_string()))?;
    if report.is_interrupted {
        return Err(Failure::new(Kind::Interrupted, "interrupted").details(report.to_json()));
    }
    if report.tests.is_empty() {
        return Err(Failure::input("there is no model to test")
            .hint("`llm-router provider models ID --add NAMES` adds some"));
    }
    let outcome = Outcome::new(summary(&report), report.to_json());
    Ok(match (report.is_ok(), report.is_unreachable()) {
        (true, _) => outcome,
        (false, true) => outcome.bad_news(Kind::Unreachable),
        (false, false) => outcome.bad_news(Kind::Failed),
    })
}

fn line(test: &ModelTest) -> String {
    let check = &test.check;
    let mut text = String::new();
    let style = if check.outcome == Answer::Ok { GOOD } else { BAD };
    let status = check.status.map(|status| format!(" ({status})")).unwrap_or_default();
    let _ = write!(
        text,
        "{} {}/{} {} {} ms",
        styled(style, format!("{}{status}", check.outcome)),
        test.provider,
        check.model,
        test.format.config_name(),
        check.latency_ms
    );
    if !check.message.is_empty() {
        let _ = write!(text, " {}", styled(FAINT, &check.message));
    }
    text
}

fn summary(report: &TestReport) -> String {
    let good = report.tests.iter().filter(|test| test.check.outcome == Answer::Ok).count();
    format!("{good} of {} test(s) passed", report.tests.len())
}
