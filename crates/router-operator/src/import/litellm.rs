//! `config.yaml` of the `LiteLLM` proxy (<https://docs.litellm.ai/docs/proxy/configs>).

mod settings;

use serde_json::{Map, Value, json};

use super::{Imported, moved, per_minute, text, vendor};
use crate::Failure;

/// Prefixes of its models and the preset each stands for.
const PREFIXES: [(&str, &str); 24] = [
    ("openai", "openai"),
    ("text-completion-openai", "openai"),
    ("anthropic", "anthropic"),
    ("gemini", "gemini"),
    ("groq", "groq"),
    ("mistral", "mistral"),
    ("codestral", "mistral"),
    ("deepseek", "deepseek"),
    ("xai", "xai"),
    ("openrouter", "openrouter"),
    ("together_ai", "together"),
    ("fireworks_ai", "fireworks"),
    ("cerebras", "cerebras"),
    ("nvidia_nim", "nvidia"),
    ("azure", "azure"),
    ("azure_ai", "azure"),
    ("ollama", "ollama"),
    ("ollama_chat", "ollama"),
    ("hosted_vllm", "vllm"),
    ("vllm", "vllm"),
    ("lm_studio", "lm-studio"),
    ("llamafile", "llama-cpp"),
    ("moonshot", "moonshot"),
    ("zai", "zai"),
];

/// A deployment that became a model.
struct Deployed {
    target: String,
    weight: Option<Value>,
}

/// Reads models, fallbacks and keys.
pub(super) fn read(file: &str) -> Result<Imported, Failure> {
    let value: Value = serde_saphyr::from_str(file)
        .map_err(|error| Failure::input(format!("the file is not YAML: {error}")))?;
    let mut out = Imported::default();
    let Some(Value::Array(list)) = value.get("model_list") else {
        return Err(Failure::input("the file has no list `model_list`"));
    };
    let mut groups: Vec<(String, Vec<Deployed>)> = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let path = format!("model_list[{index}]");
        let name = text(entry.get("model_name")).unwrap_or_default();
        if let Some(deployed) = deployment(&mut out, &path, entry)? {
            match groups.iter_mut().find(|(own, _)| *own == name) {
                Some((_, deployments)) => deployments.push(deployed),
                None => groups.push((name, vec![deployed])),
            }
        }
    }
    let strategy = settings::strategy(&mut out, &value);
    for (name, deployments) in groups {
        alias(&mut out, &name, &deployments, strategy);
    }
    settings::read(&mut out, &value);
    out.default_model = out.aliases.first().map(|(id, _)| id.clone());
    Ok(out)
}

fn deployment(out: &mut Imported, path: &str, entry: &Value) -> Result<Option<Deployed>, Failure> {
    let none = Map::new();
    let params = entry.get("litellm_params").and_then(Value::as_object).unwrap_or(&none);
    let Some(written) = text(params.get("model")) else {
        out.leave(path, "it has no litellm_params.model");
        return Ok(None);
    };
    if written.contains('*') {
        out.leave(
            path,
            "models behind a wildcard have to be named; `llm-router provider models` lists them",
        );
        return Ok(None);
    }
    let Some((preset, model)) = known(&written, params) else {
        let prefix = written.split('/').next().unwrap_or_default();
        out.leave(path, format!("`{prefix}` speaks no format of this router"));
        return Ok(None);
    };
    let id = provider(out, path, preset, params)?;
    let Some(id) = id else { return Ok(None) };
    add_model(out, &id, model, entry, params);
    for key in params.keys() {
        const KNOWN: [&str; 9] = [
            "model",
            "api_key",
            "api_base",
            "base_url",
            "rpm",
            "tpm",
            "weight",
            "custom_llm_provider",
            "api_version",
        ];
        if !KNOWN.contains(&key.as_str()) {
            let why = match key.as_str() {
                "order" => "move the later targets of the alias into its fallbackTargets",
                _ => "requests are sent with what the client says",
            };
            out.leave(format!("{path}.litellm_params.{key}"), why);
        }
    }
    Ok(Some(Deployed { target: format!("{id}/{model}"), weight: params.get("weight").cloned() }))
}

/// The preset and the model's own name.
fn known<'a>(written: &'a str, params: &Map<String, Value>) -> Option<(&'static str, &'a str)> {
    let by_prefix =
        |prefix: &str| PREFIXES.iter().find(|(own, _)| *own == prefix).map(|(_, preset)| *preset);
    let custom = text(params.get("custom_llm_provider"));
    if let Some(preset) = custom.as_deref().and_then(by_prefix) {
        let own = written.split_once('/').filter(|(prefix, _)| Some(*prefix) == custom.as_deref());
        return Some((preset, own.map_or(written, |(_, model)| model)));
    }
    if let Some((prefix, model)) = written.split_once('/') {
        return by_prefix(prefix).map(|preset| (preset, model));
    }
    let families = [
        ("gpt", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4", "openai"),
        ("claude", "anthropic"),
        ("gemini", "gemini"),
    ];
    families
        .iter()
        .find(|(start, _)| written.starts_with(start))
        .map(|(_, preset)| (*preset, written))
}

/// The provider of a deployment: the one with the same address and key, or a new one.
fn provider(
    out: &mut Imported,
    path: &str,
    preset: &str,
    params: &Map<String, Value>,
) -> Result<Option<String>, Failure> {
    let mut members = vendor(preset)?;
    if let Some(base) = text(params.get("api_base").or_else(|| params.get("base_url"))) {
        let base = base.trim_end_matches('/');
        let base = match preset {
            "azure" if !base.contains("/openai") => format!("{base}/openai/v1"),
            _ => base.to_owned(),
        };
        moved(preset, &mut members, &base);
    }
    if !members.contains_key("baseUrl") && !members.contains_key("baseUrlByFormat") {
        out.leave(path, "it has no api_base");
        return Ok(None);
    }
    match text(params.get("api_key")) {
        Some(key) => {
            members.insert("apiKey".to_owned(), secret(&key).into());
            members
                .remove("auth")
                .filter(|auth| *auth != "none")
                .map(|auth| members.insert("auth".to_owned(), auth));
        }
        None if !members.contains_key("auth") || preset == "azure" => {
            let usual = crate::presets::find(preset)?.key_env;
            members.extend(usual.map(|env| ("apiKey".to_owned(), format!("env:{env}").into())));
        }
        None => {}
    }
    let same = |each: &&Map<String, Value>| {
        ["baseUrl", "baseUrlByFormat", "apiKey", "format"]
            .iter()
            .all(|key| each.get(*key) == members.get(*key))
    };
    if let Some(id) = out.providers.iter().find(same).and_then(|each| text(each.get("id"))) {
        return Ok(Some(id));
    }
    Ok(Some(out.add(preset, members)))
}

fn add_model(
    out: &mut Imported,
    id: &str,
    model: &str,
    entry: &Value,
    params: &Map<String, Value>,
) {
    let is_it = |each: &&mut Map<String, Value>| each.get("id").is_some_and(|own| own == id);
    let Some(provider) = out.providers.iter_mut().find(is_it) else { return };
    let info = entry.get("model_info");
    let fact = |key: &str| info.and_then(|info| info.get(key)).or_else(|| params.get(key));
    let mut members = Map::new();
    members.insert("id".to_owned(), model.into());
    if let Some(tokens) = fact("max_input_tokens").and_then(Value::as_u64) {
        members.insert("contextWindow".to_owned(), tokens.into());
    }
    let prices = [
        ("input", "input_cost_per_token"),
        ("output", "output_cost_per_token"),
        ("cacheRead", "cache_read_input_token_cost"),
    ];
    let cost: Map<String, Value> = prices
        .iter()
        .filter_map(|(ours, theirs)| {
            Some(((*ours).to_owned(), json!(fact(theirs)?.as_f64()? * 1e6)))
        })
        .collect();
    if !cost.is_empty() {
        members.insert("cost".to_owned(), cost.into());
    }
    let mut push = |key: &str, value: Value| {
        let list = provider.entry(key).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = list.as_array_mut()
            && list.iter().all(|each| each.get("id") != value.get("id"))
        {
            list.push(value);
        }
    };
    push("models", members.into());
    for (key, cap) in [("rpm", "requests"), ("tpm", "tokens")] {
        if let Some(count) = params.get(key).or_else(|| entry.get(key)).and_then(Value::as_u64) {
            push("rateLimits", per_minute(model, cap, count));
        }
    }
}

fn alias(out: &mut Imported, name: &str, deployments: &[Deployed], strategy: &str) {
    let path = format!("model_name {name}");
    let mut targets: Vec<Value> = Vec::new();
    for each in deployments {
        let target = match &each.weight {
            Some(weight) => json!({ "ref": each.target, "weight": weight }),
            None => json!(each.target),
        };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    let mut more = Map::new();
    more.insert("strategy".to_owned(), strategy.into());
    out.add_alias(&path, name, targets, more);
}

/// `os.environ/NAME` as `env:NAME`.
fn secret(written: &str) -> String {
    match written.strip_prefix("os.environ/") {
        Some(name) => format!("env:{name}"),
        None => written.to_owned(),
    }
}
