//! What operators do to a config, in one call each.

use serde_json::{Map, Value};

use super::clients::opened;
use super::references::{
    ALIASES, BUCKETS, DEFAULT_MODEL, FALLBACKS, Index, MASTER_KEY, ModelAt, Named, ProviderAt,
};
use super::{Document, EditError, Path, Reference, ReferenceKind};
use crate::json::Node;
use crate::names::{nearest, slug};

/// What to do with the places that name what is removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnReferences {
    /// Do not remove it, and list them.
    Refuse,
    /// Remove them too.
    Remove,
}

impl Document {
    /// Ids of providers, those that are turned off included.
    pub fn provider_ids(&self) -> Vec<String> {
        let index = Index::new(self).ok();
        index.iter().flat_map(Index::providers).map(|each| each.id.clone()).collect()
    }

    /// Ids of the models of a provider, those that are turned off included.
    pub fn model_ids(&self, provider: &str) -> Result<Vec<String>, EditError> {
        let index = Index::new(self)?;
        let at = provider_at(&index, provider)?;
        Ok(index.models(&at.path).into_iter().map(|each| each.id).collect())
    }

    /// Names of aliases.
    pub fn alias_ids(&self) -> Vec<String> {
        let index = Index::new(self).ok();
        index.iter().flat_map(Index::aliases).map(|(id, _)| id).collect()
    }

    /// Every place that names a provider, a model or an alias.
    pub fn references(&self) -> Result<Vec<Reference>, EditError> {
        Ok(Index::new(self)?.references())
    }

    /// Every name a target or a fallback can have: aliases, then `provider/model`.
    pub fn targets(&self) -> Result<Vec<String>, EditError> {
        let index = Index::new(self)?;
        let mut out: Vec<String> = index.aliases().into_iter().map(|(id, _)| id).collect();
        for provider in index.providers() {
            for model in index.models(&provider.path) {
                let names = std::iter::once(&model.id).chain(&model.aliases);
                out.extend(names.map(|name| format!("{}/{name}", provider.id)));
            }
        }
        Ok(out)
    }

    /// Where a provider stands.
    pub fn provider_path(&self, id: &str) -> Result<Path, EditError> {
        provider_at(&Index::new(self)?, id).map(|each| each.path)
    }

    /// Adds a provider behind the others.
    pub fn add_provider(
        &mut self,
        id: &str,
        members: &Map<String, Value>,
    ) -> Result<(), EditError> {
        let index = Index::new(self)?;
        let id = slug(id);
        if index.providers().iter().any(|each| each.id == id) {
            return Err(EditError::Taken(format!("provider `{id}`")));
        }
        let mut provider = Map::new();
        provider.insert("id".to_owned(), id.into());
        for (key, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            if key != "id" {
                provider.insert(key.clone(), value.clone());
            }
        }
        self.push(&Path::root().key("providers"), Value::Object(provider))
    }

    /// Sets members of a provider; those that are `null` are removed, all others stay.
    pub fn edit_provider(
        &mut self,
        id: &str,
        members: &Map<String, Value>,
    ) -> Result<(), EditError> {
        let path = self.provider_path(id)?;
        self.merge(&path, members)
    }

    /// Gives a provider another id, and changes the places that name it; tells which.
    pub fn rename_provider(&mut self, id: &str, to: &str) -> Result<Vec<Reference>, EditError> {
        let index = Index::new(self)?;
        let at = provider_at(&index, id)?;
        let to = slug(to);
        if at.id == to {
            return Ok(Vec::new());
        }
        if to.is_empty() || index.providers().iter().any(|each| each.id == to) {
            return Err(EditError::Taken(format!("provider `{to}`")));
        }
        let mut edited = self.clone();
        let is_of = |reference: &Reference| match (reference.named(&index), reference.kind) {
            // A bucket names models of its own provider, whatever that is called.
            (_, ReferenceKind::BucketModel { .. }) => None,
            (Named::Model { provider, model }, _) if provider == at.id => {
                Some(format!("{to}/{model}"))
            }
            _ => None,
        };
        let changed = edited.rewrite(&index, is_of)?;
        edited.set(&at.path.key("id"), &to.as_str().into())?;
        *self = edited;
        Ok(changed)
    }

    /// Removes a provider; tells which references went with it.
    pub fn remove_provider(
        &mut self,
        id: &str,
        on_references: OnReferences,
    ) -> Result<Vec<Reference>, EditError> {
        let index = Index::new(self)?;
        let at = provider_at(&index, id)?;
        let names_it =
            |named: &Named| matches!(named, Named::Model { provider, .. } if *provider == at.id);
        let what = format!("provider `{}`", at.id);
        self.remove_with(&index, (&what, &at.path), names_it, on_references)
    }

    /// Adds a model behind the others of its provider.
    pub fn add_model(
        &mut self,
        provider: &str,
        id: &str,
        members: &Map<String, Value>,
    ) -> Result<(), EditError> {
        let index = Index::new(self)?;
        let at = provider_at(&index, provider)?;
        if index.models(&at.path).iter().any(|each| each.id == id) {
            return Err(EditError::Taken(format!("model `{}/{id}`", at.id)));
        }
        let mut model = Map::new();
        model.insert("id".to_owned(), id.into());
        model.extend(
            members
                .iter()
                .filter(|(key, value)| *key != "id" && !value.is_null())
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        self.push(&at.path.key("models"), Value::Object(model))
    }

    /// Sets members of a model; those that are `null` are removed, all others stay.
    pub fn edit_model(
        &mut self,
        provider: &str,
        id: &str,
        members: &Map<String, Value>,
    ) -> Result<(), EditError> {
        let index = Index::new(self)?;
        let at = model_at(&index, &provider_at(&index, provider)?, id)?;
        let mut edited = self.clone();
        edited.model_as_object(&index, &at)?;
        edited.merge(&at.path, members)?;
        *self = edited;
        Ok(())
    }

    /// Gives a model another id, and changes the places that name it; tells which.
    pub fn rename_model(
        &mut self,
        provider: &str,
        id: &str,
        to: &str,
    ) -> Result<Vec<Reference>, EditError> {
        let index = Index::new(self)?;
        let provider = provider_at(&index, provider)?;
        let at = model_at(&index, &provider, id)?;
        if at.id == to {
            return Ok(Vec::new());
        }
        if index.models(&provider.path).iter().any(|each| each.id == to) {
            return Err(EditError::Taken(format!("model `{}/{to}`", provider.id)));
        }
        let mut edited = self.clone();
        let is_of = |reference: &Reference| match (reference.named(&index), reference.kind) {
            (Named::Model { provider: p, model }, kind) if p == provider.id && model == at.id => {
                Some(match kind {
                    ReferenceKind::BucketModel { .. } => to.to_owned(),
                    _ => format!("{p}/{to}"),
                })
            }
            _ => None,
        };
        let changed = edited.rewrite(&index, is_of)?;
        let is_text = index.node(&at.path).is_some_and(|node| node.as_str().is_some());
        let place =
            if is_text { at.path.clone() } else { index.place(&at.path, &["id", "name", "model"]) };
        edited.set(&place, &to.into())?;
        *self = edited;
        Ok(changed)
    }

    /// Removes a model; tells which references went with it.
    pub fn remove_model(
        &mut self,
        provider: &str,
        id: &str,
        on_references: OnReferences,
    ) -> Result<Vec<Reference>, EditError> {
        let index = Index::new(self)?;
        let provider = provider_at(&index, provider)?;
        let at = model_at(&index, &provider, id)?;
        let is_name = |name: &str| name == at.id || at.aliases.iter().any(|alias| alias == name);
        let names_it = |named: &Named| match named {
            Named::Model { provider: p, model } => *p == provider.id && is_name(model),
            Named::Bare(model) => *model == at.id,
            Named::Alias(_) => false,
        };
        let what = format!("model `{}/{}`", provider.id, at.id);
        self.remove_with(&index, (&what, &at.path), names_it, on_references)
    }

    /// Sets the models used when this one fails on a direct request; none removes the list.
    pub fn set_fallbacks(
        &mut self,
        provider: &str,
        model: &str,
        fallbacks: &[String],
    ) -> Result<(), EditError> {
        let index = Index::new(self)?;
        let at = model_at(&index, &provider_at(&index, provider)?, model)?;
        let mut edited = self.clone();
        edited.model_as_object(&index, &at)?;
        let place = index.place(&at.path, FALLBACKS);
        edited.set_or_remove(&place, fallbacks.is_empty(), &fallbacks.into())?;
        *self = edited;
        Ok(())
    }

    /// Replaces the buckets of a provider; none removes the list.
    pub fn set_buckets(&mut self, provider: &str, buckets: &[Value]) -> Result<(), EditError> {
        let index = Index::new(self)?;
        let place = index.place(&provider_at(&index, provider)?.path, BUCKETS);
        self.set_or_remove(&place, buckets.is_empty(), &buckets.into())
    }

    /// Adds an alias, or sets members of the one there is; `null` members are removed.
    pub fn put_alias(&mut self, id: &str, members: &Map<String, Value>) -> Result<(), EditError> {
        let index = Index::new(self)?;
        let id = id.trim();
        let known = index.aliases().into_iter().rev().find(|(alias, _)| alias == id);
        if let Some((_, path)) = known {
            return self.merge(&path, members);
        }
        let present = members.iter().filter(|(_, value)| !value.is_null());
        let alias: Map<String, Value> =
            present.map(|(key, value)| (key.clone(), value.clone())).collect();
        let place = index.place(&Path::root(), ALIASES).key(id);
        self.set(&place, &Value::Object(alias))
    }

    /// Gives an alias another name, and changes the places that name it; tells which. The alias
    /// moves behind the others.
    pub fn rename_alias(&mut self, id: &str, to: &str) -> Result<Vec<Reference>, EditError> {
        let index = Index::new(self)?;
        let path = alias_at(&index, id)?;
        if id == to {
            return Ok(Vec::new());
        }
        if index.aliases().iter().any(|(alias, _)| alias == to) {
            return Err(EditError::Taken(format!("alias `{to}`")));
        }
        let mut edited = self.clone();
        let is_of = |reference: &Reference| match reference.named(&index) {
            Named::Alias(alias) if alias == id => {
                let prefix = if reference.text.starts_with("alias:") { "alias:" } else { "" };
                Some(format!("{prefix}{to}"))
            }
            _ => None,
        };
        let changed = edited.rewrite(&index, is_of)?;
        let value = edited.get(&path).unwrap_or_default();
        edited.remove(&path)?;
        edited.set(&index.place(&Path::root(), ALIASES).key(to), &value)?;
        *self = edited;
        Ok(changed)
    }

    /// Removes an alias; tells which references went with it.
    pub fn remove_alias(
        &mut self,
        id: &str,
        on_references: OnReferences,
    ) -> Result<Vec<Reference>, EditError> {
        let index = Index::new(self)?;
        let path = alias_at(&index, id)?;
        let names_it = |named: &Named| matches!(named, Named::Alias(alias) if alias == id);
        self.remove_with(&index, (&format!("alias `{id}`"), &path), names_it, on_references)
    }

    /// Brings a document of version 1 to version 2; says whether anything changed. Other versions
    /// stay as they are, and what is said in older spellings does too.
    pub fn migrate(&mut self) -> Result<bool, EditError> {
        let root = Path::root();
        let version = self.get(&root.key("version"));
        let number = version.as_ref().and_then(|version| match version {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_f64(),
        });
        if number.is_some_and(|number| number >= 2.0) {
            return Ok(false);
        }
        let mut edited = self.clone();
        let providers = root.key("providers");
        if let Some(single @ Value::Object(_)) = self.get(&providers) {
            edited.set(&providers, &Value::Array(vec![single]))?;
        }
        let index = Index::new(&edited)?;
        for provider in index.providers() {
            let place = index.place(&provider.path, BUCKETS);
            if edited.get(&place).is_none() && index.node(&provider.path).is_some_and(is_object) {
                edited.set(&place, &Value::Array(Vec::new()))?;
            }
        }
        let aliases = index.place(&root, ALIASES);
        if edited.get(&aliases).is_none() {
            edited.set(&aliases, &Value::Object(Map::new()))?;
        }
        edited.set(&root.key("version"), &2.into())?;
        *self = edited;
        Ok(true)
    }

    /// Sets the key clients present, or removes it.
    pub fn set_master_key(&mut self, key: Option<&str>) -> Result<(), EditError> {
        let place = Index::new(self)?.place(&Path::root(), MASTER_KEY);
        self.set_or_remove(&place, key.is_none(), &key.into())
    }

    /// Sets what a request without a model means, or removes it.
    pub fn set_default_model(&mut self, model: Option<&str>) -> Result<(), EditError> {
        let place = Index::new(self)?.place(&Path::root(), DEFAULT_MODEL);
        self.set_or_remove(&place, model.is_none(), &model.into())
    }

    fn set_or_remove(
        &mut self,
        place: &Path,
        is_gone: bool,
        value: &Value,
    ) -> Result<(), EditError> {
        if is_gone { self.remove(place).map(|_| ()) } else { self.set(place, value) }
    }

    /// Adds to a list; a single value in its place becomes the first element.
    pub(super) fn push(&mut self, list: &Path, value: Value) -> Result<(), EditError> {
        match self.get(list) {
            None | Some(Value::Null) => self.set(list, &Value::Array(vec![value])),
            Some(Value::Array(items)) => self.set(&list.index(items.len()), &value),
            Some(single) => self.set(list, &Value::Array(vec![single, value])),
        }
    }

    /// Turns a model that is a plain text into an object.
    fn model_as_object(&mut self, index: &Index, at: &ModelAt) -> Result<(), EditError> {
        if index.node(&at.path).is_some_and(|node| node.as_str().is_some()) {
            let model: Map<String, Value> =
                [("id".to_owned(), at.id.as_str().into())].into_iter().collect();
            self.set(&at.path, &Value::Object(model))?;
        }
        Ok(())
    }

    /// Changes the text of references.
    fn rewrite(
        &mut self,
        index: &Index,
        new_text: impl Fn(&Reference) -> Option<String>,
    ) -> Result<Vec<Reference>, EditError> {
        let mut changed: Vec<(Reference, Value)> = Vec::new();
        for reference in index.references() {
            let text = new_text(&reference);
            changed.extend(text.map(|text| (reference, text.into())));
        }
        self.set_all(changed.iter().map(|(reference, text)| (&reference.path, text)))?;
        Ok(changed.into_iter().map(|(reference, _)| reference).collect())
    }

    /// Removes `path` and the references that name it, from the last to the first, so that
    /// indexes stay right.
    fn remove_with(
        &mut self,
        index: &Index,
        (what, path): (&str, &Path),
        names_it: impl Fn(&Named) -> bool,
        on_references: OnReferences,
    ) -> Result<Vec<Reference>, EditError> {
        let is_inside = |reference: &Reference| reference.path.steps().starts_with(path.steps());
        let references: Vec<Reference> = index
            .references()
            .into_iter()
            .filter(|each| !is_inside(each) && names_it(&each.named(index)))
            .collect();
        if on_references == OnReferences::Refuse && !references.is_empty() {
            return Err(EditError::Referenced { what: what.to_owned(), references });
        }
        if let Some(client) = opened(index, &references) {
            let (what, path) = (what.to_owned(), client.to_string());
            return Err(EditError::OnlyUse { what, path });
        }
        let mut places: Vec<Path> = references.iter().map(Reference::entry).collect();
        places.extend(emptied_buckets(index, &references));
        places.push(path.clone());
        places.sort();
        self.remove_all(places.iter().rev())?;
        Ok(references)
    }
}

fn is_object(node: &Node) -> bool {
    matches!(node.value, crate::json::Value::Object(_))
}

/// Buckets all of whose models go: they would cap nothing.
fn emptied_buckets(index: &Index, gone: &[Reference]) -> Vec<Path> {
    let is_selector = |each: &&Reference| matches!(each.kind, ReferenceKind::BucketModel { .. });
    let bucket_of = |each: &Reference| {
        let steps = each.path.steps();
        let depth = steps.iter().rposition(
            |step| matches!(step, super::Step::Key(key) if key == "models" || key == "model"),
        )?;
        Some(Path(steps.get(..depth)?.to_vec()))
    };
    let all = index.references();
    let mut out: Vec<Path> = Vec::new();
    for bucket in gone.iter().filter(is_selector).filter_map(bucket_of) {
        let mut selectors =
            all.iter().filter(is_selector).filter(|each| bucket_of(each).as_ref() == Some(&bucket));
        if selectors.all(|each| gone.contains(each)) && !out.contains(&bucket) {
            out.push(bucket);
        }
    }
    out
}

fn provider_at(index: &Index, id: &str) -> Result<ProviderAt, EditError> {
    let wanted = slug(id);
    let all = index.providers();
    let near = nearest(&wanted, all.iter().map(|each| each.id.as_str())).map(str::to_owned);
    let not_found = || EditError::NotFound { what: format!("provider `{id}`"), near };
    all.iter().find(|each| each.id == wanted).cloned().ok_or_else(not_found)
}

fn model_at(index: &Index, provider: &ProviderAt, id: &str) -> Result<ModelAt, EditError> {
    let all = index.models(&provider.path);
    let near = nearest(id, all.iter().map(|each| each.id.as_str())).map(str::to_owned);
    let what = format!("model `{}/{id}`", provider.id);
    let not_found = || EditError::NotFound { what, near };
    all.into_iter().find(|each| each.id == id).ok_or_else(not_found)
}

fn alias_at(index: &Index, id: &str) -> Result<Path, EditError> {
    let all = index.aliases();
    let near = nearest(id, all.iter().map(|(alias, _)| alias.as_str())).map(str::to_owned);
    let not_found = || EditError::NotFound { what: format!("alias `{id}`"), near };
    all.into_iter().rev().find(|(alias, _)| alias == id).map(|(_, path)| path).ok_or_else(not_found)
}
