//! The edge as a host of the shared life of a request: the platform's clock, timers and `fetch`,
//! and the state where its owners keep it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use router_core::catalog::{Catalog, ModelRef};
use router_core::exchange::Outcome;
use router_core::failure::Failure;
use router_core::plan::{self, Plan, RequestFacts};
use router_core::resolve::Route;
use router_core::state::{self, Refused, Settlement};
use router_core::time::UnixMs;
use router_drive::{Clock, Ended, Host, Job, Kept, Payload, Snapshot};
use router_wire::Dialect;
use router_wire::error::ClientError;
use router_wire::translate::{RequestExtra, estimate_tokens};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;
use worker::Env;
use worker::send::{SendFuture, SendWrapper};
use worker::worker_sys::Context;

use crate::clock::{Moment, Sleep};
use crate::incoming::{Broken, Incoming};
use crate::isolate::isolate;
use crate::objects::{self, Counted, Free, Owners};
use crate::upstream;

/// What an operator should know where there is no namespace of owners.
const ALONE: &str = "limits are counted in the memory of each isolate: bind a Durable Object \
                     namespace as PROVIDERS";

/// A request's config and what the platform gave with it.
#[derive(Clone)]
pub(crate) struct Edge {
    snapshot: Arc<Snapshot>,
    /// `None` where no namespace is bound.
    owners: Option<Owners>,
    context: Arc<SendWrapper<Context>>,
}

/// A call, or a request of a client key, that was counted.
#[derive(Debug)]
pub(crate) enum Reservation {
    /// By its owner.
    Owned(Counted),
    /// By nobody, as nothing limits it. Its owner hears of it.
    Free(Box<Free>),
    /// By this isolate, as there is no owner or it cannot be asked.
    Alone(state::Reservation),
}

impl Edge {
    pub(crate) fn new(snapshot: Arc<Snapshot>, env: &Env, context: Context) -> Self {
        let owners = Owners::bound(env);
        Self { snapshot, owners, context: Arc::new(SendWrapper::new(context)) }
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.snapshot.config.catalog
    }

    pub(crate) fn table(&self) -> &state::Table {
        &self.snapshot.table
    }

    /// Has the platform wait for `future` even if the client does not.
    pub(crate) fn wait_until(&self, future: impl Future<Output = ()> + 'static) {
        let promise = future_to_promise(async move {
            future.await;
            Ok(JsValue::UNDEFINED)
        });
        // It only fails for a request that is already over.
        let _ = self.context.wait_until(&promise);
    }

    fn planned(&self, route: &Route, facts: &RequestFacts) -> Plan {
        plan::plan(&isolate().state().view(&self.snapshot.table), route, facts, Self::now())
    }
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").finish_non_exhaustive()
    }
}

impl Clock for Edge {
    type Instant = Moment;
    type Sleep = Sleep;

    fn now() -> UnixMs {
        Moment::now().unix()
    }

    fn instant() -> Moment {
        Moment::now()
    }

    fn sleep_until(moment: Moment) -> Sleep {
        Sleep::until(moment)
    }

    fn reset(sleep: Pin<&mut Sleep>, moment: Moment) {
        sleep.get_mut().reset(moment);
    }
}

impl Host for Edge {
    type Body = Incoming;
    type BodyError = Broken;
    type Reservation = Reservation;
    type Notes = ();

    const VIEW_MAY_BE_OLD: bool = true;

    fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    fn kept(&self) -> &Kept {
        &isolate().kept
    }

    /// The platform connects as it sees fit: only the limit of the first byte counts.
    fn send(
        &self,
        request: Request<Payload>,
        _: Option<Duration>,
    ) -> impl Future<Output = Result<Response<Incoming>, Failure>> + Send {
        SendFuture::new(upstream::send(request))
    }

    /// Four bytes a token: a tokenizer's vocabulary is larger than a Worker may be.
    async fn count_tokens(
        &self,
        dialect: Dialect,
        model: &str,
        body: &Bytes,
    ) -> Result<u64, ClientError> {
        let model = Some(model).filter(|model| !model.is_empty());
        let extra = RequestExtra { model, ..RequestExtra::default() };
        estimate_tokens(dialect, body, &extra).map_err(|error| error.to_client_error())
    }

    fn plan(&self, route: &Route, facts: &RequestFacts) -> impl Future<Output = Plan> + Send {
        SendFuture::new(async move {
            let mut plan = self.planned(route, facts);
            if let Some(owners) = &self.owners
                && objects::look(self, owners, &plan).await
            {
                plan = self.planned(route, facts);
            }
            isolate().state().accept(&plan, Self::now());
            plan
        })
    }

    fn admit(
        &self,
        plan: &Plan,
    ) -> impl Future<Output = Result<Option<Reservation>, Refused>> + Send {
        SendFuture::new(async move {
            let table = &self.snapshot.table;
            let admission = isolate().state().admission(table, plan);
            let Some(admission) = admission else { return Ok(None) };
            if let Some(owners) = &self.owners
                && let Some(admitted) = objects::admit(self, owners, admission).await
            {
                return admitted.map(|counted| Some(Reservation::Owned(counted)));
            }
            let admitted = isolate().state().admit(table, plan, Self::now())?;
            Ok(admitted.map(Reservation::Alone))
        })
    }

    /// Remembered by the isolate, as it is quickly learned.
    fn unfit(&self, model: ModelRef) -> Vec<String> {
        isolate().state().unfit(&self.snapshot.table, model, Self::now())
    }

    fn learn_unfit(&self, model: ModelRef, parameter: &str) {
        isolate().state().learn_unfit(&self.snapshot.table, model, parameter, Self::now());
    }

    fn reserve(
        &self,
        plan: &Plan,
        index: usize,
    ) -> impl Future<Output = Result<Reservation, Refused>> + Send {
        SendFuture::new(async move {
            if let Some(owners) = &self.owners {
                if let Some(free) = objects::free(self, owners, plan, index) {
                    return Ok(Reservation::Free(Box::new(free)));
                }
                if let Some(reserved) = objects::reserve(self, owners, plan, index).await {
                    return reserved.map(Reservation::Owned);
                }
            }
            let mut state = isolate().state();
            let reserved = state.reserve(&self.snapshot.table, plan, index, Self::now());
            reserved.map(Reservation::Alone)
        })
    }

    fn commit(&self, reservation: &mut Reservation, first_output: Option<Duration>) {
        match reservation {
            Reservation::Owned(counted) => counted.commit(first_output),
            Reservation::Free(free) => free.commit(first_output),
            Reservation::Alone(own) => isolate().state().commit(own, first_output, Self::now()),
        }
    }

    fn settle(&self, reservation: Reservation, how: &Settlement) {
        match reservation {
            Reservation::Owned(counted) => counted.settle(*how),
            Reservation::Free(free) => free.settle(*how),
            Reservation::Alone(own) => isolate().state().settle(own, how, Self::now()),
        }
    }

    fn begun(&self, _: &Job<Self>) {}

    fn refused(&self, _: &Plan, _: usize, _: &Refused) {}

    /// One line in the Worker's log for what did not go well; for everything with debug on.
    fn ended(&self, (): (), ended: &Ended<'_>) {
        if ended.outcome == Outcome::Complete && !self.snapshot.config.server.debug {
            return;
        }
        let target = ended.model().map(|model| ended.catalog.name(model)).unwrap_or_default();
        let failures = ended.exchange.attempts().iter().filter_map(|attempt| attempt.failure);
        let failures: Vec<&str> = failures.map(|(class, _)| class.name()).collect();
        worker::console_log!(
            "exchange outcome={} status={} target={target} attempts={} failures={} total_ms={}",
            ended.outcome.name(),
            ended.status.unwrap_or_default(),
            ended.exchange.attempts().len(),
            failures.join(","),
            ended.total.as_millis(),
        );
    }

    fn answered(&self, _: u16) {}

    fn caveat(&self) -> Option<&'static str> {
        self.owners.is_none().then_some(ALONE)
    }
}
