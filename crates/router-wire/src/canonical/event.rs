//! A streamed answer, piece by piece.
//!
//! A reader turns every upstream event into zero or more of these and hands each to a sink while
//! it borrows from the upstream's bytes. Blocks carry a key the reader chooses (the upstream's
//! index, or a count); keys are not reused within one answer. A reader may have several blocks
//! open at once: the [`super::Sequencer`] in front of every writer puts them in a row, so that a
//! writer sees exactly one open block at a time, in order of opening:
//!
//! ```text
//! Start (Open Delta* Close)* Finish Usage* End        a whole answer
//! Start ...                              Failed       an upstream that reported an error
//! ```
//!
//! `Usage` and `Ping` may stand anywhere after `Start`. `Finish` comes once. A stream whose bytes
//! end without `End` (or without `Finish`, for dialects that have no end marker) was cut: that is
//! for the translator to say, no reader invents an end.

use std::borrow::Cow;

use super::content::{Citation, Json, Opaque, Origin};
use super::loss::Severity;
use super::stop::Stop;
use crate::error::ClientError;
use crate::json::Str;
use crate::usage::Usage;

/// Who answers.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// The upstream's id for the answer.
    pub id: Str<'a>,
    /// The model that answers.
    pub model: Str<'a>,
    /// When it was made, in seconds since 1970.
    pub created_s: Option<u64>,
    /// Class of service, in the upstream's word, when it is known this early.
    pub service_tier: Option<Str<'a>>,
}

/// What a block is.
#[derive(Clone, Debug)]
pub enum Block<'a> {
    /// Text.
    Text,
    /// Thinking; its [`Delta::Opaque`] comes before the close.
    Thinking {
        /// Whether the text is withheld.
        redacted: bool,
    },
    /// A tool call; its input comes as [`Delta::Input`].
    ToolCall {
        /// Identifies the call; never empty.
        id: Str<'a>,
        /// The tool; never empty.
        name: Str<'a>,
        /// Group the tool belongs to.
        namespace: Option<Str<'a>>,
        /// Whether the input is free text.
        custom: bool,
        /// Hosted item type in the client's dialect, when the tool was shown as a function.
        hosted: Option<Cow<'a, str>>,
    },
    /// A refusal in words.
    Refusal,
}

/// More of a block.
#[derive(Clone, Debug)]
pub enum Delta<'a> {
    /// Text of a text, thinking or refusal block.
    Text(Str<'a>),
    /// A paragraph break between parts of a thinking summary.
    Break,
    /// JSON text of a tool call's arguments, or free text of a custom call.
    Input(Str<'a>),
    /// What the text cites.
    Citation(Citation<'a>),
    /// The state that continues the thinking.
    Opaque(Opaque<'a>),
    /// Probabilities of the text's tokens: items of Chat's `logprobs.content`, as a JSON array.
    Logprobs(Json<'a>),
}

/// One event.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The answer begins. Once, first.
    Start(Start<'a>),
    /// A block begins.
    Open {
        /// The block's key.
        block: u32,
        /// What it is.
        kind: Block<'a>,
    },
    /// More of an open block.
    Delta {
        /// The block's key.
        block: u32,
        /// What comes.
        delta: Delta<'a>,
    },
    /// A block is complete.
    Close {
        /// The block's key.
        block: u32,
    },
    /// Tokens so far. Cumulative: present figures replace earlier ones.
    Usage(Usage),
    /// Why the answer ended. Open blocks end with it. Usage may still follow.
    Finish(Stop<'a>),
    /// The upstream's end marker. Nothing follows.
    End,
    /// The upstream reported an error; [`crate::error::UpstreamError`] reads it. Nothing follows.
    Failed(Box<ClientError>),
    /// The upstream is alive, and says nothing.
    Ping,
    /// What follows is another of several answers. Only whole answers are told so, one after the
    /// other; the first is not announced.
    Choice(u32),
    /// Something of the answer that no other dialect has. It is only counted.
    Lost {
        /// How much it matters.
        severity: Severity,
        /// Its name in reports.
        code: &'static str,
        /// Where it stood.
        origin: Origin,
        /// Why it is lost.
        why: &'static str,
    },
}
