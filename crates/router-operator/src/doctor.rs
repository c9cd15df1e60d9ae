//! What is wrong with an installation, and what mends it.
//!
//! Everything is looked at, at the same time where it takes time; one finding each. Nothing is
//! changed, and nothing is spent: providers are asked for their list of models only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use router_client::Client;
use router_config::{Config, Diagnostic, Lookup, Severity};
use serde::Serialize;
use serde_json::{Value, json};

mod local;
mod remote;
mod service;

pub use service::Services;

/// Time for one look at something far away.
const LOOK_MAX: Duration = Duration::from_secs(8);

/// How something stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Good,
    /// It works, but not as it should.
    Warning,
    /// Something far away does not answer.
    Unreachable,
    /// It cannot work.
    Broken,
}

impl Verdict {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Unreachable => "unreachable",
            Self::Broken => "broken",
        }
    }
}

/// One thing that was looked at. Holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What kind of thing: `config`, `permissions`, `secret`, `proxy`, `port`, `disk`, `state`,
    /// `redis`, `provider`, `clock`, `service`.
    pub check: &'static str,
    /// Which one, such as a file or a provider; empty if there is only one.
    pub about: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found, for a person.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    /// A finding without a fix.
    pub fn new(
        check: &'static str,
        about: impl Into<String>,
        verdict: Verdict,
        message: impl Into<String>,
    ) -> Self {
        Self { check, about: about.into(), verdict, message: message.into(), fix: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// What a doctor looks at.
#[derive(Debug)]
pub struct Patient<'a> {
    /// The config file.
    pub config_path: &'a Path,
    /// The folder of files that the config names no path for.
    pub home: Option<PathBuf>,
    /// What the system says about the router as a service.
    pub services: Services,
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// In the order of looking.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// The worst verdict.
    pub fn worst(&self) -> Verdict {
        self.findings.iter().map(|each| each.verdict).max().unwrap_or(Verdict::Good)
    }

    /// The documented JSON object.
    pub fn to_json(&self) -> Value {
        json!({ "worst": self.worst(), "findings": self.findings })
    }
}

/// Looks at everything. `lookup` finds what the config refers to.
pub async fn examine(
    patient: &Patient<'_>,
    lookup: &(dyn Lookup + Sync),
    client: &Client,
) -> Diagnosis {
    let text = router_secret::read_text(patient.config_path);
    let mut findings = local::file(patient.config_path, text.as_ref().err());
    findings.extend(patient.services.findings(patient.config_path));
    let Ok(text) = text else { return Diagnosis { findings } };
    let loaded = router_config::load(&text, lookup);
    findings.extend(problems(patient.config_path, &loaded.diagnostics, loaded.config.as_ref()));
    findings.extend(local::secret_files(&text));
    findings.extend(local::proxies(lookup));
    if let Some(config) = &loaded.config {
        findings.extend(local::secrets(config));
        findings.extend(local::kept(config, patient.home.as_deref()));
        let far = futures_util::future::join3(
            remote::port(config, client),
            remote::redis(config),
            remote::providers(config, client),
        );
        let (port, redis, providers) = far.await;
        findings.extend(std::iter::once(port).chain(redis).chain(providers));
    }
    Diagnosis { findings }
}

/// What loading said: every error, and how many warnings.
fn problems(path: &Path, diagnostics: &[Diagnostic], config: Option<&Config>) -> Vec<Finding> {
    let about = path.display().to_string();
    let errors = diagnostics.iter().filter(|each| each.severity == Severity::Error);
    let mut out: Vec<_> = errors
        .map(|each| {
            let message = match each.path.as_str() {
                "" => format!("line {}: {}", each.line, each.message),
                path => format!("{path} (line {}): {}", each.line, each.message),
            };
            let finding = Finding::new("config", &about, Verdict::Broken, message);
            Finding { fix: each.hint.clone(), ..finding }
        })
        .collect();
    let Some(config) = config else { return out };
    let warnings = diagnostics.len();
    let providers = config.catalog.providers.len();
    out.push(match (providers, warnings) {
        (0, _) => Finding::new("config", &about, Verdict::Broken, "no enabled provider")
            .fix("add one with `llm-router provider add`"),
        (_, 0) => Finding::new("config", &about, Verdict::Good, format!("{providers} provider(s)")),
        (_, count) => {
            let message = format!("{providers} provider(s), {count} warning(s)");
            Finding::new("config", &about, Verdict::Warning, message)
                .fix("see them with `llm-router validate`")
        }
    });
    out
}

#[cfg(test)]
mod tests;
