//! Where a document names providers, models and aliases.

use std::collections::BTreeSet;

use super::{Document, EditError, Path, Step};
use crate::json::{Node, Value};
use crate::names::slug;

/// A place that names something defined elsewhere in the document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    /// The place.
    pub path: Path,
    /// The text there.
    pub text: String,
    /// What kind of place it is.
    pub kind: ReferenceKind,
}

/// The kinds of places that name something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReferenceKind {
    /// `defaultModel`.
    DefaultModel,
    /// A target or fallback target of an alias.
    Target,
    /// An entry of a model's `fallbackModels`.
    FallbackModel,
    /// An entry of what a client key may use: an alias, `provider/model` or `provider/*`.
    ClientModel,
    /// A model of a bucket of the provider at this index.
    BucketModel {
        /// Index of the provider in the document.
        provider: usize,
    },
}

/// A provider as it stands in the document.
#[derive(Clone, Debug)]
pub(super) struct ProviderAt {
    pub(super) id: String,
    pub(super) index: usize,
    pub(super) path: Path,
}

/// A model as it stands in the document.
#[derive(Clone, Debug)]
pub(super) struct ModelAt {
    pub(super) id: String,
    pub(super) aliases: Vec<String>,
    pub(super) path: Path,
}

/// The document's names, found in whatever spelling it uses.
#[derive(Debug)]
pub(super) struct Index {
    tree: Node,
    providers: Vec<ProviderAt>,
    alias_ids: BTreeSet<String>,
}

/// Spellings of keys; the first one is the one to write.
pub(super) const ALIASES: &[&str] = &["modelAliases", "model-aliases"];
pub(super) const BUCKETS: &[&str] = &["rateLimits", "rate-limits"];
pub(super) const FALLBACKS: &[&str] =
    &["fallbackModels", "fallback-models", "silentFallbacks", "silent-fallbacks", "fallbacks"];
pub(super) const DEFAULT_MODEL: &[&str] = &["defaultModel", "default-model"];
pub(super) const MASTER_KEY: &[&str] = &["masterKey", "master-key"];
pub(super) const CLIENT_KEYS: &[&str] = &["clientKeys", "client-keys"];
pub(super) const CLIENT_LABEL: &[&str] = &["label", "name"];
const CLIENT_MODELS: &[&str] = &["models"];
const MODEL_ID: &[&str] = &["id", "name", "model"];
const MODEL_ALIASES: &[&str] = &["aliases", "alias"];
const TARGETS: &[&str] = &["targets"];
const FALLBACK_TARGETS: &[&str] = &["fallbackTargets", "fallback-targets", "fallbacks"];
const TARGET_REF: &[&str] = &["ref", "target", "route", "model"];
const BUCKET_MODELS: &[&str] = &["models", "model"];

/// The member that counts among several spellings: the first that is present and not null.
pub(super) fn spelled<'a>(
    node: &'a Node,
    path: &Path,
    spellings: &[&str],
) -> Option<(Path, &'a Node)> {
    spellings.iter().find_map(|key| {
        let path = path.key(key);
        let member = super::find(node, &Path(path.0.last().cloned().into_iter().collect()))?;
        (!matches!(member.value, Value::Null)).then_some((path, member))
    })
}

/// The entries of a list, or the single value that stands for a list of one.
fn entries<'a>(path: &Path, node: &'a Node) -> Vec<(Path, &'a Node)> {
    match &node.value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (path.index(index), item)).collect()
        }
        _ => vec![(path.clone(), node)],
    }
}

fn listed<'a>(node: &'a Node, path: &Path, spellings: &[&str]) -> Vec<(Path, &'a Node)> {
    spelled(node, path, spellings).map(|(path, node)| entries(&path, node)).unwrap_or_default()
}

impl Index {
    pub(super) fn new(document: &Document) -> Result<Self, EditError> {
        let tree = document.tree()?;
        let mut index = Self { tree, providers: Vec::new(), alias_ids: BTreeSet::new() };
        index.providers = index.find_providers();
        index.alias_ids = index.aliases().into_iter().map(|(id, _)| id).collect();
        Ok(index)
    }

    /// Providers in the order of the document.
    pub(super) fn providers(&self) -> &[ProviderAt] {
        &self.providers
    }

    pub(super) fn node(&self, path: &Path) -> Option<&Node> {
        super::find(&self.tree, path)
    }

    /// The place of a top-level member, in the spelling the document uses.
    pub(super) fn place(&self, within: &Path, spellings: &[&str]) -> Path {
        let node = self.node(within).unwrap_or(&self.tree);
        let found = spelled(node, within, spellings).map(|(path, _)| path);
        found.unwrap_or_else(|| within.key(spellings.first().copied().unwrap_or_default()))
    }

    fn find_providers(&self) -> Vec<ProviderAt> {
        let all = listed(&self.tree, &Path::root(), &["providers"]);
        let each = all.into_iter().enumerate();
        each.map(|(index, (path, node))| {
            let named = ["id", "name"].iter().find_map(|key| {
                let (_, node) = spelled(node, &Path::root(), &[key])?;
                let text = match &node.value {
                    Value::String(text) | Value::Number(text) => text.as_str(),
                    _ => return None,
                };
                (!text.is_empty()).then(|| slug(text))
            });
            let id = match named {
                None => format!("provider-{}", index.saturating_add(1)),
                Some(slug) if slug.is_empty() => "provider".to_owned(),
                Some(slug) => slug,
            };
            ProviderAt { id, index, path }
        })
        .collect()
    }

    pub(super) fn models(&self, provider: &Path) -> Vec<ModelAt> {
        let Some(node) = self.node(provider) else { return Vec::new() };
        let all = listed(node, provider, &["models"]).into_iter();
        all.filter_map(|(path, node)| {
            let texts = |spellings| listed(node, &Path::root(), spellings);
            let id = match node.as_str() {
                Some(text) => text,
                None => spelled(node, &Path::root(), MODEL_ID)?.1.as_str()?,
            };
            let aliases = texts(MODEL_ALIASES).into_iter();
            let aliases = aliases.filter_map(|(_, node)| Some(node.as_str()?.trim().to_owned()));
            Some(ModelAt { id: id.to_owned(), aliases: aliases.collect(), path })
        })
        .collect()
    }

    /// Names of aliases with their places.
    pub(super) fn aliases(&self) -> Vec<(String, Path)> {
        let Some((path, node)) = spelled(&self.tree, &Path::root(), ALIASES) else {
            return Vec::new();
        };
        let Value::Object(members) = &node.value else { return Vec::new() };
        members.iter().map(|member| (member.key.trim().to_owned(), path.key(&member.key))).collect()
    }

    /// Labels of client keys with their places; a key without a label has an empty one.
    pub(super) fn clients(&self) -> Vec<(String, Path)> {
        let all = listed(&self.tree, &Path::root(), CLIENT_KEYS).into_iter();
        all.map(|(path, node)| {
            let label = spelled(node, &Path::root(), CLIENT_LABEL);
            let label = label.and_then(|(_, node)| node.as_str()).unwrap_or_default();
            (label.trim().to_owned(), path)
        })
        .collect()
    }

    /// The places of what a client key may use.
    pub(super) fn client_models(&self, client: &Path) -> Vec<(Path, &Node)> {
        let node = self.node(client);
        node.map(|node| listed(node, client, CLIENT_MODELS)).unwrap_or_default()
    }

    /// Every place that names something, in the order of the document's sections.
    pub(super) fn references(&self) -> Vec<Reference> {
        let mut out = Vec::new();
        let mut push = |path: Path, node: &Node, kind: ReferenceKind| {
            if let Some(text) = node.as_str() {
                out.push(Reference { path, text: text.trim().to_owned(), kind });
            }
        };
        if let Some((path, node)) = spelled(&self.tree, &Path::root(), DEFAULT_MODEL) {
            push(path, node, ReferenceKind::DefaultModel);
        }
        for (_, client) in self.clients() {
            for (path, text) in self.client_models(&client) {
                push(path, text, ReferenceKind::ClientModel);
            }
        }
        for (_, alias) in self.aliases() {
            let Some(node) = self.node(&alias) else { continue };
            for spellings in [TARGETS, FALLBACK_TARGETS] {
                for (path, target) in listed(node, &alias, spellings) {
                    if target.as_str().is_some() {
                        push(path, target, ReferenceKind::Target);
                    } else if let Some((path, text)) = spelled(target, &path, TARGET_REF) {
                        push(path, text, ReferenceKind::Target);
                    }
                }
            }
        }
        for provider in self.providers() {
            let Some(node) = self.node(&provider.path) else { continue };
            for model in self.models(&provider.path) {
                let Some(node) = self.node(&model.path) else { continue };
                for (path, text) in listed(node, &model.path, FALLBACKS) {
                    push(path, text, ReferenceKind::FallbackModel);
                }
            }
            for (bucket, node) in listed(node, &provider.path, BUCKETS) {
                for (path, text) in listed(node, &bucket, BUCKET_MODELS) {
                    push(path, text, ReferenceKind::BucketModel { provider: provider.index });
                }
            }
        }
        out
    }
}

/// What a reference names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Named {
    Alias(String),
    Model {
        provider: String,
        model: String,
    },
    /// A model by its name alone.
    Bare(String),
}

impl Reference {
    pub(super) fn named(&self, index: &Index) -> Named {
        if let ReferenceKind::BucketModel { provider } = self.kind {
            let provider = index.providers().get(provider).map(|each| each.id.clone());
            let model = self.text.clone();
            return Named::Model { provider: provider.unwrap_or_default(), model };
        }
        let id = self.text.strip_prefix("alias:").unwrap_or(&self.text);
        if id != self.text || index.alias_ids.contains(id) {
            return Named::Alias(id.to_owned());
        }
        match self.text.split_once('/') {
            Some((provider, model)) => {
                Named::Model { provider: slug(provider), model: model.to_owned() }
            }
            None => Named::Bare(self.text.clone()),
        }
    }

    /// What has to go when the reference goes: a target with its weight, the text otherwise.
    pub(super) fn entry(&self) -> Path {
        match self.path.parent() {
            Some((target, Step::Key(key)))
                if self.kind == ReferenceKind::Target && TARGET_REF.contains(&key.as_str()) =>
            {
                target
            }
            _ => self.path.clone(),
        }
    }
}
