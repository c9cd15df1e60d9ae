//! `llm-router setup TOOL`: a coding tool's settings are made to use the router.

use std::path::PathBuf;

use router_client::Client;
use router_config::{Config, Secret};
use router_operator::instance::{Instance, Instances};
use router_operator::tools::{
    self, Models, Places, Plan, Scope, Tool, ToolError, Wanted, check::Checked,
};
use router_server::reload::{self, Source};
use serde_json::{Value, json};

use super::start::config_failure;
use crate::args::setup::Setup;
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};
use crate::output::{BAD, FAINT, GOOD, styled};

/// Where a router is if nothing says otherwise.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8787";
/// What a tool presents to a router that asks for no key: tools insist on one.
const NO_KEY: &str = "none-needed";

pub(crate) fn run(cx: &Cx, flags: &Setup) -> Result<Outcome, Failure> {
    let (tool, places) = (flags.tool, places()?);
    let scope = if flags.project { Scope::Project } else { Scope::User };
    if flags.undo {
        let undone = tools::undo(tool, &places, scope).map_err(failure)?;
        let mut text = format!("{} is as it was before", tool.title());
        for (word, files) in [("restored", &undone.restored), ("removed", &undone.removed)] {
            for file in files {
                text += &format!("\n  {word} {}", file.display());
            }
        }
        let value =
            json!({ "tool": tool.name(), "restored": undone.restored, "removed": undone.removed });
        return Ok(Outcome::new(text, value));
    }
    let (wanted, running) = wanted(cx, flags)?;
    let plan = tools::plan(tool, &wanted, &places, scope).map_err(failure)?;
    let mut value = json!({
        "tool": tool.name(),
        "url": wanted.base,
        "model": wanted.models.main,
        "files": plan.edits.iter().map(|edit| &edit.path).collect::<Vec<_>>(),
        "steps": plan.steps,
        "notes": plan.notes,
        "written": false,
        "check": Value::Null,
    });
    if flags.dry_run {
        let key = wanted.key.expose();
        let diffs: Vec<_> = plan.edits.iter().map(|edit| edit.diff(key)).collect();
        let mut text = diffs.concat();
        if text.is_empty() && !plan.edits.is_empty() {
            "nothing would change".clone_into(&mut text);
        }
        push_steps(&mut text, &plan);
        put(&mut value, "diff", json!(diffs.concat()));
        return Ok(Outcome::new(text, value));
    }
    let mut text = String::new();
    if !plan.edits.is_empty() {
        let applied = tools::apply(&plan, tool, &places, scope).map_err(failure)?;
        let url = &wanted.base;
        text = format!("{} uses {url} now, with the model {}", tool.title(), wanted.models.main);
        applied
            .files
            .iter()
            .for_each(|file| text.push_str(&format!("\n  wrote {}", file.display())));
        let undo = if flags.project { " --project" } else { "" };
        let undo = format!("llm-router setup {}{undo} --undo", tool.name());
        text.push_str(&format!("\n  {}", styled(FAINT, format!("to take it back: {undo}"))));
        put(&mut value, "written", json!(true));
        put(&mut value, "record", json!(applied.record));
    }
    push_steps(&mut text, &plan);
    if flags.no_check {
        return Ok(Outcome::new(text, value));
    }
    if !running && flags.url.is_none() {
        text.push_str("\nno router is running; start it with `llm-router start --background`");
        return Ok(Outcome::new(text, value));
    }
    let checked = check(tool, &wanted)?;
    put(&mut value, "check", check_value(&checked));
    let Some(problem) = &checked.problem else {
        let fine = styled(GOOD, format!("{} answers", checked.endpoint));
        return Ok(Outcome::new(format!("{text}\n{fine}"), value));
    };
    let bad =
        styled(BAD, format!("{} does not answer as the tool needs: {problem}", checked.endpoint));
    let kind = if checked.status.is_some() { Kind::Failed } else { Kind::Unreachable };
    Ok(Outcome::new(format!("{text}\n{bad}"), value).bad_news(kind))
}

fn put(value: &mut Value, key: &str, part: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), part);
    }
}

fn push_steps(text: &mut String, plan: &Plan) {
    if !plan.steps.is_empty() {
        text.push_str(if text.is_empty() {
            "what is to be done:"
        } else {
            "\nwhat is left to do:"
        });
    }
    for (number, step) in (1..).zip(&plan.steps) {
        text.push_str(&format!("\n  {number}. {step}"));
    }
    for note in &plan.notes {
        text.push_str(&format!("\nnote: {note}"));
    }
}

fn check(tool: Tool, wanted: &Wanted) -> Result<Checked, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let client = Client::new().map_err(|error| Failure::failed(error.to_string()))?;
    Ok(runtime.block_on(tools::check::check(&client, tool.endpoint(), wanted)))
}

fn check_value(checked: &Checked) -> Value {
    json!({
        "endpoint": checked.endpoint,
        "fine": checked.is_fine(),
        "status": checked.status,
        "problem": checked.problem,
    })
}

fn places() -> Result<Places, Failure> {
    let home = std::env::home_dir();
    let home = home.ok_or_else(|| Failure::input("there is no home directory"))?;
    let project = std::env::current_dir();
    let project = project.map_err(|error| Failure::failed(format!("where is this? {error}")))?;
    Ok(Places { home, project, variables: |name| std::env::var(name).ok() })
}

/// What the tool is to be told, and whether a router runs that it is told of.
fn wanted(cx: &Cx, flags: &Setup) -> Result<(Wanted, bool), Failure> {
    let path = cx.config_path()?;
    let running = serving(&path);
    let loaded = reload::load(&Source::File(path));
    let config = match loaded {
        Ok((config, ..)) => config,
        Err(error) => return Err(config_failure(&error)),
    };
    let base = match (&flags.url, &running) {
        (Some(url), _) => checked_url(url)?,
        (None, Some(instance)) => instance.url(),
        (None, None) => configured(&config),
    };
    let key = config.master_key.clone().unwrap_or_else(|| Secret::new(NO_KEY.to_owned()));
    let models = models(&config, flags)?;
    Ok((Wanted { base, key, models }, running.is_some()))
}

/// The running router that has this config in force.
pub(crate) fn serving(path: &std::path::Path) -> Option<Instance> {
    let home = std::env::home_dir()?;
    let path = std::path::absolute(path).ok()?;
    let live = Instances::new(&home).live();
    live.into_iter().find(|each| each.facts.config_path.as_ref() == Some(&path))
}

/// Where the router will be once it runs.
pub(crate) fn configured(config: &Config) -> String {
    let host = config.server.host.trim();
    let host = match host {
        "0.0.0.0" | "localhost" => "127.0.0.1",
        "::" | "[::]" => "[::1]",
        host => host,
    };
    let host = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    format!("http://{host}:{}", config.server.port)
}

fn checked_url(url: &str) -> Result<String, Failure> {
    let url = url.trim().trim_end_matches('/');
    let url = url.strip_suffix("/v1").unwrap_or(url);
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(url.to_owned());
    }
    Err(Failure::input(format!("--url: `{url}` is not an address"))
        .hint("write it as `http://127.0.0.1:8787`"))
}

/// Every name a client can ask for, those that an operator made to be chosen first.
pub(crate) fn names(config: &Config) -> Vec<String> {
    let catalog = &config.catalog;
    let models = catalog.models().map(|model| catalog.name(model));
    catalog.aliases.keys().cloned().chain(models).collect()
}

fn models(config: &Config, flags: &Setup) -> Result<Models, Failure> {
    let offered = names(config);
    let known = |flag: &str, name: &Option<String>| -> Result<Option<String>, Failure> {
        let Some(name) = name else { return Ok(None) };
        // A router elsewhere may have other names.
        if flags.url.is_some() || offered.contains(name) {
            return Ok(Some(name.clone()));
        }
        let near =
            offered.iter().max_by(|a, b| strsim::jaro(a, name).total_cmp(&strsim::jaro(b, name)));
        let failure = Failure::input(format!("{flag}: the config has no model or alias `{name}`"));
        Err(match near {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure,
        })
    };
    let chosen = known("--model", &flags.model)?;
    let default = config.catalog.default_model.as_ref().map(ToString::to_string);
    let main = chosen.or(default).or_else(|| offered.first().cloned());
    let main = main.ok_or_else(|| {
        Failure::input("the config has no model yet").hint("`llm-router provider add` adds some")
    })?;
    Ok(Models {
        main,
        small: known("--small-model", &flags.small_model)?,
        opus: known("--opus", &flags.opus)?,
        sonnet: known("--sonnet", &flags.sonnet)?,
        haiku: known("--haiku", &flags.haiku)?,
        subagent: known("--subagent", &flags.subagent)?,
        offered,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn failure(error: ToolError) -> Failure {
    let message = error.to_string();
    match error {
        ToolError::Syntax { .. } => {
            Failure::failed(message).hint("nothing was changed; repair the file, then try again")
        }
        ToolError::NoProject(_) => Failure::input(message).hint("leave --project out"),
        ToolError::NotSetUp(_) => {
            Failure::failed(message).hint("settings of a project are undone with --project, there")
        }
        ToolError::Changed { .. } => {
            Failure::failed(message).hint("nothing was changed; take the router out by hand")
        }
        ToolError::File { .. } => Failure::failed(message),
    }
}

/// Where `~` can stand for the home directory.
pub(crate) fn short(path: &std::path::Path) -> String {
    let home: Option<PathBuf> = std::env::home_dir();
    match home.and_then(|home| path.strip_prefix(home).ok().map(PathBuf::from)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}
