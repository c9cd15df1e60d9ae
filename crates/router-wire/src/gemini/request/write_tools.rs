//! Tools of a request, written.

use crate::canonical::{Function, Losses, Severity, Tool, ToolChoice, ToolName, WebSearch};
use crate::json::Object;
use crate::translate::Refusal;

/// Writes `tools`: all functions in one entry, as clients of Google do, searches in their own.
pub(super) fn tools(
    object: &mut Object<'_>,
    tools: &[Tool<'_>],
    losses: &mut Losses,
) -> Result<(), Refusal> {
    if tools.is_empty() {
        return Ok(());
    }
    let mut list = object.array("tools");
    if tools.iter().any(|tool| matches!(tool, Tool::Function(_))) {
        let mut entry = list.object();
        let mut functions = entry.array("functionDeclarations");
        for tool in tools {
            if let Tool::Function(function) = tool {
                write_function(functions.object(), function, losses);
            }
        }
        functions.end();
        entry.end();
    }
    for tool in tools {
        match tool {
            Tool::Function(_) => {}
            Tool::WebSearch(search) => write_search(list.object(), search, losses)?,
            // `fit` has turned those that can be served into functions.
            Tool::Custom(_) => {
                return Err(losses.refuse("tools", "Gemini has no tools that take free text"));
            }
            Tool::Hosted(hosted) => {
                return Err(
                    losses.refuse("tools", format!("Gemini has no tool of type {}", hosted.kind))
                );
            }
        }
    }
    list.end();
    Ok(())
}

fn write_function(mut object: Object<'_>, function: &Function<'_>, losses: &mut Losses) {
    let Function {
        name,
        namespace: _,
        description,
        parameters,
        // Told by the mode of the choice.
        strict: _,
        cache,
        // `fit` has taken it off.
        defer_loading: _,
        extras: _,
    } = function;
    object.str("name", name);
    if let Some(text) = description {
        object.str("description", text);
    }
    if let Some(schema) = parameters {
        object.raw("parametersJsonSchema", schema.text());
    }
    if cache.is_some() {
        losses.member(Severity::Hint, "cache_control", "Gemini caches by itself");
    }
    object.end();
}

fn write_search(
    mut object: Object<'_>,
    search: &WebSearch<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let WebSearch {
        allowed_domains,
        blocked_domains,
        max_uses,
        user_location,
        context_size,
        cache: _,
        extras: _,
    } = search;
    if !allowed_domains.is_empty() {
        return Err(losses.refuse("web_search", "Google's search cannot be held to some domains"));
    }
    for (member, set) in [
        ("max_uses", max_uses.is_some()),
        ("user_location", user_location.is_some()),
        ("search_context_size", context_size.is_some()),
    ] {
        if set {
            losses.member(Severity::Hint, member, "Google's search has no such member");
        }
    }
    let mut inner = object.object("googleSearch");
    if !blocked_domains.is_empty() {
        let mut list = inner.array("excludeDomains");
        for domain in blocked_domains {
            domain.push(list.item());
        }
        list.end();
    }
    inner.end();
    object.end();
    Ok(())
}

/// Writes `toolConfig`.
pub(super) fn choice(
    object: &mut Object<'_>,
    choice: Option<&ToolChoice<'_>>,
    tools: &[Tool<'_>],
    losses: &Losses,
) -> Result<(), Refusal> {
    let functions = || {
        tools.iter().filter_map(|tool| match tool {
            Tool::Function(function) => Some(function),
            _ => None,
        })
    };
    if functions().next().is_none() {
        return Ok(());
    }
    // Only in this mode the arguments are held to the schemas while the model is free to answer.
    let strict = functions().any(|function| function.strict == Some(true));
    let one;
    let (mode, names): (_, &[ToolName<'_>]) = match choice {
        None | Some(ToolChoice::Auto) if strict => ("VALIDATED", &[]),
        None => return Ok(()),
        Some(ToolChoice::Auto) => ("AUTO", &[]),
        Some(ToolChoice::None) => ("NONE", &[]),
        Some(ToolChoice::Required) => ("ANY", &[]),
        Some(ToolChoice::Named(tool)) => {
            one = [tool.clone()];
            ("ANY", &one)
        }
        // AUTO takes no list of names.
        Some(ToolChoice::Allowed { required: false, tools }) => ("VALIDATED", tools),
        Some(ToolChoice::Allowed { required: true, tools }) => ("ANY", tools),
        Some(ToolChoice::Foreign(foreign)) => {
            return Err(losses
                .refuse("tool_choice", format!("Gemini has no choice of type {}", foreign.kind)));
        }
    };
    let mut outer = object.object("toolConfig");
    let mut config = outer.object("functionCallingConfig");
    config.text("mode", mode);
    if !names.is_empty() {
        let mut list = config.array("allowedFunctionNames");
        for tool in names {
            tool.name.push(list.item());
        }
        list.end();
    }
    config.end();
    outer.end();
    Ok(())
}
