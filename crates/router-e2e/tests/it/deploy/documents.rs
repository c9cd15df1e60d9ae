//! The commands of the documents, run as they stand there.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use router_e2e::cloudflare::{ZONE, ended, folder};
use router_e2e::{Cloudflare, Provider};

use super::{KEY, config};

/// Variables that a reader of the documents has.
const VARS: [(&str, &str); 3] = [
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

fn run_all(cloudflare: &Cloudflare, document: &str) -> Result<()> {
    let root = folder().join("../../..");
    let text = std::fs::read_to_string(root.join(document))?;
    let mut count = 0;
    for block in text.split("```sh\n").skip(1) {
        let script = block.split("```").next().unwrap_or_default();
        let script = script.replace("https://api.cloudflare.com/client/v4", cloudflare.api());
        let binary = router_e2e::router::binary()?;
        let folder = binary.parent().and_then(Path::to_str).context("no folder")?;
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
        shell.env("PATH", format!("{folder}:{path}")).envs(VARS).stdin(std::process::Stdio::null());
        shell.env("LLM_ROUTER_MODULE", root.join("crates/router-e2e/cloudflare/module"));
        shell.env("LLM_ROUTER_CHECK_URL", cloudflare.url());
        let ended = ended(&mut shell)?;
        ensure!(ended.code == Some(0), "{script}\n{}\n{}", ended.out, ended.err);
        count += 1;
    }
    ensure!(count > 3, "{document} has only {count} blocks of commands");
    Ok(())
}
