//! Counting the tokens of a request that no upstream will count: an estimate by a real tokenizer.
//!
//! The texts of the request go through `o200k_base`, the vocabulary of GPT-4o and later. Other
//! vendors' vocabularies differ from it by some ten per cent on prose and more on rare scripts,
//! which is why the answer is marked as an estimate. What is no text is counted by the constants
//! here:
//!
//! - every turn costs [`TURN_TOKENS`], the answer's opening [`REPLY_TOKENS`] once;
//! - a tool costs [`TOOL_TOKENS`] besides its name, description and schema, and so does the schema
//!   of a structured answer;
//! - a call and a result cost [`CALL_TOKENS`] each besides their texts;
//! - an image costs [`IMAGE_TOKENS`] whatever its size, with `detail: low` [`IMAGE_LOW_TOKENS`];
//! - a file that is no text costs one token for [`FILE_BYTES_PER_TOKEN`] bytes of base64, and one
//!   that only the vendor can fetch as much as an image.
//!
//! Thinking counts whether or not the upstream gets it back: for a context meter an estimate had
//! better be too high than too low. What no other dialect knows counts as what stands in for it.
//!
//! The vocabulary is built when it is first needed, which takes about 0.15 s and 45 MB, and kept.
//! After that, 200 KB of prose take 5 to 10 ms, on a thread beside the event loops.

use bytes::Bytes;
use router_wire::Dialect;
use router_wire::canonical::{
    Content, Detail, Fallback, Foreign, Function, Image, Media, OutputFormat, Part, Request, Tool,
    ToolInput,
};
use router_wire::error::{ClientError, ErrorKind};
use router_wire::json::Str;
use router_wire::media::{base64_text, is_textual};
use router_wire::translate::{RequestExtra, estimate_tokens, read_count};
use tokio::sync::Semaphore;

/// Tokens around the text of a turn.
const TURN_TOKENS: usize = 4;
/// Tokens that open the answer.
const REPLY_TOKENS: usize = 3;
/// Tokens around a tool's texts.
const TOOL_TOKENS: usize = 8;
/// Tokens around a tool call's or a tool result's texts.
const CALL_TOKENS: usize = 6;
/// Tokens of an image: about one of a million pixels.
const IMAGE_TOKENS: usize = 1_500;
/// Tokens of an image of which a small version is enough.
const IMAGE_LOW_TOKENS: usize = 85;
/// Base64 bytes of a file per token: most of a PDF is not text.
const FILE_BYTES_PER_TOKEN: usize = 40;
/// Bytes of text that go through the tokenizer at most; the rest counts four bytes a token.
const EXACT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes given to the tokenizer at once. It searches backwards through runs of blanks, and gives
/// up on very long ones.
const PIECE_BYTES_MAX: usize = 4 * 1024;
/// Requests counted at a time in this process; the others wait.
const COUNTING_MAX: usize = 2;

static COUNTING: Semaphore = Semaphore::const_new(COUNTING_MAX);

/// Input tokens of a request. `model` is the one the client named.
///
/// The error is the client's: its body cannot be read.
pub(crate) async fn count(
    dialect: Dialect,
    model: String,
    body: Bytes,
) -> Result<u64, ClientError> {
    let closed = |_| ClientError::new(ErrorKind::Internal, "tokens are no longer counted");
    let permit = COUNTING.acquire().await.map_err(closed)?;
    let (named, bytes) = (model.clone(), body.clone());
    let counting = tokio::task::spawn_blocking(move || {
        // Held until the count is done, even if the client has gone.
        let _permit = permit;
        read_count(dialect, &bytes, &extra(&named)).map(|request| input_tokens(&request))
    });
    let counted = match counting.await {
        Ok(counted) => counted,
        // The tokenizer panics on what it cannot split; a rougher estimate is still one.
        Err(_) => estimate_tokens(dialect, &body, &extra(&model)),
    };
    counted.map_err(|error| error.to_client_error())
}

fn extra(model: &str) -> RequestExtra<'_> {
    RequestExtra { model: Some(model).filter(|model| !model.is_empty()), ..RequestExtra::default() }
}

/// Estimated input tokens of a request.
fn input_tokens(request: &Request<'_>) -> u64 {
    let mut counter = Counter { tokens: REPLY_TOKENS, exact_bytes: EXACT_BYTES_MAX };
    for turn in &request.turns {
        counter.tokens += TURN_TOKENS;
        counter.maybe(turn.name.as_ref());
        counter.parts(&turn.parts);
    }
    for tool in &request.tools {
        counter.tool(tool);
    }
    if let Some(OutputFormat::JsonSchema { name, description, schema, strict: _ }) = &request.format
    {
        counter.tokens += TOOL_TOKENS;
        counter.maybe(name.as_ref());
        counter.maybe(description.as_ref());
        counter.text(schema.text());
    }
    u64::try_from(counter.tokens).unwrap_or(u64::MAX)
}

/// A count under way.
struct Counter {
    tokens: usize,
    /// Bytes the tokenizer may still be given.
    exact_bytes: usize,
}

impl Counter {
    fn text(&mut self, text: &str) {
        let end = text.floor_char_boundary(self.exact_bytes);
        let (mut exact, rest) = text.split_at_checked(end).unwrap_or(("", text));
        self.exact_bytes -= exact.len().min(self.exact_bytes);
        self.tokens += rest.len().div_ceil(4);
        while !exact.is_empty() {
            let (piece, after) = exact.split_at_checked(piece_end(exact)).unwrap_or((exact, ""));
            self.tokens += tiktoken_rs::o200k_base_singleton().count_ordinary(piece);
            exact = after;
        }
    }

    fn str(&mut self, text: &Str<'_>) {
        self.text(&text.decode());
    }

    fn maybe(&mut self, text: Option<&Str<'_>>) {
        if let Some(text) = text {
            self.str(text);
        }
    }

    fn parts(&mut self, parts: &[Part<'_>]) {
        for part in parts {
            self.part(part);
        }
    }

    fn part(&mut self, part: &Part<'_>) {
        match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) => self.str(text),
            Content::Thinking(thinking) => self.str(&thinking.text),
            Content::Image(image) => self.tokens += image_tokens(image),
            Content::Audio(media) => self.media(media),
            Content::Document(document) => {
                self.maybe(document.title.as_ref());
                self.maybe(document.context.as_ref());
                self.media(&document.media);
            }
            Content::SearchResult(result) => {
                self.str(&result.source);
                self.str(&result.title);
                self.parts(&result.content);
            }
            Content::ToolCall(call) => {
                self.tokens += CALL_TOKENS;
                self.str(&call.name);
                match &call.input {
                    ToolInput::Json(json) => self.text(json.text()),
                    ToolInput::Text(text) => self.str(text),
                }
            }
            Content::ToolResult(result) => {
                self.tokens += CALL_TOKENS;
                self.parts(&result.content);
            }
            Content::Foreign(foreign) => self.foreign(foreign),
        }
    }

    fn media(&mut self, media: &Media<'_>) {
        match media {
            Media::Base64 { media_type, data } => {
                let data = data.decode();
                let text = is_textual(&media_type.decode()).then(|| base64_text(&data)).flatten();
                match text {
                    Some(text) => self.text(&text),
                    None => self.tokens += data.len().div_ceil(FILE_BYTES_PER_TOKEN),
                }
            }
            Media::Text(text) => self.str(text),
            Media::Parts(parts) => self.parts(parts),
            Media::Url { .. } | Media::FileId(_) => self.tokens += IMAGE_TOKENS,
        }
    }

    fn tool(&mut self, tool: &Tool<'_>) {
        match tool {
            Tool::Function(function) => self.function(function),
            Tool::Custom(custom) => {
                self.tokens += TOOL_TOKENS;
                self.str(&custom.name);
                self.maybe(custom.description.as_ref());
            }
            Tool::WebSearch(_) => self.tokens += TOOL_TOKENS,
            Tool::Hosted(hosted) => self.foreign(hosted),
        }
    }

    fn function(&mut self, function: &Function<'_>) {
        self.tokens += TOOL_TOKENS;
        self.str(&function.name);
        self.maybe(function.description.as_ref());
        if let Some(parameters) = &function.parameters {
            self.text(parameters.text());
        }
    }

    fn foreign(&mut self, foreign: &Foreign<'_>) {
        match &foreign.fallback {
            Fallback::Text(text) => self.str(text),
            Fallback::Function(function) => self.function(function),
            Fallback::Drop(_) | Fallback::Refuse(_) => {}
        }
    }
}

fn image_tokens(image: &Image<'_>) -> usize {
    if image.detail == Some(Detail::Low) { IMAGE_LOW_TOKENS } else { IMAGE_TOKENS }
}

/// Where the first piece of `text` ends: before a blank near the limit, so that no word is cut.
fn piece_end(text: &str) -> usize {
    if text.len() <= PIECE_BYTES_MAX {
        return text.len();
    }
    let end = text.floor_char_boundary(PIECE_BYTES_MAX);
    let (head, _) = text.split_at_checked(end).unwrap_or((text, ""));
    head.rfind(char::is_whitespace).filter(|at| *at >= PIECE_BYTES_MAX / 2).unwrap_or(end)
}

#[cfg(test)]
mod tests;
