//! From the document to a config: defaults, references, and checks across the whole.

mod alias;
mod bucket;
mod client;
mod credential;
pub(crate) mod fingerprint;
mod model;
mod provider;
mod routing;
mod sections;

use router_core::catalog::{Catalog, ModelRef};

pub use alias::strategy_name;

use crate::config::Config;
use crate::load;
use crate::names::{nearest, slug};
use crate::read::Context;
use crate::schema::File;
use crate::secret::Lookup;

/// Builds the config; problems go to `cx`.
pub(crate) fn resolve(file: &File, lookup: &dyn Lookup, cx: &mut Context<'_>) -> Config {
    let version = load::version(file, cx);
    let routing = file.routing.clone().unwrap_or_default();
    let timeouts = routing::timeouts(routing.timeouts.as_ref(), None);
    let (providers, mut upstreams, names) = provider::all(file, timeouts, lookup, cx);
    let mut catalog = Catalog {
        providers,
        aliases: std::collections::BTreeMap::new(),
        default_model: None,
        clients: Vec::new(),
        routing: routing::policy(&routing),
    };
    model::link_fallbacks(&mut catalog, &names, cx);
    alias::all(file, &mut catalog, &names, cx);
    catalog.default_model = default_model(file, &catalog, &names, cx);
    let master_key = sections::master_key(file, lookup, cx);
    let client_keys = client::all(file, &mut catalog, &names, (master_key.as_ref(), lookup), cx);
    let translation = sections::translation(file.translation.as_ref(), None, cx);
    for (at, upstream) in names.providers_at.iter().zip(&mut upstreams) {
        let written =
            file.providers.iter().flat_map(|list| list.iter()).find(|each| each.at == *at);
        let section = written.and_then(|provider| provider.translation.as_ref());
        upstream.translation =
            section.map(|section| sections::translation(Some(section), Some(&translation), cx));
    }
    Config {
        version,
        catalog,
        upstreams,
        master_key,
        client_keys,
        server: sections::server(file, lookup, cx),
        state: sections::state(file, lookup, cx),
        alias_translation: sections::alias_translation(file, &translation, cx),
        translation,
        telemetry: sections::telemetry(file, lookup, cx),
        update: sections::update(file),
    }
}

/// What the document calls things, to find what a reference means and why it means nothing.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Ids of providers that are turned off.
    pub(crate) disabled_providers: Vec<String>,
    /// `provider/model` of models that are turned off.
    pub(crate) disabled_models: Vec<String>,
    /// Where each provider of the catalog stands in the document.
    pub(crate) providers_at: Vec<String>,
    /// Fallback models of each model as written, with their paths: provider, model, entries.
    pub(crate) fallbacks: Vec<(ModelRef, Vec<(String, String)>)>,
}

/// Why a reference to a model means nothing.
pub(crate) struct Dangling {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Names {
    /// Finds `provider/model`; the model may be given by one of its aliases.
    pub(crate) fn direct(&self, reference: &str, catalog: &Catalog) -> Result<ModelRef, Dangling> {
        let Some((provider, model)) = reference.split_once('/') else {
            return Err(Dangling {
                message: format!("`{reference}` is not a model"),
                hint: "write `provider/model`".to_owned(),
            });
        };
        let provider_id = slug(provider);
        let Some(at) = catalog.providers.iter().position(|each| each.id == provider_id) else {
            return Err(self.unknown_provider(provider, &provider_id, catalog));
        };
        let models =
            catalog.providers.get(at).map(|each| each.models.as_slice()).unwrap_or_default();
        models
            .iter()
            .position(|each| each.id == model)
            .or_else(|| models.iter().position(|each| each.aliases.iter().any(|a| a == model)))
            .map(|model| ModelRef { provider: at, model })
            .ok_or_else(|| {
                if self.disabled_models.contains(&format!("{provider_id}/{model}")) {
                    return Dangling {
                        message: format!(
                            "model `{model}` of provider `{provider_id}` is turned off"
                        ),
                        hint: "turn the model on, or remove the reference".to_owned(),
                    };
                }
                let near = nearest(model, models.iter().map(|each| each.id.as_str()));
                Dangling {
                    message: format!("provider `{provider_id}` has no model `{model}`"),
                    hint: near.map_or_else(
                        || "add the model to the provider, or remove the reference".to_owned(),
                        |near| format!("did you mean `{provider_id}/{near}`?"),
                    ),
                }
            })
    }

    fn unknown_provider(&self, written: &str, id: &str, catalog: &Catalog) -> Dangling {
        if self.disabled_providers.iter().any(|each| each == id) {
            return Dangling {
                message: format!("provider `{id}` is turned off"),
                hint: "turn the provider on, or remove the reference".to_owned(),
            };
        }
        let near = nearest(id, catalog.providers.iter().map(|each| each.id.as_str()));
        Dangling {
            message: format!("there is no provider `{written}`"),
            hint: near.map_or_else(
                || "add the provider, or remove the reference".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
        }
    }
}

/// Checks what a request without a model means; a name that means nothing is kept, so that the
/// answer to such a request can name it.
fn default_model(
    file: &File,
    catalog: &Catalog,
    names: &Names,
    cx: &mut Context<'_>,
) -> Option<String> {
    let wanted = file.default_model.as_deref().map(str::trim).filter(|text| !text.is_empty())?;
    let id = wanted.strip_prefix("alias:").unwrap_or(wanted);
    if catalog.aliases.contains_key(id) {
        return Some(id.to_owned());
    }
    if wanted.contains('/') {
        if let Err(dangling) = names.direct(wanted, catalog) {
            cx.warn("defaultModel", dangling.message, &dangling.hint);
        }
        return Some(wanted.to_owned());
    }
    let models = catalog.providers.iter().flat_map(|provider| &provider.models);
    let holders = models
        .filter(|model| model.id == wanted || model.aliases.iter().any(|alias| alias == wanted))
        .count();
    match holders {
        1 => {}
        0 if wanted == "smart" => {}
        0 => {
            let near = nearest(wanted, catalog.aliases.keys().map(String::as_str));
            let hint = near.map_or_else(
                || "write `provider/model` or the name of an alias".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            cx.warn("defaultModel", format!("there is no alias or model `{wanted}`"), &hint);
        }
        _ => cx.warn(
            "defaultModel",
            format!("several providers have a model `{wanted}`"),
            "write `provider/model`",
        ),
    }
    Some(wanted.to_owned())
}
