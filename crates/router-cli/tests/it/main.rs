//! The command as a process: files, exit codes, JSON.
#![expect(
    clippy::unwrap_used,
    clippy::unnecessary_debug_formatting,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::too_many_lines,
    reason = "tests stop where something is missing, and tables are long"
)]

mod asking;
mod clients;
mod colours;
mod common;
mod files;
mod input;
mod json;
mod look;
mod prompt;
mod put;
mod quick;
mod running;
