//! Responses answer, written.

use crate::canonical::{Event, Losses, Response, Severity};
use crate::json::{Cursor, JsonError, Kind, Object};
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
    if response.choices.len() > 1 {
        losses.add(Severity::Content, "choices", "choices", "Responses gives one answer");
    }
    let mut writer = Writer::whole();
    let mut first = true;
    response.replay(&mut |event| match event {
        Event::Lost { severity, code, origin, why } => losses.add_at(severity, code, origin, why),
        Event::Choice(_) => first = false,
        Event::End => writer.event(session, &event, out),
        event if first => writer.event(session, &event, out),
        _ => {}
    });
}
