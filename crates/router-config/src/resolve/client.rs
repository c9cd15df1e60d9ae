//! `clientKeys[]`.

use router_core::catalog::{Allowed, Catalog, Client};

use super::{Names, bucket, sections};
use crate::diagnostic::Severity;
use crate::names::{nearest, slug};
use crate::read::{Context, Show};
use crate::schema::{self, File};
use crate::secret::{Lookup, Secret};

/// Resolves the keys; `catalog` gets the rest of them, in the same order. What would leave a client
/// less limited than someone wanted is an error.
pub(crate) fn all(
    file: &File,
    catalog: &mut Catalog,
    names: &Names,
    (master, lookup): (Option<&Secret>, &dyn Lookup),
    cx: &mut Context<'_>,
) -> Vec<Secret> {
    let mut keys: Vec<Secret> = Vec::new();
    for written in file.client_keys.iter().flat_map(|list| list.iter()) {
        if written.enabled == Some(serde_json::Value::Bool(false)) {
            continue;
        }
        let label = label(written, catalog, cx);
        let secret = secret(written, lookup, cx);
        let (Some(label), Some(secret)) = (label, secret) else { continue };
        let same = |other: &Secret| other.expose() == secret.expose();
        if keys.iter().chain(master).any(same) {
            let path = format!("{}.key", written.at);
            let what = "another client presents the same key";
            cx.report(Severity::Error, &path, Show::Place, what, Some("give each its own key"));
            continue;
        }
        let limits = written.limits.iter().flat_map(|list| list.iter());
        let limits: Vec<_> = limits.map(schema::Limit::as_bucket).collect();
        let client = Client {
            label,
            models: allowed(written, catalog, names, cx),
            buckets: bucket::all(&limits, &[], &[], cx),
        };
        warn_unpriced(written, &client, catalog, cx);
        catalog.clients.push(client);
        keys.push(secret);
    }
    keys
}

fn label(written: &schema::ClientKey, catalog: &Catalog, cx: &mut Context<'_>) -> Option<String> {
    let label = written.label.as_deref().map(str::trim).filter(|label| !label.is_empty());
    let Some(label) = label else {
        cx.error(&written.at, "the key has no label", "add `\"label\"`, a name for records");
        return None;
    };
    let is_taken = label == "master" || catalog.clients.iter().any(|it| it.label == label);
    if is_taken {
        let path = format!("{}.label", written.at);
        cx.error(&path, format!("the label `{label}` is taken"), "give each key its own label");
    }
    (!is_taken).then(|| label.to_owned())
}

fn secret(
    written: &schema::ClientKey,
    lookup: &dyn Lookup,
    cx: &mut Context<'_>,
) -> Option<Secret> {
    let path = format!("{}.key", written.at);
    let text = written.key.as_ref().filter(|key| !key.0.trim().is_empty());
    let Some(text) = text else {
        cx.error(&path, "there is no key", "add `\"key\": \"env:NAME\"`, or remove the entry");
        return None;
    };
    sections::secret_at(&path, text, lookup, cx)
}

fn allowed(
    written: &schema::ClientKey,
    catalog: &Catalog,
    names: &Names,
    cx: &mut Context<'_>,
) -> Vec<Allowed> {
    let mut out = Vec::new();
    for (index, name) in written.models.iter().flat_map(|texts| &texts.0) {
        let path = format!("{}.models[{index}]", written.at);
        let alias = name.strip_prefix("alias:").unwrap_or(name);
        if catalog.aliases.contains_key(alias) {
            out.push(Allowed::Alias(alias.to_owned()));
        } else if let Some(provider) = name.strip_suffix("/*") {
            let id = slug(provider);
            match catalog.providers.iter().position(|it| it.id == id) {
                Some(at) => out.push(Allowed::Provider(at)),
                None => cx.error(&path, format!("there is no provider `{provider}`"), "correct it"),
            }
        } else if name.contains('/') {
            match names.direct(name, catalog) {
                Ok(model) => out.push(Allowed::Model(model)),
                Err(dangling) => cx.error(&path, dangling.message, &dangling.hint),
            }
        } else {
            let near = nearest(name, catalog.aliases.keys().map(String::as_str));
            let hint = near.map_or_else(
                || "write the name of an alias, `provider/model` or `provider/*`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            cx.error(&path, format!("there is no alias `{name}`"), &hint);
        }
    }
    out
}

/// A budget in money keeps a key from models whose price nobody knows.
fn warn_unpriced(
    written: &schema::ClientKey,
    client: &Client,
    catalog: &Catalog,
    cx: &mut Context<'_>,
) {
    let mut models = catalog.providers.iter().flat_map(|provider| &provider.models);
    if client.is_budgeted() && models.all(|model| model.price.is_none()) {
        let path = format!("{}.limits", written.at);
        let hint = "add `cost` to models, or cap `requests` or `tokens` instead";
        cx.warn(&path, "no model has a price, so the key can use none", hint);
    }
}
