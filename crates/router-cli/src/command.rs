//! What the commands do: one file each.

use crate::args::{Arguments, Command};
use crate::exit::Failure;

mod explain;
mod records;
mod simulate;
mod start;
mod validate;

/// Runs the command that was typed.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Start(flags) => start::run(&flags),
        Command::Validate(flags) => validate::run(&flags),
        Command::Explain(flags) => explain::run(flags),
        Command::Simulate(flags) => simulate::run(&flags),
        Command::Records(flags) => records::run(&flags),
        Command::Schema => {
            crate::output::result(&format!("{:#}", router_config::schema::json_schema()));
            Ok(())
        }
    }
}
