//! The config file as people write it: version 2 of the older program's file and a superset.
//!
//! Every field is optional and keeps what was written; meaning and defaults are settled when a
//! config is loaded. Other spellings of keys are accepted on reading and left out of the
//! published JSON Schema.

mod alias;
mod bucket;
mod client;
mod leaf;
mod model;
mod provider;
mod routing;
mod server;

pub use alias::{Alias, Target};
pub use bucket::{Bucket, Window};
pub use client::{ClientKey, Limit};
pub use leaf::{List, Map, OrText, SecretText, Texts};
pub use model::Model;
pub use provider::{Auth, Key, Provider, Url};
pub use routing::{Affinity, Circuit, Cooldown, Queue, Retry, Routing, Stream, Timeouts};
pub use server::{Admin, Cors, Records, Server, State, Telemetry, Translation, Update};

use crate::read::document;

document! {
    /// Settings of llm-router.
    pub struct File {
        /// Address of the JSON Schema, for editors.
        schema: String = "$schema",
        /// Version of the file format; 2 is the current one.
        version: serde_json::Value = "version",
        /// The key clients present when authentication is on: text, `env:NAME`, `file:PATH` or
        /// `keychain:NAME`.
        master_key: SecretText = "masterKey" | "master-key",
        /// Keys of single clients beside the master key, each with a name, models and limits of its
        /// own. Where there are some, clients must present a key.
        client_keys: List<ClientKey> = "clientKeys" | "client-keys",
        /// What a request without a model means: `provider/model` or an alias.
        default_model: String = "defaultModel" | "default-model",
        /// Configured accounts at vendors.
        providers: List<Provider> = "providers",
        /// Names clients use that stand for several targets.
        model_aliases: Map<Alias> = "modelAliases" | "model-aliases",
        /// Where and how clients are served.
        server: Server = "server",
        /// Failure policy, timeouts and session affinity.
        routing: Routing = "routing",
        /// How requests and answers are translated between dialects.
        translation: Translation = "translation",
        /// Where counters and cooldowns are kept.
        state: State = "state",
        /// Logs, records and traces.
        telemetry: Telemetry = "telemetry",
        /// Where newer versions are looked for.
        update: Update = "update",
        /// Free use; kept as written.
        metadata: serde_json::Value = "metadata",
    }
}

/// The JSON Schema of the config file, as published in `schema/llm-router.schema.json`.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(File).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "llm-router config".into());
    }
    schema
}
