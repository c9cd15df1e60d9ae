//! Items of a Responses conversation, read.

use std::borrow::Cow;

use super::hosted;
use super::parts;
use super::read::Reading;
use crate::canonical::{
    Content, Extra, Fallback, Foreign, Image, Media, Origin, Part, Role, TOOL_ERROR_PREFIX,
    Thinking, ToolCall, ToolInput, ToolResult, Turn, envelope,
};
use crate::dialect::Dialect;
use crate::json::{Cursor, JsonError, Kind, Raw, Str};

/// What the last turn was made of, so that the next item joins it or begins another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Group {
    /// One message that stands for itself.
    #[default]
    Own,
    /// Items of the model: messages, reasoning, calls.
    Assistant,
    /// Results of tools.
    Results,
}

/// The members of one item, whatever its type.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Cow<'a, str>>,
    role: Option<Role>,
    parts: Option<Vec<Part<'a>>>,
    content: Option<Raw<'a>>,
    summary: Option<Raw<'a>>,
    encrypted: Option<Str<'a>>,
    id: Option<Str<'a>>,
    call_id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    namespace: Option<Str<'a>>,
    input: Option<ToolInput<'a>>,
    output: Option<Raw<'a>>,
    status: Option<Cow<'a, str>>,
    /// `action` or `operation` of a hosted call.
    action: Option<Raw<'a>>,
    tools: Option<Raw<'a>>,
    reasoning: Option<Raw<'a>>,
    text: Option<Raw<'a>>,
    result: Option<Str<'a>>,
    /// Kind of image in `result`.
    output_format: Option<Cow<'a, str>>,
}

impl<'a> Reading<'a> {
    /// One item of the input.
    pub(super) fn item(&mut self, c: &mut Cursor<'a>, index: usize) -> Result<(), JsonError> {
        c.kind()?;
        let mut before = c.clone();
        let start = before.position() + 1;
        let mut m = Members::default();
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            self.item_member(&mut m, c, &key, index)?;
        }
        let kind = match m.kind.take() {
            Some(kind) => kind,
            None if m.role.is_some() => Cow::Borrowed("message"),
            None if m.id.is_some() => Cow::Borrowed("item_reference"),
            None => return Err(JsonError::new(start, "`type` is missing")),
        };
        if self.plain(&kind, &mut m, index, start)? {
            return Ok(());
        }
        let raw = before.raw()?;
        self.hosted(kind, m, raw, index)
    }

    fn item_member(
        &mut self,
        m: &mut Members<'a>,
        c: &mut Cursor<'a>,
        key: &str,
        index: usize,
    ) -> Result<(), JsonError> {
        let path = || format!("input[{index}].{key}");
        match key {
            "type" => m.kind = c.opt(Cursor::string)?,
            "role" => m.role = c.opt(role)?,
            "content" if matches!(m.kind.as_deref(), None | Some("message")) => {
                m.parts = Some(parts::content(self, c, Origin::item(index))?);
            }
            "content" => m.content = c.opt(Cursor::raw)?,
            "summary" => m.summary = c.opt(Cursor::raw)?,
            "encrypted_content" => m.encrypted = c.opt(Cursor::str)?,
            "id" => m.id = c.opt(Cursor::str)?,
            "call_id" => m.call_id = c.opt(Cursor::str)?,
            "name" => m.name = c.opt(Cursor::str)?,
            "namespace" => m.namespace = c.opt(Cursor::str)?,
            "arguments" | "input" => m.input = c.opt(tool_input)?,
            "output" => m.output = c.opt(Cursor::raw)?,
            "status" if c.kind()? == Kind::String => m.status = Some(c.string()?),
            "status" => c.skip()?,
            "action" | "operation" => m.action = c.opt(Cursor::raw)?,
            "tools" => m.tools = c.opt(Cursor::raw)?,
            "reasoning" => m.reasoning = c.opt(Cursor::raw)?,
            "text" => m.text = c.opt(Cursor::raw)?,
            "result" => m.result = c.opt(Cursor::str)?,
            "output_format" => m.output_format = c.opt(Cursor::string)?,
            "phase" => self.hint_once(c, "phase", path, "no other dialect has it")?,
            "caller" => self.hint_once(c, "caller", path, "no other dialect has it")?,
            "async" => self.hint_once(c, "async", path, "no other dialect has it")?,
            _ if m.kind.as_deref().is_none_or(is_plain) => self.unknown(c, path())?,
            _ => c.skip()?,
        }
        Ok(())
    }

    fn push(&mut self, role: Role, group: Group, part: Part<'a>) {
        let joins = group != Group::Own && group == self.last;
        if let Some(turn) = self.request.turns.last_mut().filter(|_| joins) {
            turn.parts.push(part);
        } else {
            let origin = Origin { part: None, ..part.origin };
            self.request.turns.push(Turn::new(role, vec![part], origin));
        }
        self.last = group;
    }

    fn assistant(&mut self, content: Content<'a>, index: usize) {
        self.push(Role::Assistant, Group::Assistant, Part::new(content, Origin::item(index)));
    }

    /// Items that every dialect has in some form; false for others.
    fn plain(
        &mut self,
        kind: &str,
        m: &mut Members<'a>,
        index: usize,
        start: usize,
    ) -> Result<bool, JsonError> {
        let missing = |what: &'static str| JsonError::new(start, what);
        match kind {
            "message" => self.message(m, index, start)?,
            "reasoning" => {
                let thinking = thinking(m)?;
                self.assistant(Content::Thinking(Box::new(thinking)), index);
            }
            "function_call" | "custom_tool_call" => {
                let custom = kind == "custom_tool_call";
                let call = ToolCall {
                    id: call_id(m).ok_or_else(|| missing("`call_id` is missing"))?,
                    name: m.name.take().ok_or_else(|| missing("`name` is missing"))?,
                    namespace: m.namespace.take(),
                    input: m.input.take().unwrap_or(ToolInput::Text(Str::EMPTY)),
                    custom,
                    hosted: None,
                };
                self.assistant(Content::ToolCall(Box::new(call)), index);
            }
            "function_call_output" | "custom_tool_call_output" => {
                let call_id = call_id(m).ok_or_else(|| missing("`call_id` is missing"))?;
                let custom = kind == "custom_tool_call_output";
                let content = match m.output {
                    Some(output) => self.output(output, index)?,
                    None => Vec::new(),
                };
                let result = ToolResult { call_id, name: None, content, is_error: false, custom };
                self.result(result, index);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn message(
        &mut self,
        m: &mut Members<'a>,
        index: usize,
        start: usize,
    ) -> Result<(), JsonError> {
        let missing = |what: &'static str| JsonError::new(start, what);
        let role = m.role.ok_or_else(|| missing("`role` is missing"))?;
        let origin = Origin::item(index);
        let parts = match (m.parts.take(), m.content) {
            (Some(parts), _) => parts,
            (None, Some(raw)) => parts::content(self, &mut raw.cursor(), origin)?,
            (None, None) => return Err(missing("`content` is missing")),
        };
        if role == Role::Assistant {
            for part in parts {
                self.push(Role::Assistant, Group::Assistant, part);
            }
            return Ok(());
        }
        self.request.turns.push(Turn::new(role, parts, origin));
        self.last = Group::Own;
        Ok(())
    }

    fn output(&mut self, raw: Raw<'a>, index: usize) -> Result<Vec<Part<'a>>, JsonError> {
        let origin = Origin::item(index);
        match raw.kind() {
            Kind::String | Kind::Array => parts::content(self, &mut raw.cursor(), origin),
            // Clients that send an object mean its text.
            _ => Ok(vec![Part::text(Str::plain(raw.text()), origin)]),
        }
    }

    fn result(&mut self, mut result: ToolResult<'a>, index: usize) {
        result.is_error |= strip_error_prefix(&mut result.content);
        let content = Content::ToolResult(Box::new(result));
        self.push(Role::User, Group::Results, Part::new(content, Origin::item(index)));
    }

    /// Items of tools the vendor runs or defines, of stored state, and unknown ones.
    fn hosted(
        &mut self,
        kind: Cow<'a, str>,
        mut m: Members<'a>,
        raw: Raw<'a>,
        index: usize,
    ) -> Result<(), JsonError> {
        match kind.as_ref() {
            "shell_call" | "local_shell_call" | "apply_patch_call" => {
                let missing = |what: &'static str| JsonError::new(raw.at() + 1, what);
                let action = m.action.ok_or_else(|| missing("the action is missing"))?;
                let call = ToolCall {
                    id: call_id(&mut m).ok_or_else(|| missing("`call_id` is missing"))?,
                    name: hosted::function_name(&kind).into(),
                    namespace: None,
                    input: ToolInput::Json(hosted::input(&kind, action)?),
                    custom: false,
                    hosted: Some(kind),
                };
                self.assistant(Content::ToolCall(Box::new(call)), index);
            }
            "shell_call_output" | "local_shell_call_output" | "apply_patch_call_output" => {
                let Some(call_id) = call_id(&mut m) else {
                    return Err(JsonError::new(raw.at() + 1, "`call_id` is missing"));
                };
                let (text, failed) = hosted::output(m.output, m.status.as_deref())?;
                let content = vec![Part::text(text, Origin::item(index))];
                let result =
                    ToolResult { call_id, name: None, content, is_error: failed, custom: false };
                self.result(result, index);
            }
            "additional_tools" | "tool_search_output" => {
                self.late.extend(m.tools.map(|tools| (tools, index)));
                self.foreign(kind, raw, index, Fallback::Drop("all tools are sent up front"));
            }
            "configuration_update" => {
                if let Some(reasoning) = m.reasoning {
                    self.reasoning(&mut reasoning.cursor(), &format!("input[{index}].reasoning"))?;
                }
                if let Some(text) = m.text {
                    self.text(&mut text.cursor(), &format!("input[{index}].text"))?;
                }
                let why = "settings hold for the whole request";
                self.foreign(kind, raw, index, Fallback::Drop(why));
            }
            "image_generation_call" if m.result.is_some() => {
                let data = m.result.unwrap_or_default();
                let media_type = match m.output_format.as_deref() {
                    Some("jpeg") => "image/jpeg",
                    Some("webp") => "image/webp",
                    _ => "image/png",
                };
                let (path, why) =
                    (format!("input[{index}]"), "the image is there, not how it was made");
                self.request.extras.push(Extra::hint(path.into(), raw, why));
                let media = Media::Base64 { media_type: Str::plain(media_type), data };
                let image = Content::Image(Image { media, detail: None });
                self.push(Role::User, Group::Own, Part::new(image, Origin::item(index)));
            }
            _ => {
                let fallback = hosted::fallback(&kind, raw);
                self.foreign(kind, raw, index, fallback);
            }
        }
        Ok(())
    }

    fn foreign(&mut self, kind: Cow<'a, str>, raw: Raw<'a>, index: usize, becomes: Fallback<'a>) {
        let dialect = Dialect::OpenaiResponses;
        let foreign = Foreign { dialect, kind, raw, fallback: becomes };
        self.assistant(Content::Foreign(Box::new(foreign)), index);
    }

    /// Adds the tools that came in mid-conversation, without those already there.
    pub(super) fn add_late_tools(&mut self) -> Result<(), JsonError> {
        for (tools, index) in std::mem::take(&mut self.late) {
            if tools.kind() != Kind::Array {
                continue;
            }
            let known = self.request.tools.len();
            self.tools(&mut tools.cursor(), &format!("input[{index}].tools"))?;
            let late = self.request.tools.split_off(known.min(self.request.tools.len()));
            for tool in late {
                let key = super::tools::key(&tool);
                let there = key.is_some()
                    && self.request.tools.iter().any(|tool| super::tools::key(tool) == key);
                if !there {
                    self.request.tools.push(tool);
                }
            }
        }
        Ok(())
    }
}

/// Kinds of which every member is known here.
fn is_plain(kind: &str) -> bool {
    matches!(
        kind,
        "message"
            | "reasoning"
            | "function_call"
            | "function_call_output"
            | "custom_tool_call"
            | "custom_tool_call_output"
    )
}

fn role(c: &mut Cursor<'_>) -> Result<Role, JsonError> {
    let at = c.position();
    match c.string()?.as_ref() {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        "developer" => Ok(Role::Developer),
        _ => Err(JsonError::new(at, "unknown role; expected user, assistant, system or developer")),
    }
}

/// Arguments as text, as the dialect says, or as JSON, as some clients do.
pub(crate) fn tool_input<'a>(c: &mut Cursor<'a>) -> Result<ToolInput<'a>, JsonError> {
    Ok(match c.kind()? {
        Kind::String => ToolInput::Text(c.str()?),
        _ => ToolInput::Json(c.raw()?.into()),
    })
}

fn call_id<'a>(m: &mut Members<'a>) -> Option<Str<'a>> {
    m.call_id.take().or_else(|| m.id.take()).filter(|id| !id.is_empty())
}

fn thinking<'a>(m: &mut Members<'a>) -> Result<Thinking<'a>, JsonError> {
    let mut text = m.summary.map_or(Ok(Str::EMPTY), joined)?;
    if text.is_empty() {
        text = m.content.map_or(Ok(Str::EMPTY), joined)?;
    }
    let (opaque, redacted) = match m.encrypted.take().filter(|state| !state.is_empty()) {
        Some(state) => {
            let (opaque, redacted) = hosted::unmark(envelope::unwrapped(&state, "openai"));
            (Some(opaque), redacted)
        }
        None => (None, false),
    };
    Ok(Thinking { text, opaque, redacted })
}

/// The texts of a list of parts, with blank lines between.
pub(crate) fn joined(raw: Raw<'_>) -> Result<Str<'_>, JsonError> {
    if raw.kind() != Kind::Array {
        return raw.cursor().opt(Cursor::str).map(Option::unwrap_or_default);
    }
    let mut one = Str::EMPTY;
    let mut many: Option<String> = None;
    let mut c = raw.cursor();
    let mut items = c.array()?;
    while items.next(&mut c)?.is_some() {
        let mut text = Str::EMPTY;
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            match key.as_ref() {
                "text" => text = c.opt(Cursor::str)?.unwrap_or_default(),
                _ => c.skip()?,
            }
        }
        if text.is_empty() {
            continue;
        }
        if one.is_empty() {
            one = text;
            continue;
        }
        let many = many.get_or_insert_with(|| one.decode().into_owned());
        many.push_str("\n\n");
        text.decode_into(many);
    }
    Ok(many.map_or(one, Str::from))
}

/// Takes the mark of a failed tool off the first text; whether there was one.
fn strip_error_prefix(content: &mut [Part<'_>]) -> bool {
    let Some(Content::Text { text, .. }) = content.first_mut().map(|part| &mut part.content) else {
        return false;
    };
    match text {
        Str::Literal(literal) | Str::Plain(Cow::Borrowed(literal)) => {
            let Some(rest) = literal.strip_prefix(TOOL_ERROR_PREFIX) else { return false };
            *literal = rest;
            true
        }
        Str::Plain(Cow::Owned(_)) => false,
    }
}
