//! Flags of `import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use router_operator::import::Origin;

use super::edit::Edit;

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// What wrote the file.
    #[arg(value_enum)]
    pub(crate) from: From,
    /// The file; `-` reads standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) edit: Edit,
}

/// Programs whose settings can be taken over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum From {
    /// `config.yaml` of the LiteLLM proxy
    Litellm,
    /// `config.json` of claude-code-router
    ClaudeCodeRouter,
    /// Channels of one-api, as GET /api/channel/ lists them
    OneApi,
    /// Channels of new-api, as GET /api/channel/ lists them
    NewApi,
    /// Variables such as OPENROUTER_API_KEY, one a line
    OpenrouterEnv,
    /// A config of this program or of the older one
    LlmRouter,
}

impl From {
    pub(crate) const fn origin(self) -> Origin {
        match self {
            Self::Litellm => Origin::Litellm,
            Self::ClaudeCodeRouter => Origin::ClaudeCodeRouter,
            Self::OneApi => Origin::OneApi,
            Self::NewApi => Origin::NewApi,
            Self::OpenrouterEnv => Origin::OpenrouterEnv,
            Self::LlmRouter => Origin::LlmRouter,
        }
    }
}
