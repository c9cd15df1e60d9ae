//! The time, for threads that nobody hands it to.

use std::time::{SystemTime, UNIX_EPOCH};

use router_core::time::UnixMs;

/// Now.
pub(crate) fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
