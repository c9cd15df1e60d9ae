//! Every client dialect on every upstream dialect: the official SDKs judge what comes back. What
//! is sent is judged twice, by the strict provider and by the request types of the upstream's own
//! SDK. The result is published as `docs/conformance.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use router_e2e::{Provider, Router, sdk};
use serde_json::{Value, json};

/// Client dialects with the scripts that speak them, in Python and where there is one in Node.
const CLIENTS: [(&str, &[&str]); 4] = [
    ("Chat", &["conformance/chat.py", "conformance/chat.mjs"]),
    ("Responses", &["conformance/responses.py", "conformance/responses.mjs"]),
    ("Messages", &["conformance/messages.py", "conformance/messages.mjs"]),
    ("Gemini", &["conformance/gemini.py"]),
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
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md");

/// A cell: what came of it, and what there is to say.
type Cell = (String, String);
/// Results by case and mode, then by pair.
type Table = BTreeMap<(usize, String, String), BTreeMap<String, Cell>>;

#[test]
fn no_cell_fails_and_the_published_table_is_true() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&config(&provider.demo().url()))?;
    let base = &*router.url("");
    // All at once: starting interpreters takes most of the time.
    let told: Vec<Told> = std::thread::scope(|scope| {
        let each =
            CLIENTS.iter().flat_map(|(client, scripts)| scripts.iter().map(move |it| (client, it)));
        #[expect(clippy::needless_collect, reason = "all are started before one is waited for")]
        let threads: Vec<_> =
            each.map(|(client, script)| scope.spawn(move || judge(client, script, base))).collect();
        threads.into_iter().map(joined).collect::<Result<_>>()
    })?;
    let mut table = Table::new();
    let mut failed = Vec::new();
    for (pair, script, index, cell) in told.into_iter().flatten() {
        let text = |name: &str| cell[name].as_str().unwrap_or_default().to_owned();
        let (case, mode, result) = (text("case"), text("mode"), (text("result"), text("say")));
        if matches!(result.0.as_str(), "refused" | "fail") {
            failed.push(format!("{pair} by {script}: {case} ({mode})\n{}", result.1));
        }
        let row = table.entry((index, case.clone(), mode.clone())).or_default();
        let first = row.entry(pair.clone()).or_insert_with(|| result.clone());
        if *first != result {
            failed.push(format!("{pair}: {case} ({mode}): {first:?}, but {result:?} by {script}"));
        }
    }
    if !failed.is_empty() {
        bail!("{} cells fail:\n{}", failed.len(), failed.join("\n"));
    }
    what_was_sent_has_the_vendors_own_types(&provider)?;
    let fresh = render(&table);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &fresh)?;
    }
    let published = std::fs::read_to_string(Path::new(PATH)).context("docs/conformance.md")?;
    assert!(published == fresh, "docs/conformance.md is stale; run `cargo x conformance`");
    Ok(())
}

fn joined(thread: std::thread::ScopedJoinHandle<'_, Result<Told>>) -> Result<Told> {
    thread.join().unwrap_or_else(|_| bail!("a judge panicked"))
}

/// What scripts have said: pair, script, number of the line, and the line.
type Told = Vec<(String, &'static str, usize, Value)>;

/// Lets a client's script speak to every upstream.
fn judge(client: &str, script: &'static str, base: &str) -> Result<Told> {
    let names = UPSTREAMS.map(|(upstream, _, _)| upstream.to_lowercase());
    let lines = sdk::output(script, base, &names.each_ref().map(String::as_str))?;
    let mut told = Told::new();
    for line in lines.lines() {
        let cell: Value = serde_json::from_str(line).context(line.to_owned())?;
        let named = |(name, _, _): &&(&str, &str, &str)| cell["upstream"] == name.to_lowercase();
        let (upstream, _, _) = UPSTREAMS.iter().find(named).context(line.to_owned())?;
        let pair = format!("{client} → {upstream}");
        let index = told.iter().filter(|(other, ..)| *other == pair).count();
        told.push((pair, script, index, cell));
    }
    Ok(told)
}

/// Holds every request the provider has seen against the types its vendor's SDK declares.
fn what_was_sent_has_the_vendors_own_types(provider: &Provider) -> Result<()> {
    let mut file = tempfile::NamedTempFile::new()?;
    for request in provider.demo().requests() {
        writeln!(file, "{}", json!({ "path": request.path, "body": request.json() }))?;
    }
    let path = file.path().to_str().context("a temporary path in UTF-8")?;
    let said: Value = serde_json::from_str(&sdk::output("conformance/upstream.py", path, &[])?)?;
    assert_eq!(said["flaws"], json!([]), "requests that are not what the SDKs' types say");
    for dialect in ["openai-chat", "openai-responses", "anthropic", "gemini"] {
        assert!(said["checked"][dialect].as_u64() > Some(100), "{said}");
    }
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
         What each client dialect gets on each upstream dialect, as the official SDKs see it: `openai` and\n\
         `anthropic` for Python and for Node, `google-genai` for Python. Where a dialect has two judges, both have to\n\
         say the same. The upstream is the strict demo provider, and every request it was sent is also held against\n\
         the request types of the upstream's own SDK. `cargo x conformance` makes this table; CI checks that it is\n\
         true.\n\n\
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
