//! What translating needs to know of a config, worked out once per config.

use std::collections::BTreeMap;

use router_config::{Config, Translation, Upstream};
use router_core::catalog::ModelRef;
use router_core::resolve::Route;
use router_wire::facts::{Facts, FactsTable};
use router_wire::translate::Options;
use serde_json::{Value, json};

/// Model facts by candidate, and what the operator wants by provider and alias.
#[derive(Debug, Default)]
pub(crate) struct Translations {
    /// By provider, then model, as in the catalog.
    facts: Vec<Vec<Facts>>,
    providers: Vec<Options>,
    /// Aliases with settings of their own; they outweigh the provider's.
    aliases: BTreeMap<String, Translation>,
    default: Facts,
}

impl Translations {
    pub(crate) fn new(config: &Config) -> Self {
        let table = FactsTable::embedded();
        let providers = config.catalog.providers.iter().zip(&config.upstreams);
        let facts = providers.map(|(provider, upstream)| {
            let table = with(table.clone(), &upstream.id, upstream.facts.as_ref());
            let models = provider.models.iter().enumerate();
            models
                .map(|(index, model)| {
                    let own = upstream.model_facts.get(index).and_then(Option::as_ref);
                    with(table.clone(), &upstream.id, own).lookup(&model.id)
                })
                .collect()
        });
        Self {
            facts: facts.collect(),
            providers: config.upstreams.iter().map(|it| options(config, it)).collect(),
            aliases: config.alias_translation.clone(),
            default: Facts::default(),
        }
    }

    /// What is known about a model.
    pub(crate) fn facts(&self, model: ModelRef) -> &Facts {
        let found = self.facts.get(model.provider).and_then(|models| models.get(model.model));
        found.unwrap_or(&self.default)
    }

    /// What the operator wants of translations for this provider by this route.
    pub(crate) fn options(&self, route: &Route, model: ModelRef) -> Options {
        let options = self.providers.get(model.provider).cloned().unwrap_or_default();
        let Route::Alias(name) = route else { return options };
        match self.aliases.get(name.as_str()) {
            Some(own) => apply(options, own),
            None => options,
        }
    }
}

fn options(config: &Config, upstream: &Upstream) -> Options {
    let version = upstream.anthropic_version.as_ref().and_then(|value| value.to_str().ok());
    let mut options = Options::default();
    if let Some(version) = version {
        version.clone_into(&mut options.anthropic_version);
    }
    apply(options, upstream.translation.as_ref().unwrap_or(&config.translation))
}

fn apply(options: Options, wanted: &Translation) -> Options {
    Options {
        reasoning_to_chat: wanted.reasoning_to_chat,
        strict: wanted.strict.clone(),
        max_tokens_default: wanted.max_tokens_default,
        cache_12h: wanted.cache_12h,
        effort_headers: wanted.effort_headers,
        ..options
    }
}

/// Adds an operator's corrections to the facts of all models the table is asked for.
fn with(mut table: FactsTable, provider: &str, facts: Option<&Value>) -> FactsTable {
    let Some(facts) = facts else { return table };
    let record = json!([{ "models": ["*"], "facts": facts }]);
    // A config with bad facts was refused when it was read.
    if let Err(error) = table.merge(&record.to_string()) {
        tracing::warn!(provider, %error, "model facts in the config are not used");
    }
    table
}
