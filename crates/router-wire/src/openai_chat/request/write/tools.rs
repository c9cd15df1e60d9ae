//! Tools and tool choice of a Chat request, written.

use crate::canonical::{
    CustomFormat, CustomTool, Function, Losses, Severity, Tool, ToolChoice, ToolName, WebSearch,
};
use crate::json::{Cursor, JsonError, Object, Str};
use crate::translate::{Refusal, Target};

/// The members about tools.
pub(super) fn write(
    object: &mut Object<'_>,
    tools: &[Tool<'_>],
    choice: Option<&ToolChoice<'_>>,
    parallel: Option<bool>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    // Servers other than OpenAI's own know no `allowed_tools`: the others are not offered there.
    let only = match choice {
        Some(ToolChoice::Allowed { tools, .. }) if !target.facts.openai_extras => Some(tools),
        _ => None,
    };
    let offered = |name: &Str<'_>| only.is_none_or(|only| only.iter().any(|t| t.name == *name));
    let callable = tools.iter().any(|tool| match tool {
        Tool::Function(function) => offered(&function.name),
        Tool::Custom(custom) => offered(&custom.name),
        Tool::WebSearch(_) => false,
        Tool::Hosted(_) => true,
    });
    if callable {
        let mut list = object.array("tools");
        for tool in tools {
            match tool {
                Tool::Function(function) if offered(&function.name) => {
                    write_function(list.object(), function);
                }
                Tool::Custom(custom) if offered(&custom.name) => {
                    write_custom(list.object(), custom);
                }
                Tool::Function(_) | Tool::Custom(_) | Tool::WebSearch(_) => {}
                // `fit` has turned those that can be served into functions.
                Tool::Hosted(hosted) => {
                    let why = format!("Chat has no tool of type {}", hosted.kind);
                    return Err(losses.refuse("tools", why));
                }
            }
        }
        list.end();
        if let Some(choice) = choice {
            write_choice(object, choice, only.is_some(), losses)?;
        }
        if let Some(parallel) = parallel {
            object.bool("parallel_tool_calls", parallel);
        }
    }
    for tool in tools {
        if let Tool::WebSearch(search) = tool {
            write_search(object, search, target, losses)?;
        }
    }
    Ok(())
}

fn write_function(mut object: Object<'_>, function: &Function<'_>) {
    let Function {
        name,
        // `fit` has made one name of both.
        namespace: _,
        description,
        parameters,
        strict,
        // Written on the next part of the conversation that can carry it.
        cache: _,
        // `fit` has taken it off.
        defer_loading: _,
        extras: _,
    } = function;
    object.text("type", "function");
    let mut inner = object.object("function");
    inner.str("name", name);
    if let Some(text) = description {
        inner.str("description", text);
    }
    match parameters {
        Some(schema) => inner.raw("parameters", schema.text()),
        None => inner.raw("parameters", r#"{"type":"object","properties":{}}"#),
    };
    if let Some(strict) = strict {
        inner.bool("strict", *strict);
    }
    inner.end();
    object.end();
}

fn write_custom(mut object: Object<'_>, custom: &CustomTool<'_>) {
    let CustomTool { name, namespace: _, description, format, cache: _, extras: _ } = custom;
    object.text("type", "custom");
    let mut inner = object.object("custom");
    inner.str("name", name);
    if let Some(text) = description {
        inner.str("description", text);
    }
    if let CustomFormat::Grammar { syntax, definition } = format {
        let mut format = inner.object("format");
        format.text("type", "grammar");
        let mut grammar = format.object("grammar");
        grammar.str("syntax", syntax).str("definition", definition);
        grammar.end();
        format.end();
    }
    inner.end();
    object.end();
}

fn write_choice(
    object: &mut Object<'_>,
    choice: &ToolChoice<'_>,
    filtered: bool,
    losses: &Losses,
) -> Result<(), Refusal> {
    match choice {
        ToolChoice::Allowed { required, .. } if filtered => {
            object.text("tool_choice", if *required { "required" } else { "auto" });
        }
        ToolChoice::Auto => drop(object.text("tool_choice", "auto")),
        ToolChoice::Required => drop(object.text("tool_choice", "required")),
        ToolChoice::None => drop(object.text("tool_choice", "none")),
        ToolChoice::Named(name) => write_name(object.object("tool_choice"), name),
        ToolChoice::Allowed { required, tools } => {
            let mut outer = object.object("tool_choice");
            outer.text("type", "allowed_tools");
            let mut inner = outer.object("allowed_tools");
            inner.text("mode", if *required { "required" } else { "auto" });
            let mut list = inner.array("tools");
            for name in tools {
                write_name(list.object(), name);
            }
            list.end();
            inner.end();
            outer.end();
        }
        ToolChoice::Foreign(foreign) => {
            let why = format!("Chat has no choice of type {}", foreign.kind);
            return Err(losses.refuse("tool_choice", why));
        }
    }
    Ok(())
}

fn write_name(mut object: Object<'_>, tool: &ToolName<'_>) {
    let ToolName { name, namespace: _, custom } = tool;
    let kind = if *custom { "custom" } else { "function" };
    object.text("type", kind);
    let mut inner = object.object(kind);
    inner.str("name", name);
    inner.end();
    object.end();
}

fn write_search(
    object: &mut Object<'_>,
    search: &WebSearch<'_>,
    target: &Target<'_>,
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
    if !target.facts.chat_web_search {
        return Err(losses.refuse("web_search", "the model has no web search on Chat"));
    }
    if !allowed_domains.is_empty() || !blocked_domains.is_empty() {
        losses.member(Severity::Setting, "web_search", "searches on Chat take no domains");
    }
    if max_uses.is_some() {
        losses.member(Severity::Hint, "web_search", "searches on Chat have no limit");
    }
    let mut options = object.object("web_search_options");
    if let Some(size) = context_size {
        options.str("search_context_size", size);
    }
    if let Some(place) = user_location {
        let mut outer = options.object("user_location");
        outer.text("type", "approximate");
        let mut inner = outer.object("approximate");
        // The place was read as an object; whatever is wrong inside it ends the copy.
        let _ = copy_place(&mut inner, place.text());
        inner.end();
        outer.end();
    }
    options.end();
    Ok(())
}

/// Copies the members of a flat place but for its `type`.
fn copy_place(object: &mut Object<'_>, place: &str) -> Result<(), JsonError> {
    let mut c = Cursor::new(place);
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        let value = c.raw()?;
        if key != "type" {
            object.raw(&key, value.text());
        }
    }
    Ok(())
}
