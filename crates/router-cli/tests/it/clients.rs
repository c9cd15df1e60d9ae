//! Keys of single clients: `key client`.

use serde_json::{Value, json};

use crate::common::Home;
use crate::json::check;

fn answer(home: &Home, arguments: &[&str]) -> Value {
    let ended = home.ok(&[arguments, &["--json"]].concat());
    assert!(!ended.out.contains("s3cret") && !ended.err.contains("s3cret"), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

fn edit(home: &Home, arguments: &[&str]) -> Value {
    let done = answer(home, &[&["key", "client"], arguments].concat());
    check("edit.json", &done, &arguments);
    done
}

/// The client keys as the config says them.
fn clients(home: &Home) -> Value {
    let shown = answer(home, &["key", "client", "list"]);
    check("client.json", &shown, &"list");
    shown.get("clientKeys").unwrap().clone()
}

#[test]
fn a_made_key_is_shown_once_and_is_the_one_in_the_config() {
    let home = Home::new();
    let done =
        edit(&home, &["add", "ann", "--models", "fast, two/*", "--cost=25", "--window=month"]);
    let key = done["result"]["generatedKey"].as_str().unwrap().to_owned();
    assert!(key.starts_with("gw_") && key.len() == 48, "{key}");
    assert!(home.text().contains(&key));
    assert!(done["notes"].to_string().contains("every client has to present a key"), "{done}");
    let limit = json!({ "id": "month", "cost": 25, "window": { "unit": "month", "size": 1 } });
    let shown = &clients(&home)[0];
    assert_eq!(shown["limits"], json!([limit]));
    assert_eq!(shown["models"], json!(["fast", "two/*"]));
    let one = answer(&home, &["key", "client", "show", "ann"]);
    check("client.json", &one, &"show");
    assert_eq!(one["key"], format!("****{}", key.get(44..).unwrap()));
    for command in [
        &["key", "client", "list"][..],
        &["key", "client", "show", "ann"],
        &["list"],
        &["key", "client", "limit", "ann", "--requests=9", "--window=1d"],
        &["key", "client", "disable", "ann"],
        &["config", "undo"],
    ] {
        let ended = home.ok(command);
        assert!(!ended.out.contains(&key) && !ended.err.contains(&key), "{command:?}: {ended:?}");
    }
    let asked = home.ok(&["key", "client", "show", "ann", "--show-secret"]);
    assert!(asked.out.contains(&key), "{}", asked.out);
    let rotated = edit(&home, &["rotate", "ann", "--length=60", "--prefix=ann-"]);
    let new = rotated["result"]["generatedKey"].as_str().unwrap();
    assert!(new.starts_with("ann-") && home.text().contains(new) && !home.text().contains(&key));
    home.ok(&["validate"]);
}

#[test]
fn keys_are_edited_where_they_stand_and_removed() {
    let home = Home::new();
    edit(&home, &["add", "ann", "--key", "env:ANN_KEY"]);
    let weak = edit(&home, &["add", "bob", "--key", "short-s3cret"]);
    assert!(weak["notes"].to_string().contains("weak"), "{weak}");
    edit(&home, &["limit", "ann", "daily", "--requests=9", "--window=1d"]);
    edit(&home, &["limit", "ann", "daily", "--tokens=500"]);
    edit(&home, &["limit", "ann", "--concurrent=2"]);
    edit(&home, &["rename", "bob", "rob"]);
    edit(&home, &["edit", "rob", "--models", "one/small"]);
    edit(&home, &["disable", "rob"]);
    let all = clients(&home);
    let daily = json!({
        "id": "daily", "requests": 9, "tokens": 500, "window": { "unit": "day", "size": 1 },
    });
    assert_eq!(all[0]["limits"], json!([daily, { "id": "at-once", "concurrent": 2 }]));
    assert_eq!(all[0]["key"], "env:ANN_KEY");
    assert_eq!((&all[1]["label"], &all[1]["enabled"]), (&json!("rob"), &json!(false)));
    assert_eq!(all[1]["models"], json!(["one/small"]));
    edit(&home, &["limit", "ann", "daily", "--remove"]);
    edit(&home, &["edit", "rob", "--models", ""]);
    edit(&home, &["enable", "rob"]);
    edit(&home, &["remove", "ann"]);
    let gone = edit(&home, &["remove", "rob"]);
    assert!(gone["notes"].to_string().contains("the last one"), "{gone}");
    assert_eq!(clients(&home), json!([]));
    home.ok(&["validate"]);
}

#[test]
fn what_a_key_may_use_follows_renames_and_keeps_removals_from_opening_it() {
    let home = Home::new();
    edit(&home, &["add", "ann", "--models=fast", "--key=s3cret-of-ann-0123456789-ABCDEF"]);
    let bob = ["add", "bob", "--models=one/large,two/*", "--key=s3cret-of-bob-0123456789-ABCDEF"];
    edit(&home, &bob);
    home.ok(&["alias", "rename", "fast", "quick"]);
    home.ok(&["provider", "rename", "two", "zwei"]);
    let all = clients(&home);
    assert_eq!(all[0]["models"], json!(["quick"]));
    assert_eq!(all[1]["models"], json!(["one/large", "zwei/*"]));
    let before = home.text();
    let refused = home.run(&["model", "remove", "one/large"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("clientKeys[1].models[0]"), "{}", refused.err);
    let refused = home.run(&["alias", "remove", "quick", "--cascade"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("could use everything"), "{}", refused.err);
    assert_eq!(home.text(), before);
    home.ok(&["model", "remove", "one/large", "--cascade"]);
    assert_eq!(clients(&home)[1]["models"], json!(["zwei/*"]));
    home.ok(&["validate"]);
}

#[test]
fn bad_input_is_answered_with_what_to_do() {
    let home = Home::new();
    edit(&home, &["add", "ann", "--key=env:A", "--requests=5", "--window=1h"]);
    let before = home.text();
    for (arguments, part) in [
        (&["add", "ann"][..], "`ann` already"),
        (&["add", "master"], "`master` already"),
        (&["add", "  "], "the label is empty"),
        (&["add", "bob", "--models=fats"], "`fast`"),
        (&["add", "bob", "--models=tow/*"], "`two`"),
        (&["add", "bob", "--cost=20"], "a window (--window 1d)"),
        (&["add", "bob", "--window=1d"], "a cap (--requests 1000)"),
        (&["add", "bob", "--cost=-1", "--window=1d"], "--cost"),
        (&["add", "bob", "--cost=0", "--window=1d"], "expected US dollars"),
        (&["add", "bob", "--requests=5", "--window=fortnight"], "not a window"),
        (&["add", "bob", "--requests=0", "--window=1d"], "1 or more"),
        (&["add", "bob", "--key", "-"], "standard input"),
        (&["show", "anne"], "`ann`"),
        (&["rotate", "nobody"], "no client key `nobody`"),
        (&["limit", "ann", "1", "--remove"], "no limit `1`"),
        (&["limit", "ann", "--remove"], "ID"),
        (&["limit", "ann", "1h", "--remove", "--cost=5"], "two things"),
        (&["edit", "ann"], "--models"),
        (&["rename", "ann", "master"], "already"),
    ] {
        let ended = home.run(&[&["key", "client"], arguments].concat());
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(part), "{arguments:?}: {}", ended.err);
    }
    assert_eq!(home.text(), before);
}
