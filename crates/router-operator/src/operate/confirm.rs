//! Whether a provider is asked before it is saved, and for what.

use router_config::edit::Document;
use router_config::{BaseUrl, Lookup, parse};
use router_wire::Dialect;

use super::provider::Fields;
use super::{addresses, format};
use crate::Failure;
use crate::probe::Subject;

/// What to do before a provider is saved.
#[derive(Debug)]
pub enum Confirmation {
    /// Probe it.
    Probe(Box<Subject>),
    /// Save it as it is; why, if the operator should know.
    Skip(Option<String>),
}

/// Decides about a provider of `draft`, which is the document with `fields` put into it.
///
/// At addresses that are given every dialect is looked for; where the address stays, or a preset
/// knows it, those that the config states. `--formats` narrows both.
pub fn confirmation(
    draft: &Document,
    id: &str,
    (fields, is_new): (&Fields, bool),
    lookup: &dyn Lookup,
) -> Result<Confirmation, Failure> {
    let skip = |why: String| {
        let how = format!("`llm-router provider probe {id}` asks it later");
        Ok(Confirmation::Skip(Some(format!("not probed: {why}; {how}"))))
    };
    // A new name is nothing to ask about; nothing at all is a wish to probe once more.
    if !is_new && fields.name.is_some() && !fields.change_requests() {
        return Ok(Confirmation::Skip(None));
    }
    let Some(mut subject) = Subject::in_document(draft, id, lookup) else {
        return skip("it is turned off, or its entry has errors".to_owned());
    };
    if let Some(missing) = subject.upstream.credentials.iter().find_map(|it| it.missing.as_ref()) {
        return skip(missing.clone());
    }
    let common: Result<Vec<_>, _> =
        addresses::common(fields).iter().map(|text| BaseUrl::new(text)).collect();
    let common = common.map_err(|why| Failure::input(format!("--endpoints: {why}")))?;
    if let Some(words) = &fields.formats {
        let words = parse::list(words);
        let formats: Result<Vec<_>, Failure> = words.iter().map(|word| dialect(word)).collect();
        subject.add_endpoints(&common);
        subject.limit_to(&formats?);
    } else if common.is_empty() && fields.by_format.is_empty() {
        let stated = subject.stated.clone();
        subject.limit_to(&stated);
    } else {
        subject.add_endpoints(&common);
    }
    subject.preferred = fields.format.as_deref().map(dialect).transpose()?;
    Ok(Confirmation::Probe(Box::new(subject)))
}

fn dialect(word: &str) -> Result<Dialect, Failure> {
    let name = format(word)?;
    Dialect::from_config_name(name)
        .ok_or_else(|| Failure::input(format!("`{word}` is not a format")))
}
