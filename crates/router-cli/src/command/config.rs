//! `llm-router config`, and the older program's `--operation`.

use std::path::Path;

use router_operator::file::{ConfigFile, Direction};
use router_operator::operate::provider::Expect;
use router_operator::operate::{self, Done, alias, limit, model, provider};
use router_secret::Host;
use serde_json::{Map, json};

use super::edit::{apply, secret};
use super::put::Put;
use crate::args::config::{Config, ConfigCommand, Operation, OperationFlags};
use crate::args::edit::Edit;
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};

pub(crate) fn run(cx: &Cx, flags: Config) -> Result<Outcome, Failure> {
    match (flags.command, flags.operation) {
        (Some(_), Some(_)) => Err(Failure::input("--operation and a subcommand say two things")
            .hint("leave one of them out")),
        (Some(command), None) => subcommand(cx, &command),
        (None, Some(operation)) => self::operation(cx, operation, &flags.flags),
        (None, None) => super::list::run(cx),
    }
}

fn subcommand(cx: &Cx, command: &ConfigCommand) -> Result<Outcome, Failure> {
    match command {
        ConfigCommand::Show => super::list::run(cx),
        ConfigCommand::Undo(edit) => travel(cx, Direction::Back, *edit),
        ConfigCommand::Redo(edit) => travel(cx, Direction::Forth, *edit),
        ConfigCommand::Migrate(edit) => migrate(cx, 2, *edit),
        ConfigCommand::Path => {
            let path = cx.config_path()?;
            Ok(Outcome::new(path.display().to_string(), json!({ "path": path })))
        }
        ConfigCommand::Edit => super::editor::run(cx),
        ConfigCommand::Validate => super::validate::run(cx),
    }
}

fn travel(cx: &Cx, direction: Direction, edit: Edit) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    let saved = ConfigFile::new(&path, &Host).undo(direction, edit.dry_run)?;
    let message = match direction {
        Direction::Back => "the last edit is undone",
        Direction::Forth => "the undone edit is back",
    };
    let done = Done { message: message.to_owned(), ..Done::default() };
    Ok(super::edit::outcome(&done, &saved, edit.dry_run))
}

fn migrate(cx: &Cx, target: u64, edit: Edit) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    must_exist(&path)?;
    apply(cx, edit, |document| operate::migrate(document, target))
}

fn must_exist(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Ok(());
    }
    Err(Failure::input(format!("there is no config file {}", path.display()))
        .hint("name another one with --config FILE"))
}

/// One operation of the older program, by the same functions as the subcommands.
fn operation(cx: &Cx, operation: Operation, flags: &OperationFlags) -> Result<Outcome, Failure> {
    let edit = flags.edit;
    match operation {
        Operation::List => super::list::run(cx),
        Operation::Validate => super::validate::run(cx),
        Operation::StartupInstall => super::service::install(cx, &flags.service),
        Operation::StartupUninstall => super::service::uninstall(cx, flags.service.level),
        Operation::StartupStatus => super::service::status(flags.service.level),
        Operation::UpsertProvider => upsert_provider(cx, flags),
        Operation::RemoveProvider => {
            let id = needed(flags.provider_id.as_deref(), "--provider-id")?;
            cx.confirm(&format!("Remove provider `{id}` with its models?"))?;
            apply(cx, edit, |document| provider::remove(document, id, flags.cascade))
        }
        Operation::RemoveModel => {
            let name = model_name(flags)?;
            cx.confirm(&format!("Remove model `{name}`?"))?;
            apply(cx, edit, |document| model::remove(document, &name, flags.cascade))
        }
        Operation::SetModelFallbacks => {
            let name = model_name(flags)?;
            let cleared = (flags.clear_fallbacks == Some(true)).then_some("");
            let list = cleared.or(flags.fallback_models.as_deref());
            let list = list.ok_or_else(|| missing("--fallback-models or --clear-fallbacks"))?;
            apply(cx, edit, |document| model::set_fallbacks(document, &name, list))
        }
        Operation::UpsertModelAlias => {
            let id = needed(flags.alias_id.as_deref(), "--alias-id")?;
            let fields = super::alias::fields(&flags.alias)?;
            apply(cx, edit, |document| alias::put(document, id, &fields))
        }
        Operation::RemoveModelAlias => {
            let id = needed(flags.alias_id.as_deref(), "--alias-id")?;
            cx.confirm(&format!("Remove alias `{id}`?"))?;
            apply(cx, edit, |document| alias::remove(document, id, flags.cascade))
        }
        Operation::SetProviderRateLimits => set_limits(cx, flags),
        Operation::SetMasterKey => set_master_key(cx, flags),
        Operation::MigrateConfig => migrate(cx, flags.target_version.unwrap_or(2), edit),
    }
}

fn upsert_provider(cx: &Cx, flags: &OperationFlags) -> Result<Outcome, Failure> {
    let mut fields = super::provider::fields(cx, &flags.provider)?;
    fields.cascade = flags.cascade;
    let id = flags.provider_id.as_deref().filter(|id| !id.trim().is_empty());
    let given = flags.master_key.as_deref().filter(|key| !key.trim().is_empty());
    if flags.set_master_key == Some(true) && given.is_none() {
        return Err(missing("--master-key, which --set-master-key=true asks for"));
    }
    let master = given.map(|text| secret(cx, "--master-key", text)).transpose()?;
    let put = Put {
        id,
        fields,
        expect: Expect::Any,
        template: Map::new(),
        preset: None,
        master,
        asking: flags.asking,
        edit: flags.edit,
    };
    put.run(cx)
}

fn set_limits(cx: &Cx, flags: &OperationFlags) -> Result<Outcome, Failure> {
    let provider = needed(flags.provider_id.as_deref(), "--provider-id")?;
    let replace = flags.replace_rate_limits == Some(true);
    if flags.remove_bucket == Some(true) {
        let id = needed(flags.bucket_id.as_deref(), "--bucket-id")?;
        cx.confirm(&format!("Remove bucket `{id}` of provider `{provider}`?"))?;
        return apply(cx, flags.edit, |document| limit::remove(document, provider, id));
    }
    if let Some(text) = flags.rate_limits.as_deref() {
        let entries = operate::json_value("--rate-limits", text)?;
        return apply(cx, flags.edit, |document| {
            limit::put_all(document, provider, &entries, replace)
        });
    }
    // `--models` names the models of a bucket in this operation.
    let models = flags.provider.models.clone();
    let fields = super::limit::fields(&flags.bucket, flags.bucket_id.clone(), models);
    apply(cx, flags.edit, |document| limit::put(document, provider, &fields, replace))
}

fn set_master_key(cx: &Cx, flags: &OperationFlags) -> Result<Outcome, Failure> {
    let given = flags.master_key.as_deref().filter(|key| !key.trim().is_empty());
    match (given, flags.generate_master_key) {
        (Some(_), Some(true)) => {
            Err(Failure::input("--master-key and --generate-master-key say two things"))
        }
        (Some(text), _) => super::key::set(cx, text, flags.edit),
        (None, Some(true)) => super::key::generate(cx, &flags.generate, flags.edit),
        (None, _) => Err(missing("--master-key or --generate-master-key=true")),
    }
}

fn model_name(flags: &OperationFlags) -> Result<String, Failure> {
    let model = needed(flags.model.as_deref(), "--model")?;
    match flags.provider_id.as_deref().filter(|id| !id.trim().is_empty()) {
        Some(provider) => Ok(format!("{provider}/{model}")),
        None => Err(missing("--provider-id")),
    }
}

fn needed<'a>(text: Option<&'a str>, flag: &str) -> Result<&'a str, Failure> {
    text.map(str::trim).filter(|text| !text.is_empty()).ok_or_else(|| missing(flag))
}

fn missing(flag: &str) -> Failure {
    Failure::input(format!("this operation needs {flag}"))
        .hint("`llm-router config --help` shows the flags of each operation")
}
