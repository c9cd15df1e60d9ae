//! What a client asks for, whatever dialect it speaks.

use std::borrow::Cow;

use super::content::{CacheMark, Json, Role, Turn};
use super::effort::Reasoning;
use super::tool::{Function, Tool, ToolChoice};
use crate::dialect::Dialect;
use crate::json::{Raw, Str};

/// A request to a model.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// Model as the client named it; Gemini names it in the path.
    pub model: Str<'a>,
    /// The conversation, system turns included. The leading run of system turns is the prompt's
    /// head ([`Request::leading`]).
    pub turns: Vec<Turn<'a>>,
    /// Tools on offer, in the client's order.
    pub tools: Vec<Tool<'a>>,
    /// How freely the model chooses among them.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several tools may be called at once.
    pub parallel_tools: Option<bool>,
    /// Most tokens of the answer, thinking included.
    pub max_tokens: Option<u64>,
    /// Text that ends the answer.
    pub stop: Vec<Str<'a>>,
    /// Sampling.
    pub sampling: Sampling<'a>,
    /// Thinking.
    pub reasoning: Reasoning,
    /// Form of the answer. Nothing means text.
    pub format: Option<OutputFormat<'a>>,
    /// Length of the answer.
    pub verbosity: Option<Verbosity>,
    /// Number of answers.
    pub choices: Option<u64>,
    /// Probabilities of tokens.
    pub logprobs: Option<Logprobs>,
    /// Class of service.
    pub service_tier: Option<ServiceTier<'a>>,
    /// Whom this is for.
    pub identity: Identity<'a>,
    /// Prompt caching apart from the marks.
    pub cache: CacheSettings<'a>,
    /// What the vendor is to store.
    pub storage: Storage<'a>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether a Chat client asked for the usage chunk. Other dialects always report usage.
    pub include_usage: bool,
    /// Whether the client used Chat's old `functions`; then it gets `function_call` back.
    pub legacy_functions: bool,
    /// Members only the client's dialect has, unknown ones included.
    pub extras: Vec<Extra<'a>>,
}

impl<'a> Request<'a> {
    /// Splits off the leading system turns.
    pub fn leading(&self) -> (&[Turn<'a>], &[Turn<'a>]) {
        let count = self.turns.iter().take_while(|turn| turn.role.is_system()).count();
        self.turns.split_at_checked(count).unwrap_or((&[], &self.turns))
    }

    /// Whether any turn of the assistant calls a tool.
    pub fn has_tool_calls(&self) -> bool {
        use super::content::Content;
        self.turns
            .iter()
            .filter(|turn| turn.role == Role::Assistant)
            .any(|turn| turn.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_))))
    }
}

/// Sampling parameters. Values are the client's; `fit` clamps or drops what the model refuses.
#[derive(Clone, Debug, Default)]
pub struct Sampling<'a> {
    /// Temperature, 0 to 1 or 0 to 2.
    pub temperature: Option<f64>,
    /// Nucleus.
    pub top_p: Option<f64>,
    /// Most likely tokens only.
    pub top_k: Option<u64>,
    /// Penalty on what was said at all.
    pub presence_penalty: Option<f64>,
    /// Penalty by how often it was said.
    pub frequency_penalty: Option<f64>,
    /// Seed.
    pub seed: Option<i64>,
    /// Chat's token biases.
    pub logit_bias: Option<Json<'a>>,
}

/// Form of the answer.
#[derive(Clone, Debug)]
pub enum OutputFormat<'a> {
    /// Some JSON object.
    JsonObject,
    /// JSON of a schema.
    JsonSchema {
        /// Name; Chat and Responses need one.
        name: Option<Str<'a>>,
        /// What the schema is for.
        description: Option<Str<'a>>,
        /// The schema.
        schema: Json<'a>,
        /// Whether it is to be followed exactly. Nothing leaves it to the dialect.
        strict: Option<bool>,
    },
}

/// Length of the answer (Chat and Responses).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verbosity {
    /// Short.
    Low,
    /// Middle.
    Medium,
    /// Long.
    High,
}

impl Verbosity {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Probabilities of tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Logprobs {
    /// How many alternatives per token; 0 gives the chosen token alone.
    pub top: u64,
}

/// Class of service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ServiceTier<'a> {
    /// The vendor decides (may use reserved capacity).
    Auto,
    /// Ordinary capacity only (OpenAI `default`, Anthropic `standard_only`, Gemini `STANDARD`).
    Standard,
    /// Cheap and slow.
    Flex,
    /// Reserved scale capacity (OpenAI).
    Scale,
    /// Faster at a higher price.
    Priority,
    /// The fast mode of a model (OpenAI `fast`, Anthropic `speed:"fast"`).
    Fast,
    /// One only the client's dialect has.
    Other(Str<'a>),
}

/// Whom a request is for.
#[derive(Clone, Debug, Default)]
pub struct Identity<'a> {
    /// Stable pseudonym of the end user (Anthropic `metadata.user_id`, OpenAI `safety_identifier`).
    pub end_user: Option<Str<'a>>,
    /// OpenAI's older `user`.
    pub user: Option<Str<'a>>,
    /// Identity of the conversation, where the client states one (Claude Code inside its
    /// `user_id`, session headers).
    pub session: Option<Str<'a>>,
}

/// Prompt caching apart from the marks.
#[derive(Clone, Debug, Default)]
pub struct CacheSettings<'a> {
    /// `prompt_cache_key`.
    pub key: Option<Str<'a>>,
    /// `prompt_cache_retention` (`in_memory`, `24h`).
    pub retention: Option<Str<'a>>,
    /// `prompt_cache_options.mode`: true for `explicit`, false for `implicit`.
    pub explicit: Option<bool>,
    /// `prompt_cache_options.ttl`, in seconds.
    pub ttl_s: Option<u32>,
    /// Only warm the cache: `prompt_cache_options.prewarm`, or Messages with `max_tokens` 0.
    pub prewarm: bool,
    /// Anthropic's top-level `cache_control`: mark the last part that can be marked.
    pub automatic: Option<CacheMark>,
}

/// What the vendor is to store.
#[derive(Clone, Debug, Default)]
pub struct Storage<'a> {
    /// Whether to store the exchange.
    pub store: Option<bool>,
    /// Labels to store with it: an object of strings.
    pub metadata: Option<Json<'a>>,
}

/// What becomes, in another dialect, of something only one dialect has.
#[derive(Clone, Debug)]
pub enum Fallback<'a> {
    /// This text stands in for it. Recorded as a loss.
    Text(Str<'a>),
    /// This function stands in for it; calls are handed back in the hosted form.
    Function(Box<Function<'a>>),
    /// It is left out, for this reason. Recorded as a loss.
    Drop(&'static str),
    /// The request cannot be served, for this reason.
    Refuse(&'static str),
}

/// A part, item, tool or choice only one dialect has.
#[derive(Clone, Debug)]
pub struct Foreign<'a> {
    /// The dialect that has it.
    pub dialect: Dialect,
    /// Its `type` (or Gemini member name).
    pub kind: Cow<'a, str>,
    /// All of it. A writer of the same dialect writes this.
    pub raw: Raw<'a>,
    /// What becomes of it elsewhere.
    pub fallback: Fallback<'a>,
}

/// A member only one dialect has, or nobody knows.
#[derive(Clone, Debug)]
pub struct Extra<'a> {
    /// Path from the request (or tool), such as `context_management` or `output_config.task_budget`.
    pub path: Cow<'a, str>,
    /// Its value.
    pub raw: Raw<'a>,
    /// What becomes of it: [`Fallback::Drop`] or [`Fallback::Refuse`].
    pub fallback: Fallback<'a>,
}

impl<'a> Extra<'a> {
    /// A member that no version of the dialect known here has.
    pub const fn unknown(path: Cow<'a, str>, raw: Raw<'a>) -> Self {
        Self { path, raw, fallback: Fallback::Drop("unknown member") }
    }

    /// A member that may be left out.
    pub const fn hint(path: Cow<'a, str>, raw: Raw<'a>, why: &'static str) -> Self {
        Self { path, raw, fallback: Fallback::Drop(why) }
    }

    /// A member that must not be left out.
    pub const fn refused(path: Cow<'a, str>, raw: Raw<'a>, why: &'static str) -> Self {
        Self { path, raw, fallback: Fallback::Refuse(why) }
    }
}
