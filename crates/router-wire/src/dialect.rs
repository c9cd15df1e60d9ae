//! The wire formats the router speaks.

use serde::{Deserialize, Serialize};

/// A wire format, spoken by a client (inbound) or by an upstream (outbound).
///
/// The declaration order has no meaning; lists of dialects keep the order of the config.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Anthropic Messages (`POST /v1/messages`). Config also accepts `claude`.
    Anthropic,
    /// OpenAI Chat Completions (`POST /v1/chat/completions`). Config also accepts `openai`.
    OpenaiChat,
    /// OpenAI Responses (`POST /v1/responses`). Config also accepts `responses`.
    OpenaiResponses,
    /// Gemini generateContent (`POST /v1beta/models/{model}:generateContent`).
    Gemini,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] =
        [Self::Anthropic, Self::OpenaiChat, Self::OpenaiResponses, Self::Gemini];

    /// The dialect's one name in logs, records and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::Gemini => "gemini",
        }
    }

    /// The dialect's name in config files, which the older program knows too where it can.
    pub const fn config_name(self) -> &'static str {
        match self {
            Self::Anthropic => "claude",
            Self::OpenaiChat => "openai",
            Self::OpenaiResponses => "responses",
            Self::Gemini => "gemini",
        }
    }

    /// Reads a dialect as config files spell it, the older program's names included.
    pub fn from_config_name(name: &str) -> Option<Self> {
        match name.trim() {
            "anthropic" | "claude" => Some(Self::Anthropic),
            "openai" | "openai-chat" | "chat" => Some(Self::OpenaiChat),
            "openai-responses" | "responses" => Some(Self::OpenaiResponses),
            "gemini" => Some(Self::Gemini),
            _ => None,
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
