//! `providers[]`.

use std::collections::BTreeMap;

use http::HeaderValue;
use router_core::catalog::{ModelRef, Provider, Timeouts};
use router_wire::Dialect;

use super::{Names, bucket, credential, fingerprint, model, routing};
use crate::config::{Fixed, Upstream};
use crate::diagnostic::Severity;
use crate::headers;
use crate::names::slug;
use crate::read::{Context, Show};
use crate::schema::{self, File};
use crate::secret::Lookup;
use crate::url::{BaseUrl, Dropped, Operation};

/// Resolves every provider that is turned on.
pub(crate) fn all(
    file: &File,
    timeouts: Timeouts,
    lookup: &dyn Lookup,
    cx: &mut Context<'_>,
) -> (Vec<Provider>, Vec<Upstream>, Names) {
    let (mut providers, mut upstreams, mut names) = (Vec::new(), Vec::new(), Names::default());
    for (index, written) in file.providers.iter().flat_map(|list| list.iter()).enumerate() {
        let id = id(written, index);
        if written.enabled == Some(serde_json::Value::Bool(false)) {
            names.disabled_providers.push(id);
            continue;
        }
        let taken = providers.iter().position(|each: &Provider| each.id == id);
        if let Some(other) = taken.and_then(|at| names.providers_at.get(at)) {
            let path = format!("{}.id", written.at);
            let what = format!("provider id `{id}` is taken by `{other}`");
            cx.error(&path, what, "ids are compared in lower case with dashes: give each its own");
            continue;
        }
        let (provider, upstream) =
            one(written, id, &mut names, providers.len(), (timeouts, lookup), cx);
        names.providers_at.push(written.at.clone());
        providers.push(provider);
        upstreams.push(upstream);
    }
    (providers, upstreams, names)
}

/// The slug of the id, the name, or the position.
fn id(provider: &schema::Provider, index: usize) -> String {
    let written = [provider.id.as_ref(), provider.name.as_ref()];
    let named = written.into_iter().flatten().map(text_of).find(|text| !text.is_empty());
    match named.map(|name| slug(&name)) {
        None => format!("provider-{}", index.saturating_add(1)),
        Some(slug) if slug.is_empty() => "provider".to_owned(),
        Some(slug) => slug,
    }
}

/// A text, or what a value looks like as one.
pub(crate) fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn one(
    written: &schema::Provider,
    id: String,
    names: &mut Names,
    index: usize,
    (timeouts, lookup): (Timeouts, &dyn Lookup),
    cx: &mut Context<'_>,
) -> (Provider, Upstream) {
    let models = model::all(written, cx);
    names.disabled_models.extend(models.disabled.iter().map(|model| format!("{id}/{model}")));
    names.fallbacks.extend(
        models
            .fallbacks
            .into_iter()
            .map(|(model, list)| (ModelRef { provider: index, model }, list)),
    );
    if models.list.is_empty() {
        let hint = "add `\"models\": [\"…\"]`, or probe the provider for them";
        cx.warn(&written.at, format!("provider `{id}` has no models and is never used"), hint);
    }
    let (bases, dialects) = bases_and_dialects(written, &id, cx);
    let (credentials, secrets) = credential::all(written, lookup, cx);
    let written_buckets = written.rate_limits.as_deref().unwrap_or_default();
    let buckets = bucket::all(written_buckets, &models.list, &models.disabled, cx);
    let texts = |texts: &Option<schema::Texts>| -> Vec<String> {
        let each = texts.iter().flat_map(schema::Texts::iter).flat_map(|text| text.split(','));
        each.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
    };
    let mut upstream = Upstream {
        name: written.name.as_ref().map_or_else(|| id.clone(), text_of),
        id: id.clone(),
        fixed: fixed(&bases),
        bases,
        credentials: secrets,
        auth: credential::auth(written, cx),
        headers: written
            .headers
            .as_ref()
            .map(|map| headers::build(&written.at, map, lookup, cx))
            .unwrap_or_default(),
        anthropic_version: anthropic_version(written, cx),
        anthropic_beta: texts(&written.anthropic_beta),
        anthropic_beta_allow: written
            .anthropic_beta_allow
            .as_ref()
            .map(|_| texts(&written.anthropic_beta_allow)),
        facts: model::checked_facts(written.facts.as_ref(), &written.at, cx),
        model_facts: models.facts,
        translation: None,
    };
    if let Some(version) = upstream.headers.remove("anthropic-version") {
        upstream.anthropic_version = Some(version);
    }
    let provider = Provider {
        id,
        models: models.list,
        dialects,
        credentials,
        buckets,
        timeouts: routing::timeouts(written.timeouts.as_ref(), Some(timeouts)),
        fingerprint: fingerprint::of(&upstream),
    };
    (provider, upstream)
}

fn anthropic_version(written: &schema::Provider, cx: &mut Context<'_>) -> Option<HeaderValue> {
    let text = written.anthropic_version.as_deref().map(str::trim).filter(|t| !t.is_empty())?;
    let value = HeaderValue::from_str(text).ok();
    if value.is_none() {
        let path = format!("{}.anthropicVersion", written.at);
        cx.error(
            &path,
            "the version cannot be sent in a header",
            "write a date such as `2023-06-01`",
        );
    }
    value
}

/// Base URLs of each dialect and the dialects, preferred first.
fn bases_and_dialects(
    written: &schema::Provider,
    id: &str,
    cx: &mut Context<'_>,
) -> (BTreeMap<Dialect, BaseUrl>, Vec<Dialect>) {
    let mut by_format: Vec<(Dialect, BaseUrl)> = Vec::new();
    let mut is_bad = false;
    for (format, url) in written.base_url_by_format.iter().flat_map(|map| &map.0) {
        let Some(dialect) = model::dialect(format, &url.at, cx) else { continue };
        match base_url(url, cx) {
            // `claude` and `anthropic` are one format; the first one counts.
            Ok(Some(_)) if by_format.iter().any(|(seen, _)| *seen == dialect) => {
                let what = "this format has an address already";
                cx.report(Severity::Warning, &url.at, Show::Place, what, Some("remove one"));
            }
            Ok(base) => by_format.extend(base.map(|base| (dialect, base))),
            Err(()) => is_bad = true,
        }
    }
    let common = written.base_url.as_ref().map_or(Ok(None), |url| base_url(url, cx));
    is_bad |= common.is_err();
    let common = common.unwrap_or_default();
    let dialects = dialects(written, &by_format, common.as_ref(), cx);
    let preferred =
        dialects.iter().find_map(|dialect| by_format.iter().find(|(d, _)| d == dialect));
    let common = common.or_else(|| preferred.map(|(_, base)| base.clone()));
    if common.is_none() && !is_bad {
        let hint = "add `\"baseUrl\": \"https://…\"`";
        cx.error(&written.at, format!("provider `{id}` has no address"), hint);
    }
    let mut bases: BTreeMap<Dialect, BaseUrl> = by_format.into_iter().collect();
    if let Some(common) = common {
        for dialect in Dialect::ALL {
            bases.entry(dialect).or_insert_with(|| common.clone());
        }
    }
    (bases, dialects)
}

/// `Ok(None)` for a blank address, `Err` for one that was reported.
fn base_url(url: &schema::Url, cx: &mut Context<'_>) -> Result<Option<BaseUrl>, ()> {
    let text = url.url.as_deref().map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    match BaseUrl::parse(text, url.exact == Some(true)) {
        Ok((base, dropped)) => {
            for part in dropped {
                let (what, hint) = match part {
                    Dropped::UserInfo => (
                        "user name and password in the address are ignored",
                        "use `apiKey` and `auth`",
                    ),
                    Dropped::Fragment => ("the part from `#` on is ignored", "remove it"),
                };
                cx.report(Severity::Warning, &url.at, Show::Place, what, Some(hint));
            }
            Ok(Some(base))
        }
        Err(what) => {
            let hint = Some("write it as in `https://api.example.com/v1`");
            cx.report(Severity::Error, &url.at, Show::Place, what, hint);
            Err(())
        }
    }
}

/// The preferred dialect, the listed ones, then those with an address of their own.
fn dialects(
    written: &schema::Provider,
    by_format: &[(Dialect, BaseUrl)],
    common: Option<&BaseUrl>,
    cx: &mut Context<'_>,
) -> Vec<Dialect> {
    let path = format!("{}.format", written.at);
    let text = written.format.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let preferred = text.and_then(|text| model::dialect(text, &path, cx));
    let listed = model::dialects(written.formats.as_ref(), &format!("{}.formats", written.at), cx);
    let mut out: Vec<Dialect> = Vec::new();
    let own = by_format.iter().map(|(dialect, _)| *dialect);
    for dialect in preferred.into_iter().chain(listed).chain(own) {
        if !out.contains(&dialect) {
            out.push(dialect);
        }
    }
    if out.is_empty() {
        let guess = guess(common);
        let what = format!("no format is given; `{guess}` is assumed");
        cx.warn(&written.at, what, "add `\"format\"`: `openai`, `claude`, `responses` or `gemini`");
        out.push(guess);
    }
    out
}

/// The dialect the address speaks of.
fn guess(base: Option<&BaseUrl>) -> Dialect {
    let Some(base) = base else { return Dialect::OpenaiChat };
    let url = base.written();
    if url.contains("anthropic") || url.ends_with("/messages") {
        Dialect::Anthropic
    } else if url.contains("generativelanguage") && !url.contains("/openai") {
        Dialect::Gemini
    } else if url.ends_with("/responses") {
        Dialect::OpenaiResponses
    } else {
        Dialect::OpenaiChat
    }
}

/// Addresses that do not depend on the model, made once.
fn fixed(bases: &BTreeMap<Dialect, BaseUrl>) -> Fixed {
    let each = bases.iter().flat_map(|(dialect, base)| {
        Operation::ALL.into_iter().map(move |operation| (*dialect, base, operation))
    });
    let each = each.filter_map(|(dialect, base, operation)| {
        let url = base.endpoint(dialect, operation, "{model}")?;
        let depends = base.endpoint(dialect, operation, "x")? != url;
        if depends { None } else { Some((dialect, operation, url.parse().ok()?)) }
    });
    Fixed(each.collect())
}
