//! Chat request, read.

mod message;
mod part;
mod tools;

use std::borrow::Cow;

use crate::canonical::{
    CacheMark, Effort, Extra, Json, Logprobs, OutputFormat, Reasoning, Request, ServiceTier, Shown,
    ThinkingForm, Tool, Verbosity, WebSearch,
};
use crate::json::{Cursor, JsonError, Kind, Str};
use crate::translate::{ReadError, RequestExtra};

/// Reads a Chat request.
pub fn read<'a>(body: &'a str, extra: &RequestExtra<'a>) -> Result<Request<'a>, ReadError> {
    let mut c = Cursor::new(body);
    let mut r = Reading::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        r.member(&mut c, key)?;
    }
    c.end()?;
    let mut request = r.request;
    request.max_tokens = request.max_tokens.or(r.max_tokens_old);
    request.tools.append(&mut r.functions);
    request.tools.extend(r.search.map(|search| Tool::WebSearch(Box::new(search))));
    request.logprobs = match (r.logprobs, r.top_logprobs) {
        (Some(true), top) => Some(Logprobs { top: top.unwrap_or(0) }),
        (_, Some(top)) if top > 0 => Some(Logprobs { top }),
        _ => None,
    };
    if let Some(model) = extra.model {
        request.model = model.into();
    }
    request.identity.session = extra.session.map(Str::from);
    Ok(request)
}

/// A request while it is being read.
#[derive(Default)]
struct Reading<'a> {
    request: Request<'a>,
    /// `max_tokens`, which `max_completion_tokens` outweighs.
    max_tokens_old: Option<u64>,
    logprobs: Option<bool>,
    top_logprobs: Option<u64>,
    search: Option<WebSearch<'a>>,
    functions: Vec<Tool<'a>>,
    /// Calls of earlier messages, which results refer to.
    calls: Vec<message::KnownCall<'a>>,
}

impl<'a> Reading<'a> {
    /// Keeps a member nobody here knows.
    fn unknown(
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

    fn hint(
        &mut self,
        c: &mut Cursor<'a>,
        key: Cow<'a, str>,
        why: &'static str,
    ) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if raw.kind() != Kind::Null {
            self.request.extras.push(Extra::hint(key, raw, why));
        }
        Ok(())
    }

    fn refused(
        &mut self,
        c: &mut Cursor<'a>,
        key: Cow<'a, str>,
        why: &'static str,
    ) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if raw.kind() != Kind::Null {
            self.request.extras.push(Extra::refused(key, raw, why));
        }
        Ok(())
    }

    fn member(&mut self, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
        match key.as_ref() {
            "model" => self.request.model = c.str()?,
            "messages" => self.messages(c)?,
            "stream" => self.request.stream = c.opt(Cursor::bool)?.unwrap_or(false),
            "stream_options" => self.stream_options(c)?,
            "max_completion_tokens" => {
                self.request.max_tokens = c.opt(Cursor::u64)?;
            }
            "max_tokens" => self.max_tokens_old = c.opt(Cursor::u64)?,
            "stop" => self.request.stop = stop(c)?,
            "n" => self.request.choices = c.opt(Cursor::u64)?,
            "logprobs" => self.logprobs = c.opt(Cursor::bool)?,
            "top_logprobs" => self.top_logprobs = c.opt(Cursor::u64)?,
            "response_format" => self.request.format = self.response_format(c)?,
            "verbosity" => self.request.verbosity = verbosity(c)?,
            "reasoning_effort" | "reasoning" | "thinking" => self.reasoning(c, &key)?,
            "tools"
            | "tool_choice"
            | "parallel_tool_calls"
            | "functions"
            | "function_call"
            | "web_search_options" => self.tool_member(c, &key)?,
            "service_tier" => self.request.service_tier = c.opt(service_tier)?,
            "metadata" => self.request.storage.metadata = c.opt(object)?,
            "store" => self.request.storage.store = c.opt(Cursor::bool)?,
            "modalities" => self.modalities(c, key)?,
            "audio" => self.refused(c, key, "spoken answers exist at OpenAI's Chat only")?,
            "prediction" => self.hint(c, key, "only speeds the answer up, at OpenAI's Chat")?,
            "moderation" => self.hint(c, key, "OpenAI's own moderation")?,
            _ => return self.tuning_member(c, key),
        }
        Ok(())
    }

    fn tuning_member(&mut self, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
        let Request { sampling, identity, cache, .. } = &mut self.request;
        match key.as_ref() {
            "temperature" => sampling.temperature = c.opt(Cursor::f64)?,
            "top_p" => sampling.top_p = c.opt(Cursor::f64)?,
            "top_k" => sampling.top_k = c.opt(Cursor::u64)?,
            "presence_penalty" => sampling.presence_penalty = c.opt(Cursor::f64)?,
            "frequency_penalty" => sampling.frequency_penalty = c.opt(Cursor::f64)?,
            "seed" => sampling.seed = c.opt(Cursor::i64)?,
            "logit_bias" => sampling.logit_bias = c.opt(object)?.filter(|json| json.text() != "{}"),
            "safety_identifier" => identity.end_user = c.opt(Cursor::str)?,
            "user" => identity.user = c.opt(Cursor::str)?,
            "prompt_cache_key" => cache.key = c.opt(Cursor::str)?,
            "prompt_cache_retention" => cache.retention = c.opt(Cursor::str)?,
            "prompt_cache_options" => self.cache_options(c)?,
            "cache_control" => cache.automatic = c.opt(cache_mark)?,
            _ => self.unknown(c, key)?,
        }
        Ok(())
    }

    fn stream_options(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "include_usage" => {
                    self.request.include_usage = c.opt(Cursor::bool)?.unwrap_or(false);
                }
                "include_obfuscation" => {
                    let raw = c.raw()?;
                    if raw.text() == "true" {
                        let path = Cow::Borrowed("stream_options.include_obfuscation");
                        let why = "answers the router writes have no padding";
                        self.request.extras.push(Extra::hint(path, raw, why));
                    }
                }
                other => self.unknown(c, format!("stream_options.{other}"))?,
            }
        }
        Ok(())
    }

    fn modalities(&mut self, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
        let raw = c.raw()?;
        let mut text_only = true;
        let mut list = raw.cursor();
        if list.null()? {
            return Ok(());
        }
        let mut items = list.array()?;
        while items.next(&mut list)?.is_some() {
            text_only &= list.string()? == "text";
        }
        if !text_only {
            let why = "answers in another form than text exist at OpenAI's Chat only";
            self.request.extras.push(Extra::refused(key, raw, why));
        }
        Ok(())
    }

    /// `prompt_cache_options`.
    fn cache_options(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "mode" => {
                    self.request.cache.explicit =
                        c.opt(Cursor::string)?.map(|mode| mode == "explicit");
                }
                "ttl" => self.request.cache.ttl_s = lifetime(c)?,
                other => self.unknown(c, format!("prompt_cache_options.{other}"))?,
            }
        }
        Ok(())
    }

    /// `reasoning_effort`, and the forms other servers gave Chat: `reasoning {effort, max_tokens,
    /// enabled, exclude}` and `thinking {type, budget_tokens}`.
    fn reasoning(&mut self, c: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        if key == "reasoning_effort" || c.kind()? == Kind::String {
            if let Some(level) = c.opt(effort)? {
                self.request.reasoning.effort = Some(level);
            }
            return Ok(());
        }
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(member) = members.next(c)? {
            let Reasoning { effort: level, form, shown } = &mut self.request.reasoning;
            match member.as_ref() {
                "effort" => *level = c.opt(effort)?.or(*level),
                "max_tokens" | "budget_tokens" => {
                    if let Some(tokens) = c.opt(Cursor::u64)? {
                        *form = ThinkingForm::Budget(tokens);
                    }
                }
                "enabled" => match (c.opt(Cursor::bool)?, *form) {
                    (Some(false), _) => *form = ThinkingForm::Off,
                    (Some(true), ThinkingForm::Unset) => *form = ThinkingForm::Adaptive,
                    _ => {}
                },
                "exclude" => {
                    if c.opt(Cursor::bool)? == Some(true) {
                        *shown = Shown::Hidden;
                    }
                }
                "type" => match (c.opt(Cursor::string)?.as_deref(), *form) {
                    (Some("disabled"), _) => *form = ThinkingForm::Off,
                    (Some("adaptive" | "enabled"), ThinkingForm::Unset) => {
                        *form = ThinkingForm::Adaptive;
                    }
                    _ => {}
                },
                other => self.unknown(c, format!("{key}.{other}"))?,
            }
        }
        let Reasoning { effort: level, form, .. } = &mut self.request.reasoning;
        if *form == ThinkingForm::Off {
            *level = Some(Effort::None);
        }
        Ok(())
    }

    fn response_format(
        &mut self,
        c: &mut Cursor<'a>,
    ) -> Result<Option<OutputFormat<'a>>, JsonError> {
        if c.null()? {
            return Ok(None);
        }
        let start = c.position();
        let (mut kind, mut inner, mut flat) = (None, None, None);
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "type" => kind = Some(c.string()?),
                "json_schema" => inner = c.opt(Cursor::raw)?,
                // Some servers take the schema beside the type.
                "schema" => flat = c.opt(Cursor::raw)?,
                other => self.unknown(c, format!("response_format.{other}"))?,
            }
        }
        match (kind.as_deref(), inner, flat) {
            (Some("text"), ..) => Ok(None),
            (Some("json_object"), _, None) => Ok(Some(OutputFormat::JsonObject)),
            (Some("json_object"), _, Some(schema)) => Ok(Some(OutputFormat::JsonSchema {
                name: None,
                description: None,
                schema: schema.into(),
                strict: None,
            })),
            (Some("json_schema"), Some(raw), _) => self.json_schema(&mut raw.cursor()).map(Some),
            (Some("json_schema"), None, _) => {
                Err(JsonError::new(start, "`json_schema` is missing"))
            }
            (Some(_), ..) => Err(JsonError::new(
                start,
                "unknown `type`; expected text, json_object or json_schema",
            )),
            (None, ..) => Err(JsonError::new(start, "`type` is missing")),
        }
    }

    fn json_schema(&mut self, c: &mut Cursor<'a>) -> Result<OutputFormat<'a>, JsonError> {
        let start = c.position();
        let (mut name, mut description, mut schema, mut strict) = (None, None, None, None);
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "name" => name = c.opt(Cursor::str)?,
                "description" => description = c.opt(Cursor::str)?,
                "schema" => schema = c.opt(object)?,
                "strict" => strict = c.opt(Cursor::bool)?,
                other => self.unknown(c, format!("response_format.json_schema.{other}"))?,
            }
        }
        let schema = schema.ok_or_else(|| JsonError::new(start, "`schema` is missing"))?;
        Ok(OutputFormat::JsonSchema { name, description, schema, strict })
    }
}

fn effort(c: &mut Cursor<'_>) -> Result<Effort, JsonError> {
    let at = c.position();
    Effort::from_name(&c.string()?).ok_or_else(|| {
        let expected = "unknown effort; expected none, minimal, low, medium, high, xhigh or max";
        JsonError::new(at, expected)
    })
}

/// One string, or a list of strings.
fn stop<'a>(c: &mut Cursor<'a>) -> Result<Vec<Str<'a>>, JsonError> {
    match c.kind()? {
        Kind::Null => c.skip().map(|()| Vec::new()),
        Kind::String => Ok(vec![c.str()?]),
        _ => strings(c),
    }
}

fn strings<'a>(c: &mut Cursor<'a>) -> Result<Vec<Str<'a>>, JsonError> {
    let mut list = Vec::new();
    let mut items = c.array()?;
    while items.next(c)?.is_some() {
        list.push(c.str()?);
    }
    Ok(list)
}

/// An object, kept as it is.
fn object<'a>(c: &mut Cursor<'a>) -> Result<Json<'a>, JsonError> {
    if c.kind()? == Kind::Object {
        return Ok(c.raw()?.into());
    }
    Err(c.error("expected an object"))
}

fn verbosity(c: &mut Cursor<'_>) -> Result<Option<Verbosity>, JsonError> {
    let at = c.position();
    match c.opt(Cursor::string)?.as_deref() {
        None => Ok(None),
        Some("low") => Ok(Some(Verbosity::Low)),
        Some("medium") => Ok(Some(Verbosity::Medium)),
        Some("high") => Ok(Some(Verbosity::High)),
        Some(_) => Err(JsonError::new(at, "unknown verbosity; expected low, medium or high")),
    }
}

fn service_tier<'a>(c: &mut Cursor<'a>) -> Result<ServiceTier<'a>, JsonError> {
    let name = c.str()?;
    Ok(match name.decode().as_ref() {
        "auto" => ServiceTier::Auto,
        "default" => ServiceTier::Standard,
        "flex" => ServiceTier::Flex,
        "scale" => ServiceTier::Scale,
        "priority" => ServiceTier::Priority,
        "fast" => ServiceTier::Fast,
        _ => ServiceTier::Other(name),
    })
}

/// A cache mark: `prompt_cache_breakpoint`, or the `cache_control` some servers take.
fn cache_mark(c: &mut Cursor<'_>) -> Result<CacheMark, JsonError> {
    let mut mark = CacheMark::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key == "ttl" {
            mark.ttl_s = lifetime(c)?;
        } else {
            c.skip()?;
        }
    }
    Ok(mark)
}

/// A lifetime such as `30m` or `12h`, in seconds.
fn lifetime(c: &mut Cursor<'_>) -> Result<Option<u32>, JsonError> {
    let Some(text) = c.opt(Cursor::string)? else { return Ok(None) };
    let unit = |suffix| text.strip_suffix(suffix).and_then(|n| n.parse::<u32>().ok());
    Ok(unit('s')
        .or_else(|| unit('m').and_then(|n| n.checked_mul(60)))
        .or_else(|| unit('h').and_then(|n| n.checked_mul(3600))))
}
