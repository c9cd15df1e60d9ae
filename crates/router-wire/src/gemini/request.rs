//! The request of generateContent.

mod config;
mod contents;
mod read;
mod tools;
mod write;
mod write_contents;
mod write_tools;

pub use read::read;
pub use write::write;

pub(super) use read::from_cursor;
pub(super) use write::write_object;
