//! Content parts of a Responses request or answer, read.

use std::borrow::Cow;

use super::read::Reading;
use crate::canonical::{
    CacheMark, Citation, Content, Detail, Document, Fallback, Foreign, Image, Media, Origin, Part,
};
use crate::dialect::Dialect;
use crate::json::{Cursor, JsonError, Kind, Raw, Str};

/// Where unknown members of parts are kept.
pub(crate) trait Keep<'a> {
    /// Keeps a member nobody here knows.
    fn keep(&mut self, c: &mut Cursor<'a>, origin: Origin, key: &str) -> Result<(), JsonError>;
}

impl<'a> Keep<'a> for Reading<'a> {
    fn keep(&mut self, c: &mut Cursor<'a>, origin: Origin, key: &str) -> Result<(), JsonError> {
        let item = origin.item.unwrap_or(0);
        let path = match origin.part {
            Some(part) => format!("input[{item}].content[{part}].{key}"),
            None => format!("input[{item}].{key}"),
        };
        self.unknown(c, path)
    }
}

/// Content that is a string or a list of parts.
pub(crate) fn content<'a>(
    keep: &mut impl Keep<'a>,
    c: &mut Cursor<'a>,
    origin: Origin,
) -> Result<Vec<Part<'a>>, JsonError> {
    match c.kind()? {
        Kind::Null => c.skip().map(|()| Vec::new()),
        Kind::String => Ok(vec![Part::text(c.str()?, origin)]),
        _ => {
            let mut parts = Vec::new();
            let mut items = c.array()?;
            while let Some(index) = items.next(c)? {
                parts.push(part(keep, c, origin.part(index))?);
            }
            Ok(parts)
        }
    }
}

/// The members of one part, whatever its type.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Cow<'a, str>>,
    cache: Option<CacheMark>,
    text: Option<Str<'a>>,
    annotations: Option<Raw<'a>>,
    url: Option<Str<'a>>,
    file_id: Option<Str<'a>>,
    data: Option<Str<'a>>,
    name: Option<Str<'a>>,
    detail: Option<Detail>,
    /// Where the detail stands, for content that has none elsewhere.
    detail_at: Option<Cursor<'a>>,
    audio: Option<Media<'a>>,
}

/// One part.
fn part<'a>(
    keep: &mut impl Keep<'a>,
    c: &mut Cursor<'a>,
    origin: Origin,
) -> Result<Part<'a>, JsonError> {
    c.kind()?;
    let mut before = c.clone();
    let mut m = Members::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => m.kind = Some(c.string()?),
            "text" | "refusal" => m.text = c.opt(Cursor::str)?,
            "annotations" => m.annotations = c.opt(Cursor::raw)?,
            "image_url" | "file_url" => m.url = c.opt(Cursor::str)?,
            "file_id" => m.file_id = c.opt(Cursor::str)?,
            "file_data" => m.data = c.opt(Cursor::str)?,
            "filename" => m.name = c.opt(Cursor::str)?,
            // What every server does without being told is nothing to carry.
            "detail" => {
                m.detail_at = Some(c.clone());
                let named = c.opt(Cursor::string)?;
                m.detail = named.as_deref().filter(|name| *name != "auto").and_then(detail);
            }
            "input_audio" => m.audio = c.opt(audio)?,
            "prompt_cache_breakpoint" => m.cache = c.opt(breakpoint)?,
            // Of an earlier answer; the model does not read them.
            "logprobs" => c.skip()?,
            _ => keep.keep(c, origin, &key)?,
        }
    }
    if m.kind.as_deref() == Some("input_file")
        && m.detail.is_some()
        && let Some(at) = &mut m.detail_at
    {
        keep.keep(at, origin, "detail")?;
    }
    let start = before.position() + 1;
    let cache = m.cache;
    let content = match convert(m, start)? {
        Ok(content) => content,
        Err(kind) => Content::Foreign(Box::new(Foreign {
            dialect: Dialect::OpenaiResponses,
            kind,
            raw: before.raw()?,
            fallback: Fallback::Refuse("this kind of content exists in the Responses API only"),
        })),
    };
    Ok(Part { content, cache, origin })
}

/// The content, or the kind of one that only this dialect has.
fn convert(m: Members<'_>, start: usize) -> Result<Result<Content<'_>, Cow<'_, str>>, JsonError> {
    let missing = |what: &'static str| JsonError::new(start, what);
    // Some clients leave the type out where only text can stand.
    let kind = match m.kind {
        Some(kind) => kind,
        None if m.text.is_some() => Cow::Borrowed("text"),
        None => return Err(missing("`type` is missing")),
    };
    let content = match kind.as_ref() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            let text = m.text.ok_or_else(|| missing("`text` is missing"))?;
            let citations = m.annotations.map(citations).transpose()?.unwrap_or_default();
            Content::Text { text, citations }
        }
        "refusal" => Content::Refusal(m.text.ok_or_else(|| missing("`refusal` is missing"))?),
        "input_image" => {
            let media = match (m.url, m.file_id) {
                (Some(url), _) => Media::from_url(url),
                (None, Some(id)) => Media::FileId(id),
                (None, None) => return Err(missing("`image_url` or `file_id` is missing")),
            };
            Content::Image(Image { media, detail: m.detail })
        }
        "input_file" => {
            let media = match (m.data, m.url, m.file_id) {
                (Some(data), ..) => file_data(data, m.name.as_ref()),
                (None, Some(url), _) => Media::from_url(url),
                (None, None, Some(id)) => Media::FileId(id),
                (None, None, None) => {
                    return Err(missing("`file_data`, `file_url` or `file_id` is missing"));
                }
            };
            let document = Document { media, title: m.name, context: None, citations: false };
            Content::Document(Box::new(document))
        }
        "input_audio" => {
            Content::Audio(m.audio.ok_or_else(|| missing("`input_audio` is missing"))?)
        }
        _ => return Ok(Err(kind)),
    };
    Ok(Ok(content))
}

/// A file's bytes: a data URL, or bare base64 of the type its name tells.
fn file_data<'a>(data: Str<'a>, name: Option<&Str<'a>>) -> Media<'a> {
    match Media::from_url(data) {
        Media::Url { url, .. } => {
            let name = name.map(Str::decode).unwrap_or_default().to_ascii_lowercase();
            let text = [".txt", ".md", ".csv"].iter().any(|end| name.ends_with(end));
            let media_type = if text { "text/plain" } else { "application/pdf" };
            Media::Base64 { media_type: Str::plain(media_type), data: url }
        }
        media => media,
    }
}

fn detail(name: &str) -> Option<Detail> {
    match name {
        "auto" => Some(Detail::Auto),
        "low" => Some(Detail::Low),
        "high" => Some(Detail::High),
        "original" => Some(Detail::Original),
        _ => None,
    }
}

fn audio<'a>(c: &mut Cursor<'a>) -> Result<Media<'a>, JsonError> {
    c.kind()?;
    let start = c.position() + 1;
    let (mut data, mut format) = (None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "data" => data = c.opt(Cursor::str)?,
            "format" => format = c.opt(Cursor::string)?,
            _ => c.skip()?,
        }
    }
    let data = data.ok_or_else(|| JsonError::new(start, "`data` is missing"))?;
    let media_type = match format.as_deref() {
        Some("mp3") => "audio/mpeg",
        _ => "audio/wav",
    };
    Ok(Media::Base64 { media_type: Str::plain(media_type), data })
}

fn breakpoint(c: &mut Cursor<'_>) -> Result<CacheMark, JsonError> {
    let mut mark = CacheMark::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "ttl" => mark.ttl_s = c.opt(ttl)?,
            _ => c.skip()?,
        }
    }
    Ok(mark)
}

/// A lifetime such as `30m` or `12h`, in seconds.
pub(super) fn ttl(c: &mut Cursor<'_>) -> Result<u32, JsonError> {
    c.kind()?;
    let at = c.position();
    let text = c.string()?;
    let unit = |suffix: char, seconds: u32| {
        text.strip_suffix(suffix)?.parse::<u32>().ok()?.checked_mul(seconds)
    };
    unit('m', 60)
        .or_else(|| unit('h', 3600))
        .ok_or_else(|| JsonError::new(at, "unknown lifetime; expected such as 30m or 12h"))
}

/// The annotations of a text.
pub(crate) fn citations(raw: Raw<'_>) -> Result<Vec<Citation<'_>>, JsonError> {
    let mut list = Vec::new();
    let mut c = raw.cursor();
    let mut items = c.array()?;
    while items.next(&mut c)?.is_some() {
        list.push(citation(c.raw()?)?);
    }
    Ok(list)
}

/// One annotation; those of files keep their own form.
pub(crate) fn citation(raw: Raw<'_>) -> Result<Citation<'_>, JsonError> {
    let (mut url, mut title, mut start, mut end, mut web) = (None, None, None, None, false);
    let mut c = raw.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        match key.as_ref() {
            "type" => web = c.string()? == "url_citation",
            "url" => url = c.opt(Cursor::str)?,
            "title" => title = c.opt(Cursor::str)?,
            "start_index" => start = c.opt(Cursor::u64)?,
            "end_index" => end = c.opt(Cursor::u64)?,
            _ => c.skip()?,
        }
    }
    Ok(match url {
        Some(url) if web => Citation::Url { url, title, cited_text: None, start, end },
        _ => Citation::Other(raw.into()),
    })
}
