//! The whole answer of the Messages API.

use std::borrow::Cow;

use super::request::{Keep, content};
use super::{stop, usage};
use crate::canonical::{
    Choice, Citation, Content, Losses, Opaque, Origin, Part, Response, Severity, Shown, Stop,
    Thinking, ToolCall, ToolInput, envelope,
};
use crate::dialect::Dialect;
use crate::error::{ClientError, UpstreamError};
use crate::ids;
use crate::json::{Array, Cursor, JsonError, Object, Raw, Str};
use crate::translate::{Answer, RAW_INPUT, Session};
use crate::usage::Usage;

const OWN: Dialect = Dialect::Anthropic;

/// Members of blocks in answers that nobody here knows are not worth a loss each.
struct Ignore;

impl<'a> Keep<'a> for Ignore {
    fn keep(&mut self, c: &mut Cursor<'a>, _: Origin, _: &str) -> Result<(), JsonError> {
        c.skip()
    }
}

/// Reads a Messages answer, or the error that came instead of one.
pub fn read<'a>(body: &'a str, losses: &mut Losses) -> Result<Answer<'a>, JsonError> {
    let (mut id, mut model, mut parts) = (Str::EMPTY, Str::EMPTY, None);
    let (mut reason, mut sequence, mut details) = (None, None, None);
    let (mut used, mut tier) = (Usage::default(), None);
    let mut failed = false;
    let mut c = Cursor::new(body);
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        match key.as_ref() {
            "type" => failed |= c.string()? == "error",
            "error" => {
                if !c.null()? {
                    failed = true;
                    c.skip()?;
                }
            }
            "id" => id = c.opt(Cursor::str)?.unwrap_or_default(),
            "model" => model = c.opt(Cursor::str)?.unwrap_or_default(),
            "content" => parts = Some(content(&mut Ignore, &mut c, Origin::default())?),
            "stop_reason" => reason = c.opt(Cursor::string)?,
            "stop_sequence" => sequence = c.opt(Cursor::str)?,
            "stop_details" => details = stop::read_details(&mut c)?,
            "usage" => (used, tier) = usage::read(&mut c)?,
            _ => c.skip()?,
        }
    }
    c.end()?;
    if failed {
        return Ok(Answer::Failed(Box::new(upstream_error(body.as_bytes()))));
    }
    let parts = parts.ok_or_else(|| JsonError::new(0, "`content` is missing"))?;
    let name = reason.ok_or_else(|| JsonError::new(0, "`stop_reason` is missing"))?;
    let reason = stop::reason(&name).unwrap_or_else(|| {
        losses.add(Severity::Hint, stop::UNKNOWN, "stop_reason", "unknown to the router");
        crate::canonical::StopReason::EndTurn
    });
    Ok(Answer::Response(Box::new(Response {
        id,
        model,
        created_s: None,
        choices: vec![Choice { parts, stop: Stop { reason, sequence, details }, logprobs: None }],
        usage: used,
        service_tier: tier,
    })))
}

/// The error an upstream reported in a body or an event.
pub(super) fn upstream_error(body: &[u8]) -> ClientError {
    UpstreamError::read(0, body).to_client_error()
}

/// Writes an answer for a Messages client.
pub fn write(response: &Response<'_>, session: &Session, losses: &mut Losses, out: &mut Vec<u8>) {
    let Response { id, model: _, created_s: _, choices, usage: used, service_tier } = response;
    let mut object = Object::new(out);
    object
        .text("id", &ids::answer_id("msg_", id))
        .text("type", "message")
        .text("role", "assistant")
        .text("model", &session.model_shown);
    if choices.len() > 1 {
        losses.add(Severity::Content, "choices", "choices", "Messages gives one answer");
    }
    let mut list = object.array("content");
    let choice = choices.first();
    for part in choice.into_iter().flat_map(|choice| &choice.parts) {
        write_part(part, session, losses, &mut list);
    }
    list.end();
    match choice {
        Some(choice) => stop::write(&mut object, &choice.stop),
        None => drop(object.null("stop_reason").null("stop_sequence")),
    }
    usage::write(&mut object, &usage::told(used, session), service_tier.as_ref());
    object.end();
}

fn write_part(part: &Part<'_>, session: &Session, losses: &mut Losses, list: &mut Array<'_>) {
    let Part { content, cache: _, origin } = part;
    match content {
        Content::Text { text, citations } if !text.is_empty() => {
            let mut block = list.object();
            block.text("type", "text").str("text", text);
            if !citations.is_empty() {
                let mut cited = block.array("citations");
                for citation in citations.iter().filter(|one| one.has_form_in(OWN)) {
                    write_citation(citation, cited.item());
                }
                cited.end();
            }
            block.end();
        }
        Content::Refusal(text) if !text.is_empty() => {
            let mut block = list.object();
            block.text("type", "text").str("text", text);
            block.end();
        }
        Content::Text { .. } | Content::Refusal(_) => {}
        Content::Thinking(thinking) => write_thinking(thinking, session, list.object()),
        Content::ToolCall(call) => write_call(call, losses, *origin, list.object()),
        Content::Image(_)
        | Content::Document(_)
        | Content::Audio(_)
        | Content::SearchResult(_)
        | Content::ToolResult(_)
        | Content::Foreign(_) => {
            losses.add_at(
                Severity::Content,
                "answer-part",
                *origin,
                "Messages answers hold no such part",
            );
        }
    }
}

/// One citation as a Messages client knows it.
pub(super) fn write_citation(citation: &Citation<'_>, buffer: &mut Vec<u8>) {
    match citation {
        Citation::Url { url, title, cited_text, start: _, end: _ } => {
            let mut object = Object::new(buffer);
            object.text("type", "web_search_result_location").str("url", url);
            match title {
                Some(title) => object.str("title", title),
                None => object.null("title"),
            };
            object.str("cited_text", cited_text.as_ref().unwrap_or(&Str::EMPTY));
            // Only Anthropic's own search has an index; clients need the member.
            object.text("encrypted_index", "");
            object.end();
        }
        Citation::Other(json) => buffer.extend_from_slice(json.text().as_bytes()),
    }
}

fn write_thinking(thinking: &Thinking<'_>, session: &Session, mut block: Object<'_>) {
    let Thinking { text, opaque, redacted } = thinking;
    if *redacted {
        block.text("type", "redacted_thinking");
        push_state(block.key("data"), opaque.as_ref(), session);
    } else if session.shown == Shown::Hidden {
        block.text("type", "thinking").text("thinking", "");
        let kept = hidden_state(text, opaque.as_ref(), session);
        push_state(block.key("signature"), Some(&kept), session);
    } else {
        block.text("type", "thinking").str("thinking", text);
        push_state(block.key("signature"), opaque.as_ref(), session);
    }
    block.end();
}

/// The state to carry when the text is not shown: vendors without state of their own may demand
/// the text back, so it becomes the state.
pub(super) fn hidden_state<'a>(
    text: &Str<'a>,
    opaque: Option<&Opaque<'a>>,
    session: &'a Session,
) -> Opaque<'a> {
    opaque.cloned().unwrap_or_else(|| Opaque { payload: text.clone(), ..no_state(session) })
}

/// Who thought, without any state.
pub(super) fn no_state(session: &Session) -> Opaque<'_> {
    Opaque {
        vendor: session.vendor.as_str().into(),
        family: Some(session.family.as_str().into()),
        payload: Str::EMPTY,
    }
}

/// Appends the wrapped state as a JSON string. A block is never without: clients drop unsigned
/// thinking, and the member is required.
pub(super) fn push_state(buffer: &mut Vec<u8>, opaque: Option<&Opaque<'_>>, session: &Session) {
    let none = no_state(session);
    buffer.push(b'"');
    envelope::push_wrapped(opaque.unwrap_or(&none), super::VENDOR, buffer);
    buffer.push(b'"');
}

fn write_call(call: &ToolCall<'_>, losses: &mut Losses, origin: Origin, mut block: Object<'_>) {
    let ToolCall { id, name, namespace: _, input, custom: _, hosted: _ } = call;
    block.text("type", "tool_use").str("id", id).str("name", name);
    let plain = match input {
        ToolInput::Json(json) => Cow::Borrowed(json.text()),
        ToolInput::Text(text) => text.decode(),
    };
    match plain.trim() {
        "" | "null" => drop(block.raw("input", "{}")),
        object if object.starts_with('{') && Raw::parse(object).is_ok() => {
            block.raw("input", object);
        }
        _ => {
            losses.add_at(
                Severity::Content,
                "tool-input",
                origin,
                "not a JSON object; kept as text",
            );
            let mut input = block.object("input");
            input.text(RAW_INPUT, &plain);
            input.end();
        }
    }
    block.end();
}
