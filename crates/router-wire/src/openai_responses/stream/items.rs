//! The items of an answer that is being written, and the events that tell of them.

use super::annotation::push_annotation;
use super::call::Call;
use super::write::event;
use crate::canonical::Citation;
use crate::json::{Object, Str};
use crate::openai_responses::response::flat;

/// The kind of item that is open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Item {
    #[default]
    None,
    Message,
    Reasoning,
    Call,
}

/// How far an item has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

/// The kind of part that is open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Part {
    #[default]
    None,
    Text,
    Refusal,
    Summary,
}

/// All items of one answer. Buffers hold JSON text and are used again for the next item.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// Only the answer object is wanted.
    quiet: bool,
    sequence: u64,
    suffix: String,
    /// Finished items, with commas between.
    output: Vec<u8>,
    index: u64,
    item: Item,
    id: String,
    part: Part,
    part_index: u64,
    /// Finished parts of the open item, with commas between.
    parts: Vec<u8>,
    /// Text of the open part, or input of the open call: the inside of a JSON string.
    text: Vec<u8>,
    annotations: Vec<u8>,
    annotation_count: u64,
    logprobs: Vec<u8>,
    call: Call,
    /// Encrypted state of the open reasoning item: the inside of a JSON string.
    state: Vec<u8>,
}

impl Items {
    pub(super) fn quiet() -> Self {
        Self { quiet: true, ..Self::default() }
    }

    pub(super) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn set_suffix(&mut self, suffix: String) {
        self.suffix = suffix;
    }

    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    pub(super) fn is_in(&self, item: Item) -> bool {
        self.item == item
    }

    /// An event that tells of the whole answer. [`Items::count`] must follow.
    pub(super) fn emit_response(
        &self,
        name: &str,
        out: &mut Vec<u8>,
        response: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut object = event(name, self.sequence, out);
        response(object.key("response"));
        object.end();
        out.extend_from_slice(b"\n\n");
    }

    pub(super) const fn count(&mut self) {
        self.sequence += 1;
    }

    fn emit(
        &mut self,
        name: &str,
        out: &mut Vec<u8>,
        members: impl FnOnce(&Self, &mut Object<'_>),
    ) {
        if self.quiet {
            return;
        }
        let mut object = event(name, self.sequence, out);
        members(self, &mut object);
        object.end();
        out.extend_from_slice(b"\n\n");
        self.sequence += 1;
    }

    /// An event about the open item.
    fn emit_item(
        &mut self,
        name: &str,
        out: &mut Vec<u8>,
        members: impl FnOnce(&Self, &mut Object<'_>),
    ) {
        self.emit(name, out, |items, object| {
            object.text("item_id", &items.id).int("output_index", items.index);
            members(items, object);
        });
    }

    /// An event about the open part.
    fn emit_part(
        &mut self,
        name: &str,
        out: &mut Vec<u8>,
        members: impl FnOnce(&Self, &mut Object<'_>),
    ) {
        self.emit_item(name, out, |items, object| {
            let key = if items.part == Part::Summary { "summary_index" } else { "content_index" };
            object.int(key, items.part_index);
            members(items, object);
        });
    }

    fn begin_item(&mut self, item: Item, prefix: &str, out: &mut Vec<u8>) {
        self.item = item;
        self.id.clear();
        self.id.push_str(prefix);
        self.id.push_str(&self.suffix);
        self.id.push('_');
        self.id.push_str(&self.index.to_string());
        self.part_index = 0;
        self.parts.clear();
        self.text.clear();
        self.state.clear();
        // A hosted call is told of when all of its input is known.
        if self.call.hosted.is_none() || item != Item::Call {
            self.emit_added(out);
        }
    }

    fn emit_added(&mut self, out: &mut Vec<u8>) {
        self.emit("response.output_item.added", out, |items, object| {
            object.int("output_index", items.index);
            items.write(Status::InProgress, object.key("item"));
        });
    }

    /// Begins a text or refusal in the open message, or in a new one.
    pub(super) fn begin_message_part(&mut self, refusal: bool, out: &mut Vec<u8>) {
        if self.item != Item::Message {
            self.end_item(Status::Completed, out);
            self.begin_item(Item::Message, "msg_", out);
        }
        self.part = if refusal { Part::Refusal } else { Part::Text };
        self.text.clear();
        self.annotations.clear();
        self.annotation_count = 0;
        self.logprobs.clear();
        self.emit_part("response.content_part.added", out, |items, object| {
            items.write_part(object.key("part"));
        });
    }

    /// Begins a reasoning item.
    pub(super) fn begin_reasoning(&mut self, out: &mut Vec<u8>) {
        self.end_item(Status::Completed, out);
        self.begin_item(Item::Reasoning, "rs_", out);
    }

    /// Whether a reasoning item is open that nobody could continue.
    pub(super) fn lacks_state(&self) -> bool {
        self.item == Item::Reasoning && self.state.is_empty()
    }

    pub(super) fn set_state(&mut self, state: Vec<u8>) {
        if self.item == Item::Reasoning {
            self.state = state;
        }
    }

    pub(super) fn begin_call(&mut self, call: Call, out: &mut Vec<u8>) {
        self.call = call;
        let prefix = self.call.prefix();
        self.begin_item(Item::Call, prefix, out);
    }

    /// More text of the open part. In a reasoning item it begins a part if none is open.
    pub(super) fn text(&mut self, text: &Str<'_>, out: &mut Vec<u8>) {
        let name = match (self.item, self.part) {
            (Item::Reasoning, Part::None) => {
                self.part = Part::Summary;
                self.text.clear();
                self.emit_part("response.reasoning_summary_part.added", out, |items, object| {
                    items.write_part(object.key("part"));
                });
                "response.reasoning_summary_text.delta"
            }
            (_, Part::Summary) => "response.reasoning_summary_text.delta",
            (_, Part::Text) => "response.output_text.delta",
            (_, Part::Refusal) => "response.refusal.delta",
            (_, Part::None) => return,
        };
        text.push_inner(&mut self.text);
        self.emit_part(name, out, |items, object| {
            object.str("delta", text);
            if items.part == Part::Text {
                object.raw("logprobs", "[]");
            }
        });
    }

    /// A citation of the open text.
    pub(super) fn annotation(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        let start = self.annotations.len();
        if self.part != Part::Text || !push_annotation(citation, &self.text, &mut self.annotations)
        {
            return;
        }
        let index = self.annotation_count;
        self.annotation_count += 1;
        self.emit_part("response.output_text.annotation.added", out, |items, object| {
            object.int("annotation_index", index);
            let written = items.annotations.get(start..).unwrap_or_default();
            let written = written.strip_prefix(b",").unwrap_or(written);
            object.key("annotation").extend_from_slice(written);
        });
    }

    /// Probabilities of the open text's tokens: a JSON array.
    pub(super) fn logprobs(&mut self, json: &str, out: &mut Vec<u8>) {
        let inner = json.trim_ascii();
        let inner = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let Some(inner) = inner.map(str::trim_ascii).filter(|inner| !inner.is_empty()) else {
            return;
        };
        if self.part != Part::Text {
            return;
        }
        let start = self.logprobs.len();
        if start > 0 {
            self.logprobs.push(b',');
        }
        flat(&mut self.logprobs, inner);
        self.emit_part("response.output_text.delta", out, |items, object| {
            let written = items.logprobs.get(start..).unwrap_or_default();
            let buffer = object.text("delta", "").key("logprobs");
            buffer.push(b'[');
            buffer.extend_from_slice(written.strip_prefix(b",").unwrap_or(written));
            buffer.push(b']');
        });
    }

    /// More input of the open call.
    pub(super) fn input(&mut self, text: &Str<'_>, out: &mut Vec<u8>) {
        if self.item != Item::Call || text.is_empty() {
            return;
        }
        text.push_inner(&mut self.text);
        if self.call.hosted.is_some() {
            return;
        }
        let name = if self.call.custom {
            "response.custom_tool_call_input.delta"
        } else {
            "response.function_call_arguments.delta"
        };
        self.emit_item(name, out, |_, object| {
            object.str("delta", text);
        });
    }

    /// Ends the open part, if there is one.
    pub(super) fn end_part(&mut self, out: &mut Vec<u8>) {
        let (done, member, part_done) = match self.part {
            Part::None => return,
            Part::Text => ("response.output_text.done", "text", "response.content_part.done"),
            Part::Refusal => ("response.refusal.done", "refusal", "response.content_part.done"),
            Part::Summary => (
                "response.reasoning_summary_text.done",
                "text",
                "response.reasoning_summary_part.done",
            ),
        };
        self.emit_part(done, out, |items, object| {
            quoted(object.key(member), &items.text);
            if items.part == Part::Text {
                bracketed(object.key("logprobs"), &items.logprobs);
            }
        });
        self.emit_part(part_done, out, |items, object| items.write_part(object.key("part")));
        let mut parts = std::mem::take(&mut self.parts);
        if !parts.is_empty() {
            parts.push(b',');
        }
        self.write_part(&mut parts);
        self.parts = parts;
        self.part = Part::None;
        self.part_index += 1;
    }

    /// Ends the open item, if there is one.
    pub(super) fn end_item(&mut self, status: Status, out: &mut Vec<u8>) {
        self.end_part(out);
        match self.item {
            Item::None => return,
            Item::Message | Item::Reasoning => {}
            Item::Call => self.end_call(out),
        }
        let mut output = std::mem::take(&mut self.output);
        if !output.is_empty() {
            output.push(b',');
        }
        let start = output.len();
        self.write(status, &mut output);
        self.output = output;
        self.emit("response.output_item.done", out, |items, object| {
            object.int("output_index", items.index);
            let item = items.output.get(start..).unwrap_or_default();
            object.key("item").extend_from_slice(item);
        });
        self.item = Item::None;
        self.index += 1;
    }

    fn end_call(&mut self, out: &mut Vec<u8>) {
        if self.call.hosted.is_some() {
            let fits = self.call.fit(&self.text);
            self.emit_added(out);
            if fits {
                return;
            }
        } else if self.text.is_empty() && !self.call.custom {
            self.input(&Str::Literal("{}"), out);
        }
        let (name, member) = if self.call.custom {
            ("response.custom_tool_call_input.done", "input")
        } else {
            ("response.function_call_arguments.done", "arguments")
        };
        self.emit_item(name, out, |items, object| {
            quoted(object.key(member), &items.text);
        });
    }

    /// The open item as it stands.
    fn write(&self, status: Status, buffer: &mut Vec<u8>) {
        let mut object = Object::new(buffer);
        object.text("id", &self.id);
        let begun = status == Status::InProgress;
        match self.item {
            Item::None => {}
            Item::Message => {
                object.text("type", "message").text("status", status.name());
                object.text("role", "assistant");
                bracketed(object.key("content"), &self.parts);
            }
            Item::Reasoning => {
                object.text("type", "reasoning");
                bracketed(object.key("summary"), &self.parts);
                if !self.state.is_empty() {
                    quoted(object.key("encrypted_content"), &self.state);
                }
            }
            Item::Call => {
                object.text("status", status.name());
                self.call.write(&mut object, &self.text, begun);
            }
        }
        object.end();
    }

    /// The open part as it stands.
    fn write_part(&self, buffer: &mut Vec<u8>) {
        let mut object = Object::new(buffer);
        match self.part {
            Part::None => {}
            Part::Text => {
                object.text("type", "output_text");
                bracketed(object.key("annotations"), &self.annotations);
                bracketed(object.key("logprobs"), &self.logprobs);
                quoted(object.key("text"), &self.text);
            }
            Part::Refusal => {
                object.text("type", "refusal");
                quoted(object.key("refusal"), &self.text);
            }
            Part::Summary => {
                object.text("type", "summary_text");
                quoted(object.key("text"), &self.text);
            }
        }
        object.end();
    }
}

/// Appends a JSON string of its inside.
pub(super) fn quoted(buffer: &mut Vec<u8>, inner: &[u8]) {
    buffer.push(b'"');
    buffer.extend_from_slice(inner);
    buffer.push(b'"');
}

fn bracketed(buffer: &mut Vec<u8>, inner: &[u8]) {
    buffer.push(b'[');
    buffer.extend_from_slice(inner);
    buffer.push(b']');
}
