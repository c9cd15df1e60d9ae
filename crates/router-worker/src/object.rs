//! The Durable Object: an owner, and the `SQLite` database it is kept in.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use router_core::state::{Part, Session};
use router_core::time::UnixMs;
use router_drive::Snapshot;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;
use worker::worker_sys::DurableObjectState;
use worker::{Env, Result, SqlCursor, SqlStorage, SqlStorageValue, State};

use crate::clock::{Moment, Sleep};
use crate::isolate::isolate;
use crate::owner::{Due, Kept, Owner};
use crate::protocol::{Question, Reply};

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
#[wasm_bindgen]
pub struct ProviderState {
    env: Env,
    desk: Rc<Desk>,
}

/// Where one question at a time is answered.
struct Desk {
    sql: SqlStorage,
    inner: RefCell<Option<Inner>>,
}

struct Inner {
    owner: Owner,
    /// The config it counts by.
    snapshot: Arc<Snapshot>,
    /// Whether something is going to be kept a little later.
    waits: bool,
}

#[derive(Deserialize)]
struct Row {
    json: String,
}

impl fmt::Debug for ProviderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderState").finish_non_exhaustive()
    }
}

#[wasm_bindgen]
impl ProviderState {
    /// What the platform gives a Durable Object when it starts one.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        let sql = State::from(state).storage().sql();
        Self { env, desk: Rc::new(Desk { sql, inner: RefCell::default() }) }
    }

    /// Answers a [`Question`] by a [`Reply`], both as JSON.
    pub async fn ask(&self, question: String) -> std::result::Result<String, JsValue> {
        let snapshot = isolate().snapshot(&self.env).await;
        let question = serde_json::from_str(&question).map_err(|error| thrown(&error))?;
        // From here to the answer nothing is awaited: one question at a time is answered.
        let reply = self.desk.answer(question, snapshot).map_err(|error| thrown(&error))?;
        serde_json::to_string(&reply).map_err(|error| thrown(&error))
    }
}

impl Desk {
    fn answer(self: &Rc<Self>, question: Question, snapshot: Arc<Snapshot>) -> Result<Reply> {
        let Question { owner: name, ask } = question;
        let now = Moment::now().unix();
        let mut inner = self.inner.borrow_mut();
        let Some(inner) = self.ready(&mut inner, &name, snapshot, now)? else {
            return Err("the config does not have this provider or key".into());
        };
        let reply = inner.owner.ask(ask, now);
        match inner.owner.due(now) {
            Due::Never => {}
            Due::Now => self.keep(inner, now)?,
            Due::At(_) if inner.waits => {}
            Due::At(moment) => {
                inner.waits = true;
                spawn_local(Rc::clone(self).keep_at(moment, now));
            }
        }
        Ok(reply)
    }

    async fn keep_at(self: Rc<Self>, moment: UnixMs, now: UnixMs) {
        Sleep::until(Moment::now() + moment.since(now)).await;
        let Some(inner) = &mut *self.inner.borrow_mut() else { return };
        inner.waits = false;
        let now = Moment::now().unix();
        // Perhaps a count has taken it along meanwhile.
        if inner.owner.due(now) != Due::Never
            && let Err(error) = self.keep(inner, now)
        {
            worker::console_error!("an owner's state cannot be written down: {error}");
        }
    }

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
            for table in TABLES {
                run(&self.sql, table, Vec::new())?;
            }
            let part: Option<Part> = rows(&self.sql, PART)?.pop();
            let sessions: Vec<Session> = rows(&self.sql, SESSIONS)?;
            let owner = Owner::new(&snapshot.config.catalog, name, part, sessions, now);
            *inner = owner.map(|owner| Inner { owner, snapshot, waits: false });
        }
        Ok(inner.as_mut())
    }

    /// Writes down what changed. The platform holds the answer back until that is safe.
    fn keep(&self, Inner { owner, snapshot, .. }: &mut Inner, now: UnixMs) -> Result<()> {
        let Kept { part, sessions, pruned } = owner.unkept(now);
        let sql = &self.sql;
        if let Some(part) = part {
            let json = serde_json::to_string(&part).map_err(|error| error.to_string())?;
            run(sql, PUT_PART, vec![json.into()])?;
        }
        let at = i64::try_from(now.0).unwrap_or(i64::MAX);
        for (key, session) in sessions {
            let json = serde_json::to_string(&session).map_err(|error| error.to_string())?;
            let row = vec![key.to_string().into(), at.into(), json.into()];
            run(sql, PUT_SESSION, row)?;
        }
        if pruned {
            let ttl = snapshot.config.catalog.routing.affinity.ttl.as_millis();
            let oldest = at.saturating_sub(i64::try_from(ttl).unwrap_or(i64::MAX));
            run(sql, DROP_SESSIONS, vec![oldest.into()])?;
        }
        owner.kept(now);
        Ok(())
    }
}

/// An error as JavaScript throws it.
fn thrown(error: &impl fmt::Display) -> JsValue {
    js_sys::Error::new(&error.to_string()).into()
}

fn run(sql: &SqlStorage, query: &str, values: Vec<SqlStorageValue>) -> Result<SqlCursor> {
    sql.exec(query, values)
}

/// What is kept; a row that cannot be read is as good as none.
fn rows<T: DeserializeOwned>(sql: &SqlStorage, query: &str) -> Result<Vec<T>> {
    let rows: Vec<Row> = run(sql, query, Vec::new())?.to_array()?;
    Ok(rows.iter().filter_map(|row| serde_json::from_str(&row.json).ok()).collect())
}
