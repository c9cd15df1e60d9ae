//! Everything that can go wrong upstream, for every client dialect: what the client sees, who is
//! called, and what is kept out afterwards. The result is published as `docs/faults.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use router_demo::{At, Fault, Record, Script};
use router_e2e::http::{self, Answer};
use router_e2e::provider::KEY;
use router_e2e::{Provider, Router};
use serde_json::{Value, json};

use self::rows::{Class, Fate, Kept, Parts, Row, What, rows};
use crate::admin::operators;
use crate::common::{ALL, Speaks};

mod report;
mod rows;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/faults.md");
/// Routers that are asked at the same time, each with a provider of its own.
const WORKERS: usize = 10;
/// Time to hear of what a request did, once its answer is there.
const SETTLE_MAX: Duration = Duration::from_secs(3);
/// Seconds that a machine may lose between a failure and a look at what it kept out.
const SLACK_S: u64 = 8;

/// Seconds that failures keep something out where the upstream does not say.
struct Seconds {
    rate_limit: u64,
    auth: u64,
    billing: u64,
    not_found: u64,
    circuit: u64,
}

const KEPT: Seconds =
    Seconds { rate_limit: 40, auth: 100, billing: 200, not_found: 60, circuit: 80 };

/// What the second candidate does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Second {
    /// It answers.
    Healthy,
    /// The same as the first.
    Fails,
}

/// One request that meets one fault.
#[derive(Clone, Copy, Debug)]
struct Cell {
    row: usize,
    client: Speaks,
    upstream: Speaks,
    second: Second,
    is_stream: bool,
    /// For cuts, after how many events.
    cut: Option<usize>,
}

/// What came of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Outcome {
    seen: Seen,
    /// Calls to the first and the second candidate.
    calls: (usize, usize),
    /// What of the first and the second candidate is kept out.
    kept: [Kept; 2],
}

/// What the client saw.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Seen {
    /// A complete answer.
    Answer,
    /// An error of its dialect with this status.
    Error(u16),
    /// A stream that ends in exactly one error event of its dialect.
    Broken,
    /// Something else, which is wrong.
    Wrong(String),
}

/// Outcomes by row, second candidate and mode.
type Table = BTreeMap<(usize, Second, bool), BTreeSet<Outcome>>;

#[test]
fn every_fault_comes_to_what_its_class_says_and_the_published_report_is_true() -> Result<()> {
    let rows = rows();
    let cells = cells(&rows)?;
    let (next, table, failed) =
        (AtomicUsize::new(0), Mutex::new(Table::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            let bench = Bench::start()?;
            while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                let row = &rows[cell.row];
                let wanted = expected(row, *cell).context("a cell without a fate")?;
                let outcome = bench.run(row, *cell, &wanted)?;
                if outcome != wanted {
                    let line =
                        format!("{}: {cell:?}\n  got  {outcome:?}\n  want {wanted:?}", row.name);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
                let key = (cell.row, cell.second, cell.is_stream);
                let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
                table.entry(key).or_default().insert(outcome);
            }
            Ok(())
        };
        let workers = [(); WORKERS].map(|()| scope.spawn(work));
        workers.into_iter().try_for_each(|each| {
            each.join().unwrap_or_else(|_| bail!("a worker ended before its work"))
        })
    })?;
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !failed.is_empty() {
        bail!("{} of {} cells fail:\n{}", failed.len(), cells.len(), failed.join("\n"));
    }
    let table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    let fresh = report::render(&rows, &table, cells.len());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &fresh)?;
    }
    let published = std::fs::read_to_string(PATH).context("docs/faults.md")?;
    assert!(published == fresh, "docs/faults.md is stale; run `cargo x faults`");
    Ok(())
}

fn cells(rows: &[Row]) -> Result<Vec<Cell>> {
    let bench = Bench::start()?;
    let mut cells = Vec::new();
    for (row, each) in rows.iter().enumerate() {
        for client in ALL {
            for upstream in ALL {
                for second in [Second::Healthy, Second::Fails] {
                    for (is_stream, fate) in [(true, each.stream), (false, each.whole)] {
                        let Some(fate) = fate else { continue };
                        let cell = Cell { row, client, upstream, second, is_stream, cut: None };
                        if !matches!(each.what, What::CutEverywhere) {
                            cells.push(cell);
                            continue;
                        }
                        let cuts = bench.parts(client, upstream)?.cuts(fate);
                        cells.extend(cuts.into_iter().map(|cut| Cell { cut: Some(cut), ..cell }));
                    }
                }
            }
        }
    }
    Ok(cells)
}

/// What must come of a cell, by the class of its fault.
fn expected(row: &Row, cell: Cell) -> Option<Outcome> {
    let fate = if cell.is_stream { row.stream } else { row.whole };
    let fine = Outcome { seen: Seen::Answer, calls: (1, 0), kept: [Vec::new(), Vec::new()] };
    Some(match fate? {
        Fate::Fine | Fate::Sealed => fine,
        // These dialects end with an event of their own; in Chat the reason for the end is one.
        Fate::Ending if cell.upstream == Speaks::Chat => fine,
        Fate::Late | Fate::Ending => late(),
        Fate::Translated(_) if cell.client == cell.upstream => fine,
        Fate::Early(class) | Fate::Translated(class) => early(row, class, cell),
    })
}

/// The status of a client for which nobody had an answer: the upstream's own, from its status line
/// or by its error event, else that of the class. 529 is only for Messages clients.
fn status(row: &Row, class: Class, cell: Cell) -> u16 {
    let in_event = match cell.upstream {
        _ if class != Class::Overloaded => None,
        Speaks::Gemini => Some(503),
        // Their events have types, and translation reads those: `overloaded` and `server_error`.
        Speaks::Chat if cell.client != cell.upstream => Some(503),
        Speaks::Responses if cell.client != cell.upstream => Some(500),
        _ => None,
    };
    match row.status.or(in_event).unwrap_or_else(|| class.status()) {
        529 if cell.client != Speaks::Messages => 503,
        status => status,
    }
}

/// Output has gone to the client: nobody else is called, and the circuit hears of it.
fn late() -> Outcome {
    let kept = Class::Interrupted.kept(false);
    Outcome { seen: Seen::Broken, calls: (1, 0), kept: [kept, Vec::new()] }
}

/// Nothing has gone to the client: the second candidate is called, unless that is of no use.
fn early(row: &Row, class: Class, cell: Cell) -> Outcome {
    let second = cell.second;
    let (tries, kept) = (class.tries(row.hint), class.kept(row.hint));
    let error = Seen::Error(status(row, class, cell));
    let (seen, seconds, also) = match second {
        _ if class.is_final() => (error, 0, Vec::new()),
        Second::Healthy => (Seen::Answer, 1, Vec::new()),
        Second::Fails => (error, tries, kept.clone()),
    };
    // Nobody counts calls that do not arrive.
    let calls = match (&row.what, second) {
        (What::Refused, Second::Healthy) => (0, 1),
        (What::Refused, Second::Fails) => (0, 0),
        _ => (tries, seconds),
    };
    Outcome { seen, calls, kept: [kept, also] }
}

/// A router between clients and a provider with two models, `first` and `second`.
struct Bench {
    provider: Provider,
    router: Router,
    operators: std::net::SocketAddr,
}

impl Bench {
    fn start() -> Result<Self> {
        let provider = Provider::start()?;
        let router = Router::start(&config(&provider.demo().url()))?;
        let operators = operators(&router)?;
        Ok(Self { provider, router, operators })
    }

    /// Where the parts of a healthy stream from `upstream` for `client` begin: what the router
    /// asks for a client is asked again without it.
    fn parts(&self, client: Speaks, upstream: Speaks) -> Result<Parts> {
        self.provider.demo().reset();
        self.script("first", None);
        let answer = self.ask(client, &route(upstream, false, Second::Healthy), true)?;
        ensure!(client.is_complete_stream(&answer), "{client:?}: {}", answer.text());
        let asked = self.provider.demo().requests().pop().context("never asked")?;
        let own = ["host", "content-length", "connection", "transfer-encoding", "accept-encoding"];
        let headers: Vec<_> = asked
            .headers
            .iter()
            .filter(|(name, _)| !own.contains(&name.as_str()))
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let address = self.provider.demo().address();
        let answer = http::send(address, "POST", &asked.path, &headers, &asked.body)?;
        let parts = Parts::of(upstream, &answer.events());
        parts.with_context(|| format!("no stream as expected: {}", answer.text()))
    }

    fn script(&self, model: &str, fault: Option<&Fault>) {
        let script = fault.cloned().map_or_else(Script::default, Script::always);
        self.provider.demo().script(model, script);
    }

    fn ask(&self, client: Speaks, model: &str, is_stream: bool) -> Result<Answer> {
        let path = client.path(model, is_stream);
        http::post(self.router.address(), &path, &client.request(model, is_stream))
    }

    fn run(&self, row: &Row, cell: Cell, wanted: &Outcome) -> Result<Outcome> {
        let fault = match (&row.what, cell.cut) {
            (What::Scripted(fault), _) => Some(fault.clone()),
            (_, cut) => cut.map(|events| Fault::Cut(At::Event(events))),
        };
        self.provider.demo().reset();
        self.script("first", fault.as_ref());
        self.script("second", fault.as_ref().filter(|_| cell.second == Second::Fails));
        let is_refused = matches!(row.what, What::Refused);
        let model = route(cell.upstream, is_refused, cell.second);
        let answer = self.ask(cell.client, &model, cell.is_stream)?;
        let records = self.provider.demo().requests();
        let calls = |model: &str| records.iter().filter(|record| is_for(record, model)).count();
        let mut calls = (calls("first"), calls("second"));
        if matches!(fault, Some(Fault::CloseBeforeHead | Fault::ResetBeforeHead)) {
            // A kept connection that breaks so is replaced, which is no attempt.
            calls = (calls.0.min(wanted.calls.0), calls.1.min(wanted.calls.1));
        }
        let outcome = Outcome { seen: seen(cell, &answer), calls, kept: self.kept(cell.upstream)? };
        self.settled(outcome, cell.upstream, wanted)
    }

    /// A stream's end is counted just after the client has it.
    fn settled(&self, first: Outcome, upstream: Speaks, wanted: &Outcome) -> Result<Outcome> {
        let deadline = Instant::now() + SETTLE_MAX;
        let mut outcome = first;
        while *wanted != outcome && Instant::now() < deadline {
            if (&wanted.seen, wanted.calls) != (&outcome.seen, outcome.calls) {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
            outcome.kept = self.kept(upstream)?;
        }
        self.operate("DELETE")?;
        Ok(outcome)
    }

    fn operate(&self, method: &str) -> Result<Value> {
        let headers = [("authorization", "Bearer operators-secret")];
        let answer = http::send(self.operators, method, "/admin/cooldowns", &headers, b"")?;
        ensure!(answer.status == 200, "{}", answer.text());
        answer.json()
    }

    /// What is kept out of the first and the second candidate.
    fn kept(&self, upstream: Speaks) -> Result<[Kept; 2]> {
        let mut kept = [Kept::new(), Kept::new()];
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let now = u64::try_from(now.as_millis())?;
        let page = self.operate("GET")?;
        for held in page["cooldowns"].as_array().context("no cooldowns")? {
            let provider = held["provider"].as_str().context("no provider")?;
            ensure!(provider.starts_with(name(upstream)), "{held} was never called");
            let left = held["until"].as_u64().context("no until")?.saturating_sub(now);
            let what = match (held["scope"].as_str(), held["class"].is_null()) {
                (Some("lane"), false) => "the model with this key",
                (Some("model"), false) => "the model",
                (Some("model"), true) => "the model (circuit)",
                (Some("credential"), false) => "the key",
                (Some("provider"), false) => "the provider",
                (Some("provider"), true) => "the provider (circuit)",
                _ => bail!("unknown: {held}"),
            };
            let index = usize::from(provider.ends_with("second"));
            kept[index].push((what.to_owned(), rounded(left)?));
        }
        Ok(kept)
    }
}

/// The configured or asked length, in seconds, that `left_ms` is the rest of.
fn rounded(left_ms: u64) -> Result<u64> {
    let lengths =
        [rows::HINT_S, KEPT.rate_limit, KEPT.auth, KEPT.billing, KEPT.not_found, KEPT.circuit];
    let fits = |length: &u64| {
        left_ms <= length * 1_000 && length.saturating_sub(SLACK_S) * 1_000 <= left_ms
    };
    lengths.into_iter().find(fits).with_context(|| format!("kept out for {left_ms} ms"))
}

fn is_for(record: &Record, model: &str) -> bool {
    let path = format!("/models/{model}:");
    record.path.contains(&path) || record.json()["model"] == model
}

fn seen(cell: Cell, answer: &Answer) -> Seen {
    let client = cell.client;
    let wrong =
        || Seen::Wrong(format!("{} {:?} {}", answer.status, answer.complete, shown(answer)));
    if answer.status != 200 {
        let is_error = answer.complete && client.error(answer).is_ok();
        return if is_error { Seen::Error(answer.status) } else { wrong() };
    }
    if !cell.is_stream {
        let is_answer = answer.complete && client.is_answer(answer);
        return if is_answer { Seen::Answer } else { wrong() };
    }
    let errors = client.stream_errors(answer).len();
    let is_complete = client.is_complete_stream(answer);
    let ends_in_error = answer.events().last().is_some_and(|last| last.contains("\"error\""))
        && answer.text().ends_with("\n\n");
    match (errors, is_complete) {
        (0, true) => Seen::Answer,
        (1, false) if ends_in_error && answer.complete => Seen::Broken,
        _ => wrong(),
    }
}

fn shown(answer: &Answer) -> String {
    let text = answer.text();
    let tail = text.char_indices().rev().nth(400).map_or(0, |(at, _)| at);
    text.get(tail..).unwrap_or_default().to_owned()
}

fn name(upstream: Speaks) -> &'static str {
    match upstream {
        Speaks::Chat => "chat",
        Speaks::Responses => "responses",
        Speaks::Messages => "messages",
        Speaks::Gemini => "gemini",
    }
}

/// The alias of two candidates that speak `upstream`.
fn route(upstream: Speaks, is_refused: bool, second: Second) -> String {
    match (is_refused, second) {
        (false, _) => format!("{}-pair", name(upstream)),
        (true, Second::Healthy) => format!("{}-one-gone", name(upstream)),
        (true, Second::Fails) => format!("{}-both-gone", name(upstream)),
    }
}

fn config(base: &str) -> Value {
    let (mut providers, mut aliases) = (Vec::new(), serde_json::Map::new());
    for upstream in ALL {
        let (format, path, facts) = match upstream {
            Speaks::Chat => ("openai", "/v1", json!({ "openai_extras": true })),
            Speaks::Responses => ("responses", "/v1", json!({ "openai_extras": true })),
            Speaks::Messages => ("anthropic", "", json!({})),
            Speaks::Gemini => ("gemini", "", json!({ "vendor": "google", "signed_calls": true })),
        };
        let name = name(upstream);
        let places = [("", base), ("-gone", "http://127.0.0.1:1")];
        for (suffix, base) in places {
            providers.extend(["first", "second"].map(|model| {
                json!({
                    "id": format!("{name}{suffix}-{model}"),
                    "baseUrl": format!("{base}{path}"),
                    "apiKey": KEY,
                    "format": format,
                    "models": [model],
                    "facts": facts,
                })
            }));
        }
        for (alias, first, second) in
            [("pair", "", ""), ("one-gone", "-gone", ""), ("both-gone", "-gone", "-gone")]
        {
            let targets =
                [format!("{name}{first}-first/first"), format!("{name}{second}-second/second")];
            let alias = format!("{name}-{alias}");
            aliases.insert(alias, json!({ "strategy": "ordered", "targets": targets }));
        }
    }
    json!({
        "version": 2,
        "providers": providers,
        "modelAliases": aliases,
        "server": { "admin": { "port": 0, "key": "operators-secret" } },
        "routing": {
            "retry": { "attempts": 2, "baseDelayMs": 1, "maxDelayMs": 5 },
            "circuit": { "failures": 1, "cooldownMs": KEPT.circuit * 1_000 },
            "cooldown": {
                "rateLimitMs": KEPT.rate_limit * 1_000,
                "authMs": KEPT.auth * 1_000,
                "billingMs": KEPT.billing * 1_000,
                "notFoundMs": KEPT.not_found * 1_000,
            },
            "timeouts": { "connectMs": 2_000, "firstByteMs": 1_500, "idleMs": 1_500 },
        },
    })
}
