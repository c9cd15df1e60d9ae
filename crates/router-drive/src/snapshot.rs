//! A config in force, and what is worked out once for it.

use router_config::Config;
use router_core::state::Table;

use crate::inbound::auth::Caller;
use crate::translation::Translations;

/// A config in force, and where its names stand in the state.
#[derive(Debug)]
pub struct Snapshot {
    /// The config.
    pub config: Config,
    /// Where its names stand in the host's state.
    pub table: Table,
    /// Whether clients must present a key.
    pub auth: bool,
    /// Why nobody is served, if so: then only `/health` answers.
    pub closed: Option<String>,
    pub(crate) translations: Translations,
}

impl Snapshot {
    /// Puts a config in force that has its table in the host's state.
    pub fn new(config: Config, table: Table, auth: bool) -> Self {
        let translations = Translations::new(&config);
        Self { config, table, auth, closed: None, translations }
    }

    /// What a caller is called in records, empty for one without a key.
    pub fn label(&self, caller: Caller) -> &str {
        match caller {
            Caller::Anyone => "",
            Caller::Master => "master",
            Caller::Client(index) => {
                self.config.catalog.clients.get(index).map_or("", |client| client.label.as_str())
            }
        }
    }
}
