//! What every command is told: which config, how to answer, whether it may ask.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use crate::args::Global;
use crate::outcome::{Failure, Kind};

/// Bytes of an answer typed by a person at most.
const ANSWER_BYTES_MAX: u64 = 4096;

/// The circumstances of a command.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a circumstance of its own")]
pub(crate) struct Cx {
    config: Option<PathBuf>,
    /// Whether the answer is one JSON document.
    pub(crate) json: bool,
    /// Whether questions are answered with yes.
    pub(crate) yes: bool,
    /// Whether a person types and reads.
    pub(crate) is_terminal: bool,
    /// Whether somebody is there to be asked.
    pub(crate) may_ask: bool,
}

impl Cx {
    /// Takes the global flags and looks at the terminal.
    pub(crate) fn new(global: Global) -> Self {
        let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        let from_env = || std::env::var_os("LLM_ROUTER_CONFIG").map(PathBuf::from);
        let given = |path: &PathBuf| !path.as_os_str().is_empty();
        Self {
            config: global.config.filter(given).or_else(from_env).filter(given),
            json: global.json,
            yes: global.yes,
            is_terminal: io::stdin().is_terminal() && io::stdout().is_terminal(),
            may_ask: is_terminal && !global.no_input && !global.json,
        }
    }

    /// The config file: `--config`, else `LLM_ROUTER_CONFIG`, else `.llm-router.json` in the home
    /// directory. A leading `~` is the home directory.
    pub(crate) fn config_path(&self) -> Result<PathBuf, Failure> {
        let home = || {
            let none = "there is no home directory to look for .llm-router.json in";
            std::env::home_dir().ok_or_else(|| {
                Failure::new(Kind::Input, none).hint("name a config file with --config FILE")
            })
        };
        match &self.config {
            None => Ok(home()?.join(".llm-router.json")),
            Some(path) => Ok(path.to_str().map_or_else(|| path.clone(), router_secret::expand)),
        }
    }

    /// Asks before something is taken away. Without a terminal, and with `--yes`, the command
    /// itself is the answer.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.yes || !self.may_ask {
            return Ok(());
        }
        let mut out = anstream::stderr().lock();
        let _ = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
        let mut answer = String::new();
        let read = io::Read::take(io::stdin().lock(), ANSWER_BYTES_MAX).read_line(&mut answer);
        match (read, answer.trim().to_ascii_lowercase().as_str()) {
            (Ok(_), "y" | "yes") => Ok(()),
            _ => Err(Failure::failed("nothing was changed")),
        }
    }
}
