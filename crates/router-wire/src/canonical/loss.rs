//! What a translation could not carry: where, what and why.

use std::borrow::Cow;

use super::content::Origin;
use crate::dialect::Dialect;
use crate::translate::Refusal;

/// How much a loss matters; config can turn chosen severities into errors.
#[derive(
    Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A hint to the vendor, bookkeeping, or data the answer does not depend on.
    Hint,
    /// A setting that shapes the answer.
    Setting,
    /// Part of the conversation, rewritten or left out.
    Content,
}

impl Severity {
    /// All of them, the lightest first.
    pub const ALL: [Self; 3] = [Self::Hint, Self::Setting, Self::Content];

    /// Name in config and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Setting => "setting",
            Self::Content => "content",
        }
    }
}

/// One kind of loss in one translation.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Loss {
    /// Where it first happened, as a path into the client's request or the upstream's answer.
    pub path: String,
    /// Short stable name for headers and counters: lower case, words joined by `-`.
    pub code: Cow<'static, str>,
    /// Why.
    pub why: Cow<'static, str>,
    /// How much it matters.
    pub severity: Severity,
    /// How often it happened.
    pub count: u32,
}

/// Most kinds of losses kept for one translation; more are only counted in the last.
pub const LOSSES_MAX: usize = 64;

/// Collects losses. The same code is kept once, with a count.
#[derive(Clone, Debug)]
pub struct Losses {
    list: Vec<Loss>,
    /// Whose list of items an [`Origin`] refers to.
    dialect: Dialect,
    /// Whether that list is an answer's.
    answer: bool,
}

/// Where a client of this dialect wrote a member that canonically has Chat's name.
pub fn member_path(dialect: Dialect, member: &'static str) -> &'static str {
    use Dialect::{Anthropic, Gemini, OpenaiChat, OpenaiResponses};
    match (dialect, member) {
        (OpenaiResponses, "messages") => "input",
        (Gemini, "messages") => "contents",
        (OpenaiResponses, "max_tokens") => "max_output_tokens",
        (Gemini, "max_tokens") => "generationConfig.maxOutputTokens",
        (Anthropic, "stop") => "stop_sequences",
        (Gemini, "stop") => "generationConfig.stopSequences",
        (Gemini, "temperature") => "generationConfig.temperature",
        (Gemini, "top_p") => "generationConfig.topP",
        (Gemini, "top_k") => "generationConfig.topK",
        (Gemini, "seed") => "generationConfig.seed",
        (Gemini, "presence_penalty") => "generationConfig.presencePenalty",
        (Gemini, "frequency_penalty") => "generationConfig.frequencyPenalty",
        (Gemini, "n") => "generationConfig.candidateCount",
        (Gemini, "logprobs") => "generationConfig.responseLogprobs",
        (Gemini, "response_format") => "generationConfig.responseMimeType",
        (Gemini, "reasoning_effort") => "generationConfig.thinkingConfig",
        (Gemini, "tool_choice" | "parallel_tool_calls") => "toolConfig.functionCallingConfig",
        (Gemini, "metadata") => "labels",
        (Gemini, "service_tier") => "serviceTier",
        (OpenaiResponses, "logprobs") => "top_logprobs",
        (OpenaiResponses, "response_format") => "text.format",
        (OpenaiResponses, "response_format.description") => "text.format.description",
        (OpenaiResponses, "verbosity") => "text.verbosity",
        (OpenaiResponses, "reasoning_effort") => "reasoning.effort",
        (OpenaiChat | OpenaiResponses, "cache_control") => "prompt_cache_breakpoint",
        (OpenaiChat | OpenaiResponses, "cache_control.ttl") => "prompt_cache_breakpoint.ttl",
        (OpenaiResponses | Gemini, "web_search" | "search_context_size" | "defer_loading")
        | (Anthropic, "web_search" | "defer_loading") => "tools",
        (OpenaiChat, "web_search" | "search_context_size") => "web_search_options",
        (Anthropic, "response_format") => "output_config.format",
        (Anthropic, "reasoning_effort") => "thinking",
        (Anthropic, "parallel_tool_calls") => "tool_choice.disable_parallel_tool_use",
        (Anthropic, "safety_identifier") => "metadata.user_id",
        (_, name) => name,
    }
}

impl Losses {
    /// For a request in `dialect`.
    pub const fn new(dialect: Dialect) -> Self {
        Self { list: Vec::new(), dialect, answer: false }
    }

    /// For an answer in `dialect`.
    pub const fn of_answer(dialect: Dialect) -> Self {
        Self { list: Vec::new(), dialect, answer: true }
    }

    /// Whose request or answer this is about.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Records a loss at a path.
    pub fn add(
        &mut self,
        severity: Severity,
        code: impl Into<Cow<'static, str>>,
        path: &str,
        why: impl Into<Cow<'static, str>>,
    ) {
        let code = code.into();
        if self.count(&code) {
            return;
        }
        let why = why.into();
        self.list.push(Loss { path: path.to_owned(), code, why, severity, count: 1 });
    }

    /// Records a loss at a place in the conversation.
    pub fn add_at(
        &mut self,
        severity: Severity,
        code: &'static str,
        origin: Origin,
        why: &'static str,
    ) {
        if !self.count(code) {
            let path = self.path(origin);
            self.add(severity, code, &path, why);
        }
    }

    fn count(&mut self, code: &str) -> bool {
        let full = self.list.len() >= LOSSES_MAX;
        let known = self.list.iter().position(|loss| loss.code == code);
        let slot = if full { known.or_else(|| self.list.len().checked_sub(1)) } else { known };
        slot.and_then(|at| self.list.get_mut(at)).is_some_and(|loss| {
            loss.count = loss.count.saturating_add(1);
            true
        })
    }

    /// The path of a place in the conversation or in the answer.
    pub fn path(&self, origin: Origin) -> String {
        let (list, head, parts) = match (self.dialect, self.answer) {
            (Dialect::Anthropic, false) => ("messages", "system", "content"),
            (Dialect::Anthropic, true) => ("content", "content", "content"),
            (Dialect::OpenaiChat, false) => ("messages", "messages", "content"),
            (Dialect::OpenaiChat, true) => ("choices", "choices[0].message", "content"),
            (Dialect::OpenaiResponses, false) => ("input", "instructions", "content"),
            (Dialect::OpenaiResponses, true) => ("output", "output", "content"),
            (Dialect::Gemini, false) => ("contents", "systemInstruction", "parts"),
            (Dialect::Gemini, true) => ("candidates", "candidates[0].content.parts", "parts"),
        };
        match (origin.item, origin.part) {
            (Some(item), Some(part)) => format!("{list}[{item}].{parts}[{part}]"),
            (Some(item), None) => format!("{list}[{item}]"),
            (None, Some(part)) => format!("{head}[{part}]"),
            (None, None) => head.to_owned(),
        }
    }

    /// Records that a member of the request (named as in [`member_path`]) is lost.
    pub fn member(&mut self, severity: Severity, member: &'static str, why: &'static str) {
        let path = member_path(self.dialect, member);
        self.add(severity, member, path, why);
    }

    /// A refusal because of a member of the request (named as in [`member_path`]).
    pub fn refuse(&self, member: &'static str, why: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(member_path(self.dialect, member), why)
    }

    /// A refusal because of a place in the conversation.
    pub fn refuse_at(&self, origin: Origin, why: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(self.path(origin), why)
    }

    /// What was recorded, in order.
    pub fn list(&self) -> &[Loss] {
        &self.list
    }

    /// What was recorded, in order.
    pub fn into_list(self) -> Vec<Loss> {
        self.list
    }
}
