//! The llm-router command.

use std::process::ExitCode;

use clap::Parser;

mod args;
mod command;
mod exit;
mod holder;
mod operator;
mod output;

/// Without huge pages, which would double the memory of an idle router. Bodies of 200 KB come and go with every request; glibc's allocator maps and unmaps each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    match command::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output::failure(&failure),
    }
}
