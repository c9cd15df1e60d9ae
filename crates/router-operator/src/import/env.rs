//! Variables in a file, one a line, such as the `.env` of an `OpenRouter` client.

use serde_json::{Map, Value, json};

use super::Imported;
use crate::operate::provider_and_model;
use crate::{Failure, presets};

/// Reads `NAME=value` lines; `export`, quotes and comments are understood.
pub(super) fn read(text: &str) -> Result<Imported, Failure> {
    let variables: Vec<(usize, &str, String)> =
        (1..).zip(text.lines()).filter_map(|(number, line)| variable(number, line)).collect();
    let value_of = |name: &str| {
        variables.iter().rev().find(|(_, own, _)| *own == name).map(|(_, _, value)| value.clone())
    };
    let mut out = Imported::default();
    let mut used: Vec<String> = Vec::new();
    for preset in presets::all()? {
        let Some(env) = &preset.key_env else { continue };
        let Some(key) = value_of(env).filter(|key| !key.is_empty()) else { continue };
        let prefix = env.strip_suffix("_API_KEY").unwrap_or(env);
        let (base, model) = (format!("{prefix}_BASE_URL"), format!("{prefix}_MODEL"));
        used.extend([env.clone(), base.clone(), model.clone()]);
        let mut members: Map<String, Value> = preset.provider(false)?;
        members.insert("apiKey".to_owned(), key.into());
        if let Some(url) = value_of(&base) {
            members.insert("baseUrl".to_owned(), url.into());
            members.remove("baseUrlByFormat");
        }
        if let Some(model) = value_of(&model) {
            add_model(&mut members, &model);
            out.default_model.get_or_insert_with(|| format!("{}/{model}", preset.id));
        }
        if !members.contains_key("baseUrl") && !members.contains_key("baseUrlByFormat") {
            out.leave(
                env.as_str(),
                format!("every account of {} has its own address; set {base}", preset.name),
            );
            continue;
        }
        out.add(&preset.id, members);
    }
    for (number, name, _) in &variables {
        if !used.iter().any(|each| each == name) {
            out.leave(
                format!("line {number}: {name}"),
                "not the key, address or model of a known provider",
            );
        }
    }
    if out.providers.is_empty() {
        return Err(Failure::input("the file holds no key of a known provider")
            .hint("it needs a line such as OPENROUTER_API_KEY=sk-or-…"));
    }
    if out.default_model.is_none() {
        out.default_model = first_model(&out);
    }
    Ok(out)
}

fn first_model(imported: &Imported) -> Option<String> {
    let provider = imported.providers.first()?;
    let model = provider.get("models")?.get(0)?.get("id")?.as_str()?;
    let name = format!("{}/{model}", provider.get("id")?.as_str()?);
    provider_and_model(&name).ok()?;
    Some(name)
}

fn add_model(members: &mut Map<String, Value>, model: &str) {
    let models = members.entry("models").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(list) = models.as_array_mut()
        && list.iter().all(|each| each.get("id").is_none_or(|id| id != model))
    {
        list.insert(0, json!({ "id": model }));
    }
}

fn variable(number: usize, line: &str) -> Option<(usize, &str, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    if line.starts_with('#') {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    let value = value.trim();
    let quoted = ['"', '\''].iter().find_map(|quote| {
        let inner = value.strip_prefix(*quote)?;
        inner.split_once(*quote).map(|(inner, _)| inner)
    });
    // Outside of quotes a comment ends the value.
    let value = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or_default().trim());
    Some((number, name.trim(), value.to_owned()))
}
