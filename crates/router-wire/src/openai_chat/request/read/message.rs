//! Messages of a Chat request, read.

use std::borrow::Cow;

use super::part::path;
use super::{Reading, cache_mark};
use crate::canonical::{
    CacheMark, Content, Extra, Json, Origin, Part, Role, Thinking, ToolCall, ToolInput, ToolResult,
    Turn,
};
use crate::json::{Cursor, JsonError, Kind, Raw, Str};
use crate::openai_chat::TOOL_ERROR;

/// What later messages must know of a call.
pub(super) struct KnownCall<'a> {
    id: Str<'a>,
    name: Str<'a>,
    custom: bool,
    /// Made with the old `function_call`, which has no id.
    legacy: bool,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Speaker {
    System,
    Developer,
    User,
    Assistant,
    Tool,
    Function,
}

/// The members of one message.
#[derive(Default)]
struct Members<'a> {
    speaker: Option<Speaker>,
    parts: Vec<Part<'a>>,
    name: Option<Str<'a>>,
    call_id: Option<Str<'a>>,
    calls: Vec<ToolCall<'a>>,
    legacy_call: Option<ToolCall<'a>>,
    refusal: Option<Str<'a>>,
    reasoning: Option<Str<'a>>,
    cache: Option<CacheMark>,
}

impl<'a> Reading<'a> {
    pub(super) fn messages(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        self.request.turns.clear();
        self.calls.clear();
        let mut items = c.array()?;
        while let Some(index) = items.next(c)? {
            let start = c.position();
            let origin = Origin::item(index);
            let mut m = Members::default();
            let mut members = c.object()?;
            while let Some(key) = members.next(c)? {
                self.message_member(&mut m, c, &key, origin)?;
            }
            let turn = self.turn(m, start, origin)?;
            self.request.turns.push(turn);
        }
        Ok(())
    }

    fn message_member(
        &mut self,
        m: &mut Members<'a>,
        c: &mut Cursor<'a>,
        key: &str,
        origin: Origin,
    ) -> Result<(), JsonError> {
        match key {
            "role" => m.speaker = Some(speaker(c)?),
            "content" => m.parts = self.content(c, origin)?,
            "name" => m.name = c.opt(Cursor::str)?,
            "tool_call_id" => m.call_id = c.opt(Cursor::str)?,
            "tool_calls" => {
                if !c.null()? {
                    m.tool_calls(c, origin, &mut self.request.extras)?;
                }
            }
            "function_call" => {
                if !c.null()? {
                    m.legacy_call = Some(legacy_call(c, origin)?);
                }
            }
            "refusal" => m.refusal = c.opt(Cursor::str)?.filter(|text| !text.is_empty()),
            "reasoning_content" => m.reasoning = text_only(c)?.or_else(|| m.reasoning.take()),
            "reasoning" => m.reasoning = m.reasoning.take().or(text_only(c)?),
            "cache_control" => m.cache = c.opt(cache_mark)?,
            // Members of answers that clients send back as they got them.
            "annotations" | "reasoning_details" => {
                let raw = c.raw()?;
                if !matches!(raw.text(), "null" | "[]") {
                    let path = format!("{}.{key}", path(origin)).into();
                    self.request.extras.push(Extra::hint(path, raw, "derived from the answer"));
                }
            }
            "audio" => {
                let raw = c.raw()?;
                if raw.text() != "null" {
                    let path = format!("{}.audio", path(origin)).into();
                    let why = "what was said aloud is kept at OpenAI only";
                    self.request.extras.push(Extra::refused(path, raw, why));
                }
            }
            _ => self.unknown(c, format!("{}.{key}", path(origin)))?,
        }
        Ok(())
    }

    fn turn(
        &mut self,
        m: Members<'a>,
        start: usize,
        origin: Origin,
    ) -> Result<Turn<'a>, JsonError> {
        let speaker = m.speaker.ok_or_else(|| JsonError::new(start, "`role` is missing"))?;
        let (role, mut parts) = match speaker {
            Speaker::System => (Role::System, m.parts),
            Speaker::Developer => (Role::Developer, m.parts),
            Speaker::User => (Role::User, m.parts),
            Speaker::Assistant => return Ok(self.assistant(m, origin)),
            Speaker::Tool | Speaker::Function => {
                let result = self.tool_result(m, speaker, start, origin)?;
                return Ok(Turn::new(Role::User, vec![result], origin));
            }
        };
        if let (Some(mark), Some(last)) = (m.cache, parts.last_mut()) {
            last.cache.get_or_insert(mark);
        }
        Ok(Turn { role, parts, name: m.name, origin })
    }

    fn assistant(&mut self, m: Members<'a>, origin: Origin) -> Turn<'a> {
        let mut calls = m.calls;
        let legacy = m.legacy_call.is_some();
        calls.extend(m.legacy_call);
        let mut parts = Vec::with_capacity(m.parts.len() + calls.len() + 1);
        parts.extend(m.reasoning.map(|text| {
            let thinking = Thinking { text, opaque: None, redacted: false };
            Part::new(Content::Thinking(Box::new(thinking)), origin)
        }));
        parts.extend(m.parts);
        parts.extend(m.refusal.map(|text| Part::new(Content::Refusal(text), origin)));
        for call in calls {
            self.calls.push(KnownCall {
                id: call.id.clone(),
                name: call.name.clone(),
                custom: call.custom,
                legacy,
            });
            parts.push(Part::new(Content::ToolCall(Box::new(call)), origin));
        }
        if let (Some(mark), Some(last)) = (m.cache, parts.last_mut()) {
            last.cache.get_or_insert(mark);
        }
        Turn { role: Role::Assistant, parts, name: m.name, origin }
    }

    fn tool_result(
        &self,
        m: Members<'a>,
        speaker: Speaker,
        start: usize,
        origin: Origin,
    ) -> Result<Part<'a>, JsonError> {
        let call = match (&m.call_id, speaker) {
            (Some(id), _) => self.calls.iter().rev().find(|call| call.id == *id),
            (None, Speaker::Function) => {
                let named =
                    |call: &&KnownCall<'_>| call.legacy && Some(&call.name) == m.name.as_ref();
                self.calls.iter().rev().find(named)
            }
            (None, _) => return Err(JsonError::new(start, "`tool_call_id` is missing")),
        };
        let mut content = m.parts;
        let is_error = strip_error_mark(&mut content);
        // A result of a function nobody called keeps a name of its own, for `fit` to report.
        let call_id = match (m.call_id, call) {
            (Some(id), _) => id,
            (None, Some(call)) => call.id.clone(),
            (None, None) => m.name.clone().unwrap_or_default(),
        };
        let custom = call.is_some_and(|call| call.custom);
        let name = m.name.or_else(|| call.map(|call| call.name.clone()));
        // A mark on the last part of a result is one on the result.
        let cache = m.cache.or_else(|| content.iter_mut().filter_map(|p| p.cache.take()).last());
        let result = ToolResult { call_id, name, content, is_error, custom };
        Ok(Part { content: Content::ToolResult(Box::new(result)), cache, origin })
    }
}

impl<'a> Members<'a> {
    fn tool_calls(
        &mut self,
        c: &mut Cursor<'a>,
        origin: Origin,
        extras: &mut Vec<Extra<'a>>,
    ) -> Result<(), JsonError> {
        let mut items = c.array()?;
        while let Some(index) = items.next(c)? {
            let start = c.position();
            let mut call = tool_call(c, |key, raw| {
                let path = format!("{}.tool_calls[{index}].{key}", path(origin));
                extras.push(Extra::unknown(path.into(), raw));
            })?;
            if call.name.is_empty() {
                return Err(JsonError::new(start, "the name of the tool is missing"));
            }
            if call.id.is_empty() {
                call.id = format!("call_{}_{index}", origin.item.unwrap_or(0)).into();
            }
            self.calls.push(call);
        }
        Ok(())
    }
}

fn speaker(c: &mut Cursor<'_>) -> Result<Speaker, JsonError> {
    let at = c.position();
    Ok(match c.string()?.as_ref() {
        "system" => Speaker::System,
        "developer" => Speaker::Developer,
        "user" => Speaker::User,
        "assistant" => Speaker::Assistant,
        "tool" => Speaker::Tool,
        "function" => Speaker::Function,
        _ => {
            let expected =
                "unknown role; expected developer, system, user, assistant, tool or function";
            return Err(JsonError::new(at, expected));
        }
    })
}

/// Text, unless it is empty; what is no text has another meaning and is passed over.
fn text_only<'a>(c: &mut Cursor<'a>) -> Result<Option<Str<'a>>, JsonError> {
    if c.kind()? == Kind::String {
        return Ok(Some(c.str()?).filter(|text| !text.is_empty()));
    }
    c.skip().map(|()| None)
}

fn tool_call<'a>(
    c: &mut Cursor<'a>,
    mut unknown: impl FnMut(&str, Raw<'a>),
) -> Result<ToolCall<'a>, JsonError> {
    let mut call = ToolCall {
        id: Str::EMPTY,
        name: Str::EMPTY,
        namespace: None,
        input: ToolInput::Text(Str::EMPTY),
        custom: false,
        hosted: None,
    };
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "id" => call.id = c.opt(Cursor::str)?.unwrap_or_default(),
            "type" => call.custom |= c.opt(Cursor::string)?.is_some_and(|kind| kind == "custom"),
            "function" => {
                if !c.null()? {
                    (call.name, call.input) = named_input(c, "arguments")?;
                }
            }
            "custom" => {
                if !c.null()? {
                    (call.name, call.input) = named_input(c, "input")?;
                    call.custom = true;
                }
            }
            // Clients that collect a stream leave it in.
            "index" => c.skip()?,
            other => {
                let raw = c.raw()?;
                if raw.kind() != Kind::Null {
                    unknown(other, raw);
                }
            }
        }
    }
    Ok(call)
}

fn named_input<'a>(
    c: &mut Cursor<'a>,
    input_key: &str,
) -> Result<(Str<'a>, ToolInput<'a>), JsonError> {
    let (mut name, mut input) = (Str::EMPTY, ToolInput::Text(Str::EMPTY));
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "name" => name = c.str()?,
            key if key == input_key => match c.kind()? {
                Kind::String => input = ToolInput::Text(c.str()?),
                Kind::Null => c.skip()?,
                // The contract wants text; some clients send the object itself.
                _ => input = ToolInput::Json(Json::from(c.raw()?)),
            },
            _ => c.skip()?,
        }
    }
    Ok((name, input))
}

fn legacy_call<'a>(c: &mut Cursor<'a>, origin: Origin) -> Result<ToolCall<'a>, JsonError> {
    let start = c.position();
    let (name, input) = named_input(c, "arguments")?;
    if name.is_empty() {
        return Err(JsonError::new(start, "the name of the function is missing"));
    }
    Ok(ToolCall {
        id: format!("call_{}", origin.item.unwrap_or(0)).into(),
        name,
        namespace: None,
        input,
        custom: false,
        hosted: None,
    })
}

/// Takes the mark of an error off the text of a result. Says whether there was one.
fn strip_error_mark(content: &mut [Part<'_>]) -> bool {
    let Some(Content::Text { text, .. }) = content.first_mut().map(|part| &mut part.content) else {
        return false;
    };
    // The mark has no character that is escaped, so it stands the same in a literal.
    let rest = match text {
        Str::Literal(text) => text.strip_prefix(TOOL_ERROR).map(|t| Str::Literal(t.trim_start())),
        Str::Plain(Cow::Borrowed(text)) => {
            text.strip_prefix(TOOL_ERROR).map(|t| Str::plain(t.trim_start()))
        }
        Str::Plain(Cow::Owned(text)) => {
            text.strip_prefix(TOOL_ERROR).map(|t| Str::from(t.trim_start().to_owned()))
        }
    };
    let found = rest.is_some();
    if let Some(rest) = rest {
        *text = rest;
    }
    found
}
