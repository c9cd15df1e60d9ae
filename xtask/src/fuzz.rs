//! Fuzzing: builds the targets below `fuzz/` and runs each for a while.

use anyhow::{Context, Result, bail};

use crate::shell::{self, root};
use crate::tools;

const FIXTURES: &str = "crates/router-wire/fixtures";
const TARGET: &str = "x86_64-unknown-linux-gnu";
const DIALECTS: [&str; 4] = ["anthropic", "openai-chat", "openai-responses", "gemini"];
const SECONDS: u32 = 10;

/// Runs every target for the seconds the first argument says, [`SECONDS`] without one.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let seconds = match arguments.first() {
        Some(text) => text.parse().context("cargo x fuzz [SECONDS]")?,
        None => SECONDS,
    };
    if !shell::works("cargo", &["+nightly", "--version"]) {
        bail!("fuzzing needs a nightly compiler: rustup toolchain install nightly");
    }
    tools::cargo_fuzz()?;
    shell::run("cargo", &["+nightly", "fuzz", "build", "--target", TARGET])?;
    for name in ["peek", "sse", "tap", "count", "errors"] {
        target(name, FIXTURES, seconds)?;
    }
    target("config", "crates/router-config/tests/it", seconds)?;
    for kind in ["request", "response", "stream"] {
        for dialect in DIALECTS {
            let name = format!("{kind}_{}", dialect.replace('-', "_"));
            target(&name, &format!("{FIXTURES}/{dialect}/{kind}"), seconds)?;
        }
    }
    Ok(())
}

/// Runs one target on its own corpus and on `seeds`, which it only reads.
fn target(name: &str, seeds: &str, seconds: u32) -> Result<()> {
    let corpus = format!("fuzz/corpus/{name}");
    let artifacts = format!("fuzz/artifacts/{name}/");
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(root().join(folder)).with_context(|| folder.clone())?;
    }
    let program = root().join("fuzz/target").join(TARGET).join("release").join(name);
    let program = program.to_str().context("the repository's path is not UTF-8")?;
    let (time, prefix) =
        (format!("-max_total_time={seconds}"), format!("-artifact_prefix={artifacts}"));
    let mut line = vec![&*time, &*prefix, "-timeout=10", "-verbosity=0", &*corpus];
    if root().join(seeds).is_dir() {
        line.push(seeds);
    }
    shell::run(program, &line)
}
