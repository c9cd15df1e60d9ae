//! The probe against the scripted provider, over real HTTP.

use std::sync::Mutex;
use std::time::Instant;

use router_config::{MapLookup, load};
use router_demo::{Demo, Dialect as Api, Face, Fault, Options, Script};
use serde_json::{Value, json};

use super::*;
use crate::upstream::Outcome;

const KEY: &str = "sk-marker-5e77e1";

/// A provider with a key, and what is different about it.
async fn provider(face: Face) -> Demo {
    let options = Options { key: Some(KEY.to_owned()), face, ..Options::default() };
    Demo::start(([127, 0, 0, 1], 0).into(), options).await.unwrap()
}

fn configured(provider: &Value) -> Config {
    let text = json!({ "version": 2, "providers": [provider] }).to_string();
    let loaded = load(&text, &MapLookup::default());
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

fn subject(base: &str, models: &[&str]) -> Subject {
    let provider = json!({"id": "p", "baseUrl": base, "apiKey": KEY, "models": models});
    Subject::of(&configured(&provider), "p").unwrap()
}

/// Settings for tests: no pace.
fn quick() -> Settings {
    Settings {
        requests_per_minute: 10_000,
        timeout: Duration::from_secs(5),
        rate_limit_retries: 2,
        ..Settings::default()
    }
}

async fn run(subject: &Subject, settings: Settings) -> (Report, Vec<Event>) {
    let events = Mutex::new(Vec::new());
    let client = Client::new().unwrap();
    let cancel = CancellationToken::new();
    let note = |event: &Event| events.lock().unwrap().push(event.clone());
    let report = probe(subject, settings, &client, None, &cancel, &note).await;
    (report, events.into_inner().unwrap())
}

fn outcome(report: &Report, dialect: Dialect, model: &str) -> Outcome {
    let lane = report.lanes.iter().find(|lane| lane.dialect() == dialect).unwrap();
    lane.checks.iter().find(|check| check.model == model).unwrap().outcome
}

#[tokio::test]
async fn a_model_that_answers_in_every_dialect_is_recorded_for_every_dialect() {
    let demo = provider(Face::default()).await;
    let subject = subject(&demo.url(), &["demo-chat", "demo-classic"]);
    let (report, _) = run(&subject, quick()).await;
    assert!(report.is_ok() && report.is_complete, "{:?}", report.warnings);
    for model in &report.models {
        assert_eq!(model.dialects.len(), 4, "{model:?}");
    }
    assert_eq!(report.scope(), Scope::None);
    let members = report.provider_members(&subject.upstream);
    assert_eq!(members["formats"], json!(["claude", "openai", "responses", "gemini"]));
    assert!(!members.contains_key("baseUrlByFormat") && !members.contains_key("authByFormat"));
    assert_eq!(report.model_formats(&report.models[0]), Value::Null);
    let kept = &members["lastProbe"];
    assert_eq!(kept["ok"], true);
    assert_eq!(kept["models"], json!(["demo-chat", "demo-classic"]));
    assert_eq!(kept["modelSupport"]["demo-chat"].as_array().unwrap().len(), 4);
    assert_eq!(kept["modelPreferredFormat"]["demo-chat"], "claude");
    assert_eq!(kept["endpointMatrix"][0]["authByFormat"]["openai"], json!({"type": "bearer"}));
}

#[tokio::test]
async fn only_the_dialects_and_headers_that_work_are_found() {
    for (dialects, keys, expect, auth) in [
        (vec![Api::Chat], vec![], vec![Dialect::OpenaiChat], None),
        (vec![Api::Messages], vec!["authorization"], vec![Dialect::Anthropic], Some("bearer")),
        (vec![Api::Chat], vec!["x-api-key"], vec![Dialect::OpenaiChat], Some("x-api-key")),
        (vec![Api::Gemini], vec![], vec![Dialect::Gemini], None),
        (
            vec![Api::Chat, Api::Responses],
            vec![],
            vec![Dialect::OpenaiChat, Dialect::OpenaiResponses],
            None,
        ),
    ] {
        let key_headers = keys.iter().map(ToString::to_string).collect();
        let demo = provider(Face { key_headers, ..Face::speaking(&dialects) }).await;
        let subject = subject(&demo.url(), &["demo-chat"]);
        let (report, _) = run(&subject, quick()).await;
        assert_eq!(report.working_formats(), expect, "{dialects:?}: {:?}", report.warnings);
        let members = report.provider_members(&subject.upstream);
        let found = members.get("authByFormat").map(|all| &all[expect[0].config_name()]["type"]);
        assert_eq!(found.and_then(Value::as_str), auth, "{dialects:?}");
    }
}

#[tokio::test]
async fn the_address_is_found_below_what_was_given() {
    for (folder, versioned, given, dialect, expect) in [
        ("/anthropic", true, "/v1", Api::Messages, "/anthropic"),
        ("/openai", true, "", Api::Chat, "/openai"),
        ("/api", false, "/api", Api::Chat, "/api/chat/completions"),
        ("", true, "/v1", Api::Gemini, "/v1"),
    ] {
        let face = Face { folder: folder.to_owned(), versioned, ..Face::speaking(&[dialect]) };
        let demo = provider(face).await;
        let subject = subject(&format!("{}{given}", demo.url()), &["demo-chat"]);
        let (report, _) = run(&subject, quick()).await;
        let found = report.working_formats();
        assert_eq!(found.len(), 1, "{folder} {given}: {:?}", report.warnings);
        let base = report.base(found[0]).unwrap();
        assert_eq!(base.reveal(), format!("{}{expect}", demo.url()));
        let members = report.provider_members(&subject.upstream);
        let is_moved = members.contains_key("baseUrlByFormat");
        assert_eq!(is_moved, given != expect, "{folder} {given}");
    }
}

#[tokio::test]
async fn a_page_with_status_200_proves_nothing() {
    let demo = provider(Face { has_pages: true, ..Face::speaking(&[]) }).await;
    let (report, _) = run(&subject(&demo.url(), &["demo-chat"]), quick()).await;
    assert!(!report.is_ok() && !report.is_unreachable());
    assert_eq!(outcome(&report, Dialect::OpenaiChat, "demo-chat"), Outcome::FormatMismatch);
    assert_eq!(report.scope(), Scope::Full);
    let demo = provider(Face::default()).await;
    let subject =
        subject(&demo.url(), &["demo-chat", "demo-200-html", "demo-200-error", "demo-empty"]);
    let (report, _) = run(&subject, quick()).await;
    let confirmed: Vec<_> = report.confirmed().map(|model| model.id.as_str()).collect();
    assert_eq!(confirmed, ["demo-chat"]);
    assert_eq!(outcome(&report, Dialect::OpenaiChat, "demo-200-html"), Outcome::FormatMismatch);
}

#[tokio::test]
async fn one_unresolved_model_is_reported_and_totals_are_reached() {
    let demo = provider(Face { models: Some(vec!["demo-chat".into()]), ..Face::default() }).await;
    let (report, events) = run(&subject(&demo.url(), &["demo-chat", "demo-chut"]), quick()).await;
    assert!(report.is_ok());
    assert_eq!(report.scope(), Scope::Partial);
    let unresolved: Vec<_> = report.unresolved().collect();
    assert_eq!(unresolved[0].outcome, Outcome::ModelUnsupported);
    assert!(unresolved[0].why.contains("did you mean `demo-chat`?"), "{unresolved:?}");
    let counts = events.iter().filter_map(|event| match event {
        Event::ModelCheck { completed, total, .. } => Some((*completed, *total)),
        _ => None,
    });
    let counts: Vec<_> = counts.collect();
    assert_eq!(counts, (1..=8).map(|count| (count, 8)).collect::<Vec<_>>());
    assert!(matches!(events.last(), Some(Event::MatrixDone { supported_model_count: 1, .. })));
}

#[tokio::test]
async fn models_are_taken_from_the_list_where_none_is_named() {
    let models = vec!["demo-chat".to_owned(), "claude-opus-4-6".to_owned()];
    for dialect in [Api::Chat, Api::Messages, Api::Gemini] {
        let face = Face { models: Some(models.clone()), ..Face::speaking(&[dialect]) };
        let demo = provider(face).await;
        let (report, _) = run(&subject(&demo.url(), &[]), quick()).await;
        let confirmed: Vec<_> = report.confirmed().map(|model| model.id.clone()).collect();
        assert_eq!(confirmed, models, "{dialect:?}: {:?}", report.warnings);
    }
    let demo = provider(Face { has_list: false, ..Face::default() }).await;
    let (report, events) = run(&subject(&demo.url(), &[]), quick()).await;
    assert!(report.models.is_empty());
    assert!(matches!(&events[0], Event::ModelList { count: None, .. }), "{events:?}");
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_long_as_it_asks() {
    let demo = provider(Face::speaking(&[Api::Chat])).await;
    demo.script("slow", Script::once(Fault::rate_limit(1)));
    let started = Instant::now();
    let (report, events) = run(&subject(&demo.url(), &["slow"]), quick()).await;
    assert!(report.is_ok() && started.elapsed() >= Duration::from_secs(1));
    let waited = events.iter().any(|event| {
        matches!(event, Event::RateLimitWait { reason: Reason::RateLimit, retry: 1, .. })
    });
    assert!(waited, "{events:?}");
}

#[tokio::test]
async fn a_rate_limit_that_stays_is_reported_after_every_retry() {
    let demo = provider(Face::speaking(&[Api::Chat])).await;
    demo.script("busy", Script::always(Fault::status(429)));
    demo.script("later", Script::always(Fault::rate_limit(7200)));
    let started = Instant::now();
    let (report, _) = run(&subject(&demo.url(), &["demo-chat", "busy", "later"]), quick()).await;
    assert!(started.elapsed() < Duration::from_secs(10), "two hours are not waited for");
    assert_eq!(report.scope(), Scope::Partial);
    let failures = report.rate_limit_failures();
    assert_eq!(
        failures.iter().map(|each| (&*each.model, each.retries)).collect::<Vec<_>>(),
        [("busy", 2), ("later", 0)]
    );
    let to = |model: &str| {
        let is_it = |record: &&router_demo::Record| record.json()["model"] == model;
        demo.requests().iter().filter(is_it).count()
    };
    assert_eq!((to("busy"), to("later")), (3, 1));
}

#[tokio::test]
async fn a_model_that_wants_another_limit_gets_it() {
    let demo = provider(Face::speaking(&[Api::Chat])).await;
    let too_small = json!({"error": {"message": "max_tokens: must be at least 64"}}).to_string();
    let small = || Some(Fault::status(400).with_body(&too_small));
    demo.script("wants-room", Script::sequence([small(), small()]));
    let (report, _) = run(&subject(&demo.url(), &["demo-reasoner", "wants-room"]), quick()).await;
    assert_eq!(report.confirmed().count(), 2, "{:?}", report.warnings);
    let asked = demo.requests();
    let last = asked.iter().rfind(|record| record.json()["model"] == "wants-room").unwrap();
    assert_eq!(last.json()["max_tokens"], 1024);
}

#[tokio::test]
async fn hosts_are_tested_at_the_same_time_and_a_model_on_the_other_host_is_pointed_out() {
    let only =
        |model: &str| Face { models: Some(vec![model.to_owned()]), ..Face::speaking(&[Api::Chat]) };
    let one = provider(Face {
        models: Some(vec!["demo-chat".into(), "demo-classic".into()]),
        ..Face::speaking(&[Api::Chat])
    })
    .await;
    let two = provider(only("demo-small")).await;
    let mut both = subject(&one.url(), &["demo-chat", "demo-classic", "demo-small"]);
    both.add_endpoints(&[BaseUrl::new(&two.url()).unwrap()]);
    let (report, events) = run(&both, quick()).await;
    let place = |wanted: fn(&Event) -> bool| events.iter().position(wanted);
    let second = place(|event| matches!(event, Event::EndpointStart { index: 2, .. }));
    assert!(second < place(|event| matches!(event, Event::EndpointDone { .. })), "{events:?}");
    let other: Vec<_> = report.unresolved().collect();
    assert_eq!(other[0].id, "demo-small");
    assert!(other[0].why.contains(&two.url()), "{other:?}");
    assert_eq!(report.base(Dialect::OpenaiChat).unwrap().reveal(), one.url());
}

#[tokio::test]
async fn a_refused_key_is_no_secret_told_and_nobody_there_is_unreachable() {
    let demo = provider(Face { repeats_key: true, ..Face::default() }).await;
    let wrong = "sk-wrong-5e77e1";
    let provider = json!({"id": "p", "baseUrl": demo.url(), "apiKey": wrong, "models": ["m-1"]});
    let refused = Subject::of(&configured(&provider), "p").unwrap();
    let (report, events) = run(&refused, quick()).await;
    assert_eq!(outcome(&report, Dialect::OpenaiChat, "m-1"), Outcome::AuthError);
    let all = format!("{} {report:?} {events:?}", report.to_json());
    assert!(all.contains("You sent: ***") && !all.contains(wrong), "{all}");
    let nobody = Demo::refusing_address().await.unwrap();
    let (report, _) = run(&subject(&format!("http://{nobody}"), &["m-1", "m-2"]), quick()).await;
    assert!(report.is_unreachable() && !report.is_ok());
}

#[tokio::test]
async fn the_key_goes_only_to_the_origins_that_were_given() {
    let (demo, other) = (provider(Face::default()).await, provider(Face::default()).await);
    demo.script(
        "moved",
        Script::always(Fault::Redirect(format!("{}/v1/chat/completions", other.url()))),
    );
    let (report, _) = run(&subject(&demo.url(), &["moved"]), quick()).await;
    assert!(!report.is_ok());
    assert!(report.models[0].why.contains("redirects"), "{:?}", report.models);
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_spent_budget_leaves_the_rest_untested() {
    let demo = provider(Face::speaking(&[Api::Chat])).await;
    let settings = Settings { requests: 3, ..quick() };
    let (report, _) =
        run(&subject(&demo.url(), &["demo-chat", "demo-classic", "demo-small"]), settings).await;
    assert!(report.is_ok() && !report.is_complete);
    assert_eq!(demo.requests().len(), 3);
    assert!(report.warnings[0].contains("budget of 3 requests"), "{:?}", report.warnings);
}

#[tokio::test]
async fn an_interrupted_probe_goes_on_where_it_stopped() {
    let demo = provider(Face::speaking(&[Api::Chat])).await;
    demo.script("hangs", Script::once(Fault::BlackHole));
    let subject = subject(&demo.url(), &["demo-chat", "demo-classic", "hangs", "demo-small"]);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let state = state_path(&config, "p");
    let (client, cancel) = (Client::new().unwrap(), CancellationToken::new());
    let stop = |event: &Event| {
        if matches!(event, Event::ModelCheck { check, .. } if check.model == "demo-classic") {
            cancel.cancel();
        }
    };
    let first = probe(&subject, quick(), &client, Some(&state), &cancel, &stop).await;
    assert!(first.is_interrupted && !first.is_complete);
    assert_eq!(first.confirmed().count(), 2, "what was found is kept");
    let kept = std::fs::read_to_string(&state).unwrap();
    assert!(kept.contains("demo-classic") && !kept.contains(KEY));
    let sent = demo.requests().len();

    demo.script("hangs", Script::default());
    let known = Mutex::new(Vec::new());
    let note = |event: &Event| {
        if let Event::ModelCheck { check, is_known: true, format: Dialect::OpenaiChat, .. } = event
        {
            known.lock().unwrap().push(check.model.clone());
        }
    };
    let on = CancellationToken::new();
    let second = probe(&subject, quick(), &client, Some(&state), &on, &note).await;
    assert!(second.is_complete && second.confirmed().count() == 4, "{:?}", second.warnings);
    assert_eq!(known.into_inner().unwrap(), ["demo-chat", "demo-classic"]);
    let asked: Vec<_> = demo.requests().into_iter().skip(sent).collect();
    let in_chat = |record: &&router_demo::Record| record.path == "/v1/chat/completions";
    let again: Vec<_> = asked.iter().filter(in_chat).map(router_demo::Record::json).collect();
    assert!(again.iter().all(|body| body["model"] != "demo-chat"), "{again:?}");
    assert!(!state.exists(), "a complete probe leaves no state");
}

#[tokio::test]
async fn without_a_key_none_is_sent() {
    let demo = Demo::local().await.unwrap();
    let provider = json!({"id": "p", "baseUrl": demo.url(), "models": ["demo-chat"]});
    let subject = Subject::of(&configured(&provider), "p").unwrap();
    let (report, _) = run(&subject, quick()).await;
    assert_eq!(report.working_formats().len(), 4);
    for record in demo.requests() {
        for name in ["authorization", "x-api-key", "x-goog-api-key"] {
            assert!(!record.headers.contains_key(name), "{record:?}");
        }
    }
}
