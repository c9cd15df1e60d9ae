//! Questions about where a request would go, answered by the planner itself.

use std::sync::Arc;

use router_core::catalog::Catalog;
use router_core::explain::Explanation;
use router_core::plan::RequestFacts;
use router_core::resolve::{self, ResolveError, Route};
use router_core::session::{Hints, SessionKey, named};
use router_core::state::Table;
use router_drive::estimate;
use router_store::Store;
use router_wire::Dialect;
use serde::Deserialize;

use crate::app::now;

/// A request that could be made.
#[derive(Clone, Debug, Default, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The model as a client would name it; `None` asks for the default one.
    #[serde(default)]
    pub model: Option<String>,
    /// The client's dialect as config spells it, or the name of a program that speaks it;
    /// `openai-chat` if `None`.
    #[serde(default)]
    pub dialect: Option<String>,
    /// The session as a client would name it.
    #[serde(default)]
    pub session: Option<String>,
    /// Size of the request's body, from which its tokens are estimated.
    #[serde(default, alias = "bodyBytes")]
    pub body_bytes: usize,
    /// Whether only an upstream of the same dialect could answer, as for embeddings.
    #[serde(default, alias = "nativeOnly")]
    pub native_only: bool,
    /// Label of the client key it comes with; the master key if `None`.
    #[serde(default)]
    pub client: Option<String>,
}

/// Why there is no explanation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QuestionError {
    /// The model means nothing.
    #[error(transparent)]
    Model(#[from] ResolveError),
    /// The dialect does not exist.
    #[error(
        "unknown dialect `{0}`: use anthropic, openai-chat, openai-responses, gemini, \
         claude-code, codex or gemini-cli"
    )]
    Dialect(String),
    /// There is no such client key, or it may not ask for the model.
    #[error("{0}")]
    Client(String),
}

/// The dialect of that name, or of that program.
pub fn dialect(name: &str) -> Option<Dialect> {
    match name.trim() {
        "claude-code" => Some(Dialect::Anthropic),
        "codex" => Some(Dialect::OpenaiResponses),
        "gemini-cli" => Some(Dialect::Gemini),
        name => Dialect::from_config_name(name),
    }
}

/// Answers from a config alone: nothing counted, nothing failed yet.
pub fn offline(catalog: Catalog, question: &Question) -> Result<Explanation, QuestionError> {
    let store = Store::default();
    let table = store.install(Arc::new(catalog), now());
    ask(&store, &table, question)
}

/// Answers from the state as it is, and changes nothing in it.
pub(crate) fn ask(
    store: &Store,
    table: &Table,
    question: &Question,
) -> Result<Explanation, QuestionError> {
    let (route, facts) = facts(table.catalog(), question)?;
    Ok(store.explain(table, &route, &facts, now()))
}

fn facts(catalog: &Catalog, question: &Question) -> Result<(Route, RequestFacts), QuestionError> {
    let unknown = |name: &str| QuestionError::Dialect(name.to_owned());
    let inbound =
        question.dialect.as_deref().map(|name| dialect(name).ok_or_else(|| unknown(name)));
    let route = resolve::resolve(catalog, question.model.as_deref())?;
    let client = question.client.as_deref().map(|label| client(catalog, label, &route));
    let facts = RequestFacts {
        inbound: inbound.transpose()?.unwrap_or(Dialect::OpenaiChat),
        native_only: question.native_only,
        session: question.session.as_deref().and_then(session),
        tokens: estimate(question.body_bytes),
        client: client.transpose()?,
    };
    Ok((route, facts))
}

/// The index of the client key called `label`, if it may ask for `route`.
fn client(catalog: &Catalog, label: &str, route: &Route) -> Result<usize, QuestionError> {
    let found = catalog.clients.iter().enumerate().find(|(_, client)| client.label == label);
    let (index, client) = found
        .ok_or_else(|| QuestionError::Client(format!("no client key has the label `{label}`")))?;
    if client.allows(route) {
        return Ok(index);
    }
    let name = route.name(catalog);
    Err(QuestionError::Client(format!("the key `{label}` may not use `{name}`")))
}

/// A session is the same whichever way a client names it.
fn session(name: &str) -> Option<SessionKey> {
    let header = |header: &str| (header == "x-session-affinity").then_some(name);
    named(&Hints { header: &header, metadata: None, prompt_cache_key: None })
}
