//! The native host of the shared life of a request: tokio's clock and timers, the client's
//! connections, the store, the counters.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use router_client::{OutboundBody, Transport, chain, transport};
use router_core::catalog::ModelRef;
use router_core::failure::{Failure, Fault, classify_transport};
use router_core::plan::{Plan, RequestFacts};
use router_core::resolve::Route;
use router_core::state::{Refused, Settlement};
use router_core::time::UnixMs;
use router_drive::{Clock, Ended, Host, Job, Kept, Payload};
use router_store::Reservation;
use router_wire::Dialect;
use router_wire::error::ClientError;
use tokio::time::{Instant, Sleep};

use crate::app::{self, Snapshot};
use crate::record::Recording;
use crate::tokens;
use crate::worker::Worker;

/// A request's worker, and the config it began with.
#[derive(Clone)]
pub(crate) struct Native {
    worker: Arc<Worker>,
    snapshot: Arc<Snapshot>,
}

/// What is noted of an exchange while it goes on.
#[derive(Debug)]
pub(crate) struct Notes {
    /// The number of the alias that was asked for; `None` for a model named directly.
    alias: Option<usize>,
    /// `None` if nothing is recorded.
    recording: Option<Box<Recording>>,
}

impl Native {
    /// For a request that begins now.
    pub(crate) fn new(worker: Arc<Worker>) -> Self {
        let snapshot = worker.app.snapshot();
        Self { worker, snapshot }
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native").finish_non_exhaustive()
    }
}

impl Clock for Native {
    type Instant = Instant;
    type Sleep = Sleep;
    fn now() -> UnixMs {
        app::now()
    }

    fn instant() -> Instant {
        Instant::now()
    }

    fn sleep_until(moment: Instant) -> Sleep {
        tokio::time::sleep_until(moment)
    }

    fn reset(sleep: Pin<&mut Sleep>, moment: Instant) {
        sleep.reset(moment);
    }
}

impl Host for Native {
    type Body = Incoming;
    type BodyError = hyper::Error;
    type Reservation = Reservation;
    type Notes = Notes;

    const VIEW_MAY_BE_OLD: bool = false;

    fn snapshot(&self) -> &router_drive::Snapshot {
        &self.snapshot.served
    }

    fn kept(&self) -> &Kept {
        &self.worker.app.kept
    }

    async fn send(
        &self,
        request: Request<Payload>,
        connect: Option<Duration>,
    ) -> Result<Response<Incoming>, Failure> {
        let sent = self.worker.client.send(request.map(OutboundBody::new), connect).await;
        sent.map_err(|error| unreachable_upstream(&error))
    }

    fn words(error: &hyper::Error) -> String {
        chain(error)
    }

    async fn count_tokens(
        &self,
        dialect: Dialect,
        model: &str,
        body: &Bytes,
    ) -> Result<u64, ClientError> {
        tokens::count(dialect, model.to_owned(), body.clone()).await
    }

    async fn plan(&self, route: &Route, facts: &RequestFacts) -> Plan {
        self.worker.app.store.plan(&self.snapshot.table, route, facts, app::now())
    }

    async fn admit(&self, plan: &Plan) -> Result<Option<Reservation>, Refused> {
        self.worker.app.store.admit(&self.snapshot.table, plan, app::now()).await
    }

    fn unfit(&self, model: ModelRef) -> Vec<String> {
        self.worker.app.store.unfit(&self.snapshot.table, model, app::now())
    }

    fn learn_unfit(&self, model: ModelRef, parameter: &str) {
        self.worker.app.store.learn_unfit(&self.snapshot.table, model, parameter, app::now());
    }

    async fn reserve(&self, plan: &Plan, index: usize) -> Result<Reservation, Refused> {
        let store = &self.worker.app.store;
        store.reserve(&self.snapshot.table, plan, index, app::now()).await
    }

    fn commit(&self, reservation: &mut Reservation, first_output: Option<Duration>) {
        self.worker.app.store.commit(reservation, first_output, app::now());
    }

    fn settle(&self, reservation: Reservation, how: &Settlement) {
        self.worker.app.store.settle(reservation, how, app::now());
    }

    fn begun(&self, job: &Job<Self>) -> Notes {
        self.worker.meter.begun();
        let recorded = self.worker.app.records.is_some();
        Notes {
            alias: self.snapshot.labels.alias(&job.route),
            recording: recorded.then(|| Box::new(Recording::new(job))),
        }
    }

    fn refused(&self, plan: &Plan, index: usize, refused: &Refused) {
        if let Some(candidate) = plan.candidates.get(index) {
            let (catalog, labels) = (&self.snapshot.config.catalog, &self.snapshot.labels);
            self.worker.meter.refused(catalog, labels, candidate.model, refused);
        }
    }

    fn ended(&self, notes: Notes, ended: &Ended<'_>) {
        let Notes { alias, recording } = notes;
        self.worker.meter.ended(ended, &self.snapshot.labels, alias, app::now());
        if let Some((recording, records)) = recording.zip(self.worker.app.records.as_ref()) {
            records.push(recording.finish(ended));
        }
    }

    fn answered(&self, status: u16) {
        self.worker.meter.answered(status);
    }
}

fn unreachable_upstream(error: &router_client::Error) -> Failure {
    let fault = match transport(error) {
        Transport::Connect | Transport::Dns => Fault::Connect,
        Transport::ConnectTimeout => Fault::ConnectTimeout,
        Transport::Tls => Fault::Tls,
        Transport::Closed => Fault::Reset,
        Transport::Protocol => Fault::Garbled,
    };
    let message = format!("cannot reach the upstream: {}", chain(error));
    classify_transport(fault, None, &message)
}
