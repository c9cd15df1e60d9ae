//! Providers: configured accounts.

use router_config::edit::Document;
use router_config::schema::File;
use router_config::{Upstream, parse, slug};
use serde_json::{Map, Value};

use super::probed::probed;
use super::references::remove_with;
use super::{Done, addresses, format, json_object, model};
use crate::probe::Report;
use crate::{Failure, view};

/// Members of a provider with their other spellings, which go when the first one is set.
const SPELLINGS: [(&str, &[&str]); 5] = [
    ("baseUrl", &["base-url", "endpoint"]),
    (
        "baseUrlByFormat",
        &["base-url-by-format", "endpointByFormat", "endpoint-by-format", "endpoints"],
    ),
    ("apiKey", &["credential", "api-key", "apiKeyEnv", "api-key-env"]),
    ("format", &["responseFormat", "response-format"]),
    ("rateLimits", &["rate-limits"]),
];

/// What to set; what is `None` stays as it is.
#[derive(Clone, Default)]
pub struct Fields {
    /// The name for people.
    pub name: Option<String>,
    /// Addresses as people paste them.
    pub endpoints: Option<String>,
    /// One address for every dialect.
    pub base_url: Option<String>,
    /// Addresses by format.
    pub by_format: Vec<(&'static str, String)>,
    /// The credential, or a reference to it.
    pub api_key: Option<String>,
    /// Whether the provider takes no credential.
    pub no_key: bool,
    /// Names of models as people paste them.
    pub models: Option<String>,
    /// The preferred format.
    pub format: Option<String>,
    /// All formats.
    pub formats: Option<String>,
    /// Headers as a JSON object.
    pub headers: Option<String>,
    /// Whether targets of aliases that name a model which goes may go too.
    pub cascade: bool,
    /// Whether a probe follows, which finds out what each address speaks and which models there
    /// are.
    pub is_probed: bool,
}

impl Fields {
    /// Whether they say anything that another request to the provider would show.
    pub(super) fn change_requests(&self) -> bool {
        let texts = [
            &self.endpoints,
            &self.base_url,
            &self.api_key,
            &self.models,
            &self.format,
            &self.formats,
            &self.headers,
        ];
        self.no_key || !self.by_format.is_empty() || texts.iter().any(|text| text.is_some())
    }
}

/// Shows no credential.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether there has to be such a provider already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    /// Add or change, as it comes.
    Any,
    /// There must be none.
    New,
    /// There must be one.
    Known,
}

/// Adds a provider, or changes the one there is. Without an id the name makes one.
///
/// `template` holds members for a new provider, such as a preset's; fields win over them.
pub fn put(
    document: &mut Document,
    id: Option<&str>,
    fields: &Fields,
    expect: Expect,
    template: &Map<String, Value>,
) -> Result<Done, Failure> {
    let (id, renamed) = id_of(id, fields.name.as_deref())?;
    let is_new = !document.provider_ids().contains(&id);
    match (expect, is_new) {
        (Expect::New, false) => {
            return Err(Failure::input(format!("there is a provider `{id}` already"))
                .hint(format!("`llm-router provider edit {id}` changes it")));
        }
        // The editor words the error, with the nearest name.
        (Expect::Known, true) => drop(document.provider_path(&id)?),
        _ => {}
    }
    check_name(document, &id, fields.name.as_deref())?;
    let mut notes: Vec<String> = renamed.into_iter().collect();
    let mut members = template.clone();
    members.retain(|_, _| is_new);
    set_members(&mut members, document, &id, is_new, fields, &mut notes)?;
    let named = models(fields, &mut notes)?;
    if is_new {
        let template_models = members.remove("models");
        if let Some(named) = &named {
            retain_buckets(&mut members, named);
        }
        complete(&members, fields, named.as_deref(), template_models.as_ref())?;
        document.add_provider(&id, &members)?;
        if let Some(named) = named {
            add_models(document, &id, &named)?;
        } else {
            let models = template_models.into_iter();
            document.edit_provider(&id, &models.map(|m| ("models".to_owned(), m)).collect())?;
        }
        notes.extend(first_default(document, &id)?);
    } else {
        document.edit_provider(&id, &with_spellings(members))?;
        if let Some(named) = named {
            notes.extend(replace_models(document, &id, &named, fields.cascade)?);
        }
    }
    let verb = if is_new { "added" } else { "changed" };
    let mut done = Done::new(format!("provider `{id}` {verb}"));
    done.notes = notes;
    let view = shown(document, &id)?;
    Ok(done.fact("provider", view).fact("added", is_new))
}

fn shown(document: &Document, id: &str) -> Result<Value, Failure> {
    let file = File::parse(document.text()).map_err(|error| Failure::input(error.to_string()))?;
    Ok(view::provider_of(&file, id).unwrap_or_default())
}

/// Adds or changes a provider as [`put`] does, with what a probe of it found; `configured` is the
/// provider as it was probed.
pub fn put_probed(
    document: &mut Document,
    id: Option<&str>,
    fields: &Fields,
    expect: Expect,
    template: &Map<String, Value>,
    (report, configured): (&Report, &Upstream),
) -> Result<Done, Failure> {
    let mut done = put(document, id, fields, expect, template)?;
    let found = probed(document, report, configured)?;
    let count = report.confirmed().count();
    done.message = format!("{}; {count} model(s) answer", done.message);
    done.notes.extend(found.notes);
    done.notes.extend(first_default(document, &report.provider)?);
    let shown = shown(document, &report.provider)?;
    let added = found.result.get("added").cloned().unwrap_or_default();
    Ok(done.fact("provider", shown).fact("addedModels", added))
}

/// Turns a provider on or off.
pub fn enable(document: &mut Document, id: &str, on: bool) -> Result<Done, Failure> {
    let value = if on { Value::Null } else { false.into() };
    document.edit_provider(id, &[("enabled".to_owned(), value)].into_iter().collect())?;
    let (id, state) = (slug(id), if on { "on" } else { "off" });
    Ok(Done::new(format!("provider `{id}` is {state}")).fact("provider", id).fact("enabled", on))
}

/// Gives a provider another id, also where it is used.
pub fn rename(document: &mut Document, id: &str, to: &str) -> Result<Done, Failure> {
    let (to, note) = id_of(Some(to), None)?;
    let changed = document.rename_provider(id, &to)?;
    let mut done = Done::new(format!("provider `{}` is now `{to}`", slug(id)));
    done.notes.extend(note);
    Ok(done.fact("provider", to).along("renamed", &changed))
}

/// Removes a provider with its models and buckets.
pub fn remove(document: &mut Document, id: &str, cascade: bool) -> Result<Done, Failure> {
    let done = Done::new(format!("provider `{}` removed", slug(id))).fact("provider", slug(id));
    remove_with(document, cascade, done, |document, on| document.remove_provider(id, on))
}

/// The id as config writes it, and what to say if it is not the one that was typed.
fn id_of(id: Option<&str>, name: Option<&str>) -> Result<(String, Option<String>), Failure> {
    let given = id.map(str::trim).filter(|id| !id.is_empty());
    let Some(given) = given else {
        let made = slug(name.unwrap_or_default());
        if made.is_empty() {
            return Err(Failure::input("a provider needs a name or an id")
                .hint("--name 'My provider', or --provider-id my-provider"));
        }
        return Ok((made, None));
    };
    let made = slug(given);
    if !made.eq_ignore_ascii_case(given) {
        let failure = Failure::input(format!("`{given}` cannot be the id of a provider"));
        return Err(failure.hint(if made.is_empty() {
            "use letters, digits and dashes".to_owned()
        } else {
            format!("use letters, digits and dashes, such as `{made}`")
        }));
    }
    let note = (made != given).then(|| format!("ids are in lower case: `{made}`"));
    Ok((made, note))
}

fn check_name(document: &Document, id: &str, name: Option<&str>) -> Result<(), Failure> {
    let Some(name) = name else { return Ok(()) };
    let file = File::parse(document.text()).map_err(|error| Failure::input(error.to_string()))?;
    let view = view::config(&file);
    let providers = view.get("providers").and_then(Value::as_array).cloned().unwrap_or_default();
    let taken = providers.iter().find(|each| {
        let own = each.get("name").and_then(Value::as_str).unwrap_or_default();
        each.get("id").and_then(Value::as_str) != Some(id)
            && own.to_lowercase() == name.trim().to_lowercase()
    });
    match taken.and_then(|each| each.get("id")).and_then(Value::as_str) {
        None => Ok(()),
        Some(other) => {
            Err(Failure::input(format!("provider `{other}` has the name `{name}` already"))
                .hint(format!("choose another --name, or change that one: provider edit {other}")))
        }
    }
}

fn set_members(
    members: &mut Map<String, Value>,
    document: &Document,
    id: &str,
    is_new: bool,
    fields: &Fields,
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    let mut put = |key: &str, value: Value| members.insert(key.to_owned(), value);
    if let Some(name) = &fields.name {
        put("name", name.trim().into());
    }
    if let Some(headers) = &fields.headers {
        put("headers", json_object("--headers", headers)?.into());
    }
    if let Some(key) = fields.api_key.as_deref().map(str::trim).filter(|key| !key.is_empty()) {
        put("apiKey", key.into());
    }
    if fields.no_key {
        put("apiKey", Value::Null);
        put("auth", "none".into());
    }
    let addressed = addresses::read(fields, notes)?;
    if let Some(base) = &addressed.base {
        put("baseUrl", base.as_str().into());
        // An address by format from before would win over the new one.
        put("baseUrlByFormat", Value::Null);
    }
    if !addressed.by_format.is_empty() {
        let stored = document.provider_path(id).ok().filter(|_| addressed.base.is_none());
        let stored = stored.and_then(|path| document.get(&path.key("baseUrlByFormat")));
        let mut map = stored.and_then(|map| map.as_object().cloned()).unwrap_or_default();
        for (format, url) in &addressed.by_format {
            map.insert((*format).to_owned(), url.as_str().into());
        }
        put("baseUrlByFormat", map.into());
    }
    if let Some(word) = &fields.format {
        put("format", format(word)?.into());
    } else if is_new
        && addressed.by_format.is_empty()
        && let Some(base) = &addressed.base
    {
        put("format", addresses::guess(base).into());
    }
    if let Some(words) = &fields.formats {
        let words = parse::list(words);
        let formats: Result<Vec<&str>, _> = words.iter().map(|word| format(word)).collect();
        put("formats", formats?.into());
    }
    Ok(())
}

fn models(fields: &Fields, notes: &mut Vec<String>) -> Result<Option<Vec<String>>, Failure> {
    let Some(text) = fields.models.as_deref().filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let read = parse::models(text);
    notes.extend(read.ignored.iter().map(|line| format!("not a model, left out: {line}")));
    if read.found.is_empty() {
        return Err(Failure::input("--models names no model"));
    }
    Ok(Some(read.found))
}

/// Leaves out a preset's buckets for models that the provider does not get.
fn retain_buckets(members: &mut Map<String, Value>, models: &[String]) {
    let Some(buckets) = members.get_mut("rateLimits").and_then(Value::as_array_mut) else { return };
    buckets.retain(|bucket| {
        let mut named = bucket.get("models").and_then(Value::as_array).into_iter().flatten();
        named.all(|each| each == "all" || models.iter().any(|model| each == model.as_str()))
    });
}

/// Says everything that a new provider lacks.
fn complete(
    members: &Map<String, Value>,
    fields: &Fields,
    models: Option<&[String]>,
    template_models: Option<&Value>,
) -> Result<(), Failure> {
    let has = |key: &str| members.get(key).is_some_and(|value| !value.is_null());
    let mut missing = Vec::new();
    if !has("baseUrl") && !has("baseUrlByFormat") {
        missing.push("an address (--endpoints https://…)");
    }
    if !fields.no_key && is_without_key(members) {
        missing
            .push("a credential (--api-key env:NAME, --api-key - for standard input, or --no-key)");
    }
    let has_template = template_models.and_then(Value::as_array).is_some_and(|m| !m.is_empty());
    if models.is_none() && !has_template && !fields.is_probed {
        missing.push("models (--models a,b)");
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::input(format!("the new provider lacks {}", missing.join("; ")))
        .hint("`llm-router provider presets` lists providers that are known already"))
}

/// Whether a credential is needed and none is there.
fn is_without_key(members: &Map<String, Value>) -> bool {
    let has = |key: &str| members.get(key).is_some_and(|value| !value.is_null());
    let needs = members.get("auth").is_none_or(|auth| *auth != "none");
    needs && !has("apiKey") && !has("apiKeys")
}

/// Whether [`put`] would refuse because no credential is given.
pub fn lacks_key(
    document: &Document,
    id: Option<&str>,
    fields: &Fields,
    template: &Map<String, Value>,
) -> bool {
    let is_new = id_of(id, fields.name.as_deref())
        .is_ok_and(|(id, _)| !document.provider_ids().contains(&id));
    is_new && !fields.no_key && fields.api_key.is_none() && is_without_key(template)
}

fn with_spellings(mut members: Map<String, Value>) -> Map<String, Value> {
    for (key, others) in SPELLINGS {
        if members.contains_key(key) {
            members.extend(others.iter().map(|other| ((*other).to_owned(), Value::Null)));
        }
    }
    members
}

fn add_models(document: &mut Document, id: &str, names: &[String]) -> Result<(), Failure> {
    let list: Value = names.iter().map(|name| serde_json::json!({ "id": name })).collect();
    document.edit_provider(id, &[("models".to_owned(), list)].into_iter().collect())?;
    Ok(())
}

/// Leaves the models that stay as they are, with all that is known about them.
fn replace_models(
    document: &mut Document,
    id: &str,
    names: &[String],
    cascade: bool,
) -> Result<Vec<String>, Failure> {
    let stored = document.model_ids(id)?;
    for name in names.iter().filter(|name| !stored.contains(name)) {
        document.add_model(id, name, &Map::new())?;
    }
    let mut notes = Vec::new();
    for gone in stored.iter().filter(|each| !names.contains(each)) {
        notes.extend(model::remove_any(document, id, gone, cascade)?.notes);
        notes.push(format!("model `{id}/{gone}` removed: it is not in --models"));
    }
    Ok(notes)
}

/// The first provider's first model answers requests that name none.
fn first_default(document: &mut Document, id: &str) -> Result<Option<String>, Failure> {
    let file = File::parse(document.text()).map_err(|error| Failure::input(error.to_string()))?;
    if file.default_model.is_some_and(|model| !model.trim().is_empty()) {
        return Ok(None);
    }
    let Some(first) = document.model_ids(id)?.into_iter().next() else { return Ok(None) };
    let name = format!("{id}/{first}");
    document.set_default_model(Some(&name))?;
    Ok(Some(format!("the default model is now `{name}`")))
}
