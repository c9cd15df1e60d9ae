//! A circuit stops sending to something that keeps failing.
//!
//! It owns no clock and no timer: callers pass `now`.
//!
//! ```text
//!            `failures` failing exchanges in a row
//!   closed ------------------------------------------> open until T
//!     ^                                                 |       ^
//!     | success                                  T <= now       | failure
//!     +---------------- half-open: one probe at a time <--------+
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalog::CircuitPolicy;
use crate::time::UnixMs;

/// How long a probe keeps others out if its end is never reported.
const PROBE_LEASE: Duration = Duration::from_mins(1);
/// A failure older than this many open times no longer counts as "in a row".
const MEMORY: u32 = 10;

/// The state of one circuit; the default is closed without a failure.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Circuit {
    failures: u32,
    failed_at: UnixMs,
    open_until: Option<UnixMs>,
    #[serde(skip)]
    probe_until: Option<UnixMs>,
}

/// Whether something may be sent through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gate {
    /// Yes.
    Closed,
    /// Yes, as the one probe.
    HalfOpen,
    /// Not before this moment.
    Open(UnixMs),
    /// Not while a probe is under way; its lease ends at this moment.
    Probing(UnixMs),
}

impl Circuit {
    /// Whether something may be sent through at `now`.
    pub fn gate(&self, now: UnixMs) -> Gate {
        match (self.open_until, self.probe_until) {
            (None, _) => Gate::Closed,
            (Some(until), _) if now < until => Gate::Open(until),
            (Some(_), Some(lease)) if now < lease => Gate::Probing(lease),
            (Some(_), _) => Gate::HalfOpen,
        }
    }

    /// Failing exchanges in a row, not counting those long past.
    pub fn failures(&self, policy: &CircuitPolicy, now: UnixMs) -> u32 {
        let long_past = self.failed_at.after(policy.cooldown.saturating_mul(MEMORY));
        if now < long_past { self.failures } else { 0 }
    }

    /// A probe starts.
    pub fn on_probe(&mut self, now: UnixMs) {
        self.probe_until = Some(now.after(PROBE_LEASE));
    }

    /// A probe ended without telling anything.
    pub const fn on_probe_released(&mut self) {
        self.probe_until = None;
    }

    /// An exchange that started at `started` failed.
    pub fn on_failure(&mut self, policy: &CircuitPolicy, started: UnixMs, now: UnixMs) {
        if policy.failures == 0 || policy.cooldown.is_zero() {
            return;
        }
        // A straggler admitted before the circuit opened tells nothing more, and must not
        // lengthen the time it stays open.
        if self.open_until.is_some() && started <= self.failed_at && self.probe_until.is_none() {
            return;
        }
        self.failures = self.failures(policy, now).saturating_add(1);
        self.failed_at = now;
        if self.failures >= policy.failures || self.open_until.is_some() {
            self.open_until = Some(now.after(policy.cooldown));
        }
        self.probe_until = None;
    }

    /// An exchange that started at `started` had its first output. That lets others through, but
    /// only a whole answer is a success: what always breaks half way must not look well.
    pub fn on_commit(&mut self, policy: &CircuitPolicy, started: UnixMs) {
        if self.open_until.is_some() && started >= self.failed_at {
            self.open_until = None;
            self.probe_until = None;
            self.failures = self.failures.min(policy.failures.saturating_sub(1));
        }
    }

    /// An exchange that started at `started` succeeded.
    pub fn on_success(&mut self, started: UnixMs) {
        if self.open_until.is_none() || started >= self.failed_at {
            *self = Self::default();
        }
    }

    /// Until when it is open, or was before its probe; `None` while it is closed.
    pub const fn tripped(&self) -> Option<UnixMs> {
        self.open_until
    }

    /// Another router opened the same circuit at `since`.
    pub fn on_told(&mut self, until: UnixMs, since: UnixMs) {
        if self.open_until.is_none_or(|held| held < until) {
            self.open_until = Some(until);
            self.failed_at = self.failed_at.max(since);
            self.probe_until = None;
        }
    }

    /// Whether nothing would be lost by forgetting this circuit.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `script` against a circuit of two failures and thirty seconds: `x` an exchange
    /// fails, `.` one succeeds, `p` one is let through and not ended, a digit waits that many
    /// times ten seconds. What is not let through is skipped.
    #[track_caller]
    fn check(script: &str, expect: Gate) {
        let policy = CircuitPolicy { failures: 2, cooldown: Duration::from_secs(30) };
        let (mut circuit, mut now) = (Circuit::default(), UnixMs(1_000));
        for step in script.chars() {
            if let Some(tens) = step.to_digit(10) {
                now = now.after(Duration::from_secs(u64::from(tens) * 10));
                continue;
            }
            match circuit.gate(now) {
                Gate::Open(_) | Gate::Probing(_) => continue,
                Gate::HalfOpen => circuit.on_probe(now),
                Gate::Closed => {}
            }
            match step {
                'x' => circuit.on_failure(&policy, now, now),
                '.' => circuit.on_success(now),
                _ => {}
            }
        }
        assert_eq!(circuit.gate(now), expect, "after {script:?}");
    }

    #[test]
    fn d33_one_probe_decides_after_the_open_time() {
        check("x", Gate::Closed);
        check("x.x", Gate::Closed);
        check("xx", Gate::Open(UnixMs(31_000)));
        check("xx3", Gate::HalfOpen);
        check("xx3p", Gate::Probing(UnixMs(91_000)));
        check("xx3.", Gate::Closed);
        check("xx3.x", Gate::Closed);
        check("xx3x", Gate::Open(UnixMs(61_000)));
    }

    #[test]
    fn d33_old_failures_are_forgotten() {
        check("x9999x", Gate::Closed);
        check("x1x", Gate::Open(UnixMs(41_000)));
    }

    #[test]
    fn a_probe_that_never_ends_does_not_keep_others_out_for_ever() {
        check("xx3p6", Gate::HalfOpen);
    }

    #[test]
    fn a_straggler_neither_lengthens_nor_ends_the_open_time() {
        let policy = CircuitPolicy { failures: 2, cooldown: Duration::from_secs(30) };
        let mut circuit = Circuit::default();
        circuit.on_failure(&policy, UnixMs(10), UnixMs(20));
        circuit.on_failure(&policy, UnixMs(10), UnixMs(30));
        circuit.on_failure(&policy, UnixMs(10), UnixMs(20_000));
        assert_eq!(circuit.gate(UnixMs(25_000)), Gate::Open(UnixMs(30_030)));
        circuit.on_success(UnixMs(10));
        assert_eq!(circuit.gate(UnixMs(25_000)), Gate::Open(UnixMs(30_030)));
    }

    #[test]
    fn what_breaks_half_way_time_and_again_opens_the_circuit() {
        let policy = CircuitPolicy { failures: 2, cooldown: Duration::from_secs(30) };
        let mut circuit = Circuit::default();
        for second in [1, 2] {
            let now = UnixMs(second * 1_000);
            circuit.on_commit(&policy, now);
            assert_eq!(circuit.gate(now), Gate::Closed);
            circuit.on_failure(&policy, now, now.after(Duration::from_millis(10)));
        }
        let probed = UnixMs(40_000);
        assert_eq!(circuit.gate(probed), Gate::HalfOpen);
        circuit.on_probe(probed);
        circuit.on_commit(&policy, probed);
        assert_eq!(circuit.gate(probed), Gate::Closed, "others need not wait for a long answer");
        circuit.on_failure(&policy, probed, UnixMs(41_000));
        assert_eq!(circuit.gate(UnixMs(41_000)), Gate::Open(UnixMs(71_000)));
    }

    #[test]
    fn zero_turns_circuits_off() {
        for policy in [
            CircuitPolicy { failures: 0, cooldown: Duration::from_secs(30) },
            CircuitPolicy { failures: 2, cooldown: Duration::ZERO },
        ] {
            let mut circuit = Circuit::default();
            for _ in 0..9 {
                circuit.on_failure(&policy, UnixMs(1), UnixMs(1));
            }
            assert_eq!(circuit.gate(UnixMs(1)), Gate::Closed);
        }
    }
}
