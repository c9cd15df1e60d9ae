//! Tools and tool choice of a Responses request, read.

use std::borrow::Cow;

use super::hosted;
use super::read::Reading;
use crate::canonical::{
    CustomFormat, CustomTool, Extra, Fallback, Foreign, Function, Json, Tool, ToolChoice, ToolName,
    WebSearch,
};
use crate::dialect::Dialect;
use crate::json::{Cursor, JsonError, Kind, Raw, Str};

/// What tells one tool from another: its group and name.
pub(super) fn key<'t, 'a>(tool: &'t Tool<'a>) -> Option<(Option<&'t Str<'a>>, &'t Str<'a>)> {
    match tool {
        Tool::Function(function) => Some((function.namespace.as_ref(), &function.name)),
        Tool::Custom(custom) => Some((custom.namespace.as_ref(), &custom.name)),
        Tool::WebSearch(_) | Tool::Hosted(_) => None,
    }
}

/// The members of one tool, whatever its type.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Cow<'a, str>>,
    name: Option<Str<'a>>,
    description: Option<Raw<'a>>,
    parameters: Option<Json<'a>>,
    strict: Option<bool>,
    /// Whether the tool is to be loaded later, where that is said.
    deferred: Option<Raw<'a>>,
    format: Option<Raw<'a>>,
    tools: Option<Raw<'a>>,
    /// Where a shell runs.
    environment: Option<Cow<'a, str>>,
    search: WebSearch<'a>,
    extras: Vec<Extra<'a>>,
}

impl<'a> Reading<'a> {
    /// A list of tools.
    pub(super) fn tools(&mut self, c: &mut Cursor<'a>, at: &str) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut items = c.array()?;
        while let Some(index) = items.next(c)? {
            self.tool(c, &format!("{at}[{index}]"), None)?;
        }
        Ok(())
    }

    fn tool(
        &mut self,
        c: &mut Cursor<'a>,
        at: &str,
        namespace: Option<&Str<'a>>,
    ) -> Result<(), JsonError> {
        c.kind()?;
        let mut before = c.clone();
        let start = before.position() + 1;
        let mut m = Members::default();
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            member(&mut m, c, key)?;
        }
        let missing = |what: &'static str| JsonError::new(start, what);
        let kind = m.kind.take().ok_or_else(|| missing("`type` is missing"))?;
        let tool = match kind.as_ref() {
            "function" => Tool::Function(Box::new(Function {
                name: m.name.ok_or_else(|| missing("`name` is missing"))?,
                namespace: namespace.cloned(),
                description: text(m.description)?,
                parameters: m.parameters,
                strict: m.strict,
                cache: None,
                defer_loading: m.deferred.is_some(),
                extras: m.extras,
            })),
            "custom" => {
                m.extras.extend(m.deferred.map(|raw| {
                    Extra::hint("defer_loading".into(), raw, "all tools are sent up front")
                }));
                Tool::Custom(Box::new(CustomTool {
                    name: m.name.ok_or_else(|| missing("`name` is missing"))?,
                    namespace: namespace.cloned(),
                    description: text(m.description)?,
                    format: m.format.map_or(Ok(CustomFormat::Text), custom_format)?,
                    cache: None,
                    extras: m.extras,
                }))
            }
            "namespace" if namespace.is_none() => return self.namespace(m, at, start),
            kind if kind.starts_with("web_search") => {
                m.search.extras = m.extras;
                Tool::WebSearch(Box::new(m.search))
            }
            _ => {
                let raw = before.raw()?;
                let here = matches!(m.environment.as_deref(), None | Some("local"));
                let fallback = if here {
                    hosted::tool_fallback(&kind, m.extras)
                } else {
                    Fallback::Refuse("OpenAI runs this shell, no other vendor has it")
                };
                let dialect = Dialect::OpenaiResponses;
                Tool::Hosted(Box::new(Foreign { dialect, kind, raw, fallback }))
            }
        };
        self.request.tools.push(tool);
        Ok(())
    }

    /// A group: its tools are listed one by one, each with the name of the group.
    fn namespace(&mut self, m: Members<'a>, at: &str, start: usize) -> Result<(), JsonError> {
        let missing = |what: &'static str| JsonError::new(start, what);
        let name = m.name.ok_or_else(|| missing("`name` is missing"))?;
        let tools = m.tools.ok_or_else(|| missing("`tools` is missing"))?;
        let first = self.request.tools.len();
        let mut c = tools.cursor();
        let mut items = c.array()?;
        while let Some(index) = items.next(&mut c)? {
            self.tool(&mut c, &format!("{at}.tools[{index}]"), Some(&name))?;
        }
        let group_extras = m.description.into_iter().map(|raw| {
            Extra::hint("namespace.description".into(), raw, "groups of tools exist here only")
        });
        match self.request.tools.get_mut(first) {
            Some(Tool::Function(function)) => function.extras.extend(group_extras.chain(m.extras)),
            Some(Tool::Custom(custom)) => custom.extras.extend(group_extras.chain(m.extras)),
            _ => {}
        }
        Ok(())
    }

    /// How freely the model chooses.
    pub(super) fn tool_choice(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        let at = {
            c.kind()?;
            c.position()
        };
        self.request.tool_choice = match c.kind()? {
            Kind::Null => {
                c.skip()?;
                None
            }
            Kind::String => Some(match c.string()?.as_ref() {
                "auto" => ToolChoice::Auto,
                "none" => ToolChoice::None,
                "required" => ToolChoice::Required,
                _ => {
                    let what = "unknown tool choice; expected auto, none or required";
                    return Err(JsonError::new(at, what));
                }
            }),
            _ => Some(choice(c.raw()?)?),
        };
        Ok(())
    }
}

fn member<'a>(m: &mut Members<'a>, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
    match key.as_ref() {
        "type" => m.kind = Some(c.string()?),
        "name" => m.name = c.opt(Cursor::str)?,
        "description" => m.description = c.opt(Cursor::raw)?,
        "parameters" => match c.kind()? {
            Kind::Null => c.skip()?,
            Kind::Object => m.parameters = Some(c.raw()?.into()),
            _ => return Err(c.error("a tool's parameters must be an object")),
        },
        "strict" => m.strict = c.opt(Cursor::bool)?,
        "defer_loading" => {
            let raw = c.clone().raw()?;
            m.deferred = c.opt(Cursor::bool)?.unwrap_or(false).then_some(raw);
        }
        "format" => m.format = c.opt(Cursor::raw)?,
        "tools" => m.tools = c.opt(Cursor::raw)?,
        "environment" => environment(m, c)?,
        "filters" => filters(m, c)?,
        "user_location" => m.search.user_location = c.opt(Cursor::raw)?.map(Json::from),
        "search_context_size" => m.search.context_size = c.opt(Cursor::str)?,
        _ => {
            let raw = c.raw()?;
            if raw.kind() != Kind::Null {
                m.extras.push(match key.as_ref() {
                    "async"
                    | "output_schema"
                    | "allowed_callers"
                    | "external_web_access"
                    | "search_content_types" => {
                        Extra::hint(key, raw, "no other dialect's tools have it")
                    }
                    _ => Extra::unknown(key, raw),
                });
            }
        }
    }
    Ok(())
}

/// The type of a shell's environment: `local`, or a container at the vendor.
fn environment<'a>(m: &mut Members<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    if c.kind()? != Kind::Object {
        return c.skip();
    }
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key == "type" {
            m.environment = c.opt(Cursor::string)?;
        } else {
            let (raw, why) = (c.raw()?, "a function is told nothing of where it runs");
            m.extras.push(Extra::hint(format!("environment.{key}").into(), raw, why));
        }
    }
    Ok(())
}

fn filters<'a>(m: &mut Members<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    // File search has filters of another form; the whole tool is kept raw anyway.
    if c.kind()? != Kind::Object {
        return c.skip();
    }
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "allowed_domains" => m.search.allowed_domains = c.opt(strings)?.unwrap_or_default(),
            "blocked_domains" => m.search.blocked_domains = c.opt(strings)?.unwrap_or_default(),
            _ => {
                let raw = c.raw()?;
                m.extras.push(Extra::unknown(format!("filters.{key}").into(), raw));
            }
        }
    }
    Ok(())
}

fn strings<'a>(c: &mut Cursor<'a>) -> Result<Vec<Str<'a>>, JsonError> {
    let mut list = Vec::new();
    let mut items = c.array()?;
    while items.next(c)?.is_some() {
        list.push(c.str()?);
    }
    Ok(list)
}

fn text(raw: Option<Raw<'_>>) -> Result<Option<Str<'_>>, JsonError> {
    raw.map(|raw| raw.cursor().str()).transpose()
}

fn custom_format(raw: Raw<'_>) -> Result<CustomFormat<'_>, JsonError> {
    let start = raw.at() + 1;
    let (mut kind, mut syntax, mut definition) = (None, None, None);
    let mut c = raw.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        match key.as_ref() {
            "type" => kind = Some(c.string()?),
            "syntax" => syntax = c.opt(Cursor::str)?,
            "definition" => definition = c.opt(Cursor::str)?,
            _ => c.skip()?,
        }
    }
    let missing = |what: &'static str| JsonError::new(start, what);
    match kind.as_deref() {
        Some("text") => Ok(CustomFormat::Text),
        Some("grammar") => Ok(CustomFormat::Grammar {
            syntax: syntax.ok_or_else(|| missing("`syntax` is missing"))?,
            definition: definition.ok_or_else(|| missing("`definition` is missing"))?,
        }),
        Some(_) => Err(missing("unknown `type` of format")),
        None => Err(missing("`type` is missing")),
    }
}

/// A choice that is an object.
fn choice(raw: Raw<'_>) -> Result<ToolChoice<'_>, JsonError> {
    let start = raw.at() + 1;
    let missing = |what: &'static str| JsonError::new(start, what);
    let (mut kind, mut name, mut mode, mut tools) = (None, None, None, None);
    let mut namespace = None;
    let mut c = raw.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        match key.as_ref() {
            "type" => kind = Some(c.string()?),
            "name" => name = c.opt(Cursor::str)?,
            "namespace" => namespace = c.opt(Cursor::str)?,
            "mode" => mode = c.opt(Cursor::string)?,
            "tools" => tools = c.opt(Cursor::raw)?,
            _ => c.skip()?,
        }
    }
    let kind = kind.ok_or_else(|| missing("`type` is missing"))?;
    match kind.as_ref() {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" => Ok(ToolChoice::Required),
        "function" | "custom" => Ok(ToolChoice::Named(ToolName {
            name: name.ok_or_else(|| missing("`name` is missing"))?,
            namespace,
            custom: kind == "custom",
        })),
        kind if kind.starts_with("web_search") => Ok(ToolChoice::Named(web_search())),
        "allowed_tools" => {
            let list = tools.ok_or_else(|| missing("`tools` is missing"))?;
            match allowed(list)? {
                Some(tools) => {
                    let required = mode.as_deref() == Some("required");
                    Ok(ToolChoice::Allowed { required, tools })
                }
                None => Ok(foreign(kind, raw)),
            }
        }
        _ => Ok(foreign(kind, raw)),
    }
}

/// The web search has a type and no name; elsewhere its name is this.
fn web_search() -> ToolName<'static> {
    ToolName { name: Str::plain("web_search"), namespace: None, custom: false }
}

fn foreign<'a>(kind: Cow<'a, str>, raw: Raw<'a>) -> ToolChoice<'a> {
    ToolChoice::Foreign(Box::new(Foreign {
        dialect: Dialect::OpenaiResponses,
        kind,
        raw,
        fallback: Fallback::Refuse("only OpenAI has the tool that is to be chosen"),
    }))
}

/// The tools of a list, or nothing when one of them exists in this dialect only.
fn allowed(raw: Raw<'_>) -> Result<Option<Vec<ToolName<'_>>>, JsonError> {
    let mut names = Vec::new();
    let mut c = raw.cursor();
    let mut items = c.array()?;
    while items.next(&mut c)?.is_some() {
        match choice(c.raw()?)? {
            ToolChoice::Named(name) => names.push(name),
            _ => return Ok(None),
        }
    }
    Ok(Some(names))
}
