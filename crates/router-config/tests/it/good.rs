//! Documents that load.

use std::time::Duration;

use http::Uri;
use router_config::{Config, MapLookup, Operation, StateBackend, load};
use router_core::catalog::{BucketModels, ModelRef, Strategy, TargetRef, WindowUnit};
use router_wire::Dialect;
use router_wire::canonical::Severity;

fn lookup() -> MapLookup {
    let vars = [
        ("ROUTER_KEY", "master-secret"),
        ("OPENAI_API_KEY", "sk-openai-secret"),
        ("CLAUDE_A", "sk-claude-a-secret"),
        ("ADMIN_KEY", "admin-secret"),
    ];
    MapLookup {
        vars: vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        files: [("/keys/b".to_owned(), "sk-claude-b-secret\n".to_owned())].into(),
    }
}

#[track_caller]
fn loaded(text: &str) -> Config {
    let loaded = load(text, &lookup());
    assert_eq!(loaded.diagnostics, [], "no problems");
    loaded.config.unwrap()
}

fn v2() -> Config {
    loaded(include_str!("good/v2.json"))
}

#[test]
fn d39_a_version_1_file_with_a_single_provider_loads() {
    let config = loaded(include_str!("good/v1.json"));
    let [provider] = &config.catalog.providers[..] else { panic!("one provider") };
    assert_eq!((config.version, provider.id.as_str()), (1, "my-openai"));
    assert_eq!(provider.dialects, [Dialect::OpenaiChat]);
    let [full, mini] = &provider.models[..] else { panic!("two models") };
    assert_eq!((full.id.as_str(), mini.id.as_str()), ("gpt-4o", "gpt-4o-mini"));
    assert_eq!(mini.aliases, ["mini"], "one text is a list of one");
    assert_eq!(mini.dialects, [Dialect::OpenaiChat], "one text is a list of one");
    assert_eq!(mini.fallback_models, [ModelRef { provider: 0, model: 0 }]);
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.name, "My OpenAI");
    let endpoint =
        upstream.endpoint(Dialect::OpenaiChat, Operation::Generate { stream: true }, "gpt-4o");
    let expect = Uri::from_static("https://api.openai.com/v1/chat/completions");
    assert_eq!(endpoint, Some(expect));
    let headers = upstream.headers(Dialect::OpenaiChat, 0).unwrap();
    assert_eq!(headers["authorization"], "Bearer sk-one-0123456789");
}

#[test]
fn a_version_2_file_loads_whole() {
    let config = v2();
    assert_eq!(config.version, 2);
    assert_eq!(config.master_key.as_ref().unwrap().expose(), "master-secret");
    assert_eq!(config.catalog.default_model.as_deref(), Some("coding"));
    let ids: Vec<&str> = config.catalog.providers.iter().map(|each| each.id.as_str()).collect();
    assert_eq!(ids, ["openai", "claude"], "providers that are turned off are left out");
    assert_eq!(config.server.port, 9000);
    assert_eq!(config.server.body_bytes_max, 32 << 20);
    assert_eq!(config.server.allowed_ips.len(), 2);
    assert_eq!(config.server.cors.allowed_origins, ["https://app.example.com"]);
    assert_eq!(config.server.admin.as_ref().unwrap().port, 8788);
    assert_eq!(config.state.backend, StateBackend::Sqlite);
    assert_eq!(config.translation.strict, [Severity::Content]);
    assert_eq!(config.catalog.routing.retry.attempts, 2);
}

#[test]
fn models_keep_their_price_and_context() {
    let config = v2();
    let model = &config.catalog.providers[0].models[0];
    assert_eq!(model.context_window, Some(400_000));
    let price = model.price.unwrap();
    assert_eq!((price.input, price.output, price.cache_read), (1.25, 10.0, Some(0.125)));
    assert_eq!(model.fallback_models, [ModelRef { provider: 1, model: 0 }]);
}

#[test]
fn buckets_are_read_in_both_spellings() {
    let config = v2();
    let [daily, tokens] = &config.catalog.providers[0].buckets[..] else { panic!("two buckets") };
    assert_eq!((daily.id.as_str(), daily.requests), ("daily", Some(500)));
    assert_eq!(daily.models, BucketModels::All);
    assert_eq!((daily.window.unit, daily.window.size), (WindowUnit::Day, 1));
    assert_eq!((tokens.id.as_str(), tokens.tokens), ("tokens", Some(1_000_000)));
    assert_eq!(tokens.models, BucketModels::Only(vec!["gpt-5".to_owned()]));
    assert_eq!((tokens.window.unit, tokens.window.size), (WindowUnit::Minute, 5));
    assert_eq!(tokens.window.time_zone.as_deref(), Some("Europe/Berlin"));
    assert!(tokens.per_credential && !daily.per_credential);
}

#[test]
fn aliases_are_resolved_to_models_and_other_aliases() {
    let config = v2();
    let coding = &config.catalog.aliases["coding"];
    assert_eq!(coding.strategy, Strategy::Auto);
    assert!(coding.affinity);
    let weights: Vec<Option<f64>> = coding.targets.iter().map(|target| target.weight).collect();
    assert_eq!(weights, [Some(0.5), None, None]);
    let nested = matches!(&coding.targets[2].to, TargetRef::Alias(id) if id == "cheap");
    assert!(nested, "the third target is an alias");
    assert_eq!(coding.fallback_targets.len(), 1);
    let cheap = &config.catalog.aliases["cheap"];
    assert_eq!((cheap.strategy, cheap.affinity), (Strategy::RoundRobin, false));
    let by_model_alias = ModelRef { provider: 0, model: 0 };
    assert!(matches!(cheap.targets[0].to, TargetRef::Model(model) if model == by_model_alias));
}

#[test]
fn several_credentials_keep_their_labels_and_weights() {
    let config = v2();
    let provider = &config.catalog.providers[1];
    let labels: Vec<(&str, f64)> =
        provider.credentials.iter().map(|each| (each.label.as_str(), each.weight)).collect();
    assert_eq!(labels, [("CLAUDE_A", 1.0), ("b", 2.0)]);
    let upstream = &config.upstreams[1];
    let headers = upstream.headers(Dialect::Anthropic, 1).unwrap();
    assert_eq!(headers["x-api-key"], "sk-claude-b-secret");
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    assert_eq!(headers["anthropic-beta"], "a-1, b-2");
    let headers = upstream.headers(Dialect::OpenaiChat, 0).unwrap();
    assert_eq!(headers["authorization"], "Bearer sk-claude-a-secret");
    assert!(!headers.contains_key("anthropic-version"), "only Anthropic has the header");
    assert!(upstream.allows_beta("c-3") && !upstream.allows_beta("d-4"));
}

#[test]
fn timeouts_of_a_provider_go_over_those_of_the_router() {
    let config = v2();
    let timeouts = config.catalog.providers[1].timeouts;
    assert_eq!(timeouts.connect, Some(Duration::from_secs(3)), "from the router");
    assert_eq!(timeouts.first_byte, Some(Duration::from_secs(5)), "from the provider");
    assert_eq!(timeouts.total, None, "0 turns a limit off");
}

#[test]
fn a_shown_config_shows_no_secret() {
    let shown = format!("{:#?}", v2());
    assert!(shown.contains("CLAUDE_A"), "labels are shown");
    assert!(!shown.contains("secret\"") && !shown.contains("-secret"), "{shown}");
    assert!(!shown.contains("research"), "custom headers may hold secrets");
}

#[test]
fn the_fingerprint_follows_what_failures_stem_from() {
    let base = v2().catalog.providers[0].fingerprint;
    let of = |from: &str, to: &str| {
        let text = include_str!("good/v2.json").replacen(from, to, 1);
        assert_ne!(text, include_str!("good/v2.json"), "the document has {from}");
        load(&text, &lookup()).config.unwrap().catalog.providers[0].fingerprint
    };
    assert_eq!(of("\"contextWindow\": 400000", "\"contextWindow\": 4000"), base);
    assert_eq!(of("\"OpenAI\"", "\"Other\""), base);
    assert_ne!(of("api.openai.com/v1", "api.openai.com/v2"), base);
    assert_ne!(of("\"OPENAI_API_KEY\"", "\"CLAUDE_A\""), base);
    assert_ne!(of("research", "sales"), base);
}

#[test]
fn a_blank_document_is_an_empty_config() {
    for text in ["", " \n\t", "{}", "\u{feff}{}", "// nothing yet\n{ }"] {
        let config = loaded(text);
        assert!(config.catalog.providers.is_empty(), "{text:?}");
    }
}
