//! The guide for agents that operate the router by its commands (`ai-help`).
//!
//! Headings and `name=value` lines are those of the older program: agents look for them.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::tools::Tool;

/// Choices of models shown at most.
const PREVIEW_MAX: usize = 12;

/// What the guide is about.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// The config file, `~` for the home directory.
    pub config_path: String,
    /// Enabled providers.
    pub providers: Vec<String>,
    /// Providers without a model.
    pub empty_providers: Vec<String>,
    /// Models as `provider/model`.
    pub models: Vec<String>,
    /// Aliases and their strategies.
    pub aliases: Vec<(String, String)>,
    /// How many buckets there are.
    pub buckets: usize,
    /// The default model.
    pub default_model: Option<String>,
    /// Whether there is a master key.
    pub has_key: bool,
    /// The router that runs with this config.
    pub running: Option<Running>,
    /// Where it runs, or will.
    pub base: String,
    /// How long a live check may take, in milliseconds.
    pub patience_ms: u64,
    /// What the live checks found; absent if there were none.
    pub checks: Option<Checks>,
}

/// A running router.
#[derive(Clone, Debug)]
pub struct Running {
    /// Whether clients must present a key.
    pub requires_auth: bool,
    /// Its config file.
    pub config_path: String,
}

/// What came of a request to the router.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Check {
    /// It answered with this status, and the beginning of this text.
    Answered(u16, String),
    /// It did not answer.
    Error(String),
}

/// The live checks.
#[derive(Clone, Debug)]
pub struct Checks {
    /// `GET /health`.
    pub health: Check,
    /// `GET /openai/v1/models`.
    pub openai_models: Check,
    /// `GET /anthropic/v1/models`.
    pub claude_models: Check,
    /// `POST /openai/v1/responses`.
    pub responses: Check,
}

impl Check {
    const fn is_ok(&self) -> bool {
        matches!(self, Self::Answered(200, _))
    }

    fn line(&self) -> String {
        match self {
            Self::Answered(200, said) => format!("pass (status=200; {said})"),
            Self::Answered(status, said) => format!("fail (status={status}; {said})"),
            Self::Error(why) => format!("error ({why})"),
        }
    }
}

/// Whether a tool may be pointed at the router now.
fn gate(check: Option<&Check>) -> &'static str {
    match check {
        None => "pending-live-test",
        Some(check) if check.is_ok() => "ready",
        Some(Check::Answered(401 | 403, _)) => "blocked-auth",
        Some(_) => "blocked",
    }
}

fn codex_gate(check: Option<&Check>) -> &'static str {
    match check {
        Some(Check::Answered(404, said)) if !said.contains("model") => {
            "blocked-responses-endpoint-missing"
        }
        other => gate(other),
    }
}

/// The gates by name.
pub fn gates(situation: &Situation) -> [(&'static str, &'static str); 3] {
    let checks = situation.checks.as_ref();
    [
        ("patch_gate_claude_code", gate(checks.map(|it| &it.claude_models))),
        ("patch_gate_opencode", gate(checks.map(|it| &it.openai_models))),
        ("patch_gate_codex_cli", codex_gate(checks.map(|it| &it.responses))),
    ]
}

/// The guide as text.
pub fn text(situation: &Situation) -> String {
    let mut out = String::from(HEAD);
    state(&mut out, situation);
    decision(&mut out, situation);
    live(&mut out, situation);
    commands(&mut out, situation);
    out.push_str(WORKFLOWS);
    playbook(&mut out);
    out.push_str("## NEXT SUGGESTIONS\n");
    for suggestion in suggestions(situation) {
        let _ = writeln!(out, "- {suggestion}");
    }
    out.push_str(UPDATE_RULE);
    out
}

/// The guide for programs.
pub fn to_json(situation: &Situation) -> Value {
    let gates = gates(situation).into_iter().map(|(name, state)| (name.to_owned(), json!(state)));
    json!({
        "guide": text(situation),
        "config": situation.config_path,
        "providers": situation.providers,
        "models": situation.models,
        "aliases": situation.aliases.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "default_model": situation.default_model,
        "master_key_configured": situation.has_key,
        "running": situation.running.is_some(),
        "url": situation.base,
        "gates": gates.collect::<serde_json::Map<_, _>>(),
        "suggestions": suggestions(situation),
    })
}

const HEAD: &str = "\
# AI-HELP
ENTITY: llm-router
MODE: cli-automation
PROFILE: agent-guide-v2
## INTRO
Use this text to operate llm-router by its commands. Read CURRENT STATE, ask the user what
MODEL/GROUP DECISION INPUT says, pass PRE-PATCH API GATE, then patch. Every command takes --json (one
document on standard output), --yes and --no-input; exit codes are 0 done, 1 failed, 2 bad input,
3 the config has errors, 4 cannot reach.
## WHAT AGENT CAN DO
- Add and change providers, models, aliases and buckets.
- Start, stop, reload and inspect the router.
- Point coding tools at it, and take that back.
- Explain where a request would go, and why.
## DISCOVERY COMMANDS
- llm-router --help
- llm-router config --help
- llm-router provider --help
- llm-router start --help
- llm-router setup --help
- llm-router deploy --help
";

const WORKFLOWS: &str = "\
## CONFIG WORKFLOWS
1. Add a provider (the key is read from standard input or the environment, never typed into a command):
   llm-router provider add --preset groq --api-key env:GROQ_API_KEY --skip-probe
2. Add an alias with a fallback:
   llm-router alias add chat.default --strategy auto --targets groq/llama-3.3-70b-versatile
3. Cap the use of a provider:
   llm-router limit add groq daily --requests 1000 --window 1d --bucket-models all
4. Choose the default model and set a master key:
   llm-router default set chat.default
   llm-router key generate
5. Review and check:
   llm-router list
   llm-router validate
   llm-router explain --model chat.default
6. Run it:
   llm-router start --background
   llm-router status
   llm-router reload
   llm-router stop
7. Take the last edit back:
   llm-router config undo
";

const UPDATE_RULE: &str = "\
## UPDATE RULE
A running router applies changes of its config by itself; a bad config never replaces a good one. Run this command again
after changes, and patch a tool only when its gate is ready.
";

fn state(out: &mut String, situation: &Situation) {
    let Situation { config_path, providers, models, aliases, .. } = situation;
    let strategies = aliases.iter().map(|(name, strategy)| format!("{name}:{strategy}"));
    let strategies = or_none(&strategies.collect::<Vec<_>>().join(","));
    let default = situation.default_model.as_deref().unwrap_or("none");
    let _ = write!(
        out,
        "## CURRENT STATE\nconfig_path={config_path}\nproviders={}\nmodels={}\nmodel_aliases={}\n\
         alias_strategies={strategies}\nrate_limit_buckets={}\ndefault_model={default}\n\
         master_key_configured={}\nlocal_server_running={}\n",
        providers.len(),
        models.len(),
        aliases.len(),
        situation.buckets,
        situation.has_key,
        situation.running.is_some(),
    );
    if let Some(running) = &situation.running {
        let _ = write!(
            out,
            "local_server_endpoint={}\nlocal_server_require_auth={}\nlocal_server_config_path={}\n",
            situation.base, running.requires_auth, running.config_path
        );
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

fn decision(out: &mut String, situation: &Situation) {
    let groups: Vec<_> = situation.aliases.iter().map(|(name, _)| name.as_str()).collect();
    let models: Vec<_> = situation.models.iter().map(String::as_str).collect();
    let options: Vec<_> = groups.iter().chain(&models).take(PREVIEW_MAX).copied().collect();
    let _ = write!(
        out,
        "## MODEL/GROUP DECISION INPUT\n\
         Ask the user: which tool (claude-code, codex-cli, opencode), and which model or alias.\n\
         available_alias_groups={}\navailable_direct_models={}\ndecision_options_preview={}\n\
         Prefer an alias, and keep its id: what stands behind it can change without touching a tool.\n",
        or_none(&groups.join(",")),
        or_none(&models.join(",")),
        or_none(&options.join(",")),
    );
}

fn live(out: &mut String, situation: &Situation) {
    let mode = if situation.checks.is_some() { "executed" } else { "not-run" };
    let _ = write!(
        out,
        "## PRE-PATCH API GATE\nlive_test_mode={mode}\nlive_test_timeout_ms={}\n\
         gateway_base_url={}\n",
        situation.patience_ms, situation.base
    );
    let checks = situation.checks.as_ref();
    for (name, check) in [
        ("health_probe", checks.map(|it| &it.health)),
        ("openai_models_probe", checks.map(|it| &it.openai_models)),
        ("claude_models_probe", checks.map(|it| &it.claude_models)),
        ("responses_probe", checks.map(|it| &it.responses)),
    ] {
        let line = check.map_or_else(|| "not-run".to_owned(), Check::line);
        let _ = writeln!(out, "{name}={line}");
    }
    for (name, gate) in gates(situation) {
        let _ = writeln!(out, "{name}={gate}");
    }
    out.push_str("Rule: patch no tool before its gate is ready.\n");
}

fn commands(out: &mut String, situation: &Situation) {
    let base = &situation.base;
    let auth = situation.running.as_ref().is_some_and(|running| running.requires_auth);
    let auth = if auth { " -H \"Authorization: Bearer $LLM_ROUTER_KEY\"" } else { "" };
    let model = situation.default_model.clone();
    let model = model.or_else(|| situation.models.first().cloned()).unwrap_or_default();
    let model = if model.is_empty() { "chat.default" } else { &model };
    out.push_str("## LIVE TEST COMMANDS\n");
    if !auth.is_empty() {
        out.push_str("Set LLM_ROUTER_KEY to the master key first (`llm-router key show --show-secret` prints it).\n");
    }
    let _ = write!(
        out,
        "curl -sS {base}/health{auth}\ncurl -sS {base}/openai/v1/models{auth}\n\
         curl -sS {base}/anthropic/v1/models{auth}\ncurl -sS {base}/openai/v1/responses{auth} \
         -H 'Content-Type: application/json' -d '{{\"model\":\"{model}\",\"input\":\"ping\"}}'\n"
    );
}

fn playbook(out: &mut String) {
    out.push_str(
        "## CODING TOOL PATCH PLAYBOOK\n\
         setup patches the settings of the tool, keeps what was there, and asks the router whether it\n\
         answers. --dry-run shows the difference, --undo takes it back, --project patches the project only.\n",
    );
    for (tool, files) in [
        (Tool::ClaudeCode, "~/.claude/settings.json; with --project .claude/settings.local.json"),
        (Tool::Codex, "~/.codex/config.toml"),
        (Tool::OpenCode, "~/.config/opencode/opencode.json; with --project ./opencode.json"),
    ] {
        let name = tool.name();
        let _ = write!(
            out,
            "- {} ({files})\n   llm-router setup {name} --model chat.default --dry-run\n   \
             llm-router setup {name} --model chat.default\n   llm-router setup {name} --undo\n",
            tool.title()
        );
    }
    let others = Tool::ALL.iter().skip(3).map(|tool| tool.name()).collect::<Vec<_>>().join(", ");
    let _ = writeln!(out, "- also: {others}");
}

fn suggestions(situation: &Situation) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut suggest = |applies: bool, text: String| {
        if applies {
            all.push(text);
        }
    };
    suggest(situation.providers.is_empty(), "no provider: see CONFIG WORKFLOWS 1".to_owned());
    let empty = &situation.empty_providers;
    suggest(!empty.is_empty(), format!("providers without models: {}", empty.join(", ")));
    let no_alias = situation.aliases.is_empty() && !situation.models.is_empty();
    suggest(no_alias, "models but no alias: see CONFIG WORKFLOWS 2".to_owned());
    for (name, strategy) in situation.aliases.iter().filter(|(_, it)| it != "auto") {
        let hint = "`auto` also looks at limits and health";
        suggest(true, format!("alias {name} has the strategy {strategy}; {hint}"));
    }
    let limits = situation.buckets == 0 && !situation.providers.is_empty();
    suggest(limits, "no bucket: see CONFIG WORKFLOWS 3".to_owned());
    suggest(!situation.has_key, "no master key: `llm-router key generate`".to_owned());
    match (&situation.running, &situation.checks) {
        (None, _) => {
            let auth = if situation.has_key { " --require-auth" } else { "" };
            suggest(true, format!("no router is running: `llm-router start --background{auth}`"));
        }
        (Some(_), None) => suggest(true, "the live test was skipped: run this again".to_owned()),
        (Some(_), Some(_)) => {}
    }
    for (name, gate) in gates(situation) {
        let is_blocked = gate.starts_with("blocked");
        suggest(
            is_blocked,
            format!("{name} is {gate}: see the probes above, and `llm-router logs`"),
        );
    }
    if all.is_empty() {
        all.push("nothing is missing: review the routing with `llm-router explain`".to_owned());
    }
    all
}

#[cfg(test)]
mod tests;
