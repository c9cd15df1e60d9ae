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
/// A number behind the last `@` is a weight, and so is one behind the last `:` of an entry that
/// has no `@`. The first of several entries for one target counts.
pub fn targets(text: &str) -> Result<Vec<Value>, String> {
    let entries = if text.trim_start().starts_with(['[', '{']) {
        match json(text).map_err(|error| error.to_string())? {
            Value::Array(items) => items,
            single => vec![single],
        }
    } else {
        list(text).iter().map(|entry| target(entry)).collect()
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

fn target_name(entry: &Value) -> Option<&str> {
    let text = match entry {
        Value::Object(_) => entry.get("ref").or_else(|| entry.get("target")),
        other => Some(other),
    };
    text.and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn target(entry: &str) -> Value {
    let weighted = |mark| {
        let (name, weight) = entry.rsplit_once(mark)?;
        let weight: serde_json::Number = weight.parse().ok()?;
        (!name.is_empty() && weight.as_f64()? > 0.0).then_some((name, weight))
    };
    match weighted('@').or_else(|| weighted(':')) {
        None => entry.into(),
        Some((name, weight)) => {
            let members = [("ref", Value::from(name)), ("weight", weight.into())];
            let members = members.into_iter().map(|(key, value)| (key.to_owned(), value));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

/// Reads addresses as people paste them: with names before them (`baseUrl=`), without a scheme,
/// glued together.
pub fn endpoints(text: &str) -> Vec<String> {
    let apart = text.replace("https://", " https://").replace("http://", " http://");
    let mut out: Vec<String> = Vec::new();
    for part in list(&apart) {
        let part = part
            .trim_end_matches(['.', '!', '>', '}', ')', ']', '"', '\''])
            .trim_start_matches(['<', '{']);
        let is_name =
            |name: &str| name.chars().all(|c| c.is_ascii_alphabetic() || "_-".contains(c));
        let part = match part.split_once('=') {
            Some((name, rest)) if is_name(name) => rest,
            _ => part,
        };
        let url = if part.starts_with("http://") || part.starts_with("https://") {
            part.to_owned()
        } else if is_domain(part) {
            format!("https://{part}")
        } else {
            continue;
        };
        if !out.contains(&url) {
            out.push(url);
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
        assert_eq!(targets("a/m@2, b/n; x:0.5 b/n").map(Value::from), Ok(both));
        assert_eq!(targets("a/m:latest").map(Value::from), Ok(json!(["a/m:latest"])));
        assert_eq!(targets("a/m@0").map(Value::from), Ok(json!(["a/m@0"])), "not a weight");
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
            ("localhost 127.0.0.1 nothing http://localhost:8080", vec!["http://localhost:8080"]),
        ] {
            assert_eq!(endpoints(text), expect, "{text}");
        }
    }

    #[test]
    fn wrong_json_says_where() {
        let error = json("{ \"a\": 1, \"b\" 2 }").unwrap_err();
        assert_eq!((error.line, error.column), (1, 15));
    }
}
