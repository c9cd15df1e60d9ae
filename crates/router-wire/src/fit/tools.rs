//! Tools as the target takes them: forms, names, ids and schemas.

use std::collections::BTreeSet;

use super::extras::Hosted;
use super::names::{Names, is_legal};
use super::schema::{self, Cleaned};
use crate::canonical::{
    Content, CustomFormat, CustomTool, Function, Json, Losses, Request, Severity, Tool, ToolCall,
    ToolChoice, ToolInput, ToolName, member_path,
};
use crate::dialect::Dialect;
use crate::ids;
use crate::json::{Object, Raw, Str};
use crate::translate::{RAW_INPUT, Refusal, Target, ToolAlias};

/// Schema of a free-text tool shown as a function.
const WRAPPED_SCHEMA: &str = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

/// Why a schema says less than the client's.
pub(super) const CUT: &str = "references that lead to themselves or nowhere are cut";

/// Adapts all tools and everything that names them.
pub(super) fn fit(
    request: &mut Request<'_>,
    hosted: &[Hosted],
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<Vec<ToolAlias>, Refusal> {
    let mut names = Names::default();
    for tool in hosted {
        names.send(&tool.name, None, false, Some(&tool.kind));
    }
    let customs = knows_custom(target.dialect);
    let spaces = target.dialect == Dialect::OpenaiResponses;
    keep_allowed(request, target);
    fit_search(request, target, losses);
    for tool in &mut request.tools {
        if let Tool::Custom(custom) = tool
            && !customs
        {
            *tool = Tool::Function(Box::new(wrap(custom, &mut names, losses)?));
            continue;
        }
        match tool {
            Tool::Function(function) => {
                rename(&mut function.name, &mut function.namespace, spaces, &mut names);
                fit_schema(function, target, losses);
            }
            Tool::Custom(custom) => {
                rename(&mut custom.name, &mut custom.namespace, spaces, &mut names);
            }
            Tool::WebSearch(_) | Tool::Hosted(_) => {}
        }
    }
    if request.tools.is_empty() {
        // A choice without tools is refused by every vendor.
        request.tool_choice = None;
        request.parallel_tools = None;
    }
    match &mut request.tool_choice {
        Some(ToolChoice::Named(tool)) => rename_choice(tool, customs, spaces, &mut names),
        Some(ToolChoice::Allowed { tools, .. }) => {
            for tool in tools {
                rename_choice(tool, customs, spaces, &mut names);
            }
        }
        _ => {}
    }
    fit_history(request, target, &mut names, losses);
    Ok(names.into_aliases())
}

/// Leaves out a web search that the target does not have, as coding agents offer one beside their
/// own tools in every request. Where it is the point of the request the writer refuses it.
fn fit_search(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) {
    let is_search = |tool: &Tool<'_>| matches!(tool, Tool::WebSearch(_));
    let chosen = match &request.tool_choice {
        Some(ToolChoice::Named(tool)) => tool.name == *"web_search",
        _ => false,
    };
    if chosen || request.tools.iter().all(is_search) || !request.tools.iter().any(is_search) {
        return;
    }
    let why = match target.dialect {
        Dialect::Anthropic if target.facts.web_search_tool.is_none() => "the model has none",
        Dialect::OpenaiChat if !target.facts.chat_web_search => "the model has none on Chat",
        Dialect::Gemini => "Gemini does not search beside other tools",
        _ => return,
    };
    request.tools.retain(|tool| !is_search(tool));
    losses.member(Severity::Setting, "web_search", why);
}

const fn knows_custom(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::OpenaiChat | Dialect::OpenaiResponses)
}

/// Messages has no list of allowed tools: only those are offered.
fn keep_allowed(request: &mut Request<'_>, target: &Target<'_>) {
    if target.dialect != Dialect::Anthropic {
        return;
    }
    let Some(ToolChoice::Allowed { required: _, tools: allowed }) = &request.tool_choice else {
        return;
    };
    request.tools.retain(|tool| match tool {
        Tool::Function(function) => allowed
            .iter()
            .any(|name| name.name == function.name && name.namespace == function.namespace),
        Tool::Custom(custom) => allowed
            .iter()
            .any(|name| name.name == custom.name && name.namespace == custom.namespace),
        Tool::WebSearch(_) | Tool::Hosted(_) => true,
    });
}

fn rename<'a>(
    name: &mut Str<'a>,
    namespace: &mut Option<Str<'a>>,
    keeps_spaces: bool,
    names: &mut Names,
) {
    if keeps_spaces && namespace.is_some() {
        return;
    }
    let space = namespace.take().map(|space| space.decode().into_owned());
    if let Some(sent) = names.send(&name.decode(), space.as_deref(), false, None) {
        *name = sent.into();
    }
}

fn rename_choice(tool: &mut ToolName<'_>, customs: bool, spaces: bool, names: &mut Names) {
    if spaces && tool.namespace.is_some() {
        return;
    }
    let space = tool.namespace.take().map(|space| space.decode().into_owned());
    let name = tool.name.decode().into_owned();
    if let Some(known) = names.known(&name, space.as_deref()) {
        tool.name = known.sent.clone().into();
    } else if let Some(sent) = names.send(&name, space.as_deref(), false, None) {
        tool.name = sent.into();
    }
    tool.custom &= customs;
}

fn wrap<'a>(
    custom: &CustomTool<'a>,
    names: &mut Names,
    losses: &mut Losses,
) -> Result<Function<'a>, Refusal> {
    let CustomTool { name, namespace, description, format, cache, extras: _ } = custom;
    let mut text = description.as_ref().map(|text| text.decode().into_owned()).unwrap_or_default();
    if let CustomFormat::Grammar { syntax, definition } = format {
        if text.is_empty() {
            return Err(losses.refuse("tools", "the target cannot hold a tool to a grammar"));
        }
        // Coding agents describe the format of their patches; the grammar is told, not enforced.
        losses.member(Severity::Setting, "tools.format", "the grammar is told but not enforced");
        text.push_str("\n\nThe input must follow this ");
        text.push_str(&syntax.decode());
        text.push_str(" grammar:\n");
        text.push_str(&definition.decode());
    }
    let plain = name.decode();
    let space = namespace.as_ref().map(Str::decode);
    let sent = names.send(&plain, space.as_deref(), true, None);
    let mut function = Function::new(sent.map_or_else(|| name.clone(), Str::from));
    function.description = (!text.is_empty()).then(|| text.into());
    function.parameters = Some(Json(WRAPPED_SCHEMA.into()));
    function.cache = *cache;
    Ok(function)
}

fn fit_schema(function: &mut Function<'_>, target: &Target<'_>, losses: &mut Losses) {
    let Some(parameters) = &mut function.parameters else { return };
    if !target.facts.schema_refs
        && let Some(schema::Inlined { schema, cut }) = schema::inline(parameters.text())
    {
        *parameters = Json(schema.into());
        if cut {
            losses.member(Severity::Setting, "tools.schema", CUT);
        }
    }
    let rules = schema::Rules::for_tools(target.dialect);
    if let Some(cleaned) = schema::clean(parameters.text(), &rules) {
        note_lost("tools", &cleaned, losses);
        function.parameters = Some(Json(cleaned.text.into()));
    }
    if function.strict == Some(true)
        && !function.parameters.as_ref().is_none_or(|json| schema::is_strict(json.text()))
    {
        function.strict = Some(false);
        losses.member(Severity::Setting, "tools.strict", "the schema is not closed enough for it");
    }
}

/// Reports what the schema in a member says no more.
pub(super) fn note_lost(member: &'static str, cleaned: &Cleaned, losses: &mut Losses) {
    if !cleaned.lost.is_empty() {
        let (path, words) = (member_path(losses.dialect(), member), cleaned.lost.join(", "));
        let why = format!("the target does not know these words of a schema: {words}");
        losses.add(Severity::Hint, format!("{member}.schema"), path, why);
    }
}

/// Calls and results of earlier turns.
fn fit_history(
    request: &mut Request<'_>,
    target: &Target<'_>,
    names: &mut Names,
    losses: &mut Losses,
) {
    let customs = knows_custom(target.dialect);
    let spaces = target.dialect == Dialect::OpenaiResponses;
    let mut seen = BTreeSet::new();
    let mut renamed: Vec<(String, String)> = Vec::new();
    for turn in &mut request.turns {
        for part in &mut turn.parts {
            match &mut part.content {
                Content::ToolCall(call) => {
                    fit_call_name(call, customs, spaces, names);
                    if needs_object(target.dialect) {
                        fit_input(call, part.origin, losses);
                    }
                    let id = call.id.decode();
                    if ids::is_portable(&id) && seen.insert(id.clone().into_owned()) {
                        renamed.retain(|(from, _)| *from != *id);
                    } else {
                        let made = format!(
                            "call_{}",
                            ids::hex(ids::stable_hash(format!("{id}#{}", seen.len()).as_bytes()))
                        );
                        seen.insert(made.clone());
                        renamed.retain(|(from, _)| *from != *id);
                        renamed.push((id.into_owned(), made.clone()));
                        call.id = made.into();
                    }
                }
                Content::ToolResult(result) => {
                    if !renamed.is_empty() {
                        let id = result.call_id.decode();
                        if let Some((_, to)) = renamed.iter().find(|(from, _)| *from == *id) {
                            result.call_id = to.clone().into();
                        }
                    }
                    if let Some(name) = &mut result.name
                        && !is_legal(&name.decode())
                        && let Some(sent) = names.send(&name.decode(), None, false, None)
                    {
                        *name = sent.into();
                    }
                    result.custom &= customs;
                }
                _ => {}
            }
        }
    }
}

const fn needs_object(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Anthropic | Dialect::Gemini)
}

fn fit_call_name(call: &mut ToolCall<'_>, customs: bool, spaces: bool, names: &mut Names) {
    if !(spaces && call.namespace.is_some()) {
        let space = call.namespace.take().map(|space| space.decode().into_owned());
        let plain = call.name.decode();
        if let Some(known) = names.known(&plain, space.as_deref()) {
            call.name = known.sent.clone().into();
        } else if (space.is_some() || !is_legal(&plain))
            && let Some(sent) = names.send(&plain, space.as_deref(), false, None)
        {
            call.name = sent.into();
        }
    }
    if call.custom && !customs {
        call.custom = false;
        let text = match &call.input {
            ToolInput::Text(text) => text.clone(),
            ToolInput::Json(json) => json.text().to_owned().into(),
        };
        call.input = ToolInput::Json(object_of(crate::translate::WRAPPED_MEMBER, &text));
    }
}

fn object_of<'a>(key: &str, text: &Str<'_>) -> Json<'a> {
    let mut buffer = Vec::new();
    let mut object = Object::new(&mut buffer);
    object.str(key, text);
    object.end();
    Json(String::from_utf8(buffer).unwrap_or_default().into())
}

/// Arguments become an object: parsed, or kept whole under one member.
fn fit_input(call: &mut ToolCall<'_>, origin: crate::canonical::Origin, losses: &mut Losses) {
    let text = match &call.input {
        ToolInput::Json(json) if is_object(json.text()) => return,
        ToolInput::Json(json) => Str::from(json.text().to_owned()),
        ToolInput::Text(text) => text.clone(),
    };
    let plain = text.decode();
    let trimmed = plain.trim();
    call.input = if trimmed.is_empty() || trimmed == "null" {
        ToolInput::Json(Json("{}".into()))
    } else if Raw::parse(trimmed).is_ok() && is_object(trimmed) {
        ToolInput::Json(Json(trimmed.to_owned().into()))
    } else {
        losses.add_at(
            Severity::Content,
            "tool-input",
            origin,
            "arguments that are not a JSON object are kept as text",
        );
        ToolInput::Json(object_of(RAW_INPUT, &text))
    };
}

fn is_object(json: &str) -> bool {
    json.trim_start().starts_with('{')
}
