//! Looking after a deployed Worker.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Result, ensure};
use serde_json::json;

use super::up::no_secret;
use super::{KEY, WORKERS_DEV, cloudflare, document, done, failed, offline_config};

#[test]
fn status_and_diff_say_what_is_deployed_and_what_is_not() -> Result<()> {
    let cloudflare = cloudflare()?;
    failed(&cloudflare.run(&["deploy", "status"])?, 1, "")?;
    done(&cloudflare.deploy(&[WORKERS_DEV, "--no-check"])?)?;
    let status = cloudflare.run(&["deploy", "status", "--json"])?;
    done(&status)?;
    let told = document(&status)?;
    ensure!(told["urls"] == json!(["https://llm-router-route.example.workers.dev"]), "{told:#}");
    ensure!(told["ownKey"] == false && told["migration"] == "v1" && told["previews"] == false);
    no_secret(&status, &[KEY, "sk-provider-credential"])?;
    let module = router_e2e::cloudflare::folder().join("module");
    let diff = ["deploy", "diff", "--json", "--module", module.to_str().unwrap()];
    done(&cloudflare.run(&diff)?)?;
    let mut config = offline_config();
    config["providers"][0]["apiKey"] = json!("sk-another-credential");
    config["modelAliases"] = json!({ "fast": { "targets": ["openai/gpt-5"] } });
    cloudflare.write_config(&config)?;
    let changed = cloudflare.run(&diff)?;
    ensure!(changed.code == Some(1), "{}", changed.err);
    let told = document(&changed)?;
    ensure!(told["changed"] == json!(["providers.openai"]), "{told:#}");
    ensure!(told["added"] == json!(["modelAliases.fast"]), "{told:#}");
    Ok(())
}

#[test]
fn what_an_earlier_deploy_left_behind_is_told() -> Result<()> {
    let cloudflare = cloudflare()?;
    let addresses = ["--route-pattern=llm.example.com/*", "--custom-domain=own.example.com"];
    done(&cloudflare.deploy(&[&addresses[..], &["--no-check"]].concat())?)?;
    let status = || document(&cloudflare.run(&["deploy", "status", "--json"])?);
    ensure!(status()?["leftOver"] == json!([]), "{:#}", status()?);
    let second = cloudflare.deploy(&[WORKERS_DEV, "--no-check", "--json"])?;
    done(&second)?;
    let left = ["route llm.example.com/*", "domain own.example.com"];
    let warnings = document(&second)?["plan"]["warnings"].to_string();
    ensure!(left.iter().all(|what| warnings.contains(what)), "{warnings}");
    ensure!(status()?["leftOver"] == json!(left), "{:#}", status()?);
    ensure!(status()?["urls"].as_array().map(Vec::len) == Some(3), "{:#}", status()?);
    let module = router_e2e::cloudflare::folder().join("module");
    let diff = ["deploy", "diff", "--json", "--module", module.to_str().unwrap()];
    let differs = cloudflare.run(&diff)?;
    ensure!(differs.code == Some(1) && document(&differs)?["removed"] == json!(left));
    done(&cloudflare.deploy(&[&addresses[..], &[WORKERS_DEV, "--no-check"]].concat())?)?;
    ensure!(status()?["leftOver"] == json!([]), "{:#}", status()?);
    Ok(())
}

#[test]
fn a_roll_back_brings_the_earlier_version_into_force() -> Result<()> {
    let cloudflare = cloudflare()?;
    done(&cloudflare.deploy(&[WORKERS_DEV, "--no-check"])?)?;
    let mut config = offline_config();
    config["providers"][0]["models"] = json!(["gpt-5", "gpt-5-mini"]);
    cloudflare.write_config(&config)?;
    done(&cloudflare.deploy(&[WORKERS_DEV, "--no-check"])?)?;
    ensure!(cloudflare.models(KEY)?.text().contains("gpt-5-mini"));
    let refused = cloudflare.run(&["deploy", "rollback"])?;
    failed(&refused, 1, "secrets have changed since that version")?;
    let back = cloudflare.run(&["deploy", "rollback", "--force", "--json"])?;
    done(&back)?;
    ensure!(document(&back)?["forced"] == true);
    ensure!(!cloudflare.models(KEY)?.text().contains("gpt-5-mini"));
    failed(&cloudflare.run(&["deploy", "rollback", "no-such-version"])?, 1, "version not found")
}

#[test]
fn a_config_in_kv_goes_back_with_its_version() -> Result<()> {
    let cloudflare = cloudflare()?;
    let kv = [WORKERS_DEV, "--no-check", "--config-store=kv"];
    done(&cloudflare.deploy(&kv)?)?;
    let mut config = offline_config();
    config["providers"][0]["models"] = json!(["gpt-5", "gpt-5-mini"]);
    cloudflare.write_config(&config)?;
    done(&cloudflare.deploy(&kv)?)?;
    ensure!(cloudflare.models(KEY)?.text().contains("gpt-5-mini"));
    // No secret has changed, so nothing has to be forced.
    done(&cloudflare.run(&["deploy", "rollback"])?)?;
    let models = cloudflare.models(KEY)?;
    ensure!(models.status == 200 && !models.text().contains("gpt-5-mini"), "{}", models.text());
    Ok(())
}

#[test]
fn a_deletion_leaves_nothing_and_needs_a_yes() -> Result<()> {
    let cloudflare = cloudflare()?;
    let flags = ["--custom-domain=own.example.com", "--route-pattern=llm.example.com/*"];
    let kv = ["--config-store=kv", "--no-check"];
    done(&cloudflare.deploy(&[flags, kv].concat())?)?;
    failed(&cloudflare.run(&["deploy", "delete"])?, 2, "needs --yes")?;
    let dry = cloudflare.run(&["deploy", "delete", "--dry-run", "--json"])?;
    done(&dry)?;
    ensure!(document(&dry)?["removed"].as_array().map(Vec::len) == Some(4), "{}", dry.out);
    ensure!(cloudflare.state()?["scripts"].as_array().map(Vec::len) == Some(1));
    done(&cloudflare.run(&["deploy", "delete", "--yes"])?)?;
    let empty = json!({ "scripts": [], "routes": [], "domains": [], "namespaces": [], "tails": 0 });
    ensure!(cloudflare.state()? == empty, "{:#}", cloudflare.state()?);
    let again = cloudflare.run(&["deploy", "delete", "--yes"])?;
    done(&again)?;
    ensure!(again.out.contains("there is no Worker"), "{}", again.out);
    Ok(())
}

#[test]
fn logs_arrive_as_requests_do_and_the_tail_is_taken_down() -> Result<()> {
    let cloudflare = cloudflare()?;
    done(&cloudflare.deploy(&[WORKERS_DEV, "--no-check"])?)?;
    let mut command = cloudflare.command(&["deploy", "logs", "--limit", "2"])?;
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    ensure!(told.next().unwrap()?.starts_with("listening to llm-router-route"));
    ensure!(cloudflare.models(KEY)?.status == 200);
    ensure!(cloudflare.models("not-the-key-of-anybody")?.status == 401);
    let output = child.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{text}");
    for expect in ["GET /v1/models 200", "GET /v1/models 401"] {
        ensure!(text.contains(expect), "{expect} is not in {text}");
    }
    ensure!(!text.contains(KEY) && !text.contains("not-the-key"), "{text}");
    ensure!(cloudflare.state()?["tails"] == 0);
    Ok(())
}
