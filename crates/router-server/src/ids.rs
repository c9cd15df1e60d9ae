//! Names for requests.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use router_drive::RequestId;

/// Hands out request ids and seeds: unlike each other, and unlike those of another process.
#[derive(Debug)]
pub(crate) struct Ids {
    random: RandomState,
    count: AtomicU64,
}

impl Ids {
    /// Starts a sequence, seeded by the operating system.
    pub(crate) fn new() -> Self {
        Self { random: RandomState::new(), count: AtomicU64::new(0) }
    }

    /// The next id.
    pub(crate) fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let word = |salt: u64| {
            let mut hasher = self.random.build_hasher();
            hasher.write_u64(count);
            hasher.write_u64(salt);
            hasher.finish()
        };
        RequestId::new(word(1), word(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_have_one_length() {
        let ids = Ids::new();
        let (a, b) = (ids.next().to_string(), ids.next().to_string());
        assert_ne!(a, b);
        assert_eq!((a.len(), b.len()), (28, 28));
    }
}
