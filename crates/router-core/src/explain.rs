//! Why a request would go where it goes.
//!
//! An explanation is the real plan, made by the same code as the live one, with everything that
//! decided it beside each candidate. It is plain data for programs and prints itself for people.

use std::fmt;

use serde::Serialize;

use crate::catalog::{Catalog, ModelRef, TargetRef};
use crate::plan::{Plan, RequestFacts, SkipReason, Tier, expected_cost, plan};
use crate::resolve::Route;
use crate::state::View;
use crate::time::UnixMs;

/// Why a request would go where it goes, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// `provider/model` or the alias name.
    pub route: String,
    /// `direct` or `alias`.
    pub kind: &'static str,
    /// The alias's strategy.
    pub strategy: Option<&'static str>,
    /// The moment explained.
    pub at: UnixMs,
    /// Whether the first candidate is where the session already is.
    pub by_affinity: bool,
    /// What would be tried, in order.
    pub candidates: Vec<Explained>,
    /// What would not be tried.
    pub skipped: Vec<Explained>,
}

/// One target of an explanation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// `provider/model`.
    pub target: String,
    /// The credential's label.
    pub credential: String,
    /// Aliases that lead to the target, outermost first; empty for models named directly and
    /// fallback models.
    pub through: Vec<String>,
    /// `primary` or `fallback`.
    pub tier: &'static str,
    /// What would be spoken to it.
    pub dialect: Option<&'static str>,
    /// Whether it is cooling down and would be tried as a last resort.
    pub probe: bool,
    /// Whether it has no room yet, and the request would wait for it as a last resort.
    pub queued: bool,
    /// Its configured weight within its alias.
    pub weight: f64,
    /// Failing exchanges in a row.
    pub failures: u32,
    /// Average time to first output in milliseconds, once known.
    pub latency_ms: Option<f64>,
    /// Expected cost of the request in US dollars, where the price is known.
    pub cost: Option<f64>,
    /// The buckets that count it.
    pub buckets: Vec<ExplainedBucket>,
    /// Why it is skipped.
    pub reason: Option<String>,
    /// Until when it is skipped, if that is known.
    pub until: Option<UnixMs>,
}

/// One bucket of an explained target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedBucket {
    /// The bucket's id.
    pub id: String,
    /// What is left, 0 to 1.
    pub left: f64,
    /// When its span ends.
    pub resets_at: Option<UnixMs>,
}

/// Explains what [`plan`] would decide.
pub fn explain(view: &View<'_>, route: &Route, facts: &RequestFacts, now: UnixMs) -> Explanation {
    let plan = plan(view, route, facts, now);
    let catalog = view.catalog();
    let strategy = match route {
        Route::Direct(_) => None,
        Route::Alias(name) => catalog.aliases.get(name).map(|alias| alias.strategy.name()),
    };
    Explanation {
        route: route.name(catalog),
        kind: route.kind(),
        strategy,
        at: now,
        by_affinity: plan.by_affinity,
        candidates: candidates(view, route, facts, &plan, now),
        skipped: skipped(view, route, facts, &plan, now),
    }
}

fn candidates(
    view: &View<'_>,
    route: &Route,
    facts: &RequestFacts,
    plan: &Plan,
    now: UnixMs,
) -> Vec<Explained> {
    let explained = plan.candidates.iter().map(|candidate| {
        let base = target(view, route, facts, (candidate.model, candidate.credential), now);
        Explained {
            tier: candidate.tier.name(),
            dialect: Some(candidate.dialect.name()),
            probe: candidate.probe,
            queued: candidate.queued,
            ..base
        }
    });
    explained.collect()
}

fn skipped(
    view: &View<'_>,
    route: &Route,
    facts: &RequestFacts,
    plan: &Plan,
    now: UnixMs,
) -> Vec<Explained> {
    let explained = plan.skipped.iter().map(|skipped| {
        let base = target(view, route, facts, (skipped.model, skipped.credential), now);
        let reason = reason(view.catalog(), skipped.model, skipped.reason);
        Explained { tier: skipped.tier.name(), reason: Some(reason), until: skipped.until, ..base }
    });
    explained.collect()
}

fn reason(catalog: &Catalog, model: ModelRef, reason: SkipReason) -> String {
    let name = reason.name();
    match reason {
        SkipReason::Exhausted(bucket) => {
            let bucket = catalog.provider(model).and_then(|p| p.buckets.get(bucket));
            bucket.map_or_else(|| name.to_owned(), |bucket| format!("{name} ({})", bucket.id))
        }
        SkipReason::Cooldown(scope, class) => format!("{name} ({class}, {})", scope.name()),
        SkipReason::Circuit(scope) => format!("{name} ({})", scope.name()),
        SkipReason::Probing | SkipReason::Dialect | SkipReason::Unpriced => name.to_owned(),
    }
}

fn target(
    view: &View<'_>,
    route: &Route,
    facts: &RequestFacts,
    (model, credential): (ModelRef, usize),
    now: UnixMs,
) -> Explained {
    let catalog = view.catalog();
    let provider = catalog.provider(model);
    let standing = view.standing(model, credential, facts.tokens, now);
    let mut buckets = Vec::new();
    view.levels(model, credential, facts.tokens, now, |index, level| {
        if let Some(bucket) = provider.and_then(|provider| provider.buckets.get(index)) {
            let resets_at = bucket.has_window().then_some(level.resets_at).flatten();
            buckets.push(ExplainedBucket { id: bucket.id.clone(), left: level.left, resets_at });
        }
    });
    let (through, weight) = match route {
        Route::Direct(_) => (Vec::new(), 1.0),
        Route::Alias(name) => path(catalog, name, model, 0).unwrap_or((Vec::new(), 1.0)),
    };
    let price = catalog.model(model).and_then(|model| model.price);
    let label = provider.and_then(|provider| provider.credentials.get(credential));
    Explained {
        target: catalog.name(model),
        credential: label.map(|credential| credential.label.clone()).unwrap_or_default(),
        through,
        tier: Tier::Primary.name(),
        dialect: None,
        probe: false,
        queued: false,
        weight,
        failures: standing.failures,
        latency_ms: standing.latency_ms,
        cost: price.map(|price| expected_cost(&price, view.expected(model, facts.tokens), 0)),
        buckets,
        reason: None,
        until: None,
    }
}

/// The aliases that lead to a model, and its weight in the innermost.
fn path(
    catalog: &Catalog,
    name: &str,
    model: ModelRef,
    depth: usize,
) -> Option<(Vec<String>, f64)> {
    let alias = catalog.aliases.get(name).filter(|_| depth < 16)?;
    alias.targets.iter().chain(&alias.fallback_targets).find_map(|target| match &target.to {
        TargetRef::Model(to) if *to == model => {
            Some((vec![name.to_owned()], target.weight.unwrap_or(1.0)))
        }
        TargetRef::Model(_) => None,
        TargetRef::Alias(nested) => {
            let (mut through, weight) = path(catalog, nested, model, depth + 1)?;
            through.insert(0, name.to_owned());
            Some((through, weight))
        }
    })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind, self.route)?;
        if let Some(strategy) = self.strategy {
            write!(f, ", strategy {strategy}")?;
        }
        writeln!(f, ", at {}", moment(self.at))?;
        if self.candidates.is_empty() {
            writeln!(f, "  nothing can be tried now")?;
        }
        for (candidate, number) in self.candidates.iter().zip(1..) {
            write!(f, "  {number}. ")?;
            candidate.line(f)?;
            if number == 1 && self.by_affinity {
                writeln!(f, "     the session is there already")?;
            }
            candidate.details(f)?;
        }
        if !self.skipped.is_empty() {
            writeln!(f, "skipped")?;
        }
        for skipped in &self.skipped {
            write!(f, "  -  ")?;
            skipped.line(f)?;
            skipped.details(f)?;
        }
        Ok(())
    }
}

impl Explained {
    fn line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.target)?;
        if !self.credential.is_empty() {
            write!(f, " with `{}`", self.credential)?;
        }
        if let Some(dialect) = self.dialect {
            write!(f, " in {dialect}")?;
        }
        write!(f, ", {}", self.tier)?;
        if self.through.len() > 1 {
            write!(f, " through {}", self.through.join(" > "))?;
        }
        if self.probe {
            write!(f, ", as a probe: everything is cooling down")?;
        }
        if self.queued {
            write!(f, ", once it has room")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        if let Some(until) = self.until {
            write!(f, " until {}", moment(until))?;
        }
        writeln!(f)
    }

    fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "     weight {}", self.weight)?;
        if self.failures > 0 {
            write!(f, ", {} failures in a row", self.failures)?;
        }
        if let Some(ms) = self.latency_ms {
            write!(f, ", first output after {ms:.0} ms")?;
        }
        if let Some(cost) = self.cost {
            write!(f, ", about ${cost:.6}")?;
        }
        for bucket in &self.buckets {
            write!(f, ", bucket `{}` {:.0} % left", bucket.id, bucket.left * 100.0)?;
            if let Some(resets_at) = bucket.resets_at {
                write!(f, " until {}", moment(resets_at))?;
            }
        }
        writeln!(f)
    }
}

/// RFC 3339, or the bare number where the calendar ends.
pub(crate) fn moment(at: UnixMs) -> String {
    let instant =
        i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    instant.map_or_else(|| at.0.to_string(), |instant| instant.to_string())
}

#[cfg(test)]
mod tests {
    use router_wire::Dialect;

    use super::*;
    use crate::bucket::Tokens;
    use crate::catalog::Strategy;
    use crate::failure::FailureClass;
    use crate::plan::SessionKey;
    use crate::resolve::resolve;
    use crate::testing::{World, catalog};

    fn explained(world: &World, name: &str) -> Explanation {
        let route = resolve(world.table.catalog(), Some(name)).unwrap();
        let facts = RequestFacts {
            inbound: Dialect::Anthropic,
            native_only: false,
            session: world.session.map(SessionKey),
            tokens: Tokens::default(),
            client: None,
        };
        explain(&world.state.view(&world.table), &route, &facts, world.now)
    }

    #[test]
    fn an_explanation_says_what_decided() {
        let nested = catalog("abcd")
            .alias("inner", Strategy::RoundRobin, "b*2 c", "")
            .alias("x", Strategy::WeightedRr, "a inner", "d")
            .monthly("a", 4)
            .monthly("c", 1);
        let mut world = World::new(nested);
        world.session = Some(1);
        assert_eq!(world.serve("x"), "a");
        world.fail("b/m", FailureClass::Unauthorized);
        assert_eq!(world.serve("c/m"), "c");
        assert_eq!(explained(&world, "x").to_string(), "\
alias `x`, strategy weighted-rr, at 2026-02-02T02:40:00Z
  1. a/m with `k1` in openai-chat, primary
     the session is there already
     weight 1, bucket `month` 75 % left until 2026-03-01T00:00:00Z
  2. d/m with `k1` in openai-chat, fallback
     weight 1
skipped
  -  b/m with `k1`, primary through x > inner: cooldown (unauthorized, credential) until 2026-02-02T02:50:00Z
     weight 2
  -  c/m with `k1`, primary through x > inner: quota-exhausted (month) until 2026-03-01T00:00:00Z
     weight 1, bucket `month` 0 % left until 2026-03-01T00:00:00Z
");
    }

    #[test]
    fn an_explanation_changes_nothing_and_is_what_happens_next() {
        let mut world = World::new(catalog("ab").alias("x", Strategy::RoundRobin, "a b", ""));
        for _ in 0..5 {
            let first = explained(&world, "x").candidates[0].target.clone();
            assert_eq!(explained(&world, "x").candidates[0].target, first);
            assert_eq!(format!("{}/m", world.serve("x")), first);
        }
        let json = serde_json::to_value(explained(&world, "a/m")).unwrap();
        assert_eq!(json["candidates"][0]["target"], "a/m");
        assert_eq!(json["kind"], "direct");
    }
}
