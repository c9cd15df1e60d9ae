//! How soon a model's first output comes, as a moving average that rises at once.
//!
//! A sample above the average replaces it; a lower one pulls it down by an eighth. So one slow
//! answer is believed at once and forgiven slowly. After five minutes without a sample nothing is
//! known any more, so a target that was slow once is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::UnixMs;

/// Samples below this number say nothing.
const SAMPLES_MIN: u32 = 8;
/// Weight of a sample below the average.
const FALL: f64 = 0.125;
/// How long an average is believed without another sample.
const STALE: Duration = Duration::from_mins(5);

/// Time to first output of one model.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Latency {
    average_ms: f64,
    samples: u32,
    #[serde(default)]
    sampled_at: UnixMs,
}

impl Latency {
    /// Takes in one time to first output, in milliseconds.
    pub fn record(&mut self, ms: f64, now: UnixMs) {
        if !ms.is_finite() || ms < 0.0 {
            return;
        }
        if self.sampled_at.after(STALE) <= now {
            *self = Self::default();
        }
        self.sampled_at = now;
        self.samples = self.samples.saturating_add(1);
        self.average_ms =
            if ms > self.average_ms { ms } else { self.average_ms + FALL * (ms - self.average_ms) };
    }

    /// The average in milliseconds, once enough samples were taken in.
    pub fn settled(&self, now: UnixMs) -> Option<f64> {
        (self.samples >= SAMPLES_MIN && now < self.sampled_at.after(STALE))
            .then_some(self.average_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_believed_at_once_and_forgiven_slowly() {
        let mut latency = Latency::default();
        let now = UnixMs(1);
        for _ in 0..7 {
            latency.record(100.0, now);
            assert_eq!(latency.settled(now), None);
        }
        latency.record(100.0, now);
        assert_eq!(latency.settled(now), Some(100.0));
        latency.record(900.0, now);
        assert_eq!(latency.settled(now), Some(900.0));
        latency.record(100.0, now);
        assert_eq!(latency.settled(now), Some(800.0));
        latency.record(f64::NAN, now);
        assert_eq!(latency.settled(now), Some(800.0));
    }

    #[test]
    fn what_was_slow_long_ago_is_unknown() {
        let mut latency = Latency::default();
        for _ in 0..20 {
            latency.record(9_000.0, UnixMs(1));
        }
        let later = UnixMs(1).after(STALE);
        assert_eq!(latency.settled(later), None);
        latency.record(10.0, later);
        assert_eq!(latency.samples, 1);
    }
}
