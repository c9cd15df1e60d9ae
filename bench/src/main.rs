//! Measures the router beside a direct connection, nginx and haproxy: all in
//! front of the same mock, in one run, with the proxy alone on one core and
//! load and mock on the other. What the figures mean: `bench/README.md`.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;

mod cases;
mod commands;
mod http;
mod load;
mod measure;
mod mock;
mod payload;
mod proc;
mod proxies;
mod report;
mod soak;
mod translation;

use cases::CASES;
use proxies::{Kind, Program};

/// Measures the router beside a direct connection, nginx and haproxy.
#[derive(Clone, Debug, Parser)]
#[command(name = "router-bench")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Options {
    /// One short round, to see that everything works
    #[arg(long)]
    quick: bool,
    /// Measure only this case; may be given several times
    #[arg(long, value_name = "CASE")]
    only: Vec<String>,
    /// Leave this column out (direct, nginx, haproxy, llm-router)
    #[arg(long, value_name = "PROXY")]
    without: Vec<String>,
    /// Measure this binary instead of building one
    #[arg(long, value_name = "PATH")]
    router: Option<PathBuf>,
    /// Where the results are written
    #[arg(long, value_name = "DIR", default_value = "bench/results")]
    out: PathBuf,
    /// Hold 1,000 streams for a minute through each proxy, and nothing else
    #[arg(long)]
    soak: bool,
    /// Measure translation inside this process, and nothing else
    #[arg(long)]
    translation: bool,
    /// Measure how soon commands that ask nobody answer, and nothing else
    #[arg(long)]
    commands: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    for name in &options.only {
        let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        ensure!(known.contains(&name.as_str()), "no case {name:?}; there are {known:?}");
    }
    for name in &options.without {
        let known = Kind::ALL.map(Kind::name);
        ensure!(known.contains(&name.as_str()), "no column {name:?}; there are {known:?}");
    }
    let machine = proc::Machine::look();
    if options.translation {
        return translation::run(machine, &options.out);
    }
    if options.commands {
        let program = options.router.clone().map_or_else(build_router, Ok)?;
        return commands::run(machine, &program, options.quick, &options.out);
    }
    let mut notes = Vec::new();
    if machine.load_before > 0.5 {
        notes.push(format!(
            "The machine was not quiet: {:.1} processes were running before the run.",
            machine.load_before
        ));
    }
    let programs = programs(options, &mut notes)?;
    // The proxy gets the last core for itself: interrupts prefer the first.
    let core = if machine.cpus > 1 {
        proc::pin_self(0)?;
        Some(machine.cpus - 1)
    } else {
        notes.push("One core only: load, mock and proxy shared it.".to_owned());
        None
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let work = async {
            if options.soak {
                soak::run(&programs, core, machine, notes, &options.out).await
            } else {
                let direct = !options.without.iter().any(|name| name == Kind::Direct.name());
                let plan = measure::Plan::new(options.quick, &options.only, direct, core);
                let results = measure::run(&plan, &programs, machine, notes).await?;
                report::write(&results, &options.out)
            }
        };
        tokio::select! {
            done = work => done,
            () = interrupted() => bail!("interrupted"),
        }
    })
}

/// The proxies to measure; what is missing is noted and left out.
fn programs(options: &Options, notes: &mut Vec<String>) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for kind in [Kind::Nginx, Kind::Haproxy] {
        if options.without.iter().any(|name| name == kind.name()) {
            continue;
        }
        match Program::installed(kind) {
            Ok(program) => programs.push(program),
            Err(missing) => notes.push(format!("Without {}: {missing:#}.", kind.name())),
        }
    }
    if !options.without.iter().any(|name| name == Kind::Router.name()) {
        let path = match &options.router {
            Some(path) => path.clone(),
            None => build_router()?,
        };
        programs.push(Program::new(Kind::Router, path)?);
    }
    Ok(programs)
}

/// Builds the release binary and returns its path.
fn build_router() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(cargo)
        .args(["build", "--release", "--package", "router-cli", "--message-format", "json"])
        .args(["--manifest-path", manifest])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cargo")?;
    ensure!(output.status.success(), "the router does not build");
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .find(|path| path.file_name().is_some_and(|name| name == "llm-router"))
        .context("cargo built no llm-router")
}

/// Waits for a signal to stop, so that proxies are ended with the run.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
