//! Whether the system starts the router, and whether it is this router that it starts.

use std::path::{Path, PathBuf};

use super::{Finding, Verdict};
use crate::instance::{Instance, Instances};
use crate::service::{self, Level, ServiceError, Status};

/// What there is to know about the router as a service.
#[derive(Debug, Default)]
pub struct Services {
    /// Services that are installed, or why that is not known.
    pub installed: Vec<Result<Status, ServiceError>>,
    /// The routers that run.
    pub running: Vec<Instance>,
    /// This program.
    pub program: Option<PathBuf>,
}

impl Services {
    /// Asks this machine.
    pub fn of_this_machine(home: &Path) -> Self {
        let levels = [Level::User, Level::System].into_iter();
        let asked = levels.map(|level| service::status(level, home));
        let is_news = |status: &Result<Status, ServiceError>| match status {
            Ok(status) => status.installed,
            // A machine without a manager, or without services for users, has no service.
            Err(ServiceError::NoManager(_) | ServiceError::NoUserLevel(_)) => false,
            Err(_) => true,
        };
        Self {
            installed: asked.filter(is_news).collect(),
            running: Instances::new(home).live(),
            program: std::env::current_exe().ok(),
        }
    }

    /// One finding for each service, or one that there is none.
    pub(super) fn findings(&self, config: &Path) -> Vec<Finding> {
        if self.installed.is_empty() {
            let message = "not installed; `llm-router service install` has the system start it";
            return vec![Finding::new("service", "", Verdict::Good, message)];
        }
        let each = self.installed.iter().map(|status| match status {
            Ok(status) => self.judge(status, config),
            Err(error) => Finding::new("service", "", Verdict::Warning, error.to_string())
                .fix("see what `llm-router service status` says"),
        });
        each.collect()
    }

    fn judge(&self, status: &Status, config: &Path) -> Finding {
        let about = format!("{} ({})", status.service, status.manager);
        let warning = |message: String| Finding::new("service", &about, Verdict::Warning, message);
        if !status.running {
            let detail = status.detail.as_deref().map(|why| format!(" ({why})"));
            let message = format!("installed, but not running{}", detail.unwrap_or_default());
            return warning(message).fix("`llm-router service restart` starts it; see its log");
        }
        let managed = self.running.iter().find(|each| each.facts.managed_by.is_some());
        let Some(instance) = managed else {
            return warning("it runs, but no router answers for it".to_owned())
                .fix("see its log, then `llm-router service install` once more");
        };
        let facts = &instance.facts;
        if let Some(other) = facts.config_path.as_deref().filter(|path| !same(path, config)) {
            let message = format!("it runs with another config: {}", other.display());
            return warning(message).fix(format!(
                "`llm-router service install --config {}`, or look at that one",
                config.display()
            ));
        }
        if facts.version != env!("CARGO_PKG_VERSION") {
            let message = format!("it runs version {}, this is another", facts.version);
            return warning(message).fix("`llm-router reload --binary` hands over to this one");
        }
        let programs = (facts.program.as_deref(), self.program.as_deref());
        if let (Some(theirs), Some(ours)) = programs
            && !same(theirs, ours)
        {
            let message = format!("it runs another program: {}", theirs.display());
            return warning(message).fix(format!("`{} service install`", ours.display()));
        }
        Finding::new("service", about, Verdict::Good, format!("running as `{}`", instance.name))
    }
}

/// Whether two paths lead to one file.
fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(running: bool) -> Status {
        Status {
            manager: "systemd",
            service: "llm-router.service".to_owned(),
            installed: true,
            running,
            file: None,
            detail: (!running).then(|| "failed".to_owned()),
        }
    }

    fn instance(differs: &Value) -> Instance {
        let mut facts = json!({
            "pid": 1, "address": "127.0.0.1:8787", "configPath": "/c.json", "managedBy": "systemd",
            "version": env!("CARGO_PKG_VERSION"), "program": "/bin/ours",
            "startedAt": "2026-01-01T00:00:00Z",
        });
        for (key, value) in differs.as_object().into_iter().flatten() {
            facts[key] = value.clone();
        }
        Instance { name: "default".to_owned(), facts: serde_json::from_value(facts).unwrap() }
    }

    #[test]
    fn a_service_is_good_if_it_runs_this_program_with_this_config() {
        for (running, differs, verdict, says, fix) in [
            (Some(true), json!({}), Verdict::Good, "running as `default`", ""),
            (Some(false), json!({}), Verdict::Warning, "not running (failed)", "service restart"),
            (
                Some(true),
                json!({ "configPath": "/other.json" }),
                Verdict::Warning,
                "another config: /other.json",
                "--config /c.json",
            ),
            (
                Some(true),
                json!({ "program": "/bin/theirs" }),
                Verdict::Warning,
                "another program: /bin/theirs",
                "/bin/ours service install",
            ),
            (
                Some(true),
                json!({ "version": "0.0.1" }),
                Verdict::Warning,
                "version 0.0.1",
                "reload --binary",
            ),
            (
                Some(true),
                json!({ "managedBy": null }),
                Verdict::Warning,
                "no router answers",
                "service install",
            ),
            (None, json!({}), Verdict::Good, "not installed", ""),
        ] {
            let services = Services {
                installed: running.map(|running| Ok(status(running))).into_iter().collect(),
                running: vec![instance(&differs)],
                program: Some("/bin/ours".into()),
            };
            let found = services.findings(Path::new("/c.json"));
            let [finding] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(finding.verdict, verdict, "{finding:?}");
            assert!(finding.message.contains(says), "{finding:?}");
            assert!(finding.fix.as_deref().unwrap_or_default().contains(fix), "{finding:?}");
        }
    }

    #[test]
    fn a_manager_that_fails_is_told() {
        let error =
            ServiceError::Failed { what: "cannot ask", error: std::io::Error::other("no bus") };
        let services = Services { installed: vec![Err(error)], ..Services::default() };
        let found = services.findings(Path::new("/c.json"));
        assert_eq!(found[0].verdict, Verdict::Warning);
        assert!(found[0].message.contains("no bus"), "{found:?}");
    }
}
