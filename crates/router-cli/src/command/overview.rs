//! `llm-router` alone: what the config holds and what to do next.

use std::path::Path;

use router_secret::Host;
use router_server::{ConfigError, Source};
use serde_json::{Value, json};

use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};
use crate::output::{FAINT, STRONG, styled};

/// Says in which state the config is, and names the commands that lead on.
pub(crate) fn run(cx: &Cx) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    let (state, next) = match Source::File(path.clone()).read() {
        Ok(text) => state(&text),
        Err(ConfigError::Unreadable { error, .. })
            if error.kind() == std::io::ErrorKind::NotFound =>
        {
            ("none yet".to_owned(), FIRST)
        }
        Err(error) => (error.to_string(), CHECK),
    };
    let next_json: Vec<Value> =
        next.iter().map(|(command, why)| json!({ "command": command, "does": why })).collect();
    let value = json!({ "path": path, "state": state, "next": next_json });
    Ok(Outcome::new(text(&path, &state, next), value))
}

type Next = &'static [(&'static str, &'static str)];

const FIRST: Next = &[
    ("llm-router provider add --preset openai --api-key env:OPENAI_API_KEY", "add a provider"),
    ("llm-router provider presets", "providers that are known already"),
    ("llm-router start --demo", "try the router without an account"),
    ("llm-router --help", "every command"),
];
const CHECK: Next = &[
    ("llm-router validate", "every problem of the config"),
    ("llm-router --help", "every command"),
];
const USE: Next = &[
    ("llm-router start", "serve clients"),
    ("llm-router list", "what the config holds"),
    ("llm-router explain", "where a request would go"),
    ("llm-router --help", "every command"),
];

fn state(text: &str) -> (String, Next) {
    match router_config::load(text, &Host).config {
        None => ("has errors".to_owned(), CHECK),
        Some(config) if config.catalog.providers.is_empty() => {
            ("has no provider yet".to_owned(), FIRST)
        }
        Some(config) => {
            let providers = config.catalog.providers.len();
            let models = config.catalog.models().count();
            let aliases = config.catalog.aliases.len();
            let counts = format!("{providers} provider(s), {models} model(s), {aliases} alias(es)");
            (counts, USE)
        }
    }
}

fn text(path: &Path, state: &str, next: Next) -> String {
    let title = format!("llm-router {}", env!("CARGO_PKG_VERSION"));
    let mut out =
        format!("{}\nconfig: {}\n        {state}\n", styled(STRONG, title), path.display());
    let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    for (command, why) in next {
        out.push_str(&format!("\n  {command:width$}  {}", styled(FAINT, why)));
    }
    out
}
