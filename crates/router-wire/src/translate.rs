//! From the client's dialect to the upstream's, and the whole way back.
//!
//! This is the only place that knows all dialects. A dialect is a module with four parts, and the
//! functions here call them by `match`:
//!
//! ```text
//! DIALECT/request.rs   read(body: &str, extra: &RequestExtra) -> Result<Request, ReadError>
//!                      write(&Request, &Target, &mut Losses, &mut Vec<u8>) -> Result<(), Refusal>
//! DIALECT/response.rs  read(body: &str, &mut Losses) -> Result<Answer, JsonError>
//!                      write(&Response, &Session, &mut Losses, &mut Vec<u8>)
//! DIALECT/stream.rs    Reader: Default         Reader::event(&mut self, name, data, sink)
//!                      Writer: Default         Writer::event(&mut self, &Session, &Event, out)
//!                                              Writer::ping(&self, out)   Writer::place(..)
//! ```
//!
//! Between them, dialects need nothing of each other: `fit` adapts the request to the target, the
//! sequencer puts blocks in a row, the stage restores tool names and watches for stop sequences,
//! and the translator knows `[DONE]`, the end of input, and an answer that came whole.

use std::borrow::Cow;

use crate::canonical::{Loss, Response, Severity};
use crate::dialect::Dialect;
use crate::error::{ClientError, ErrorKind};
use crate::facts::Facts;
use crate::json::JsonError;

mod dispatch;
mod keep;
mod leave;
mod mend;
mod request;
mod session;
mod stage;
mod stream;
mod strip;
mod unique;

pub(crate) use keep::REDACTED;
pub use keep::{KEPT_BYTES_MAX, KEPT_MAX};
pub use leave::without_members;
pub use request::{estimate_tokens, read_count, translate_request};
pub use session::{Session, ToolAlias, native_session, native_vendor};
pub(crate) use stage::{ANSWER_PART, HOSTED_STEP, WRAPPED_MEMBER};
pub use stream::{Progress, StreamTranslator, Translated, WHOLE_MAX};
pub use strip::{without_foreign_state, without_state};

/// What the request is translated for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// What the upstream speaks.
    pub dialect: Dialect,
    /// The model's id at the upstream.
    pub model: &'a str,
    /// What is known about the model.
    pub facts: &'a Facts,
    /// What the operator wants.
    pub options: &'a Options,
}

/// What the operator wants of translations.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether Chat clients see the model's thinking as `reasoning_content`.
    pub reasoning_to_chat: bool,
    /// Severities of losses that are refused with a 400.
    pub strict: Vec<Severity>,
    /// Limit on the answer where neither the client nor the model facts state one, in tokens.
    pub max_tokens_default: u64,
    /// `anthropic-version` for requests the router writes.
    pub anthropic_version: String,
    /// Whether a cache mark of an hour may become the dearer 12 hours at OpenAI.
    pub cache_12h: bool,
    /// Whether [`RequestExtra::effort`] counts where the body asks for no effort.
    pub effort_headers: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reasoning_to_chat: true,
            strict: Vec::new(),
            max_tokens_default: 8192,
            anthropic_version: "2023-06-01".to_owned(),
            cache_12h: false,
            effort_headers: false,
        }
    }
}

/// What belongs to a request and does not stand in its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestExtra<'a> {
    /// Model in the path (Gemini). Outweighs the body.
    pub model: Option<&'a str>,
    /// Whether the path asks for a stream (Gemini).
    pub stream: bool,
    /// Whether that stream is to be one JSON array (Gemini without `alt=sse`).
    pub json_array: bool,
    /// The session the client states in a header, if any.
    pub session: Option<&'a str>,
    /// The key of the prompt cache that the client states in a header, if any.
    pub cache_key: Option<&'a str>,
    /// The level of effort that the client states in a header, if any.
    pub effort: Option<&'a str>,
    /// The name the answer shows as the model. Nothing: the name the client asked for.
    pub model_shown: Option<&'a str>,
    /// Now, in seconds since 1970, for dialects whose answers carry a time.
    pub now_s: u64,
    /// Whether all state of earlier reasoning is left out, because the upstream could not read it.
    pub stateless: bool,
    /// Opaque reasoning state kept for this client by tool-call id, for dialects that cannot
    /// carry it (Chat, Gemini): id and wrapped state as [`Session`] gave them out.
    pub kept: &'a [(String, String)],
}

/// A request ready for the upstream.
#[derive(Debug)]
pub struct Outbound {
    /// The body.
    pub body: Vec<u8>,
    /// Whether it asks for a stream. Gemini is asked by the path.
    pub stream: bool,
    /// Headers the body needs, such as `anthropic-version`.
    pub headers: Vec<(&'static str, String)>,
    /// What could not be carried.
    pub losses: Vec<Loss>,
    /// What the way back needs.
    pub session: Session,
}

/// An upstream's 200: an answer, or an error in disguise.
#[derive(Debug)]
pub enum Answer<'a> {
    /// An answer.
    Response(Box<Response<'a>>),
    /// An error object.
    Failed(Box<ClientError>),
}

/// Why a client's body cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or a member of the wrong type.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A message thread is to be continued, which needs an upstream with memory.
    #[error("the message thread is not known here")]
    ThreadNotFound,
}

/// A request the target cannot serve.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct Refusal {
    /// Path in the client's request.
    pub path: String,
    /// Why.
    pub why: Cow<'static, str>,
}

impl Refusal {
    /// A refusal of the member at `path`.
    pub fn new(path: impl Into<String>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { path: path.into(), why: why.into() }
    }
}

/// Why a request was not translated. All are the client's to mend.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TranslateError {
    /// The body is not what the client's dialect says.
    #[error("{}{problem}", at(path))]
    Malformed {
        /// Path of the value at fault; empty for the whole body.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The target cannot do what is asked.
    #[error("{}{why}", at(path))]
    Refused {
        /// Path of the member that asks for it.
        path: String,
        /// Why it cannot be done.
        why: String,
    },
    /// The operator does not want these losses.
    #[error("the translation would lose {}", .0.iter().map(|l| l.path.as_str()).collect::<Vec<_>>().join(", "))]
    Strict(Vec<Loss>),
    /// A message thread cannot be continued on a stateless upstream: answer 404 with
    /// `error.details.error_code` set to [`THREAD_NOT_FOUND`], and the client replays it whole.
    #[error("the message thread is not known here; send the whole conversation")]
    ThreadNotFound,
}

/// The one member under which tool input that is not a JSON object is handed to clients that need
/// an object.
pub const RAW_INPUT: &str = "_raw_arguments";

/// The code that tells Anthropic SDKs to replay a message thread.
pub const THREAD_NOT_FOUND: &str = "thread_not_found";

impl TranslateError {
    /// What the client is told.
    pub fn to_client_error(&self) -> ClientError {
        let error = match self {
            Self::Malformed { .. } | Self::Refused { .. } | Self::Strict(_) => {
                ClientError::new(ErrorKind::InvalidRequest, self.to_string())
            }
            Self::ThreadNotFound => ClientError::new(ErrorKind::NotFound, self.to_string())
                .with_detail(THREAD_NOT_FOUND),
        };
        match self.param() {
            Some(path) => error.with_param(path),
            None => error,
        }
    }

    /// The request member at fault, if one is.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Malformed { path, .. } | Self::Refused { path, .. } => {
                (!path.is_empty()).then_some(path.as_str())
            }
            Self::Strict(losses) => losses.first().map(|loss| loss.path.as_str()),
            Self::ThreadNotFound => None,
        }
    }
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

#[cfg(test)]
mod tests;
