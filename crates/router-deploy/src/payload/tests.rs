//! What leaves the machine, and in which shape.

use super::*;

fn lookup() -> MapLookup {
    let vars = [
        ("OPENAI_API_KEY", "sk-from-env"),
        ("SPARE", "sk-spare"),
        ("LLM_ROUTER_MASTER_KEY", "gw_local_override"),
    ];
    let files = [("/etc/key", "sk-from-file\n")];
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    MapLookup { vars: vars.iter().map(own).collect(), files: files.iter().map(own).collect() }
}

const CONFIG_TEXT: &str = r#"{
  // kept on this machine
  "version": 2,
  "masterKey": "gw_config_key",
  "server": { "port": 9000, "allowedIps": ["10.0.0.0/8"], "admin": { "key": "operators-only" } },
  "state": { "backend": "file", "path": "/var/lib/x", "ttlMs": 1000 },
  "telemetry": { "logLevel": "debug" },
  "providers": [
    { "id": "one", "baseUrl": "https://one.example/v1", "apiKey": "env:OPENAI_API_KEY",
      "models": ["m1"], "lastProbe": { "ok": true, "key": "sk-in-probe" },
      "headers": { "x-org": "file:/etc/key", "x-plain": "visible" } },
    { "id": "two", "baseUrl": "https://two.example/v1", "format": "claude", "models": ["m2"],
      "apiKeys": ["sk-literal", { "value": "file:/etc/key", "label": "b" }, { "valueEnv": "SPARE" }] },
    { "id": "off", "enabled": false, "baseUrl": "https://off.example", "apiKey": "sk-of-off",
      "models": ["m3"] }
  ]
}"#;

fn secrets(rendered: &Rendered) -> BTreeMap<&str, &str> {
    rendered.secrets.iter().map(|(name, value)| (name.as_str(), value.expose())).collect()
}

#[test]
fn references_become_secrets_and_local_sections_stay_here() {
    let payload = Payload::build(CONFIG_TEXT, &lookup(), Store::Secrets).unwrap();
    let rendered = payload.render(true).unwrap();
    let secrets = secrets(&rendered);
    assert_eq!(secrets["OPENAI_API_KEY"], "sk-from-env");
    assert_eq!(secrets["LLM_ROUTER_SECRET_ONE_HEADER_X_ORG"], "sk-from-file");
    assert_eq!(secrets["LLM_ROUTER_SECRET_TWO_API_KEY_2"], "sk-from-file");
    assert_eq!(secrets["SPARE"], "sk-spare");
    assert_eq!(secrets["LLM_ROUTER_SECRET_MASTER_KEY"], "gw_config_key");
    assert_eq!(secrets[CONFIG], rendered.json);
    for gone in [
        "lastProbe",
        "sk-in-probe",
        "9000",
        "operators-only",
        "/var/lib",
        "debug",
        "sk-of-off",
        "gw_local_override",
        "gw_config_key",
        "sk-from-env",
        "kept on this machine",
    ] {
        assert!(!rendered.json.contains(gone), "{gone} in {}", rendered.json);
    }
    for kept in ["allowedIps", "ttlMs", "visible", "sk-literal", "\"enabled\":false"] {
        assert!(rendered.json.contains(kept), "{kept} not in {}", rendered.json);
    }
    assert!(payload.left_out.contains(&"providers[0].lastProbe".to_owned()));
    assert!(!payload.render(false).unwrap().json.contains("masterKey"));
}

#[test]
fn a_value_of_kv_holds_no_secret_at_all() {
    let payload = Payload::build(CONFIG_TEXT, &lookup(), Store::Kv).unwrap();
    let rendered = payload.render(true).unwrap();
    assert_eq!(secrets(&rendered)["LLM_ROUTER_SECRET_TWO_API_KEY_1"], "sk-literal");
    assert!(!rendered.secrets.contains_key(CONFIG));
    for (name, secret) in secrets(&rendered) {
        assert!(!rendered.json.contains(secret), "{name} in {}", rendered.json);
    }
}

#[test]
fn the_keys_of_clients_go_as_those_of_providers_do() {
    let text = CONFIG_TEXT.replace(
        "\"providers\":",
        r#""clientKeys": [
            { "label": "ann", "key": "ck-literal-of-ann" },
            { "label": "bob", "value": "file:/etc/key" },
            { "label": "old", "key": "ck-of-nobody", "enabled": false }
        ], "providers":"#,
    );
    for store in [Store::Secrets, Store::Kv] {
        let payload = Payload::build(&text, &lookup(), store).unwrap();
        let rendered = payload.render(true).unwrap();
        let vars = rendered.secrets.iter().map(|(name, it)| (name.clone(), it.expose().to_owned()));
        let worker = MapLookup { vars: vars.collect(), ..MapLookup::default() };
        let config = router_config::load(&rendered.json, &worker).config.unwrap();
        let keys: Vec<_> = config.client_keys.iter().map(Secret::expose).collect();
        assert_eq!(keys, ["ck-literal-of-ann", "sk-from-file"], "{store:?}");
        assert!(!rendered.json.contains("ck-of-nobody"));
        assert_eq!(rendered.json.contains("ck-literal"), store == Store::Secrets);
    }
    let gone = text.replace(
        "file:/etc/key\" },\n            { \"label\": \"old\"",
        "env:GONE\" },\n            { \"label\": \"old\"",
    );
    let failure = Payload::build(&gone, &lookup(), Store::Secrets).unwrap_err();
    assert!(failure.message.contains("clientKeys[1]") && failure.message.contains("GONE"));
}

#[test]
fn a_large_config_is_split_and_the_pieces_are_the_whole() {
    let models: Vec<String> = (0..900).map(|n| format!("modèle-{n}")).collect();
    let text = serde_json::json!({
        "masterKey": "gw_x",
        "providers": [{ "id": "p", "baseUrl": "https://p.example", "apiKey": "k", "models": models }],
    });
    let payload = Payload::build(&text.to_string(), &lookup(), Store::Secrets).unwrap();
    let rendered = payload.render(true).unwrap();
    let secrets = secrets(&rendered);
    let count = secrets.keys().filter(|name| name.starts_with(CONFIG)).count();
    assert!(count > 2 && !secrets.contains_key(CONFIG));
    let pieces = (1..=count).map(|number| secrets[format!("{CONFIG}_{number}").as_str()]);
    assert!(pieces.clone().all(|piece| piece.len() <= SECRET_BYTES_MAX));
    assert_eq!(pieces.collect::<String>(), rendered.json);
    let exact = "x".repeat(SECRET_BYTES_MAX);
    assert_eq!(chunks(&exact), [(CONFIG.to_owned(), exact.as_str())]);
    assert_eq!(chunks(&format!("{exact}y")).len(), 2);
}

#[test]
fn a_secret_that_is_missing_stops_the_deploy_and_says_where() {
    let text = r#"{"providers":[{"id":"a","baseUrl":"https://a.example","apiKey":"env:GONE","models":["m"]}]}"#;
    let failure = Payload::build(text, &lookup(), Store::Secrets).unwrap_err();
    assert_eq!(failure.kind, Kind::Config);
    assert!(failure.message.contains("providers[0].apiKey") && failure.message.contains("GONE"));
    for bad in ["{", "{}", r#"{"providers":[{"id":"a","models":["m"]}]}"#] {
        assert_eq!(Payload::build(bad, &lookup(), Store::Secrets).unwrap_err().kind, Kind::Config);
    }
}

#[test]
fn a_changed_secret_changes_the_fingerprint_of_its_part_alone() {
    let before = Payload::build(CONFIG_TEXT, &lookup(), Store::Secrets).unwrap();
    let mut other = lookup();
    other.vars.insert("OPENAI_API_KEY".to_owned(), "sk-new".to_owned());
    let after = Payload::build(CONFIG_TEXT, &other, Store::Secrets).unwrap();
    let (before_parts, after_parts) = (before.parts(), after.parts());
    let changed: Vec<_> = before_parts.iter().filter(|(k, v)| after_parts[*k] != **v).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].0, "providers.one");
    assert_ne!(before.fingerprint(), after.fingerprint());
}

#[test]
fn names_of_ours_are_known_whatever_made_them() {
    for name in [
        CONFIG,
        "LLM_ROUTER_CONFIG_JSON_12",
        "LLM_ROUTER_SECRET_X",
        MASTER_KEY,
        "ROUTE_CONFIG_JSON",
    ] {
        assert!(is_ours(name), "{name}");
    }
    for name in ["LLM_ROUTER_ALLOWED_IPS", "LLM_ROUTER_CONFIG_JSON_X", "OPENAI_API_KEY"] {
        assert!(!is_ours(name), "{name}");
    }
}
