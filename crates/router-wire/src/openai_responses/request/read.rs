//! Responses request, read.

use std::borrow::Cow;

use super::items::Group;
use super::parts;
use crate::canonical::{
    Effort, Extra, Logprobs, Origin, OutputFormat, Part, Request, Role, ServiceTier, Shown, Turn,
    Verbosity,
};
use crate::json::{Cursor, JsonError, Kind, Raw, Str};
use crate::translate::{ReadError, RequestExtra};

const STATELESS: &str = "the router keeps no conversations; send the whole input";

/// Reads a Responses request.
pub fn read<'a>(body: &'a str, extra: &RequestExtra<'a>) -> Result<Request<'a>, ReadError> {
    let mut c = Cursor::new(body);
    let mut r = Reading::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        r.member(&mut c, key)?;
    }
    c.end()?;
    Ok(r.finish(extra)?)
}

/// A request while it is being read.
#[derive(Default)]
pub(super) struct Reading<'a> {
    pub(super) request: Request<'a>,
    pub(super) last: Group,
    instructions: Option<Turn<'a>>,
    /// Turns before those of `input`, once it was seen.
    input_at: Option<usize>,
    top_logprobs: Option<u64>,
    asks_logprobs: bool,
    noted: Vec<&'static str>,
    /// Tools inside the conversation; they wait until all of the request's own are known.
    pub(super) late: Vec<(Raw<'a>, usize)>,
}

impl<'a> Reading<'a> {
    fn finish(mut self, extra: &RequestExtra<'a>) -> Result<Request<'a>, JsonError> {
        self.add_late_tools()?;
        let mut request = self.request;
        if self.input_at.is_none() && !request.extras.iter().any(|extra| extra.path == "prompt") {
            return Err(JsonError::new(1, "`input` is missing"));
        }
        if let Some(instructions) = self.instructions {
            request.turns.insert(0, instructions);
        }
        if self.asks_logprobs || self.top_logprobs.is_some() {
            request.logprobs = Some(Logprobs { top: self.top_logprobs.unwrap_or(0) });
        }
        if let Some(session) = extra.session {
            request.identity.session = Some(session.into());
        }
        Ok(request)
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

    /// Keeps a member that may be left out. A `null` asks nothing.
    pub(super) fn hint(
        &mut self,
        c: &mut Cursor<'a>,
        path: impl Into<Cow<'a, str>>,
        why: &'static str,
    ) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if raw.kind() != Kind::Null {
            self.request.extras.push(Extra::hint(path.into(), raw, why));
        }
        Ok(())
    }

    /// Like [`Reading::hint`], for a member that stands on many items: only the first is kept.
    pub(super) fn hint_once(
        &mut self,
        c: &mut Cursor<'a>,
        key: &'static str,
        path: impl FnOnce() -> String,
        why: &'static str,
    ) -> Result<(), JsonError> {
        if self.noted.contains(&key) {
            return c.skip();
        }
        self.noted.push(key);
        self.hint(c, path(), why)
    }

    /// Keeps a member the request means nothing without. Empty values ask nothing.
    fn refused(
        &mut self,
        c: &mut Cursor<'a>,
        path: impl Into<Cow<'a, str>>,
        why: &'static str,
    ) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if !matches!(raw.text(), "null" | "false" | "[]" | "{}") {
            self.request.extras.push(Extra::refused(path.into(), raw, why));
        }
        Ok(())
    }

    fn member(&mut self, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
        match key.as_ref() {
            "model" => self.request.model = c.str()?,
            "input" => self.input(c)?,
            "instructions" => self.instructions(c)?,
            "tools" => {
                self.request.tools.clear();
                self.tools(c, "tools")?;
            }
            "tool_choice" => self.tool_choice(c)?,
            "parallel_tool_calls" => self.request.parallel_tools = c.opt(Cursor::bool)?,
            "max_output_tokens" => self.request.max_tokens = c.opt(Cursor::u64)?,
            "stream" => self.request.stream = c.opt(Cursor::bool)?.unwrap_or(false),
            "store" => self.request.storage.store = c.opt(Cursor::bool)?,
            "metadata" => self.request.storage.metadata = metadata(c)?,
            "temperature" => self.request.sampling.temperature = c.opt(Cursor::f64)?,
            "top_p" => self.request.sampling.top_p = c.opt(Cursor::f64)?,
            "top_logprobs" => self.top_logprobs = c.opt(Cursor::u64)?,
            "user" => self.request.identity.user = c.opt(Cursor::str)?,
            "safety_identifier" => self.request.identity.end_user = c.opt(Cursor::str)?,
            "service_tier" => self.request.service_tier = c.opt(Cursor::str)?.map(service_tier),
            "prompt_cache_key" => self.request.cache.key = c.opt(Cursor::str)?,
            "prompt_cache_retention" => self.request.cache.retention = c.opt(Cursor::str)?,
            "prompt_cache_options" => self.cache_options(c)?,
            "reasoning" => self.reasoning(c, "reasoning")?,
            "text" => self.text(c, "text")?,
            "include" => self.include(c)?,
            "stream_options" => self.stream_options(c)?,
            _ => self.rare(c, key)?,
        }
        Ok(())
    }

    /// Members that no other dialect has.
    fn rare(&mut self, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
        match key.as_ref() {
            "previous_response_id" | "conversation" | "prompt" => self.refused(c, key, STATELESS),
            "background" => self.refused(c, key, "the router keeps no answers to be fetched later"),
            "context_management" => {
                self.refused(c, key, "no other dialect's upstream shortens conversations this way")
            }
            "truncation" => {
                let raw = c.raw()?;
                // `disabled` is what every other dialect does.
                if !matches!(raw.text(), "null" | "\"disabled\"") {
                    let why = "no other dialect's upstream shortens conversations by itself";
                    self.request.extras.push(Extra::hint(key, raw, why));
                }
                Ok(())
            }
            "max_tool_calls" => self.hint(c, key, "limits tools of the vendor only"),
            "client_metadata" => self.hint(c, key, "bookkeeping of the client"),
            "background_options" | "moderation" | "access_programs" | "image" => {
                self.hint(c, key, "vendor control")
            }
            _ => self.unknown(c, key),
        }
    }

    fn instructions(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        match c.kind()? {
            Kind::Null => c.skip(),
            // Answers repeat instructions as items, and clients copy answers.
            Kind::Array => {
                let mut items = c.array()?;
                while let Some(index) = items.next(c)? {
                    self.item(c, index)?;
                }
                self.last = Group::Own;
                Ok(())
            }
            _ => {
                let text = c.str()?;
                let origin = Origin::default();
                if !text.is_empty() {
                    let parts = vec![Part::text(text, origin)];
                    self.instructions = Some(Turn::new(Role::Developer, parts, origin));
                }
                Ok(())
            }
        }
    }

    fn input(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        let before = self.input_at.unwrap_or(self.request.turns.len());
        self.request.turns.truncate(before);
        match c.kind()? {
            Kind::Null => return c.skip(),
            Kind::String => {
                let origin = Origin { item: Some(0), part: None };
                let parts = vec![Part::text(c.str()?, origin)];
                self.request.turns.push(Turn::new(Role::User, parts, origin));
            }
            _ => {
                let mut items = c.array()?;
                while let Some(index) = items.next(c)? {
                    self.item(c, index)?;
                }
            }
        }
        self.input_at = Some(before);
        Ok(())
    }

    pub(super) fn reasoning(&mut self, c: &mut Cursor<'a>, at: &str) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "effort" => self.request.reasoning.effort = effort(c)?,
                "summary" | "generate_summary" => {
                    if let Some(shown) = c.opt(Cursor::string)? {
                        self.request.reasoning.shown = summary(&shown);
                    }
                }
                "context" | "mode" => {
                    self.hint(c, format!("{at}.{key}"), "no other dialect has it")?;
                }
                _ => self.unknown(c, format!("{at}.{key}"))?,
            }
        }
        Ok(())
    }

    pub(super) fn text(&mut self, c: &mut Cursor<'a>, at: &str) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "format" => self.request.format = format(c)?,
                "verbosity" => self.request.verbosity = verbosity(c)?,
                _ => self.unknown(c, format!("{at}.{key}"))?,
            }
        }
        Ok(())
    }

    fn include(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut items = c.array()?;
        while let Some(index) = items.next(c)? {
            let raw = c.raw()?;
            match raw.cursor().string()?.as_ref() {
                // Answers carry the state in any case: the router has no other place for it.
                "reasoning.encrypted_content" => {}
                "message.output_text.logprobs" => self.asks_logprobs = true,
                _ => {
                    let why = "data of tools that the vendor runs";
                    let path = format!("include[{index}]");
                    self.request.extras.push(Extra::hint(path.into(), raw, why));
                }
            }
        }
        Ok(())
    }

    fn stream_options(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            let path = format!("stream_options.{key}");
            match key.as_ref() {
                "include_obfuscation" => self.hint(c, path, "padding")?,
                _ => self.unknown(c, path)?,
            }
        }
        Ok(())
    }

    fn cache_options(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            let cache = &mut self.request.cache;
            match key.as_ref() {
                "mode" => cache.explicit = c.opt(Cursor::string)?.map(|mode| mode == "explicit"),
                "ttl" => cache.ttl_s = c.opt(parts::ttl)?,
                "prewarm" => cache.prewarm = c.opt(Cursor::bool)?.unwrap_or(false),
                "comparison_response_id" => {
                    let path = "prompt_cache_options.comparison_response_id";
                    self.hint(c, path, "ids of answers differ between upstreams")?;
                }
                _ => self.unknown(c, format!("prompt_cache_options.{key}"))?,
            }
        }
        Ok(())
    }
}

fn metadata<'a>(c: &mut Cursor<'a>) -> Result<Option<crate::canonical::Json<'a>>, JsonError> {
    match c.kind()? {
        Kind::Null | Kind::Object => Ok(c.opt(Cursor::raw)?.map(Raw::into)),
        _ => Err(c.error("metadata must be an object")),
    }
}

fn effort(c: &mut Cursor<'_>) -> Result<Option<Effort>, JsonError> {
    c.kind()?;
    let at = c.position();
    let Some(name) = c.opt(Cursor::string)? else { return Ok(None) };
    let level = Effort::from_name(&name);
    level.map(Some).ok_or_else(|| {
        JsonError::new(
            at,
            "unknown effort; expected none, minimal, low, medium, high, xhigh or max",
        )
    })
}

fn summary(name: &str) -> Shown {
    match name {
        "concise" => Shown::Concise,
        "detailed" => Shown::Detailed,
        "none" => Shown::Hidden,
        _ => Shown::Summary,
    }
}

fn verbosity(c: &mut Cursor<'_>) -> Result<Option<Verbosity>, JsonError> {
    c.kind()?;
    let at = c.position();
    match c.opt(Cursor::string)?.as_deref() {
        None => Ok(None),
        Some("low") => Ok(Some(Verbosity::Low)),
        Some("medium") => Ok(Some(Verbosity::Medium)),
        Some("high") => Ok(Some(Verbosity::High)),
        Some(_) => Err(JsonError::new(at, "unknown verbosity; expected low, medium or high")),
    }
}

fn format<'a>(c: &mut Cursor<'a>) -> Result<Option<OutputFormat<'a>>, JsonError> {
    if c.null()? {
        return Ok(None);
    }
    let start = c.position() + 1;
    let (mut kind, mut name, mut description, mut schema, mut strict) =
        (None, None, None, None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => kind = Some(c.string()?),
            "name" => name = c.opt(Cursor::str)?,
            "description" => description = c.opt(Cursor::str)?,
            "schema" if c.kind()? == Kind::Object => schema = Some(c.raw()?.into()),
            "strict" => strict = c.opt(Cursor::bool)?,
            _ => c.skip()?,
        }
    }
    match kind.as_deref() {
        None => Err(JsonError::new(start, "`type` is missing")),
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(OutputFormat::JsonObject)),
        Some("json_schema") => {
            let schema = schema.ok_or_else(|| JsonError::new(start, "`schema` is missing"))?;
            Ok(Some(OutputFormat::JsonSchema { name, description, schema, strict }))
        }
        Some(_) => Err(JsonError::new(start, "unknown `type` of output format")),
    }
}

fn service_tier(name: Str<'_>) -> ServiceTier<'_> {
    match name.decode().as_ref() {
        "auto" => ServiceTier::Auto,
        "default" => ServiceTier::Standard,
        "flex" => ServiceTier::Flex,
        "scale" => ServiceTier::Scale,
        "priority" => ServiceTier::Priority,
        "fast" => ServiceTier::Fast,
        _ => ServiceTier::Other(name),
    }
}
