//! The request of the Responses API.

mod hosted;
mod items;
mod parts;
mod read;
mod tools;
mod write;
mod write_items;
mod write_tools;

pub(crate) use hosted::{function_name, input as hosted_input, mark_redacted, write_hosted_call};
pub(crate) use items::{joined, tool_input};
pub(crate) use parts::{Keep, citation, citations, content};
pub use read::read;
pub use write::write;

#[cfg(test)]
mod tests;
