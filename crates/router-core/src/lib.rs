//! Decisions: resolving, planning, limits and failure policy, without any I/O.
//!
//! The host hands in the time, a seed, the catalog and the state it read; the core answers with a
//! step and with state changes to store. Nothing here is async, reads a clock or draws a random
//! number, so the same code runs on tokio, on Workers and in a simulation.
//!
//! ```text
//!   resolve(catalog, name) -> Route
//!   plan(view, route, facts, now) -> Plan            state.accept(&plan)
//!   Exchange::new(plan, ..).step(now) -> Step
//!     Dial  state.reserve(..) -> Reservation   (refused: on_refused)
//!           failed before output: on_failure -> settle, next step
//!           first output:         on_commit, state.commit
//!     Wait  step again later
//!     Relay copy; at the end on_end -> settle
//!     Fail  tell the client
//! ```

mod affinity;
pub mod backoff;
pub mod bucket;
pub mod catalog;
pub mod circuit;
pub mod cooldown;
pub mod exchange;
pub mod explain;
pub mod failure;
pub mod latency;
mod num;
pub mod plan;
pub mod resolve;
pub mod seed;
pub mod session;
pub mod simulate;
pub mod state;
#[cfg(test)]
mod testing;
pub mod time;
pub mod window;
mod zone;

pub use exchange::{Exchange, Step};
pub use plan::{Plan, RequestFacts, plan};
pub use resolve::{Route, resolve};
pub use state::{State, Table};
pub use time::UnixMs;
