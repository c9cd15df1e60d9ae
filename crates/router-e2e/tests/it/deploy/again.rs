//! The second deploy, and the one that is cut short.

use anyhow::{Result, ensure};
use router_e2e::cloudflare::ACCOUNT;

use super::{KEY, WORKERS_DEV, cloudflare, document, done, failed};

#[test]
fn a_second_deploy_migrates_nothing_and_keeps_what_others_set() -> Result<()> {
    let cloudflare = cloudflare()?;
    let first = cloudflare.deploy(&[WORKERS_DEV, "--json"])?;
    done(&first)?;
    ensure!(first.out.contains("Durable Object migration to v1"), "{}", first.out);
    let count = |key: &str| -> Result<u64> {
        Ok(cloudflare.models(key)?.header("x-count").unwrap_or("0").parse()?)
    };
    let before = count(KEY)?;
    let other = "LLM_ROUTER_ALLOWED_IPS";
    let call = |method: &str, rest: &str, body: &str| -> Result<()> {
        let path = format!("/client/v4/accounts/{ACCOUNT}/workers/scripts/llm-router-route/{rest}");
        let bearer = format!("Bearer {}", router_e2e::cloudflare::TOKEN);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let api = cloudflare.api().split('/').nth(2).unwrap().parse()?;
        let set = router_e2e::http::send(api, method, &path, &headers, body.as_bytes())?;
        ensure!(set.status == 200, "{}", set.text());
        Ok(())
    };
    let by_hand = format!(r#"{{"name":"{other}","text":"192.0.2.0/24","type":"secret_text"}}"#);
    call("PUT", "secrets", &by_hand)?;
    // Logs that the operator has turned on in the dashboard.
    call("PATCH", "script-settings", r#"{"observability":{"enabled":true},"logpush":true}"#)?;
    let second = cloudflare.deploy(&[WORKERS_DEV, "--json"])?;
    done(&second)?;
    ensure!(!second.out.contains("migration to"), "{}", second.out);
    ensure!(document(&second)?["plan"]["kept"] == serde_json::json!([other]), "{}", second.out);
    let script = &cloudflare.state()?["scripts"][0];
    ensure!(script["bindings"].to_string().contains(other), "{script:#}");
    let settings = &script["settings"];
    ensure!(
        settings["observability"]["enabled"] == true && settings["logpush"] == true,
        "{script:#}"
    );
    ensure!(count(KEY)? > before, "the counters are kept");
    Ok(())
}

#[test]
fn a_secret_the_config_does_not_use_any_more_goes() -> Result<()> {
    let cloudflare = cloudflare()?;
    let mut config = super::offline_config();
    std::fs::write(cloudflare.home().join("credential"), "sk-in-a-file")?;
    config["providers"][0]["apiKey"] = "file:credential".into();
    cloudflare.write_config(&config)?;
    done(&cloudflare.deploy(&[WORKERS_DEV, "--no-check"])?)?;
    let name = "LLM_ROUTER_SECRET_OPENAI_API_KEY";
    ensure!(cloudflare.state()?["scripts"][0]["bindings"].to_string().contains(name));
    cloudflare.write_config(&super::offline_config())?;
    let second = cloudflare.deploy(&[WORKERS_DEV, "--no-check", "--json"])?;
    done(&second)?;
    ensure!(document(&second)?["plan"]["dropped"] == serde_json::json!([name]));
    ensure!(!cloudflare.state()?["scripts"][0]["bindings"].to_string().contains(name));
    Ok(())
}

#[test]
fn a_deploy_that_is_cut_short_says_what_is_done_and_the_next_continues() -> Result<()> {
    let cloudflare = cloudflare()?;
    // The upload itself: nothing of it is there.
    cloudflare.fail("PUT", "/workers/scripts/[^/]+$", 503, 3)?;
    let early = cloudflare.deploy(&[WORKERS_DEV])?;
    failed(&early, 1, "the Worker is as it was before")?;
    ensure!(cloudflare.state()?["scripts"] == serde_json::json!([]));
    // After it: the Worker is up, and its switch is not set.
    // A kept connection that was closed is replaced once, so it takes two.
    cloudflare.fail("POST", "/subdomain$", 0, 2)?;
    let late = cloudflare.deploy(&[WORKERS_DEV])?;
    failed(&late, 4, "the new Worker is up, but not everything around it is set")?;
    ensure!(late.err.contains("the same command continues"), "{}", late.err);
    ensure!(cloudflare.models(KEY)?.status == 404, "it does not answer yet");
    // A fault that passes is not even noticed.
    cloudflare.fail("PUT", "/workers/scripts/[^/]+$", 503, 1)?;
    done(&cloudflare.deploy(&[WORKERS_DEV])?)?;
    ensure!(cloudflare.models(KEY)?.status == 200);
    Ok(())
}

/// The call was carried out and nobody heard of it: the second try meets its own work.
#[test]
fn an_upload_whose_answer_is_lost_is_not_said_to_have_done_nothing() -> Result<()> {
    let cloudflare = cloudflare()?;
    cloudflare.lose_answer("PUT", "/workers/scripts/[^/]+$")?;
    let lost = cloudflare.deploy(&[WORKERS_DEV])?;
    failed(&lost, 1, "the upload may have arrived all the same")?;
    ensure!(!lost.err.contains("as it was before"), "{}", lost.err);
    done(&cloudflare.deploy(&[WORKERS_DEV])?)?;
    ensure!(cloudflare.models(KEY)?.status == 200);
    Ok(())
}

#[test]
fn a_migration_of_another_program_is_not_run_over() -> Result<()> {
    let cloudflare = cloudflare()?;
    done(&cloudflare.deploy(&[WORKERS_DEV, "--no-check"])?)?;
    let module = tempfile::tempdir()?;
    for file in ["index.js", "counter.js", "manifest.json"] {
        std::fs::copy(
            router_e2e::cloudflare::folder().join("module").join(file),
            module.path().join(file),
        )?;
    }
    let manifest = module.path().join("manifest.json");
    let text = std::fs::read_to_string(&manifest)?;
    std::fs::write(&manifest, text.replace("\"v1\"", "\"other\""))?;
    let folder = module.path().to_str().unwrap();
    let other = cloudflare.run(&["deploy", WORKERS_DEV, "--no-check", "--module", folder])?;
    failed(&other, 2, "has gone through the Durable Object migration `v1`")
}
