//! Request, read.

use std::borrow::Cow;

use super::{config, contents, tools};
use crate::canonical::{
    Content, Detail, Extra, Json, OutputFormat, Request, Role, ServiceTier, Tool, Turn,
};
use crate::gemini::{bare_model, camel, list};
use crate::json::{Cursor, JsonError, Kind, Raw, Str};
use crate::translate::{ReadError, RequestExtra};

/// Reads a generateContent request.
pub fn read<'a>(body: &'a str, extra: &RequestExtra<'a>) -> Result<Request<'a>, ReadError> {
    let mut c = Cursor::new(body);
    let mut request = from_cursor(&mut c, false)?;
    c.end()?;
    if let Some(model) = extra.model {
        request.model = bare_model(model).into();
    }
    request.stream = extra.stream;
    if let Some(session) = extra.session {
        request.identity.session = Some(session.into());
    }
    Ok(request)
}

/// Reads the object of a request. Only countTokens may do without `contents`, and nests another.
pub(in crate::gemini) fn from_cursor<'a>(
    c: &mut Cursor<'a>,
    counting: bool,
) -> Result<Request<'a>, JsonError> {
    c.kind()?;
    let start = c.position() + 1;
    let mut r = Reading::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        r.member(c, key)?;
    }
    let nested = r.nested;
    if let Some(raw) = nested.filter(|_| counting) {
        return from_cursor(&mut raw.cursor(), false);
    }
    let has_contents = r.has_contents;
    let request = r.finish();
    if !has_contents {
        return Err(JsonError::new(start, "`contents` is missing"));
    }
    Ok(request)
}

/// A request while it is being read.
#[derive(Default)]
pub(super) struct Reading<'a> {
    pub(super) request: Request<'a>,
    pub(super) conversation: contents::Conversation<'a>,
    /// `generationConfig.mediaResolution`, for images that say nothing themselves.
    pub(super) detail: Option<Detail>,
    /// `generationConfig`: form of the answer and its schema.
    pub(super) mime_type: Option<Cow<'a, str>>,
    pub(super) schema: Option<Json<'a>>,
    /// Whether calls must follow their schemas (`VALIDATED`).
    pub(super) validated: bool,
    system: Option<Turn<'a>>,
    has_contents: bool,
    nested: Option<Raw<'a>>,
}

impl<'a> Reading<'a> {
    /// Keeps a member that may be left out elsewhere.
    pub(super) fn hint(
        &mut self,
        c: &mut Cursor<'a>,
        path: impl Into<Cow<'a, str>>,
        why: &'static str,
    ) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if says_something(raw) {
            self.request.extras.push(Extra::hint(path.into(), raw, why));
        }
        Ok(())
    }

    /// Keeps a member that no other dialect can do without.
    pub(super) fn refused(
        &mut self,
        c: &mut Cursor<'a>,
        path: impl Into<Cow<'a, str>>,
        why: &'static str,
    ) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if says_something(raw) {
            self.request.extras.push(Extra::refused(path.into(), raw, why));
        }
        Ok(())
    }

    /// Keeps a member nobody here knows.
    pub(super) fn unknown(
        &mut self,
        c: &mut Cursor<'a>,
        path: impl Into<Cow<'a, str>>,
    ) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if raw.kind() != Kind::Null {
            self.request.extras.push(Extra::unknown(path.into(), raw));
        }
        Ok(())
    }

    fn member(&mut self, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
        match camel(&key).as_ref() {
            "contents" => {
                self.has_contents = true;
                contents::read(self, c)?;
            }
            "systemInstruction" => self.system = contents::system(self, c)?,
            "tools" => tools::read(self, c)?,
            "toolConfig" => tools::config(self, c)?,
            "generationConfig" => config::read(self, c)?,
            "model" => {
                let name = c.opt(Cursor::str)?.unwrap_or_default().decode();
                self.request.model = match name {
                    Cow::Borrowed(name) => bare_model(name).into(),
                    Cow::Owned(name) => bare_model(&name).to_owned().into(),
                };
            }
            "safetySettings" => self.hint(c, key, "other vendors have their own filters")?,
            "cachedContent" => {
                self.refused(c, key, "the cached content is stored at Google, no other has it")?;
            }
            "serviceTier" => self.request.service_tier = c.opt(Cursor::str)?.and_then(tier),
            "labels" => self.request.storage.metadata = c.opt(labels)?,
            "store" => self.request.storage.store = c.opt(Cursor::bool)?,
            "generateContentRequest" => self.nested = c.opt(Cursor::raw)?,
            _ => self.unknown(c, key)?,
        }
        Ok(())
    }

    fn finish(mut self) -> Request<'a> {
        let mut request = self.request;
        request.turns = std::mem::take(&mut self.conversation.turns);
        if let Some(system) = self.system {
            request.turns.insert(0, system);
        }
        if let Some(detail) = self.detail {
            look(&mut request.turns, detail);
        }
        let json = self.mime_type.as_deref() == Some("application/json");
        request.format = match self.schema {
            // A schema without a type is read as JSON; `text/x.enum` is a schema of its words.
            Some(schema) => Some(OutputFormat::JsonSchema {
                name: None,
                description: None,
                schema,
                strict: Some(true),
            }),
            None if json => Some(OutputFormat::JsonObject),
            None => None,
        };
        if self.validated {
            for tool in &mut request.tools {
                if let Tool::Function(function) = tool {
                    function.strict = Some(true);
                }
            }
        }
        request
    }
}

fn says_something(raw: Raw<'_>) -> bool {
    !matches!(raw.text(), "null" | "[]" | "{}" | "false" | "\"\"")
}

/// Images that say nothing about how closely to look take what the request says.
fn look(turns: &mut [Turn<'_>], detail: Detail) {
    for part in turns.iter_mut().filter(|turn| turn.role == Role::User).flat_map(|t| &mut t.parts) {
        match &mut part.content {
            Content::Image(image) => drop(image.detail.get_or_insert(detail)),
            Content::ToolResult(result) => {
                for inner in &mut result.content {
                    if let Content::Image(image) = &mut inner.content {
                        image.detail.get_or_insert(detail);
                    }
                }
            }
            _ => {}
        }
    }
}

fn tier(name: Str<'_>) -> Option<ServiceTier<'_>> {
    let plain = name.decode().to_ascii_lowercase();
    match plain.strip_prefix("service_tier_").unwrap_or(&plain) {
        "unspecified" | "" => None,
        "standard" => Some(ServiceTier::Standard),
        "flex" => Some(ServiceTier::Flex),
        "priority" => Some(ServiceTier::Priority),
        _ => Some(ServiceTier::Other(name)),
    }
}

/// Labels: an object of strings.
fn labels<'a>(c: &mut Cursor<'a>) -> Result<Json<'a>, JsonError> {
    let raw = c.raw()?;
    let mut inner = raw.cursor();
    let mut members = inner.object()?;
    while members.next(&mut inner)?.is_some() {
        inner.str()?;
    }
    Ok(raw.into())
}

/// A list of strings.
pub(super) fn strings<'a>(c: &mut Cursor<'a>) -> Result<Vec<Str<'a>>, JsonError> {
    list(c, Cursor::str)
}
