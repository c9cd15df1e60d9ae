//! One run: every case through every proxy, in interleaved rounds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::cases::{Answer, CASES, Case};
use crate::load::{self, Expect, Load, Refused, Span, Target};
use crate::mock::Mock;
use crate::proc::{Cpu, Machine, Memory};
use crate::proxies::{Kind, Program, Proxy};
use crate::report::{self, CaseResult, Cell, ProgramResult, Results, median};

/// What one request may take outside of its stream's own length.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    cases: Vec<Case>,
    /// Whether to measure without a proxy, too.
    direct: bool,
    /// The core proxies run on, if there is one to spare.
    core: Option<usize>,
    quick: bool,
    rounds: usize,
    /// Starts of each proxy, to measure how long one takes.
    starts: usize,
    /// How long a proxy stands idle before its memory is read.
    settle: Duration,
    warm: Duration,
    measure: Duration,
    /// Paced streams on each connection.
    paced: usize,
}

impl Plan {
    pub(crate) fn new(quick: bool, only: &[String], direct: bool, core: Option<usize>) -> Self {
        let wanted = |case: &Case| only.is_empty() || only.iter().any(|name| name == case.name);
        let cases = CASES.into_iter().filter(wanted).collect();
        let millis = Duration::from_millis;
        let full = Self {
            cases,
            direct,
            core,
            quick,
            rounds: 3,
            starts: 5,
            settle: millis(1_000),
            warm: millis(300),
            measure: millis(1_700),
            paced: 2,
        };
        if !quick {
            return full;
        }
        Self {
            rounds: 1,
            starts: 1,
            settle: millis(200),
            warm: millis(100),
            measure: millis(300),
            paced: 1,
            ..full
        }
    }
}

/// A proxy with what was seen of it; a direct connection has no process.
#[derive(Debug)]
struct Column {
    kind: Kind,
    proxy: Option<Proxy>,
}

/// The rounds of one case through one column.
type Samples = BTreeMap<(&'static str, Kind), Vec<Sample>>;

/// One case through one column, once.
#[derive(Clone, Debug)]
struct Sample {
    load: Load,
    /// CPU time of the proxy per request or event, in microseconds.
    cpu_us: Option<f64>,
}

/// Measures `programs` as `plan` says. Fails when an answer is wrong, never
/// because one is slow.
pub(crate) async fn run(
    plan: &Plan,
    programs: &[Program],
    machine: Machine,
    mut notes: Vec<String>,
) -> Result<Results> {
    let begin = Instant::now();
    let mock = Mock::start(&CASES)?;
    let mut columns = Vec::new();
    if plan.direct {
        columns.push(Column { kind: Kind::Direct, proxy: None });
    }
    let mut facts = Vec::new();
    for program in programs {
        let (proxy, fact) = start(plan, program, &mock)?;
        columns.push(Column { kind: program.kind, proxy: Some(proxy) });
        facts.push(fact);
    }
    let outcome = measure_all(plan, &mock, &columns, &mut notes).await;
    let faults = mock.faults();
    let samples = outcome.with_context(|| format!("what the mock saw: {faults:?}"))?;
    ensure!(faults.is_empty(), "requests that arrived wrong: {faults:?}");
    for (fact, proxy) in
        facts.iter_mut().zip(columns.iter().filter_map(|column| column.proxy.as_ref()))
    {
        fact.peak_mib = report::mib(Memory::of(proxy.pid())?.peak);
    }
    if mock.late_events() > 0 {
        notes.push(format!("{} events left the mock more than 2 ms late.", mock.late_events()));
    }
    let cases = plan.cases.iter().map(|case| case_result(case, &columns, &samples)).collect();
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Results {
        machine,
        quick: plan.quick,
        rounds: plan.rounds,
        seconds,
        programs: facts,
        cases,
        notes,
    })
}

/// Starts a proxy, several times to learn how long it takes, and lets the last
/// one stand.
fn start(plan: &Plan, program: &Program, mock: &Mock) -> Result<(Proxy, ProgramResult)> {
    let mut times = Vec::new();
    let mut proxy = program.start(mock.addr(), plan.core)?;
    times.push(proxy.started_in.as_secs_f64() * 1e3);
    for _ in 1..plan.starts {
        drop(proxy);
        proxy = program.start(mock.addr(), plan.core)?;
        times.push(proxy.started_in.as_secs_f64() * 1e3);
    }
    std::thread::sleep(plan.settle);
    let fact = ProgramResult {
        name: program.kind.name(),
        version: program.version.clone(),
        binary_mib: report::mib(program.binary_bytes),
        start_ms: median(&times),
        idle_mib: report::mib(Memory::of(proxy.pid())?.resident),
        peak_mib: 0.0,
    };
    Ok((proxy, fact))
}

async fn measure_all(
    plan: &Plan,
    mock: &Mock,
    columns: &[Column],
    notes: &mut Vec<String>,
) -> Result<Samples> {
    let mut pairs = Vec::new();
    for case in &plan.cases {
        for column in columns {
            if case.is_translated() && column.kind != Kind::Router {
                continue;
            }
            let target = target(case, column, mock)?;
            match load::once(&target, time_of(case) + PATIENCE).await {
                Ok(()) => pairs.push((case, column, target)),
                Err(error) if case.is_translated() && error.is::<Refused>() => {
                    notes.push(format!("Without {}: {error:#}.", case.name));
                }
                Err(error) => return Err(error).with_context(|| explain(case, column)),
            }
        }
    }
    for column in columns {
        season(plan, column, mock).await?;
    }
    let mut samples = Samples::new();
    for round in 0..plan.rounds {
        report::say(&format!("round {} of {}", round + 1, plan.rounds));
        for (case, column, target) in &pairs {
            let sample = measure(plan, case, column, target).await;
            let sample = sample.with_context(|| explain(case, column))?;
            samples.entry((case.name, column.kind)).or_default().push(sample);
        }
        // So that no column is always the one after the same other.
        pairs.reverse();
    }
    Ok(samples)
}

/// Sends small requests for a moment. What a large body costs depends on what
/// the allocator of a proxy has seen before, so every run begins alike,
/// whichever cases it measures.
async fn season(plan: &Plan, column: &Column, mock: &Mock) -> Result<()> {
    let [small, ..] = &CASES;
    let target = target(small, column, mock)?;
    let span = Span::For { warm: plan.warm, measure: plan.warm };
    let seasoned = load::run(&target, small.connections, span, PATIENCE, || Ok(())).await;
    seasoned.map(drop).with_context(|| explain(small, column))
}

fn explain(case: &Case, column: &Column) -> String {
    let output = column.proxy.as_ref().map(Proxy::output).unwrap_or_default();
    format!("{} through {} {output}", case.name, column.kind.name())
}

fn target(case: &Case, column: &Column, mock: &Mock) -> Result<Target> {
    Ok(Target {
        addr: column.proxy.as_ref().map_or_else(|| mock.addr(), |proxy| proxy.addr),
        request: case.request(column.kind.model_prefix())?,
        expect: Arc::new(Expect::new(case)),
    })
}

/// How long an answer takes by the mock's own pace.
pub(crate) fn time_of(case: &Case) -> Duration {
    match case.answer {
        Answer::Paced { events, gap } => gap * u32::try_from(events).unwrap_or(u32::MAX),
        Answer::Whole | Answer::Burst { .. } => Duration::ZERO,
    }
}

async fn measure(plan: &Plan, case: &Case, column: &Column, target: &Target) -> Result<Sample> {
    let (span, limit) = match case.answer {
        Answer::Paced { .. } => {
            (Span::Times(plan.paced), time_of(case) * u32::try_from(plan.paced)?)
        }
        Answer::Whole | Answer::Burst { .. } => {
            (Span::For { warm: plan.warm, measure: plan.measure }, plan.warm + plan.measure)
        }
    };
    let mut marks = Vec::new();
    let mark = || {
        if let Some(proxy) = &column.proxy {
            marks.push(Cpu::of(proxy.pid())?);
        }
        Ok(())
    };
    let load = load::run(target, case.connections, span, limit + PATIENCE, mark).await?;
    ensure!(load.requests > 0, "not one answer in {:?}", load.elapsed);
    let units = report::float(load.requests) * report::float(u64::try_from(case.answer.units())?);
    let cpu_us = match marks.as_slice() {
        [begin, end] => Some(end.since(*begin).as_secs_f64() * 1e6 / units),
        _ => None,
    };
    Ok(Sample { load, cpu_us })
}

fn case_result(case: &Case, columns: &[Column], samples: &Samples) -> CaseResult {
    let rounds = |kind: Kind| samples.get(&(case.name, kind)).map_or(&[][..], Vec::as_slice);
    let cpus = |kind| rounds(kind).iter().filter_map(|sample| sample.cpu_us).collect::<Vec<_>>();
    let nginx = cpus(Kind::Nginx);
    let cells = columns
        .iter()
        .filter(|column| !rounds(column.kind).is_empty())
        .map(|column| {
            let cpu = cpus(column.kind);
            let ratios: Vec<f64> = cpu.iter().zip(&nginx).map(|(own, nginx)| own / nginx).collect();
            let each = |figure: &dyn Fn(&Load) -> f64| {
                median(&rounds(column.kind).iter().map(|s| figure(&s.load)).collect::<Vec<_>>())
            };
            Cell {
                proxy: column.kind.name(),
                requests_per_second: each(&|load| {
                    report::float(load.requests) / load.elapsed.as_secs_f64()
                }),
                cpu_us: (!cpu.is_empty()).then(|| median(&cpu)),
                ratio_to_nginx: (!ratios.is_empty()).then(|| median(&ratios)),
                cpu_us_rounds: cpu,
                p50_ms: each(&|load| quantile_ms(load, 50)),
                p99_ms: each(&|load| quantile_ms(load, 99)),
            }
        })
        .collect();
    let unit = if case.answer.units() == 1 { "request" } else { "event" };
    CaseResult { name: case.name, about: case.about, unit, aim: case.aim, cells }
}

/// The time that `percent` of the requests did not exceed, in milliseconds.
fn quantile_ms(load: &Load, percent: usize) -> f64 {
    let last = load.times.len().saturating_sub(1);
    load.times.get(last * percent / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
