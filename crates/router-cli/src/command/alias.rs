//! `llm-router alias`.

use router_config::nearest;
use router_config::schema::File;
use router_operator::operate::{self, alias};
use router_operator::view;
use serde_json::json;

use super::edit::{apply, file};
use super::list;
use crate::args::edit::{AliasCommand, AliasFlags, AliasPut};
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};

pub(crate) fn run(cx: &Cx, command: AliasCommand) -> Result<Outcome, Failure> {
    match command {
        AliasCommand::Add(flags) => add(cx, &flags),
        AliasCommand::Edit(flags) => {
            let fields = fields(&flags.fields)?;
            apply(cx, flags.edit, |document| {
                if document.alias_ids().iter().all(|id| *id != flags.id) {
                    // The editor words the error, with the nearest name.
                    document.clone().rename_alias(&flags.id, &format!("{}-", flags.id))?;
                }
                alias::put(document, &flags.id, &fields)
            })
        }
        AliasCommand::List => {
            let view = view::config(&file(cx)?);
            let aliases = view.get("aliases").cloned().unwrap_or_default();
            Ok(Outcome::new(list::aliases(&aliases), json!({ "aliases": aliases })))
        }
        AliasCommand::Show { id } => {
            let file = file(cx)?;
            let alias = view::alias_of(&file, &id).ok_or_else(|| unknown(&file, &id))?;
            Ok(Outcome::new(list::aliases(&json!([alias])), alias))
        }
        AliasCommand::Remove(flags) => {
            cx.confirm(&format!("Remove alias `{}`?", flags.id))?;
            apply(cx, flags.cascade.edit, |document| {
                alias::remove(document, &flags.id, flags.cascade.cascade)
            })
        }
        AliasCommand::Rename(flags) => {
            apply(cx, flags.edit, |document| alias::rename(document, &flags.id, &flags.to))
        }
    }
}

fn add(cx: &Cx, flags: &AliasPut) -> Result<Outcome, Failure> {
    let fields = fields(&flags.fields)?;
    apply(cx, flags.edit, |document| {
        if document.alias_ids().contains(&flags.id) {
            return Err(Failure::input(format!("there is an alias `{}` already", flags.id))
                .hint(format!("`llm-router alias edit {}` changes it", flags.id)));
        }
        alias::put(document, &flags.id, &fields)
    })
}

/// There is no such alias, but perhaps one with nearly this name.
fn unknown(file: &File, id: &str) -> Failure {
    let ids = file.model_aliases.iter().flat_map(|map| &map.0).map(|(id, _)| id.trim());
    let failure = Failure::input(format!("there is no alias `{id}`"));
    match nearest(id, ids) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`llm-router alias list` shows them"),
    }
}

/// What the flags say.
pub(crate) fn fields(flags: &AliasFlags) -> Result<alias::Fields, Failure> {
    let metadata = flags.alias_metadata.as_deref().filter(|text| !text.trim().is_empty());
    let cleared = flags.clear_fallback_targets == Some(true);
    Ok(alias::Fields {
        strategy: flags.strategy.clone().filter(|text| !text.trim().is_empty()),
        targets: flags.targets.clone(),
        fallback_targets: if cleared {
            Some(String::new())
        } else {
            flags.fallback_targets.clone()
        },
        metadata: metadata
            .map(|text| operate::json_object("--alias-metadata", text))
            .transpose()?,
    })
}
