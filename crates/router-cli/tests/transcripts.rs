//! Every command as a person sees it: `tests/cmd/*.trycmd`.
//!
//! `TRYCMD=overwrite cargo nextest run -p router-cli --test transcripts` writes them anew.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;

#[test]
fn every_command_answers_as_its_transcript_says() {
    let cases = trycmd::TestCases::new();
    cases.env("NO_COLOR", "1").env("HOME", "home").env("COLUMNS", "100");
    cases.case("tests/cmd/*.trycmd");
}

/// A home directory of its own, in which routers run; they end with it.
struct Home(TempDir);

impl Drop for Home {
    fn drop(&mut self) {
        let mut stop = Command::new(env!("CARGO_BIN_EXE_llm-router"));
        let _ = stop.args(["stop", "--all"]).env("HOME", self.0.path()).output();
    }
}

/// A manager that remembers in a file whether the service runs.
const SYSTEMCTL: &str = r#"#!/bin/sh
unit="$HOME/.config/systemd/user/llm-router.service"
case "$*" in
*status*) [ -f "$HOME/running" ] && exit 0; [ -f "$unit" ] && exit 3; exit 4 ;;
*start*) touch "$HOME/running" ;;
*stop*) rm -f "$HOME/running" ;;
esac
exit 0
"#;

#[test]
fn commands_about_running_routers_answer_as_their_transcripts_say() {
    let home = Home(TempDir::new().unwrap());
    let path = home.0.path().canonicalize().unwrap();
    let systemctl = path.join("systemctl");
    std::fs::write(&systemctl, SYSTEMCTL).unwrap();
    std::fs::set_permissions(&systemctl, std::fs::Permissions::from_mode(0o755)).unwrap();
    let tools = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
    let cases = trycmd::TestCases::new();
    cases.env("NO_COLOR", "1").env("COLUMNS", "100").env("PATH", tools).env("USER", "nobody-here");
    let path = path.to_string_lossy().into_owned();
    cases.env("HOME", &path).insert_var("[HOME]", path).unwrap();
    cases.case("tests/cmd/running/*.trycmd");
}
