//! The router as a service, against a `systemctl` that writes down what it is told.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use router_e2e::{Provider, router};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Remembers what runs; `fail` makes every start fail.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$@" >> "$HOME/calls"
case "$*" in
*status*) [ -f "$HOME/running" ] && exit 0; [ -f "$HOME/.config/systemd/user/llm-router.service" ] && exit 3; exit 4 ;;
*start*) [ -f "$HOME/fail" ] && { echo "Job for llm-router.service failed" >&2; exit 1; }; touch "$HOME/running" ;;
*stop*) rm -f "$HOME/running" ;;
esac
exit 0
"#;

/// A home directory with a config, and a path on which the system's manager is ours.
struct Machine {
    home: TempDir,
    _provider: Provider,
}

impl Machine {
    fn new() -> Result<Self> {
        let (home, provider) = (tempfile::tempdir()?, Provider::start()?);
        let mut config = provider.config(&[])?;
        config["state"] = json!({ "path": "/var/tmp/llm-router-test/state.sqlite" });
        std::fs::write(home.path().join(".llm-router.json"), config.to_string())?;
        let tools = home.path().join("tools");
        std::fs::create_dir(&tools)?;
        std::fs::write(tools.join("systemctl"), SYSTEMCTL)?;
        std::fs::set_permissions(tools.join("systemctl"), std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { home, _provider: provider })
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let tools = self.home.path().join("tools");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = router::command(self.home.path())?;
        command.args(arguments).env("PATH", format!("{}:{path}", tools.display()));
        command.env_remove("XDG_CONFIG_HOME");
        Ok(command.env("HTTPS_PROXY", "http://user:pass%word@proxy:3128").output()?)
    }

    fn asked(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.run(&[arguments, &["--json"]].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {said}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn unit(&self) -> PathBuf {
        self.home.path().join(".config/systemd/user/llm-router.service")
    }

    fn environment(&self) -> PathBuf {
        self.home.path().join(".llm-router/service.env")
    }

    /// What the manager was told since the last time, without questions.
    fn orders(&self) -> Vec<String> {
        let path = self.home.path().join("calls");
        let calls = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        let orders = calls.lines().filter(|line| !line.contains("status"));
        orders.map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
    }
}

#[test]
fn a_service_is_installed_changed_and_removed() -> Result<()> {
    let machine = Machine::new()?;
    assert_eq!(machine.asked(&["service", "status"])?["installed"], false);
    let installed = machine.asked(&["service", "install", "--port", "8899"])?;
    assert_eq!((&installed["manager"], &installed["running"]), (&json!("systemd"), &json!(true)));
    assert_eq!(machine.orders(), ["enable", "start"]);
    let unit = std::fs::read_to_string(machine.unit())?;
    for expect in [
        "\"start\" \"--config=",
        ".llm-router.json\" \"--port=8899\"\n",
        "NoNewPrivileges=yes\n",
        "ProtectHome=read-only\n",
        "\"-/var/tmp/llm-router-test\"\n",
        "WantedBy=default.target\n",
    ] {
        assert!(unit.contains(expect), "{expect}: {unit}");
    }
    assert!(!unit.contains("pass"), "a proxy's password is not for everybody: {unit}");
    let environment = std::fs::read_to_string(machine.environment())?;
    assert!(environment.contains("HTTPS_PROXY=\"http://user:pass%word@proxy:3128\"\n"));
    let mode = std::fs::metadata(machine.environment())?.permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--user"]).arg(machine.unit());
    let verified = verify.env("XDG_RUNTIME_DIR", machine.home.path()).output()?;
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && said.trim().is_empty(), "{said}");

    machine.asked(&["service", "install", "--port", "8900", "--require-auth=no"])?;
    assert_eq!(machine.orders(), ["enable", "stop", "start"], "what is new holds at once");
    assert!(std::fs::read_to_string(machine.unit())?.contains("\"--port=8900\""));
    machine.asked(&["service", "restart"])?;
    assert_eq!(machine.orders(), ["stop", "start"]);
    assert_eq!(machine.asked(&["service", "uninstall"])?["removed"], true);
    assert_eq!(machine.orders(), ["stop", "disable"]);
    assert!(!machine.unit().exists() && !machine.environment().exists());
    assert_eq!(machine.asked(&["service", "uninstall"])?["removed"], false);
    assert_eq!(machine.run(&["service", "restart"])?.status.code(), Some(1));
    Ok(())
}

#[test]
fn a_failed_installation_leaves_things_as_they_were() -> Result<()> {
    let machine = Machine::new()?;
    let fail = machine.home.path().join("fail");
    std::fs::write(&fail, "")?;
    let failed = machine.run(&["service", "install"])?;
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("Job for llm-router.service failed"), "{said}");
    assert!(!machine.unit().exists() && !machine.environment().exists());
    assert_eq!(machine.orders().last().map(String::as_str), Some("disable"));

    std::fs::remove_file(&fail)?;
    machine.asked(&["service", "install", "--port", "8899"])?;
    let before = std::fs::read_to_string(machine.unit())?;
    std::fs::write(&fail, "")?;
    assert_eq!(machine.run(&["service", "install", "--port", "8900"])?.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(machine.unit())?, before);
    Ok(())
}

#[test]
fn the_doctor_says_whether_the_service_is_this_router() -> Result<()> {
    let machine = Machine::new()?;
    let service = |more: &[&str]| -> Result<Value> {
        let output = machine.run(&[&["doctor", "--json"], more].concat())?;
        let said: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(!said.to_string().contains("pass%word"), "{said}");
        let findings = said["findings"].as_array().into_iter().flatten();
        Ok(findings
            .into_iter()
            .find(|each| each["check"] == "service")
            .cloned()
            .unwrap_or_default())
    };
    let says = |found: &Value, verdict: &str, message: &str| {
        assert_eq!(found["verdict"], verdict, "{found}");
        assert!(found["message"].as_str().is_some_and(|text| text.contains(message)), "{found}");
    };
    says(&service(&[])?, "good", "not installed");
    machine.asked(&["service", "install"])?;
    says(&service(&[])?, "warning", "no router answers for it");
    let mut start = router::command(machine.home.path())?;
    let start = start.args(["start", "--background", "--port=0"]);
    let started = start.env("LLM_ROUTER_MANAGED_BY", "systemd").output()?;
    ensure!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let good = service(&[]);
    let other = machine.home.path().join("other.json");
    std::fs::copy(machine.home.path().join(".llm-router.json"), &other)?;
    let elsewhere = service(&["--config", &other.display().to_string()]);
    ensure!(machine.run(&["stop"])?.status.success());
    says(&good?, "good", "running as `default`");
    let elsewhere = elsewhere?;
    says(&elsewhere, "warning", "another config");
    let fix = elsewhere["fix"].as_str().unwrap_or_default().to_owned();
    assert!(fix.contains("service install --config"), "{fix}");
    std::fs::remove_file(machine.home.path().join("running"))?;
    says(&service(&[])?, "warning", "not running");
    Ok(())
}

#[test]
fn what_could_not_serve_is_not_installed() -> Result<()> {
    let machine = Machine::new()?;
    let refused = machine.run(&["service", "install", "--require-auth"])?;
    assert_eq!(refused.status.code(), Some(2), "there is no master key");
    let config = machine.home.path().join(".llm-router.json");
    std::fs::write(&config, "{ \"providers\": 7 }")?;
    assert_eq!(machine.run(&["service", "install"])?.status.code(), Some(3));
    std::fs::remove_file(&config)?;
    assert_eq!(machine.run(&["service", "install"])?.status.code(), Some(2));
    assert_eq!(machine.orders(), Vec::<String>::new());
    Ok(())
}
