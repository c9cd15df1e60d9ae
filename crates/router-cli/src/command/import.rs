//! `llm-router import`: the settings of other programs.

use std::fs::File;
use std::io::{self, Read};

use router_operator::import;

use super::edit::apply;
use crate::args::import::Import;
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};

/// Bytes of a file of another program at most.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads the file and puts what it holds into the config; says what was left out.
pub(crate) fn run(cx: &Cx, flags: &Import) -> Result<Outcome, Failure> {
    let text = text(flags).map_err(|error| {
        Failure::input(format!("cannot read {}: {error}", flags.file.display()))
    })?;
    let imported = import::read(flags.from.origin(), &text)?;
    apply(cx, flags.edit, |document| imported.apply(document))
}

fn text(flags: &Import) -> io::Result<String> {
    let file: Box<dyn Read> = if flags.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&flags.file)?)
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if FILE_BYTES_MAX < text.len().try_into().unwrap_or(u64::MAX) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}
