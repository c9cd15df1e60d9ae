//! What can be routed to: the part of a config that decisions are made from.
//!
//! A catalog is immutable. `router-config` builds one from each valid config file; it holds no
//! secret and no URL, only names, numbers and policy. Providers, models and credentials are
//! referred to by index ([`ModelRef`]), which is valid for this catalog only; anything kept
//! longer than a request is keyed by name.

use std::collections::BTreeMap;
use std::time::Duration;

use router_wire::{Dialect, Usage};

use crate::num::real;
use crate::resolve::Route;

/// Everything routing decides from.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Enabled providers in config order.
    pub providers: Vec<Provider>,
    /// Aliases by exact name.
    pub aliases: BTreeMap<String, Alias>,
    /// What a request without a model, or with model `smart`, means.
    pub default_model: Option<String>,
    /// Client keys beside the master key, without the secrets.
    pub clients: Vec<Client>,
    /// Policy of the whole router.
    pub routing: Routing,
}

/// A client key and what it may be used for.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Unique; safe to log.
    pub label: String,
    /// What it may ask for; empty means everything.
    pub models: Vec<Allowed>,
    /// Caps on its use. They count all its requests.
    pub buckets: Vec<Bucket>,
}

/// An entry of a client key's list of models.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Allowed {
    /// An alias, by name.
    Alias(String),
    /// A model that is named directly.
    Model(ModelRef),
    /// Every model of a provider, by its index, that is named directly.
    Provider(usize),
}

impl Client {
    /// Whether the key may ask for what `route` stands for.
    pub fn allows(&self, route: &Route) -> bool {
        let named = |allowed: &Allowed| match (allowed, route) {
            (Allowed::Alias(allowed), Route::Alias(name)) => allowed == name,
            (Allowed::Model(allowed), Route::Direct(model)) => allowed == model,
            (Allowed::Provider(allowed), Route::Direct(model)) => *allowed == model.provider,
            _ => false,
        };
        self.models.is_empty() || self.models.iter().any(named)
    }

    /// Whether what the key costs is capped. Then it may not use models without a price.
    pub fn is_budgeted(&self) -> bool {
        self.buckets.iter().any(|bucket| bucket.cost.is_some())
    }
}

/// A configured account at a vendor.
#[derive(Clone, Debug, Default)]
pub struct Provider {
    /// The slug that names the provider in `provider/model`.
    pub id: String,
    /// Enabled models in config order.
    pub models: Vec<Model>,
    /// Dialects the provider speaks, preferred first.
    pub dialects: Vec<Dialect>,
    /// The provider's credentials, without the secrets. Never empty: a provider without a key has
    /// one entry with an empty label.
    pub credentials: Vec<Credential>,
    /// Caps on use.
    pub buckets: Vec<Bucket>,
    /// Timeouts after applying the provider's own over the router's.
    pub timeouts: Timeouts,
    /// Digest of everything in the provider's config that a failure could stem from (URLs, keys,
    /// auth, headers). State recorded under another fingerprint is dropped.
    pub fingerprint: u64,
}

/// One secret of a provider, by name only.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    /// Unique within the provider; safe to log.
    pub label: String,
    /// Share of traffic relative to the provider's other credentials.
    pub weight: f64,
}

/// A model a provider offers.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The name the upstream knows.
    pub id: String,
    /// Other names clients may use after `provider/` or, where unique, alone.
    pub aliases: Vec<String>,
    /// Dialects this model is limited to; empty means all of the provider's.
    pub dialects: Vec<Dialect>,
    /// Tokens of context, if configured.
    pub context_window: Option<u64>,
    /// Prices, if configured.
    pub price: Option<Price>,
    /// Second tier of a direct request for this model.
    pub fallback_models: Vec<ModelRef>,
}

/// Where a model stands in a catalog.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ModelRef {
    /// Index into [`Catalog::providers`].
    pub provider: usize,
    /// Index into that provider's [`Provider::models`].
    pub model: usize,
}

/// Prices in US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// Input that was not read from a cache.
    pub input: f64,
    /// Output, reasoning included.
    pub output: f64,
    /// Input read from a cache; `None` means the input price.
    pub cache_read: Option<f64>,
    /// Input written to a cache; `None` means the input price.
    pub cache_write: Option<f64>,
}

impl Price {
    /// What `usage` cost in US dollars.
    pub fn of(&self, usage: &Usage) -> f64 {
        let parts = [
            (usage.input_uncached, self.input),
            (usage.cache_read, self.cache_read.unwrap_or(self.input)),
            (usage.cache_write, self.cache_write.unwrap_or(self.input)),
            (usage.output, self.output),
        ];
        parts.iter().map(|(tokens, price)| real(tokens.unwrap_or(0)) * price).sum::<f64>() / 1e6
    }
}

/// A name clients use that stands for several targets.
#[derive(Clone, Debug, Default)]
pub struct Alias {
    /// How candidates are ordered.
    pub strategy: Strategy,
    /// First tier.
    pub targets: Vec<Target>,
    /// Second tier: used only when no primary is left.
    pub fallback_targets: Vec<Target>,
    /// Whether sessions of this alias stay on their target.
    pub affinity: bool,
}

/// One entry of an alias.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the entry points to.
    pub to: TargetRef,
    /// Share of traffic, greater than 0; `None` is 1 for a model, and for a nested alias also 1.
    pub weight: Option<f64>,
}

/// What a target points to; dangling references were reported and removed when config was loaded.
#[derive(Clone, Debug)]
pub enum TargetRef {
    /// A model.
    Model(ModelRef),
    /// Another alias, balanced by its own strategy; never part of a cycle.
    Alias(String),
}

/// How an alias orders its candidates.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Strategy {
    /// Quota left, health, latency and weight.
    Auto,
    /// As listed.
    #[default]
    Ordered,
    /// In turn.
    RoundRobin,
    /// In turn, by weight.
    WeightedRr,
    /// In turn, by weight and quota left.
    QuotaAwareWeightedRr,
    /// Fastest first token first.
    LeastLatency,
    /// Cheapest first.
    LeastCost,
}

impl Strategy {
    /// The strategy's one name in config, logs and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ordered => "ordered",
            Self::RoundRobin => "round-robin",
            Self::WeightedRr => "weighted-rr",
            Self::QuotaAwareWeightedRr => "quota-aware-weighted-rr",
            Self::LeastLatency => "least-latency",
            Self::LeastCost => "least-cost",
        }
    }
}

/// A cap on use of a provider, or of a client key, within a window.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Unique within the provider or key.
    pub id: String,
    /// Which models count.
    pub models: BucketModels,
    /// Whether each credential has a counter of its own.
    pub per_credential: bool,
    /// Calendar span; ignored by `concurrent`.
    pub window: Window,
    /// Requests per window.
    pub requests: Option<u64>,
    /// Input plus output tokens per window.
    pub tokens: Option<u64>,
    /// Input tokens per window.
    pub input_tokens: Option<u64>,
    /// Output tokens per window.
    pub output_tokens: Option<u64>,
    /// Cost per window in millionths of a US dollar.
    pub cost: Option<u64>,
    /// Requests in flight at once.
    pub concurrent: Option<u64>,
}

impl Bucket {
    /// Whether anything is counted per window, rather than only what is in flight.
    pub const fn has_window(&self) -> bool {
        self.requests.is_some()
            || self.tokens.is_some()
            || self.input_tokens.is_some()
            || self.output_tokens.is_some()
            || self.cost.is_some()
    }
}

/// The models a bucket covers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BucketModels {
    /// Every model of the provider.
    All,
    /// These model ids.
    Only(Vec<String>),
}

/// A calendar span, aligned to the epoch (Monday for weeks) in UTC unless a zone is given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Window {
    /// Unit of the span.
    pub unit: WindowUnit,
    /// How many units, at least 1.
    pub size: u32,
    /// IANA time zone name; `None` is UTC.
    pub time_zone: Option<String>,
}

/// Unit of a [`Window`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum WindowUnit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

/// Time limits of one attempt. `None` means no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// To an established (TLS) connection.
    pub connect: Option<Duration>,
    /// From the request sent to the first byte of the response body.
    pub first_byte: Option<Duration>,
    /// Between two pieces of a response body.
    pub idle: Option<Duration>,
    /// Of the whole attempt; never applied to streams.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Some(Duration::from_secs(10)),
            first_byte: Some(Duration::from_mins(2)),
            idle: Some(Duration::from_mins(2)),
            total: Some(Duration::from_mins(10)),
        }
    }
}

/// Policy of the whole router; every threshold of the `routing` section.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing {
    /// How often and how fast to try again.
    pub retry: Retry,
    /// How long failures keep a candidate out.
    pub cooldown: CooldownPolicy,
    /// When repeated failures keep a candidate out.
    pub circuit: CircuitPolicy,
    /// Holding back and keeping alive.
    pub stream: StreamPolicy,
    /// Keeping sessions on their target.
    pub affinity: AffinityPolicy,
    /// How long a request waits for room in a full bucket where nothing else could serve it,
    /// before it is refused. Zero refuses at once.
    pub queue: Duration,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            cooldown: CooldownPolicy::default(),
            circuit: CircuitPolicy::default(),
            stream: StreamPolicy::default(),
            affinity: AffinityPolicy::default(),
            queue: Duration::from_secs(1),
        }
    }
}

/// Bounds on the attempts of one exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Attempts on one candidate, the first included.
    pub attempts: u32,
    /// Attempts of one exchange over all candidates.
    pub attempts_total: u32,
    /// Time from accept after which no further attempt starts. Longer than the timeout to the first
    /// byte, or a candidate that never answers uses up everybody's time.
    pub budget: Duration,
    /// Delay before the second attempt on the same candidate, before jitter.
    pub base_delay: Duration,
    /// Upper bound of the delay.
    pub max_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            attempts_total: 10,
            budget: Duration::from_mins(5),
            base_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(3),
        }
    }
}

/// Lengths of cooldowns where the provider names none.
#[derive(Clone, Debug, PartialEq)]
pub struct CooldownPolicy {
    /// 429.
    pub rate_limit: Duration,
    /// 401, and 403 that speaks of credentials.
    pub auth: Duration,
    /// 402, and bodies that speak of money.
    pub billing: Duration,
    /// 404, 410 and unusable URLs.
    pub not_found: Duration,
    /// Upper bound of any cooldown a provider may ask for.
    pub max: Duration,
    /// Whether a refusal for policy reasons may go to the next candidate.
    pub allow_policy_fallback: bool,
}

impl Default for CooldownPolicy {
    fn default() -> Self {
        Self {
            rate_limit: Duration::from_secs(30),
            auth: Duration::from_mins(10),
            billing: Duration::from_mins(15),
            not_found: Duration::from_secs(45),
            max: Duration::from_hours(24),
            allow_policy_fallback: false,
        }
    }
}

/// When repeated failures open a circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitPolicy {
    /// Failing exchanges in a row that open it; 0 turns circuits off.
    pub failures: u32,
    /// How long it stays open.
    pub cooldown: Duration,
}

impl Default for CircuitPolicy {
    fn default() -> Self {
        Self { failures: 2, cooldown: Duration::from_secs(30) }
    }
}

/// Holding start-up events and keeping clients' connections alive.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamPolicy {
    /// Bytes of start-up events held before committing anyway.
    pub hold_bytes: usize,
    /// Time start-up events are held before committing anyway.
    pub hold: Duration,
    /// Silence after which a ping is sent; zero turns pings off.
    pub keep_alive: Duration,
}

impl Default for StreamPolicy {
    fn default() -> Self {
        Self {
            hold_bytes: 64 * 1024,
            hold: Duration::from_mins(1),
            keep_alive: Duration::from_secs(10),
        }
    }
}

/// How sessions stick to targets.
#[derive(Clone, Debug, PartialEq)]
pub struct AffinityPolicy {
    /// Whether requests without a session identity get one by hash.
    pub hash: bool,
    /// How long an idle session is remembered.
    pub ttl: Duration,
    /// Sessions remembered at most.
    pub sessions_max: usize,
}

impl Default for AffinityPolicy {
    fn default() -> Self {
        Self { hash: false, ttl: Duration::from_hours(1), sessions_max: 10_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_input_has_a_price_of_its_own() {
        let usage = Usage {
            input_uncached: Some(1_000_000),
            cache_read: Some(2_000_000),
            cache_write: Some(1_000_000),
            output: Some(500_000),
            reasoning: Some(400_000),
            ..Usage::default()
        };
        let price = Price { input: 3.0, output: 15.0, cache_read: Some(0.25), cache_write: None };
        assert_eq!(price.of(&usage).to_bits(), (3.0 + 0.5 + 3.0 + 7.5_f64).to_bits());
    }
}
