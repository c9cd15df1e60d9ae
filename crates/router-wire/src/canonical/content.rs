//! Turns and the parts they are made of; requests and responses share them.

use std::borrow::Cow;

use super::request::Foreign;
use crate::dialect::Dialect;
use crate::json::{Raw, Str};

/// Who speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The operator's instructions, at the start or in mid-conversation.
    System,
    /// The same under the newer OpenAI name; kept apart so that OpenAI targets get it back.
    Developer,
    /// The user, and the results of tools.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// Whether this is an instruction of the operator under either name.
    pub const fn is_system(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}

/// Where something stood in the client's own list of messages, items or contents. Only used to
/// say so in a loss or an error.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// Index in the list, or nothing for what stands outside of it (`system`, `instructions`).
    pub item: Option<u32>,
    /// Index of the part inside the item, or nothing when the content was one string.
    pub part: Option<u32>,
}

impl Origin {
    /// Item `item` of the list.
    pub fn item(item: usize) -> Self {
        Self { item: u32::try_from(item).ok(), part: None }
    }

    /// Part `part` of the same item.
    #[must_use]
    pub fn part(self, part: usize) -> Self {
        Self { part: u32::try_from(part).ok(), ..self }
    }
}

/// Neighbouring parts of one speaker.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said. Readers may leave it empty; `fit` removes empty turns.
    pub parts: Vec<Part<'a>>,
    /// The name of the speaker, which only Chat has.
    pub name: Option<Str<'a>>,
    /// Where the turn stood.
    pub origin: Origin,
}

impl<'a> Turn<'a> {
    /// A turn without a name.
    pub const fn new(role: Role, parts: Vec<Part<'a>>, origin: Origin) -> Self {
        Self { role, parts, name: None, origin }
    }
}

/// A prompt-cache mark: everything up to here may be cached.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CacheMark {
    /// How long to keep it, in seconds, as far as the client said: 300 and 3,600 at Anthropic,
    /// 1,800 and 43,200 at OpenAI.
    pub ttl_s: Option<u32>,
}

/// One piece of content.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// The content.
    pub content: Content<'a>,
    /// The cache mark the client put on it.
    pub cache: Option<CacheMark>,
    /// Where it stood.
    pub origin: Origin,
}

impl<'a> Part<'a> {
    /// A part without a cache mark.
    pub const fn new(content: Content<'a>, origin: Origin) -> Self {
        Self { content, cache: None, origin }
    }

    /// A text part without citations.
    pub const fn text(text: Str<'a>, origin: Origin) -> Self {
        Self::new(Content::Text { text, citations: Vec::new() }, origin)
    }
}

/// What a part holds.
#[derive(Clone, Debug)]
pub enum Content<'a> {
    /// Text, and what it cites.
    Text {
        /// The text.
        text: Str<'a>,
        /// Sources; only in answers and in the assistant's history.
        citations: Vec<Citation<'a>>,
    },
    /// A picture.
    Image(Image<'a>),
    /// A file: PDF or text.
    Document(Box<Document<'a>>),
    /// Recorded sound.
    Audio(Media<'a>),
    /// A search result the client supplies to be cited.
    SearchResult(Box<SearchResult<'a>>),
    /// The model's refusal, in words.
    Refusal(Str<'a>),
    /// What the model thought, as far as it may be shown, and the state that continues it.
    Thinking(Box<Thinking<'a>>),
    /// The model calls a tool.
    ToolCall(Box<ToolCall<'a>>),
    /// What the tool answered. Stands in user turns.
    ToolResult(Box<ToolResult<'a>>),
    /// Something only one dialect knows.
    Foreign(Box<Foreign<'a>>),
}

/// JSON text that was checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Json<'a>(pub Cow<'a, str>);

impl Json<'_> {
    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl<'a> From<Raw<'a>> for Json<'a> {
    fn from(raw: Raw<'a>) -> Self {
        Self(Cow::Borrowed(raw.text()))
    }
}

/// Bytes of an image, a file or a recording, or where they are.
#[derive(Clone, Debug)]
pub enum Media<'a> {
    /// The bytes in standard base64, not decoded and not checked.
    Base64 {
        /// Media type such as `image/png`.
        media_type: Str<'a>,
        /// The base64 text.
        data: Str<'a>,
    },
    /// A URL the upstream is to fetch.
    Url {
        /// The URL.
        url: Str<'a>,
        /// The media type, where the client states it.
        media_type: Option<Str<'a>>,
    },
    /// A file that was uploaded to the vendor of the client's dialect.
    FileId(Str<'a>),
    /// Plain text; documents only.
    Text(Str<'a>),
    /// Content parts; documents only.
    Parts(Vec<Part<'a>>),
}

impl<'a> Media<'a> {
    /// Reads a URL, taking a `data:` URL with base64 apart.
    pub fn from_url(url: Str<'a>) -> Self {
        let split = match &url {
            Str::Literal(text) => {
                split_data_url(text).map(|(kind, data)| (Str::Literal(kind), Str::Literal(data)))
            }
            Str::Plain(Cow::Borrowed(text)) => {
                split_data_url(text).map(|(kind, data)| (Str::plain(kind), Str::plain(data)))
            }
            Str::Plain(Cow::Owned(text)) => split_data_url(text)
                .map(|(kind, data)| (Str::from(kind.to_owned()), Str::from(data.to_owned()))),
        };
        match split {
            Some((media_type, data)) => Self::Base64 { media_type, data },
            None => Self::Url { url, media_type: None },
        }
    }
}

fn split_data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let kind = head.strip_suffix(";base64")?;
    // Parameters such as `;charset=utf-8` are no part of the type. A literal may hold `\/`, which
    // is left alone: it still means `/` wherever it is written.
    Some((kind.split_once(';').map_or(kind, |(kind, _)| kind), data))
}

/// How closely the model should look at an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// The upstream decides.
    Auto,
    /// A small version is enough.
    Low,
    /// Between low and high; Gemini only.
    Medium,
    /// Full tiles.
    High,
    /// Not scaled at all.
    Original,
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// Its bytes or place.
    pub media: Media<'a>,
    /// How closely to look.
    pub detail: Option<Detail>,
}

/// A file.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// Its bytes or place.
    pub media: Media<'a>,
    /// Title or file name.
    pub title: Option<Str<'a>>,
    /// What the client says about the file.
    pub context: Option<Str<'a>>,
    /// Whether the answer should cite the file.
    pub citations: bool,
}

/// A search result supplied by the client.
#[derive(Clone, Debug)]
pub struct SearchResult<'a> {
    /// URL or other name of the source.
    pub source: Str<'a>,
    /// Title.
    pub title: Str<'a>,
    /// Text parts.
    pub content: Vec<Part<'a>>,
    /// Whether the answer should cite it.
    pub citations: bool,
}

/// What a stretch of text cites.
#[derive(Clone, Debug)]
pub enum Citation<'a> {
    /// A web page.
    Url {
        /// Address.
        url: Str<'a>,
        /// Title of the page.
        title: Option<Str<'a>>,
        /// The words that were cited from it.
        cited_text: Option<Str<'a>>,
        /// Start of the citing text in the answer, in characters.
        start: Option<u64>,
        /// End of the citing text, exclusive.
        end: Option<u64>,
    },
    /// A form only one dialect has (a place in a document, a file).
    Other(Json<'a>),
}

impl Citation<'_> {
    /// Whether a client of this dialect has a form for it.
    pub fn has_form_in(&self, dialect: Dialect) -> bool {
        let Self::Other(json) = self else { return true };
        let own: &[&str] = match dialect {
            Dialect::Anthropic => &["_location\""],
            Dialect::OpenaiResponses => {
                &["\"file_citation\"", "\"container_file_citation\"", "\"file_path\""]
            }
            Dialect::OpenaiChat | Dialect::Gemini => &[],
        };
        own.iter().any(|kind| json.text().contains(kind))
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Citation<'static> {
        match self {
            Self::Url { url, title, cited_text, start, end } => Citation::Url {
                url: url.into_owned(),
                title: title.map(Str::into_owned),
                cited_text: cited_text.map(Str::into_owned),
                start,
                end,
            },
            Self::Other(json) => Citation::Other(Json(Cow::Owned(json.0.into_owned()))),
        }
    }
}

/// Opaque state of an upstream that must come back to the same vendor: a signature, encrypted
/// reasoning, a thought signature, or reasoning text the vendor demands back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opaque<'a> {
    /// Vendor that made it, as in the model facts (`anthropic`, `openai`, `google`, `deepseek`).
    pub vendor: Cow<'a, str>,
    /// Model family that made it, where an envelope said so.
    pub family: Option<Cow<'a, str>>,
    /// The state itself, as the vendor wrote it.
    pub payload: Str<'a>,
}

/// What the model thought.
#[derive(Clone, Debug, Default)]
pub struct Thinking<'a> {
    /// Readable text; may be empty while `opaque` is not. Summary parts are joined by a blank line.
    pub text: Str<'a>,
    /// The state that lets the vendor continue. Without it no vendor accepts the block as its own.
    pub opaque: Option<Opaque<'a>>,
    /// Whether the vendor withheld the text (`redacted_thinking`): the payload is all there is.
    pub redacted: bool,
}

/// Input of a tool call.
#[derive(Clone, Debug)]
pub enum ToolInput<'a> {
    /// Checked JSON; an object unless the upstream is at fault.
    Json(Json<'a>),
    /// Text: the input of a custom tool, or arguments nobody has checked yet.
    Text(Str<'a>),
}

/// The model calls a tool.
#[derive(Clone, Debug)]
pub struct ToolCall<'a> {
    /// Identifies the call. Readers make one where the dialect has none; see `names`.
    pub id: Str<'a>,
    /// The tool.
    pub name: Str<'a>,
    /// The group the tool belongs to (Responses `namespace`).
    pub namespace: Option<Str<'a>>,
    /// Arguments.
    pub input: ToolInput<'a>,
    /// Whether the tool takes free text instead of a JSON object.
    pub custom: bool,
    /// Hosted type the call had in the client's dialect (`apply_patch_call`), when it was shown
    /// to the upstream as a function.
    pub hosted: Option<Cow<'a, str>>,
}

/// What stands before the text of a failed tool's result in dialects that have no member for it.
/// Their readers take it off again.
pub const TOOL_ERROR_PREFIX: &str = "[tool error] ";

/// What a tool answered.
#[derive(Clone, Debug)]
pub struct ToolResult<'a> {
    /// The call this answers.
    pub call_id: Str<'a>,
    /// Name of the tool, where the dialect repeats it (Gemini).
    pub name: Option<Str<'a>>,
    /// Text, images, documents. Empty is allowed.
    pub content: Vec<Part<'a>>,
    /// Whether the tool failed.
    pub is_error: bool,
    /// Whether the call was to a custom (free text) tool.
    pub custom: bool,
}
