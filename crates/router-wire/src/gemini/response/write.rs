//! A whole answer, written for a Gemini client.

use super::logprobs;
use crate::canonical::{
    Choice, Citation, Content, Losses, Opaque, Part, Response, Severity, Shown, Stop, Thinking,
    ToolCall, ToolInput,
};
use crate::gemini::state::Packer;
use crate::gemini::{stop, usage};
use crate::ids;
use crate::json::{Array, Object, Raw, Str};
use crate::models::rfc3339;
use crate::translate::{RAW_INPUT, Session};

/// Writes an answer for a Gemini client.
pub fn write(response: &Response<'_>, session: &Session, losses: &mut Losses, out: &mut Vec<u8>) {
    // Gemini does not tell the tier, and no client asked for it.
    let Response { id, model: _, created_s, choices, usage: used, service_tier: _ } = response;
    let mut object = Object::new(out);
    let mut list = object.array("candidates");
    for (index, choice) in (0_u64..).zip(choices) {
        write_choice(choice, index, session, losses, list.object());
    }
    list.end();
    usage::write(&mut object, used);
    object.text("modelVersion", &session.model_shown).text("responseId", &ids::answer_id("", id));
    if let Some(seconds) = created_s {
        object.text("createTime", &rfc3339(*seconds));
    }
    object.end();
}

fn write_choice(
    choice: &Choice<'_>,
    index: u64,
    session: &Session,
    losses: &mut Losses,
    mut candidate: Object<'_>,
) {
    let Choice { parts, stop, logprobs } = choice;
    let mut content = candidate.object("content");
    let mut list = content.array("parts");
    let mut packer = Packer::default();
    for part in parts {
        write_part(part, session, &mut packer, losses, &mut list);
    }
    // State behind the last part, or an answer without any: clients look at the first part.
    if list.is_empty() || !packer.is_empty() {
        let mut part = list.object();
        part.text("text", "");
        sign(&mut part, &mut packer);
        part.end();
    }
    list.end();
    content.text("role", "model");
    content.end();
    finish_reason(&mut candidate, stop);
    candidate.int("index", index);
    let citations = parts.iter().flat_map(|part| match &part.content {
        Content::Text { citations, .. } => citations.as_slice(),
        _ => &[],
    });
    let text = parts.iter().find_map(|part| match &part.content {
        Content::Text { text, citations } if !citations.is_empty() => Some(text.decode()),
        _ => None,
    });
    write_grounding(&mut candidate, citations, text.as_deref());
    if let Some(json) = logprobs {
        logprobs::write(&mut candidate, std::slice::from_ref(json));
    }
    candidate.end();
}

/// Writes `finishReason`, and `finishMessage` where there is more to say.
pub(in crate::gemini) fn finish_reason(candidate: &mut Object<'_>, stop: &Stop<'_>) {
    // Gemini tells no stop sequence.
    let Stop { reason, sequence: _, details } = stop;
    candidate.text("finishReason", stop::name(*reason));
    if let Some(text) = details {
        candidate.str("finishMessage", text);
    }
}

fn sign(part: &mut Object<'_>, packer: &mut Packer) {
    if let Some(signature) = packer.take() {
        part.text("thoughtSignature", &signature);
    }
}

fn write_part(
    part: &Part<'_>,
    session: &Session,
    packer: &mut Packer,
    losses: &mut Losses,
    list: &mut Array<'_>,
) {
    let Part { content, cache: _, origin } = part;
    match content {
        Content::Text { text, citations: _ } | Content::Refusal(text) => {
            if !text.is_empty() {
                let mut object = list.object();
                object.str("text", text);
                sign(&mut object, packer);
                object.end();
            }
        }
        Content::Thinking(thinking) => {
            let Thinking { text, opaque, redacted } = &**thinking;
            if shows(session) && !text.is_empty() {
                let mut object = list.object();
                object.str("text", text).bool("thought", true);
                object.end();
            }
            keep(packer, opaque.as_ref(), &text.decode(), *redacted, session);
        }
        Content::ToolCall(call) => {
            let ToolCall { id, name, namespace: _, input, custom: _, hosted: _ } = &**call;
            let mut object = list.object();
            let mut inner = object.object("functionCall");
            inner.str("id", id).str("name", name);
            let whole = match input {
                ToolInput::Json(json) => write_args(&mut inner, json.text()),
                ToolInput::Text(text) => write_args(&mut inner, &text.decode()),
            };
            if !whole {
                let why = "not a JSON object; kept as text";
                losses.add_at(Severity::Content, "tool-input", *origin, why);
            }
            inner.end();
            sign(&mut object, packer);
            object.end();
        }
        Content::Image(_)
        | Content::Document(_)
        | Content::Audio(_)
        | Content::SearchResult(_)
        | Content::ToolResult(_)
        | Content::Foreign(_) => {
            let why = "the answer holds no such part in this dialect";
            losses.add_at(Severity::Content, "answer-part", *origin, why);
        }
    }
}

/// Whether the client asked to see thoughts; it gets none unasked, as at Google.
pub(in crate::gemini) const fn shows(session: &Session) -> bool {
    matches!(session.shown, Shown::Summary | Shown::Concise | Shown::Detailed)
}

/// Keeps the state of a block for the next part. Vendors without state of their own may demand
/// the text back, so then it is the text that is kept.
pub(in crate::gemini) fn keep(
    packer: &mut Packer,
    opaque: Option<&Opaque<'_>>,
    text: &str,
    redacted: bool,
    session: &Session,
) {
    if let Some(opaque) = opaque {
        packer.add(opaque, text, redacted);
    } else if !text.is_empty() && !session.vendor.is_empty() {
        let none = Opaque {
            vendor: session.vendor.as_str().into(),
            family: Some(session.family.as_str().into()),
            payload: Str::EMPTY,
        };
        packer.add(&none, text, false);
    }
}

/// Writes `args`. Anything but a JSON object is kept as text under one member; then `false`.
pub(in crate::gemini) fn write_args(call: &mut Object<'_>, input: &str) -> bool {
    let trimmed = input.trim();
    if trimmed.is_empty() || trimmed == "null" {
        call.raw("args", "{}");
    } else if trimmed.starts_with('{') && Raw::parse(trimmed).is_ok() {
        call.raw("args", trimmed);
    } else {
        let mut args = call.object("args");
        args.text(RAW_INPUT, input);
        args.end();
        return false;
    }
    true
}

/// Writes `groundingMetadata` for the web pages among the citations. Google counts places in
/// bytes, so they are told where the text is known.
pub(in crate::gemini) fn write_grounding<'c>(
    candidate: &mut Object<'_>,
    citations: impl Iterator<Item = &'c Citation<'c>> + Clone,
    text: Option<&str>,
) {
    let pages = citations.filter_map(|citation| match citation {
        Citation::Url { url, title, cited_text: _, start, end } => Some((url, title, start, end)),
        // Places in documents have no form here.
        Citation::Other(_) => None,
    });
    if pages.clone().next().is_none() {
        return;
    }
    let mut grounding = candidate.object("groundingMetadata");
    let mut chunks = grounding.array("groundingChunks");
    for (url, title, _, _) in pages.clone() {
        let mut chunk = chunks.object();
        let mut web = chunk.object("web");
        web.str("uri", url);
        if let Some(title) = title {
            web.str("title", title);
        }
        web.end();
        chunk.end();
    }
    chunks.end();
    let place = |chars: &Option<u64>| {
        let chars = usize::try_from((*chars)?).ok()?;
        let text = text?;
        let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        starts.nth(chars)
    };
    let mut supports = grounding.array("groundingSupports");
    for (index, (_, _, start, end)) in (0_u64..).zip(pages) {
        if let (Some(start), Some(end)) = (place(start), place(end))
            && let Some(words) = text.and_then(|text| text.get(start..end))
        {
            let mut support = supports.object();
            let mut segment = support.object("segment");
            segment.int("startIndex", u64::try_from(start).unwrap_or(0));
            segment.int("endIndex", u64::try_from(end).unwrap_or(0));
            segment.text("text", words);
            segment.end();
            let mut indices = support.array("groundingChunkIndices");
            crate::json::out::int(indices.item(), index);
            indices.end();
            support.end();
        }
    }
    supports.end();
    grounding.end();
}
