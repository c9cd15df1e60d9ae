//! Testing configured providers as they are, without changing anything.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use router_client::Client;
use router_config::{AuthHeader, Config, nearest};
use router_wire::Dialect;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::probe::{ModelCheck, Settings};
use crate::upstream::{Asker, Budget, Outcome, Pace, Pacer, Wait, Way};

/// What is tested.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Providers; empty means all.
    pub providers: Vec<String>,
    /// Models; empty means all of each provider.
    pub models: Vec<String>,
}

/// What cannot be tested because it is not there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no {what}{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct NotThere {
    /// Such as ``provider `opnai` ``.
    pub what: String,
    /// A name that is nearly the same.
    pub near: Option<String>,
}

/// One model of one provider, tested in one dialect.
#[derive(Clone, Debug)]
pub struct ModelTest {
    /// The provider.
    pub provider: String,
    /// The dialect.
    pub format: Dialect,
    /// What came of it.
    pub check: ModelCheck,
}

/// What came of all tests, in the order of the config.
#[derive(Clone, Debug)]
pub struct TestReport {
    /// The tests.
    pub tests: Vec<ModelTest>,
    /// Whether the operator interrupted them.
    pub is_interrupted: bool,
}

impl TestReport {
    /// Whether every test succeeded, and there was one.
    pub fn is_ok(&self) -> bool {
        !self.tests.is_empty() && self.tests.iter().all(|test| test.check.outcome == Outcome::Ok)
    }

    /// Whether nobody answered anywhere.
    pub fn is_unreachable(&self) -> bool {
        let is_silent = |test: &ModelTest| test.check.outcome == Outcome::NetworkError;
        !self.tests.is_empty() && self.tests.iter().all(is_silent)
    }

    /// The documented JSON object.
    pub fn to_json(&self) -> Value {
        let tests = self.tests.iter().map(|test| {
            json!({
                "provider": test.provider,
                "model": test.check.model,
                "format": test.format.config_name(),
                "ok": test.check.outcome == Outcome::Ok,
                "outcome": test.check.outcome,
                "status": test.check.status,
                "latencyMs": test.check.latency_ms,
                "message": test.check.message,
            })
        });
        json!({ "ok": self.is_ok(), "tests": tests.collect::<Vec<_>>() })
    }
}

/// Something planned.
#[derive(Clone, Debug)]
struct Planned<'a> {
    provider: usize,
    way: Way,
    model: &'a str,
}

/// Asks every chosen model for a few words, in every dialect that the config says it speaks.
/// Different hosts are asked at the same time.
pub async fn retest(
    config: &Config,
    selection: &Selection,
    settings: Settings,
    client: &Client,
    cancel: &CancellationToken,
    on_test: &(dyn Fn(&ModelTest) + Sync),
) -> Result<TestReport, NotThere> {
    let plan = plan(config, selection)?;
    let mut hosts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, planned) in plan.iter().enumerate() {
        hosts.entry(planned.way.base.origin()).or_default().push(at);
    }
    let budget = Budget::new(settings.requests);
    let runs = hosts.into_values().map(|places| {
        let (budget, plan) = (&budget, &plan);
        async move {
            let pace = Pace::new(settings.requests_per_minute);
            let pacer = Pacer { pace: &pace, budget };
            let mut done = Vec::new();
            for at in places {
                let Some(planned) = plan.get(at) else { continue };
                let test = one(config, planned, settings, client, &pacer, cancel).await;
                on_test(&test);
                done.push((at, test));
            }
            done
        }
    });
    let mut tests: Vec<_> = join_all(runs).await.into_iter().flatten().collect();
    tests.sort_by_key(|(at, _)| *at);
    let tests = tests.into_iter().map(|(_, test)| test).collect();
    Ok(TestReport { tests, is_interrupted: cancel.is_cancelled() })
}

async fn one(
    config: &Config,
    planned: &Planned<'_>,
    settings: Settings,
    client: &Client,
    pacer: &Pacer<'_>,
    cancel: &CancellationToken,
) -> ModelTest {
    let upstream = config.upstreams.get(planned.provider);
    let mut check = ModelCheck::not_tested(planned.model, "interrupted");
    if let Some(upstream) = upstream.filter(|_| !cancel.is_cancelled()) {
        let asker = Asker {
            client,
            upstream,
            credential: 0,
            timeout: settings.timeout,
            rate_limit_retries: settings.rate_limit_retries,
        };
        let quiet = |_: Wait| {};
        let asked = asker.answer(&planned.way, planned.model, pacer, &quiet);
        check = match cancel.run_until_cancelled(asked).await {
            None => check,
            Some(None) => ModelCheck::not_tested(planned.model, "the budget of requests is spent"),
            Some(Some(found)) => ModelCheck::new(planned.model, found),
        };
    }
    let provider = upstream.map(|upstream| upstream.id.clone()).unwrap_or_default();
    ModelTest { provider, format: planned.way.dialect, check }
}

fn plan<'a>(config: &'a Config, selection: &Selection) -> Result<Vec<Planned<'a>>, NotThere> {
    let ids = || config.catalog.providers.iter().map(|provider| provider.id.as_str());
    for id in &selection.providers {
        if !ids().any(|known| known == id) {
            let near = nearest(id, ids()).map(str::to_owned);
            return Err(NotThere { what: format!("provider `{id}`"), near });
        }
    }
    let chosen = |id: &String| selection.providers.is_empty() || selection.providers.contains(id);
    let wanted = |id: &String| selection.models.is_empty() || selection.models.contains(id);
    let mut plan = Vec::new();
    let pairs = config.catalog.providers.iter().zip(&config.upstreams).enumerate();
    for (at, (provider, upstream)) in pairs.filter(|(_, (provider, _))| chosen(&provider.id)) {
        for model in provider.models.iter().filter(|model| wanted(&model.id)) {
            let own = if model.dialects.is_empty() { &provider.dialects } else { &model.dialects };
            for dialect in own {
                let Some(base) = upstream.bases.get(dialect) else { continue };
                let auth = upstream.auth.get(dialect).cloned();
                let auth = auth.unwrap_or_else(|| AuthHeader::usual(*dialect));
                let way = Way { dialect: *dialect, base: base.clone(), auth };
                plan.push(Planned { provider: at, way, model: &model.id });
            }
        }
    }
    let models = || {
        let all = config.catalog.providers.iter().filter(|provider| chosen(&provider.id));
        all.flat_map(|provider| provider.models.iter().map(|model| model.id.as_str()))
    };
    for id in &selection.models {
        if !models().any(|known| known == id) {
            let near = nearest(id, models()).map(str::to_owned);
            return Err(NotThere { what: format!("model `{id}`"), near });
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use router_config::{MapLookup, load};
    use router_demo::{Demo, Face, Fault, Script};

    use super::*;

    fn config(providers: &Value) -> Config {
        let text = json!({ "version": 2, "providers": providers }).to_string();
        load(&text, &MapLookup::default()).config.unwrap()
    }

    async fn run(config: &Config, selection: &Selection) -> Result<TestReport, NotThere> {
        let settings = Settings { timeout: Duration::from_secs(5), ..Settings::default() };
        let (client, cancel) = (Client::new().unwrap(), CancellationToken::new());
        retest(config, selection, settings, &client, &cancel, &|_| {}).await
    }

    #[tokio::test]
    async fn every_model_is_asked_in_every_dialect_it_is_said_to_speak() {
        let demo = Demo::local().await.unwrap();
        demo.script("broken", Script::always(Fault::status(500)));
        let config = config(&json!([{
            "id": "p", "baseUrl": demo.url(), "formats": ["openai", "claude"],
            "models": ["demo-chat", {"id": "broken", "formats": ["claude"]}],
        }]));
        let report = run(&config, &Selection::default()).await.unwrap();
        let seen: Vec<_> = report
            .tests
            .iter()
            .map(|test| (test.check.model.as_str(), test.format.config_name(), test.check.outcome))
            .collect();
        assert_eq!(
            seen,
            [
                ("demo-chat", "openai", Outcome::Ok),
                ("demo-chat", "claude", Outcome::Ok),
                ("broken", "claude", Outcome::RuntimeError),
            ]
        );
        assert!(!report.is_ok() && !report.is_unreachable());
        let only = Selection { models: vec!["demo-chat".into()], ..Selection::default() };
        assert!(run(&config, &only).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn nobody_there_is_told_from_bad_answers_and_wrong_names_get_a_suggestion() {
        let nobody = Demo::refusing_address().await.unwrap();
        let demo = Demo::start(
            ([127, 0, 0, 1], 0).into(),
            router_demo::Options {
                face: Face { has_pages: true, ..Face::speaking(&[]) },
                ..router_demo::Options::default()
            },
        )
        .await
        .unwrap();
        let config = config(&json!([
            {"id": "gone", "baseUrl": format!("http://{nobody}"), "format": "openai", "models": ["m"]},
            {"id": "pages", "baseUrl": demo.url(), "format": "openai", "models": ["m"]},
        ]));
        let of = |id: &str| Selection { providers: vec![id.to_owned()], ..Selection::default() };
        assert!(run(&config, &of("gone")).await.unwrap().is_unreachable());
        let pages = run(&config, &of("pages")).await.unwrap();
        assert_eq!(pages.tests[0].check.outcome, Outcome::FormatMismatch);
        let error = run(&config, &of("gine")).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no provider `gine`; did you mean `gone`?");
    }
}
