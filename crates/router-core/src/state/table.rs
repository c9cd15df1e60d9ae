//! Where the names of a catalog stand in the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::admit::owner;
use super::{BucketState, CredentialState, ModelState, ProviderState, Rotation, State};
use crate::catalog::{Alias, BucketModels, Catalog, Client, ModelRef, Provider, Target, TargetRef};
use crate::time::UnixMs;

/// What the names of client keys begin with in the state, where they stand among providers: no
/// provider's id has a colon.
pub(super) const CLIENT: &str = "client:";
/// Providers and client keys the state remembers at most, removed ones included.
const PROVIDERS_MAX: usize = 4_096;
/// Removed models, credentials and buckets one provider's state keeps at most.
const LEFTOVERS_MAX: usize = 1_024;

/// A catalog, and where its parts stand in one state. Made by [`State::table`].
#[derive(Clone, Debug, Default)]
pub struct Table {
    catalog: Arc<Catalog>,
    pub(super) providers: Vec<ProviderPlace>,
    /// Where the buckets of client keys stand.
    pub(super) clients: Vec<ProviderPlace>,
    aliases: BTreeMap<String, (usize, u64)>,
}

/// Where the parts of one provider stand.
#[derive(Clone, Debug, Default)]
pub(super) struct ProviderPlace {
    pub slot: usize,
    pub epoch: u64,
    pub models: Vec<usize>,
    pub credentials: Vec<usize>,
    pub buckets: Vec<usize>,
    /// For each model, the catalog indices of the buckets that count it.
    pub counted_by: Vec<Vec<usize>>,
}

impl Table {
    /// The catalog the table was made from.
    pub const fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    pub(super) fn provider(&self, model: ModelRef) -> Option<&ProviderPlace> {
        self.providers.get(model.provider)
    }

    /// The client key of this index, and where its buckets stand.
    pub(super) fn client(&self, index: Option<usize>) -> Option<(&Client, &ProviderPlace)> {
        self.catalog.clients.get(index?).zip(self.clients.get(index?))
    }

    pub(super) fn alias(&self, name: &str) -> Option<(usize, u64)> {
        self.aliases.get(name).copied()
    }
}

impl State {
    /// Makes the table of `catalog` and takes over its policy.
    ///
    /// What is known of a provider is dropped where its fingerprint changed, but for bucket
    /// counts, which survive. Call it once for each config that comes into force.
    #[must_use]
    pub fn table(&mut self, catalog: Arc<Catalog>, now: UnixMs) -> Table {
        self.circuit = catalog.routing.circuit.clone();
        self.affinity_policy = catalog.routing.affinity.clone();
        self.revision += 1;
        self.give_away_unused(&catalog, now);
        let providers = catalog.providers.iter().map(|p| self.place_provider(p)).collect();
        let clients = catalog.clients.iter().map(|it| self.place_provider(&account(it))).collect();
        let aliases = catalog
            .aliases
            .iter()
            .map(|(name, alias)| (name.clone(), self.place_alias(name, alias, &catalog)))
            .collect();
        Table { catalog, providers, clients, aliases }
    }

    /// Whether `catalog` has something whose state is called `id`.
    fn is_named(catalog: &Catalog, id: &str) -> bool {
        let key = id.strip_prefix(CLIENT);
        catalog.providers.iter().any(|p| p.id == id)
            || key.is_some_and(|label| catalog.clients.iter().any(|it| it.label == label))
    }

    fn next_epoch(&mut self) -> u64 {
        self.epochs += 1;
        self.epochs
    }

    /// Empties the positions of providers and aliases that are gone and left nothing behind.
    fn give_away_unused(&mut self, catalog: &Catalog, now: UnixMs) {
        let wanted = catalog.providers.len() + catalog.clients.len();
        let crowded = self.providers.len() + wanted > PROVIDERS_MAX;
        for provider in &mut self.providers {
            let gone = !Self::is_named(catalog, &provider.id);
            if gone && (crowded || provider.left_nothing(now)) {
                *provider = ProviderState::default();
            }
        }
        for rotation in &mut self.rotations {
            if !catalog.aliases.contains_key(&rotation.alias) {
                *rotation = Rotation::default();
            }
        }
    }

    fn place_provider(&mut self, provider: &Provider) -> ProviderPlace {
        let known = self.providers.iter().position(|state| state.id == provider.id);
        let free = || self.providers.iter().position(|state| state.epoch == 0);
        let slot = known.or_else(free).unwrap_or(self.providers.len());
        if slot == self.providers.len() {
            self.providers.push(ProviderState::default());
        }
        let fresh = self.next_epoch();
        let Some(state) = self.providers.get_mut(slot) else { return ProviderPlace::default() };
        if state.epoch == 0 {
            provider.id.clone_into(&mut state.id);
            state.epoch = fresh;
            state.fingerprint = provider.fingerprint;
        }
        if state.fingerprint != provider.fingerprint {
            state.fingerprint = provider.fingerprint;
            state.forget_failures();
        }
        if state.leftovers(provider) > LEFTOVERS_MAX {
            state.drop_leftovers(provider);
            state.epoch = fresh;
        }
        state.place(slot, provider)
    }

    fn place_alias(&mut self, name: &str, alias: &Alias, catalog: &Catalog) -> (usize, u64) {
        let known = self.rotations.iter().position(|rotation| rotation.alias == name);
        let free = || self.rotations.iter().position(|rotation| rotation.epoch == 0);
        let slot = known.or_else(free).unwrap_or(self.rotations.len());
        if slot == self.rotations.len() {
            self.rotations.push(Rotation::default());
        }
        let fresh = self.next_epoch();
        let Some(rotation) = self.rotations.get_mut(slot) else { return (slot, 0) };
        let names = || alias.targets.iter().map(|target| target_name(target, catalog));
        let same = rotation.targets.iter().map(|(name, _)| name.clone()).eq(names());
        if rotation.epoch == 0 || !same {
            let before = std::mem::take(&mut rotation.targets);
            let position =
                |name: &String| before.iter().find(|(n, _)| n == name).map_or(0.0, |t| t.1);
            rotation.targets = names().map(|name| (name.clone(), position(&name))).collect();
            name.clone_into(&mut rotation.alias);
            rotation.epoch = fresh;
        }
        (slot, rotation.epoch)
    }
}

/// A client key as the state keeps it: a provider with buckets and nothing else.
fn account(client: &Client) -> Provider {
    let id = owner(client);
    Provider { id, buckets: client.buckets.clone(), ..Provider::default() }
}

/// How a target is called in the state: `provider/model` or `alias:name`.
fn target_name(target: &Target, catalog: &Catalog) -> String {
    match &target.to {
        TargetRef::Model(model) => catalog.name(*model),
        TargetRef::Alias(name) => format!("alias:{name}"),
    }
}

impl ProviderState {
    fn left_nothing(&self, now: UnixMs) -> bool {
        self.buckets.iter().flat_map(|bucket| &bucket.counters).all(|counter| counter.is_over(now))
    }

    fn leftovers(&self, provider: &Provider) -> usize {
        let known = self.models.len() + self.credentials.len() + self.buckets.len();
        let wanted = provider.models.len() + provider.credentials.len() + provider.buckets.len();
        known.saturating_sub(wanted)
    }

    fn drop_leftovers(&mut self, provider: &Provider) {
        self.models.retain(|m| provider.models.iter().any(|p| p.id == m.id));
        self.buckets.retain(|b| provider.buckets.iter().any(|p| p.id == b.id));
        // Lanes and counters are kept by credential position, which this changes.
        self.credentials.retain(|c| provider.credentials.iter().any(|p| p.label == c.label));
        for model in &mut self.models {
            model.lanes.clear();
        }
        for bucket in &mut self.buckets {
            bucket.counters.truncate(1);
        }
    }

    fn place(&mut self, slot: usize, provider: &Provider) -> ProviderPlace {
        let credentials = provider
            .credentials
            .iter()
            .map(|credential| {
                place(
                    &mut self.credentials,
                    |c| c.label == credential.label,
                    || CredentialState {
                        label: credential.label.clone(),
                        ..CredentialState::default()
                    },
                )
            })
            .collect();
        let models = provider
            .models
            .iter()
            .map(|model| {
                place(
                    &mut self.models,
                    |m| m.id == model.id,
                    || ModelState { id: model.id.clone(), ..ModelState::default() },
                )
            })
            .collect();
        let buckets = provider.buckets.iter().map(|bucket| self.place_bucket(bucket)).collect();
        let counts = |model: &str| {
            let counts = |models: &BucketModels| match models {
                BucketModels::All => true,
                BucketModels::Only(ids) => ids.iter().any(|id| id == model),
            };
            (0..)
                .zip(&provider.buckets)
                .filter(|(_, b)| counts(&b.models))
                .map(|(i, _)| i)
                .collect()
        };
        let counted_by = provider.models.iter().map(|model| counts(&model.id)).collect();
        ProviderPlace { slot, epoch: self.epoch, models, credentials, buckets, counted_by }
    }

    fn place_bucket(&mut self, bucket: &crate::catalog::Bucket) -> usize {
        let index = place(
            &mut self.buckets,
            |b| b.id == bucket.id,
            || BucketState {
                id: bucket.id.clone(),
                window: bucket.window.clone(),
                counters: Vec::new(),
            },
        );
        if let Some(state) = self.buckets.get_mut(index)
            && state.window != bucket.window
        {
            // Counts of another kind of span mean nothing; requests in flight still do.
            state.window = bucket.window.clone();
            for counter in &mut state.counters {
                let in_flight = counter.in_flight;
                *counter = crate::bucket::Counter { in_flight, ..Default::default() };
            }
        }
        index
    }
}

/// The position of the item that `is` the wanted one, added if missing.
fn place<T>(items: &mut Vec<T>, is: impl FnMut(&T) -> bool, new: impl FnOnce() -> T) -> usize {
    items.iter().position(is).unwrap_or_else(|| {
        items.push(new());
        items.len() - 1
    })
}
