//! Hiding secrets in what is shown.

use serde_json::{Map, Value};

/// Secrets shorter than this show nothing; of longer ones the end is shown.
const SHOWN_CHARS_MIN: usize = 20;
/// Characters of the end that are shown.
const TAIL_CHARS: usize = 4;

/// A secret as it may be shown: a reference as it is, else stars, with the end of a long one.
pub fn secret(text: &str) -> String {
    let text = text.trim();
    let is_reference = ["env:", "file:", "keychain:"].iter().any(|kind| text.starts_with(kind));
    if text.is_empty() || is_reference {
        return text.to_owned();
    }
    let count = text.chars().count();
    let tail = if count < SHOWN_CHARS_MIN { count } else { count - TAIL_CHARS };
    format!("****{}", text.chars().skip(tail).collect::<String>())
}

/// A part of a config as it may be shown; `key` is the key it stands under.
pub fn value(key: &str, value: &Value) -> Value {
    let hides = holds_secrets(key);
    match value {
        Value::String(text) if hides => secret(text).into(),
        Value::String(text) if text.contains("://") => url(text).into(),
        Value::Array(items) => items.iter().map(|item| self::value(key, item)).collect(),
        Value::Object(members) => {
            let each = members
                .iter()
                .map(|(name, member)| (name.clone(), self::value(within(key, name), member)));
            Value::Object(each.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// The key that tells whether the member `name` of what stands under `key` holds secrets.
pub fn within<'a>(key: &'a str, name: &'a str) -> &'a str {
    match name {
        // Of an entry with a secret, these are none.
        "label" | "weight" | "id" | "name" => name,
        // Of a client key, only its key is one.
        _ if matches!(key, "clientKeys" | "client-keys") => name,
        _ if holds_secrets(key) => key,
        _ => name,
    }
}

/// Whether values under this key may be secrets. Keys this program does not know count too.
pub fn holds_secrets(key: &str) -> bool {
    const WORDS: [&str; 7] =
        ["key", "secret", "token", "password", "credential", "authorization", "cookie"];
    let key = key.to_ascii_lowercase();
    // Not secrets although their names say so: the name of a variable, limits in tokens.
    if key.ends_with("keyenv") || key.ends_with("key-env") || key.ends_with("valueenv") {
        return false;
    }
    let is_count = ["tokens", "inputtokens", "outputtokens", "input-tokens", "output-tokens"];
    key == "headers"
        || key == "otlpheaders"
        || WORDS.iter().any(|word| key.contains(word)) && !is_count.contains(&key.as_str())
}

/// An address without what may be a secret in it: user, password and the values of its query.
pub fn url(text: &str) -> String {
    let (before, query) = text.split_once('?').map_or((text, None), |(a, b)| (a, Some(b)));
    let (scheme, rest) = before.split_once("://").unwrap_or(("", before));
    let cut = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(cut).unwrap_or((rest, ""));
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("****@{host}"),
        None => authority.to_owned(),
    };
    let query = query.map(|query| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if !name.contains("version") => format!("{name}=****"),
            _ => pair.to_owned(),
        });
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{host}{path}{}", query.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_secret_of_a_config_is_shown() {
        let config = json!({
            "masterKey": "s3cret",
            "providers": [{
                "id": "p",
                "apiKey": "s3cret-s3cret-s3cret-tail",
                "apiKeys": ["s3cret", { "value": "s3cret", "label": "second" }],
                "headers": { "X-Any": "s3cret" },
                "baseUrl": "https://me:s3cret@host/v1?key=s3cret&api-version=1",
                "rateLimits": [{ "id": "b", "tokens": 5 }],
                "apiKeyEnv": "NAME",
                "myToken": "s3cret",
            }],
            "state": { "url": "redis://:s3cret@host" },
            "clientKeys": [{ "label": "ann", "key": "s3cret", "models": ["fast"] }, "s3cret"],
        });
        let shown = value("", &config);
        assert!(!shown.to_string().contains("s3cret"), "{shown:#}");
        assert_eq!(shown.pointer("/providers/0/apiKey"), Some(&json!("****tail")));
        assert_eq!(shown.pointer("/providers/0/apiKeys/1/label"), Some(&json!("second")));
        assert_eq!(shown.pointer("/providers/0/apiKeyEnv"), Some(&json!("NAME")));
        let client = json!({ "label": "ann", "key": "****", "models": ["fast"] });
        assert_eq!(shown.pointer("/clientKeys/0"), Some(&client));
        let url = "https://****@host/v1?key=****&api-version=1";
        assert_eq!(shown.pointer("/providers/0/baseUrl"), Some(&json!(url)));
    }

    #[test]
    fn references_are_shown_as_they_are() {
        for text in ["env:KEY", "file:~/key", "keychain:groq"] {
            assert_eq!(secret(text), text);
        }
    }
}
