//! The config file: schema, diagnostics, edits.
//!
//! This crate is pure. The host reads the file and hands in its text, together with a
//! [`Lookup`] for environment variables and secret files; [`load()`] answers with a [`Config`] and
//! with everything that is wrong with the text, all at once.
//!
//! ```text
//! text --json--> nodes with spans --read--> schema::File --resolve--> Config { catalog, upstreams, .. }
//!                      |                        |                        ^
//!                      +------ diagnostics -----+---- LLM_ROUTER_* ------+
//! ```

mod config;
mod diagnostic;
mod diff;
pub mod edit;
mod env;
mod headers;
mod json;
mod load;
mod names;
pub mod parse;
mod read;
mod resolve;
pub mod schema;
mod secret;
mod url;

pub use config::{
    Admin, AuthHeader, Config, Cors, Credential, Records, Server, State, StateBackend, Telemetry,
    Translation, Update, Upstream,
};
pub use diagnostic::{Diagnostic, Excerpt, Severity, render};
pub use diff::{Change, ChangeKind, diff};
pub use load::{Loaded, load};
pub use names::{nearest, slug};
pub use resolve::strategy_name;
pub use secret::{Lookup, MapLookup, NoLookup, Secret, resolve as find_secret};
pub use url::{BaseUrl, Operation};
