//! Flags of the commands that look into routing and at what has happened.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The model as a client would name it; the default model if absent.
    #[arg(long, short)]
    pub(crate) model: Option<String>,
    /// Who asks: a dialect (anthropic, openai-chat, openai-responses, gemini) or a program that
    /// speaks it (claude-code, codex, gemini-cli) [default: openai-chat].
    #[arg(long, alias = "asClient", value_name = "CLIENT")]
    pub(crate) as_client: Option<String>,
    /// The session as the client would name it.
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// The label of the client key it comes with; the master key if absent.
    #[arg(long, value_name = "LABEL")]
    pub(crate) client: Option<String>,
    /// Size of the request in bytes, from which its tokens are estimated.
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) body_bytes: usize,
    /// Explain from the config alone, even if a router is running.
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("traffic").required(true))]
pub(crate) struct Simulate {
    /// Another config to set beside it, such as the one in use.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Recorded exchanges, one JSON object a line; `-` reads standard input.
    #[arg(long, value_name = "FILE", group = "traffic")]
    pub(crate) records: Option<PathBuf>,
    /// Make up this many requests instead, like those of coding agents.
    #[arg(long, value_name = "REQUESTS", group = "traffic")]
    pub(crate) synthetic: Option<u64>,
    /// Models that made-up requests ask for [default: every alias, else the first model].
    #[arg(long, value_name = "MODEL", value_delimiter = ',', requires = "synthetic")]
    pub(crate) models: Vec<String>,
    /// Mean time between two made-up requests in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub(crate) every_ms: u64,
    /// Made-up sessions under way at once; 0 for requests without one.
    #[arg(long, default_value_t = 20)]
    pub(crate) sessions: u64,
    /// What chance is drawn from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Records {
    #[command(subcommand)]
    pub(crate) command: RecordsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordsCommand {
    /// Print them as JSON lines, oldest first.
    Export(RecordsExport),
}

#[derive(Args, Debug)]
pub(crate) struct RecordsExport {
    /// The file of records [default: the one the config names].
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Only exchanges since then: a moment such as `2026-03-01T12:00:00Z`, or how long ago, such
    /// as `90m`, `12h` or `7d`.
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Only the latest so many.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
}
