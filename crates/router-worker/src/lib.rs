//! The Cloudflare Worker: the same life of a request on the edge.
//!
//! ```text
//!   fetch -> isolate (config, parsed once) -> router_drive::handle -> Response, streamed
//!              |                                |
//!              |                       host: clock, fetch, timers
//!              +-- objects -----------> Owner, one Durable Object for each provider
//! ```
//!
//! On other targets this crate is what an owner decides, and its tests.

pub mod owner;
pub mod protocol;

#[cfg(target_arch = "wasm32")]
mod clock;
#[cfg(target_arch = "wasm32")]
mod config;
#[cfg(target_arch = "wasm32")]
pub mod entry;
#[cfg(target_arch = "wasm32")]
mod glue;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod incoming;
#[cfg(target_arch = "wasm32")]
mod isolate;
#[cfg(target_arch = "wasm32")]
pub mod object;
#[cfg(target_arch = "wasm32")]
mod objects;
#[cfg(target_arch = "wasm32")]
mod outgoing;
#[cfg(target_arch = "wasm32")]
mod upstream;
