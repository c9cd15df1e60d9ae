//! The stream of generateContent: pieces of the answer, each a whole object of the same form.
//!
//! There is no end marker: the finish reason of the candidate ends the answer. Function calls
//! come whole.

mod read;
mod write;

pub use read::Reader;
pub use write::Writer;

#[cfg(test)]
mod tests;
