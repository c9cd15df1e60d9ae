//! A thousand streams held for a minute: do they all end well, and what does
//! each cost in memory?

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::cases::STREAMS;
use crate::load::{self, Expect, Span, Target};
use crate::measure::time_of;
use crate::mock::Mock;
use crate::proc::{self, Cpu, Machine, Memory};
use crate::proxies::Program;
use crate::report;

/// Open files this process needs: both ends of every stream but the proxy's.
const OPEN_FILES_MIN: u64 = 2_500;
/// What the streams may take beyond their own length.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Serialize)]
struct Results {
    machine: Machine,
    streams: usize,
    programs: Vec<Held>,
    notes: Vec<String>,
}

/// What holding the streams cost one proxy.
#[derive(Clone, Debug, Serialize)]
struct Held {
    name: &'static str,
    version: String,
    idle_mib: f64,
    peak_mib: f64,
    /// Growth from idle to peak, for each stream.
    kib_per_stream: f64,
    cpu_us_per_event: f64,
}

/// Holds the streams through each of `programs`, one after the other, and
/// writes `streams.json` and `streams.md`.
pub(crate) async fn run(
    programs: &[Program],
    core: Option<usize>,
    machine: Machine,
    notes: Vec<String>,
    out: &Path,
) -> Result<()> {
    let files = proc::open_files_max();
    ensure!(files >= OPEN_FILES_MIN, "{files} open files are too few; try `ulimit -n 20000`");
    let mut held = Vec::new();
    for program in programs {
        report::say(&format!("{}: {}", program.kind.name(), STREAMS.about));
        let one = hold(program, core).await;
        held.push(one.with_context(|| program.kind.name())?);
    }
    let results = Results { machine, streams: STREAMS.connections, programs: held, notes };
    report::write_files(out, "streams", &results, &markdown(&results))
}

async fn hold(program: &Program, core: Option<usize>) -> Result<Held> {
    let mock = Mock::start([&STREAMS])?;
    let proxy = program.start(mock.addr(), core)?;
    std::thread::sleep(Duration::from_secs(1));
    let idle = Memory::of(proxy.pid())?.resident;
    let target = Target {
        addr: proxy.addr,
        request: STREAMS.request(program.kind.model_prefix())?,
        expect: Arc::new(Expect::new(&STREAMS)),
    };
    let mut marks = Vec::new();
    let mark = || {
        marks.push(Cpu::of(proxy.pid())?);
        Ok(())
    };
    let limit = time_of(&STREAMS) + PATIENCE;
    let load = load::run(&target, STREAMS.connections, Span::Times(1), limit, mark).await;
    let faults = mock.faults();
    let load =
        load.with_context(|| format!("the mock saw {faults:?}, it said {}", proxy.output()))?;
    ensure!(faults.is_empty(), "requests that arrived wrong: {faults:?}");
    let streams = u64::try_from(STREAMS.connections)?;
    ensure!(load.requests == streams, "only {} streams ended well", load.requests);
    let peak = Memory::of(proxy.pid())?.peak;
    let events = report::float(streams * u64::try_from(STREAMS.answer.units())?);
    let cpu = match marks.as_slice() {
        [begin, end] => end.since(*begin).as_secs_f64(),
        _ => 0.0,
    };
    Ok(Held {
        name: program.kind.name(),
        version: program.version.clone(),
        idle_mib: report::mib(idle),
        peak_mib: report::mib(peak),
        kib_per_stream: report::float(peak.saturating_sub(idle)) / 1024.0 / report::float(streams),
        cpu_us_per_event: cpu * 1e6 / events,
    })
}

fn markdown(results: &Results) -> String {
    let mut text = report::heading(&results.machine, "Held streams");
    text.extend(["\n", STREAMS.about, "; all of them ended complete and correct.\n\n"]);
    text.push_str(&report::row([
        "program",
        "idle, MiB",
        "peak, MiB",
        "KiB per stream",
        "CPU per event, µs",
        "version",
    ]));
    text.push_str(&report::rule(5));
    for held in &results.programs {
        text.push_str(&report::row([
            held.name.to_owned(),
            report::figure(held.idle_mib),
            report::figure(held.peak_mib),
            report::figure(held.kib_per_stream),
            report::figure(held.cpu_us_per_event),
            held.version.clone(),
        ]));
    }
    text
}
