//! The command line, as typed: one file per group of commands.
#![expect(
    clippy::doc_markdown,
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "the comments are the help, the members are the flags"
)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use completions::{Completions, Man};
pub(crate) use look::{Explain, Records, RecordsCommand, RecordsExport, Simulate};
pub(crate) use start::Start;

pub(crate) mod client;
mod completions;
pub(crate) mod config;
pub(crate) mod deploy;
pub(crate) mod edit;
pub(crate) mod import;
mod look;
pub(crate) mod probe;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod setup;
pub(crate) mod start;

/// One address for many LLM providers.
#[derive(Debug, Parser)]
#[command(name = "llm-router", version, args_override_self = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed or refused, 2 bad input, 3 the config has \
errors, 4 cannot reach, 130 interrupted.";

/// Flags of every command.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The config file [default: LLM_ROUTER_CONFIG, else ~/.llm-router.json].
    #[arg(long, global = true, alias = "configPath", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document: the answer, or `{"error": …}`.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Answer every question with yes.
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
    /// Ask nothing, even in a terminal.
    #[arg(long, global = true, alias = "noInput")]
    pub(crate) no_input: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the router until it is told to stop.
    Start(Box<Start>),
    /// Stop a running router; requests under way may finish.
    Stop(process::Stop),
    /// Put the config file in force, or a new program, without a lost request.
    Reload(process::Reload),
    /// Show which routers run, and how they do.
    Status(process::Named),
    /// Print what a router logs.
    Logs(process::Logs),
    /// Have the system start the router.
    Service(process::Service),
    /// Say which version this is and how to upgrade it.
    Update(process::Update),
    /// Make a coding tool use the router.
    Setup(Box<setup::Setup>),
    /// Print a guide for agents that operate the router.
    AiHelp(setup::AiHelp),
    /// Show what the config holds, with secrets masked.
    List,
    /// Add, change and remove providers.
    Provider(Box<provider::Provider>),
    /// Add, change and remove models.
    Model(edit::Model),
    /// Add, change and remove aliases.
    Alias(edit::Alias),
    /// Add, change and remove buckets: caps on the use of a provider.
    Limit(edit::Limit),
    /// The master key and the keys of single clients: what clients present.
    Key(edit::Key),
    /// The default model: what a request without a model means.
    Default(edit::DefaultModel),
    /// The config file as a whole, and the older program's operations.
    Config(Box<config::Config>),
    /// Keep secrets in this machine's keychain.
    Secret(probe::Secret),
    /// Say what is wrong with this installation, and what mends it. Costs nothing.
    Doctor,
    /// Put the router on Cloudflare Workers, and look after it there.
    Deploy(Box<deploy::Deploy>),
    /// Set, replace and check the master key of a deployed Worker.
    WorkerKey(Box<deploy::WorkerKey>),
    /// Take over the settings of another program.
    Import(import::Import),
    /// Check a config file and report every problem in it.
    Validate,
    /// Print the JSON Schema of the config file.
    Schema,
    /// Say where a request would go now, and why.
    Explain(Explain),
    /// Say what recorded or made-up traffic would do with a config.
    Simulate(Simulate),
    /// Read the records of finished exchanges. They hold no prompt and no answer.
    Records(Records),
    /// Print what makes a shell complete the commands.
    Completions(Completions),
    /// Print the manual page of the program or of a command.
    Man(Man),
}

/// What was typed, with what the older program understood in another order brought into ours.
pub(crate) fn typed(mut arguments: Vec<OsString>) -> Vec<OsString> {
    // Its module's name could stand before a command.
    if arguments.get(1).is_some_and(|first| first == "router") {
        arguments.remove(1);
    }
    let is_operation = arguments.iter().skip(1).any(|each| {
        let text = each.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        matches!(name, "--operation" | "--op")
    });
    let first = arguments.get(1).map(|first| first.to_string_lossy().into_owned());
    match first.as_deref() {
        // `setup` was another name of `config`.
        Some("setup") if is_operation => {
            if let Some(command) = arguments.get_mut(1) {
                *command = "config".into();
            }
        }
        // Without a command, `config` was meant.
        Some(flag) if is_operation && flag.starts_with('-') => {
            arguments.insert(1, "config".into());
        }
        _ => {}
    }
    arguments
}

/// Reads the command line.
pub(crate) fn parse(typed: &[OsString]) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(typed)
}

/// The spellings of yes and no that the documented flags and variables accept.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" => Ok(true),
        "0" | "false" | "no" | "n" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// A sum of money.
pub(crate) fn dollars(text: &str) -> Result<f64, String> {
    let sum = text.trim().trim_start_matches('$').parse::<f64>().ok();
    let sum = sum.filter(|sum| sum.is_finite() && 0.0 < *sum);
    sum.ok_or_else(|| "expected US dollars, such as `20` or `2.50`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(flags: &[&str]) -> Result<Start, clap::Error> {
        let line = ["llm-router", "start"].iter().chain(flags);
        Arguments::try_parse_from(line).map(|arguments| match arguments.command {
            Some(Command::Start(start)) => *start,
            other => panic!("{other:?} is not start"),
        })
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn both_spellings_and_both_forms_of_a_flag_are_taken() {
        assert_eq!(start(&["--watch-config=false"]).unwrap().watch_config, Some(false));
        assert_eq!(start(&["--watchConfig", "no"]).unwrap().watch_config, Some(false));
        assert_eq!(start(&[]).unwrap().watch_config, None);
        assert_eq!(start(&["--requireAuth"]).unwrap().require_auth, Some(true));
        assert_eq!(start(&["--require-auth=0"]).unwrap().require_auth, Some(false));
        assert_eq!(start(&[]).unwrap().require_auth, None);
        assert_eq!(start(&["--host", "localhost"]).unwrap().host, Some([127, 0, 0, 1].into()));
    }

    #[test]
    fn a_global_flag_may_stand_on_either_side_of_the_command() {
        for line in [["x", "--json", "validate"], ["x", "validate", "--json"]] {
            assert!(Arguments::try_parse_from(line).unwrap().global.json);
        }
        let line = ["x", "--configPath=a", "validate", "--config=b"];
        let config = Arguments::try_parse_from(line).unwrap().global.config;
        assert_eq!(config, Some("b".into()), "the last one counts");
    }

    #[test]
    fn a_sum_of_money_is_more_than_nothing() {
        for (text, expect) in [("20", Some(20.0)), ("$2.50", Some(2.5)), ("0", None), ("-1", None)]
        {
            assert_eq!(dollars(text).ok(), expect, "{text}");
        }
        assert!(dollars("inf").is_err() && dollars("NaN").is_err() && dollars("few").is_err());
    }

    #[test]
    fn bad_values_are_refused() {
        assert!(start(&["--port=80abc"]).is_err());
        assert!(start(&["--watch-config=maybe"]).is_err());
        assert!(start(&["--host=example.com"]).is_err());
        assert!(start(&["--demo", "--config=x"]).is_err());
        assert!(start(&["--prot=1"]).is_err());
    }
}
