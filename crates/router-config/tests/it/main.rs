//! Tests of the public API on whole documents.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![expect(clippy::indexing_slicing, reason = "helpers of tests fail like tests")]
#![expect(clippy::disallowed_methods, reason = "the crate is pure, its tests read files")]

mod any;
mod bad;
mod diff;
mod env;
mod fields;
mod good;
mod reference;
mod schema;
mod secrets;
