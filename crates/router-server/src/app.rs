//! What all requests share.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use router_config::Config;
use router_core::time::UnixMs;
use router_drive::Kept;
use router_store::Store;
use router_store::records::Records;

use crate::ids::Ids;
use crate::stores::Stores;
use crate::telemetry::{Labels, Telemetry};

/// A config in force, and since when.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// What requests are served by.
    pub(crate) served: router_drive::Snapshot,
    /// When it came into force.
    pub(crate) since: UnixMs,
    /// Where its names stand in the counters.
    pub(crate) labels: Labels,
}

impl Deref for Snapshot {
    type Target = router_drive::Snapshot;

    fn deref(&self) -> &router_drive::Snapshot {
        &self.served
    }
}

/// The running router.
#[derive(Debug)]
pub(crate) struct App {
    /// Written by reload only; a request takes one and keeps it.
    snapshot: ArcSwap<Snapshot>,
    pub(crate) store: Store,
    /// Records of finished exchanges, if they are kept.
    pub(crate) records: Option<Records>,
    pub(crate) ids: Ids,
    pub(crate) telemetry: Telemetry,
    /// What upstreams thought, for clients that cannot carry it.
    pub(crate) kept: Kept,
    /// `--require-auth`, which no config overrides.
    require_auth: Option<bool>,
}

impl App {
    pub(crate) fn new(config: Config, require_auth: Option<bool>, stores: Stores) -> Self {
        let (Stores { store, records }, telemetry) = (stores, Telemetry::new());
        let snapshot = ArcSwap::from_pointee(snapshot(&store, &telemetry, config, require_auth));
        let (ids, kept) = (Ids::new(), Kept::default());
        Self { snapshot, store, records, ids, telemetry, kept, require_auth }
    }

    /// The config in force now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts `config` in force for requests from now on.
    pub(crate) fn replace(&self, config: Config) {
        let snapshot = snapshot(&self.store, &self.telemetry, config, self.require_auth);
        self.snapshot.store(Arc::new(snapshot));
    }

    /// Whether `config` would demand a key that it does not have.
    pub(crate) fn lacks_key(&self, config: &Config) -> bool {
        lacks_key(config, self.require_auth)
    }
}

/// Whether clients would have to present a key that `config` does not have.
pub(crate) fn lacks_key(config: &Config, require_auth: Option<bool>) -> bool {
    wants_auth(config, require_auth) && !config.has_key()
}

fn snapshot(
    store: &Store,
    telemetry: &Telemetry,
    config: Config,
    require_auth: Option<bool>,
) -> Snapshot {
    let since = now();
    let table = store.install(Arc::new(config.catalog.clone()), since);
    let labels = telemetry.labels(&config.catalog);
    let auth = wants_auth(&config, require_auth);
    Snapshot { served: router_drive::Snapshot::new(config, table, auth), since, labels }
}

/// Flag, then config; limits of client keys mean something only where everybody has a key. A server
/// that other machines reach gets the flag set when it starts.
fn wants_auth(config: &Config, require_auth: Option<bool>) -> bool {
    require_auth.or(config.server.require_auth).unwrap_or(!config.client_keys.is_empty())
}

/// The time, for the core, which has no clock.
pub(crate) fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d40_a_config_is_worked_out_once_and_shared_until_the_next() {
        let load = |text: &str| router_config::load(text, &router_config::NoLookup).config.unwrap();
        let app = App::new(load("{}"), None, Stores::default());
        let first = app.snapshot();
        assert!(Arc::ptr_eq(&first, &app.snapshot()));
        app.replace(load("{}"));
        assert!(!Arc::ptr_eq(&first, &app.snapshot()));
        assert!(Arc::ptr_eq(&app.snapshot(), &app.snapshot()));
    }

    #[test]
    fn client_keys_mean_that_a_key_is_asked_for() {
        let load = |text: &str| router_config::load(text, &router_config::NoLookup).config.unwrap();
        let keys = r#""clientKeys": [{ "label": "a", "key": "k" }]"#;
        for (text, expect) in [
            ("{}".to_owned(), false),
            (r#"{ "masterKey": "k" }"#.to_owned(), false),
            (format!("{{ {keys} }}"), true),
            (format!(r#"{{ {keys}, "server": {{ "requireAuth": false }} }}"#), false),
        ] {
            assert_eq!(wants_auth(&load(&text), None), expect, "{text}");
        }
    }
}
