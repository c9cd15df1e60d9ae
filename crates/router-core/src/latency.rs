//! How soon a model's first output comes, as a moving average that rises at once.
//!
//! A sample above the average replaces it; a lower one pulls it down by an eighth. So one slow
//! answer is believed at once and forgiven slowly.

use serde::{Deserialize, Serialize};

/// Samples below this number say nothing.
const SAMPLES_MIN: u32 = 8;
/// Weight of a sample below the average.
const FALL: f64 = 0.125;

/// Time to first output of one model.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Latency {
    average_ms: f64,
    samples: u32,
}

impl Latency {
    /// Takes in one time to first output, in milliseconds.
    pub fn record(&mut self, ms: f64) {
        if !ms.is_finite() || ms < 0.0 {
            return;
        }
        self.samples = self.samples.saturating_add(1);
        self.average_ms =
            if ms > self.average_ms { ms } else { self.average_ms + FALL * (ms - self.average_ms) };
    }

    /// The average in milliseconds, once enough samples were taken in.
    pub fn settled(&self) -> Option<f64> {
        (self.samples >= SAMPLES_MIN).then_some(self.average_ms)
    }

    /// Samples taken in.
    pub const fn samples(&self) -> u32 {
        self.samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_believed_at_once_and_forgiven_slowly() {
        let mut latency = Latency::default();
        for _ in 0..7 {
            latency.record(100.0);
            assert_eq!(latency.settled(), None);
        }
        latency.record(100.0);
        assert_eq!(latency.settled(), Some(100.0));
        latency.record(900.0);
        assert_eq!(latency.settled(), Some(900.0));
        latency.record(100.0);
        assert_eq!(latency.settled(), Some(800.0));
        latency.record(f64::NAN);
        assert_eq!(latency.settled(), Some(800.0));
    }
}
