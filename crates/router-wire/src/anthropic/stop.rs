//! Stop reasons of Messages answers.

use crate::canonical::{Stop, StopReason};
use crate::json::{Cursor, JsonError, Object, Str};

/// The code of a loss: a stop reason nobody here knows.
pub(super) const UNKNOWN: &str = "stop-reason";

/// The reason of a name. Nothing for a name nobody here knows.
pub(super) fn reason(name: &str) -> Option<StopReason> {
    Some(match name {
        "end_turn" => StopReason::EndTurn,
        "max_tokens" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopSequence,
        "tool_use" => StopReason::ToolUse,
        "pause_turn" => StopReason::Pause,
        "refusal" => StopReason::Refusal,
        "model_context_window_exceeded" => StopReason::ContextFull,
        _ => return None,
    })
}

const fn name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn => "end_turn",
        StopReason::MaxTokens => "max_tokens",
        StopReason::StopSequence => "stop_sequence",
        StopReason::ToolUse => "tool_use",
        StopReason::Pause => "pause_turn",
        StopReason::Refusal => "refusal",
        StopReason::ContextFull => "model_context_window_exceeded",
    }
}

/// The explanation in `stop_details`.
pub(super) fn read_details<'a>(c: &mut Cursor<'a>) -> Result<Option<Str<'a>>, JsonError> {
    if c.null()? {
        return Ok(None);
    }
    let mut text = None;
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key == "explanation" {
            text = c.opt(Cursor::str)?;
        } else {
            c.skip()?;
        }
    }
    Ok(text)
}

/// Writes `stop_reason`, `stop_sequence` and, for a refusal, `stop_details`.
pub(super) fn write(object: &mut Object<'_>, stop: &Stop<'_>) {
    let Stop { reason, sequence, details } = stop;
    object.text("stop_reason", name(*reason));
    match sequence {
        Some(text) => object.str("stop_sequence", text),
        None => object.null("stop_sequence"),
    };
    if *reason == StopReason::Refusal {
        let mut object = object.object("stop_details");
        object.text("type", "refusal").null("category");
        match details {
            Some(text) => object.str("explanation", text),
            None => object.null("explanation"),
        };
        object.end();
    }
}
