//! Flags of `start`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::boolean;

/// Flags of `start`. What is not given comes from the environment, then from the config file.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Start {
    /// Address to listen on [default: 127.0.0.1].
    #[arg(long, env = "LLM_ROUTER_HOST", value_name = "ADDRESS", value_parser = host)]
    pub(crate) host: Option<IpAddr>,
    /// Port to listen on; 0 picks a free one [default: 8787].
    #[arg(long, env = "LLM_ROUTER_PORT")]
    pub(crate) port: Option<u16>,
    /// Apply changes of the config file while running [default: true].
    #[arg(long, alias = "watchConfig", env = "LLM_ROUTER_WATCH_CONFIG", value_name = "BOOL",
          num_args = 0..=1, default_missing_value = "true", value_parser = boolean)]
    pub(crate) watch_config: Option<bool>,
    /// Accept only clients that present the master key.
    #[arg(long, alias = "requireAuth", env = "LLM_ROUTER_REQUIRE_AUTH", value_name = "BOOL",
          num_args = 0..=1, default_missing_value = "true", value_parser = boolean)]
    pub(crate) require_auth: Option<bool>,
    /// Serve other machines although no master key is configured: anyone who can reach the
    /// address spends on your accounts.
    #[arg(long)]
    pub(crate) allow_unauthenticated: bool,
    /// Run with the built-in demo provider instead of a config file. Nothing leaves this machine.
    #[arg(long, conflicts_with = "config")]
    pub(crate) demo: bool,
    /// Hand over to the program's file when it holds another version [default: true].
    #[arg(long, alias = "watchBinary", env = "LLM_ROUTER_WATCH_BINARY", value_name = "BOOL",
          num_args = 0..=1, default_missing_value = "true", value_parser = boolean)]
    pub(crate) watch_binary: Option<bool>,
    /// What to call this router in `status`, `stop`, `reload` and `logs` [default: default].
    #[arg(long, value_parser = router_operator::instance::check_name)]
    pub(crate) name: Option<String>,
    /// Run in the background and return when it serves; `logs` shows what it says.
    #[arg(long)]
    pub(crate) background: bool,
    /// If a router of yours holds the port, stop it and take its place. Nothing else is stopped.
    #[arg(long)]
    pub(crate) reclaim: bool,
    /// Log to a file instead of standard error. It is set aside at 10 MiB; four older ones are kept.
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// This process is the one in the background.
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
    /// How much to log: error, warn, info, debug, trace, or a tracing filter.
    #[arg(long, env = "LLM_ROUTER_LOG", value_name = "LEVEL", default_value = "info")]
    pub(crate) log: String,
    /// How to log: `text` for people, `json` for programs.
    #[arg(long, env = "LLM_ROUTER_LOG_FORMAT", value_name = "FORMAT", default_value = "text",
          value_parser = ["text", "json"])]
    pub(crate) log_format: String,
}

/// An IP address, or `localhost`.
pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::from([127, 0, 0, 1]));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| "expected an IP address or localhost".to_owned())
}
