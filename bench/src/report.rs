//! The results as JSON for programs and as a Markdown table for people.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::proc::Machine;

/// Everything one run found out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// Whether it was a short run, whose figures say little.
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    /// How long the run took.
    pub(crate) seconds: f64,
    pub(crate) programs: Vec<ProgramResult>,
    pub(crate) cases: Vec<CaseResult>,
    pub(crate) notes: Vec<String>,
}

/// What was seen of a program as a whole.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProgramResult {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) binary_mib: f64,
    /// From exec to the first good answer to `/health`, median.
    pub(crate) start_ms: f64,
    /// Resident before the first request.
    pub(crate) idle_mib: f64,
    /// The most that was resident until the end of the run.
    pub(crate) peak_mib: f64,
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CaseResult {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// What CPU time is counted per: `request` or `event`.
    pub(crate) unit: &'static str,
    /// The ratio to nginx the project aims at.
    pub(crate) aim: Option<f64>,
    pub(crate) cells: Vec<Cell>,
}

/// One case through one proxy; medians of the rounds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) proxy: &'static str,
    pub(crate) requests_per_second: f64,
    /// CPU time of the proxy per unit; none for a direct connection.
    pub(crate) cpu_us: Option<f64>,
    /// The same as a multiple of nginx's in the same round.
    pub(crate) ratio_to_nginx: Option<f64>,
    pub(crate) cpu_us_rounds: Vec<f64>,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// The middle of `values`, 0 without any.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// A count as a number to divide.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts and bytes of one run stay far below 2^53"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Bytes in mebibytes.
pub(crate) fn mib(bytes: u64) -> f64 {
    float(bytes) / (1024.0 * 1024.0)
}

/// Tells the person at the terminal.
#[expect(clippy::print_stderr, reason = "progress of a program run by hand")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Writes `latest.json` and `latest.md` and prints the latter.
pub(crate) fn write(results: &Results, dir: &Path) -> Result<()> {
    write_files(dir, "latest", results, &markdown(results))
}

/// Writes `results` as `NAME.json` and `text` as `NAME.md`, and prints the text.
#[expect(clippy::print_stdout, reason = "the table is the output of the program")]
pub(crate) fn write_files(
    dir: &Path,
    name: &str,
    results: &impl Serialize,
    text: &str,
) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let json = serde_json::to_string_pretty(results)? + "\n";
    for (suffix, content) in [("json", json.as_str()), ("md", text)] {
        let path = dir.join(format!("{name}.{suffix}"));
        fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    println!("{text}");
    Ok(())
}

/// The heading and the facts every table needs to be read.
pub(crate) fn heading(machine: &Machine, title: &str) -> String {
    format!(
        "# {title}\n\n{} cores of {}, {} MiB, Linux {}.\n",
        machine.cpus, machine.cpu_model, machine.memory_mib, machine.kernel
    )
}

/// One row of a Markdown table.
pub(crate) fn row(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| cell.as_ref().to_owned()).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// The line under a table's head: text to the left, `numbers` to the right.
pub(crate) fn rule(numbers: usize) -> String {
    format!("|---|{}\n", "---:|".repeat(numbers))
}

fn markdown(results: &Results) -> String {
    let mut text = heading(&results.machine, "Benchmark");
    let length = if results.quick { "A quick run, too short to compare" } else { "Medians" };
    let how = format!(
        "{length}; {} interleaved round(s) in {:.0} s. CPU is user and system time of the proxy's \
         processes.\n\n",
        results.rounds, results.seconds
    );
    text.extend(["\n", &how]);
    text.push_str(&cpu_table(results));
    text.push('\n');
    text.push_str(&speed_table(results));
    text.push('\n');
    text.push_str(&row([
        "program",
        "start, ms",
        "idle, MiB",
        "peak, MiB",
        "binary, MiB",
        "version",
    ]));
    text.push_str(&rule(5));
    for program in &results.programs {
        text.push_str(&row([
            program.name.to_owned(),
            figure(program.start_ms),
            figure(program.idle_mib),
            figure(program.peak_mib),
            figure(program.binary_mib),
            program.version.clone(),
        ]));
    }
    for note in &results.notes {
        text.extend(["\n- ", note]);
    }
    text.trim_end().to_owned() + "\n"
}

/// The columns of a table: every proxy that appears in some case.
fn columns(results: &Results) -> Vec<&'static str> {
    let mut names = Vec::new();
    for cell in results.cases.iter().flat_map(|case| &case.cells) {
        if !names.contains(&cell.proxy) {
            names.push(cell.proxy);
        }
    }
    names
}

fn cpu_table(results: &Results) -> String {
    let mut names = columns(results);
    names.retain(|name| *name != "direct");
    let mut head = vec!["CPU time, µs".to_owned(), "per".to_owned()];
    head.extend(names.iter().map(|name| (*name).to_owned()));
    head.extend(["router / nginx".to_owned(), "aim".to_owned()]);
    let mut text = row(&head) + &rule(head.len() - 1);
    for case in &results.cases {
        let cell = |name: &str| case.cells.iter().find(|cell| cell.proxy == name);
        let mut line = vec![format!("{} ({})", case.name, case.about), case.unit.to_owned()];
        line.extend(names.iter().map(|name| optional(cell(name).and_then(|cell| cell.cpu_us))));
        line.push(optional(cell("llm-router").and_then(|cell| cell.ratio_to_nginx)));
        line.push(case.aim.map_or_else(String::new, |aim| format!("≤ {aim:.1}")));
        text.push_str(&row(&line));
    }
    text
}

fn speed_table(results: &Results) -> String {
    let names = columns(results);
    let mut head = vec!["requests/s (p50 / p99, ms)".to_owned()];
    head.extend(names.iter().map(|name| (*name).to_owned()));
    let mut text = row(&head) + &rule(names.len());
    for case in &results.cases {
        let mut line = vec![case.name.to_owned()];
        line.extend(names.iter().map(|name| {
            case.cells.iter().find(|cell| cell.proxy == *name).map_or_else(String::new, |cell| {
                let (p50, p99) = (figure(cell.p50_ms), figure(cell.p99_ms));
                format!("{:.0} ({p50} / {p99})", cell.requests_per_second)
            })
        }));
        text.push_str(&row(&line));
    }
    text
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, figure)
}

/// A number with about three digits.
pub(crate) fn figure(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(figure(median(&[3.0, 1.0, 2.0])), "2.00");
        assert_eq!(figure(median(&[])), "0.00");
        assert_eq!(["1.23", "12.3", "123"].map(str::to_owned), [1.234, 12.34, 123.4].map(figure));
    }
}
