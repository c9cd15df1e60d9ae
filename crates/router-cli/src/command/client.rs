//! `llm-router key client`: keys of single clients.

use router_operator::operate::client::{self, Fields};
use router_operator::operate::limit;
use router_operator::{mask, view};
use serde_json::json;

use super::edit::{apply, document, file, secret};
use super::{key, list};
use crate::args::client::{
    ClientAdd, ClientCommand, ClientLimit, ClientRotate, KeyFlags, LimitFlags,
};
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};

pub(crate) fn run(cx: &Cx, command: ClientCommand) -> Result<Outcome, Failure> {
    match command {
        ClientCommand::Add(flags) => add(cx, &flags),
        ClientCommand::Edit(flags) => {
            let fields = Fields { models: Some(flags.models), ..Fields::default() };
            apply(cx, flags.edit, |document| client::edit(document, &flags.label, &fields))
        }
        ClientCommand::List => {
            let clients = client::list(&file(cx)?);
            Ok(Outcome::new(list::clients(&clients), json!({ "clientKeys": clients })))
        }
        ClientCommand::Show { label, show_secret } => show(cx, &label, show_secret),
        ClientCommand::Rotate(flags) => rotate(cx, &flags),
        ClientCommand::Limit(flags) => limit(cx, &flags),
        ClientCommand::Rename(flags) => {
            apply(cx, flags.edit, |document| client::rename(document, &flags.id, &flags.to))
        }
        ClientCommand::Enable(flags) => {
            apply(cx, flags.edit, |document| client::enable(document, &flags.id, true))
        }
        ClientCommand::Disable(flags) => {
            apply(cx, flags.edit, |document| client::enable(document, &flags.id, false))
        }
        ClientCommand::Remove(flags) => {
            cx.confirm(&format!("Remove client key `{}`?", flags.id))?;
            apply(cx, flags.edit, |document| client::remove(document, &flags.id))
        }
    }
}

fn add(cx: &Cx, flags: &ClientAdd) -> Result<Outcome, Failure> {
    let (key, made) = key_of(cx, &flags.key)?;
    let fields = Fields { key: Some(key), models: flags.models.clone() };
    let limit = flags.limit.is_given().then(|| limit_fields(&flags.limit, None));
    let outcome = apply(cx, flags.edit, |document| {
        client::add(document, &flags.label, &fields, limit.as_ref())
    })?;
    Ok(shown_once(outcome, made, flags.edit.dry_run))
}

fn rotate(cx: &Cx, flags: &ClientRotate) -> Result<Outcome, Failure> {
    let (key, made) = key_of(cx, &flags.key)?;
    cx.confirm(&format!("Replace client key `{}`?", flags.label))?;
    let outcome = apply(cx, flags.edit, |document| client::rotate(document, &flags.label, &key))?;
    Ok(shown_once(outcome, made, flags.edit.dry_run))
}

/// The key that is given, or one that is made, which is then the second one too.
fn key_of(cx: &Cx, flags: &KeyFlags) -> Result<(String, Option<String>), Failure> {
    if let Some(text) = flags.key.as_deref().filter(|key| !key.trim().is_empty()) {
        return Ok((secret(cx, "--key", text)?, None));
    }
    let made = key::made(&flags.generate)?;
    Ok((made.clone(), Some(made)))
}

fn shown_once(outcome: Outcome, made: Option<String>, dry_run: bool) -> Outcome {
    match made {
        Some(made) if !dry_run => key::showing(outcome, made),
        _ => outcome,
    }
}

fn show(cx: &Cx, label: &str, show_secret: bool) -> Result<Outcome, Failure> {
    let (document, _) = document(cx)?;
    let written = client::written(&document, label)?.unwrap_or_default();
    let key = if show_secret { written } else { mask::secret(&written) };
    let mut client = view::client_of(&file(cx)?, label).unwrap_or_default();
    if let Some(members) = client.as_object_mut() {
        members.insert("key".to_owned(), key.into());
    }
    Ok(Outcome::new(list::clients(&json!([client])), client))
}

fn limit(cx: &Cx, flags: &ClientLimit) -> Result<Outcome, Failure> {
    let label = &flags.label;
    if !flags.remove {
        let fields = limit_fields(&flags.limit, flags.id.clone());
        return apply(cx, flags.edit, |document| client::set_limit(document, label, &fields));
    }
    if flags.limit.is_given() {
        return Err(Failure::input("--remove and a cap say two things"));
    }
    let id = flags.id.as_deref().unwrap_or_default();
    cx.confirm(&format!("Remove limit `{id}` of client key `{label}`?"))?;
    apply(cx, flags.edit, |document| client::remove_limit(document, label, id))
}

fn limit_fields(flags: &LimitFlags, id: Option<String>) -> limit::Fields {
    let whole = [
        ("requests", flags.requests),
        ("tokens", flags.tokens),
        ("inputTokens", flags.input_tokens),
        ("outputTokens", flags.output_tokens),
        ("concurrent", flags.concurrent),
    ];
    let caps = whole.into_iter().filter_map(|(key, cap)| Some((key, cap?.into())));
    let cost = flags.cost.and_then(limit::cost).map(|cost| ("cost", cost));
    limit::Fields {
        id,
        caps: caps.chain(cost).collect(),
        window: flags.window.clone(),
        time_zone: flags.time_zone.clone(),
        ..limit::Fields::default()
    }
}
