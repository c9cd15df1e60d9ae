//! The command line, as typed.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use operate::{Explain, Simulate};

mod operate;

/// One address for many LLM providers.
#[derive(Debug, Parser)]
#[command(name = "llm-router", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the router until it is told to stop.
    Start(Start),
    /// Check a config file and report every problem in it.
    Validate(Validate),
    /// Print the JSON Schema of the config file.
    Schema,
    /// Say where a request would go now, and why.
    Explain(Explain),
    /// Say what recorded or made-up traffic would do with a config.
    Simulate(Simulate),
    /// Read the records of finished exchanges. They hold no prompt and no answer.
    Records(Records),
}

#[derive(Args, Debug)]
pub(crate) struct Records {
    #[command(subcommand)]
    pub(crate) command: RecordsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordsCommand {
    /// Print them as JSON lines, oldest first.
    Export(RecordsExport),
}

#[derive(Args, Debug)]
pub(crate) struct RecordsExport {
    #[command(flatten)]
    pub(crate) config: ConfigPath,
    /// The file of records [default: the one the config names].
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Only exchanges since then: a moment such as `2026-03-01T12:00:00Z`, or how long ago, such
    /// as `90m`, `12h` or `7d`.
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Only the latest so many.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
}

/// Flags of `start`. What is not given comes from the environment, then from the config file.
#[derive(Args, Debug)]
pub(crate) struct Start {
    #[command(flatten)]
    pub(crate) config: ConfigPath,
    /// Address to listen on [default: 127.0.0.1].
    #[arg(long, env = "LLM_ROUTER_HOST", value_name = "ADDRESS", value_parser = host)]
    pub(crate) host: Option<IpAddr>,
    /// Port to listen on; 0 picks a free one [default: 8787].
    #[arg(long, env = "LLM_ROUTER_PORT")]
    pub(crate) port: Option<u16>,
    /// Apply changes of the config file while running [default: true].
    #[arg(long, alias = "watchConfig", env = "LLM_ROUTER_WATCH_CONFIG", value_name = "BOOL",
          num_args = 0..=1, default_missing_value = "true", value_parser = boolean)]
    pub(crate) watch_config: Option<bool>,
    /// Accept only clients that present the master key.
    #[arg(long, alias = "requireAuth", env = "LLM_ROUTER_REQUIRE_AUTH", value_name = "BOOL",
          num_args = 0..=1, default_missing_value = "true", value_parser = boolean)]
    pub(crate) require_auth: Option<bool>,
    /// Serve other machines although no master key is configured: anyone who can reach the
    /// address spends on your accounts.
    #[arg(long)]
    pub(crate) allow_unauthenticated: bool,
    /// Run with the built-in demo provider instead of a config file. Nothing leaves this machine.
    #[arg(long, conflicts_with = "path")]
    pub(crate) demo: bool,
    /// How much to log: error, warn, info, debug, trace, or a tracing filter.
    #[arg(long, env = "LLM_ROUTER_LOG", value_name = "LEVEL", default_value = "info")]
    pub(crate) log: String,
    /// How to log: `text` for people, `json` for programs.
    #[arg(long, env = "LLM_ROUTER_LOG_FORMAT", value_name = "FORMAT", default_value = "text",
          value_parser = ["text", "json"])]
    pub(crate) log_format: String,
}

#[derive(Args, Debug)]
pub(crate) struct Validate {
    #[command(flatten)]
    pub(crate) config: ConfigPath,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which config file.
#[derive(Args, Debug)]
pub(crate) struct ConfigPath {
    /// The config file [default: .llm-router.json in the home directory].
    #[arg(
        long = "config",
        id = "path",
        alias = "configPath",
        env = "LLM_ROUTER_CONFIG",
        value_name = "FILE"
    )]
    pub(crate) path: Option<PathBuf>,
}

impl ConfigPath {
    /// The file to read; `None` if there is no home directory to look in.
    pub(crate) fn resolve(&self) -> Option<PathBuf> {
        let default = || std::env::home_dir().map(|home| home.join(".llm-router.json"));
        self.path.clone().filter(|path| !path.as_os_str().is_empty()).or_else(default)
    }
}

/// The spellings of yes and no that the documented flags and variables accept.
fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" => Ok(true),
        "0" | "false" | "no" | "n" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// An IP address, or `localhost`.
fn host(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::from([127, 0, 0, 1]));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| "expected an IP address or localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(flags: &[&str]) -> Result<Start, clap::Error> {
        let line = ["llm-router", "start"].iter().chain(flags);
        Arguments::try_parse_from(line).map(|arguments| match arguments.command {
            Command::Start(start) => start,
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
    fn bad_values_are_refused() {
        assert!(start(&["--port=80abc"]).is_err());
        assert!(start(&["--watch-config=maybe"]).is_err());
        assert!(start(&["--host=example.com"]).is_err());
        assert!(start(&["--demo", "--config=x"]).is_err());
        assert!(start(&["--prot=1"]).is_err());
    }
}
