//! Token counts of the Responses API: the input contains its cached parts.

use crate::json::{Cursor, JsonError, Object};
use crate::usage::Usage;

const NO_IMAGES: &str = r#"{"input_tokens":0,"input_tokens_details":{"image_tokens":0,"text_tokens":0},"output_tokens":0,"total_tokens":0}"#;

/// Reads `usage`.
pub(crate) fn read(c: &mut Cursor<'_>) -> Result<Usage, JsonError> {
    if c.null()? {
        return Ok(Usage::default());
    }
    let (mut input, mut output) = (None, None);
    let (mut cached, mut written, mut reasoning) = (None, None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "input_tokens" => input = c.opt(Cursor::u64)?,
            "output_tokens" => output = c.opt(Cursor::u64)?,
            "input_tokens_details" => {
                c.opt(|c| {
                    let mut members = c.object()?;
                    while let Some(key) = members.next(c)? {
                        match key.as_ref() {
                            "cached_tokens" => cached = c.opt(Cursor::u64)?,
                            "cache_write_tokens" => written = c.opt(Cursor::u64)?,
                            _ => c.skip()?,
                        }
                    }
                    Ok(())
                })?;
            }
            "output_tokens_details" => {
                c.opt(|c| {
                    let mut members = c.object()?;
                    while let Some(key) = members.next(c)? {
                        match key.as_ref() {
                            "reasoning_tokens" => reasoning = c.opt(Cursor::u64)?,
                            _ => c.skip()?,
                        }
                    }
                    Ok(())
                })?;
            }
            _ => c.skip()?,
        }
    }
    Ok(Usage { output, reasoning, ..Usage::from_inclusive(input, cached, written) })
}

/// Writes `usage`, and `tool_usage` where the vendor searched. Figures nobody reported are 0: the
/// members are required by the published type.
pub(crate) fn write(object: &mut Object<'_>, usage: &Usage) {
    let Usage {
        input_uncached: _,
        cache_read,
        cache_write,
        cache_write_1h: _,
        output: _,
        reasoning,
        web_searches,
        // One figure stands for all kinds of content.
        input_kinds: _,
        output_kinds: _,
    } = usage;
    let mut inner = object.object("usage");
    inner.int("input_tokens", usage.input());
    let mut details = inner.object("input_tokens_details");
    details.int("cached_tokens", cache_read.unwrap_or(0));
    details.int("cache_write_tokens", cache_write.unwrap_or(0));
    details.end();
    inner.int("output_tokens", usage.output());
    let mut details = inner.object("output_tokens_details");
    details.int("reasoning_tokens", reasoning.unwrap_or(0));
    details.end();
    inner.int("total_tokens", usage.total());
    inner.end();
    if let Some(searches) = web_searches.filter(|count| *count > 0) {
        let mut tools = object.object("tool_usage");
        // The type requires every family, with zeros where nothing was used.
        tools.raw("image_gen", NO_IMAGES);
        let mut search = tools.object("web_search");
        search.int("num_requests", searches);
        search.end();
        tools.end();
    }
}
