//! What can be seen without asking anybody.

use std::io;
use std::path::Path;

use router_config::{Config, Lookup, StateBackend, parse};
use router_secret::{expand, exposed};
use router_store::{FileHealth, check_file};
use serde_json::Value;

use super::{Finding, Verdict};

/// Bytes that should be free where state and records are written.
const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// The variables that name a proxy.
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Whether the config file is there, and who else can read it.
pub(super) fn file(path: &Path, error: Option<&io::Error>) -> Vec<Finding> {
    let about = path.display().to_string();
    match error {
        Some(error) if error.kind() == io::ErrorKind::NotFound => {
            vec![
                Finding::new("config", about, Verdict::Broken, "there is no config file")
                    .fix("make one with `llm-router provider add`"),
            ]
        }
        Some(error) => {
            vec![
                Finding::new("config", about, Verdict::Broken, error.to_string())
                    .fix("let this user read it"),
            ]
        }
        None => vec![permissions(path)],
    }
}

/// Whether others can read a file with secrets.
fn permissions(path: &Path) -> Finding {
    let about = path.display().to_string();
    match exposed(path) {
        Ok(None) => Finding::new("permissions", about, Verdict::Good, "only its owner can read it"),
        Ok(Some(exposed)) => {
            Finding::new("permissions", about, Verdict::Warning, exposed.to_string())
                .fix(exposed.fix())
        }
        Err(error) => Finding::new("permissions", about, Verdict::Broken, error.to_string())
            .fix("put the file where the config says, or change the config"),
    }
}

/// The permissions of every secret file that the config refers to.
pub(super) fn secret_files(text: &str) -> Vec<Finding> {
    let mut paths = Vec::new();
    if let Ok(document) = parse::json(text) {
        references(&document, &mut paths);
    }
    paths.into_iter().map(|path| permissions(&expand(&path))).collect()
}

fn references(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            if let Some(path) = text.trim().strip_prefix("file:").map(str::trim)
                && !out.iter().any(|known| known == path)
            {
                out.push(path.to_owned());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, out)),
        Value::Object(members) => members.values().for_each(|member| references(member, out)),
        _ => {}
    }
}

/// Whether every credential is there.
pub(super) fn secrets(config: &Config) -> Vec<Finding> {
    let mut out = Vec::new();
    for upstream in &config.upstreams {
        for credential in &upstream.credentials {
            if let Some(missing) = &credential.missing {
                let about = format!("{} ({})", upstream.id, credential.label);
                out.push(Finding::new("secret", about, Verdict::Broken, missing.clone()).fix(
                    "set the variable, write the file, or `llm-router secret set NAME`; a service \
                     sees its own environment only",
                ));
            }
        }
    }
    if out.is_empty() {
        out.push(Finding::new("secret", "", Verdict::Good, "every credential was found"));
    }
    out
}

/// Which proxy requests go by.
pub(super) fn proxies(lookup: &dyn Lookup) -> Vec<Finding> {
    let set = |name: &&str| lookup.var(name).is_some_and(|value| !value.trim().is_empty());
    let named: Vec<&str> = PROXIES.iter().filter(|name| set(name)).copied().collect();
    if named.is_empty() {
        return vec![Finding::new(
            "proxy",
            "",
            Verdict::Good,
            "none: providers are reached directly",
        )];
    }
    let direct = ["NO_PROXY", "no_proxy"].iter().find_map(|name| lookup.var(name));
    let direct = direct.unwrap_or_default();
    let spares =
        |host: &str| direct.split(',').any(|each| each.trim() == host || each.trim() == "*");
    let message = format!("providers are reached by the proxy of {}", named.join(", "));
    let finding = Finding::new("proxy", "", Verdict::Good, message);
    if spares("localhost") && spares("127.0.0.1") {
        return vec![finding];
    }
    let message = "NO_PROXY does not spare this machine: the router itself reaches it directly, \
                   but other programs may send their requests for the router to the proxy";
    let fix = "set NO_PROXY=localhost,127.0.0.1,::1 for the programs that use the router";
    vec![finding, Finding::new("proxy", "NO_PROXY", Verdict::Warning, message).fix(fix)]
}

/// The files of state and records, and the room where they are.
pub(super) fn kept(config: &Config, home: Option<&Path>) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut folders: Vec<std::path::PathBuf> = Vec::new();
    let state = router_store::state_path(config.state.path.as_deref(), home);
    let state = state.filter(|_| config.state.backend == StateBackend::Sqlite);
    let records = config.telemetry.records.as_ref();
    let records = records.and_then(|it| router_store::records_path(it.path.as_deref(), home));
    for path in [state, records].into_iter().flatten() {
        out.push(stored(&path));
        let folder = path.ancestors().skip(1).find(|folder| folder.is_dir());
        let folder = folder.unwrap_or_else(|| Path::new(".")).to_owned();
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    out.extend(folders.iter().filter_map(|folder| room(folder)));
    out
}

fn stored(path: &Path) -> Finding {
    let about = path.display().to_string();
    match check_file(path) {
        FileHealth::Missing => {
            Finding::new("state", about, Verdict::Good, "not there yet; the router makes it")
        }
        FileHealth::Good { bytes } => {
            Finding::new("state", about, Verdict::Good, format!("consistent, {} KiB", bytes / 1024))
        }
        FileHealth::InUse => {
            Finding::new("state", about, Verdict::Good, "in use by a running router")
        }
        FileHealth::Damaged(why) => {
            Finding::new("state", about, Verdict::Broken, format!("damaged: {why}")).fix(
                "restart the router: it sets the file aside and begins a new one; only counts \
                 are lost",
            )
        }
        FileHealth::Unusable(why) => Finding::new("state", about, Verdict::Broken, why)
            .fix("let this user read and write it, or set state.path"),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is nothing to tell")]
fn room(folder: &Path) -> Option<Finding> {
    let about = folder.display().to_string();
    let stats = match rustix::fs::statvfs(folder) {
        Ok(stats) => stats,
        Err(error) => {
            return Some(Finding::new("disk", about, Verdict::Warning, error.to_string()));
        }
    };
    let free = stats.f_bavail.saturating_mul(stats.f_frsize);
    let message = format!("{} MiB free", free / (1024 * 1024));
    Some(if free < FREE_BYTES_MIN {
        Finding::new("disk", about, Verdict::Broken, message)
            .fix("free some space, or lower telemetry.records.maxBytes")
    } else {
        Finding::new("disk", about, Verdict::Good, message)
    })
}

/// Elsewhere the standard library does not tell.
#[cfg(not(unix))]
fn room(_: &Path) -> Option<Finding> {
    None
}
