//! Flags of the commands about running routers: instances, the service, updates.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use router_operator::instance::check_name;

/// Which running router.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The router's name; only needed if several run.
    #[arg(long, value_parser = check_name)]
    pub(crate) name: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub(crate) which: Named,
    /// Stop all of them.
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,
    /// How long requests under way may take, such as `5s` or `2m` [default: server.drainMs].
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) which: Named,
    /// Hand over to a new process instead, without a lost request; with a value, to one of that
    /// program.
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "the flag, and its value")]
    pub(crate) binary: Option<Option<PathBuf>>,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) which: Named,
    /// Go on with what comes.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// How many of the last lines to begin with.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 100)]
    pub(crate) lines: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Service {
    #[command(subcommand)]
    pub(crate) command: ServiceCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Install the router as a service and start it; replaces one that is there.
    Install(Box<ServiceInstall>),
    /// Stop the service and remove it.
    Uninstall(ServiceLevel),
    /// Say whether it is installed, and whether it runs.
    Status(ServiceLevel),
    /// Stop the service and start it.
    Restart(ServiceLevel),
}

#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct ServiceLevel {
    /// For the machine, not for this user.
    #[arg(long)]
    pub(crate) system: bool,
}

#[derive(Args, Debug, Default)]
pub(crate) struct ServiceInstall {
    #[command(flatten)]
    pub(crate) level: ServiceLevel,
    /// The user a service of the machine runs as [default: who called sudo].
    #[arg(long, value_name = "USER", requires = "system")]
    pub(crate) run_as: Option<String>,
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", value_parser = super::start::host)]
    pub(crate) host: Option<std::net::IpAddr>,
    /// Port to listen on.
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Apply changes of the config file while running.
    #[arg(long, alias = "watchConfig", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = super::boolean)]
    pub(crate) watch_config: Option<bool>,
    /// Hand over to the program's file when it holds another version.
    #[arg(long, alias = "watchBinary", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = super::boolean)]
    pub(crate) watch_binary: Option<bool>,
    /// Accept only clients that present the master key.
    #[arg(long, alias = "requireAuth", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = super::boolean)]
    pub(crate) require_auth: Option<bool>,
}

#[derive(Args, Debug)]
pub(crate) struct Update {
    /// Only say whether there is a newer version.
    #[arg(long, conflicts_with = "rollback")]
    pub(crate) check: bool,
    /// Bring back the program from before the last update.
    #[arg(long)]
    pub(crate) rollback: bool,
}

/// A time such as `5s`, `250ms` or `2m`; a bare number is in seconds.
fn time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("", 1_000)];
    let parsed = units.iter().find_map(|(unit, ms)| {
        let count: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(Duration::from_millis(count.saturating_mul(*ms)))
    });
    parsed.ok_or_else(|| "expected a time such as `5s`, `250ms` or `2m`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        for (text, expect) in [
            ("5s", Some(5_000)),
            ("7", Some(7_000)),
            ("250ms", Some(250)),
            ("2m", Some(120_000)),
            ("", None),
            ("-1s", None),
            ("soon", None),
        ] {
            assert_eq!(time(text).ok(), expect.map(Duration::from_millis), "{text:?}");
        }
    }
}
