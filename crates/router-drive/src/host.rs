//! What a host brings: time, upstream connections, state, and an ear for what happened.

use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::{Add, Sub};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use router_core::catalog::ModelRef;
use router_core::failure::Failure;
use router_core::plan::{Plan, RequestFacts};
use router_core::resolve::Route;
use router_core::state::{Refused, Settlement};
use router_core::time::UnixMs;
use router_wire::Dialect;
use router_wire::error::ClientError;

use crate::body::Payload;
use crate::drive::Job;
use crate::ended::Ended;
use crate::keep::Kept;
use crate::snapshot::Snapshot;

/// Time as a host tells it.
pub trait Clock: Send + Sync + Sized + 'static {
    /// A moment of a clock that never goes back.
    type Instant: Copy
        + fmt::Debug
        + Ord
        + Send
        + Sync
        + Unpin
        + Add<Duration, Output = Self::Instant>
        + Sub<Output = Duration>;
    /// Resolves at a moment.
    type Sleep: Future<Output = ()> + fmt::Debug + Send;

    /// The time.
    fn now() -> UnixMs;
    /// The moment.
    fn instant() -> Self::Instant;
    /// A timer.
    fn sleep_until(moment: Self::Instant) -> Self::Sleep;
    /// Sets a timer anew, whether or not it has resolved.
    fn reset(sleep: Pin<&mut Self::Sleep>, moment: Self::Instant);
}

/// One request's view of its host: the config it began with and everything shared.
///
/// Cheap to clone. A state operation gets a plan and a position in it, and asks the core's
/// [`State`](router_core::state::State) with the table of [`Host::snapshot`], wherever that state
/// lives.
pub trait Host: Clock + Clone + fmt::Debug + Unpin {
    /// An answer's body. Dropped before its end, it cancels the call.
    type Body: Body<Data = Bytes, Error = Self::BodyError> + fmt::Debug + Send + Unpin;
    /// Why an answer's body broke off.
    type BodyError: fmt::Display + Send + 'static;
    /// A call that was counted and must be settled exactly once.
    type Reservation: fmt::Debug + Send + Unpin;
    /// What the host notes of an exchange while it goes on.
    type Notes: fmt::Debug + Send + Unpin;

    /// Whether plans may be made from an old view of the state. Then a request whose whole plan is
    /// refused before any call is planned once more.
    const VIEW_MAY_BE_OLD: bool;

    /// The config the request began with.
    fn snapshot(&self) -> &Snapshot;
    /// State of tool calls that clients cannot carry themselves.
    fn kept(&self) -> &Kept;

    /// Sends a request; resolves when the head of the answer has come. Redirects are not followed
    /// and bodies are not decompressed.
    fn send(
        &self,
        request: Request<Payload>,
        connect: Option<Duration>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Failure>> + Send;

    /// Why a body broke off, in words.
    fn words(error: &Self::BodyError) -> String {
        error.to_string()
    }

    /// Input tokens of a request that no upstream counts. `model` is the one the client named, or
    /// empty. The error is the client's: its body cannot be read.
    fn count_tokens(
        &self,
        dialect: Dialect,
        model: &str,
        body: &Bytes,
    ) -> impl Future<Output = Result<u64, ClientError>> + Send;

    /// Plans a request and takes its turn in the rotation.
    fn plan(&self, route: &Route, facts: &RequestFacts) -> impl Future<Output = Plan> + Send;

    /// Counts a request in all limits of its client key, or in none; `None` where nothing of the key
    /// is capped. Settled when the request is over.
    fn admit(
        &self,
        plan: &Plan,
    ) -> impl Future<Output = Result<Option<Self::Reservation>, Refused>> + Send;

    /// What a model is known not to take.
    fn unfit(&self, model: ModelRef) -> Vec<String>;

    /// A model does not take this member of a request.
    fn learn_unfit(&self, model: ModelRef, parameter: &str);

    /// Counts a call of the plan's candidate `index` in all its buckets, or in none.
    fn reserve(
        &self,
        plan: &Plan,
        index: usize,
    ) -> impl Future<Output = Result<Self::Reservation, Refused>> + Send;

    /// The call produced its first output; `first_output` is how long after it was sent.
    fn commit(&self, reservation: &mut Self::Reservation, first_output: Option<Duration>);

    /// Ends a call.
    fn settle(&self, reservation: Self::Reservation, how: &Settlement);

    /// An exchange begins.
    fn begun(&self, job: &Job<Self>) -> Self::Notes;

    /// A candidate was passed over although it was planned.
    fn refused(&self, plan: &Plan, index: usize, refused: &Refused);

    /// The exchange is over. Called exactly once for each that began.
    fn ended(&self, notes: Self::Notes, ended: &Ended<'_>);

    /// A request got the head of its answer.
    fn answered(&self, status: u16);

    /// Where limits are counted, if that is not where an operator expects it. Told in `/ready`
    /// and, with debug on, in a header.
    fn caveat(&self) -> Option<&'static str> {
        None
    }
}

/// What `future` gives before `deadline`; `None` after it.
pub async fn within<C: Clock, T>(
    deadline: Option<C::Instant>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let Some(deadline) = deadline else { return Some(future.await) };
    let mut future = pin!(future);
    let mut sleep = pin!(C::sleep_until(deadline));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        sleep.as_mut().poll(cx).map(|()| None)
    })
    .await
}
