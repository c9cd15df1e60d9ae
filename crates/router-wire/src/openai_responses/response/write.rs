//! Responses answer, written.

use crate::canonical::{
    Block, Choice, Content, Delta, Event, Losses, Part, Response, Severity, Start, Thinking,
    ToolCall, ToolInput,
};
use crate::json::{Cursor, JsonError, Kind, Object, Str};
use crate::openai_responses::stream::Writer;
use crate::translate::Session;
use crate::usage::Usage;

/// Members of a request that its answers repeat.
const ECHOED: [&str; 16] = [
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
];

/// Those the published type of an answer requires, with what they mean when left out.
const REQUIRED: [(&str, &str); 3] =
    [("parallel_tool_calls", "true"), ("tool_choice", "\"auto\""), ("tools", "[]")];

/// The members of a request that its answers repeat, as JSON members without braces and without
/// line breaks, so that they can stand in an event.
pub fn echo(body: &str) -> String {
    let mut members = Vec::new();
    // Whoever gets here has read the body already; a bad one has no answer.
    let _ = push_echo(body, &mut members);
    String::from_utf8(members).unwrap_or_default()
}

fn push_echo(body: &str, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let mut found = Vec::new();
    let mut c = Cursor::new(body);
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        let raw = c.raw()?;
        if let Some(name) = ECHOED.into_iter().find(|name| *name == key)
            && raw.kind() != Kind::Null
        {
            found.retain(|(known, _)| *known != name);
            found.push((name, raw.text()));
        }
    }
    for (name, value) in REQUIRED {
        if !found.iter().any(|(known, _)| *known == name) {
            found.push((name, value));
        }
    }
    for (index, (name, value)) in found.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        flat(out, value);
    }
    Ok(())
}

/// Appends JSON text without its line breaks: inside strings there are none.
pub(crate) fn flat(out: &mut Vec<u8>, json: &str) {
    for line in json.split(['\n', '\r']) {
        out.extend_from_slice(line.as_bytes());
    }
}

/// What an answer says about itself at one moment.
#[derive(Debug)]
pub(crate) struct State<'s> {
    pub(crate) id: &'s str,
    pub(crate) created_s: u64,
    pub(crate) status: &'static str,
    /// Why the answer is incomplete.
    pub(crate) incomplete: Option<&'static str>,
    /// Finished items, with commas between.
    pub(crate) output: &'s [u8],
    pub(crate) usage: Option<&'s Usage>,
    pub(crate) tier: Option<&'s str>,
}

/// Writes the answer object.
pub(crate) fn object(state: &State<'_>, session: &Session, out: &mut Vec<u8>) {
    let State { id, created_s, status, incomplete, output, usage, tier } = state;
    let mut object = Object::new(out);
    object
        .text("id", id)
        .text("object", "response")
        .int("created_at", *created_s)
        .text("status", status)
        .bool("background", false)
        .null("error");
    match incomplete {
        Some(reason) => {
            let mut details = object.object("incomplete_details");
            details.text("reason", reason);
            details.end();
        }
        None => drop(object.null("incomplete_details")),
    }
    object.text("model", &session.model_shown);
    let buffer = object.key("output");
    buffer.push(b'[');
    buffer.extend_from_slice(output);
    buffer.push(b']');
    object.null("previous_response_id").bool("store", false);
    if let Some(tier) = tier.and_then(tier_name) {
        object.text("service_tier", tier);
    }
    match usage {
        Some(usage) => super::usage::write(&mut object, usage),
        None => drop(object.null("usage")),
    }
    object.end();
    // The members that repeat the request go inside the closing brace.
    out.pop();
    out.push(b',');
    if session.echo.is_empty() {
        for (index, (name, value)) in REQUIRED.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(value.as_bytes());
        }
    } else {
        out.extend_from_slice(session.echo.as_bytes());
    }
    out.push(b'}');
}

/// A vendor's word for the class of service in OpenAI's words.
fn tier_name(word: &str) -> Option<&'static str> {
    Some(match word {
        "auto" => "auto",
        "default" | "standard" | "STANDARD" | "on_demand" => "default",
        "flex" | "FLEX" => "flex",
        "scale" => "scale",
        "priority" | "PRIORITY" => "priority",
        "fast" => "fast",
        _ => return None,
    })
}

/// Writes an answer for a Responses client: what the stream's last event would hold.
pub fn write(response: &Response<'_>, session: &Session, losses: &mut Losses, out: &mut Vec<u8>) {
    let Response { id, model, created_s, choices, usage, service_tier } = response;
    if choices.len() > 1 {
        losses.add(Severity::Content, "choices", "choices", "Responses gives one answer");
    }
    let mut writer = Writer::whole();
    let mut event = |event: Event<'_>| writer.event(session, &event, out);
    event(Event::Start(Start {
        id: id.as_ref(),
        model: model.as_ref(),
        created_s: *created_s,
        service_tier: service_tier.as_ref().map(Str::as_ref),
    }));
    if let Some(Choice { parts, stop, logprobs }) = choices.first() {
        let mut logprobs = logprobs.clone();
        for (block, part) in (0_u32..).zip(parts) {
            let Some((kind, delta)) = told(part, losses) else { continue };
            event(Event::Open { block, kind });
            event(Event::Delta { block, delta });
            match &part.content {
                Content::Text { citations, .. } => {
                    for citation in citations {
                        let delta = Delta::Citation(citation.clone());
                        event(Event::Delta { block, delta });
                    }
                    if let Some(json) = logprobs.take() {
                        event(Event::Delta { block, delta: Delta::Logprobs(json) });
                    }
                }
                Content::Thinking(thinking) => {
                    if let Some(opaque) = &thinking.opaque {
                        let delta = Delta::Opaque(opaque.clone());
                        event(Event::Delta { block, delta });
                    }
                }
                _ => {}
            }
            event(Event::Close { block });
        }
        event(Event::Usage(*usage));
        event(Event::Finish(stop.clone()));
    }
    event(Event::End);
}

/// A part as a stream tells it, or nothing for one that no answer can hold.
fn told<'p>(part: &'p Part<'_>, losses: &mut Losses) -> Option<(Block<'p>, Delta<'p>)> {
    Some(match &part.content {
        Content::Text { text, citations: _ } => (Block::Text, Delta::Text(text.as_ref())),
        Content::Refusal(text) => (Block::Refusal, Delta::Text(text.as_ref())),
        Content::Thinking(thinking) => {
            let Thinking { text, opaque: _, redacted } = thinking.as_ref();
            (Block::Thinking { redacted: *redacted }, Delta::Text(text.as_ref()))
        }
        Content::ToolCall(call) => {
            let ToolCall { id, name, namespace, input, custom, hosted } = call.as_ref();
            let kind = Block::ToolCall {
                id: id.as_ref(),
                name: name.as_ref(),
                namespace: namespace.as_ref().map(Str::as_ref),
                custom: *custom,
                hosted: hosted.as_deref().map(Into::into),
            };
            let input = match input {
                ToolInput::Json(json) => Str::plain(json.text()),
                ToolInput::Text(text) => text.as_ref(),
            };
            (kind, Delta::Input(input))
        }
        Content::Image(_)
        | Content::Document(_)
        | Content::Audio(_)
        | Content::SearchResult(_)
        | Content::ToolResult(_)
        | Content::Foreign(_) => {
            let why = "Responses answers hold no such part";
            losses.add_at(Severity::Content, "answer-part", part.origin, why);
            return None;
        }
    })
}
