//! A guess at the input tokens of a request, without a tokenizer.
//!
//! Shown in `message_start` until the upstream reports the real figure, because clients draw their
//! context meters from it. About four bytes of text are one token; every image counts the same.

use crate::canonical::{Content, Media, Part, Request, Tool, ToolInput};

/// Bytes of text per token.
const BYTES_PER_TOKEN: usize = 4;
/// Tokens of an image.
const IMAGE_TOKENS: usize = 1500;
/// Tokens every turn costs besides its text.
const TURN_TOKENS: usize = 4;
/// Base64 bytes of a file per token: most of a PDF is not text.
const FILE_BYTES_PER_TOKEN: usize = 40;

/// Estimated input tokens.
pub fn input_tokens(request: &Request<'_>) -> u64 {
    let turns: usize = request
        .turns
        .iter()
        .map(|turn| TURN_TOKENS + turn.parts.iter().map(part_tokens).sum::<usize>())
        .sum();
    let tools: usize = request.tools.iter().map(tool_tokens).sum();
    u64::try_from(turns + tools).unwrap_or(u64::MAX)
}

fn part_tokens(part: &Part<'_>) -> usize {
    let parts = |list: &[Part<'_>]| list.iter().map(part_tokens).sum::<usize>();
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) => text.len_hint() / BYTES_PER_TOKEN,
        Content::Thinking(thinking) => thinking.text.len_hint() / BYTES_PER_TOKEN,
        Content::Image(_) => IMAGE_TOKENS,
        Content::Audio(media) => media_tokens(media),
        Content::Document(document) => media_tokens(&document.media),
        Content::SearchResult(result) => parts(&result.content),
        Content::ToolResult(result) => TURN_TOKENS + parts(&result.content),
        Content::ToolCall(call) => {
            let input = match &call.input {
                ToolInput::Json(json) => json.text().len(),
                ToolInput::Text(text) => text.len_hint(),
            };
            TURN_TOKENS + (call.name.len_hint() + input) / BYTES_PER_TOKEN
        }
        Content::Foreign(foreign) => foreign.raw.text().len() / BYTES_PER_TOKEN,
    }
}

fn media_tokens(media: &Media<'_>) -> usize {
    match media {
        Media::Base64 { data, .. } => data.len_hint() / FILE_BYTES_PER_TOKEN,
        Media::Text(text) => text.len_hint() / BYTES_PER_TOKEN,
        Media::Parts(parts) => parts.iter().map(part_tokens).sum(),
        Media::Url { .. } | Media::FileId(_) => IMAGE_TOKENS,
    }
}

fn tool_tokens(tool: &Tool<'_>) -> usize {
    let bytes = match tool {
        Tool::Function(function) => {
            function.name.len_hint()
                + function.description.as_ref().map_or(0, crate::json::Str::len_hint)
                + function.parameters.as_ref().map_or(0, |schema| schema.text().len())
        }
        Tool::Custom(custom) => {
            custom.name.len_hint()
                + custom.description.as_ref().map_or(0, crate::json::Str::len_hint)
        }
        Tool::WebSearch(_) => 0,
        Tool::Hosted(hosted) => hosted.raw.text().len(),
    };
    TURN_TOKENS + bytes / BYTES_PER_TOKEN
}
