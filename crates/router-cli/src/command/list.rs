//! `llm-router list`: what the config holds.

use std::fmt::Write as _;

use router_config::schema::File;
use router_operator::view;
use serde_json::Value;

use super::edit::document;
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};
use crate::output::{FAINT, STRONG, WARN, styled};

/// Shows everything, with secrets masked; a missing file is an empty config.
pub(crate) fn run(cx: &Cx) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    let (document, exists) = document(cx)?;
    let file = File::parse(document.text()).map_err(|error| Failure::input(error.to_string()))?;
    let mut value = view::config(&file);
    let mut text = format!("{}  {}", label("config"), path.display());
    if !exists {
        text.push_str(" (not there yet)");
    }
    let part = |key: &str| value.get(key).cloned().unwrap_or_default();
    let show = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("none").to_owned();
    let _ = write!(text, "\n{}  {}", label("version"), part("version"));
    let _ = write!(text, "\n{}  {}", label("default model"), show("defaultModel"));
    let _ = write!(text, "\n{}  {}", label("master key"), show("masterKey"));
    let clients = part("clientKeys");
    if clients.as_array().is_some_and(|all| !all.is_empty()) {
        let _ = write!(text, "\n\n{}", styled(STRONG, "client keys"));
        let _ = write!(text, "\n{}", self::clients(&clients));
    }
    let _ = write!(text, "\n\n{}", styled(STRONG, "providers"));
    let _ = write!(text, "\n{}", providers(&part("providers")));
    let _ = write!(text, "\n\n{}", styled(STRONG, "aliases"));
    let _ = write!(text, "\n{}", aliases(&part("aliases")));
    if let Some(members) = value.as_object_mut() {
        members.insert("path".to_owned(), path.to_string_lossy().into());
        members.insert("exists".to_owned(), exists.into());
    }
    Ok(Outcome::new(text, value))
}

fn label(name: &str) -> String {
    styled(FAINT, format!("{name:13}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn joined(items: &[Value]) -> String {
    let each =
        items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
    each.collect::<Vec<_>>().join(", ")
}

/// What follows a name that is turned off.
fn off(value: &Value) -> String {
    match value.get("enabled") {
        Some(Value::Bool(false)) => format!(" {}", styled(WARN, "(off)")),
        _ => String::new(),
    }
}

/// Providers with their models and buckets.
pub(crate) fn providers(providers: &Value) -> String {
    let blocks = providers.as_array().into_iter().flatten().map(provider);
    let text = blocks.collect::<Vec<_>>().join("\n");
    if text.is_empty() { "  none".to_owned() } else { text }
}

fn provider(provider: &Value) -> String {
    let mut out = format!("  {}{}", styled(STRONG, text(provider, "id")), off(provider));
    let name = text(provider, "name");
    if !name.is_empty() {
        let _ = write!(out, "  {name}");
    }
    let mut line = |key: &str, value: String| {
        if !value.is_empty() {
            let _ = write!(out, "\n    {}  {value}", styled(FAINT, format!("{key:9}")));
        }
    };
    line("address", text(provider, "baseUrl").to_owned());
    let by_format = provider.get("baseUrlByFormat").and_then(Value::as_object);
    for (format, url) in by_format.into_iter().flatten() {
        line("address", format!("{} ({format})", url.as_str().unwrap_or_default()));
    }
    line("formats", joined(list(provider, "formats")));
    line("key", joined(list(provider, "credentials")));
    for each in list(provider, "models") {
        line("model", model(each, "id"));
    }
    for each in list(provider, "rateLimits") {
        line("bucket", bucket(each));
    }
    out
}

/// A model on one line; `key` says which name to show.
pub(crate) fn model(model: &Value, key: &str) -> String {
    let mut out = format!("{}{}", text(model, key), off(model));
    let also = joined(list(model, "aliases"));
    if !also.is_empty() {
        let _ = write!(out, " (also {also})");
    }
    let fallbacks = joined(list(model, "fallbackModels"));
    if !fallbacks.is_empty() {
        let _ = write!(out, " {}", styled(FAINT, format!("falls back to {fallbacks}")));
    }
    out
}

/// Client keys with what they may use.
pub(crate) fn clients(clients: &Value) -> String {
    let blocks = clients.as_array().into_iter().flatten().map(|client| {
        let label = styled(STRONG, text(client, "label"));
        let mut out = format!("  {label}{}  {}", off(client), text(client, "key"));
        let models = joined(list(client, "models"));
        let models = if models.is_empty() { "everything".to_owned() } else { models };
        let _ = write!(out, "\n    {}  {models}", styled(FAINT, "may use"));
        for limit in list(client, "limits") {
            let _ = write!(out, "\n    {}  {}", styled(FAINT, "limit  "), bucket(limit));
        }
        out
    });
    let text = blocks.collect::<Vec<_>>().join("\n");
    if text.is_empty() { "  none".to_owned() } else { text }
}

/// A bucket or limit on one line.
pub(crate) fn bucket(bucket: &Value) -> String {
    let id = text(bucket, "id");
    let name = text(bucket, "name");
    let title = if name.is_empty() { id.to_owned() } else { format!("{name} ({id})") };
    let caps = ["requests", "tokens", "inputTokens", "outputTokens", "concurrent"];
    let caps = caps.iter().filter_map(|cap| Some(format!("{} {cap}", bucket.get(cap)?)));
    let cost = bucket.get("cost").map(|cost| format!("{cost} US dollars"));
    let caps = caps.chain(cost);
    let caps = caps.collect::<Vec<_>>().join(", ");
    let window = bucket.get("window").map(|window| {
        let size = window.get("size").map(Value::to_string).unwrap_or_default();
        format!(" per {} {}", size, text(window, "unit"))
            .replace("  ", " ")
            .replace("per 1 ", "per ")
    });
    let models = joined(list(bucket, "models"));
    let models = if models.is_empty() { models } else { format!(" for {models}") };
    let scope = if text(bucket, "scope") == "credential" { ", each credential" } else { "" };
    format!("{title}: {caps}{}{models}{scope}", window.unwrap_or_default())
}

/// Aliases with their targets.
pub(crate) fn aliases(aliases: &Value) -> String {
    let blocks = aliases.as_array().into_iter().flatten().map(|alias| {
        let targets = |key: &str| {
            let each = list(alias, key).iter().map(|target| {
                let weight = target.get("weight").map(|weight| format!("@{weight}"));
                format!("{}{}", text(target, "ref"), weight.unwrap_or_default())
            });
            each.collect::<Vec<_>>().join(", ")
        };
        let id = styled(STRONG, text(alias, "id"));
        let mut out = format!("  {id}  {}: {}", text(alias, "strategy"), targets("targets"));
        let fallbacks = targets("fallbackTargets");
        if !fallbacks.is_empty() {
            let _ = write!(out, "; then {fallbacks}");
        }
        out
    });
    let text = blocks.collect::<Vec<_>>().join("\n");
    if text.is_empty() { "  none".to_owned() } else { text }
}
