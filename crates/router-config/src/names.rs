//! Names: slugs and near names.

/// Turns a name into a provider or bucket id: lower case, every run of other characters than
/// `a-z` and `0-9` a dash, no dash at either end.
///
/// Gives an empty string when nothing is left; callers have a default.
pub fn slug(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// The name most like `wanted`, if any is near enough to be meant.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let limit = (wanted.chars().count() / 3).clamp(1, 4);
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= limit && *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Whether `id` is a legal alias id: a letter or digit, then letters, digits and `._:-`.
pub(crate) fn is_alias_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_holds_only_lower_case_letters_digits_and_single_dashes() {
        for (name, expect) in [
            ("OpenAI", "openai"),
            ("  My  Provider!! (EU) ", "my-provider-eu"),
            ("a--b", "a-b"),
            ("-x-", "x"),
            ("3M", "3m"),
            ("über", "ber"),
            ("!!!", ""),
        ] {
            assert_eq!(slug(name), expect, "slug of {name:?}");
        }
    }

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        let names = ["baseUrl", "apiKey", "models"];
        assert_eq!(nearest("baseUrll", names), Some("baseUrl"));
        assert_eq!(nearest("APIKEY", names), Some("apiKey"));
        assert_eq!(nearest("modles", names), Some("models"));
        assert_eq!(nearest("timeouts", names), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
