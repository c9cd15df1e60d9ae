//! `llm-router doctor`: what is wrong with this installation, and what mends it.

use std::fmt::Write as _;

use router_operator::doctor::{Diagnosis, Finding, Patient, Services, Verdict, examine};
use router_secret::Host;

use super::far;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::{BAD, FAINT, GOOD, WARN, styled};

pub(crate) fn run(cx: &Cx) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    let home = std::env::home_dir();
    let services = home.as_deref().map(Services::of_this_machine).unwrap_or_default();
    let patient = Patient { config_path: &path, home, services };
    let diagnosis = far::run(async |client, cancel| {
        cancel.run_until_cancelled(examine(&patient, &Host, client)).await
    })?;
    let diagnosis = diagnosis.ok_or_else(|| Failure::new(Kind::Interrupted, "interrupted"))?;
    let outcome = Outcome::new(shown(&diagnosis), diagnosis.to_json());
    Ok(match diagnosis.worst() {
        Verdict::Good | Verdict::Warning => outcome,
        Verdict::Unreachable => outcome.bad_news(Kind::Unreachable),
        Verdict::Broken => outcome.bad_news(Kind::Failed),
    })
}

fn shown(diagnosis: &Diagnosis) -> String {
    let mut text: String = diagnosis.findings.iter().map(line).collect();
    let of = |verdict| diagnosis.findings.iter().filter(|each| each.verdict == verdict).count();
    let _ = write!(
        text,
        "{} good, {} warning(s), {} unreachable, {} broken",
        of(Verdict::Good),
        of(Verdict::Warning),
        of(Verdict::Unreachable),
        of(Verdict::Broken)
    );
    text
}

fn line(finding: &Finding) -> String {
    let style = match finding.verdict {
        Verdict::Good => GOOD,
        Verdict::Warning => WARN,
        Verdict::Unreachable | Verdict::Broken => BAD,
    };
    let verdict = styled(style, format!("{:11}", finding.verdict.name()));
    let about = if finding.about.is_empty() {
        finding.check.to_owned()
    } else {
        format!("{} {}", finding.check, finding.about)
    };
    let fix = finding.fix.as_ref().map(|fix| styled(FAINT, format!(" -> {fix}")));
    format!("{verdict} {about}: {}{}\n", finding.message, fix.unwrap_or_default())
}
