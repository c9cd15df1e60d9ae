//! Answers about the router itself: alive, ready, what it serves, which models it knows.

use http::{Response, StatusCode, request};
use router_core::catalog::{Catalog, Model, Provider};
use router_core::resolve::{Route, shown};
use router_wire::Dialect;
use router_wire::detect::HeaderHints;
use router_wire::error::{ClientError, ErrorKind};
use router_wire::models::{self, ModelRow, Page};
use serde_json::json;

use super::auth::Caller;
use crate::host::Host;
use crate::reply::{self, ReplyBody};
use crate::snapshot::Snapshot;

/// Who owns an alias, in lists of models.
const OWNER: &str = "llm-router";

fn ok<H: Host>(body: Vec<u8>) -> Response<ReplyBody<H>> {
    reply::json(StatusCode::OK, body)
}

/// The process is alive. Open to everybody, and says nothing worth hiding.
pub(super) fn health<H: Host>(snapshot: &Snapshot) -> Response<ReplyBody<H>> {
    let providers = snapshot.config.catalog.providers.len();
    let timestamp = models::rfc3339(H::now().0 / 1_000);
    let body = json!({ "status": "ok", "timestamp": timestamp, "providers": providers });
    ok(body.to_string().into_bytes())
}

/// Requests can be served: there is a provider with a model, and nothing keeps everybody out.
pub(super) fn ready<H: Host>(host: &H) -> Response<ReplyBody<H>> {
    let snapshot = host.snapshot();
    let is_ready = snapshot.config.catalog.providers.iter().any(|each| !each.models.is_empty());
    let reason = match &snapshot.closed {
        Some(why) => Some(why.as_str()),
        None if is_ready => None,
        None => Some("no provider with a model"),
    };
    let mut body = match reason {
        None => json!({ "status": "ready" }),
        Some(reason) => json!({ "status": "not ready", "reason": reason }),
    };
    if let (Some(caveat), Some(body)) = (host.caveat(), body.as_object_mut()) {
        body.insert("state".to_owned(), caveat.into());
    }
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    reply::json(status, body.to_string())
}

/// What Claude Code asks before its first request.
pub(super) fn hello<H: Host>() -> Response<ReplyBody<H>> {
    ok(json!({ "message": "hello" }).to_string().into_bytes())
}

/// What this service is and where it answers.
pub(super) fn service<H: Host>() -> Response<ReplyBody<H>> {
    let body = json!({
        "name": "llm-router",
        "version": env!("CARGO_PKG_VERSION"),
        "status": "ok",
        "endpoints": {
            "unified": ["/", "/v1", "/route", "/router"],
            "anthropic": ["/anthropic", "/v1/messages", "/v1/messages/count_tokens"],
            "openai": ["/openai", "/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions"],
            "gemini": ["/gemini", "/v1beta/models/{model}:generateContent", "/v1beta/models/{model}:streamGenerateContent"],
            "models": ["/v1/models", "/v1/models/{id}"],
            "status": ["/health", "/ready"],
        },
    });
    ok(body.to_string().into_bytes())
}

/// Every name the caller may ask for, in the shape its kind of client reads.
pub(super) fn models<H: Host>(
    snapshot: &Snapshot,
    caller: Caller,
    head: &request::Parts,
    shape: Option<Dialect>,
) -> Response<ReplyBody<H>> {
    let names = names(&snapshot.config.catalog, caller);
    let rows: Vec<ModelRow<'_>> = names.iter().map(Name::row).collect();
    let query = Query::of(head);
    let page = Page {
        limit: query.get("limit").and_then(|text| text.parse().ok()),
        after_id: query.get("after_id"),
        before_id: query.get("before_id"),
    };
    ok(models::render_list(shape_of(head, shape), &rows, page))
}

/// One of those names.
pub(super) fn model<H: Host>(
    snapshot: &Snapshot,
    caller: Caller,
    head: &request::Parts,
    id: &str,
    shape: Option<Dialect>,
) -> Result<Response<ReplyBody<H>>, ClientError> {
    let id = id.strip_prefix("models/").unwrap_or(id);
    let names = names(&snapshot.config.catalog, caller);
    let Some(name) = names.iter().find(|name| name.id == id) else {
        let id = shown(id);
        let message = format!("no model `{id}`; GET /v1/models lists those there are");
        return Err(ClientError::new(ErrorKind::ModelNotFound, message));
    };
    Ok(ok(models::render_one(shape_of(head, shape), &name.row())))
}

fn shape_of(head: &request::Parts, shape: Option<Dialect>) -> Dialect {
    let hints = HeaderHints::new(|name| head.headers.contains_key(name));
    shape.unwrap_or_else(|| hints.models_shape())
}

/// A name clients can ask for.
struct Name<'a> {
    id: String,
    owner: &'a str,
    shown: String,
    context_window: Option<u64>,
    dialects: &'a [Dialect],
}

impl Name<'_> {
    fn row(&self) -> ModelRow<'_> {
        ModelRow {
            id: &self.id,
            owned_by: self.owner,
            display_name: &self.shown,
            context_window: self.context_window,
            dialects: self.dialects,
            ..ModelRow::default()
        }
    }
}

/// Aliases first: they are what an operator made for clients to choose.
fn names(catalog: &Catalog, caller: Caller) -> Vec<Name<'_>> {
    let client = caller.client().and_then(|index| catalog.clients.get(index));
    let allows = |route: &Route| client.is_none_or(|client| client.allows(route));
    let aliases = catalog.aliases.keys().filter(|alias| allows(&Route::Alias((*alias).clone())));
    let aliases = aliases.map(|alias| Name {
        id: alias.clone(),
        owner: OWNER,
        shown: alias.clone(),
        context_window: None,
        dialects: &[],
    });
    let models = catalog.models().filter(|model| allows(&Route::Direct(*model)));
    let models =
        models.filter_map(|model| Some(of_model(catalog.provider(model)?, catalog.model(model)?)));
    aliases.chain(models).collect()
}

fn of_model<'a>(provider: &'a Provider, model: &'a Model) -> Name<'a> {
    let dialects = if model.dialects.is_empty() { &provider.dialects } else { &model.dialects };
    Name {
        id: format!("{}/{}", provider.id, model.id),
        owner: &provider.id,
        shown: format!("{} ({})", model.id, provider.id),
        context_window: model.context_window,
        dialects,
    }
}

/// The query of a request target, looked up by name.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn of(head: &'a request::Parts) -> Self {
        Self(head.uri.query().unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        // Ids are made of characters that need no encoding but for the slash.
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
    }
}
