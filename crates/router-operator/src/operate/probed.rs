//! What a probe and a provider's list of models bring into the config.

use router_config::Upstream;
use router_config::edit::Document;
use router_wire::Dialect;
use router_wire::models::Listed;
use serde_json::{Map, Value};

use super::Done;
use crate::Failure;
use crate::probe::Report;
use crate::upstream::Outcome;

/// Writes what a probe found: dialects, addresses, headers and the record into its provider, the
/// dialects of each model that answered into the model, and models that are new.
///
/// Models that did not answer stay as they are; the report says why. `configured` is the provider
/// as it was probed.
pub fn probed(
    document: &mut Document,
    report: &Report,
    configured: &Upstream,
) -> Result<Done, Failure> {
    let id = report.provider.as_str();
    let mut members = report.provider_members(configured);
    let path = document.provider_path(id)?;
    for key in ["baseUrlByFormat", "authByFormat"] {
        let stored = document.get(&path.key(key));
        if let Some(Value::Object(found)) = members.get_mut(key) {
            *found = merged(stored.as_ref().and_then(Value::as_object), found);
        }
    }
    document.edit_provider(id, &members)?;
    let known = document.model_ids(id)?;
    let mut added = Vec::new();
    for model in report.confirmed() {
        let formats = report.model_formats(model);
        let members: Map<String, Value> = [("formats".to_owned(), formats)].into_iter().collect();
        if known.contains(&model.id) {
            document.edit_model(id, &model.id, &members)?;
        } else {
            document.add_model(id, &model.id, &members)?;
            added.push(model.id.clone());
        }
    }
    let count = report.confirmed().count();
    let mut done = Done::new(format!("provider `{id}` probed: {count} model(s) answer"));
    for model in report.unresolved() {
        let fate = match (known.contains(&model.id), model.outcome) {
            (true, Outcome::ModelUnsupported) => {
                format!("`llm-router model remove {id}/{}` takes it out", model.id)
            }
            (true, _) => "it stays in the config".to_owned(),
            (false, _) => "it was not added".to_owned(),
        };
        done = done.note(format!("{} is not confirmed ({}); {fate}", model.id, model.outcome));
    }
    Ok(done.fact("provider", id).fact("added", added))
}

/// What is there, with what was found in its place, whatever the formats are called there.
fn merged(stored: Option<&Map<String, Value>>, found: &Map<String, Value>) -> Map<String, Value> {
    let is_found = |name: &str| {
        let dialect = Dialect::from_config_name(name);
        found.keys().any(|key| Dialect::from_config_name(key) == dialect)
    };
    let kept = stored.into_iter().flatten().filter(|(name, _)| !is_found(name));
    kept.chain(found).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Adds models of a provider's list.
pub fn add_listed(
    document: &mut Document,
    provider: &str,
    models: &[Listed],
) -> Result<Done, Failure> {
    let known = document.model_ids(provider)?;
    let mut done = Done::default();
    let mut added = Vec::new();
    for model in models {
        if known.contains(&model.id) {
            done = done.note(format!("`{provider}/{}` is in the config already", model.id));
            continue;
        }
        let mut members = Map::new();
        if let Some(context) = model.context_window {
            members.insert("contextWindow".to_owned(), context.into());
        }
        document.add_model(provider, &model.id, &members)?;
        added.push(format!("{provider}/{}", model.id));
    }
    done.message = format!("{} model(s) added", added.len());
    Ok(done.fact("models", added))
}
