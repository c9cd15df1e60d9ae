//! Short texts operators type on a command line or into a form.
//!
//! Errors are sentences without a full stop.

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Source};
use crate::json;

/// Units of windows: the name in config, then what people type.
const UNITS: [(&str, &[&str]); 6] = [
    ("second", &["s", "sec", "secs", "second", "seconds"]),
    ("minute", &["m", "min", "mins", "minute", "minutes"]),
    ("hour", &["h", "hr", "hrs", "hour", "hours"]),
    ("day", &["d", "day", "days"]),
    ("week", &["w", "wk", "wks", "week", "weeks"]),
    ("month", &["mo", "mon", "month", "months"]),
];

/// Reads a value given as JSON; the error shows where it is wrong.
pub fn json(text: &str) -> Result<Value, Box<Diagnostic>> {
    json::parse(&Source::new(text)).map(|node| node.to_json())
}

/// Splits a list at commas, semicolons and white space; repetitions are dropped.
pub fn list(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for part in text.split(|c: char| c == ',' || c == ';' || c.is_whitespace()) {
        let part = part.trim_matches(['"', '\'', '[', ']', '(', ')', '`']);
        if !part.is_empty() && out.iter().all(|seen| seen != part) {
            out.push(part.to_owned());
        }
    }
    out
}

/// Reads a window such as `6h`, `hour:6`, `day/1`, `month` or `2 weeks` into a `window` of config.
///
/// `M` is a minute like `m`; a month is `mo`.
pub fn window(text: &str) -> Result<Value, String> {
    let compact: String = text
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, ':' | '/' | '-'))
        .collect();
    let digits: String = compact.chars().filter(char::is_ascii_digit).collect();
    let letters: String = compact.chars().filter(|c| !c.is_ascii_digit()).collect();
    let is_one_number = compact.starts_with(&digits) || compact.ends_with(&digits);
    let unit = UNITS.iter().find(|(_, names)| names.contains(&letters.as_str()));
    let size = if digits.is_empty() { Ok(1) } else { digits.parse::<u32>() };
    match (unit, size) {
        (Some((unit, _)), Ok(size @ 1..)) if is_one_number => {
            Ok(serde_json::json!({ "unit": unit, "size": size }))
        }
        _ => Err(format!("`{}` is not a window; write `6h`, `1 day` or `month:1`", text.trim())),
    }
}

/// Reads targets of an alias: JSON, or a list such as `a/m@2, b/n, other-alias`.
///
/// A number behind the last `@`, or else behind the last `:`, is a weight, unless the entry as a
/// whole `is_known` (`ollama/qwen2.5:7` may be a model) or what is before the `:` is not. The
/// first of several entries for one target counts.
pub fn targets(text: &str, is_known: &dyn Fn(&str) -> bool) -> Result<Vec<Value>, String> {
    let entries = if text.trim_start().starts_with(['[', '{']) {
        match json(text).map_err(|error| error.to_string())? {
            Value::Array(items) => items,
            single => vec![single],
        }
    } else {
        list(text).iter().map(|entry| target(entry, is_known)).collect()
    };
    let mut out: Vec<Value> = Vec::new();
    for entry in entries {
        let name = target_name(&entry).ok_or_else(|| {
            format!("{entry} is not a target; write `provider/model` or an alias")
        })?;
        if !out.iter().any(|seen| target_name(seen) == Some(name)) {
            out.push(entry.clone());
        }
    }
    Ok(out)
}

/// What a target of an alias names.
pub fn target_name(entry: &Value) -> Option<&str> {
    let text = match entry {
        Value::Object(_) => entry.get("ref").or_else(|| entry.get("target")),
        other => Some(other),
    };
    text.and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn target(entry: &str, is_known: &dyn Fn(&str) -> bool) -> Value {
    let weighted = |mark| {
        let (name, weight) = entry.rsplit_once(mark)?;
        let weight: serde_json::Number = weight.parse().ok()?;
        let is_weight = !name.is_empty() && weight.as_f64()? > 0.0;
        (is_weight && !is_known(entry)).then_some((name, weight))
    };
    let by_colon = || weighted(':').filter(|(name, _)| is_known(name));
    match weighted('@').or_else(by_colon) {
        None => entry.into(),
        Some((name, weight)) => {
            let members = [("ref", Value::from(name)), ("weight", weight.into())];
            let members = members.into_iter().map(|(key, value)| (key.to_owned(), value));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

/// What was found in a text that people pasted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pasted {
    /// What was understood, without repetitions.
    pub found: Vec<String>,
    /// What was not.
    pub ignored: Vec<String>,
}

impl Pasted {
    fn add(&mut self, item: &str) {
        if !item.is_empty() && self.found.iter().all(|seen| seen != item) {
            self.found.push(item.to_owned());
        }
    }
}

/// Reads names of models: a list, or the log of an older probe, from which the models are taken.
///
/// A format in brackets behind a name (`gpt-5[openai]`) is left out.
pub fn models(text: &str) -> Pasted {
    let mut out = Pasted::default();
    let is_log = text.contains("[discover]") || text.contains("models=") || text.contains(" @ ");
    for line in text.lines() {
        let names = match line.split_once("models=") {
            Some((_, names)) => names,
            None if !is_log => line,
            None => match model_of_log(line) {
                Some(name) => name,
                None if line.trim().is_empty() => continue,
                None => {
                    out.ignored.push(line.trim().to_owned());
                    continue;
                }
            },
        };
        for name in list(names) {
            let bare = name.split_once('[').map_or(name.as_str(), |(name, _)| name);
            out.add(bare);
        }
    }
    out
}

/// The model of a line such as `[discover] 3/8 gpt-5 on openai @ https://…: ok`.
fn model_of_log(line: &str) -> Option<&str> {
    let (before, _) = line.split_once(" @ ")?;
    let (before, _) = before.rsplit_once(" on ")?;
    before.split_whitespace().next_back()
}

/// Reads addresses as people paste them: with names before them (`baseUrl=`), without a scheme or
/// with a broken one, glued together.
pub fn endpoints(text: &str) -> Pasted {
    let mut apart = text.to_owned();
    for (broken, whole) in [("https//", "https://"), ("http//", "http://")] {
        apart = apart.replace(broken, whole);
    }
    apart = apart.replace("https://", " https://").replace("http://", " http://");
    let mut out = Pasted::default();
    let mut words = list(&apart).into_iter().peekable();
    while let Some(word) = words.next() {
        let part = word
            .trim_end_matches(['.', '!', '>', '}', ')', ']', '"', '\''])
            .trim_start_matches(['<', '{']);
        let is_name =
            |name: &str| name.chars().all(|c| c.is_ascii_alphabetic() || "_-".contains(c));
        let part = match part.split_once('=') {
            Some((name, rest)) if is_name(name) => rest,
            _ => part,
        };
        let follows_url = words.peek().is_some_and(|next| next.starts_with("http"));
        if part.starts_with("http://") || part.starts_with("https://") {
            out.add(part);
        } else if part.starts_with("ttps://") || part.starts_with("ttp://") {
            out.add(&format!("h{part}"));
        } else if is_domain(part) {
            out.add(&format!("https://{part}"));
        } else if !(part.is_empty() || follows_url && part.ends_with(['=', ':'])) {
            out.ignored.push(part.to_owned());
        }
    }
    out
}

/// A name with a dot and a top-level domain of letters, a port and a path behind it if need be.
fn is_domain(text: &str) -> bool {
    let host = text.split(['/', '?']).next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let top = host.rsplit('.').next().unwrap_or_default();
    host.contains('.')
        && host.split('.').all(is_label)
        && top.len() > 1
        && top.chars().all(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn windows_are_read_in_every_way_people_write_them() {
        for (text, unit, size) in [
            ("6h", "hour", 6),
            ("hour:6", "hour", 6),
            ("hour/6", "hour", 6),
            ("hour-6", "hour", 6),
            ("hour 6", "hour", 6),
            ("hour6", "hour", 6),
            ("6 Hours", "hour", 6),
            ("1M", "minute", 1),
            ("mo", "month", 1),
            ("3 months", "month", 3),
            ("week", "week", 1),
            ("10sec", "second", 10),
        ] {
            assert_eq!(window(text), Ok(json!({ "unit": unit, "size": size })), "{text}");
        }
        for text in ["", "6", "0h", "6 fortnights", "1h2", "h-", "99999999999d"] {
            assert_eq!(window(text).is_ok(), text == "h-", "{text}");
        }
    }

    #[test]
    fn targets_are_read_with_their_weights() {
        let both = json!([{ "ref": "a/m", "weight": 2 }, "b/n", { "ref": "x", "weight": 0.5 }]);
        let targets =
            |text: &str| targets(text, &|name| ["a/m", "b/n", "x", "o/qwen2.5:7"].contains(&name));
        assert_eq!(targets("a/m@2, b/n; x:0.5 b/n").map(Value::from), Ok(both));
        assert_eq!(targets("a/m:latest").map(Value::from), Ok(json!(["a/m:latest"])));
        assert_eq!(targets("a/m@0").map(Value::from), Ok(json!(["a/m@0"])), "not a weight");
        assert_eq!(targets("o/qwen2.5:7").map(Value::from), Ok(json!(["o/qwen2.5:7"])), "a tag");
        assert_eq!(targets("o/other:7").map(Value::from), Ok(json!(["o/other:7"])), "a tag too");
        let text = r#"[{ "ref": "a/m", "weight": 3 }, "a/m", "b"]"#;
        let expect = json!([{ "ref": "a/m", "weight": 3 }, "b"]);
        assert_eq!(targets(text).map(Value::from), Ok(expect));
        assert_eq!(
            targets(r#"{ "target": "a/m" }"#).map(Value::from),
            Ok(json!([{ "target": "a/m" }]))
        );
        assert!(targets("[1]").is_err());
        assert!(targets("[{").unwrap_err().contains("line 1"), "JSON errors say where");
    }

    #[test]
    fn lists_keep_every_name() {
        assert_eq!(
            list("mistral, sonnet;gpt-4o\n\"x\" mistral"),
            ["mistral", "sonnet", "gpt-4o", "x"]
        );
        assert!(list(" ,; ").is_empty());
    }

    #[test]
    fn addresses_are_read_as_people_paste_them() {
        for (text, expect) in [
            ("https://a.com/v1, https://b.com", vec!["https://a.com/v1", "https://b.com"]),
            ("https://a.comhttps://b.com", vec!["https://a.com", "https://b.com"]),
            ("baseUrl=https://a.com/v1?x=1", vec!["https://a.com/v1?x=1"]),
            (
                "api.vendor.com/v1 api.vendor.com:8443",
                vec!["https://api.vendor.com/v1", "https://api.vendor.com:8443"],
            ),
            ("\"https://a.com\", (https://a.com).", vec!["https://a.com"]),
            ("https//a.com ttps://b.com", vec!["https://a.com", "https://b.com"]),
            ("http://host.example/v1", vec!["http://host.example/v1"]),
        ] {
            let read = endpoints(text);
            assert_eq!((read.found, read.ignored), (texts(&expect), vec![]), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_told() {
        let read = endpoints("localhost 127.0.0.1 nothing http://localhost:8080");
        assert_eq!(read.found, ["http://localhost:8080"]);
        assert_eq!(read.ignored, ["localhost", "127.0.0.1", "nothing"]);
    }

    #[test]
    fn models_are_read_from_lists_and_from_logs() {
        assert_eq!(
            models("mistral, sonnet gpt-5[openai] @cf/meta/x").found,
            ["mistral", "sonnet", "gpt-5", "@cf/meta/x"]
        );
        let log = "[discover] start\n[discover] 1/2 gpt-5 on openai @ https://a.com: ok\nmodels=a, b[claude]";
        let read = models(log);
        assert_eq!(read.found, ["gpt-5", "a", "b"]);
        assert_eq!(read.ignored, ["[discover] start"]);
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn wrong_json_says_where() {
        let error = json("{ \"a\": 1, \"b\" 2 }").unwrap_err();
        assert_eq!((error.line, error.column), (1, 15));
    }
}
