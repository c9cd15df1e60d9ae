//! Channels of one-api (<https://github.com/songquanpeng/one-api>) and new-api
//! (<https://github.com/QuantumNous/new-api>), as `GET /api/channel/` lists them.

use std::collections::BTreeMap;

use router_config::{parse, slug};
use serde_json::{Map, Value, json};

use super::{Imported, moved, text, vendor};
use crate::Failure;

/// Numbers of channel types and the preset each stands for.
type Types = &'static [(u64, &'static str)];

/// Types of one-api.
pub(super) const ONE_API: Types = &[
    (1, "openai"),
    (3, "azure"),
    (8, "custom"),
    (14, "anthropic"),
    (20, "openrouter"),
    (24, "gemini"),
    (25, "moonshot"),
    (28, "mistral"),
    (29, "groq"),
    (30, "ollama"),
    (36, "deepseek"),
    (39, "together"),
];

/// Types of new-api.
pub(super) const NEW_API: Types = &[
    (1, "openai"),
    (3, "azure"),
    (4, "ollama"),
    (8, "custom"),
    (14, "anthropic"),
    (20, "openrouter"),
    (24, "gemini"),
    (25, "moonshot"),
    (26, "zai"),
    (42, "mistral"),
    (43, "deepseek"),
    (48, "xai"),
];

/// Where a model is served: its channel's priority and weight, and `provider/model`.
struct Served {
    priority: i64,
    weight: u64,
    target: String,
}

/// Reads a list of channels: bare, or inside of the answer of the API.
pub(super) fn read(file: &str, types: Types) -> Result<Imported, Failure> {
    let value = parse::json(file).map_err(|error| Failure::input(error.to_string()))?;
    let data = value.get("data").unwrap_or(&value);
    let list = data.get("items").unwrap_or(data);
    let Value::Array(channels) = list else {
        return Err(Failure::input("the file holds no list of channels").hint(
            "save the answer of GET /api/channel/?p=0&page_size=1000 with an administrator's token",
        ));
    };
    let mut out = Imported::default();
    let mut served: BTreeMap<String, Vec<Served>> = BTreeMap::new();
    for (index, channel) in channels.iter().enumerate() {
        one(&mut out, &format!("channel {index}"), channel, types, &mut served)?;
    }
    for (name, places) in served {
        alias(&mut out, &name, places);
    }
    out.default_model = out.aliases.first().map(|(id, _)| id.clone());
    Ok(out)
}

fn one(
    out: &mut Imported,
    place: &str,
    channel: &Value,
    types: Types,
    served: &mut BTreeMap<String, Vec<Served>>,
) -> Result<(), Failure> {
    let name = text(channel.get("name")).unwrap_or_default();
    let path = if name.is_empty() { place.to_owned() } else { format!("{place} ({name})") };
    let number = channel.get("type").and_then(Value::as_u64).unwrap_or_default();
    let url = text(channel.get("base_url"));
    let Some((_, preset)) = types.iter().find(|(own, _)| *own == number) else {
        out.leave(path, format!("type {number} speaks no format of this router"));
        return Ok(());
    };
    let mut members = vendor(preset)?;
    members.insert("name".to_owned(), name.as_str().into());
    if let Some(url) = url {
        moved(preset, &mut members, &address(preset, &url));
        members.entry("format").or_insert_with(|| "openai".into());
    }
    if !members.contains_key("baseUrl") && !members.contains_key("baseUrlByFormat") {
        out.leave(path, "it has no base_url");
        return Ok(());
    }
    keys(&mut members, text(channel.get("key")).as_deref());
    let is_on = channel.get("status").and_then(Value::as_i64).unwrap_or(1) == 1;
    if !is_on {
        members.insert("enabled".to_owned(), false.into());
    }
    let mapping = mapping(out, &path, channel);
    let names = parse::list(&text(channel.get("models")).unwrap_or_default());
    let id = {
        members.insert("models".to_owned(), models(&names, &mapping));
        out.add(if name.is_empty() { preset } else { &name }, members)
    };
    let number = |key: &str| channel.get(key).and_then(Value::as_i64).unwrap_or_default();
    for name in names.iter().filter(|_| is_on) {
        let upstream = mapping.get(name).unwrap_or(name);
        served.entry(name.clone()).or_default().push(Served {
            priority: number("priority"),
            weight: u64::try_from(number("weight")).unwrap_or_default().max(1),
            target: format!("{id}/{upstream}"),
        });
    }
    for key in [
        "param_override",
        "header_override",
        "status_code_mapping",
        "system_prompt",
        "config",
        "other",
    ] {
        if text(channel.get(key)).is_some_and(|text| text != "{}") {
            out.leave(format!("{path}.{key}"), "there is no such setting");
        }
    }
    let group = text(channel.get("group")).filter(|group| group != "default");
    if let Some(group) = group {
        out.leave(
            format!("{path}.group"),
            format!("clients are not put into groups such as `{group}`"),
        );
    }
    Ok(())
}

/// The address as config takes it: these programs append `/v1` to it.
fn address(preset: &str, url: &str) -> String {
    let url = url.trim_end_matches('/');
    match preset {
        "azure" if !url.contains("/openai") => format!("{url}/openai/v1"),
        _ => url.to_owned(),
    }
}

fn keys(members: &mut Map<String, Value>, key: Option<&str>) {
    let keys: Vec<String> = key
        .iter()
        .flat_map(|key| key.lines())
        .map(|key| key.trim().to_owned())
        .filter(|key| !key.is_empty())
        .collect();
    match keys.as_slice() {
        [] => {
            members.insert("auth".to_owned(), "none".into());
        }
        [only] => {
            members.insert("apiKey".to_owned(), only.as_str().into());
        }
        _ => {
            members.insert("apiKeys".to_owned(), keys.into());
        }
    }
}

/// Names clients use and what the upstream is asked for instead.
fn mapping(out: &mut Imported, path: &str, channel: &Value) -> BTreeMap<String, String> {
    let Some(written) = channel.get("model_mapping") else { return BTreeMap::new() };
    let parsed = match written {
        Value::String(text) if text.trim().is_empty() => return BTreeMap::new(),
        Value::String(text) => parse::json(text).ok(),
        Value::Null => return BTreeMap::new(),
        other => Some(other.clone()),
    };
    let Some(Value::Object(pairs)) = parsed else {
        out.leave(format!("{path}.model_mapping"), "not a JSON object");
        return BTreeMap::new();
    };
    pairs.into_iter().filter_map(|(from, to)| Some((from, text(Some(&to))?))).collect()
}

fn models(names: &[String], mapping: &BTreeMap<String, String>) -> Value {
    let mut ids: Vec<&String> = Vec::new();
    for name in names {
        let upstream = mapping.get(name).unwrap_or(name);
        if !ids.contains(&upstream) {
            ids.push(upstream);
        }
    }
    ids.into_iter().map(|id| json!({ "id": id })).collect()
}

/// A name that clients use: the highest priority first, the others when none of those is left.
fn alias(out: &mut Imported, name: &str, places: Vec<Served>) {
    let top = places.iter().map(|each| each.priority).max().unwrap_or_default();
    let (first, mut rest): (Vec<_>, Vec<_>) =
        places.into_iter().partition(|each| each.priority == top);
    rest.sort_by_key(|each| std::cmp::Reverse(each.priority));
    let is_even = first.windows(2).all(|pair| matches!(pair, [a, b] if a.weight == b.weight));
    let target = |each: &Served| {
        if is_even {
            json!(each.target)
        } else {
            json!({ "ref": each.target, "weight": each.weight })
        }
    };
    let targets = first.iter().map(target).collect();
    let mut more = Map::new();
    more.insert("strategy".to_owned(), if is_even { "auto" } else { "weighted-rr" }.into());
    if !rest.is_empty() {
        more.insert(
            "fallbackTargets".to_owned(),
            rest.iter().map(|each| json!(each.target)).collect(),
        );
    }
    let path = format!("model {}", if slug(name).is_empty() { "?" } else { name });
    out.add_alias(&path, name, targets, more);
}
