//! Golden files: every request fixture of a dialect, translated for a few models of each dialect.
//! A snapshot holds, for one target, the outbound bodies and the losses, or the errors.
//!
//! A fixture is a body as a client sends it: `fixtures/DIALECT/request/NAME.json`. The snapshots
//! stand in `tests/golden/`. After a wanted change, run the test with `INSTA_UPDATE=always`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use router_wire::Dialect;
use router_wire::facts::FactsTable;
use router_wire::translate::{Options, RequestExtra, Target, translate_request};

/// The models requests are translated for.
const TARGETS: [(Dialect, &str); 8] = [
    (Dialect::Anthropic, "claude-sonnet-4-5"),
    (Dialect::Anthropic, "claude-opus-4-7"),
    (Dialect::OpenaiChat, "gpt-4o"),
    (Dialect::OpenaiChat, "gpt-5.6"),
    (Dialect::OpenaiChat, "deepseek-reasoner"),
    (Dialect::OpenaiResponses, "gpt-5.6"),
    (Dialect::Gemini, "gemini-2.5-pro"),
    (Dialect::Gemini, "gemini-3-flash"),
];

#[expect(clippy::disallowed_methods, reason = "tests read their fixtures")]
fn fixtures(dialect: Dialect, kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/fixtures/{dialect}/{kind}", env!("CARGO_MANIFEST_DIR"));
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn pretty(json: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(json).expect("the router writes JSON");
    serde_json::to_string_pretty(&value).unwrap()
}

fn translated(inbound: Dialect, body: &[u8], outbound: Dialect, model: &str) -> String {
    let facts = FactsTable::embedded().lookup(model);
    let options = Options::default();
    let target = Target { dialect: outbound, model, facts: &facts, options: &options };
    let extra = RequestExtra { model: None, now_s: 1_800_000_000, ..RequestExtra::default() };
    let mut text = String::new();
    match translate_request(inbound, body, &extra, &target) {
        Ok(outbound) => {
            writeln!(text, "{}", pretty(&outbound.body)).unwrap();
            for loss in &outbound.losses {
                let (severity, count) = (loss.severity.name(), loss.count);
                let times = if count == 1 { String::new() } else { format!(" (x{count})") };
                writeln!(
                    text,
                    "loss {severity} {} at {}: {}{times}",
                    loss.code, loss.path, loss.why
                )
                .unwrap();
            }
            for tool in &outbound.session.tools {
                writeln!(text, "alias {tool:?}").unwrap();
            }
            if !outbound.session.stops.is_empty() {
                writeln!(text, "watched stops {:?}", outbound.session.stops).unwrap();
            }
        }
        Err(error) => writeln!(text, "error {:?}", error.to_client_error()).unwrap(),
    }
    text
}

fn check(inbound: Dialect) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path(format!("golden/{inbound}"));
    let cases = fixtures(inbound, "request");
    for (outbound, model) in TARGETS {
        if inbound == outbound && inbound != Dialect::Anthropic {
            continue;
        }
        let mut all = String::new();
        for (name, body) in &cases {
            let text = translated(inbound, body, outbound, model);
            writeln!(all, "== {name}\n{text}").unwrap();
        }
        if all.contains("does not translate") {
            continue;
        }
        settings.bind(|| insta::assert_snapshot!(format!("{outbound}-{model}"), all));
    }
}

#[test]
fn messages_requests_are_translated_as_agreed() {
    check(Dialect::Anthropic);
}

#[test]
fn gemini_requests_are_translated_as_agreed() {
    check(Dialect::Gemini);
}

#[test]
fn chat_requests_are_translated_as_agreed() {
    check(Dialect::OpenaiChat);
}

#[test]
fn responses_requests_are_translated_as_agreed() {
    check(Dialect::OpenaiResponses);
}
