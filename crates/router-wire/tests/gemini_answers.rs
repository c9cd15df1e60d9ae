//! Golden files: every answer fixture of Gemini as clients of each dialect get it, and answers of
//! others as Gemini clients get them.
//!
//! After a wanted change, run the test with `INSTA_UPDATE=always`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use router_wire::Dialect;
use router_wire::canonical::Shown;
use router_wire::translate::Session;

#[expect(clippy::disallowed_methods, reason = "tests read their fixtures")]
fn fixtures(dialect: Dialect) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/fixtures/{dialect}/response", env!("CARGO_MANIFEST_DIR"));
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

fn translated(inbound: Dialect, outbound: Dialect, body: &[u8]) -> String {
    let mut session = Session {
        model_shown: "shown".to_owned(),
        shown: Shown::Summary,
        vendor: if outbound == Dialect::Gemini { "google" } else { "anthropic" }.to_owned(),
        family: "family".to_owned(),
        now_s: 1_800_000_000,
        ..Session::new(inbound, outbound)
    };
    let mut out = Vec::new();
    let mut text = String::new();
    match session.response(body, &mut out) {
        Ok(answer) => {
            let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
            writeln!(text, "{}", serde_json::to_string_pretty(&json).unwrap()).unwrap();
            for loss in answer.losses {
                writeln!(text, "loss {} at {}: {}", loss.code, loss.path, loss.why).unwrap();
            }
        }
        Err(error) => {
            writeln!(text, "error {:?} {}: {}", error.kind, error.status, error.message).unwrap();
        }
    }
    text
}

fn check(inbound: Dialect, outbound: Dialect) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path(format!("golden/{outbound}"));
    let mut all = String::new();
    for (name, body) in fixtures(outbound) {
        writeln!(all, "== {name}\n{}", translated(inbound, outbound, &body)).unwrap();
    }
    settings.bind(|| insta::assert_snapshot!(format!("answers-to-{inbound}"), all));
}

#[test]
fn answers_of_gemini_reach_messages_clients_as_agreed() {
    check(Dialect::Anthropic, Dialect::Gemini);
}

#[test]
fn answers_of_gemini_reach_chat_clients_as_agreed() {
    check(Dialect::OpenaiChat, Dialect::Gemini);
}

#[test]
fn answers_of_gemini_come_back_from_the_hub_as_agreed() {
    check(Dialect::Gemini, Dialect::Gemini);
}

#[test]
fn answers_of_claude_reach_gemini_clients_as_agreed() {
    check(Dialect::Gemini, Dialect::Anthropic);
}
