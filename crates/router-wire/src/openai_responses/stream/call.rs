//! A tool call that is being written.

use super::items::quoted;
use crate::json::{Object, Raw, Str};
use crate::openai_responses::request::{function_name, write_hosted_call};
use crate::openai_responses::response::flat;

/// A tool call without its input.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) custom: bool,
    /// Item type of a tool that the vendor defines and the client runs.
    pub(super) hosted: Option<String>,
}

/// The item type of a hosted tool, whose own type lacks the `_call`.
pub(super) fn item_type(kind: &str) -> String {
    if kind.ends_with("_call") { kind.to_owned() } else { format!("{kind}_call") }
}

impl Call {
    /// What the ids of such items begin with.
    pub(super) fn prefix(&self) -> &'static str {
        match self.hosted.as_deref() {
            Some("apply_patch_call") => "apc_",
            Some("shell_call") => "sh_",
            Some(_) => "lsh_",
            None if self.custom => "ctc_",
            None => "fc_",
        }
    }

    /// Whether the input makes a hosted item. If not it becomes a plain function call: the client
    /// gets the arguments as they came.
    pub(super) fn fit(&mut self, input: &[u8]) -> bool {
        if object(input).is_none()
            && let Some(kind) = self.hosted.take()
        {
            function_name(&kind).clone_into(&mut self.name);
        }
        self.hosted.is_some()
    }

    /// The members of the item but `id` and `status`. `input` is the inside of a JSON string, and
    /// left out of an item that has just begun.
    pub(super) fn write(&self, item: &mut Object<'_>, input: &[u8], begun: bool) {
        let Self { id, name, namespace, custom, hosted } = self;
        if let Some(kind) = hosted {
            let mut line = Vec::new();
            flat(&mut line, object(input).as_deref().unwrap_or("{}"));
            let line = String::from_utf8(line).unwrap_or_default();
            return write_hosted_call(item, kind, &Str::plain(id), &line);
        }
        item.text("type", if *custom { "custom_tool_call" } else { "function_call" });
        item.text("call_id", id).text("name", name);
        if let Some(space) = namespace {
            item.text("namespace", space);
        }
        let input = if begun { b"" } else { input };
        quoted(item.key(if *custom { "input" } else { "arguments" }), input);
    }
}

/// The input as JSON text, if it is an object.
fn object(input: &[u8]) -> Option<String> {
    let inner = std::str::from_utf8(input).ok()?;
    let text = Str::Literal(inner).decode().into_owned();
    (text.trim_ascii_start().starts_with('{') && Raw::parse(&text).is_ok()).then_some(text)
}
