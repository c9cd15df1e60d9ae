//! Client keys: what single clients present, with what each may use and how much of it.

use router_config::edit::Document;
use router_config::schema::File;
use router_config::{nearest, parse, slug};
use serde_json::{Map, Value};

use super::{Done, known, limit, weakness};
use crate::{Failure, mask, view};

/// What to set; what is `None` stays as it is.
#[derive(Clone, Default)]
pub struct Fields {
    /// The key, or a reference to it.
    pub key: Option<String>,
    /// What it may ask for: aliases, `provider/model`, `provider/*`; empty means everything.
    pub models: Option<String>,
}

/// Shows no key.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").field("models", &self.models).finish_non_exhaustive()
    }
}

/// Adds a key, with a first limit if one is given.
pub fn add(
    document: &mut Document,
    label: &str,
    fields: &Fields,
    limit: Option<&limit::Fields>,
) -> Result<Done, Failure> {
    let label = label.trim();
    if label.is_empty() {
        return Err(Failure::input("the label is empty").hint("name who uses the key"));
    }
    let is_first = document.client_labels().is_empty();
    document.add_client(label, &members(document, fields)?)?;
    let mut done = Done::new(format!("client key `{label}` added"));
    if let Some(fields) = limit {
        let id = put_limit(document, label, fields)?;
        done = done.fact("limit", id);
    }
    match required(document) {
        Some(false) => {
            done = done.note("no key is asked for, as server.requireAuth says; turn that on");
        }
        None if is_first => {
            done = done.note("it is the first one: from now on every client has to present a key");
        }
        _ => {}
    }
    finish(done, document, label, fields)
}

/// Changes a key.
pub fn edit(document: &mut Document, label: &str, fields: &Fields) -> Result<Done, Failure> {
    document.client_path(label)?;
    let members = members(document, fields)?;
    document.edit_client(label, &members)?;
    finish(Done::new(format!("client key `{}` changed", label.trim())), document, label, fields)
}

/// Puts another key in the place of the one that is there.
pub fn rotate(document: &mut Document, label: &str, key: &str) -> Result<Done, Failure> {
    let fields = Fields { key: Some(key.to_owned()), ..Fields::default() };
    let mut done = edit(document, label, &fields)?;
    done.message = format!("client key `{}` is another one now", label.trim());
    Ok(done.note("a running router refuses the old one from now on"))
}

/// Gives a key another label.
pub fn rename(document: &mut Document, label: &str, to: &str) -> Result<Done, Failure> {
    if to.trim().is_empty() {
        return Err(Failure::input("the new label is empty"));
    }
    document.rename_client(label, to)?;
    let done = Done::new(format!("client key `{}` is now `{}`", label.trim(), to.trim()));
    let done = done.note("its limits count anew, as counts are kept by label");
    Ok(done.fact("client", to.trim()))
}

/// Turns a key on or off.
pub fn enable(document: &mut Document, label: &str, on: bool) -> Result<Done, Failure> {
    let value = if on { Value::Null } else { false.into() };
    document.edit_client(label, &[("enabled".to_owned(), value)].into_iter().collect())?;
    let (label, state) = (label.trim(), if on { "on" } else { "off" });
    Ok(Done::new(format!("client key `{label}` is {state}"))
        .fact("client", label)
        .fact("enabled", on))
}

/// Removes a key.
pub fn remove(document: &mut Document, label: &str) -> Result<Done, Failure> {
    document.remove_client(label)?;
    let label = label.trim();
    let done = Done::new(format!("client key `{label}` removed")).fact("client", label);
    let is_open = document.client_labels().is_empty() && required(document) != Some(true);
    Ok(if is_open {
        done.note(
            "it was the last one: no key is asked for any more, unless server.requireAuth is on",
        )
    } else {
        done
    })
}

/// What the config says about asking for keys; if nothing, they are asked for while there are some.
fn required(document: &Document) -> Option<bool> {
    File::parse(document.text()).ok()?.server?.require_auth
}

/// Adds a limit to a key, or changes the one with this id or name.
pub fn set_limit(
    document: &mut Document,
    label: &str,
    fields: &limit::Fields,
) -> Result<Done, Failure> {
    let id = put_limit(document, label, fields)?;
    let done = Done::new(format!("limit `{id}` of client key `{}` is set", label.trim()));
    Ok(done.fact("client", label.trim()).fact("limit", id))
}

/// Removes a limit of a key.
pub fn remove_limit(document: &mut Document, label: &str, id: &str) -> Result<Done, Failure> {
    let mut limits = limits(document, label)?;
    let ids: Vec<String> = limits.iter().filter_map(id_of).collect();
    let Some(at) = ids.iter().position(|each| each == id || *each == slug(id)) else {
        let failure = Failure::input(format!("client key `{}` has no limit `{id}`", label.trim()));
        return Err(match nearest(id, ids.iter().map(String::as_str)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("`llm-router key client show {label}` shows them")),
        });
    };
    limits.remove(at);
    write_limits(document, label, limits)?;
    let done = Done::new(format!("limit `{id}` of client key `{}` removed", label.trim()));
    Ok(done.fact("client", label.trim()).fact("limit", id))
}

/// Every client key, as shown to people.
pub fn list(file: &File) -> Value {
    view::config(file).get("clientKeys").cloned().unwrap_or_default()
}

/// A key as it is written.
pub fn written(document: &Document, label: &str) -> Result<Option<String>, Failure> {
    let path = document.client_path(label)?;
    let spelled = ["key", "value"].iter().find_map(|key| document.get(&path.key(key)));
    Ok(spelled.and_then(|key| key.as_str().map(str::to_owned)))
}

fn finish(done: Done, document: &Document, label: &str, fields: &Fields) -> Result<Done, Failure> {
    let file = File::parse(document.text()).map_err(|error| Failure::input(error.to_string()))?;
    let done = done.fact("client", view::client_of(&file, label).unwrap_or_default());
    let key = fields.key.as_deref().unwrap_or_default();
    // What a reference stands for is not known here.
    Ok(match weakness(key).filter(|_| !key.is_empty() && mask::secret(key) != key) {
        None => done,
        Some(why) => done.note(format!(
            "the key is weak: {why}; `llm-router key client rotate {label}` makes a strong one"
        )),
    })
}

fn members(document: &Document, fields: &Fields) -> Result<Map<String, Value>, Failure> {
    let mut members = Map::new();
    if let Some(key) = fields.key.as_deref().map(str::trim) {
        if key.is_empty() {
            return Err(Failure::input("the key is empty"));
        }
        members.insert("key".to_owned(), key.into());
        members.insert("value".to_owned(), Value::Null);
    }
    if let Some(models) = &fields.models {
        let models = parse::list(models);
        for model in &models {
            allowed(document, model)?;
        }
        let value = if models.is_empty() { Value::Null } else { models.into() };
        members.insert("models".to_owned(), value);
    }
    Ok(members)
}

/// Refuses what names nothing that is there.
fn allowed(document: &Document, name: &str) -> Result<(), Failure> {
    match name.strip_suffix("/*") {
        // The editor words the error, with the nearest name.
        Some(provider) => Ok(document.provider_path(provider).map(drop)?),
        None => known(document, name),
    }
}

fn limits(document: &Document, label: &str) -> Result<Vec<Value>, Failure> {
    let path = document.client_path(label)?;
    let raw = ["limits", "rateLimits"].iter().find_map(|key| document.get(&path.key(key)));
    let raw = match raw {
        Some(Value::Array(items)) => items,
        Some(single @ Value::Object(_)) => vec![single],
        _ => Vec::new(),
    };
    let named = raw.into_iter().map(|mut limit| {
        let name = limit.get("name").and_then(Value::as_str).map(slug);
        if let (None, Some(name), Some(members)) = (id_of(&limit), name, limit.as_object_mut()) {
            members.insert("id".to_owned(), name.into());
        }
        limit
    });
    Ok(named.collect())
}

fn id_of(limit: &Value) -> Option<String> {
    limit.get("id").and_then(Value::as_str).map(str::to_owned)
}

/// Writes a limit; without an id and a name its window is its id.
fn put_limit(
    document: &mut Document,
    label: &str,
    fields: &limit::Fields,
) -> Result<String, Failure> {
    let mut limits = limits(document, label)?;
    let window = fields.window.as_deref().unwrap_or("at-once");
    let id = match (&fields.id, &fields.name) {
        (Some(id), _) => slug(id),
        (None, Some(name)) => slug(name),
        (None, None) => slug(window),
    };
    let sought = limit::Fields { id: Some(id.clone()), ..fields.clone() };
    let at = limit::position(&limits, &sought);
    let mut limit = at.and_then(|at| limits.get(at)?.as_object().cloned()).unwrap_or_default();
    limit::apply(&mut limit, &id, fields)?;
    let missing = limit::uncapped(&limit);
    if !missing.is_empty() {
        return Err(Failure::input(format!("the limit lacks {}", missing.join(", "))));
    }
    match at.and_then(|at| limits.get_mut(at)) {
        Some(place) => *place = Value::Object(limit),
        None => limits.push(Value::Object(limit)),
    }
    write_limits(document, label, limits)?;
    Ok(id)
}

fn write_limits(document: &mut Document, label: &str, limits: Vec<Value>) -> Result<(), Failure> {
    let value = if limits.is_empty() { Value::Null } else { limits.into() };
    let members = [("rateLimits".to_owned(), Value::Null), ("limits".to_owned(), value)];
    Ok(document.edit_client(label, &members.into_iter().collect())?)
}
