//! Which settings each tool reads, and from where.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::formats::{Format, Settings};
use super::{Places, Plan, Scope, Tool, ToolError, Wanted, files};

/// What the router is called among a tool's providers.
const PROVIDER: &str = "llm-router";
/// Tokens that a tool may assume to fit into a request, where it wants a number and none is known.
const CONTEXT_TOKENS: u64 = 128_000;

pub(super) fn plan(
    tool: Tool,
    wanted: &Wanted,
    places: &Places,
    scope: Scope,
) -> Result<Plan, ToolError> {
    let mut plan = Plan::default();
    let name = files::record_name(tool, places, scope);
    let mut edit = |path: PathBuf, format, change: &dyn Fn(&mut Settings) -> Result<(), String>| {
        let edit = files::edit(places, &name, path, format, change)?;
        plan.edits.push(edit);
        Ok::<(), ToolError>(())
    };
    match tool {
        Tool::ClaudeCode => {
            edit(claude_code_file(places, scope), Format::Json, &|file| claude_code(file, wanted))?;
        }
        Tool::Codex => {
            user_only(tool, scope)?;
            let path = places.folder("CODEX_HOME", ".codex").join("config.toml");
            edit(path, Format::Toml, &|file| codex(file, wanted))?;
        }
        Tool::OpenCode => {
            edit(opencode_file(places, scope), Format::Json, &|file| opencode(file, wanted))?;
        }
        Tool::Aider => {
            let folder = if scope == Scope::User { &places.home } else { &places.project };
            edit(folder.join(".aider.conf.yml"), Format::Yaml, &|file| aider(file, wanted))?;
        }
        Tool::GeminiCli => {
            let folder = if scope == Scope::User { &places.home } else { &places.project };
            let folder = folder.join(".gemini");
            edit(folder.join(".env"), Format::Env, &|file| gemini_env(file, wanted))?;
            edit(folder.join("settings.json"), Format::Json, &|file| {
                file.set(&["security", "auth", "selectedType"], &json!("gemini-api-key"))
            })?;
        }
        Tool::Continue => {
            user_only(tool, scope)?;
            let path = places.home.join(".continue").join("config.yaml");
            edit(path, Format::Yaml, &|file| continue_dev(file, wanted))?;
        }
        Tool::Zed => {
            edit(zed_file(places, scope), Format::Json, &|file| zed(file, wanted))?;
        }
        Tool::Factory => {
            user_only(tool, scope)?;
            let path = places.home.join(".factory").join("settings.json");
            edit(path, Format::Json, &|file| factory(file, wanted))?;
        }
        Tool::Cline | Tool::Cursor => {}
    }
    plan.steps = steps(tool, wanted);
    let holds_key = !matches!(tool, Tool::Zed | Tool::Cline | Tool::Cursor);
    if scope == Scope::Project && holds_key && !plan.edits.is_empty() {
        let note = "the file holds the router's key: keep it out of version control";
        plan.notes.push(note.to_owned());
    }
    if tool == Tool::GeminiCli {
        let note =
            "Gemini CLI reads its .env in folders that you trust only; it asks in each new one";
        plan.notes.push(note.to_owned());
    }
    Ok(plan)
}

fn user_only(tool: Tool, scope: Scope) -> Result<(), ToolError> {
    if scope == Scope::Project { Err(ToolError::NoProject(tool.title())) } else { Ok(()) }
}

fn claude_code_file(places: &Places, scope: Scope) -> PathBuf {
    match scope {
        Scope::User => places.folder("CLAUDE_CONFIG_DIR", ".claude").join("settings.json"),
        // Not under version control, unlike `settings.json` beside it.
        Scope::Project => places.project.join(".claude").join("settings.local.json"),
    }
}

fn claude_code(file: &mut Settings, wanted: &Wanted) -> Result<(), String> {
    let models = &wanted.models;
    let main = Some(models.main.clone());
    let small = models.haiku.clone().or_else(|| models.small.clone());
    for (name, value) in [
        ("ANTHROPIC_BASE_URL", Some(wanted.base.clone())),
        ("ANTHROPIC_AUTH_TOKEN", Some(wanted.key.expose().to_owned())),
        // It would be sent besides, and asked about at every start.
        ("ANTHROPIC_API_KEY", None),
        ("ANTHROPIC_MODEL", main.clone()),
        ("ANTHROPIC_DEFAULT_OPUS_MODEL", models.opus.clone().or_else(|| main.clone())),
        ("ANTHROPIC_DEFAULT_SONNET_MODEL", models.sonnet.clone().or_else(|| main.clone())),
        ("ANTHROPIC_DEFAULT_HAIKU_MODEL", small.or_else(|| main.clone())),
        ("CLAUDE_CODE_SUBAGENT_MODEL", models.subagent.clone()),
    ] {
        match value {
            Some(value) => file.set(&["env", name], &json!(value))?,
            None => file.remove(&["env", name])?,
        }
    }
    // A model chosen there outweighs the variables.
    file.remove(&["model"])
}

fn codex(file: &mut Settings, wanted: &Wanted) -> Result<(), String> {
    let provider = |key| ["model_providers", PROVIDER, key];
    file.set(&["model"], &json!(wanted.models.main))?;
    file.set(&["model_provider"], &json!(PROVIDER))?;
    file.set(&provider("name"), &json!(PROVIDER))?;
    file.set(&provider("base_url"), &json!(wanted.openai()))?;
    file.set(&provider("wire_api"), &json!("responses"))?;
    file.set(&provider("experimental_bearer_token"), &json!(wanted.key.expose()))
}

fn opencode_file(places: &Places, scope: Scope) -> PathBuf {
    let folder = match scope {
        Scope::User => places.folder("XDG_CONFIG_HOME", ".config").join("opencode"),
        Scope::Project => places.project.clone(),
    };
    let with_comments = folder.join("opencode.jsonc");
    if with_comments.exists() { with_comments } else { folder.join("opencode.json") }
}

fn opencode(file: &mut Settings, wanted: &Wanted) -> Result<(), String> {
    let offered = wanted.models.offered.iter().chain([&wanted.models.main]);
    let models = offered.map(|name| (name.clone(), json!({ "name": name })));
    let models: serde_json::Map<String, Value> = models.collect();
    if file.get(&["$schema"]).is_none() {
        file.set(&["$schema"], &json!("https://opencode.ai/config.json"))?;
    }
    let provider = json!({
        "npm": "@ai-sdk/openai-compatible",
        "name": PROVIDER,
        "options": { "baseURL": wanted.openai(), "apiKey": wanted.key.expose() },
        "models": models,
    });
    file.set(&["provider", PROVIDER], &provider)?;
    file.set(&["model"], &json!(format!("{PROVIDER}/{}", wanted.models.main)))?;
    file.set(&["small_model"], &json!(format!("{PROVIDER}/{}", wanted.small())))
}

fn aider(file: &mut Settings, wanted: &Wanted) -> Result<(), String> {
    // The prefix is how its library knows which API to speak.
    file.set(&["model"], &json!(format!("openai/{}", wanted.models.main)))?;
    file.set(&["weak-model"], &json!(format!("openai/{}", wanted.small())))?;
    file.set(&["openai-api-base"], &json!(wanted.openai()))?;
    file.set(&["openai-api-key"], &json!(wanted.key.expose()))
}

fn gemini_env(file: &mut Settings, wanted: &Wanted) -> Result<(), String> {
    file.set(&["GOOGLE_GEMINI_BASE_URL"], &json!(wanted.base))?;
    file.set(&["GEMINI_API_KEY"], &json!(wanted.key.expose()))?;
    file.set(&["GEMINI_MODEL"], &json!(wanted.models.main))
}

fn continue_dev(file: &mut Settings, wanted: &Wanted) -> Result<(), String> {
    if file.get(&["name"]).is_none() {
        file.set(&["name"], &json!("Local Config"))?;
        file.set(&["version"], &json!("1.0.0"))?;
        file.set(&["schema"], &json!("v1"))?;
    }
    let model = json!({
        "name": PROVIDER,
        "provider": "openai",
        "model": wanted.models.main,
        "apiBase": wanted.openai(),
        "apiKey": wanted.key.expose(),
    });
    file.put("models", "name", &model)
}

fn zed_file(places: &Places, scope: Scope) -> PathBuf {
    match scope {
        Scope::User => places.folder("XDG_CONFIG_HOME", ".config").join("zed/settings.json"),
        Scope::Project => places.project.join(".zed").join("settings.json"),
    }
}

fn zed(file: &mut Settings, wanted: &Wanted) -> Result<(), String> {
    let offered = wanted.models.offered.iter().filter(|name| **name != wanted.models.main);
    let all = [&wanted.models.main].into_iter().chain(offered);
    let models: Vec<_> = all
        .map(|name| json!({ "name": name, "display_name": name, "max_tokens": CONTEXT_TOKENS }))
        .collect();
    let provider = json!({ "api_url": wanted.openai(), "available_models": models });
    file.set(&["language_models", "openai_compatible", PROVIDER], &provider)?;
    let model = json!({ "provider": PROVIDER, "model": wanted.models.main });
    file.set(&["agent", "default_model"], &model)
}

fn factory(file: &mut Settings, wanted: &Wanted) -> Result<(), String> {
    let model = json!({
        "id": format!("custom:{PROVIDER}"),
        "model": wanted.models.main,
        "displayName": PROVIDER,
        "baseUrl": wanted.openai(),
        "apiKey": wanted.key.expose(),
        "provider": "generic-chat-completion-api",
    });
    file.put("customModels", "displayName", &model)
}

/// What is left to a person. Keys are named, not shown: the text ends up in a terminal.
fn steps(tool: Tool, wanted: &Wanted) -> Vec<String> {
    let (base, model) = (wanted.openai(), &wanted.models.main);
    let key =
        "the router's key (`llm-router key show --show-secret`), or any text if it asks for none";
    match tool {
        Tool::Cursor => vec![
            format!(
                "Cursor calls models from its own servers: {base} must be reachable from the \
                     internet over https, with a master key set"
            ),
            "open Cursor Settings > Models > API Keys".to_owned(),
            format!("OpenAI API Key: {key}"),
            format!("turn on Override OpenAI Base URL: {base}"),
            format!("add the model `{model}`, turn the others off, and press Verify"),
        ],
        Tool::Cline => vec![
            "open Cline's settings (the gear in its panel), API Configuration".to_owned(),
            "API Provider: OpenAI Compatible".to_owned(),
            format!("Base URL: {base}"),
            format!("API Key: {key}"),
            format!("Model ID: {model}"),
        ],
        Tool::Zed => vec![format!(
            "give Zed the key: `agent: open settings` > LLM Providers > {PROVIDER}, or start Zed \
             with LLM_ROUTER_API_KEY set to {key}"
        )],
        Tool::Factory => vec![format!("in Droid, choose `{PROVIDER}` with /model")],
        _ => Vec::new(),
    }
}
