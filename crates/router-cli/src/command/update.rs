//! `llm-router update`: which version this is, whether there is a newer one, and getting it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use router_client::Client;
use router_operator::update::{self, Copy, Origin, Release, Swapped, UpdateError};
use serde_json::{Value, json};

use super::edit::file;
use crate::args::process::Update;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How long a starting router waits for the index of releases, beside its work.
const OFFER_PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(cx: &Cx, flags: &Update) -> Result<Outcome, Failure> {
    let failed = |error| Failure::failed(format!("where is this program? {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    if flags.rollback {
        let swapped = update::rollback(&program).map_err(failure)?;
        return Ok(told(&swapped, "brought back"));
    }
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let copy = update::copy(&program, cargo.as_deref());
    let Some(index) = index(cx)? else { return Ok(described(&copy, None)) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let client = Client::new().map_err(|error| Failure::failed(error.to_string()))?;
    let newest = runtime.block_on(update::newest(&client, &index)).map_err(failure)?;
    let is_newer = update::is_newer(&newest.version, VERSION);
    // What a package manager has put there is for that manager to replace.
    if flags.check || !is_newer || copy.origin != Origin::Release {
        return Ok(described(&copy, Some(&newest)));
    }
    cx.confirm(&format!("Replace {} by version {}?", copy.program.display(), newest.version))?;
    output::note(&format!("fetching version {}", newest.version));
    let new = runtime.block_on(update::download(&client, &newest)).map_err(failure)?;
    let swapped = update::swap(&copy.program, &new, &newest.version).map_err(failure)?;
    Ok(told(&swapped, "updated"))
}

/// The index that the config names, if there is a config that does. It need not be able to serve.
fn index(cx: &Cx) -> Result<Option<String>, Failure> {
    if cx.config_path().is_err() {
        return Ok(None);
    }
    let index = file(cx)?.update.and_then(|update| update.index);
    Ok(index.map(|index| index.trim().to_owned()).filter(|index| !index.is_empty()))
}

/// Says in the log that there is a newer version, where the config asks for that.
///
/// A router serves whether or not the index can be read: a thread of its own looks, nobody waits
/// for it, and it ends with the process.
pub(crate) fn offer(config: &router_config::Update) {
    let (true, Some(index)) = (config.check, config.index.clone()) else { return };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(look(&index));
        Ok::<_, std::io::Error>(())
    });
}

async fn look(index: &str) {
    let Ok(client) = Client::new() else { return };
    match tokio::time::timeout(OFFER_PATIENCE, update::newest(&client, index)).await {
        Ok(Ok(newest)) if update::is_newer(&newest.version, VERSION) => {
            tracing::info!(version = newest.version, "a newer version is there: llm-router update");
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "no newer version could be looked for"),
        Err(_) => tracing::warn!("no newer version could be looked for: the index is too slow"),
    }
}

fn described(copy: &Copy, newest: Option<&Release>) -> Outcome {
    let is_newer = newest.is_some_and(|newest| update::is_newer(&newest.version, VERSION));
    let mut text = format!("this is version {VERSION}, {}\n", copy.program.display());
    match newest {
        Some(newest) if is_newer => {
            text.push_str(&format!("there is version {}\n", newest.version));
        }
        Some(_) => text.push_str("there is no newer version\n"),
        None => {}
    }
    match (&copy.upgrade, newest) {
        (Some(command), _) => text.push_str(&format!("to upgrade: {command}")),
        (None, Some(_)) if is_newer => text.push_str("to upgrade: llm-router update"),
        (None, Some(_)) => {}
        (None, None) => text.push_str(
            "nobody's package: replace the file by hand, or name a release index in the config \
             (`update.index`) and run this again",
        ),
    }
    let value = json!({
        "version": VERSION,
        "program": copy.program,
        "origin": copy.origin.name(),
        "upgrade": copy.upgrade,
        "newest": newest.map(|newest| &newest.version),
        "newer": newest.map(|_| is_newer),
        "updated": false,
    });
    Outcome::new(text.trim_end(), value)
}

fn told(swapped: &Swapped, word: &str) -> Outcome {
    let Swapped { program, previous, version } = swapped;
    let text = format!(
        "{word}: {} is version {version} now; the one before is {}\nrunning routers hand over by \
         themselves (--watch-binary), or with `llm-router reload --binary`",
        program.display(),
        previous.display()
    );
    Outcome::new(text, swapped_value(program, previous, version))
}

fn swapped_value(program: &Path, previous: &Path, version: &str) -> Value {
    json!({ "program": program, "previous": previous, "version": version, "updated": true })
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn failure(error: UpdateError) -> Failure {
    let message = error.to_string();
    match error {
        UpdateError::Fetch { .. } => Failure::new(Kind::Unreachable, message),
        UpdateError::Address(_) => Failure::new(Kind::Input, message).hint("see `update.index`"),
        UpdateError::File { .. } => Failure::failed(message)
            .hint("the program is as it was; whoever owns the folder can update it (`sudo`)"),
        UpdateError::Digest { .. } => Failure::failed(message)
            .hint("the download was cut short, or somebody has changed the file: tell whoever runs the index"),
        _ => Failure::failed(message),
    }
}
