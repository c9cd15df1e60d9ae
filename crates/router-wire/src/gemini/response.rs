//! The whole answer of generateContent.

mod chunk;
mod cite;
mod logprobs;
mod read;
mod write;

pub use read::read;
pub use write::write;

pub(super) use chunk::{Candidate, Chunk};
pub(super) use logprobs::write as write_logprobs;
pub(super) use write::{finish_reason, keep, shows, write_args, write_grounding};
