//! Flags of the commands that edit the config.

use clap::{Args, Subcommand};

/// Flags of every edit.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Edit {
    /// Show what would change, and write nothing.
    #[arg(long, alias = "dryRun")]
    pub(crate) dry_run: bool,
}

/// Flags of edits that take something away.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Cascade {
    /// Also remove the targets and bucket models that name what goes.
    #[arg(long)]
    pub(crate) cascade: bool,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

/// One thing, named.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Its id.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

/// One thing that goes.
#[derive(Args, Debug)]
pub(crate) struct Removed {
    /// Its id.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) cascade: Cascade,
}

/// One thing that gets another name.
#[derive(Args, Debug)]
pub(crate) struct Renamed {
    /// Its id now.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Its new id.
    #[arg(value_name = "NEW-ID")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

#[derive(Args, Debug)]
pub(crate) struct Alias {
    #[command(subcommand)]
    pub(crate) command: AliasCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AliasCommand {
    /// Add an alias.
    Add(AliasPut),
    /// Change an alias; what is not given stays.
    Edit(AliasPut),
    /// List the aliases.
    List,
    /// Show one alias.
    Show {
        /// Its id.
        id: String,
    },
    /// Remove an alias.
    Remove(Removed),
    /// Give an alias another name, also where it is used.
    Rename(Renamed),
}

#[derive(Args, Debug)]
pub(crate) struct AliasPut {
    /// The name clients use.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) fields: AliasFlags,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Alias")]
pub(crate) struct AliasFlags {
    /// How targets are chosen: auto, ordered, round-robin, weighted-rr, quota-aware-weighted-rr,
    /// least-latency or least-cost [default for a new alias: auto].
    #[arg(long)]
    pub(crate) strategy: Option<String>,
    /// Targets with their weights, such as `openai/gpt-5@2,groq/llama,other-alias`, or JSON.
    #[arg(long, aliases = ["alias-targets", "aliasTargets"], value_name = "TARGETS")]
    pub(crate) targets: Option<String>,
    /// Targets that are used when none of the others is left; empty removes them.
    #[arg(long, alias = "fallbackTargets", value_name = "TARGETS")]
    pub(crate) fallback_targets: Option<String>,
    /// Remove the fallback targets.
    #[arg(long, alias = "clearFallbackTargets", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = super::boolean)]
    pub(crate) clear_fallback_targets: Option<bool>,
    /// Notes of your own, as a JSON object.
    #[arg(long, aliases = ["aliasMetadata", "metadata"], value_name = "JSON")]
    pub(crate) alias_metadata: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Model {
    #[command(subcommand)]
    pub(crate) command: ModelCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Add a model, named as provider/model.
    Add(ModelPut),
    /// Change a model; what is not given stays.
    Edit(ModelPut),
    /// List the models.
    List {
        /// Only those of this provider.
        provider: Option<String>,
    },
    /// Remove a model.
    Remove(Removed),
    /// Give a model another id, also where it is used.
    Rename(Renamed),
    /// Turn a model on.
    Enable(Named),
    /// Turn a model off; it stays in the config.
    Disable(Named),
    /// Set the models used when this one fails on a direct request.
    Fallbacks(Fallbacks),
}

#[derive(Args, Debug)]
pub(crate) struct ModelPut {
    /// The model as provider/model.
    #[arg(value_name = "MODEL")]
    pub(crate) id: String,
    /// Other names clients may use, with commas between them; empty removes them.
    #[arg(long, value_name = "NAMES")]
    pub(crate) aliases: Option<String>,
    /// Formats the model is limited to; empty removes the limit.
    #[arg(long, value_name = "FORMATS")]
    pub(crate) formats: Option<String>,
    /// Tokens of context; 0 removes the number.
    #[arg(long, alias = "contextWindow", value_name = "TOKENS")]
    pub(crate) context_window: Option<u64>,
    /// Dollars per million tokens, as JSON: input, output, cacheRead, cacheWrite.
    #[arg(long, value_name = "JSON")]
    pub(crate) cost: Option<String>,
    /// Models used when this one fails; empty removes them.
    #[arg(long, value_name = "MODELS")]
    pub(crate) fallbacks: Option<String>,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

#[derive(Args, Debug)]
pub(crate) struct Fallbacks {
    /// The model as provider/model.
    #[arg(value_name = "MODEL")]
    pub(crate) id: String,
    /// The models that step in, in order.
    #[arg(value_name = "FALLBACK", required_unless_present = "clear")]
    pub(crate) fallbacks: Vec<String>,
    /// Remove the fallbacks.
    #[arg(long, conflicts_with = "fallbacks")]
    pub(crate) clear: bool,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

#[derive(Args, Debug)]
pub(crate) struct Limit {
    #[command(subcommand)]
    pub(crate) command: LimitCommand,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one of them in a process")]
pub(crate) enum LimitCommand {
    /// Add a bucket to a provider, or change the one with this id.
    #[command(visible_alias = "edit")]
    Add(LimitPut),
    /// List the buckets.
    List {
        /// Only those of this provider.
        provider: Option<String>,
    },
    /// Remove a bucket.
    Remove {
        /// The provider.
        provider: String,
        /// The bucket's id.
        id: String,
        #[command(flatten)]
        edit: Edit,
    },
}

#[derive(Args, Debug)]
pub(crate) struct LimitPut {
    /// The provider.
    pub(crate) provider: String,
    /// The bucket's id [default: made of the name].
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) fields: BucketFlags,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Bucket")]
pub(crate) struct BucketFlags {
    /// The name for people.
    #[arg(long, aliases = ["bucketName"], value_name = "NAME")]
    pub(crate) bucket_name: Option<String>,
    /// Models that count, or `all`.
    #[arg(long, alias = "bucketModels", value_name = "MODELS")]
    pub(crate) bucket_models: Option<String>,
    /// Requests per window.
    #[arg(long, aliases = ["bucketRequests", "requests"], value_name = "COUNT")]
    pub(crate) bucket_requests: Option<u64>,
    /// Input and output tokens per window.
    #[arg(long, aliases = ["bucketTokens", "tokens"], value_name = "COUNT")]
    pub(crate) bucket_tokens: Option<u64>,
    /// Input tokens per window.
    #[arg(long, aliases = ["bucketInputTokens", "input-tokens"], value_name = "COUNT")]
    pub(crate) bucket_input_tokens: Option<u64>,
    /// Output tokens per window.
    #[arg(long, aliases = ["bucketOutputTokens", "output-tokens"], value_name = "COUNT")]
    pub(crate) bucket_output_tokens: Option<u64>,
    /// US dollars per window, by the prices of the models.
    #[arg(long, aliases = ["bucketCost", "cost"], value_name = "DOLLARS",
          value_parser = super::dollars)]
    pub(crate) bucket_cost: Option<f64>,
    /// Requests in flight at once.
    #[arg(long, aliases = ["bucketConcurrent", "concurrent"], value_name = "COUNT")]
    pub(crate) bucket_concurrent: Option<u64>,
    /// The window, such as `1m`, `6h`, `day` or `month:1`.
    #[arg(long, aliases = ["bucketWindow", "window"], value_name = "WINDOW")]
    pub(crate) bucket_window: Option<String>,
    /// Who shares the counter: `provider`, or each `credential` on its own.
    #[arg(long, aliases = ["bucketScope", "scope"], value_parser = ["provider", "credential"])]
    pub(crate) bucket_scope: Option<String>,
    /// Time zone windows are aligned to, such as `America/Los_Angeles`.
    #[arg(long, aliases = ["bucketTimeZone", "time-zone"], value_name = "ZONE")]
    pub(crate) bucket_time_zone: Option<String>,
    /// A new id for the bucket.
    #[arg(long, aliases = ["bucketRenameTo", "rename-to"], value_name = "ID")]
    pub(crate) bucket_rename_to: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Key {
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Set the key clients present.
    Set {
        /// The key, `env:NAME`, `file:PATH` or `keychain:NAME`; `-` reads standard input, or asks
        /// in a terminal.
        #[arg(default_value = "-", hide_default_value = true)]
        key: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// Make a strong key, set it and show it once.
    Generate {
        #[command(flatten)]
        fields: GenerateFlags,
        #[command(flatten)]
        edit: Edit,
    },
    /// Show the key, masked.
    Show {
        /// Show the key itself.
        #[arg(long, alias = "showSecret")]
        show_secret: bool,
    },
    /// Remove the key.
    Clear(Edit),
    /// Keys of single clients, such as team members, with limits of their own.
    Client(Box<super::client::ClientKey>),
}

#[derive(Args, Debug, Default)]
pub(crate) struct GenerateFlags {
    /// Characters of a generated key, 24 to 256 [default: 48].
    #[arg(long, aliases = ["masterKeyLength", "length"], value_name = "COUNT")]
    pub(crate) master_key_length: Option<usize>,
    /// What a generated key begins with [default: gw_].
    #[arg(long, aliases = ["masterKeyPrefix", "prefix"], value_name = "TEXT")]
    pub(crate) master_key_prefix: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct DefaultModel {
    #[command(subcommand)]
    pub(crate) command: DefaultCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DefaultCommand {
    /// Show what a request without a model means.
    Show,
    /// Set it to provider/model or an alias.
    Set(Named),
    /// Remove it.
    Clear(Edit),
}
