//! Names for requests.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

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
        RequestId { high: word(1), low: word(2) }
    }
}

/// The id of one exchange: `req_` and 24 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RequestId {
    high: u64,
    low: u64,
}

impl RequestId {
    /// A number to draw this exchange's jitter and choices from.
    pub(crate) fn seed(self) -> u64 {
        self.high ^ self.low.rotate_left(32)
    }

    /// The id as the `x-request-id` header.
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("req_unknown"))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "req_{:016x}{:08x}", self.high, self.low >> 32)
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
