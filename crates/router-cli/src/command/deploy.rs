//! `llm-router deploy`: the router on Cloudflare Workers.

use std::path::Path;

use router_client::Client;
use router_config::{Secret, find_secret};
use router_deploy::{Account, Api, Module, Payload, Project, Store, choose_account};
use router_operator::operate::{key, weakness};

use super::edit::secret;
use crate::args::deploy::{CheckFlags, ConfigStore, Deploy, DeployCommand, KeyFlags, Place};
use crate::cx::Cx;
use crate::outcome::{Failure, Kind, Outcome};

mod manage;
mod show;
mod up;
pub(crate) mod worker_key;

/// Characters of a Worker's name at most.
const NAME_CHARS_MAX: usize = 63;

pub(crate) fn run(cx: &Cx, flags: &Deploy) -> Result<Outcome, Failure> {
    let runtime = runtime()?;
    // It takes its tail down itself when it is interrupted.
    if let Some(DeployCommand::Logs(flags)) = &flags.command {
        return runtime.block_on(manage::logs(cx, flags));
    }
    runtime.block_on(interruptible(async {
        match &flags.command {
            None | Some(DeployCommand::Logs(_)) => up::run(cx, &flags.up).await,
            Some(DeployCommand::Status(place)) => manage::status(cx, place).await,
            Some(DeployCommand::Diff(flags)) => manage::diff(cx, flags).await,
            Some(DeployCommand::Rollback(flags)) => manage::rollback(cx, flags).await,
            Some(DeployCommand::Delete(flags)) => manage::delete(cx, flags).await,
        }
    }))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))
}

/// A command that Ctrl-C ends.
async fn interruptible(
    command: impl Future<Output = Result<Outcome, Failure>>,
) -> Result<Outcome, Failure> {
    tokio::select! {
        done = command => done,
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::new(Kind::Interrupted, "interrupted").hint(
                "what was sent before stays; the same command continues where this one stopped",
            ))
        }
    }
}

/// Which Worker a command is about.
struct Subject {
    project: Project,
    name: String,
}

impl Subject {
    fn new(place: &Place) -> Result<Self, Failure> {
        let project = Project::read(&place.project_dir, place.env.as_deref())?;
        let name = match place.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => project.name.clone(),
        };
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if !name.chars().all(good) || name.len() > NAME_CHARS_MAX {
            return Err(Failure::input(format!("`{name}` cannot be the name of a Worker"))
                .hint("use up to 63 lower-case letters, digits and dashes"));
        }
        Ok(Self { project, name })
    }

    /// The account that was named, by flag, environment or file.
    fn account(&self, place: &Place) -> Option<String> {
        let given = |text: &String| !text.trim().is_empty();
        let flag = place.account_id.clone().filter(given);
        let env = || std::env::var("CLOUDFLARE_ACCOUNT_ID").ok().filter(given);
        flag.or_else(env).or_else(|| self.project.account_id.clone())
    }

    /// Signs in: a checked token and the account.
    async fn session(&self, cx: &Cx, place: &Place) -> Result<Session, Failure> {
        let client = client()?;
        let wanted = self.account(place);
        let base = place.api_url.clone().or_else(|| std::env::var("CLOUDFLARE_API_BASE_URL").ok());
        let api = Api::new(client.clone(), base.as_deref(), token(cx, place)?)?;
        api.verify_token(wanted.as_deref()).await?;
        let accounts = api.accounts().await?;
        let account = choose_account(&accounts, wanted.as_deref())?;
        Ok(Session { api, client, account })
    }
}

/// A way into an account.
struct Session {
    api: Api,
    client: Client,
    account: Account,
}

fn client() -> Result<Client, Failure> {
    Client::new().map_err(|error| Failure::failed(error.to_string()))
}

/// The API token: flag, `CLOUDFLARE_API_TOKEN`, `CF_API_TOKEN`.
fn token(cx: &Cx, place: &Place) -> Result<Secret, Failure> {
    if let Some(text) = &place.api_token {
        return given_secret(cx, "--api-token", text);
    }
    let given = |name: &&str| std::env::var(name).is_ok_and(|text| !text.trim().is_empty());
    let name = ["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN"].into_iter().find(given);
    name.and_then(|name| std::env::var(name).ok()).map(|text| Secret::new(text.trim())).ok_or_else(
        || {
            Failure::input("there is no Cloudflare API token").hint(
                "make one from the template \"Edit Cloudflare Workers\", with read access to \
                 memberships and user details, at https://dash.cloudflare.com/profile/api-tokens; \
                 then set CLOUDFLARE_API_TOKEN, or pass it with --api-token -",
            )
        },
    )
}

/// A secret of the command line, looked up where it says it is.
fn given_secret(cx: &Cx, flag: &str, text: &str) -> Result<Secret, Failure> {
    let text = secret(cx, flag, text)?;
    let found = find_secret(&text, &router_secret::Host)
        .map_err(|missing| Failure::input(format!("{flag}: {missing}")))?;
    found.ok_or_else(|| Failure::input(format!("{flag} is empty")))
}

/// The config made ready for a Worker.
fn payload(cx: &Cx, store: ConfigStore) -> Result<Payload, Failure> {
    let path = cx.config_path()?;
    let text = router_secret::read_text(&path).map_err(|error| {
        Failure::input(format!("cannot read the config file {}: {error}", path.display()))
            .hint("name it with --config FILE")
    })?;
    let store = match store {
        ConfigStore::Secrets => Store::Secrets,
        ConfigStore::Kv => Store::Kv,
    };
    Payload::build(&text, &router_secret::Host, store)
}

/// The code: of the folder that was named, or what this program carries.
fn module(folder: Option<&Path>) -> Result<Module, Failure> {
    if let Some(folder) = folder {
        return Module::read(folder);
    }
    let carried = Module::embedded().ok_or_else(|| {
        Failure::input("this build of llm-router carries no Worker").hint(
            "use a release, or build the Worker with `cargo x worker` and name its folder: \
             --module target/worker",
        )
    });
    carried?
}

/// A key that flags ask to be made, or give.
fn wanted_key(cx: &Cx, flags: &KeyFlags) -> Result<Option<Secret>, Failure> {
    if flags.generate_master_key == Some(true) && flags.master_key.is_none() {
        return made_key(flags).map(Some);
    }
    flags.master_key.as_deref().map(|text| given_secret(cx, "--master-key", text)).transpose()
}

fn made_key(flags: &KeyFlags) -> Result<Secret, Failure> {
    let length = flags.master_key_length.unwrap_or(key::LENGTH);
    let prefix = flags.master_key_prefix.as_deref().unwrap_or(key::PREFIX);
    key::generate(length, prefix).map(Secret::new)
}

/// Refuses a weak key, unless the operator wants it.
fn check_strength(cx: &Cx, flags: &KeyFlags, key: &Secret) -> Result<(), Failure> {
    let Some(why) = weakness(key.expose()) else { return Ok(()) };
    if flags.allow_weak_master_key == Some(true) {
        return Ok(());
    }
    let what = format!("the master key is weak: {why}");
    if cx.may_ask {
        crate::output::note(&what);
        return cx.confirm("Use it all the same?");
    }
    Err(Failure::input(what)
        .hint("--generate-master-key makes a strong one; --allow-weak-master-key takes this one"))
}

/// Refuses a file for a made key that could not be written, before anything is asked or sent.
fn check_save_key(flags: &KeyFlags, is_made: bool) -> Result<(), Failure> {
    let Some(file) = &flags.save_key else { return Ok(()) };
    if !is_made {
        return Err(Failure::input("--save-key has nothing to save: no key is made")
            .hint("--generate-master-key makes one"));
    }
    if file.exists() {
        return Err(Failure::input(format!("{} exists", file.display()))
            .hint("--save-key never replaces a file"));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Failure::input(format!("there is no folder for {}", file.display()))
            .hint("make it first, or name another file"));
    }
    Ok(())
}

/// Writes a made key where the operator wants it, before anything depends on it.
fn save_key(flags: &KeyFlags, key: &Secret) -> Result<(), Failure> {
    check_save_key(flags, true)?;
    let Some(file) = &flags.save_key else { return Ok(()) };
    router_deploy::write_private(file, format!("{}\n", key.expose()).as_bytes())
}

/// Headers of the check, with their secrets looked up.
fn check_headers(cx: &Cx, flags: &CheckFlags) -> Result<Vec<(String, Secret)>, Failure> {
    let mut headers = Vec::new();
    for text in &flags.check_header {
        let (name, value) = text.split_once(':').ok_or_else(|| {
            Failure::input("--check-header without a colon").hint("write `NAME: env:VARIABLE`")
        })?;
        headers.push((name.trim().to_owned(), given_secret(cx, "--check-header", value)?));
    }
    Ok(headers)
}
