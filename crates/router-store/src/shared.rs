//! The state and the lock around it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use router_core::state::State;

/// What requests and the thread that writes behind them share.
///
/// Requests hold the lock for a few hundred nanoseconds, a writer while it copies the state. A
/// plain mutex, as nobody waits for anything while holding it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) state: State,
    /// Settled calls, to clean up now and then.
    pub(crate) calls: u32,
}

impl Shared {
    /// A panic while the lock was held leaves counters that are at worst one call off.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
