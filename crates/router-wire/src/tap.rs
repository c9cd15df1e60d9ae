//! Watching an answer pass, without changing or delaying a byte of it.
//!
//! A host pushes every piece of a passing stream through a [`Tap`] and learns from [`Seen`] when
//! the first meaningful output came (until then another candidate may still take over), whether
//! the stream ended as its dialect wants it to, and what it cost.
//!
//! | dialect | start-up events | terminal event |
//! |---|---|---|
//! | Messages | `message_start`, `ping`, the start of an empty text or thinking block, empty deltas | `message_stop` |
//! | Chat | chunks whose deltas hold nothing but a role, or no choices | `[DONE]`, or a finish reason for each choice the client asked for |
//! | Responses | `created`, `queued`, `in_progress`, the start of a message or reasoning item or part, empty deltas | `completed`, `incomplete` |
//! | Gemini | candidates without parts | a finish or block reason |
//!
//! An error event ends a stream of any dialect.

mod figures;
mod parts;

pub use figures::{finish_reason_of_body, usage_of_body};

use crate::error::{StreamPlace, UpstreamError};
use crate::peek::{Items, Members, count_of, find, find_path, text_of};
use crate::sse::{Decoder, EVENT_BYTES_MAX, Event};
use crate::{Dialect, Usage};
use parts::{Parts, inner, is_blank};

/// What has passed so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent things seen of a stream")]
pub struct Seen {
    /// How many events, comments not counted.
    pub events_count: u64,
    /// How many of them had data that is neither an end marker nor JSON in UTF-8.
    pub malformed_count: u64,
    /// Whether there was output that a client can use. An error alone is none.
    pub meaningful: bool,
    /// Whether the terminal event came.
    pub terminal: bool,
    /// Whether `[DONE]` came, in Chat.
    pub done: bool,
    /// Whether an error event came.
    pub error: bool,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// With its terminal event.
    Clean,
    /// With an error event: the client knows.
    Failed,
    /// In the middle: the client needs a terminal error event.
    Truncated,
    /// It was no event stream, or an empty one.
    NoEvents,
    /// An event was too large to be watched, so nobody knows.
    Unwatched,
}

/// Watches one stream.
#[derive(Clone, Debug)]
pub struct Tap {
    decoder: Decoder,
    watch: Watch,
    unwatched: bool,
}

impl Tap {
    /// A tap on a stream of this dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self::with_event_bytes_max(dialect, EVENT_BYTES_MAX)
    }

    /// A tap that stops watching when one event is larger than this.
    pub fn with_event_bytes_max(dialect: Dialect, bytes_max: usize) -> Self {
        let decoder = Decoder::new(bytes_max);
        Self { decoder, watch: Watch::new(dialect), unwatched: false }
    }

    /// The same tap, on a Chat stream that holds this many choices side by side.
    #[must_use]
    pub fn with_choices(mut self, count: u64) -> Self {
        self.watch.choices_open = count;
        self
    }

    /// Looks at the next piece of the stream and tells what has passed up to its end.
    ///
    /// One piece may hold everything from the first event to an error: as long as the host has
    /// sent nothing, [`Seen::error`] counts for more than [`Seen::meaningful`].
    pub fn push(&mut self, piece: &[u8]) -> Seen {
        if !self.unwatched {
            let watch = &mut self.watch;
            self.unwatched = self.decoder.push(piece, |event| watch.event(event)).is_err();
            // Better to relay what cannot be understood than to hold it.
            watch.seen.meaningful |= self.unwatched;
        }
        self.watch.seen
    }

    /// The stream has ended: looks at an event whose blank line did not come, and judges.
    pub fn finish(&mut self) -> End {
        let watch = &mut self.watch;
        self.decoder.finish(|event| watch.event(event));
        match self.watch.seen {
            Seen { error: true, .. } => End::Failed,
            Seen { terminal: true, .. } => End::Clean,
            _ if self.unwatched => End::Unwatched,
            Seen { events_count: 0, .. } => End::NoEvents,
            _ => End::Truncated,
        }
    }

    /// What has passed so far.
    pub fn seen(&self) -> Seen {
        self.watch.seen
    }

    /// The token counts reported so far.
    pub fn usage(&self) -> Usage {
        self.watch.usage
    }

    /// Why the model stopped, in the stream's own words.
    pub fn finish_reason(&self) -> Option<&str> {
        self.watch.finish_reason.as_deref()
    }

    /// The error that came as an event.
    pub fn error(&self) -> Option<&UpstreamError> {
        self.watch.error.as_ref()
    }

    /// Whether the stream stands between two events, so that one may be added.
    pub fn is_between_events(&self) -> bool {
        self.decoder.is_between_events()
    }

    /// Where the stream stands, for the error event that ends it. `model` is the name the client
    /// asked for.
    pub fn place<'a>(&'a self, request_id: &'a str, model: &'a str) -> StreamPlace<'a> {
        StreamPlace {
            request_id,
            response_id: &self.watch.response_id,
            model,
            created_s: self.watch.response_created_s,
            sequence_number: self.watch.next_sequence_number,
        }
    }
}

#[derive(Clone, Debug)]
struct Watch {
    dialect: Dialect,
    seen: Seen,
    usage: Usage,
    finish_reason: Option<String>,
    error: Option<UpstreamError>,
    response_id: String,
    response_created_s: u64,
    next_sequence_number: u64,
    /// How many choices of a Chat stream have not come to their finish reason.
    choices_open: u64,
}

impl Watch {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            seen: Seen::default(),
            usage: Usage::default(),
            finish_reason: None,
            error: None,
            response_id: String::new(),
            response_created_s: 0,
            next_sequence_number: 0,
            choices_open: 1,
        }
    }

    fn event(&mut self, event: Event<'_>) {
        self.seen.events_count += 1;
        if event.is_done_marker() {
            self.seen.done |= self.dialect == Dialect::OpenaiChat;
            self.seen.terminal |= self.seen.done;
            return;
        }
        let text = std::str::from_utf8(event.data).is_ok();
        let Some(parts) = Parts::of(event.data).filter(|_| text) else {
            self.seen.malformed_count += 1;
            return;
        };
        let kind = parts.kind.unwrap_or(event.name);
        let failed = parts.error.is_some() && parts.choices.is_none();
        if failed || matches!(kind, b"error" | b"response.failed") || ended_failed(kind, &parts) {
            self.seen.error = true;
            self.error.get_or_insert_with(|| UpstreamError::read(0, event.data));
        }
        match self.dialect {
            Dialect::Anthropic => self.anthropic(kind, &parts),
            Dialect::OpenaiChat => self.chat(&parts),
            Dialect::OpenaiResponses => self.responses(kind, &parts),
            Dialect::Gemini => self.gemini(&parts),
        }
    }

    fn anthropic(&mut self, kind: &[u8], parts: &Parts<'_>) {
        match kind {
            b"message_start" => {
                if let Some(usage) = parts.message.and_then(|message| find(message, "usage")) {
                    self.usage.merge(&figures::anthropic(usage));
                }
            }
            b"content_block_delta" => self.note_output(parts.delta),
            b"content_block_start" if !self.seen.meaningful => {
                self.seen.meaningful = parts.content_block.is_some_and(block_has_output);
            }
            b"message_delta" => {
                if let Some(usage) = parts.usage {
                    self.usage.merge(&figures::anthropic(usage));
                }
                self.note_finish(parts.delta.and_then(|delta| find(delta, "stop_reason")));
            }
            b"message_stop" => self.seen.terminal = true,
            _ => {}
        }
    }

    fn chat(&mut self, parts: &Parts<'_>) {
        if let Some(usage) = parts.usage {
            self.usage.merge(&figures::chat(usage));
        }
        // After the first output only a finish is of interest, and most chunks have none.
        let choices = parts.choices.filter(|choices| !self.seen.meaningful || may_finish(choices));
        for choice in choices.map(Items::new).into_iter().flatten() {
            for entry in Members::new(choice) {
                match inner(entry.key) {
                    b"delta" | b"message" => self.note_output(Some(entry.value)),
                    b"text" => self.seen.meaningful |= !is_blank(entry.value),
                    b"finish_reason" => {
                        self.choices_open -=
                            u64::from(!is_blank(entry.value)).min(self.choices_open);
                        self.seen.terminal |= self.choices_open == 0;
                        self.note_finish(Some(entry.value));
                    }
                    _ => {}
                }
            }
        }
    }

    fn responses(&mut self, kind: &[u8], parts: &Parts<'_>) {
        if let Some(number) = parts.sequence_number.and_then(count_of) {
            self.next_sequence_number = number.saturating_add(1);
        }
        if let Some(response) = parts.response {
            self.response(response);
        }
        match kind {
            // `done` is what OpenRouter calls it.
            b"response.completed" | b"response.incomplete" | b"response.done" => {
                self.seen.terminal = true;
                self.seen.meaningful = true;
                let reason = parts.response.and_then(|response| {
                    find_path(response, &["incomplete_details", "reason"])
                        .or_else(|| find(response, "status"))
                });
                self.note_finish(reason);
            }
            b"response.created"
            | b"response.queued"
            | b"response.in_progress"
            | b"response.failed"
            | b"response.content_part.added"
            | b"response.reasoning_summary_part.added" => {}
            b"response.output_item.added" => {
                let item = parts.item.and_then(|item| find(item, "type")).map(inner);
                self.seen.meaningful |= !matches!(item, Some(b"message" | b"reasoning") | None);
            }
            _ if kind.ends_with(b".delta") => {
                self.seen.meaningful |= parts.delta.is_some_and(|delta| !is_blank(delta));
            }
            _ => self.seen.meaningful |= kind.starts_with(b"response."),
        }
    }

    fn response(&mut self, response: &[u8]) {
        for entry in Members::new(response) {
            match inner(entry.key) {
                b"id" if self.response_id.is_empty() => {
                    self.response_id = text_of(entry.value).unwrap_or_default().into_owned();
                }
                b"created_at" if self.response_created_s == 0 => {
                    self.response_created_s = count_of(entry.value).unwrap_or_default();
                }
                b"usage" => self.usage.merge(&figures::responses(entry.value)),
                _ => {}
            }
        }
    }

    fn gemini(&mut self, parts: &Parts<'_>) {
        if let Some(usage) = parts.usage {
            self.usage.merge(&figures::gemini(usage));
        }
        for candidate in parts.candidates.map(Items::new).into_iter().flatten() {
            let content = find_path(candidate, &["content", "parts"]);
            self.seen.meaningful |=
                content.is_some_and(|content| Items::new(content).any(part_has_output));
            self.note_terminal(find(candidate, "finishReason"));
        }
        self.note_terminal(parts.prompt_feedback.and_then(|it| find(it, "blockReason")));
    }

    fn note_output(&mut self, delta: Option<&[u8]>) {
        if !self.seen.meaningful {
            self.seen.meaningful = delta.is_some_and(has_output);
        }
    }

    fn note_terminal(&mut self, reason: Option<&[u8]>) {
        self.seen.terminal |= reason.is_some_and(|reason| !is_blank(reason));
        self.note_finish(reason);
    }

    /// An answer that ends is output, even when it is empty.
    fn note_finish(&mut self, reason: Option<&[u8]>) {
        if let Some(reason) = reason.and_then(text_of).filter(|reason| !reason.is_empty()) {
            self.seen.meaningful = true;
            self.finish_reason = Some(reason.into_owned());
        }
    }
}

/// Whether a list of choices may have a finish reason that is not null. Inside a string the quotes
/// would be escaped, so the searched text cannot be part of what the model said.
fn may_finish(choices: &[u8]) -> bool {
    const KEY: &[u8] = b"\"finish_reason\"";
    memchr::memmem::find_iter(choices, KEY).any(|at| {
        let value = choices.get(at + KEY.len()..).unwrap_or_default().trim_ascii_start();
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
        !value.starts_with(b"null")
    })
}

/// Whether a delta holds anything but its role and type.
fn has_output(delta: &[u8]) -> bool {
    Members::new(delta)
        .any(|entry| !matches!(inner(entry.key), b"role" | b"type") && !is_blank(entry.value))
}

fn part_has_output(part: &[u8]) -> bool {
    Members::new(part).any(|entry| inner(entry.key) != b"thought" && !is_blank(entry.value))
}

/// Whether the start of a Messages block says more than that a text or a thought begins.
fn block_has_output(block: &[u8]) -> bool {
    match find(block, "type").map(inner) {
        Some(b"text" | b"thinking") => has_output(block),
        Some(_) => true,
        None => false,
    }
}

/// Whether the last event of a Responses stream says that the answer failed, whatever it is called.
fn ended_failed(kind: &[u8], parts: &Parts<'_>) -> bool {
    let is_last = matches!(kind, b"response.completed" | b"response.incomplete" | b"response.done");
    let status = parts.response.filter(|_| is_last).and_then(|it| find(it, "status"));
    matches!(status, Some(b"\"failed\"" | b"\"cancelled\""))
}

#[cfg(test)]
mod tests;
