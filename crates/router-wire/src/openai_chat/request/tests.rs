#![expect(clippy::needless_pass_by_value, reason = "json! makes values, tables hold them")]

use serde_json::{Value, json};

use super::*;
use crate::canonical::{
    Content, Losses, OutputFormat, Request, Role, ServiceTier, ToolChoice, ToolInput,
};
use crate::dialect::Dialect;
use crate::facts::{CacheMarks, Facts, FactsTable, ReasoningContent};
use crate::json::path_at;
use crate::translate::{Options, ReadError, RequestExtra, Target};

mod from_messages;
mod reading;
mod round;
mod to_messages;

/// Facts of a model of OpenAI's that takes everything.
fn openai() -> Facts {
    Facts { cache_marks: CacheMarks::Breakpoint, ..FactsTable::embedded().lookup("gpt-4.1") }
}

/// Facts of a server nothing is known about.
fn plain() -> Facts {
    Facts::default()
}

fn parse(body: &Value) -> String {
    body.to_string()
}

#[track_caller]
fn read_ok(body: &str) -> Request<'_> {
    read(body, &RequestExtra::default()).unwrap()
}

/// Path and problem of a request that cannot be read.
fn problem(body: &Value) -> String {
    let text = parse(body);
    match read(&text, &RequestExtra::default()) {
        Err(ReadError::Json(error)) => {
            let path = path_at(&text, error.at);
            format!("{path}: {}", error.problem)
        }
        other => panic!("read {body}: {other:?}"),
    }
}

struct Written {
    body: Value,
    losses: Vec<String>,
}

/// Writes `request` and says what was lost, as `code at path`.
fn written(request: &Request<'_>, from: Dialect, facts: &Facts) -> Result<Written, String> {
    let options = Options::default();
    let target = Target { dialect: Dialect::OpenaiChat, model: "up", facts, options: &options };
    let mut losses = Losses::new(from);
    let mut out = Vec::new();
    write(request, &target, &mut losses, &mut out).map_err(|refusal| refusal.to_string())?;
    let body = serde_json::from_slice(&out)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)));
    let losses =
        losses.list().iter().map(|loss| format!("{} at {}", loss.code, loss.path)).collect();
    Ok(Written { body, losses })
}
