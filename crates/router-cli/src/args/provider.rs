//! Flags of `provider`.

use clap::{Args, Subcommand};

use super::edit::{Edit, Named, Removed, Renamed};
use super::probe::Asking;

#[derive(Args, Debug)]
pub(crate) struct Provider {
    #[command(subcommand)]
    pub(crate) command: ProviderCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// Add a provider, by preset or from scratch.
    Add(ProviderAdd),
    /// Change a provider; what is not given stays.
    Edit(ProviderEdit),
    /// List the providers.
    List,
    /// Show one provider.
    Show {
        /// Its id.
        id: String,
    },
    /// List the providers that are known already.
    Presets,
    /// Find out what a provider speaks and which models answer, and write it into the config.
    Probe(super::probe::ProviderProbe),
    /// Ask models whether they answer, and change nothing.
    Test(super::probe::ProviderTest),
    /// Show a provider's own list of models, or add some of it to the config.
    Models(super::probe::ProviderModels),
    /// Remove a provider with its models and buckets.
    Remove(Removed),
    /// Give a provider another id, also where it is used.
    Rename(Renamed),
    /// Turn a provider on.
    Enable(Named),
    /// Turn a provider off; it stays in the config.
    Disable(Named),
}

#[derive(Args, Debug)]
pub(crate) struct ProviderAdd {
    /// Its id [default: the preset's, or made of the name].
    pub(crate) id: Option<String>,
    /// Begin with what is known about a vendor; `provider presets` lists them.
    #[arg(long)]
    pub(crate) preset: Option<String>,
    /// Add the vendor's limits for accounts that do not pay, as buckets.
    #[arg(long, requires = "preset")]
    pub(crate) free_tier: bool,
    #[command(flatten)]
    pub(crate) edit: Edit,
    #[command(flatten)]
    pub(crate) fields: ProviderFlags,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

#[derive(Args, Debug)]
pub(crate) struct ProviderEdit {
    /// Its id.
    pub(crate) id: String,
    /// Also remove the targets and bucket models that name a model which goes.
    #[arg(long)]
    pub(crate) cascade: bool,
    #[command(flatten)]
    pub(crate) edit: Edit,
    #[command(flatten)]
    pub(crate) fields: ProviderFlags,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Provider")]
pub(crate) struct ProviderFlags {
    /// The name for people.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Addresses as the vendor's page shows them.
    #[arg(long, value_name = "URLS")]
    pub(crate) endpoints: Option<String>,
    /// One address for every format.
    #[arg(long, alias = "baseUrl", value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The address that speaks OpenAI's format.
    #[arg(long, alias = "openaiBaseUrl", value_name = "URL")]
    pub(crate) openai_base_url: Option<String>,
    /// The address that speaks Anthropic's format.
    #[arg(long, aliases = ["claudeBaseUrl", "anthropic-base-url", "anthropicBaseUrl"],
          value_name = "URL")]
    pub(crate) claude_base_url: Option<String>,
    /// The address that speaks Gemini's format.
    #[arg(long, alias = "geminiBaseUrl", value_name = "URL")]
    pub(crate) gemini_base_url: Option<String>,
    /// The credential: `env:NAME`, `file:PATH`, `keychain:NAME`, `-` for standard input, or the
    /// credential itself, which other users of this machine can then see.
    #[arg(long, alias = "apiKey", value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// The environment variable that holds the credential.
    #[arg(long, alias = "apiKeyEnv", value_name = "NAME", conflicts_with = "api_key")]
    pub(crate) api_key_env: Option<String>,
    /// The provider takes no credential.
    #[arg(long, alias = "noKey", conflicts_with_all = ["api_key", "api_key_env"])]
    pub(crate) no_key: bool,
    /// The models, with commas between them [default: those of the provider's own list].
    #[arg(long, value_name = "MODELS")]
    pub(crate) models: Option<String>,
    /// The preferred format: openai, claude, responses or gemini.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Every format the provider speaks.
    #[arg(long)]
    pub(crate) formats: Option<String>,
    /// Headers added to every request, as a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) headers: Option<String>,
    /// Save without asking the provider what it speaks and which models answer; asking costs a
    /// few tokens.
    #[arg(long, alias = "skipProbe", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = super::boolean)]
    pub(crate) skip_probe: Option<bool>,
}
