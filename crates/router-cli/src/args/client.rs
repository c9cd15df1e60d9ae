//! Flags of `key client`.

use clap::{Args, Subcommand};

use super::edit::{Edit, GenerateFlags, Named, Renamed};

#[derive(Args, Debug)]
pub(crate) struct ClientKey {
    #[command(subcommand)]
    pub(crate) command: ClientCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Add a key; one that is made is shown once.
    Add(ClientAdd),
    /// Change what a key may use.
    Edit(ClientEdit),
    /// List the keys, masked.
    List,
    /// Show one key with its limits, masked.
    Show {
        /// Its label.
        label: String,
        /// Show the key itself.
        #[arg(long, alias = "showSecret")]
        show_secret: bool,
    },
    /// Put a new key in the place of the old one, and show it once.
    Rotate(ClientRotate),
    /// Set a limit of a key, or remove one.
    Limit(ClientLimit),
    /// Give a key another label.
    Rename(Renamed),
    /// Turn a key on.
    Enable(Named),
    /// Turn a key off; it stays in the config.
    Disable(Named),
    /// Remove a key.
    Remove(Named),
}

/// The key: given, or made.
#[derive(Args, Debug, Default)]
pub(crate) struct KeyFlags {
    /// The key, `env:NAME`, `file:PATH` or `keychain:NAME`; `-` reads standard input [default: a
    /// strong one is made].
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) generate: GenerateFlags,
}

#[derive(Args, Debug)]
pub(crate) struct ClientAdd {
    /// Who uses it: the name in records, logs and messages.
    pub(crate) label: String,
    #[command(flatten)]
    pub(crate) key: KeyFlags,
    /// What it may ask for: aliases, `provider/model` or `provider/*` [default: everything].
    #[arg(long, value_name = "NAMES")]
    pub(crate) models: Option<String>,
    #[command(flatten)]
    pub(crate) edit: Edit,
    #[command(flatten)]
    pub(crate) limit: LimitFlags,
}

#[derive(Args, Debug)]
pub(crate) struct ClientEdit {
    /// Its label.
    pub(crate) label: String,
    /// What it may ask for: aliases, `provider/model` or `provider/*`; empty means everything.
    #[arg(long, value_name = "NAMES", required = true)]
    pub(crate) models: String,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

#[derive(Args, Debug)]
pub(crate) struct ClientRotate {
    /// Its label.
    pub(crate) label: String,
    #[command(flatten)]
    pub(crate) key: KeyFlags,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

#[derive(Args, Debug)]
pub(crate) struct ClientLimit {
    /// The key's label.
    pub(crate) label: String,
    /// The limit's id [default: its window].
    #[arg(required_if_eq("remove", "true"))]
    pub(crate) id: Option<String>,
    /// Remove the limit.
    #[arg(long)]
    pub(crate) remove: bool,
    #[command(flatten)]
    pub(crate) edit: Edit,
    #[command(flatten)]
    pub(crate) limit: LimitFlags,
}

/// Caps within a window.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Limit")]
pub(crate) struct LimitFlags {
    /// US dollars per window, by the prices of the models.
    #[arg(long, alias = "budget", value_name = "DOLLARS", value_parser = super::dollars)]
    pub(crate) cost: Option<f64>,
    /// Requests per window.
    #[arg(long, value_name = "COUNT")]
    pub(crate) requests: Option<u64>,
    /// Input and output tokens per window.
    #[arg(long, value_name = "COUNT")]
    pub(crate) tokens: Option<u64>,
    /// Input tokens per window.
    #[arg(long, alias = "inputTokens", value_name = "COUNT")]
    pub(crate) input_tokens: Option<u64>,
    /// Output tokens per window.
    #[arg(long, alias = "outputTokens", value_name = "COUNT")]
    pub(crate) output_tokens: Option<u64>,
    /// Requests in flight at once.
    #[arg(long, value_name = "COUNT")]
    pub(crate) concurrent: Option<u64>,
    /// The window, such as `1m`, `6h`, `day` or `month`.
    #[arg(long, value_name = "WINDOW")]
    pub(crate) window: Option<String>,
    /// Time zone windows are aligned to, such as `America/Los_Angeles`.
    #[arg(long, alias = "timeZone", value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
}

impl LimitFlags {
    /// Whether anything is given.
    pub(crate) fn is_given(&self) -> bool {
        let counts =
            [self.requests, self.tokens, self.input_tokens, self.output_tokens, self.concurrent];
        counts.iter().any(Option::is_some)
            || self.cost.is_some()
            || self.window.is_some()
            || self.time_zone.is_some()
    }
}
