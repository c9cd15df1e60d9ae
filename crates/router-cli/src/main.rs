//! The llm-router command.

use std::process::ExitCode;

mod args;
mod command;
mod cx;
mod operator;
mod outcome;
mod output;

/// Without huge pages, which would double the memory of an idle router. Bodies of 200 KB come and go with every request; glibc's allocator maps and unmaps each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let typed = args::typed(std::env::args_os().collect());
    let arguments = match args::parse(&typed) {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error, &typed),
    };
    let cx = cx::Cx::new(arguments.global);
    let ended = command::run(&cx, arguments.command);
    output::end(ended, cx.json)
}
