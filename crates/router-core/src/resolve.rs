//! What a requested model name stands for.
//!
//! ```text
//!   absent, "", "smart" ------> defaultModel, resolved by the rules below
//!   "alias:NAME" -------------> that alias, or nothing
//!   "NAME" of an alias -------> that alias, even if a model is called the same
//!   "provider/model" ---------> that model; its alias after the slash will do
//!   a bare model id or alias -> the one model called so; several are refused
//! ```
//!
//! Provider ids are compared without regard to case, everything else exactly.

use std::borrow::Cow;

use crate::catalog::{Catalog, Model, ModelRef, Provider};

/// The word that stands for the default model.
pub const DEFAULT_WORD: &str = "smart";
/// Near names and rivals listed in an error.
const LISTED_MAX: usize = 5;
/// Bytes of a name that an error repeats. What is longer is nobody's, and near to nobody's.
const SHOWN_MAX: usize = 200;

/// What a request is routed by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Route {
    /// One model, with its fallback models behind it.
    Direct(ModelRef),
    /// An alias of the catalog, by its exact name.
    Alias(String),
}

impl Route {
    /// `direct` or `alias`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Direct(_) => "direct",
            Self::Alias(_) => "alias",
        }
    }

    /// `provider/model` or the alias name.
    pub fn name(&self, catalog: &Catalog) -> String {
        match self {
            Self::Direct(model) => catalog.name(*model),
            Self::Alias(name) => name.clone(),
        }
    }
}

/// Why a name could not be resolved. Client errors: 404 for all but the default model's.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ResolveError {
    /// No model was named and the config has no usable `defaultModel`.
    #[error("no model was named and no default model is configured")]
    NoDefault,
    /// Nothing is called so.
    #[error("unknown model `{requested}`{}", near_text(.near))]
    Unknown {
        /// The name as the client sent it, or its beginning.
        requested: String,
        /// Names the client may have meant, best first.
        near: Vec<String>,
    },
    /// Several providers have a model of that name.
    #[error("model `{requested}` is offered by several providers: {}", listed(.matches))]
    Ambiguous {
        /// The name as the client sent it.
        requested: String,
        /// Every model that matches, as `provider/model`.
        matches: Vec<String>,
    },
}

fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(LISTED_MAX);
    let mut text: Vec<_> = names.iter().take(LISTED_MAX).map(|n| format!("`{n}`")).collect();
    if more > 0 {
        text.push(format!("{more} more"));
    }
    text.join(", ")
}

fn near_text(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", listed(near)) }
}

impl Catalog {
    /// The provider of `model`, if the reference belongs to this catalog.
    pub fn provider(&self, model: ModelRef) -> Option<&Provider> {
        self.providers.get(model.provider)
    }

    /// The model `model` refers to, if the reference belongs to this catalog.
    pub fn model(&self, model: ModelRef) -> Option<&Model> {
        self.provider(model)?.models.get(model.model)
    }

    /// `provider/model`; empty for a reference of another catalog.
    pub fn name(&self, model: ModelRef) -> String {
        match (self.provider(model), self.model(model)) {
            (Some(provider), Some(model)) => [provider.id.as_str(), "/", &model.id].concat(),
            _ => String::new(),
        }
    }

    /// Every model of the catalog in config order.
    pub fn models(&self) -> impl Iterator<Item = ModelRef> {
        self.providers.iter().enumerate().flat_map(|(provider, p)| {
            (0..p.models.len()).map(move |model| ModelRef { provider, model })
        })
    }

    /// The model a `provider/model` text names: an exact id before a model alias.
    pub fn find(&self, provider: &str, model: &str) -> Option<ModelRef> {
        let (index, provider) =
            self.providers.iter().enumerate().find(|(_, p)| p.id.eq_ignore_ascii_case(provider))?;
        let by_id = provider.models.iter().position(|m| m.id == model);
        let by_alias = || provider.models.iter().position(|m| m.aliases.iter().any(|a| a == model));
        Some(ModelRef { provider: index, model: by_id.or_else(by_alias)? })
    }
}

/// A name as an error repeats it: cut short if a client made it absurdly long.
pub fn shown(name: &str) -> Cow<'_, str> {
    if name.len() <= SHOWN_MAX {
        return Cow::Borrowed(name);
    }
    let cut = name.get(..name.floor_char_boundary(SHOWN_MAX)).unwrap_or_default();
    Cow::Owned(format!("{cut}…"))
}

/// Resolves what a client asked for.
pub fn resolve(catalog: &Catalog, requested: Option<&str>) -> Result<Route, ResolveError> {
    match requested.map(str::trim) {
        None | Some("" | DEFAULT_WORD) => default_route(catalog),
        Some(name) => named(catalog, name),
    }
}

fn default_route(catalog: &Catalog) -> Result<Route, ResolveError> {
    match catalog.default_model.as_deref().map(str::trim) {
        None | Some("" | DEFAULT_WORD) => Err(ResolveError::NoDefault),
        Some(name) => named(catalog, name),
    }
}

fn named(catalog: &Catalog, name: &str) -> Result<Route, ResolveError> {
    let unknown = || ResolveError::Unknown {
        requested: shown(name).into_owned(),
        near: if name.len() > SHOWN_MAX { Vec::new() } else { near(catalog, name) },
    };
    if let Some(alias) = name.strip_prefix("alias:") {
        return catalog.aliases.get_key_value(alias).map(alias_route).ok_or_else(unknown);
    }
    if let Some(found) = catalog.aliases.get_key_value(name) {
        return Ok(alias_route(found));
    }
    if let Some((provider, model)) = name.split_once('/')
        && let Some(found) = catalog.find(provider, model)
    {
        return Ok(Route::Direct(found));
    }
    // Some vendors' model ids hold slashes themselves, so a name with one may still be bare.
    let mut matches = bare(catalog, name, |model| model.id == name);
    if matches.is_empty() {
        matches = bare(catalog, name, |model| model.aliases.iter().any(|alias| alias == name));
    }
    match matches.as_slice() {
        [] => Err(unknown()),
        [only] => Ok(Route::Direct(*only)),
        several => Err(ResolveError::Ambiguous {
            requested: name.into(),
            matches: several.iter().map(|model| catalog.name(*model)).collect(),
        }),
    }
}

fn alias_route((name, _): (&String, &crate::catalog::Alias)) -> Route {
    Route::Alias(name.clone())
}

fn bare(catalog: &Catalog, name: &str, is: impl Fn(&Model) -> bool) -> Vec<ModelRef> {
    if name.is_empty() {
        return Vec::new();
    }
    let mut matches = Vec::new();
    for (provider, offered) in catalog.providers.iter().enumerate() {
        for (model, _) in offered.models.iter().enumerate().filter(|(_, model)| is(model)) {
            matches.push(ModelRef { provider, model });
        }
    }
    matches
}

/// Names the client may have meant, nearest first.
fn near(catalog: &Catalog, name: &str) -> Vec<String> {
    let wanted = plain(name);
    let wanted_model = plain(name.rsplit('/').next().unwrap_or(name));
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut offer = |distance: usize, length: usize, text: String| {
        if distance <= 1 + length / 3 {
            found.push((distance, text));
        }
    };
    for alias in catalog.aliases.keys() {
        offer(distance(&wanted, &plain(alias)), wanted.len(), alias.clone());
    }
    for reference in catalog.models() {
        let Some(model) = catalog.model(reference) else { continue };
        let full = catalog.name(reference);
        let ids = std::iter::once(&model.id).chain(&model.aliases);
        let by_model =
            ids.map(|id| distance(&wanted_model, &plain(id))).min().unwrap_or(usize::MAX);
        let best = by_model.min(distance(&wanted, &plain(&full)));
        offer(best, wanted_model.len(), full);
    }
    found.sort();
    found.dedup();
    let best = found.first().map_or(0, |(distance, _)| *distance);
    found.retain(|(distance, _)| *distance <= best + 1);
    found.truncate(LISTED_MAX);
    found.into_iter().map(|(_, text)| text).collect()
}

/// What remains of a name when case and punctuation are set aside; bounded, since it is compared
/// with every name of the catalog.
fn plain(name: &str) -> Vec<u8> {
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric).take(64);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The least number of insertions, removals and replacements that turn `a` into `b`; 0 where one
/// begins with the other.
fn distance(a: &[u8], b: &[u8]) -> usize {
    if !a.is_empty() && a.len() > 2 && (b.starts_with(a) || (b.len() > 2 && a.starts_with(b))) {
        return usize::from(a.len() != b.len());
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            let changed = diagonal + usize::from(from != to);
            left = changed.min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
