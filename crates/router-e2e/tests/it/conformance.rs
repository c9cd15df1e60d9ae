//! Every client dialect on every upstream dialect: the official SDKs judge what comes back, the
//! strict provider judges what is sent. The result is published as `docs/conformance.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use router_e2e::{Provider, Router, sdk};
use serde_json::{Value, json};

/// Client dialects with the scripts that speak them.
const CLIENTS: [(&str, &str); 4] = [
    ("Chat", "conformance/chat.py"),
    ("Responses", "conformance/responses.py"),
    ("Messages", "conformance/messages.py"),
    ("Gemini", "conformance/gemini.py"),
];
/// Upstream dialects: the provider's name, its format in config, and its path.
const UPSTREAMS: [(&str, &str, &str); 4] = [
    ("Chat", "openai", "/v1"),
    ("Responses", "responses", "/v1"),
    ("Messages", "anthropic", ""),
    ("Gemini", "gemini", ""),
];
const MODELS: [&str; 7] = [
    "demo-chat",
    "demo-cut",
    "demo-error-event-after",
    "demo-overloaded",
    "demo-rate-limit-0",
    "demo-reasoner",
    "demo-refuse",
];
/// Cases that a dialect may have no way to carry, so that a clear refusal is the right answer.
/// Nothing is refused today.
const MAY_REFUSE: [&str; 0] = [];
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md");

/// Results by case and mode, then by pair.
type Table = BTreeMap<(usize, String, String), BTreeMap<String, (String, String)>>;

#[test]
fn no_cell_fails_and_the_published_table_is_true() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&config(&provider.demo().url()))?;
    let mut table = Table::new();
    let mut failed = Vec::new();
    for (client, script) in CLIENTS {
        for (upstream, _, _) in UPSTREAMS {
            let pair = format!("{client} → {upstream}");
            let lines = sdk::output(script, &router.url(""), &[&upstream.to_lowercase()])?;
            for (index, line) in lines.lines().enumerate() {
                let cell: Value = serde_json::from_str(line).context(line.to_owned())?;
                let text = |name: &str| cell[name].as_str().unwrap_or_default().to_owned();
                let refused =
                    text("result") == "refused" && !MAY_REFUSE.contains(&text("case").as_str());
                if refused || text("result") == "fail" {
                    failed.push(format!(
                        "{pair}: {} ({})\n{}",
                        text("case"),
                        text("mode"),
                        text("say")
                    ));
                }
                let row = table.entry((index, text("case"), text("mode"))).or_default();
                row.insert(pair.clone(), (text("result"), text("say")));
            }
        }
    }
    if !failed.is_empty() {
        bail!("{} cells fail:\n{}", failed.len(), failed.join("\n"));
    }
    let fresh = render(&table);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &fresh)?;
    }
    let published = std::fs::read_to_string(Path::new(PATH)).context("docs/conformance.md")?;
    assert!(published == fresh, "docs/conformance.md is stale; run `cargo x conformance`");
    Ok(())
}

fn config(base: &str) -> Value {
    let providers: Vec<_> = UPSTREAMS
        .iter()
        .map(|(name, format, path)| {
            json!({
                "id": name.to_lowercase(),
                "baseUrl": format!("{base}{path}"),
                "apiKey": router_e2e::provider::KEY,
                "format": format,
                "models": MODELS.map(|id| match id {
                    "demo-reasoner" => json!({ "id": id, "facts": reasoner() }),
                    _ => json!({ "id": id }),
                }),
                "facts": facts(format),
            })
        })
        .collect();
    // Every case is a claim about one call: nothing a failure teaches may skip the next case.
    json!({
        "version": 2,
        "providers": providers,
        "routing": {
            "retry": { "attempts": 1 },
            "circuit": { "failures": 0 },
            "cooldown": { "rateLimitMs": 0 },
        },
    })
}

/// What an operator has to say of a server whose models have names of their own: whose rules it
/// follows.
fn facts(format: &str) -> Value {
    match format {
        // As Anthropic's own API has it: a key alone turns caching on.
        "anthropic" => json!({ "automatic_cache": true, "cache_marks": "cache-control" }),
        "gemini" => json!({ "vendor": "google", "signed_calls": true }),
        _ => json!({ "openai_extras": true }),
    }
}

/// The rules of `demo-reasoner`, which are those of the newest reasoning models.
fn reasoner() -> Value {
    json!({
        "reasons": true,
        "sampling": "none",
        "tokens_field": "max_completion_tokens",
        "thinking": ["adaptive"],
        "efforts": ["low", "medium", "high", "xhigh", "max"],
        "mid_system": true,
        "prefill": false,
        "stop": false,
    })
}

fn render(table: &Table) -> String {
    let mut out = String::from(
        "# Conformance\n\n\
         What each client dialect gets on each upstream dialect, as the official SDKs (openai, anthropic,\n\
         google-genai for Python) see it, against the strict demo provider. `cargo x conformance` makes this table;\n\
         CI checks that it is true.\n\n\
         ✓ passes; ◐ passes, with a reported loss; ✗ refused with a clear error; – does not exist in the client's dialect.\n\n",
    );
    let mut notes: BTreeMap<String, usize> = BTreeMap::new();
    for (client, _) in CLIENTS {
        let pairs: Vec<_> = UPSTREAMS.iter().map(|(up, _, _)| format!("{client} → {up}")).collect();
        let _ = writeln!(
            out,
            "## {client} clients\n\n| case | mode | {} |",
            UPSTREAMS.map(|it| it.0).join(" | ")
        );
        let _ = writeln!(out, "|---|---|{}", "---|".repeat(UPSTREAMS.len()));
        for ((_, case, mode), row) in table {
            let cells: Vec<_> = pairs.iter().map(|pair| mark(row.get(pair), &mut notes)).collect();
            let _ = writeln!(out, "| {case} | {mode} | {} |", cells.join(" | "));
        }
        out.push('\n');
    }
    out.push_str("## Notes\n\n");
    let mut listed: Vec<_> = notes.into_iter().collect();
    listed.sort_by_key(|(_, number)| *number);
    for (note, number) in listed {
        let _ = writeln!(out, "{number}. {note}");
    }
    out
}

fn mark(cell: Option<&(String, String)>, notes: &mut BTreeMap<String, usize>) -> String {
    let Some((result, say)) = cell else { return "?".to_owned() };
    let sign = match result.as_str() {
        "pass" => return "✓".to_owned(),
        "none" => return "–".to_owned(),
        "loss" => "◐",
        _ => "✗",
    };
    let next = notes.len() + 1;
    let number = *notes.entry(say.replace('\n', " ")).or_insert(next);
    format!("{sign} {number}")
}
