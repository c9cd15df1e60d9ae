//! Which crate may know which: an arrow only goes down a layer.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell::output;

/// Every allowed edge; adding one is a decision that a reviewer sees here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("router-wire", &[]),
    ("router-core", &["router-wire"]),
    ("router-config", &["router-core", "router-wire"]),
    ("router-store", &["router-core", "router-wire"]),
    ("router-client", &[]),
    ("router-secret", &["router-config"]),
    (
        "router-server",
        &[
            "router-client",
            "router-config",
            "router-core",
            "router-drive",
            "router-secret",
            "router-store",
            "router-wire",
        ],
    ),
    (
        "router-operator",
        &[
            "router-client",
            "router-config",
            "router-core",
            "router-secret",
            "router-store",
            "router-wire",
        ],
    ),
    ("router-deploy", &["router-client", "router-config", "router-operator"]),
    ("router-drive", &["router-config", "router-core", "router-wire"]),
    ("router-worker", &["router-config", "router-core", "router-drive", "router-wire"]),
    ("router-demo", &[]),
    (
        "router-cli",
        &[
            "router-client",
            "router-config",
            "router-core",
            "router-demo",
            "router-deploy",
            "router-operator",
            "router-secret",
            "router-server",
            "router-store",
            "router-wire",
        ],
    ),
    ("router-e2e", &["router-demo"]),
    ("router-bench", &["router-wire"]),
    ("xtask", &["router-config"]),
];

/// Compares the workspace's real edges with the allowed ones.
pub(crate) fn run() -> Result<()> {
    let printed = output("cargo", &["metadata", "--format-version", "1", "--no-deps", "--locked"])?;
    let metadata: Value = serde_json::from_str(&printed)?;
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut problems = Vec::new();
    for package in metadata.get("packages").and_then(Value::as_array).context("no packages")? {
        let name = text(package, "name");
        let Some(below) = allowed.get(name) else {
            problems.push(format!("{name}: not in the list of allowed edges"));
            continue;
        };
        for dependency in
            package.get("dependencies").and_then(Value::as_array).into_iter().flatten()
        {
            let to = text(dependency, "name");
            let ours = !text(dependency, "path").is_empty();
            // Tests may use the scripted provider; it is no layer.
            let for_tests = text(dependency, "kind") == "dev" && to == "router-demo";
            if ours && !for_tests && !below.contains(&to) {
                problems.push(format!("{name} -> {to}: not an allowed edge"));
            }
        }
    }
    if !problems.is_empty() {
        bail!("layers:\n  {}", problems.join("\n  "));
    }
    Ok(())
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
