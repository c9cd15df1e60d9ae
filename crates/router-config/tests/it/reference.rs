//! The reference of the config file is made of its JSON Schema.

use std::fmt::Write as _;

use serde_json::Value;

/// Where the reference is published.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config-reference.md");

/// What stands before the tables.
const HEAD: &str = "\
# Every setting

Made of the types in `crates/router-config/src/schema` by a test; do not edit it by hand. The same
is published for editors in [`schema/llm-router.schema.json`](../schema/llm-router.schema.json):
begin a config with `\"$schema\": \"…\"` and the editor completes and checks it.

Every setting is optional. A list may be written as a single value. Keys nobody knows are kept and
reported. `llm-router validate` reports every problem of a file at once.

A secret is written as it is, or kept elsewhere: `env:NAME` (an environment variable), `file:PATH`,
`keychain:NAME`.

";

/// Environment variables and the settings they go over.
const VARIABLES: [(&str, &str); 31] = [
    ("LLM_ROUTER_MASTER_KEY", "`masterKey`"),
    ("LLM_ROUTER_HOST", "`server.host`"),
    ("LLM_ROUTER_PORT", "`server.port`"),
    ("LLM_ROUTER_REQUIRE_AUTH", "`server.requireAuth`"),
    ("LLM_ROUTER_WATCH_CONFIG", "`server.watchConfig`"),
    ("LLM_ROUTER_CONFIG_RELOAD_DEBOUNCE_MS", "`server.reloadDebounceMs`, up to 5000"),
    ("LLM_ROUTER_MAX_REQUEST_BODY_BYTES", "`server.maxBodyBytes`, from 4096 to 20971520"),
    ("LLM_ROUTER_DEBUG_ROUTING", "`server.debug`"),
    ("LLM_ROUTER_DEBUG", "`server.debug`, unless `LLM_ROUTER_DEBUG_ROUTING` is set"),
    ("LLM_ROUTER_CORS_ALLOW_ALL", "`server.cors.allowAll`"),
    ("LLM_ROUTER_CORS_ALLOWED_ORIGINS", "`server.cors.allowedOrigins`, with commas between"),
    ("LLM_ROUTER_ALLOWED_ORIGINS", "the same, unless `LLM_ROUTER_CORS_ALLOWED_ORIGINS` is set"),
    ("LLM_ROUTER_ALLOWED_IPS", "`server.allowedIps`, with commas between"),
    ("LLM_ROUTER_IP_ALLOWLIST", "the same, unless `LLM_ROUTER_ALLOWED_IPS` is set"),
    ("LLM_ROUTER_ADMIN_KEY", "`server.admin.key`; turns the listener on"),
    (
        "LLM_ROUTER_UPSTREAM_TIMEOUT_MS",
        "`routing.timeouts.firstByteMs` and `totalMs`, from 1000 to 300000; never cuts a stream",
    ),
    ("LLM_ROUTER_ORIGIN_RETRY_ATTEMPTS", "`routing.retry.attempts`, from 1 to 10"),
    ("LLM_ROUTER_ORIGIN_RETRY_BASE_DELAY_MS", "`routing.retry.baseDelayMs`"),
    ("LLM_ROUTER_ORIGIN_RETRY_MAX_DELAY_MS", "`routing.retry.maxDelayMs`"),
    ("LLM_ROUTER_ORIGIN_RATE_LIMIT_COOLDOWN_MS", "`routing.cooldown.rateLimitMs`"),
    ("LLM_ROUTER_ORIGIN_AUTH_COOLDOWN_MS", "`routing.cooldown.authMs`"),
    ("LLM_ROUTER_ORIGIN_BILLING_COOLDOWN_MS", "`routing.cooldown.billingMs`"),
    ("LLM_ROUTER_ORIGIN_FALLBACK_COOLDOWN_MS", "`routing.cooldown.notFoundMs`"),
    (
        "LLM_ROUTER_ORIGIN_POLICY_COOLDOWN_MS",
        "nothing: refusals for policy reasons never cool anything down",
    ),
    ("LLM_ROUTER_ALLOW_POLICY_FALLBACK", "`routing.cooldown.allowPolicyFallback`"),
    ("LLM_ROUTER_FALLBACK_CIRCUIT_FAILURES", "`routing.circuit.failures`"),
    (
        "LLM_ROUTER_FALLBACK_CIRCUIT_COOLDOWN_MS",
        "`routing.circuit.cooldownMs`; 0 turns circuits off",
    ),
    ("LLM_ROUTER_STATE_BACKEND", "`state.backend`"),
    ("LLM_ROUTER_STATE_FILE_PATH", "`state.path`"),
    ("LLM_ROUTER_CANDIDATE_STATE_TTL_MS", "`state.ttlMs`"),
    ("LLM_ROUTER_CONFIG", "the place of the config file itself"),
];

#[test]
fn every_variable_is_listed() {
    let source = include_str!("../../src/env.rs");
    let quoted = source.split('"').filter(|part| part.starts_with("LLM_ROUTER_"));
    for name in quoted {
        assert!(VARIABLES.iter().any(|(listed, _)| *listed == name), "{name} is listed");
    }
}

#[test]
fn the_reference_is_fresh() {
    let fresh = reference(&router_config::schema::json_schema());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::create_dir_all(std::path::Path::new(PATH).parent().unwrap()).unwrap();
        std::fs::write(PATH, &fresh).unwrap();
    }
    let published = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(published == fresh, "run the tests of router-config with UPDATE_SCHEMA=1 and commit");
}

#[test]
fn every_setting_is_described() {
    let schema = router_config::schema::json_schema();
    let defs = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for (key, property) in defs.flat_map(|def| def["properties"].as_object().unwrap()) {
        let text = property["description"].as_str().unwrap_or_default();
        assert!(text.ends_with('.'), "`{key}` is described in a sentence: {text:?}");
    }
}

fn reference(schema: &Value) -> String {
    let mut out = HEAD.to_owned();
    let mut queue = vec![(String::new(), schema.clone())];
    let mut done: Vec<String> = Vec::new();
    while !queue.is_empty() {
        let (path, section) = queue.remove(0);
        let mut below = Vec::new();
        let title = if path.is_empty() { "The document".to_owned() } else { format!("`{path}`") };
        let text = one_line(&section["description"]);
        write!(out, "## {title}\n\n{text}\n\n| key | value | meaning |\n|---|---|---|\n").unwrap();
        for (key, property) in section["properties"].as_object().unwrap() {
            let kind = kind(property);
            writeln!(out, "| `{key}` | {} | {} |", kind.text, one_line(&property["description"]))
                .unwrap();
            if let Some(name) = kind.object
                && !done.contains(&name)
            {
                let dot = if path.is_empty() { "" } else { "." };
                below.push((
                    format!("{path}{dot}{key}{}", kind.suffix),
                    schema["$defs"][&name].clone(),
                ));
                done.push(name);
            }
        }
        out.push('\n');
        queue.splice(0..0, below);
    }
    out.push_str("## Environment variables\n\nThey go over the document. A value that is not understood is reported and has no effect.\n\n");
    out.push_str("| variable | goes over |\n|---|---|\n");
    for (name, meaning) in VARIABLES {
        writeln!(out, "| `{name}` | {meaning} |").unwrap();
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// What a setting takes.
struct Kind {
    text: String,
    /// The section it leads to.
    object: Option<String>,
    /// What follows the key in the path of that section.
    suffix: &'static str,
}

fn kind(property: &Value) -> Kind {
    let plain = |text: &str| Kind { text: text.to_owned(), object: None, suffix: "" };
    if let Some(name) = property["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return Kind { text: "object".to_owned(), object: Some(name.to_owned()), suffix: "" };
    }
    if let Some(values) = property["additionalProperties"].as_object() {
        let inner = kind(&Value::Object(values.clone()));
        return Kind { text: format!("object of {}", inner.text), suffix: ".*", ..inner };
    }
    if let Some(any) = property["anyOf"].as_array() {
        let list = any.iter().find(|each| each["type"] == "array");
        if let Some(list) = list {
            let inner = kind(&list["items"]);
            return Kind { text: format!("list of {}", inner.text), suffix: "[]", ..inner };
        }
        let others: Vec<Kind> =
            any.iter().filter(|each| each["type"] != "null").map(kind).collect();
        let text = others.iter().map(|each| each.text.as_str()).collect::<Vec<_>>().join(" or ");
        let with_object = others.into_iter().find(|each| each.object.is_some());
        return with_object
            .map_or_else(|| plain(&text), |kind| Kind { text: text.clone(), ..kind });
    }
    let name = |kind: &Value| match kind.as_str() {
        Some("string") => Some("text"),
        Some("integer" | "number") => Some("number"),
        Some("boolean") => Some("`true`/`false`"),
        Some("object") => Some("object"),
        _ => None,
    };
    let kinds = match &property["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(name).collect::<Vec<_>>(),
        only => name(only).into_iter().collect(),
    };
    if kinds.is_empty() { plain("any") } else { plain(&kinds.join(" or ")) }
}

fn one_line(text: &Value) -> String {
    text.as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}
