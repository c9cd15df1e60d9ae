//! Decisions: resolving, planning, limits and failure policy, without any I/O.
//!
//! The host hands in the time, a seed, the catalog and the state it read; the core answers with a
//! step and with state changes to store. Nothing here is async, reads a clock or draws a random
//! number, so the same code runs on tokio, on Workers and in a simulation.

pub mod catalog;
pub mod time;
