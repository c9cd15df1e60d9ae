//! `llm-router config edit`: the config in the operator's own editor.

use std::io::Write;
use std::process::Command;

use router_operator::file::ConfigFile;
use router_operator::operate::Done;
use router_secret::Host;

use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};
use crate::output::{BAD, note, styled};

/// Opens a copy in the editor until it can be saved or the operator gives up.
pub(crate) fn run(cx: &Cx) -> Result<Outcome, Failure> {
    let path = cx.config_path()?;
    let file = ConfigFile::new(&path, &Host);
    let before = file.text()?;
    let start = before.clone().unwrap_or_else(|| "{\n  \"version\": 2\n}\n".to_owned());
    // For its owner alone, and gone when this function ends.
    let copy = tempfile::Builder::new().prefix("llm-router-").suffix(".json").tempfile();
    let failed = |error: std::io::Error| Failure::failed(format!("cannot make a copy: {error}"));
    let mut copy = copy.map_err(failed)?;
    copy.write_all(start.as_bytes()).and_then(|()| copy.flush()).map_err(failed)?;
    loop {
        open(copy.path())?;
        let text = std::fs::read_to_string(copy.path()).map_err(failed)?;
        if text == start {
            return Err(Failure::failed("nothing was changed"));
        }
        match file.replace(before.as_deref(), &text) {
            Ok(saved) => {
                let done = Done { message: "the config is saved".to_owned(), ..Done::default() };
                return Ok(super::edit::outcome(&done, &saved, false));
            }
            Err(failure) if cx.may_ask => {
                note(&format!("{} {failure}", styled(BAD, "error:")));
                cx.confirm("Edit it again?")?;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Runs the editor that the environment names; it may have arguments of its own.
fn open(path: &std::path::Path) -> Result<(), Failure> {
    let named = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
    let named = named.filter(|editor| !editor.trim().is_empty());
    let editor = named.ok_or_else(|| {
        Failure::input("no editor is known").hint("set EDITOR, such as EDITOR=nano")
    })?;
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let status = Command::new(program).args(words).arg(path).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::failed(format!("`{program}` ended with {status}"))),
        Err(error) => Err(Failure::input(format!("cannot run the editor `{program}`: {error}"))),
    }
}
