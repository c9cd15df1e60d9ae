//! What would have happened: recorded exchanges replayed against a config.
//!
//! ```text
//!   records --> arrivals ----> resolve, plan, exchange, state     the live code
//!          \                      | Dial            ^
//!           +--> outcomes --------+-----------------+             by target and time
//!                                 virtual clock: one queue of events
//! ```
//!
//! Requests arrive when they arrived. A call ends as the same request's call of that target did;
//! else as the target's nearest call within five minutes did; else by the assumptions, which can
//! hold outages of their own. Nothing waits: a month passes as fast as it can be computed. The
//! same input gives the same report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bucket::Tokens;
use crate::catalog::Catalog;
use crate::exchange::Outcome;
use crate::failure::FailureClass;
use crate::time::UnixMs;
use router_wire::Dialect;

mod engine;
mod load;
mod recorded;
mod report;
mod weather;

pub use load::{Load, generate};
pub use recorded::as_recorded;
pub use report::{Comparison, Report, TargetReport};

/// One exchange that happened, or is assumed to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Recorded {
    /// When it arrived.
    pub at: UnixMs,
    /// The model the client asked for.
    #[serde(default)]
    pub model: Option<String>,
    /// The client's dialect.
    #[serde(default = "chat")]
    pub dialect: Dialect,
    /// Whether it was streamed.
    #[serde(default)]
    pub stream: bool,
    /// Its session, as a 64-bit name.
    #[serde(default)]
    pub session: Option<u64>,
    /// Tokens it used.
    #[serde(default)]
    pub tokens: Tokens,
    /// What became of its calls.
    #[serde(default)]
    pub attempts: Vec<RecordedAttempt>,
    /// How it ended. A replay does not depend on it.
    #[serde(default)]
    pub outcome: Option<Outcome>,
}

const fn chat() -> Dialect {
    Dialect::OpenaiChat
}

/// One call that happened.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct RecordedAttempt {
    /// `provider/model`.
    pub target: String,
    /// What went wrong; `None` for success.
    pub failure: Option<FailureClass>,
    /// Whether an HTTP answer came at all.
    pub answered: bool,
    /// From the call to its first output, or to its failure, in milliseconds.
    pub first_output_ms: u64,
    /// From the call to its end, in milliseconds.
    pub total_ms: u64,
    /// How long the upstream asked to be left alone, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// What is assumed of calls that nothing was recorded about.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Assumptions {
    /// Time to first output in milliseconds, half to one and a half times.
    pub first_output_ms: u64,
    /// Time for one token of output in milliseconds.
    pub token_ms: f64,
    /// Failures that are put on top, whatever was recorded.
    pub outages: Vec<Outage>,
    /// What chance is drawn from.
    pub seed: u64,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self { first_output_ms: 800, token_ms: 12.0, outages: Vec::new(), seed: 1 }
    }
}

/// A time in which calls of a target fail.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Outage {
    /// `provider/model`, or a provider for all its models.
    pub target: String,
    /// First moment.
    pub from: UnixMs,
    /// First moment after it.
    pub until: UnixMs,
    /// How the calls fail.
    pub class: FailureClass,
    /// Share of calls that fail, 0 to 1.
    pub share: f64,
}

/// Replays `records` against `catalog`. They need not be sorted.
pub fn simulate(catalog: Arc<Catalog>, records: &[Recorded], assumed: &Assumptions) -> Report {
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|index| records.get(*index).map(|record| record.at));
    let weather = weather::Weather::new(&catalog, records, assumed);
    let mut engine = engine::Engine::new(catalog, records, weather);
    for index in order {
        engine.arrive(index);
    }
    engine.finish()
}

/// Milliseconds as a duration.
const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// Numbers the models of a catalog in config order.
#[derive(Clone, Debug, Default)]
struct Numbers {
    first: Vec<usize>,
    names: Vec<String>,
}

impl Numbers {
    fn new(catalog: &Catalog) -> Self {
        let names: Vec<_> = catalog.models().map(|model| catalog.name(model)).collect();
        let mut next = 0;
        let mut first = Vec::new();
        for provider in &catalog.providers {
            first.push(next);
            next += provider.models.len();
        }
        Self { first, names }
    }

    fn of(&self, model: crate::catalog::ModelRef) -> usize {
        self.first.get(model.provider).copied().unwrap_or(0) + model.model
    }

    fn name(&self, number: usize) -> &str {
        self.names.get(number).map_or("", String::as_str)
    }

    fn by_name(&self) -> BTreeMap<&str, usize> {
        (0..).zip(&self.names).map(|(number, name)| (name.as_str(), number)).collect()
    }
}

#[cfg(test)]
mod tests;
