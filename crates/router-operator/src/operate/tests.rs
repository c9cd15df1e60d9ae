use router_config::{MapLookup, load, render};

use super::*;
use crate::{presets, view};

fn document(text: &str) -> Document {
    Document::parse(text).unwrap()
}

fn check_valid(document: &Document) {
    let loaded = load(document.text(), &MapLookup::default());
    assert!(!loaded.has_errors(), "{}\n{}", render(&loaded.diagnostics), document.text());
}

#[test]
fn every_preset_makes_a_valid_provider() {
    for preset in presets::all().unwrap() {
        let is_known = preset.provider.contains_key("models");
        let fields = provider::Fields {
            api_key: preset.key_env.as_ref().map(|env| format!("env:{env}")),
            no_key: preset.key_env.is_none(),
            models: (!is_known).then(|| "some-model".to_owned()),
            base_url: preset.address.clone(),
            ..provider::Fields::default()
        };
        for free_tier in [false, true] {
            if free_tier && preset.free_tier.is_empty() {
                continue;
            }
            let mut document = Document::default();
            let template = preset.provider(free_tier).unwrap();
            let put = provider::put(
                &mut document,
                Some(&preset.id),
                &fields,
                provider::Expect::New,
                &template,
            );
            put.unwrap();
            let loaded = load(document.text(), &MapLookup::default());
            let problems: Vec<_> = loaded
                .diagnostics
                .iter()
                // The variables of other people's keys are not set here.
                .filter(|each| !each.message.contains("environment variable"))
                .collect();
            assert!(problems.is_empty(), "{}: {problems:#?}", preset.id);
            let view = view::config(&router_config::schema::File::parse(document.text()).unwrap());
            let count = view["providers"][0]["rateLimits"].as_array().unwrap().len();
            assert_eq!(count, if free_tier { preset.free_tier.len() } else { 0 }, "{}", preset.id);
        }
    }
}

#[test]
fn presets_are_the_documented_ones() {
    let ids: Vec<String> = presets::all().unwrap().into_iter().map(|preset| preset.id).collect();
    let expect = "openai anthropic gemini openrouter groq mistral deepseek xai zai moonshot together \
        fireworks cerebras nvidia azure ollama lm-studio vllm llama-cpp custom";
    assert_eq!(ids.join(" "), expect.split_whitespace().collect::<Vec<_>>().join(" "));
}

const TWO: &str = r#"{ "defaultModel": "a/m", "providers": [
    { "id": "a", "baseUrl": "https://a.example", "format": "openai", "apiKey": "k", "metadata": { "x": 1 },
      "models": [{ "id": "m", "contextWindow": 5 }, "n"], "rateLimits": [{ "id": "b", "models": ["m"], "requests": 1, "window": "day" }] },
    { "id": "c", "baseUrl": "https://c.example", "format": "openai", "apiKey": "k", "models": ["d"] } ],
  "modelAliases": { "x": { "targets": ["a/m"] }, "y": { "targets": ["x", "c/d"] } } }"#;

#[test]
fn an_edited_provider_keeps_all_that_was_not_named() {
    let mut document = document(TWO);
    let fields = provider::Fields {
        models: Some("m,o".to_owned()),
        cascade: true,
        ..provider::Fields::default()
    };
    provider::put(&mut document, Some("A"), &fields, provider::Expect::Known, &Map::new()).unwrap();
    let text = document.text();
    for kept in ["\"metadata\": { \"x\": 1 }", "\"contextWindow\": 5", "\"rateLimits\"", "\"o\""] {
        assert!(text.contains(kept), "{kept} is not in {text}");
    }
    assert!(!text.contains("\"n\""), "{text}");
    check_valid(&document);
}

#[test]
fn a_new_address_takes_the_place_of_the_old_ones() {
    let mut document = document(TWO);
    let by_format = provider::Fields {
        by_format: vec![("claude", "https://a.example/anthropic".to_owned())],
        ..provider::Fields::default()
    };
    let put = |document: &mut Document, fields: &provider::Fields| {
        provider::put(document, Some("a"), fields, provider::Expect::Known, &Map::new()).unwrap()
    };
    put(&mut document, &by_format);
    assert!(document.text().contains("https://a.example\""), "the other address stays");
    let one = provider::Fields {
        endpoints: Some("https://b.example/v1".to_owned()),
        ..provider::Fields::default()
    };
    put(&mut document, &one);
    assert!(!document.text().contains("a.example"), "{}", document.text());
    check_valid(&document);
}

#[test]
fn what_names_a_removed_thing_goes_only_when_asked() {
    let mut refused = document(TWO);
    let before = refused.clone();
    let failure = provider::remove(&mut refused, "a", false).unwrap_err();
    assert_eq!(failure.details["references"][0]["path"], "modelAliases.x.targets[0]");
    assert_eq!(refused, before);
    let mut document = document(TWO);
    let done = provider::remove(&mut document, "a", true).unwrap();
    let notes = done.notes.join("\n");
    assert!(notes.contains("alias `x`, which had no other target"), "{notes}");
    assert!(notes.contains("default model is now `c/d`"), "{notes}");
    check_valid(&document);
    assert_eq!(document.alias_ids(), ["y"]);
}

#[test]
fn the_default_model_and_fallbacks_follow_by_themselves() {
    let mut document = document(TWO);
    model::set_fallbacks(&mut document, "c/d", "a/n").unwrap();
    set_default_model(&mut document, "a/n").unwrap();
    let done = model::remove(&mut document, "a/n", false).unwrap();
    assert!(done.notes.join("\n").contains("`a/m`"), "{:?}", done.notes);
    check_valid(&document);
}

#[test]
fn a_bucket_named_again_is_the_same_bucket() {
    let mut document = document(TWO);
    let fields = |requests: u64| limit::Fields {
        name: Some("Per Hour".to_owned()),
        models: Some("all".to_owned()),
        caps: vec![("requests", requests.into())],
        window: Some("1h".to_owned()),
        ..limit::Fields::default()
    };
    for requests in [5, 6] {
        limit::put(&mut document, "c", &fields(requests), false).unwrap();
    }
    let rename = limit::Fields {
        id: Some("per-hour".to_owned()),
        rename_to: Some("hourly".to_owned()),
        ..limit::Fields::default()
    };
    let done = limit::put(&mut document, "c", &rename, false).unwrap();
    assert_eq!(
        (&done.result["bucket"], &done.result["bucketCount"]),
        (&json!("hourly"), &json!(1))
    );
    assert!(document.text().contains("\"requests\": 6"), "{}", document.text());
    check_valid(&document);
}

#[test]
fn a_provider_turned_off_is_still_there() {
    let mut document = document(TWO);
    provider::enable(&mut document, "c", false).unwrap();
    assert!(document.text().contains("\"enabled\": false"));
    check_valid(&document);
    provider::enable(&mut document, "c", true).unwrap();
    assert!(!document.text().contains("enabled"));
}

#[test]
fn an_id_in_capitals_is_told_and_still_found() {
    let mut document = document(TWO);
    let fields = provider::Fields { name: Some("See".to_owned()), ..provider::Fields::default() };
    let done = provider::put(&mut document, Some("C"), &fields, provider::Expect::Any, &Map::new())
        .unwrap();
    assert!(done.notes.iter().any(|note| note.contains("lower case")), "{:?}", done.notes);
    assert_eq!(document.provider_ids(), ["a", "c"]);
}
