//! The whole answer of Chat Completions.

use super::details::Details;
use super::said::{self, Said, Talk};
use super::stop::{self, Ending};
use super::{loose, usage};
use crate::canonical::{
    Choice, Citation, Content, Json, Losses, Opaque, Origin, Part, Response, Severity, Shown, Stop,
    StopReason, Thinking, ToolCall, ToolInput,
};
use crate::error::UpstreamError;
use crate::ids;
use crate::json::{Array, Cursor, JsonError, Kind, Object, Raw, Str};
use crate::translate::{ANSWER_PART, Answer, Session};
use crate::usage::Usage;

mod write;

pub use write::write;
pub(super) use write::{char_count, tier_name, write_citation};

/// Reads a Chat answer, or the error that came instead of one.
pub fn read<'a>(body: &'a str, losses: &mut Losses) -> Result<Answer<'a>, JsonError> {
    let mut head = Head::default();
    let mut c = Cursor::new(body);
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        head.member(&key, &mut c)?;
    }
    c.end()?;
    if head.failed {
        let error = UpstreamError::read(0, body.as_bytes()).to_client_error();
        return Ok(Answer::Failed(Box::new(error)));
    }
    let mut choices = Vec::with_capacity(1);
    for raw in &head.choices {
        match choice(*raw, &head, losses)? {
            Ok(choice) => choices.push(choice),
            Err(why) => return Ok(Answer::Failed(Box::new(stop::broken(why)))),
        }
    }
    if choices.is_empty() {
        return Err(JsonError::new(0, "the answer has no choices"));
    }
    Ok(Answer::Response(Box::new(Response {
        id: head.id,
        model: head.model,
        created_s: head.created_s,
        choices,
        usage: head.usage,
        service_tier: head.service_tier,
    })))
}

/// The members of an answer.
#[derive(Default)]
struct Head<'a> {
    id: Str<'a>,
    model: Str<'a>,
    created_s: Option<u64>,
    service_tier: Option<Str<'a>>,
    usage: Usage,
    choices: Vec<Raw<'a>>,
    failed: bool,
}

impl<'a> Head<'a> {
    fn member(&mut self, key: &str, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        match key {
            "id" => self.id = loose::text(c)?.unwrap_or_default(),
            "model" => self.model = loose::text(c)?.unwrap_or_default(),
            "created" => self.created_s = loose::int(c)?,
            "service_tier" => self.service_tier = loose::filled(c)?,
            "usage" => self.usage.merge(&usage::read(c)?),
            "choices" => loose::array(c, |_, c| {
                self.choices.push(c.raw()?);
                Ok(())
            })?,
            "error" => {
                self.failed |= !matches!(c.raw()?.text(), "null" | "false" | "\"\"" | "{}");
            }
            "object" => self.failed |= loose::text(c)?.is_some_and(|kind| kind == *"error"),
            _ => c.skip()?,
        }
        Ok(())
    }
}

/// One choice, or why it was broken off.
fn choice<'a>(
    raw: Raw<'a>,
    head: &Head<'a>,
    losses: &mut Losses,
) -> Result<Result<Choice<'a>, &'static str>, JsonError> {
    let (mut message, mut finish, mut logprobs) = (None, None, None);
    let mut c = raw.cursor();
    loose::object(&mut c, |key, c| {
        match key {
            "message" | "delta" if c.kind()? == Kind::Object => message = Some(Said::read(c)?),
            "finish_reason" => finish = loose::text(c)?,
            "logprobs" => logprobs = said::logprobs(c)?.map(Json::from),
            _ => c.skip()?,
        }
        Ok(())
    })?;
    let missing = |what: &'static str| JsonError::new(raw.at(), what);
    let message = message.ok_or_else(|| missing("`message` is missing"))?;
    let ending = finish.and_then(|name| stop::ending(&name.decode()));
    let reason = match ending.ok_or_else(|| missing("`finish_reason` is missing"))? {
        Ending::Stop(reason) => reason,
        Ending::Broken(why) => return Ok(Err(why)),
    };
    let parts = parts(&message, head, losses)?;
    Ok(Ok(Choice { parts, stop: Stop::new(reason), logprobs }))
}

fn parts<'a>(
    said: &Said<'a>,
    head: &Head<'a>,
    losses: &mut Losses,
) -> Result<Vec<Part<'a>>, JsonError> {
    let origin = Origin::default();
    let mut parts: Vec<Part<'a>> = Vec::new();
    let mut sources = Vec::new();
    said.citations(|citation| sources.push(citation))?;
    said.texts(|talk, text| {
        let content = match talk {
            Talk::Text => Content::Text { text, citations: std::mem::take(&mut sources) },
            Talk::Refusal => Content::Refusal(text),
            Talk::Thinking => {
                Content::Thinking(Box::new(Thinking { text, opaque: None, redacted: false }))
            }
        };
        parts.push(Part::new(content, origin));
    })?;
    if let Some(raw) = said.details {
        let mut details = Details::default();
        details.take(raw);
        sign(&mut parts, details.state());
    }
    if said.audio {
        losses.add(Severity::Content, "audio", "choices[0].message.audio", "answers are text");
    }
    if said.images {
        let (path, why) = ("choices[0].message.images", "answers are text");
        losses.add(Severity::Content, ANSWER_PART, path, why);
    }
    let mut count = 0;
    said.tool_calls(|call| {
        if call.name.is_empty() {
            return Err(JsonError::new(0, "a tool call has no name"));
        }
        let id = if call.id.is_empty() { ids::call_id(&head.id, count).into() } else { call.id };
        count += 1;
        if let Some(state) = call.state {
            let opaque = Some(said::google(state));
            let thinking = Thinking { text: Str::EMPTY, opaque, redacted: false };
            parts.push(Part::new(Content::Thinking(Box::new(thinking)), origin));
        }
        let input = if call.custom { ToolInput::Text(call.input) } else { arguments(call.input) };
        let call = ToolCall {
            id,
            name: call.name,
            namespace: None,
            input,
            custom: call.custom,
            hosted: None,
        };
        parts.push(Part::new(Content::ToolCall(Box::new(call)), origin));
        Ok(())
    })?;
    Ok(parts)
}

/// Gives the thinking its state.
fn sign<'a>(parts: &mut Vec<Part<'a>>, state: Option<Opaque<'a>>) {
    let Some(state) = state else { return };
    let thinking = parts.iter_mut().rev().find_map(|part| match &mut part.content {
        Content::Thinking(thinking) => Some(thinking),
        _ => None,
    });
    if let Some(thinking) = thinking {
        thinking.opaque = Some(state);
        return;
    }
    let thinking = Thinking { text: Str::EMPTY, opaque: Some(state), redacted: false };
    parts.insert(0, Part::new(Content::Thinking(Box::new(thinking)), Origin::default()));
}

/// Arguments as the object they ought to be; the text itself where they are none.
fn arguments(text: Str<'_>) -> ToolInput<'_> {
    let plain = text.decode();
    if plain.trim().is_empty() {
        return ToolInput::Json(Json("{}".into()));
    }
    match Raw::parse(&plain) {
        Ok(raw) if raw.kind() == Kind::Object => ToolInput::Json(Json(plain)),
        _ => ToolInput::Text(text),
    }
}

#[cfg(test)]
mod tests;
