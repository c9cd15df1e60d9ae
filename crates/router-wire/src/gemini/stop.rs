//! Finish reasons, both ways.

use std::borrow::Cow;

use crate::canonical::{Stop, StopReason};
use crate::error::{ClientError, ErrorKind};
use crate::json::Str;

/// What a finish reason of Gemini means.
pub(super) enum Finish {
    /// The answer goes on.
    Unfinished,
    /// It ended.
    Ended(StopReason),
    /// It is no answer.
    Failed(ErrorKind),
}

/// The meaning of a `finishReason`.
pub(super) fn finish(name: &str) -> Finish {
    use ErrorKind::{InvalidRequest, Permission, Upstream};
    match name {
        "" | "FINISH_REASON_UNSPECIFIED" => Finish::Unfinished,
        "STOP" => Finish::Ended(StopReason::EndTurn),
        // A continuation can only be asked of the same vendor; to others the answer was cut.
        "MAX_TOKENS" | "CONTINUATION" => Finish::Ended(StopReason::MaxTokens),
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "ESCALATION"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::Ended(StopReason::Refusal),
        // These depend on the request: the same model would give the same again.
        "NO_IMAGE"
        | "IMAGE_OTHER"
        | "LANGUAGE"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE" => Finish::Failed(InvalidRequest),
        "PUP_LIMITED_DISABLED" => Finish::Failed(Permission),
        // MALFORMED_FUNCTION_CALL, MALFORMED_RESPONSE, UNEXPECTED_TOOL_CALL, OTHER, and what later
        // versions may bring: another try may end well, and nothing says that this one did.
        _ => Finish::Failed(Upstream),
    }
}

/// The error that a finish reason stands for.
pub(super) fn failure(kind: ErrorKind, reason: &str, message: Option<&Str<'_>>) -> ClientError {
    let said = message.map(Str::decode).filter(|text| !text.trim().is_empty());
    let text = match said {
        Some(said) => format!("the model ended with {reason}: {said}"),
        None => format!("the model ended with {reason}"),
    };
    ClientError::new(kind, text)
}

/// How an answer ended whose prompt was blocked.
pub(super) fn blocked<'a>(reason: &str, message: Option<Str<'a>>) -> Stop<'a> {
    let details = message
        .filter(|text| !text.is_blank())
        .unwrap_or_else(|| Str::from(format!("the prompt was blocked ({reason})")));
    Stop { reason: StopReason::Refusal, sequence: None, details: Some(details) }
}

/// The `finishReason` a Gemini client is told.
pub(super) const fn name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn | StopReason::StopSequence | StopReason::ToolUse => "STOP",
        // A client cannot ask another vendor to go on: the turn is as good as cut.
        StopReason::MaxTokens | StopReason::ContextFull | StopReason::Pause => "MAX_TOKENS",
        StopReason::Refusal => "SAFETY",
    }
}

/// A reason in capitals, as Google writes it, whatever the upstream did.
pub(super) fn upper(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Cow::Owned(name.to_ascii_uppercase())
    } else {
        name
    }
}
