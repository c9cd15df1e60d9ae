//! What of a config goes to Cloudflare, and how.
//!
//! The document loses what only means something on this machine, secrets kept elsewhere become
//! secrets of the Worker, and the rest is split over as many secrets as it needs:
//!
//! ```text
//! "apiKey": "file:/etc/key"  ->  "apiKey": "env:LLM_ROUTER_SECRET_OPENAI_API_KEY"  + that secret
//! the document               ->  LLM_ROUTER_CONFIG_JSON, or LLM_ROUTER_CONFIG_JSON_1, _2, …
//! with the KV store          ->  a value of KV, in which no literal secret is left either
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use router_config::{BaseUrl, Config, Lookup, MapLookup, Secret, Severity};
use router_operator::{Failure, Kind};
use serde_json::{Map, Value};

use crate::limits::SECRET_BYTES_MAX;
use crate::marker;

mod collect;

/// The variable the Worker reads its config from; with `_1`, `_2`, … where one is too small.
pub(crate) const CONFIG: &str = "LLM_ROUTER_CONFIG_JSON";
/// The secret that overrides the config's master key.
pub(crate) const MASTER_KEY: &str = "LLM_ROUTER_MASTER_KEY";
/// Names the value of KV that holds the config.
pub(crate) const CONFIG_KEY: &str = "LLM_ROUTER_CONFIG_KV_KEY";
/// The binding of the KV namespace that holds it.
pub(crate) const CONFIG_KV: &str = "LLM_ROUTER_CONFIG_KV";
/// What names of secrets begin with that have none of their own.
const SECRET_PREFIX: &str = "LLM_ROUTER_SECRET_";

/// Sections and fields that only mean something where a process runs.
const LOCAL: [&str; 6] = ["$schema", "update", "telemetry", "metadata", "masterKey", "master-key"];
const LOCAL_SERVER: [&str; 12] = [
    "host",
    "port",
    "admin",
    "masterKey",
    "master-key",
    "requireAuth",
    "require-auth",
    "drainMs",
    "headerTimeoutMs",
    "watchConfig",
    "watch-config",
    "reloadDebounceMs",
];
const LOCAL_PROVIDER: [&str; 3] = ["lastProbe", "last-probe", "metadata"];

/// Where the Worker finds its config.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Store {
    /// In secrets.
    Secrets,
    /// In a value of KV; credentials stay in secrets.
    Kv,
}

/// A secret of the Worker.
pub type SecretValue = Secret;

/// A config made ready.
#[derive(Clone)]
pub struct Payload {
    /// Where it is going to be kept.
    pub store: Store,
    /// The config as the Worker will see it, without a master key.
    document: Map<String, Value>,
    /// Secrets the document refers to.
    secrets: BTreeMap<String, SecretValue>,
    /// The config's master key.
    pub master_key: Option<Secret>,
    /// A model to try the Worker with: the default one, or the first there is.
    pub model: Option<String>,
    /// What was left out, as paths.
    pub left_out: Vec<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Shows no document: literal secrets are in it.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.secrets.keys().collect();
        f.debug_struct("Payload").field("secrets", &names).finish_non_exhaustive()
    }
}

/// The config in the form the Worker reads.
pub(crate) struct Rendered {
    pub(crate) json: String,
    pub(crate) secrets: BTreeMap<String, SecretValue>,
}

impl Payload {
    /// Makes the config in `text` ready. References are looked up by `lookup`; variables that
    /// would override the local config are not the Worker's and have no effect.
    pub fn build(text: &str, lookup: &dyn Lookup, store: Store) -> Result<Self, Failure> {
        let lookup = Own { inner: lookup, text };
        let loaded = router_config::load(text, &lookup);
        let Some(config) = loaded.config else {
            let errors = loaded.diagnostics.iter().filter(|each| each.severity == Severity::Error);
            let what = format!("the config has {} error(s)", errors.count());
            let message = format!("{what}\n{}", router_config::render(&loaded.diagnostics));
            return Err(Failure::new(Kind::Config, message.trim_end().to_owned()));
        };
        if config.catalog.providers.is_empty() {
            let what = "the config has no enabled provider with a usable URL";
            return Err(Failure::new(Kind::Config, what).hint("add a provider first"));
        }
        let document = router_config::edit::Document::parse(text)
            .map_err(|error| Failure::new(Kind::Config, error.to_string()))?;
        let root = document.get(&router_config::edit::Path::root());
        let Some(Value::Object(mut document)) = root else {
            return Err(Failure::new(Kind::Config, "the config is not a JSON object"));
        };
        let mut left_out = Vec::new();
        strip(&mut document, &mut left_out);
        let found = collect::secrets(&mut document, &lookup, store)?;
        let payload = Self {
            store,
            document,
            secrets: found,
            master_key: config.master_key.clone(),
            model: model(&config),
            left_out,
            warnings: unreachable_providers(&config),
        };
        payload.rehearse()?;
        Ok(payload)
    }

    /// Loads the payload as the Worker will.
    fn rehearse(&self) -> Result<(), Failure> {
        let Rendered { json, secrets } = self.render(true)?;
        let vars = secrets.iter().map(|(name, secret)| (name.clone(), secret.expose().to_owned()));
        let host = MapLookup { vars: vars.collect(), ..MapLookup::default() };
        let loaded = router_config::load(&json, &host);
        if loaded.config.is_some_and(|config| !config.catalog.providers.is_empty()) {
            return Ok(());
        }
        let what = "the config would not load on the Worker";
        let message = format!("{what}\n{}", router_config::render(&loaded.diagnostics));
        Err(Failure::new(Kind::Config, message.trim_end().to_owned()))
    }

    /// The document and its secrets; with the config's own master key or without.
    pub(crate) fn render(&self, with_key: bool) -> Result<Rendered, Failure> {
        let (mut document, mut secrets) = (self.document.clone(), self.secrets.clone());
        if let (true, Some(key)) = (with_key, &self.master_key) {
            let name = format!("{SECRET_PREFIX}MASTER_KEY");
            document.insert("masterKey".to_owned(), format!("env:{name}").into());
            secrets.insert(name, key.clone());
        }
        let json = serde_json::to_string(&document)
            .map_err(|error| Failure::failed(format!("cannot write the config: {error}")))?;
        if self.store == Store::Secrets {
            for (name, chunk) in chunks(&json) {
                secrets.insert(name, Secret::new(chunk));
            }
        }
        Ok(Rendered { json, secrets })
    }

    /// Fingerprints of the parts of the config, each with the secrets it refers to.
    pub(crate) fn parts(&self) -> BTreeMap<String, String> {
        let mut parts = BTreeMap::new();
        for (section, value) in &self.document {
            match (section.as_str(), value) {
                ("providers", Value::Array(providers)) => {
                    for (index, provider) in providers.iter().enumerate() {
                        let id = provider.get("id").or_else(|| provider.get("name"));
                        let id = id.and_then(Value::as_str).map(router_config::slug);
                        let id = id.unwrap_or_else(|| index.to_string());
                        parts.insert(format!("providers.{id}"), self.print(provider));
                    }
                }
                ("modelAliases" | "model-aliases", Value::Object(aliases)) => {
                    for (id, alias) in aliases {
                        parts.insert(format!("modelAliases.{id}"), self.print(alias));
                    }
                }
                _ => {
                    parts.insert(section.clone(), self.print(value));
                }
            }
        }
        parts
    }

    fn print(&self, value: &Value) -> String {
        let text = value.to_string();
        let used = self.secrets.iter().filter(|(name, _)| text.contains(name.as_str()));
        let used = used.flat_map(|(name, secret)| [name.as_bytes(), secret.expose().as_bytes()]);
        marker::fingerprint(std::iter::once(text.as_bytes()).chain(used), 4)
    }

    /// What the whole config is recognised by; the master key is not part of it.
    pub(crate) fn fingerprint(&self) -> String {
        let text = Value::Object(self.document.clone()).to_string();
        let secrets = self.secrets.iter();
        let secrets =
            secrets.flat_map(|(name, value)| [name.as_bytes(), value.expose().as_bytes()]);
        marker::fingerprint(std::iter::once(text.as_bytes()).chain(secrets), 8)
    }
}

/// Whether a binding of the Worker is one that deploys make and replace.
pub(crate) fn is_ours(name: &str) -> bool {
    let number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    let chunk = name.strip_prefix(CONFIG).and_then(|rest| rest.strip_prefix('_'));
    // The older program read its config from two more names.
    [CONFIG, CONFIG_KV, CONFIG_KEY, MASTER_KEY, "ROUTE_CONFIG_JSON", "LLM_ROUTER_JSON"]
        .contains(&name)
        || name.starts_with(SECRET_PREFIX)
        || chunk.is_some_and(number)
        || name == marker::NAME
}

/// The pieces of `json`, each with the name of its secret.
fn chunks(json: &str) -> Vec<(String, &str)> {
    if json.len() <= SECRET_BYTES_MAX {
        return vec![(CONFIG.to_owned(), json)];
    }
    let mut out = Vec::new();
    let mut rest = json;
    while !rest.is_empty() {
        let end = rest.floor_char_boundary(SECRET_BYTES_MAX);
        let (piece, after) = rest.split_at(end);
        out.push((format!("{CONFIG}_{}", out.len() + 1), piece));
        rest = after;
    }
    out
}

/// Takes out what only means something locally.
fn strip(document: &mut Map<String, Value>, left_out: &mut Vec<String>) {
    take(document, &LOCAL, "", left_out);
    if let Some(Value::Object(server)) = document.get_mut("server") {
        take(server, &LOCAL_SERVER, "server.", left_out);
    }
    // Of the state only how long it is kept: where it is kept is not for the file to say.
    if let Some(Value::Object(state)) = document.get_mut("state") {
        let local: Vec<String> = state.keys().filter(|key| *key != "ttlMs").cloned().collect();
        let local: Vec<&str> = local.iter().map(String::as_str).collect();
        take(state, &local, "state.", left_out);
    }
    for (index, provider) in collect::objects(document.get_mut("providers")).enumerate() {
        let place = format!("providers[{index}].");
        take(provider, &LOCAL_PROVIDER, &place, left_out);
        if provider.get("enabled") == Some(&Value::Bool(false)) {
            // What is turned off needs no credential, and what is not sent cannot leak.
            take(provider, &collect::CREDENTIALS, &place, left_out);
        }
    }
    for list in collect::CLIENTS {
        for (index, client) in collect::objects(document.get_mut(list)).enumerate() {
            if client.get("enabled") == Some(&Value::Bool(false)) {
                take(client, &collect::CLIENT, &format!("{list}[{index}]."), left_out);
            }
        }
    }
    left_out.retain(|path| !path.ends_with("asterKey") && !path.ends_with("master-key"));
}

fn take(from: &mut Map<String, Value>, keys: &[&str], place: &str, left_out: &mut Vec<String>) {
    for key in keys {
        if from.shift_remove(*key).is_some() {
            left_out.push(format!("{place}{key}"));
        }
    }
}

fn model(config: &Config) -> Option<String> {
    let catalog = &config.catalog;
    let first = || {
        let provider = catalog.providers.first()?;
        let model = provider.models.first()?;
        Some(format!("{}/{}", provider.id, model.id))
    };
    let alias = || catalog.aliases.keys().next().cloned();
    catalog.default_model.clone().or_else(alias).or_else(first)
}

/// Providers that only this machine or its network can reach.
fn unreachable_providers(config: &Config) -> Vec<String> {
    let mut out = Vec::new();
    for upstream in &config.upstreams {
        let local = upstream.bases.values().map(BaseUrl::origin).find(|origin| is_local(origin));
        if let Some(origin) = local {
            let id = &upstream.id;
            out.push(format!("provider `{id}` is at {origin}, which a Worker cannot reach"));
        }
    }
    out
}

fn is_local(origin: &str) -> bool {
    let host = origin.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    let Some(host) = host else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => {
            let domain = bare.rsplit('.').next().unwrap_or_default();
            bare == "localhost" || matches!(domain, "local" | "internal")
        }
    }
}

/// The operator's machine without the variables that override its config.
struct Own<'a> {
    inner: &'a dyn Lookup,
    text: &'a str,
}

impl Lookup for Own<'_> {
    fn var(&self, name: &str) -> Option<String> {
        let named = || self.text.contains(&format!("env:{name}"));
        if name.starts_with("LLM_ROUTER_") && !named() {
            return None;
        }
        self.inner.var(name)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.inner.file(path)
    }

    fn keychain(&self, name: &str) -> Result<String, String> {
        self.inner.keychain(name)
    }
}

#[cfg(test)]
mod tests;
