//! In which order an alias tries its targets: the strategies.
//!
//! Strategies that rotate are one smooth weighted round robin; they differ only in the weight:
//!
//! | strategy | weight of a target |
//! |---|---|
//! | `round-robin` | 1 |
//! | `weighted-rr` | w x H |
//! | `quota-aware-weighted-rr` | w x H x Q |
//! | `auto` | w x H x Q x L |
//!
//! - w: the configured weight, 1 if none; fractions count.
//! - H: health, 1 / (1 + f/2) for f failing exchanges in a row, at least 0.05.
//! - Q: quota left, remaining / limit, the least over the target's buckets, at least 0.01.
//! - L: the fastest target's time to first output over this one's, at least 0.1; 1 while either
//!   is not known well enough or they differ by no more than a quarter, so that equal targets
//!   stay equal.
//!
//! `least-latency` puts first what is known to be fastest; whatever is within a quarter of it, or
//! not known yet, takes turns with it. `least-cost` puts first what is expected to cost least for
//! this request, equals taking turns and unknown prices last. `ordered` is the order of the config.
//!
//! Smooth weighted round robin: each open target's position grows by its weight, the furthest is
//! chosen and falls back by the sum of all weights. The rest follow by position.

use super::tree::Branch;
use crate::bucket::Tokens;
use crate::catalog::{Price, Strategy};
use crate::num::real;
use crate::state::{Turn, TurnOf};

/// Latencies that differ by no more than this factor count as equal.
const DEAD_BAND: f64 = 1.25;
/// Time a model needs to read one uncached token again, in milliseconds: 10,000 tokens a second.
const REREAD_MS: f64 = 0.1;

/// How good a target, or the best of a nested alias, is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Merit {
    pub quota: f64,
    pub failures: u32,
    pub latency_ms: Option<f64>,
    /// Expected cost of the request in US dollars.
    pub cost: Option<f64>,
}

/// Orders `branches`: open ones first, in the order of `strategy`. Returns their order and the
/// turns to take if the first is used.
pub(super) fn order(
    strategy: Strategy,
    branches: &[Branch],
    rotation: Option<(TurnOf, &[(String, f64)])>,
) -> (Vec<usize>, Vec<Turn>) {
    let open = || (0..).zip(branches).filter(|(_, branch)| branch.open);
    let closed = (0..).zip(branches).filter(|(_, branch)| !branch.open).map(|(index, _)| index);
    let fastest = fastest(branches);
    let cheapest = open().filter_map(|(_, b)| b.merit.cost).fold(f64::INFINITY, f64::min);
    // What takes turns for the first place; the others follow by what they lack.
    let rank = |branch: &Branch| match strategy {
        Strategy::LeastLatency => match branch.merit.latency_ms {
            Some(ms) if ms > fastest * DEAD_BAND => ms,
            _ => 0.0,
        },
        Strategy::LeastCost => match branch.merit.cost {
            Some(cost) if cost <= cheapest => 0.0,
            Some(cost) => cost,
            None => f64::INFINITY,
        },
        _ => 0.0,
    };
    let weight =
        |branch: &Branch| effective_weight(strategy, branch.weight, &branch.merit, fastest);
    let position = |branch: &Branch| {
        let targets = rotation.map_or(&[][..], |(_, targets)| targets);
        targets.get(branch.target).map_or(0.0, |(_, position)| *position)
    };
    let mut ranked: Vec<(f64, f64, usize)> = if strategy == Strategy::Ordered {
        open().map(|(index, _)| (0.0, 0.0, index)).collect()
    } else {
        open().map(|(index, b)| (rank(b), -(position(b) + weight(b)), index)).collect()
    };
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
    let turns = match (rotation, ranked.first()) {
        (Some((of, _)), Some(first)) if ranked.len() > 1 && strategy != Strategy::Ordered => {
            let group = || ranked.iter().filter(|entry| entry.0 <= first.0);
            let members = || group().filter_map(|entry| branches.get(entry.2));
            let sum: f64 = members().map(&weight).sum();
            let won = |index: usize| if index == first.2 { sum } else { 0.0 };
            let turn = |entry: &(f64, f64, usize)| {
                let branch = branches.get(entry.2)?;
                let change = weight(branch) - won(entry.2);
                Some(Turn { of, index: branch.target, change })
            };
            if group().count() > 1 { group().filter_map(turn).collect() } else { Vec::new() }
        }
        _ => Vec::new(),
    };
    (ranked.iter().map(|entry| entry.2).chain(closed).collect(), turns)
}

/// The least known time to first output among open branches, in milliseconds.
fn fastest(branches: &[Branch]) -> f64 {
    let open = branches.iter().filter(|branch| branch.open);
    open.filter_map(|branch| branch.merit.latency_ms).fold(f64::INFINITY, f64::min)
}

/// The weight a target rotates with. `fastest` is the least known latency, infinite for none.
pub(crate) fn effective_weight(
    strategy: Strategy,
    weight: f64,
    merit: &Merit,
    fastest: f64,
) -> f64 {
    let health = (1.0 / (1.0 + 0.5 * f64::from(merit.failures))).max(0.05);
    let quota = merit.quota.clamp(0.01, 1.0);
    let latency = match merit.latency_ms {
        Some(ms) if ms > fastest * DEAD_BAND => (fastest / ms).max(0.1),
        _ => 1.0,
    };
    match strategy {
        Strategy::Ordered | Strategy::RoundRobin => 1.0,
        Strategy::WeightedRr | Strategy::LeastLatency | Strategy::LeastCost => weight * health,
        Strategy::QuotaAwareWeightedRr => weight * health * quota,
        Strategy::Auto => weight * health * quota * latency,
    }
}

/// Whether a session whose target holds `cached` tokens of it should stay there although another
/// target would come first.
///
/// Under `auto` and `least-latency` it stays unless each request waits longer there than the other
/// target needs to read the conversation anew; under `least-cost` unless the request costs less
/// elsewhere even with nothing cached. Under the other strategies it always stays.
pub(super) fn stays(strategy: Strategy, pinned: &Branch, best: &Branch, cached: u64) -> bool {
    match strategy {
        Strategy::Auto | Strategy::LeastLatency => {
            match (pinned.merit.latency_ms, best.merit.latency_ms) {
                (Some(here), Some(there)) => {
                    here <= there * DEAD_BAND || here - there <= real(cached) * REREAD_MS
                }
                _ => true,
            }
        }
        Strategy::LeastCost => match (pinned.cost_cached, best.merit.cost) {
            (Some(here), Some(there)) => here <= there,
            _ => true,
        },
        _ => true,
    }
}

/// What a request is expected to cost in US dollars if `cached` of its input tokens are read from
/// a cache.
pub(crate) fn expected_cost(price: &Price, tokens: Tokens, cached: u64) -> f64 {
    let cached = cached.min(tokens.input);
    let read = real(cached) * price.cache_read.unwrap_or(price.input);
    let input = real(tokens.input - cached) * price.input;
    (read + input + real(tokens.output) * price.output) / 1e6
}
