//! Tools that are loaded only when a search finds them.
//!
//! Messages and Responses both let the model search among deferred tools, each with a tool of its
//! own for it. Where the target has none, all tools are sent up front.

use crate::canonical::{Fallback, Foreign, Losses, Request, Severity, Tool};
use crate::dialect::Dialect;
use crate::json::{JsonError, Kind, Raw};
use crate::translate::Target;

/// The search in Messages (`tool_search_tool_regex` is the other one; the words differ, not the use).
const MESSAGES: &str =
    r#"{"type":"tool_search_tool_bm25_20251119","name":"tool_search_tool_bm25"}"#;
/// The search in Responses.
const RESPONSES: &str = r#"{"type":"tool_search"}"#;

/// Gives a search the target's form, or takes the marks off that mean nothing without one.
pub(super) fn fit(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) {
    let own = match target.dialect {
        Dialect::Anthropic => MESSAGES,
        Dialect::OpenaiResponses => RESPONSES,
        Dialect::OpenaiChat | Dialect::Gemini => "",
    };
    let raw = Raw::parse(own).ok().filter(|_| target.facts.tool_search);
    let search = request.tools.iter_mut().find(|tool| is_search(tool));
    if let (Some(Tool::Hosted(hosted)), Some(raw)) = (search, raw) {
        // The reader has been through it, so it is whole.
        let _ = report_settings(hosted.raw, losses);
        **hosted = Foreign {
            dialect: target.dialect,
            kind: hosted.kind.clone(),
            raw,
            fallback: Fallback::Drop("all tools are sent up front"),
        };
        return;
    }
    for tool in &mut request.tools {
        let function = match tool {
            Tool::Function(function) => function,
            Tool::Hosted(hosted) if hosted.dialect != target.dialect => {
                match &mut hosted.fallback {
                    Fallback::Function(function) => function,
                    _ => continue,
                }
            }
            _ => continue,
        };
        if std::mem::take(&mut function.defer_loading) {
            losses.member(Severity::Hint, "defer_loading", "all tools are sent up front");
        }
    }
}

/// Whether this is the vendor's search. One that the client runs itself cannot be handed over.
fn is_search(tool: &Tool<'_>) -> bool {
    match tool {
        Tool::Hosted(hosted) => {
            let by_client = hosted.raw.text().contains("\"client\"");
            hosted.kind.starts_with("tool_search") && !by_client
        }
        _ => false,
    }
}

/// Reports what a search says besides being one: the other vendor's search has no such settings.
fn report_settings(search: Raw<'_>, losses: &mut Losses) -> Result<(), JsonError> {
    let mut c = search.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        let value = c.raw()?;
        let says = value.kind() != Kind::Null && value.text() != "false";
        if says && !matches!(key.as_ref(), "type" | "name") {
            let path = format!("tools.{key}");
            losses.add(
                Severity::Hint,
                key.into_owned(),
                &path,
                "the other vendor's search has none",
            );
        }
    }
    Ok(())
}
