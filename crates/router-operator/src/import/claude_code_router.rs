//! `config.json` of claude-code-router (<https://github.com/musistudio/claude-code-router>).

use router_config::{parse, slug};
use serde_json::{Map, Value, json};

use super::{Imported, text};
use crate::Failure;

/// Scenarios of its router, and the alias each becomes.
const SCENARIOS: [(&str, &str); 5] = [
    ("background", "background"),
    ("think", "think"),
    ("longContext", "long-context"),
    ("webSearch", "web-search"),
    ("image", "image"),
];

/// Reads providers and scenarios.
pub(super) fn read(file: &str) -> Result<Imported, Failure> {
    let value = parse::json(file).map_err(|error| Failure::input(error.to_string()))?;
    let mut out = Imported::default();
    let providers = value.get("Providers").or_else(|| value.get("providers"));
    let Some(Value::Array(providers)) = providers else {
        return Err(Failure::input("the file has no list `Providers`"));
    };
    for (index, entry) in providers.iter().enumerate() {
        provider(&mut out, &format!("Providers[{index}]"), entry);
    }
    let router = value.get("Router").and_then(Value::as_object).cloned().unwrap_or_default();
    scenarios(&mut out, &router);
    for (key, each) in value.as_object().into_iter().flatten() {
        other(&mut out, key, each);
    }
    Ok(out)
}

fn provider(out: &mut Imported, path: &str, entry: &Value) {
    let name = text(entry.get("name")).unwrap_or_default();
    let Some(url) = text(entry.get("api_base_url")) else {
        out.leave(path, "it has no api_base_url");
        return;
    };
    let mut members = Map::new();
    let format = if url.contains("generativelanguage") && !url.contains("/openai") {
        "gemini"
    } else if url.ends_with("/messages") || url.contains("anthropic") {
        "claude"
    } else if url.ends_with("/responses") {
        "responses"
    } else {
        "openai"
    };
    // A list of models is not an operation: its own tool appends the model and the operation.
    let base = url.trim_end_matches('/').trim_end_matches("/models");
    let mut put = |key: &str, value: Value| members.insert(key.to_owned(), value);
    put("name", name.as_str().into());
    put("baseUrl", base.into());
    put("format", format.into());
    match text(entry.get("api_key")) {
        Some(key) => put("apiKey", secret(&key).into()),
        None => put("auth", "none".into()),
    };
    let models = entry.get("models").and_then(Value::as_array).cloned().unwrap_or_default();
    put(
        "models",
        models.iter().filter_map(|id| text(Some(id))).map(|id| json!({ "id": id })).collect(),
    );
    out.add(&name, members);
    if let Some(transformer) = entry.get("transformer") {
        transformers(out, path, transformer);
    }
}

/// Those that only adapt a format are not needed; those that change requests are told.
fn transformers(out: &mut Imported, path: &str, transformer: &Value) {
    const BUILT_IN: [&str; 9] = [
        "openrouter",
        "deepseek",
        "gemini",
        "Anthropic",
        "groq",
        "cerebras",
        "openai",
        "reasoning",
        "cleancache",
    ];
    for (key, value) in transformer.as_object().into_iter().flatten() {
        let uses = if key == "use" { Some(value) } else { value.get("use") };
        for each in uses.and_then(Value::as_array).into_iter().flatten() {
            let name = each.as_str().or_else(|| each.get(0)?.as_str()).unwrap_or_default();
            if BUILT_IN.contains(&name) && each.is_string() {
                continue;
            }
            let place = if key == "use" { "use".to_owned() } else { format!("{key}.use") };
            out.leave(
                format!("{path}.transformer.{place}: {name}"),
                "formats are translated without it; what else it changes is not",
            );
        }
    }
}

fn scenarios(out: &mut Imported, router: &Map<String, Value>) {
    let default = router.get("default").and_then(|it| target(out, it));
    out.default_model.clone_from(&default);
    for (key, alias) in SCENARIOS {
        let Some(written) = router.get(key) else { continue };
        let path = format!("Router.{key}");
        let Some(model) = target(out, written) else {
            if text(Some(written)).is_some() {
                out.leave(path, "it names a model that no provider has");
            }
            continue;
        };
        let mut more = Map::new();
        more.insert("strategy".to_owned(), "ordered".into());
        if let Some(default) = default.as_ref().filter(|default| **default != model) {
            more.insert("fallbackTargets".to_owned(), json!([default]));
        }
        out.add_alias(&path, alias, vec![model.into()], more);
    }
    let known = |key: &str| key == "default" || SCENARIOS.iter().any(|(own, _)| *own == key);
    for key in router.keys().filter(|key| !known(key)) {
        out.leave(
            format!("Router.{key}"),
            "requests are not told apart by it; choose the alias in the client",
        );
    }
}

/// `provider,model` as `provider/model`, if there is such a model.
fn target(out: &Imported, written: &Value) -> Option<String> {
    let text = text(Some(written))?;
    let (provider, model) = text.split_once(',')?;
    let (provider, model) = (slug(provider), model.trim());
    let known = out
        .providers
        .iter()
        .find(|each| each.get("id").is_some_and(|id| *id == provider.as_str()))?;
    let models = known.get("models")?.as_array()?;
    models
        .iter()
        .any(|each| each.get("id").is_some_and(|id| id == model))
        .then(|| format!("{provider}/{model}"))
}

fn other(out: &mut Imported, key: &str, value: &Value) {
    let Some(written) = text(Some(value)) else { return };
    match key {
        "Providers" | "providers" | "Router" | "LOG" | "NON_INTERACTIVE_MODE" => {}
        "APIKEY" => out.master_key = Some(secret(&written)),
        "HOST" => out.settings.push((vec!["server", "host"], written.into())),
        "PORT" => match written.parse::<u16>() {
            Ok(port) => out.settings.push((vec!["server", "port"], port.into())),
            Err(_) => out.leave(key, "not a port"),
        },
        "API_TIMEOUT_MS" => match written.parse::<u64>() {
            Ok(ms) => out.settings.push((vec!["routing", "timeouts", "totalMs"], ms.into())),
            Err(_) => out.leave(key, "not a number"),
        },
        "LOG_LEVEL" => out.settings.push((vec!["telemetry", "logLevel"], written.into())),
        "PROXY_URL" => out.leave(key, "set HTTPS_PROXY where the router is started"),
        "CUSTOM_ROUTER_PATH" => {
            out.leave(key, "JavaScript cannot be taken over; see routing.md for aliases");
        }
        _ => out.leave(key, "there is no such setting"),
    }
}

/// `$NAME` and `${NAME}` as `env:NAME`.
fn secret(written: &str) -> String {
    match written.strip_prefix('$') {
        Some(name) => format!("env:{}", name.trim_start_matches('{').trim_end_matches('}')),
        None => written.to_owned(),
    }
}
