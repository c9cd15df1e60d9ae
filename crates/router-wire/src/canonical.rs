//! The one form between all dialects: request, response and event stream.
//!
//! Each dialect has one reader into this form and one writer from it, and knows nothing of any
//! other dialect. The form holds everything that at least two dialects share. What only one
//! dialect has is kept raw ([`Extra`], [`Foreign`]) together with the reader's word on what is to
//! become of it elsewhere, so that no writer needs to know where a request came from.
//!
//! ```text
//! client bytes --reader--> Request --fit (facts of the target)--> Request --writer--> upstream bytes
//! upstream bytes --reader--> Response --restore (names, ids)----> Response --writer--> client bytes
//! upstream SSE   --reader--> Event ... --sequencer--------------> Event ... --writer--> client SSE
//! ```
//!
//! Rules for readers:
//! - Borrow from the input; text stays [`crate::json::Str::Literal`].
//! - A wrong type is a [`crate::json::JsonError`]; it becomes a 400 that names the path.
//! - Nothing is skipped silently: an unknown member becomes an [`Extra`], an unknown part, item or
//!   tool a [`Foreign`].
//! - No policy: what the target cannot take is the business of `fit` and of the writer.
//!
//! Rules for writers:
//! - What is set is legal for the target model: `fit` has run. Write it as it stands.
//! - Take structs apart without `..`, so that a new field cannot be forgotten, and report to
//!   [`Losses`] each field that is set and has no place in the dialect.
//! - Deterministic: the same canonical value gives the same bytes.

mod content;
pub mod effort;
pub mod envelope;
mod event;
mod loss;
mod request;
mod response;
mod sequence;
mod stop;
mod tool;

pub use content::{
    CacheMark, Citation, Content, Detail, Document, Image, Json, Media, Opaque, Origin, Part, Role,
    SearchResult, TOOL_ERROR_PREFIX, Thinking, ToolCall, ToolInput, ToolResult, Turn,
};
pub use effort::{Effort, Reasoning, Shown, ThinkingForm};
pub use event::{Block, Delta, Event, Start};
pub use loss::{LOSSES_MAX, Loss, Losses, Severity, member_path};
pub use request::{
    CacheSettings, Extra, Fallback, Foreign, Identity, Logprobs, OutputFormat, Request, Sampling,
    ServiceTier, Storage, Verbosity,
};
pub use response::{Choice, Response};
pub use sequence::{HELD_MAX, Sequencer};
pub use stop::{Stop, StopReason};
pub use tool::{CustomFormat, CustomTool, Function, Tool, ToolChoice, ToolName, WebSearch};
