//! The conversation in the shape every vendor takes.
//!
//! Results stand directly behind the turn that made the calls, in the order of the calls, before
//! anything else the user says; every call has one result; no text and no turn is empty.

use std::borrow::Cow;

use crate::canonical::{
    Content, Document, Image, Losses, Media, Origin, Part, Request, Role, Severity, ToolResult,
    Turn,
};
use crate::dialect::Dialect;
use crate::json::Str;
use crate::translate::{Refusal, Target};

/// What stands for a result that the client did not send.
const NO_RESULT: &str = "[no result was received for this tool call]";

/// Where Claude Code puts a line that differs in every request and means nothing to others.
const BILLING_HEADER: &str = "x-anthropic-billing-header:";

/// Cleans turns and pairs calls with results.
pub(super) fn fit(
    request: &mut Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    if target.facts.vendor != "anthropic" {
        drop_billing_header(request, losses);
    }
    for turn in &mut request.turns {
        drop_blank(&mut turn.parts);
    }
    request.turns.retain(|turn| !turn.parts.is_empty());
    refuse_unreadable(request, target, losses)?;
    join_assistant(&mut request.turns);
    pair(request, losses);
    if !request.turns.iter().any(|turn| !turn.role.is_system()) {
        return Err(losses.refuse("messages", "the conversation is empty"));
    }
    Ok(())
}

/// Refuses what the model cannot read: without it the answer would be about something else.
fn refuse_unreadable(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &Losses,
) -> Result<(), Refusal> {
    let facts = target.facts;
    let parts = request.turns.iter().flat_map(|turn| &turn.parts).flat_map(|part| {
        let inner: &[Part<'_>] = match &part.content {
            Content::ToolResult(result) => &result.content,
            _ => &[],
        };
        std::iter::once(part).chain(inner)
    });
    for part in parts {
        let why = match &part.content {
            Content::Image(_) if !facts.images => Some("the model reads no images"),
            Content::Document(document) if !facts.pdf && is_pdf(document) => {
                Some("the model reads no PDF files")
            }
            Content::Image(Image { media, .. }) => flaw(media),
            Content::Document(document) => flaw(&document.media),
            _ => None,
        };
        let Some(why) = why else { continue };
        return Err(losses.refuse_at(part.origin, why));
    }
    Ok(())
}

fn is_pdf(document: &Document<'_>) -> bool {
    match &document.media {
        Media::Base64 { media_type, .. } => media_type.decode() == "application/pdf",
        Media::Url { .. } | Media::FileId(_) => true,
        Media::Text(_) | Media::Parts(_) => false,
    }
}

/// What is wrong with an image or a file, wherever it is sent.
fn flaw(media: &Media<'_>) -> Option<&'static str> {
    match media {
        Media::Base64 { data, .. } => {
            let mut is_base64 = !data.is_empty();
            data.each_piece(|piece| is_base64 &= has_base64_alphabet(piece.as_bytes()));
            (!is_base64).then_some("the data is not base64")
        }
        Media::Url { url, .. } => {
            let url = url.decode();
            url.starts_with("data:").then_some("a `data:` URL needs `;base64,` before its data")
        }
        Media::FileId(_) | Media::Text(_) | Media::Parts(_) => None,
    }
}

/// Whether there is nothing but base64, of either alphabet, and white space. Looks at many bytes at
/// once, as pictures are large.
fn has_base64_alphabet(text: &[u8]) -> bool {
    let is_legal = |byte: u8| {
        byte.is_ascii_alphanumeric()
            | matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
            | byte.is_ascii_whitespace()
    };
    text.chunks(64).all(|chunk| chunk.iter().fold(true, |all, byte| all & is_legal(*byte)))
}

fn drop_billing_header(request: &mut Request<'_>, losses: &mut Losses) {
    let Some(first) = request.turns.first_mut().filter(|turn| turn.role.is_system()) else {
        return;
    };
    let is_header = |part: &Part<'_>| match &part.content {
        Content::Text { text, .. } => {
            let head = match text {
                Str::Literal(text) => text,
                Str::Plain(text) => text.as_ref(),
            };
            head.starts_with(BILLING_HEADER)
        }
        _ => false,
    };
    if first.parts.first().is_some_and(is_header) {
        first.parts.remove(0);
        losses.add(
            Severity::Hint,
            "billing-header",
            "system[0]",
            "it differs in every request and would defeat prompt caching",
        );
    }
}

/// Removes text without content. A cache mark on it moves to the part before.
fn drop_blank(parts: &mut Vec<Part<'_>>) {
    for part in parts.iter_mut() {
        if let Content::ToolResult(result) = &mut part.content {
            drop_blank(&mut result.content);
        }
    }
    if !parts.iter().any(is_blank) {
        return;
    }
    let mut kept: Vec<Part<'_>> = Vec::with_capacity(parts.len());
    for part in std::mem::take(parts) {
        if !is_blank(&part) {
            kept.push(part);
        } else if let (Some(mark), Some(before)) = (part.cache, kept.last_mut()) {
            before.cache.get_or_insert(mark);
        }
    }
    *parts = kept;
}

fn is_blank(part: &Part<'_>) -> bool {
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) => text.is_blank(),
        Content::Thinking(thinking) => thinking.text.is_empty() && thinking.opaque.is_none(),
        _ => false,
    }
}

/// Neighbouring turns of the assistant are one turn: its calls belong together.
fn join_assistant(turns: &mut Vec<Turn<'_>>) {
    join(turns, |turn| turn.role == Role::Assistant);
}

fn join(turns: &mut Vec<Turn<'_>>, joins: impl Fn(&Turn<'_>) -> bool) {
    let needed = turns
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a.role == b.role && joins(a) && joins(b)));
    if !needed {
        return;
    }
    let mut joined: Vec<Turn<'_>> = Vec::with_capacity(turns.len());
    for turn in std::mem::take(turns) {
        match joined.last_mut() {
            Some(last) if last.role == turn.role && joins(last) && joins(&turn) => {
                last.parts.extend(turn.parts);
                last.name = last.name.take().or(turn.name);
            }
            _ => joined.push(turn),
        }
    }
    *turns = joined;
}

fn pair(request: &mut Request<'_>, losses: &mut Losses) {
    let has_tools =
        |part: &Part<'_>| matches!(part.content, Content::ToolCall(_) | Content::ToolResult(_));
    if !request.turns.iter().any(|turn| turn.parts.iter().any(has_tools)) {
        return;
    }
    let mut old = std::mem::take(&mut request.turns).into_iter().peekable();
    let mut turns = Vec::with_capacity(old.len() + 4);
    while let Some(mut turn) = old.next() {
        let calls = calls_of(&turn);
        if calls.is_empty() {
            drop_orphans(&mut turn.parts, losses);
            if !turn.parts.is_empty() {
                turns.push(turn);
            }
            continue;
        }
        let origin = turn.origin;
        turns.push(turn);
        let mut results: Vec<Option<Part<'_>>> = calls.iter().map(|_| None).collect();
        let mut rest = Vec::new();
        while let Some(mut next) = old.next_if(|next| next.role != Role::Assistant) {
            take_results(&mut next, &calls, &mut results);
            drop_orphans(&mut next.parts, losses);
            if !next.parts.is_empty() {
                rest.push(next);
            }
        }
        let parts = calls
            .into_iter()
            .zip(results)
            .map(|(call, result)| result.unwrap_or_else(|| no_result(call, origin, losses)))
            .collect();
        turns.push(Turn::new(Role::User, parts, origin));
        turns.extend(rest);
    }
    request.turns = turns;
}

/// A call as far as its result must fit it.
struct Call<'a> {
    id: Str<'a>,
    name: Str<'a>,
    custom: bool,
}

fn calls_of<'a>(turn: &Turn<'a>) -> Vec<Call<'a>> {
    if turn.role != Role::Assistant {
        return Vec::new();
    }
    turn.parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::ToolCall(call) => {
                Some(Call { id: call.id.clone(), name: call.name.clone(), custom: call.custom })
            }
            _ => None,
        })
        .collect()
}

/// Moves the results that answer `calls` to their places; each result also learns the name of its
/// tool, which Gemini needs, and whether it was a free-text tool.
fn take_results<'a>(turn: &mut Turn<'a>, calls: &[Call<'a>], results: &mut [Option<Part<'a>>]) {
    if !turn.parts.iter().any(|part| matches!(part.content, Content::ToolResult(_))) {
        return;
    }
    let mut kept = Vec::with_capacity(turn.parts.len());
    for mut part in std::mem::take(&mut turn.parts) {
        let place = match &mut part.content {
            Content::ToolResult(result) => {
                let at = calls.iter().position(|call| call.id == result.call_id);
                if let Some(call) = at.and_then(|at| calls.get(at)) {
                    result.name = Some(call.name.clone());
                    result.custom = call.custom;
                }
                at
            }
            _ => None,
        };
        match place.and_then(|at| results.get_mut(at)) {
            Some(slot @ None) => *slot = Some(part),
            _ => kept.push(part),
        }
    }
    turn.parts = kept;
}

fn drop_orphans(parts: &mut Vec<Part<'_>>, losses: &mut Losses) {
    parts.retain(|part| {
        let orphan = matches!(part.content, Content::ToolResult(_));
        if orphan {
            losses.add_at(
                Severity::Content,
                "orphan-result",
                part.origin,
                "it answers no call of the turn before",
            );
        }
        !orphan
    });
}

fn no_result<'a>(call: Call<'a>, origin: Origin, losses: &mut Losses) -> Part<'a> {
    losses.add_at(
        Severity::Content,
        "missing-result",
        origin,
        "a tool call without a result got one that says so",
    );
    Part::new(
        Content::ToolResult(Box::new(ToolResult {
            call_id: call.id,
            name: Some(call.name),
            content: vec![Part::text(Str::plain(NO_RESULT), origin)],
            is_error: true,
            custom: call.custom,
        })),
        origin,
    )
}

/// Last touches that depend on the target: system turns, neighbours, a turn of the assistant at
/// the end.
pub(super) fn merge(
    request: &mut Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    request.turns.retain(|turn| !turn.parts.is_empty());
    match target.dialect {
        Dialect::Anthropic => {
            if !target.facts.mid_system {
                hoist_system(request, losses);
            }
            join(&mut request.turns, |turn| !turn.role.is_system());
        }
        Dialect::Gemini => {
            system_as_user(request, losses);
            join(&mut request.turns, |turn| !turn.role.is_system());
        }
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {}
    }
    check_prefill(request, target, losses)
}

/// System turns in mid-conversation move to the front, where the model knows no others.
fn hoist_system(request: &mut Request<'_>, losses: &mut Losses) {
    let (leading, rest) = request.leading();
    let count = leading.len();
    if !rest.iter().any(|turn| turn.role.is_system()) {
        return;
    }
    let mut late = Vec::new();
    let mut at = 0;
    request.turns.retain_mut(|turn| {
        at += 1;
        if at <= count || !turn.role.is_system() {
            return true;
        }
        losses.add_at(
            Severity::Content,
            "late-system",
            turn.origin,
            "the model takes system text at the front only",
        );
        late.push(Turn::new(turn.role, std::mem::take(&mut turn.parts), turn.origin));
        false
    });
    request.turns.splice(count..count, late);
}

/// Gemini has no system turns in mid-conversation: the user says them, marked as what they are.
fn system_as_user(request: &mut Request<'_>, losses: &mut Losses) {
    let count = request.leading().0.len();
    for turn in request.turns.iter_mut().skip(count).filter(|turn| turn.role.is_system()) {
        losses.add_at(
            Severity::Content,
            "late-system",
            turn.origin,
            "the model takes system text at the front only",
        );
        turn.role = Role::User;
        for part in &mut turn.parts {
            if let Content::Text { text, .. } = &mut part.content {
                let marked = format!("[system instruction]\n{}", text.decode());
                *text = Str::Plain(Cow::Owned(marked));
            }
        }
    }
}

fn check_prefill(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &Losses,
) -> Result<(), Refusal> {
    match request.turns.last() {
        Some(last) if last.role == Role::Assistant && !target.facts.prefill => {
            Err(losses
                .refuse_at(last.origin, "the model does not continue a turn of the assistant"))
        }
        _ => Ok(()),
    }
}
