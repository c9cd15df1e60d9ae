//! What only the client's dialect has.

use crate::canonical::{
    Content, Extra, Fallback, Losses, Part, Request, Severity, Tool, ToolChoice, Turn,
};
use crate::dialect::Dialect;
use crate::translate::{Refusal, Target};

/// Drops, rewrites or refuses all of it.
pub(super) fn fit(
    request: &mut Request<'_>,
    inbound: Dialect,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<Vec<Hosted>, Refusal> {
    for extra in std::mem::take(&mut request.extras) {
        if is_shared(&extra, inbound, target) {
            request.extras.push(extra);
        } else {
            settle(&extra, "", losses)?;
        }
    }
    for turn in &mut request.turns {
        fit_turn(turn, target, losses)?;
    }
    let hosted = fit_tools(request, target, losses)?;
    if let Some(ToolChoice::Foreign(foreign)) = &request.tool_choice {
        match &foreign.fallback {
            Fallback::Refuse(why) => return Err(losses.refuse("tool_choice", *why)),
            Fallback::Drop(why) => {
                losses.member(Severity::Setting, "tool_choice", why);
                request.tool_choice = None;
            }
            Fallback::Text(_) | Fallback::Function(_) => {}
        }
    }
    Ok(hosted)
}

/// Whether both dialects are OpenAI's and the member is the same in both: its writer passes it on.
fn is_shared(extra: &Extra<'_>, inbound: Dialect, target: &Target<'_>) -> bool {
    let openai = |dialect| matches!(dialect, Dialect::OpenaiChat | Dialect::OpenaiResponses);
    extra.path == "moderation"
        && openai(inbound)
        && openai(target.dialect)
        && target.facts.openai_extras
}

/// A hosted tool that became a function.
pub(super) struct Hosted {
    /// Name of the function.
    pub(super) name: String,
    /// Type of the tool.
    pub(super) kind: String,
}

fn settle(extra: &Extra<'_>, prefix: &str, losses: &mut Losses) -> Result<(), Refusal> {
    let Extra { path, raw: _, fallback } = extra;
    let path = if prefix.is_empty() { path.to_string() } else { format!("{prefix}.{path}") };
    match fallback {
        Fallback::Refuse(why) => Err(Refusal::new(path, *why)),
        Fallback::Drop(why) => {
            // The name of the member alone tells kinds of losses apart.
            let code = extra.path.rsplit('.').next().unwrap_or(&extra.path).to_owned();
            losses.add(Severity::Hint, code, &path, *why);
            Ok(())
        }
        Fallback::Text(_) | Fallback::Function(_) => Ok(()),
    }
}

fn fit_turn<'a>(
    turn: &mut Turn<'a>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let is_foreign = |part: &Part<'a>| match &part.content {
        Content::Foreign(foreign) => foreign.dialect != target.dialect,
        Content::ToolResult(result) => {
            result.content.iter().any(|part| matches!(part.content, Content::Foreign(_)))
        }
        _ => false,
    };
    if !turn.parts.iter().any(is_foreign) {
        return Ok(());
    }
    let mut kept = Vec::with_capacity(turn.parts.len());
    for part in std::mem::take(&mut turn.parts) {
        kept.extend(replaced(part, target, losses)?);
    }
    turn.parts = kept;
    Ok(())
}

fn replaced<'a>(
    mut part: Part<'a>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<Option<Part<'a>>, Refusal> {
    if let Content::ToolResult(result) = &mut part.content {
        let mut kept = Vec::with_capacity(result.content.len());
        for inner in std::mem::take(&mut result.content) {
            kept.extend(replaced(inner, target, losses)?);
        }
        result.content = kept;
        return Ok(Some(part));
    }
    let foreign = match &mut part.content {
        Content::Foreign(foreign) if foreign.dialect != target.dialect => foreign,
        _ => return Ok(Some(part)),
    };
    match std::mem::replace(&mut foreign.fallback, Fallback::Drop("")) {
        Fallback::Text(text) => {
            losses.add_at(
                Severity::Content,
                "hosted-step",
                part.origin,
                "a step of the vendor's own tools is told in words",
            );
            part.content = Content::Text { text, citations: Vec::new() };
            Ok(Some(part))
        }
        Fallback::Drop(why) => {
            losses.add_at(Severity::Hint, "foreign-part", part.origin, why);
            Ok(None)
        }
        Fallback::Refuse(why) => {
            let why = format!("{why} ({})", foreign.kind);
            Err(losses.refuse_at(part.origin, why))
        }
        Fallback::Function(_) => {
            Err(losses.refuse_at(part.origin, "a tool stands among the parts"))
        }
    }
}

fn fit_tools<'a>(
    request: &mut Request<'a>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<Vec<Hosted>, Refusal> {
    for tool in &mut request.tools {
        let extras = match tool {
            Tool::Function(function) => &mut function.extras,
            Tool::Custom(custom) => &mut custom.extras,
            Tool::WebSearch(search) => &mut search.extras,
            Tool::Hosted(hosted) => match &mut hosted.fallback {
                Fallback::Function(function) if hosted.dialect != target.dialect => {
                    &mut function.extras
                }
                _ => continue,
            },
        };
        for extra in std::mem::take(extras) {
            settle(&extra, "tools", losses)?;
        }
    }
    let foreign = |tool: &Tool<'a>| match tool {
        Tool::Hosted(hosted) => hosted.dialect != target.dialect,
        _ => false,
    };
    let mut made = Vec::new();
    if !request.tools.iter().any(foreign) {
        return Ok(made);
    }
    let mut kept = Vec::with_capacity(request.tools.len());
    for tool in std::mem::take(&mut request.tools) {
        let Tool::Hosted(hosted) = tool else {
            kept.push(tool);
            continue;
        };
        if hosted.dialect == target.dialect {
            kept.push(Tool::Hosted(hosted));
            continue;
        }
        match hosted.fallback {
            Fallback::Function(function) => {
                // Anthropic's clients take calls of such tools as plain `tool_use`.
                if hosted.dialect != Dialect::Anthropic {
                    let name = function.name.decode().into_owned();
                    made.push(Hosted { name, kind: hosted.kind.into_owned() });
                }
                kept.push(Tool::Function(function));
            }
            Fallback::Drop(why) => {
                losses.add(Severity::Hint, hosted.kind.into_owned(), "tools", why);
            }
            Fallback::Refuse(why) => {
                return Err(losses.refuse("tools", format!("{why} ({})", hosted.kind)));
            }
            Fallback::Text(_) => {
                return Err(losses.refuse("tools", "this kind of tool cannot be told in words"));
            }
        }
    }
    request.tools = kept;
    Ok(made)
}
