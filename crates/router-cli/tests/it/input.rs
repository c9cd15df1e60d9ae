//! Bad input is told apart, said where, and answered with what to do.

use std::io::Write;
use std::process::Stdio;

use crate::common::{CONFIG, Home};

/// Runs a command that has to be refused, and changes nothing.
fn refused(arguments: &[&str], code: i32, parts: &[&str]) {
    let home = Home::new();
    let ended = home.run(arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {} {}", ended.out, ended.err);
    for part in parts {
        assert!(ended.err.contains(part), "{arguments:?}: `{part}` is not in: {}", ended.err);
    }
    assert!(!ended.err.contains("s3cret"), "{}", ended.err);
    assert_eq!(home.text(), CONFIG, "{arguments:?}");
}

fn operation<'a>(name: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    [&["config", "--operation", name][..], flags].concat()
}

#[test]
fn every_documented_check_of_a_provider_is_made() {
    let upsert =
        |flags: &[&str], parts: &[&str]| refused(&operation("upsert-provider", flags), 2, parts);
    let new = ["--provider-id=new", "--api-key=env:K", "--models=m", "--skip-probe"];
    upsert(&["--provider-id=new", "--skip-probe"], &["an address", "a credential", "models"]);
    upsert(
        &[&new[..], &["--endpoints=https://x.example", "--headers={\"a\": }"]].concat(),
        &["--headers", "line 1, column"],
    );
    upsert(
        &[&new[..], &["--endpoints=https://x.example", "--headers=[1]"]].concat(),
        &["JSON object"],
    );
    upsert(&[&new[..], &["--endpoints=nonsense"]].concat(), &["`nonsense` is not an address"]);
    upsert(
        &[&new[..], &["--base-url=localhost:1234"]].concat(),
        &["is not an address", "http://localhost"],
    );
    upsert(
        &[&new[..], &["--endpoints=https://a.example https://b.example"]].concat(),
        &["several addresses"],
    );
    upsert(
        &[&new[..], &["--endpoints=https://x.example", "--format=opnai"]].concat(),
        &["`opnai`", "`openai`"],
    );
    upsert(&["--provider-id=a.b", "--name=x", "--skip-probe"], &["`a.b`", "a-b"]);
    upsert(&["--provider-id=!!", "--skip-probe"], &["letters, digits"]);
    upsert(&["--name=!!", "--skip-probe"], &["a name or an id"]);
    upsert(
        &[&new[..], &["--name=ONE", "--endpoints=https://x.example"]].concat(),
        &["`one`", "name"],
    );
    upsert(&["--provider-id=one", "--set-master-key=true", "--skip-probe"], &["--master-key"]);
    upsert(&["--provider-id=one", "--skip-probe=maybe"], &["true or false"]);
    for (flag, part) in [
        ("--probe-rpm=0", "1..=6000"),
        ("--probe-requests-per-minute=fast", "fast"),
        ("--probe-requests=0", "1..=100000"),
        ("--probe-timeout=1h", "1h"),
    ] {
        upsert(&["--provider-id=one", flag], &[part]);
        refused(&["provider", "edit", "one", flag], 2, &[part]);
    }
    refused(&["provider", "add", "--preset", "gorq"], 2, &["`groq`"]);
    refused(&["provider", "add", "--preset", "groq"], 2, &["GROQ_API_KEY"]);
    refused(
        &["provider", "add", "--preset", "azure", "--api-key", "env:K"],
        2,
        &["openai.azure.com", "deployments"],
    );
    refused(
        &["provider", "add", "one", "--no-key", "--base-url", "https://x.example", "--models", "m"],
        2,
        &["already"],
    );
    refused(&["provider", "edit", "oen", "--name", "x"], 2, &["`one`"]);
}

#[test]
fn every_documented_check_of_removals_is_made() {
    refused(&operation("remove-provider", &[]), 2, &["--provider-id"]);
    refused(&operation("remove-provider", &["--provider-id=nobody"]), 2, &["no provider `nobody`"]);
    refused(
        &operation("remove-provider", &["--provider-id=two"]),
        2,
        &["modelAliases.fast.targets[1]", "--cascade"],
    );
    refused(&operation("remove-model", &["--provider-id=one"]), 2, &["--model"]);
    refused(&operation("remove-model", &["--provider-id=one", "--model=smal"]), 2, &["`small`"]);
    refused(
        &operation("remove-model", &["--provider-id=one", "--model=tiny"]),
        2,
        &["one/small", "fast"],
    );
    refused(&operation("remove-model-alias", &[]), 2, &["--alias-id"]);
    refused(&operation("remove-model-alias", &["--alias-id=fats"]), 2, &["`fast`"]);
    let home = Home::new();
    home.ok(&operation("remove-model", &["--provider-id=one", "--model=tiny", "--cascade"]));
    let last =
        home.run(&operation("remove-model", &["--provider-id=one", "--model=large", "--cascade"]));
    assert_eq!(last.code, Some(2), "the last model stays");
    assert!(last.err.contains("last model"), "{}", last.err);
}

#[test]
fn every_documented_check_of_fallbacks_and_aliases_is_made() {
    let model = ["--provider-id=one", "--model=small"];
    let fallbacks = |list: &str, parts: &[&str]| {
        refused(&operation("set-model-fallbacks", &[&model[..], &[list]].concat()), 2, parts);
    };
    refused(&operation("set-model-fallbacks", &model), 2, &["--fallback-models"]);
    fallbacks("--fallback-models=one/small, two/bgi", &["model itself", "`two/big`"]);
    fallbacks("--fallback-models=fast", &["`fast`"]);
    let alias = |flags: &[&str], parts: &[&str]| {
        refused(&operation("upsert-model-alias", flags), 2, parts);
    };
    alias(&[], &["--alias-id"]);
    alias(&["--alias-id=new"], &["at least one target"]);
    alias(&["--alias-id=/x", "--targets=one/small"], &["cannot be the name"]);
    alias(&["--alias-id=new", "--targets=one/smal"], &["`one/small`"]);
    alias(&["--alias-id=new", "--targets=[1]"], &["not a target"]);
    alias(
        &["--alias-id=new", "--targets=[{"],
        &["error: the list of targets is not JSON", "line 1"],
    );
    refused(&["alias", "show", "fats"], 2, &["`fats`", "did you mean `fast`?"]);
    refused(&["alias", "show", "zzz"], 2, &["`zzz`", "alias list"]);
    alias(&["--alias-id=fast", "--targets=fast"], &["circle"]);
    alias(&["--alias-id=fast", "--strategy=round-robbin"], &["`round-robin`"]);
    alias(&["--alias-id=fast", "--alias-metadata={x}"], &["--alias-metadata", "column"]);
}

#[test]
fn every_documented_check_of_buckets_and_keys_is_made() {
    let limits = |flags: &[&str], parts: &[&str]| {
        let flags = [&["--provider-id=two"][..], flags].concat();
        refused(&operation("set-provider-rate-limits", &flags), 2, parts);
    };
    refused(&operation("set-rate-limits", &[]), 2, &["--provider-id"]);
    limits(&[], &["an id or a name"]);
    limits(&["--bucket-id=b"], &["models", "a cap", "a window"]);
    let whole = ["--bucket-id=b", "--models=all", "--requests=5", "--window=1d"];
    limits(&[&whole[..3], &["--window=1 fortnight"]].concat(), &["not a window"]);
    limits(&[&whole[..], &["--requests=0"]].concat(), &["1 or more"]);
    limits(&[&whole[..], &["--requests=many"]].concat(), &["many"]);
    limits(&["--bucket-id=b", "--models=nope", "--requests=5", "--window=1d"], &["nope"]);
    limits(&["--bucket-id=b", "--models=all,big", "--requests=5", "--window=1d"], &["all"]);
    limits(&["--rate-limits={\"id\": 'b'}"], &["line 1, column"]);
    limits(&["--rate-limits=[]"], &["list of buckets"]);
    limits(&["--rate-limits=[{\"id\": \"b\", \"request\": 5}]"], &["bucket 1", "`request`"]);
    limits(&["--remove-bucket=true"], &["--bucket-id"]);
    limits(&["--remove-bucket=true", "--bucket-id=x"], &["no bucket `x`"]);
    refused(&operation("set-master-key", &[]), 2, &["--generate-master-key"]);
    refused(&operation("set-master-key", &["--master-key=-"]), 2, &["standard input"]);
    refused(&operation("migrate-config", &["--target-version=two"]), 2, &["two"]);
    refused(&operation("migrate-config", &["--target-version=3"]), 1, &["no way to version 3"]);
    refused(&["default", "set", "fats"], 2, &["`fast`"]);
}

#[test]
fn nothing_unknown_is_passed_over() {
    refused(&["lst"], 2, &["'list'"]);
    refused(&["list", "--jsn"], 2, &["'--json'"]);
    refused(&["config", "--operation=upsert-provder"], 2, &["upsert-provider"]);
    refused(&["config", "--operation=list", "show"], 2, &["two things"]);
    refused(&["provider", "ad"], 2, &["'add'"]);
    refused(&["completions", "bsh"], 2, &["bash"]);
}

#[test]
fn what_the_older_program_took_is_still_taken() {
    let home = Home::new();
    // Both spellings, both forms of a value, aliases of operations, flags without a command.
    for line in [
        &[
            "config",
            "--op=add-provider",
            "--providerId=New",
            "--name",
            "New",
            "--baseUrl=https://n.example/v1",
            "--apiKey=env:K",
            "--models=mistral sonnet;gpt-5[openai]",
            "--skipProbe=true",
        ][..],
        &[
            "--operation=edit-provider",
            "--provider-id=new",
            "--claudeBaseUrl=https://n.example/anthropic",
            "--skip-probe",
            "--probeRequestsPerMinute=60",
        ],
        &[
            "router",
            "config",
            "--operation=set-model-alias",
            "--aliasId=group",
            "--strategy=smart",
            "--aliasTargets=new/mistral@3, two/qwen2.5:7",
            "--fallbackTargets=two/big",
        ],
        &[
            "setup",
            "--operation=upsert-model-alias",
            "--alias=group",
            "--clearFallbackTargets=true",
        ],
        &[
            "config",
            "--operation=set-model-fallback",
            "--provider-id=new",
            "--model=sonnet",
            "--fallbackModels=one/small",
        ],
        &[
            "config",
            "--operation=set-model-fallbacks",
            "--provider-id=new",
            "--model=sonnet",
            "--clearFallbacks",
        ],
        &[
            "config",
            "--operation=set-rate-limits",
            "--provider-id=new",
            "--bucketName=Per day",
            "--bucketModels=ALL",
            "--bucketRequests=5",
            "--bucketWindow=day:1",
        ],
        &[
            "config",
            "--operation=set-provider-rate-limits",
            "--provider-id=new",
            "--rateLimits={\"name\": \"b\", \"model\": \"mistral\", \"limit\": 3, \"windowUnit\": \"hour\", \"windowSize\": 2}",
        ],
        &["config", "--operation=set-master-key", "--masterKey=env:MASTER"],
        &["config", "--operation=migrate-config", "--targetVersion=2", "--createBackup=false"],
    ] {
        home.ok(line);
    }
    let shown = home.ok(&["list", "--json"]).out;
    let view: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let new = &view["providers"][2];
    assert_eq!(new["id"], "new");
    let models: Vec<_> = new["models"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
    assert_eq!(models, ["mistral", "sonnet", "gpt-5"], "no name is lost");
    assert_eq!(new["rateLimits"][0]["id"], "per-day");
    assert_eq!(new["rateLimits"][1]["window"], serde_json::json!({ "unit": "hour", "size": 2 }));
    let group = &view["aliases"][1];
    assert_eq!(group["strategy"], "auto");
    assert_eq!(
        group["targets"],
        serde_json::json!([{ "ref": "new/mistral", "weight": 3 }, { "ref": "two/qwen2.5:7" }])
    );
    assert_eq!(group["fallbackTargets"], serde_json::json!([]));
    assert_eq!(view["masterKey"], "env:MASTER");
    let kept = home.text();
    assert!(
        kept.contains("kept although unknown") && kept.contains("operator's own note"),
        "{kept}"
    );
}

#[test]
fn a_secret_comes_from_standard_input() {
    let home = Home::new();
    let mut child = home
        .command(&["provider", "edit", "two", "--api-key", "-", "--skip-probe"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"s3cret-from-a-pipe\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = format!("{output:?}");
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("s3cret") && !text.contains("can see"), "{text}");
    assert!(home.text().contains("\"apiKey\": \"s3cret-from-a-pipe\""));
    let literal = ["provider", "edit", "two", "--api-key", "s3cret-typed", "--skip-probe"];
    let literal = home.ok(&literal);
    assert!(literal.err.contains("can see"), "{}", literal.err);
}

#[test]
fn a_key_is_shown_only_when_it_is_made_or_asked_for() {
    let home = Home::new();
    let made = home.ok(&["key", "generate", "--length", "40", "--prefix", "rt-"]);
    let key = made.out.lines().next().unwrap().to_owned();
    assert!(key.starts_with("rt-") && key.len() == 40, "{key}");
    assert_eq!(made.out.matches(&key).count(), 1, "once: {}", made.out);
    assert!(home.text().contains(&key));
    for command in [&["list"][..], &["key", "show"], &["config", "undo", "--dry-run"]] {
        assert!(!home.ok(command).out.contains(&key), "{command:?}");
    }
    assert!(home.ok(&["key", "show", "--show-secret"]).out.contains(&key));
    let weak = home.ok(&["key", "set", "short"]);
    assert!(weak.out.contains("weak") && !weak.out.contains("short"), "{}", weak.out);
}

#[test]
fn without_a_terminal_the_bare_command_lists() {
    let home = Home::new();
    assert_eq!(home.ok(&[]).out, home.ok(&["list"]).out);
    assert_eq!(home.ok(&["config"]).out, home.ok(&["list"]).out);
    let empty = Home::empty();
    assert!(empty.ok(&["list"]).out.contains("not there yet"));
}

#[test]
fn a_strategy_is_taken_in_every_spelling_that_a_config_may_have() {
    let home = Home::new();
    for (word, written) in [
        ("rr", "round-robin"),
        ("Weighted_RR", "weighted-rr"),
        ("weighted-round-robin", "weighted-rr"),
        ("quota-aware-weighted-round-robin", "quota-aware-weighted-rr"),
        ("smart", "auto"),
        ("cheapest", "least-cost"),
    ] {
        home.ok(&["alias", "edit", "fast", "--strategy", word]);
        assert!(home.text().contains(&format!("\"strategy\": \"{written}\"")), "{word}");
    }
}
