//! Real coding tools, set up by `llm-router setup` and then put to work: the best judges there are.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use router_e2e::{Provider, Router, router};
use serde_json::{Value, json};

use crate::processes::{asked, run};

/// How long a tool may take for one task.
const TASK_MAX: Duration = Duration::from_mins(2);
/// What the demo provider says in every answer after a tool was used.
const ANSWERED: &str = "That settles your request";

/// What stands behind the router, besides what the tool speaks itself.
const UPSTREAMS: [&[&str]; 2] = [&["openai", "responses", "anthropic", "gemini"], &["openai"]];

fn config(provider: &Provider, formats: &[&str]) -> Result<Value> {
    let mut config = provider.config(&[])?;
    config["masterKey"] = json!("clients-secret");
    config["server"] = json!({ "requireAuth": true });
    let bases = config["providers"][0]["baseUrlByFormat"].take();
    let kept = bases.as_object().context("no addresses")?.iter();
    let kept = kept.filter(|(format, _)| formats.contains(&format.as_str()));
    config["providers"][0]["baseUrlByFormat"] = kept.map(|(k, v)| (k.clone(), v.clone())).collect();
    config["providers"][0]["formats"] = json!(formats);
    Ok(config)
}

/// Runs a tool in `project` with nothing of the developer's own settings in its way.
fn work(home: &Path, project: &Path, tool: &str, arguments: &[&str]) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let bin = if tool == "aider" { ".venv/bin" } else { "node_modules/.bin" };
    let mut command = Command::new(folder.join(bin).join(tool));
    command.args(arguments).current_dir(project).env_clear();
    for name in ["PATH", "LANG", "TMPDIR"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.env("HOME", home).env("NO_COLOR", "1").env("CI", "1");
    // Nothing leaves this machine, and nothing is updated.
    command.env("DISABLE_AUTOUPDATER", "1").env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    command.env("OPENCODE_DISABLE_AUTOUPDATE", "1").env("OPENCODE_DISABLE_LSP_DOWNLOAD", "1");
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
    // What a person does in each new folder; without it Gemini CLI does not read its `.env`.
    command.env("GEMINI_CLI_TRUST_WORKSPACE", "true");
    let (out, err) = (home.join(format!("{tool}.out")), home.join(format!("{tool}.err")));
    command.stdin(Stdio::null());
    command.stdout(std::fs::File::create(&out)?).stderr(std::fs::File::create(&err)?);
    let mut child = command.spawn().with_context(|| format!("{tool} is not installed"))?;
    let deadline = Instant::now() + TASK_MAX;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if deadline < Instant::now() {
            child.kill()?;
            child.wait()?;
            bail!("{tool} takes too long: {}", std::fs::read_to_string(err)?);
        }
        thread::sleep(Duration::from_millis(20));
    };
    let (out, err) = (std::fs::read_to_string(out)?, std::fs::read_to_string(err)?);
    ensure!(status.success(), "{tool}: {status}\n{out}\n{err}");
    Ok(format!("{out}\n{err}"))
}

/// Sets `tool` up against each kind of upstream, gives it a task, whose output has to hold
/// `answer`, and takes the settings back.
fn judge(
    tool: &str,
    settings: &[&str],
    answer: &str,
    task: &dyn Fn(&Path, &Path) -> Result<String>,
) -> Result<()> {
    for formats in UPSTREAMS {
        let provider = Provider::start()?;
        let router = Router::start(&config(&provider, formats)?)?;
        let (home, project) = (router.home(), tempfile::tempdir()?);
        let config = router.config_path().display().to_string();
        let set_up = ["setup", tool, "--model", "demo", "--config", &config];
        let done = asked(home, &set_up)?;
        assert_eq!(done["check"]["fine"], true, "{done}");
        assert_eq!(done["written"], true, "{done}");
        let paths: Vec<_> = settings.iter().map(|file| home.join(file)).collect();
        ensure!(paths.iter().all(|path| path.exists()), "{paths:?}: {done}");
        let said = task(home, project.path())?;
        ensure!(said.contains(answer), "{formats:?}: `{answer}` is not in:\n{said}");
        let undone = asked(home, &["setup", tool, "--undo"])?;
        assert_eq!(undone["removed"], json!(paths), "{undone}");
        assert!(!paths.iter().any(|path| path.exists()));
    }
    Ok(())
}

#[test]
fn claude_code_works_with_its_tools() -> Result<()> {
    judge("claude-code", &[".claude/settings.json"], ANSWERED, &|home, project| {
        let task = ["-p", "Use the Read tool", "--allowedTools", "Read", "--output-format", "json"];
        let said = work(home, project, "claude", &task)?;
        let line = said.lines().find(|line| line.starts_with('{')).context("no JSON")?;
        let result: Value = serde_json::from_str(line)?;
        assert_eq!(result["subtype"], "success", "{result}");
        assert!(result["num_turns"].as_u64() >= Some(2), "{result}");
        Ok(result["result"].as_str().unwrap_or_default().to_owned())
    })
}

#[test]
fn codex_works_with_its_tools() -> Result<()> {
    judge("codex", &[".codex/config.toml"], ANSWERED, &|home, project| {
        let task = ["exec", "--skip-git-repo-check", "Use the exec_command tool"];
        work(home, project, "codex", &task)
    })
}

#[test]
fn opencode_works_with_its_tools() -> Result<()> {
    judge("opencode", &[".config/opencode/opencode.json"], ANSWERED, &|home, project| {
        work(home, project, "opencode", &["run", "Use the glob tool"])
    })
}

#[test]
fn gemini_cli_works_with_its_tools() -> Result<()> {
    let settings = [".gemini/.env", ".gemini/settings.json"];
    judge("gemini-cli", &settings, ANSWERED, &|home, project| {
        work(home, project, "gemini", &["--yolo", "-p", "Use the list_directory tool"])
    })
}

/// Aider has no tools: it edits what the model writes.
#[test]
fn aider_works() -> Result<()> {
    judge("aider", &[".aider.conf.yml"], "the demo model answering", &|home, project| {
        let quiet = ["--no-check-update", "--analytics-disable", "--no-show-model-warnings"];
        let task = ["--message", "Say hello", "--yes-always", "--no-git"];
        work(home, project, "aider", &[&task[..], &quiet].concat())
    })
}

#[test]
fn a_project_is_set_up_apart_from_the_user() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&config(&provider, UPSTREAMS[0])?)?;
    let (home, project) = (router.home(), tempfile::tempdir()?);
    let in_project = |arguments: &[&str]| -> Result<Output> {
        let mut command = router::command(home)?;
        command.args(arguments).arg("--config").arg(router.config_path());
        Ok(command.current_dir(project.path()).output()?)
    };
    let before =
        in_project(&["setup", "claude-code", "--project", "--dry-run", "--model", "demo"])?;
    let diff = String::from_utf8_lossy(&before.stdout).into_owned();
    assert!(diff.contains("+    \"ANTHROPIC_MODEL\": \"demo\""), "{diff}");
    assert!(!diff.contains("clients-secret"), "{diff}");
    assert!(!project.path().join(".claude").exists(), "a dry run writes nothing");
    let done = in_project(&["setup", "claude-code", "--project", "--model", "demo"])?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let task = ["-p", "Say hello", "--output-format", "json"];
    let said = work(home, project.path(), "claude", &task)?;
    assert!(said.contains("the demo model"), "{said}");
    let undone = in_project(&["setup", "claude-code", "--project", "--undo"])?;
    ensure!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    assert!(!project.path().join(".claude/settings.local.json").exists());
    Ok(())
}

#[test]
fn a_check_that_fails_is_told_and_bad_names_are_refused() -> Result<()> {
    let provider = Provider::start()?;
    let mut config = config(&provider, UPSTREAMS[0])?;
    config["defaultModel"] = json!("demo/demo-auth");
    let router = Router::start(&config)?;
    let path = router.config_path().display().to_string();
    let failed = run(router.home(), &["setup", "opencode", "--config", &path])?;
    let said = String::from_utf8_lossy(&failed.stdout).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("POST /v1/chat/completions does not answer"), "{said}");
    let nobody = ["setup", "opencode", "--config", &path, "--url", "http://127.0.0.1:9"];
    assert_eq!(run(router.home(), &nobody)?.status.code(), Some(4));
    let misspelt = ["setup", "codex", "--config", &path, "--model", "demo-fallbak"];
    let refused = run(router.home(), &misspelt)?;
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("did you mean `demo-fallback`?"), "{said}");
    let cursor = asked(router.home(), &["setup", "cursor", "--config", &path, "--no-check"])?;
    assert_eq!(cursor["written"], false);
    assert!(cursor["steps"].as_array().is_some_and(|steps| steps.len() > 3), "{cursor}");
    Ok(())
}

/// The lines of the guide that are commands.
fn recipes(guide: &str) -> Vec<&str> {
    let lines = guide.lines().map(str::trim);
    lines.filter(|line| line.starts_with("llm-router ") || line.starts_with("curl ")).collect()
}

#[test]
fn every_recipe_of_the_agents_guide_works() -> Result<()> {
    let provider = Provider::start()?;
    let home = tempfile::tempdir()?;
    let (home, path) = (home.path(), home.path().join(".llm-router.json"));
    let guide = |home: &Path| -> Result<Value> { asked(home, &["ai-help"]) };
    let text = |guide: &Value| guide["guide"].as_str().unwrap_or_default().to_owned();
    let first = text(&guide(home)?);
    assert!(first.contains("providers=0") && first.contains("no provider"), "{first}");
    // The recipes name a provider of the wide world; its place is taken by the demo here.
    let mut config = config(&provider, UPSTREAMS[0])?;
    config["server"] = json!({ "port": 0 });
    let entry = config["providers"][0].as_object_mut().context("no provider")?;
    entry.insert("id".to_owned(), json!("groq"));
    entry.insert("models".to_owned(), json!(["llama-3.3-70b-versatile", "demo-chat"]));
    config["defaultModel"] = json!("groq/demo-chat");
    config["modelAliases"] = json!({});
    let by_hand = config.to_string();
    for line in recipes(&first) {
        let Some(words) = line.strip_prefix("llm-router ") else { continue };
        let words: Vec<&str> = words.split(' ').collect();
        let mut command = router::command(home)?;
        // With a key in the environment, the provider of the wide world would be asked.
        let ran = command.args(&words).env_remove("GROQ_API_KEY").output()?;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        ensure!(ran.status.success(), "{line}: {said}\n{}", String::from_utf8_lossy(&ran.stdout));
        if words.starts_with(&["provider", "add"]) {
            assert!(path.exists());
            std::fs::write(&path, &by_hand)?;
        }
    }
    // The demo does not know the model of the recipe.
    let text_now = std::fs::read_to_string(&path)?;
    std::fs::write(&path, text_now.replace("groq/llama-3.3-70b-versatile", "groq/demo-chat"))?;
    // The live checks are true: against a router that runs, and by the guide's own curl lines.
    let started = run(home, &["start", "--background"])?;
    ensure!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let live = guide(home);
    let live_text = live.as_ref().map(text);
    let curls = live_text.as_deref().map(recipes).unwrap_or_default();
    let curled: Vec<_> = curls
        .iter()
        .filter(|line| line.starts_with("curl "))
        .map(|line| {
            let line = format!("{line} --fail --output /dev/null");
            Command::new("sh").arg("-c").arg(line).env("LLM_ROUTER_KEY", key_of(&path)).output()
        })
        .collect();
    asked(home, &["stop"])?;
    let live = live?;
    for gate in ["patch_gate_claude_code", "patch_gate_opencode", "patch_gate_codex_cli"] {
        assert_eq!(live["gates"][gate], "ready", "{live}");
    }
    assert_eq!(curled.len(), 4);
    for output in curled {
        let output = output?;
        ensure!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn key_of(config: &Path) -> String {
    let text = std::fs::read_to_string(config).unwrap_or_default();
    let config: Value = serde_json::from_str(&text).unwrap_or_default();
    config["masterKey"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_wrong_key_blocks_the_gates() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&config(&provider, UPSTREAMS[0])?)?;
    let path = router.config_path().display().to_string();
    let wrong = ["ai-help", "--config", &path, "--gateway-auth-token", "wrong"];
    let guide = asked(router.home(), &wrong)?;
    assert_eq!(guide["gates"]["patch_gate_codex_cli"], "blocked-auth", "{guide}");
    let skipped = asked(router.home(), &["ai-help", "--config", &path, "--skip-live-test=true"])?;
    assert_eq!(skipped["gates"]["patch_gate_opencode"], "pending-live-test");
    Ok(())
}
