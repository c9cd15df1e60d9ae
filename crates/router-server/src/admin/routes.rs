//! What operators can ask and say.

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Response, StatusCode, request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use router_config::{Diagnostic, Severity};
use serde_json::{Value, json};

use super::Admin;
use super::answer::{Problem, ok, text};
use crate::app::{Snapshot, now};
use crate::explain::{self, Question, QuestionError};
use crate::reload::{self, Source};
use crate::telemetry::{self, Gauges};

/// Bytes of a request's body at most.
const BODY_BYTES_MAX: usize = 64 * 1024;

pub(super) type Answer = Result<Response<Full<Bytes>>, Problem>;

/// Answers a request that presented the key.
pub(super) async fn answer(
    admin: &Admin,
    snapshot: &Snapshot,
    head: &request::Parts,
    body: Incoming,
) -> Answer {
    if let (Some(control), Some(command)) =
        (&admin.control, head.uri.path().strip_prefix("/control/"))
    {
        return super::control::answer(admin, control, (&head.method, command), body).await;
    }
    match (head.method.as_str(), head.uri.path()) {
        ("GET", "/metrics") => Ok(metrics(admin, snapshot)),
        ("GET", "/admin/status") => Ok(ok(&status(admin, snapshot))),
        ("GET", "/admin/cooldowns") => Ok(ok(&json!({ "cooldowns": admin.app.store.held(now()) }))),
        ("DELETE", "/admin/cooldowns") => clear(admin, snapshot, head),
        ("POST", "/admin/explain") => explain(admin, snapshot, head, body).await,
        ("POST", "/admin/reload") => reload(admin),
        (_, "/metrics" | "/admin/status") => Err(Problem::method("GET")),
        (_, "/admin/cooldowns") => Err(Problem::method("GET, DELETE")),
        (_, "/admin/explain" | "/admin/reload") => Err(Problem::method("POST")),
        _ => {
            let message = "there are /metrics, /admin/status, /admin/cooldowns, /admin/explain and \
                           /admin/reload";
            Err(Problem::new(StatusCode::NOT_FOUND, "not_found", message))
        }
    }
}

fn metrics(admin: &Admin, snapshot: &Snapshot) -> Response<Full<Bytes>> {
    let now = now();
    let gauges = Gauges {
        providers: admin.app.store.status(&snapshot.table, now),
        clients: admin.app.store.clients(&snapshot.table, now),
        held: admin.app.store.held(now),
        records: admin.app.records.as_ref().map(|records| (records.written(), records.dropped())),
        now,
    };
    let page = telemetry::render(&admin.app.telemetry, &gauges);
    text("text/plain; version=0.0.4; charset=utf-8", page)
}

fn status(admin: &Admin, snapshot: &Snapshot) -> Value {
    let (now, telemetry) = (now(), &admin.app.telemetry);
    let (reloads, refused) = telemetry.reloads();
    let path = match &admin.source {
        Source::File(path) => Some(path),
        Source::Text(_) => None,
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "address": admin.address,
        "uptime_s": telemetry.started().elapsed().as_secs(),
        "now": now,
        "config": {
            "path": path,
            "in_force_since": snapshot.since,
            "reloads": reloads,
            "refused": refused,
        },
        "client_key": snapshot.auth,
        "default_model": snapshot.config.catalog.default_model,
        "aliases": snapshot.config.catalog.aliases.keys().collect::<Vec<_>>(),
        "in_flight": telemetry.in_flight(),
        "providers": admin.app.store.status(&snapshot.table, now),
        "clients": admin.app.store.clients(&snapshot.table, now),
        "cooldowns": admin.app.store.held(now),
    })
}

/// Ends cooldowns and closes circuits: of `?provider=ID`, or all.
fn clear(admin: &Admin, snapshot: &Snapshot, head: &request::Parts) -> Answer {
    let query = head.uri.query().unwrap_or_default();
    let mut provider = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        // A misspelt name must not clear everything.
        let Some(id) = pair.strip_prefix("provider=") else {
            let message = format!("unknown parameter `{pair}`; use `provider=ID`");
            return Err(bad_request(message));
        };
        provider = Some(id);
    }
    let providers = &snapshot.config.catalog.providers;
    if let Some(id) = provider.filter(|id| providers.iter().all(|each| each.id != *id)) {
        let message = format!("no provider `{id}`");
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_provider", message));
    }
    let cleared = admin.app.store.clear(provider, now());
    tracing::info!(provider, cleared, "cooldowns cleared");
    Ok(ok(&json!({ "cleared": cleared })))
}

async fn explain(
    admin: &Admin,
    snapshot: &Snapshot,
    head: &request::Parts,
    body: Incoming,
) -> Answer {
    let question: Question = read(body).await?;
    let explanation = explain::ask(&admin.app.store, &snapshot.table, &question);
    let explanation = explanation.map_err(|error| match error {
        QuestionError::Model(_) => {
            Problem::new(StatusCode::NOT_FOUND, "unknown_model", error.to_string())
        }
        QuestionError::Dialect(_) | QuestionError::Client(_) => bad_request(error.to_string()),
    })?;
    let accept = head.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.starts_with("text/plain")) {
        return Ok(text("text/plain; charset=utf-8", explanation.to_string()));
    }
    Ok(ok(&json!(explanation)))
}

/// The request's JSON body.
pub(super) async fn read<T: serde::de::DeserializeOwned>(body: Incoming) -> Result<T, Problem> {
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| bad_request(format!("cannot read the body: {error}")))?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|error| bad_request(format!("the body is not understood: {error}")))
}

fn bad_request(message: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_request", message)
}

fn reload(admin: &Admin) -> Answer {
    let applied = reload::apply(&admin.app, &admin.source);
    admin.app.telemetry.reloaded(applied.is_ok());
    let applied = applied.map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "config_refused", error.to_string())
    })?;
    let catalog = &admin.app.snapshot().config.catalog;
    Ok(ok(&json!({
        "reloaded": true,
        "providers": catalog.providers.len(),
        "aliases": catalog.aliases.len(),
        "changes": applied.changes,
        "problems": applied.problems.iter().map(problem).collect::<Vec<_>>(),
    })))
}

fn problem(each: &Diagnostic) -> Value {
    json!({
        "severity": if each.severity == Severity::Error { "error" } else { "warning" },
        "path": each.path,
        "line": each.line,
        "column": each.column,
        "message": each.message,
        "hint": each.hint,
    })
}
