//! The request of Chat Completions.

mod read;
mod write;

pub use read::read;
pub use write::write;

#[cfg(test)]
mod tests;
