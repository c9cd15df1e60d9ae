//! Flags of `setup` and `ai-help`.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, builder::TypedValueParser};
use router_operator::tools::Tool;

/// How long a live check may take, as the older program had it.
const LIVE_TEST_MS: u64 = 6_000;
const LIVE_TEST_MS_MIN: u64 = 500;
const LIVE_TEST_MS_MAX: u64 = 60_000;

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Setup {
    /// The tool.
    #[arg(value_parser = PossibleValuesParser::new(Tool::ALL.map(Tool::name)).map(tool))]
    pub(crate) tool: Tool,
    /// The model or alias for ordinary work [default: the config's default model].
    #[arg(long, alias = "alias", value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The model or alias for small, quick tasks.
    #[arg(long, value_name = "NAME")]
    pub(crate) small_model: Option<String>,
    /// What Claude Code's Opus stands for.
    #[arg(long, value_name = "NAME")]
    pub(crate) opus: Option<String>,
    /// What Claude Code's Sonnet stands for.
    #[arg(long, value_name = "NAME")]
    pub(crate) sonnet: Option<String>,
    /// What Claude Code's Haiku stands for.
    #[arg(long, value_name = "NAME")]
    pub(crate) haiku: Option<String>,
    /// What Claude Code's subagents use.
    #[arg(long, value_name = "NAME")]
    pub(crate) subagent: Option<String>,
    /// Patch the settings of the project in the current directory, not the user's.
    #[arg(long)]
    pub(crate) project: bool,
    /// The router's address [default: that of the running router, else the config's].
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Show what would change, and change nothing.
    #[arg(long, alias = "dryRun", conflicts_with = "undo")]
    pub(crate) dry_run: bool,
    /// Put the settings back as they were.
    #[arg(long)]
    pub(crate) undo: bool,
    /// Do not ask the router afterwards whether it answers; that request costs a few tokens.
    #[arg(long)]
    pub(crate) no_check: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map`")]
fn tool(name: String) -> Tool {
    let found = Tool::ALL.into_iter().find(|tool| tool.name() == name);
    // The parser has let only these through.
    found.unwrap_or(Tool::ClaudeCode)
}

#[derive(Args, Debug)]
pub(crate) struct AiHelp {
    /// Ask the running router nothing.
    #[arg(long, alias = "skipLiveTest", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = super::boolean)]
    pub(crate) skip_live_test: Option<bool>,
    /// How long each question to the router may take, in milliseconds.
    #[arg(long, alias = "liveTestTimeoutMs", value_name = "MS", default_value_t = LIVE_TEST_MS,
          value_parser = clap::value_parser!(u64).range(LIVE_TEST_MS_MIN..=LIVE_TEST_MS_MAX))]
    pub(crate) live_test_timeout_ms: u64,
    /// The key to ask with [default: the one of the running router's config].
    #[arg(long, alias = "gatewayAuthToken", value_name = "KEY")]
    pub(crate) gateway_auth_token: Option<String>,
}

impl AiHelp {
    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_millis(self.live_test_timeout_ms)
    }
}
