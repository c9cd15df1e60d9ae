//! Token counts and finish reasons as each dialect writes them.

use crate::peek::{Items, count_of, find, find_path, text_of};
use crate::{Dialect, Usage};

/// The token counts of a whole answer; what it does not report stays absent.
pub fn usage_of_body(dialect: Dialect, body: &[u8]) -> Usage {
    let (member, read): (_, fn(&[u8]) -> Usage) = match dialect {
        Dialect::Anthropic => ("usage", anthropic),
        Dialect::OpenaiChat => ("usage", chat),
        Dialect::OpenaiResponses => ("usage", responses),
        Dialect::Gemini => ("usageMetadata", gemini),
    };
    find(body, member).map(read).unwrap_or_default()
}

/// Why the model stopped, in the answer's own words.
pub fn finish_reason_of_body(dialect: Dialect, body: &[u8]) -> Option<String> {
    let first = |list: &str, member: &str| {
        find(body, list).and_then(|list| Items::new(list).next()).and_then(|it| find(it, member))
    };
    let reason = match dialect {
        Dialect::Anthropic => find(body, "stop_reason"),
        Dialect::OpenaiChat => first("choices", "finish_reason"),
        Dialect::OpenaiResponses => {
            find_path(body, &["incomplete_details", "reason"]).or_else(|| find(body, "status"))
        }
        Dialect::Gemini => first("candidates", "finishReason")
            .or_else(|| find_path(body, &["promptFeedback", "blockReason"])),
    };
    reason.and_then(text_of).map(std::borrow::Cow::into_owned)
}

fn count(object: &[u8], path: &[&str]) -> Option<u64> {
    find_path(object, path).and_then(count_of)
}

pub(super) fn anthropic(usage: &[u8]) -> Usage {
    Usage {
        input_uncached: count(usage, &["input_tokens"]),
        cache_read: count(usage, &["cache_read_input_tokens"]),
        cache_write: count(usage, &["cache_creation_input_tokens"]),
        cache_write_1h: count(usage, &["cache_creation", "ephemeral_1h_input_tokens"]),
        output: count(usage, &["output_tokens"]),
        reasoning: count(usage, &["output_tokens_details", "thinking_tokens"]),
        web_searches: count(usage, &["server_tool_use", "web_search_requests"]),
        ..Usage::default()
    }
}

pub(super) fn chat(usage: &[u8]) -> Usage {
    let details = "prompt_tokens_details";
    // DeepSeek reports its cache beside the details.
    let cache_read = count(usage, &[details, "cached_tokens"])
        .or_else(|| count(usage, &["prompt_cache_hit_tokens"]));
    let cache_write = count(usage, &[details, "cache_write_tokens"]);
    Usage {
        output: count(usage, &["completion_tokens"]),
        reasoning: count(usage, &["completion_tokens_details", "reasoning_tokens"]),
        ..Usage::from_inclusive(count(usage, &["prompt_tokens"]), cache_read, cache_write)
    }
}

pub(super) fn responses(usage: &[u8]) -> Usage {
    let details = "input_tokens_details";
    let cache_read = count(usage, &[details, "cached_tokens"]);
    let cache_write = count(usage, &[details, "cache_write_tokens"]);
    Usage {
        output: count(usage, &["output_tokens"]),
        reasoning: count(usage, &["output_tokens_details", "reasoning_tokens"]),
        ..Usage::from_inclusive(count(usage, &["input_tokens"]), cache_read, cache_write)
    }
}

pub(super) fn gemini(usage: &[u8]) -> Usage {
    let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
    };
    let prompt = count(usage, &["promptTokenCount"]);
    let input = sum(prompt, count(usage, &["toolUsePromptTokenCount"]));
    let reasoning = count(usage, &["thoughtsTokenCount"]);
    Usage {
        output: sum(count(usage, &["candidatesTokenCount"]), reasoning),
        reasoning,
        ..Usage::from_inclusive(input, count(usage, &["cachedContentTokenCount"]), None)
    }
}
