//! The doctor with real files, real ports and the scripted provider.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use router_config::MapLookup;
use router_demo::{Demo, Face, Options};

use super::*;

const KEY: &str = "sk-marker-d0c";

struct Case {
    folder: tempfile::TempDir,
    lookup: MapLookup,
}

impl Case {
    fn new(config: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let case = Self { folder, lookup: MapLookup::default() };
        fs::write(case.path(), config.to_string()).unwrap();
        case.mode(0o600);
        case
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    fn mode(&self, mode: u32) {
        fs::set_permissions(self.path(), Permissions::from_mode(mode)).unwrap();
    }

    async fn examine(&self) -> Diagnosis {
        let path = self.path();
        let home = Some(self.folder.path().to_owned());
        let services = Services::default();
        let patient = Patient { config_path: &path, home, services };
        let diagnosis = examine(&patient, &self.lookup, &Client::new().unwrap()).await;
        let text = diagnosis.to_json().to_string();
        assert!(!text.contains(KEY), "{text}");
        diagnosis
    }
}

#[track_caller]
fn found<'a>(diagnosis: &'a Diagnosis, check: &str) -> &'a Finding {
    let found = diagnosis.findings.iter().find(|each| each.check == check);
    found.unwrap_or_else(|| panic!("nothing about {check}: {diagnosis:?}"))
}

async fn demo(face: Face) -> Demo {
    let options = Options { key: Some(KEY.to_owned()), face, ..Options::default() };
    Demo::start(([127, 0, 0, 1], 0).into(), options).await.unwrap()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn with(base: &str, key: &str) -> Value {
    json!({
        "version": 2,
        "server": { "port": free_port() },
        "providers": [{"id": "p", "baseUrl": base, "apiKey": key, "format": "openai", "models": ["demo-chat"]}],
    })
}

#[tokio::test]
async fn a_healthy_installation_is_good_in_every_respect_and_costs_nothing() {
    let demo = demo(Face::default()).await;
    let diagnosis = Case::new(&with(&demo.url(), KEY)).examine().await;
    let all: Vec<_> = diagnosis.findings.iter().map(|each| (each.check, each.verdict)).collect();
    assert_eq!(diagnosis.worst(), Verdict::Good, "{diagnosis:?}");
    for check in
        ["permissions", "config", "proxy", "secret", "state", "disk", "port", "provider", "clock"]
    {
        assert!(all.contains(&(check, Verdict::Good)), "{check}: {all:?}");
    }
    let asked = demo.requests();
    assert!(asked.iter().all(|record| record.path == "/v1/models"), "{asked:?}");
}

#[tokio::test]
async fn each_trouble_is_named_with_its_fix() {
    let good = demo(Face::default()).await;

    let case = Case::new(&with(&good.url(), KEY));
    case.mode(0o644);
    let diagnosis = case.examine().await;
    let loose = found(&diagnosis, "permissions");
    assert_eq!(loose.verdict, Verdict::Warning);
    assert!(loose.fix.as_ref().unwrap().starts_with("chmod 600 "), "{loose:?}");

    let diagnosis = Case::new(&with(&good.url(), "sk-other")).examine().await;
    let refused = found(&diagnosis, "provider");
    assert_eq!(refused.verdict, Verdict::Broken);
    assert!(refused.message.starts_with("it refuses the key"), "{refused:?}");

    let diagnosis = Case::new(&with(&good.url(), "env:NOT_SET")).examine().await;
    let missing = found(&diagnosis, "secret");
    assert_eq!(missing.verdict, Verdict::Broken);
    assert!(missing.message.contains("`NOT_SET`"), "{missing:?}");

    let nobody = Demo::refusing_address().await.unwrap();
    let diagnosis = Case::new(&with(&format!("http://{nobody}"), KEY)).examine().await;
    assert_eq!(found(&diagnosis, "provider").verdict, Verdict::Unreachable);
    assert_eq!(diagnosis.worst(), Verdict::Unreachable);

    let diagnosis = Case::new(&with("https://no.such.host.invalid", KEY)).examine().await;
    let lost = found(&diagnosis, "provider");
    assert_eq!(lost.verdict, Verdict::Unreachable);
    assert!(!lost.message.is_empty() && lost.fix.is_some());

    // Plain HTTP behind an https address.
    let diagnosis = Case::new(&with(&good.url().replace("http:", "https:"), KEY)).examine().await;
    let tls = found(&diagnosis, "provider");
    assert_eq!(tls.verdict, Verdict::Unreachable, "{tls:?}");
}

#[tokio::test]
async fn a_wrong_clock_is_seen_by_what_the_providers_say() {
    let date = Some("Thu, 01 Jan 2026 00:00:00 GMT".to_owned());
    let demo = demo(Face { date, ..Face::default() }).await;
    let diagnosis = Case::new(&with(&demo.url(), KEY)).examine().await;
    let clock = found(&diagnosis, "clock");
    assert_eq!(clock.verdict, Verdict::Warning);
    assert!(clock.message.contains(" s off "), "{clock:?}");
}

#[tokio::test]
async fn a_port_held_by_a_stranger_a_damaged_state_and_a_bad_config_are_broken() {
    let demo = demo(Face::default()).await;
    let mut config = with(&demo.url(), KEY);
    config["server"]["port"] = demo.address().port().into();
    let case = Case::new(&config);
    fs::write(case.folder.path().join(".llm-router.state.sqlite"), "rubbish".repeat(500)).unwrap();
    let diagnosis = case.examine().await;
    assert_eq!(found(&diagnosis, "port").verdict, Verdict::Broken);
    let state = found(&diagnosis, "state");
    assert!(state.message.starts_with("damaged"), "{state:?}");

    config["providers"][0]["baseUrl"] = "no-url".into();
    let diagnosis = Case::new(&config).examine().await;
    let bad = found(&diagnosis, "config");
    assert_eq!(bad.verdict, Verdict::Broken);
    assert!(bad.message.contains("providers[0]") && bad.fix.is_some(), "{bad:?}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.json");
    let patient = Patient { config_path: &path, home: None, services: Services::default() };
    let none = examine(&patient, &MapLookup::default(), &Client::new().unwrap()).await;
    assert_eq!(none.findings.len(), 2, "that, and about the service");
    assert_eq!(none.findings[0].message, "there is no config file");
}

#[tokio::test]
async fn proxies_that_would_catch_local_requests_are_pointed_out() {
    let demo = demo(Face::default()).await;
    let mut case = Case::new(&with(&demo.url(), KEY));
    case.lookup.vars.insert("HTTPS_PROXY".into(), "http://u:hidden@proxy:3128".into());
    let diagnosis = case.examine().await;
    let about = |about: &str| {
        diagnosis.findings.iter().find(|each| each.check == "proxy" && each.about == about)
    };
    assert!(about("").unwrap().message.contains("HTTPS_PROXY"));
    assert_eq!(about("NO_PROXY").unwrap().verdict, Verdict::Warning);
    assert!(!diagnosis.to_json().to_string().contains("hidden"));
    case.lookup.vars.insert("NO_PROXY".into(), "localhost,127.0.0.1".into());
    assert_eq!(case.examine().await.worst(), Verdict::Good);
}

#[tokio::test]
async fn a_redis_that_is_away_and_a_secret_file_that_others_read_are_found() {
    let demo = demo(Face::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("key");
    fs::write(&secret, KEY).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    let mut config = with(&demo.url(), &format!("file:{}", secret.display()));
    config["state"] = json!({"backend": "redis", "url": "redis://:hidden@127.0.0.1:1"});
    let mut case = Case::new(&config);
    case.lookup.files.insert(secret.display().to_string(), KEY.to_owned());
    let diagnosis = case.examine().await;
    let redis = found(&diagnosis, "redis");
    assert_eq!(redis.verdict, Verdict::Unreachable);
    assert!(!diagnosis.to_json().to_string().contains("hidden"));
    let loose = diagnosis.findings.iter().any(|each| {
        each.check == "permissions"
            && each.about.ends_with("/key")
            && each.verdict == Verdict::Warning
    });
    assert!(loose, "{diagnosis:?}");
}
