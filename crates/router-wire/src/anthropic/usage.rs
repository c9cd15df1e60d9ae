//! The usage object of Messages answers.

use crate::json::{Cursor, JsonError, Object, Str};
use crate::translate::Session;
use crate::usage::Usage;

/// Reads `usage`; members that are absent or null stay absent. Also gives the service tier.
pub(super) fn read<'a>(c: &mut Cursor<'a>) -> Result<(Usage, Option<Str<'a>>), JsonError> {
    let mut usage = Usage::default();
    let mut tier = None;
    if c.null()? {
        return Ok((usage, tier));
    }
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "input_tokens" => usage.input_uncached = c.opt(Cursor::u64)?,
            "cache_read_input_tokens" => usage.cache_read = c.opt(Cursor::u64)?,
            "cache_creation_input_tokens" => usage.cache_write = c.opt(Cursor::u64)?,
            "output_tokens" => usage.output = c.opt(Cursor::u64)?,
            "cache_creation" => {
                usage.cache_write_1h = member(c, "ephemeral_1h_input_tokens")?;
            }
            "output_tokens_details" => usage.reasoning = member(c, "thinking_tokens")?,
            "server_tool_use" => usage.web_searches = member(c, "web_search_requests")?,
            "service_tier" => tier = c.opt(Cursor::str)?,
            _ => c.skip()?,
        }
    }
    Ok((usage, tier))
}

/// What the client is told: as long as the upstream has not counted its input, an estimate. Agents
/// decide by that figure when a conversation has become too long, and take 0 for a fact.
pub(super) fn told(usage: &Usage, session: &Session) -> Usage {
    let counted = usage.input_uncached.is_some() || usage.cache_read.is_some();
    let estimate = (!counted).then_some(session.input_estimate);
    Usage { input_uncached: usage.input_uncached.or(estimate), ..*usage }
}

/// One number of an object that may be null.
fn member(c: &mut Cursor<'_>, name: &str) -> Result<Option<u64>, JsonError> {
    if c.null()? {
        return Ok(None);
    }
    let mut value = None;
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key == name {
            value = c.opt(Cursor::u64)?;
        } else {
            c.skip()?;
        }
    }
    Ok(value)
}

/// Writes the member `usage` with every figure clients look for. Claude Code fails on a missing
/// `speed`, so what is unknown gets its neutral value.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage, tier: Option<&Str<'_>>) {
    let Usage {
        input_uncached,
        cache_read,
        cache_write,
        cache_write_1h,
        output,
        reasoning,
        web_searches,
        // One figure stands for all kinds of content.
        input_kinds: _,
        output_kinds: _,
    } = *usage;
    let write = cache_write.unwrap_or(0);
    let hour = cache_write_1h.unwrap_or(0).min(write);
    let mut object = object.object("usage");
    object
        .int("input_tokens", input_uncached.unwrap_or(0))
        .int("cache_creation_input_tokens", write)
        .int("cache_read_input_tokens", cache_read.unwrap_or(0));
    let mut creation = object.object("cache_creation");
    creation.int("ephemeral_5m_input_tokens", write - hour).int("ephemeral_1h_input_tokens", hour);
    creation.end();
    object.int("output_tokens", output.unwrap_or(0));
    if let Some(tokens) = reasoning {
        let mut details = object.object("output_tokens_details");
        details.int("thinking_tokens", tokens);
        details.end();
    }
    let mut server = object.object("server_tool_use");
    server.int("web_search_requests", web_searches.unwrap_or(0)).int("web_fetch_requests", 0);
    server.end();
    let tier = tier.map(Str::decode);
    object.text(
        "service_tier",
        match tier.as_deref() {
            Some("priority") => "priority",
            Some("batch") => "batch",
            _ => "standard",
        },
    );
    object.text("speed", if tier.as_deref() == Some("fast") { "fast" } else { "standard" });
    object.null("inference_geo");
    object.end();
}
