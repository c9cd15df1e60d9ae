//! Plans and their results, for people and for programs. Never a secret, but a key that was made.

use std::path::Path;

use router_config::Secret;
use router_deploy::{Check, Exported, KeySource, Outcome as CheckOutcome, Plan, Request};
use serde_json::{Value, json};

use crate::outcome::Outcome;

/// The plan as lines.
pub(super) fn plan(request: &Request, plan: &Plan) -> String {
    let mut lines = vec![format!("Worker {}: {}", plan.name, request.target.describe())];
    lines.push(format!("master key: {}", key(request)));
    for (number, step) in (1..).zip(&plan.steps) {
        let (method, path, bytes) = (&step.method, &step.path, step.bytes);
        lines.push(format!("{number}. {}", step.what));
        lines.push(format!("   {method} {path} ({bytes} bytes)"));
        lines.extend(step.details.iter().map(|detail| format!("   - {detail}")));
    }
    let local = &request.payload.left_out;
    if !local.is_empty() {
        lines.push(format!("stays here: {}", local.join(", ")));
    }
    if !plan.dropped.is_empty() {
        lines.push(format!("secrets that go: {}", plan.dropped.join(", ")));
    }
    lines.extend(plan.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(plan.limits.iter().map(|limit| format!("limit: {}; {}", limit.what, limit.hint)));
    lines.join("\n")
}

fn key(request: &Request) -> &'static str {
    match request.key {
        KeySource::Config => "the config's, unless the Worker has one of its own",
        KeySource::Keep => "the Worker keeps its own; the config's is not sent",
        KeySource::Set(_) => "set apart from the config, in LLM_ROUTER_MASTER_KEY",
    }
}

/// The plan as a document.
pub(super) fn plan_json(plan: &Plan) -> Value {
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .map(|step| {
            json!({
                "method": step.method.as_str(),
                "path": step.path,
                "what": step.what,
                "bytes": step.bytes,
                "details": step.details,
            })
        })
        .collect();
    let limits: Vec<Value> = plan
        .limits
        .iter()
        .map(|limit| json!({ "what": limit.what, "onPaidPlan": limit.on_paid, "hint": limit.hint }))
        .collect();
    json!({
        "steps": steps,
        "kept": plan.kept,
        "dropped": plan.dropped,
        "warnings": plan.warnings,
        "limits": limits,
    })
}

/// What a dry run answers.
pub(super) fn dry_run(request: &Request, plan: &Plan, exported: Option<&Exported>) -> Outcome {
    let mut text = self::plan(request, plan);
    text.push_str("\ndry run: nothing was sent");
    for file in exported.iter().flat_map(|exported| &exported.files) {
        text.push_str(&format!("\nwrote {}", file.display()));
    }
    let value = json!({
        "deployed": false,
        "name": plan.name,
        "target": request.target.describe(),
        "url": plan.url,
        "version": null,
        "startupMs": null,
        "masterKey": null,
        "plan": plan_json(plan),
        "checks": [],
    });
    Outcome::new(text, value)
}

/// One question of the check as a line.
pub(super) fn check(check: &Check) -> String {
    let mark = outcome(check.outcome);
    format!("{mark} {}: {}", check.name, check.detail)
}

fn outcome(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Passed => "passed",
        CheckOutcome::Failed => "failed",
        CheckOutcome::Skipped => "skipped",
    }
}

pub(super) fn check_json(check: &Check) -> Value {
    json!({ "name": check.name, "outcome": outcome(check.outcome), "detail": check.detail })
}

/// What an export answers.
pub(super) fn exported(
    request: &Request,
    out: &Path,
    exported: &Exported,
    made: Option<&Secret>,
    is_project: bool,
) -> Outcome {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(exported.files.iter().map(|file| format!("wrote {}", file.display())));
    if is_project {
        lines.push("deploy it with:".to_owned());
        let folder = out.display();
        lines.push(format!("  (cd {folder} && npx wrangler deploy --secrets-file secrets.json)"));
    } else {
        lines.push("upload it with:".to_owned());
        let (file, name) = (out.display(), &request.name);
        lines.push(format!("  npx wrangler secret bulk {file} --name {name}"));
    }
    lines.push("it holds secrets: remove it afterwards".to_owned());
    if let Some(made) = made {
        lines.push(format!("master key, shown this once: {}", made.expose()));
    }
    let files: Vec<_> = exported.files.iter().map(|file| file.display().to_string()).collect();
    let value = json!({
        "exported": files,
        "secretBytes": exported.secret_bytes,
        "name": request.name,
        "masterKey": made.map(Secret::expose),
    });
    Outcome::new(lines.join("\n"), value)
}
