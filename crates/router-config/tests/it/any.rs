//! Whatever is written, loading answers.

use proptest::prelude::*;
use router_config::{NoLookup, load};
use serde_json::{Value, json};

/// Names of settings and of other things, so that random documents get past the first check.
const WORDS: [&str; 40] = [
    "version",
    "masterKey",
    "defaultModel",
    "providers",
    "modelAliases",
    "server",
    "routing",
    "state",
    "telemetry",
    "translation",
    "id",
    "name",
    "baseUrl",
    "baseUrlByFormat",
    "apiKey",
    "apiKeys",
    "format",
    "formats",
    "auth",
    "headers",
    "models",
    "rateLimits",
    "timeouts",
    "requests",
    "window",
    "unit",
    "size",
    "strategy",
    "targets",
    "fallbackTargets",
    "ref",
    "weight",
    "fallbackModels",
    "aliases",
    "cost",
    "all",
    "a/b",
    "https://a.example.com/v1",
    "openai",
    "day",
];

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(&WORDS[..]).prop_map(str::to_owned)
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => word().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            3 => prop::collection::btree_map(word(), inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// A document is either usable or has an error that says why, and reading it again says the
    /// same.
    #[test]
    fn any_document_loads_or_says_why(document in any_value()) {
        let text = serde_json::to_string_pretty(&document).unwrap();
        let loaded = load(&text, &NoLookup);
        prop_assert_eq!(loaded.config.is_none(), loaded.has_errors());
        for diagnostic in &loaded.diagnostics {
            prop_assert!(!diagnostic.message.is_empty());
            prop_assert!(diagnostic.line <= text.lines().count());
        }
        prop_assert_eq!(load(&text, &NoLookup).diagnostics, loaded.diagnostics);
    }

    /// Every reference of a loaded catalog leads somewhere, and expansion of aliases ends.
    #[test]
    fn a_loaded_catalog_has_no_dangling_reference(
        targets in prop::collection::vec(prop::collection::vec("(a|b|c|d|p/m|p/n|p/x)", 0..4), 4),
    ) {
        let aliases: serde_json::Map<String, Value> = ["a", "b", "c", "d"]
            .iter()
            .zip(targets)
            .map(|(id, targets)| ((*id).to_owned(), json!({ "targets": targets })))
            .collect();
        let document = json!({
            "providers": [{ "id": "p", "baseUrl": "https://p.example.com", "format": "openai", "models": ["m", "n"] }],
            "modelAliases": aliases,
        });
        let catalog = load(&document.to_string(), &NoLookup).config.unwrap().catalog;
        for id in catalog.aliases.keys() {
            prop_assert!(leaves(&catalog, id, 0) > 0, "{} leads to a model", id);
        }
    }
}

/// How many models an alias leads to; more than four levels deep is a circle here.
fn leaves(catalog: &router_core::catalog::Catalog, id: &str, depth: usize) -> usize {
    assert!(depth <= 4, "`{id}` is part of a circle");
    let each = catalog.aliases[id].targets.iter().map(|target| match &target.to {
        router_core::catalog::TargetRef::Model(model) => {
            assert!(model.model < catalog.providers[model.provider].models.len());
            1
        }
        router_core::catalog::TargetRef::Alias(nested) => leaves(catalog, nested, depth + 1),
    });
    each.sum()
}
