//! The prompt cache: which prefixes the provider has seen before.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::ask::{Ask, CacheMark, Usage};

/// The shortest prefix the cache keeps, as with the real vendors.
pub const CACHED_TOKENS_MIN: u64 = 1024;

/// Prefixes remembered; the oldest go first.
const PREFIXES_MAX: usize = 8192;

/// Prefixes by their hash. Each request takes the lock once, for a few look-ups.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    known: BTreeSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Seen {
    fn insert(&mut self, hash: [u8; 32]) {
        if self.known.insert(hash) {
            self.order.push_back(hash);
        }
        if self.order.len() > PREFIXES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl Cache {
    /// Divides the prompt of `ask` into fresh, read and written tokens, and
    /// remembers its prefixes for the next request.
    pub(crate) fn account(&self, ask: &Ask) -> Usage {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hash = Sha256::new_with_prefix(&ask.model);
        let (mut total, mut read, mut written, mut hour) = (0, 0, 0, 0);
        let mut fresh = Vec::new();
        let last_mark = ask.segments.iter().rposition(|one| one.mark != CacheMark::None);
        for (index, segment) in ask.segments.iter().enumerate() {
            hash.update(segment.content.as_bytes());
            hash.update([0]);
            total += segment.tokens;
            let point: [u8; 32] = hash.clone().finalize().into();
            let counts = !ask.marks_only || last_mark.is_some_and(|last| index <= last);
            if total < CACHED_TOKENS_MIN || !counts {
                continue;
            }
            if seen.known.contains(&point) {
                read = total;
            }
            if !ask.marks_only || segment.mark != CacheMark::None {
                fresh.push(point);
            }
            if segment.mark != CacheMark::None {
                written = total;
            }
            if segment.mark == CacheMark::Hour {
                hour = total;
            }
        }
        for point in fresh {
            seen.insert(point);
        }
        let write = written.saturating_sub(read);
        Usage {
            input: total - read - write,
            read,
            write,
            write_hour: hour.saturating_sub(read),
            ..Usage::default()
        }
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
    }
}
