//! `worker-key`: after it the new key is accepted and the old one is not.

use anyhow::{Result, ensure};
use router_e2e::router::Ended;
use router_e2e::{Cloudflare, cloudflare as stand_in};

use super::{KEY, WORKERS_DEV, cloudflare, document, done, failed};

fn worker_key(cloudflare: &Cloudflare, more: &[&str]) -> Result<Ended> {
    let url = cloudflare.url();
    let mut line = vec!["worker-key", "--check-url", &url, "--check-wait", "5"];
    line.extend(more);
    cloudflare.run(&line)
}

#[test]
fn a_leaked_key_is_replaced_refused_and_does_not_come_back() -> Result<()> {
    let cloudflare = cloudflare()?;
    done(&cloudflare.deploy(&[WORKERS_DEV])?)?;
    ensure!(cloudflare.models(KEY)?.status == 200);
    let ended = worker_key(&cloudflare, &["--leaked", "--json"])?;
    done(&ended)?;
    let told = document(&ended)?;
    let new = told["masterKey"].as_str().unwrap();
    ensure!(told["accepted"] == true && told["oldRefused"] == true, "{told:#}");
    ensure!(ended.out.matches(new).count() == 1 && !ended.err.contains(new));
    ensure!(cloudflare.models(new)?.status == 200 && cloudflare.models(KEY)?.status == 401);
    // The config here still has the leaked key: the next deploy must not bring it back.
    let again = cloudflare.deploy(&[WORKERS_DEV])?;
    done(&again)?;
    ensure!(again.err.contains("keeps its own"), "{}", again.err);
    ensure!(cloudflare.models(new)?.status == 200 && cloudflare.models(KEY)?.status == 401);
    // Nor may a roll-back, unless it is forced.
    let back = cloudflare.run(&["deploy", "rollback", "--yes"])?;
    failed(&back, 1, "code 10220")?;
    ensure!(cloudflare.models(KEY)?.status == 401);
    // What the older program ignored: a key that is asked for is made, whatever the config has.
    let other = worker_key(&cloudflare, &["--generate-master-key=true", "--json"])?;
    done(&other)?;
    ensure!(
        document(&other)?["masterKey"] != told["masterKey"]
            && document(&other)?["masterKey"].is_string()
    );
    Ok(())
}

#[test]
fn a_key_is_set_from_where_it_is_and_verified() -> Result<()> {
    let cloudflare = cloudflare()?;
    failed(&worker_key(&cloudflare, &[])?, 1, "does not exist on your account")?;
    done(&cloudflare.deploy(&[WORKERS_DEV])?)?;
    let key = "gw_Zq7nB4mX2vT9kR6pL3wY8cJf";
    let mut command = cloudflare.command(&["worker-key", "--master-key", "-", "--json"])?;
    command.args(["--check-url", &cloudflare.url(), "--check-wait", "5"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn()?;
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{key}\n").as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(!String::from_utf8_lossy(&output.stdout).contains(key), "a given key is not shown");
    ensure!(cloudflare.models(key)?.status == 200 && cloudflare.models(KEY)?.status == 401);
    failed(&worker_key(&cloudflare, &["--verify"])?, 1, "")?;
    done(&worker_key(&cloudflare, &["--use-config-key=true"])?)?;
    done(&worker_key(&cloudflare, &["--verify"])?)?;
    ensure!(cloudflare.models(KEY)?.status == 200);
    let none = worker_key(&cloudflare, &["--use-config-key=false"])?;
    failed(&none, 2, "no key is given")
}

#[test]
fn a_check_that_cannot_be_made_is_no_good_end_and_what_it_lacks_is_told_first() -> Result<()> {
    let cloudflare = cloudflare()?;
    let gone = ["--check-header", "CF-Access-Client-Secret: env:GONE"];
    let make = [WORKERS_DEV, "--generate-master-key"];
    failed(&cloudflare.deploy(&[&make[..], &gone].concat())?, 2, "`GONE` is not set")?;
    failed(
        &worker_key(&cloudflare, &[&["--rotate"][..], &gone].concat())?,
        2,
        "`GONE` is not set",
    )?;
    ensure!(cloudflare.calls()?.is_empty(), "{:?}", cloudflare.calls()?);
    // A Worker that nothing leads to any more: the key is set, and nobody could see that it is.
    done(&cloudflare.deploy(&["--route-pattern=llm.example.com/*", "--no-check"])?)?;
    cloudflare.fail("GET", "/subdomain$", 403, 9)?;
    let blind = cloudflare.run(&["worker-key", "--leaked", "--json"])?;
    failed(&blind, 1, "not checked")?;
    let told = document(&blind)?;
    ensure!(told["masterKey"].is_string() && told["oldRefused"].is_null(), "{told:#}");
    Ok(())
}

#[test]
fn a_dry_run_and_a_weak_key_send_nothing() -> Result<()> {
    let cloudflare = cloudflare()?;
    let dry = worker_key(&cloudflare, &["--rotate", "--dry-run"])?;
    done(&dry)?;
    ensure!(dry.out.contains("nothing was sent"), "{}", dry.out);
    let mut command = cloudflare.command(&["worker-key", "--master-key", "env:WEAK"])?;
    failed(
        &stand_in::ended(command.env("WEAK", "letmein-letmein-letmein-1A"))?,
        2,
        "contains `letmein`",
    )?;
    ensure!(cloudflare.calls()?.is_empty(), "{:?}", cloudflare.calls()?);
    Ok(())
}
