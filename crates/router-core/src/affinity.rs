//! Which target each session is on.
//!
//! A session's target holds its prompt cache, so the next request of the session should go
//! there. The table is bounded by number and by idle time; the longest idle go first.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::AffinityPolicy;
use crate::time::UnixMs;

/// A session on one route, as a 64-bit name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct PinKey(pub u64);

/// Where a session is. Positions are those of the state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pin {
    pub place: super::state::Place,
    pub used_at: UnixMs,
    /// Input tokens of its last request: what the target's cache may hold.
    pub tokens: u64,
}

/// All sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Affinity {
    pins: BTreeMap<PinKey, Pin>,
    /// The same, longest idle first.
    idle: BTreeSet<(UnixMs, PinKey)>,
}

impl Affinity {
    pub(crate) fn get(&self, key: PinKey, policy: &AffinityPolicy, now: UnixMs) -> Option<&Pin> {
        self.pins.get(&key).filter(|pin| now < pin.used_at.after(policy.ttl))
    }

    /// Where the session was last sent, however long ago.
    pub(crate) fn known(&self, key: PinKey) -> Option<&Pin> {
        self.pins.get(&key)
    }

    /// Notes that the session was sent to `place`; `None` tokens keep what is known.
    pub(crate) fn set(
        &mut self,
        key: PinKey,
        place: super::state::Place,
        tokens: Option<u64>,
        policy: &AffinityPolicy,
        now: UnixMs,
    ) {
        let mut pin = Pin { place, used_at: now, tokens: tokens.unwrap_or(0) };
        if let Some(old) = self.pins.get(&key) {
            self.idle.remove(&(old.used_at, key));
            if tokens.is_none() && old.place == place {
                pin.tokens = old.tokens;
            }
        }
        self.pins.insert(key, pin);
        self.idle.insert((now, key));
        self.trim(policy, now);
    }

    /// Forgets sessions idle for too long, and the longest idle while there are too many.
    pub(crate) fn trim(&mut self, policy: &AffinityPolicy, now: UnixMs) {
        while let Some(&(used_at, key)) = self.idle.first() {
            let stale = used_at.after(policy.ttl) <= now;
            if !stale && self.pins.len() <= policy.sessions_max {
                break;
            }
            self.idle.remove(&(used_at, key));
            self.pins.remove(&key);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PinKey, &Pin)> {
        self.pins.iter().map(|(key, pin)| (*key, pin))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::state::Place;

    #[test]
    fn the_table_is_bounded_and_the_longest_idle_go_first() {
        let policy = AffinityPolicy { hash: false, ttl: Duration::from_mins(1), sessions_max: 3 };
        let mut table = Affinity::default();
        for n in 0..5 {
            table.set(PinKey(n), Place::default(), Some(1), &policy, UnixMs(n));
        }
        let kept: Vec<_> = table.iter().map(|(key, _)| key.0).collect();
        assert_eq!(kept, [2, 3, 4]);
        table.set(PinKey(2), Place::default(), None, &policy, UnixMs(10));
        table.set(PinKey(9), Place::default(), None, &policy, UnixMs(11));
        let kept: Vec<_> = table.iter().map(|(key, _)| key.0).collect();
        assert_eq!(kept, [2, 4, 9]);
        assert_eq!(table.get(PinKey(2), &policy, UnixMs(60_009)).map(|pin| pin.tokens), Some(1));
        assert!(table.get(PinKey(2), &policy, UnixMs(60_010)).is_none());
        table.trim(&policy, UnixMs(60_010));
        assert_eq!(table.pins.len(), 1);
        assert_eq!(table.idle.len(), table.pins.len());
    }
}
