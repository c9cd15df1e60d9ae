//! The Chat Completions API.

mod read;
mod shape;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;
