//! `providers[].models[]`.

use router_core::catalog::{Catalog, Model, ModelRef, Price};
use router_wire::Dialect;
use router_wire::facts::FactsTable;

use super::Names;
use crate::diagnostic::Severity;
use crate::read::{Context, Show};
use crate::schema;

/// Models of a provider, with what else is remembered about them.
#[derive(Debug, Default)]
pub(crate) struct Models {
    pub(crate) list: Vec<Model>,
    pub(crate) facts: Vec<Option<serde_json::Value>>,
    pub(crate) disabled: Vec<String>,
    /// Fallback models as written, with their paths, by index of the model.
    pub(crate) fallbacks: Vec<(usize, Vec<(String, String)>)>,
}

/// Checks the models of a provider.
pub(crate) fn all(provider: &schema::Provider, cx: &mut Context<'_>) -> Models {
    let mut out = Models::default();
    for model in provider.models.iter().flat_map(|list| list.iter()) {
        let Some(id) = model.id.as_deref().filter(|id| !id.trim().is_empty()) else {
            cx.warn(&model.at, "a model without an id is ignored", "add `\"id\"`");
            continue;
        };
        if model.enabled == Some(serde_json::Value::Bool(false)) {
            out.disabled.push(id.to_owned());
            continue;
        }
        if out.list.iter().any(|seen| seen.id == id) {
            let path = format!("{}.id", model.at);
            cx.warn(
                &path,
                format!("model `{id}` is listed twice; the first one counts"),
                "remove one",
            );
            continue;
        }
        let at = out.list.len();
        out.fallbacks.extend(fallbacks(&model.0).map(|list| (at, list)));
        out.facts.push(checked_facts(model.facts.as_ref(), &model.at, cx));
        out.list.push(build(&model.0, id, cx));
    }
    out
}

/// What an operator knows of models, if it is something translation can use.
pub(crate) fn checked_facts(
    facts: Option<&serde_json::Value>,
    at: &str,
    cx: &mut Context<'_>,
) -> Option<serde_json::Value> {
    let facts = facts?;
    if let Err(error) = FactsTable::check(facts) {
        let hint = "take the names from docs/translation.md, `Model facts`";
        cx.error(&format!("{at}.facts"), error.to_string(), hint);
    }
    Some(facts.clone())
}

fn fallbacks(model: &schema::Model) -> Option<Vec<(String, String)>> {
    let entries = model.fallback_models.as_ref()?.0.iter();
    let at = |index| format!("{}.fallbackModels[{index}]", model.at);
    Some(entries.map(|(index, text)| (at(index), text.clone())).collect())
}

fn build(model: &schema::Model, id: &str, cx: &mut Context<'_>) -> Model {
    let aliases = model.aliases.iter().flat_map(schema::Texts::iter);
    Model {
        id: id.to_owned(),
        aliases: aliases.filter(|alias| *alias != id).map(str::to_owned).collect(),
        dialects: dialects(model.formats.as_ref(), &format!("{}.formats", model.at), cx),
        context_window: model.context_window.filter(|tokens| *tokens > 0),
        price: model.cost.as_ref().and_then(|cost| price(cost, &model.at, cx)),
        fallback_models: Vec::new(),
    }
}

/// Reads a list of dialects; unknown names are reported and left out.
pub(crate) fn dialects(
    texts: Option<&schema::Texts>,
    path: &str,
    cx: &mut Context<'_>,
) -> Vec<Dialect> {
    let mut out = Vec::new();
    for (index, text) in texts.iter().flat_map(|texts| &texts.0) {
        if let Some(dialect) = dialect(text, &format!("{path}[{index}]"), cx)
            && !out.contains(&dialect)
        {
            out.push(dialect);
        }
    }
    out
}

/// Reads one dialect; an unknown name is reported.
pub(crate) fn dialect(text: &str, path: &str, cx: &mut Context<'_>) -> Option<Dialect> {
    let found = Dialect::from_config_name(&text.to_lowercase());
    if found.is_none() {
        let hint = Some("use `openai`, `claude`, `responses` or `gemini`");
        let what = format!("`{text}` is not a format and is ignored");
        // The place may be the value of a key that names a format.
        cx.report(Severity::Warning, path, Show::Place, what, hint);
    }
    found
}

/// Spellings of a price per million tokens, and of a price per token.
const INPUT: [&[&str]; 2] = [
    &["input", "inputPerMillion", "input_per_million", "inputPer1M", "inputCostPerMillion"],
    &["prompt", "input_cost_per_token", "inputCostPerToken", "inputPerToken"],
];
const OUTPUT: [&[&str]; 2] = [
    &["output", "outputPerMillion", "output_per_million", "outputPer1M", "outputCostPerMillion"],
    &["completion", "output_cost_per_token", "outputCostPerToken", "outputPerToken"],
];
const CACHE_READ: [&[&str]; 2] = [
    &["cacheRead", "cache_read", "cachedInput", "cached_input", "cacheReadPerMillion"],
    &["input_cache_read", "cache_read_input_token_cost", "cacheReadPerToken"],
];
const CACHE_WRITE: [&[&str]; 2] = [
    &["cacheWrite", "cache_write", "cacheWritePerMillion", "cacheCreation"],
    &["input_cache_write", "cache_creation_input_token_cost", "cacheWritePerToken"],
];

/// Reads prices in the shapes catalogs of vendors and other programs use.
fn price(cost: &serde_json::Value, at: &str, cx: &mut Context<'_>) -> Option<Price> {
    let path = format!("{at}.cost");
    let read = |names: [&[&str]; 2]| {
        let find = |names: &[&str]| names.iter().find_map(|name| number(cost.get(name)?));
        let [per_million, per_token] = names;
        find(per_million).or_else(|| find(per_token).map(|price| price * 1e6))
    };
    let (input, output) = (read(INPUT), read(OUTPUT));
    if input.is_none() && output.is_none() {
        let is_empty = cost.as_object().is_some_and(serde_json::Map::is_empty);
        if !is_empty {
            let hint = "write `{\"input\": 3, \"output\": 15}` in US dollars per million tokens";
            cx.warn(&path, "the prices are not understood and ignored", hint);
        }
        return None;
    }
    let price = Price {
        input: input.unwrap_or_default(),
        output: output.unwrap_or_default(),
        cache_read: read(CACHE_READ),
        cache_write: read(CACHE_WRITE),
    };
    let all = [Some(price.input), Some(price.output), price.cache_read, price.cache_write];
    if all.iter().flatten().any(|each| *each < 0.0) {
        cx.warn(&path, "a price is negative; the prices are ignored", "prices are 0 or more");
        return None;
    }
    Some(price)
}

fn number(value: &serde_json::Value) -> Option<f64> {
    let number = match value {
        serde_json::Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|number| number.is_finite())
}

/// Resolves `fallbackModels` once every provider is known.
pub(crate) fn link_fallbacks(catalog: &mut Catalog, names: &Names, cx: &mut Context<'_>) {
    for (owner, entries) in &names.fallbacks {
        let mut found: Vec<ModelRef> = Vec::with_capacity(entries.len());
        for (path, text) in entries {
            match names.direct(text, catalog) {
                Ok(target) if target == *owner => {
                    cx.warn(path, "a model cannot be its own fallback", "remove it");
                }
                Ok(target) if found.contains(&target) => {
                    cx.warn(path, format!("`{text}` is listed twice"), "remove one");
                }
                Ok(target) => found.push(target),
                Err(dangling) => cx.warn(path, dangling.message, &dangling.hint),
            }
        }
        let provider = catalog.providers.get_mut(owner.provider);
        if let Some(model) = provider.and_then(|each| each.models.get_mut(owner.model)) {
            model.fallback_models = found;
        }
    }
}
