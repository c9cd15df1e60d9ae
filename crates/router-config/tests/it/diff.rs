//! What the log of a reload says.

use router_config::{Config, MapLookup, diff, load};

const TEXT: &str = r#"{
  "masterKey": "first-key",
  "providers": [
    { "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "apiKey": "sk-a", "models": ["m", { "id": "n", "fallbackModels": ["b/m"] }] },
    { "id": "b", "baseUrl": "https://b.example.com", "format": "openai", "models": ["m"] }
  ],
  "modelAliases": { "x": { "targets": ["a/m", "b/m"] } },
  "server": { "port": 9000, "admin": { "key": "operators" } }
}"#;

fn config(text: &str) -> Config {
    load(text, &MapLookup::default()).config.unwrap()
}

#[track_caller]
fn check(from: &str, to: &str, expect: &[&str]) {
    let edited = TEXT.replacen(from, to, 1);
    assert!(from.is_empty() || edited != TEXT, "the document has {from}");
    let changes: Vec<String> =
        diff(&config(TEXT), &config(&edited)).iter().map(ToString::to_string).collect();
    assert_eq!(changes, expect);
}

#[test]
fn each_change_is_told_by_name() {
    check("", "", &[]);
    check("sk-a", "sk-b", &["provider `a` changed"]);
    check("\"m\", {", "\"m\", \"o\", {", &["model `a/o` added"]);
    check("[\"b/m\"] }", "[] }", &["model `a/n` changed"]);
    check("\"a/m\", \"b/m\"", "\"b/m\", \"a/m\"", &["alias `x` changed"]);
    check("\"x\":", "\"y\":", &["alias `x` removed", "alias `y` added"]);
    check("first-key", "other-key", &["masterKey changed"]);
    check("9000", "9001", &["server.port changed (after a restart)"]);
    let memory = "\"state\": { \"backend\": \"memory\" }, \"server\"";
    check("\"server\"", memory, &["state changed (after a restart)"]);
    let keys = "\"clientKeys\": [{ \"label\": \"t\", \"key\": \"k\" }], \"server\"";
    check("\"server\"", keys, &["client key `t` added"]);
    check("operators", "others", &["server.admin.key changed"]);
    let moved = "{ \"port\": 1, \"key\"";
    check("{ \"key\"", moved, &["server.admin changed (after a restart)"]);
    check("\"port\": 9000", "\"port\": 9000, \"debug\": true", &["server.debug changed"]);
}

#[test]
fn the_models_of_a_new_provider_are_not_told_one_by_one() {
    let second = "{ \"id\": \"b\"";
    let more = "{ \"id\": \"c\", \"baseUrl\": \"https://c.example.com\", \"format\": \"openai\", \"models\": [\"m\"] },\n{ \"id\": \"b\"";
    check(second, more, &["provider `c` added"]);
}

#[test]
fn the_order_of_providers_changes_nothing_else() {
    let (from, rest) = TEXT.split_once("    { \"id\": \"b\"").unwrap();
    let (b, rest) = rest.split_once('\n').unwrap();
    let (head, a) = from.split_once("    { \"id\": \"a\"").unwrap();
    let a = a.trim_end().trim_end_matches(',');
    let swapped = format!("{head}{{ \"id\": \"b\"{b},\n{{ \"id\": \"a\"{a}\n{rest}");
    assert_eq!(diff(&config(TEXT), &config(&swapped)), []);
}
