//! Anthropic Messages, as the SDKs' typed models describe it, versions `2023-06-01` and
//! `2026-10-21`.

pub mod request;
