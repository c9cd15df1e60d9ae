use super::*;
use crate::catalog::Alias;

fn catalog() -> Catalog {
    let model = |id: &str, aliases: &[&str]| Model {
        id: id.into(),
        aliases: aliases.iter().map(ToString::to_string).collect(),
        ..Model::default()
    };
    let provider = |id: &str, models| Provider { id: id.into(), models, ..Provider::default() };
    Catalog {
        providers: vec![
            provider("openai", vec![model("gpt-4o", &["4o"]), model("gpt-5.1", &[])]),
            provider("azure", vec![model("gpt-4o", &[]), model("4o", &[])]),
            provider("openrouter", vec![model("meta/llama-4", &["llama"]), model("shared", &[])]),
        ],
        aliases: ["coding", "shared", "smart", "a/b"]
            .map(|name| (name.to_owned(), Alias::default()))
            .into(),
        default_model: Some("coding".into()),
        ..Catalog::default()
    }
}

/// Resolves `requested` and compares the route's kind and name, or the error's text.
#[track_caller]
fn check(requested: Option<&str>, expect: &str) {
    let catalog = catalog();
    let got = match resolve(&catalog, requested) {
        Ok(route) => format!("{} {}", route.kind(), route.name(&catalog)),
        Err(error) => error.to_string(),
    };
    assert_eq!(got, expect, "for {requested:?}");
}

#[test]
fn names_resolve_by_the_documented_rules() {
    check(Some("openai/gpt-4o"), "direct openai/gpt-4o");
    check(Some(" openai/gpt-4o "), "direct openai/gpt-4o");
    check(Some("openai/4o"), "direct openai/gpt-4o");
    check(Some("coding"), "alias coding");
    check(Some("alias:coding"), "alias coding");
    check(Some("openrouter/meta/llama-4"), "direct openrouter/meta/llama-4");
}

#[test]
fn d23_bare_names_resolve_where_unique() {
    check(Some("gpt-5.1"), "direct openai/gpt-5.1");
    check(Some("llama"), "direct openrouter/meta/llama-4");
    check(Some("meta/llama-4"), "direct openrouter/meta/llama-4");
    check(
        Some("gpt-4o"),
        "model `gpt-4o` is offered by several providers: `openai/gpt-4o`, `azure/gpt-4o`",
    );
}

#[test]
fn d23_provider_ids_ignore_case() {
    check(Some("OpenAI/gpt-4o"), "direct openai/gpt-4o");
}

#[test]
fn d23_an_alias_named_smart_is_reachable_by_its_prefix() {
    check(Some("smart"), "alias coding");
    check(Some("alias:smart"), "alias smart");
}

#[test]
fn d26_an_exact_id_wins_over_another_models_alias() {
    check(Some("4o"), "direct azure/4o");
}

#[test]
fn an_alias_wins_over_a_model_of_the_same_name() {
    check(Some("shared"), "alias shared");
    check(Some("a/b"), "alias a/b");
    check(Some("openrouter/shared"), "direct openrouter/shared");
}

#[test]
fn no_name_means_the_default_model() {
    check(None, "alias coding");
    check(Some("  "), "alias coding");
    let none = Catalog { default_model: Some("smart".into()), ..catalog() };
    assert_eq!(resolve(&none, None), Err(ResolveError::NoDefault));
    let none = Catalog { default_model: None, ..catalog() };
    assert_eq!(resolve(&none, Some("smart")), Err(ResolveError::NoDefault));
}

#[test]
fn an_unknown_name_lists_near_ones() {
    check(Some("codng"), "unknown model `codng`; did you mean `coding`?");
    check(Some("alias:none"), "unknown model `alias:none`");
    check(Some("openai/gpt-5-1"), "unknown model `openai/gpt-5-1`; did you mean `openai/gpt-5.1`?");
    check(Some("a/zzzzzzzzz"), "unknown model `a/zzzzzzzzz`");
    check(Some("/"), "unknown model `/`");
    check(
        Some("openai/"),
        "unknown model `openai/`; did you mean `openai/gpt-4o`, `openai/gpt-5.1`?",
    );
}

#[test]
fn a_huge_unknown_name_costs_little_and_says_so() {
    let name = "é".repeat(1_000_000);
    let error = resolve(&catalog(), Some(&name)).unwrap_err();
    assert_eq!(error.to_string(), format!("unknown model `{}…`", "é".repeat(100)));
    assert_eq!(shown(&"x".repeat(200)), "x".repeat(200));
}
