//! `modelAliases`.

use std::collections::BTreeMap;

use router_core::catalog::{Alias, Catalog, ModelRef, Strategy, Target, TargetRef};

use super::{Dangling, Names};
use crate::names::{is_alias_id, nearest};
use crate::read::Context;
use crate::schema::{self, File};

/// Spellings of strategies; the first of each is the one to write.
const STRATEGIES: [(&str, Strategy); 24] = [
    ("auto", Strategy::Auto),
    ("automatic", Strategy::Auto),
    ("smart", Strategy::Auto),
    ("ordered", Strategy::Ordered),
    ("", Strategy::Ordered),
    ("priority", Strategy::Ordered),
    ("round-robin", Strategy::RoundRobin),
    ("rr", Strategy::RoundRobin),
    ("round_robin", Strategy::RoundRobin),
    ("weighted-rr", Strategy::WeightedRr),
    ("weighted_rr", Strategy::WeightedRr),
    ("weighted", Strategy::WeightedRr),
    ("weighted-round-robin", Strategy::WeightedRr),
    ("quota-aware-weighted-rr", Strategy::QuotaAwareWeightedRr),
    ("quota_aware_weighted_rr", Strategy::QuotaAwareWeightedRr),
    ("quota-aware-weighted-round-robin", Strategy::QuotaAwareWeightedRr),
    ("least-latency", Strategy::LeastLatency),
    ("least_latency", Strategy::LeastLatency),
    ("latency", Strategy::LeastLatency),
    ("fastest", Strategy::LeastLatency),
    ("least-cost", Strategy::LeastCost),
    ("least_cost", Strategy::LeastCost),
    ("cost", Strategy::LeastCost),
    ("cheapest", Strategy::LeastCost),
];

/// The spelling to write of a strategy that is spelled in one of its ways.
pub fn strategy_name(word: &str) -> Option<&'static str> {
    let word = word.trim().to_lowercase();
    let (_, meant) = STRATEGIES.iter().find(|(name, _)| *name == word && !name.is_empty())?;
    STRATEGIES.iter().find(|(_, strategy)| strategy == meant).map(|(name, _)| *name)
}

/// Resolves every alias; targets that mean nothing are left out one by one.
pub(crate) fn all(file: &File, catalog: &mut Catalog, names: &Names, cx: &mut Context<'_>) {
    let written = file.model_aliases.as_ref().map(|map| map.0.as_slice()).unwrap_or_default();
    let mut chosen: BTreeMap<&str, &schema::Alias> = BTreeMap::new();
    for (key, alias) in written {
        let id = key.trim();
        if id.is_empty() {
            cx.warn(&alias.at, "an alias without a name is ignored", "give it a name");
            continue;
        }
        if !is_alias_id(id) {
            let hint = "use letters, digits and `._:-`, so that other aliases can refer to it";
            cx.warn(&alias.at, format!("`{id}` is an unusual name for an alias"), hint);
        }
        if chosen.insert(id, alias).is_some() {
            cx.warn(
                &alias.at,
                format!("alias `{id}` is given twice; the last one counts"),
                "remove one",
            );
        }
    }
    let ids: Vec<&str> = chosen.keys().copied().collect();
    let mut aliases = BTreeMap::new();
    for (id, alias) in &chosen {
        let resolver = Resolver { ids: &ids, catalog, names };
        aliases.insert((*id).to_owned(), resolver.alias(id, alias, cx));
    }
    cut_cycles(&mut aliases, &chosen, cx);
    drop_empty(&mut aliases, &chosen, cx);
    catalog.aliases = aliases;
}

struct Resolver<'a> {
    ids: &'a [&'a str],
    catalog: &'a Catalog,
    names: &'a Names,
}

impl Resolver<'_> {
    fn alias(&self, id: &str, written: &schema::Alias, cx: &mut Context<'_>) -> Alias {
        let list = |list: &Option<schema::List<schema::OrText<schema::Target>>>| {
            list.as_ref().map(|list| list.0.clone()).unwrap_or_default()
        };
        let primaries = list(&written.targets);
        let fallbacks = list(&written.fallback_targets);
        if primaries.is_empty() && !fallbacks.is_empty() {
            let what = format!("alias `{id}` has no targets, only fallback targets");
            cx.warn(&written.at, what, "move the first of them to `targets`");
        }
        let mut seen = Vec::new();
        Alias {
            strategy: strategy(written, cx),
            targets: self.targets(&primaries, &mut seen, cx),
            fallback_targets: self.targets(&fallbacks, &mut seen, cx),
            affinity: affinity(written, cx),
        }
    }

    /// Resolves one list; what an earlier entry or list holds is not repeated.
    fn targets(
        &self,
        written: &[schema::OrText<schema::Target>],
        seen: &mut Vec<Found>,
        cx: &mut Context<'_>,
    ) -> Vec<Target> {
        let mut out = Vec::with_capacity(written.len());
        for target in written {
            let reference = target.to.as_deref().map(str::trim).unwrap_or_default();
            let path = format!("{}.ref", target.at);
            let found = match self.find(reference) {
                Ok(found) => found,
                Err(dangling) => {
                    let message = format!("{}; the target is left out", dangling.message);
                    cx.warn(&path, message, &dangling.hint);
                    continue;
                }
            };
            let weight = match target.weight {
                Some(weight) if weight <= 0.0 => {
                    let path = format!("{}.weight", target.at);
                    let hint = "remove the target to stop its use";
                    cx.warn(&path, "a weight must be greater than 0; 1 is used", hint);
                    None
                }
                weight => weight,
            };
            if seen.contains(&found) {
                cx.warn(
                    &path,
                    format!("`{reference}` is listed twice; the first one counts"),
                    "remove one",
                );
                continue;
            }
            let to = match &found {
                Found::Model(model) => TargetRef::Model(*model),
                Found::Alias(id) => TargetRef::Alias(id.clone()),
            };
            seen.push(found);
            out.push(Target { to, weight });
        }
        out
    }

    /// `alias:NAME`, `provider/model`, the name of an alias, or a model name only one provider has.
    fn find(&self, reference: &str) -> Result<Found, Dangling> {
        if reference.is_empty() || reference.contains(char::is_whitespace) {
            return Err(Dangling {
                message: format!("`{reference}` is not a reference"),
                hint: "write `provider/model` or the name of an alias".to_owned(),
            });
        }
        let id = reference.strip_prefix("alias:").unwrap_or(reference);
        if self.ids.contains(&id) {
            return Ok(Found::Alias(id.to_owned()));
        }
        if reference.trim_matches('/').contains('/') {
            return self.names.direct(reference, self.catalog).map(Found::Model);
        }
        let mut holders = self.holders(reference);
        match (holders.next(), holders.next()) {
            (Some(only), None) => Ok(Found::Model(only)),
            (Some(_), Some(_)) => Err(Dangling {
                message: format!("several providers have a model `{reference}`"),
                hint: "write `provider/model`".to_owned(),
            }),
            (None, _) => Err(self.unknown(id)),
        }
    }

    fn holders<'s>(&'s self, name: &'s str) -> impl Iterator<Item = ModelRef> + 's {
        self.catalog.providers.iter().enumerate().flat_map(move |(provider, each)| {
            let named = each.models.iter().enumerate().filter(move |(_, model)| model.id == name);
            named.map(move |(model, _)| ModelRef { provider, model })
        })
    }

    fn unknown(&self, id: &str) -> Dangling {
        let near = nearest(id, self.ids.iter().copied());
        Dangling {
            message: format!("there is no alias or model `{id}`"),
            hint: near.map_or_else(
                || "write `provider/model` or the name of an alias".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
        }
    }
}

/// What a reference stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Found {
    Model(ModelRef),
    Alias(String),
}

fn strategy(written: &schema::Alias, cx: &mut Context<'_>) -> Strategy {
    let Some(text) = &written.strategy else { return Strategy::default() };
    let text = text.trim().to_lowercase();
    if let Some((_, strategy)) = STRATEGIES.iter().find(|(name, _)| *name == text) {
        return *strategy;
    }
    let near = nearest(&text, STRATEGIES.iter().map(|(name, _)| *name));
    let hint = near.map_or_else(
        || {
            "use `auto`, `ordered`, `round-robin`, `weighted-rr`, `quota-aware-weighted-rr`, \
             `least-latency` or `least-cost`"
                .to_owned()
        },
        |near| format!("did you mean `{near}`?"),
    );
    let path = format!("{}.strategy", written.at);
    cx.warn(&path, format!("`{text}` is not a strategy; `ordered` is used"), &hint);
    Strategy::Ordered
}

fn affinity(written: &schema::Alias, cx: &mut Context<'_>) -> bool {
    match &written.affinity {
        None | Some(serde_json::Value::Bool(true)) => true,
        Some(serde_json::Value::Bool(false)) => false,
        Some(serde_json::Value::String(text)) if text.eq_ignore_ascii_case("off") => false,
        Some(serde_json::Value::String(text)) if text.eq_ignore_ascii_case("on") => true,
        Some(_) => {
            let path = format!("{}.affinity", written.at);
            cx.warn(
                &path,
                "`affinity` is neither on nor off; on is used",
                "write `\"off\"` or remove it",
            );
            true
        }
    }
}

/// Removes the targets that lead back to where they came from, so that expansion always ends.
fn cut_cycles(
    aliases: &mut BTreeMap<String, Alias>,
    written: &BTreeMap<&str, &schema::Alias>,
    cx: &mut Context<'_>,
) {
    let ids: Vec<String> = aliases.keys().cloned().collect();
    let mut done: Vec<String> = Vec::new();
    for start in &ids {
        let mut path = vec![start.clone()];
        // Depth first without recursion: each round looks at the last alias of the path.
        while let Some(current) = path.last().cloned() {
            let Some(alias) = aliases.get_mut(&current) else { break };
            let lists = alias.targets.iter().chain(&alias.fallback_targets);
            let next = lists.filter_map(nested).find(|id| !done.iter().any(|each| each == id));
            let Some(next) = next.map(str::to_owned) else {
                done.push(current);
                path.pop();
                continue;
            };
            let Some(from) = path.iter().position(|id| *id == next) else {
                path.push(next);
                continue;
            };
            let cycle = path.iter().skip(from).chain([&next]).map(String::as_str);
            let cycle = cycle.collect::<Vec<_>>().join(" -> ");
            let at =
                written.get(current.as_str()).map(|alias| alias.at.as_str()).unwrap_or_default();
            let hint = format!("remove `{next}` from the targets of `{current}`");
            cx.warn(
                at,
                format!("aliases lead in a circle: {cycle}; the last step is left out"),
                &hint,
            );
            alias.targets.retain(|target| nested(target) != Some(&next));
            alias.fallback_targets.retain(|target| nested(target) != Some(&next));
        }
    }
}

fn nested(target: &Target) -> Option<&str> {
    match &target.to {
        TargetRef::Alias(id) => Some(id),
        TargetRef::Model(_) => None,
    }
}

/// Removes aliases that lead nowhere, and then those that lead only to them.
fn drop_empty(
    aliases: &mut BTreeMap<String, Alias>,
    written: &BTreeMap<&str, &schema::Alias>,
    cx: &mut Context<'_>,
) {
    loop {
        let is_empty =
            |alias: &Alias| alias.targets.is_empty() && alias.fallback_targets.is_empty();
        let empty = aliases.iter().find(|(_, alias)| is_empty(alias)).map(|(id, _)| id.clone());
        let Some(id) = empty else { return };
        aliases.remove(&id);
        let at = written.get(id.as_str()).map(|alias| alias.at.as_str()).unwrap_or_default();
        cx.warn(at, format!("alias `{id}` has no usable target and is left out"), "add a target");
        for alias in aliases.values_mut() {
            alias.targets.retain(|target| nested(target) != Some(&id));
            alias.fallback_targets.retain(|target| nested(target) != Some(&id));
        }
    }
}
