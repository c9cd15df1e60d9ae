//! Models of providers.

use router_config::edit::Document;
use router_config::parse;
use router_config::schema::File;
use router_config::slug;
use serde_json::{Map, Value};

use super::references::remove_with;
use super::{Done, format, known, provider_and_model};
use crate::Failure;

/// What to set; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Other names clients may use; empty removes them.
    pub aliases: Option<String>,
    /// Dialects the model is limited to; empty removes the limit.
    pub formats: Option<String>,
    /// Tokens of context; 0 removes the number.
    pub context_window: Option<u64>,
    /// Dollars per million tokens: `input`, `output`, `cacheRead`, `cacheWrite`.
    pub cost: Option<Map<String, Value>>,
    /// Models used when this one fails; empty removes them.
    pub fallbacks: Option<String>,
}

/// Adds a model, named as `provider/model`.
pub fn add(document: &mut Document, name: &str, fields: &Fields) -> Result<Done, Failure> {
    let (provider, id) = provider_and_model(name)?;
    document.add_model(provider, id, &Map::new())?;
    set(document, name, fields)?;
    let name = format!("{}/{id}", slug(provider));
    Ok(Done::new(format!("model `{name}` added")).fact("model", name))
}

/// Changes a model.
pub fn edit(document: &mut Document, name: &str, fields: &Fields) -> Result<Done, Failure> {
    let name = full_name(document, name)?;
    set(document, &name, fields)?;
    Ok(Done::new(format!("model `{name}` changed")).fact("model", name))
}

/// Turns a model on or off.
pub fn enable(document: &mut Document, name: &str, on: bool) -> Result<Done, Failure> {
    let name = full_name(document, name)?;
    let (provider, id) = provider_and_model(&name)?;
    let value = if on { Value::Null } else { false.into() };
    document.edit_model(provider, id, &[("enabled".to_owned(), value)].into_iter().collect())?;
    let state = if on { "on" } else { "off" };
    Ok(Done::new(format!("model `{name}` is {state}")).fact("model", name).fact("enabled", on))
}

/// Gives a model another id, also where it is used.
pub fn rename(document: &mut Document, name: &str, to: &str) -> Result<Done, Failure> {
    let name = full_name(document, name)?;
    let (provider, id) = provider_and_model(&name)?;
    let own = format!("{provider}/");
    let to = to.strip_prefix(own.as_str()).unwrap_or(to).trim();
    if to.is_empty() {
        return Err(Failure::input("the new name is empty"));
    }
    let changed = document.rename_model(provider, id, to)?;
    let done = Done::new(format!("model `{name}` is now `{provider}/{to}`"));
    Ok(done.fact("model", format!("{provider}/{to}")).along("renamed", &changed))
}

/// Removes a model. The last one of a provider stays: without models a provider is never used.
pub fn remove(document: &mut Document, name: &str, cascade: bool) -> Result<Done, Failure> {
    let name = full_name(document, name)?;
    let (provider, id) = provider_and_model(&name)?;
    if document.model_ids(provider)?.len() == 1 {
        let message = format!("`{id}` is the last model of provider `{provider}`");
        return Err(Failure::input(message)
            .hint(format!("`llm-router provider remove {provider}` removes both, and `provider disable` turns them off")));
    }
    remove_any(document, provider, id, cascade)
}

pub(super) fn remove_any(
    document: &mut Document,
    provider: &str,
    id: &str,
    cascade: bool,
) -> Result<Done, Failure> {
    let name = format!("{provider}/{id}");
    let done = Done::new(format!("model `{name}` removed")).fact("model", name.as_str());
    remove_with(document, cascade, done, |document, on| document.remove_model(provider, id, on))
}

/// Sets the models used when this one fails on a direct request; none removes them.
pub fn set_fallbacks(
    document: &mut Document,
    name: &str,
    fallbacks: &str,
) -> Result<Done, Failure> {
    let name = full_name(document, name)?;
    let (provider, id) = provider_and_model(&name)?;
    let list = fallback_list(document, &name, fallbacks)?;
    document.set_fallbacks(provider, id, &list)?;
    let shown = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let done = Done::new(format!("fallbacks of `{name}`: {shown}"));
    Ok(done.fact("model", name).fact("fallbackModels", list))
}

/// Every entry has to be another model that is there; all that are not are named at once.
fn fallback_list(document: &Document, name: &str, text: &str) -> Result<Vec<String>, Failure> {
    let list = parse::list(text);
    let bad = list.iter().filter_map(|each| {
        if each == name {
            return Some(format!("`{each}` is the model itself"));
        }
        let wrong = known(document, each).err().or_else(|| provider_and_model(each).err())?;
        Some([Some(wrong.message), wrong.hint].into_iter().flatten().collect::<Vec<_>>().join("; "))
    });
    let bad: Vec<String> = bad.collect();
    if bad.is_empty() { Ok(list) } else { Err(Failure::input(bad.join("\n"))) }
}

fn set(document: &mut Document, name: &str, fields: &Fields) -> Result<(), Failure> {
    let (provider, id) = provider_and_model(name)?;
    let mut members = Map::new();
    if let Some(aliases) = &fields.aliases {
        members.insert("alias".to_owned(), Value::Null);
        members.insert("aliases".to_owned(), or_null(parse::list(aliases)));
    }
    if let Some(formats) = &fields.formats {
        let formats = parse::list(formats);
        let formats: Result<Vec<_>, _> = formats.iter().map(|each| format(each)).collect();
        members.insert("format".to_owned(), Value::Null);
        members.insert("formats".to_owned(), or_null(formats?));
    }
    if let Some(tokens) = fields.context_window {
        members.insert("context-window".to_owned(), Value::Null);
        let value = if tokens == 0 { Value::Null } else { tokens.into() };
        members.insert("contextWindow".to_owned(), value);
    }
    if let Some(cost) = &fields.cost {
        let value = if cost.is_empty() { Value::Null } else { cost.clone().into() };
        members.insert("cost".to_owned(), value);
    }
    if !members.is_empty() {
        document.edit_model(provider, id, &members)?;
    }
    if let Some(fallbacks) = &fields.fallbacks {
        let list = fallback_list(document, name, fallbacks)?;
        document.set_fallbacks(provider, id, &list)?;
    }
    Ok(())
}

fn or_null(list: Vec<impl Into<Value>>) -> Value {
    if list.is_empty() { Value::Null } else { list.into_iter().map(Into::into).collect() }
}

/// `provider/model` for a model that may be named by one of its other names.
fn full_name(document: &Document, name: &str) -> Result<String, Failure> {
    let (provider, id) = provider_and_model(name)?;
    let provider = slug(provider);
    let ids = document.model_ids(&provider)?;
    if ids.iter().any(|each| each == id) {
        return Ok(format!("{provider}/{id}"));
    }
    let file = File::parse(document.text()).map_err(|error| Failure::input(error.to_string()))?;
    let views = crate::view::provider_of(&file, &provider);
    let models = views.and_then(|view| view.get("models").cloned()).unwrap_or_default();
    let has_name = |model: &&Value| {
        let names = model.get("aliases").and_then(Value::as_array);
        names.into_iter().flatten().any(|each| each == id)
    };
    let found = models.as_array().into_iter().flatten().find(has_name);
    match found.and_then(|model| model.get("id")).and_then(Value::as_str) {
        Some(own) => Ok(format!("{provider}/{own}")),
        // The editor words the error, with the nearest name.
        None => Err(unknown(document, &provider, id)),
    }
}

/// The editor words the error, with the nearest name.
fn unknown(document: &Document, provider: &str, id: &str) -> Failure {
    match document.clone().edit_model(provider, id, &Map::new()) {
        Err(error) => error.into(),
        Ok(()) => Failure::input(format!("there is no model `{provider}/{id}`")),
    }
}
