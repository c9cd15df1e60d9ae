use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

/// A document that any rewriting would change.
const TEXT: &str = r#"{
    // my accounts
    "version": 2,   "x-unknown": {"kept":[1,2.50,1e3]},
    "defaultModel": "fast",
    "providers": [
        {
            "id": "a", "baseUrl": "https://a.example.com",
            "models": ["m", {"id": "n", "fallbackModels": ["b/m", "b/old"]}], // two
            "rateLimits": [{"id": "one", "models": ["m"], "requests": 5}, {"id": "two", "models": ["m", "n"]}]
        },
        { "name": "B", "models": [ { "id": "m", "alias": "mm" }, "old", ] },
    ],
    "model-aliases": {
        "fast": { "targets": [ {"ref": "a/m", "weight": 2}, "b/mm", "alias:slow" ], "fallbackTargets": "b/old" },
        "slow": { "targets": "a/n" }
    }
}
"#;

fn document() -> Document {
    Document::parse(TEXT).unwrap()
}

fn object(value: &serde_json::Value) -> Map<String, serde_json::Value> {
    value.as_object().unwrap().clone()
}

/// Runs an edit and compares the lines that differ: `-` is gone, `+` is there.
#[track_caller]
fn check(edit: impl FnOnce(&mut Document), expect: &[&str]) {
    let mut edited = document();
    edit(&mut edited);
    let (old, new): (Vec<&str>, Vec<&str>) =
        (TEXT.lines().collect(), edited.text().lines().collect());
    let gone =
        old.iter().filter(|line| !new.contains(line)).map(|line| format!("-{}", line.trim()));
    let come =
        new.iter().filter(|line| !old.contains(line)).map(|line| format!("+{}", line.trim()));
    assert_eq!(gone.chain(come).collect::<Vec<_>>(), expect, "{}", edited.text());
    Document::parse(edited.text()).unwrap();
}

#[test]
fn setting_a_value_changes_its_line_only() {
    check(|d| d.set(&Path::root().key("version"), &json!(2)).unwrap(), &[]);
    check(
        |d| d.set(&Path::root().key("version"), &json!(3)).unwrap(),
        &[
            r#"-"version": 2,   "x-unknown": {"kept":[1,2.50,1e3]},"#,
            r#"+"version": 3,   "x-unknown": {"kept":[1,2.50,1e3]},"#,
        ],
    );
    check(
        |d| d.set_default_model(Some("a/m")).unwrap(),
        &[r#"-"defaultModel": "fast","#, r#"+"defaultModel": "a/m","#],
    );
    check(|d| d.set_default_model(None).unwrap(), &[r#"-"defaultModel": "fast","#]);
}

#[test]
fn missing_objects_are_made_on_the_way() {
    let place = Path::root().key("routing").key("retry").key("attempts");
    check(
        |d| d.set(&place, &json!(2)).unwrap(),
        &["+},", "+\"routing\": {", "+\"retry\": {", "+\"attempts\": 2", "+}"],
    );
}

#[test]
fn an_older_spelling_is_edited_where_it_stands() {
    let mut edited = document();
    edited.put_alias("new", &object(&json!({ "targets": ["a/m"] }))).unwrap();
    assert!(edited.get(&Path::root().key("modelAliases")).is_none());
    let place = Path::root().key("model-aliases").key("new").key("targets");
    assert_eq!(edited.get(&place), Some(json!(["a/m"])));
}

#[test]
fn a_provider_is_added_with_the_indentation_of_the_others() {
    let members =
        object(&json!({ "baseUrl": "https://c.example.com", "apiKey": null, "models": ["x"] }));
    check(
        |d| d.add_provider("My C", &members).unwrap(),
        &[r#"+"id": "my-c","#, r#"+"baseUrl": "https://c.example.com","#, r#"+"models": ["x"],"#],
    );
    let taken = document().add_provider("b", &members).unwrap_err();
    assert_eq!(taken.to_string(), "there is a provider `b` already");
}

#[test]
fn a_single_provider_becomes_the_first_of_a_list() {
    let mut edited = Document::parse(r#"{ "providers": { "id": "a" } }"#).unwrap();
    edited.add_provider("b", &Map::new()).unwrap();
    assert_eq!(
        edited.get(&Path::root().key("providers")),
        Some(json!([{ "id": "a" }, { "id": "b" }]))
    );
}

#[test]
fn members_set_to_null_are_removed_and_others_stay() {
    let mut edited = document();
    let members = object(&json!({ "baseUrl": null, "enabled": false }));
    edited.edit_provider("A", &members).unwrap();
    let provider = edited.get(&Path::root().key("providers").index(0)).unwrap();
    assert_eq!(provider.get("baseUrl"), None);
    assert_eq!(provider["enabled"], json!(false));
    assert_eq!(provider["models"][0], json!("m"));
    assert!(edited.text().contains("// two"), "comments stay");
}

#[test]
fn what_is_still_used_is_not_removed_unless_told() {
    let refused = document().remove_provider("b", OnReferences::Refuse).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "provider `b` is still used by `model-aliases.fast.targets[1]`, \
         `model-aliases.fast.fallbackTargets`, `providers[0].models[1].fallbackModels[0]`, \
         `providers[0].models[1].fallbackModels[1]`"
    );
    let mut edited = document();
    let gone = edited.remove_provider("b", OnReferences::Remove).unwrap();
    assert_eq!(gone.len(), 4);
    assert_eq!(edited.provider_ids(), ["a"]);
    let fast = edited.get(&Path::root().key("model-aliases").key("fast")).unwrap();
    assert_eq!(fast, json!({ "targets": [{ "ref": "a/m", "weight": 2 }, "alias:slow"] }));
}

#[test]
fn removing_a_model_removes_buckets_that_would_cap_nothing() {
    let mut edited = document();
    edited.remove_model("a", "m", OnReferences::Remove).unwrap();
    let provider = edited.get(&Path::root().key("providers").index(0)).unwrap();
    assert_eq!(provider["rateLimits"], json!([{ "id": "two", "models": ["n"] }]));
    let fast = edited.get(&Path::root().key("model-aliases").key("fast").key("targets")).unwrap();
    assert_eq!(fast, json!(["b/mm", "alias:slow"]));
}

#[test]
fn a_removed_model_takes_references_to_its_aliases_along() {
    let mut edited = document();
    let gone = edited.remove_model("b", "m", OnReferences::Remove).unwrap();
    let texts: Vec<&str> = gone.iter().map(|each| each.text.as_str()).collect();
    assert_eq!(texts, ["b/mm", "b/m"]);
}

#[test]
fn names_change_everywhere_at_once() {
    let mut edited = document();
    edited.rename_provider("b", "Bee").unwrap();
    edited.rename_model("a", "m", "x/m").unwrap();
    edited.rename_alias("slow", "snail").unwrap();
    edited.rename_alias("fast", "hare").unwrap();
    let get = |path: &Path| edited.get(path).unwrap();
    assert_eq!(get(&Path::root().key("defaultModel")), json!("hare"));
    let hare = get(&Path::root().key("model-aliases").key("hare"));
    assert_eq!(
        hare,
        json!({ "targets": [{ "ref": "a/x/m", "weight": 2 }, "bee/mm", "alias:snail"], "fallbackTargets": "bee/old" })
    );
    let first = get(&Path::root().key("providers").index(0));
    assert_eq!(first["models"][1]["fallbackModels"], json!(["bee/m", "bee/old"]));
    assert_eq!(first["rateLimits"][0]["models"], json!(["x/m"]));
    assert_eq!(edited.provider_ids(), ["a", "bee"]);
    edited.rename_provider("a", "aa").unwrap();
    let first = edited.get(&Path::root().key("providers").index(0)).unwrap();
    assert_eq!(first["rateLimits"][0]["models"], json!(["x/m"]), "a bucket names models alone");
}

#[test]
fn a_text_model_becomes_an_object_when_it_needs_members() {
    let mut edited = document();
    edited.set_fallbacks("a", "m", &["b/m".to_owned()]).unwrap();
    edited.edit_model("b", "old", &object(&json!({ "contextWindow": 5 }))).unwrap();
    let providers = edited.get(&Path::root().key("providers")).unwrap();
    assert_eq!(providers[0]["models"][0], json!({ "id": "m", "fallbackModels": ["b/m"] }));
    assert_eq!(providers[1]["models"][1], json!({ "id": "old", "contextWindow": 5 }));
    edited.set_fallbacks("a", "m", &[]).unwrap();
    let model = edited.get(&Path::root().key("providers").index(0).key("models").index(0));
    assert_eq!(model, Some(json!({ "id": "m" })));
}

#[test]
fn what_does_not_exist_is_named_with_its_nearest() {
    let mut edited = document();
    for (error, expect) in [
        (
            edited.remove_alias("fst", OnReferences::Remove),
            "there is no alias `fst`; did you mean `fast`?",
        ),
        (edited.remove_model("a", "zzz", OnReferences::Remove), "there is no model `a/zzz`"),
        (edited.remove_provider("zzz", OnReferences::Remove), "there is no provider `zzz`"),
    ] {
        assert_eq!(error.unwrap_err().to_string(), expect);
    }
    assert_eq!(edited, document(), "a refused edit changes nothing");
}

#[test]
fn values_in_the_way_are_refused() {
    let mut edited = document();
    let place = Path::root().key("version").key("major");
    assert_eq!(
        edited.set(&place, &json!(1)).unwrap_err().to_string(),
        "`version` is not an object or a list"
    );
    let place = Path::root().key("providers").index(7);
    assert_eq!(
        edited.set(&place, &json!({})).unwrap_err().to_string(),
        "`providers[7]` is not within the list"
    );
    assert!(matches!(Document::parse("[]"), Err(EditError::Shape { .. })));
    assert!(matches!(Document::parse("{,}"), Err(EditError::Syntax(_))));
}

#[test]
fn of_a_repeated_key_the_last_is_edited_and_all_are_removed() {
    let mut edited = Document::parse("{\"a\": 1, \"a\": 2}").unwrap();
    edited.set(&Path::root().key("a"), &json!(3)).unwrap();
    assert_eq!(edited.text(), "{\"a\": 1, \"a\": 3}");
    assert!(edited.remove(&Path::root().key("a")).unwrap());
    assert_eq!(edited.get(&Path::root().key("a")), None);
}

#[test]
fn a_document_of_version_1_becomes_one_of_version_2() {
    let mut edited = Document::parse("{ \"providers\": { \"id\": \"a\", \"own\": 1 } }").unwrap();
    assert!(edited.migrate().unwrap());
    let expect = json!({
        "providers": [{ "id": "a", "own": 1, "rateLimits": [] }], "modelAliases": {}, "version": 2
    });
    assert_eq!(edited.get(&Path::root()), Some(expect));
    let text = edited.text().to_owned();
    assert!(!edited.migrate().unwrap());
    assert_eq!(edited.text(), text, "once is enough");
    assert!(!document().migrate().unwrap(), "a document of version 2 stays");
}

#[test]
fn a_shown_document_shows_no_text() {
    let mut edited = Document::default();
    edited.set_master_key(Some("very-secret")).unwrap();
    assert_eq!(edited.text(), "{\n  \"version\": 2,\n  \"masterKey\": \"very-secret\"\n}\n");
    assert!(!format!("{edited:?}").contains("secret"));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i32>().prop_map(|value| json!(value)),
        "[ -~é😀\\n\"\\\\]{0,6}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            prop::collection::btree_map("[a-d\"\\\\é]{0,2}", inner, 0..4)
                .prop_map(|map| json!(map)),
        ]
    })
}

fn any_object() -> impl Strategy<Value = serde_json::Value> {
    prop::collection::btree_map("[a-d]", any_json(), 0..4).prop_map(|map| json!(map))
}

/// Steps to some value of the document, chosen by `picks`.
fn walk(value: &serde_json::Value, picks: &[usize]) -> Path {
    let (mut path, mut value) = (Path::root(), value);
    for pick in picks {
        match value {
            serde_json::Value::Object(members) if !members.is_empty() => {
                let (key, below) = members.iter().nth(pick % members.len()).unwrap();
                (path, value) = (path.key(key), below);
            }
            serde_json::Value::Array(items) if !items.is_empty() => {
                let index = pick % items.len();
                (path, value) = (path.index(index), &items[index]);
            }
            _ => break,
        }
    }
    path
}

proptest! {
    /// What is set is what is read back, and nothing else moves.
    #[test]
    fn setting_means_the_same_as_on_the_value(
        base in any_object(),
        picks in prop::collection::vec(0usize..4, 1..4),
        value in any_json(),
        is_pretty: bool,
    ) {
        let text = if is_pretty { serde_json::to_string_pretty(&base) } else { serde_json::to_string(&base) };
        let mut edited = Document::parse(&text.unwrap()).unwrap();
        let path = walk(&base, &picks);
        prop_assume!(!path.steps().is_empty());
        edited.set(&path, &value).unwrap();
        let mut expect = base;
        let slot = path.steps().iter().fold(&mut expect, |at, step| match step {
            Step::Key(key) => &mut at[key],
            Step::Index(index) => &mut at[*index],
        });
        *slot = value;
        prop_assert_eq!(edited.get(&Path::root()), Some(expect));
    }

    /// Adding a member and removing it gives the same value, and the text is JSON throughout.
    #[test]
    fn adding_and_removing_is_no_change(base in any_object(), value in any_json()) {
        let mut edited = Document::parse(&base.to_string()).unwrap();
        let place = Path::root().key("zz").key("y");
        edited.set(&place, &value).unwrap();
        prop_assert_eq!(edited.get(&place), Some(value));
        prop_assert!(edited.remove(&Path::root().key("zz")).unwrap());
        prop_assert_eq!(edited.get(&Path::root()), Some(base));
    }

    /// No text makes reading or editing panic.
    #[test]
    fn any_text_is_an_answer(text in "[ \\[\\]{}:,\"a1\\\\/*\\n-]{0,24}") {
        let _ = crate::load(&text, &crate::NoLookup);
        if let Ok(mut document) = Document::parse(&text) {
            document.set(&Path::root().key("k"), &json!([1])).unwrap();
            prop_assert_eq!(document.get(&Path::root().key("k")), Some(json!([1])));
        }
    }
}

const CLIENTS: &str = r#"{
    "providers": [{ "id": "a", "models": ["m", "n"] }, { "id": "b", "models": ["o"] }],
    "modelAliases": { "fast": { "targets": ["a/m"] } },
    "client-keys": [
        { "name": "ann", "key": "k-1", "models": ["fast", "a/n", "b/*"] }, // the boss
        { "label": "bob", "key": "k-2", "models": "alias:fast" },
        { "label": "cy", "key": "k-3" }
    ]
}"#;

#[test]
fn what_client_keys_may_use_is_renamed_with_what_it_names() {
    let mut edited = Document::parse(CLIENTS).unwrap();
    assert_eq!(edited.rename_alias("fast", "quick").unwrap().len(), 2);
    edited.rename_model("a", "n", "new").unwrap();
    edited.rename_provider("b", "c").unwrap();
    let models =
        |at: usize| edited.get(&Path::root().key("client-keys").index(at).key("models")).unwrap();
    assert_eq!(models(0), json!(["quick", "a/new", "c/*"]));
    assert_eq!(models(1), json!("alias:quick"));
    assert!(edited.text().contains("// the boss"), "{}", edited.text());
}

#[test]
fn no_removal_opens_a_client_key_to_everything() {
    let mut edited = Document::parse(CLIENTS).unwrap();
    let refused = edited.remove_provider("b", OnReferences::Refuse).unwrap_err();
    assert!(refused.to_string().contains("`client-keys[0].models[2]`"), "{refused}");
    edited.remove_provider("b", OnReferences::Remove).unwrap();
    let first = Path::root().key("client-keys").index(0).key("models");
    assert_eq!(edited.get(&first), Some(json!(["fast", "a/n"])));
    let before = edited.clone();
    let refused = edited.remove_alias("fast", OnReferences::Remove).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "alias `fast` is all that the client key at `client-keys[1]` may use"
    );
    assert_eq!(edited, before);
}

#[test]
fn client_keys_are_found_by_label_and_edited_where_they_stand() {
    let mut edited = Document::parse(CLIENTS).unwrap();
    assert_eq!(edited.client_labels(), ["ann", "bob", "cy"]);
    edited.rename_client("ann", "anne").unwrap();
    edited.edit_client("cy", &object(&json!({ "enabled": false }))).unwrap();
    edited.add_client("dee", &object(&json!({ "key": "k-4", "models": null }))).unwrap();
    edited.remove_client("bob").unwrap();
    let list = edited.get(&Path::root().key("client-keys")).unwrap();
    assert_eq!(list[0]["name"], "anne");
    assert_eq!(list[1], json!({ "label": "cy", "key": "k-3", "enabled": false }));
    assert_eq!(list[2], json!({ "label": "dee", "key": "k-4" }));
    for taken in ["cy", "master"] {
        let refused = edited.add_client(taken, &Map::new()).unwrap_err();
        assert_eq!(refused, EditError::Taken(format!("client key `{taken}`")));
    }
    let missing = edited.client_path("dea").unwrap_err();
    assert!(missing.to_string().contains("did you mean `dee`?"), "{missing}");
}
