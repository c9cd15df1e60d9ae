//! Every field of the older program's file, in every spelling.

use router_config::{Config, Diagnostic, MapLookup, load};
use router_core::catalog::{Alias, Allowed, Bucket, Model, ModelRef, Strategy, WindowUnit};
use router_core::resolve::Route;
use router_wire::Dialect;

fn try_load(text: &str) -> (Option<Config>, Vec<Diagnostic>) {
    let vars = [("A_KEY".to_owned(), "sk-from-env".to_owned())].into();
    let loaded = load(text, &MapLookup { vars, ..MapLookup::default() });
    (loaded.config, loaded.diagnostics)
}

#[track_caller]
fn config(text: &str) -> Config {
    let (config, diagnostics) = try_load(text);
    assert_eq!(diagnostics, [], "{text}");
    config.unwrap()
}

/// Loads a provider that is complete but for `members`.
#[track_caller]
fn provider(members: &str) -> Config {
    config(&format!(
        r#"{{ "providers": [{{ "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "models": ["m"], {members} }}] }}"#
    ))
}

#[track_caller]
fn authorization(members: &str, expect: &str) {
    let config = provider(members);
    let headers = config.upstreams[0].headers(Dialect::OpenaiChat, 0).unwrap();
    assert_eq!(headers["authorization"], expect, "{members}");
}

#[test]
fn top_level_fields_have_their_other_spellings() {
    let aliases = r#""providers": { "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "models": "m" }, "model-aliases": { "x": { "targets": "a/m" } }"#;
    let config = config(&format!(r#"{{ "master-key": "k", "default-model": "x", {aliases} }}"#));
    assert_eq!(config.master_key.unwrap().expose(), "k");
    assert_eq!(config.catalog.default_model.as_deref(), Some("x"));
    assert_eq!(config.catalog.aliases.len(), 1);
}

#[test]
fn versions_are_read_as_numbers_and_implied_when_absent() {
    let aliases = r#""modelAliases": { "x": { "targets": ["a/m"] } }, "providers": [{ "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "models": ["m"] }]"#;
    for (text, expect) in [
        ("{}".to_owned(), 1),
        (format!("{{ {aliases} }}"), 2),
        (format!("{{ \"version\": 1, {aliases} }}"), 2),
        (r#"{ "version": "2" }"#.to_owned(), 2),
        (r#"{ "version": 1.9 }"#.to_owned(), 1),
        (r#"{ "version": true }"#.to_owned(), 1),
        (r#"{ "version": 7 }"#.to_owned(), 7),
    ] {
        assert_eq!(config(&text).version, expect, "{text}");
    }
    for text in [
        r#"{ "version": 0 }"#,
        r#"{ "version": -1 }"#,
        r#"{ "version": "abc" }"#,
        r#"{ "version": {} }"#,
    ] {
        let (config, diagnostics) = try_load(text);
        assert_eq!((config.unwrap().version, diagnostics.len()), (1, 1), "{text}");
    }
}

#[test]
fn provider_ids_are_slugs_of_what_is_given() {
    for (members, expect) in [
        (r#""id": "My Provider!""#, "my-provider"),
        (r#""name": "Some Name""#, "some-name"),
        (r#""id": "", "name": "n""#, "n"),
        (r#""metadata": {}"#, "provider-1"),
        (r#""id": "!!!""#, "provider"),
        (r#""id": 5"#, "5"),
    ] {
        let text = format!(
            r#"{{ "providers": [{{ "baseUrl": "https://a.example.com", "format": "openai", "models": ["m"], {members} }}] }}"#
        );
        assert_eq!(config(&text).catalog.providers[0].id, expect, "{members}");
    }
}

#[test]
fn only_false_turns_a_provider_or_a_model_off() {
    for (value, count) in [("false", 0), ("true", 1), ("0", 1), ("\"false\"", 1), ("null", 1)] {
        let config = provider(&format!(r#""enabled": {value}"#));
        assert_eq!(config.catalog.providers.len(), count, "enabled: {value}");
    }
}

#[test]
fn addresses_have_their_other_spellings() {
    for key in ["baseUrl", "base-url", "endpoint"] {
        let text = format!(
            r#"{{ "providers": [{{ "id": "a", "{key}": "https://x.example.com/v1", "format": "openai", "models": ["m"] }}] }}"#
        );
        assert_eq!(
            config(&text).upstreams[0].bases[&Dialect::OpenaiChat].origin(),
            "https://x.example.com"
        );
    }
    for key in [
        "baseUrlByFormat",
        "base-url-by-format",
        "endpointByFormat",
        "endpoint-by-format",
        "endpoints",
    ] {
        let text = format!(
            r#"{{ "providers": [{{ "id": "a", "{key}": {{ "anthropic": "https://c.example.com", "openai": "https://o.example.com", "gemini": "" }}, "models": ["m"] }}] }}"#
        );
        let config = config(&text);
        assert_eq!(
            config.catalog.providers[0].dialects,
            [Dialect::Anthropic, Dialect::OpenaiChat],
            "{key}"
        );
        let bases = &config.upstreams[0].bases;
        assert_eq!(bases[&Dialect::Anthropic].origin(), "https://c.example.com");
        assert_eq!(bases[&Dialect::OpenaiChat].origin(), "https://o.example.com");
        let other = bases[&Dialect::OpenaiResponses].origin();
        assert_eq!(other, "https://c.example.com", "the preferred format's address stands in");
    }
}

#[test]
fn formats_are_the_preferred_one_then_the_list_then_the_addresses() {
    for (members, expect) in [
        (r#""format": "claude""#, vec![Dialect::Anthropic]),
        (r#""responseFormat": "anthropic""#, vec![Dialect::Anthropic]),
        (r#""response-format": "openai-chat""#, vec![Dialect::OpenaiChat]),
        (r#""formats": "responses""#, vec![Dialect::OpenaiResponses]),
        (
            r#""formats": ["openai", " claude ", "openai"]"#,
            vec![Dialect::OpenaiChat, Dialect::Anthropic],
        ),
        (
            r#""format": "gemini", "formats": ["chat", "gemini"]"#,
            vec![Dialect::Gemini, Dialect::OpenaiChat],
        ),
        (
            r#""format": "claude", "baseUrlByFormat": { "openai": "https://o.example.com" }"#,
            vec![Dialect::Anthropic, Dialect::OpenaiChat],
        ),
    ] {
        let text = format!(
            r#"{{ "providers": [{{ "id": "a", "baseUrl": "https://a.example.com", "models": ["m"], {members} }}] }}"#
        );
        assert_eq!(config(&text).catalog.providers[0].dialects, expect, "{members}");
    }
}

#[test]
fn credentials_have_their_other_spellings() {
    authorization(r#""apiKey": "sk-1""#, "Bearer sk-1");
    authorization(r#""credential": "sk-1""#, "Bearer sk-1");
    authorization(r#""apiKeyEnv": "A_KEY""#, "Bearer sk-from-env");
    authorization(r#""apiKey": "env:A_KEY""#, "Bearer sk-from-env");
    authorization(r#""apiKey": "", "apiKeyEnv": "A_KEY""#, "Bearer sk-from-env");
    authorization(r#""apiKey": "sk-1", "apiKeyEnv": "A_KEY""#, "Bearer sk-1");
    authorization(r#""apiKeys": "sk-1""#, "Bearer sk-1");
    authorization(r#""apiKeys": [{ "value": "sk-1", "label": "one" }]"#, "Bearer sk-1");
}

#[test]
fn credentials_are_presented_as_configured() {
    let key = r#""apiKey": "sk-1""#;
    authorization(
        &format!(r#"{key}, "auth": {{ "type": "bearer", "prefix": "Token " }}"#),
        "Token sk-1",
    );
    authorization(
        &format!(
            r#"{key}, "auth": {{ "kind": "header", "header": "Authorization", "prefix": "Key " }}"#
        ),
        "Key sk-1",
    );
    authorization(&format!(r#"{key}, "headers": {{ "AUTHORIZATION": "mine" }}"#), "Bearer sk-1");
    authorization(r#""headers": { "AUTHORIZATION": "mine" }"#, "mine");
    let config = provider(&format!(
        r#"{key}, "auth": {{ "type": "x-api-key" }}, "authByFormat": {{ "claude": {{ "type": "none" }}, "gemini": {{ "type": "header", "headerName": "X-Own" }} }}"#
    ));
    let headers = |dialect| config.upstreams[0].headers(dialect, 0).unwrap();
    assert_eq!(headers(Dialect::OpenaiChat)["x-api-key"], "sk-1");
    assert!(headers(Dialect::Anthropic).is_empty());
    assert_eq!(headers(Dialect::Gemini)["x-own"], "sk-1");
    let usual = provider(key);
    let headers = |dialect| usual.upstreams[0].headers(dialect, 0).unwrap();
    assert_eq!(headers(Dialect::Anthropic)["x-api-key"], "sk-1");
    assert_eq!(headers(Dialect::Gemini)["x-goog-api-key"], "sk-1");
}

#[test]
fn a_missing_credential_fails_the_attempt_and_not_the_provider() {
    let (config, diagnostics) = try_load(
        r#"{ "providers": [{ "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "models": ["m"], "apiKey": "env:NOT_THERE" }] }"#,
    );
    assert_eq!(diagnostics.len(), 1);
    let error = config.unwrap().upstreams[0].headers(Dialect::OpenaiChat, 0).unwrap_err();
    assert_eq!(error, "environment variable `NOT_THERE` is not set");
}

#[test]
fn d28_header_values_are_texts_and_false_turns_one_off() {
    let config = provider(
        r#""headers": { "X-N": 5, "X-B": true, "X-L": ["a", "b"], "X-Off": false, "X-Null": null, "X-Empty": "" }"#,
    );
    let headers = config.upstreams[0].headers(Dialect::OpenaiChat, 0).unwrap();
    let mut shown: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    shown.sort_unstable();
    assert_eq!(shown, [("x-b", "true"), ("x-l", "a, b"), ("x-n", "5")]);
    assert!(headers.values().all(http::HeaderValue::is_sensitive));
}

#[test]
fn anthropic_settings_reach_their_dialect_only() {
    let config = provider(
        r#""anthropic-version": "2024-01-01", "anthropic-beta": ["one", "two,three"], "headers": { "Anthropic-Version": "2025-01-01" }"#,
    );
    let headers = |dialect| config.upstreams[0].headers(dialect, 0).unwrap();
    let claude = headers(Dialect::Anthropic);
    assert_eq!(claude["anthropic-version"], "2025-01-01", "the explicit header counts");
    assert_eq!(claude["anthropic-beta"], "one, two, three");
    assert!(headers(Dialect::OpenaiChat).is_empty());
}

#[track_caller]
fn model(text: &str) -> Model {
    let config = config(&format!(
        r#"{{ "providers": [{{ "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "models": [{text}, "other"] }}] }}"#
    ));
    config.catalog.providers[0].models[0].clone()
}

#[test]
fn d24_model_fields_have_their_other_spellings() {
    for text in [r#""m""#, r#"{ "id": "m" }"#, r#"{ "name": "m" }"#, r#"{ "model": "m" }"#] {
        assert_eq!(model(text).id, "m", "{text}");
    }
    for aliases in [r#""aliases": ["x", "y", " x ", ""]"#, r#""alias": ["x", "y"]"#] {
        assert_eq!(model(&format!(r#"{{ "id": "m", {aliases} }}"#)).aliases, ["x", "y"]);
    }
    let claude = model(r#"{ "id": "m", "alias": "abc", "format": "claude" }"#);
    assert_eq!(
        (claude.aliases, claude.dialects),
        (vec!["abc".to_owned()], vec![Dialect::Anthropic])
    );
    assert_eq!(model(r#"{ "id": "m", "contextWindow": "128000" }"#).context_window, Some(128_000));
    for key in
        ["fallbackModels", "fallback-models", "silentFallbacks", "silent-fallbacks", "fallbacks"]
    {
        let model = model(&format!(r#"{{ "id": "m", "{key}": "a/other" }}"#));
        assert_eq!(model.fallback_models.len(), 1, "{key}");
    }
}

#[test]
fn prices_are_read_in_the_shapes_people_use() {
    for cost in [
        r#"{ "input": 3, "output": 15 }"#,
        r#"{ "input": "3", "output": "15" }"#,
        r#"{ "inputPerMillion": 3, "outputPerMillion": 15 }"#,
        r#"{ "prompt": "0.000003", "completion": "0.000015" }"#,
        r#"{ "input_cost_per_token": 3e-6, "output_cost_per_token": 1.5e-5 }"#,
    ] {
        let price = model(&format!(r#"{{ "id": "m", "cost": {cost} }}"#)).price.unwrap();
        assert!((price.input - 3.0).abs() < 1e-9 && (price.output - 15.0).abs() < 1e-9, "{cost}");
    }
    assert_eq!(model(r#"{ "id": "m", "cost": {} }"#).price, None);
}

#[track_caller]
fn buckets(text: &str) -> Vec<Bucket> {
    provider(&format!(r#""rateLimits": {text}"#)).catalog.providers[0].buckets.clone()
}

#[test]
fn buckets_get_an_id_of_their_name_that_is_free() {
    let window = r#""models": "all", "requests": 1, "window": "day""#;
    let all = buckets(&format!(
        r#"[{{ "name": "Free tier", {window} }}, {{ "name": "free-tier", {window} }}, {{ {window} }}, {{ "id": " Own ", {window} }}]"#
    ));
    let ids: Vec<&str> = all.iter().map(|bucket| bucket.id.as_str()).collect();
    assert_eq!(ids, ["free-tier", "free-tier-2", "bucket-3", "Own"]);
}

#[test]
fn client_keys_have_models_and_limits_of_their_own() {
    let config = config(
        r#"{
        "providers": [{ "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "models": [{ "id": "m", "cost": { "input": 1, "output": 2 } }] }],
        "modelAliases": { "fast": { "targets": ["a/m"] } },
        "clientKeys": [
            { "label": "team", "key": "k1", "models": ["fast", "a/m", "A/*"], "limits": [
                { "requests": 100, "window": "hour" },
                { "name": "Money", "cost": 0.25, "window": { "unit": "month" }, "timeZone": "Europe/Berlin" }
            ] },
            { "label": "free", "key": "k2" },
            { "label": "off", "key": "k3", "enabled": false }
        ] }"#,
    );
    let labels: Vec<&str> = config.catalog.clients.iter().map(|it| it.label.as_str()).collect();
    assert_eq!(labels, ["team", "free"]);
    let keys: Vec<&str> = config.client_keys.iter().map(router_config::Secret::expose).collect();
    assert_eq!(keys, ["k1", "k2"]);
    let team = &config.catalog.clients[0];
    let model = ModelRef { provider: 0, model: 0 };
    let models = [Allowed::Alias("fast".into()), Allowed::Model(model), Allowed::Provider(0)];
    assert_eq!(team.models, models);
    let [requests, money] = &team.buckets[..] else { panic!("two limits") };
    assert_eq!((requests.id.as_str(), requests.requests), ("bucket-1", Some(100)));
    assert_eq!((money.id.as_str(), money.cost), ("money", Some(250_000)));
    assert_eq!(money.window.time_zone.as_deref(), Some("Europe/Berlin"));
    assert!(team.is_budgeted() && !config.catalog.clients[1].is_budgeted());
    assert!(config.catalog.clients[1].allows(&Route::Direct(model)));
}

#[test]
fn every_time_zone_of_the_world_is_known_and_others_are_not() {
    let zone = |name: &str| {
        try_load(&format!(
            r#"{{ "providers": [{{ "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "models": ["m"], "rateLimits": [{{ "models": "all", "requests": 1, "window": "day", "timeZone": "{name}" }}] }}] }}"#
        ))
        .0
        .is_some()
    };
    for name in ["Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC", "Asia/Kolkata"] {
        assert!(zone(name), "{name}");
    }
    for name in ["Europe/Atlantis", "Mars", "CETT", "../UTC"] {
        assert!(!zone(name), "{name}");
    }
}

#[test]
fn windows_have_their_other_spellings() {
    for window in [
        r#""window": { "unit": "hour", "size": 6 }"#,
        r#""window": { "unit": " HOURS ", "size": "6" }"#,
        r#""windowUnit": "hour", "windowSize": 6"#,
        r#""window-unit": "hour", "window-size": 6.9"#,
    ] {
        let all = buckets(&format!(r#"{{ "model": "m", "requests": "10.9", {window} }}"#));
        let [bucket] = &all[..] else { panic!("one bucket") };
        assert_eq!(bucket.requests, Some(10), "floored");
        assert_eq!((bucket.window.unit, bucket.window.size), (WindowUnit::Hour, 6), "{window}");
    }
}

#[track_caller]
fn alias(members: &str) -> Alias {
    let config = config(&format!(
        r#"{{ "providers": [{{ "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "models": ["m", "x/y", "only"] }}], "modelAliases": {{ "z": {{ {members} }} }} }}"#
    ));
    config.catalog.aliases["z"].clone()
}

#[test]
fn strategies_have_their_older_spellings() {
    for (text, expect) in [
        ("auto", Strategy::Auto),
        (" Smart ", Strategy::Auto),
        ("ordered", Strategy::Ordered),
        ("", Strategy::Ordered),
        ("rr", Strategy::RoundRobin),
        ("round-robin", Strategy::RoundRobin),
        ("weighted_rr", Strategy::WeightedRr),
        ("weighted-round-robin", Strategy::WeightedRr),
        ("quota-aware-weighted-rr", Strategy::QuotaAwareWeightedRr),
        ("quota-aware-weighted-round-robin", Strategy::QuotaAwareWeightedRr),
        ("least-latency", Strategy::LeastLatency),
        ("least-cost", Strategy::LeastCost),
    ] {
        let alias = alias(&format!(r#""strategy": "{text}", "targets": ["a/m"]"#));
        assert_eq!(alias.strategy, expect, "{text}");
    }
    assert_eq!(alias(r#""targets": ["a/m"]"#).strategy, Strategy::Ordered);
}

#[test]
fn targets_have_their_other_spellings() {
    for target in [
        r#""a/m""#,
        r#"["a/m"]"#,
        r#"[{ "ref": "a/m" }]"#,
        r#"{ "target": " a/m " }"#,
        r#"[{ "route": "A/m" }]"#,
        r#"[{ "model": "a/m", "metadata": {} }]"#,
        r#""only""#,
        r#""a/x/y""#,
    ] {
        assert_eq!(alias(&format!(r#""targets": {target}"#)).targets.len(), 1, "{target}");
    }
    for key in ["fallbackTargets", "fallback-targets", "fallbacks"] {
        let alias = alias(&format!(r#""targets": ["a/m"], "{key}": "a/only""#));
        assert_eq!(alias.fallback_targets.len(), 1, "{key}");
    }
    let weights = r#"[{ "ref": "a/m", "weight": 0.5 }, { "ref": "a/only", "weight": "2" }]"#;
    let alias = alias(&format!(r#""targets": {weights}"#));
    let weights: Vec<Option<f64>> = alias.targets.iter().map(|target| target.weight).collect();
    assert_eq!(weights, [Some(0.5), Some(2.0)], "fractions and numbers in quotes");
}
