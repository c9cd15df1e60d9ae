//! The native host: listens, dials, relays.

mod client;
