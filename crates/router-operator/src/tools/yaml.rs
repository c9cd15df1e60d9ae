//! The top level of a YAML file, edited line by line.
//!
//! The two tools that write YAML need no more than a text at the top level and an entry in a list
//! there. So comments, anchors and everything else below stay exactly as they are.

use serde_json::Value;

/// The text at `key`, if it is a plain one on the same line.
pub(super) fn get(text: &str, key: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let rest = lines.get(find(&lines, key)?)?.get(key.len() + 1..)?;
    Some(rest.trim().trim_matches(['"', '\'']).to_owned())
}

/// Puts a text at `key`.
pub(super) fn set(text: &str, key: &str, value: &Value) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let line = format!("{key}: {}", scalar(value));
    let Some(start) = find(&lines, key) else { return append(text, &line) };
    splice(&lines, start, end_of(&lines, start), &[line])
}

/// Puts an object into the list at `list`: in the place of the one with the same `key`, or in
/// front of the first.
pub(super) fn put(text: &str, list: &str, key: &str, entry: &Value) -> Result<String, String> {
    let lines: Vec<&str> = text.lines().collect();
    let Some(start) = find(&lines, list) else {
        let block = [vec![format!("{list}:")], item(entry, 2)].concat().join("\n");
        return Ok(append(text, &block));
    };
    let head = lines.get(start).copied().unwrap_or_default();
    let inline = head.get(list.len() + 1..).unwrap_or_default();
    let inline = inline.split('#').next().unwrap_or_default().trim();
    if inline == "[]" {
        let block = [vec![format!("{list}:")], item(entry, 2)].concat();
        return Ok(splice(&lines, start, start + 1, &block));
    }
    if !inline.is_empty() {
        return Err(format!("`{list}` is written on one line; write it as a list of lines first"));
    }
    let end = end_of(&lines, start);
    let is_item = |line: &str| line.trim_start().starts_with("- ");
    let first = (start + 1..end).find(|at| lines.get(*at).is_some_and(|line| is_item(line)));
    let Some(first) = first else {
        return Ok(splice(&lines, start + 1, start + 1, &item(entry, 2)));
    };
    let indent = lines.get(first).map_or(2, |line| line.len() - line.trim_start().len());
    let begins = |at: &usize| {
        lines
            .get(*at)
            .is_some_and(|line| is_item(line) && line.len() - line.trim_start().len() == indent)
    };
    let starts: Vec<usize> = (first..end).filter(begins).collect();
    let wanted = entry.get(key).map(scalar).unwrap_or_default();
    let same = starts.iter().copied().find(|at| {
        let stop = starts.iter().copied().find(|other| at < other).unwrap_or(end);
        lines.get(*at..stop).unwrap_or_default().iter().any(|line| {
            let line = line.trim_start().trim_start_matches("- ");
            let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(':'));
            value.is_some_and(|value| {
                scalar(&Value::from(value.trim().trim_matches(['"', '\'']))) == wanted
            })
        })
    });
    let (from, to) = match same {
        Some(at) => (at, starts.iter().copied().find(|other| at < *other).unwrap_or(end)),
        None => (first, first),
    };
    Ok(splice(&lines, from, to, &item(entry, indent)))
}

/// The line of a key of the top level.
fn find(lines: &[&str], key: &str) -> Option<usize> {
    lines.iter().position(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
}

/// Behind the last line that belongs to the key at `start`.
fn end_of(lines: &[&str], start: usize) -> usize {
    let belongs = |line: &str| {
        // A list may stand at the level of its key.
        line.is_empty() || line.starts_with([' ', '\t']) || line.starts_with("- ") || line == "-"
    };
    let behind = lines.iter().enumerate().skip(start + 1).find(|(_, line)| !belongs(line));
    let mut end = behind.map_or(lines.len(), |(at, _)| at);
    // Blank lines belong to what follows.
    while start + 1 < end && lines.get(end - 1).is_some_and(|line| line.trim().is_empty()) {
        end -= 1;
    }
    end
}

fn item(entry: &Value, indent: usize) -> Vec<String> {
    let members = entry.as_object().into_iter().flatten();
    let lines = members.enumerate().map(|(at, (key, value))| {
        let dash = if at == 0 { "- " } else { "  " };
        format!("{}{dash}{key}: {}", " ".repeat(indent), scalar(value))
    });
    lines.collect()
}

/// In double quotes, where YAML reads what JSON reads, unless it is plainly a text without them.
fn scalar(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(plain)
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if is_plain { text.to_owned() } else { value.to_string() }
}

fn append(text: &str, block: &str) -> String {
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{gap}{block}\n")
}

fn splice(lines: &[&str], from: usize, to: usize, new: &[String]) -> String {
    let before = lines.get(..from).unwrap_or_default().iter().copied();
    let after = lines.get(to..).unwrap_or_default().iter().copied();
    let all: Vec<&str> = before.chain(new.iter().map(String::as_str)).chain(after).collect();
    all.join("\n") + "\n"
}
