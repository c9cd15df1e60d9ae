//! Content blocks of a Messages request or answer, read.

use std::borrow::Cow;

use super::read::{Reading, cache_control};
use super::summary;
use crate::canonical::{
    CacheMark, Citation, Content, Document, Fallback, Foreign, Image, Json, Media, Origin, Part,
    SearchResult, Thinking, ToolCall, ToolInput, ToolResult, envelope,
};
use crate::dialect::Dialect;
use crate::json::{Cursor, JsonError, Kind, Raw, Str};

const VENDOR: &str = "anthropic";

/// Where unknown members of blocks are kept.
pub(crate) trait Keep<'a> {
    /// Keeps a member nobody here knows.
    fn keep(&mut self, c: &mut Cursor<'a>, origin: Origin, key: &str) -> Result<(), JsonError>;
}

impl<'a> Keep<'a> for Reading<'a> {
    fn keep(&mut self, c: &mut Cursor<'a>, origin: Origin, key: &str) -> Result<(), JsonError> {
        let list = match (origin.item, origin.part) {
            (Some(item), Some(part)) => format!("messages[{item}].content[{part}].{key}"),
            (Some(item), None) => format!("messages[{item}].{key}"),
            (None, Some(part)) => format!("system[{part}].{key}"),
            (None, None) => format!("system.{key}"),
        };
        self.unknown(c, list)
    }
}

/// Content that is a string or a list of blocks.
pub(crate) fn content<'a>(
    keep: &mut impl Keep<'a>,
    c: &mut Cursor<'a>,
    origin: Origin,
) -> Result<Vec<Part<'a>>, JsonError> {
    if c.kind()? == Kind::String {
        return Ok(vec![Part::text(c.str()?, origin)]);
    }
    let mut parts = Vec::new();
    let mut items = c.array()?;
    while let Some(index) = items.next(c)? {
        parts.push(block(keep, c, origin.part(index))?);
    }
    Ok(parts)
}

/// The members of one block, whatever its type.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Cow<'a, str>>,
    cache: Option<CacheMark>,
    text: Option<Str<'a>>,
    signature: Option<Str<'a>>,
    data: Option<Str<'a>>,
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    input: Option<Raw<'a>>,
    title: Option<Str<'a>>,
    context: Option<Str<'a>>,
    media: Option<Media<'a>>,
    source: Option<Str<'a>>,
    citations: Option<Raw<'a>>,
    parts: Vec<Part<'a>>,
    later: Option<Raw<'a>>,
    is_error: bool,
    toolset: bool,
    /// Members nobody here knows, or that only blocks of server tools have.
    odd: Vec<(Cow<'a, str>, Raw<'a>)>,
}

/// One block.
pub(crate) fn block<'a>(
    keep: &mut impl Keep<'a>,
    c: &mut Cursor<'a>,
    origin: Origin,
) -> Result<Part<'a>, JsonError> {
    let before = c.clone();
    let mut m = Members::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        member(&mut m, keep, c, key, origin)?;
    }
    let start = before.position();
    let cache = m.cache;
    let odd = std::mem::take(&mut m.odd);
    let content = convert(m, keep, before, origin).map_err(|mut error| {
        error.at = error.at.max(start);
        error
    })?;
    // Blocks that only Messages has are kept whole.
    if !matches!(content, Content::Foreign(_)) {
        for (key, raw) in odd {
            keep.keep(&mut raw.cursor(), origin, &key)?;
        }
    }
    Ok(Part { content, cache, origin })
}

fn member<'a>(
    m: &mut Members<'a>,
    keep: &mut impl Keep<'a>,
    c: &mut Cursor<'a>,
    key: Cow<'a, str>,
    origin: Origin,
) -> Result<(), JsonError> {
    match key.as_ref() {
        "type" => m.kind = Some(c.string()?),
        "cache_control" => m.cache = cache_control(c)?,
        "text" | "thinking" => m.text = Some(c.str()?),
        "signature" => m.signature = c.opt(Cursor::str)?,
        "data" => m.data = c.opt(Cursor::str)?,
        "id" | "tool_use_id" => m.id = c.opt(Cursor::str)?,
        "name" => m.name = c.opt(Cursor::str)?,
        "input" => m.input = Some(c.raw()?),
        "title" => m.title = c.opt(Cursor::str)?,
        "context" => m.context = c.opt(Cursor::str)?,
        "is_error" => m.is_error = c.opt(Cursor::bool)?.unwrap_or(false),
        "citations" => m.citations = c.opt(Cursor::raw)?,
        "source" if c.kind()? == Kind::String => m.source = Some(c.str()?),
        "source" => m.media = c.opt(|c| media(keep, c, origin))?,
        "content" => match m.kind.as_deref() {
            // Tool results are the bulk of an agent's conversation: read once, not twice.
            Some("tool_result" | "search_result") => {
                m.parts = c.opt(|c| content(keep, c, origin))?.unwrap_or_default();
            }
            _ => m.later = Some(c.raw()?),
        },
        _ => {
            let raw = c.raw()?;
            if key == "toolset_name" {
                m.toolset = raw.kind() != Kind::Null;
            }
            m.odd.push((key, raw));
        }
    }
    Ok(())
}

fn convert<'a>(
    mut m: Members<'a>,
    keep: &mut impl Keep<'a>,
    mut before: Cursor<'a>,
    origin: Origin,
) -> Result<Content<'a>, JsonError> {
    let missing = |what: &'static str| JsonError::new(before.position() + 1, what);
    let Some(kind) = m.kind.take() else { return Err(missing("`type` is missing")) };
    if matches!(kind.as_ref(), "tool_result" | "search_result")
        && let Some(raw) = m.later.take()
    {
        m.parts = raw.cursor().opt(|c| content(keep, c, origin))?.unwrap_or_default();
    }
    let content = match kind.as_ref() {
        "text" => Content::Text {
            text: m.text.ok_or_else(|| missing("`text` is missing"))?,
            citations: m.citations.map(citations).transpose()?.unwrap_or_default(),
        },
        "image" => Content::Image(Image {
            media: m.media.ok_or_else(|| missing("`source` is missing"))?,
            detail: None,
        }),
        "document" => Content::Document(Box::new(Document {
            media: m.media.ok_or_else(|| missing("`source` is missing"))?,
            title: m.title,
            context: m.context,
            citations: m.citations.is_some_and(|raw| enabled(raw)),
        })),
        "search_result" => Content::SearchResult(Box::new(SearchResult {
            source: m.source.unwrap_or_default(),
            title: m.title.unwrap_or_default(),
            content: m.parts,
            citations: m.citations.is_some_and(|raw| enabled(raw)),
        })),
        "thinking" => Content::Thinking(Box::new(Thinking {
            text: m.text.unwrap_or_default(),
            opaque: m
                .signature
                .filter(|signature| !signature.is_empty())
                .map(|signature| envelope::unwrapped(&signature, VENDOR)),
            redacted: false,
        })),
        "redacted_thinking" => Content::Thinking(Box::new(Thinking {
            text: Str::EMPTY,
            opaque: m.data.map(|data| envelope::unwrapped(&data, VENDOR)),
            redacted: true,
        })),
        "tool_use" if !m.toolset => Content::ToolCall(Box::new(ToolCall {
            id: m.id.ok_or_else(|| missing("`id` is missing"))?,
            name: m.name.ok_or_else(|| missing("`name` is missing"))?,
            namespace: None,
            input: ToolInput::Json(m.input.map_or_else(|| Json("{}".into()), Into::into)),
            custom: false,
            hosted: None,
        })),
        "tool_result" => Content::ToolResult(Box::new(ToolResult {
            call_id: m.id.ok_or_else(|| missing("`tool_use_id` is missing"))?,
            name: None,
            content: m.parts,
            is_error: m.is_error,
            custom: false,
        })),
        _ => {
            let raw = before.raw()?;
            let fallback = fallback(&kind, raw);
            Content::Foreign(Box::new(Foreign { dialect: Dialect::Anthropic, kind, raw, fallback }))
        }
    };
    Ok(content)
}

/// Whether a block tells of tools that Anthropic runs: what came of them is in the text.
pub(crate) fn is_hosted(kind: &str) -> bool {
    matches!(
        kind,
        "server_tool_use"
            | "web_search_tool_result"
            | "web_fetch_tool_result"
            | "tool_search_tool_result"
            | "code_execution_tool_result"
            | "bash_code_execution_tool_result"
            | "text_editor_code_execution_tool_result"
            | "advisor_tool_result"
            | "fallback"
    )
}

/// What becomes of a block that only Messages has.
fn fallback<'a>(kind: &str, raw: Raw<'a>) -> Fallback<'a> {
    match kind {
        "fallback" | "advisor_tool_result" => Fallback::Drop("tells only where the text came from"),
        kind if is_hosted(kind) => Fallback::Text(summary::of(raw).into()),
        "tool_use" => Fallback::Refuse("tools of a toolset exist at Anthropic only"),
        "tool_reference" | "browser_state" => {
            Fallback::Refuse("this kind of tool result exists at Anthropic only")
        }
        "container_upload" | "compaction" | "mcp_tool_use" | "mcp_tool_result"
        | "mcp_tool_listing" | "tool_addition" | "tool_removal" => {
            Fallback::Refuse("this kind of block exists at Anthropic only")
        }
        _ => Fallback::Refuse("unknown kind of block"),
    }
}

fn media<'a>(
    keep: &mut impl Keep<'a>,
    c: &mut Cursor<'a>,
    origin: Origin,
) -> Result<Media<'a>, JsonError> {
    let start = c.position() + 1;
    let (mut kind, mut media_type, mut data, mut url, mut file, mut parts) =
        (None, None, None, None, None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => kind = Some(c.string()?),
            "media_type" => media_type = c.opt(Cursor::str)?,
            "data" => data = c.opt(Cursor::str)?,
            "url" => url = c.opt(Cursor::str)?,
            "file_id" => file = c.opt(Cursor::str)?,
            "content" => parts = Some(content(keep, c, origin)?),
            _ => c.skip()?,
        }
    }
    let missing = |what: &'static str| JsonError::new(start, what);
    match kind.as_deref() {
        Some("base64") => Ok(Media::Base64 {
            media_type: media_type.ok_or_else(|| missing("`media_type` is missing"))?,
            data: data.ok_or_else(|| missing("`data` is missing"))?,
        }),
        Some("url") => Ok(Media::Url {
            url: url.ok_or_else(|| missing("`url` is missing"))?,
            media_type: None,
        }),
        Some("file") => Ok(Media::FileId(file.ok_or_else(|| missing("`file_id` is missing"))?)),
        Some("text") => Ok(Media::Text(data.ok_or_else(|| missing("`data` is missing"))?)),
        Some("content") => Ok(Media::Parts(parts.ok_or_else(|| missing("`content` is missing"))?)),
        Some(_) => Err(missing("unknown type of source")),
        None => Err(missing("`type` is missing")),
    }
}

/// Whether `citations` is an object that says so.
fn enabled(raw: Raw<'_>) -> bool {
    let read = || -> Result<bool, JsonError> {
        let mut c = raw.cursor();
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            if key == "enabled" {
                return c.bool();
            }
            c.skip()?;
        }
        Ok(false)
    };
    read().unwrap_or(false)
}

/// The citations of a text block.
fn citations(raw: Raw<'_>) -> Result<Vec<Citation<'_>>, JsonError> {
    let mut list = Vec::new();
    let mut c = raw.cursor();
    let mut items = c.array()?;
    while items.next(&mut c)?.is_some() {
        list.push(citation(c.raw()?)?);
    }
    Ok(list)
}

/// One citation; places in documents keep their own form.
pub(crate) fn citation(raw: Raw<'_>) -> Result<Citation<'_>, JsonError> {
    let (mut url, mut title, mut cited) = (None, None, None);
    let mut c = raw.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        match key.as_ref() {
            "url" => url = c.opt(Cursor::str)?,
            "title" => title = c.opt(Cursor::str)?,
            "cited_text" => cited = c.opt(Cursor::str)?,
            _ => c.skip()?,
        }
    }
    Ok(match url {
        Some(url) => Citation::Url { url, title, cited_text: cited, start: None, end: None },
        None => Citation::Other(raw.into()),
    })
}
