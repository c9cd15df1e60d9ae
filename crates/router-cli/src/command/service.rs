//! `llm-router service`: what the system starts.

use std::path::{Path, PathBuf};

use router_config::{Config, Lookup};
use router_operator::service::{self, CARRIED, Definition, Level, ServiceError, Status};
use router_secret::Host;
use router_server::reload::{self, Source};
use serde_json::json;

use super::start::config_failure;
use crate::args::process::{ServiceCommand, ServiceInstall, ServiceLevel};
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output;

pub(crate) fn run(cx: &Cx, command: ServiceCommand) -> Result<Outcome, Failure> {
    match command {
        ServiceCommand::Install(flags) => install(cx, &flags),
        ServiceCommand::Uninstall(level) => uninstall(cx, level),
        ServiceCommand::Status(level) => status(level),
        ServiceCommand::Restart(level) => restart(level),
    }
}

/// Installs the service after checking that it could serve.
pub(crate) fn install(cx: &Cx, flags: &ServiceInstall) -> Result<Outcome, Failure> {
    let path = std::path::absolute(cx.config_path()?);
    let path = path.map_err(|error| Failure::input(format!("--config: {error}")))?;
    let loaded = reload::load(&Source::File(path.clone()));
    let (config, ..) = loaded.map_err(|error| config_failure(&error))?;
    if flags.require_auth == Some(true) && config.master_key.is_none() {
        return Err(config_failure(&reload::ConfigError::NoKey));
    }
    cx.confirm("Install the router as a service and start it?")?;
    let definition = definition(&path, &config, flags)?;
    warn_of_variables(&path, &definition);
    let status = service::install(&definition).map_err(failure)?;
    if flags.level.system || status.manager != "systemd" || lingers() {
        return Ok(told("installed and started", &status));
    }
    output::note(
        "it runs while you are logged in; `loginctl enable-linger` keeps it running always",
    );
    Ok(told("installed and started", &status))
}

fn definition(path: &Path, config: &Config, flags: &ServiceInstall) -> Result<Definition, Failure> {
    let failed = |error| Failure::failed(format!("where is this program? {error}"));
    let program = match std::env::var_os("LLM_ROUTER_CLI_PATH").filter(|path| !path.is_empty()) {
        Some(program) => PathBuf::from(program),
        None => std::env::current_exe().map_err(failed)?,
    };
    let mut arguments = vec!["start".to_owned(), format!("--config={}", path.display())];
    arguments.extend(flags.host.map(|host| format!("--host={host}")));
    arguments.extend(flags.port.map(|port| format!("--port={port}")));
    for (name, value) in [
        ("watch-config", flags.watch_config),
        ("watch-binary", flags.watch_binary),
        ("require-auth", flags.require_auth),
    ] {
        arguments.extend(value.map(|value| format!("--{name}={value}")));
    }
    let environment = CARRIED.iter().filter_map(|name| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
        Some(((*name).to_owned(), value))
    });
    let level = level(flags.level);
    let sudoer = || std::env::var("SUDO_USER").ok();
    let user = (level == Level::System).then(|| flags.run_as.clone().or_else(sudoer)).flatten();
    let records = config.telemetry.records.as_ref().and_then(|records| records.path.as_ref());
    let home = home()?;
    let folders = config.state.path.as_ref().into_iter().chain(records).filter_map(|path| {
        let path = match path.strip_prefix("~/") {
            Some(rest) => home.join(rest),
            None => PathBuf::from(path),
        };
        path.parent().map(Path::to_path_buf)
    });
    let writes_to = folders.collect();
    Ok(Definition {
        level,
        program,
        arguments,
        environment: environment.collect(),
        home,
        user,
        writes_to,
    })
}

/// Remembers which variables a config asks for.
struct Asked(std::cell::RefCell<Vec<String>>);

impl Lookup for Asked {
    fn var(&self, name: &str) -> Option<String> {
        self.0.borrow_mut().push(name.to_owned());
        Host.var(name)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        Host.file(path)
    }

    fn keychain(&self, name: &str) -> Result<String, String> {
        Host.keychain(name)
    }
}

/// A service does not see the variables of a shell. Secrets among them are not copied for it.
fn warn_of_variables(path: &Path, definition: &Definition) {
    let Ok(text) = Source::File(path.to_owned()).read() else { return };
    let asked = Asked(std::cell::RefCell::default());
    let _ = router_config::load(&text, &asked);
    let names = asked.0.into_inner();
    let missing = names.iter().filter(|name| {
        Host.var(name).is_some()
            && !definition.environment.iter().any(|(known, _)| known == *name)
            && text.contains(&format!("env:{name}"))
    });
    let mut missing: Vec<_> = missing.map(String::as_str).collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        output::note(&format!(
            "the config reads {} from the environment, which a service does not share; use \
             `file:PATH` or `keychain:NAME` there instead",
            missing.join(", ")
        ));
    }
}

fn lingers() -> bool {
    let user = std::env::var("USER").unwrap_or_default();
    Path::new("/var/lib/systemd/linger").join(user).is_file()
}

/// Removes the service; that there was none is no failure, as before.
pub(crate) fn uninstall(cx: &Cx, flags: ServiceLevel) -> Result<Outcome, Failure> {
    cx.confirm("Stop the service and remove it?")?;
    let removed = service::uninstall(level(flags), &home()?).map_err(failure)?;
    let text = if removed { "the service is removed" } else { "there was no service" };
    Ok(Outcome::new(text, json!({ "removed": removed })))
}

pub(crate) fn status(flags: ServiceLevel) -> Result<Outcome, Failure> {
    let status = service::status(level(flags), &home()?).map_err(failure)?;
    let word = match (status.installed, status.running) {
        (_, true) => "running",
        (true, false) => "installed, not running",
        (false, false) => "not installed",
    };
    Ok(told(word, &status))
}

fn restart(flags: ServiceLevel) -> Result<Outcome, Failure> {
    let status = service::restart(level(flags), &home()?).map_err(failure)?;
    Ok(told("restarted", &status))
}

fn told(word: &str, status: &Status) -> Outcome {
    let Status { manager, service, .. } = status;
    let mut text = format!("{word}\n  manager  {manager}\n  service  {service}");
    if let Some(file) = &status.file {
        text.push_str(&format!("\n  file     {}", file.display()));
    }
    if let Some(detail) = &status.detail {
        text.push_str(&format!("\n  detail   {detail}"));
    }
    let value = json!({
        "manager": manager,
        "service": service,
        "installed": status.installed,
        "running": status.running,
        "file": status.file,
        "detail": status.detail,
    });
    Outcome::new(text, value)
}

const fn level(flags: ServiceLevel) -> Level {
    if flags.system { Level::System } else { Level::User }
}

fn home() -> Result<PathBuf, Failure> {
    std::env::home_dir().ok_or_else(|| Failure::input("there is no home directory"))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn failure(error: ServiceError) -> Failure {
    let message = error.to_string();
    match error {
        ServiceError::NoManager(_) => {
            Failure::failed(message).hint("`llm-router start --background` runs it without one")
        }
        ServiceError::NoUserLevel(_) | ServiceError::LineBreak(_) => {
            Failure::new(Kind::Input, message)
        }
        ServiceError::NotInstalled => {
            Failure::failed(message).hint("`llm-router service install` installs it")
        }
        ServiceError::Failed { .. } => Failure::failed(message).hint(
            "nothing was left behind; --system needs root, and a user's service a login session",
        ),
    }
}
