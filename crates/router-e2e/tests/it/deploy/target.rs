//! Which account, which zone, which address.

use anyhow::{Result, ensure};
use router_e2e::Cloudflare;
use router_e2e::cloudflare::{ACCOUNT, ZONE};
use serde_json::{Value, json};

use super::{KEY, WORKERS_DEV, cloudflare, done, failed, offline_config};

#[test]
fn of_several_accounts_one_has_to_be_named_whatever_page_it_is_on() -> Result<()> {
    let accounts: Vec<Value> = (0..120)
        .map(
            |number| json!({ "id": format!("{number:032x}"), "name": format!("Account {number}") }),
        )
        .collect();
    let last = format!("{:032x}", 119);
    let subdomains = json!({ last.clone(): "last" });
    let cloudflare =
        Cloudflare::start_with(&json!({ "accounts": accounts, "subdomains": subdomains }))?;
    cloudflare.write_config(&offline_config())?;
    let several = cloudflare.deploy(&[WORKERS_DEV, "--no-check"])?;
    failed(&several, 2, "has access to several accounts")?;
    ensure!(several.err.contains("Account 119"), "{}", several.err);
    let stranger = cloudflare.deploy(&[WORKERS_DEV, "--no-check", "--account-id", ACCOUNT])?;
    failed(&stranger, 2, "has no access to account")?;
    done(&cloudflare.deploy(&[WORKERS_DEV, "--no-check", "--account-id", &last])?)?;
    let first = format!("{:032x}", 0);
    let without = cloudflare.deploy(&[WORKERS_DEV, "--no-check", "--account-id", &first])?;
    failed(&without, 2, "has no workers.dev subdomain")
}

#[test]
fn a_route_goes_into_the_longest_zone_and_previews_stay_off() -> Result<()> {
    let mut zones: Vec<Value> = (0..110)
        .map(|number| json!({ "id": format!("{number:032x}"), "name": format!("z{number}.example"), "account": { "id": ACCOUNT } }))
        .collect();
    for (id, name) in [("1", "co.uk"), ("2", "shop.co.uk")] {
        zones.push(json!({ "id": id.repeat(32), "name": name, "account": { "id": ACCOUNT } }));
    }
    let cloudflare = Cloudflare::start_with(&json!({ "zones": zones }))?;
    cloudflare.write_config(&offline_config())?;
    let ended = cloudflare.deploy(&["--route-pattern", "https://llm.shop.co.uk"])?;
    done(&ended)?;
    let state = cloudflare.state()?;
    ensure!(state["routes"][0]["zone"] == "2".repeat(32), "{state:#}");
    ensure!(state["routes"][0]["pattern"] == "llm.shop.co.uk/*", "{state:#}");
    let off = json!({ "enabled": false, "previews_enabled": false });
    ensure!(state["scripts"][0]["subdomain"] == off, "{state:#}");
    let host = ("x-edge-host", "llm.shop.co.uk");
    let key = format!("Bearer {KEY}");
    let headers = [host, ("authorization", key.as_str())];
    let answer = router_e2e::http::send(cloudflare.edge(), "GET", "/v1/models", &headers, b"")?;
    ensure!(answer.status == 200, "{}", answer.text());
    // The same again changes nothing.
    done(&cloudflare.deploy(&["--domain", "llm.shop.co.uk", "--zone-name=shop.co.uk"])?)?;
    ensure!(cloudflare.state()?["routes"].as_array().map(Vec::len) == Some(1));
    let missing = cloudflare.deploy(&["--route-pattern", "llm.gone.com/*"])?;
    failed(&missing, 2, "no zone of the account covers `llm.gone.com`")?;
    let outside = cloudflare.deploy(&["--domain=llm.shop.co.uk", "--zone-name=z1.example"])?;
    failed(&outside, 2, "is not in the zone `z1.example`")
}

#[test]
fn a_domain_of_its_own_is_attached_and_never_taken_silently() -> Result<()> {
    let cloudflare = cloudflare()?;
    done(&cloudflare.deploy(&["--custom-domain", "llm.example.com", "--name", "one"])?)?;
    let state = cloudflare.state()?;
    ensure!(state["domains"][0]["service"] == "one" && state["domains"][0]["zone_id"] == ZONE);
    let taken = cloudflare.deploy(&["--custom-domain", "llm.example.com", "--name", "two"])?;
    failed(&taken, 2, "leads to the Worker `one`")?;
    ensure!(cloudflare.state()?["scripts"].as_array().map(Vec::len) == Some(1));
    let flags = ["--custom-domain=llm.example.com", "--name=two", "--take-routes", "--no-check"];
    done(&cloudflare.deploy(&flags)?)?;
    ensure!(cloudflare.state()?["domains"][0]["service"] == "two");
    Ok(())
}

#[test]
fn what_keeps_an_account_or_a_host_from_it_is_told_with_what_to_do() -> Result<()> {
    let fresh = Cloudflare::start_with(&json!({ "subdomains": {} }))?;
    fresh.write_config(&offline_config())?;
    let first = fresh.deploy(&["--custom-domain=llm.example.com", "--no-check"])?;
    failed(&first, 2, "code 10063")?;
    ensure!(first.err.contains("open Workers & Pages in the dashboard once"), "{}", first.err);
    let taken = Cloudflare::start_with(&json!({ "records": ["llm.example.com"] }))?;
    taken.write_config(&offline_config())?;
    let own = taken.deploy(&["--custom-domain=llm.example.com", "--no-check"])?;
    failed(&own, 1, "the host has DNS records already")?;
    ensure!(own.err.contains("the new Worker is up"), "{}", own.err);
    Ok(())
}

#[test]
fn a_project_of_the_older_program_gives_its_hints_and_stays_as_it_is() -> Result<()> {
    let cloudflare = cloudflare()?;
    let toml = "name = \"gateway\"\nmain = \"src/index.js\"\nworkers_dev = false\n\n[vars]\nENVIRONMENT = \"production\"\n\n\
        [env.production]\nroutes = [{ pattern = \"llm.example.com/*\", zone_name = \"example.com\" }]\n";
    let file = cloudflare.home().join("wrangler.toml");
    std::fs::write(&file, toml)?;
    failed(&cloudflare.deploy(&[])?, 2, "nothing says where the Worker should answer")?;
    let near = cloudflare.deploy(&["--env", "prodution"])?;
    failed(&near, 2, "has no environment `prodution`")?;
    done(&cloudflare.deploy(&["--env", "production"])?)?;
    let state = cloudflare.state()?;
    ensure!(state["scripts"][0]["name"] == "gateway-production", "{state:#}");
    ensure!(state["routes"][0]["pattern"] == "llm.example.com/*", "{state:#}");
    done(&cloudflare.deploy(&[WORKERS_DEV, "--projectDir", ".", "--no-check"])?)?;
    let state = cloudflare.state()?;
    let bindings = state["scripts"][1]["bindings"].to_string();
    ensure!(bindings.contains("ENVIRONMENT"), "{state:#}");
    ensure!(std::fs::read_to_string(&file)? == toml);
    let files: Vec<_> =
        std::fs::read_dir(cloudflare.home())?.flatten().map(|e| e.file_name()).collect();
    ensure!(files.len() == 2, "nothing else was written: {files:?}");
    Ok(())
}
