//! Leaves members out of a request that was translated, because its upstream does not take them.

use std::borrow::Cow;

use crate::canonical::{Loss, Severity};
use crate::json::{JsonError, Kind, Raw, Str};

/// The body without the members of these names, and what is lost with them; `None` if it has none of
/// them. The members stand at its top, or in objects there (`reasoning.summary`).
pub fn without_members(body: &[u8], names: &[String]) -> Option<(Vec<u8>, Vec<Loss>)> {
    let text = std::str::from_utf8(body).ok()?;
    let (out, left) = rewrite(text, names).ok()?;
    let loss = |name: &str| Loss {
        path: name.to_owned(),
        code: Cow::Borrowed("parameter-refused"),
        why: Cow::Borrowed("the upstream answered before that it does not take it"),
        severity: Severity::Setting,
        count: 1,
    };
    (!left.is_empty()).then(|| (out, left.iter().map(|name| loss(name)).collect()))
}

fn rewrite(text: &str, names: &[String]) -> Result<(Vec<u8>, Vec<String>), JsonError> {
    let mut c = Raw::parse(text)?.cursor();
    let (mut out, mut left) = (Vec::with_capacity(text.len()), Vec::new());
    let mut members = c.object()?;
    out.push(b'{');
    while let Some(key) = members.next(&mut c)? {
        let value = c.raw()?;
        if let Some(name) = names.iter().find(|name| key == name.as_str()) {
            left.push(name.clone());
            continue;
        }
        let inside = |name: &String| Some(name.strip_prefix(&*key)?.strip_prefix('.')?.to_owned());
        let inner: Vec<String> = names.iter().filter_map(inside).collect();
        let rest = if inner.is_empty() || value.kind() != Kind::Object {
            None
        } else {
            let (rest, gone) = rewrite(value.text(), &inner)?;
            left.extend(gone.iter().map(|name| format!("{key}.{name}")));
            Some(rest)
        };
        if out.len() > 1 {
            out.push(b',');
        }
        Str::from(key).push(&mut out);
        out.push(b':');
        out.extend_from_slice(rest.as_deref().unwrap_or_else(|| value.text().as_bytes()));
    }
    out.push(b'}');
    Ok((out, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(body: &str, names: &[&str]) -> Option<(String, Vec<String>)> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (out, losses) = without_members(body.as_bytes(), &names)?;
        let paths = losses.into_iter().map(|loss| loss.path);
        Some((String::from_utf8(out).unwrap(), paths.collect()))
    }

    #[test]
    fn members_at_the_top_are_left_out_and_told() {
        let body = r#"{"model":"m","top_k":5,"x":{"top_k":1},"seed":18446744073709551616}"#;
        let (out, losses) = left(body, &["top_k", "nothing"]).unwrap();
        assert_eq!(out, r#"{"model":"m","x":{"top_k":1},"seed":18446744073709551616}"#);
        assert_eq!(losses, ["top_k"]);
        let (out, losses) = left(body, &["model", "seed", "x", "top_k"]).unwrap();
        assert_eq!((out.as_str(), losses.len()), ("{}", 4));
    }

    #[test]
    fn members_of_members_are_left_out_alone() {
        let body =
            r#"{"summary":1,"reasoning":{"effort":"high","summary":"auto"},"reasoning2":{}}"#;
        let (out, losses) = left(body, &["reasoning.summary"]).unwrap();
        assert_eq!(out, r#"{"summary":1,"reasoning":{"effort":"high"},"reasoning2":{}}"#);
        assert_eq!(losses, ["reasoning.summary"]);
        assert_eq!(left(r#"{"reasoning":{"effort":"low"}}"#, &["reasoning.summary"]), None);
        assert_eq!(left(r#"{"reasoning":"auto"}"#, &["reasoning.summary"]), None);
    }

    #[test]
    fn other_bodies_are_left_alone() {
        assert_eq!(left(r#"{"model":"m"}"#, &["top_k"]), None);
        assert_eq!(left("not json", &["top_k"]), None);
        assert_eq!(left("{}", &[]), None);
    }
}
