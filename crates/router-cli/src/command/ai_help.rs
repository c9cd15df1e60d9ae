//! `llm-router ai-help`: the guide for agents, with what is true now.

use std::time::Duration;

use http::Method;
use router_client::Client;
use router_config::{Config, Secret};
use router_operator::guide::{self, Check, Checks, Running, Situation};
use router_operator::instance::Instance;
use router_operator::tools::check::ask;
use router_operator::tools::{Models, Wanted};
use router_server::reload::{self, Source};
use serde_json::{Value, json};

use super::setup::{DEFAULT_URL, configured, names, serving, short};
use super::start::config_failure;
use crate::args::setup::AiHelp;
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};

/// Characters of an answer shown at most.
const SAID_CHARS_MAX: usize = 140;

pub(crate) fn run(cx: &Cx, flags: &AiHelp) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    let config = match reload::load(&Source::File(path.clone())) {
        Ok((config, ..)) => Some(config),
        // Where there is nothing yet, the guide says how to begin.
        Err(reload::ConfigError::NoProvider) => None,
        Err(reload::ConfigError::Unreadable { error, .. })
            if error.kind() == std::io::ErrorKind::NotFound =>
        {
            None
        }
        Err(error) => return Err(config_failure(&error)),
    };
    let instance = serving(&path);
    let mut situation = config.as_ref().map(described).unwrap_or_default();
    situation.config_path = short(&path);
    situation.patience_ms = flags.live_test_timeout_ms;
    situation.base = match (&instance, &config) {
        (Some(instance), _) => instance.url(),
        (None, Some(config)) => configured(config),
        (None, None) => DEFAULT_URL.to_owned(),
    };
    situation.running = instance.as_ref().map(|instance| Running {
        requires_auth: instance.facts.requires_auth,
        config_path: instance.facts.config_path.as_deref().map(short).unwrap_or_default(),
    });
    if let Some(config) = config.as_ref().filter(|_| flags.skip_live_test != Some(true))
        && let Some(instance) = &instance
    {
        situation.checks = Some(live(config, instance, flags)?);
    }
    Ok(Outcome::new(guide::text(&situation), guide::to_json(&situation)))
}

fn described(config: &Config) -> Situation {
    let catalog = &config.catalog;
    let empty = catalog.providers.iter().filter(|provider| provider.models.is_empty());
    let aliases = catalog.aliases.iter();
    Situation {
        providers: catalog.providers.iter().map(|provider| provider.id.clone()).collect(),
        empty_providers: empty.map(|provider| provider.id.clone()).collect(),
        models: catalog.models().map(|model| catalog.name(model)).collect(),
        aliases: aliases
            .map(|(id, alias)| (id.clone(), alias.strategy.name().to_owned()))
            .collect(),
        buckets: catalog.providers.iter().map(|provider| provider.buckets.len()).sum(),
        default_model: catalog.default_model.clone(),
        has_key: config.master_key.is_some(),
        ..Situation::default()
    }
}

/// Asks the running router what the tools will ask it.
fn live(config: &Config, instance: &Instance, flags: &AiHelp) -> Result<Checks, Failure> {
    let given = flags.gateway_auth_token.clone().filter(|key| !key.is_empty()).map(Secret::new);
    let key = given.or_else(|| config.master_key.clone());
    let default = config.catalog.default_model.clone();
    let main = default.or_else(|| names(config).into_iter().next()).unwrap_or_default();
    let wanted = Wanted {
        base: instance.url(),
        key: key.unwrap_or_else(|| Secret::new("none".to_owned())),
        models: Models { main: main.clone(), ..Models::default() },
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let client = Client::new().map_err(|error| Failure::failed(error.to_string()))?;
    let patience = flags.patience();
    let get = |path: &'static str| one(&client, &wanted, patience, (Method::GET, path, None));
    let body = json!({ "model": main, "input": "ping", "max_output_tokens": 16 });
    let post = (Method::POST, "/openai/v1/responses", Some(&body));
    let (health, openai_models, claude_models, responses) = runtime.block_on(async {
        tokio::join!(
            get("/health"),
            get("/openai/v1/models"),
            get("/anthropic/v1/models"),
            one(&client, &wanted, patience, post),
        )
    });
    Ok(Checks { health, openai_models, claude_models, responses })
}

async fn one(
    client: &Client,
    wanted: &Wanted,
    patience: Duration,
    (method, path, body): (Method, &str, Option<&Value>),
) -> Check {
    let asked = ask(client, wanted, method, path, body);
    match tokio::time::timeout(patience, asked).await {
        Err(_) => Check::Error(format!("no answer within {} ms", patience.as_millis())),
        Ok(Err(why)) => Check::Error(why),
        Ok(Ok((status, answer))) => {
            let said: String = answer.to_string().chars().take(SAID_CHARS_MAX).collect();
            Check::Answered(status, said)
        }
    }
}
