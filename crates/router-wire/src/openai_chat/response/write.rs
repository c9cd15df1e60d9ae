//! Chat answer, written.

use super::{
    Array, Choice, Citation, Content, Json, Losses, Object, Part, Response, Session, Severity,
    Shown, Stop, StopReason, Str, ToolCall, ToolInput, ids, stop, usage,
};
use crate::json::out;

/// Writes an answer for a Chat client.
pub fn write(response: &Response<'_>, session: &Session, losses: &mut Losses, out: &mut Vec<u8>) {
    let Response { id, model: _, created_s, choices, usage: used, service_tier } = response;
    let mut object = Object::new(out);
    object
        .text("id", &ids::answer_id("chatcmpl-", id))
        .text("object", "chat.completion")
        .int("created", created_s.unwrap_or(session.now_s))
        .text("model", &session.model_shown);
    let mut list = object.array("choices");
    for (index, choice) in (0_u64..).zip(choices) {
        let mut item = list.object();
        item.int("index", index);
        write_choice(&mut item, choice, session, losses);
        item.end();
    }
    list.end();
    usage::write(used, object.key("usage"));
    if let Some(tier) = service_tier.as_ref().and_then(tier_name) {
        object.text("service_tier", tier);
    }
    object.end();
}

/// The tier that was used, in Chat's words. Nothing where Chat has none, as for batches.
pub(in crate::openai_chat) fn tier_name(tier: &Str<'_>) -> Option<&'static str> {
    Some(match tier.decode().to_ascii_lowercase().as_str() {
        "default" | "standard" => "default",
        "flex" => "flex",
        "scale" => "scale",
        "priority" => "priority",
        "fast" => "fast",
        _ => return None,
    })
}

/// What a message holds, sorted by member.
#[derive(Default)]
struct Sorted<'r, 'a> {
    texts: Vec<&'r Str<'a>>,
    refusals: Vec<&'r Str<'a>>,
    thoughts: Vec<&'r Str<'a>>,
    citations: Vec<(&'r Citation<'a>, u64, u64)>,
    calls: Vec<&'r ToolCall<'a>>,
    chars: u64,
}

impl<'r, 'a> Sorted<'r, 'a> {
    fn part(&mut self, part: &'r Part<'a>, session: &Session, losses: &mut Losses) {
        let Part { content, cache: _, origin } = part;
        match content {
            Content::Text { text, citations } => {
                let start = self.chars;
                self.chars += char_count(text);
                let end = self.chars;
                self.citations.extend(citations.iter().map(|citation| (citation, start, end)));
                self.texts.push(text);
            }
            Content::Refusal(text) => self.refusals.push(text),
            Content::Thinking(thinking) => {
                // What the operator or the client does not want to see is not lost.
                if session.reasoning_to_chat && session.shown != Shown::Hidden {
                    self.thoughts.push(&thinking.text);
                }
            }
            Content::ToolCall(call) => self.calls.push(call),
            Content::Image(_)
            | Content::Document(_)
            | Content::Audio(_)
            | Content::SearchResult(_)
            | Content::ToolResult(_)
            | Content::Foreign(_) => {
                let why = "answers on Chat are text and calls";
                losses.add_at(Severity::Content, "answer-part", *origin, why);
            }
        }
    }
}

fn write_choice(
    item: &mut Object<'_>,
    choice: &Choice<'_>,
    session: &Session,
    losses: &mut Losses,
) {
    let Choice { parts, stop: ended, logprobs } = choice;
    let mut sorted = Sorted::default();
    for part in parts {
        sorted.part(part, session, losses);
    }
    let Sorted { texts, mut refusals, thoughts, citations, calls, chars: _ } = sorted;
    let Stop { reason, sequence: _, details } = ended;
    if *reason == StopReason::Refusal && refusals.is_empty() {
        refusals.extend(details);
    }
    let mut message = item.object("message");
    message.text("role", "assistant");
    joined(&mut message, "content", &texts, "");
    joined(&mut message, "refusal", &refusals, "");
    if thoughts.iter().any(|text| !text.is_empty()) {
        joined(&mut message, "reasoning_content", &thoughts, "\\n\\n");
    }
    if !citations.is_empty() {
        let mut list = message.array("annotations");
        for (citation, start, end) in citations {
            write_citation(citation, start, end, &mut list);
        }
        list.end();
    }
    write_calls(&mut message, &calls, session);
    message.end();
    match logprobs {
        Some(items) => {
            let mut object = item.object("logprobs");
            object.raw("content", items.text()).null("refusal");
            object.end();
        }
        None => drop(item.null("logprobs")),
    }
    item.text("finish_reason", stop::name(*reason, session.legacy_functions));
}

/// One string of several texts, or null where there is none; `between` is already escaped.
fn joined(object: &mut Object<'_>, key: &str, texts: &[&Str<'_>], between: &str) {
    if texts.iter().all(|text| text.is_empty()) {
        object.null(key);
        return;
    }
    let buffer = object.key(key);
    buffer.push(b'"');
    let said = texts.iter().filter(|text| !text.is_empty());
    for (index, text) in said.enumerate() {
        if index > 0 {
            buffer.extend_from_slice(between.as_bytes());
        }
        text.push_inner(buffer);
    }
    buffer.push(b'"');
}

fn write_calls(message: &mut Object<'_>, calls: &[&ToolCall<'_>], session: &Session) {
    // The old form holds one call.
    if session.legacy_functions {
        if let Some(call) = calls.first() {
            let mut object = message.object("function_call");
            object.str("name", &call.name);
            write_input(object.key("arguments"), &call.input);
            object.end();
        }
        return;
    }
    if calls.is_empty() {
        return;
    }
    let mut list = message.array("tool_calls");
    for call in calls {
        // Groups and hosted forms of tools are no part of Chat.
        let ToolCall { id, name, namespace: _, input, custom, hosted: _ } = call;
        let mut object = list.object();
        object.str("id", id);
        let (kind, member) = if *custom { ("custom", "input") } else { ("function", "arguments") };
        object.text("type", kind);
        let mut inner = object.object(kind);
        inner.str("name", name);
        write_input(inner.key(member), input);
        inner.end();
        object.end();
    }
    list.end();
}

fn write_input(buffer: &mut Vec<u8>, input: &ToolInput<'_>) {
    match input {
        ToolInput::Json(Json(text)) => out::string(buffer, text),
        ToolInput::Text(text) => text.push(buffer),
    }
}

/// Adds a source to a list of annotations. `start` and `end` tell which characters of the content
/// cite it, where the source itself does not say. Places in documents have no form on Chat.
pub(in crate::openai_chat) fn write_citation(
    citation: &Citation<'_>,
    start: u64,
    end: u64,
    list: &mut Array<'_>,
) {
    let Citation::Url { url, title, cited_text: _, start: own_start, end: own_end } = citation
    else {
        return;
    };
    let (start, end) = own_start.zip(*own_end).unwrap_or((start, end));
    let mut object = list.object();
    object.text("type", "url_citation");
    let mut inner = object.object("url_citation");
    inner.int("start_index", start).int("end_index", end).str("url", url);
    inner.str("title", title.as_ref().unwrap_or(&Str::EMPTY));
    inner.end();
    object.end();
}

/// Characters of a text, without decoding it.
pub(in crate::openai_chat) fn char_count(text: &Str<'_>) -> u64 {
    let starts = |text: &str| text.bytes().filter(|byte| byte & 0xC0 != 0x80).count();
    let count = match text {
        Str::Plain(text) => starts(text),
        Str::Literal(text) if !text.contains('\\') => starts(text),
        Str::Literal(text) => {
            // An escape counts as the one character it stands for, the second half of a surrogate
            // pair as none.
            let (mut count, mut rest) = (0, *text);
            while let Some((before, after)) = rest.split_once('\\') {
                let low = ["uD", "ud"].iter().any(|u| after.starts_with(u))
                    && after.get(2..3).is_some_and(|c| {
                        matches!(c, "c" | "C" | "d" | "D" | "e" | "E" | "f" | "F")
                    });
                count += starts(before) + usize::from(!low);
                let skipped = if after.starts_with('u') { 5 } else { 1 };
                rest = after.get(skipped..).unwrap_or_default();
            }
            count + starts(rest)
        }
    };
    u64::try_from(count).unwrap_or(u64::MAX)
}
