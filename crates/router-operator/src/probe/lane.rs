//! One dialect at one address: finding the way, then asking every model.

use router_config::{AuthHeader, BaseUrl};
use router_wire::Dialect;
use serde::{Deserialize, Serialize};

use super::event::Progress;
use super::memory::Known;
use super::{Event, Shared};
use crate::upstream::{Check, Outcome, Pace, Pacer, Wait, Way};

/// One model, tested in one lane.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelCheck {
    /// The model.
    pub model: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// The provider's words about a failure. Holds no secret.
    pub message: String,
    /// From sending to the last byte, in milliseconds.
    pub latency_ms: u64,
    /// Rate limits that were waited for.
    pub retries: u32,
}

impl ModelCheck {
    pub(crate) fn new(model: &str, check: Check) -> Self {
        Self {
            model: model.to_owned(),
            outcome: check.outcome,
            status: check.status,
            message: check.message,
            latency_ms: u64::try_from(check.latency.as_millis()).unwrap_or(u64::MAX),
            retries: check.retries,
        }
    }

    pub(crate) fn not_tested(model: &str, why: &str) -> Self {
        Self {
            model: model.to_owned(),
            outcome: Outcome::NotTested,
            status: None,
            message: why.to_owned(),
            latency_ms: 0,
            retries: 0,
        }
    }
}

/// What was found about one dialect at one address.
#[derive(Clone, Debug)]
pub struct LaneReport {
    /// The address as it was given, without its query.
    pub endpoint: String,
    /// The way that works; else the first one.
    pub way: Way,
    /// Whether anything there speaks the dialect.
    pub is_supported: bool,
    /// Every model.
    pub checks: Vec<ModelCheck>,
}

impl LaneReport {
    /// The dialect.
    pub fn dialect(&self) -> Dialect {
        self.way.dialect
    }

    /// The models that answered.
    pub fn confirmed(&self) -> impl Iterator<Item = &ModelCheck> {
        self.checks.iter().filter(|check| check.outcome == Outcome::Ok)
    }

    /// Whether any model answered.
    pub fn works(&self) -> bool {
        self.confirmed().next().is_some()
    }
}

/// In which order the dialects of a host are tested: what most servers speak first.
pub(super) const fn order(dialect: Dialect) -> u8 {
    match dialect {
        Dialect::OpenaiChat => 0,
        // After Chat, whose way it shares.
        Dialect::OpenaiResponses => 1,
        Dialect::Anthropic => 2,
        Dialect::Gemini => 3,
    }
}

/// A lane before it is tested.
#[derive(Debug)]
pub(super) struct Lane {
    /// Every way to ask, likeliest first: each address with each header.
    ways: Vec<Way>,
    given: BaseUrl,
}

impl Lane {
    pub(super) fn new(dialect: Dialect, base: &BaseUrl, auths: &[AuthHeader]) -> Self {
        let bases = std::iter::once(base.clone()).chain(base.alternatives(dialect));
        let ways = bases.flat_map(|base| {
            auths.iter().map(move |auth| Way { dialect, base: base.clone(), auth: auth.clone() })
        });
        Self { ways: ways.collect(), given: base.clone() }
    }

    /// The address without its query.
    pub(super) fn endpoint(&self) -> String {
        self.given.written()
    }

    /// Ways to ask for the list of models: the address as given, with each header.
    pub(super) fn list_ways(&self) -> impl Iterator<Item = Way> + '_ {
        self.ways.iter().filter(|way| way.base == self.given).cloned()
    }

    fn dialect(&self) -> Dialect {
        self.ways.first().map_or(Dialect::OpenaiChat, |way| way.dialect)
    }
}

/// The lanes of one origin, which are tested one after the other.
pub(super) struct Host<'a> {
    shared: &'a Shared<'a>,
    progress: &'a Progress<'a>,
    index: usize,
    lanes: Vec<Lane>,
    models: &'a [String],
    pace: Pace,
}

impl<'a> Host<'a> {
    pub(super) fn new(
        shared: &'a Shared<'a>,
        progress: &'a Progress<'a>,
        (index, lanes): (usize, Vec<Lane>),
        models: &'a [String],
    ) -> Self {
        let pace = Pace::new(shared.settings.requests_per_minute);
        Self { shared, progress, index, lanes, models, pace }
    }

    pub(super) async fn run(mut self) -> Vec<LaneReport> {
        let endpoint = self.lanes.first().map(Lane::endpoint).unwrap_or_default();
        (self.shared.on_event)(&Event::EndpointStart {
            endpoint: endpoint.clone(),
            index: self.index + 1,
            formats: self.lanes.iter().map(Lane::dialect).collect(),
        });
        let mut reports: Vec<LaneReport> = Vec::new();
        let mut unreachable = None;
        for lane in std::mem::take(&mut self.lanes) {
            let report = self.lane(lane, &reports, &mut unreachable).await;
            reports.push(report);
        }
        let works = reports.iter().filter(|report| report.works());
        (self.shared.on_event)(&Event::EndpointDone {
            endpoint,
            index: self.index + 1,
            working_formats: works.map(LaneReport::dialect).collect(),
        });
        reports
    }

    /// Tests every model; `unreachable` is set once nobody answers, and then nothing is asked.
    async fn lane(
        &self,
        mut lane: Lane,
        before: &[LaneReport],
        unreachable: &mut Option<Check>,
    ) -> LaneReport {
        like_chat(&mut lane, before);
        let key = (lane.endpoint(), lane.dialect());
        let mut run =
            Run { host: self, lane: &lane, at: 0, is_settled: false, told: None, dead: None };
        let known = self.shared.memory.lane(&key.0, key.1);
        run.resume(known.as_ref());
        let mut checks = Vec::with_capacity(self.models.len());
        let in_order = ordered(self.models, key.1);
        for model in in_order {
            let old = known.as_ref().and_then(|known| known.check(model));
            let is_known = old.is_some() || run.dead.is_some() || unreachable.is_some();
            let check = match (old, &run.dead, &unreachable) {
                (Some(old), _, _) => old.clone(),
                (None, Some(dead), _) | (None, None, Some(dead)) => {
                    ModelCheck::new(model, dead.clone())
                }
                (None, None, None) => run.test(model).await,
            };
            if check.outcome == Outcome::NetworkError && run.dead.is_some() {
                unreachable.clone_from(&run.dead);
            }
            self.shared.memory.keep(&key.0, key.1, run.at, &check);
            self.progress.checked(&check, &key.0, key.1, is_known);
            checks.push(check);
        }
        let position = |check: &ModelCheck| self.models.iter().position(|id| *id == check.model);
        checks.sort_by_key(position);
        let is_supported = run.is_settled;
        let way = lane.ways.get(run.at).or_else(|| lane.ways.first()).cloned();
        let fallback =
            || Way { dialect: key.1, base: lane.given.clone(), auth: AuthHeader::usual(key.1) };
        LaneReport { endpoint: key.0, way: way.unwrap_or_else(fallback), is_supported, checks }
    }
}

/// Models whose name speaks of the dialect come first, so that the way is found with them.
fn ordered(models: &[String], dialect: Dialect) -> Vec<&String> {
    let mut models: Vec<_> = models.iter().collect();
    models.sort_by_key(|model| hint(model) != Some(dialect) && hint(model).is_some());
    models
}

/// The dialect a model's name speaks of.
pub(super) fn hint(model: &str) -> Option<Dialect> {
    let model = model.to_ascii_lowercase();
    if model.contains("claude") {
        Some(Dialect::Anthropic)
    } else if model.contains("gemini") {
        Some(Dialect::Gemini)
    } else if model.contains("gpt") {
        Some(Dialect::OpenaiChat)
    } else {
        None
    }
}

/// Responses stand beside Chat: the way found there is tried first.
fn like_chat(lane: &mut Lane, before: &[LaneReport]) {
    if lane.dialect() != Dialect::OpenaiResponses {
        return;
    }
    let chat = before.iter().find(|report| {
        report.dialect() == Dialect::OpenaiChat
            && report.is_supported
            && report.endpoint == lane.endpoint()
    });
    let Some(chat) = chat else { return };
    let is_same = |way: &Way| {
        way.base.endpoint(Dialect::OpenaiChat, router_config::Operation::Models, "")
            == chat.way.base.endpoint(Dialect::OpenaiChat, router_config::Operation::Models, "")
            && way.auth == chat.way.auth
    };
    if let Some(at) = lane.ways.iter().position(is_same) {
        let way = lane.ways.remove(at);
        lane.ways.insert(0, way);
    }
}

/// A lane under test.
struct Run<'a> {
    host: &'a Host<'a>,
    lane: &'a Lane,
    /// The way in use.
    at: usize,
    /// Whether that way was answered in the dialect.
    is_settled: bool,
    /// What said most on the ways that did not work.
    told: Option<Check>,
    /// Why nothing more is asked: it would be the same for every model.
    dead: Option<Check>,
}

impl Run<'_> {
    fn resume(&mut self, known: Option<&Known>) {
        let Some(known) = known else { return };
        self.at = known.way.min(self.lane.ways.len().saturating_sub(1));
        self.is_settled = known.is_settled();
    }

    async fn test(&mut self, model: &str) -> ModelCheck {
        let shared = self.host.shared;
        let pacer = Pacer { pace: &self.host.pace, budget: shared.budget };
        let (asker, endpoint) = (shared.asker(), self.lane.endpoint());
        loop {
            let Some(way) = self.lane.ways.get(self.at) else {
                return ModelCheck::not_tested(model, "there is no address to ask");
            };
            let on_wait = |wait: Wait| {
                let format = Some(way.dialect);
                let event = Event::wait(&endpoint, format, model, &wait, shared.settings);
                (shared.on_event)(&event);
            };
            let asked = asker.answer(way, model, &pacer, &on_wait);
            let check = match shared.until_cancelled(asked).await {
                None => return ModelCheck::not_tested(model, "interrupted"),
                Some(None) => {
                    return ModelCheck::not_tested(model, "the budget of requests is spent");
                }
                Some(Some(check)) => check,
            };
            if self.goes_on(&check) {
                continue;
            }
            return ModelCheck::new(model, self.dead.clone().unwrap_or(check));
        }
    }

    /// Takes note of what a check says about the way; whether to ask again another way.
    fn goes_on(&mut self, check: &Check) -> bool {
        match check.outcome {
            Outcome::Ok | Outcome::ModelUnsupported => {
                self.is_settled = true;
                false
            }
            _ if self.is_settled => false,
            Outcome::NoAddress | Outcome::FormatMismatch => {
                self.next(check, |now, then| now.base != then.base)
            }
            Outcome::AuthError => {
                self.next(check, |now, then| now.base == then.base && now.auth != then.auth)
            }
            Outcome::NetworkError => {
                self.dead = Some(check.clone());
                false
            }
            _ => false,
        }
    }

    /// Goes to the next way that differs as wanted; without one the lane is dead.
    fn next(&mut self, check: &Check, differs: impl Fn(&Way, &Way) -> bool) -> bool {
        let ways = &self.lane.ways;
        let Some(now) = ways.get(self.at) else { return false };
        let says_more = |told: &Check| told.outcome.distance() <= check.outcome.distance();
        if !self.told.as_ref().is_some_and(says_more) {
            self.told = Some(check.clone());
        }
        let next = ways.iter().enumerate().skip(self.at + 1);
        let next = next.into_iter().find(|(_, then)| differs(now, then));
        if let Some((at, _)) = next {
            self.at = at;
        } else {
            self.dead.clone_from(&self.told);
        }
        next.is_some()
    }
}
