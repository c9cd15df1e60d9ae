//! What a developer of this repository runs: `cargo x <task>`.

use std::process::ExitCode;

use anyhow::{Result, bail};

mod bench;
mod ci;
mod fuzz;
mod graph;
mod schema;
mod shell;
mod tidy;
mod tools;
mod wasm;
mod worker;

const HELP: &str = "\
cargo x <task>

  ci        everything CI runs, in its order
  test      install what the tests need, then run them all
  fmt       check the formatting
  tidy      check the repository's own rules
  graph     check that dependencies between crates only point down
  clippy    lint every crate, the pure ones for wasm32 too
  wasm      build the pure crates for wasm32 and check that they import nothing
  worker    build the Worker's module into target/worker
  doc       build the documentation, warnings are errors
  deny      check licences, bans and sources of dependencies
  schema    write schema/llm-router.schema.json from the types (--check: only compare)
  conformance  write docs/conformance.md: every dialect on every other, judged by the SDKs
  figures   what holds for a million random schedules
  members   list every member of the SDKs' request types for the tests of router-wire
  fuzz      run each fuzz target for 4 s, or as many seconds as the argument says
  faults    write docs/faults.md: every fault of an upstream, met by every dialect
  parity    write docs/parity.md and bench/results/worker.md: the Worker beside the native server
  bench     measure beside nginx and haproxy; arguments are passed on (--quick, --soak, …)
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match run(&task, &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: &str, rest: &[String]) -> Result<()> {
    match task {
        "ci" => ci::run(),
        "test" => ci::test(rest),
        "fmt" => ci::fmt(),
        "tidy" => tidy::run(),
        "graph" => graph::run(),
        "clippy" => ci::clippy(),
        "wasm" => wasm::run(),
        "worker" => worker::run(),
        "doc" => ci::doc(),
        "deny" => ci::deny(),
        "schema" => schema::run(rest.iter().any(|flag| flag == "--check")),
        "conformance" => ci::conformance(),
        "fuzz" => fuzz::run(rest),
        "members" => ci::members(),
        "faults" => ci::faults(),
        "parity" => ci::parity(),
        "figures" => ci::figures(),
        "bench" => bench::run(rest),
        "" | "help" | "-h" | "--help" => {
            shell::say(HELP);
            Ok(())
        }
        other => bail!("no task `{other}`\n\n{HELP}"),
    }
}
