//! The virtual clock and what moves with it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::report::{Report, Tally};
use super::weather::{Outcome, Weather};
use super::{Numbers, Recorded, ms};
use crate::catalog::Catalog;
use crate::exchange::{Exchange, Refusal, RefusalKind, Step};
use crate::plan::{RequestFacts, SessionKey, plan};
use crate::resolve::{Route, resolve};
use crate::state::{Reservation, State, Table};
use crate::time::UnixMs;

/// Arrivals between two clean-ups of the state.
const PRUNE_EVERY: u64 = 4_096;

/// What happens next to a running exchange. The order settles ties: ends come before beginnings.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    End,
    Fail,
    Commit,
    Wake,
}

#[derive(Debug)]
struct Running {
    record: usize,
    exchange: Exchange,
    held: Option<Reservation>,
    outcome: Option<Outcome>,
    called_at: UnixMs,
}

/// A simulation under way.
pub(super) struct Engine<'a> {
    records: &'a [Recorded],
    weather: Weather,
    numbers: Numbers,
    state: State,
    table: Table,
    now: UnixMs,
    events: BinaryHeap<Reverse<(UnixMs, u64, Kind, usize)>>,
    sequence: u64,
    running: Vec<Option<Running>>,
    free: Vec<usize>,
    routes: BTreeMap<&'a str, Option<Route>>,
    tally: Tally,
}

impl<'a> Engine<'a> {
    pub(super) fn new(catalog: Arc<Catalog>, records: &'a [Recorded], weather: Weather) -> Self {
        let mut state = State::new();
        let numbers = Numbers::new(&catalog);
        let tally = Tally::new(&catalog, &numbers);
        let table = state.table(catalog, UnixMs(0));
        Self {
            records,
            weather,
            numbers,
            state,
            table,
            now: UnixMs(0),
            events: BinaryHeap::new(),
            sequence: 0,
            running: Vec::new(),
            free: Vec::new(),
            routes: BTreeMap::new(),
            tally,
        }
    }

    /// A recorded request arrives, after everything that happens before it.
    pub(super) fn arrive(&mut self, index: usize) {
        let records = self.records;
        let Some(record) = records.get(index) else { return };
        while self.events.peek().is_some_and(|Reverse(event)| event.0 <= record.at) {
            self.happen();
        }
        self.now = self.now.max(record.at);
        self.tally.requests += 1;
        if self.tally.requests.is_multiple_of(PRUNE_EVERY) {
            self.state.prune(self.now);
        }
        let name = record.model.as_deref().unwrap_or_default();
        let catalog = self.table.catalog();
        let route = self.routes.entry(name).or_insert_with(|| resolve(catalog, Some(name)).ok());
        let Some(route) = route else {
            self.tally.unresolved += 1;
            return;
        };
        let facts = RequestFacts {
            inbound: record.dialect,
            native_only: false,
            session: record.session.map(SessionKey),
            tokens: record.tokens,
            client: None,
        };
        let plan = plan(&self.state.view(&self.table), route, &facts, self.now);
        self.state.accept(&plan, self.now);
        let policy = &self.table.catalog().routing;
        let exchange = Exchange::new(plan, policy, record.stream, self.now, self.sequence);
        let (held, outcome) = (None, None);
        let running = Running { record: index, exchange, held, outcome, called_at: self.now };
        let slot = self.free.pop().unwrap_or(self.running.len());
        if slot == self.running.len() {
            self.running.push(None);
        }
        self.go_on(slot, running);
    }

    /// Lets everything end.
    pub(super) fn finish(mut self) -> Report {
        while !self.events.is_empty() {
            self.happen();
        }
        self.tally.report(&self.numbers)
    }

    fn happen(&mut self) {
        let Some(Reverse((at, _, kind, slot))) = self.events.pop() else { return };
        self.now = self.now.max(at);
        let Some(mut running) = self.running.get_mut(slot).and_then(Option::take) else { return };
        match kind {
            Kind::Wake => self.go_on(slot, running),
            Kind::Commit => {
                let first_output = Some(self.now.since(running.called_at));
                if let Some(held) = &mut running.held {
                    self.state.commit(held, first_output, self.now);
                }
                let step = running.exchange.on_commit(self.now);
                let rest =
                    running.outcome.as_ref().map_or(0, |o| o.total_ms - o.first_ms.min(o.total_ms));
                if step == Step::Relay {
                    self.at(self.now.after(ms(rest)), Kind::End, slot);
                    self.keep(slot, running);
                }
            }
            Kind::End => {
                let tokens = self.records.get(running.record).map(|record| {
                    let price = running.exchange.candidate();
                    let price = price.and_then(|it| self.table.catalog().model(it.model)?.price);
                    let cost = |price| crate::plan::expected_cost(&price, record.tokens, 0);
                    record.tokens.at_cost(price.map_or(0.0, cost))
                });
                let end = running.exchange.on_end(tokens, self.now);
                if let Some(held) = running.held.take() {
                    self.state.settle(held, &end, self.now);
                }
                self.served(&running);
                self.free.push(slot);
            }
            Kind::Fail => {
                let failure = running.outcome.take().and_then(|outcome| outcome.failure);
                let Some(failure) = failure else { return };
                self.tally.failed_call(self.number(&running), failure.class);
                let (end, step) = running.exchange.on_failure(failure, self.now);
                if let Some(held) = running.held.take() {
                    self.state.settle(held, &end, self.now);
                }
                self.carry_out(slot, running, step);
            }
        }
    }

    fn go_on(&mut self, slot: usize, mut running: Running) {
        let step = running.exchange.step(self.now);
        self.carry_out(slot, running, step);
    }

    fn carry_out(&mut self, slot: usize, mut running: Running, mut step: Step) {
        loop {
            match step {
                Step::Dial(dial) => {
                    let plan = running.exchange.plan();
                    match self.state.reserve(&self.table, plan, dial.candidate, self.now) {
                        Err(refused) => step = running.exchange.on_refused(&refused, self.now),
                        Ok(held) => {
                            running.held = Some(held);
                            return self.call(slot, running);
                        }
                    }
                }
                Step::Wait { until } => {
                    self.at(until, Kind::Wake, slot);
                    return self.keep(slot, running);
                }
                Step::Relay => return self.keep(slot, running),
                Step::Fail(refusal) => {
                    self.refused(&refusal);
                    self.free.push(slot);
                    return;
                }
            }
        }
    }

    fn call(&mut self, slot: usize, mut running: Running) {
        let number = self.number(&running);
        let made = running.exchange.attempts();
        let same = made.last().map(|attempt| attempt.candidate);
        let tries = made.iter().filter(|attempt| Some(attempt.candidate) == same).count();
        let call = (running.record, number, tries.saturating_sub(1));
        let outcome = self.weather.outcome(self.records, call, self.now);
        let kind = if outcome.failure.is_some() { Kind::Fail } else { Kind::Commit };
        self.at(self.now.after(ms(outcome.first_ms)), kind, slot);
        running.called_at = self.now;
        running.outcome = Some(outcome);
        self.tally.call(number);
        if let Some(candidate) = running.exchange.candidate() {
            let tokens = running.exchange.plan().tokens;
            let view = self.state.view(&self.table);
            let (model, credential) = (candidate.model, candidate.credential);
            let tally = &mut self.tally;
            view.levels(model, credential, tokens, self.now, |bucket, level| {
                tally.level(model.provider, bucket, 1.0 - level.left);
            });
        }
        self.keep(slot, running);
    }

    fn number(&self, running: &Running) -> usize {
        let candidate = running.exchange.candidate();
        candidate.map_or(0, |candidate| self.numbers.of(candidate.model))
    }

    fn at(&mut self, at: UnixMs, kind: Kind, slot: usize) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, kind, slot)));
    }

    fn keep(&mut self, slot: usize, running: Running) {
        if let Some(place) = self.running.get_mut(slot) {
            *place = Some(running);
        }
    }

    fn served(&mut self, running: &Running) {
        let Some(record) = self.records.get(running.record) else { return };
        let number = self.number(running);
        let waited = running.exchange.attempts().last().and_then(|a| a.committed);
        let waited = waited.map(|committed| committed.since(record.at)).unwrap_or_default();
        let price = running.exchange.candidate().and_then(|c| self.table.catalog().model(c.model));
        let cost = price.and_then(|model| model.price.as_ref());
        let cost = cost.map(|price| crate::plan::expected_cost(price, record.tokens, 0));
        let fell_back = running.exchange.attempts().iter().any(|attempt| {
            attempt.candidate != running.exchange.attempts().last().map_or(0, |a| a.candidate)
        });
        self.tally.served(number, record, fell_back, waited, cost);
    }

    fn refused(&mut self, refusal: &Refusal) {
        match refusal.kind {
            RefusalKind::Exhausted => self.tally.exhausted += 1,
            RefusalKind::Cooling => self.tally.cooling += 1,
            RefusalKind::NoCandidate => self.tally.unresolved += 1,
            RefusalKind::Upstream | RefusalKind::Broken => {
                self.tally.failed_exchange(refusal.class());
            }
        }
    }
}
