//! Messages request, read.

use std::borrow::Cow;

use super::blocks;
use super::tools;
use crate::canonical::{
    CacheMark, Effort, Extra, Origin, OutputFormat, Request, Role, ServiceTier, Shown,
    ThinkingForm, Turn,
};
use crate::json::{Cursor, JsonError, Kind, Str};
use crate::translate::{ReadError, RequestExtra};

/// Reads a Messages request.
pub fn read<'a>(body: &'a str, _: &RequestExtra<'a>) -> Result<Request<'a>, ReadError> {
    let mut c = Cursor::new(body);
    let mut r = Reading::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        r.member(&mut c, key)?;
    }
    c.end()?;
    if r.thread_continues {
        return Err(ReadError::ThreadNotFound);
    }
    let mut request = r.request;
    if let Some(system) = r.system {
        request.turns.insert(0, system);
    }
    request.sampling_done();
    Ok(request)
}

/// A request while it is being read.
#[derive(Default)]
pub(super) struct Reading<'a> {
    request: Request<'a>,
    system: Option<Turn<'a>>,
    thread_continues: bool,
}

impl<'a> Reading<'a> {
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

    fn hint(
        &mut self,
        c: &mut Cursor<'a>,
        path: Cow<'a, str>,
        why: &'static str,
    ) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if raw.kind() != Kind::Null {
            self.request.extras.push(Extra::hint(path, raw, why));
        }
        Ok(())
    }

    /// Keeps a member that no other dialect can do without. Absent and empty values ask nothing.
    fn refused(
        &mut self,
        c: &mut Cursor<'a>,
        path: Cow<'a, str>,
        why: &'static str,
    ) -> Result<(), JsonError> {
        let raw = c.raw()?;
        if !matches!(raw.text(), "null" | "[]" | "{}") {
            self.request.extras.push(Extra::refused(path, raw, why));
        }
        Ok(())
    }

    fn member(&mut self, c: &mut Cursor<'a>, key: Cow<'a, str>) -> Result<(), JsonError> {
        match key.as_ref() {
            "model" => self.request.model = c.str()?,
            "messages" => self.messages(c)?,
            "system" => self.system(c)?,
            "max_tokens" => self.max_tokens(c)?,
            "stream" => self.request.stream = c.opt(Cursor::bool)?.unwrap_or(false),
            "tools" => self.tools(c)?,
            "tool_choice" => self.tool_choice(c)?,
            "stop_sequences" => self.request.stop = c.opt(strings)?.unwrap_or_default(),
            "thinking" => self.thinking(c)?,
            "output_config" => self.output_config(c)?,
            // Where the form of the answer stood before `output_config`.
            "output_format" => {
                if let Some(format) = output_format(c)? {
                    self.request.format.get_or_insert(format);
                }
            }
            "cache_control" => self.request.cache.automatic = cache_control(c)?,
            "metadata" => self.metadata(c)?,
            "temperature" => self.request.sampling.temperature = c.opt(Cursor::f64)?,
            "top_p" => self.request.sampling.top_p = c.opt(Cursor::f64)?,
            "top_k" => self.request.sampling.top_k = c.opt(Cursor::u64)?,
            "service_tier" | "speed" => self.service(c, &key)?,
            "thread" => self.thread(c)?,
            "inference_geo"
            | "diagnostics"
            | "user_profile_id"
            | "workspace_id"
            | "betas"
            | "fallback_credit_token" => self.hint(c, key, "vendor control")?,
            "context_management" | "fallbacks" => {
                self.hint(c, key, "optimisation of the vendor")?;
            }
            "container" | "mcp_servers" | "compaction" | "billing_policy" => {
                self.refused(c, key, "only Anthropic's own API has this")?;
            }
            _ => self.unknown(c, key)?,
        }
        Ok(())
    }

    fn max_tokens(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        match c.opt(Cursor::u64)? {
            Some(0) => self.request.cache.prewarm = true,
            limit => self.request.max_tokens = limit,
        }
        Ok(())
    }

    fn system(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let parts = blocks::content(self, c, Origin::default())?;
        self.system = Some(Turn::new(Role::System, parts, Origin::default()));
        Ok(())
    }

    fn messages(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        // A member that stands twice counts as it stands last, here as everywhere.
        self.request.turns.clear();
        let mut items = c.array()?;
        while let Some(index) = items.next(c)? {
            let turn = self.message(c, index)?;
            self.request.turns.push(turn);
        }
        Ok(())
    }

    fn message(&mut self, c: &mut Cursor<'a>, index: usize) -> Result<Turn<'a>, JsonError> {
        let start = c.position();
        let origin = Origin::item(index);
        let mut role = None;
        let mut parts = None;
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "role" => role = Some(read_role(c)?),
                "content" => parts = Some(blocks::content(self, c, origin)?),
                _ => self.unknown(c, format!("messages[{index}].{key}"))?,
            }
        }
        let role = role.ok_or_else(|| JsonError::new(start + 1, "`role` is missing"))?;
        let parts = parts.ok_or_else(|| JsonError::new(start + 1, "`content` is missing"))?;
        Ok(Turn::new(role, parts, origin))
    }

    fn tools(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        self.request.tools.clear();
        if c.null()? {
            return Ok(());
        }
        let mut items = c.array()?;
        while items.next(c)?.is_some() {
            let tool = tools::read_tool(c)?;
            self.request.tools.push(tool);
        }
        Ok(())
    }

    fn tool_choice(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let (choice, one_at_a_time) = tools::read_choice(c)?;
        self.request.tool_choice = Some(choice);
        if let Some(disabled) = one_at_a_time {
            self.request.parallel_tools = Some(!disabled);
        }
        Ok(())
    }

    fn thinking(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let start = c.position();
        let (mut kind, mut budget) = (None, None);
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "type" => {
                    let raw = c.clone().raw()?;
                    kind = Some(c.string()?);
                    if kind.as_deref() == Some("between_tools") {
                        let why = "elsewhere the model decides when it thinks";
                        self.request.extras.push(Extra::hint("thinking.type".into(), raw, why));
                    }
                }
                "budget_tokens" => budget = c.opt(Cursor::u64)?,
                "display" => {
                    self.request.reasoning.shown = match c.opt(Cursor::string)?.as_deref() {
                        Some("omitted") => Shown::Hidden,
                        Some(_) => Shown::Summary,
                        None => Shown::Unset,
                    }
                }
                _ => self.unknown(c, format!("thinking.{key}"))?,
            }
        }
        self.request.reasoning.form = match kind.as_deref() {
            Some("disabled") => ThinkingForm::Off,
            Some("enabled") => ThinkingForm::Budget(
                budget.ok_or_else(|| JsonError::new(start + 1, "`budget_tokens` is missing"))?,
            ),
            Some("adaptive" | "between_tools") => ThinkingForm::Adaptive,
            Some(_) => return Err(JsonError::new(start + 1, "unknown `type` of thinking")),
            None => return Err(JsonError::new(start + 1, "`type` is missing")),
        };
        Ok(())
    }

    fn output_config(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "effort" => self.request.reasoning.effort = effort(c)?,
                "format" => {
                    if let Some(format) = output_format(c)? {
                        self.request.format = Some(format);
                    }
                }
                "task_budget" => {
                    self.hint(c, "output_config.task_budget".into(), "optimisation of the vendor")?;
                }
                _ => self.unknown(c, format!("output_config.{key}"))?,
            }
        }
        Ok(())
    }

    fn metadata(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            if key == "user_id" {
                self.request.identity.end_user = c.opt(Cursor::str)?;
            } else {
                self.unknown(c, format!("metadata.{key}"))?;
            }
        }
        self.request.identity.session =
            self.request.identity.end_user.as_ref().and_then(session_of).map(Str::from);
        Ok(())
    }

    fn service(&mut self, c: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        let Some(value) = c.opt(Cursor::str)? else { return Ok(()) };
        let tier = match (key, value.decode().as_ref()) {
            ("speed", "fast") => ServiceTier::Fast,
            ("speed", "standard") => return Ok(()),
            ("service_tier", _) if self.request.service_tier == Some(ServiceTier::Fast) => {
                return Ok(());
            }
            ("service_tier", "auto") => ServiceTier::Auto,
            ("service_tier", "standard_only") => ServiceTier::Standard,
            _ => ServiceTier::Other(value.clone()),
        };
        self.request.service_tier = Some(tier);
        Ok(())
    }

    fn thread(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            if key == "type" {
                // `create` only announces that later requests will refer to this one.
                self.thread_continues = c.string()? == "continue";
            } else {
                c.skip()?;
            }
        }
        Ok(())
    }
}

impl Request<'_> {
    /// A request for thinking that is off has no effort.
    const fn sampling_done(&mut self) {
        if matches!(self.reasoning.form, ThinkingForm::Off) {
            self.reasoning.effort = Some(Effort::None);
        }
    }
}

fn read_role(c: &mut Cursor<'_>) -> Result<Role, JsonError> {
    let at = c.position();
    match c.string()?.as_ref() {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        _ => Err(JsonError::new(at + 1, "unknown role; expected user, assistant or system")),
    }
}

fn effort(c: &mut Cursor<'_>) -> Result<Option<Effort>, JsonError> {
    let at = c.position();
    let Some(name) = c.opt(Cursor::string)? else { return Ok(None) };
    match Effort::from_name(&name) {
        Some(level) => Ok(Some(level)),
        None => {
            Err(JsonError::new(at + 1, "unknown effort; expected low, medium, high, xhigh or max"))
        }
    }
}

fn output_format<'a>(c: &mut Cursor<'a>) -> Result<Option<OutputFormat<'a>>, JsonError> {
    if c.null()? {
        return Ok(None);
    }
    let start = c.position();
    let mut schema = None;
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => {
                let at = c.position();
                if c.string()? != "json_schema" {
                    return Err(JsonError::new(at + 1, "unknown output format"));
                }
            }
            "schema" => schema = Some(c.raw()?),
            _ => c.skip()?,
        }
    }
    let schema = schema.ok_or_else(|| JsonError::new(start + 1, "`schema` is missing"))?;
    Ok(Some(OutputFormat::JsonSchema {
        name: None,
        description: None,
        schema: schema.into(),
        strict: Some(true),
    }))
}

/// A list of strings.
pub(super) fn strings<'a>(c: &mut Cursor<'a>) -> Result<Vec<Str<'a>>, JsonError> {
    let mut list = Vec::new();
    let mut items = c.array()?;
    while items.next(c)?.is_some() {
        list.push(c.str()?);
    }
    Ok(list)
}

/// `cache_control`, or null.
pub(super) fn cache_control(c: &mut Cursor<'_>) -> Result<Option<CacheMark>, JsonError> {
    if c.null()? {
        return Ok(None);
    }
    let mut mark = CacheMark::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key == "ttl" {
            mark.ttl_s = match c.opt(Cursor::string)?.as_deref() {
                Some("1h") => Some(3600),
                Some("5m") => Some(300),
                _ => None,
            };
        } else {
            c.skip()?;
        }
    }
    Ok(Some(mark))
}

/// The conversation Claude Code names inside its user id: in JSON, or after `_session_`.
fn session_of(user_id: &Str<'_>) -> Option<String> {
    let text = user_id.decode();
    if !text.starts_with('{') {
        return text.split_once("_session_").map(|(_, session)| session.to_owned());
    }
    let mut c = Cursor::new(&text);
    let mut members = c.object().ok()?;
    while let Some(key) = members.next(&mut c).ok()? {
        if key == "session_id" {
            return c.string().ok().map(Cow::into_owned);
        }
        c.skip().ok()?;
    }
    None
}
