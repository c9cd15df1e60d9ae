//! `--json`: one document on standard output, of the documented shape.

use std::path::Path;

use serde_json::Value;

use crate::common::{CONFIG, Home};

pub(crate) fn check(schema: &str, document: &Value, what: &dyn std::fmt::Debug) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/cli").join(schema);
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{what:?}: {problems:#?}\n{document:#}");
}

#[test]
fn every_command_answers_in_its_documented_shape() {
    let edits: &[&[&str]] = &[
        &["provider", "add", "--preset", "groq", "--api-key", "env:GROQ_API_KEY", "--free-tier"],
        &["provider", "edit", "one", "--name", "Uno"],
        &["provider", "rename", "two", "zwei"],
        &["provider", "disable", "one"],
        &["provider", "enable", "one"],
        &["provider", "remove", "two", "--cascade"],
        &["model", "add", "one/new", "--aliases", "n,neu", "--context-window", "9"],
        &["model", "edit", "one/large", "--fallbacks", "two/big"],
        &["model", "rename", "one/small", "tiny-2"],
        &["model", "disable", "one/large"],
        &["model", "enable", "one/large"],
        &["model", "fallbacks", "one/large", "two/big", "one/small"],
        &["model", "fallbacks", "one/small", "--clear"],
        &["model", "remove", "one/large", "--cascade"],
        &["alias", "add", "slow", "--targets", "two/qwen2.5:7, fast@3"],
        &["alias", "edit", "fast", "--strategy", "auto"],
        &["alias", "rename", "fast", "quick"],
        &["alias", "remove", "fast"],
        &[
            "limit",
            "add",
            "two",
            "hourly",
            "--requests",
            "5",
            "--window",
            "1h",
            "--bucket-models",
            "all",
        ],
        &["limit", "remove", "one", "daily"],
        &["key", "set", "env:MASTER"],
        &["key", "generate"],
        &["key", "clear"],
        &["default", "set", "fast"],
        &["default", "clear"],
        &["config", "migrate"],
        &[
            "config",
            "--operation=set-master-key",
            "--generate-master-key=true",
            "--master-key-length=60",
        ],
        &["config", "--operation=remove-model-alias", "--alias-id=fast"],
    ];
    for edit in edits {
        let home = Home::new();
        for more in [&["--json", "--dry-run"][..], &["--json"]] {
            let ended = home.ok(&[edit, more].concat());
            let document: Value = serde_json::from_str(&ended.out).unwrap();
            check("edit.json", &document, edit);
            assert!(!ended.out.contains("s3cret"), "{edit:?}: {}", ended.out);
            assert!(!ended.err.contains("s3cret"), "{edit:?}: {}", ended.err);
        }
        if home.text() != CONFIG {
            let undone = home.ok(&["config", "undo", "--json"]);
            check("edit.json", &serde_json::from_str(&undone.out).unwrap(), edit);
            assert_eq!(home.text(), CONFIG, "{edit:?}");
        }
    }
}

#[test]
fn every_answer_has_its_documented_shape() {
    let home = Home::new();
    home.ok(&[
        "limit",
        "add",
        "two",
        "--bucket-name",
        "At once",
        "--concurrent",
        "2",
        "--bucket-models",
        "big",
    ]);
    for (command, schema) in [
        (&["list"][..], "list.json"),
        (&["config", "show"], "list.json"),
        (&["config", "--operation=list"], "list.json"),
        (&["config", "--operation", "list-routing"], "list.json"),
        (&["provider", "list"], "provider.json"),
        (&["provider", "show", "two"], "provider.json"),
        (&["provider", "presets"], "provider.json"),
        (&["model", "list"], "model.json"),
        (&["model", "list", "one"], "model.json"),
        (&["alias", "list"], "alias.json"),
        (&["alias", "show", "fast"], "alias.json"),
        (&["limit", "list"], "limit.json"),
        (&["key", "show"], "key.json"),
        (&["default", "show"], "default.json"),
        (&["config", "path"], "path.json"),
        (&["validate"], "validate.json"),
        (&["config", "validate"], "validate.json"),
        (&["completions", "zsh"], "text.json"),
        (&["man"], "text.json"),
    ] {
        let ended = home.ok(&[command, &["--json"]].concat());
        check(schema, &serde_json::from_str(&ended.out).unwrap(), &command);
        assert!(!ended.out.contains("s3cret"), "{command:?}: {}", ended.out);
    }
}

#[test]
fn a_failure_is_a_document_too() {
    let home = Home::new();
    for (command, code, kind) in [
        (&["provider", "show", "oen"][..], 2, "input"),
        (&["provider", "remove", "two"], 2, "input"),
        (&["provider", "remvoe", "two"], 2, "input"),
        (&["list", "--colour"], 2, "input"),
        (&["config", "--operation=nothing"], 2, "input"),
        (&["config", "undo"], 2, "input"),
    ] {
        let ended = home.run(&[command, &["--json"]].concat());
        assert_eq!(ended.code, Some(code), "{command:?}: {}", ended.err);
        let document: Value = serde_json::from_str(&ended.out).unwrap();
        check("error.json", &document, &command);
        assert_eq!(document.pointer("/error/kind"), Some(&kind.into()), "{command:?}");
        assert!(ended.err.contains("error:"), "the text is still there: {}", ended.err);
    }
    home.write("{");
    let ended = home.run(&["default", "show", "--json"]);
    assert_eq!(ended.code, Some(3));
    check("error.json", &serde_json::from_str(&ended.out).unwrap(), &"broken JSON");
}
