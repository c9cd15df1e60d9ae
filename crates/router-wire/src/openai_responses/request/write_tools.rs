//! Tools and tool choice of a Responses request, written.

use crate::canonical::{
    CustomFormat, CustomTool, Function, Losses, Severity, Tool, ToolChoice, ToolName, WebSearch,
};
use crate::dialect::Dialect;
use crate::json::{Array, Object, Str};
use crate::translate::Refusal;

/// The tools on offer. Neighbours of one group are written as that group.
pub(super) fn tools(
    object: &mut Object<'_>,
    tools: &[Tool<'_>],
    losses: &mut Losses,
) -> Result<(), Refusal> {
    if tools.is_empty() {
        return Ok(());
    }
    let mut list = object.array("tools");
    for group in tools.chunk_by(|a, b| group(a).is_some() && group(a) == group(b)) {
        let name = group.first().and_then(|tool| self::group(tool));
        let Some(name) = name else {
            for one in group {
                tool(&mut list, one, losses)?;
            }
            continue;
        };
        let mut namespace = list.object();
        namespace.text("type", "namespace").str("name", name);
        let mut inner = namespace.array("tools");
        for one in group {
            tool(&mut inner, one, losses)?;
        }
        inner.end();
        namespace.end();
    }
    list.end();
    Ok(())
}

fn group<'t, 'a>(tool: &'t Tool<'a>) -> Option<&'t Str<'a>> {
    match tool {
        Tool::Function(function) => function.namespace.as_ref(),
        Tool::Custom(custom) => custom.namespace.as_ref(),
        Tool::WebSearch(_) | Tool::Hosted(_) => None,
    }
}

fn tool(list: &mut Array<'_>, tool: &Tool<'_>, losses: &mut Losses) -> Result<(), Refusal> {
    match tool {
        Tool::Function(one) => function(list.object(), one, losses),
        Tool::Custom(one) => custom(list.object(), one, losses),
        Tool::WebSearch(one) => web_search(list.object(), one, losses),
        Tool::Hosted(hosted) if hosted.dialect == Dialect::OpenaiResponses => {
            list.item().extend_from_slice(hosted.raw.text().as_bytes());
        }
        Tool::Hosted(hosted) => {
            let why = format!("Responses has no tool of type {}", hosted.kind);
            return Err(losses.refuse("tools", why));
        }
    }
    Ok(())
}

fn function(mut object: Object<'_>, function: &Function<'_>, losses: &mut Losses) {
    let Function {
        name,
        namespace: _,
        description,
        parameters,
        strict,
        cache,
        defer_loading,
        extras: _,
    } = function;
    object.text("type", "function").str("name", name);
    if let Some(text) = description {
        object.str("description", text);
    }
    match parameters {
        Some(schema) => object.raw("parameters", schema.text()),
        None => object.raw("parameters", r#"{"type":"object","properties":{}}"#),
    };
    // Left out it would mean true here, and false in every other dialect.
    object.bool("strict", strict.unwrap_or(false));
    if *defer_loading {
        object.bool("defer_loading", true);
    }
    no_mark(cache.is_some(), losses);
    object.end();
}

fn custom(mut object: Object<'_>, custom: &CustomTool<'_>, losses: &mut Losses) {
    let CustomTool { name, namespace: _, description, format, cache, extras: _ } = custom;
    object.text("type", "custom").str("name", name);
    if let Some(text) = description {
        object.str("description", text);
    }
    match format {
        CustomFormat::Text => {
            object.raw("format", r#"{"type":"text"}"#);
        }
        CustomFormat::Grammar { syntax, definition } => {
            let mut format = object.object("format");
            format.text("type", "grammar").str("syntax", syntax).str("definition", definition);
            format.end();
        }
    }
    no_mark(cache.is_some(), losses);
    object.end();
}

fn web_search(mut object: Object<'_>, search: &WebSearch<'_>, losses: &mut Losses) {
    let WebSearch {
        allowed_domains,
        blocked_domains,
        max_uses,
        user_location,
        context_size,
        cache,
        extras: _,
    } = search;
    object.text("type", "web_search");
    if !allowed_domains.is_empty() {
        let mut filters = object.object("filters");
        let mut list = filters.array("allowed_domains");
        for domain in allowed_domains {
            domain.push(list.item());
        }
        list.end();
        filters.end();
    }
    if let Some(place) = user_location {
        object.raw("user_location", place.text());
    }
    if let Some(size) = context_size {
        object.str("search_context_size", size);
    }
    let no_field = "the web search of Responses has no such member";
    if !blocked_domains.is_empty() {
        losses.add(Severity::Setting, "blocked-domains", "tools", no_field);
    }
    if max_uses.is_some() {
        losses.add(Severity::Setting, "max-uses", "tools", no_field);
    }
    no_mark(cache.is_some(), losses);
    object.end();
}

/// `fit` moves marks on tools to content; one that is still there cannot be written.
fn no_mark(marked: bool, losses: &mut Losses) {
    if marked {
        losses.add(Severity::Hint, "cache-mark", "tools", "tools of Responses take no cache mark");
    }
}

/// How freely the model chooses. Without tools there is nothing to choose.
pub(super) fn choice(
    object: &mut Object<'_>,
    choice: Option<&ToolChoice<'_>>,
    tools: &[Tool<'_>],
    losses: &Losses,
) -> Result<(), Refusal> {
    let (Some(choice), false) = (choice, tools.is_empty()) else { return Ok(()) };
    match choice {
        ToolChoice::Auto => drop(object.text("tool_choice", "auto")),
        ToolChoice::Required => drop(object.text("tool_choice", "required")),
        ToolChoice::None => drop(object.text("tool_choice", "none")),
        ToolChoice::Named(name) => named(object.object("tool_choice"), name, tools),
        ToolChoice::Allowed { required, tools: names } => {
            let mut allowed = object.object("tool_choice");
            allowed.text("type", "allowed_tools");
            allowed.text("mode", if *required { "required" } else { "auto" });
            let mut list = allowed.array("tools");
            for name in names {
                named(list.object(), name, tools);
            }
            list.end();
            allowed.end();
        }
        ToolChoice::Foreign(foreign) if foreign.dialect == Dialect::OpenaiResponses => {
            object.raw("tool_choice", foreign.raw.text());
        }
        ToolChoice::Foreign(foreign) => {
            let why = format!("Responses has no choice of type {}", foreign.kind);
            return Err(losses.refuse("tool_choice", why));
        }
    }
    Ok(())
}

fn named(mut object: Object<'_>, tool: &ToolName<'_>, tools: &[Tool<'_>]) {
    let ToolName { name, namespace, custom } = tool;
    let is_search = name == "web_search"
        && tools.iter().any(|tool| matches!(tool, Tool::WebSearch(_)))
        && !tools.iter().any(|tool| matches!(tool, Tool::Function(one) if one.name == *name));
    if is_search {
        object.text("type", "web_search");
    } else {
        object.text("type", if *custom { "custom" } else { "function" }).str("name", name);
        if let Some(group) = namespace {
            object.str("namespace", group);
        }
    }
    object.end();
}
