//! What the commands do: one file each.

use crate::args::Command;
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};

mod ai_help;
mod alias;
mod client;
mod completions;
mod config;
mod config_of;
mod default;
mod deploy;
mod doctor;
mod edit;
mod editor;
mod explain;
mod far;
mod hidden;
mod import;
mod instances;
mod key;
mod limit;
mod list;
mod model;
mod models;
mod overview;
mod probe;
mod progress;
mod provider;
mod put;
mod records;
mod secret;
mod service;
mod setup;
mod simulate;
mod start;
mod test;
mod update;
mod validate;

/// Runs the command that was typed.
pub(crate) fn run(cx: &Cx, command: Option<Command>) -> Result<Outcome, Failure> {
    let Some(command) = command else {
        return if cx.is_terminal { overview::run(cx) } else { list::run(cx) };
    };
    match command {
        Command::Start(flags) => start::run(cx, &flags),
        Command::Stop(flags) => instances::stop(&flags),
        Command::Reload(flags) => instances::reload(&flags),
        Command::Status(which) => instances::status(&which),
        Command::Logs(flags) => instances::logs(cx, &flags),
        Command::Service(flags) => service::run(cx, flags.command),
        Command::Update(flags) => update::run(cx, &flags),
        Command::Setup(flags) => setup::run(cx, &flags),
        Command::AiHelp(flags) => ai_help::run(cx, &flags),
        Command::List => list::run(cx),
        Command::Provider(flags) => provider::run(cx, flags.command),
        Command::Model(flags) => model::run(cx, flags.command),
        Command::Alias(flags) => alias::run(cx, flags.command),
        Command::Limit(flags) => limit::run(cx, flags.command),
        Command::Key(flags) => key::run(cx, flags.command),
        Command::Default(flags) => default::run(cx, flags),
        Command::Config(flags) => config::run(cx, *flags),
        Command::Secret(flags) => secret::run(cx, &flags.command),
        Command::Doctor => doctor::run(cx),
        Command::Deploy(flags) => deploy::run(cx, &flags),
        Command::WorkerKey(flags) => deploy::worker_key::run(cx, &flags),
        Command::Import(flags) => import::run(cx, &flags),
        Command::Validate => validate::run(cx),
        Command::Schema => {
            let schema = router_config::schema::json_schema();
            Ok(Outcome::new(format!("{schema:#}"), schema))
        }
        Command::Explain(flags) => explain::run(cx, flags),
        Command::Simulate(flags) => simulate::run(cx, &flags),
        Command::Records(flags) => records::run(cx, &flags),
        Command::Completions(flags) => completions::run(&flags),
        Command::Man(flags) => completions::man(&flags),
    }
}
