//! Measuring: builds the release binary, then hands over to `router-bench`.

use anyhow::Result;

use crate::shell;

/// Builds and measures; `arguments` are passed on.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    shell::run("cargo", &["build", "--release", "--locked", "-p", "router-cli"])?;
    let mut line = vec!["run", "--release", "--locked", "-p", "router-bench", "--"];
    line.extend(arguments.iter().map(String::as_str));
    shell::run("cargo", &line)
}
