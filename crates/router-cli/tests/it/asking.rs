//! Commands that ask providers, against the scripted one.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use router_demo::{Demo, Dialect, Face, Fault, Options, Script};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::common::{Ended, Home};
use crate::json::check;

/// What must not be seen anywhere but in the config and in requests.
pub(crate) const KEY: &str = "sk-marker-5ecret-provider";
pub(crate) const MASTER: &str = "gw-marker-5ecret-master-0123456789-abcdef";
const ADMIN: &str = "adm-marker-5ecret-0123456789-abcdefgh";
const STORED: &str = "kc-marker-5ecret-stored";
const PROXIES: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

pub(crate) struct Site {
    pub(crate) home: Home,
    pub(crate) demo: Demo,
    pub(crate) runtime: Runtime,
}

impl Site {
    pub(crate) fn new(face: Face) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let options = Options { key: Some(KEY.to_owned()), face, ..Options::default() };
        let demo = Demo::start(([127, 0, 0, 1], 0).into(), options);
        let demo = runtime.block_on(demo).unwrap();
        let site = Self { home: Home::empty(), demo, runtime };
        site.configure(&site.demo.url());
        site
    }

    pub(crate) fn configure(&self, base: &str) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = json!({
            "version": 2,
            "masterKey": MASTER,
            "server": {"port": port, "admin": {"port": 1, "key": ADMIN}},
            "providers": [{
                "id": "p", "baseUrl": base, "format": "openai", "apiKey": KEY,
                "models": ["demo-chat", "demo-classic"],
            }],
        });
        self.home.write(&format!("{config:#}\n"));
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(arguments);
        for name in PROXIES {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, Some(code), "{arguments:?}: {} {}", ended.out, ended.err);
        serde_json::from_str(&ended.out).unwrap()
    }

    pub(crate) fn config(&self) -> Value {
        serde_json::from_str(&self.home.text()).unwrap()
    }
}

#[test]
fn a_probe_writes_what_it_found_and_says_so_in_its_documented_shape() {
    let site = Site::new(Face::speaking(&[Dialect::Chat, Dialect::Messages]));
    let done = site.json(0, &["provider", "probe", "p", "--probe-rpm", "6000"]);
    check("edit.json", &done, &"probe");
    check("probe.json", &done["probe"], &"probe");
    let provider = &site.config()["providers"][0];
    assert_eq!(provider["formats"], json!(["claude", "openai"]));
    assert_eq!(provider["lastProbe"]["workingFormats"], json!(["claude", "openai"]));
    assert_eq!(provider["lastProbe"]["modelSupport"]["demo-chat"], json!(["claude", "openai"]));
    assert!(
        site.home
            .folder()
            .read_dir()
            .unwrap()
            .flatten()
            .all(|entry| { !entry.file_name().to_string_lossy().contains("probe") })
    );
}

#[test]
fn a_failed_probe_changes_nothing_and_its_exit_code_says_why() {
    let site = Site::new(Face { has_pages: true, ..Face::speaking(&[]) });
    let before = site.home.text();
    let failed = site.json(1, &["provider", "probe", "p", "--probe-rpm", "6000"]);
    check("error.json", &failed, &"probe");
    assert_eq!(failed["error"]["details"]["probe"]["failureScope"], "full");
    let nobody = site.runtime.block_on(Demo::refusing_address()).unwrap();
    site.configure(&format!("http://{nobody}"));
    site.json(4, &["provider", "probe", "p"]);
    site.json(4, &["provider", "test", "p"]);
    site.json(4, &["provider", "models", "p"]);
    assert!(before.contains("demo-chat") && site.home.text().contains("demo-chat"));
    assert_eq!(site.config()["providers"][0].get("lastProbe"), None);
    site.json(2, &["provider", "probe", "q"]);
    site.json(2, &["provider", "test"]);
}

#[test]
fn an_interrupted_probe_ends_with_130_and_goes_on_later() {
    let site = Site::new(Face::speaking(&[Dialect::Chat]));
    site.demo.script("demo-classic", Script::always(Fault::BlackHole));
    let before = site.home.text();
    let child = site
        .command(&["provider", "probe", "p", "--probe-rpm", "6000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let hangs = |record: &router_demo::Record| record.json()["model"] == "demo-classic";
    while !site.demo.requests().iter().any(hangs) {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{} {}", ended.out, ended.err);
    assert_eq!(site.home.text(), before);
    let state = site.home.folder().join(".llm-router.probe-p.json");
    assert!(fs::read_to_string(&state).unwrap().contains("demo-chat"));
    site.demo.script("demo-classic", Script::default());
    let sent = site.demo.requests().len();
    site.json(0, &["provider", "probe", "p", "--probe-rpm", "6000"]);
    let later = site.demo.requests();
    let again = later.iter().skip(sent).filter(|record| record.path == "/v1/chat/completions");
    assert!(again.clone().all(|record| record.json()["model"] == "demo-classic"));
    assert!(again.count() >= 1 && !state.exists());
}

#[test]
fn test_and_models_answer_in_their_documented_shapes() {
    let site = Site::new(Face::default());
    let tested = site.json(0, &["provider", "test", "--all"]);
    check("test.json", &tested, &"test");
    assert_eq!(tested["tests"].as_array().unwrap().len(), 2);
    site.demo.script("demo-chat", Script::always(Fault::status(500)));
    let tested = site.json(1, &["provider", "test", "p", "--model", "demo-chat"]);
    assert_eq!(tested["tests"][0]["outcome"], "runtime-error");
    let before = site.home.text();
    let models = site.json(0, &["provider", "models", "p"]);
    check("models.json", &models, &"models");
    assert_eq!(site.home.text(), before);
    let added = site.json(0, &["provider", "models", "p", "--add", "demo-small,demo-chat"]);
    check("edit.json", &added, &"models --add");
    assert_eq!(added["result"]["models"], json!(["p/demo-small"]));
    let wrong = site.json(2, &["provider", "models", "p", "--add", "demo-smal"]);
    assert!(wrong["error"]["hint"].as_str().unwrap().contains("demo-small"));
}

#[test]
fn the_doctor_s_exit_code_says_how_bad_it_is() {
    let site = Site::new(Face::default());
    let good = site.json(0, &["doctor"]);
    check("doctor.json", &good, &"doctor");
    let nobody = site.runtime.block_on(Demo::refusing_address()).unwrap();
    site.configure(&format!("http://{nobody}"));
    let away = site.json(4, &["doctor"]);
    assert_eq!(away["worst"], "unreachable");
    site.home.write("{ \"providers\": [{}] }");
    assert_eq!(site.json(1, &["doctor"])["worst"], "broken");
}

fn store(site: &Site, name: &str) -> Ended {
    let mut child = site
        .command(&["secret", "set", name, "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{STORED}\n").as_bytes()).unwrap();
    Ended::from(child.wait_with_output().unwrap())
}

/// Machines without a keychain say what to use instead.
#[test]
fn a_secret_is_kept_in_the_keychain_or_the_answer_says_what_to_use() {
    let site = Site::new(Face::default());
    let name = format!("it-{}", std::process::id());
    let stored = store(&site, &name);
    assert!(!stored.out.contains(STORED) && !stored.err.contains(STORED));
    let said: Value = serde_json::from_str(&stored.out).unwrap();
    if stored.code == Some(0) {
        check("secret.json", &said, &"secret set");
        let removed = site.json(0, &["secret", "remove", &name]);
        check("secret.json", &removed, &"secret remove");
        assert_eq!(removed["removed"], true);
    } else {
        assert!(said["error"]["message"].as_str().unwrap().contains("`file:PATH`"), "{said}");
    }
    site.json(2, &["secret", "remove", "not a name"]);
}

#[test]
fn no_command_shows_a_secret_or_leaves_one_in_another_file() {
    let site = Site::new(Face { repeats_key: true, ..Face::default() });
    let commands: &[&[&str]] = &[
        &["list"],
        &["validate"],
        &["provider", "list"],
        &["provider", "show", "p"],
        &["provider", "probe", "p", "--probe-rpm", "6000"],
        &["provider", "test", "--all"],
        &["provider", "models", "p"],
        &["model", "list"],
        &["alias", "list"],
        &["limit", "list", "p"],
        &["key", "show"],
        &["default", "show"],
        &["config", "show"],
        &["config", "--operation=list"],
        &["provider", "edit", "p", "--name", "Pea"],
        &["config", "undo"],
        &["explain", "p/demo-chat", "--offline"],
        &["doctor"],
        &["provider", "probe", "nobody"],
        &["provider", "edit", "p", "--base-url", "no url"],
    ];
    for command in commands {
        for more in [&[][..], &["--json"]] {
            let ended = site.run(&[command, more].concat());
            for text in [&ended.out, &ended.err] {
                assert!(!text.contains("5ecret"), "{command:?}: {text}");
            }
        }
    }
    let wrong = site.home.text().replace(KEY, "sk-marker-5ecret-wrong");
    site.home.write(&wrong);
    for command in [&["provider", "test", "p"][..], &["doctor"], &["provider", "probe", "p"]] {
        let ended = site.run(command);
        assert!(!ended.out.contains("5ecret") && !ended.err.contains("5ecret"), "{ended:?}");
    }
    scan(site.home.folder());
}

/// Only the config and its kept versions hold secrets, and nobody else may read those.
fn scan(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(!name.contains("5ecret"), "{path:?}");
        if path.is_dir() {
            if !name.ends_with(".history") {
                scan(&path);
            }
            continue;
        }
        let holds = String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("5ecret");
        assert!(!holds || name == ".llm-router.json", "{path:?} holds a secret");
    }
}
