//! How fast and how much is asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Wait;

/// The span in which requests are counted.
const MINUTE: Duration = Duration::from_mins(1);

/// Requests that may still be sent, by everybody who shares it.
#[derive(Debug)]
pub struct Budget(AtomicU32);

impl Budget {
    /// A budget of so many requests.
    pub const fn new(requests: u32) -> Self {
        Self(AtomicU32::new(requests))
    }

    /// Takes one request; `false` if none is left.
    fn take(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Requests that are left.
    pub fn left(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The pace of one endpoint: at most so many requests in any minute. Once it has complained, they
/// are also spread evenly.
#[derive(Debug)]
pub struct Pace {
    per_minute: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the requests of the last minute were sent.
    sent: VecDeque<Instant>,
    is_spread: bool,
    not_before: Option<Instant>,
}

impl Pace {
    /// At most `per_minute` requests in any minute, and at least one.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: per_minute.max(1), state: Mutex::default() }
    }

    /// When the next request may be sent.
    fn next(&self, now: Instant) -> Instant {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.sent.front().is_some_and(|first| *first + MINUTE <= now) {
            state.sent.pop_front();
        }
        let count = usize::try_from(self.per_minute).unwrap_or(usize::MAX);
        let full = state.sent.front().filter(|_| state.sent.len() >= count);
        let full = full.map(|first| *first + MINUTE);
        let spread = state.sent.back().filter(|_| state.is_spread);
        let spread = spread.map(|last| *last + self.interval());
        [Some(now), full, spread, state.not_before].into_iter().flatten().max().unwrap_or(now)
    }

    fn interval(&self) -> Duration {
        MINUTE / self.per_minute
    }

    fn sent(&self, now: Instant) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).sent.push_back(now);
    }

    fn slow_down(&self, until: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_spread = true;
        state.not_before = state.not_before.max(Some(until));
    }
}

/// Gives out turns: the pace of one endpoint, and the budget of all.
#[derive(Clone, Copy, Debug)]
pub struct Pacer<'a> {
    /// The endpoint's pace.
    pub pace: &'a Pace,
    /// The budget of the whole operation.
    pub budget: &'a Budget,
}

impl Pacer<'_> {
    /// Waits until a request may be sent; `None` when the budget is spent.
    pub async fn turn(&self, on_wait: &(dyn Fn(Wait) + Sync)) -> Option<()> {
        if !self.budget.take() {
            return None;
        }
        let now = Instant::now();
        let next = self.pace.next(now);
        if now < next {
            on_wait(Wait { time: next - now, retry: 0, message: String::new() });
            tokio::time::sleep_until(next).await;
        }
        self.pace.sent(Instant::now());
        Some(())
    }

    /// The time between two requests that keeps the pace.
    pub(super) fn interval(&self) -> Duration {
        self.pace.interval()
    }

    /// The endpoint asked for a break.
    pub(super) fn slow_down(&self, wait: Duration) {
        self.pace.slow_down(Instant::now() + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `count` requests was sent, in seconds; the endpoint complains after `breaks`.
    async fn sent(per_minute: u32, count: usize, breaks: Option<(usize, u64)>) -> Vec<u64> {
        let (pace, budget) = (Pace::new(per_minute), Budget::new(100));
        let pacer = Pacer { pace: &pace, budget: &budget };
        let (start, mut out) = (Instant::now(), Vec::new());
        for number in 0..count {
            pacer.turn(&|_| {}).await.unwrap();
            out.push(start.elapsed().as_secs());
            if let Some((after, seconds)) = breaks
                && number == after
            {
                pacer.slow_down(Duration::from_secs(seconds));
            }
        }
        out
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_has_more_requests_than_allowed() {
        assert_eq!(sent(3, 7, None).await, [0, 0, 0, 60, 60, 60, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_complaint_the_break_is_kept_and_requests_are_spread() {
        assert_eq!(sent(30, 5, Some((1, 7))).await, [0, 0, 7, 9, 11]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_ends_it() {
        let (pace, budget) = (Pace::new(30), Budget::new(2));
        let pacer = Pacer { pace: &pace, budget: &budget };
        for expect in [Some(()), Some(()), None] {
            assert_eq!(pacer.turn(&|_| {}).await, expect);
        }
        assert_eq!(budget.left(), 0);
    }
}
