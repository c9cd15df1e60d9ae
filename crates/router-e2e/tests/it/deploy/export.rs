//! Files for Wrangler, and Wrangler deploying them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use router_e2e::cloudflare::{ACCOUNT, TOKEN, ended, folder};
use serde_json::Value;

use super::{KEY, WORKERS_DEV, cloudflare, done, failed};

#[test]
fn an_exported_project_is_deployed_by_wrangler() -> Result<()> {
    let cloudflare = cloudflare()?;
    let flags = [WORKERS_DEV, "--export-only", "--out", "project/"];
    done(&cloudflare.deploy(&flags)?)?;
    private_secrets(cloudflare.home(), &[KEY, "sk-provider-credential"])?;
    let project = cloudflare.home().join("project");
    let mut wrangler = Command::new("node");
    wrangler
        .arg(folder().join("node_modules/wrangler/bin/wrangler.js"))
        .args(["deploy", "--secrets-file", "secrets.json"])
        .current_dir(&project)
        .env("HOME", cloudflare.home())
        .env("CLOUDFLARE_API_BASE_URL", cloudflare.api())
        .env("CLOUDFLARE_API_TOKEN", TOKEN)
        .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CI", "true")
        .env("NO_UPDATE_NOTIFIER", "1");
    let by_wrangler = ended(&mut wrangler)?;
    let calls = cloudflare.calls()?.join("\n");
    done(&by_wrangler).with_context(|| calls)?;
    ensure!(cloudflare.models(KEY)?.status == 200, "{}", cloudflare.models(KEY)?.text());
    let script = &cloudflare.state()?["scripts"][0];
    ensure!(script["migrationTag"] == "v1" && script["subdomain"]["previews_enabled"] == false);
    // And this program takes over what Wrangler deployed.
    done(&cloudflare.deploy(&[WORKERS_DEV])?)?;
    ensure!(cloudflare.models(KEY)?.status == 200);
    Ok(())
}

#[test]
fn exported_secrets_are_for_their_owner_alone_even_over_an_open_file() -> Result<()> {
    let cloudflare = cloudflare()?;
    let file = cloudflare.home().join(".llm-router.worker.json");
    std::fs::write(&file, "{}")?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
    let exported = cloudflare.deploy(&["--export-only=true"])?;
    done(&exported)?;
    ensure!(exported.out.contains("wrangler secret bulk"), "{}", exported.out);
    let secrets: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
    ensure!(secrets["LLM_ROUTER_SECRET_MASTER_KEY"] == KEY, "{secrets:#}");
    let config: Value = serde_json::from_str(secrets["LLM_ROUTER_CONFIG_JSON"].as_str().unwrap())?;
    ensure!(config["masterKey"] == "env:LLM_ROUTER_SECRET_MASTER_KEY", "{config:#}");
    private_secrets(cloudflare.home(), &[KEY, "sk-provider-credential"])?;
    done(&cloudflare.deploy(&["--dry-run", WORKERS_DEV, "--output", "again.json"])?)?;
    private_secrets(cloudflare.home(), &[KEY, "sk-provider-credential"])?;
    ensure!(cloudflare.calls()?.is_empty());
    std::fs::create_dir(cloudflare.home().join("p"))?;
    std::fs::write(cloudflare.home().join("p/wrangler.toml"), "name = \"mine\"\n")?;
    let over = cloudflare.deploy(&["--export-only", WORKERS_DEV, "--out", "p/"])?;
    failed(&over, 2, "wrangler.toml exists")
}

/// Fails if a file below `folder` holds a secret and somebody else can read it. The config itself
/// is the operator's.
fn private_secrets(folder: &Path, secrets: &[&str]) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            private_secrets(&path, secrets)?;
            continue;
        }
        let text = std::fs::read(&path)?;
        let text = String::from_utf8_lossy(&text);
        let is_config = path.ends_with(".llm-router.json");
        if !is_config && secrets.iter().any(|secret| text.contains(secret)) {
            let mode = path.metadata()?.permissions().mode() & 0o777;
            ensure!(mode == 0o600, "{} has mode {mode:o}", path.display());
        }
    }
    Ok(())
}
