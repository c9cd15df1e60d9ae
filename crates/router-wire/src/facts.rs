//! What is known about a model, as data.
//!
//! The embedded file `data/model-facts.json` is a list of records. Each names models by pattern
//! and states facts; later records add to earlier ones, and records of the config come last. A
//! model is looked up by its name without vendor prefixes (`openai/gpt-5.2`) and routing suffixes.

use serde::{Deserialize, Serialize};

use crate::canonical::Effort;

mod table;

pub use table::{FactsError, FactsTable};

/// A way to tell a model how to think.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ThinkingKind {
    /// It can be switched off (`thinking.type: disabled`, Gemini budget 0).
    Disabled,
    /// The model decides how much, guided by an effort level.
    Adaptive,
    /// A budget in tokens.
    Budget,
    /// A level by name (Gemini `thinkingLevel`).
    Level,
}

/// Which sampling parameters a model takes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplingRule {
    /// All its dialect has.
    #[default]
    All,
    /// Only with effort `none`.
    WithoutReasoning,
    /// None at all.
    None,
}

/// The Chat member that limits the answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokensField {
    /// The older name, which servers other than OpenAI's know.
    #[default]
    MaxTokens,
    /// The newer name, which OpenAI's reasoning models insist on.
    MaxCompletionTokens,
}

/// What happens with `reasoning_content` on a Chat upstream.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasoningContent {
    /// It is not part of the contract and is not sent.
    #[default]
    Never,
    /// The vendor demands it back with tool calls.
    Required,
}

/// Prompt-cache marks an upstream takes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheMarks {
    /// None: caching is automatic or absent.
    #[default]
    None,
    /// Anthropic's `cache_control`; on Chat servers only where they are known to take it.
    CacheControl,
    /// OpenAI's `prompt_cache_breakpoint`.
    Breakpoint,
}

/// What is known about one model at one upstream.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each with a name in the file"
)]
pub struct Facts {
    /// Who made the model; opaque reasoning state goes back to the same vendor only.
    pub vendor: String,
    /// Family within the vendor.
    pub family: String,
    /// Effort levels it takes, lowest first. Empty: it takes no effort parameter.
    pub efforts: Vec<Effort>,
    /// Forms of thinking it takes (Messages and Gemini).
    pub thinking: Vec<ThinkingKind>,
    /// The highest thinking budget it takes, in tokens (Gemini).
    pub budget_max: Option<u64>,
    /// Whether it reasons at all.
    pub reasons: bool,
    /// Sampling parameters it takes.
    pub sampling: SamplingRule,
    /// Highest temperature.
    pub temperature_max: f64,
    /// Most tokens of one answer.
    pub max_output: Option<u64>,
    /// Smallest token limit it takes.
    pub min_output: u64,
    /// Tokens of its context window.
    pub context: Option<u64>,
    /// Chat member that limits the answer.
    pub tokens_field: TokensField,
    /// Whether the Chat system role is called `developer`.
    pub developer_role: bool,
    /// Whether `stop` is accepted.
    pub stop: bool,
    /// Whether a prompt may have system turns in mid-conversation (Messages).
    pub mid_system: bool,
    /// Whether the conversation may end with an assistant turn to be continued.
    pub prefill: bool,
    /// Whether Chat refuses function tools together with an effort.
    pub chat_tools_refuse_effort: bool,
    /// `reasoning_content` on Chat upstreams.
    pub reasoning_content: ReasoningContent,
    /// Prompt-cache marks.
    pub cache_marks: CacheMarks,
    /// Whether the upstream is OpenAI's own API or knows its optional members
    /// (`prompt_cache_key`, `safety_identifier`, `service_tier`, `verbosity`, `store`).
    pub openai_extras: bool,
    /// Whether `prompt_cache_retention: "24h"` is accepted.
    pub cache_retention_24h: bool,
    /// Whether a Chat server takes Anthropic's `cache_control` on its parts (OpenRouter and alike).
    pub chat_cache_control: bool,
    /// Whether temperature and `top_p` exclude each other.
    pub temperature_or_top_p: bool,
    /// Whether top-level `cache_control` is accepted (Anthropic's own API).
    pub automatic_cache: bool,
    /// Whether JSON schemas for the answer are accepted.
    pub structured_outputs: bool,
    /// Whether schemas may hold references (`$ref`); else they are written out.
    pub schema_refs: bool,
    /// Whether `speed: "fast"` is accepted (Messages).
    pub fast_mode: bool,
    /// Name of the vendor's web search tool for this model (Messages), if it has one.
    pub web_search_tool: Option<String>,
    /// Whether the model searches among deferred tools (Messages, Responses).
    pub tool_search: bool,
    /// Whether `web_search_options` (Chat) is accepted.
    pub chat_web_search: bool,
    /// Whether images are read.
    pub images: bool,
    /// Whether PDF files are read.
    pub pdf: bool,
    /// Whether replayed tool calls must carry the model's signature (Gemini 3 and later).
    pub signed_calls: bool,
    /// Whether a tool's result may hold images and files (Gemini 3 and later); else they stand
    /// beside it.
    pub tool_result_media: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            vendor: String::new(),
            family: String::new(),
            efforts: Vec::new(),
            thinking: Vec::new(),
            budget_max: None,
            reasons: false,
            sampling: SamplingRule::All,
            temperature_max: 2.0,
            max_output: None,
            min_output: 1,
            context: None,
            tokens_field: TokensField::MaxTokens,
            developer_role: false,
            stop: true,
            mid_system: false,
            prefill: true,
            chat_tools_refuse_effort: false,
            reasoning_content: ReasoningContent::Never,
            cache_marks: CacheMarks::None,
            openai_extras: false,
            cache_retention_24h: false,
            chat_cache_control: false,
            temperature_or_top_p: false,
            automatic_cache: false,
            structured_outputs: true,
            schema_refs: true,
            fast_mode: false,
            web_search_tool: None,
            tool_search: false,
            chat_web_search: false,
            images: true,
            pdf: true,
            signed_calls: false,
            tool_result_media: false,
        }
    }
}

impl Facts {
    /// The highest level at or below `asked` that the model takes, else the lowest it takes.
    /// Nothing for a model that takes none, and for `none` where the model takes nothing close.
    pub fn clamp(&self, asked: Effort) -> Option<Effort> {
        let below = self.efforts.iter().copied().filter(|level| *level <= asked).max();
        match below {
            Some(level) => Some(level),
            None if asked == Effort::None => {
                self.efforts.contains(&Effort::Minimal).then_some(Effort::Minimal)
            }
            None => self.efforts.iter().copied().min(),
        }
    }

    /// Whether the model takes this form of thinking.
    pub fn thinks(&self, kind: ThinkingKind) -> bool {
        self.thinking.contains(&kind)
    }
}
