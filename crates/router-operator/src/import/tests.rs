use router_config::{MapLookup, load, render};

use super::*;

/// Takes a file over into a new config, which has to be valid.
fn check(origin: Origin, text: &str) -> (Value, Vec<String>) {
    let mut document = Document::default();
    let done = read(origin, text).unwrap().apply(&mut document).unwrap();
    let vars = [("LITELLM_MASTER_KEY".to_owned(), "k".to_owned())].into_iter().collect();
    let loaded = load(document.text(), &MapLookup { vars, ..MapLookup::default() });
    assert!(!loaded.has_errors(), "{}\n{}", render(&loaded.diagnostics), document.text());
    let left = done.result.get("left").and_then(Value::as_array).unwrap();
    let paths = left.iter().map(|each| each["path"].as_str().unwrap().to_owned()).collect();
    (router_config::parse::json(document.text()).unwrap(), paths)
}

fn at<'a>(config: &'a Value, pointer: &str) -> &'a Value {
    config.pointer(pointer).unwrap_or(&Value::Null)
}

#[test]
fn a_litellm_config_becomes_providers_aliases_and_buckets() {
    let (config, left) = check(Origin::Litellm, include_str!("fixtures/litellm.yaml"));
    let ids: Vec<_> =
        at(&config, "/providers").as_array().unwrap().iter().map(|p| &p["id"]).collect();
    assert_eq!(ids, ["azure", "azure-2", "anthropic", "ollama", "groq"]);
    assert_eq!(at(&config, "/providers/0/apiKey"), "env:AZURE_API_KEY_EU");
    assert_eq!(at(&config, "/providers/0/auth/headerName"), "api-key");
    assert_eq!(at(&config, "/providers/1/rateLimits/1/tokens"), 1000);
    assert_eq!(at(&config, "/providers/2/models/0/contextWindow"), 200_000);
    assert_eq!(at(&config, "/providers/2/models/0/cost/output"), 15.0);
    assert_eq!(
        at(&config, "/modelAliases/gpt-4o/targets"),
        &json!(["azure/gpt-4o-eu", "azure-2/gpt-4o-ca"])
    );
    assert_eq!(at(&config, "/modelAliases/gpt-4o/strategy"), "quota-aware-weighted-rr");
    assert_eq!(at(&config, "/modelAliases/gpt-4o/fallbackTargets"), &json!(["claude"]));
    assert_eq!(at(&config, "/modelAliases/gpt-4/targets"), &json!(["gpt-4o"]));
    assert_eq!(at(&config, "/masterKey"), "env:LITELLM_MASTER_KEY");
    assert_eq!(at(&config, "/routing/retry/attempts"), 4);
    assert_eq!(at(&config, "/routing/timeouts/totalMs"), 600_000);
    for path in [
        "model_list[2].litellm_params.temperature",
        "model_name fast/llama",
        "model_list[5]",
        "model_list[6]",
        "litellm_settings.fallbacks.gpt-4o",
        "litellm_settings.success_callback",
        "router_settings.redis_host",
    ] {
        assert!(left.iter().any(|each| each == path), "{path} is not told: {left:?}");
    }
}

#[test]
fn only_the_vendors_own_address_speaks_all_of_its_formats() {
    let deployment = |name: &str, base: &str| {
        format!(
            "  - model_name: {name}\n    litellm_params:\n      model: openai/m\n      api_key: k\n{base}"
        )
    };
    let file = format!(
        "model_list:\n{}\n{}\n{}\n",
        deployment("own", "      api_base: https://api.openai.com/v1\n      order: 2"),
        deployment("proxy", "      api_base: http://10.0.0.7:4000/v1"),
        "  - model_name: v\n    litellm_params:\n      model: hosted_vllm/m\n      api_base: http://10.0.0.7:8000/v1"
    );
    let (config, left) = check(Origin::Litellm, &file);
    assert_eq!(at(&config, "/providers/0/formats"), &json!(["openai", "responses"]));
    assert_eq!(at(&config, "/providers/1/baseUrl"), "http://10.0.0.7:4000/v1");
    assert_eq!(at(&config, "/providers/1/formats"), &Value::Null);
    assert_eq!(at(&config, "/providers/1/format"), "openai");
    assert_eq!(at(&config, "/providers/2/formats"), &json!(["openai", "claude"]));
    let names = [at(&config, "/providers/0/name"), at(&config, "/providers/1/name")];
    assert_eq!(names, ["OpenAI", "OpenAI 2"]);
    assert_eq!(left, ["model_list[0].litellm_params.order"]);
    let channels = r#"[{ "type": 1, "name": "p", "key": "k", "base_url": "https://p.example", "models": "m" }]"#;
    let (config, _) = check(Origin::OneApi, channels);
    assert_eq!(at(&config, "/providers/0/formats"), &Value::Null);
}

#[test]
fn a_claude_code_router_config_becomes_providers_and_an_alias_for_each_scenario() {
    let (config, left) =
        check(Origin::ClaudeCodeRouter, include_str!("fixtures/claude-code-router.json"));
    assert_eq!(at(&config, "/providers/0/apiKey"), "env:OPENROUTER_API_KEY");
    assert_eq!(at(&config, "/providers/1/id"), "deep-seek");
    assert_eq!(at(&config, "/providers/2/auth"), "none");
    assert_eq!(at(&config, "/providers/3/format"), "gemini");
    assert_eq!(
        at(&config, "/providers/3/baseUrl"),
        "https://generativelanguage.googleapis.com/v1beta"
    );
    assert_eq!(at(&config, "/defaultModel"), "deep-seek/deepseek-chat");
    assert_eq!(
        at(&config, "/modelAliases/background/targets"),
        &json!(["ollama/qwen2.5-coder:latest"])
    );
    assert_eq!(
        at(&config, "/modelAliases/think/fallbackTargets"),
        &json!(["deep-seek/deepseek-chat"])
    );
    assert_eq!(at(&config, "/server/port"), 3456);
    assert_eq!(at(&config, "/routing/timeouts/totalMs"), 600_000);
    for path in [
        "Providers[1].transformer.use: maxtoken",
        "Providers[1].transformer.deepseek-chat.use: tooluse",
        "Router.longContextThreshold",
        "Router.webSearch",
        "PROXY_URL",
    ] {
        assert!(left.iter().any(|each| each == path), "{path} is not told: {left:?}");
    }
}

#[test]
fn channels_become_providers_and_models_that_several_have_become_aliases() {
    let (config, left) = check(Origin::OneApi, include_str!("fixtures/one-api.json"));
    assert_eq!(at(&config, "/providers/0/apiKeys"), &json!(["sk-first", "sk-second"]));
    assert_eq!(at(&config, "/providers/0/models/0/id"), "gpt-4o-2024-08-06");
    assert_eq!(at(&config, "/providers/1/baseUrl"), "https://proxy.example");
    assert_eq!(at(&config, "/providers/2/enabled"), false);
    let targets = json!([{ "ref": "main/gpt-4o-2024-08-06", "weight": 2 }, { "ref": "proxy/gpt-4o", "weight": 1 }]);
    assert_eq!(at(&config, "/modelAliases/gpt-4o/targets"), &targets);
    assert_eq!(
        at(&config, "/modelAliases/gpt-4o/fallbackTargets"),
        &json!(["groq/openai/gpt-oss-120b"])
    );
    assert!(
        left.contains(&"channel 4 (Baidu)".to_owned())
            && left.contains(&"channel 1 (Proxy).group".to_owned()),
        "{left:?}"
    );

    let (config, left) = check(Origin::NewApi, include_str!("fixtures/new-api.json"));
    assert_eq!(
        at(&config, "/providers/0/baseUrlByFormat/claude"),
        "https://api.deepseek.com/anthropic"
    );
    assert_eq!(at(&config, "/providers/1/baseUrl"), "https://x.openai.azure.com/openai/v1");
    assert_eq!(left, ["channel 0 (DeepSeek).param_override"]);
}

#[test]
fn keys_in_an_env_file_become_providers() {
    let (config, left) = check(Origin::OpenrouterEnv, include_str!("fixtures/openrouter.env"));
    assert_eq!(at(&config, "/providers/0/id"), "openrouter");
    assert_eq!(at(&config, "/providers/0/apiKey"), "sk-or-v1-literal");
    assert_eq!(at(&config, "/providers/0/models/0/id"), "anthropic/claude-opus-5");
    assert_eq!(at(&config, "/providers/1/apiKey"), "gsk-literal");
    assert_eq!(at(&config, "/defaultModel"), "openrouter/anthropic/claude-opus-5");
    assert_eq!(left, ["line 5: MISTRAL_API_KEY", "line 6: SITE_URL"]);
}

#[test]
fn an_older_config_is_taken_over_and_what_is_there_stays() {
    let text = include_str!("fixtures/llm-router.json");
    let (config, left) = check(Origin::LlmRouter, text);
    assert_eq!(at(&config, "/providers/0/id"), "old-one");
    assert_eq!(at(&config, "/server/port"), 9000);
    assert_eq!(at(&config, "/masterKey"), "old-master");
    assert_eq!(left, ["amp"]);

    let mut document = Document::parse(&config.to_string()).unwrap();
    let before = document.clone();
    let done = read(Origin::LlmRouter, text).unwrap().apply(&mut document).unwrap();
    assert_eq!(document, before);
    assert_eq!(done.notes.len(), 6, "{:?}", done.notes);
}

#[test]
fn a_file_of_another_kind_is_refused() {
    for (origin, text) in [
        (Origin::Litellm, "model_list: 5"),
        (Origin::Litellm, "a: [b"),
        (Origin::ClaudeCodeRouter, "{}"),
        (Origin::ClaudeCodeRouter, "nonsense"),
        (Origin::OneApi, "{\"data\": {}}"),
        (Origin::OpenrouterEnv, "A=b"),
        (Origin::LlmRouter, "[]"),
    ] {
        assert!(read(origin, text).is_err(), "{origin:?} {text}");
    }
}
