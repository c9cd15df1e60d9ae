//! The model itself: the same request always gets the same answer.
//!
//! The prompt steers it where a test or a curious person needs to: `parallel`
//! asks for two calls at once, `in N steps` for N rounds of tools, `N words`
//! for an answer of that length, `explain` for a sentence before a call.

use std::fmt::Write as _;

use crate::ask::{Answer, Ask, Call, Choice, Form, Piece, Stop, Think, Usage};
use crate::sample;
use crate::tokens;

/// The longest answer a prompt may ask for, in words.
const WORDS_MAX: usize = 20_000;

/// With this many tools or fewer, one is called even if none fits by name.
/// Coding agents offer more, and there a call nobody asked for would act.
const FEW_TOOLS: usize = 4;

const FILLER: &[&str] = &[
    "the",
    "demo",
    "provider",
    "answers",
    "with",
    "steady",
    "words",
    "so",
    "that",
    "every",
    "stream",
    "has",
    "something",
    "to",
    "carry",
    "and",
];

/// Answers `ask`; `usage` already holds the input side, `id` names the calls.
pub(crate) fn answer(ask: &Ask, mut usage: Usage, id: u64) -> Answer {
    let mut pieces = Vec::new();
    let mut stop = Stop::Done;
    if ask.rules.refuses {
        pieces.push(Piece::Refusal("I can't help with that request.".into()));
        usage.output = 8;
        return Answer { pieces, stop: Stop::Refusal, usage };
    }
    let mut left = ask.limit.unwrap_or(u64::MAX);
    if ask.think != Think::No {
        let thought = thought(ask);
        spend(&mut left, &thought, &mut stop);
        usage.thoughts = tokens::of_text(&thought).min(ask.limit.unwrap_or(u64::MAX));
        pieces.push(Piece::Thought(thought));
    }
    let calls = calls(ask, id);
    let text = match (&ask.form, calls.is_empty()) {
        (_, false) if holds(&ask.prompt, "explain") => "Let me look that up.".to_owned(),
        (_, false) => String::new(),
        (Form::Text, true) => prose(ask),
        (Form::Json, true) => {
            serde_json::json!({"answer": summary(&ask.prompt), "ok": true}).to_string()
        }
        (Form::Schema(schema), true) => sample::of_schema(schema, &ask.prompt, 0).to_string(),
    };
    let text = cut_at_stop(text, &ask.stops, &mut stop);
    let text = cut_at_limit(text, &mut left, &mut stop);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    for call in calls {
        if stop == Stop::Length {
            break;
        }
        spend(&mut left, &call.input, &mut stop);
        if stop != Stop::Length {
            stop = Stop::Calls;
            pieces.push(Piece::Call(call));
        }
    }
    let spent = pieces.iter().map(|piece| match piece {
        Piece::Thought(_) => usage.thoughts,
        Piece::Text(text) | Piece::Refusal(text) => tokens::of_text(text),
        Piece::Call(call) => tokens::of_text(&call.input) + tokens::of_text(&call.name),
    });
    usage.output = spent.sum();
    if let (Some(limit), Stop::Length) = (ask.limit, &stop) {
        usage.output = limit;
    }
    Answer { pieces, stop, usage }
}

fn spend(left: &mut u64, text: &str, stop: &mut Stop) {
    let cost = tokens::of_text(text);
    if cost > *left {
        *stop = Stop::Length;
    }
    *left = left.saturating_sub(cost);
}

fn cut_at_stop(mut text: String, stops: &[String], stop: &mut Stop) -> String {
    let found = stops
        .iter()
        .filter(|word| !word.is_empty())
        .filter_map(|word| Some((text.find(word.as_str())?, word)))
        .min_by_key(|(at, _)| *at);
    if let Some((at, word)) = found {
        text.truncate(at);
        *stop = Stop::Sequence(word.clone());
    }
    text
}

fn cut_at_limit(mut text: String, left: &mut u64, stop: &mut Stop) -> String {
    let room = usize::try_from(left.saturating_mul(4)).unwrap_or(usize::MAX);
    if text.len() > room {
        let cut = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        *stop = Stop::Length;
    }
    *left = left.saturating_sub(tokens::of_text(&text));
    text
}

fn thought(ask: &Ask) -> String {
    let rounds = if ask.results.is_empty() { "First look" } else { "The results are in" };
    format!("{rounds}: the request says \"{}\". A short answer will do.", summary(&ask.prompt))
}

/// The first words of a prompt, on one line.
fn summary(prompt: &str) -> String {
    let words: Vec<&str> = prompt.split_whitespace().take(24).collect();
    words.join(" ")
}

fn prose(ask: &Ask) -> String {
    let mut text = String::new();
    for given in &ask.results {
        let verb = if given.failed { "failed with" } else { "answered" };
        let result: String = given.text.chars().take(200).collect();
        let _ = writeln!(text, "The tool {verb}: {result}");
    }
    for media in &ask.media {
        let _ = writeln!(text, "I see {media}.");
    }
    if let Some(count) = number_before(&ask.prompt, &["words", "word"]) {
        let words = FILLER.iter().copied().cycle().take(count.min(WORDS_MAX));
        text.push_str(&words.collect::<Vec<_>>().join(" "));
    } else if ask.results.is_empty() {
        let _ = write!(
            text,
            "This is the demo model answering your message: \"{}\". \
             Every word of it comes from this machine, free of charge.",
            summary(&ask.prompt)
        );
    } else {
        let _ = write!(text, "That settles your request: \"{}\".", summary(&ask.prompt));
    }
    text
}

/// The number in front of one of `units`, as in `200 words` or `in 3 steps`.
fn number_before(prompt: &str, units: &[&str]) -> Option<usize> {
    let words: Vec<&str> =
        prompt.split(|letter: char| !letter.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.windows(2).find_map(|pair| match pair {
        [number, unit] if units.contains(unit) => number.parse().ok(),
        _ => None,
    })
}

fn holds(prompt: &str, word: &str) -> bool {
    prompt.to_lowercase().contains(word)
}

fn calls(ask: &Ask, id: u64) -> Vec<Call> {
    let rounds = number_before(&ask.prompt, &["steps", "rounds"]).unwrap_or(1);
    let forced = matches!(ask.choice, Choice::Some | Choice::Named(_));
    if ask.tools.is_empty() || ask.choice == Choice::Never || (ask.rounds >= rounds && !forced) {
        return Vec::new();
    }
    let mut order: Vec<(usize, usize)> = ask
        .tools
        .iter()
        .enumerate()
        .map(|(index, tool)| (score(&ask.prompt, &tool.name, &tool.about), index))
        .collect();
    order.sort_by_key(|(score, index)| (usize::MAX - score, *index));
    match &ask.choice {
        Choice::Named(name) => {
            order.retain(|(_, index)| ask.tools.get(*index).is_some_and(|t| t.name == *name));
        }
        Choice::Auto if ask.tools.len() > FEW_TOOLS => order.retain(|(score, _)| *score >= NAMED),
        _ => {}
    }
    if ask.parallel && holds(&ask.prompt, "parallel") {
        order = order.iter().copied().cycle().take(order.len().clamp(0, 1) * 2).collect();
    } else {
        order.truncate(1);
    }
    let call = |(nth, (_, index)): (usize, &(usize, usize))| {
        let tool = ask.tools.get(*index)?;
        let input = match &tool.schema {
            Some(schema) => sample::of_schema(schema, &ask.prompt, nth).to_string(),
            None => freeform(&ask.prompt),
        };
        Some(Call {
            id: format!("demo{id:08}{:02}", nth + 1),
            name: tool.name.clone(),
            space: tool.space.clone(),
            input,
            freeform: tool.schema.is_none(),
        })
    };
    order.iter().enumerate().filter_map(call).collect()
}

fn freeform(prompt: &str) -> String {
    let line = summary(prompt);
    format!("*** Begin Patch\n*** Add File: demo.txt\n+{line}\n*** End Patch")
}

/// The score from which a prompt names a tool rather than sounding like it.
const NAMED: usize = 100;

fn score(prompt: &str, name: &str, about: &str) -> usize {
    let prompt = prompt.to_lowercase();
    let spoken: Vec<&str> =
        prompt.split(|letter: char| !letter.is_alphanumeric()).filter(|w| w.len() > 2).collect();
    let name = name.to_lowercase();
    if prompt.contains(&name) {
        return NAMED * 10;
    }
    let by_name = name.split(['_', '-', '.']).filter(|w| w.len() > 2 && spoken.contains(w)).count();
    let about = about.to_lowercase();
    let by_about = spoken.iter().filter(|word| about.contains(**word)).count();
    by_name * NAMED + by_about.min(NAMED - 1)
}

#[cfg(test)]
mod tests;
