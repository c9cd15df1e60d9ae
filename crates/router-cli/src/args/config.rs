//! Flags of `config`, in the older program's spelling too.

use clap::{Args, Subcommand, ValueEnum};

use super::boolean;
use super::edit::{AliasFlags, BucketFlags, Edit, GenerateFlags};
use super::provider::ProviderFlags;

/// `config` has two forms: a subcommand, or `--operation` with the flags of that operation.
#[derive(Args, Debug)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,
    /// What to do; the flags below belong to single operations.
    #[arg(long, alias = "op", value_enum)]
    pub(crate) operation: Option<Operation>,
    #[command(flatten)]
    pub(crate) flags: OperationFlags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show what the config holds, with secrets masked.
    #[command(visible_alias = "list")]
    Show,
    /// Bring back the config from before the last edit; again and again.
    Undo(Edit),
    /// Take the last undo back.
    Redo(Edit),
    /// Bring a config of version 1 to version 2.
    Migrate(Edit),
    /// Print where the config is.
    Path,
    /// Edit the config in your editor (VISUAL or EDITOR); it is checked before it is saved.
    Edit,
    /// Check the config and report every problem in it.
    Validate,
}

/// What `--operation` takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Operation {
    #[value(aliases = ["add-provider", "edit-provider"])]
    UpsertProvider,
    RemoveProvider,
    RemoveModel,
    #[value(alias = "set-model-alias")]
    UpsertModelAlias,
    RemoveModelAlias,
    #[value(alias = "set-rate-limits")]
    SetProviderRateLimits,
    #[value(alias = "set-model-fallback")]
    SetModelFallbacks,
    SetMasterKey,
    MigrateConfig,
    #[value(alias = "list-routing")]
    List,
    Validate,
    StartupInstall,
    StartupUninstall,
    StartupStatus,
}

#[derive(Args, Debug, Default)]
pub(crate) struct OperationFlags {
    #[command(flatten)]
    pub(crate) service: super::process::ServiceInstall,
    /// The provider's id.
    #[arg(long, alias = "providerId", value_name = "ID")]
    pub(crate) provider_id: Option<String>,
    #[command(flatten)]
    pub(crate) provider: ProviderFlags,
    #[command(flatten)]
    pub(crate) asking: super::probe::Asking,
    /// The model's id.
    #[arg(long, help_heading = "Model")]
    pub(crate) model: Option<String>,
    /// Models used when this one fails.
    #[arg(long, aliases = ["fallbackModels", "fallbacks"], value_name = "MODELS",
          help_heading = "Model")]
    pub(crate) fallback_models: Option<String>,
    /// Remove the fallbacks of the model.
    #[arg(long, alias = "clearFallbacks", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean, help_heading = "Model")]
    pub(crate) clear_fallbacks: Option<bool>,
    /// The alias's id.
    #[arg(long, aliases = ["aliasId", "alias"], value_name = "ID", help_heading = "Alias")]
    pub(crate) alias_id: Option<String>,
    #[command(flatten)]
    pub(crate) alias: AliasFlags,
    /// The bucket's id.
    #[arg(long, alias = "bucketId", value_name = "ID", help_heading = "Bucket")]
    pub(crate) bucket_id: Option<String>,
    #[command(flatten)]
    pub(crate) bucket: BucketFlags,
    /// Buckets as JSON: one object, or a list.
    #[arg(long, alias = "rateLimits", value_name = "JSON", help_heading = "Bucket")]
    pub(crate) rate_limits: Option<String>,
    /// Remove the bucket.
    #[arg(long, alias = "removeBucket", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean, help_heading = "Bucket")]
    pub(crate) remove_bucket: Option<bool>,
    /// Drop all other buckets.
    #[arg(long, alias = "replaceRateLimits", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean, help_heading = "Bucket")]
    pub(crate) replace_rate_limits: Option<bool>,
    /// The key clients present; `-` reads standard input.
    #[arg(long, alias = "masterKey", value_name = "KEY", help_heading = "Master key")]
    pub(crate) master_key: Option<String>,
    /// Set the master key along with the provider.
    #[arg(long, alias = "setMasterKey", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean, help_heading = "Master key")]
    pub(crate) set_master_key: Option<bool>,
    /// Make a strong key and show it once.
    #[arg(long, alias = "generateMasterKey", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean, help_heading = "Master key")]
    pub(crate) generate_master_key: Option<bool>,
    #[command(flatten)]
    pub(crate) generate: GenerateFlags,
    /// The version to migrate to [default: 2].
    #[arg(long, alias = "targetVersion", value_name = "NUMBER", help_heading = "Migration")]
    pub(crate) target_version: Option<u64>,
    /// Every edit keeps a backup; `false` is taken for compatibility.
    #[arg(long, aliases = ["createBackup", "backup"], value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = boolean, hide = true)]
    pub(crate) create_backup: Option<bool>,
    /// Also remove the targets and bucket models that name what goes.
    #[arg(long)]
    pub(crate) cascade: bool,
    #[command(flatten)]
    pub(crate) edit: Edit,
}
