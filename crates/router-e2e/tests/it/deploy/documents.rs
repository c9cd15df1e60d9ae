//! The commands of the documents, run as they stand there.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use router_e2e::cloudflare::{RULES_TOKEN, ZONE, ended, folder};
use router_e2e::{Cloudflare, Provider, Router, http};
use serde_json::Value;

use super::{KEY, config};

/// Variables that a reader of the documents has.
const VARS: [(&str, &str); 4] = [
    ("CLOUDFLARE_RULES_TOKEN", RULES_TOKEN),
    ("ZONE_ID", ZONE),
    ("CF_ACCESS_CLIENT_ID", "id.access"),
    ("CF_ACCESS_CLIENT_SECRET", "access-secret"),
];

#[test]
fn every_command_of_security_md_works() -> Result<()> {
    let provider = Provider::start()?;
    let cloudflare = Cloudflare::start()?;
    cloudflare.write_config(&config(&provider)?)?;
    run_all(&cloudflare, "SECURITY.md")?;
    ensure!(cloudflare.state()?["scripts"] == serde_json::json!([]), "its last one deletes");
    ensure!(cloudflare.models(KEY)?.status == 404);
    Ok(())
}

#[test]
fn every_command_of_the_guide_works() -> Result<()> {
    let provider = Provider::start()?;
    let cloudflare = Cloudflare::start()?;
    cloudflare.write_config(&config(&provider)?)?;
    run_all(&cloudflare, "docs/deploy.md")
}

/// A rule that shuts out the router's own clients would be found out in use only.
#[test]
fn the_firewall_rule_of_security_md_lets_every_endpoint_through() -> Result<()> {
    let provider = Provider::start()?;
    let router = Router::start(&provider.config(&[])?)?;
    let told = http::get(router.address(), "/")?.json()?;
    let text = document("SECURITY.md")?;
    let rule = text.lines().find(|line| line.contains("not (http.request.method in"));
    let rule = rule.context("no rule")?.replace('\\', "");
    let after = |start: &'static str| {
        let parts = rule.split(start).skip(1);
        parts.map(|part| part.split('"').next().unwrap_or_default().to_owned())
    };
    let begins: Vec<String> = after("starts_with(http.request.uri.path, \"").collect();
    let lists = rule.split("http.request.uri.path in {").nth(1).context("no list")?;
    let whole: Vec<&str> = lists.split('"').skip(1).step_by(2).take(2).collect();
    let of_readme = ["/gemini/v1beta/models", "/openai/v1/models", "/anthropic/v1/messages"];
    let endpoints = told["endpoints"].as_object().context("no endpoints")?.values();
    let endpoints = endpoints.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let mut count = 0;
    // The root only says what the service is, or takes what `/route` takes.
    for path in endpoints.chain(of_readme).filter(|path| *path != "/") {
        let passes = begins.iter().any(|begin| path.starts_with(begin)) || whole.contains(&path);
        ensure!(passes, "{path} is blocked by {rule}");
        count += 1;
    }
    ensure!(count > 12 && begins.len() == 5, "{count} {begins:?} {whole:?}");
    for path in ["/admin/status", "/.env", "/metrics"] {
        ensure!(!begins.iter().any(|begin| path.starts_with(begin)), "{path} is let through");
    }
    Ok(())
}

#[test]
fn a_command_that_no_test_would_run_is_found() -> Result<()> {
    for bad in ["```bash\nrm x\n```", "```\nllm-router x\n```", "    ```sh\n", "~~~sh\nx\n~~~"] {
        ensure!(blocks(&format!("text\n\n{bad}\n")).is_err(), "{bad}");
    }
    let good = blocks("a\n```sh\nllm-router validate\n```\nb\n```json\n{}\n```\n")?;
    ensure!(good == [("sh", "llm-router validate\n".to_owned()), ("json", "{}\n".to_owned())]);
    ensure!(in_prose("run `llm-router deploy\nstatus` or `x`") == ["llm-router deploy status"]);
    Ok(())
}

fn document(name: &str) -> Result<String> {
    Ok(std::fs::read_to_string(folder().join("../../..").join(name))?)
}

/// The fenced blocks of a document with their languages. Only those are allowed that are tested:
/// commands and JSON.
fn blocks(text: &str) -> Result<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let is_fence = ["```", "~~~"].iter().any(|fence| line.trim_start().starts_with(fence));
        let language = match line {
            "```sh" => "sh",
            "```json" => "json",
            _ if is_fence => anyhow::bail!("`{line}` begins a block that no test looks at"),
            _ => continue,
        };
        let body = lines.by_ref().take_while(|line| *line != "```");
        found.push((language, body.fold(String::new(), |text, line| text + line + "\n")));
    }
    Ok(found)
}

/// Commands that stand in the text itself.
fn in_prose(text: &str) -> Vec<String> {
    let outside = text.split("```").step_by(2);
    let code = outside.flat_map(|part| part.split('`').skip(1).step_by(2));
    let code = code.map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "));
    code.filter(|code| code.starts_with("llm-router ")).collect()
}

fn run_all(cloudflare: &Cloudflare, name: &str) -> Result<()> {
    let text = document(name)?;
    let mut count = 0;
    for (language, block) in blocks(&text)? {
        if language == "json" {
            serde_json::from_str::<Value>(&block).with_context(|| block.clone())?;
            continue;
        }
        run(cloudflare, &block)?;
        count += 1;
    }
    // Those of the prose have to be commands that there are, with flags that they have.
    for command in in_prose(&text) {
        run(cloudflare, &format!("{command} --help"))?;
    }
    ensure!(count > 3, "{name} has only {count} blocks of commands");
    Ok(())
}

/// Runs a script as a shell of the reader's would.
fn run(cloudflare: &Cloudflare, script: &str) -> Result<()> {
    let script = script.replace("https://api.cloudflare.com/client/v4", cloudflare.api());
    let binary = router_e2e::router::binary()?;
    let programs = binary.parent().and_then(Path::to_str).context("no folder")?;
    // The same environment as a command of llm-router, but the command is a shell.
    let model = cloudflare.command(&[])?;
    let mut shell = std::process::Command::new("sh");
    shell.arg("-euc").arg(&script).current_dir(cloudflare.home());
    for (name, value) in model.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let path = std::env::var("PATH").unwrap_or_default();
    shell.env("PATH", format!("{programs}:{path}")).envs(VARS).stdin(std::process::Stdio::null());
    shell.env("LLM_ROUTER_MODULE", folder().join("module"));
    shell.env("LLM_ROUTER_CHECK_URL", cloudflare.url());
    let ended = ended(&mut shell)?;
    ensure!(ended.code == Some(0), "{script}\n{}\n{}", ended.out, ended.err);
    Ok(())
}
