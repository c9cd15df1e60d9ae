//! `llm-router deploy` itself: plan, show, apply, check.

use std::path::{Path, PathBuf};
use std::time::Duration;

use router_config::Secret;
use router_deploy::{
    Applied, Check, CheckRequest, Exported, KeySource, Outcome as CheckOutcome, Payload, Plan,
    Request, Survey, Target, TargetFlags, choose_target, export_payload, export_project, plan,
};
use serde_json::{Value, json};

use super::{
    Session, Subject, check_headers, check_save_key, check_strength, module, payload, save_key,
    show, wanted_key,
};
use crate::args::deploy::Up;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::note;

/// Where the older program exported to.
const EXPORT_FILE: &str = ".llm-router.worker.json";

pub(super) async fn run(cx: &Cx, flags: &Up) -> Result<Outcome, Failure> {
    let subject = Subject::new(&flags.place)?;
    let payload = payload(cx, flags.config_store)?;
    let key = wanted_key(cx, &flags.key)?;
    check_save_key(&flags.key, key.is_some() && flags.key.master_key.is_none())?;
    if let Some(key) = key.as_ref().or(payload.master_key.as_ref()) {
        check_strength(cx, &flags.key, key)?;
    }
    if flags.export_only == Some(true) {
        return export_only(cx, flags, &subject, payload, key);
    }
    let target = target(flags, &subject)?;
    // What is missing of the check is told before anything is sent.
    let headers = check_headers(cx, &flags.check)?;
    let dry_run = flags.dry_run == Some(true);
    let (session, survey) = if dry_run {
        (None, Survey::offline(subject.account(&flags.place).as_deref()))
    } else {
        let session = subject.session(cx, &flags.place).await?;
        let survey = survey(&subject, &target, &payload, &session).await?;
        (Some(session), survey)
    };
    let request = Request {
        key: key_source(&payload, key.clone(), &survey, dry_run)?,
        name: subject.name.clone(),
        target,
        module: module(flags.module.as_deref())?,
        payload,
        vars: subject.project.vars.clone(),
        take_routes: flags.take_routes,
    };
    let plan = plan(&request, &survey)?;
    let exported = match &flags.out {
        Some(out) => Some(export(cx, &request, out)?),
        None => None,
    };
    let Some(session) = session else {
        return Ok(show::dry_run(&request, &plan, exported.as_ref()));
    };
    check_limits(cx, flags, &plan)?;
    if !cx.json {
        note(&show::plan(&request, &plan));
    }
    cx.confirm("Deploy this?")?;
    let made = key.filter(|_| flags.key.master_key.is_none());
    if let Some(made) = &made {
        save_key(&flags.key, made)?;
    }
    let applied = apply(cx, &session, &plan).await;
    let applied = applied.map_err(|failure| with_key(failure, made.as_ref()))?;
    let checks = check(cx, flags, &session, &request, (&applied, headers)).await;
    Ok(done(&request, &plan, &applied, made.as_ref(), &checks))
}

fn target(flags: &Up, subject: &Subject) -> Result<Target, Failure> {
    let wanted = TargetFlags {
        workers_dev: flags.workers_dev,
        route_pattern: flags.route_pattern.clone().or_else(|| flags.domain.clone()),
        custom_domain: flags.custom_domain.clone(),
        zone_name: flags.zone_name.clone(),
    };
    choose_target(&wanted, &subject.project)
}

async fn survey(
    subject: &Subject,
    target: &Target,
    payload: &Payload,
    session: &Session,
) -> Result<Survey, Failure> {
    let Session { api, account, .. } = session;
    router_deploy::survey(api, account, &subject.name, target, payload.store).await
}

/// A key that was given or made comes first, then the one the Worker has of its own, then the
/// config's.
fn key_source(
    payload: &Payload,
    given: Option<Secret>,
    survey: &Survey,
    dry_run: bool,
) -> Result<KeySource, Failure> {
    if let Some(key) = given {
        return Ok(KeySource::Set(key));
    }
    if survey.existing.as_ref().is_some_and(router_deploy::Existing::has_own_key) {
        return Ok(KeySource::Keep);
    }
    if payload.master_key.is_some() {
        return Ok(KeySource::Config);
    }
    let what = "there is no master key for the Worker, which is open to the Internet";
    let hint = "--generate-master-key makes one; or set masterKey in the config";
    if dry_run {
        return Err(Failure::input(format!("{what}, unless it has one already")).hint(hint));
    }
    Err(Failure::input(what).hint(hint))
}

/// Stops at what no plan allows, and asks about what only a paid plan does.
fn check_limits(cx: &Cx, flags: &Up, plan: &Plan) -> Result<(), Failure> {
    for limit in &plan.limits {
        let may = limit.on_paid && (flags.allow_large_config == Some(true) || cx.yes);
        if limit.on_paid && !may && cx.may_ask {
            note(&limit.what);
            cx.confirm("Is the account on a paid plan?")?;
        } else if !may {
            let hint = if limit.on_paid {
                format!("{}; on a paid plan, add --allow-large-config", limit.hint)
            } else {
                limit.hint.to_owned()
            };
            return Err(Failure::input(limit.what.clone()).hint(hint));
        }
    }
    Ok(())
}

async fn apply(cx: &Cx, session: &Session, plan: &Plan) -> Result<Applied, Failure> {
    let quiet = cx.json;
    let mut count = 0;
    let mut progress = |step: &router_deploy::Step| {
        count += 1;
        if !quiet {
            note(&format!("{count}/{} {}", plan.steps.len(), step.what));
        }
    };
    router_deploy::apply(&session.api, plan, &mut progress).await
}

/// A key that was made must not be lost with a failure: it may already be in force.
fn with_key(failure: Failure, made: Option<&Secret>) -> Failure {
    let Some(made) = made else { return failure };
    note(&format!("the key that was made, in case it is in force: {}", made.expose()));
    failure
}

async fn check(
    cx: &Cx,
    flags: &Up,
    session: &Session,
    request: &Request,
    (applied, headers): (&Applied, Vec<(String, Secret)>),
) -> Vec<Check> {
    let url = flags.check.check_url.clone().or_else(|| applied.url.clone());
    let Some(url) = url.filter(|_| !flags.check.no_check) else { return Vec::new() };
    let key = match &request.key {
        KeySource::Set(key) => Some(key.clone()),
        KeySource::Config => request.payload.master_key.clone(),
        KeySource::Keep => None,
    };
    if !cx.json {
        note(&format!("asking {url}"));
    }
    let model = flags.check_model.clone().or_else(|| request.payload.model.clone());
    let question = CheckRequest {
        url: url.trim_end_matches('/').to_owned(),
        key,
        model: (!flags.no_check_stream).then_some(model).flatten(),
        headers,
        wait: Duration::from_secs(flags.check.check_wait),
    };
    router_deploy::check(&session.client, &question).await
}

fn done(
    request: &Request,
    plan: &Plan,
    applied: &Applied,
    made: Option<&Secret>,
    checks: &[Check],
) -> Outcome {
    let failed = checks.iter().any(|check| check.outcome == CheckOutcome::Failed);
    let mut lines = vec![format!("deployed {} ({})", plan.name, request.target.describe())];
    lines.extend(applied.url.iter().map(|url| format!("address: {url}")));
    lines.extend(applied.version.iter().map(|version| format!("version: {version}")));
    lines.extend(checks.iter().map(show::check));
    if let Some(made) = made {
        lines.push(format!("master key, shown this once: {}", made.expose()));
    }
    if failed {
        lines.push("the Worker is deployed but does not answer as it should".to_owned());
        lines.push("`llm-router deploy logs` shows why; `deploy rollback` goes back".to_owned());
    }
    let value = json!({
        "deployed": true,
        "name": plan.name,
        "target": request.target.describe(),
        "url": applied.url,
        "version": applied.version,
        "startupMs": applied.startup_ms,
        "masterKey": made.map(Secret::expose),
        "plan": show::plan_json(plan),
        "checks": checks.iter().map(show::check_json).collect::<Vec<Value>>(),
    });
    let outcome = Outcome::new(lines.join("\n"), value);
    if failed { outcome.bad_news(Kind::Failed) } else { outcome }
}

fn export_only(
    cx: &Cx,
    flags: &Up,
    subject: &Subject,
    payload: Payload,
    key: Option<Secret>,
) -> Result<Outcome, Failure> {
    let out = flags.out.clone().unwrap_or_else(|| PathBuf::from(EXPORT_FILE));
    let made = key.clone().filter(|_| flags.key.master_key.is_none());
    let is_project = is_folder(&out);
    let target = if is_project { target(flags, subject)? } else { Target::default() };
    let request = Request {
        key: key_source(&payload, key, &Survey::default(), true)?,
        name: subject.name.clone(),
        target,
        module: module(flags.module.as_deref())?,
        payload,
        vars: subject.project.vars.clone(),
        take_routes: false,
    };
    if let Some(made) = &made {
        save_key(&flags.key, made)?;
    }
    let exported = export(cx, &request, &out)?;
    Ok(show::exported(&request, &out, &exported, made.as_ref(), is_project))
}

fn export(cx: &Cx, request: &Request, out: &Path) -> Result<Exported, Failure> {
    if is_folder(out) {
        return export_project(request, out, cx.yes);
    }
    export_payload(request, out)
}

/// Whether a path means a folder: one that is there, or one with a slash at its end.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/')
}
