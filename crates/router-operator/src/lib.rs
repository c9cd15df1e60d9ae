//! What an operator does, as functions that return data.
//!
//! The command line prints these results and a terminal interface shows them; neither holds logic
//! of its own. Nothing here prints, asks or reads arguments.

pub mod change;
pub mod discover;
pub mod doctor;
mod failure;
pub mod file;
pub mod guide;
pub mod import;
pub mod instance;
pub mod mask;
pub mod operate;
pub mod presets;
pub mod probe;
pub mod retest;
pub mod service;
pub mod tools;
pub mod update;
pub mod upstream;
pub mod view;

pub use failure::{Failure, Kind};

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}
