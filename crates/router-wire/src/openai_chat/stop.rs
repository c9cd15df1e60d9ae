//! Finish reasons of Chat.

use crate::canonical::StopReason;
use crate::error::{ClientError, ErrorKind};

/// How an upstream says that an answer ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// In a way clients know.
    Stop(StopReason),
    /// By breaking off.
    Broken(&'static str),
}

/// What a finish reason means. Besides the contract's five words these are what other servers say;
/// a word nobody here knows still says that the answer ended. Nothing for empty text.
pub(super) fn ending(name: &str) -> Option<Ending> {
    let reason = match name {
        "" => return None,
        "stop" => StopReason::EndTurn,
        "length" => StopReason::MaxTokens,
        "tool_calls" | "function_call" => StopReason::ToolUse,
        "content_filter" => StopReason::Refusal,
        _ => return Some(odd(&name.to_ascii_lowercase())),
    };
    Some(Ending::Stop(reason))
}

fn odd(name: &str) -> Ending {
    Ending::Stop(match name {
        "stop_sequence" => StopReason::StopSequence,
        "length" | "max_tokens" | "max_output_tokens" => StopReason::MaxTokens,
        "model_length" | "model_context_window_exceeded" => StopReason::ContextFull,
        "tool_calls" | "tool_call" | "tool_use" | "function_call" => StopReason::ToolUse,
        "content_filter" | "safety" | "sensitive" | "refusal" | "recitation" => StopReason::Refusal,
        "error" | "network_error" | "abort" | "aborted" | "cancelled" => {
            return Ending::Broken("the upstream broke off its answer");
        }
        "insufficient_system_resource" => {
            return Ending::Broken("the upstream ran out of capacity in its answer");
        }
        _ => StopReason::EndTurn,
    })
}

/// The error for an answer that was broken off.
pub(super) fn broken(why: &'static str) -> ClientError {
    ClientError::new(ErrorKind::Upstream, why)
}

/// The finish reason a client is told. A turn that waits to go on cannot be continued here: it
/// reads as cut, never as complete.
pub(super) const fn name(reason: StopReason, legacy: bool) -> &'static str {
    match reason {
        StopReason::EndTurn | StopReason::StopSequence => "stop",
        StopReason::MaxTokens | StopReason::ContextFull | StopReason::Pause => "length",
        StopReason::ToolUse if legacy => "function_call",
        StopReason::ToolUse => "tool_calls",
        StopReason::Refusal => "content_filter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_reasons_of_every_vendor_have_a_meaning() {
        for (word, expect) in [
            ("stop", StopReason::EndTurn),
            ("STOP", StopReason::EndTurn),
            ("eos", StopReason::EndTurn),
            ("length", StopReason::MaxTokens),
            ("MAX_TOKENS", StopReason::MaxTokens),
            ("model_length", StopReason::ContextFull),
            ("tool_calls", StopReason::ToolUse),
            ("function_call", StopReason::ToolUse),
            ("content_filter", StopReason::Refusal),
            ("sensitive", StopReason::Refusal),
        ] {
            assert_eq!(ending(word), Some(Ending::Stop(expect)), "{word}");
        }
        assert_eq!(ending(""), None);
        assert!(matches!(ending("error"), Some(Ending::Broken(_))));
    }

    #[test]
    fn d51_every_reason_has_a_word_and_a_cut_is_never_complete() {
        for (reason, word) in [
            (StopReason::EndTurn, "stop"),
            (StopReason::StopSequence, "stop"),
            (StopReason::MaxTokens, "length"),
            (StopReason::ContextFull, "length"),
            (StopReason::Pause, "length"),
            (StopReason::ToolUse, "tool_calls"),
            (StopReason::Refusal, "content_filter"),
        ] {
            assert_eq!(name(reason, false), word, "{reason:?}");
        }
        assert_eq!(name(StopReason::ToolUse, true), "function_call");
    }
}
