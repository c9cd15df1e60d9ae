//! Adding and changing a provider asks it first: `provider add|edit` and `upsert-provider`.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use router_demo::{Demo, Dialect, Face, Fault, Options, Record, Script};
use serde_json::{Value, json};

use crate::asking::{KEY, Site};
use crate::common::Ended;
use crate::json::check;

/// No pace, and no patience.
const QUICK: [&str; 2] = ["--probe-rpm=6000", "--probe-timeout=2"];

/// The flags of a new provider.
fn new_provider<'a>(more: &[&'a str], url: &'a str) -> Vec<&'a str> {
    let flags = ["config", "--operation=upsert-provider", "--provider-id=new", "--api-key", KEY];
    [&flags[..], &["--endpoints", url], &QUICK, more].concat()
}

impl Site {
    fn added(&self) -> Value {
        let config = self.config();
        let mut all = config.get("providers").and_then(Value::as_array).unwrap().iter();
        all.find(|each| each["id"] == "new").cloned().unwrap_or_default()
    }

    /// The models that were asked for an answer.
    fn asked(&self) -> Vec<String> {
        let of = |record: &Record| record.json().get("model")?.as_str().map(str::to_owned);
        self.demo.requests().iter().filter_map(of).collect()
    }
}

#[test]
fn what_the_probe_finds_is_saved_with_the_provider() {
    let site = Site::new(Face::speaking(&[Dialect::Chat, Dialect::Messages]));
    let url = site.demo.url();
    let done = site.json(0, &new_provider(&["--name=New", "--models=demo-chat"], &url));
    check("edit.json", &done, &"upsert-provider");
    check("probe.json", &done["probe"], &"upsert-provider");
    let added = site.added();
    assert_eq!(added["formats"], json!(["claude", "openai"]));
    assert_eq!(added["format"], "claude");
    assert_eq!(added["lastProbe"]["ok"], true);
    assert_eq!(added["lastProbe"]["models"], json!(["demo-chat"]));
    assert_eq!(done["result"]["provider"]["id"], "new");
    // The same by the other form, with the format the operator prefers.
    let add = ["provider", "add", "by-add", "--api-key", KEY, "--base-url", &url];
    let more = ["--models=demo-chat", "--format=openai", QUICK[0]];
    site.json(0, &[&add[..], &more].concat());
    let by_add = &site.config()["providers"][2];
    assert_eq!(by_add["formats"], json!(["openai", "claude"]));
    let said = site.run(&["provider", "edit", "by-add", "--api-key", KEY, QUICK[0]]);
    assert!(said.out.contains("1 model(s) answer") && said.err.contains("1/2"), "{said:?}");
    assert!(!said.out.contains("lastProbe"), "its record is for programs: {}", said.out);
}

#[test]
fn a_model_that_cannot_be_confirmed_is_reported_and_kept() {
    let face = Face { models: Some(vec!["demo-chat".to_owned()]), ..Face::default() };
    let site = Site::new(face);
    site.demo.script("slow", Script::always(Fault::BlackHole));
    let url = site.demo.url();
    let models = ["--models=demo-chat,demo-chta,slow", "--formats=openai"];
    let done = site.json(0, &new_provider(&models, &url));
    let unresolved = done["probe"]["unresolvedModels"].as_array().unwrap();
    assert_eq!(unresolved[0]["model"], "demo-chta");
    assert_eq!(unresolved[0]["outcome"], "model-unsupported");
    assert!(unresolved[0]["why"].as_str().unwrap().contains("`demo-chat`"), "{unresolved:?}");
    assert_eq!(unresolved[1]["model"], "slow");
    let added = site.added();
    let ids: Vec<_> = added["models"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["demo-chat", "demo-chta", "slow"]);
    let notes = done["notes"].to_string();
    assert!(notes.contains("demo-chta is not confirmed"), "{notes}");
}

#[test]
fn without_models_those_of_the_providers_list_are_taken() {
    let models = vec!["demo-chat".to_owned(), "demo-classic".to_owned()];
    let site = Site::new(Face { models: Some(models), ..Face::default() });
    let url = site.demo.url();
    let done = site.json(0, &new_provider(&[], &url));
    assert_eq!(done["result"]["addedModels"], json!(["demo-chat", "demo-classic"]));
    let unasked = site.json(2, &new_provider(&["--skip-probe", "--provider-id=x"], &url));
    assert!(unasked["error"]["message"].as_str().unwrap().contains("models"), "{unasked}");
    let listless = Site::new(Face { has_list: false, ..Face::default() });
    let url = listless.demo.url();
    let nothing = listless.json(2, &new_provider(&[], &url));
    assert!(nothing["error"]["hint"].as_str().unwrap().contains("--models"), "{nothing}");
    let url = site.demo.url();
    // An empty config gets a default model along with its first provider.
    site.home.write("{}");
    site.json(0, &new_provider(&[], &url));
    assert_eq!(site.config()["defaultModel"], "new/demo-chat");
}

#[test]
fn of_several_addresses_each_is_used_for_what_it_speaks() {
    let site = Site::new(Face::speaking(&[Dialect::Chat]));
    let options = Options {
        key: Some(KEY.to_owned()),
        face: Face::speaking(&[Dialect::Messages]),
        ..Options::default()
    };
    let other = Demo::start(([127, 0, 0, 1], 0).into(), options);
    let other = site.runtime.block_on(other).unwrap();
    let both = format!("{} {}", site.demo.url(), other.url());
    site.json(0, &new_provider(&["--models=demo-chat"], &both));
    let added = site.added();
    assert_eq!(added["formats"], json!(["claude", "openai"]));
    let claude = added["baseUrlByFormat"]["claude"].as_str().unwrap();
    assert_eq!(claude.trim_end_matches('/'), other.url());
    let unasked = new_provider(&["--models=m", "--provider-id=x", "--skip-probe"], &both);
    let unasked = site.json(2, &unasked);
    assert!(unasked["error"]["message"].as_str().unwrap().contains("several addresses"));
}

#[test]
fn what_does_not_work_is_not_saved_and_the_exit_code_says_why() {
    let site = Site::new(Face { has_pages: true, ..Face::speaking(&[]) });
    let before = site.home.text();
    let url = site.demo.url();
    let html = new_provider(&["--models=demo-chat"], &url);
    let failed = site.json(1, &html);
    check("error.json", &failed, &"pages");
    let hint = failed["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("--skip-probe"), "{failed}");
    assert_eq!(failed["error"]["details"]["probe"]["failureScope"], "full");
    let matrix = failed["error"]["details"]["probe"]["endpointMatrix"].to_string();
    assert!(matrix.contains("format-mismatch"), "{matrix}");
    let nobody = site.runtime.block_on(Demo::refusing_address()).unwrap();
    let nobody = format!("http://{nobody}");
    site.json(4, &new_provider(&["--models=demo-chat"], &nobody));
    assert_eq!(site.home.text(), before);
    site.json(0, &[&html[..], &["--skip-probe=true"]].concat());
    assert_eq!(site.added().get("lastProbe"), None);
}

#[test]
fn a_refused_key_is_told_without_being_shown() {
    let site = Site::new(Face { repeats_key: true, ..Face::default() });
    let before = site.home.text();
    let url = site.demo.url();
    let wrong = "sk-marker-5ecret-wrong";
    let flags = new_provider(&["--models=demo-chat", "--api-key", wrong], &url);
    let ended = site.run(&flags);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("auth-error") && ended.err.contains("401"), "{ended:?}");
    assert!(!ended.err.contains("5ecret") && !ended.out.contains("5ecret"), "{ended:?}");
    assert_eq!(site.home.text(), before);
}

#[test]
fn a_rate_limit_is_waited_for() {
    let site = Site::new(Face::default());
    site.demo.script("demo-chat", Script::once(Fault::rate_limit(1)));
    let url = site.demo.url();
    let start = Instant::now();
    let flags = new_provider(&["--models=demo-chat", "--formats=openai"], &url);
    let ended = site.run(&flags);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(start.elapsed().as_millis() >= 1000 && ended.err.contains("as the provider asks"));
    assert_eq!(site.asked(), ["demo-chat", "demo-chat"]);
}

#[test]
fn an_interrupted_command_saves_nothing_and_goes_on_when_it_is_given_again() {
    let site = Site::new(Face::speaking(&[Dialect::Chat]));
    site.demo.script("demo-classic", Script::always(Fault::BlackHole));
    let before = site.home.text();
    let url = site.demo.url();
    let models = ["--models=demo-chat,demo-classic", "--probe-timeout=60"];
    let flags = new_provider(&models, &url);
    let child = site.command(&flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !site.asked().iter().any(|model| model == "demo-classic") {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{} {}", ended.out, ended.err);
    assert!(ended.err.contains("same command goes on"), "{}", ended.err);
    assert_eq!(site.home.text(), before);
    let state = site.home.folder().join(".llm-router.probe-new.json");
    let kept = fs::read_to_string(&state).unwrap();
    assert!(kept.contains("demo-chat") && !kept.contains("5ecret"), "{kept}");
    site.demo.script("demo-classic", Script::default());
    let sent = site.asked().len();
    site.json(0, &flags);
    let again = site.asked().split_off(sent);
    // What is known of Chat is not asked again; the other formats come after it.
    assert_eq!(again[0], "demo-classic", "{again:?}");
    assert!(!state.exists() && site.added()["lastProbe"]["ok"] == true);
}

#[test]
fn nobody_is_asked_where_nothing_is_to_be_learned() {
    let site = Site::new(Face::default());
    let url = site.demo.url();
    for (flags, note) in [
        (&["provider", "edit", "p", "--name", "Pea"][..], None),
        (&["provider", "edit", "p", "--models=demo-chat", "--dry-run"], Some("asks nobody")),
        (
            &["provider", "edit", "p", "--api-key", "env:NOT_SET_HERE"],
            Some("not probed: environment variable `NOT_SET_HERE`"),
        ),
        (&["provider", "edit", "p", "--base-url", &url, "--skip-probe"], None),
    ] {
        let done = site.json(0, flags);
        assert_eq!(done.get("probe"), None, "{done}");
        let notes = done["notes"].to_string();
        match note {
            Some(note) => assert!(notes.contains(note), "{flags:?}: {notes}"),
            None => assert!(!notes.contains("probed"), "{flags:?}: {notes}"),
        }
    }
    assert!(site.demo.requests().is_empty());
    site.json(0, &["provider", "disable", "p"]);
    let off = site.json(0, &["provider", "edit", "p", "--api-key", KEY]);
    assert!(off["notes"].to_string().contains("turned off"), "{off}");
    assert!(site.demo.requests().is_empty());
}
