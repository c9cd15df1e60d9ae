//! `llm-router key`.

use router_operator::mask;
use router_operator::operate::{Done, key};
use serde_json::json;

use super::edit::{apply, document, secret};
use crate::args::edit::{Edit, GenerateFlags, KeyCommand};
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};

pub(crate) fn run(cx: &Cx, command: KeyCommand) -> Result<Outcome, Failure> {
    match command {
        KeyCommand::Set { key, edit } => set(cx, &key, edit),
        KeyCommand::Generate { fields, edit } => generate(cx, &fields, edit),
        KeyCommand::Show { show_secret } => show(cx, show_secret),
        KeyCommand::Clear(edit) => {
            cx.confirm("Remove the master key?")?;
            apply(cx, edit, key::clear)
        }
        KeyCommand::Client(flags) => super::client::run(cx, flags.command),
    }
}

/// Sets the key that is given.
pub(crate) fn set(cx: &Cx, text: &str, edit: Edit) -> Result<Outcome, Failure> {
    let text = secret(cx, "master key", text)?;
    apply(cx, edit, |document| key::set(document, &text))
}

/// Makes a key and shows it this once.
pub(crate) fn generate(cx: &Cx, flags: &GenerateFlags, edit: Edit) -> Result<Outcome, Failure> {
    let made = made(flags)?;
    let outcome = apply(cx, edit, |document| key::set(document, &made))?;
    Ok(if edit.dry_run { outcome } else { showing(outcome, made) })
}

/// A key that is made as the flags say.
pub(crate) fn made(flags: &GenerateFlags) -> Result<String, Failure> {
    let length = flags.master_key_length.unwrap_or(key::LENGTH);
    key::generate(length, flags.master_key_prefix.as_deref().unwrap_or(key::PREFIX))
}

/// An edit's outcome with the key that was made for it: the only time it is shown.
pub(crate) fn showing(mut outcome: Outcome, made: String) -> Outcome {
    outcome.text = format!("{made}\n{}", outcome.text);
    if let Some(result) =
        outcome.value.as_mut().and_then(|value| value.get_mut("result")?.as_object_mut())
    {
        result.insert("generatedKey".to_owned(), made.into());
    }
    outcome
}

fn show(cx: &Cx, show_secret: bool) -> Result<Outcome, Failure> {
    let (document, _) = document(cx)?;
    let written = key::written(&document);
    let shown = written.map(|key| if show_secret { key } else { mask::secret(&key) });
    let text = shown.clone().unwrap_or_else(|| "no master key".to_owned());
    Ok(Outcome::new(text, json!({ "masterKey": shown, "masked": !show_secret })))
}

/// A master key that goes into the config along with something else.
pub(crate) fn along(done: &mut Done, with: Done) {
    done.notes.push(with.message);
    done.notes.extend(with.notes);
    done.result.extend(with.result);
}
