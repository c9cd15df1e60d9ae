//! The stream of the Responses API.

mod annotation;
mod call;
mod items;
mod read;
mod read_items;
mod suffix;
mod write;

pub use read::Reader;
pub use write::Writer;

#[cfg(test)]
pub(crate) mod tests;
