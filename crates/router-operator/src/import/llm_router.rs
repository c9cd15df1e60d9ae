//! A config of this program, or of the older one.

use router_config::edit::Document;
use router_config::parse;
use serde_json::{Map, Value};

use super::Imported;
use crate::Failure;

/// Takes every section over as it is written.
pub(super) fn read(text: &str) -> Result<Imported, Failure> {
    let mut document = Document::parse(text)?;
    document.migrate()?;
    let Value::Object(mut members) =
        parse::json(document.text()).map_err(|error| Failure::input(error.to_string()))?
    else {
        return Err(Failure::input("the file is not a config"));
    };
    let mut out = Imported::default();
    let ids = document.provider_ids();
    let mut take = |spellings: [&str; 2]| {
        spellings.iter().filter_map(|key| members.remove(*key)).find(|value| !value.is_null())
    };
    let providers = match take(["providers", "provider"]) {
        Some(Value::Array(items)) => items,
        Some(single @ Value::Object(_)) => vec![single],
        _ => Vec::new(),
    };
    for (provider, id) in providers.into_iter().zip(ids) {
        if let Value::Object(mut members) = provider {
            members.insert("id".to_owned(), id.into());
            out.providers.push(members);
        }
    }
    if let Some(Value::Object(aliases)) = take(["modelAliases", "model-aliases"]) {
        for (id, alias) in aliases {
            if let Value::Object(alias) = alias {
                out.aliases.push((id, alias));
            }
        }
    }
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
    out.master_key = text(take(["masterKey", "master-key"])).filter(|key| !key.trim().is_empty());
    out.default_model =
        text(take(["defaultModel", "default-model"])).filter(|model| !model.trim().is_empty());
    take(["version", "$schema"]);
    sections(&mut out, members);
    Ok(out)
}

fn sections(out: &mut Imported, members: Map<String, Value>) {
    const SECTIONS: [&str; 7] =
        ["server", "routing", "translation", "state", "telemetry", "update", "metadata"];
    for (key, value) in members {
        match SECTIONS.iter().find(|section| **section == key) {
            Some(_) if value.as_object().is_some_and(Map::is_empty) => {}
            Some(section) => out.settings.push((vec![*section], value)),
            None if key == "$schema" || key == "version" => {}
            None => out.leave(key, "not a known section"),
        }
    }
}
