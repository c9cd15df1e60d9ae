//! Coding tools that are made to use the router: their own settings files, patched.
//!
//! A patch is worked out first ([`plan`]), as the new text of every file it touches, and applied
//! afterwards ([`apply`]), which keeps the old texts in `~/.llm-router/setup`. [`undo`] puts them back;
//! what somebody else has changed in the meantime stays.

use std::path::{Path, PathBuf};

use router_config::Secret;

pub mod check;
mod files;
mod formats;
mod settings;
mod yaml;

pub use files::{Applied, FileEdit, Undone, apply, undo};

/// A tool that can be set up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tool {
    /// Aider.
    Aider,
    /// Claude Code.
    ClaudeCode,
    /// Cline.
    Cline,
    /// Codex CLI.
    Codex,
    /// Continue.
    Continue,
    /// Cursor.
    Cursor,
    /// Factory's Droid.
    Factory,
    /// Gemini CLI.
    GeminiCli,
    /// `OpenCode`.
    OpenCode,
    /// Zed.
    Zed,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ClaudeCode,
        Self::Codex,
        Self::OpenCode,
        Self::Aider,
        Self::GeminiCli,
        Self::Cline,
        Self::Continue,
        Self::Zed,
        Self::Cursor,
        Self::Factory,
    ];

    /// The name it goes by on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aider => "aider",
            Self::ClaudeCode => "claude-code",
            Self::Cline => "cline",
            Self::Codex => "codex",
            Self::Continue => "continue",
            Self::Cursor => "cursor",
            Self::Factory => "factory",
            Self::GeminiCli => "gemini-cli",
            Self::OpenCode => "opencode",
            Self::Zed => "zed",
        }
    }

    /// What it calls itself.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Aider => "Aider",
            Self::ClaudeCode => "Claude Code",
            Self::Cline => "Cline",
            Self::Codex => "Codex CLI",
            Self::Continue => "Continue",
            Self::Cursor => "Cursor",
            Self::Factory => "Factory Droid",
            Self::GeminiCli => "Gemini CLI",
            Self::OpenCode => "OpenCode",
            Self::Zed => "Zed",
        }
    }

    /// The endpoint it talks to.
    pub const fn endpoint(self) -> Endpoint {
        match self {
            Self::ClaudeCode => Endpoint::Messages,
            Self::Codex => Endpoint::Responses,
            Self::GeminiCli => Endpoint::Gemini,
            Self::Aider
            | Self::Cline
            | Self::Continue
            | Self::Cursor
            | Self::Factory
            | Self::OpenCode
            | Self::Zed => Endpoint::Chat,
        }
    }
}

/// What a tool asks the router for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1beta/models/MODEL:generateContent`.
    Gemini,
}

/// Whose settings are patched.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Scope {
    /// The user's, for every project.
    #[default]
    User,
    /// Those of the project in the current directory.
    Project,
}

/// Where settings are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The home directory.
    pub home: PathBuf,
    /// The project's directory.
    pub project: PathBuf,
    /// What tools read their place from, by variable.
    pub variables: fn(&str) -> Option<String>,
}

impl Places {
    /// The directory a variable names, or one in the home directory.
    fn folder(&self, variable: &str, otherwise: &str) -> PathBuf {
        let named = (self.variables)(variable).filter(|path| !path.is_empty());
        named.map_or_else(|| self.home.join(otherwise), PathBuf::from)
    }
}

/// Names of models or aliases, as the router's clients use them.
#[derive(Clone, Debug, Default)]
pub struct Models {
    /// The one for ordinary work.
    pub main: String,
    /// The one for small, quick tasks.
    pub small: Option<String>,
    /// Claude Code's tiers.
    pub opus: Option<String>,
    /// See `opus`.
    pub sonnet: Option<String>,
    /// See `opus`.
    pub haiku: Option<String>,
    /// What Claude Code's subagents use.
    pub subagent: Option<String>,
    /// Everything there is, for tools that want a list to choose from.
    pub offered: Vec<String>,
}

/// What the tool is told.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The router's address, such as `http://127.0.0.1:8787`.
    pub base: String,
    /// What clients present; tools want one even where the router asks for none.
    pub key: Secret,
    /// Which models.
    pub models: Models,
}

impl Wanted {
    fn openai(&self) -> String {
        format!("{}/v1", self.base)
    }

    fn small(&self) -> &str {
        self.models.small.as_deref().unwrap_or(&self.models.main)
    }
}

/// What is to be done for a tool.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Files to write.
    pub edits: Vec<FileEdit>,
    /// What only a person can do, in order.
    pub steps: Vec<String>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Why a tool cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// A file is not what the tool itself would read.
    #[error("{} is not valid {format}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What it should be.
        format: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {verb} {}: {error}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The tool does not read such settings from a project.
    #[error("{0} does not read this from a project's settings")]
    NoProject(&'static str),
    /// There is nothing to take back.
    #[error("{0} was not set up here")]
    NotSetUp(&'static str),
    /// What was written and what was changed since are the same lines.
    #[error("{} was changed since, in the same lines; its earlier text is in {}", path.display(), kept.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Where its earlier text is.
        kept: PathBuf,
    },
}

/// Works out what to do, and does nothing.
pub fn plan(tool: Tool, wanted: &Wanted, places: &Places, scope: Scope) -> Result<Plan, ToolError> {
    settings::plan(tool, wanted, places, scope)
}

/// Where the texts from before are kept.
fn store(places: &Places) -> PathBuf {
    places.home.join(".llm-router").join("setup")
}

fn read(path: &Path) -> Result<Option<String>, ToolError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ToolError::File { verb: "read", path: path.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests;
