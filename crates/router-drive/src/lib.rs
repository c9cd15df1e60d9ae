//! The life of a request, whoever hosts it: the native server or a Cloudflare Worker.
//!
//! ```text
//!   handle -> inbound (who asks, what for) -> drive (the core's steps, carried out) -> ReplyBody
//!                 |                             |
//!                 +----------- Host ------------+   clock, timers, upstream calls, state, counting
//! ```
//!
//! Async without a runtime: whatever has to be waited for comes from the [`Host`], and the host
//! polls. A host is a type parameter, so that each gets code of its own and pays nothing for the
//! other.

mod body;
mod drive;
mod ended;
mod host;
mod ids;
mod inbound;
mod keep;
mod reply;
mod session;
mod snapshot;
mod translation;

pub use body::Payload;
pub use drive::{Job, estimate};
pub use ended::Ended;
pub use host::{Clock, Host, within};
pub use ids::RequestId;
pub use inbound::auth::{Caller, presents};
pub use inbound::handle;
pub use keep::Kept;
pub use reply::ReplyBody;
pub use snapshot::Snapshot;
