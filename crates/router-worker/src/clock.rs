//! The clock and the timers of Workers. The clock stands still while code runs and goes on with
//! every I/O, so that it measures waiting and not computing.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use router_core::time::UnixMs;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::WorkerGlobalScope;
use worker::send::SendWrapper;

/// A moment, as time since the Unix epoch.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Moment(Duration);

impl Moment {
    /// This moment.
    pub(crate) fn now() -> Self {
        // Half a millisecond more, so that no rounding makes one millisecond less of it.
        Self(Duration::try_from_secs_f64((js_sys::Date::now() + 0.5) / 1_000.0).unwrap_or_default())
    }

    /// This moment, as the core counts time.
    pub(crate) fn unix(self) -> UnixMs {
        UnixMs(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, more: Duration) -> Self {
        Self(self.0.saturating_add(more))
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The global object: `fetch` and timers.
pub(crate) fn global() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Resolves at a moment. The platform's timer is set when it is first waited for, so that a limit
/// which is never waited for costs nothing; one that is put off, as with every event of a stream,
/// keeps its timer and sets it anew when that fires too early.
pub(crate) struct Sleep {
    until: Moment,
    timer: Option<SendWrapper<Timer>>,
}

/// A timer of the platform; dropped, it is taken back.
struct Timer {
    at: Moment,
    shared: Rc<Shared>,
    /// `None` if the platform gave none; then it counts as fired.
    id: Option<i32>,
    /// What the platform calls.
    _call: Closure<dyn FnMut()>,
}

#[derive(Default)]
struct Shared {
    fired: Cell<bool>,
    /// Whoever waited last: a sleep may move to another task.
    waker: RefCell<Option<Waker>>,
}

impl Sleep {
    /// Resolves at `until`.
    pub(crate) const fn until(until: Moment) -> Self {
        Self { until, timer: None }
    }

    /// The same for another moment.
    pub(crate) fn reset(&mut self, until: Moment) {
        self.until = until;
        if self.timer.as_ref().is_some_and(|timer| until < timer.at) {
            self.timer = None;
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let now = Moment::now();
        let (until, left) = (self.until, self.until - now);
        if left.is_zero() {
            return Poll::Ready(());
        }
        // It may have fired for an earlier moment.
        let has_fired = |timer: &mut SendWrapper<Timer>| timer.shared.fired.get();
        if let Some(timer) = self.timer.take_if(has_fired)
            && (timer.id.is_none() || until <= timer.at)
        {
            return Poll::Ready(());
        }
        let start = || SendWrapper::new(Timer::start(until, left));
        let timer = self.timer.get_or_insert_with(start);
        let mut waker = timer.shared.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Timer {
    fn start(at: Moment, after: Duration) -> Self {
        let shared = Rc::<Shared>::default();
        let told = Rc::clone(&shared);
        let call = Closure::<dyn FnMut()>::new(move || {
            told.fired.set(true);
            let waker = told.waker.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        // A fraction of a millisecond too late is better than one too early. The longest the
        // platform knows is 24 days.
        let ms = i32::try_from(after.as_millis()).unwrap_or(i32::MAX).saturating_add(1);
        let id = global().set_timeout_with_callback_and_timeout_and_arguments_0(
            call.as_ref().unchecked_ref(),
            ms,
        );
        shared.fired.set(id.is_err());
        Self { at, shared, id: id.ok(), _call: call }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(id) = self.id.filter(|_| !self.shared.fired.get()) {
            global().clear_timeout_with_handle(id);
        }
    }
}

/// What JavaScript threw, in words.
pub(crate) fn words(thrown: &JsValue) -> String {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => thrown.as_string().unwrap_or_else(|| "an unknown error".to_owned()),
    }
}
