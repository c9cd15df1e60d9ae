//! Token counts and finish reasons as each dialect writes them.

use crate::peek::{Items, count_of, find, find_each, find_path, text_of};
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

/// The count at each name; absent where it is no count.
fn counts<const N: usize>(object: &[u8], names: [&str; N]) -> [Option<u64>; N] {
    find_each(object, names).map(|value| value.and_then(count_of))
}

fn count(object: Option<&[u8]>, name: &str) -> Option<u64> {
    object.and_then(|object| find(object, name)).and_then(count_of)
}

pub(super) fn anthropic(usage: &[u8]) -> Usage {
    let [input, cache_read, cache_write, output] = counts(
        usage,
        ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"],
    );
    let [written, details, tools] =
        find_each(usage, ["cache_creation", "output_tokens_details", "server_tool_use"]);
    Usage {
        input_uncached: input,
        cache_read,
        cache_write,
        cache_write_1h: count(written, "ephemeral_1h_input_tokens"),
        output,
        reasoning: count(details, "thinking_tokens"),
        web_searches: count(tools, "web_search_requests"),
        ..Usage::default()
    }
}

pub(super) fn chat(usage: &[u8]) -> Usage {
    // DeepSeek reports its cache beside the details.
    let [input, output, hit] =
        counts(usage, ["prompt_tokens", "completion_tokens", "prompt_cache_hit_tokens"]);
    let details = ["prompt_tokens_details", "completion_tokens_details"];
    inclusive(input, output, hit, find_each(usage, details))
}

pub(super) fn responses(usage: &[u8]) -> Usage {
    let [input, output] = counts(usage, ["input_tokens", "output_tokens"]);
    let details = ["input_tokens_details", "output_tokens_details"];
    inclusive(input, output, None, find_each(usage, details))
}

/// Usage as `OpenAI` writes it, with the cache's part in the details of the input, or as `hit`.
fn inclusive(
    input: Option<u64>,
    output: Option<u64>,
    hit: Option<u64>,
    [of_input, of_output]: [Option<&[u8]>; 2],
) -> Usage {
    let cache_read = count(of_input, "cached_tokens").or(hit);
    Usage {
        output,
        reasoning: count(of_output, "reasoning_tokens"),
        ..Usage::from_inclusive(input, cache_read, count(of_input, "cache_write_tokens"))
    }
}

pub(super) fn gemini(usage: &[u8]) -> Usage {
    let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
    };
    let [prompt, tools, output, reasoning, cached] = counts(
        usage,
        [
            "promptTokenCount",
            "toolUsePromptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "cachedContentTokenCount",
        ],
    );
    Usage {
        output: sum(output, reasoning),
        reasoning,
        ..Usage::from_inclusive(sum(prompt, tools), cached, None)
    }
}
