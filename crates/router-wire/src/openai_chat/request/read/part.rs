//! Content of a Chat message, read.

use std::borrow::Cow;

use super::{Reading, cache_mark};
use crate::canonical::{
    CacheMark, Content, Detail, Document, Fallback, Foreign, Image, Media, Origin, Part, Thinking,
};
use crate::dialect::Dialect;
use crate::json::{Cursor, JsonError, Kind, Raw, Str};

/// Members nobody here knows, by their path inside the part.
type Later<'a> = Vec<(Cow<'a, str>, Raw<'a>)>;

/// The members of one part, whatever its type.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Cow<'a, str>>,
    text: Option<Str<'a>>,
    image: Option<Image<'a>>,
    file: Option<Document<'a>>,
    audio: Option<Media<'a>>,
    cache: Option<CacheMark>,
    later: Later<'a>,
}

impl<'a> Reading<'a> {
    /// Content that is a string, a list of parts, or null.
    pub(super) fn content(
        &mut self,
        c: &mut Cursor<'a>,
        origin: Origin,
    ) -> Result<Vec<Part<'a>>, JsonError> {
        match c.kind()? {
            Kind::Null => return c.skip().map(|()| Vec::new()),
            Kind::String => {
                let text = c.str()?;
                let empty = text.is_empty();
                return Ok(if empty { Vec::new() } else { vec![Part::text(text, origin)] });
            }
            _ => {}
        }
        let mut parts = Vec::new();
        let mut items = c.array()?;
        while let Some(index) = items.next(c)? {
            parts.push(self.part(c, origin.part(index))?);
        }
        Ok(parts)
    }

    fn part(&mut self, c: &mut Cursor<'a>, origin: Origin) -> Result<Part<'a>, JsonError> {
        if c.kind()? == Kind::String {
            return Ok(Part::text(c.str()?, origin));
        }
        let mut before = c.clone();
        let start = c.position();
        let mut m = Members::default();
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            m.member(c, key)?;
        }
        let cache = m.cache;
        let later = std::mem::take(&mut m.later);
        let content = match m.convert(start)? {
            Ok(content) => {
                for (key, raw) in later {
                    let path = format!("{}.{key}", path(origin));
                    self.unknown(&mut raw.cursor(), path)?;
                }
                content
            }
            Err(kind) => foreign(kind, before.raw()?),
        };
        Ok(Part { content, cache, origin })
    }
}

/// Where a place in the conversation stands in the request.
pub(super) fn path(origin: Origin) -> String {
    match (origin.item, origin.part) {
        (Some(item), Some(part)) => format!("messages[{item}].content[{part}]"),
        (Some(item), None) => format!("messages[{item}]"),
        _ => "messages".to_owned(),
    }
}

impl<'a> Members<'a> {
    fn member(&mut self, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
        match key.as_ref() {
            "type" => self.kind = Some(c.string()?),
            "text" | "refusal" => self.text = c.opt(Cursor::str)?,
            "image_url" => self.image = c.opt(|c| image(c, &mut self.later))?,
            "file" => self.file = c.opt(|c| file(c, &mut self.later))?,
            "input_audio" => self.audio = c.opt(|c| audio(c, &mut self.later))?,
            "prompt_cache_breakpoint" | "cache_control" => {
                self.cache = c.opt(cache_mark)?.or(self.cache);
            }
            _ => {
                let raw = c.raw()?;
                if raw.kind() != Kind::Null {
                    self.later.push((key, raw));
                }
            }
        }
        Ok(())
    }

    /// What the part holds, or its type where nobody here knows it.
    fn convert(self, start: usize) -> Result<Result<Content<'a>, Cow<'a, str>>, JsonError> {
        let missing = |what: &'static str| JsonError::new(start, what);
        let kind = match self.kind {
            Some(kind) => kind,
            None if self.text.is_some() => Cow::Borrowed("text"),
            None if self.image.is_some() => Cow::Borrowed("image_url"),
            None => return Err(missing("`type` is missing")),
        };
        let text = self.text;
        Ok(Ok(match kind.as_ref() {
            // The other two are the names of Responses, which some clients mix up.
            "text" | "input_text" | "output_text" => Content::Text {
                text: text.ok_or_else(|| missing("`text` is missing"))?,
                citations: Vec::new(),
            },
            "refusal" => Content::Refusal(text.ok_or_else(|| missing("`refusal` is missing"))?),
            "image_url" | "input_image" => {
                Content::Image(self.image.ok_or_else(|| missing("`image_url` is missing"))?)
            }
            "file" => {
                Content::Document(Box::new(self.file.ok_or_else(|| missing("`file` is missing"))?))
            }
            "input_audio" => {
                Content::Audio(self.audio.ok_or_else(|| missing("`input_audio` is missing"))?)
            }
            "thinking" | "reasoning" if text.is_some() => Content::Thinking(Box::new(Thinking {
                text: text.unwrap_or_default(),
                opaque: None,
                redacted: false,
            })),
            _ => return Ok(Err(kind)),
        }))
    }
}

fn foreign<'a>(kind: Cow<'a, str>, raw: Raw<'a>) -> Content<'a> {
    let fallback = match kind.as_ref() {
        // Parts in which some servers hand out what a model thought.
        "thinking" | "reasoning" | "redacted_thinking" => {
            Fallback::Drop("thinking that its vendor did not sign")
        }
        _ => Fallback::Refuse("unknown kind of content part"),
    };
    let dialect = Dialect::OpenaiChat;
    Content::Foreign(Box::new(Foreign { dialect, kind, raw, fallback }))
}

fn image<'a>(c: &mut Cursor<'a>, later: &mut Later<'a>) -> Result<Image<'a>, JsonError> {
    if c.kind()? == Kind::String {
        return Ok(Image { media: Media::from_url(c.str()?), detail: None });
    }
    let start = c.position();
    let (mut url, mut hint) = (None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "url" => url = Some(c.str()?),
            "detail" => hint = c.opt(Cursor::string)?.as_deref().and_then(detail),
            other => later.push((format!("image_url.{other}").into(), c.raw()?)),
        }
    }
    let url = url.ok_or_else(|| JsonError::new(start, "`url` is missing"))?;
    Ok(Image { media: Media::from_url(url), detail: hint })
}

fn detail(name: &str) -> Option<Detail> {
    Some(match name {
        "auto" => Detail::Auto,
        "low" => Detail::Low,
        "medium" => Detail::Medium,
        "high" => Detail::High,
        "original" => Detail::Original,
        _ => return None,
    })
}

fn file<'a>(c: &mut Cursor<'a>, later: &mut Later<'a>) -> Result<Document<'a>, JsonError> {
    let start = c.position();
    let (mut data, mut url, mut id, mut title) = (None, None, None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "file_data" => data = c.opt(Cursor::str)?,
            "file_url" => url = c.opt(Cursor::str)?,
            "file_id" => id = c.opt(Cursor::str)?,
            "filename" => title = c.opt(Cursor::str)?,
            other => later.push((format!("file.{other}").into(), c.raw()?)),
        }
    }
    let media = match (data, url, id) {
        (Some(data), ..) => match Media::from_url(data) {
            // Bare base64: the name is all there is to tell the type by.
            Media::Url { url, .. } if !url.decode().contains(':') => {
                Media::Base64 { media_type: type_of(title.as_ref()), data: url }
            }
            media => media,
        },
        (None, Some(url), _) => Media::from_url(url),
        (None, None, Some(id)) => Media::FileId(id),
        (None, None, None) => {
            return Err(JsonError::new(start, "`file_data` or `file_id` is missing"));
        }
    };
    Ok(Document { media, title, context: None, citations: false })
}

/// The media type a file name stands for; PDF is the type the contract has in mind.
fn type_of(name: Option<&Str<'_>>) -> Str<'static> {
    let name = name.map(|name| name.decode().to_ascii_lowercase()).unwrap_or_default();
    let kind = match name.rsplit_once('.').map(|(_, end)| end) {
        Some("txt" | "log") => "text/plain",
        Some("md" | "markdown") => "text/markdown",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        _ => "application/pdf",
    };
    Str::plain(kind)
}

fn audio<'a>(c: &mut Cursor<'a>, later: &mut Later<'a>) -> Result<Media<'a>, JsonError> {
    let start = c.position();
    let (mut data, mut format) = (None, Cow::Borrowed("wav"));
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "data" => data = Some(c.str()?),
            "format" => format = c.string()?,
            other => later.push((format!("input_audio.{other}").into(), c.raw()?)),
        }
    }
    let media_type = match format.as_ref() {
        "wav" => Str::plain("audio/wav"),
        "mp3" => Str::plain("audio/mpeg"),
        other => Str::from(format!("audio/{other}")),
    };
    let data = data.ok_or_else(|| JsonError::new(start, "`data` is missing"))?;
    Ok(Media::Base64 { media_type, data })
}
