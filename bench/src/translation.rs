//! What translation costs inside the process: no sockets, no tasks, one thread. CPU time and
//! allocations of the decoder and the encoder per event of a stream, and of a whole request.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use router_wire::Dialect;
use router_wire::facts::FactsTable;
use router_wire::translate::{Options, Progress, RequestExtra, Session, Target, translate_request};
use serde::Serialize;

use crate::payload::{self, Format, STREAM_EVENTS, Size};
use crate::proc::{Cpu, Machine};
use crate::report::{self, figure, float};

/// Rounds of which the best counts: whatever else the machine does only adds to a round.
const ROUNDS: usize = 9;
/// CPU time of one round at least.
const ROUND_MIN: Duration = Duration::from_millis(60);
/// What the project wants to stay under, in µs per event.
const EVENT_AIM: f64 = 1.5;
/// The same for the large request, in µs.
const REQUEST_AIM: f64 = 500.0;

/// Everything one run found out.
#[derive(Debug, Serialize)]
struct Results {
    machine: Machine,
    streams: Vec<Row>,
    requests: Vec<Row>,
}

/// One direction.
#[derive(Debug, Serialize)]
struct Row {
    from: &'static str,
    to: &'static str,
    /// CPU time per event or request, in µs; the least of the rounds.
    cpu_us: f64,
    /// The same for `serde_json` reading the same bytes into a tree and writing that tree, which
    /// translates nothing: what this machine is worth.
    tree_us: f64,
    /// Allocations per event or request.
    allocations: f64,
    /// Where the project has promised a figure.
    aim_us: Option<f64>,
}

/// Measures every direction and writes `translation.json` and `translation.md`.
pub(crate) fn run(machine: Machine, dir: &Path) -> Result<()> {
    let mut results = Results { machine, streams: Vec::new(), requests: Vec::new() };
    for (outbound, inbound) in pairs() {
        let events = stream(outbound)?;
        let work = || stream_through(outbound, inbound, &events);
        let tree = || events.iter().try_for_each(|event| tree_of_event(event));
        let mut row = measure(outbound, inbound, float_of(events.len()), (work, tree))?;
        let promised = (outbound, inbound) == (Dialect::OpenaiChat, Dialect::Anthropic);
        row.aim_us = promised.then_some(EVENT_AIM);
        results.streams.push(row);
    }
    for (inbound, outbound) in pairs() {
        let body = request(inbound)?;
        let work = || request_to(inbound, &body, outbound);
        let mut row = measure(inbound, outbound, 1.0, (work, || tree(&body)))?;
        let promised = (inbound, outbound) == (Dialect::Anthropic, Dialect::OpenaiChat);
        row.aim_us = promised.then_some(REQUEST_AIM);
        results.requests.push(row);
    }
    report::write_files(dir, "translation", &results, &markdown(&results))
}

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let all = Dialect::ALL.into_iter();
    all.flat_map(|from| Dialect::ALL.into_iter().map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
}

fn float_of(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

/// Measures `work` beside `tree`.
fn measure(
    from: Dialect,
    to: Dialect,
    units: f64,
    (work, tree): (impl Fn() -> Result<()>, impl Fn() -> Result<()>),
) -> Result<Row> {
    work().with_context(|| format!("{from} to {to}"))?;
    let counted = allocation_counter::measure(|| drop(work()));
    Ok(Row {
        from: from.name(),
        to: to.name(),
        cpu_us: cpu_us(units, work)?,
        tree_us: cpu_us(units, tree)?,
        allocations: float(counted.count_total) / units,
        aim_us: None,
    })
}

/// Runs `work` until the figure stands: its CPU time per unit, in µs.
fn cpu_us(units: f64, work: impl Fn() -> Result<()>) -> Result<f64> {
    let mut figures = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = Cpu::of(std::process::id())?;
        let (mut times, mut used) = (0_u32, Duration::ZERO);
        while used < ROUND_MIN {
            for _ in 0..20 {
                work()?;
                times += 1;
            }
            used = Cpu::of(std::process::id())?.since(before);
        }
        figures.push(used.as_secs_f64() * 1e6 / f64::from(times) / units);
    }
    Ok(figures.into_iter().fold(f64::INFINITY, f64::min))
}

/// Reads JSON into a tree and writes the tree.
fn tree(json: &[u8]) -> Result<()> {
    let value: serde_json::Value = serde_json::from_slice(json)?;
    std::hint::black_box(serde_json::to_vec(&value)?);
    Ok(())
}

/// The same for what a server-sent event carries.
fn tree_of_event(event: &[u8]) -> Result<()> {
    let lines = event.split(|&byte| byte == b'\n');
    let data = lines.filter_map(|line| line.strip_prefix(b"data: "));
    data.filter(|data| data.starts_with(b"{")).try_for_each(tree)
}

/// A stream in one dialect, event by event: Chat's own with text and two tool calls, or what the
/// router makes of it.
fn stream(dialect: Dialect) -> Result<Vec<Vec<u8>>> {
    let chat = payload::chat_agent_stream("m", STREAM_EVENTS);
    let chat: Vec<Vec<u8>> = chat.into_iter().map(String::into_bytes).collect();
    if dialect == Dialect::OpenaiChat {
        return Ok(chat);
    }
    let mut translator = session(dialect, Dialect::OpenaiChat).stream();
    let mut events = Vec::new();
    for event in chat {
        let mut out = Vec::new();
        translator.push(&event, &mut out);
        let text = String::from_utf8(out)?;
        events.extend(text.split_inclusive("\n\n").map(|event| event.as_bytes().to_vec()));
    }
    Ok(events)
}

fn session(inbound: Dialect, outbound: Dialect) -> Session {
    Session {
        model_shown: "shown".to_owned(),
        stream: true,
        include_usage: true,
        ..Session::new(inbound, outbound)
    }
}

/// As a server does it: each event is pushed as it comes, and what it gave is written and gone.
fn stream_through(outbound: Dialect, inbound: Dialect, events: &[Vec<u8>]) -> Result<()> {
    let mut translator = session(inbound, outbound).stream();
    let mut out = Vec::with_capacity(16 * 1024);
    let mut progress = Progress::Startup;
    for event in events {
        out.clear();
        progress = translator.push(event, &mut out);
        std::hint::black_box(&out);
        if progress == Progress::Finished {
            return Ok(());
        }
    }
    if progress != Progress::Finished {
        progress = translator.end(&mut out);
    }
    ensure!(progress == Progress::Finished, "the stream ended as {progress:?}");
    Ok(())
}

/// The large request in one dialect: Messages as coding agents write it, or what the router makes
/// of it.
fn request(dialect: Dialect) -> Result<Vec<u8>> {
    let messages = payload::request(Format::Messages, Size::Large, "", "m", true)?;
    if dialect == Dialect::Anthropic {
        return Ok(messages.into());
    }
    translated(Dialect::Anthropic, &messages, dialect)
}

fn request_to(inbound: Dialect, body: &[u8], outbound: Dialect) -> Result<()> {
    std::hint::black_box(translated(inbound, body, outbound)?);
    Ok(())
}

fn translated(inbound: Dialect, body: &[u8], outbound: Dialect) -> Result<Vec<u8>> {
    thread_local!(static TABLE: FactsTable = FactsTable::embedded());
    let model = match outbound {
        Dialect::Anthropic => "claude-opus-4-7",
        Dialect::OpenaiChat => "gpt-4o",
        Dialect::OpenaiResponses => "gpt-5.6",
        Dialect::Gemini => "gemini-3-flash",
    };
    let facts = TABLE.with(|table| table.lookup(model));
    let options = Options::default();
    let target = Target { dialect: outbound, model, facts: &facts, options: &options };
    let extra = RequestExtra { model: Some("m"), stream: true, ..RequestExtra::default() };
    match translate_request(inbound, body, &extra, &target) {
        Ok(sent) => Ok(sent.body),
        Err(error) => bail!("{inbound} to {outbound}: {error}"),
    }
}

fn markdown(results: &Results) -> String {
    let mut text = report::heading(&results.machine, "Translation in the process");
    text += &format!(
        "\nThe best of {ROUNDS} rounds on one thread. CPU is that of decoder and encoder together. \
         Beside it: `serde_json` reading the same bytes into a tree and writing that tree, which \
         translates nothing and says what the machine is worth.\n\n\
         {STREAM_EVENTS} events of a Chat stream with text and two tool calls, or the same in the \
         upstream's dialect:\n\n"
    );
    table(&mut text, "event", &results.streams);
    text.push_str(
        "\nA 200 KB Messages request of a coding agent (15 tools, 150 messages), or the same in \
         the client's dialect:\n\n",
    );
    table(&mut text, "request", &results.requests);
    text
}

fn table(text: &mut String, unit: &str, rows: &[Row]) {
    let (cpu, count) = (format!("µs per {unit}"), format!("allocations per {unit}"));
    text.push_str(&report::row(["from", "to", &cpu, "serde_json, µs", &count, "aim, µs"]));
    text.push_str("|---|---|---:|---:|---:|---:|\n");
    for row in rows {
        let aim = row.aim_us.map_or_else(String::new, |aim| format!("≤ {}", figure(aim)));
        let figures = [row.cpu_us, row.tree_us, row.allocations].map(figure);
        text.push_str(&report::row(
            [row.from.to_owned(), row.to.to_owned()].into_iter().chain(figures).chain([aim]),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_direction_can_be_measured() {
        for (from, to) in pairs() {
            let events = stream(from).unwrap();
            // Gemini sends the arguments of a call in one piece.
            assert!(events.len() > 100, "{from}: {}", events.len());
            stream_through(from, to, &events).unwrap();
            request_to(from, &request(from).unwrap(), to).unwrap();
        }
    }
}
