//! The conversation of a request, read.

use std::borrow::Cow;

use super::read::Reading;
use crate::canonical::{
    Content, Detail, Extra, Fallback, Foreign, Json, Origin, Part, Role, Thinking, ToolCall,
    ToolInput, ToolResult, Turn,
};
use crate::dialect::Dialect;
use crate::gemini::part::{self, File, Piece, UNKNOWN};
use crate::gemini::{camel, state};
use crate::json::{Cursor, JsonError, Kind, Raw, Str};

/// Members that only tell how to look at the content.
const HINT: &str = "only tells Gemini how to look at the content";

/// Turns read so far, and the calls in them that wait for their results.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    pub(super) turns: Vec<Turn<'a>>,
    open: Vec<Open<'a>>,
    calls: u32,
}

struct Open<'a> {
    id: Str<'a>,
    name: Str<'a>,
}

impl<'a> Conversation<'a> {
    /// The id of a call: its own, or one made from its place, the same in every request.
    fn opened(&mut self, id: Option<Str<'a>>, name: &Str<'a>) -> Str<'a> {
        let id = id.unwrap_or_else(|| format!("call_{}", self.calls).into());
        self.calls += 1;
        self.open.push(Open { id: id.clone(), name: name.clone() });
        id
    }

    /// The id of the call that a result answers: by its id, else the first open call of the name.
    fn answered(&mut self, id: Option<Str<'a>>, name: &Str<'a>) -> Str<'a> {
        let by_id = id.as_ref().and_then(|id| self.open.iter().position(|call| call.id == *id));
        let at = by_id.or_else(|| self.open.iter().position(|call| call.name == *name));
        match at {
            Some(at) => self.open.remove(at).id,
            // It answers nothing; that is for `fit` to say.
            None => id.unwrap_or_else(|| name.clone()),
        }
    }
}

/// `systemInstruction`: a content, or text.
pub(super) fn system<'a>(
    r: &mut Reading<'a>,
    c: &mut Cursor<'a>,
) -> Result<Option<Turn<'a>>, JsonError> {
    if c.null()? {
        return Ok(None);
    }
    let origin = Origin::default();
    let mut parts = Vec::new();
    if c.kind()? == Kind::String {
        parts.push(Part::text(c.str()?, origin));
        return Ok(Some(Turn::new(Role::System, parts, origin)));
    }
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "parts" => parts = content_parts(r, c, origin)?,
            // Google ignores the role here.
            "role" => c.skip()?,
            _ => r.unknown(c, format!("systemInstruction.{key}"))?,
        }
    }
    for part in &mut parts {
        if !matches!(part.content, Content::Text { .. } | Content::Foreign(_)) {
            let why = "system instructions are text elsewhere";
            part.content = Content::Foreign(Box::new(Foreign {
                dialect: Dialect::Gemini,
                kind: Cow::Borrowed("part"),
                raw: Raw::default(),
                fallback: Fallback::Refuse(why),
            }));
        }
    }
    Ok(Some(Turn::new(Role::System, parts, origin)))
}

/// `contents`: a list of contents; Google takes a single one too.
pub(super) fn read<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>) -> Result<(), JsonError> {
    r.conversation = Conversation::default();
    if c.null()? {
        return Ok(());
    }
    if c.kind()? == Kind::Object {
        return content(r, c, 0);
    }
    let mut items = c.array()?;
    while let Some(index) = items.next(c)? {
        content(r, c, index)?;
    }
    Ok(())
}

fn content<'a>(r: &mut Reading<'a>, c: &mut Cursor<'a>, index: usize) -> Result<(), JsonError> {
    let origin = Origin::item(index);
    let (mut role, mut parts) = (Role::User, Vec::new());
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "role" => role = c.opt(read_role)?.unwrap_or(Role::User),
            "parts" => parts = content_parts(r, c, origin)?,
            _ => r.unknown(c, format!("contents[{index}].{key}"))?,
        }
    }
    r.conversation.turns.push(Turn::new(role, parts, origin));
    Ok(())
}

fn read_role(c: &mut Cursor<'_>) -> Result<Role, JsonError> {
    let at = c.position() + 1;
    match c.string()?.as_ref() {
        // `function` and `tool` are older names for who brings the results.
        "user" | "" | "function" | "tool" => Ok(Role::User),
        "model" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        _ => Err(JsonError::new(at, "unknown role; expected user or model")),
    }
}

/// The parts of one content: a list, or a single part.
fn content_parts<'a>(
    r: &mut Reading<'a>,
    c: &mut Cursor<'a>,
    origin: Origin,
) -> Result<Vec<Part<'a>>, JsonError> {
    let mut parts = Parts::default();
    if c.null()? {
        return Ok(parts.list);
    }
    if c.kind()? == Kind::Object {
        one(r, c, origin, &mut parts)?;
    } else {
        let mut items = c.array()?;
        while let Some(index) = items.next(c)? {
            c.kind()?;
            one(r, c, origin.part(index), &mut parts)?;
        }
    }
    parts.flush(origin);
    Ok(parts.list)
}

/// Parts while they are collected. A signature belongs to the thoughts in front of its part.
#[derive(Default)]
struct Parts<'a> {
    list: Vec<Part<'a>>,
    thought: Option<Str<'a>>,
}

impl<'a> Parts<'a> {
    fn push(&mut self, content: Content<'a>, origin: Origin) {
        self.list.push(Part::new(content, origin));
    }

    fn think(&mut self, thinking: Thinking<'a>, origin: Origin) {
        self.push(Content::Thinking(Box::new(thinking)), origin);
    }

    fn add_thought(&mut self, text: Str<'a>) {
        self.thought = Some(match self.thought.take() {
            None => text,
            Some(before) => {
                let mut joined = before.decode().into_owned();
                text.decode_into(&mut joined);
                joined.into()
            }
        });
    }

    fn sign(&mut self, signature: &Str<'a>, origin: Origin) {
        let text = self.thought.take().unwrap_or_default();
        for thinking in state::unpack(signature, text) {
            self.think(thinking, origin);
        }
    }

    /// Thoughts that no signature followed.
    fn flush(&mut self, origin: Origin) {
        if let Some(text) = self.thought.take() {
            self.think(Thinking { text, opaque: None, redacted: false }, origin);
        }
    }
}

fn one<'a>(
    r: &mut Reading<'a>,
    c: &mut Cursor<'a>,
    origin: Origin,
    parts: &mut Parts<'a>,
) -> Result<(), JsonError> {
    let mut before = c.clone();
    let mut piece = Piece::read(c)?;
    keep_hints(r, &mut piece, origin);
    let (known, is_foreign) = (piece.has_content(), piece.is_foreign());
    if piece.thought
        && let Some(text) = piece.text.take()
    {
        parts.add_thought(text);
    }
    match &piece.signature {
        Some(signature) => parts.sign(signature, origin),
        None if known && !piece.thought => parts.flush(origin),
        None => {}
    }
    if let Some(text) = piece.text {
        parts.push(Content::Text { text, citations: Vec::new() }, origin);
    } else if let Some(call) = piece.call {
        let id = r.conversation.opened(call.id, &call.name);
        let input = call.args.map_or_else(|| Json("{}".into()), Json::from);
        parts.push(tool_call(id, call.name, input), origin);
    } else if let Some(raw) = piece.response {
        let result = response(r, raw, origin)?;
        parts.push(Content::ToolResult(Box::new(result)), origin);
    } else if let Some(file) = piece.file {
        let content = if piece.thought {
            foreign("file", before.raw()?, Fallback::Drop("the model's own sketch"))
        } else {
            file_content(r, file, piece.detail, origin)
                .or_else(|why| Ok(foreign("file", before.raw()?, Fallback::Refuse(why))))?
        };
        parts.push(content, origin);
    } else if let Some(kind) = piece.hosted {
        let raw = before.raw()?;
        let fallback = Fallback::Text(told(kind, raw).into());
        parts.push(foreign(kind, raw, fallback), origin);
    } else if is_foreign {
        let fallback = Fallback::Refuse(UNKNOWN);
        let kind = piece.unknown.swap_remove(0).0;
        parts.push(foreign(kind, before.raw()?, fallback), origin);
        return Ok(());
    }
    keep_unknown(r, piece.unknown, origin);
    Ok(())
}

fn keep_unknown<'a>(r: &mut Reading<'a>, unknown: Vec<(Cow<'a, str>, Raw<'a>)>, origin: Origin) {
    for (key, raw) in unknown {
        r.request.extras.push(Extra::unknown(part_path(origin, &key).into(), raw));
    }
}

/// The content a file is. Only documents have a name elsewhere.
fn file_content<'a>(
    r: &mut Reading<'a>,
    file: File<'a>,
    detail: Option<Detail>,
    origin: Origin,
) -> Result<Content<'a>, &'static str> {
    let name = file.name();
    let content = part::content(file, detail)?;
    if let Some(raw) = name.filter(|_| !matches!(content, Content::Document(_))) {
        let path = part_path(origin, "displayName");
        let why = "only documents have names elsewhere";
        r.request.extras.push(Extra::hint(path.into(), raw, why));
    }
    Ok(content)
}

fn keep_hints<'a>(r: &mut Reading<'a>, piece: &mut Piece<'a>, origin: Origin) {
    for (key, raw) in piece.hints.drain(..) {
        r.request.extras.push(Extra::hint(part_path(origin, &key).into(), raw, HINT));
    }
}

fn part_path(origin: Origin, key: &str) -> String {
    match (origin.item, origin.part) {
        (Some(item), Some(part)) => format!("contents[{item}].parts[{part}].{key}"),
        (Some(item), None) => format!("contents[{item}].parts.{key}"),
        (None, Some(part)) => format!("systemInstruction.parts[{part}].{key}"),
        (None, None) => format!("systemInstruction.parts.{key}"),
    }
}

fn foreign<'a>(kind: impl Into<Cow<'a, str>>, raw: Raw<'a>, fallback: Fallback<'a>) -> Content<'a> {
    let kind = kind.into();
    Content::Foreign(Box::new(Foreign { dialect: Dialect::Gemini, kind, raw, fallback }))
}

fn tool_call<'a>(id: Str<'a>, name: Str<'a>, input: Json<'a>) -> Content<'a> {
    Content::ToolCall(Box::new(ToolCall {
        id,
        name,
        namespace: None,
        input: ToolInput::Json(input),
        custom: false,
        hosted: None,
    }))
}

/// What a step of Google's own tools was, in words.
fn told(kind: &str, raw: Raw<'_>) -> String {
    let mut text = format!("[{kind}]");
    // The part was checked when it was read.
    let _ = tell(&mut raw.cursor(), &mut text);
    text
}

/// Longest account of one step, in bytes.
const TOLD_MAX: usize = 8 << 10;

fn tell(c: &mut Cursor<'_>, text: &mut String) -> Result<(), JsonError> {
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match c.kind()? {
            Kind::Object if !matches!(key.as_ref(), "args" | "response") => tell(c, text)?,
            Kind::String | Kind::Object if key != "thoughtSignature" && key != "id" => {
                let raw = c.raw()?;
                let value = match raw.kind() {
                    Kind::String => raw.cursor().string()?,
                    _ => Cow::Borrowed(raw.text()),
                };
                let left = TOLD_MAX.saturating_sub(text.len());
                let end = value.floor_char_boundary(left.min(value.len()));
                text.push('\n');
                text.push_str(&key);
                text.push_str(": ");
                text.push_str(value.get(..end).unwrap_or_default());
            }
            _ => c.skip()?,
        }
    }
    Ok(())
}

/// A `functionResponse`.
fn response<'a>(
    r: &mut Reading<'a>,
    raw: Raw<'a>,
    origin: Origin,
) -> Result<ToolResult<'a>, JsonError> {
    let mut result = ToolResult {
        call_id: Str::EMPTY,
        name: None,
        content: Vec::new(),
        is_error: false,
        custom: false,
    };
    let (mut id, mut name, mut files) = (None, Str::EMPTY, Vec::new());
    let mut c = raw.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        match camel(&key).as_ref() {
            "id" => id = c.opt(Cursor::str)?.filter(|id| !id.is_empty()),
            "name" => name = c.opt(Cursor::str)?.unwrap_or_default(),
            "response" => {
                if let Some(raw) = c.opt(Cursor::raw)? {
                    let (text, is_error) = said(raw)?;
                    result.is_error = is_error;
                    result.content.push(Part::text(text, origin));
                }
            }
            "parts" => files = response_files(r, &mut c, origin)?,
            "willContinue" | "scheduling" => {
                let path = part_path(origin, &format!("functionResponse.{key}"));
                r.hint(&mut c, path, "results come at once elsewhere")?;
            }
            _ => {
                let path = part_path(origin, &format!("functionResponse.{key}"));
                r.unknown(&mut c, path)?;
            }
        }
    }
    result.content.append(&mut files);
    result.call_id = r.conversation.answered(id, &name);
    result.name = Some(name).filter(|name| !name.is_empty());
    Ok(result)
}

/// Images and files a tool gave.
fn response_files<'a>(
    r: &mut Reading<'a>,
    c: &mut Cursor<'a>,
    origin: Origin,
) -> Result<Vec<Part<'a>>, JsonError> {
    super::super::list(c, |c| {
        let mut before = c.clone();
        let mut piece = Piece::read(c)?;
        keep_hints(r, &mut piece, origin);
        let known = piece.file.is_some();
        let content = piece.file.map(|file| file_content(r, file, piece.detail, origin));
        if known {
            keep_unknown(r, piece.unknown, origin);
        }
        let content = match content {
            Some(Ok(content)) => content,
            Some(Err(why)) => foreign("file", before.raw()?, Fallback::Refuse(why)),
            None => {
                let why = "unknown kind of part in a function's response";
                foreign("part", before.raw()?, Fallback::Refuse(why))
            }
        };
        Ok(Part::new(content, origin))
    })
}

/// The text of a result, and whether it is an error: Google's convention is one member `output`
/// or `error`; anything else is handed on as JSON.
fn said(raw: Raw<'_>) -> Result<(Str<'_>, bool), JsonError> {
    if raw.kind() != Kind::Object {
        return Ok((plain(raw)?, false));
    }
    let (mut only, mut count) = (None, 0_u32);
    let mut c = raw.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        count += 1;
        only = Some((key, c.raw()?));
    }
    match only {
        Some((key, value)) if count == 1 && key == "output" => Ok((plain(value)?, false)),
        Some((key, value)) if count == 1 && key == "error" => Ok((plain(value)?, true)),
        _ => Ok((Str::plain(raw.text()), false)),
    }
}

fn plain(raw: Raw<'_>) -> Result<Str<'_>, JsonError> {
    if raw.kind() == Kind::String { raw.cursor().str() } else { Ok(Str::plain(raw.text())) }
}
