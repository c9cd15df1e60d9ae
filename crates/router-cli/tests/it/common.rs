//! Running the command with a config of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A config with a bit of everything.
pub(crate) const CONFIG: &str = r#"{
  // The operator's own note.
  "version": 2,
  "masterKey": "s3cret-master-key-that-nobody-may-see",
  "defaultModel": "one/small",
  "providers": [
    {
      "id": "one",
      "name": "One",
      "baseUrl": "https://one.example/v1",
      "format": "openai",
      "apiKey": "s3cret-provider-key-that-nobody-may-see",
      "colour": "kept although unknown",
      "models": [
        { "id": "small", "aliases": ["tiny"], "fallbackModels": ["two/big"] },
        { "id": "large", "contextWindow": 1000 }
      ],
      "rateLimits": [
        { "id": "daily", "models": ["large"], "requests": 10, "window": { "unit": "day", "size": 1 } }
      ]
    },
    {
      "id": "two",
      "baseUrl": "https://two.example",
      "format": "claude",
      "apiKey": "env:TWO_KEY",
      "models": [{ "id": "big" }, { "id": "qwen2.5:7" }]
    }
  ],
  "modelAliases": {
    "fast": { "strategy": "ordered", "targets": ["one/small", { "ref": "two/big", "weight": 2 }] }
  }
}
"#;

/// A home directory with a config.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    /// With [`CONFIG`].
    pub(crate) fn new() -> Self {
        let home = Self::empty();
        home.write(CONFIG);
        home
    }

    /// Without a config.
    pub(crate) fn empty() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(".llm-router.json")
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(self.path(), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// The command, with nothing of the developer's own environment in its way.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llm-router"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LLM_ROUTER_") {
                command.env_remove(name);
            }
        }
        command.env("HOME", self.folder.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    /// Runs a command that has to succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {} {}", ended.out, ended.err);
        ended
    }
}

/// How a process ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}
