//! Tools and their configuration, read.

use std::borrow::Cow;

use super::read::{Reading, strings};
use crate::canonical::{Extra, Fallback, Foreign, Function, Tool, ToolChoice, ToolName, WebSearch};
use crate::dialect::Dialect;
use crate::gemini::{camel, schema};
use crate::json::{Cursor, JsonError, Kind, Str};

/// Reads `tools`. Each entry may hold several kinds of tools.
pub(super) fn read<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    r.request.tools.clear();
    if c.null()? {
        return Ok(());
    }
    let mut items = c.array()?;
    while items.next(c)?.is_some() {
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            if c.kind()? == Kind::Null {
                c.skip()?;
                continue;
            }
            entry(r, c, key)?;
        }
    }
    Ok(())
}

fn entry<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
    match camel(&key).as_ref() {
        "functionDeclarations" => {
            let mut items = c.array()?;
            while items.next(c)?.is_some() {
                let function = function(c)?;
                r.request.tools.push(Tool::Function(Box::new(function)));
            }
        }
        "googleSearch" | "googleSearchRetrieval" => {
            let search = search(c)?;
            r.request.tools.push(Tool::WebSearch(Box::new(search)));
        }
        _ => {
            let raw = c.raw()?;
            let fallback = Fallback::Refuse("Google runs this tool, no other vendor has it");
            let kind = key;
            let foreign = Foreign { dialect: Dialect::Gemini, kind, raw, fallback };
            r.request.tools.push(Tool::Hosted(Box::new(foreign)));
        }
    }
    Ok(())
}

fn function<'a>(c: &mut Cursor<'a>) -> Result<Function<'a>, JsonError> {
    c.kind()?;
    let start = c.position() + 1;
    let mut function = Function::new(Str::EMPTY);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "name" => function.name = c.str()?,
            "description" => function.description = c.opt(Cursor::str)?,
            "parameters" => {
                if !c.null()? {
                    let raw = c.clone().raw()?;
                    function.extras.extend(schema::hints(raw).map(|word| {
                        Extra::hint(format!("parameters.{word}").into(), raw, schema::HINT_WHY)
                    }));
                    function.parameters = Some(schema::read(c)?);
                }
            }
            "parametersJsonSchema" => {
                if !c.null()? {
                    if c.kind()? != Kind::Object {
                        return Err(c.error("a tool's schema must be an object"));
                    }
                    function.parameters = Some(c.raw()?.into());
                }
            }
            "response" | "responseJsonSchema" | "behavior" => {
                let raw = c.raw()?;
                if raw.kind() != Kind::Null {
                    function.extras.push(Extra::hint(key, raw, "no other dialect has it"));
                }
            }
            _ => {
                let raw = c.raw()?;
                if raw.kind() != Kind::Null {
                    function.extras.push(Extra::unknown(key, raw));
                }
            }
        }
    }
    if function.name.is_empty() {
        return Err(JsonError::new(start, "`name` is missing"));
    }
    Ok(function)
}

fn search<'a>(c: &mut Cursor<'a>) -> Result<WebSearch<'a>, JsonError> {
    let mut search = WebSearch::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if camel(&key) == "excludeDomains" {
            search.blocked_domains = strings(c)?;
        } else {
            let raw = c.raw()?;
            if raw.kind() != Kind::Null {
                search.extras.push(Extra::hint(key, raw, "only Google's search has it"));
            }
        }
    }
    Ok(search)
}

/// Reads `toolConfig`.
pub(super) fn config<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    if c.null()? {
        return Ok(());
    }
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "functionCallingConfig" => choice(r, c)?,
            "retrievalConfig" | "includeServerSideToolInvocations" => {
                r.hint(c, format!("toolConfig.{key}"), "vendor detail")?;
            }
            _ => r.unknown(c, format!("toolConfig.{key}"))?,
        }
    }
    Ok(())
}

fn choice<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    if c.null()? {
        return Ok(());
    }
    let start = c.position() + 1;
    let (mut mode, mut names) = (None, Vec::new());
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "mode" => mode = c.opt(Cursor::string)?,
            "allowedFunctionNames" => names = strings(c)?,
            "streamFunctionCallArguments" => {
                let path = "toolConfig.functionCallingConfig.streamFunctionCallArguments";
                r.hint(c, path, "vendor detail")?;
            }
            _ => r.unknown(c, format!("toolConfig.functionCallingConfig.{key}"))?,
        }
    }
    let named = |name| ToolName { name, namespace: None, custom: false };
    let mode = mode.map(|mode| mode.to_ascii_uppercase());
    let required = match mode.as_deref() {
        Some("NONE") => {
            r.request.tool_choice = Some(ToolChoice::None);
            return Ok(());
        }
        Some("ANY") => true,
        Some("VALIDATED") => {
            r.validated = true;
            false
        }
        None | Some("AUTO" | "MODE_UNSPECIFIED" | "") => false,
        Some(_) => {
            return Err(JsonError::new(
                start,
                "unknown mode of function calling; expected AUTO, ANY, NONE or VALIDATED",
            ));
        }
    };
    r.request.tool_choice = Some(match names.len() {
        0 if required => ToolChoice::Required,
        0 => ToolChoice::Auto,
        1 if required => ToolChoice::Named(named(names.pop().unwrap_or_default())),
        _ => ToolChoice::Allowed { required, tools: names.into_iter().map(named).collect() },
    });
    Ok(())
}
