//! The sections beside providers and aliases.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use router_wire::canonical::Severity as Loss;

use super::provider::text_of;
use crate::config::{
    Admin, Cors, Records, Server, State, StateBackend, Telemetry, Translation, Update,
};
use crate::diagnostic::Severity;
use crate::read::{Context, Show};
use crate::schema::{self, File, SecretText};
use crate::secret::{self, Lookup, Secret};

/// Largest request body unless config says otherwise: 32 MiB.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The master key at the top level, or else in `server`.
pub(crate) fn master_key(file: &File, lookup: &dyn Lookup, cx: &mut Context<'_>) -> Option<Secret> {
    let in_server = file.server.as_ref().and_then(|server| server.master_key.as_ref());
    let written = [(file.master_key.as_ref(), "masterKey"), (in_server, "server.masterKey")];
    let (text, path) = written.into_iter().find_map(|(text, path)| Some((text?, path)))?;
    secret_at(path, text, lookup, cx)
}

fn has_master_key(file: &File) -> bool {
    let in_server = file.server.as_ref().and_then(|server| server.master_key.as_ref());
    let written = [file.master_key.as_ref(), in_server];
    written.into_iter().flatten().any(|text| !text.0.trim().is_empty())
}

/// Resolves a secret; a missing one is an error, for the router would be less guarded without it.
pub(crate) fn secret_at(
    path: &str,
    text: &SecretText,
    lookup: &dyn Lookup,
    cx: &mut Context<'_>,
) -> Option<Secret> {
    match secret::resolve(&text.0, lookup) {
        Ok(secret) => secret,
        Err(missing) => {
            let hint = Some("set it before starting the router");
            cx.report(Severity::Error, path, Show::Place, missing, hint);
            None
        }
    }
}

fn millis(ms: Option<u64>, or: u64) -> Duration {
    Duration::from_millis(ms.unwrap_or(or))
}

fn text(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

pub(crate) fn server(file: &File, lookup: &dyn Lookup, cx: &mut Context<'_>) -> Server {
    let section = file.server.clone().unwrap_or_default();
    let cors = section.cors.unwrap_or_default();
    let origins: Vec<String> =
        cors.allowed_origins.iter().flat_map(schema::Texts::iter).map(str::to_owned).collect();
    if section.require_auth == Some(true) && !has_master_key(file) && file.client_keys.is_none() {
        let what = "clients must present a key, but there is none";
        cx.error("server.requireAuth", what, "add `\"masterKey\": \"env:LLM_ROUTER_MASTER_KEY\"`");
    }
    let body_bytes = section.max_body_bytes.map(usize::try_from);
    if section.max_body_bytes == Some(0) {
        cx.error("server.maxBodyBytes", "no request fits into 0 bytes", "remove it, or set a size");
    }
    Server {
        host: text(section.host.as_ref()).unwrap_or_else(|| "127.0.0.1".to_owned()),
        port: section.port.unwrap_or(8787),
        require_auth: section.require_auth,
        body_bytes_max: body_bytes.map_or(BODY_BYTES_MAX, |size| size.unwrap_or(usize::MAX)),
        debug: section.debug.unwrap_or(false),
        cors: Cors {
            allow_all: cors.allow_all.unwrap_or(false) || origins.iter().any(|each| each == "*"),
            allowed_origins: origins,
        },
        allowed_ips: allowed_ips(section.allowed_ips.as_ref(), cx),
        drain: millis(section.drain_ms, 30_000),
        header_timeout: millis(section.header_timeout_ms, 30_000),
        watch_config: section.watch_config.unwrap_or(true),
        reload_debounce: millis(section.reload_debounce_ms, 300),
        admin: section.admin.and_then(|admin| self::admin(&admin, lookup, cx)),
    }
}

fn admin(section: &schema::Admin, lookup: &dyn Lookup, cx: &mut Context<'_>) -> Option<Admin> {
    if section.enabled == Some(false) {
        return None;
    }
    let key = section.key.as_ref().and_then(|key| secret_at("server.admin.key", key, lookup, cx));
    if section.key.is_none() {
        let hint = "add `\"key\": \"env:LLM_ROUTER_ADMIN_KEY\"`, or remove the section";
        cx.error("server.admin", "the listener for operators has no key", hint);
    }
    let host = text(section.host.as_ref()).unwrap_or_else(|| "127.0.0.1".to_owned());
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !is_loopback {
        let hint = "use `127.0.0.1` or `::1`";
        cx.error("server.admin.host", "the listener for operators must be on loopback", hint);
    }
    Some(Admin { host, port: section.port.unwrap_or(8788), key })
}

/// Addresses and networks; a wrong entry is an error, for leaving it out could open the router.
fn allowed_ips(texts: Option<&schema::Texts>, cx: &mut Context<'_>) -> Vec<IpNet> {
    let mut out = Vec::new();
    for (index, text) in texts.iter().flat_map(|texts| &texts.0) {
        if text == "*" {
            return Vec::new();
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let net = text.parse::<IpNet>().ok();
        match net.or_else(|| bare.parse::<IpAddr>().ok().map(IpNet::from)) {
            Some(net) => out.push(net.trunc()),
            None => cx.error(
                &format!("server.allowedIps[{index}]"),
                format!("`{text}` is not an address or a network"),
                "write `192.0.2.7` or `10.0.0.0/8`",
            ),
        }
    }
    out
}

pub(crate) fn state(file: &File, lookup: &dyn Lookup, cx: &mut Context<'_>) -> State {
    let section = file.state.clone().unwrap_or_default();
    let named = section.backend.as_deref().map(|name| name.trim().to_lowercase());
    let backend = match named.as_deref() {
        None | Some("" | "sqlite" | "file") => StateBackend::Sqlite,
        Some("memory") => StateBackend::Memory,
        Some("redis" | "valkey") => StateBackend::Redis,
        Some(other) => {
            let what = format!("`{other}` is not a state backend");
            cx.error("state.backend", what, "use `sqlite`, `memory` or `redis`");
            StateBackend::Sqlite
        }
    };
    let url = section.url.as_ref().and_then(|url| secret_at("state.url", url, lookup, cx));
    if backend == StateBackend::Redis && section.url.is_none() {
        let hint = "add `\"url\": \"redis://127.0.0.1:6379\"`";
        cx.error("state", "the redis backend has no address", hint);
    }
    State {
        backend,
        path: text(section.path.as_ref()),
        url,
        prefix: text(section.prefix.as_ref()).unwrap_or_else(|| "llm-router".to_owned()),
        ttl: millis(section.ttl_ms, 86_400_000),
    }
}

/// Puts a translation section over `base`, or over the defaults.
pub(crate) fn translation(
    section: Option<&schema::Translation>,
    base: Option<&Translation>,
    cx: &mut Context<'_>,
) -> Translation {
    let mut out = base.cloned().unwrap_or_default();
    let Some(section) = section else { return out };
    if let Some(written) = &section.strict {
        out.strict = strict(written, &format!("{}.strict", section.at), cx);
    }
    out.reasoning_to_chat = section.reasoning_to_chat.unwrap_or(out.reasoning_to_chat);
    out.effort_headers = section.effort_headers.unwrap_or(out.effort_headers);
    out.max_tokens_default = section.max_tokens_default.unwrap_or(out.max_tokens_default);
    out.cache_12h = section.cache_12h.unwrap_or(out.cache_12h);
    out
}

/// Severities of loss that refuse a request.
fn strict(written: &serde_json::Value, path: &str, cx: &mut Context<'_>) -> Vec<Loss> {
    const HINT: &str = "write `true`, or some of `hint`, `setting` and `content`";
    let mut named = |value: &serde_json::Value| -> Vec<Loss> {
        let name = value.as_str().map(str::trim).unwrap_or_default();
        if name.eq_ignore_ascii_case("all") {
            return Loss::ALL.to_vec();
        }
        let found = Loss::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name));
        if found.is_none() {
            cx.error(path, format!("`{}` is no severity of loss", text_of(value)), HINT);
        }
        found.into_iter().collect()
    };
    match written {
        serde_json::Value::Bool(all) => {
            if *all {
                Loss::ALL.to_vec()
            } else {
                Vec::new()
            }
        }
        serde_json::Value::Array(items) => items.iter().flat_map(named).collect(),
        one => named(one),
    }
}

/// Translation settings of aliases that have some, over those of the router.
pub(crate) fn alias_translation(
    file: &File,
    base: &Translation,
    cx: &mut Context<'_>,
) -> BTreeMap<String, Translation> {
    let aliases = file.model_aliases.iter().flat_map(|map| &map.0);
    let written = aliases.filter_map(|(id, alias)| Some((id, alias.translation.as_ref()?)));
    written
        .map(|(id, section)| (id.trim().to_owned(), translation(Some(section), Some(base), cx)))
        .collect()
}

pub(crate) fn telemetry(file: &File, lookup: &dyn Lookup, cx: &mut Context<'_>) -> Telemetry {
    let section = file.telemetry.clone().unwrap_or_default();
    let log_json = match section.log_format.as_deref().map(str::trim) {
        None | Some("" | "text") => false,
        Some("json") => true,
        Some(other) => {
            let what = format!("`{other}` is not a log format");
            cx.error("telemetry.logFormat", what, "use `text` or `json`");
            false
        }
    };
    let records = section.records.unwrap_or_default();
    let days = records.max_age_days.unwrap_or(30);
    let headers = section.otlp_headers.unwrap_or_default().0;
    let resolve = |(name, value): (String, SecretText)| {
        let path = format!("telemetry.otlpHeaders.{name}");
        secret_at(&path, &value, lookup, cx).map(|secret| (name, secret))
    };
    Telemetry {
        log_level: text(section.log_level.as_ref()).unwrap_or_else(|| "info".to_owned()),
        log_json,
        records: (records.enabled != Some(false)).then(|| Records {
            path: text(records.path.as_ref()),
            age_max: Duration::from_secs(days.saturating_mul(86_400)),
            bytes_max: records.max_bytes.unwrap_or(256 * 1024 * 1024),
        }),
        otlp_endpoint: text(section.otlp_endpoint.as_ref()),
        otlp_headers: headers.into_iter().filter_map(resolve).collect(),
    }
}

pub(crate) fn update(file: &File) -> Update {
    let section = file.update.clone().unwrap_or_default();
    Update { index: text(section.index.as_ref()), check: section.check.unwrap_or(false) }
}
