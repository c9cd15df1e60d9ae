//! Where what is counted and recorded is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use router_config::{Config, StateBackend};
use router_store::records::{Records, RecordsOptions};
use router_store::{Notice, RedisOptions, Report, SqliteOptions, Store};

/// What a router keeps.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    pub(crate) store: Store,
    pub(crate) records: Option<Records>,
}

/// Opens what `config` asks for.
pub(crate) fn open(config: &Config, home: Option<&Path>) -> Stores {
    let store = store(config, home).keeping_for(config.state.ttl);
    Stores { store, records: records(config, home) }
}

fn records(config: &Config, home: Option<&Path>) -> Option<Records> {
    let wanted = config.telemetry.records.as_ref()?;
    let path = records_path(config, home)?;
    let options = RecordsOptions { path, age_max: wanted.age_max, bytes_max: wanted.bytes_max };
    Records::open(options, &report())
}

/// The file of records that `config` names, or the one in the home folder.
pub fn records_path(config: &Config, home: Option<&Path>) -> Option<PathBuf> {
    let named = config.telemetry.records.as_ref().and_then(|records| records.path.as_deref());
    router_store::records_path(named, home)
}

/// Opens the store that `config` asks for. Without a home folder, what has no path in config is
/// kept in memory.
fn store(config: &Config, home: Option<&Path>) -> Store {
    match config.state.backend {
        StateBackend::Memory => Store::default(),
        StateBackend::Redis => {
            let url = config.state.url.as_ref().map(|url| url.expose().to_owned());
            let prefix = config.state.prefix.clone();
            Store::redis(&RedisOptions { url: url.unwrap_or_default(), prefix }, &report())
        }
        StateBackend::Sqlite => {
            let named = config.state.path.as_deref();
            let Some(path) = router_store::state_path(named, home) else {
                return Store::default();
            };
            let older = home.map(router_store::older_state_path);
            Store::sqlite(&SqliteOptions { path, older }, &report())
        }
    }
}

/// Logs what a store has to say.
fn report() -> Report {
    Arc::new(|notice: &Notice| {
        if notice.is_warning() {
            tracing::warn!("{notice}");
        } else {
            tracing::info!("{notice}");
        }
    })
}
