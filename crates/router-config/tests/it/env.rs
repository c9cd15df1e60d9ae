//! Environment variables over the document.

use std::time::Duration;

use router_config::{Config, Diagnostic, MapLookup, StateBackend, load};

fn with(text: &str, vars: &[(&str, &str)]) -> (Config, Vec<Diagnostic>) {
    let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let lookup = MapLookup { vars: vars.collect(), ..MapLookup::default() };
    let loaded = load(text, &lookup);
    (loaded.config.unwrap(), loaded.diagnostics)
}

#[track_caller]
fn config(vars: &[(&str, &str)]) -> Config {
    let (config, diagnostics) = with("{}", vars);
    assert_eq!(diagnostics, []);
    config
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn retries_and_cooldowns_follow_the_environment() {
    let config = config(&[
        ("LLM_ROUTER_ORIGIN_RETRY_ATTEMPTS", "5"),
        ("LLM_ROUTER_ORIGIN_RETRY_BASE_DELAY_MS", "100"),
        ("LLM_ROUTER_ORIGIN_RETRY_MAX_DELAY_MS", "50"),
        ("LLM_ROUTER_ORIGIN_FALLBACK_COOLDOWN_MS", "1"),
        ("LLM_ROUTER_ORIGIN_RATE_LIMIT_COOLDOWN_MS", "2"),
        ("LLM_ROUTER_ORIGIN_BILLING_COOLDOWN_MS", "3"),
        ("LLM_ROUTER_ORIGIN_AUTH_COOLDOWN_MS", "4 seconds"),
        ("LLM_ROUTER_ALLOW_POLICY_FALLBACK", "Yes"),
        ("LLM_ROUTER_FALLBACK_CIRCUIT_FAILURES", "0"),
        ("LLM_ROUTER_FALLBACK_CIRCUIT_COOLDOWN_MS", "7"),
    ]);
    let routing = &config.catalog.routing;
    assert_eq!((routing.retry.attempts, routing.retry.base_delay), (5, ms(100)));
    assert_eq!(routing.retry.max_delay, ms(100), "never below the base");
    let cooldown = &routing.cooldown;
    assert_eq!((cooldown.not_found, cooldown.rate_limit), (ms(1), ms(2)));
    assert_eq!((cooldown.billing, cooldown.auth), (ms(3), ms(4)));
    assert!(cooldown.allow_policy_fallback);
    assert_eq!((routing.circuit.failures, routing.circuit.cooldown), (0, ms(7)));
}

#[test]
fn d2_the_environment_goes_over_the_document() {
    let text = r#"{
      "masterKey": "in-file",
      "providers": [{ "id": "a", "baseUrl": "https://a.example.com", "format": "openai", "models": ["m"] }],
      "routing": { "timeouts": { "firstByteMs": 1, "idleMs": 7 } },
      "server": { "port": 1, "maxBodyBytes": 2, "debug": true },
      "state": { "backend": "memory" }
    }"#;
    let (config, diagnostics) = with(
        text,
        &[
            ("LLM_ROUTER_MASTER_KEY", "in-env"),
            ("LLM_ROUTER_UPSTREAM_TIMEOUT_MS", "5000"),
            ("LLM_ROUTER_PORT", "9001"),
            ("LLM_ROUTER_MAX_REQUEST_BODY_BYTES", "8192"),
            ("LLM_ROUTER_DEBUG", "1"),
            ("LLM_ROUTER_DEBUG_ROUTING", "off"),
            ("LLM_ROUTER_STATE_BACKEND", "file"),
            ("LLM_ROUTER_STATE_FILE_PATH", "/tmp/state"),
        ],
    );
    assert_eq!(diagnostics, []);
    assert_eq!(config.master_key.unwrap().expose(), "in-env");
    let timeouts = config.catalog.providers[0].timeouts;
    assert_eq!((timeouts.first_byte, timeouts.total), (Some(ms(5000)), Some(ms(5000))));
    assert_eq!(timeouts.idle, Some(ms(7)), "the variable never cuts a stream");
    assert_eq!((config.server.port, config.server.body_bytes_max), (9001, 8192));
    assert!(!config.server.debug, "the more specific variable counts");
    assert_eq!(config.state.backend, StateBackend::Sqlite);
    assert_eq!(config.state.path.as_deref(), Some("/tmp/state"));
}

#[test]
fn lists_are_split_at_commas_and_an_empty_one_stands() {
    let config = config(&[
        ("LLM_ROUTER_CORS_ALLOWED_ORIGINS", "https://a.example.com, https://b.example.com"),
        ("LLM_ROUTER_ALLOWED_ORIGINS", "https://c.example.com"),
        ("LLM_ROUTER_IP_ALLOWLIST", "192.0.2.1,10.0.0.0/8"),
    ]);
    let origins = ["https://a.example.com", "https://b.example.com"];
    assert_eq!(config.server.cors.allowed_origins, origins);
    let ips: Vec<String> = config.server.allowed_ips.iter().map(ToString::to_string).collect();
    assert_eq!(ips, ["192.0.2.1/32", "10.0.0.0/8"]);
    let all =
        self::config(&[("LLM_ROUTER_ALLOWED_IPS", "*"), ("LLM_ROUTER_CORS_ALLOWED_ORIGINS", "*")]);
    assert!(all.server.allowed_ips.is_empty() && all.server.cors.allow_all);
}

#[test]
fn values_out_of_bounds_are_clamped_and_told() {
    for (name, value, what) in [
        ("LLM_ROUTER_ORIGIN_RETRY_ATTEMPTS", "50", "10 is used"),
        ("LLM_ROUTER_UPSTREAM_TIMEOUT_MS", "5", "1000 is used"),
        ("LLM_ROUTER_MAX_REQUEST_BODY_BYTES", "99999999", "20971520 is used"),
        ("LLM_ROUTER_CONFIG_RELOAD_DEBOUNCE_MS", "9000", "5000 is used"),
        ("LLM_ROUTER_PORT", "-1", "not a number"),
        ("LLM_ROUTER_DEBUG", "maybe", "neither true nor false"),
        ("LLM_ROUTER_ORIGIN_POLICY_COOLDOWN_MS", "1", "never cool anything down"),
    ] {
        let (_, diagnostics) = with("{}", &[(name, value)]);
        let [only] = &diagnostics[..] else { panic!("{name}: {diagnostics:?}") };
        assert!(only.message.contains(what), "{name}: {}", only.message);
        assert_eq!((only.path.as_str(), only.line), (format!("${name}").as_str(), 0));
    }
}

#[test]
fn blank_variables_count_as_absent() {
    let config = config(&[("LLM_ROUTER_PORT", " "), ("LLM_ROUTER_MASTER_KEY", "")]);
    assert_eq!(config.server.port, 8787);
    assert!(config.master_key.is_none());
}
