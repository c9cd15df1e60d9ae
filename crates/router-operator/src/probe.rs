//! Finding out what a provider speaks, where, how it wants its key, and which models answer.
//!
//! ```text
//!   subject: lanes (dialect at an address), models, credential
//!      |
//!      +-- host A: list of models, then lane by lane, model by model --+
//!      +-- host B: the same, at the same time                        --+--> Report
//! ```
//!
//! A lane first finds its way: where below the given address the dialect is spoken, and how the
//! key is presented. Then every model is asked for a few words in it. Only an answer in the
//! dialect proves anything; a list of models or a page with status 200 does not.
//!
//! The key goes to the origins the operator gave and nowhere else.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use router_client::Client;
use router_config::edit::Document;
use router_config::{AuthHeader, BaseUrl, Config, Lookup, Upstream, load, slug};
use router_wire::Dialect;
use router_wire::models::Listed;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::discover::discover;
use crate::upstream::{Asker, Budget, Pace, Pacer, Wait};

mod event;
mod lane;
mod memory;
mod record;
mod report;

pub use event::{Event, Reason};
pub use lane::{LaneReport, ModelCheck};
pub use memory::state_path;
pub use report::{ModelReport, RateLimitFailure, Report, Scope};

use lane::{Host, Lane};
use memory::Memory;

/// Models tested at most where the operator names none; the others are listed as not tested.
pub const DISCOVERED_MAX: usize = 40;

/// What is probed.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its credentials and headers, and its name.
    pub upstream: Upstream,
    /// Dialects, each at the address where it may be spoken.
    pub lanes: Vec<(Dialect, BaseUrl)>,
    /// Models to test; empty takes those of the provider's list.
    pub models: Vec<String>,
    /// Dialects the config says it speaks, preferred first.
    pub stated: Vec<Dialect>,
    /// The dialect the operator prefers, if it works.
    pub preferred: Option<Dialect>,
}

impl Subject {
    /// A provider of a config, with its own models and addresses; `None` if there is none such.
    pub fn of(config: &Config, id: &str) -> Option<Self> {
        let at = config.catalog.providers.iter().position(|provider| provider.id == id)?;
        let (provider, upstream) =
            (config.catalog.providers.get(at)?, config.upstreams.get(at)?.clone());
        let lanes = upstream.bases.iter().map(|(dialect, base)| (*dialect, base.clone())).collect();
        let models = provider.models.iter().map(|model| model.id.clone()).collect();
        let stated = provider.dialects.clone();
        Some(Self { upstream, lanes, models, stated, preferred: None })
    }

    /// A provider of a document, whatever else is wrong with the document; `None` if it is turned
    /// off, or cannot be asked because something is wrong with itself.
    pub fn in_document(document: &Document, id: &str, lookup: &dyn Lookup) -> Option<Self> {
        let path = document.provider_path(id).ok()?;
        let mut provider = document.get(&path)?;
        let members = provider.as_object_mut()?;
        // What names other parts of the document, which are not there.
        members.retain(|key, _| !matches!(key.as_str(), "rateLimits" | "rate-limits"));
        members.insert("id".to_owned(), slug(id).into());
        members.insert("models".to_owned(), document.model_ids(id).ok()?.into());
        let alone = json!({ "version": 2, "providers": [provider] });
        Self::of(&load(&alone.to_string(), lookup).config?, &slug(id))
    }

    /// Keeps the lanes of these dialects only.
    pub fn limit_to(&mut self, dialects: &[Dialect]) {
        self.lanes.retain(|(dialect, _)| dialects.contains(dialect));
    }

    /// Looks for every dialect at each of these addresses too.
    pub fn add_endpoints(&mut self, endpoints: &[BaseUrl]) {
        for base in endpoints {
            for dialect in Dialect::ALL {
                if !self.lanes.contains(&(dialect, base.clone())) {
                    self.lanes.push((dialect, base.clone()));
                }
            }
        }
    }
}

/// How a probe goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Requests per minute to one endpoint.
    pub requests_per_minute: u32,
    /// Requests of the whole probe.
    pub requests: u32,
    /// Time for one request.
    pub timeout: Duration,
    /// How often a rate limit is waited for before the model counts as unconfirmed.
    pub rate_limit_retries: u32,
}

impl Default for Settings {
    /// 30 per minute and endpoint, 300 in all, 30 s each, 3 retries.
    fn default() -> Self {
        Self {
            requests_per_minute: 30,
            requests: 300,
            timeout: Duration::from_secs(30),
            rate_limit_retries: 3,
        }
    }
}

/// Runs a probe.
///
/// `state` is a file in which conclusive results are kept until the probe is complete, so that
/// another run goes on where this one was stopped. `cancel` ends the probe soon; the report then
/// holds what was found. `on_event` is told what happens while it happens.
pub async fn probe(
    subject: &Subject,
    settings: Settings,
    client: &Client,
    state: Option<&Path>,
    cancel: &CancellationToken,
    on_event: &(dyn Fn(&Event) + Sync),
) -> Report {
    let memory = Memory::open(state, subject);
    let budget = Budget::new(settings.requests);
    let shared =
        Shared { subject, settings, client, budget: &budget, memory: &memory, cancel, on_event };
    let hosts = hosts(subject);
    let listed = shared.until_cancelled(shared.lists(&hosts)).await.unwrap_or_default();
    let models = models(subject, &listed);
    let checks = hosts.iter().map(Vec::len).sum::<usize>().saturating_mul(models.len());
    on_event(&Event::MatrixStart { endpoint_count: hosts.len(), model_count: models.len() });
    let progress = event::Progress::new(checks, on_event);
    let runs = hosts.into_iter().enumerate().map(|(index, lanes)| {
        let host = Host::new(&shared, &progress, (index, lanes), &models);
        host.run()
    });
    let lanes = join_all(runs).await.into_iter().flatten().collect();
    let report = Report::new(subject, settings, models, listed, lanes, cancel.is_cancelled());
    if report.is_complete {
        memory.forget();
    }
    on_event(&Event::MatrixDone {
        working_formats: report.working_formats(),
        supported_model_count: report.confirmed().count(),
    });
    report
}

/// What all parts of one probe share.
#[derive(Clone, Copy)]
struct Shared<'a> {
    subject: &'a Subject,
    settings: Settings,
    client: &'a Client,
    budget: &'a Budget,
    memory: &'a Memory,
    cancel: &'a CancellationToken,
    on_event: &'a (dyn Fn(&Event) + Sync),
}

impl<'a> Shared<'a> {
    fn asker(&self) -> Asker<'a> {
        Asker {
            client: self.client,
            upstream: &self.subject.upstream,
            credential: 0,
            timeout: self.settings.timeout,
            rate_limit_retries: self.settings.rate_limit_retries,
        }
    }

    async fn until_cancelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.cancel.run_until_cancelled(work).await
    }

    /// The models every host lists; hosts without a list have none.
    async fn lists(&self, hosts: &[Vec<Lane>]) -> Vec<Listed> {
        let asker = self.asker();
        let lists = hosts.iter().map(|lanes| async move {
            let pace = Pace::new(self.settings.requests_per_minute);
            let pacer = Pacer { pace: &pace, budget: self.budget };
            let ways: Vec<_> = lanes.iter().flat_map(Lane::list_ways).collect();
            let endpoint = lanes.first().map(Lane::endpoint).unwrap_or_default();
            let on_wait = |wait: Wait| {
                (self.on_event)(&Event::wait(&endpoint, None, "", &wait, self.settings));
            };
            let found = discover(&asker, &ways, &pacer, &on_wait).await;
            (self.on_event)(&Event::ModelList {
                endpoint: endpoint.clone(),
                count: found.as_ref().ok().map(|found| found.models.len()),
                message: found.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            });
            found.map(|found| found.models).unwrap_or_default()
        });
        let mut all: Vec<Listed> = Vec::new();
        for model in join_all(lists).await.into_iter().flatten() {
            if !all.iter().any(|known| known.id == model.id) {
                all.push(model);
            }
        }
        all
    }
}

/// The lanes of each origin.
fn hosts(subject: &Subject) -> Vec<Vec<Lane>> {
    let mut hosts: Vec<(String, Vec<Lane>)> = Vec::new();
    let mut lanes: Vec<_> = subject.lanes.iter().collect();
    lanes.sort_by_key(|(dialect, _)| lane::order(*dialect));
    for (dialect, base) in lanes {
        let lane = Lane::new(*dialect, base, &auths(&subject.upstream, *dialect));
        match hosts.iter_mut().find(|(origin, _)| origin == base.origin()) {
            Some((_, lanes)) => lanes.push(lane),
            None => hosts.push((base.origin().to_owned(), vec![lane])),
        }
    }
    hosts.into_iter().map(|(_, lanes)| lanes).collect()
}

/// The headers to try: what config says, else what is usual in the dialect and then the others.
fn auths(upstream: &Upstream, dialect: Dialect) -> Vec<AuthHeader> {
    let has_key = upstream.credentials.iter().any(|each| each.secret.is_some());
    if !has_key {
        return vec![AuthHeader::None];
    }
    let usual = AuthHeader::usual(dialect);
    let known = [AuthHeader::bearer(), AuthHeader::usual(Dialect::Anthropic)];
    let mut auths: Vec<_> = upstream.auth.get(&dialect).cloned().into_iter().collect();
    for auth in std::iter::once(usual).chain(known) {
        if !auths.contains(&auth) {
            auths.push(auth);
        }
    }
    auths
}

/// The models to test.
fn models(subject: &Subject, listed: &[Listed]) -> Vec<String> {
    if !subject.models.is_empty() {
        let mut seen = std::collections::BTreeSet::new();
        return subject.models.iter().filter(|model| seen.insert(*model)).cloned().collect();
    }
    let text = listed.iter().filter(|model| !model.is_other);
    text.map(|model| model.id.clone()).take(DISCOVERED_MAX).collect()
}

#[cfg(test)]
mod tests;
