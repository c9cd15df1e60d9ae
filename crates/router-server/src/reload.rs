//! Reading the config file, and putting a new one in force while requests are under way.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use router_config::{Config, Diagnostic, Severity};
use router_secret::{Host, read_text};
use tokio::sync::Notify;

use crate::app::App;
use crate::watch::FileWatch;

/// Changes of a reloaded config named in the log.
const CHANGES_LOGGED_MAX: usize = 20;

/// Where the config comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, which may change.
    File(PathBuf),
    /// A text that stays, such as the built-in demo's.
    Text(String),
}

impl Source {
    /// The text of the config.
    pub fn read(&self) -> Result<String, ConfigError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => read_text(path)
                .map_err(|error| ConfigError::Unreadable { path: path.clone(), error }),
        }
    }
}

/// Why a config cannot be used.
#[derive(Debug)]
pub enum ConfigError {
    /// There is no such file, or it cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The document has errors.
    Invalid {
        /// All problems.
        diagnostics: Vec<Diagnostic>,
    },
    /// There is nothing to route to.
    NoProvider,
    /// Clients must present a key, and there is none.
    NoKey,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                write!(f, "cannot read the config file {}: {error}", path.display())
            }
            Self::Invalid { diagnostics } => {
                let errors = diagnostics.iter().filter(|each| each.severity == Severity::Error);
                writeln!(f, "the config has {} error(s)", errors.count())?;
                f.write_str(&router_config::render(diagnostics))
            }
            Self::NoProvider => f.write_str("the config has no enabled provider with a usable URL"),
            Self::NoKey => f.write_str(
                "clients must present a key, but neither masterKey nor clientKeys is configured",
            ),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Reads a config and checks that it can be served; the warnings come with it.
pub fn load(source: &Source) -> Result<(Config, Vec<Diagnostic>, String), ConfigError> {
    let text = source.read()?;
    let loaded = router_config::load(&text, &Host);
    let Some(config) = loaded.config else {
        return Err(ConfigError::Invalid { diagnostics: loaded.diagnostics });
    };
    if config.catalog.providers.is_empty() {
        return Err(ConfigError::NoProvider);
    }
    Ok((config, loaded.diagnostics, text))
}

/// Puts changes of the file in force until the server stops; `hangup` asks for a reload that does
/// not wait for one.
pub(crate) async fn follow(
    app: Arc<App>,
    source: Source,
    mut text: String,
    watched: bool,
    hangup: Arc<Notify>,
) {
    let debounce = app.snapshot().config.server.reload_debounce;
    let mut watch = match &source {
        Source::File(path) if watched => Some(FileWatch::new(path.clone(), debounce)),
        _ => None,
    };
    // What was already complained about; a file that stays bad is not reported again and again.
    let mut complained = None;
    loop {
        let asked = tokio::select! {
            () = changed(watch.as_mut()) => false,
            () = hangup.notified() => true,
        };
        let mut tried = put_in_force(&app, &source, &text, asked);
        if tried.is_err() && !asked {
            // Editors that do not rename may have written half of it.
            tokio::time::sleep(debounce).await;
            tried = put_in_force(&app, &source, &text, asked);
        }
        if !matches!(tried, Ok(None)) {
            app.telemetry.reloaded(tried.is_ok());
        }
        match tried {
            Ok(applied) => {
                text = applied.unwrap_or(text);
                complained = None;
            }
            Err(error) => complain(&mut complained, asked, &error),
        }
    }
}

/// Applies the config unless it is the one in force; returns its text if it was.
fn put_in_force(
    app: &App,
    source: &Source,
    in_force: &str,
    asked: bool,
) -> Result<Option<String>, ConfigError> {
    if !asked && source.read()? == in_force {
        return Ok(None);
    }
    apply(app, source).map(|applied| Some(applied.text))
}

async fn changed(watch: Option<&mut FileWatch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

fn complain(complained: &mut Option<String>, asked: bool, error: &ConfigError) {
    let message = error.to_string();
    if asked || complained.as_ref() != Some(&message) {
        tracing::error!("config not reloaded, the running one stays in force: {message}");
    }
    *complained = Some(message);
}

/// A config that was put in force.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The text of it.
    pub(crate) text: String,
    /// What is different now, a short sentence each.
    pub(crate) changes: Vec<String>,
    /// The problems it has all the same.
    pub(crate) problems: Vec<Diagnostic>,
}

/// Puts the config as it is now in force.
pub(crate) fn apply(app: &App, source: &Source) -> Result<Applied, ConfigError> {
    let (config, problems, text) = load(source)?;
    if app.lacks_key(&config) {
        return Err(ConfigError::NoKey);
    }
    report(&problems);
    let changes = router_config::diff(&app.snapshot().config, &config);
    let pending: Vec<_> =
        changes.iter().filter(|it| it.needs_restart).map(|it| &*it.what).collect();
    if !pending.is_empty() {
        tracing::warn!("changed, but only in force after a restart: {}", pending.join(", "));
    }
    let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
    let (providers, aliases) = (config.catalog.providers.len(), config.catalog.aliases.len());
    app.replace(config);
    let listed = changes.iter().take(CHANGES_LOGGED_MAX).map(String::as_str);
    let listed = listed.collect::<Vec<_>>().join("; ");
    tracing::info!(
        providers,
        aliases,
        changed = changes.len(),
        changes = listed,
        "config reloaded"
    );
    Ok(Applied { text, changes, problems })
}

/// Logs the warnings of a config that is in use all the same.
pub(crate) fn report(diagnostics: &[Diagnostic]) {
    if !diagnostics.is_empty() {
        tracing::warn!("the config has problems:\n{}", router_config::render(diagnostics));
    }
}
