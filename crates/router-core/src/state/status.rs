//! How everything stands, for people and for gauges.

use serde::Serialize;

use super::{BucketState, ModelState, ProviderState, View};
use crate::bucket::Tokens;
use crate::catalog::{Bucket, Model, ModelRef, Provider};
use crate::circuit::{Circuit, Gate};
use crate::time::UnixMs;

/// How one provider stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProviderStatus {
    /// Provider id.
    pub provider: String,
    /// Its circuit: `closed`, `half-open` or `open`.
    pub circuit: &'static str,
    /// Its models in config order.
    pub models: Vec<ModelStatus>,
    /// Its buckets in config order; one entry for each credential where each has a counter.
    pub buckets: Vec<BucketStatus>,
}

/// How one model of a provider stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelStatus {
    /// Model id.
    pub model: String,
    /// Its circuit: `closed`, `half-open` or `open`.
    pub circuit: &'static str,
    /// Failing exchanges in a row.
    pub failures: u32,
    /// Average time to first output in milliseconds, once known.
    pub latency_ms: Option<f64>,
}

/// How much of its limits one client key has used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientStatus {
    /// The key's label.
    pub client: String,
    /// Its limits in config order.
    pub limits: Vec<BucketStatus>,
}

/// How full one counter of a bucket is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BucketStatus {
    /// Bucket id.
    pub bucket: String,
    /// The credential's label, where each has a counter of its own.
    pub credential: Option<String>,
    /// What is left, 0 to 1, the least over all caps.
    pub left: f64,
    /// Every cap and what was used of it.
    pub caps: Vec<CapStatus>,
    /// When the span counted in ends; `None` if only requests in flight are capped.
    pub resets_at: Option<UnixMs>,
}

/// One cap of a bucket.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CapStatus {
    /// What is counted: `requests`, `tokens`, `input_tokens`, `output_tokens`,
    /// `cost_usd_millionths` or `concurrent`.
    pub counts: &'static str,
    /// Used in this span.
    pub used: u64,
    /// The cap.
    pub cap: u64,
}

impl View<'_> {
    /// How every provider of the catalog stands, in config order.
    pub fn status(&self, now: UnixMs) -> Vec<ProviderStatus> {
        let providers = self.catalog().providers.iter().enumerate();
        providers.map(|(index, provider)| self.provider_status(index, provider, now)).collect()
    }

    /// How every client key of the catalog stands, in config order.
    pub fn clients(&self, now: UnixMs) -> Vec<ClientStatus> {
        let places = self.table.clients.iter();
        let clients = self.catalog().clients.iter().zip(places).map(|(client, place)| {
            let known = self.state.providers.get(place.slot);
            let account = known.filter(|state| state.epoch == place.epoch);
            let limits = client.buckets.iter().zip(&place.buckets).map(|(bucket, slot)| {
                let counted = account.and_then(|state| state.buckets.get(*slot));
                bucket_status(bucket, counted, 0, None, now)
            });
            ClientStatus { client: client.label.clone(), limits: limits.collect() }
        });
        clients.collect()
    }

    fn provider_status(&self, index: usize, provider: &Provider, now: UnixMs) -> ProviderStatus {
        let place = self.table.provider(ModelRef { provider: index, model: 0 });
        let state = place.and_then(|place| {
            self.state.providers.get(place.slot).filter(|state| state.epoch == place.epoch)
        });
        let model_state = |index: usize| state?.models.get(*place?.models.get(index)?);
        let models = provider.models.iter().enumerate();
        let models = models.map(|(index, m)| self.model_status(m, model_state(index), now));
        let bucket_state = |index: usize| state?.buckets.get(*place?.buckets.get(index)?);
        let mut buckets = Vec::new();
        for (index, bucket) in provider.buckets.iter().enumerate() {
            let counted = bucket_state(index);
            if bucket.per_credential {
                for (at, credential) in provider.credentials.iter().enumerate() {
                    let slot = place.and_then(|place| place.credentials.get(at).copied());
                    let label = Some(credential.label.clone());
                    buckets.push(bucket_status(bucket, counted, slot.unwrap_or(at), label, now));
                }
            } else {
                buckets.push(bucket_status(bucket, counted, 0, None, now));
            }
        }
        let circuit = |state: &ProviderState| circuit_name(&state.health.circuit, now);
        ProviderStatus {
            provider: provider.id.clone(),
            circuit: state.map_or("closed", circuit),
            models: models.collect(),
            buckets,
        }
    }

    fn model_status(&self, model: &Model, state: Option<&ModelState>, now: UnixMs) -> ModelStatus {
        let circuit = state.map(|state| state.health.circuit).unwrap_or_default();
        ModelStatus {
            model: model.id.clone(),
            circuit: circuit_name(&circuit, now),
            failures: circuit.failures(&self.state.circuit, now),
            latency_ms: state.and_then(|state| state.latency.settled(now)),
        }
    }
}

fn circuit_name(circuit: &Circuit, now: UnixMs) -> &'static str {
    match circuit.gate(now) {
        Gate::Closed => "closed",
        Gate::HalfOpen | Gate::Probing(_) => "half-open",
        Gate::Open(_) => "open",
    }
}

fn bucket_status(
    bucket: &Bucket,
    state: Option<&BucketState>,
    counter: usize,
    credential: Option<String>,
    now: UnixMs,
) -> BucketStatus {
    let counter = state.and_then(|state| state.counters.get(counter).copied()).unwrap_or_default();
    let counter = counter.at(&bucket.window, now);
    let used = counter.tokens;
    let caps = [
        ("requests", counter.requests, bucket.requests),
        ("tokens", used.input.saturating_add(used.output), bucket.tokens),
        ("input_tokens", used.input, bucket.input_tokens),
        ("output_tokens", used.output, bucket.output_tokens),
        ("cost_usd_millionths", used.cost, bucket.cost),
        ("concurrent", counter.in_flight, bucket.concurrent),
    ];
    let caps = caps
        .into_iter()
        .filter_map(|(counts, used, cap)| cap.map(|cap| CapStatus { counts, used, cap }));
    BucketStatus {
        bucket: bucket.id.clone(),
        credential,
        left: counter.level(bucket, Tokens::default()).left,
        caps: caps.collect(),
        resets_at: bucket.has_window().then_some(counter.span.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Strategy;
    use crate::failure::FailureClass;
    use crate::testing::{World, catalog};

    #[test]
    fn the_status_tells_counts_and_circuits() {
        let mut world =
            World::new(catalog("ab").alias("x", Strategy::Ordered, "a b", "").monthly("a", 4));
        assert_eq!(world.serve("a/m"), "a");
        for _ in 0..2 {
            world.fail("b/m", FailureClass::ServerError);
        }
        let status = world.state.view(&world.table).status(world.now);
        let cap = CapStatus { counts: "requests", used: 1, cap: 4 };
        assert_eq!(status[0].buckets[0].caps, [cap]);
        assert_eq!(status[0].buckets[0].left.to_bits(), 0.75_f64.to_bits());
        assert!(status[0].buckets[0].resets_at.is_some_and(|at| world.now < at));
        assert_eq!((status[0].circuit, status[0].models[0].circuit), ("closed", "closed"));
        assert_eq!((status[1].models[0].circuit, status[1].models[0].failures), ("open", 2));
    }
}
