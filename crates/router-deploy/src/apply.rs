//! Makes the calls of a plan, in its order.

use router_operator::Failure;
use serde_json::Value;

use crate::Api;
use crate::api::{Body, may_be_done};
use crate::plan::{Action, NAMESPACE, Plan, Step};
use crate::survey::text;

/// What came of a plan.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Calls made.
    pub steps: usize,
    /// Where the Worker answers, if that is known.
    pub url: Option<String>,
    /// The version that was uploaded.
    pub version: Option<String>,
    /// Milliseconds the module took to start, as Cloudflare measured it.
    pub startup_ms: Option<u64>,
}

/// Carries out `plan`. Every call leaves the Worker whole: before the upload the old one runs
/// untouched, and after it the new one does. Running the same deploy again continues.
pub async fn apply(
    api: &Api,
    plan: &Plan,
    progress: &mut (dyn FnMut(&Step) + Send),
) -> Result<Applied, Failure> {
    let mut applied = Applied { url: plan.url.clone(), ..Applied::default() };
    let mut namespace = String::new();
    let mut is_up = false;
    for step in &plan.steps {
        progress(step);
        let result = make(api, plan, step, &namespace).await;
        let result = result.map_err(|failure| stopped(plan, step, &applied, is_up, failure))?;
        match &step.action {
            Action::Namespace(_) => namespace = text(&result, "id").unwrap_or_default(),
            Action::Upload => {
                is_up = true;
                applied.version = text(&result, "deployment_id").map(|id| hyphenated(&id));
                applied.startup_ms = result.get("startup_time_ms").and_then(Value::as_u64);
            }
            Action::Json(_) | Action::Raw(_) => {}
        }
        applied.steps += 1;
    }
    Ok(applied)
}

/// The id of a version as other calls have it: the upload's answer leaves the dashes out.
fn hyphenated(id: &str) -> String {
    let mut out = String::with_capacity(id.len() + 4);
    for (index, letter) in id.chars().enumerate() {
        if id.len() == 32 && matches!(index, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(letter);
    }
    out
}

async fn make(api: &Api, plan: &Plan, step: &Step, namespace: &str) -> Result<Value, Failure> {
    let path = step.path.replace(NAMESPACE, namespace);
    let body = match &step.action {
        Action::Json(value) | Action::Namespace(value) => Body::json(value),
        Action::Raw(bytes) => {
            Body { content_type: "application/octet-stream".to_owned(), bytes: bytes.clone() }
        }
        Action::Upload => {
            let (content_type, bytes) = plan.upload.form(namespace)?;
            Body { content_type, bytes }
        }
    };
    api.call(step.method.clone(), &path, Some(body)).await
}

fn stopped(plan: &Plan, step: &Step, done: &Applied, is_up: bool, failure: Failure) -> Failure {
    let (at, of) = (done.steps + 1, plan.steps.len());
    let state = if is_up {
        "the new Worker is up, but not everything around it is set"
    } else if matches!(step.action, Action::Upload) && may_be_done(&failure) {
        "the upload may have arrived all the same: `llm-router deploy status` tells"
    } else {
        "the Worker is as it was before"
    };
    let message = format!("step {at} of {of} ({}): {failure}; {state}", step.what);
    let again = "the same command continues where this one stopped";
    let hint =
        failure.hint.as_ref().map_or_else(|| again.to_owned(), |hint| format!("{hint}; {again}"));
    Failure { message, hint: Some(hint), ..failure }
}
