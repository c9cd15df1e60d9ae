//! Which address serves which dialect.

use router_config::parse;

use super::provider::Fields;
use crate::Failure;

/// What the flags say.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// One for every dialect.
    pub(super) base: Option<String>,
    /// By format.
    pub(super) by_format: Vec<(&'static str, String)>,
}

/// Reads the addresses of all flags; what is not understood is a note, or an error if nothing
/// else is there.
pub(super) fn read(fields: &Fields, notes: &mut Vec<String>) -> Result<Addresses, Failure> {
    let mut out = Addresses::default();
    for (format, text) in &fields.by_format {
        out.by_format.push((*format, single(text)?));
    }
    let base = fields.base_url.as_deref().filter(|text| !text.trim().is_empty());
    let mut common: Vec<String> = base.map(single).transpose()?.into_iter().collect();
    if let Some(text) = fields.endpoints.as_deref().filter(|text| !text.trim().is_empty()) {
        let read = parse::endpoints(text);
        if read.found.is_empty() {
            return Err(not_an_address(text));
        }
        notes.extend(read.ignored.iter().map(|part| format!("not an address, left out: {part}")));
        for url in read.found {
            if !common.contains(&url) {
                common.push(url);
            }
        }
    }
    match common.as_slice() {
        [] => {}
        // The probe finds out what each one speaks.
        [first, ..] if fields.is_probed => out.base = Some(first.clone()),
        [only] => out.base = Some(only.clone()),
        several if out.by_format.is_empty() => {
            for url in several {
                let format = guess(url);
                if out.by_format.iter().any(|(seen, _)| *seen == format) {
                    return Err(Failure::input(format!(
                        "several addresses, and it is not clear what each one speaks: {}",
                        several.join(", ")
                    ))
                    .hint("say which is which with --openai-base-url and --claude-base-url"));
                }
                out.by_format.push((format, url.clone()));
            }
        }
        several => {
            let known = |url: &&String| out.by_format.iter().any(|(_, each)| each == *url);
            let rest: Vec<&String> = several.iter().filter(|url| !known(url)).collect();
            match rest.as_slice() {
                [] => {}
                [only] => out.base = Some((*only).clone()),
                _ => {
                    return Err(Failure::input("several addresses for every dialect")
                        .hint("give one --base-url, and one address for each format"));
                }
            }
        }
    }
    Ok(out)
}

/// Every address that is given for no dialect in particular.
pub(super) fn common(fields: &Fields) -> Vec<String> {
    let texts = [fields.base_url.as_deref(), fields.endpoints.as_deref()];
    texts.into_iter().flatten().flat_map(|text| parse::endpoints(text).found).collect()
}

fn single(text: &str) -> Result<String, Failure> {
    let read = parse::endpoints(text);
    match (read.found.as_slice(), read.ignored.as_slice()) {
        ([url], []) => Ok(url.clone()),
        _ => Err(not_an_address(text)),
    }
}

fn not_an_address(text: &str) -> Failure {
    let text = crate::mask::url(text.trim());
    let text = text.trim_start_matches("://");
    Failure::input(format!("`{text}` is not an address"))
        .hint("write it as in https://api.example.com/v1 or http://localhost:11434")
}

/// The format an address speaks of.
pub(super) fn guess(url: &str) -> &'static str {
    let path = url.split('?').next().unwrap_or_default().trim_end_matches('/');
    if path.contains("anthropic") || path.contains("/claude") || path.ends_with("/messages") {
        "claude"
    } else if path.contains("generativelanguage") && !path.contains("/openai") {
        "gemini"
    } else if path.ends_with("/responses") {
        "responses"
    } else {
        "openai"
    }
}
