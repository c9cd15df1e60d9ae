//! Responses answer, read.

use std::borrow::Cow;

use crate::canonical::{
    Choice, Content, Json, Losses, Opaque, Origin, Part, Response, Severity, Stop, StopReason,
    Thinking, ToolCall, ToolInput,
};
use crate::error::{ClientError, ErrorKind, UpstreamError};
use crate::ids;
use crate::json::{Cursor, JsonError, Kind, Raw, Str};
use crate::openai_responses::request::{
    Keep, content, function_name, hosted_input, joined, tool_input,
};
use crate::translate::{ANSWER_PART, Answer, HOSTED_STEP, Session};
use crate::usage::Usage;

/// Members of parts in answers that nobody here knows are not worth a loss each.
struct Ignore;

impl<'a> Keep<'a> for Ignore {
    fn keep(&mut self, c: &mut Cursor<'a>, _: Origin, _: &str) -> Result<(), JsonError> {
        c.skip()
    }
}

/// The members of an answer, with its items unread.
#[derive(Debug, Default)]
pub(crate) struct Members<'a> {
    pub(crate) id: Str<'a>,
    pub(crate) model: Str<'a>,
    pub(crate) created_s: Option<u64>,
    pub(crate) tier: Option<Str<'a>>,
    pub(crate) status: Option<Cow<'a, str>>,
    pub(crate) error: Option<Raw<'a>>,
    pub(crate) reason: Option<Cow<'a, str>>,
    pub(crate) output: Option<Raw<'a>>,
    pub(crate) usage: Usage,
}

impl<'a> Members<'a> {
    pub(crate) fn read(c: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut m = Self::default();
        let mut searches = None;
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "id" => m.id = c.opt(Cursor::str)?.unwrap_or_default(),
                "model" => m.model = c.opt(Cursor::str)?.unwrap_or_default(),
                "created_at" => m.created_s = c.opt(seconds)?,
                "service_tier" => m.tier = c.opt(Cursor::str)?,
                "status" => m.status = c.opt(Cursor::string)?,
                "error" => m.error = c.opt(Cursor::raw)?,
                "incomplete_details" => m.reason = c.opt(reason)?.flatten(),
                "output" => m.output = c.opt(Cursor::raw)?,
                "usage" => m.usage = super::usage::read(c)?,
                "tool_usage" => searches = c.opt(searches_of)?.flatten(),
                _ => c.skip()?,
            }
        }
        m.usage.web_searches = searches;
        Ok(m)
    }
}

/// A time that some servers write with a fraction.
fn seconds(c: &mut Cursor<'_>) -> Result<u64, JsonError> {
    let value = c.f64()?;
    Ok(format!("{:.0}", value.max(0.0).floor()).parse().unwrap_or(0))
}

fn reason<'a>(c: &mut Cursor<'a>) -> Result<Option<Cow<'a, str>>, JsonError> {
    let mut reason = None;
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "reason" => reason = c.opt(Cursor::string)?,
            _ => c.skip()?,
        }
    }
    Ok(reason)
}

fn searches_of(c: &mut Cursor<'_>) -> Result<Option<u64>, JsonError> {
    let mut count = None;
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key != "web_search" || c.kind()? != Kind::Object {
            c.skip()?;
            continue;
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match key.as_ref() {
                "num_requests" => count = c.opt(Cursor::u64)?,
                _ => c.skip()?,
            }
        }
    }
    Ok(count)
}

/// Reads a Responses answer, or the error that came instead of one.
pub fn read<'a>(
    body: &'a str,
    session: &Session,
    losses: &mut Losses,
) -> Result<Answer<'a>, JsonError> {
    let mut c = Cursor::new(body);
    let m = Members::read(&mut c)?;
    c.end()?;
    if m.error.is_some() {
        return Ok(Answer::Failed(Box::new(upstream_error(body.as_bytes()))));
    }
    let output = match (m.output, m.status.as_deref()) {
        (Some(output), None | Some("completed" | "incomplete")) => output,
        (_, Some(status @ ("failed" | "cancelled" | "queued" | "in_progress"))) => {
            let message = format!("the upstream's answer is {status}");
            let error = ClientError::new(ErrorKind::Upstream, message);
            return Ok(Answer::Failed(Box::new(error)));
        }
        (None, _) => return Err(JsonError::new(0, "`output` is missing")),
        (Some(_), Some(_)) => return Err(JsonError::new(0, "unknown `status`")),
    };
    let mut reading = Reading { parts: Vec::new(), logprobs: None, called: false, refused: None };
    let mut c = output.cursor();
    let mut items = c.array()?;
    while let Some(index) = items.next(&mut c)? {
        let item = item(&mut c)?;
        reading.item(item, index, &m.id, session, losses)?;
    }
    let stop = Stop {
        reason: stop(
            m.status.as_deref(),
            m.reason.as_deref(),
            reading.called,
            reading.refused.is_some(),
        ),
        sequence: None,
        details: reading.refused,
    };
    Ok(Answer::Response(Box::new(Response {
        id: m.id,
        model: m.model,
        created_s: m.created_s,
        choices: vec![Choice { parts: reading.parts, stop, logprobs: reading.logprobs }],
        usage: m.usage,
        service_tier: m.tier,
    })))
}

/// The error an upstream reported in a body or an event.
pub(crate) fn upstream_error(body: &[u8]) -> ClientError {
    UpstreamError::read(0, body).to_client_error()
}

/// Why an answer ended. A reason nobody knows is a cut, never a good end.
pub(crate) fn stop(
    status: Option<&str>,
    incomplete: Option<&str>,
    called: bool,
    refused: bool,
) -> StopReason {
    match (status, incomplete) {
        (_, Some("content_filter")) => StopReason::Refusal,
        (Some("incomplete"), _) | (_, Some(_)) => StopReason::MaxTokens,
        _ if called => StopReason::ToolUse,
        _ if refused => StopReason::Refusal,
        _ => StopReason::EndTurn,
    }
}

/// The members of one item of an answer.
#[derive(Debug, Default)]
pub(crate) struct Item<'a> {
    pub(crate) kind: Cow<'a, str>,
    pub(crate) id: Option<Str<'a>>,
    pub(crate) call_id: Option<Str<'a>>,
    pub(crate) name: Option<Str<'a>>,
    pub(crate) namespace: Option<Str<'a>>,
    pub(crate) input: Option<ToolInput<'a>>,
    pub(crate) content: Option<Raw<'a>>,
    pub(crate) summary: Option<Raw<'a>>,
    pub(crate) encrypted: Option<Str<'a>>,
    pub(crate) action: Option<Raw<'a>>,
    pub(crate) phase: bool,
}

/// Reads one item, its content unread.
pub(crate) fn item<'a>(c: &mut Cursor<'a>) -> Result<Item<'a>, JsonError> {
    let mut m = Item::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "type" => m.kind = c.string()?,
            "id" => m.id = c.opt(Cursor::str)?,
            "call_id" => m.call_id = c.opt(Cursor::str)?,
            "name" => m.name = c.opt(Cursor::str)?,
            "namespace" => m.namespace = c.opt(Cursor::str)?,
            "arguments" | "input" => m.input = c.opt(tool_input)?,
            "content" => m.content = c.opt(Cursor::raw)?,
            "summary" => m.summary = c.opt(Cursor::raw)?,
            "encrypted_content" => m.encrypted = c.opt(Cursor::str)?,
            "action" | "operation" => m.action = c.opt(Cursor::raw)?,
            "phase" => m.phase = c.opt(Cursor::raw)?.is_some(),
            _ => c.skip()?,
        }
    }
    Ok(m)
}

impl<'a> Item<'a> {
    /// Whether the upstream wants a tool called by the client.
    pub(crate) fn is_call(&self) -> bool {
        matches!(self.kind.as_ref(), "function_call" | "custom_tool_call") || self.is_hosted_call()
    }

    /// Whether the call is to a tool the vendor defines and the client runs.
    pub(crate) fn is_hosted_call(&self) -> bool {
        matches!(self.kind.as_ref(), "shell_call" | "local_shell_call" | "apply_patch_call")
    }

    /// What identifies the call: upstreams have left out either id.
    pub(crate) fn take_call_id(&mut self, answer: &Str<'_>, index: usize) -> Str<'a> {
        let given = self.call_id.take().filter(|id| !id.is_empty());
        given.or_else(|| self.id.take().filter(|id| !id.is_empty())).unwrap_or_else(|| {
            ids::call_id(answer, u32::try_from(index).unwrap_or(u32::MAX)).into()
        })
    }

    /// The tool's name; hosted calls have one by their type.
    pub(crate) fn take_name(&mut self) -> Option<Str<'a>> {
        if self.is_hosted_call() {
            return Some(Str::plain(function_name(&self.kind)));
        }
        self.name.take().filter(|name| !name.is_empty())
    }

    /// The arguments.
    pub(crate) fn take_input(&mut self) -> Result<ToolInput<'a>, JsonError> {
        if self.is_hosted_call()
            && let Some(action) = self.action
        {
            return Ok(ToolInput::Json(hosted_input(&self.kind, action)?));
        }
        Ok(self.input.take().unwrap_or(ToolInput::Text(Str::EMPTY)))
    }
}

/// Whose state a reasoning item holds.
pub(crate) fn opaque<'a>(payload: Str<'a>, session: &Session) -> Opaque<'a> {
    let vendor = if session.vendor.is_empty() { "openai" } else { &session.vendor };
    Opaque {
        vendor: Cow::Owned(vendor.to_owned()),
        family: (!session.family.is_empty()).then(|| Cow::Owned(session.family.clone())),
        payload,
    }
}

struct Reading<'a> {
    parts: Vec<Part<'a>>,
    logprobs: Option<Json<'a>>,
    called: bool,
    refused: Option<Str<'a>>,
}

impl<'a> Reading<'a> {
    fn item(
        &mut self,
        mut item: Item<'a>,
        index: usize,
        answer: &Str<'a>,
        session: &Session,
        losses: &mut Losses,
    ) -> Result<(), JsonError> {
        let origin = Origin::item(index);
        if item.phase {
            losses.add_at(Severity::Hint, PHASE, origin, "no field");
        }
        match item.kind.as_ref() {
            "message" => self.message(&item, origin)?,
            "reasoning" => {
                let mut text = item.summary.map_or(Ok(Str::EMPTY), joined)?;
                if text.is_empty() {
                    text = item.content.map_or(Ok(Str::EMPTY), joined)?;
                }
                let state = item.encrypted.filter(|state| !state.is_empty());
                let opaque = state.map(|payload| opaque(payload, session));
                if !text.is_empty() || opaque.is_some() {
                    let thinking = Thinking { text, opaque, redacted: false };
                    self.parts.push(Part::new(Content::Thinking(Box::new(thinking)), origin));
                }
            }
            _ if item.is_call() => {
                self.called = true;
                let call = ToolCall {
                    id: item.take_call_id(answer, index),
                    name: item
                        .take_name()
                        .ok_or_else(|| JsonError::new(0, "a tool call has no name"))?,
                    namespace: item.namespace.take(),
                    input: item.take_input()?,
                    custom: item.kind == "custom_tool_call",
                    hosted: item.is_hosted_call().then(|| item.kind.clone()),
                };
                self.parts.push(Part::new(Content::ToolCall(Box::new(call)), origin));
            }
            kind => {
                let (severity, code, why) = lost(kind);
                losses.add_at(severity, code, origin, why);
            }
        }
        Ok(())
    }

    fn message(&mut self, item: &Item<'a>, origin: Origin) -> Result<(), JsonError> {
        let Some(raw) = item.content else { return Ok(()) };
        for part in content(&mut Ignore, &mut raw.cursor(), origin)? {
            match &part.content {
                Content::Text { text, citations } if text.is_empty() && citations.is_empty() => {
                    continue;
                }
                Content::Refusal(text) => self.refused = Some(text.clone()),
                _ => {}
            }
            self.parts.push(part);
        }
        if self.logprobs.is_none() {
            self.logprobs = logprobs(raw)?;
        }
        Ok(())
    }
}

/// The code of a loss: where the text stands in the model's plan.
pub(crate) const PHASE: &str = "phase";

/// Severity, code and reason of the loss of an item that only this dialect has.
pub(crate) fn lost(kind: &str) -> (Severity, &'static str, &'static str) {
    match kind {
        "web_search_call"
        | "file_search_call"
        | "code_interpreter_call"
        | "mcp_list_tools"
        | "mcp_call"
        | "tool_search_call"
        | "tool_search_output" => {
            (Severity::Hint, HOSTED_STEP, "what came of the vendor's own tools is in the text")
        }
        _ => (Severity::Content, ANSWER_PART, "no other dialect has such an item"),
    }
}

/// The probabilities of a message's text, if it has any.
fn logprobs(content: Raw<'_>) -> Result<Option<Json<'_>>, JsonError> {
    if content.kind() != Kind::Array {
        return Ok(None);
    }
    let mut found: Option<Json<'_>> = None;
    let mut c = content.cursor();
    let mut items = c.array()?;
    while items.next(&mut c)?.is_some() {
        let mut members = c.object()?;
        while let Some(key) = members.next(&mut c)? {
            let raw = c.raw()?;
            if key == "logprobs" && raw.kind() == Kind::Array && raw.text() != "[]" {
                found.get_or_insert_with(|| raw.into());
            }
        }
    }
    Ok(found)
}
