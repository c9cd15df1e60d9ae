//! Tools and tool choice of a Messages request, read.

use std::borrow::Cow;

use super::read::{cache_control, strings};
use crate::canonical::{
    Extra, Fallback, Foreign, Function, Json, Tool, ToolChoice, ToolName, WebSearch,
};
use crate::dialect::Dialect;
use crate::json::{Cursor, JsonError, Kind, Raw, Str};

/// Input of the shell tool Anthropic defines and clients run.
const BASH_SCHEMA: &str = r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run."},"restart":{"type":"boolean","description":"Restart the shell instead of running a command."}}}"#;

/// Input of the file editor Anthropic defines and clients run.
const EDITOR_SCHEMA: &str = r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"],"description":"What to do."},"path":{"type":"string","description":"Absolute path of a file or directory."},"file_text":{"type":"string","description":"Content of the new file, for create."},"old_str":{"type":"string","description":"Text to replace; must occur exactly once, for str_replace."},"new_str":{"type":"string","description":"Replacement, for str_replace."},"insert_line":{"type":"integer","description":"Line after which to insert, 0 for the start, for insert."},"insert_text":{"type":"string","description":"Text to insert, for insert."},"view_range":{"type":"array","items":{"type":"integer"},"description":"First and last line to show, for view."}},"required":["command","path"]}"#;

/// Input of the memory tool Anthropic defines and clients run.
const MEMORY_SCHEMA: &str = r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"],"description":"What to do."},"path":{"type":"string","description":"Path under /memories."},"view_range":{"type":"array","items":{"type":"integer"},"description":"First and last line to show, for view."},"file_text":{"type":"string","description":"Content of the new file, for create."},"old_str":{"type":"string","description":"Text to replace, for str_replace."},"new_str":{"type":"string","description":"Replacement, for str_replace."},"insert_line":{"type":"integer","description":"Line after which to insert, for insert."},"insert_text":{"type":"string","description":"Text to insert, for insert."},"old_path":{"type":"string","description":"Path to rename, for rename."},"new_path":{"type":"string","description":"New path, for rename."}},"required":["command"]}"#;

#[derive(Default)]
struct Members<'a> {
    kind: Option<Cow<'a, str>>,
    function: Option<Function<'a>>,
    search: WebSearch<'a>,
}

/// One tool.
pub(super) fn read_tool<'a>(c: &mut Cursor<'a>) -> Result<Tool<'a>, JsonError> {
    let mut before = c.clone();
    before.kind()?;
    let mut m = Members { function: Some(Function::new(Str::EMPTY)), ..Members::default() };
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        member(&mut m, c, key)?;
    }
    let mut function = m.function.unwrap_or_else(|| Function::new(Str::EMPTY));
    let kind = m.kind.unwrap_or(Cow::Borrowed("custom"));
    if kind == "custom" {
        if function.name.is_empty() {
            return Err(JsonError::new(before.position() + 1, "`name` is missing"));
        }
        return Ok(Tool::Function(Box::new(function)));
    }
    if kind.starts_with("web_search_") {
        let mut search = m.search;
        search.cache = function.cache;
        search.extras = function.extras;
        let said =
            [("defer_loading", function.defer_loading), ("strict", function.strict == Some(true))];
        let raw = before.raw()?;
        for (key, _) in said.into_iter().filter(|(_, said)| *said) {
            search.extras.push(Extra::hint(key.into(), raw, "means nothing to a search"));
        }
        return Ok(Tool::WebSearch(Box::new(search)));
    }
    let raw = before.raw()?;
    let known = |function: &mut Function<'a>, name: &'static str, what: &'static str, schema| {
        if function.name.is_empty() {
            function.name = name.into();
        }
        function.description = Some(what.into());
        function.parameters = Some(Json(Cow::Borrowed(schema)));
    };
    let mut stands_in = true;
    match kind.as_ref() {
        k if k.starts_with("bash_") => {
            known(&mut function, "bash", "Runs a command in a persistent shell.", BASH_SCHEMA);
        }
        k if k.starts_with("text_editor_") => known(
            &mut function,
            "str_replace_based_edit_tool",
            "Views, creates and edits files.",
            EDITOR_SCHEMA,
        ),
        k if k.starts_with("memory_") => known(
            &mut function,
            "memory",
            "Keeps notes in files under /memories between conversations.",
            MEMORY_SCHEMA,
        ),
        _ => stands_in = false,
    }
    let fallback = if stands_in {
        Fallback::Function(Box::new(function))
    } else if kind.starts_with("tool_search_tool_") {
        Fallback::Drop("all tools are sent up front")
    } else {
        Fallback::Refuse("Anthropic runs this tool, no other vendor has it")
    };
    Ok(Tool::Hosted(Box::new(Foreign { dialect: Dialect::Anthropic, kind, raw, fallback })))
}

fn member<'a>(m: &mut Members<'a>, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
    let Some(function) = m.function.as_mut() else { return c.skip() };
    match key.as_ref() {
        "type" => m.kind = c.opt(Cursor::string)?,
        "name" => function.name = c.str()?,
        "description" => function.description = c.opt(Cursor::str)?,
        "input_schema" => function.parameters = Some(schema(c)?),
        "strict" => function.strict = c.opt(Cursor::bool)?,
        "cache_control" => function.cache = cache_control(c)?,
        "defer_loading" => function.defer_loading = c.opt(Cursor::bool)?.unwrap_or(false),
        "input_examples" | "eager_input_streaming" => {
            let raw = c.raw()?;
            function.extras.push(Extra::hint(key, raw, "hint to the vendor"));
        }
        "allowed_callers" => {
            let raw = c.raw()?;
            function.extras.push(if allows_direct(raw)? {
                Extra::hint(key, raw, "only direct calls exist elsewhere")
            } else {
                Extra::refused(key, raw, "only code run at Anthropic may call this tool")
            });
        }
        "allowed_domains" => m.search.allowed_domains = c.opt(strings)?.unwrap_or_default(),
        "blocked_domains" => m.search.blocked_domains = c.opt(strings)?.unwrap_or_default(),
        "max_uses" => m.search.max_uses = c.opt(Cursor::u64)?,
        "user_location" => m.search.user_location = c.opt(Cursor::raw)?.map(Json::from),
        _ => {
            let raw = c.raw()?;
            function.extras.push(Extra::unknown(key, raw));
        }
    }
    Ok(())
}

fn schema<'a>(c: &mut Cursor<'a>) -> Result<Json<'a>, JsonError> {
    if c.kind()? == Kind::Object {
        return Ok(c.raw()?.into());
    }
    Err(c.error("a tool's schema must be an object"))
}

fn allows_direct(raw: Raw<'_>) -> Result<bool, JsonError> {
    let callers = raw.cursor().opt(strings)?;
    Ok(callers.is_none_or(|list| list.iter().any(|caller| caller.decode() == "direct")))
}

/// The choice, and whether parallel calls are disabled.
pub(super) fn read_choice<'a>(
    c: &mut Cursor<'a>,
) -> Result<(ToolChoice<'a>, Option<bool>), JsonError> {
    c.kind()?;
    let start = c.position() + 1;
    let (mut kind, mut name, mut one) = (None, None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => kind = Some(c.string()?),
            "name" => name = c.opt(Cursor::str)?,
            "disable_parallel_tool_use" => one = c.opt(Cursor::bool)?,
            _ => c.skip()?,
        }
    }
    let choice = match kind.as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") => ToolChoice::Named(ToolName {
            name: name.ok_or_else(|| JsonError::new(start, "`name` is missing"))?,
            namespace: None,
            custom: false,
        }),
        _ => return Err(JsonError::new(start, "unknown `type` of tool choice")),
    };
    Ok((choice, one))
}
