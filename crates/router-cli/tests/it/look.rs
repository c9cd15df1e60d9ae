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
    for (command, code) in [
        (&["explain", "--model", "nobody/x", "--offline"][..], 2),
        (&["explain", "--as-client", "telnet", "--offline"], 2),
        (&["simulate"], 2),
        (&["simulate", "--records", "none.jsonl"], 2),
        (&["simulate", "--records", ".llm-router.json"], 2),
        (&["records", "export", "--file", "none.sqlite"], 2),
        (&["records", "export", "--since", "yesterday"], 2),
    ] {
        check("error.json", &site.json(code, command), &command);
    }
}
