//! A small world for tests: a catalog from a few words, a state and a clock.

use std::sync::Arc;
use std::time::Duration;

use router_wire::Dialect;

use crate::bucket::Tokens;
use crate::catalog::{
    Alias, Bucket, BucketModels, Catalog, Credential, Model, ModelRef, Provider, Strategy, Target,
    TargetRef, Window, WindowUnit,
};
use crate::failure::FailureClass;
use crate::plan::{Plan, RequestFacts, SessionKey, plan};
use crate::resolve::resolve;
use crate::state::{Effect, Refused, Reservation, Settlement, State, Table};
use crate::time::UnixMs;

/// Providers called by single letters, each with model `m`.
pub(crate) fn catalog(providers: &str) -> Catalog {
    let provider = |id: char| Provider {
        id: id.into(),
        models: vec![Model { id: "m".into(), ..Model::default() }],
        dialects: vec![Dialect::OpenaiChat],
        credentials: vec![Credential { label: "k1".into(), weight: 1.0 }],
        ..Provider::default()
    };
    Catalog { providers: providers.chars().map(provider).collect(), ..Catalog::default() }
}

impl Catalog {
    /// Adds an alias; `targets` and `fallbacks` list provider letters or alias names, each with
    /// an optional `*weight`.
    pub(crate) fn alias(
        mut self,
        name: &str,
        strategy: Strategy,
        targets: &str,
        fallbacks: &str,
    ) -> Self {
        let target = |text: &str| {
            let (name, weight) = text.split_once('*').map_or((text, None), |(n, w)| (n, Some(w)));
            let provider = self.providers.iter().position(|provider| provider.id == name);
            let to = match provider {
                Some(provider) => TargetRef::Model(ModelRef { provider, model: 0 }),
                None => TargetRef::Alias(name.into()),
            };
            Target { to, weight: weight.map(|weight| weight.parse().unwrap()) }
        };
        let alias = Alias {
            strategy,
            targets: targets.split_whitespace().map(target).collect(),
            fallback_targets: fallbacks.split_whitespace().map(target).collect(),
            affinity: true,
        };
        self.aliases.insert(name.into(), alias);
        self
    }

    /// Changes the provider called `id`.
    pub(crate) fn change(mut self, id: &str, change: impl FnOnce(&mut Provider)) -> Self {
        change(self.providers.iter_mut().find(|provider| provider.id == id).unwrap());
        self
    }

    /// Gives provider `id` a bucket of so many requests a month.
    pub(crate) fn monthly(self, id: &str, requests: u64) -> Self {
        self.change(id, |provider| {
            provider.buckets.push(Bucket { requests: Some(requests), ..bucket("month") });
        })
    }
}

/// A bucket for all models without a cap, counting per month.
pub(crate) fn bucket(id: &str) -> Bucket {
    Bucket {
        id: id.into(),
        models: BucketModels::All,
        per_credential: false,
        window: Window { unit: WindowUnit::Month, size: 1, time_zone: None },
        requests: None,
        tokens: None,
        input_tokens: None,
        output_tokens: None,
        cost: None,
        concurrent: None,
    }
}

pub(crate) struct World {
    pub state: State,
    pub table: Table,
    pub now: UnixMs,
    pub session: Option<u64>,
    pub tokens: Tokens,
    pub client: Option<usize>,
}

impl World {
    pub(crate) fn new(catalog: Catalog) -> Self {
        let mut state = State::new();
        let now = UnixMs(1_770_000_000_000);
        let table = state.table(Arc::new(catalog), now);
        Self { state, table, now, session: None, tokens: Tokens::default(), client: None }
    }

    /// Puts another catalog into force.
    pub(crate) fn reload(&mut self, catalog: Catalog) {
        self.table = self.state.table(Arc::new(catalog), self.now);
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    pub(crate) fn plan(&self, name: &str) -> Plan {
        let route = resolve(self.table.catalog(), Some(name)).unwrap();
        let facts = RequestFacts {
            inbound: Dialect::OpenaiChat,
            native_only: false,
            session: self.session.map(SessionKey),
            tokens: self.tokens,
            client: self.client,
        };
        plan(&self.state.view(&self.table), &route, &facts, self.now)
    }

    /// Provider letters of a plan's candidates; with the credential's number where there are
    /// several, and `!` for a probe.
    pub(crate) fn letters(&self, plan: &Plan) -> String {
        let letter = |candidate: &crate::plan::Candidate| {
            let provider = self.table.catalog().provider(candidate.model).unwrap();
            let mut text = provider.id.clone();
            if provider.credentials.len() > 1 {
                text += &(candidate.credential + 1).to_string();
            }
            if candidate.probe { text + "!" } else { text }
        };
        plan.candidates.iter().map(letter).collect()
    }

    /// Plans a request and takes its turn, but calls nobody.
    pub(crate) fn turn(&mut self, name: &str) -> String {
        let plan = self.plan(name);
        self.state.accept(&plan, self.now);
        self.letters(&plan)
    }

    /// Begins a call of the first candidate.
    pub(crate) fn begin(&mut self, name: &str) -> Result<Reservation, Refused> {
        let plan = self.plan(name);
        self.state.accept(&plan, self.now);
        self.state.reserve(&self.table, &plan, 0, self.now)
    }

    pub(crate) fn end(&mut self, reservation: Reservation, effect: Effect, used: Option<Tokens>) {
        let how = Settlement { answered: true, used, effect };
        self.state.settle(reservation, &how, self.now);
    }

    /// Serves a request with the first candidate and returns its letter; `-` if there is none.
    pub(crate) fn serve(&mut self, name: &str) -> String {
        let letters = self.letters(&self.plan(name));
        let Ok(mut reservation) = self.begin(name) else { return "-".into() };
        self.state.commit(&mut reservation, None, self.now);
        self.end(reservation, Effect::Success, None);
        letters.chars().take(1).collect()
    }

    /// Serves so many requests and returns who served them.
    pub(crate) fn serve_all(&mut self, name: &str, count: usize) -> String {
        (0..count).map(|_| self.serve(name)).collect()
    }

    /// Lets the first candidate fail as `class` does by default.
    pub(crate) fn fail(&mut self, name: &str, class: FailureClass) {
        let reservation = self.begin(name).unwrap();
        let treatment = class.treatment();
        let cooldown = treatment.cooldown(&self.table.catalog().routing.cooldown, None);
        let effect = Effect::Failure { class, cooldown, circuit: treatment.circuit };
        self.end(reservation, effect, Some(Tokens::default()));
    }

    /// Teaches the latency of provider `id`'s model: enough answers of so many milliseconds.
    pub(crate) fn teach(&mut self, id: &str, ms: u64) {
        for _ in 0..20 {
            let mut reservation = self.begin(&format!("{id}/m")).unwrap();
            let first_output = Some(Duration::from_millis(ms));
            self.state.commit(&mut reservation, first_output, self.now);
            self.end(reservation, Effect::Success, None);
        }
    }
}
