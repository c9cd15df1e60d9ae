//! JSON as the translators need it: read in one borrowed pass, written straight into a buffer.
//!
//! Agent bodies are a few hundred kilobytes of long strings that most translations only move from
//! one member to another. So a string is kept as it stands between its quotes ([`Str::Literal`])
//! and copied into the output without being unescaped and escaped again; only code that must look
//! inside decodes it. The reader checks the full grammar (strings with their escapes and control
//! characters, numbers, nesting), so whatever was read is safe to copy.
//!
//! ```text
//! let mut c = Cursor::new(body);
//! let mut members = c.object()?;
//! while let Some(key) = members.next(&mut c)? {
//!     match key.as_ref() {
//!         "model" => model = Some(c.str()?),
//!         _ => extras.push((key, c.raw()?)),
//!     }
//! }
//! c.end()?;
//! ```

mod cursor;
pub mod out;
mod path;
mod scan;
mod surrogate;
mod text;

pub use cursor::{Cursor, Items, Kind, Members, Raw};
pub use out::{Array, Object};
pub use path::path_at;
pub use surrogate::mended;
pub use text::Str;

use std::borrow::Cow;

/// Deepest nesting that is read; more is an error. The same figure as in `serde_json`.
pub const DEPTH_MAX: u8 = 128;

/// Text that is not JSON, or JSON that is not what was asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct JsonError {
    /// Where, in bytes from the start of the text; [`path_at`] turns it into a path.
    pub at: usize,
    /// What was wrong, in words a person who wrote the request can use.
    pub problem: Cow<'static, str>,
}

impl JsonError {
    /// An error at `at`.
    pub fn new(at: usize, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { at, problem: problem.into() }
    }
}

#[cfg(test)]
mod tests;
