//! How long to wait before the same candidate is tried again.

use std::time::Duration;

use crate::catalog::Retry;
use crate::seed::Seed;

/// Delay after failed attempt number `attempt` (from 1) on one candidate: the base doubled with
/// each attempt up to the maximum, times a number between a half and one.
pub fn delay(policy: &Retry, attempt: u32, seed: &mut Seed) -> Duration {
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
    let full = policy.base_delay.saturating_mul(doubled).min(policy.max_delay);
    full.mul_f64(f64::midpoint(1.0, seed.unit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_with_jitter_up_to_the_maximum() {
        let policy = Retry::default();
        let mut seed = Seed::new(3);
        for (attempt, full) in [(1, 250), (2, 500), (3, 1_000), (9, 3_000), (u32::MAX, 3_000)] {
            for _ in 0..50 {
                let ms = delay(&policy, attempt, &mut seed).as_millis();
                assert!((full / 2..=full).contains(&ms), "attempt {attempt}: {ms} ms");
            }
        }
    }
}
