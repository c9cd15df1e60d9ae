//! Tools the checks need; what is missing is installed.

use anyhow::{Context, Result};

use crate::shell::{output, run, say, works};
use crate::wasm;

/// The compiler's target for the pure crates.
pub(crate) fn wasm_target() -> Result<()> {
    let installed = output("rustup", &["target", "list", "--installed"])?;
    if installed.lines().any(|target| target == wasm::TARGET) {
        return Ok(());
    }
    run("rustup", &["target", "add", wasm::TARGET])
}

/// The test runner.
pub(crate) fn nextest() -> Result<()> {
    install("cargo-nextest", &["nextest", "--version"], &["--locked"])
}

/// The dependency policy checker.
pub(crate) fn cargo_deny() -> Result<()> {
    install("cargo-deny", &["deny", "--version"], &["--locked", "--no-default-features"])
}

/// A C++ compiler, for the fuzzer's runtime.
pub(crate) fn cxx() -> Result<()> {
    debian("c++", "g++").context("fuzzing needs a C++ compiler")
}

fn install(name: &str, probe: &[&str], flags: &[&str]) -> Result<()> {
    if works("cargo", probe) {
        return Ok(());
    }
    say(&format!("installing {name}"));
    let mut arguments = vec!["install", name];
    arguments.extend(flags);
    run("cargo", &arguments)
}

/// A Redis server, which the store's tests start themselves.
pub(crate) fn redis() -> Result<()> {
    debian("redis-server", "redis-server")
        .context("the tests need redis-server 7 (or Valkey's, under that name)")
}

/// What judges the service's unit, and passes sockets on as systemd does.
pub(crate) fn systemd() -> Result<()> {
    debian("systemd-analyze", "systemd")
        .context("the tests need systemd-analyze and systemd-socket-activate")
}

/// Makes sure that `program` is there, from a Debian package if need be.
fn debian(program: &str, package: &str) -> Result<()> {
    if works(program, &["--version"]) {
        return Ok(());
    }
    say(&format!("installing {package}"));
    apt(&["update", "-qq"])?;
    apt(&["install", "--yes", "-qq", "--no-install-recommends", package])
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut line = vec!["apt-get"];
    line.extend(arguments);
    if works("sudo", &["-n", "true"]) { run("sudo", &line) } else { run("apt-get", arguments) }
}

/// workerd, in which the Worker is tested.
pub(crate) fn workerd() -> Result<()> {
    node_packages("crates/router-e2e/cloudflare")
}

/// The official SDKs, which judge the router as its clients: a Python environment and Node
/// packages, both below `crates/router-e2e`.
pub(crate) fn sdks() -> Result<()> {
    python_packages("crates/router-e2e/sdk", "import openai, anthropic")?;
    node_packages("crates/router-e2e/sdk")
}

/// Real coding tools, which judge the router and `setup` by doing their work. Each is one program
/// in a package per platform, and a registry that mirrors some platforms only cannot serve a lock
/// file that names them all; the manifest pins their versions instead.
pub(crate) fn coding_tools() -> Result<()> {
    // Aider takes 700 MB and no Python above 3.12.
    python_packages("crates/router-e2e/tools", "import aider")?;
    packages("crates/router-e2e/tools", &["install", "--no-package-lock"])
}

/// Installs what a folder's `requirements.txt` names into an environment beside it, unless `probe`
/// works there.
fn python_packages(folder: &str, probe: &str) -> Result<()> {
    let environment = format!("{folder}/.venv");
    let python = format!("{environment}/bin/python");
    if works(&python, &["-c", probe]) {
        return Ok(());
    }
    run("python3", &["-m", "venv", "--clear", &environment])
        .context("the tests need Python 3 with venv")?;
    let requirements = format!("{folder}/requirements.txt");
    run(&python, &["-m", "pip", "install", "--quiet", "-r", &requirements])
}

fn node_packages(folder: &str) -> Result<()> {
    packages(folder, &["ci"])
}

/// Installs what a folder's manifest names, unless it is there. A second try covers a registry
/// that is slow for a moment.
fn packages(folder: &str, command: &[&str]) -> Result<()> {
    if works("npm", &["--prefix", folder, "ls", "--silent"]) {
        return Ok(());
    }
    let line = [&["--prefix", folder][..], command, &["--no-audit", "--no-fund"]].concat();
    run("npm", &line).or_else(|_| run("npm", &line)).context("the tests need Node.js with npm")
}
