//! Commands about routers that run, the service, updates and tools: their documented shapes.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::common::{Ended, Home};
use crate::json::check;

/// A manager that has no service.
const SYSTEMCTL: &str = "#!/bin/sh\ncase \"$*\" in *status*) exit 4 ;; esac\nexit 0\n";

fn answer(home: &Home, code: i32, arguments: &[&str]) -> Value {
    let tools = home.folder().join("tools");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut command: Command = home.command(&[arguments, &["--json"]].concat());
    let ended = Ended::from(command.env("PATH", path).output().unwrap());
    assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
    assert!(!ended.out.contains("s3cret") && !ended.err.contains("s3cret"), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

/// Ends what a failed test has started.
struct Stopped<'a>(&'a Home);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.run(&["stop", "--all"]);
    }
}

#[test]
fn every_answer_about_running_routers_has_its_documented_shape() {
    let home = Home::new();
    let _stopped = Stopped(&home);
    let tools = home.folder().join("tools");
    std::fs::create_dir(&tools).unwrap();
    std::fs::write(tools.join("systemctl"), SYSTEMCTL).unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(tools.join("systemctl"), executable).unwrap();
    for (command, schema) in [
        (&["status"][..], "status.json"),
        (&["stop"], "stop.json"),
        (&["start", "--background", "--port=0"], "start.json"),
        (&["status"], "status.json"),
        (&["reload"], "reload.json"),
        (&["reload", "--binary"], "reload.json"),
        (&["logs", "-n", "3"], "logs.json"),
        (&["setup", "codex", "--dry-run", "--model", "fast"], "setup.json"),
        (&["setup", "cursor", "--no-check", "--model", "fast"], "setup.json"),
        (&["setup", "claude-code", "--no-check"], "setup.json"),
        (&["setup", "claude-code", "--undo"], "setup.json"),
        (&["ai-help"], "ai-help.json"),
        (&["stop"], "stop.json"),
        (&["service", "status"], "service.json"),
        (&["service", "uninstall"], "service.json"),
        (&["update"], "update.json"),
        (&["completions", "fish"], "text.json"),
        (&["man", "provider", "add"], "text.json"),
    ] {
        check(schema, &answer(&home, 0, command), &command);
    }
    for (command, code) in [
        (&["reload"][..], 1),
        (&["status", "--name", "nobody"], 2),
        (&["start", "--name", "../x"], 2),
        (&["logs", "--name", "nobody"], 2),
        (&["logs", "--follow"], 2),
        (&["stop", "--timeout", "soon"], 2),
        (&["setup", "emacs"], 2),
        (&["setup", "codex", "--model", "fats", "--no-check"], 2),
        (&["service", "restart"], 1),
        (&["update", "--rollback"], 1),
        (&["man", "nothing"], 2),
    ] {
        check("error.json", &answer(&home, code, command), &command);
    }
}
