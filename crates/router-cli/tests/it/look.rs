//! Looking into routing and at what has happened: `explain`, `simulate`, `records`.

use std::io::{Read, Write};
use std::net::TcpStream;

use router_demo::Face;
use serde_json::{Value, json};

use crate::asking::{KEY, MASTER, Site};
use crate::json::check;

/// Sends one request through a router.
fn ask(url: &str) {
    let body = json!({
        "model": "p/demo-chat", "max_tokens": 20, "messages": [{ "role": "user", "content": "Hi" }],
    });
    let body = body.to_string();
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: router\r\nauthorization: Bearer {MASTER}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn explanations_records_and_simulations_have_their_documented_shapes() {
    let site = Site::new(Face::default());
    let mut config = site.config();
    config["telemetry"] = json!({ "records": {} });
    config["modelAliases"] = json!({ "fast": { "targets": ["p/demo-chat", "p/demo-classic"] } });
    config["server"] = json!({ "port": 0 });
    site.home.write(&format!("{config:#}\n"));
    let explained = site.json(0, &["explain", "--model", "fast", "--offline"]);
    check("explain.json", &explained, &"explain");
    assert_eq!(explained["candidates"].as_array().unwrap().len(), 2);
    let started = site.json(0, &["start", "--background"]);
    ask(started["url"].as_str().unwrap());
    site.json(0, &["stop"]);
    for more in [&[][..], &["--json"]] {
        let ended = site.run(&[&["records", "export"], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let lines: Vec<Value> =
            ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [record] = lines.as_slice() else { panic!("{ended:?}") };
        check("records.json", record, &"records export");
        assert_eq!((&record["target"], &record["status"]), (&json!("p/demo-chat"), &json!(200)));
        assert!(!ended.out.contains(KEY) && !ended.out.contains("Hi"), "{ended:?}");
        std::fs::write(site.home.folder().join("records.jsonl"), &ended.out).unwrap();
    }
    let replayed = site.json(0, &["simulate", "--records", "records.jsonl"]);
    check("simulate.json", &replayed, &"simulate");
    assert_eq!(replayed["recorded"]["served"], 1);
    let made_up = ["simulate", "--synthetic", "50", "--against", ".llm-router.json"];
    let made_up = site.json(0, &made_up);
    check("simulate.json", &made_up, &"simulate --synthetic");
    assert_eq!(made_up.as_object().unwrap().len(), 2, "two files of one name: {made_up}");
    for (command, code) in [
        (&["explain", "--model", "nobody/x", "--offline"][..], 2),
        (&["explain", "--as-client", "telnet", "--offline"], 2),
        (&["simulate"], 2),
        (&["simulate", "--synthetic", "5", "--models", "nobody/x"], 2),
        (&["simulate", "--records", "none.jsonl"], 2),
        (&["simulate", "--records", ".llm-router.json"], 2),
        (&["records", "export", "--file", "none.sqlite"], 2),
        (&["records", "export", "--since", "yesterday"], 2),
    ] {
        check("error.json", &site.json(code, command), &command);
    }
}

/// What bash offers behind these words, by the script that `completions bash` prints.
#[cfg(unix)]
fn offered(script: &std::path::Path, words: &[&str]) -> String {
    let run = r#"source "$1"; shift
        [[ "$(complete -p llm-router)" =~ -F\ ([^ ]+) ]]
        COMP_WORDS=(llm-router "$@") COMP_CWORD=$#
        "${BASH_REMATCH[1]}" llm-router "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        echo "${COMPREPLY[*]}""#;
    let mut bash = std::process::Command::new("bash");
    let output = bash.args(["-c", run, "bash"]).arg(script).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(unix)]
#[test]
fn bash_completes_commands_their_subcommands_flags_and_values() {
    let home = crate::common::Home::new();
    let script = home.folder().join("llm-router.bash");
    std::fs::write(&script, home.ok(&["completions", "bash"]).out).unwrap();
    for (words, expected) in [
        (&["provi"][..], "provider"),
        (&["provider", "pre"], "presets"),
        (&["provider", "add", "--pres"], "--preset"),
        (&["key", "client", "rot"], "rotate"),
        (&["ai-help", "--skip"], "--skip-live-test"),
        (&["setup", "cla"], "claude-code"),
        (&["config", "--operation", "migr"], "migrate-config"),
        (&["help", "provider", "pre"], "presets"),
    ] {
        assert_eq!(offered(&script, words).trim_end(), expected, "{words:?}");
    }
}
