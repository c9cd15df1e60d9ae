//! What CI runs, in its order.

use std::time::Instant;

use anyhow::Result;

use crate::shell::{self, say};
use crate::{fuzz, graph, schema, tidy, tools, wasm, worker};

/// Crates that do no I/O and build for wasm32.
pub(crate) const PURE: [&str; 4] = ["router-wire", "router-core", "router-config", "router-drive"];

type Step = fn() -> Result<()>;

/// Runs the steps one after the other.
fn run_all(steps: &[(&str, Step)]) -> Result<()> {
    for (name, step) in steps {
        let start = Instant::now();
        say(&format!("--- {name}"));
        step()?;
        say(&format!("--- {name}: ok after {:.0} s", start.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// Everything, cheapest first; the tests come last, so that their summary closes the output.
pub(crate) fn run() -> Result<()> {
    run_all(&[
        ("fmt", fmt),
        ("tidy", tidy::run),
        ("graph", graph::run),
        ("deny", deny),
        ("clippy", clippy),
        ("wasm", wasm::run),
        ("doc", doc),
        ("schema", || schema::run(true)),
        ("figures", figures),
        ("fuzz", || fuzz::run(&[])),
        ("test", || test(&[])),
    ])
}

/// Checks the formatting.
pub(crate) fn fmt() -> Result<()> {
    shell::run("cargo", &["fmt", "--all", "--check"])
}

/// Lints every crate; the pure ones for wasm32 too.
pub(crate) fn clippy() -> Result<()> {
    shell::run(
        "cargo",
        &["clippy", "--workspace", "--all-targets", "--locked", "--", "-Dwarnings"],
    )?;
    tools::wasm_target()?;
    let mut arguments = vec!["clippy", "--target", wasm::TARGET, "--locked"];
    for name in PURE.into_iter().chain(["router-worker"]) {
        arguments.extend(["-p", name]);
    }
    arguments.extend(["--", "-Dwarnings"]);
    shell::run("cargo", &arguments)
}

/// Builds the documentation; warnings are errors.
pub(crate) fn doc() -> Result<()> {
    let arguments = ["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"];
    shell::run_with("cargo", &arguments, &[("RUSTDOCFLAGS", "-Dwarnings")])
}

/// Checks licences, bans and sources of dependencies.
pub(crate) fn deny() -> Result<()> {
    tools::cargo_deny()?;
    // The checker itself stays off the network, so the sources have to be there.
    shell::run("cargo", &["fetch", "--locked"])?;
    shell::run("cargo", &["deny", "--offline", "check", "bans", "licenses", "sources"])
}

/// Checks what holds for over a million random schedules, which needs the optimiser. What decisions
/// cost is measured by `cargo bench -p router-core`, on a machine that does nothing else.
pub(crate) fn figures() -> Result<()> {
    let quick = ["--profile", "bench", "--locked", "-p", "router-core"];
    shell::run("cargo", &[&["test"][..], &quick, &["--test", "model"]].concat())
}

/// Installs what the tests need, builds the program they start, and runs them all.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    tools::nextest()?;
    tools::redis()?;
    tools::systemd()?;
    tools::sdks()?;
    tools::workerd()?;
    tools::coding_tools()?;
    shell::run("cargo", &["build", "--locked", "-p", "router-cli"])?;
    worker::run()?;
    embedded()?;
    let mut line = vec!["nextest", "run", "--workspace", "--locked"];
    line.extend(arguments.iter().map(String::as_str));
    shell::run("cargo", &line)
}

/// Builds the Worker into the program, as releases have it, and compares the two.
fn embedded() -> Result<()> {
    let feature = ["--locked", "-p", "router-deploy", "--features", "embed-worker", "--lib"];
    shell::run("cargo", &[&["test"][..], &feature, &["what_is_built_in"]].concat())
}

/// Runs every dialect on every other and writes down what the SDKs say.
pub(crate) fn conformance() -> Result<()> {
    tools::sdks()?;
    published("conformance")
}

/// Writes down what every host has to do, has the Worker do it, and measures what the Worker costs:
/// one test at a time, so that nothing else runs meanwhile.
pub(crate) fn parity() -> Result<()> {
    tools::nextest()?;
    tools::workerd()?;
    worker::run()?;
    shell::run("cargo", &["build", "--locked", "-p", "router-cli"])?;
    let line = [
        "nextest",
        "run",
        "--workspace",
        "--locked",
        "--test-threads",
        "1",
        "-E",
        "test(/^parity::/)",
    ];
    shell::run_with("cargo", &line, &[("UPDATE_DOCS", "1")])
}

/// Meets every fault with every dialect and writes down what comes of it.
pub(crate) fn faults() -> Result<()> {
    published("faults")
}

/// Runs whole-process tests that write their document instead of comparing it.
fn published(tests: &str) -> Result<()> {
    tools::nextest()?;
    shell::run("cargo", &["build", "--locked", "-p", "router-cli"])?;
    let line = ["nextest", "run", "--locked", "-p", "router-e2e", tests];
    shell::run_with("cargo", &line, &[("UPDATE_DOCS", "1")])
}

/// Writes down every member that the SDKs' request types have.
pub(crate) fn members() -> Result<()> {
    tools::sdks()?;
    let script = "crates/router-e2e/sdk/request_members.py";
    shell::run("crates/router-e2e/sdk/.venv/bin/python", &["-B", script, "--write"])
}
