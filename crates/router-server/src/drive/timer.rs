//! Noticing silence on a stream, at the price of one timer per stream.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// What the silence calls for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Silence {
    /// The client should see a sign of life.
    Ping,
    /// The upstream is given up.
    Idle,
}

/// Measures silence. Activity only notes the time; the timer itself is moved when it fires.
#[derive(Debug)]
pub(crate) struct SilenceTimer {
    idle: Option<Duration>,
    ping: Option<Duration>,
    /// When the upstream last said something.
    heard: Instant,
    /// When the client last got something.
    told: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl SilenceTimer {
    /// Starts now. `None` or zero turns a limit off.
    pub(crate) fn new(idle: Option<Duration>, ping: Duration) -> Self {
        let now = Instant::now();
        let ping = Some(ping).filter(|ping| !ping.is_zero());
        let mut timer =
            Self { idle, ping, heard: now, told: now, sleep: Box::pin(sleep_until(now)) };
        let next = timer.next();
        timer.sleep.as_mut().reset(next);
        timer
    }

    /// The upstream said something and the client was told.
    pub(crate) fn heard(&mut self) {
        self.heard = Instant::now();
        self.told = self.heard;
    }

    /// From here on only `limit` of silence counts.
    pub(crate) fn end_after(&mut self, limit: Duration) {
        self.idle = Some(limit);
        self.ping = None;
        let next = self.next();
        self.sleep.as_mut().reset(next);
    }

    /// When the next limit is reached, if nothing happens.
    fn next(&self) -> Instant {
        // Far enough to never matter, near enough to not overflow.
        let never = Duration::from_hours(24 * 365);
        let idle = self.heard + self.idle.unwrap_or(never);
        let ping = self.told + self.ping.unwrap_or(never);
        idle.min(ping)
    }

    /// Resolves when a limit is reached.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Silence> {
        loop {
            std::task::ready!(self.sleep.as_mut().poll(cx));
            let now = Instant::now();
            if self.idle.is_some_and(|idle| self.heard + idle <= now) {
                return Poll::Ready(Silence::Idle);
            }
            let ping = self.ping.is_some_and(|ping| self.told + ping <= now);
            if ping {
                self.told = now;
            }
            let next = self.next();
            self.sleep.as_mut().reset(next);
            if ping {
                return Poll::Ready(Silence::Ping);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pings_come_before_the_end_and_activity_puts_both_off() {
        let start = Instant::now();
        let mut timer = SilenceTimer::new(Some(Duration::from_secs(10)), Duration::from_secs(4));
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Ping);
        assert_eq!(start.elapsed().as_secs(), 4);
        timer.heard();
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Ping);
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Ping);
        assert_eq!(start.elapsed().as_secs(), 12);
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Idle);
        assert_eq!(start.elapsed().as_secs(), 14);
    }
}
