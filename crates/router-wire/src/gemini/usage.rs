//! `usageMetadata`, both ways.
//!
//! `promptTokenCount` holds the cached part, the prompt of Google's own tools is counted beside
//! it, and `candidatesTokenCount` leaves out the thoughts.

use super::{camel, list, number};
use crate::json::{Cursor, JsonError, Object};
use crate::usage::{Kinds, Usage};

/// Reads `usageMetadata`; null says nothing.
pub(super) fn read(c: &mut Cursor<'_>) -> Result<Usage, JsonError> {
    if c.null()? {
        return Ok(Usage::default());
    }
    let (mut prompt, mut tools, mut cached, mut answer, mut thoughts) =
        (None, None, None, None, None);
    let (mut input_kinds, mut output_kinds) = (Kinds::default(), Kinds::default());
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        let slot = match camel(&key).as_ref() {
            "promptTokensDetails" => {
                kinds(&mut input_kinds, c)?;
                continue;
            }
            "candidatesTokensDetails" => {
                kinds(&mut output_kinds, c)?;
                continue;
            }
            "promptTokenCount" => &mut prompt,
            "toolUsePromptTokenCount" => &mut tools,
            "cachedContentTokenCount" => &mut cached,
            "candidatesTokenCount" => &mut answer,
            "thoughtsTokenCount" => &mut thoughts,
            _ => {
                c.skip()?;
                continue;
            }
        };
        *slot = number::<u64>(c)?;
    }
    let input = sum(prompt, tools);
    Ok(Usage {
        output: sum(answer, thoughts),
        reasoning: thoughts,
        input_kinds,
        output_kinds,
        ..Usage::from_inclusive(input, cached, None)
    })
}

/// A list of figures by modality.
fn kinds(kinds: &mut Kinds, c: &mut Cursor<'_>) -> Result<(), JsonError> {
    let figures = list(c, |c| {
        let (mut kind, mut count) = (String::new(), None);
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match camel(&key).as_ref() {
                "modality" => kind = c.opt(Cursor::string)?.unwrap_or_default().to_lowercase(),
                "tokenCount" => count = number::<u64>(c)?,
                _ => c.skip()?,
            }
        }
        Ok((kind, count))
    })?;
    for (kind, count) in figures {
        if let Some(slot) = kinds.slot(&kind) {
            *slot = count.unwrap_or(0);
        }
    }
    Ok(())
}

const fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (Some(one), None) | (None, Some(one)) => Some(one),
        (None, None) => None,
    }
}

/// Writes the member `usageMetadata`.
pub(super) fn write(object: &mut Object<'_>, usage: &Usage) {
    let Usage {
        input_uncached: _,
        cache_read,
        cache_write: _,
        cache_write_1h: _,
        output: _,
        reasoning,
        // Counted by `webSearchQueries` where there are any.
        web_searches: _,
        input_kinds,
        output_kinds,
    } = usage;
    let mut counts = object.object("usageMetadata");
    counts.int("promptTokenCount", usage.input());
    if let Some(tokens) = cache_read.filter(|tokens| *tokens > 0) {
        counts.int("cachedContentTokenCount", tokens);
    }
    let thoughts = reasoning.unwrap_or(0).min(usage.output());
    counts.int("candidatesTokenCount", usage.output() - thoughts);
    if thoughts > 0 {
        counts.int("thoughtsTokenCount", thoughts);
    }
    counts.int("totalTokenCount", usage.total());
    write_kinds("promptTokensDetails", *input_kinds, &mut counts);
    write_kinds("candidatesTokensDetails", *output_kinds, &mut counts);
    counts.end();
}

fn write_kinds(key: &str, kinds: Kinds, counts: &mut Object<'_>) {
    if kinds.each().next().is_none() {
        return;
    }
    let mut list = counts.array(key);
    for (kind, count) in kinds.each() {
        let mut one = list.object();
        one.text("modality", &kind.to_uppercase()).int("tokenCount", count);
        one.end();
    }
    list.end();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usage(json: &str) -> Usage {
        read(&mut Cursor::new(json)).unwrap()
    }

    fn written(usage: &Usage) -> String {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        write(&mut object, usage);
        object.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_figures_of_gemini_become_ours() {
        let read = usage(
            r#"{"promptTokenCount":100,"cachedContentTokenCount":60,"toolUsePromptTokenCount":5,
            "candidatesTokenCount":20,"thoughtsTokenCount":30,"totalTokenCount":155}"#,
        );
        assert_eq!((read.input_uncached, read.cache_read), (Some(45), Some(60)));
        assert_eq!((read.output, read.reasoning), (Some(50), Some(30)));
        assert_eq!(read.total(), 155, "all parts are counted once");
        assert_eq!(usage("null"), Usage::default());
        assert_eq!(usage(r#"{"prompt_token_count":"7"}"#).input_uncached, Some(7));
    }

    #[test]
    fn b4_5_figures_by_kind_go_between_chat_and_gemini() {
        let read = usage(
            r#"{"promptTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":5},{"modality":"VIDEO","tokenCount":1}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":7}]}"#,
        );
        assert_eq!((read.input_kinds.text, read.input_kinds.audio), (4, 5));
        assert_eq!(read.output_kinds.image, 7);
        let text = written(&read);
        assert!(text.contains(r#""promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":5}]"#), "{text}");
        assert_eq!(
            usage(
                text.strip_prefix(r#"{"usageMetadata":"#)
                    .and_then(|it| it.strip_suffix('}'))
                    .unwrap()
            )
            .input_kinds,
            read.input_kinds
        );
    }

    #[test]
    fn our_figures_become_those_of_gemini() {
        let usage = Usage {
            input_uncached: Some(10),
            cache_read: Some(60),
            cache_write: Some(30),
            output: Some(50),
            reasoning: Some(30),
            ..Usage::default()
        };
        assert_eq!(
            written(&usage),
            r#"{"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":20,"thoughtsTokenCount":30,"totalTokenCount":150}}"#
        );
    }

    proptest! {
        #[test]
        fn the_total_is_the_sum_of_its_parts(i in 0..9999_u64, r in 0..9999_u64, w in 0..9999_u64,
            o in 0..9999_u64, t in 0..9999_u64) {
            let usage = Usage {
                input_uncached: Some(i),
                cache_read: Some(r),
                cache_write: Some(w),
                output: Some(o),
                reasoning: Some(t),
                ..Usage::default()
            };
            let json: serde_json::Value = serde_json::from_str(&written(&usage)).unwrap();
            let figure = |name: &str| json["usageMetadata"][name].as_u64().unwrap_or(0);
            let parts = figure("promptTokenCount") + figure("candidatesTokenCount")
                + figure("thoughtsTokenCount");
            prop_assert_eq!(figure("totalTokenCount"), parts);
            prop_assert!(figure("cachedContentTokenCount") <= figure("promptTokenCount"));
        }
    }
}
