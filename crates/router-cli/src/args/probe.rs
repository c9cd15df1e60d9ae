//! Flags of what asks providers: `provider probe|test|models`, `doctor`, `secret`.

use clap::{Args, Subcommand};

/// How fast and how much providers are asked.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Probe")]
pub(crate) struct Asking {
    /// Requests per minute to one address [default: 30].
    #[arg(long, aliases = ["probeRpm", "probe-requests-per-minute", "probeRequestsPerMinute"],
          value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=6000))]
    pub(crate) probe_rpm: Option<u32>,
    /// Requests in all [default: 300].
    #[arg(long, alias = "probeRequests", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) probe_requests: Option<u32>,
    /// Seconds for one request [default: 30].
    #[arg(long, alias = "probeTimeout", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) probe_timeout: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct ProviderProbe {
    /// Its id.
    pub(crate) id: String,
    /// Models to test [default: its models, else those of the provider's own list].
    #[arg(long, value_name = "NAMES")]
    pub(crate) models: Option<String>,
    /// Look for every format at these addresses too.
    #[arg(long, value_name = "URLS")]
    pub(crate) endpoints: Option<String>,
    /// Begin anew instead of going on where an interrupted probe stopped.
    #[arg(long)]
    pub(crate) fresh: bool,
    #[command(flatten)]
    pub(crate) asking: Asking,
    #[command(flatten)]
    pub(crate) edit: super::edit::Edit,
}

#[derive(Args, Debug)]
pub(crate) struct ProviderTest {
    /// Their ids.
    #[arg(required_unless_present = "all")]
    pub(crate) ids: Vec<String>,
    /// Test every provider.
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Only this model; may be given several times.
    #[arg(long = "model", value_name = "NAME")]
    pub(crate) models: Vec<String>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

#[derive(Args, Debug)]
pub(crate) struct ProviderModels {
    /// Its id.
    pub(crate) id: String,
    /// Write these models of the list into the config; `all` means every one that answers in text.
    #[arg(long, value_name = "NAMES")]
    pub(crate) add: Option<String>,
    #[command(flatten)]
    pub(crate) edit: super::edit::Edit,
}

#[derive(Args, Debug)]
pub(crate) struct Secret {
    #[command(subcommand)]
    pub(crate) command: SecretCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Store a secret in this machine's keychain; it is read from standard input, or asked for
    /// without being shown. The config refers to it as `keychain:NAME`.
    Set {
        /// The name it is kept under.
        name: String,
    },
    /// Remove a secret from this machine's keychain.
    Remove {
        /// The name it is kept under.
        name: String,
    },
}
