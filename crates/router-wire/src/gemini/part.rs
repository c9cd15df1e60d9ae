//! One part of a content, in requests and answers alike.

use std::borrow::Cow;

use super::camel;
use crate::canonical::{Content, Detail, Document, Image, Media};
use crate::json::{Cursor, JsonError, Kind, Raw, Str};
use crate::media::is_textual;

/// A call of a function.
#[derive(Clone, Debug, Default)]
pub(super) struct Call<'a> {
    pub(super) id: Option<Str<'a>>,
    pub(super) name: Str<'a>,
    /// The arguments; an object.
    pub(super) args: Option<Raw<'a>>,
}

/// Bytes of a file, or where it is.
#[derive(Clone, Debug)]
pub(super) enum File<'a> {
    Inline { kind: Str<'a>, data: Str<'a>, name: Option<Raw<'a>> },
    Remote { kind: Option<Str<'a>>, uri: Str<'a>, name: Option<Raw<'a>> },
}

impl<'a> File<'a> {
    /// `displayName`.
    pub(super) const fn name(&self) -> Option<Raw<'a>> {
        match self {
            Self::Inline { name, .. } | Self::Remote { name, .. } => *name,
        }
    }
}

/// A part, member by member. Of the members that hold content, at most one is set.
#[derive(Debug, Default)]
pub(super) struct Piece<'a> {
    pub(super) text: Option<Str<'a>>,
    pub(super) thought: bool,
    pub(super) signature: Option<Str<'a>>,
    pub(super) call: Option<Call<'a>>,
    pub(super) response: Option<Raw<'a>>,
    pub(super) file: Option<File<'a>>,
    pub(super) detail: Option<Detail>,
    /// A step of Google's own tools: its member name.
    pub(super) hosted: Option<&'static str>,
    /// Members that only say how to look at the content.
    pub(super) hints: Vec<(Cow<'a, str>, Raw<'a>)>,
    /// Members nobody here knows.
    pub(super) unknown: Vec<(Cow<'a, str>, Raw<'a>)>,
}

impl<'a> Piece<'a> {
    /// Reads a part.
    pub(super) fn read(c: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut piece = Self::default();
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            piece.member(c, key)?;
        }
        Ok(piece)
    }

    fn member(&mut self, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
        match camel(&key).as_ref() {
            "text" => self.text = c.opt(Cursor::str)?,
            "thought" => self.thought = c.opt(Cursor::bool)?.unwrap_or(false),
            "thoughtSignature" => {
                self.signature = c.opt(Cursor::str)?.filter(|text| !text.is_empty());
            }
            "functionCall" => self.call = self.inside(c, key, call)?,
            "functionResponse" => self.response = c.opt(Cursor::raw)?,
            "inlineData" => self.file = self.inside(c, key, inline)?,
            "fileData" => self.file = self.inside(c, key, remote)?,
            "mediaResolution" => self.detail = self.inside(c, key, part_detail)?.flatten(),
            "executableCode" => self.hosted(c, "executableCode")?,
            "codeExecutionResult" => self.hosted(c, "codeExecutionResult")?,
            "toolCall" => self.hosted(c, "toolCall")?,
            "toolResponse" => self.hosted(c, "toolResponse")?,
            "videoMetadata"
            | "partMetadata"
            | "mediaProcessing"
            | "speechMetadata"
            | "documentMetadata"
            | "spreadsheetMetadata"
            | "audioMetadata" => {
                let raw = c.raw()?;
                if raw.kind() != Kind::Null {
                    self.hints.push((key, raw));
                }
            }
            _ => {
                let raw = c.raw()?;
                if raw.kind() != Kind::Null {
                    self.unknown.push((key, raw));
                }
            }
        }
        Ok(())
    }

    /// Reads the object of a member; what is unknown in it is kept under its path.
    fn inside<T>(
        &mut self,
        c: &mut Cursor<'a>,
        member: Cow<'a, str>,
        read: impl FnOnce(&mut Cursor<'a>, Unknown<'_, 'a>) -> Result<T, JsonError>,
    ) -> Result<Option<T>, JsonError> {
        if c.null()? {
            return Ok(None);
        }
        read(c, Unknown { member, list: &mut self.unknown }).map(Some)
    }

    fn hosted(&mut self, c: &mut Cursor<'a>, kind: &'static str) -> Result<(), JsonError> {
        if !c.null()? {
            c.skip()?;
            self.hosted = Some(kind);
        }
        Ok(())
    }

    /// Whether the part has a member that holds content.
    pub(super) const fn has_content(&self) -> bool {
        self.text.is_some()
            || self.call.is_some()
            || self.response.is_some()
            || self.file.is_some()
            || self.hosted.is_some()
    }

    /// Whether it holds something, and nobody here knows what.
    pub(super) fn is_foreign(&self) -> bool {
        !self.has_content() && self.signature.is_none() && !self.unknown.is_empty()
    }
}

/// Why a part of a kind that nobody here knows is not carried.
pub(super) const UNKNOWN: &str = "unknown kind of part";

/// Takes unknown members of an object inside of a part.
struct Unknown<'l, 'a> {
    member: Cow<'a, str>,
    list: &'l mut Vec<(Cow<'a, str>, Raw<'a>)>,
}

impl<'a> Unknown<'_, 'a> {
    fn keep(&mut self, c: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if raw.kind() != Kind::Null {
            self.list.push((Cow::Owned(format!("{}.{key}", self.member)), raw));
        }
        Ok(())
    }
}

fn call<'a>(c: &mut Cursor<'a>, mut unknown: Unknown<'_, 'a>) -> Result<Call<'a>, JsonError> {
    c.kind()?;
    let start = c.position() + 1;
    let mut call = Call::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "id" => call.id = c.opt(Cursor::str)?.filter(|id| !id.is_empty()),
            "name" => call.name = c.str()?,
            "args" => {
                if !c.null()? {
                    if c.kind()? != Kind::Object {
                        return Err(c.error("the arguments of a function must be an object"));
                    }
                    call.args = Some(c.raw()?);
                }
            }
            // `partialArgs` and `willContinue` exist on Vertex only, and only if asked for.
            _ => unknown.keep(c, &key)?,
        }
    }
    if call.name.is_empty() {
        return Err(JsonError::new(start, "`name` is missing"));
    }
    Ok(call)
}

fn inline<'a>(c: &mut Cursor<'a>, mut unknown: Unknown<'_, 'a>) -> Result<File<'a>, JsonError> {
    c.kind()?;
    let start = c.position() + 1;
    let (mut kind, mut data, mut name) = (None, None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "mimeType" => kind = c.opt(Cursor::str)?,
            "data" => data = c.opt(Cursor::str)?.map(standard),
            "displayName" => name = c.opt(display_name)?,
            _ => unknown.keep(c, &key)?,
        }
    }
    Ok(File::Inline {
        kind: kind.ok_or_else(|| JsonError::new(start, "`mimeType` is missing"))?,
        data: data.ok_or_else(|| JsonError::new(start, "`data` is missing"))?,
        name,
    })
}

/// Standard base64: Google's SDKs write the form for URLs, which other vendors refuse.
fn standard(data: Str<'_>) -> Str<'_> {
    let plain = data.decode();
    if !plain.contains(['-', '_']) {
        return data;
    }
    Str::from(plain.replace('-', "+").replace('_', "/"))
}

fn remote<'a>(c: &mut Cursor<'a>, mut unknown: Unknown<'_, 'a>) -> Result<File<'a>, JsonError> {
    c.kind()?;
    let start = c.position() + 1;
    let (mut kind, mut uri, mut name) = (None, None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "mimeType" => kind = c.opt(Cursor::str)?,
            "fileUri" => uri = c.opt(Cursor::str)?,
            "displayName" => name = c.opt(display_name)?,
            _ => unknown.keep(c, &key)?,
        }
    }
    let uri = uri.ok_or_else(|| JsonError::new(start, "`fileUri` is missing"))?;
    Ok(File::Remote { kind, uri, name })
}

fn display_name<'a>(c: &mut Cursor<'a>) -> Result<Raw<'a>, JsonError> {
    let raw = c.raw()?;
    raw.cursor().str()?;
    Ok(raw)
}

fn part_detail<'a>(
    c: &mut Cursor<'a>,
    mut unknown: Unknown<'_, 'a>,
) -> Result<Option<Detail>, JsonError> {
    if c.kind()? == Kind::String {
        return Ok(detail(&c.string()?));
    }
    let mut level = None;
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key == "level" {
            level = c.opt(Cursor::string)?.and_then(|name| detail(&name));
        } else {
            unknown.keep(c, &key)?;
        }
    }
    Ok(level)
}

/// How closely to look, by its name. Unspecified and unknown levels say nothing.
pub(super) fn detail(name: &str) -> Option<Detail> {
    let level = name.to_ascii_uppercase();
    match level.strip_prefix("MEDIA_RESOLUTION_").unwrap_or(&level) {
        "LOW" => Some(Detail::Low),
        "MEDIUM" => Some(Detail::Medium),
        "HIGH" => Some(Detail::High),
        "ULTRA_HIGH" => Some(Detail::Original),
        _ => None,
    }
}

/// Hosts of files that were uploaded to Google; no other vendor can read them.
const OWN_FILES: [&str; 2] =
    ["https://generativelanguage.googleapis.com/", "https://storage.googleapis.com/generativeai"];

/// The content a file is, or the reason why no other dialect can say it.
pub(super) fn content(file: File<'_>, detail: Option<Detail>) -> Result<Content<'_>, &'static str> {
    let title = file.name().and_then(|raw| raw.cursor().str().ok());
    let (kind, media) = match file {
        File::Inline { kind, data, name: _ } => {
            (Some(kind.clone()), Media::Base64 { media_type: kind, data })
        }
        File::Remote { kind, uri, name: _ } => (kind.clone(), place(uri, kind)?),
    };
    let name = match (&kind, &media) {
        (Some(kind), _) => kind.decode().to_ascii_lowercase(),
        (None, Media::Url { url, .. }) => kind_of_url(&url.decode()).unwrap_or("").to_owned(),
        (None, _) => String::new(),
    };
    match name.split_once('/') {
        Some(("image", _)) => Ok(Content::Image(Image { media, detail })),
        Some(("audio", _)) => Ok(Content::Audio(media)),
        Some(("video", _)) => Err("no other dialect has video"),
        Some(_) if name == "application/pdf" || is_textual(&name) => {
            Ok(Content::Document(Box::new(Document {
                media,
                title,
                context: None,
                citations: false,
            })))
        }
        _ => Err("no other dialect has files of this type"),
    }
}

fn place<'a>(uri: Str<'a>, media_type: Option<Str<'a>>) -> Result<Media<'a>, &'static str> {
    let plain = uri.decode();
    if OWN_FILES.iter().any(|host| plain.starts_with(host)) || plain.starts_with("files/") {
        Err("the file was uploaded to Google, no other vendor can read it")
    } else if plain.starts_with("https://") || plain.starts_with("http://") {
        Ok(Media::Url { url: uri, media_type })
    } else {
        Err("no other vendor can read from there")
    }
}

/// The media type a URL's path tells by its ending.
pub(super) fn kind_of_url(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "json" => "application/json",
        _ => return None,
    })
}
