//! The request of the Responses API.

mod hosted;
mod items;
mod parts;
mod read;
mod tools;
mod write;
mod write_items;
mod write_tools;

pub use read::read;
pub use write::write;

#[cfg(test)]
mod tests;
