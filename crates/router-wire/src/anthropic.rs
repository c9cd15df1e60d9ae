//! Anthropic Messages, as the SDKs' typed models describe it, versions `2023-06-01` and
//! `2026-10-21`.

pub mod request;
pub mod response;
mod stop;
pub mod stream;
pub mod turn;
mod usage;

/// The vendor whose opaque state Messages clients carry as it is.
const VENDOR: &str = "anthropic";
