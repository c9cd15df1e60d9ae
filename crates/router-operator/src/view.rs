//! What a config holds, for people and programs. Secrets are masked.
//!
//! Things that are turned off are shown, and so is a config with errors.

use router_config::schema::{
    Alias, Bucket, ClientKey, File, List, Model, OrText, Provider, Target, Texts, Url,
};
use router_config::{parse, slug};
use serde_json::{Map, Value, json};

use crate::mask;

/// The config as one object: `version`, `defaultModel`, `masterKey`, `clientKeys`, `providers`,
/// `aliases`.
pub fn config(file: &File) -> Value {
    let secret = file.master_key.as_ref().or_else(|| file.server.as_ref()?.master_key.as_ref());
    let aliases = file.model_aliases.iter().flat_map(|map| &map.0);
    json!({
        "version": file.stated_version(),
        "defaultModel": file.default_model,
        "masterKey": secret.map(|key| mask::secret(&key.0)).filter(|key| !key.is_empty()),
        "clientKeys": clients(file).map(client).collect::<Value>(),
        "providers": providers(file).map(|(index, each)| provider(index, each)).collect::<Value>(),
        "aliases": aliases.map(|(id, written)| alias(id, written)).collect::<Value>(),
    })
}

fn providers(file: &File) -> impl Iterator<Item = (usize, &Provider)> {
    file.providers.iter().flat_map(|list| list.iter()).enumerate()
}

/// A provider by its id.
pub fn provider_of(file: &File, id: &str) -> Option<Value> {
    let wanted = slug(id);
    providers(file).map(|(index, each)| provider(index, each)).find(|each| each["id"] == wanted)
}

/// An alias by its id.
pub fn alias_of(file: &File, id: &str) -> Option<Value> {
    let mut all = file.model_aliases.iter().flat_map(|map| &map.0);
    all.find(|(each, _)| each.trim() == id).map(|(id, written)| alias(id, written))
}

fn clients(file: &File) -> impl Iterator<Item = &ClientKey> {
    file.client_keys.iter().flat_map(|list| list.iter())
}

/// A client key by its label.
pub fn client_of(file: &File, label: &str) -> Option<Value> {
    let mut all = clients(file);
    all.find(|each| each.label.as_deref().map(str::trim) == Some(label.trim())).map(client)
}

fn client(written: &ClientKey) -> Value {
    let limits = written.limits.iter().flat_map(|list| list.iter());
    let limits = limits.map(|limit| {
        let mut limit = bucket(&limit.as_bucket());
        if let Some(members) = limit.as_object_mut() {
            members.shift_remove("models");
        }
        limit
    });
    json!({
        "label": written.label.as_deref().map(str::trim),
        "key": written.key.as_ref().map(|key| mask::secret(&key.0)),
        "enabled": is_on(written.enabled.as_ref()),
        "models": texts(written.models.as_ref()),
        "limits": limits.collect::<Value>(),
    })
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn is_on(enabled: Option<&Value>) -> bool {
    enabled != Some(&Value::Bool(false))
}

fn texts(texts: Option<&Texts>) -> Vec<&str> {
    texts.iter().flat_map(|texts| texts.iter()).collect()
}

/// The object without members that are absent or empty.
fn tidy(members: Value) -> Value {
    let Value::Object(members) = members else { return members };
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    Value::Object(members.into_iter().filter(|(_, value)| !is_empty(value)).collect())
}

fn address(url: &Url) -> Option<String> {
    url.url.as_deref().map(mask::url)
}

fn provider(index: usize, written: &Provider) -> Value {
    let name = text(written.name.as_ref());
    let id = text(written.id.as_ref()).or_else(|| name.clone());
    let id = id.map_or_else(|| format!("provider-{}", index.saturating_add(1)), |id| slug(&id));
    let by_format = written.base_url_by_format.iter().flat_map(|map| &map.0);
    let by_format = by_format.map(|(format, url)| (format.clone(), json!(address(url))));
    let formats = written.format.as_deref().into_iter().chain(texts(written.formats.as_ref()));
    let mut listed: Vec<&str> = Vec::new();
    for format in formats {
        if !listed.contains(&format) {
            listed.push(format);
        }
    }
    let models = written.models.iter().flat_map(|list| list.iter()).map(|each| model(each));
    let buckets = written.rate_limits.iter().flat_map(|list| list.iter()).map(bucket);
    let mut out = tidy(json!({
        "id": id,
        "name": name,
        "enabled": is_on(written.enabled.as_ref()),
        "baseUrl": written.base_url.as_ref().and_then(|url| address(url)),
        "baseUrlByFormat": by_format.collect::<Map<_, _>>(),
        "formats": listed,
        "credentials": credentials(written),
        "headers": written.headers.iter().flat_map(|map| &map.0).map(|(name, _)| name).collect::<Vec<_>>(),
    }));
    if let Some(out) = out.as_object_mut() {
        out.insert("models".to_owned(), models.collect());
        out.insert("rateLimits".to_owned(), buckets.collect());
        let probe = written.last_probe.as_ref();
        if let Some(at) = probe.and_then(|probe| probe.get("at")) {
            out.insert("probedAt".to_owned(), at.clone());
        }
    }
    out
}

fn credentials(written: &Provider) -> Vec<String> {
    let single = written.api_key.as_ref().map(|key| mask::secret(&key.0));
    let env = written.api_key_env.as_ref().map(|name| format!("env:{name}"));
    let single = single.filter(|key| !key.is_empty()).or(env);
    let several = written.api_keys.iter().flat_map(|list| list.iter()).filter_map(|key| {
        let value = key.value.as_ref().map(|value| mask::secret(&value.0));
        value.or_else(|| key.value_env.as_ref().map(|name| format!("env:{name}")))
    });
    single.into_iter().chain(several).collect()
}

fn model(written: &Model) -> Value {
    let mut out = tidy(json!({
        "id": written.id,
        "enabled": is_on(written.enabled.as_ref()),
        "aliases": texts(written.aliases.as_ref()),
        "formats": texts(written.formats.as_ref()),
        "contextWindow": written.context_window,
        "cost": written.cost,
    }));
    if let Some(out) = out.as_object_mut() {
        out.insert("fallbackModels".to_owned(), json!(texts(written.fallback_models.as_ref())));
    }
    out
}

/// A bucket; its window as `{unit, size}` however it was written.
pub(crate) fn bucket(written: &Bucket) -> Value {
    let name = text(written.name.as_ref());
    let window = written.window.as_ref();
    let unit =
        window.and_then(|window| window.unit.clone()).or_else(|| written.window_unit.clone());
    let size = window.and_then(|window| window.size).or(written.window_size);
    let window = unit.map(|unit| match (parse::window(&unit), size) {
        (Ok(_), Some(size)) => json!({ "unit": unit, "size": size }),
        (Ok(window), None) => window,
        (Err(_), _) => json!({ "unit": unit }),
    });
    tidy(json!({
        "id": written.id.clone().unwrap_or_else(|| slug(name.as_deref().unwrap_or_default())),
        "name": name,
        "models": texts(written.models.as_ref()),
        "requests": written.requests,
        "tokens": written.tokens,
        "inputTokens": written.input_tokens,
        "outputTokens": written.output_tokens,
        "cost": written.cost.map(number),
        "concurrent": written.concurrent,
        "scope": written.scope,
        "window": window,
        "timeZone": written.time_zone,
    }))
}

fn alias(id: &str, written: &Alias) -> Value {
    json!({
        "id": id.trim(),
        "strategy": written.strategy.as_deref().unwrap_or("ordered"),
        "targets": targets(written.targets.as_ref()),
        "fallbackTargets": targets(written.fallback_targets.as_ref()),
    })
}

fn targets(list: Option<&List<OrText<Target>>>) -> Value {
    let each = list.into_iter().flat_map(|list| list.iter());
    each.map(|target| tidy(json!({ "ref": target.to, "weight": target.weight.map(number) })))
        .collect()
}

/// Weights and sums of money are whole numbers as a rule, and are shown as such.
pub(crate) fn number(number: f64) -> Value {
    format!("{number}").parse::<u64>().map_or_else(|_| json!(number), Value::from)
}
