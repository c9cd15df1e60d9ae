//! Which candidates a request may go to, in order.
//!
//! ```text
//!   route --> tree of targets --> order at each alias --> flat list --> candidates
//!             aliases nest        by its own strategy     by tier       + skipped, each with why
//! ```
//!
//! First tier: the targets, each nested alias ordered by its own strategy and standing as one
//! entry in the outer one. Second tier: the alias's fallback targets as listed, then those of
//! nested aliases, then the fallback models of the first tier's models. A model appears once, at
//! its first place. Each model is followed by the same model with the provider's other
//! credentials.
//!
//! Candidates with a full bucket, a cooldown or an open circuit are skipped. If nothing is left
//! and something is merely cooling down, the one soonest to recover is planned as a probe; what
//! has a full bucket that may soon have room is planned to be waited for.

use crate::affinity::PinKey;
use crate::bucket::Tokens;
use crate::catalog::{ModelRef, Timeouts};
use crate::cooldown::Scope;
use crate::failure::FailureClass;
use crate::resolve::Route;
use crate::seed::Digest;
use crate::state::{Block, BlockReason, Place, Standing, Turn, View};
use crate::time::UnixMs;
use router_wire::Dialect;

mod dialect;
mod order;
mod tree;

pub use dialect::outbound;
pub(crate) use order::expected_cost;

/// Candidates of one plan at most; what an alias lists beyond is left out.
const CANDIDATES_MAX: usize = 256;

/// What planning must know about a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts {
    /// The dialect the client speaks.
    pub inbound: Dialect,
    /// Whether only upstreams that speak the client's dialect will do, as for embeddings.
    pub native_only: bool,
    /// The session the request belongs to, if it has an identity.
    pub session: Option<SessionKey>,
    /// Tokens it is expected to use.
    pub tokens: Tokens,
    /// The client key it came with, by its index in [`Catalog::clients`]; `None` for the master
    /// key, or where no key is asked for.
    ///
    /// [`Catalog::clients`]: crate::catalog::Catalog::clients
    pub client: Option<usize>,
}

/// A session's identity as a 64-bit name. Made by [`crate::session`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionKey(pub u64);

/// First choice or fallback.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Tier {
    /// A target, or the model of a direct request.
    Primary,
    /// A fallback target or fallback model.
    Fallback,
}

impl Tier {
    /// `primary` or `fallback`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Fallback => "fallback",
        }
    }
}

/// A target that may be called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The model, in the catalog the plan was made with.
    pub model: ModelRef,
    /// Index into the provider's credentials.
    pub credential: usize,
    /// What to speak to it.
    pub dialect: Dialect,
    /// First choice or fallback.
    pub tier: Tier,
    /// Whether it is cooling down and tried as a last resort.
    pub probe: bool,
    /// Whether a bucket has no room yet, and the request waits for it as a last resort.
    pub queued: bool,
    /// Its provider's time limits.
    pub timeouts: Timeouts,
}

/// A target that may not be called now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skipped {
    /// The model, in the catalog the plan was made with.
    pub model: ModelRef,
    /// Index into the provider's credentials.
    pub credential: usize,
    /// First choice or fallback.
    pub tier: Tier,
    /// Why.
    pub reason: SkipReason,
    /// Until when, if that is known.
    pub until: Option<UnixMs>,
}

/// Why a target is skipped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SkipReason {
    /// A bucket has no room; its index in the provider's buckets.
    Exhausted(usize),
    /// A cooldown after a failure of this class.
    Cooldown(Scope, FailureClass),
    /// An open circuit.
    Circuit(Scope),
    /// A probe is under way.
    Probing,
    /// It speaks no dialect the request could be sent in.
    Dialect,
    /// It has no price, and the client key has a budget in money.
    Unpriced,
}

impl SkipReason {
    /// Whether a failure is behind it, rather than a full bucket or what the candidate is.
    pub(crate) const fn is_failure(self) -> bool {
        matches!(self, Self::Cooldown(..) | Self::Circuit(_) | Self::Probing)
    }
}

/// The decision for one request.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Plan {
    /// What to try, in order.
    pub candidates: Vec<Candidate>,
    /// What not to try.
    pub skipped: Vec<Skipped>,
    /// Tokens each attempt reserves.
    pub tokens: Tokens,
    /// The client key the request came with.
    pub client: Option<usize>,
    /// Whether the first candidate is where the request's session already is.
    pub by_affinity: bool,
    pub(crate) pin: Option<PinKey>,
    pub(crate) first_place: Option<Place>,
    pub(crate) turns: Vec<Turn>,
}

/// Plans a request. Changes nothing; [`crate::state::State::accept`] takes the turns it found.
pub fn plan(view: &View<'_>, route: &Route, facts: &RequestFacts, now: UnixMs) -> Plan {
    let mut planner = tree::Planner::new(*view, facts, now, pin_key(view, route, facts));
    let mut leaves = Vec::new();
    let mut turns = Vec::new();
    let mut fallbacks = Vec::new();
    match route {
        Route::Direct(model) => {
            leaves.push(planner.leaf(*model));
            planner.model_fallbacks(&leaves, &mut fallbacks);
        }
        Route::Alias(name) => {
            planner.alias(name, 0, &mut leaves, &mut turns);
            planner.fallbacks(name, &mut fallbacks);
            planner.model_fallbacks(&leaves, &mut fallbacks);
        }
    }
    let (tokens, client) = (facts.tokens, facts.client);
    let mut plan = Plan { tokens, client, turns, ..Plan::default() };
    planner.list(&leaves, Tier::Primary, &mut plan);
    planner.list(&fallbacks, Tier::Fallback, &mut plan);
    if plan.candidates.is_empty() {
        last_resort(view, facts, &mut plan);
        queue(view, facts, &mut plan, now);
    }
    plan.pin = planner.pin_key();
    if let Some(first) = plan.candidates.first()
        && plan.pin.is_some()
    {
        plan.first_place = view.place(first.model, first.credential);
        plan.by_affinity =
            planner.pinned_place().is_some() && planner.pinned_place() == plan.first_place;
    }
    plan
}

/// The name of the request's session on its route, where the route keeps sessions together and
/// has a choice.
fn pin_key(view: &View<'_>, route: &Route, facts: &RequestFacts) -> Option<PinKey> {
    let session = facts.session?;
    let digest = Digest::default().with(&session.0.to_le_bytes());
    let catalog = view.catalog();
    let digest = match route {
        Route::Direct(model) => {
            let (provider, model) = (catalog.provider(*model)?, catalog.model(*model)?);
            if provider.credentials.len() < 2 && model.fallback_models.is_empty() {
                return None;
            }
            digest.with(provider.id.as_bytes()).with(model.id.as_bytes())
        }
        Route::Alias(name) => {
            if !catalog.aliases.get(name.as_str())?.affinity {
                return None;
            }
            digest.with(name.as_bytes())
        }
    };
    Some(PinKey(digest.value()))
}

/// Plans the skipped candidate that is soonest to recover as a probe, if only failures keep it
/// out; one that is being probed already only if there is no other.
fn last_resort(view: &View<'_>, facts: &RequestFacts, plan: &mut Plan) {
    let cooling = plan.skipped.iter().enumerate().filter(|(_, it)| it.reason.is_failure());
    let soonest = cooling.min_by_key(|(_, s)| (s.reason == SkipReason::Probing, s.until));
    let Some((index, _)) = soonest else { return };
    if let Some(candidate) = plan.skipped.get(index).and_then(|it| again(view, facts, it)) {
        plan.skipped.remove(index);
        plan.candidates.push(Candidate { probe: true, ..candidate });
    }
}

/// Plans the skipped candidates that may have room in a moment; see
/// [`crate::catalog::Routing::queue`].
fn queue(view: &View<'_>, facts: &RequestFacts, plan: &mut Plan, now: UnixMs) {
    let patience = view.catalog().routing.queue;
    let soon = |it: &Skipped| {
        let waits = it.until.is_none_or(|until| until <= now.after(patience));
        matches!(it.reason, SkipReason::Exhausted(_)) && waits
    };
    if patience.is_zero() {
        return;
    }
    for skipped in std::mem::take(&mut plan.skipped) {
        match again(view, facts, &skipped).filter(|_| soon(&skipped)) {
            Some(candidate) => plan.candidates.push(Candidate { queued: true, ..candidate }),
            None => plan.skipped.push(skipped),
        }
    }
}

/// A skipped candidate as one to try.
fn again(view: &View<'_>, facts: &RequestFacts, skipped: &Skipped) -> Option<Candidate> {
    let provider = view.catalog().provider(skipped.model)?;
    let model = view.catalog().model(skipped.model)?;
    Some(Candidate {
        model: skipped.model,
        credential: skipped.credential,
        dialect: outbound(facts, provider, model)?,
        tier: skipped.tier,
        probe: false,
        queued: false,
        timeouts: provider.timeouts,
    })
}

impl SkipReason {
    /// Why a candidate that stands so is skipped, and until when; `None` if it is not.
    fn of(standing: &Standing) -> Option<(Self, Option<UnixMs>)> {
        if let Some((bucket, resets_at)) = standing.exhausted {
            return Some((Self::Exhausted(bucket), resets_at));
        }
        if standing.probing.is_some() {
            return Some((Self::Probing, None));
        }
        let Block { until, reason } = standing.block?;
        let reason = match reason {
            BlockReason::Cooldown(scope, class) => Self::Cooldown(scope, class),
            BlockReason::Circuit(scope) => Self::Circuit(scope),
            BlockReason::Probing => Self::Probing,
        };
        Some((reason, Some(until)))
    }

    /// The reason's one name in headers, logs and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exhausted(_) => "quota-exhausted",
            Self::Cooldown(..) => "cooldown",
            Self::Circuit(_) => "circuit-open",
            Self::Probing => "probing",
            Self::Dialect => "dialect",
            Self::Unpriced => "no-price",
        }
    }
}

#[cfg(test)]
mod tests;
