//! `llm-router model`.

use router_config::slug;
use router_operator::operate::{self, model};
use router_operator::view;
use serde_json::{Value, json};

use super::edit::{apply, file};
use super::list;
use crate::args::edit::{ModelCommand, ModelPut};
use crate::cx::Cx;
use crate::outcome::{Failure, Outcome};

pub(crate) fn run(cx: &Cx, command: ModelCommand) -> Result<Outcome, Failure> {
    match command {
        ModelCommand::Add(flags) => {
            let fields = fields(&flags)?;
            apply(cx, flags.edit, |document| model::add(document, &flags.id, &fields))
        }
        ModelCommand::Edit(flags) => {
            let fields = fields(&flags)?;
            apply(cx, flags.edit, |document| model::edit(document, &flags.id, &fields))
        }
        ModelCommand::List { provider } => show(cx, provider.as_deref()),
        ModelCommand::Remove(flags) => {
            cx.confirm(&format!("Remove model `{}`?", flags.id))?;
            apply(cx, flags.cascade.edit, |document| {
                model::remove(document, &flags.id, flags.cascade.cascade)
            })
        }
        ModelCommand::Rename(flags) => {
            apply(cx, flags.edit, |document| model::rename(document, &flags.id, &flags.to))
        }
        ModelCommand::Enable(flags) => {
            apply(cx, flags.edit, |document| model::enable(document, &flags.id, true))
        }
        ModelCommand::Disable(flags) => {
            apply(cx, flags.edit, |document| model::enable(document, &flags.id, false))
        }
        ModelCommand::Fallbacks(flags) => apply(cx, flags.edit, |document| {
            model::set_fallbacks(document, &flags.id, &flags.fallbacks.join(","))
        }),
    }
}

fn fields(flags: &ModelPut) -> Result<model::Fields, Failure> {
    let cost = flags.cost.as_deref().map(|text| operate::json_object("--cost", text));
    Ok(model::Fields {
        aliases: flags.aliases.clone(),
        formats: flags.formats.clone(),
        context_window: flags.context_window,
        cost: cost.transpose()?,
        fallbacks: flags.fallbacks.clone(),
    })
}

fn show(cx: &Cx, provider: Option<&str>) -> Result<Outcome, Failure> {
    let view = view::config(&file(cx)?);
    let wanted = provider.map(slug);
    let providers = view.get("providers").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_wanted = |each: &&Value| {
        wanted.as_deref().is_none_or(|id| each.get("id").is_some_and(|own| own == id))
    };
    let chosen: Vec<&Value> = providers.iter().filter(is_wanted).collect();
    if let (Some(id), true) = (provider, chosen.is_empty()) {
        return Err(super::provider::unknown(&providers, id));
    }
    let mut models = Vec::new();
    for provider in chosen {
        let id = provider.get("id").and_then(Value::as_str).unwrap_or_default();
        for model in provider.get("models").and_then(Value::as_array).into_iter().flatten() {
            let mut model = model.clone();
            let own = model.get("id").and_then(Value::as_str).unwrap_or_default();
            let name = format!("{id}/{own}");
            if let Some(members) = model.as_object_mut() {
                members.insert("name".to_owned(), name.into());
            }
            models.push(model);
        }
    }
    let lines = models.iter().map(|model| list::model(model, "name"));
    let text = if models.is_empty() {
        "no models".to_owned()
    } else {
        lines.collect::<Vec<_>>().join("\n")
    };
    Ok(Outcome::new(text, json!({ "models": models })))
}
