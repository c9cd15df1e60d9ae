//! From a tree of targets to a flat list of candidates.

use router_wire::Dialect;

use super::order::{Merit, order, stays};
use super::{
    CANDIDATES_MAX, Candidate, Plan, RequestFacts, SkipReason, Skipped, Tier, expected_cost,
    outbound,
};
use crate::affinity::{Pin, PinKey};
use crate::catalog::{Client, ModelRef, Strategy, Target, TargetRef};
use crate::num::ratio;
use crate::state::{Place, Standing, Turn, View};
use crate::time::UnixMs;

/// Nesting that is followed; config refuses cycles, so this is only a guard.
const DEPTH_MAX: usize = 16;

/// One model of the tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    model: ModelRef,
    dialect: Option<Dialect>,
    /// Its lanes in [`Planner::lanes`].
    lanes: (usize, usize),
    open: bool,
    /// Whether it has no price although the client key has a budget.
    barred: bool,
    merit: Merit,
    cost_cached: Option<f64>,
    pinned: bool,
}

/// One (model, credential).
#[derive(Clone, Copy, Debug)]
struct Lane {
    credential: usize,
    standing: Standing,
}

/// One target of an alias, with the leaves below it.
#[derive(Debug)]
pub(super) struct Branch {
    /// Index into the alias's targets.
    pub target: usize,
    pub weight: f64,
    pub open: bool,
    pub merit: Merit,
    /// Expected cost where the session's cache is.
    pub cost_cached: Option<f64>,
    pinned: bool,
    leaves: (usize, usize),
    turns: Vec<Turn>,
}

/// Planning of one request.
pub(super) struct Planner<'a> {
    view: View<'a>,
    facts: &'a RequestFacts,
    now: UnixMs,
    key: Option<PinKey>,
    pin: Option<Pin>,
    /// Whether the client key has a budget in money.
    budgeted: bool,
    lanes: Vec<Lane>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        view: View<'a>,
        facts: &'a RequestFacts,
        now: UnixMs,
        key: Option<PinKey>,
    ) -> Self {
        let policy = &view.catalog().routing.affinity;
        let pin = key.and_then(|key| view.pin(key, policy, now)).copied();
        let client = facts.client.and_then(|client| view.catalog().clients.get(client));
        let budgeted = client.is_some_and(Client::is_budgeted);
        Self { view, facts, now, key, pin, budgeted, lanes: Vec::new() }
    }

    pub(super) const fn pin_key(&self) -> Option<PinKey> {
        self.key
    }

    pub(super) fn pinned_place(&self) -> Option<Place> {
        self.pin.map(|pin| pin.place)
    }

    /// Looks one model up.
    pub(super) fn leaf(&mut self, reference: ModelRef) -> Leaf {
        let catalog = self.view.catalog();
        let start = self.lanes.len();
        let mut leaf = Leaf {
            model: reference,
            dialect: None,
            lanes: (start, start),
            open: false,
            barred: false,
            merit: Merit { quota: 0.0, failures: u32::MAX, latency_ms: None, cost: None },
            cost_cached: None,
            pinned: false,
        };
        let (Some(provider), Some(model)) = (catalog.provider(reference), catalog.model(reference))
        else {
            return leaf;
        };
        leaf.dialect = outbound(self.facts, provider, model);
        leaf.barred = self.budgeted && model.price.is_none();
        for credential in 0..provider.credentials.len().max(1) {
            let standing = self.view.standing(reference, credential, self.facts.tokens, self.now);
            leaf.open |= standing.is_open() && leaf.dialect.is_some() && !leaf.barred;
            if standing.is_open() {
                leaf.merit.quota = leaf.merit.quota.max(standing.quota);
            }
            leaf.merit.failures = leaf.merit.failures.min(standing.failures);
            leaf.merit.latency_ms = standing.latency_ms;
            self.lanes.push(Lane { credential, standing });
        }
        leaf.lanes.1 = self.lanes.len();
        if let Some(pin) = &self.pin
            && let Some(place) = self.view.place(reference, 0)
        {
            leaf.pinned = Place { credential: pin.place.credential, ..place } == pin.place;
        }
        if let Some(price) = &model.price {
            let tokens = self.view.expected(reference, self.facts.tokens);
            leaf.merit.cost = Some(expected_cost(price, tokens, 0));
            let cached = self.pin.filter(|_| leaf.pinned).map_or(0, |pin| pin.tokens);
            leaf.cost_cached = Some(expected_cost(price, tokens, cached));
        }
        leaf
    }

    /// Appends the first tier of an alias in the order of its strategy, and the turns to take if
    /// its first leaf is used.
    pub(super) fn alias(
        &mut self,
        name: &str,
        depth: usize,
        out: &mut Vec<Leaf>,
        turns: &mut Vec<Turn>,
    ) {
        let Some(alias) = self.view.catalog().aliases.get(name) else { return };
        if depth >= DEPTH_MAX {
            return;
        }
        self.lanes.reserve(alias.targets.len());
        let mut leaves = Vec::with_capacity(alias.targets.len());
        let mut branches = Vec::with_capacity(alias.targets.len());
        for (index, target) in alias.targets.iter().enumerate() {
            let start = leaves.len();
            let mut below = Vec::new();
            self.target(target, depth, &mut leaves, &mut below);
            let new = leaves.get(start..).unwrap_or_default();
            branches.push(Branch::new(index, target, new, (start, leaves.len()), below));
        }
        let (order, mut taken) = order(alias.strategy, &branches, self.view.rotation(name));
        let chosen = order.first().and_then(|first| branches.get(*first));
        let pinned = branches.iter().position(|branch| branch.pinned && branch.open);
        let pinned = pinned.filter(|_| alias.affinity && alias.strategy != Strategy::Ordered);
        let cached = self.pin.map_or(0, |pin| pin.tokens);
        let kept = pinned.filter(|index| {
            let pair = branches.get(*index).zip(chosen);
            pair.is_some_and(|(pinned, best)| stays(alias.strategy, pinned, best, cached))
        });
        if kept.is_some() {
            taken.clear();
        }
        let first = kept.or_else(|| order.first().copied());
        if let Some(branch) = first.and_then(|first| branches.get(first)) {
            turns.append(&mut taken);
            turns.extend_from_slice(&branch.turns);
        }
        out.reserve(leaves.len());
        let rest = order.iter().copied().filter(|index| Some(*index) != kept);
        for branch in kept.into_iter().chain(rest).filter_map(|index| branches.get(index)) {
            out.extend_from_slice(leaves.get(branch.leaves.0..branch.leaves.1).unwrap_or_default());
        }
    }

    fn target(
        &mut self,
        target: &Target,
        depth: usize,
        out: &mut Vec<Leaf>,
        turns: &mut Vec<Turn>,
    ) {
        match &target.to {
            TargetRef::Model(model) => out.push(self.leaf(*model)),
            TargetRef::Alias(name) => self.alias(name, depth + 1, out, turns),
        }
    }

    /// Appends the second tier of an alias: its own fallback targets, then those of the aliases
    /// it nests.
    pub(super) fn fallbacks(&mut self, name: &str, out: &mut Vec<Leaf>) {
        self.fallbacks_at(name, 0, out);
    }

    fn fallbacks_at(&mut self, name: &str, depth: usize, out: &mut Vec<Leaf>) {
        let Some(alias) = self.view.catalog().aliases.get(name) else { return };
        if depth >= DEPTH_MAX {
            return;
        }
        for target in &alias.fallback_targets {
            self.target(target, depth, out, &mut Vec::new());
        }
        for target in alias.targets.iter().chain(&alias.fallback_targets) {
            if let TargetRef::Alias(nested) = &target.to {
                self.fallbacks_at(nested, depth + 1, out);
            }
        }
    }

    /// Appends the fallback models of `primaries`.
    pub(super) fn model_fallbacks(&mut self, primaries: &[Leaf], out: &mut Vec<Leaf>) {
        for primary in primaries {
            let Some(model) = self.view.catalog().model(primary.model) else { continue };
            for fallback in &model.fallback_models {
                out.push(self.leaf(*fallback));
            }
        }
    }

    /// Appends the candidates of `leaves`, leaving out models already listed.
    pub(super) fn list(&self, leaves: &[Leaf], tier: Tier, plan: &mut Plan) {
        plan.candidates.reserve(leaves.len().min(CANDIDATES_MAX));
        for leaf in leaves {
            let listed = plan.candidates.iter().any(|c| c.model == leaf.model)
                || plan.skipped.iter().any(|s| s.model == leaf.model);
            if listed || plan.candidates.len() + plan.skipped.len() >= CANDIDATES_MAX {
                continue;
            }
            let lanes = self.lanes.get(leaf.lanes.0..leaf.lanes.1).unwrap_or_default();
            match lanes {
                [only] => self.lane(leaf, only, tier, plan),
                several => self.rotate(leaf, several, tier, plan),
            }
        }
    }

    /// Lists a model with each of its credentials: the session's own first, then in turn.
    fn rotate(&self, leaf: &Leaf, lanes: &[Lane], tier: Tier, plan: &mut Plan) {
        let provider = self.view.catalog().provider(leaf.model);
        let weight = |lane: &Lane| {
            let credential = provider.and_then(|p| p.credentials.get(lane.credential));
            let weight = credential.map_or(1.0, |credential| credential.weight);
            if weight > 0.0 && weight.is_finite() { weight } else { 1.0 }
        };
        let turn = |lane: &Lane| self.view.credential_turn(leaf.model, lane.credential);
        let pinned = self.pin.filter(|_| leaf.pinned).map(|pin| pin.place.credential);
        let is_pinned =
            |lane: &Lane| pinned.is_some() && turn(lane).map(|(_, index, _)| index) == pinned;
        let open = || lanes.iter().filter(|lane| lane.standing.is_open());
        let mut order: Vec<_> = open()
            .map(|lane| {
                let position = turn(lane).map_or(0.0, |(_, _, position)| position);
                (!is_pinned(lane), -(position + weight(lane)), lane)
            })
            .collect();
        order.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        if plan.candidates.is_empty()
            && leaf.dialect.is_some()
            && let Some((false | true, _, winner)) = order.first()
            && !is_pinned(winner)
            && order.len() > 1
        {
            let sum: f64 = open().map(&weight).sum();
            plan.turns.extend(open().filter_map(|lane| {
                let (of, index, _) = turn(lane)?;
                let won = if lane.credential == winner.credential { sum } else { 0.0 };
                Some(Turn { of, index, change: weight(lane) - won })
            }));
        }
        for (_, _, lane) in order {
            self.lane(leaf, lane, tier, plan);
        }
        for lane in lanes.iter().filter(|lane| !lane.standing.is_open()) {
            self.lane(leaf, lane, tier, plan);
        }
    }

    fn lane(&self, leaf: &Leaf, lane: &Lane, tier: Tier, plan: &mut Plan) {
        let (model, credential) = (leaf.model, lane.credential);
        let Some(dialect) = leaf.dialect else {
            let reason = SkipReason::Dialect;
            plan.skipped.push(Skipped { model, credential, tier, reason, until: None });
            return;
        };
        if leaf.barred {
            let reason = SkipReason::Unpriced;
            plan.skipped.push(Skipped { model, credential, tier, reason, until: None });
            return;
        }
        if let Some((reason, until)) = SkipReason::of(&lane.standing) {
            plan.skipped.push(Skipped { model, credential, tier, reason, until });
            return;
        }
        let timeouts = self.view.catalog().provider(model).map(|p| p.timeouts).unwrap_or_default();
        plan.candidates.push(Candidate {
            model,
            credential,
            dialect,
            tier,
            probe: false,
            queued: false,
            timeouts,
        });
    }
}

impl Branch {
    fn new(
        target: usize,
        config: &Target,
        leaves: &[Leaf],
        range: (usize, usize),
        turns: Vec<Turn>,
    ) -> Self {
        let weight = config.weight.filter(|weight| weight.is_finite() && *weight > 0.0);
        let open = || leaves.iter().filter(|leaf| leaf.open);
        // A nested alias has the quota its open targets have on average, and is as healthy, fast
        // and cheap as the one it would use.
        let count = u64::try_from(open().count()).unwrap_or(u64::MAX);
        let quota = open().map(|leaf| leaf.merit.quota).sum::<f64>() * ratio(1, count);
        let first = open().next();
        Self {
            target,
            weight: weight.unwrap_or(1.0),
            open: first.is_some(),
            merit: Merit {
                quota,
                failures: open().map(|leaf| leaf.merit.failures).min().unwrap_or(0),
                latency_ms: first.and_then(|leaf| leaf.merit.latency_ms),
                cost: first.and_then(|leaf| leaf.merit.cost),
            },
            cost_cached: leaves.iter().find(|leaf| leaf.pinned).and_then(|leaf| leaf.cost_cached),
            pinned: leaves.iter().any(|leaf| leaf.pinned && leaf.open),
            leaves: range,
            turns,
        }
    }
}
