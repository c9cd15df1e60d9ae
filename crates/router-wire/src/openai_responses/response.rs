//! The whole answer of the Responses API.

mod read;
mod usage;
mod write;

pub use read::read;
pub(super) use read::{Item, Members, PHASE, item, lost, stop, upstream_error};
pub(super) use write::{State, flat, object};
pub use write::{echo, write};

#[cfg(test)]
mod tests;
