//! The unit of the service under systemd.

use std::fmt::Write;

use super::{Definition, Level, RESTART_DELAY_S};

/// Seconds until a router that was told to stop is killed. Its own limit comes first.
const STOP_MAX_S: u32 = 120;

/// What the router never does, whoever takes it over: `systemd.exec(5)`.
const HARDENING: &str = "\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
CapabilityBoundingSet=
UMask=0077
";

/// The text of the unit file.
pub fn unit(definition: &Definition) -> String {
    let mut command = quoted_command(&definition.program.to_string_lossy());
    for argument in &definition.arguments {
        command.push(' ');
        command.push_str(&quoted_command(argument));
    }
    let own = definition.own();
    let folders = [&own].into_iter().chain(&definition.writes_to);
    // With a dash: what is not there yet is no reason not to start.
    let folders = folders.map(|path| specifiers(&quoted(&format!("-{}", path.display()))));
    let folders = folders.collect::<Vec<_>>().join(" ");
    let environment_file = specifiers(&definition.environment_file().to_string_lossy());
    let mut unit = String::new();
    let _ = write!(
        unit,
        "# Written by `llm-router service install`, which also replaces it.\n\
         [Unit]\n\
         Description=llm-router: one address for many LLM providers\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         Type=exec\n\
         ExecStart={command}\n\
         ExecReload=/bin/kill -HUP $MAINPID\n\
         Environment=LLM_ROUTER_MANAGED_BY=systemd\n\
         Environment={}\n\
         EnvironmentFile=-{environment_file}\n",
        specifiers(&quoted(&format!("LLM_ROUTER_DATA={}", own.display()))),
    );
    if let Some(user) = definition.user.as_ref().filter(|_| definition.level == Level::System) {
        let _ = writeln!(unit, "User={user}");
    }
    let target = match definition.level {
        Level::User => "default.target",
        Level::System => "multi-user.target",
    };
    // Mixed: the router passes the signal on to the process that has taken its place.
    let _ = write!(
        unit,
        "KillMode=mixed\n\
         TimeoutStopSec={STOP_MAX_S}\n\
         Restart=on-failure\n\
         RestartSec={RESTART_DELAY_S}\n\
         {HARDENING}ReadWritePaths={folders}\n\
         \n\
         [Install]\n\
         WantedBy={target}\n"
    );
    unit
}

/// A word of a command line: neither variables nor specifiers are replaced in it.
fn quoted_command(text: &str) -> String {
    specifiers(&quoted(text)).replace('$', "$$")
}

/// A text in quotes (`systemd.syntax(7)`).
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn definition(level: Level) -> Definition {
        Definition {
            level,
            program: "/usr/bin/true".into(),
            arguments: vec![
                "start".to_owned(),
                r#"--config=/home/a b/100% "my" $HOME\x.json"#.to_owned(),
            ],
            environment: vec![("HTTPS_PROXY".to_owned(), "http://u:p\"%@h:1".to_owned())],
            home: "/home/a b%c".into(),
            user: Some("daemon".to_owned()),
            writes_to: vec!["/var/lib/x".into()],
        }
    }

    #[test]
    fn special_characters_are_escaped_and_no_secret_is_in_the_unit() {
        let unit = unit(&definition(Level::User));
        let command =
            r#"ExecStart="/usr/bin/true" "start" "--config=/home/a b/100%% \"my\" $$HOME\\x.json""#;
        assert!(unit.lines().any(|line| line == command), "{unit}");
        assert!(unit.contains("EnvironmentFile=-/home/a b%%c/.llm-router/service.env\n"), "{unit}");
        assert!(unit.contains("ReadWritePaths=\"-/home/a b%%c/.llm-router\" \"-/var/lib/x\"\n"));
        assert!(!unit.contains("u:p") && !unit.contains("User="), "{unit}");
        assert_eq!(quoted("a\"b\\"), r#""a\"b\\""#);
    }

    #[test]
    fn systemd_has_nothing_to_say_about_the_unit() {
        for level in [Level::User, Level::System] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("llm-router.service");
            std::fs::write(&path, unit(&definition(level))).unwrap();
            let mut command = Command::new("systemd-analyze");
            let user = if level == Level::User { "--user" } else { "--system" };
            command.args(["verify", user]).arg(&path).env("XDG_RUNTIME_DIR", folder.path());
            let output = command.output().expect("the tests need systemd-analyze");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.trim().is_empty(), "{level:?}: {said}");
        }
    }
}
