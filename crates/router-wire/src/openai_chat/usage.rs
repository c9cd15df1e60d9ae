//! Token counts of Chat.

use super::loose;
use crate::json::{Cursor, JsonError, Object};
use crate::usage::{Kinds, Usage};

/// Figures as they are named by servers that speak Chat.
#[derive(Default)]
struct Figures {
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
    written: Option<u64>,
    reasoning: Option<u64>,
    input_kinds: Kinds,
    output_kinds: Kinds,
}

/// Reads a `usage` object. Besides OpenAI's names it knows DeepSeek's `prompt_cache_hit_tokens`,
/// Moonshot's bare `cached_tokens`, and the names of Messages that some gateways add; the cached
/// part is contained in the input in all of them.
pub(super) fn read(c: &mut Cursor<'_>) -> Result<Usage, JsonError> {
    let mut f = Figures::default();
    loose::object(c, |key, c| {
        match key {
            "prompt_tokens" | "input_tokens" => f.input = loose::int(c)?.or(f.input),
            "completion_tokens" | "output_tokens" => f.output = loose::int(c)?.or(f.output),
            "prompt_cache_hit_tokens" | "cached_tokens" | "cache_read_input_tokens" => {
                f.cached = f.cached.or(loose::int(c)?);
            }
            "cache_creation_input_tokens" => f.written = f.written.or(loose::int(c)?),
            "prompt_tokens_details" | "input_tokens_details" => {
                loose::object(c, |key, c| details(&mut f, true, key, c))?;
            }
            "completion_tokens_details" | "output_tokens_details" => {
                loose::object(c, |key, c| details(&mut f, false, key, c))?;
            }
            _ => c.skip()?,
        }
        Ok(())
    })?;
    Ok(Usage {
        output: f.output,
        reasoning: f.reasoning,
        input_kinds: f.input_kinds,
        output_kinds: f.output_kinds,
        ..Usage::from_inclusive(f.input, f.cached, f.written)
    })
}

fn details(f: &mut Figures, input: bool, key: &str, c: &mut Cursor<'_>) -> Result<(), JsonError> {
    let kinds = if input { &mut f.input_kinds } else { &mut f.output_kinds };
    if let Some(slot) = key.strip_suffix("_tokens").and_then(|kind| kinds.slot(kind)) {
        *slot = loose::int(c)?.unwrap_or(*slot);
        return Ok(());
    }
    match key {
        "cached_tokens" => f.cached = loose::int(c)?.or(f.cached),
        "cache_write_tokens" => f.written = loose::int(c)?.or(f.written),
        "reasoning_tokens" => f.reasoning = loose::int(c)?.or(f.reasoning),
        _ => c.skip()?,
    }
    Ok(())
}

/// Appends a `usage` object.
pub(super) fn write(usage: &Usage, out: &mut Vec<u8>) {
    let Usage {
        input_uncached: _,
        cache_read,
        cache_write,
        // All lifetimes are one figure here, and searches have none.
        cache_write_1h: _,
        output: _,
        reasoning,
        web_searches: _,
        input_kinds,
        output_kinds,
    } = usage;
    let mut object = Object::new(out);
    object
        .int("prompt_tokens", usage.input())
        .int("completion_tokens", usage.output())
        .int("total_tokens", usage.total());
    let mut details = object.object("prompt_tokens_details");
    details.int("cached_tokens", cache_read.unwrap_or(0));
    if let Some(written) = cache_write {
        details.int("cache_write_tokens", *written);
    }
    write_kinds(*input_kinds, &mut details);
    details.end();
    let mut details = object.object("completion_tokens_details");
    details.int("reasoning_tokens", reasoning.unwrap_or(0));
    write_kinds(*output_kinds, &mut details);
    details.end();
    object.end();
}

fn write_kinds(kinds: Kinds, details: &mut Object<'_>) {
    for (kind, count) in kinds.each() {
        match kind {
            "audio" => details.int("audio_tokens", count),
            "image" => details.int("image_tokens", count),
            _ => details.int("text_tokens", count),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expect: [Option<u64>; 5]) {
        let usage = read(&mut Cursor::new(json)).unwrap();
        let Usage { input_uncached, cache_read, cache_write, output, reasoning, .. } = usage;
        assert_eq!([input_uncached, cache_read, cache_write, output, reasoning], expect, "{json}");
    }

    #[test]
    fn the_cached_part_is_taken_out_of_the_input() {
        check(
            r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
                "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30,"audio_tokens":0},
                "completion_tokens_details":{"reasoning_tokens":5}}"#,
            [Some(10), Some(60), Some(30), Some(20), Some(5)],
        );
    }

    #[test]
    fn other_servers_names_and_types_are_understood() {
        check(
            r#"{"prompt_tokens":100.0,"completion_tokens":"7","prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}"#,
            [Some(36), Some(64), None, Some(7), None],
        );
        check(
            r#"{"prompt_tokens":9,"cached_tokens":4,"completion_tokens":null,"prompt_tokens_details":null}"#,
            [Some(5), Some(4), None, None, None],
        );
        check(
            r#"{"prompt_tokens":10,"cache_read_input_tokens":60,"cache_creation_input_tokens":5,"completion_tokens":1}"#,
            [Some(10), Some(60), Some(5), Some(1), None],
        );
        check("null", [None; 5]);
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage {
            input_kinds: Kinds { text: 90, audio: 10, image: 0 },
            input_uncached: Some(10),
            cache_read: Some(60),
            cache_write: Some(30),
            output: Some(20),
            reasoning: Some(5),
            ..Usage::default()
        };
        let mut out = Vec::new();
        write(&usage, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(read(&mut Cursor::new(&text)).unwrap(), usage);
        assert!(
            text.starts_with(r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120"#)
        );
    }
}
