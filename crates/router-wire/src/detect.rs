//! Which dialect a body speaks, where the address does not tell.
//!
//! The first rule that applies decides, and its reason is kept for the explanation:
//!
//! 1. the header `anthropic-version`: Messages;
//! 2. `anthropic_version` in the body: Messages;
//! 3. `contents`: Gemini;
//! 4. `input` or `previous_response_id`, without `messages`: Responses;
//! 5. `max_completion_tokens`, `response_format` or `n`: Chat;
//! 6. the first tool that shows its format: `input_schema` is Messages, `function` is Chat;
//! 7. `tool_choice`: a string is Chat; an object of type `function`, `custom` or `allowed_tools`
//!    is Chat, one of type `auto`, `any`, `tool` or `none` is Messages;
//! 8. the first message that shows its format: a role or a member that only Chat has, or the type
//!    of a content block;
//! 9. members that only Messages has (`system`, `thinking`, `stop_sequences`, …);
//! 10. members that only Chat has (`stop`, `seed`, `stream_options`, …);
//! 11. a message with the role `system`: Chat;
//! 12. the header `x-goog-api-key`: Gemini; `anthropic-beta` or `x-api-key`: Messages;
//! 13. otherwise Chat, which is what most clients without further marks speak.

use crate::Dialect;
use crate::peek::{Entry, Items, Members, Peek, find, text_of};

/// The headers of a request that hint at a dialect: whether each is present and not empty.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "one independent fact per header")]
pub struct HeaderHints {
    /// `anthropic-version`
    pub anthropic_version: bool,
    /// `anthropic-beta`
    pub anthropic_beta: bool,
    /// `x-api-key`
    pub x_api_key: bool,
    /// `x-goog-api-key`
    pub x_goog_api_key: bool,
}

impl HeaderHints {
    /// Asks `is_present` for each header, by its lower-case name.
    pub fn new(is_present: impl Fn(&str) -> bool) -> Self {
        Self {
            anthropic_version: is_present("anthropic-version"),
            anthropic_beta: is_present("anthropic-beta"),
            x_api_key: is_present("x-api-key"),
            x_goog_api_key: is_present("x-goog-api-key"),
        }
    }

    /// The shape of list a client wants that asks for models at an address every dialect has.
    pub fn models_shape(self) -> Dialect {
        if self.anthropic_version || self.anthropic_beta {
            Dialect::Anthropic
        } else if self.x_goog_api_key {
            Dialect::Gemini
        } else {
            Dialect::OpenaiChat
        }
    }
}

/// A dialect, and the rule that told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Detected {
    /// The dialect.
    pub dialect: Dialect,
    /// Why, in a few words.
    pub reason: &'static str,
}

/// Tells the dialect of a body that was posted to the unified endpoint.
pub fn detect(peek: &Peek<'_>, headers: HeaderHints) -> Detected {
    use Dialect::{Anthropic, Gemini, OpenaiChat, OpenaiResponses};
    let told = |dialect, reason| Detected { dialect, reason };
    if headers.anthropic_version {
        return told(Anthropic, "header anthropic-version");
    }
    let marks = Marks::of(peek);
    if marks.anthropic_version {
        return told(Anthropic, "member anthropic_version");
    }
    if marks.contents {
        return told(Gemini, "member contents");
    }
    if marks.responses && marks.messages.is_none() {
        return told(OpenaiResponses, "member input without messages");
    }
    if marks.chat_strong {
        return told(OpenaiChat, "member max_completion_tokens, response_format or n");
    }
    if let Some(dialect) = marks.tools.and_then(by_tools) {
        return told(dialect, "format of the tools");
    }
    if let Some(dialect) = marks.tool_choice.and_then(by_tool_choice) {
        return told(dialect, "format of tool_choice");
    }
    let (by_message, system_role) = marks.messages.map_or((None, false), by_messages);
    if let Some(dialect) = by_message {
        return told(dialect, "format of the messages");
    }
    if marks.anthropic {
        return told(Anthropic, "member that only Messages has");
    }
    if marks.chat {
        return told(OpenaiChat, "member that only Chat has");
    }
    if system_role {
        return told(OpenaiChat, "message with the role system");
    }
    if headers.x_goog_api_key {
        return told(Gemini, "header x-goog-api-key");
    }
    if headers.anthropic_beta || headers.x_api_key {
        return told(Anthropic, "header anthropic-beta or x-api-key");
    }
    told(OpenaiChat, "nothing else was recognised")
}

/// What the names of the top-level members tell.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "one independent fact per rule")]
struct Marks<'a> {
    anthropic_version: bool,
    contents: bool,
    responses: bool,
    chat_strong: bool,
    anthropic: bool,
    chat: bool,
    tools: Option<&'a [u8]>,
    tool_choice: Option<&'a [u8]>,
    messages: Option<&'a [u8]>,
}

impl<'a> Marks<'a> {
    fn of(peek: &Peek<'a>) -> Self {
        let mut marks = Self::default();
        for entry in peek.members() {
            marks.note(&entry);
        }
        marks
    }

    fn note(&mut self, entry: &Entry<'a>) {
        let Some(name) = text_of(entry.key) else { return };
        match name.as_ref() {
            "anthropic_version" | "anthropicVersion" => {
                let empty: [&[u8]; 3] = [b"null", b"\"\"", b"false"];
                self.anthropic_version |= !empty.contains(&entry.value);
            }
            "contents" => self.contents = true,
            "input" | "previous_response_id" => self.responses = true,
            "max_completion_tokens" | "response_format" | "n" => self.chat_strong = true,
            "tools" => self.tools = Some(entry.value),
            "tool_choice" => self.tool_choice = Some(entry.value),
            "messages" => self.messages = Some(entry.value),
            "system" | "thinking" | "stop_sequences" | "output_config" | "context_management"
            | "mcp_servers" | "container" | "inference_geo" | "thread" | "betas" => {
                self.anthropic = true;
            }
            "stop"
            | "seed"
            | "stream_options"
            | "logprobs"
            | "top_logprobs"
            | "logit_bias"
            | "frequency_penalty"
            | "presence_penalty"
            | "parallel_tool_calls"
            | "functions"
            | "function_call"
            | "reasoning_effort"
            | "verbosity"
            | "modalities"
            | "prediction"
            | "web_search_options"
            | "store"
            | "user"
            | "prompt_cache_key"
            | "safety_identifier" => self.chat = true,
            _ => {}
        }
    }
}

fn by_tools(tools: &[u8]) -> Option<Dialect> {
    Items::new(tools).find_map(|tool| {
        if find(tool, "input_schema").is_some() {
            return Some(Dialect::Anthropic);
        }
        let kind = find(tool, "type").and_then(text_of);
        let chat = matches!(kind.as_deref(), Some("function"));
        let nested = find(tool, "function").or_else(|| find(tool, "custom")).is_some();
        (chat || nested).then_some(Dialect::OpenaiChat)
    })
}

fn by_tool_choice(choice: &[u8]) -> Option<Dialect> {
    if let Some(text) = text_of(choice) {
        return matches!(text.as_ref(), "auto" | "none" | "required")
            .then_some(Dialect::OpenaiChat);
    }
    match find(choice, "type").and_then(text_of)?.as_ref() {
        "function" | "custom" | "allowed_tools" => Some(Dialect::OpenaiChat),
        "auto" | "any" | "tool" | "none" => Some(Dialect::Anthropic),
        _ => None,
    }
}

/// What the messages show, and whether one has the role `system`.
fn by_messages(messages: &[u8]) -> (Option<Dialect>, bool) {
    let mut system_role = false;
    for message in Items::new(messages) {
        for entry in Members::new(message) {
            let Some(name) = text_of(entry.key) else { continue };
            match name.as_ref() {
                "role" => match text_of(entry.value).as_deref() {
                    Some("tool" | "developer" | "function") => {
                        return (Some(Dialect::OpenaiChat), system_role);
                    }
                    Some("system") => system_role = true,
                    _ => {}
                },
                "tool_call_id" | "tool_calls" | "function_call" | "reasoning_content" => {
                    return (Some(Dialect::OpenaiChat), system_role);
                }
                "content" => {
                    if let Some(dialect) = Items::new(entry.value).find_map(by_block) {
                        return (Some(dialect), system_role);
                    }
                }
                _ => {}
            }
        }
    }
    (None, system_role)
}

fn by_block(block: &[u8]) -> Option<Dialect> {
    match find(block, "type").and_then(text_of)?.as_ref() {
        "tool_use" | "tool_result" | "thinking" | "redacted_thinking" | "server_tool_use"
        | "image" | "document" | "search_result" => Some(Dialect::Anthropic),
        "image_url" | "input_audio" | "file" | "refusal" | "input_text" | "input_image" => {
            Some(Dialect::OpenaiChat)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
