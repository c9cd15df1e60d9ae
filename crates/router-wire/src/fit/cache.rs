//! Prompt-cache marks and keys as the upstream takes them.

use crate::canonical::{CacheMark, Content, Losses, Part, Request, Role, Severity, Tool, Turn};
use crate::dialect::Dialect;
use crate::facts::CacheMarks;
use crate::ids::{self, StableHash, hex};
use crate::json::Str;
use crate::translate::Target;

/// Most marks an upstream takes.
const MARKS_MAX: usize = 4;
/// The longer lifetimes: Anthropic's hour and OpenAI's twelve hours, in seconds.
const HOUR_S: u32 = 3_600;
const HALF_DAY_S: u32 = 43_200;

/// Adapts marks and keys.
pub(super) fn fit(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) {
    let openai = matches!(target.dialect, Dialect::OpenaiChat | Dialect::OpenaiResponses);
    match (target.dialect, target.facts.cache_marks) {
        (Dialect::Anthropic, CacheMarks::CacheControl) => fit_messages(request, target, losses),
        (_, CacheMarks::Breakpoint) if openai => fit_breakpoints(request, target, losses),
        (Dialect::OpenaiChat, CacheMarks::CacheControl) if target.facts.chat_cache_control => {
            keep_last(request, losses);
        }
        _ => {
            let mut any = false;
            each_mark(request, |mark| any |= mark.take().is_some());
            if any || request.cache.automatic.take().is_some() {
                losses.member(
                    Severity::Hint,
                    "cache_control",
                    "the upstream caches by itself or not at all",
                );
            }
        }
    }
    if openai {
        fit_key(request, target, losses);
    } else if target.dialect == Dialect::Gemini && request.cache.key.take().is_some() {
        losses.member(Severity::Hint, "prompt_cache_key", "Gemini caches by itself");
    }
}

fn parts_marks<'r, 'a: 'r>(
    parts: &'r mut [Part<'a>],
    visit: &mut impl FnMut(&'r mut Option<CacheMark>),
) {
    for part in parts {
        if let Content::ToolResult(result) = &mut part.content {
            for inner in &mut result.content {
                visit(&mut inner.cache);
            }
        }
        visit(&mut part.cache);
    }
}

/// Visits every place a mark can be, in prompt order: tools, then the conversation.
fn each_mark<'r>(request: &'r mut Request<'_>, mut visit: impl FnMut(&'r mut Option<CacheMark>)) {
    for tool in &mut request.tools {
        match tool {
            Tool::Function(function) => visit(&mut function.cache),
            Tool::Custom(custom) => visit(&mut custom.cache),
            Tool::WebSearch(search) => visit(&mut search.cache),
            Tool::Hosted(_) => {}
        }
    }
    for turn in &mut request.turns {
        parts_marks(&mut turn.parts, &mut visit);
    }
}

/// Keeps the last four marks.
fn keep_last(request: &mut Request<'_>, losses: &mut Losses) {
    let mut count = 0;
    each_mark(request, |mark| count += usize::from(mark.is_some()));
    let mut surplus = count.saturating_sub(MARKS_MAX);
    if surplus > 0 {
        losses.member(Severity::Hint, "cache_control", "the upstream takes four marks");
        each_mark(request, |mark| {
            if surplus > 0 && mark.take().is_some() {
                surplus -= 1;
            }
        });
    }
}

fn fit_messages(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) {
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        if matches!(part.content, Content::Thinking(_)) {
            part.cache = None;
        }
    }
    keep_last(request, losses);
    // Marks of an hour must come before those of five minutes.
    let long = |mark: &CacheMark| mark.ttl_s.is_some_and(|seconds| seconds > 300);
    let (mut any, mut short_seen, mut shortened) = (false, false, false);
    each_mark(request, |place| {
        let Some(mark) = place else { return };
        any = true;
        if short_seen && long(mark) {
            mark.ttl_s = None;
            shortened = true;
        }
        short_seen |= !long(mark);
    });
    if shortened {
        const WHY: &str = "a longer lifetime must come before a shorter one";
        losses.member(Severity::Hint, "cache_control.ttl", WHY);
    }
    let asked = request.cache.key.is_some()
        || request.cache.ttl_s.is_some()
        || request.cache.explicit == Some(false);
    if !any
        && asked
        && request.cache.explicit != Some(true)
        && target.facts.automatic_cache
        && request.cache.automatic.is_none()
    {
        request.cache.automatic = Some(CacheMark { ttl_s: request.cache.ttl_s });
    }
    if !target.facts.automatic_cache && request.cache.automatic.take().is_some() {
        losses.member(Severity::Hint, "cache_control", "the server has no such member");
    }
}

fn fit_breakpoints(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) {
    // OpenAI has no marks on tools and calls: they move to the next part that can have one.
    let mut moved = None;
    for tool in &mut request.tools {
        let mark = match tool {
            Tool::Function(function) => function.cache.take(),
            Tool::Custom(custom) => custom.cache.take(),
            Tool::WebSearch(search) => search.cache.take(),
            Tool::Hosted(_) => None,
        };
        moved = mark.or(moved);
    }
    for turn in &mut request.turns {
        move_marks(turn, &mut moved);
    }
    if let Some(mark) = moved {
        // Nothing follows that could carry it: the nearest part before does.
        let turns = request.turns.iter_mut().rev().filter(|turn| turn.role != Role::Assistant);
        let before = turns.flat_map(|turn| turn.parts.iter_mut().rev()).find(|part| carries(part));
        if let Some(part) = before {
            part.cache.get_or_insert(mark);
        }
    }
    let longest = target.options.cache_12h;
    let mut shortened = false;
    each_mark(request, |mark| {
        if let Some(mark) = mark {
            mark.ttl_s = match mark.ttl_s {
                Some(HOUR_S | HALF_DAY_S) if longest => Some(HALF_DAY_S),
                Some(HOUR_S | HALF_DAY_S) => {
                    shortened = true;
                    None
                }
                _ => None,
            };
        }
    });
    if shortened {
        const WHY: &str = "twelve hours cost more and are not allowed, so the usual time is kept";
        losses.member(Severity::Hint, "cache_control.ttl", WHY);
    }
    keep_last(request, losses);
    if request.cache.automatic.take().is_some() {
        losses.member(Severity::Hint, "cache_control", "the upstream caches by itself");
    }
}

const fn carries(part: &Part<'_>) -> bool {
    matches!(part.content, Content::Text { .. } | Content::Image(_) | Content::Document(_))
}

fn move_marks(turn: &mut Turn<'_>, moved: &mut Option<CacheMark>) {
    let assistant = turn.role == Role::Assistant;
    for part in &mut turn.parts {
        if let Content::ToolResult(result) = &mut part.content {
            let inner = result.content.iter_mut().filter_map(|inner| inner.cache.take()).last();
            *moved = part.cache.take().or(inner).or(*moved);
            continue;
        }
        if !assistant && carries(part) {
            if let Some(mark) = moved.take() {
                part.cache.get_or_insert(mark);
            }
        } else {
            *moved = part.cache.take().or(*moved);
        }
    }
}

fn fit_key(request: &mut Request<'_>, target: &Target<'_>, losses: &mut Losses) {
    let facts = target.facts;
    if !facts.openai_extras {
        if request.cache.key.take().is_some() {
            losses.member(Severity::Hint, "prompt_cache_key", "the server is not known to take it");
        }
        if request.cache.retention.take().is_some() {
            losses.member(
                Severity::Hint,
                "prompt_cache_retention",
                "the server is not known to take it",
            );
        }
        return;
    }
    if request.cache.key.is_none() {
        request.cache.key = Some(session_key(request).into());
    } else if let Some(key) = &request.cache.key {
        request.cache.key = Some(ids::shortened(key, ids::CACHE_KEY_MAX).into_owned().into());
    }
    let retention = request.cache.retention.as_ref().map(Str::decode);
    let fits = match retention.as_deref() {
        Some("24h") => facts.cache_retention_24h,
        Some("in_memory") => !facts.cache_retention_24h,
        _ => true,
    };
    if !fits {
        request.cache.retention = None;
        losses.member(
            Severity::Hint,
            "prompt_cache_retention",
            "the model does not take the value",
        );
    }
}

/// A key that stays the same for one conversation and differs between conversations.
fn session_key(request: &Request<'_>) -> String {
    let mut hash = StableHash::default();
    if let Some(session) = &request.identity.session {
        let session = session.decode();
        if session.len() <= ids::CACHE_KEY_MAX && session.bytes().all(ids::is_word) {
            return session.into_owned();
        }
        hash.write(session.as_bytes());
        return hex(hash.finish());
    }
    for name in [&request.identity.end_user, &request.identity.user].into_iter().flatten() {
        hash.write(name.decode().as_bytes());
    }
    for tool in &request.tools {
        if let Tool::Function(function) = tool {
            hash.write(function.name.decode().as_bytes());
        }
    }
    let (leading, rest) = request.leading();
    let first = rest.iter().find(|turn| turn.role == Role::User);
    for part in leading.iter().chain(first).flat_map(|turn| &turn.parts) {
        if let Content::Text { text, .. } = &part.content {
            match text {
                Str::Literal(text) => hash.write(text.as_bytes()),
                Str::Plain(text) => hash.write(text.as_bytes()),
            }
        }
    }
    hex(hash.finish())
}
