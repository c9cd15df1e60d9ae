//! How soon the commands that ask nobody answer: each is run many times as a process of its own,
//! in a home directory with a config of ordinary size.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::proc::{Machine, waited_for};
use crate::report::{self, figure, float};

/// Runs of each command.
const RUNS: usize = 100;
/// The same with `--quick`.
const RUNS_QUICK: usize = 5;
/// What an operator does not notice, in milliseconds: the project's aim.
const AIM_MS: f64 = 50.0;
/// Providers of the config, with models and aliases to match.
const PROVIDERS: usize = 20;
/// Models of each provider.
const MODELS: usize = 10;

/// The commands, each with what it is an example of.
const COMMANDS: &[(&str, &str)] = &[
    ("--version", "nothing but a start"),
    ("--help", "help"),
    ("provider add --help", "help of a command with many flags"),
    ("list", "showing the config"),
    ("list --json", "the same for programs"),
    ("provider list", "showing a part of it"),
    ("provider presets", "data inside the program"),
    ("key client list", "client keys"),
    ("validate", "checking the config"),
    ("schema", "the config's schema"),
    ("default set p1/m1 --dry-run", "an edit that is not written"),
    ("default set p2/m2", "an edit: lock, check, backup, replace"),
    ("alias add a{} --targets p1/m1@2,p2/m2", "an edit that adds"),
    ("config --operation=set-master-key --generate-master-key=true", "an older operation"),
    ("explain --model a1 --offline", "a plan"),
    ("status", "which routers run"),
    ("setup codex --dry-run --model a1 --url http://127.0.0.1:8787", "a tool's settings"),
    ("completions bash", "completions"),
    ("man", "the manual"),
];

/// Everything one run found out.
#[derive(Debug, Serialize)]
struct Results {
    machine: Machine,
    runs: usize,
    commands: Vec<Row>,
}

/// One command.
#[derive(Debug, Serialize)]
struct Row {
    command: String,
    what: &'static str,
    /// From starting the process to its end, in milliseconds.
    median_ms: f64,
    /// The same for 95 of 100 runs.
    p95_ms: f64,
    /// Mean of user and system time, in milliseconds.
    cpu_ms: f64,
}

/// Measures every command and writes `commands.json` and `commands.md`.
pub(crate) fn run(machine: Machine, program: &Path, quick: bool, dir: &Path) -> Result<()> {
    let runs = if quick { RUNS_QUICK } else { RUNS };
    let home = home()?;
    let mut results = Results { machine, runs, commands: Vec::new() };
    for (command, what) in COMMANDS {
        results.commands.push(measure(program, home.path(), (command, what), runs)?);
    }
    report::write_files(dir, "commands", &results, &markdown(&results))
}

fn home() -> Result<TempDir> {
    let home = tempfile::tempdir()?;
    fs::write(home.path().join(".llm-router.json"), format!("{:#}\n", config()))?;
    Ok(home)
}

fn config() -> Value {
    let providers = (1..=PROVIDERS).map(|provider| {
        let models = (1..=MODELS).map(|model| json!({ "id": format!("m{model}") }));
        json!({
            "id": format!("p{provider}"),
            "baseUrl": format!("https://p{provider}.example/v1"),
            "format": "openai",
            "apiKey": format!("key-of-provider-{provider}"),
            "models": models.collect::<Vec<_>>(),
            "rateLimits": [{ "id": "day", "models": ["all"], "requests": 1000, "window": "day" }],
        })
    });
    let aliases = (1..=PROVIDERS).map(|alias| {
        let targets = (1..=5).map(|target| format!("p{}/m{target}", (alias + target) % 20 + 1));
        (format!("a{alias}"), json!({ "strategy": "auto", "targets": targets.collect::<Vec<_>>() }))
    });
    let clients = (1..=5).map(
        |client| json!({ "label": format!("c{client}"), "key": format!("key-of-client-{client}") }),
    );
    json!({
        "version": 2,
        "masterKey": "gw_a-master-key-of-the-bench-0123456789",
        "defaultModel": "a1",
        "clientKeys": clients.collect::<Vec<_>>(),
        "providers": providers.collect::<Vec<_>>(),
        "modelAliases": aliases.collect::<serde_json::Map<_, _>>(),
    })
}

fn measure(
    program: &Path,
    home: &Path,
    (command, what): (&str, &'static str),
    runs: usize,
) -> Result<Row> {
    let mut times = Vec::with_capacity(runs);
    let before = waited_for()?;
    for run in 0..runs {
        // An alias is new each time.
        let line = command.replace("{}", &format!("-new-{run}"));
        let mut process = Command::new(program);
        process.args(line.split(' ')).env("HOME", home).env("NO_COLOR", "1").current_dir(home);
        process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let status = process.status().with_context(|| program.display().to_string())?;
        times.push(start.elapsed());
        ensure!(status.success(), "`{line}` ends with {status}");
    }
    let cpu = waited_for()?.saturating_sub(before);
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        milliseconds(times.get(index).copied().unwrap_or_default())
    };
    Ok(Row {
        command: command.replace("{}", "NEW"),
        what,
        median_ms: at(50),
        p95_ms: at(95),
        cpu_ms: milliseconds(cpu) / float(u64::try_from(runs)?),
    })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn markdown(results: &Results) -> String {
    let mut text = report::heading(&results.machine, "Commands");
    text += &format!(
        "\n{} runs of each command, one after the other, each a process of its own, with a config \
         of {PROVIDERS} providers, {} models and {PROVIDERS} aliases. Time is from starting the \
         process to its end; CPU is the mean of user and system time, which the kernel counts in \
         steps of 10 ms over all runs together. The aim is {AIM_MS} ms for every command that asks \
         no provider.\n\n",
        results.runs,
        PROVIDERS * MODELS,
    );
    let head = ["command", "what", "median, ms", "p95, ms", "CPU, ms"];
    text.push_str(&report::row(head));
    text.push_str("|---|---|---:|---:|---:|\n");
    for row in &results.commands {
        let figures = [row.median_ms, row.p95_ms, row.cpu_ms].map(figure);
        let names = [format!("`{}`", row.command), row.what.to_owned()];
        text.push_str(&report::row(names.into_iter().chain(figures)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_command() {
        let row = |(command, what): &(&str, &'static str)| Row {
            command: (*command).to_owned(),
            what,
            median_ms: 3.25,
            p95_ms: 4.0,
            cpu_ms: 2.5,
        };
        let commands = COMMANDS.iter().map(row).collect();
        let text = markdown(&Results { machine: Machine::look(), runs: 1, commands });
        assert_eq!(text.matches("\n| `").count(), COMMANDS.len(), "{text}");
        assert!(text.contains("3.25") || text.contains("3.3"), "{text}");
    }

    #[test]
    fn a_process_that_ended_is_measured() {
        let home = tempfile::tempdir().unwrap();
        let row = measure(Path::new("true"), home.path(), ("x", "nothing"), 3).unwrap();
        assert!(0.0 < row.median_ms && row.median_ms <= row.p95_ms, "{row:?}");
        assert!(measure(Path::new("false"), home.path(), ("x", "nothing"), 1).is_err());
    }
}
