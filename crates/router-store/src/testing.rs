//! A small world for tests: one provider with a bucket, and stores that serve it.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use router_core::bucket::Tokens;
use router_core::catalog::{
    Alias, Bucket, BucketModels, Catalog, Credential, Model, ModelRef, Provider, Strategy, Target,
    TargetRef, Window, WindowUnit,
};
use router_core::plan::{Plan, RequestFacts, SessionKey};
use router_core::resolve::resolve;
use router_core::state::{Effect, Settlement, Table};
use router_core::time::UnixMs;
use router_wire::Dialect;

use crate::{Notice, Report, Reservation, Store};

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

/// Providers `a` and `b` with model `m`, `a` with these buckets; alias `x` is both in turn.
pub(crate) fn catalog(buckets: Vec<Bucket>) -> Arc<Catalog> {
    let provider = |id: &str, buckets| Provider {
        id: id.into(),
        models: vec![Model { id: "m".into(), ..Model::default() }],
        dialects: vec![Dialect::OpenaiChat],
        credentials: vec![Credential { label: "k1".into(), weight: 1.0 }],
        buckets,
        ..Provider::default()
    };
    let providers = vec![provider("a", buckets), provider("b", Vec::new())];
    let target = |provider| {
        let to = TargetRef::Model(ModelRef { provider, model: 0 });
        Target { to, weight: None }
    };
    let alias = Alias {
        strategy: Strategy::RoundRobin,
        targets: vec![target(0), target(1)],
        fallback_targets: Vec::new(),
        affinity: true,
    };
    let aliases = [("x".to_owned(), alias)].into();
    Arc::new(Catalog { providers, aliases, ..Catalog::default() })
}

/// Requests of `a/m` a month.
pub(crate) fn monthly(requests: u64) -> Vec<Bucket> {
    vec![Bucket { requests: Some(requests), ..bucket("month") }]
}

/// A store that serves one catalog.
pub(crate) struct World {
    pub store: Store,
    pub table: Table,
    pub now: UnixMs,
}

impl World {
    pub(crate) fn new(store: Store, catalog: Arc<Catalog>, now: UnixMs) -> Self {
        let table = store.install(catalog, now);
        Self { store, table, now }
    }

    pub(crate) fn plan(&self, name: &str, session: Option<u64>) -> Plan {
        let route = resolve(self.table.catalog(), Some(name)).unwrap();
        let facts = RequestFacts {
            inbound: Dialect::OpenaiChat,
            native_only: false,
            session: session.map(SessionKey),
            tokens: Tokens::new(10, 0),
            client: None,
        };
        self.store.plan(&self.table, &route, &facts, self.now)
    }

    /// Reserves the first candidate, in a store that waits for nobody.
    pub(crate) fn reserve(&self, name: &str, session: Option<u64>) -> Option<Reservation> {
        let plan = self.plan(name, session);
        ready(self.store.reserve(&self.table, &plan, 0, self.now)).ok()
    }

    pub(crate) fn settle(&self, reservation: Reservation, answered: bool, effect: Effect) {
        let used = answered.then_some(Tokens::new(7, 5));
        self.store.settle(reservation, &Settlement { answered, used, effect }, self.now);
    }

    /// Serves one request; whether there was room.
    pub(crate) fn serve(&self, name: &str) -> bool {
        let Some(reservation) = self.reserve(name, None) else { return false };
        self.settle(reservation, true, Effect::Success);
        true
    }

    /// Requests counted by the first bucket of `a`.
    pub(crate) fn counted(&self) -> u64 {
        let saved = self.store.look(|state| serde_json::to_value(state.save(self.now)).unwrap());
        saved["providers"][0]["buckets"][0]["counters"][0]["requests"].as_u64().unwrap_or(0)
    }
}

/// The result of a future that waits for nothing.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// Collects what a store reports.
#[derive(Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    pub(crate) fn report(&self) -> Report {
        let all = Arc::clone(&self.0);
        Arc::new(move |notice: &Notice| {
            all.lock().unwrap_or_else(PoisonError::into_inner).push(notice.clone());
        })
    }

    pub(crate) fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The time, as stores that write behind go by it.
pub(crate) fn now() -> UnixMs {
    crate::clock::now()
}

pub(crate) const MINUTE: Duration = Duration::from_mins(1);
