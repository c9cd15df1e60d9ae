//! The command as a process: files, exit codes, JSON.

mod asking;
mod colours;
mod common;
mod files;
mod input;
mod json;
mod quick;
