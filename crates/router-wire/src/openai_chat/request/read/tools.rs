//! Tools and tool choice of a Chat request, read.

use std::borrow::Cow;

use super::{Reading, cache_mark, object, strings};
use crate::canonical::{
    CacheMark, CustomFormat, CustomTool, Extra, Fallback, Foreign, Function, Json, Tool,
    ToolChoice, ToolName, WebSearch,
};
use crate::dialect::Dialect;
use crate::json::{Cursor, JsonError, Kind, Raw, Str};

impl<'a> Reading<'a> {
    pub(super) fn tool_member(&mut self, c: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        match key {
            "tools" => {
                self.request.tools.clear();
                let mut items = c.array()?;
                while items.next(c)?.is_some() {
                    self.request.tools.push(tool(c)?);
                }
            }
            "functions" => {
                self.request.legacy_functions = true;
                self.functions.clear();
                let mut items = c.array()?;
                while items.next(c)?.is_some() {
                    let start = c.position();
                    let function = function(c)?;
                    if function.name.is_empty() {
                        return Err(JsonError::new(start, "`name` is missing"));
                    }
                    self.functions.push(Tool::Function(Box::new(function)));
                }
            }
            "tool_choice" | "function_call" => {
                self.request.legacy_functions |= key == "function_call";
                self.request.tool_choice = Some(choice(c)?);
            }
            "parallel_tool_calls" => self.request.parallel_tools = Some(c.bool()?),
            "web_search_options" => self.search = Some(web_search(c)?),
            _ => c.skip()?,
        }
        Ok(())
    }
}

/// The members of one tool, whatever its type.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Cow<'a, str>>,
    function: Option<Raw<'a>>,
    custom: Option<Raw<'a>>,
    cache: Option<CacheMark>,
    extras: Vec<Extra<'a>>,
}

fn tool<'a>(c: &mut Cursor<'a>) -> Result<Tool<'a>, JsonError> {
    let start = c.position();
    let whole = c.raw()?;
    let mut m = Members::default();
    let mut inner = whole.cursor();
    let mut members = inner.object()?;
    while let Some(key) = members.next(&mut inner)? {
        match key.as_ref() {
            "type" => m.kind = inner.opt(Cursor::string)?,
            "function" => m.function = inner.opt(Cursor::raw)?,
            "custom" => m.custom = inner.opt(Cursor::raw)?,
            "cache_control" | "prompt_cache_breakpoint" => m.cache = inner.opt(cache_mark)?,
            _ => {
                let raw = inner.raw()?;
                m.extras.push(Extra::unknown(key, raw));
            }
        }
    }
    // Tools of Responses and Messages clients that speak Chat otherwise: all members at the top.
    let flat = |given: Option<Raw<'a>>| given.unwrap_or(whole);
    let named = |name: &Str<'_>| {
        if name.is_empty() { Err(JsonError::new(start, "`name` is missing")) } else { Ok(()) }
    };
    match m.kind.as_deref() {
        Some("function") | None => {
            let extras = if m.function.is_some() { m.extras } else { Vec::new() };
            let mut function = function(&mut flat(m.function).cursor())?;
            named(&function.name)?;
            function.cache = function.cache.or(m.cache);
            function.extras.extend(extras);
            Ok(Tool::Function(Box::new(function)))
        }
        Some("custom") => {
            let mut tool = custom(&mut flat(m.custom).cursor())?;
            named(&tool.name)?;
            tool.cache = tool.cache.or(m.cache);
            Ok(Tool::Custom(Box::new(tool)))
        }
        Some(kind) if kind.starts_with("web_search") => {
            let mut search = web_search(&mut whole.cursor())?;
            search.cache = m.cache;
            Ok(Tool::WebSearch(Box::new(search)))
        }
        Some(_) => Ok(Tool::Hosted(Box::new(Foreign {
            dialect: Dialect::OpenaiChat,
            kind: m.kind.unwrap_or_default(),
            raw: whole,
            fallback: Fallback::Refuse("unknown type of tool"),
        }))),
    }
}

fn function<'a>(c: &mut Cursor<'a>) -> Result<Function<'a>, JsonError> {
    let mut f = Function::new(Str::EMPTY);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "name" => f.name = c.str()?,
            "description" => f.description = c.opt(Cursor::str)?,
            "parameters" | "input_schema" => f.parameters = c.opt(object)?,
            "strict" => f.strict = c.opt(Cursor::bool)?,
            "cache_control" | "prompt_cache_breakpoint" => f.cache = c.opt(cache_mark)?,
            "type" => c.skip()?,
            _ => {
                let raw = c.raw()?;
                if raw.kind() != Kind::Null {
                    f.extras.push(Extra::unknown(key, raw));
                }
            }
        }
    }
    Ok(f)
}

fn custom<'a>(c: &mut Cursor<'a>) -> Result<CustomTool<'a>, JsonError> {
    let mut tool = CustomTool {
        name: Str::EMPTY,
        namespace: None,
        description: None,
        format: CustomFormat::Text,
        cache: None,
        extras: Vec::new(),
    };
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "name" => tool.name = c.str()?,
            "description" => tool.description = c.opt(Cursor::str)?,
            "format" => tool.format = c.opt(custom_format)?.unwrap_or(CustomFormat::Text),
            "cache_control" | "prompt_cache_breakpoint" => tool.cache = c.opt(cache_mark)?,
            "type" => c.skip()?,
            _ => {
                let raw = c.raw()?;
                if raw.kind() != Kind::Null {
                    tool.extras.push(Extra::unknown(key, raw));
                }
            }
        }
    }
    Ok(tool)
}

/// `{"type": "text"}`, or a grammar with its members in `grammar` or beside the type.
fn custom_format<'a>(c: &mut Cursor<'a>) -> Result<CustomFormat<'a>, JsonError> {
    let start = c.position();
    let (mut kind, mut syntax, mut definition) = (None, None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => kind = Some(c.string()?),
            "syntax" => syntax = c.opt(Cursor::str)?,
            "definition" => definition = c.opt(Cursor::str)?,
            "grammar" => {
                let mut inner = c.object()?;
                while let Some(key) = inner.next(c)? {
                    match key.as_ref() {
                        "syntax" => syntax = Some(c.str()?),
                        "definition" => definition = Some(c.str()?),
                        _ => c.skip()?,
                    }
                }
            }
            _ => c.skip()?,
        }
    }
    match (kind.as_deref(), syntax, definition) {
        (Some("text") | None, None, None) => Ok(CustomFormat::Text),
        (Some("grammar"), Some(syntax), Some(definition)) => {
            Ok(CustomFormat::Grammar { syntax, definition })
        }
        _ => Err(JsonError::new(start, "expected the format text, or a grammar with its syntax")),
    }
}

/// `web_search_options`, or a tool of type `web_search`.
fn web_search<'a>(c: &mut Cursor<'a>) -> Result<WebSearch<'a>, JsonError> {
    let mut search = WebSearch::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "search_context_size" => search.context_size = c.opt(Cursor::str)?,
            "user_location" => search.user_location = c.opt(location)?,
            "filters" => {
                let Some(raw) = c.opt(Cursor::raw)? else { continue };
                let mut inner = raw.cursor();
                let mut filters = inner.object()?;
                while let Some(key) = filters.next(&mut inner)? {
                    match key.as_ref() {
                        "allowed_domains" => search.allowed_domains = strings(&mut inner)?,
                        "blocked_domains" => search.blocked_domains = strings(&mut inner)?,
                        _ => inner.skip()?,
                    }
                }
            }
            "type" | "name" => c.skip()?,
            _ => {
                let raw = c.raw()?;
                if raw.kind() != Kind::Null {
                    search.extras.push(Extra::unknown(key, raw));
                }
            }
        }
    }
    Ok(search)
}

/// The place of the user, made flat: Chat nests it in `approximate`.
fn location<'a>(c: &mut Cursor<'a>) -> Result<Json<'a>, JsonError> {
    let whole = c.raw()?;
    let mut inner = whole.cursor();
    let mut members = inner.object()?;
    while let Some(key) = members.next(&mut inner)? {
        if key == "approximate" {
            let place = object(&mut inner)?;
            let rest = place.text().trim_start_matches('{').trim_start();
            let comma = if rest.starts_with('}') { "" } else { "," };
            let flat = format!(r#"{{"type":"approximate"{comma}{rest}"#);
            return Ok(Json(Cow::Owned(flat)));
        }
        inner.skip()?;
    }
    Ok(whole.into())
}

fn choice<'a>(c: &mut Cursor<'a>) -> Result<ToolChoice<'a>, JsonError> {
    let start = c.position();
    let unknown = "unknown tool choice; expected none, auto, required or a tool";
    if c.kind()? == Kind::String {
        return match c.string()?.as_ref() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            // The second is what some other vendors call it.
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(JsonError::new(start, unknown)),
        };
    }
    let mut before = c.clone();
    let (mut kind, mut mode, mut tools) = (None, None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => kind = Some(c.string()?),
            "allowed_tools" => {
                let mut allowed = c.object()?;
                while let Some(key) = allowed.next(c)? {
                    match key.as_ref() {
                        "mode" => mode = Some(c.string()?),
                        "tools" => tools = Some(tool_names(c)?),
                        _ => c.skip()?,
                    }
                }
            }
            "mode" => mode = Some(c.string()?),
            "tools" => tools = Some(tool_names(c)?),
            _ => c.skip()?,
        }
    }
    match kind.as_deref() {
        Some("allowed_tools") => Ok(ToolChoice::Allowed {
            required: mode.as_deref() == Some("required"),
            tools: tools.ok_or_else(|| JsonError::new(start, "`tools` is missing"))?,
        }),
        // Choices written the way of Messages.
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("any" | "required") => Ok(ToolChoice::Required),
        // The old `function_call` has only a name.
        Some("function" | "custom" | "tool") | None => {
            tool_name(&mut before).map(ToolChoice::Named)
        }
        Some(_) => Ok(ToolChoice::Foreign(Box::new(Foreign {
            dialect: Dialect::OpenaiChat,
            kind: kind.unwrap_or_default(),
            raw: before.raw()?,
            fallback: Fallback::Refuse(unknown),
        }))),
    }
}

fn tool_names<'a>(c: &mut Cursor<'a>) -> Result<Vec<ToolName<'a>>, JsonError> {
    let mut list = Vec::new();
    let mut items = c.array()?;
    while items.next(c)?.is_some() {
        list.push(tool_name(c)?);
    }
    Ok(list)
}

/// `{type, function: {name}}`, `{type, custom: {name}}` or `{type, name}`.
fn tool_name<'a>(c: &mut Cursor<'a>) -> Result<ToolName<'a>, JsonError> {
    let start = c.position();
    let mut found = ToolName { name: Str::EMPTY, namespace: None, custom: false };
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => found.custom |= c.string()? == "custom",
            "name" => found.name = c.str()?,
            "function" | "custom" if c.kind()? == Kind::Object => {
                let inner = function(c)?;
                found.name = inner.name;
            }
            _ => c.skip()?,
        }
    }
    if found.name.is_empty() {
        return Err(JsonError::new(start, "the name of the tool is missing"));
    }
    Ok(found)
}
