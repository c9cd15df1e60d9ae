//! `llm-router default`.

use router_operator::operate;
use serde_json::json;

use super::edit::{apply, file};
use crate::args::edit::{DefaultCommand, DefaultModel};
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};

pub(crate) fn run(cx: &Cx, flags: DefaultModel) -> Result<Outcome, Failure> {
    match flags.command {
        DefaultCommand::Show => {
            let model = file(cx)?.default_model.filter(|model| !model.trim().is_empty());
            let text = model.clone().unwrap_or_else(|| "no default model".to_owned());
            Ok(Outcome::new(text, json!({ "defaultModel": model })))
        }
        DefaultCommand::Set(flags) => {
            apply(cx, flags.edit, |document| operate::set_default_model(document, &flags.id))
        }
        DefaultCommand::Clear(edit) => apply(cx, edit, operate::clear_default_model),
    }
}
