//! Noticing silence on a stream, at the price of one timer per stream.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::host::Clock;

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
pub(crate) struct SilenceTimer<C: Clock> {
    idle: Option<Duration>,
    ping: Option<Duration>,
    /// When the upstream last said something.
    heard: C::Instant,
    /// When the client last got something.
    told: C::Instant,
    sleep: Pin<Box<C::Sleep>>,
}

impl<C: Clock> SilenceTimer<C> {
    /// Starts now. `None` or zero turns a limit off.
    pub(crate) fn new(idle: Option<Duration>, ping: Duration) -> Self {
        let now = C::instant();
        let ping = Some(ping).filter(|ping| !ping.is_zero());
        let mut timer =
            Self { idle, ping, heard: now, told: now, sleep: Box::pin(C::sleep_until(now)) };
        let next = timer.next();
        C::reset(timer.sleep.as_mut(), next);
        timer
    }

    /// The upstream said something.
    pub(crate) fn heard(&mut self) {
        self.heard = C::instant();
    }

    /// The client got what the upstream said last. Not all of it is for the client: thinking it
    /// does not want to see keeps the upstream busy for minutes.
    pub(crate) const fn told(&mut self) {
        self.told = self.heard;
    }

    /// From here on only `limit` of silence counts.
    pub(crate) fn end_after(&mut self, limit: Duration) {
        self.idle = Some(limit);
        self.ping = None;
        let next = self.next();
        C::reset(self.sleep.as_mut(), next);
    }

    /// When the next limit is reached, if nothing happens.
    fn next(&self) -> C::Instant {
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
            let now = C::instant();
            if self.idle.is_some_and(|idle| self.heard + idle <= now) {
                return Poll::Ready(Silence::Idle);
            }
            let ping = self.ping.is_some_and(|ping| self.told + ping <= now);
            if ping {
                self.told = now;
            }
            let next = self.next();
            C::reset(self.sleep.as_mut(), next);
            if ping {
                return Poll::Ready(Silence::Ping);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use router_core::time::UnixMs;
    use tokio::time::Instant;

    use super::*;

    struct Paused;

    impl Clock for Paused {
        type Instant = Instant;
        type Sleep = tokio::time::Sleep;

        fn now() -> UnixMs {
            UnixMs(0)
        }

        fn instant() -> Instant {
            Instant::now()
        }

        fn sleep_until(moment: Instant) -> Self::Sleep {
            tokio::time::sleep_until(moment)
        }

        fn reset(sleep: Pin<&mut Self::Sleep>, moment: Instant) {
            sleep.reset(moment);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pings_come_before_the_end_and_activity_puts_both_off() {
        let start = Instant::now();
        let mut timer =
            SilenceTimer::<Paused>::new(Some(Duration::from_secs(10)), Duration::from_secs(4));
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Ping);
        assert_eq!(start.elapsed().as_secs(), 4);
        timer.heard();
        timer.told();
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Ping);
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Ping);
        assert_eq!(start.elapsed().as_secs(), 12);
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Idle);
        assert_eq!(start.elapsed().as_secs(), 14);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_client_does_not_get_puts_no_ping_off() {
        let start = Instant::now();
        let mut timer =
            SilenceTimer::<Paused>::new(Some(Duration::from_secs(10)), Duration::from_secs(4));
        for second in 1..=3 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(start.elapsed().as_secs(), second);
            timer.heard();
        }
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Ping);
        assert_eq!(start.elapsed().as_secs(), 4);
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Ping);
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Ping);
        assert_eq!(poll_fn(|cx| timer.poll(cx)).await, Silence::Idle);
        assert_eq!(start.elapsed().as_secs(), 13);
    }
}
