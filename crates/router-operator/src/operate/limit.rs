//! Buckets: caps on the use of a provider.

use router_config::edit::Document;
use router_config::schema::File;
use router_config::{nearest, parse, slug};
use serde_json::{Map, Number, Value, json};

use super::{Done, known};
use crate::{Failure, view};

/// Caps of a bucket: the key in config, and other spellings.
const CAPS: [(&str, &[&str]); 6] = [
    ("requests", &["limit"]),
    ("tokens", &[]),
    ("inputTokens", &["input-tokens"]),
    ("outputTokens", &["output-tokens"]),
    (COST, &[]),
    ("concurrent", &[]),
];
/// The cap in US dollars, the only one that need not be a whole number.
const COST: &str = "cost";

/// One bucket as typed; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The id.
    pub id: Option<String>,
    /// The name for people.
    pub name: Option<String>,
    /// Models that count: a list, or `all`.
    pub models: Option<String>,
    /// Caps by their key in config.
    pub caps: Vec<(&'static str, Number)>,
    /// The window, such as `6h`.
    pub window: Option<String>,
    /// Whether each credential has a counter of its own.
    pub scope: Option<String>,
    /// IANA time zone of windows.
    pub time_zone: Option<String>,
    /// A new id for the bucket.
    pub rename_to: Option<String>,
    /// Free use.
    pub metadata: Option<Value>,
}

/// Adds a bucket or changes the one with this id, or else this name. `replace` drops all others.
pub fn put(
    document: &mut Document,
    provider: &str,
    fields: &Fields,
    replace: bool,
) -> Result<Done, Failure> {
    let mut buckets = written(document, provider)?;
    let at = position(&buckets, fields);
    let id = match (&fields.rename_to, at.and_then(|at| id_of(buckets.get(at)?)), &fields.id) {
        (Some(to), _, _) => slug(to),
        (None, Some(id), _) => id,
        (None, None, Some(id)) => slug(id),
        (None, None, None) => slug(fields.name.as_deref().unwrap_or_default()),
    };
    if id.is_empty() {
        return Err(Failure::input("a bucket needs an id or a name")
            .hint("--bucket-id daily, or --bucket-name 'per day'"));
    }
    let mut bucket = at.and_then(|at| buckets.get(at)?.as_object().cloned()).unwrap_or_default();
    apply(&mut bucket, &id, fields)?;
    check_models(document, provider, &bucket)?;
    if at.is_none() {
        complete(&bucket)?;
    }
    if replace {
        buckets.clear();
    }
    match at.filter(|_| !replace).and_then(|at| buckets.get_mut(at)) {
        Some(place) => *place = Value::Object(bucket),
        None => buckets.push(Value::Object(bucket)),
    }
    document.set_buckets(provider, &buckets)?;
    let verb = if at.is_some() { "changed" } else { "added" };
    let message = format!("bucket `{id}` of provider `{}` {verb}", slug(provider));
    Ok(Done::new(message).fact("bucket", id).fact("bucketCount", buckets.len()))
}

/// Adds or changes several buckets given as JSON: one object or a list.
pub fn put_all(
    document: &mut Document,
    provider: &str,
    entries: &Value,
    replace: bool,
) -> Result<Done, Failure> {
    let entries = match entries {
        Value::Array(items) if !items.is_empty() => items.clone(),
        Value::Object(_) => vec![entries.clone()],
        _ => return Err(Failure::input("--rate-limits takes a bucket or a list of buckets")),
    };
    if replace {
        document.set_buckets(provider, &[])?;
    }
    let mut ids = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let fields = from_json(entry).map_err(|failure| {
            Failure::input(format!("--rate-limits, bucket {}: {}", index + 1, failure.message))
                .hint(failure.hint.unwrap_or_default())
        })?;
        let done = put(document, provider, &fields, false)?;
        ids.extend(done.result.get("bucket").cloned());
    }
    let count = written(document, provider)?.len();
    let message = format!("{} bucket(s) of provider `{}` set", ids.len(), slug(provider));
    Ok(Done::new(message).fact("buckets", ids).fact("bucketCount", count))
}

/// Removes a bucket.
pub fn remove(document: &mut Document, provider: &str, id: &str) -> Result<Done, Failure> {
    let mut buckets = written(document, provider)?;
    let wanted = slug(id);
    let ids: Vec<String> = buckets.iter().filter_map(id_of).collect();
    let Some(at) = ids.iter().position(|each| *each == wanted || each == id) else {
        let failure = Failure::input(format!("provider `{}` has no bucket `{id}`", slug(provider)));
        return Err(match nearest(id, ids.iter().map(String::as_str)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`llm-router limit list` shows them"),
        });
    };
    buckets.remove(at);
    document.set_buckets(provider, &buckets)?;
    let message = format!("bucket `{id}` of provider `{}` removed", slug(provider));
    Ok(Done::new(message).fact("bucket", wanted).fact("bucketCount", buckets.len()))
}

/// The buckets of a provider as config writes them today, with an id each.
fn written(document: &Document, provider: &str) -> Result<Vec<Value>, Failure> {
    let at = document.provider_path(provider)?;
    let raw = document.get(&at.key("rateLimits")).or_else(|| document.get(&at.key("rate-limits")));
    let raw = match raw {
        Some(Value::Array(items)) => items,
        Some(single @ Value::Object(_)) => vec![single],
        _ => Vec::new(),
    };
    let file = File::parse(document.text()).map_err(|error| Failure::input(error.to_string()))?;
    let id = slug(provider);
    let view = view::provider_of(&file, &id).and_then(|view| view.get("rateLimits").cloned());
    let known: Vec<Value> = view.and_then(|view| view.as_array().cloned()).unwrap_or_default();
    let mut out = Vec::new();
    for (index, entry) in raw.into_iter().enumerate() {
        let Value::Object(mut members) = entry else { continue };
        if !members.contains_key("id")
            && let Some(id) = known.get(index).and_then(id_of)
        {
            members.insert("id".to_owned(), id.into());
        }
        out.push(Value::Object(members));
    }
    Ok(out)
}

fn id_of(bucket: &Value) -> Option<String> {
    bucket.get("id").and_then(Value::as_str).map(str::to_owned)
}

pub(super) fn position(buckets: &[Value], fields: &Fields) -> Option<usize> {
    let is_it = |bucket: &Value| match (&fields.id, &fields.name) {
        (Some(id), _) => id_of(bucket).is_some_and(|own| own == *id || own == slug(id)),
        (None, Some(name)) => {
            bucket.get("name").and_then(Value::as_str) == Some(name)
                || id_of(bucket) == Some(slug(name))
        }
        (None, None) => false,
    };
    buckets.iter().position(is_it)
}

/// A sum of money as config writes it; `None` if it is none.
pub fn cost(dollars: f64) -> Option<Number> {
    match view::number(dollars) {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

pub(super) fn apply(
    bucket: &mut Map<String, Value>,
    id: &str,
    fields: &Fields,
) -> Result<(), Failure> {
    bucket.insert("id".to_owned(), id.into());
    let mut set = |key: &str, others: &[&str], value: Value| {
        for other in others {
            bucket.remove(*other);
        }
        bucket.insert(key.to_owned(), value);
    };
    if let Some(name) = &fields.name {
        set("name", &[], name.as_str().into());
    }
    if let Some(models) = &fields.models {
        let mut list = parse::models(models).found;
        if let Some(all) = list.iter_mut().find(|each| each.eq_ignore_ascii_case("all")) {
            "all".clone_into(all);
        }
        if list.is_empty() {
            return Err(Failure::input("no models are named").hint("name model ids, or `all`"));
        }
        set("models", &["model"], list.into());
    }
    for (key, cap) in &fields.caps {
        if cap.as_f64().is_none_or(|cap| cap <= 0.0) {
            let least = if *key == COST { "more than 0" } else { "1 or more" };
            return Err(Failure::input(format!("{key}: a cap is {least}")));
        }
        let others = CAPS.iter().find(|(name, _)| name == key).map_or(&[][..], |(_, o)| *o);
        set(key, others, cap.clone().into());
    }
    if let Some(window) = &fields.window {
        let window = parse::window(window).map_err(Failure::input)?;
        set("window", &["windowUnit", "window-unit", "windowSize", "window-size"], window);
    }
    if let Some(scope) = &fields.scope {
        set("scope", &[], scope.as_str().into());
    }
    if let Some(zone) = &fields.time_zone {
        set("timeZone", &["time-zone", "timezone"], zone.as_str().into());
    }
    if let Some(metadata) = &fields.metadata {
        set("metadata", &[], metadata.clone());
    }
    Ok(())
}

/// The models have to be the provider's, or `all` alone.
fn check_models(
    document: &Document,
    provider: &str,
    bucket: &Map<String, Value>,
) -> Result<(), Failure> {
    let models = bucket.get("models").and_then(Value::as_array).map(Vec::as_slice);
    let models = models.unwrap_or_default();
    if 1 < models.len() && models.iter().any(|model| model == "all") {
        return Err(Failure::input("`all` covers every model: name models, or `all` alone"));
    }
    for model in models.iter().filter_map(Value::as_str).filter(|model| *model != "all") {
        known(document, &format!("{provider}/{model}"))?;
    }
    Ok(())
}

/// Says everything that a new bucket lacks.
fn complete(bucket: &Map<String, Value>) -> Result<(), Failure> {
    let mut missing = Vec::new();
    if !bucket.contains_key("models") {
        missing.push("models (--bucket-models all)");
    }
    missing.extend(uncapped(bucket));
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::input(format!("the new bucket lacks {}", missing.join(", "))))
}

/// What a bucket or limit needs before it caps anything.
pub(super) fn uncapped(bucket: &Map<String, Value>) -> Vec<&'static str> {
    let mut missing = Vec::new();
    let caps: Vec<_> = CAPS.iter().filter(|(key, _)| bucket.contains_key(*key)).collect();
    if caps.is_empty() {
        missing.push("a cap (--requests 1000)");
    }
    let needs_window = caps.iter().any(|(key, _)| *key != "concurrent") || caps.is_empty();
    if needs_window && !bucket.contains_key("window") {
        missing.push("a window (--window 1d)");
    }
    missing
}

/// Reads a bucket in any spelling the older program took.
fn from_json(entry: &Value) -> Result<Fields, Failure> {
    let Value::Object(members) = entry else {
        return Err(Failure::input("not an object"));
    };
    let mut fields = Fields::default();
    let mut window = Map::new();
    for (key, value) in members {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        match key.as_str() {
            "id" => fields.id = Some(text),
            "name" | "bucket-name" | "bucketName" => fields.name = Some(text),
            "models" | "model" | "model-selector" | "modelSelector" => fields.models = Some(text),
            "window" if value.is_object() => {
                window.extend(value.as_object().cloned().unwrap_or_default());
            }
            "window" => fields.window = Some(text),
            "windowUnit" | "window-unit" | "windowSize" | "window-size" => {
                window.insert(key.clone(), value.clone());
            }
            "scope" => fields.scope = Some(text),
            "timeZone" | "time-zone" => fields.time_zone = Some(text),
            "metadata" => fields.metadata = Some(value.clone()),
            other => {
                let cap = CAPS.iter().find(|(name, o)| *name == other || o.contains(&other));
                let Some((name, _)) = cap else {
                    return Err(Failure::input(format!("`{other}` is not known"))
                        .hint("id, name, models, requests, tokens, concurrent, window"));
                };
                let number = match *name {
                    COST => text.trim().parse().ok().and_then(cost),
                    _ => text.trim().parse::<u64>().ok().map(Number::from),
                };
                let number = number.ok_or_else(|| {
                    Failure::input(format!("{other} is not a whole number of 1 or more"))
                })?;
                fields.caps.push((name, number));
            }
        }
    }
    if !window.is_empty() {
        let part = |keys: [&str; 3]| {
            keys.iter().find_map(|key| window.get(*key)).map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
        };
        let unit = part(["unit", "windowUnit", "window-unit"]).unwrap_or_default();
        let size = part(["size", "windowSize", "window-size"]).unwrap_or_else(|| "1".to_owned());
        fields.window = Some(format!("{size}{unit}"));
    }
    Ok(fields)
}

/// Every bucket of every provider, or of one, as shown to people.
pub fn list(file: &File, provider: Option<&str>) -> Value {
    let view = view::config(file);
    let wanted = provider.map(slug);
    let providers = view.get("providers").and_then(Value::as_array);
    let each = providers.into_iter().flatten().filter(|each| {
        wanted.as_ref().is_none_or(|id| each.get("id").and_then(Value::as_str) == Some(id))
    });
    each.map(|each| json!({ "provider": each.get("id"), "buckets": each.get("rateLimits") }))
        .collect()
}
