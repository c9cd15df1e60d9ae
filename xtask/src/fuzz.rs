//! Fuzzing: builds the program below `fuzz/` and runs each of its targets for a while.
//!
//! libFuzzer needs nothing but the coverage instruments of LLVM, which the pinned compiler has too:
//! no nightly, no address sanitizer (the code is safe Rust), and no further tool.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::shell::{self, root, say};
use crate::tools;

/// Every target with the files it starts from; `fuzz/src/lib.rs` has the same names.
const TARGETS: [(&str, &str); 18] = [
    ("peek", "crates/router-wire/fixtures"),
    ("sse", "crates/router-wire/fixtures"),
    ("tap", "crates/router-wire/fixtures"),
    ("count", "crates/router-wire/fixtures"),
    ("errors", "crates/router-wire/fixtures"),
    ("config", "crates/router-config/tests/it"),
    ("request_anthropic", "crates/router-wire/fixtures/anthropic/request"),
    ("request_openai_chat", "crates/router-wire/fixtures/openai-chat/request"),
    ("request_openai_responses", "crates/router-wire/fixtures/openai-responses/request"),
    ("request_gemini", "crates/router-wire/fixtures/gemini/request"),
    ("response_anthropic", "crates/router-wire/fixtures/anthropic/response"),
    ("response_openai_chat", "crates/router-wire/fixtures/openai-chat/response"),
    ("response_openai_responses", "crates/router-wire/fixtures/openai-responses/response"),
    ("response_gemini", "crates/router-wire/fixtures/gemini/response"),
    ("stream_anthropic", "crates/router-wire/fixtures/anthropic/stream"),
    ("stream_openai_chat", "crates/router-wire/fixtures/openai-chat/stream"),
    ("stream_openai_responses", "crates/router-wire/fixtures/openai-responses/stream"),
    ("stream_gemini", "crates/router-wire/fixtures/gemini/stream"),
];
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// What libFuzzer wants to be told: which edges were taken, and what was compared with what.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Seconds for each target by default, as in CI.
const SECONDS: u32 = 4;
/// Bytes of an input at most; larger ones find nothing else, only later.
const INPUT_BYTES_MAX: usize = 8192;
/// The same for streams, which are translated many times for each input.
const STREAM_BYTES_MAX: usize = 2048;

/// Runs every target for the seconds the first argument says, [`SECONDS`] without one; further
/// arguments name the targets to run. With `merge` for the seconds, what earlier runs found and
/// the corpus does not have yet is added to it.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (first, names) = match arguments {
        [first, names @ ..] => (first.as_str(), names),
        [] => ("", arguments),
    };
    let mode = match first {
        "merge" => Mode::Merge,
        "" => Mode::Run(SECONDS),
        text => Mode::Run(text.parse().context("cargo x fuzz [SECONDS | merge] [TARGET…]")?),
    };
    let chosen: Vec<_> = TARGETS
        .into_iter()
        .filter(|(target, _)| names.is_empty() || names.iter().any(|name| name == target))
        .collect();
    if chosen.is_empty() {
        bail!("there is no such target; there are {:?}", TARGETS.map(|(name, _)| name));
    }
    build()?;
    all(mode, &chosen)
}

#[derive(Clone, Copy)]
enum Mode {
    /// Look for failures for so many seconds.
    Run(u32),
    /// Keep what has been found.
    Merge,
}

fn build() -> Result<()> {
    tools::cxx()?;
    let line = ["build", "--release", "--locked", "--target", TRIPLE];
    let line = [&line[..], &["--manifest-path", "fuzz/Cargo.toml"]].concat();
    shell::run_with("cargo", &line, &[("RUSTFLAGS", RUSTFLAGS)])
}

/// Runs the targets, as many at the same time as there are cores.
fn all(mode: Mode, targets: &[(&str, &str)]) -> Result<()> {
    let next = AtomicUsize::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Result<()> {
        while let Some((name, seeds)) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            target(mode, name, seeds).with_context(|| format!("the fuzz target `{name}`"))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        #[expect(clippy::needless_collect, reason = "all are started before one is waited for")]
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(_) => bail!("a thread of this task panicked"),
        })
    })
}

/// Runs one target: new inputs go to `target/fuzz`, the corpus and the fixtures are only read.
fn target(mode: Mode, name: &str, seeds: &str) -> Result<()> {
    let corpus = format!("fuzz/corpus/{name}");
    let found = format!("target/fuzz/{name}/found");
    let failures = format!("target/fuzz/{name}/");
    for folder in [&corpus, &found] {
        std::fs::create_dir_all(root().join(folder)).with_context(|| folder.clone())?;
    }
    let bytes_max = if name.starts_with("stream_") { STREAM_BYTES_MAX } else { INPUT_BYTES_MAX };
    let (length, prefix) =
        (format!("-max_len={bytes_max}"), format!("-artifact_prefix={failures}"));
    let mut line = vec!["-timeout=10", "-print_final_stats=1", &*length, &*prefix];
    let time;
    match mode {
        Mode::Run(seconds) => {
            time = format!("-max_total_time={seconds}");
            line.extend([&*time, &found, &corpus]);
            if root().join(seeds).is_dir() {
                line.push(seeds);
            }
        }
        // The least number of inputs, so that the repository stays small.
        Mode::Merge => line.extend(["-set_cover_merge=1", "-max_len=600", &corpus, &found]),
    }
    let log = root().join(&failures).join("log");
    let ended = shell::run_into(&log, &program()?, &line, &[("FUZZ_TARGET", name)]);
    match ended {
        Ok(()) => say(&format!("{name}: {}", executions(&log))),
        Err(_) => say(&format!("the input is in {failures}; make a test of it")),
    }
    ended
}

/// How often a target was run, in libFuzzer's words.
fn executions(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().rev().find(|line| line.contains("number_of_executed_units"));
    line.unwrap_or("done").trim_start_matches("stat::").to_owned()
}

fn program() -> Result<String> {
    let program: PathBuf =
        root().join("fuzz/target").join(TRIPLE).join("release").join("router-fuzz");
    program.into_os_string().into_string().ok().context("the repository's path is not UTF-8")
}
