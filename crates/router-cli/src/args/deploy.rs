//! Flags of `deploy` and `worker-key`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::boolean;

/// `deploy`, and what looks after a deployed Worker.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Deploy {
    #[command(subcommand)]
    pub(crate) command: Option<DeployCommand>,
    #[command(flatten)]
    pub(crate) up: Up,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeployCommand {
    /// Show the Worker, its addresses and its latest versions.
    Status(Place),
    /// Show what of the config and the code differs from what is deployed.
    Diff(Diff),
    /// Send all traffic to an earlier version.
    Rollback(Rollback),
    /// Remove the Worker with its routes, secrets and counters.
    Delete(Delete),
    /// Show what the Worker logs, as it happens.
    Logs(Logs),
}

/// Which Worker, and whose.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Worker")]
pub(crate) struct Place {
    /// Name of the Worker [default: of wrangler.toml, else llm-router-route].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Folder whose wrangler.toml names the Worker and its addresses; only read.
    #[arg(
        long,
        alias = "projectDir",
        value_name = "DIR",
        default_value = ".",
        hide_default_value = true
    )]
    pub(crate) project_dir: PathBuf,
    /// Environment of wrangler.toml; the Worker is called NAME-ENV.
    #[arg(long)]
    pub(crate) env: Option<String>,
    /// Cloudflare account [default: `CLOUDFLARE_ACCOUNT_ID`, else the token's only one].
    #[arg(long, alias = "accountId", value_name = "ID")]
    pub(crate) account_id: Option<String>,
    /// API token: `-` for standard input, env:NAME or file:PATH [default: CLOUDFLARE_API_TOKEN,
    /// else CF_API_TOKEN].
    #[arg(long, alias = "apiToken", value_name = "TOKEN")]
    pub(crate) api_token: Option<String>,
    /// Where the API is, for tests and mirrors [default: CLOUDFLARE_API_BASE_URL].
    #[arg(long, value_name = "URL", hide = true)]
    pub(crate) api_url: Option<String>,
}

/// The master key of the Worker.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Master key")]
pub(crate) struct KeyFlags {
    /// The key clients present: `-` for standard input, env:NAME, file:PATH or keychain:NAME.
    #[arg(long, alias = "masterKey", value_name = "KEY")]
    pub(crate) master_key: Option<String>,
    /// Make a strong key and show it once.
    #[arg(long, alias = "generateMasterKey", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub(crate) generate_master_key: Option<bool>,
    /// Characters of a made key.
    #[arg(long, alias = "masterKeyLength", value_name = "N")]
    pub(crate) master_key_length: Option<usize>,
    /// What a made key begins with.
    #[arg(long, alias = "masterKeyPrefix", value_name = "TEXT")]
    pub(crate) master_key_prefix: Option<String>,
    /// Take a weak key.
    #[arg(long, alias = "allowWeakMasterKey", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub(crate) allow_weak_master_key: Option<bool>,
    /// Also write a made key into a new file that only you can read.
    #[arg(long, value_name = "FILE")]
    pub(crate) save_key: Option<PathBuf>,
}

/// Asking the live Worker afterwards.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Check")]
pub(crate) struct CheckFlags {
    /// Do not ask the live Worker afterwards.
    #[arg(long)]
    pub(crate) no_check: bool,
    /// Where the Worker is reached for the check, if not at its own address.
    #[arg(long, value_name = "URL", env = "LLM_ROUTER_CHECK_URL")]
    pub(crate) check_url: Option<String>,
    /// Header of the check, such as `CF-Access-Client-Secret: env:NAME`; may be repeated.
    #[arg(long, value_name = "HEADER")]
    pub(crate) check_header: Vec<String>,
    /// Seconds the edge may take to know what is new.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) check_wait: u64,
}

/// Where the Worker finds its config.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum ConfigStore {
    /// In secrets, as many as it needs.
    #[default]
    Secrets,
    /// In KV; credentials stay in secrets.
    Kv,
}

/// Flags of a deploy.
#[derive(Args, Debug, Default)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Show the exact plan and send nothing.
    #[arg(long, alias = "dryRun", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub(crate) dry_run: Option<bool>,
    /// Write files for Wrangler instead of deploying.
    #[arg(long, alias = "exportOnly", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub(crate) export_only: Option<bool>,
    /// File for the secrets, or with a slash at the end a folder for a whole Wrangler project.
    #[arg(long, alias = "output", value_name = "PATH")]
    pub(crate) out: Option<PathBuf>,
    /// Answer at NAME.SUBDOMAIN.workers.dev.
    #[arg(long, alias = "workersDev", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub(crate) workers_dev: Option<bool>,
    /// Answer at a route, such as `llm.example.com/*`; needs a proxied DNS record.
    #[arg(long, alias = "routePattern", value_name = "PATTERN")]
    pub(crate) route_pattern: Option<String>,
    /// The same, as a host.
    #[arg(long, value_name = "HOST", conflicts_with = "route_pattern")]
    pub(crate) domain: Option<String>,
    /// Answer at a host of its own, with DNS record and certificate.
    #[arg(long, value_name = "HOST")]
    pub(crate) custom_domain: Option<String>,
    /// Zone of the route or host [default: the longest zone its name ends with].
    #[arg(long, alias = "zoneName", value_name = "ZONE")]
    pub(crate) zone_name: Option<String>,
    /// Take over routes and hosts that lead to another Worker.
    #[arg(long)]
    pub(crate) take_routes: bool,
    #[command(flatten)]
    pub(crate) key: KeyFlags,
    /// Go beyond what the free plan allows.
    #[arg(long, alias = "allowLargeConfig", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub(crate) allow_large_config: Option<bool>,
    /// Where the config is kept.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) config_store: ConfigStore,
    /// Folder of the Worker's code [default: the code inside this program].
    #[arg(long, value_name = "DIR", env = "LLM_ROUTER_MODULE")]
    pub(crate) module: Option<PathBuf>,
    /// Had no meaning in the older program either.
    #[arg(long, hide = true)]
    pub(crate) mode: Option<String>,
    #[command(flatten)]
    pub(crate) check: CheckFlags,
    /// Model of the one streamed request of the check [default: the default model].
    #[arg(long, value_name = "MODEL")]
    pub(crate) check_model: Option<String>,
    /// Leave the streamed request out of the check: it costs a few tokens.
    #[arg(long, conflicts_with = "check_model")]
    pub(crate) no_check_stream: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Where the config is kept.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) config_store: ConfigStore,
    /// Folder of the Worker's code [default: the code inside this program].
    #[arg(long, value_name = "DIR", env = "LLM_ROUTER_MODULE")]
    pub(crate) module: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The version [default: the one before the present one].
    #[arg(value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Go back although secrets have changed since: the old ones come back into force.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Show what would be removed, and remove nothing.
    #[arg(long, alias = "dryRun")]
    pub(crate) dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Stop after so many requests.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// Flags of `worker-key`.
#[derive(Args, Debug)]
pub(crate) struct WorkerKey {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) key: KeyFlags,
    /// Set the config's master key if no other is given.
    #[arg(long, alias = "useConfigKey", value_name = "BOOL", num_args = 0..=1,
          default_value = "true", default_missing_value = "true", value_parser = boolean)]
    pub(crate) use_config_key: bool,
    /// Make a new key, set it, and see that the old one is refused.
    #[arg(long, conflicts_with = "master_key")]
    pub(crate) rotate: bool,
    /// The same, after a leak: also says what else to do.
    #[arg(long, conflicts_with = "master_key")]
    pub(crate) leaked: bool,
    /// Only ask the live Worker whether the key is accepted.
    #[arg(long, conflicts_with_all = ["rotate", "leaked"])]
    pub(crate) verify: bool,
    /// The key that has to be refused: `-`, env:NAME or file:PATH [default: the config's].
    #[arg(long, value_name = "KEY")]
    pub(crate) old_key: Option<String>,
    /// Show what would be done, and send nothing.
    #[arg(long, alias = "dryRun", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean)]
    pub(crate) dry_run: Option<bool>,
    #[command(flatten)]
    pub(crate) check: CheckFlags,
}
