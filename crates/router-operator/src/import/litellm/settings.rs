//! `litellm_settings`, `router_settings` and `general_settings`.

use serde_json::{Map, Value, json};

use super::{Imported, secret, text};

/// The strategy that comes nearest to `routing_strategy`.
pub(super) fn strategy(out: &mut Imported, file: &Value) -> &'static str {
    let written = text(file.pointer("/router_settings/routing_strategy"));
    match written.as_deref() {
        None | Some("least-busy") => "auto",
        Some("simple-shuffle") => "weighted-rr",
        Some("usage-based-routing" | "usage-based-routing-v2") => "quota-aware-weighted-rr",
        Some("latency-based-routing") => "least-latency",
        Some("cost-based-routing") => "least-cost",
        Some(other) => {
            out.leave(
                "router_settings.routing_strategy",
                format!("`{other}` is not known; auto is used"),
            );
            "auto"
        }
    }
}

/// Reads what is left of the file once models are known.
pub(super) fn read(out: &mut Imported, file: &Value) {
    for (section, members) in file.as_object().into_iter().flatten() {
        match (section.as_str(), members) {
            ("model_list", _) => {}
            (
                "router_settings" | "litellm_settings" | "general_settings",
                Value::Object(members),
            ) => {
                for (key, value) in members {
                    setting(out, section, key, value);
                }
            }
            ("environment_variables", _) => {
                out.leave(section, "set them where the router is started");
            }
            _ => out.leave(section, "there is no such section"),
        }
    }
}

fn setting(out: &mut Imported, section: &str, key: &str, value: &Value) {
    let path = format!("{section}.{key}");
    match key {
        "fallbacks" => fallbacks(out, &path, value),
        "model_group_alias" => group_aliases(out, &path, value),
        "master_key" => out.master_key = text(Some(value)).map(|key| secret(&key)),
        "num_retries" => match value.as_u64() {
            Some(retries) => {
                let attempts = retries.saturating_add(1);
                set_once(out, path, vec!["routing", "retry", "attempts"], attempts.into());
            }
            None => out.leave(path, "not a number"),
        },
        "request_timeout" | "timeout" => match value.as_f64() {
            Some(seconds) if (0.0..1e9).contains(&seconds) => {
                let ms = std::time::Duration::from_secs_f64(seconds).as_millis();
                let ms = u64::try_from(ms).unwrap_or(u64::MAX);
                set_once(out, path, vec!["routing", "timeouts", "totalMs"], ms.into());
            }
            _ => out.leave(path, "not a number of seconds"),
        },
        "context_window_fallbacks" => {
            out.leave(
                path,
                "an alias goes on to its next target by itself where a conversation is too long",
            );
        }
        "routing_strategy" | "drop_params" | "set_verbose" | "modify_params" => {}
        _ => out.leave(path, "there is no such setting"),
    }
}

fn set_once(out: &mut Imported, path: String, keys: Vec<&'static str>, value: Value) {
    if out.settings.iter().any(|(own, _)| *own == keys) {
        out.leave(path, "it is given twice; the first one counts");
    } else {
        out.settings.push((keys, value));
    }
}

/// `[{ name: [other, …] }]`: second tiers of aliases.
fn fallbacks(out: &mut Imported, path: &str, value: &Value) {
    for (name, others) in
        value.as_array().into_iter().flatten().filter_map(Value::as_object).flatten()
    {
        let others: Vec<Value> = others.as_array().cloned().unwrap_or_default();
        let known = |other: &&Value| out.aliases.iter().any(|(id, _)| *other == id.as_str());
        let (there, missing): (Vec<&Value>, Vec<&Value>) = others.iter().partition(known);
        let there: Vec<Value> = there.into_iter().cloned().collect();
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        for other in missing {
            out.leave(format!("{path}.{name}"), format!("{other} is not a model of the list"));
        }
        let alias = out.aliases.iter_mut().find(|(id, _)| id == name);
        match alias {
            Some((_, members)) if !there.is_empty() => {
                members.insert("fallbackTargets".to_owned(), there.into());
            }
            Some(_) => {}
            None => out.leave(format!("{path}.{name}"), "it is not a model of the list"),
        }
    }
}

/// `{ name: other }`, or `{ name: { model: other } }`.
fn group_aliases(out: &mut Imported, path: &str, value: &Value) {
    for (name, to) in value.as_object().into_iter().flatten() {
        let to = text(to.get("model").or(Some(to))).unwrap_or_default();
        let path = format!("{path}.{name}");
        if out.aliases.iter().any(|(id, _)| *id == to) {
            let mut more = Map::new();
            more.insert("strategy".to_owned(), "ordered".into());
            out.add_alias(&path, name, vec![json!(to)], more);
        } else {
            out.leave(path, format!("`{to}` is not a model of the list"));
        }
    }
}
