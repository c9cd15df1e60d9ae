//! The Gemini `generateContent` API.

mod read;
mod shape;
mod write;

pub(crate) use read::{read, read_count};
pub(crate) use write::write;
