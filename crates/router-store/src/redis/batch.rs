//! What Redis has not been told yet, in as few operations as possible.

use std::collections::BTreeMap;

use router_core::bucket::Tokens;
use router_core::state::{Claim, SharedSession};
use router_core::window::Span;

use super::cooling::Cooling;

/// Sessions that wait at most.
const SESSIONS_MAX: usize = 10_000;

/// Changes that wait to be sent. Bounded by buckets, by calls under way and by cooldowns: what
/// concerns the same thing becomes one change.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) counts: BTreeMap<(String, Span), Change>,
    /// By bucket and call: whether the call begins (or goes on) or ends.
    pub(super) flights: BTreeMap<(String, String), bool>,
    /// By provider and name; `None` lets it back in.
    pub(super) cooling: BTreeMap<(String, String), Option<Cooling>>,
    pub(super) sessions: BTreeMap<u64, SharedSession>,
}

/// A change of a counter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Change {
    pub(super) requests: i64,
    pub(super) input: i64,
    pub(super) output: i64,
    pub(super) cost: i64,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
            && self.flights.is_empty()
            && self.cooling.is_empty()
            && self.sessions.is_empty()
    }

    /// Adds requests and tokens to a claim's counter.
    pub(super) fn count(&mut self, claim: &Claim, requests: i64, more: Tokens, less: Tokens) {
        let signed = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let key = (claim.key.clone(), claim.span);
        let sum = self.counts.entry(key.clone()).or_default();
        sum.requests = sum.requests.saturating_add(requests);
        sum.input = sum.input.saturating_add(signed(more.input)).saturating_sub(signed(less.input));
        sum.output =
            sum.output.saturating_add(signed(more.output)).saturating_sub(signed(less.output));
        sum.cost = sum.cost.saturating_add(signed(more.cost)).saturating_sub(signed(less.cost));
        if *sum == Change::default() {
            self.counts.remove(&key);
        }
    }

    /// The call begins, or goes on.
    pub(super) fn begin_flight(&mut self, key: String, call: String) {
        self.flights.insert((key, call), true);
    }

    /// The call is over. One that Redis was never told of need not be mentioned.
    pub(super) fn end_flight(&mut self, key: String, call: String, told: bool) {
        if told {
            self.flights.insert((key, call), false);
        } else {
            self.flights.remove(&(key, call));
        }
    }

    pub(super) fn keep_out(&mut self, provider: &str, cooling: &Cooling) {
        self.cooling.insert((provider.to_owned(), cooling.name()), Some(cooling.clone()));
    }

    /// Says where a session is; while Redis is away for long, only of so many.
    pub(super) fn send(&mut self, session: SharedSession) {
        if self.sessions.len() < SESSIONS_MAX || self.sessions.contains_key(&session.key) {
            self.sessions.insert(session.key, session);
        }
    }

    pub(super) fn release(&mut self, provider: &str, name: String) {
        self.cooling.insert((provider.to_owned(), name), None);
    }
}
