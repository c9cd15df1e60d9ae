//! The way up: what is sent, what is not, and what answers afterwards.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Result, ensure};
use router_e2e::cloudflare::{ACCOUNT, TOKEN};
use router_e2e::router::Ended;
use router_e2e::{Cloudflare, Provider, sdk};
use serde_json::{Value, json};

use super::{KEY, WORKERS_DEV, cloudflare, config, document, done, failed, offline_config};

#[test]
fn a_deploy_ends_in_a_worker_that_answers_the_sdks() -> Result<()> {
    let provider = Provider::start()?;
    let cloudflare = Cloudflare::start()?;
    let mut config = config(&provider)?;
    config["providers"][0]["apiKey"] = json!("env:DEMO_KEY");
    cloudflare.write_config(&config)?;
    let module = router_e2e::cloudflare::folder().join("module");
    let mut command =
        cloudflare.command(&["deploy", WORKERS_DEV, "--json", "--check-wait", "10"])?;
    command.arg("--module").arg(module).arg("--check-url").arg(cloudflare.url());
    command.env("DEMO_KEY", router_e2e::provider::KEY);
    let ended = router_e2e::cloudflare::ended(&mut command)?;
    done(&ended)?;
    let told = document(&ended)?;
    let outcomes: Vec<&Value> =
        told["checks"].as_array().into_iter().flatten().map(|check| &check["outcome"]).collect();
    ensure!(outcomes == ["passed", "passed", "passed"], "{told:#}");
    ensure!(told["url"] == "https://llm-router-route.example.workers.dev", "{told:#}");
    sdk::output("deployed.py", &cloudflare.url(), &[KEY, "demo/demo-chat"])?;
    no_secret(&ended, &[KEY, router_e2e::provider::KEY, TOKEN])?;
    let bindings = cloudflare.state()?["scripts"][0]["bindings"].clone();
    for name in ["DEMO_KEY", "LLM_ROUTER_CONFIG_JSON_1", "LLM_ROUTER_SECRET_MASTER_KEY"] {
        let expect = json!({ "type": "secret_text", "name": name });
        let all = bindings.as_array().into_iter().flatten();
        ensure!(all.clone().any(|each| *each == expect), "{name}: {bindings:#}");
    }
    Ok(())
}

/// The Worker itself, with its Durable Objects: what it counts outlives a deploy.
#[test]
fn the_built_worker_is_deployed_answers_the_sdks_and_keeps_its_counts() -> Result<()> {
    let provider = Provider::start()?;
    let cloudflare = Cloudflare::start()?;
    let mut config = config(&provider)?;
    config["providers"][0]["apiKey"] = json!("env:DEMO_KEY");
    // One for the check, four for the SDKs, and one after the second deploy.
    config["providers"][0]["rateLimits"] =
        json!([{ "id": "month", "models": "all", "requests": 6, "window": { "unit": "month" } }]);
    cloudflare.write_config(&config)?;
    let deploy = |more: &[&str]| -> Result<Ended> {
        let mut command =
            cloudflare.command(&["deploy", WORKERS_DEV, "--json", "--check-wait", "10"])?;
        command.args(more).env("DEMO_KEY", router_e2e::provider::KEY);
        command.arg("--module").arg(router_e2e::edge::module()?);
        command.arg("--check-url").arg(cloudflare.url());
        router_e2e::cloudflare::ended(&mut command)
    };
    let first = deploy(&[])?;
    done(&first)?;
    ensure!(first.out.contains("PROVIDERS"), "{}", first.out);
    sdk::output("deployed.py", &cloudflare.url(), &[KEY, "demo/demo-chat"])?;
    done(&deploy(&["--no-check-stream"])?)?;
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let headers = [("content-type", "application/json"), ("x-api-key", KEY)];
        let body = r#"{"model":"demo/demo-chat","messages":[{"role":"user","content":"hi"}]}"#;
        let path = "/v1/chat/completions";
        let edge = cloudflare.edge();
        statuses
            .push(router_e2e::http::send(edge, "POST", path, &headers, body.as_bytes())?.status);
    }
    ensure!(statuses == [200, 429], "{statuses:?}");
    no_secret(&first, &[KEY, router_e2e::provider::KEY, TOKEN])
}

#[test]
fn a_dry_run_shows_the_calls_of_the_deploy_and_makes_none() -> Result<()> {
    let cloudflare = cloudflare()?;
    let dry = cloudflare.deploy(&[WORKERS_DEV, "--json", "--dry-run", "--account-id", ACCOUNT])?;
    done(&dry)?;
    ensure!(cloudflare.calls()?.is_empty(), "{:?}", cloudflare.calls()?);
    let wet = cloudflare.deploy(&[WORKERS_DEV, "--json", "--no-check"])?;
    done(&wet)?;
    let (dry_plan, wet_plan) = (document(&dry)?, document(&wet)?);
    ensure!(dry_plan["plan"]["steps"] == wet_plan["plan"]["steps"], "{dry_plan:#}\n{wet_plan:#}");
    ensure!(dry_plan["deployed"] == false && wet_plan["deployed"] == true);
    let sent = cloudflare.calls()?;
    for step in wet_plan["plan"]["steps"].as_array().into_iter().flatten() {
        let call =
            format!("{} {} 200", step["method"].as_str().unwrap(), step["path"].as_str().unwrap());
        ensure!(sent.contains(&call), "{call} is not in {sent:#?}");
    }
    for ended in [&dry, &wet] {
        no_secret(ended, &[KEY, "sk-provider-credential", TOKEN])?;
    }
    // Nor does a dry run need a token.
    let mut command = cloudflare.command(&["deploy", WORKERS_DEV, "--dry-run"])?;
    command.env_remove("CLOUDFLARE_API_TOKEN").arg("--module");
    command.arg(router_e2e::cloudflare::folder().join("module"));
    done(&router_e2e::cloudflare::ended(&mut command)?)
}

#[test]
fn a_token_that_is_wrong_missing_or_elsewhere_is_told_apart() -> Result<()> {
    let cloudflare = cloudflare()?;
    let module = router_e2e::cloudflare::folder().join("module");
    let run = |token: Option<&str>, more: &[&str]| {
        let mut command = cloudflare.command(&["deploy", WORKERS_DEV, "--no-check"])?;
        command.arg("--module").arg(&module).args(more).env_remove("CLOUDFLARE_API_TOKEN");
        if let Some(token) = token {
            command.env("CF_API_TOKEN", token);
        }
        router_e2e::cloudflare::ended(&mut command)
    };
    failed(&run(Some("wrong-token"), &[])?, 2, "Invalid API Token (code 1000)")?;
    failed(&run(None, &[])?, 2, "there is no Cloudflare API token")?;
    failed(&run(None, &["--api-token", "env:GONE"])?, 2, "`GONE` is not set")?;
    ensure!(cloudflare.state()?["scripts"] == json!([]));
    done(&run(Some(TOKEN), &[])?)?;
    std::fs::write(cloudflare.home().join("token"), format!("{TOKEN}\n"))?;
    let file = format!("file:{}", cloudflare.home().join("token").display());
    done(&run(Some("wrong-token"), &["--api-token", &file])?)
}

#[test]
fn a_config_larger_than_one_secret_is_split_or_kept_in_kv() -> Result<()> {
    let provider = Provider::start()?;
    let cloudflare = Cloudflare::start()?;
    let mut config = config(&provider)?;
    let models = config["providers"][0]["models"].as_array_mut().unwrap();
    models.extend((0..600).map(|number| json!({ "id": format!("model-{number}") })));
    config["providers"][0]["lastProbe"] = json!({ "log": "x".repeat(9_000) });
    cloudflare.write_config(&config)?;
    let split = cloudflare.deploy(&[WORKERS_DEV, "--json"])?;
    done(&split)?;
    ensure!(split.out.contains("LLM_ROUTER_CONFIG_JSON_3") && !split.out.contains("_JSON_5"));
    ensure!(cloudflare.models(KEY)?.text().contains("demo/model-399"));
    let kept = cloudflare.deploy(&[WORKERS_DEV, "--config-store", "kv", "--json"])?;
    done(&kept)?;
    ensure!(cloudflare.models(KEY)?.text().contains("demo/model-399"));
    let state = cloudflare.state()?;
    ensure!(state["namespaces"][0]["title"] == "llm-router-route-config", "{state:#}");
    let bindings = state["scripts"][0]["bindings"].to_string();
    ensure!(!bindings.contains("LLM_ROUTER_CONFIG_JSON"), "{bindings}");
    no_secret(&kept, &[KEY, router_e2e::provider::KEY])
}

#[test]
fn what_no_plan_or_only_the_paid_plan_allows_stops_the_deploy() -> Result<()> {
    let cloudflare = Cloudflare::start_with(&json!({ "plan": "paid" }))?;
    let mut config = offline_config();
    let keys: Vec<String> = (0..70).map(|number| format!("file:key-{number}")).collect();
    for file in &keys {
        let name = file.trim_start_matches("file:");
        std::fs::write(cloudflare.home().join(name), format!("sk-of-{name}"))?;
    }
    config["providers"][0]["apiKeys"] = json!(keys);
    cloudflare.write_config(&config)?;
    let over = cloudflare.deploy(&[WORKERS_DEV, "--no-check"])?;
    failed(&over, 2, "the free plan takes 64")?;
    done(&cloudflare.deploy(&[WORKERS_DEV, "--no-check", "--allow-large-config=true"])?)?;
    config["providers"][0]["apiKeys"] =
        json!((0..140).map(|n| keys[n % 70].clone()).collect::<Vec<_>>());
    cloudflare.write_config(&config)?;
    let over = cloudflare.deploy(&[WORKERS_DEV, "--no-check", "--allow-large-config=true"])?;
    failed(&over, 2, "the paid one 128")
}

#[test]
fn a_weak_key_needs_to_be_asked_for_and_a_made_key_is_shown_once() -> Result<()> {
    let cloudflare = cloudflare()?;
    let weak = ["--master-key", "env:WEAK", WORKERS_DEV, "--no-check"];
    let run = |more: &[&str]| -> Result<Ended> {
        let module = router_e2e::cloudflare::folder().join("module");
        let mut command = cloudflare.command(&["deploy"])?;
        command.args(weak).args(more).arg("--module").arg(module).env("WEAK", "password123");
        router_e2e::cloudflare::ended(&mut command)
    };
    failed(&run(&[])?, 2, "fewer than 24")?;
    done(&run(&["--allow-weak-master-key=true"])?)?;
    ensure!(cloudflare.models("password123")?.status == 200);
    let saved = cloudflare.home().join("key");
    let path = saved.to_str().unwrap();
    let made =
        cloudflare.deploy(&[WORKERS_DEV, "--generate-master-key", "--save-key", path, "--json"])?;
    done(&made)?;
    let key = document(&made)?["masterKey"].as_str().unwrap().to_owned();
    ensure!(key.len() == 48 && key.starts_with("gw_"), "{key}");
    ensure!(made.out.matches(&key).count() == 1 && !made.err.contains(&key));
    ensure!(std::fs::read_to_string(&saved)?.trim() == key);
    ensure!(saved.metadata()?.permissions().mode() & 0o777 == 0o600);
    ensure!(cloudflare.models(&key)?.status == 200 && cloudflare.models(KEY)?.status == 401);
    Ok(())
}

#[test]
fn a_file_for_a_key_is_checked_before_anything_is_sent_and_never_replaced() -> Result<()> {
    let cloudflare = cloudflare()?;
    let file = cloudflare.home().join("key");
    std::fs::write(&file, "mine")?;
    let make = [WORKERS_DEV, "--generate-master-key", "--save-key"];
    failed(&cloudflare.deploy(&[&make[..], &["key"]].concat())?, 2, "key exists")?;
    failed(&cloudflare.deploy(&[&make[..], &["gone/key"]].concat())?, 2, "no folder for gone/key")?;
    let none = cloudflare.deploy(&[WORKERS_DEV, "--save-key", "other"])?;
    failed(&none, 2, "no key is made")?;
    let rotate = cloudflare.run(&["worker-key", "--rotate", "--save-key", "key"])?;
    failed(&rotate, 2, "key exists")?;
    ensure!(cloudflare.calls()?.is_empty(), "{:?}", cloudflare.calls()?);
    // A dry run makes no key that anybody could use, and writes none.
    done(&cloudflare.deploy(&[&make[..], &["other", "--dry-run"]].concat())?)?;
    ensure!(!cloudflare.home().join("other").exists());
    ensure!(std::fs::read_to_string(&file)? == "mine");
    Ok(())
}

/// Both spellings of each flag of the older program.
#[test]
fn every_flag_of_the_older_program_is_taken() -> Result<()> {
    let cloudflare = cloudflare()?;
    let key = "--master-key=gw_Zq7nB4mX2vT9kR6pL3wY8cJf";
    let deploy = [
        "--project-dir=. --dry-run=true --export-only=false --out=a.json --account-id=a --workers-dev=false \
         --route-pattern=llm.example.com/* --zone-name=example.com --generate-master-key=false \
         --master-key-length=48 --master-key-prefix=gw_ --allow-weak-master-key=false \
         --allow-large-config=false --mode=any",
        "--projectDir=. --dryRun=true --exportOnly=false --output=b.json --accountId=a --workersDev=true \
         --generateMasterKey=true --masterKeyLength=32 --masterKeyPrefix=k_ --allowWeakMasterKey=true \
         --allowLargeConfig=true",
        "--dry-run --domain=llm.example.com --zoneName=example.com",
    ];
    for flags in deploy {
        let flags: Vec<&str> = flags.split_whitespace().chain([key]).collect();
        done(&cloudflare.deploy(&flags)?)?;
    }
    let worker_key = [
        "--project-dir=. --use-config-key=false --generate-master-key=false --master-key-length=48 \
         --master-key-prefix=gw_ --allow-weak-master-key=false --dry-run=true",
        "--projectDir=. --useConfigKey=true --dryRun",
    ];
    for flags in worker_key {
        let flags = flags.split_whitespace().chain([key]);
        let line: Vec<&str> = ["worker-key"].into_iter().chain(flags).collect();
        done(&cloudflare.run(&line)?)?;
    }
    ensure!(cloudflare.calls()?.is_empty(), "{:?}", cloudflare.calls()?);
    Ok(())
}

#[test]
fn a_config_that_cannot_be_deployed_is_refused_before_anything_is_sent() -> Result<()> {
    let cloudflare = cloudflare()?;
    let mut config = offline_config();
    config["providers"][0]["apiKey"] = json!("env:GONE");
    cloudflare.write_config(&config)?;
    failed(&cloudflare.deploy(&[WORKERS_DEV])?, 3, "providers[0].apiKey: environment variable")?;
    config["providers"] = json!([]);
    cloudflare.write_config(&config)?;
    failed(&cloudflare.deploy(&[WORKERS_DEV])?, 3, "no enabled provider")?;
    let mut keyless = offline_config();
    keyless.as_object_mut().unwrap().remove("masterKey");
    cloudflare.write_config(&keyless)?;
    failed(&cloudflare.deploy(&[WORKERS_DEV])?, 2, "there is no master key")?;
    let without_module = cloudflare.run(&["deploy", WORKERS_DEV, "--module", "gone"])?;
    failed(&without_module, 2, "there is no master key")?;
    ensure!(cloudflare.state()?["scripts"] == json!([]));
    Ok(())
}

/// Fails if a command printed a secret.
pub(crate) fn no_secret(ended: &Ended, secrets: &[&str]) -> Result<()> {
    for secret in secrets {
        ensure!(!ended.out.contains(secret), "`{secret}` is printed:\n{}", ended.out);
        ensure!(!ended.err.contains(secret), "`{secret}` is printed:\n{}", ended.err);
    }
    Ok(())
}
