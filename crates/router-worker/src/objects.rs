//! Asking the owners of the providers' and the client keys' state, one Durable Object each.
//!
//! Planning sees what they last said; what counts is what they say when a call is reserved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use js_sys::{Promise, Reflect};
use router_core::plan::Plan;
use router_core::state::{Admission, Call, Effect, Part, Refused, Report, Reservation, Settlement};
use router_core::time::UnixMs;
use router_drive::within;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::Env;
use worker::send::SendWrapper;

use crate::clock::{Moment, words};
use crate::host::Edge;
use crate::isolate::isolate;
use crate::protocol::{Ask, Event, Question, Reply};

/// The binding of the namespace with the owners.
const BINDING: &str = "PROVIDERS";
/// How old what an owner said may be when a request with a choice is planned, or goes ahead on it.
const VIEW_AGE_MAX_MS: u64 = 1_000;
/// Owners asked for one plan at most: each is a subrequest, of which a plan of Cloudflare's has few.
const VIEWS_MAX: usize = 8;
/// How long an owner may take while a client waits. After that the isolate counts by itself.
const OWNER_TIME_MAX: Duration = Duration::from_secs(3);

#[wasm_bindgen]
extern "C" {
    /// The namespace of the owners.
    #[derive(Clone)]
    type Namespace;

    #[wasm_bindgen(method, catch, js_name = getByName)]
    fn get_by_name(this: &Namespace, name: &str) -> Result<Remote, JsValue>;

    /// An owner, wherever it runs.
    type Remote;

    /// Answers a question; both are JSON.
    #[wasm_bindgen(method, catch)]
    fn ask(this: &Remote, question: &str) -> Result<Promise, JsValue>;
}

/// Where all owners are found.
#[derive(Clone)]
pub(crate) struct Owners(SendWrapper<Namespace>);

impl Owners {
    /// The owners, if their namespace is bound.
    pub(crate) fn bound(env: &Env) -> Option<Self> {
        let namespace = Reflect::get(env, &BINDING.into()).ok().filter(JsValue::is_object)?;
        // Another kind of binding may have this name.
        let is_namespace = Reflect::has(&namespace, &"getByName".into()).unwrap_or_default();
        is_namespace.then(|| Self(SendWrapper::new(namespace.unchecked_into())))
    }

    fn find(&self, name: &str) -> Option<Remote> {
        self.0.get_by_name(name).ok()
    }
}

/// When the owners last spoke, by provider.
#[derive(Debug, Default)]
pub(crate) struct Views(Mutex<BTreeMap<String, UnixMs>>);

impl Views {
    fn is_old(&self, provider: &str, now: UnixMs) -> bool {
        let views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        views.get(provider).is_none_or(|told| told.0 + VIEW_AGE_MAX_MS < now.0)
    }

    fn told(&self, provider: &str, now: UnixMs) {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        views.insert(provider.to_owned(), now);
    }
}

/// What an owner was asked to count.
#[derive(Debug)]
pub(crate) struct Counted {
    id: u64,
    events: UnboundedSender<Event>,
}

impl Counted {
    /// The first output came.
    pub(crate) fn commit(&self, first_output: Option<Duration>) {
        let committed = Event::Committed { id: self.id, first_output_ms: first_output.map(ms) };
        // Nobody listens only when the request is being torn down.
        let _ = self.events.unbounded_send(committed);
    }

    /// The call is over.
    pub(crate) fn settle(self, how: Settlement) {
        let _ = self.events.unbounded_send(Event::Settled { id: self.id, how });
    }
}

/// A call that nothing counts: its owner hears of it when it is over.
#[derive(Debug)]
pub(crate) struct Free {
    own: Reservation,
    report: Report,
    begun: Moment,
    events: UnboundedSender<Event>,
}

impl Free {
    /// The first output came.
    pub(crate) fn commit(&mut self, first_output: Option<Duration>) {
        let now = Moment::now().unix();
        isolate().state().commit(&mut self.own, first_output, now);
        self.report.committed = true;
        self.report.first_output_ms = first_output.map(ms);
    }

    /// The call is over.
    pub(crate) fn settle(mut self, how: Settlement) {
        let now = Moment::now();
        isolate().state().settle(self.own, &how, now.unix());
        self.report.began_ms_ago = ms(now - self.begun);
        self.report.how = how;
        let _ = self.events.unbounded_send(Event::Over(self.report));
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A call that need not wait for its owner: nothing counts it, and what the owner last said is not
/// old. `None` for any other.
pub(crate) fn free(host: &Edge, owners: &Owners, plan: &Plan, index: usize) -> Option<Free> {
    let (provider, call) = Call::of(host.catalog(), plan, index)?;
    let begun = Moment::now();
    if isolate().views.is_old(&provider, begun.unix()) {
        return None;
    }
    let owner = owners.find(&provider)?;
    let own = isolate().state().reserve_free(host.table(), plan, index, begun.unix())?;
    let how = Settlement { answered: false, used: None, effect: Effect::Nothing };
    let report = Report { call, began_ms_ago: 0, committed: false, first_output_ms: None, how };
    let events = listen(host, owner, provider);
    Some(Free { own, report, begun, events })
}

/// Where to say what becomes of a call.
fn listen(host: &Edge, remote: Remote, owner: String) -> UnboundedSender<Event> {
    let (events, receiver) = unbounded();
    // Ends when the call is settled; until then the request is not over for the platform, even if
    // its client is gone.
    host.wait_until(tell(remote, owner, receiver));
    events
}

/// Asks the owners of everything `plan` looked at, where it had a choice and what is known of them
/// is old. True if any of them answered: then there is something new to plan with.
pub(crate) async fn look(host: &Edge, owners: &Owners, plan: &Plan) -> bool {
    if plan.candidates.len() + plan.skipped.len() < 2 {
        // No choice: reserving it tells how it stands.
        return false;
    }
    let catalog = host.catalog();
    let candidates = plan.candidates.iter().map(|candidate| candidate.model.provider);
    let providers = candidates.chain(plan.skipped.iter().map(|skipped| skipped.model.provider));
    let providers: BTreeSet<usize> = providers.collect();
    let now = Moment::now().unix();
    let session = plan.session();
    let unknown = session.is_some_and(|key| isolate().state().session_of(key, now).is_none());
    let old = providers
        .into_iter()
        .filter_map(|index| Some(catalog.providers.get(index)?.id.as_str()))
        .filter(|provider| unknown || isolate().views.is_old(provider, now))
        .take(VIEWS_MAX);
    let asked = old.map(|provider| async move {
        let stub = owners.find(provider)?;
        let reply = ask_soon(&stub, provider, Ask::View { session }).await.ok()?;
        adopt(provider, reply.part);
        Some(())
    });
    join_all(asked).await.iter().any(Option::is_some)
}

/// Has the provider's owner count a call. `None` if it cannot be asked, or knows another config.
pub(crate) async fn reserve(
    host: &Edge,
    owners: &Owners,
    plan: &Plan,
    index: usize,
) -> Option<Result<Counted, Refused>> {
    let (provider, call) = Call::of(host.catalog(), plan, index)?;
    count(host, owners, provider, Ask::Reserve(call)).await
}

/// Has the client key's owner count a request; `None` as for [`reserve`].
pub(crate) async fn admit(
    host: &Edge,
    owners: &Owners,
    Admission { owner, tokens }: Admission,
) -> Option<Result<Counted, Refused>> {
    count(host, owners, owner, Ask::Admit(tokens)).await
}

async fn count(
    host: &Edge,
    owners: &Owners,
    owner: String,
    what: Ask,
) -> Option<Result<Counted, Refused>> {
    let stub = owners.find(&owner)?;
    let reply = match ask_soon(&stub, &owner, what).await {
        Ok(reply) => reply,
        Err(why) => {
            worker::console_warn!("the owner of {owner} cannot be asked: {why}");
            return None;
        }
    };
    adopt(&owner, reply.part);
    match reply.reserved? {
        Err(Refused::Unplanned) => None,
        Err(refused) => Some(Err(refused)),
        Ok(id) => Some(Ok(Counted { id, events: listen(host, stub, owner) })),
    }
}

/// Hands on what becomes of a call, as much at a time as there is.
async fn tell(stub: Remote, owner: String, mut receiver: UnboundedReceiver<Event>) {
    while let Some(event) = receiver.next().await {
        let mut events = vec![event];
        while let Some(Some(event)) = receiver.next().now_or_never() {
            events.push(event);
        }
        match ask(&stub, &owner, Ask::Tell(events)).await {
            Ok(reply) => adopt(&owner, reply.part),
            Err(why) => worker::console_warn!("an owner was not told how a call ended: {why}"),
        }
    }
}

fn adopt(owner: &str, part: Option<Part>) {
    if let Some(part) = part {
        isolate().state().adopt_part(part);
        isolate().views.told(owner, Moment::now().unix());
    }
}

/// Asks while a client waits for it.
async fn ask_soon(stub: &Remote, owner: &str, what: Ask) -> Result<Reply, String> {
    let deadline = Some(Moment::now() + OWNER_TIME_MAX);
    let answered = within::<Edge, _>(deadline, ask(stub, owner, what)).await;
    answered.unwrap_or_else(|| Err("no answer in time".to_owned()))
}

async fn ask(stub: &Remote, owner: &str, ask: Ask) -> Result<Reply, String> {
    let question = Question { owner: owner.to_owned(), ask };
    let text = serde_json::to_string(&question).map_err(|error| error.to_string())?;
    let asked = stub.ask(&text).map_err(|thrown| words(&thrown))?;
    let reply = JsFuture::from(asked).await.map_err(|thrown| words(&thrown))?;
    let reply = reply.as_string().ok_or("no answer in text")?;
    serde_json::from_str(&reply).map_err(|error| error.to_string())
}
