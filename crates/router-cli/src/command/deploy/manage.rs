//! `llm-router deploy status | diff | rollback | delete | logs`.

use router_deploy::{Difference, Status, Tail, TailEvent, deployments, plan_delete};
use serde_json::{Value, json};

use super::{Subject, module, payload};
use crate::args::deploy::{Delete, Diff, Logs, Place, Rollback};
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::{note, result};

/// Deployments shown.
const SHOWN_MAX: usize = 5;

pub(super) async fn status(cx: &Cx, place: &Place) -> Result<Outcome, Failure> {
    let subject = Subject::new(place)?;
    let session = subject.session(cx, place).await?;
    let status = router_deploy::status(&session.api, &session.account, &subject.name).await?;
    let Some(existing) = &status.existing else {
        let value = json!({ "name": subject.name, "exists": false });
        return Ok(Outcome::new(format!("there is no Worker `{}`", subject.name), value)
            .bad_news(Kind::Failed));
    };
    let marker = existing.marker.as_ref();
    let mut lines = vec![format!("Worker {} of {}", subject.name, session.account.name)];
    lines.push(format!("deployed by: {}", marker.map_or("another program", |m| m.by.as_str())));
    lines.extend(status.urls.iter().map(|url| format!("address: {url}")));
    lines.extend(
        status
            .left_over
            .iter()
            .map(|what| format!("left over: {what}, which the last deploy did not ask for")),
    );
    if status.previews {
        lines.push("warning: every version has an address of its own".to_owned());
    }
    let key = if existing.has_own_key() { "its own" } else { "the config's" };
    lines.push(format!("master key: {key}"));
    lines.extend(existing.migration_tag.iter().map(|tag| format!("migration: {tag}")));
    let names: Vec<_> =
        existing.bindings.iter().map(|(name, kind)| format!("{name} ({kind})")).collect();
    lines.push(format!("bindings: {}", names.join(", ")));
    for each in status.deployments.iter().take(SHOWN_MAX) {
        let message = each.message.as_deref().unwrap_or("");
        lines.push(format!("{} {} {message}", each.created, each.version).trim_end().to_owned());
    }
    Ok(Outcome::new(lines.join("\n"), status_json(&subject.name, &status)))
}

fn status_json(name: &str, status: &Status) -> Value {
    let existing = status.existing.as_ref();
    let marker = existing.and_then(|existing| existing.marker.as_ref());
    let deployments: Vec<Value> = status
        .deployments
        .iter()
        .map(|each| json!({ "version": each.version, "created": each.created, "message": each.message, "author": each.author }))
        .collect();
    json!({
        "name": name,
        "exists": true,
        "by": marker.map(|marker| marker.by.clone()),
        "urls": status.urls,
        "leftOver": status.left_over,
        "workersDev": status.workers_dev,
        "previews": status.previews,
        "ownKey": existing.is_some_and(router_deploy::Existing::has_own_key),
        "migration": existing.and_then(|existing| existing.migration_tag.clone()),
        "bindings": existing.map(|existing| existing.bindings.clone()),
        "deployments": deployments,
    })
}

/// Exits with 1 if there is a difference, as `diff` does.
pub(super) async fn diff(cx: &Cx, flags: &Diff) -> Result<Outcome, Failure> {
    let subject = Subject::new(&flags.place)?;
    let payload = payload(cx, flags.config_store)?;
    // Without code to compare, only the config is compared.
    let module = match &flags.module {
        Some(folder) => Some(module(Some(folder))?),
        None => router_deploy::Module::embedded().transpose()?,
    };
    let session = subject.session(cx, &flags.place).await?;
    let status = router_deploy::status(&session.api, &session.account, &subject.name).await?;
    let marker = status.existing.as_ref().and_then(|existing| existing.marker.as_ref());
    let marker = marker.ok_or_else(|| {
        Failure::failed(format!("`{}` was not deployed by this program", subject.name))
            .hint("`llm-router deploy` deploys it, or check --name and --env")
    })?;
    let mut differences = router_deploy::diff(marker, &payload, module.as_ref());
    differences.extend(status.left_over.iter().cloned().map(Difference::Removed));
    let lines = differences.iter().map(|each| match each {
        Difference::Added(what) => format!("+ {what}"),
        Difference::Changed(what) => format!("~ {what}"),
        Difference::Removed(what) => format!("- {what}"),
    });
    let list = |kind: fn(&Difference) -> Option<&String>| -> Vec<&String> {
        differences.iter().filter_map(kind).collect()
    };
    let value = json!({
        "name": subject.name,
        "same": differences.is_empty(),
        "added": list(|each| if let Difference::Added(what) = each { Some(what) } else { None }),
        "changed": list(|each| if let Difference::Changed(what) = each { Some(what) } else { None }),
        "removed": list(|each| if let Difference::Removed(what) = each { Some(what) } else { None }),
    });
    if differences.is_empty() {
        return Ok(Outcome::new("what is deployed is what is here", value));
    }
    Ok(Outcome::new(lines.collect::<Vec<_>>().join("\n"), value).bad_news(Kind::Failed))
}

pub(super) async fn rollback(cx: &Cx, flags: &Rollback) -> Result<Outcome, Failure> {
    let subject = Subject::new(&flags.place)?;
    let session = subject.session(cx, &flags.place).await?;
    let (api, account, name) = (&session.api, &session.account, &subject.name);
    let all = deployments(api, account, name).await?;
    let now = all.first().map(|each| each.version.clone());
    let version = match &flags.version {
        Some(version) => version.clone(),
        None => all
            .iter()
            .map(|each| &each.version)
            .find(|version| Some(*version) != now.as_ref())
            .cloned()
            .ok_or_else(|| Failure::failed(format!("`{name}` has no earlier version")))?,
    };
    if flags.force {
        note("secrets come back as they were: a key replaced since then is valid again");
    }
    cx.confirm(&format!("Send all traffic of {name} to version {version}?"))?;
    router_deploy::rollback(api, account, name, &version, flags.force).await?;
    let value = json!({ "name": name, "version": version, "before": now, "forced": flags.force });
    Ok(Outcome::new(format!("all traffic of {name} goes to version {version}"), value))
}

pub(super) async fn delete(cx: &Cx, flags: &Delete) -> Result<Outcome, Failure> {
    let subject = Subject::new(&flags.place)?;
    let session = subject.session(cx, &flags.place).await?;
    let (api, account, name) = (&session.api, &session.account, &subject.name);
    let removals = plan_delete(api, account, name).await?;
    let whats: Vec<&String> = removals.iter().map(|each| &each.what).collect();
    let answer = |deleted: bool| json!({ "name": name, "deleted": deleted, "removed": whats });
    if removals.is_empty() {
        return Ok(Outcome::new(format!("there is no Worker `{name}`"), answer(false)));
    }
    let list: Vec<String> = whats.iter().map(|what| format!("- {what}")).collect();
    if flags.dry_run {
        let text = format!("{}\ndry run: nothing was removed", list.join("\n"));
        return Ok(Outcome::new(text, answer(false)));
    }
    if !cx.yes && !cx.may_ask {
        return Err(Failure::input(format!("deleting `{name}` needs --yes"))
            .hint("--dry-run shows what would be removed"));
    }
    note(&list.join("\n"));
    cx.confirm(&format!("Delete {name} for good?"))?;
    let quiet = cx.json;
    let mut progress = |removal: &router_deploy::Removal| {
        if !quiet {
            note(&format!("removing {}", removal.what));
        }
    };
    router_deploy::delete(api, &removals, &mut progress).await?;
    Ok(Outcome::new(format!("deleted {name}"), answer(true)))
}

pub(super) async fn logs(cx: &Cx, flags: &Logs) -> Result<Outcome, Failure> {
    let subject = Subject::new(&flags.place)?;
    let session = subject.session(cx, &flags.place).await?;
    let client = session.client.http1();
    let tail = Tail::open(&session.api, &client, &session.account, &subject.name).await;
    let mut tail = tail?;
    if !cx.json {
        note(&format!("listening to {}; Ctrl-C ends it", subject.name));
    }
    let mut left = flags.limit.unwrap_or(u64::MAX);
    let mut ended = Ok(());
    while left > 0 {
        let next = tokio::select! {
            next = tail.next() => next,
            _ = tokio::signal::ctrl_c() => break,
        };
        match next {
            Ok(Some(event)) => print(cx, &event),
            Ok(None) => break,
            Err(failure) => {
                ended = Err(failure);
                break;
            }
        }
        left -= 1;
    }
    tail.close(&session.api).await?;
    ended.map(|()| Outcome::printed())
}

fn print(cx: &Cx, event: &TailEvent) {
    if cx.json {
        let logs = event.logs.iter().map(|(level, text)| json!({ "level": level, "text": text }));
        let (method, path) = event.request.clone().unzip();
        let line = json!({
            "at": event.at,
            "outcome": event.outcome,
            "method": method,
            "path": path,
            "status": event.status,
            "logs": logs.collect::<Vec<_>>(),
            "exceptions": event.exceptions,
        });
        result(&line.to_string());
        return;
    }
    let at = jiff::Timestamp::from_millisecond(event.at).unwrap_or_default();
    let (method, path) = event.request.clone().unwrap_or_default();
    let status = event.status.map(|status| status.to_string()).unwrap_or_default();
    let mut lines = vec![format!("{at} {} {method} {path} {status}", event.outcome)];
    lines.extend(event.logs.iter().map(|(level, text)| format!("  {level}: {text}")));
    lines.extend(event.exceptions.iter().map(|text| format!("  exception: {text}")));
    result(&lines.join("\n"));
}
