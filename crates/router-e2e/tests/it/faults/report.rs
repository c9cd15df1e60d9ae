//! The report as a document.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::rows::{Row, What};
use super::{Outcome, Second, Seen, Table};

const SITUATIONS: [(Second, bool); 4] = [
    (Second::Healthy, true),
    (Second::Healthy, false),
    (Second::Fails, true),
    (Second::Fails, false),
];

pub(super) fn render(rows: &[Row], table: &Table, cells: usize) -> String {
    let mut out = format!(
        "# Faults\n\n\
         What comes of {faults} faults of an upstream, by {cells} requests through the shipped program: clients that speak Chat,\n\
         Responses, Messages and Gemini, each to upstreams of its own dialect and, translated, of all others, streamed and\n\
         whole.\n\
         `cargo x faults` makes this table; CI checks that it is true.\n\n\
         Each request has two candidates. Either the second one is healthy, or it meets the same fault as the first. Each\n\
         candidate is tried at most twice and one failing request opens a circuit; by default that is three times and two\n\
         requests.\n\n\
         - **answer**: complete, as if nothing had happened. **error**: with this status, in the client's dialect.\n  \
           **broken**: a stream that ends in exactly one error event of the client's dialect, and never as a complete one does.\n\
         - **2+1** are the calls to the first and to the second candidate.\n\
         - The last column says what of a candidate that failed is left out afterwards, and for how long. In this run:\n  \
           {lengths}; {hint} s where the upstream says so.\n\n\
         Where a cell names two outcomes, a rule says which of them it is:\n\n\
         - **What ends an answer.** In Chat a `finish_reason`, in Gemini a `finishReason`: servers of these dialects end the body\n  \
           right behind it, and many Chat servers send no `[DONE]`. In Messages `message_stop`, in Responses\n  \
           `response.completed`: there every server sends the last event, so one that is missing was cut off. Once the\n  \
           end has come, the answer is complete however the body ends, native or translated, and the client gets\n  \
           everything its own dialect ends with. Before it, the stream is broken.\n\
         - **Which status.** The upstream's own: of its status line, or the one inside its error event, as Gemini sends it;\n  \
           where it names none, that of the failure's class; a translated event of Responses only says `server_error`,\n  \
           which is 500. 529 is a status that only Messages clients know; the others\n  \
           get 503 for it, native or translated.\n\
         - **What is too large.** An event above 16 MiB cannot be translated; it passes where nothing is translated.\n\n",
        faults = rows.len(),
        lengths = lengths(),
        hint = super::rows::HINT_S,
    );
    out.push_str(
        "| Fault | healthy second: stream | whole | both fail: stream | whole | Left out |\n\
         |---|---|---|---|---|---|\n",
    );
    for (index, row) in rows.iter().enumerate() {
        let _ = write!(out, "| {} |", row.name);
        let mut kept = BTreeSet::new();
        for (second, is_stream) in SITUATIONS {
            let outcomes = table.get(&(index, second, is_stream));
            kept.extend(outcomes.into_iter().flatten().map(left_out));
            let _ = write!(out, " {} |", cell(row, outcomes));
        }
        let kept: Vec<_> = kept.into_iter().collect();
        let _ = writeln!(out, " {} |", kept.join(" or "));
    }
    out
}

fn lengths() -> String {
    let kept = super::KEPT;
    format!(
        "{} s after a rate limit, {} s for a refused key, {} s for an unpaid one, {} s for what is not there, {} s for a \
         circuit",
        kept.rate_limit, kept.auth, kept.billing, kept.not_found, kept.circuit
    )
}

fn cell(row: &Row, outcomes: Option<&BTreeSet<Outcome>>) -> String {
    let Some(outcomes) = outcomes else { return "–".to_owned() };
    let shown: BTreeSet<_> = outcomes
        .iter()
        .map(|outcome| {
            let seen = match &outcome.seen {
                Seen::Answer => "answer".to_owned(),
                Seen::Error(status) => format!("error {status}"),
                Seen::Broken => "broken".to_owned(),
                Seen::Wrong(_) => "wrong".to_owned(),
            };
            let (first, second) = outcome.calls;
            match row.what {
                What::Refused => format!("{seen}, –+{second}"),
                _ => format!("{seen}, {first}+{second}"),
            }
        })
        .collect();
    shown.into_iter().collect::<Vec<_>>().join(" or ")
}

fn left_out(outcome: &Outcome) -> String {
    let kept = outcome.kept[0].iter().map(|(what, seconds)| format!("{what} for {seconds} s"));
    let kept: Vec<_> = kept.collect();
    if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") }
}
