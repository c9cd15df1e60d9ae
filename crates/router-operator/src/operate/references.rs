//! What happens to the places that name a thing when it goes.
//!
//! The default model and fallbacks follow by themselves. Targets of aliases, models of buckets and
//! what client keys may use are somebody's intention: they go only when asked (`cascade`), and an
//! alias or bucket that would be left empty goes with them. A client key that would be left with
//! nothing is a reason to refuse: without a list it could use everything.

use router_config::edit::{Document, EditError, OnReferences, Reference, ReferenceKind};
use router_config::schema::File;

use super::Done;
use crate::Failure;

/// Removes something with `remove`, which is told what to do about references.
pub(super) fn remove_with(
    document: &mut Document,
    cascade: bool,
    done: Done,
    remove: impl Fn(&mut Document, OnReferences) -> Result<Vec<Reference>, EditError>,
) -> Result<Done, Failure> {
    let empty_before = empty_aliases(document);
    let default = default_model(document);
    let gone = match remove(document, OnReferences::Refuse) {
        Err(EditError::Referenced { what, references }) => {
            let hard: Vec<Reference> = references.into_iter().filter(is_intention).collect();
            if !cascade && !hard.is_empty() {
                return Err(EditError::Referenced { what, references: hard }.into());
            }
            remove(document, OnReferences::Remove)?
        }
        other => other?,
    };
    let mut done = done.along("removed", &gone);
    while let Some(id) = empty_aliases(document).into_iter().find(|id| !empty_before.contains(id)) {
        let gone = document.remove_alias(&id, OnReferences::Remove)?;
        done = done.note(format!("removed alias `{id}`, which had no other target"));
        for reference in gone {
            done = done.note(format!("removed `{}` at {} too", reference.text, reference.path));
        }
    }
    if default.is_some() && default_model(document).is_none() {
        let next = next_default(document, default.as_deref().unwrap_or_default());
        document.set_default_model(next.as_deref())?;
        done = match next {
            Some(next) => done.note(format!("the default model is now `{next}`")),
            None => done.note("there is no default model any more"),
        };
    }
    Ok(done)
}

fn is_intention(reference: &Reference) -> bool {
    matches!(
        reference.kind,
        ReferenceKind::Target | ReferenceKind::ClientModel | ReferenceKind::BucketModel { .. }
    )
}

fn default_model(document: &Document) -> Option<String> {
    File::parse(document.text()).ok()?.default_model
}

/// The first model of the provider that had the default, else of the first provider with one.
fn next_default(document: &Document, before: &str) -> Option<String> {
    let own = before.split_once('/').map(|(provider, _)| provider.to_owned());
    let mut providers = own.into_iter().chain(document.provider_ids());
    providers.find_map(|id| Some(format!("{id}/{}", document.model_ids(&id).ok()?.first()?)))
}

fn empty_aliases(document: &Document) -> Vec<String> {
    let Ok(file) = File::parse(document.text()) else { return Vec::new() };
    let aliases = file.model_aliases.iter().flat_map(|map| &map.0);
    let empty = aliases.filter(|(_, alias)| alias.targets.as_deref().is_none_or(<[_]>::is_empty));
    empty.map(|(id, _)| id.trim().to_owned()).collect()
}
