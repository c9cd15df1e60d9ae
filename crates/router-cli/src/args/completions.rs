//! Flags of `completions` and `man`.

use clap::Args;
use clap_complete::Shell;

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell; its start-up file or completion folder takes what is printed.
    pub(crate) shell: Shell,
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// A command, such as `provider add` [default: the page that lists them all].
    pub(crate) command: Vec<String>,
}
