//! Secrets never reach a report, however broken the document is.

use router_config::{NoLookup, load, render};

const TEXT: &str = r#"{
  "masterKey": "hush-hush-1",
  "providers": [
    { "id": "a", "apiKey": "hush-hush-2", "baseUrl": "https://u:hush-hush-3@a.example.com/?k=hush-hush-4",
      "format": "openai", "headers": { "X-Key": "hush-hush-5" },
      "apiKeys": ["hush-hush-6", { "value": "hush-hush-7" }],
      "models": ["m"], "apikey": "hush-hush-8", "auth": "hush-hush-9" }
  ],
  "server": { "admin": { "key": "hush-hush-10" } },
  "state": { "backend": "redis", "url": "redis://:hush-hush-11@localhost" }
}"#;

#[track_caller]
fn check(text: &str) {
    let loaded = load(text, &NoLookup);
    let report = render(&loaded.diagnostics);
    assert!(!report.contains("hush-hush"), "{text}\n{report}");
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("hush-hush"), "{text}\n{shown}");
}

#[test]
fn a_lost_character_shows_no_secret() {
    check(TEXT);
    for (at, c) in TEXT.char_indices() {
        let mut broken = TEXT.to_owned();
        broken.remove(at);
        check(&broken);
        if c == '"' || c == ':' {
            broken.insert(at, ' ');
            check(&broken);
        }
    }
}

#[test]
fn a_value_of_the_wrong_kind_shows_no_secret() {
    for (from, to) in [
        ("\"hush-hush-2\"", "[\"hush-hush-2\"]"),
        ("\"hush-hush-1\"", "{ \"value\": \"hush-hush-1\" }"),
        ("\"hush-hush-6\"", "[[\"hush-hush-6\"]]"),
        ("{ \"X-Key\": \"hush-hush-5\" }", "\"hush-hush-5\""),
        ("\"hush-hush-5\"", "\"hush-hush-5\\n\""),
        ("\"redis\"", "\"redis\", \"path\": 5"),
        ("[\"m\"]", "{ \"very\": \"hush-hush\" }"),
    ] {
        assert!(TEXT.contains(from), "the document has {from}");
        check(&TEXT.replacen(from, to, 1));
    }
}
