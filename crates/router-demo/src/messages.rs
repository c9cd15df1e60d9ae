//! The Messages API.

mod read;
mod rules;
mod shape;
mod write;

pub(crate) use read::{read, read_count};
pub(crate) use write::write;
