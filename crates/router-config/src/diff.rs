//! What changed between two configs, for the log of a reload.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use router_core::catalog::{Alias, Allowed, Catalog, ModelRef, Target, TargetRef};

use crate::config::{Config, Server, State};
use crate::resolve::fingerprint::digest;
use crate::secret::Secret;

/// One difference. Shows names only, never values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// What it happened to, such as ``provider `openai` `` or `server.port`.
    pub what: String,
    /// Whether a running router goes on with the old value until it is started again.
    pub needs_restart: bool,
}

/// What happened to a part of a config.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// It is in the second config only.
    Added,
    /// It is in the first config only.
    Removed,
    /// It is in both and differs.
    Changed,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Changed => "changed",
        };
        write!(f, "{} {verb}", self.what)?;
        if self.needs_restart { f.write_str(" (after a restart)") } else { Ok(()) }
    }
}

/// Lists what is different in `new`: providers, models, aliases and settings.
pub fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let (old, new) = (parts(old), parts(new));
    let names: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
    let mut out = Vec::new();
    for key in names {
        let kind = match (old.get(key), new.get(key)) {
            (Some(before), Some(after)) if before == after => continue,
            (Some(_), Some(_)) => ChangeKind::Changed,
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
        };
        let (order, name) = key;
        let is_new = kind != ChangeKind::Changed;
        // The models of a provider that comes or goes are not told one by one.
        if let (MODEL, true, Some((provider, _))) = (*order, is_new, name.split_once('/')) {
            let provider = (PROVIDER, provider.to_owned());
            if !old.contains_key(&provider) || !new.contains_key(&provider) {
                continue;
            }
        }
        let what = match *order {
            PROVIDER => format!("provider `{name}`"),
            MODEL => format!("model `{name}`"),
            ALIAS => format!("alias `{name}`"),
            _ => name.clone(),
        };
        out.push(Change { kind, what, needs_restart: *order == RESTART });
    }
    out
}

/// Order of the report, then the name.
type Key = (u8, String);

const PROVIDER: u8 = 0;
const MODEL: u8 = 1;
const ALIAS: u8 = 2;
const SETTING: u8 = 3;
const RESTART: u8 = 4;

/// Every named part of a config with a text that differs when the part does.
fn parts(config: &Config) -> BTreeMap<Key, String> {
    let mut out = BTreeMap::new();
    providers(config, &mut out);
    for (name, alias) in &config.catalog.aliases {
        let translation = config.alias_translation.get(name);
        let text = format!("{} {translation:?}", alias_text(alias, &config.catalog));
        out.insert((ALIAS, name.clone()), text);
    }
    settings(config, &mut out);
    out
}

fn providers(config: &Config, out: &mut BTreeMap<Key, String>) {
    for (provider, upstream) in config.catalog.providers.iter().zip(&config.upstreams) {
        let credentials = provider.credentials.iter().map(|each| (&each.label, each.weight));
        let text = format!(
            "{:?}",
            (
                provider.fingerprint,
                &provider.dialects,
                credentials.collect::<Vec<_>>(),
                &provider.buckets,
                provider.timeouts,
                (&upstream.name, &upstream.facts, &upstream.translation),
                &upstream.anthropic_beta_allow,
            )
        );
        out.insert((PROVIDER, provider.id.clone()), text);
        for (model, facts) in provider.models.iter().zip(&upstream.model_facts) {
            let fallbacks = model.fallback_models.iter();
            let fallbacks: Vec<String> =
                fallbacks.map(|target| model_name(*target, &config.catalog)).collect();
            let mut own = model.clone();
            own.fallback_models.clear();
            let text = format!("{own:?} {fallbacks:?} {facts:?}");
            out.insert((MODEL, format!("{}/{}", provider.id, model.id)), text);
        }
    }
}

fn model_name(target: ModelRef, catalog: &Catalog) -> String {
    let provider = catalog.providers.get(target.provider);
    let model = provider.and_then(|each| each.models.get(target.model));
    match (provider, model) {
        (Some(provider), Some(model)) => format!("{}/{}", provider.id, model.id),
        _ => String::new(),
    }
}

fn alias_text(alias: &Alias, catalog: &Catalog) -> String {
    let name = |target: &Target| match &target.to {
        TargetRef::Model(model) => (model_name(*model, catalog), target.weight),
        TargetRef::Alias(id) => (id.clone(), target.weight),
    };
    let list = |targets: &[Target]| targets.iter().map(name).collect::<Vec<_>>();
    format!(
        "{:?}",
        (alias.strategy, list(&alias.targets), list(&alias.fallback_targets), alias.affinity,)
    )
}

fn allowed_text(allowed: &Allowed, catalog: &Catalog) -> String {
    match allowed {
        Allowed::Alias(name) => name.clone(),
        Allowed::Model(model) => model_name(*model, catalog),
        Allowed::Provider(at) => {
            catalog.providers.get(*at).map(|it| format!("{}/*", it.id)).unwrap_or_default()
        }
    }
}

fn secret(secret: Option<&Secret>) -> Option<u64> {
    secret.map(|secret| digest(secret.expose().as_bytes()))
}

fn settings(config: &Config, out: &mut BTreeMap<Key, String>) {
    let Config { catalog, server, state, telemetry, .. } = config;
    let mut put = |order: u8, name: &str, text: String| out.insert((order, name.to_owned()), text);
    put(SETTING, "masterKey", format!("{:?}", secret(config.master_key.as_ref())));
    put(SETTING, "routing.queue", format!("{:?}", catalog.routing.queue));
    for (client, key) in catalog.clients.iter().zip(&config.client_keys) {
        let allowed = client.models.iter().map(|it| allowed_text(it, catalog));
        let allowed = allowed.collect::<Vec<_>>();
        let text = format!("{:?}", (secret(Some(key)), allowed, &client.buckets));
        put(SETTING, &format!("client key `{}`", client.label), text);
    }
    put(SETTING, "defaultModel", format!("{:?}", catalog.default_model));
    put(SETTING, "routing.retry", format!("{:?}", catalog.routing.retry));
    put(SETTING, "routing.cooldown", format!("{:?}", catalog.routing.cooldown));
    put(SETTING, "routing.circuit", format!("{:?}", catalog.routing.circuit));
    put(SETTING, "routing.stream", format!("{:?}", catalog.routing.stream));
    put(SETTING, "routing.affinity", format!("{:?}", catalog.routing.affinity));
    put(SETTING, "translation", format!("{:?}", config.translation));
    put(SETTING, "update", format!("{:?}", config.update));
    let headers: Vec<(&String, u64)> = telemetry
        .otlp_headers
        .iter()
        .map(|(name, value)| (name, digest(value.expose().as_bytes())))
        .collect();
    let logs = (&telemetry.log_level, telemetry.log_json);
    let text = format!("{:?}", (logs, &telemetry.records, &telemetry.otlp_endpoint, headers));
    put(RESTART, "telemetry", text);
    server_settings(server, &mut put);
    let State { backend, path, url, prefix, ttl } = state;
    let text = format!("{:?}", (backend, path, secret(url.as_ref()), prefix, ttl));
    put(RESTART, "state", text);
}

fn server_settings(server: &Server, put: &mut impl FnMut(u8, &str, String) -> Option<String>) {
    put(RESTART, "server.host", server.host.clone());
    put(RESTART, "server.port", server.port.to_string());
    put(SETTING, "server.requireAuth", format!("{:?}", server.require_auth));
    put(SETTING, "server.maxBodyBytes", server.body_bytes_max.to_string());
    put(SETTING, "server.debug", server.debug.to_string());
    put(SETTING, "server.cors", format!("{:?}", server.cors));
    put(SETTING, "server.allowedIps", format!("{:?}", server.allowed_ips));
    put(SETTING, "server.drainMs", format!("{:?}", server.drain));
    put(RESTART, "server.headerTimeoutMs", format!("{:?}", server.header_timeout));
    put(RESTART, "server.watchConfig", server.watch_config.to_string());
    put(SETTING, "server.reloadDebounceMs", format!("{:?}", server.reload_debounce));
    if let Some(admin) = &server.admin {
        put(RESTART, "server.admin", format!("{:?}", (&admin.host, admin.port)));
        put(SETTING, "server.admin.key", format!("{:?}", secret(admin.key.as_ref())));
    }
}
