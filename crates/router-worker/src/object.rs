//! The Durable Object: an owner, and the `SQLite` database it is kept in.

#![expect(missing_docs, reason = "the platform's macro writes methods that nobody here calls")]

use std::cell::RefCell;
use std::sync::Arc;

use router_core::state::{Part, Session};
use router_core::time::UnixMs;
use router_drive::Snapshot;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use worker::{
    DurableObject, Env, Request, Response, Result, SqlCursor, SqlStorage, SqlStorageValue, State,
    durable_object,
};

use crate::clock::Moment;
use crate::isolate::isolate;
use crate::owner::{Kept, Owner};
use crate::protocol::Question;

const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS part (id INTEGER PRIMARY KEY CHECK (id = 0), json TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS session (key TEXT PRIMARY KEY, used_at INTEGER NOT NULL, \
     json TEXT NOT NULL)",
];
const PUT_PART: &str = "INSERT OR REPLACE INTO part (id, json) VALUES (0, ?)";
const PUT_SESSION: &str = "INSERT OR REPLACE INTO session (key, used_at, json) VALUES (?, ?, ?)";
const DROP_SESSIONS: &str = "DELETE FROM session WHERE used_at < ?";
const PART: &str = "SELECT json FROM part";
/// The latest last, as the state forgets the longest idle first.
const SESSIONS: &str = "SELECT json FROM session ORDER BY used_at";

/// The owner of one provider's or client key's state, by that name.
#[durable_object(fetch)]
#[derive(Debug)]
pub struct ProviderState {
    state: State,
    env: Env,
    inner: RefCell<Option<Inner>>,
}

#[derive(Debug)]
struct Inner {
    owner: Owner,
    /// The config it counts by.
    snapshot: Arc<Snapshot>,
}

#[derive(Deserialize)]
struct Row {
    json: String,
}

impl DurableObject for ProviderState {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, inner: RefCell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let snapshot = isolate().snapshot(&self.env).await;
        let question = serde_json::from_str(&request.text().await?);
        let Question { owner, ask } = match question {
            Ok(question) => question,
            Err(error) => return Response::error(error.to_string(), 400),
        };
        // From here to the answer nothing is awaited: one question at a time is answered.
        let now = Moment::now().unix();
        let mut inner = self.inner.borrow_mut();
        let Some(inner) = self.ready(&mut inner, &owner, snapshot, now)? else {
            return Response::error("the config does not have this provider or key", 404);
        };
        let (reply, kept) = inner.owner.ask(ask, now);
        self.keep(&kept, &inner.snapshot, now)?;
        let text = serde_json::to_string(&reply).map_err(|error| error.to_string())?;
        Response::ok(text)
    }
}

impl ProviderState {
    /// The owner as the config in force wants it.
    fn ready<'a>(
        &self,
        inner: &'a mut Option<Inner>,
        name: &str,
        snapshot: Arc<Snapshot>,
        now: UnixMs,
    ) -> Result<Option<&'a mut Inner>> {
        if let Some(known) = inner
            && !Arc::ptr_eq(&known.snapshot, &snapshot)
        {
            let installed = known.owner.install(&snapshot.config.catalog, now);
            known.snapshot = Arc::clone(&snapshot);
            if !installed {
                return Ok(None);
            }
        }
        if inner.is_none() {
            let sql = self.state.storage().sql();
            for table in TABLES {
                run(&sql, table, Vec::new())?;
            }
            let part: Option<Part> = rows(&sql, PART)?.pop();
            let sessions: Vec<Session> = rows(&sql, SESSIONS)?;
            let owner = Owner::new(&snapshot.config.catalog, name, part, sessions, now);
            *inner = owner.map(|owner| Inner { owner, snapshot });
        }
        Ok(inner.as_mut())
    }

    /// Writes down what changed. The platform holds the answer back until that is safe.
    fn keep(&self, kept: &Kept, snapshot: &Snapshot, now: UnixMs) -> Result<()> {
        let sql = self.state.storage().sql();
        let text = |value: &Part| serde_json::to_string(value).map_err(|error| error.to_string());
        if let Some(part) = &kept.part {
            run(&sql, PUT_PART, vec![text(part)?.into()])?;
        }
        let at = i64::try_from(now.0).unwrap_or(i64::MAX);
        for (key, session) in &kept.sessions {
            let json = serde_json::to_string(session).map_err(|error| error.to_string())?;
            let row = vec![key.to_string().into(), at.into(), json.into()];
            run(&sql, PUT_SESSION, row)?;
        }
        if kept.pruned {
            let ttl = snapshot.config.catalog.routing.affinity.ttl.as_millis();
            let oldest = at.saturating_sub(i64::try_from(ttl).unwrap_or(i64::MAX));
            run(&sql, DROP_SESSIONS, vec![oldest.into()])?;
        }
        Ok(())
    }
}

fn run(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> Result<SqlCursor> {
    sql.exec(query, values)
}

/// What is kept; a row that cannot be read is as good as none.
fn rows<T: DeserializeOwned>(sql: &SqlStorage, query: &str) -> Result<Vec<T>> {
    let rows: Vec<Row> = run(sql, query, Vec::new())?.to_array()?;
    Ok(rows.iter().filter_map(|row| serde_json::from_str(&row.json).ok()).collect())
}
