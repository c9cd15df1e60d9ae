//! What a probe found, and what of it goes into the config.

use std::collections::BTreeMap;

use router_config::{BaseUrl, nearest};
use router_wire::Dialect;
use router_wire::models::{Listed, rfc3339};

use super::lane::{LaneReport, hint};
use super::{Settings, Subject};
use crate::upstream::{Outcome, Way, now};

/// The result of a probe. Holds no secret.
#[derive(Clone, Debug)]
pub struct Report {
    /// The provider.
    pub provider: String,
    /// When it ended, in RFC 3339.
    pub at: String,
    /// Whether everything was tested: it was not interrupted and the budget lasted.
    pub is_complete: bool,
    /// Whether the operator interrupted it.
    pub is_interrupted: bool,
    /// Every dialect at every address.
    pub lanes: Vec<LaneReport>,
    /// Every model, in the order asked for.
    pub models: Vec<ModelReport>,
    /// What the provider lists.
    pub listed: Vec<Listed>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// The settings it ran with.
    pub settings: Settings,
    /// The dialect the operator prefers.
    pub(super) preferred: Option<Dialect>,
    /// The lane that serves each dialect that works.
    pub(super) chosen: BTreeMap<Dialect, usize>,
}

/// One model in all dialects.
#[derive(Clone, Debug)]
pub struct ModelReport {
    /// The model.
    pub id: String,
    /// Dialects in which it answered, preferred first.
    pub dialects: Vec<Dialect>,
    /// If in none: what came nearest to an answer.
    pub outcome: Outcome,
    /// Why, for a person; empty if it answered.
    pub why: String,
}

/// A model whose rate limit outlasted every retry.
#[derive(Clone, Debug)]
pub struct RateLimitFailure {
    /// The address.
    pub endpoint: String,
    /// The dialect.
    pub format: Dialect,
    /// The model.
    pub model: String,
    /// Retries made.
    pub retries: u32,
    /// The status.
    pub status: Option<u16>,
    /// The provider's words.
    pub message: String,
}

/// How much of a probe failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Nothing.
    None,
    /// Some models.
    Partial,
    /// Everything.
    Full,
}

impl Scope {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Full => "full",
        }
    }
}

impl Report {
    pub(super) fn new(
        subject: &Subject,
        settings: Settings,
        models: Vec<String>,
        listed: Vec<Listed>,
        lanes: Vec<LaneReport>,
        is_interrupted: bool,
    ) -> Self {
        let chosen = choose(&lanes);
        let untested =
            |lane: &LaneReport| lane.checks.iter().any(|check| check.outcome == Outcome::NotTested);
        let mut report = Self {
            provider: subject.upstream.id.clone(),
            at: rfc3339(now().0 / 1_000),
            is_complete: !is_interrupted && !lanes.iter().any(untested),
            is_interrupted,
            lanes,
            models: Vec::new(),
            listed,
            warnings: Vec::new(),
            settings,
            preferred: subject.preferred,
            chosen,
        };
        report.models = models.into_iter().map(|id| report.model(id)).collect();
        report.warn();
        report
    }

    /// Whether a dialect works and a model was confirmed.
    pub fn is_ok(&self) -> bool {
        self.confirmed().next().is_some()
    }

    /// Whether nobody answered at any address.
    pub fn is_unreachable(&self) -> bool {
        let checks = || self.lanes.iter().flat_map(|lane| &lane.checks);
        checks().next().is_some() && checks().all(|check| check.outcome == Outcome::NetworkError)
    }

    /// The models that answered.
    pub fn confirmed(&self) -> impl Iterator<Item = &ModelReport> {
        self.models.iter().filter(|model| !model.dialects.is_empty())
    }

    /// The models that did not.
    pub fn unresolved(&self) -> impl Iterator<Item = &ModelReport> {
        self.models.iter().filter(|model| model.dialects.is_empty())
    }

    /// How much failed.
    pub fn scope(&self) -> Scope {
        if !self.is_ok() {
            Scope::Full
        } else if self.unresolved().next().is_some() {
            Scope::Partial
        } else {
            Scope::None
        }
    }

    /// Dialects in which a model answered, preferred first: the operator's choice, then the one
    /// with most models, then the one their names speak of, then what the older program preferred.
    pub fn working_formats(&self) -> Vec<Dialect> {
        let mut formats: Vec<_> = self.chosen.keys().copied().collect();
        let count = |format: Dialect| self.speakers(format).count();
        let hinted = |format: Dialect| {
            self.speakers(format).filter(|model| hint(&model.id) == Some(format)).count()
        };
        formats.sort_by_key(|format| {
            let is_other = self.preferred != Some(*format);
            (is_other, usize::MAX - count(*format), usize::MAX - hinted(*format), rank(*format))
        });
        formats
    }

    fn speakers(&self, format: Dialect) -> impl Iterator<Item = &ModelReport> {
        self.models.iter().filter(move |model| model.dialects.contains(&format))
    }

    /// Dialects that somebody speaks at some address, confirmed or not.
    pub fn supported_formats(&self) -> Vec<Dialect> {
        let is_spoken = |format: &Dialect| {
            self.lanes.iter().any(|lane| lane.dialect() == *format && lane.is_supported)
        };
        Dialect::ALL.into_iter().filter(is_spoken).collect()
    }

    /// The way to each dialect that works.
    pub fn ways(&self) -> impl Iterator<Item = (Dialect, &Way)> {
        self.chosen.iter().filter_map(|(dialect, at)| Some((*dialect, &self.lanes.get(*at)?.way)))
    }

    /// Models whose rate limit outlasted every retry.
    pub fn rate_limit_failures(&self) -> Vec<RateLimitFailure> {
        let failures = self.lanes.iter().flat_map(|lane| {
            let limited =
                |check: &&super::ModelCheck| check.outcome == Outcome::RateLimitMaxRetries;
            lane.checks.iter().filter(limited).map(|check| RateLimitFailure {
                endpoint: lane.endpoint.clone(),
                format: lane.dialect(),
                model: check.model.clone(),
                retries: check.retries,
                status: check.status,
                message: check.message.clone(),
            })
        });
        failures.collect()
    }

    fn model(&self, id: String) -> ModelReport {
        let answered = |lane: &LaneReport| lane.confirmed().any(|check| check.model == id);
        let mut dialects: Vec<_> = self
            .chosen
            .iter()
            .filter(|(_, at)| self.lanes.get(**at).is_some_and(answered))
            .map(|(dialect, _)| *dialect)
            .collect();
        dialects.sort_by_key(|dialect| (hint(&id) != Some(*dialect), rank(*dialect)));
        if !dialects.is_empty() {
            return ModelReport { id, dialects, outcome: Outcome::Ok, why: String::new() };
        }
        let elsewhere = self.lanes.iter().find(|lane| answered(lane));
        let checks = self.lanes.iter().flat_map(|lane| &lane.checks);
        let nearest_check =
            checks.filter(|check| check.model == id).min_by_key(|check| check.outcome.distance());
        let outcome = nearest_check.map_or(Outcome::NotTested, |check| check.outcome);
        let why = match (elsewhere, nearest_check) {
            (Some(lane), _) => format!(
                "it answers at {} only, where the other models of its dialect are not: give that \
                 address a provider of its own",
                lane.endpoint
            ),
            (None, Some(check)) if outcome == Outcome::ModelUnsupported => {
                let listed = self.listed.iter().map(|model| model.id.as_str());
                match nearest(&id, listed).filter(|near| *near != id) {
                    Some(near) => format!("{}; did you mean `{near}`?", check.message),
                    None => check.message.clone(),
                }
            }
            (None, Some(check)) => check.message.clone(),
            (None, None) => String::new(),
        };
        ModelReport { id, dialects, outcome, why }
    }

    fn warn(&mut self) {
        let mut warnings = Vec::new();
        if !self.is_complete && !self.is_interrupted {
            warnings.push(format!(
                "the budget of {} requests was spent before everything was tested",
                self.settings.requests
            ));
        }
        for model in self.unresolved() {
            let why = if model.why.is_empty() { "no answer" } else { model.why.as_str() };
            warnings.push(format!("{} is not confirmed ({}): {why}", model.id, model.outcome));
        }
        let is_text = |model: &&Listed| !model.is_other;
        let left = self.listed.iter().filter(is_text).count();
        let tested = self
            .models
            .iter()
            .filter(|model| self.listed.iter().any(|listed| listed.id == model.id));
        if self.models.len() >= super::DISCOVERED_MAX && tested.count() < left {
            warnings.push(format!(
                "{} of the {left} models in the provider's list were tested; name others with \
                 --models",
                self.models.len()
            ));
        }
        self.warnings = warnings;
    }

    /// The address that serves a dialect, if it works.
    pub fn base(&self, dialect: Dialect) -> Option<&BaseUrl> {
        self.chosen.get(&dialect).and_then(|at| self.lanes.get(*at)).map(|lane| &lane.way.base)
    }
}

/// For each dialect the lane with most confirmed models; of equal ones the one whose address
/// speaks of the dialect, then the first.
fn choose(lanes: &[LaneReport]) -> BTreeMap<Dialect, usize> {
    let mut chosen: BTreeMap<Dialect, usize> = BTreeMap::new();
    let weight = |at: usize| {
        let lane = lanes.get(at);
        lane.map(|lane| (lane.confirmed().count(), preference(lane.dialect(), &lane.endpoint)))
    };
    for (at, lane) in lanes.iter().enumerate().filter(|(_, lane)| lane.works()) {
        let best = chosen.entry(lane.dialect()).or_insert(at);
        if weight(*best) < weight(at) {
            *best = at;
        }
    }
    chosen
}

/// How much an address speaks of a dialect.
fn preference(dialect: Dialect, endpoint: &str) -> u8 {
    let says = |words: &[&str]| words.iter().any(|word| endpoint.contains(word));
    let (openai, claude) = (says(&["/openai"]), says(&["/anthropic", "/claude"]));
    match dialect {
        Dialect::Anthropic if claude => 2,
        Dialect::OpenaiChat | Dialect::OpenaiResponses if openai => 2,
        Dialect::Anthropic if openai => 0,
        Dialect::OpenaiChat | Dialect::OpenaiResponses if claude => 0,
        _ => 1,
    }
}

const fn rank(dialect: Dialect) -> u8 {
    match dialect {
        Dialect::Anthropic => 0,
        Dialect::OpenaiChat => 1,
        Dialect::OpenaiResponses => 2,
        Dialect::Gemini => 3,
    }
}
