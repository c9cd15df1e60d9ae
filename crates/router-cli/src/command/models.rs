//! `llm-router provider models`: what a provider says it has.

use std::fmt::Write as _;

use router_config::{AuthHeader, Config, nearest, parse};
use router_operator::discover::{Discovered, discover};
use router_operator::operate::probed::add_listed;
use router_operator::probe::Settings;
use router_operator::upstream::{Asker, Budget, Outcome as Answer, Pace, Pacer, Way};
use serde_json::{Value, json};

use super::config_of::{loaded, provider_id};
use super::far;
use crate::args::probe::ProviderModels;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::{FAINT, GOOD, styled};

pub(crate) fn run(cx: &Cx, flags: &ProviderModels) -> Result<Outcome, Failure> {
    let config = loaded(cx)?;
    let id = provider_id(&config, &flags.id)?;
    let found = listed(&config, &id)?;
    let configured: Vec<&str> = config
        .catalog
        .providers
        .iter()
        .filter(|provider| provider.id == id)
        .flat_map(|provider| provider.models.iter().map(|model| model.id.as_str()))
        .collect();
    let Some(add) = &flags.add else {
        return Ok(Outcome::new(shown(&found, &configured), as_json(&id, &found, &configured)));
    };
    let chosen = chosen(add, &found, &configured)?;
    super::edit::apply(cx, flags.edit, |document| add_listed(document, &id, &chosen))
}

fn listed(config: &Config, id: &str) -> Result<Discovered, Failure> {
    let pairs = config.catalog.providers.iter().zip(&config.upstreams);
    let found = pairs.into_iter().find(|(provider, _)| provider.id == id);
    let (provider, upstream) = found.ok_or_else(|| Failure::input("there is no such provider"))?;
    let ways = provider.dialects.iter().filter_map(|dialect| {
        let base = upstream.bases.get(dialect)?.clone();
        let auth = upstream.auth.get(dialect).cloned();
        Some(Way {
            dialect: *dialect,
            base,
            auth: auth.unwrap_or_else(|| AuthHeader::usual(*dialect)),
        })
    });
    let ways: Vec<_> = ways.collect();
    let settings = Settings::default();
    let found = far::run(async |client, cancel| {
        let asker = Asker {
            client,
            upstream,
            credential: 0,
            timeout: settings.timeout,
            rate_limit_retries: 0,
        };
        let pace = Pace::new(settings.requests_per_minute);
        let budget = Budget::new(settings.requests);
        let pacer = Pacer { pace: &pace, budget: &budget };
        let asked = discover(&asker, &ways, &pacer, &|_| {});
        cancel.run_until_cancelled(asked).await
    })?;
    let found = found.ok_or_else(|| Failure::new(Kind::Interrupted, "interrupted"))?;
    found.map_err(|none| {
        let kind = match none.outcome {
            Answer::NetworkError => Kind::Unreachable,
            _ => Kind::Failed,
        };
        Failure::new(kind, format!("provider `{id}` gives no list of models: {none}"))
            .hint("`llm-router doctor` says more")
    })
}

fn chosen(
    add: &str,
    found: &Discovered,
    configured: &[&str],
) -> Result<Vec<router_wire::models::Listed>, Failure> {
    if add.trim() == "all" {
        let new = found.models.iter().filter(|model| !model.is_other);
        let new = new.filter(|model| !configured.contains(&model.id.as_str()));
        return Ok(new.cloned().collect());
    }
    let names = parse::list(add);
    let all = names.into_iter().map(|name| {
        let known = found.models.iter().find(|model| model.id == name);
        known.cloned().ok_or_else(|| {
            let failure = Failure::input(format!("the provider does not list `{name}`"));
            let ids = found.models.iter().map(|model| model.id.as_str());
            match nearest(&name, ids) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`llm-router model add` adds a model that is not listed"),
            }
        })
    });
    all.collect()
}

fn shown(found: &Discovered, configured: &[&str]) -> String {
    let mut text = String::new();
    for model in &found.models {
        let mark =
            if configured.contains(&model.id.as_str()) { styled(GOOD, "*") } else { " ".into() };
        let _ = write!(text, "{mark} {}", model.id);
        if let Some(context) = model.context_window {
            let _ = write!(text, "  {}", styled(FAINT, format!("{context} tokens")));
        }
        if model.is_other {
            let _ = write!(text, "  {}", styled(FAINT, "does not answer in text"));
        }
        text.push('\n');
    }
    let count = found.models.len();
    let known = found.models.iter().filter(|model| configured.contains(&model.id.as_str())).count();
    let _ = write!(text, "{count} model(s), {known} of them in the config (*)");
    text
}

fn as_json(id: &str, found: &Discovered, configured: &[&str]) -> Value {
    let models = found.models.iter().map(|model| {
        json!({
            "id": model.id,
            "name": model.display_name,
            "contextWindow": model.context_window,
            "maxOutputTokens": model.output_tokens_max,
            "text": !model.is_other,
            "configured": configured.contains(&model.id.as_str()),
        })
    });
    json!({ "provider": id, "models": models.collect::<Vec<_>>() })
}
