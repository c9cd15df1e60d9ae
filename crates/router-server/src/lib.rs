//! The native host: listens, dials, relays.
