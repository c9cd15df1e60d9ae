//! What the owner of one provider's or client key's state does: the core's state, and what is under
//! way.
//!
//! Plain data in, plain data out, so that it runs in a Durable Object and in a test alike. Asked
//! once at a time, it counts exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use router_core::catalog::Catalog;
use router_core::state::{Effect, Part, Reservation, Session, Settlement, State, Table};
use router_core::time::UnixMs;

use crate::protocol::{Ask, Event, Reply};

/// A call whose end nobody reported is taken to be over after this. Its estimate stays counted.
const LEASE: Duration = Duration::from_mins(15);
/// Asked this often, it cleans up what has expired.
const PRUNE_EVERY: u32 = 256;
/// What may be lost if the platform fails is written down this long after the last time at the
/// latest. Counts that a limit depends on never wait.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// What is known of a call whose end was never reported.
const LOST: Settlement = Settlement { answered: true, used: None, effect: Effect::Nothing };

/// The owner of one provider's state, or of one client key's.
#[derive(Debug)]
pub struct Owner {
    name: String,
    state: State,
    table: Table,
    calls: BTreeMap<u64, Open>,
    /// The number of the next call: never one from before a restart.
    next: u64,
    asked: u32,
    unkept: Unkept,
    kept_at: UnixMs,
}

/// What changed since it was last kept.
#[derive(Debug, Default)]
struct Unkept {
    /// The part.
    part: bool,
    /// A call was counted: a limit that forgets it lets too many pass.
    counted: bool,
    /// Sessions that were used.
    sessions: BTreeSet<u64>,
    pruned: bool,
}

/// A call under way.
#[derive(Debug)]
struct Open {
    reservation: Reservation,
    session: Option<u64>,
    until: UnixMs,
}

/// When what changed has to be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// Nothing changed.
    Never,
    /// Before anybody is answered.
    Now,
    /// Then, together with what changes until then.
    At(UnixMs),
}

/// What changed, for whoever keeps it.
#[derive(Debug)]
pub struct Kept {
    /// The part, if it changed.
    pub part: Option<Part>,
    /// Sessions that were used, by name.
    pub sessions: Vec<(u64, Session)>,
    /// Whether what has expired was just dropped.
    pub pruned: bool,
}

impl Owner {
    /// The owner of what was kept under a name; `None` if the catalog does not have it.
    pub fn new(
        catalog: &Catalog,
        name: &str,
        kept: Option<Part>,
        sessions: Vec<Session>,
        now: UnixMs,
    ) -> Option<Self> {
        let catalog = catalog.only(name)?;
        let mut state = kept.map_or_else(State::new, |part| State::of_part(part, sessions));
        let table = state.table(Arc::new(catalog), now);
        let next = now.0 << 16;
        let name = name.to_owned();
        let (calls, unkept, kept_at) = (BTreeMap::new(), Unkept::default(), UnixMs(0));
        Some(Self { name, state, table, calls, next, asked: 0, unkept, kept_at })
    }

    /// Puts another config in force; what is known of an unchanged provider stays. False if the
    /// provider or key is gone.
    pub fn install(&mut self, catalog: &Catalog, now: UnixMs) -> bool {
        let Some(catalog) = catalog.only(&self.name) else { return false };
        self.table = self.state.table(Arc::new(catalog), now);
        true
    }

    /// Answers.
    pub fn ask(&mut self, ask: Ask, now: UnixMs) -> Reply {
        let before = self.state.revision();
        self.expire(now);
        let mut seen = None;
        let mut reserved = None;
        match ask {
            Ask::View { session } => seen = session,
            Ask::Reserve(call) => {
                let session = call.session;
                let made = self.state.reserve_call(&self.table, &call, now);
                reserved = Some(made.map(|reservation| self.open(reservation, session, now)));
                seen = session;
            }
            Ask::Admit(tokens) => {
                let made = self.state.admit_alone(&self.table, tokens, now);
                reserved = Some(made.map(|reservation| self.open(reservation, None, now)));
            }
            Ask::Tell(events) => {
                for event in events {
                    let session = self.take_in(event, now);
                    self.unkept.sessions.extend(session);
                }
            }
        }
        self.asked = self.asked.wrapping_add(1);
        if self.asked.is_multiple_of(PRUNE_EVERY) {
            self.state.prune(now);
            self.unkept.pruned = true;
        }
        let changed = self.state.revision() != before;
        self.unkept.part |= changed;
        self.unkept.counted |= changed && matches!(reserved, Some(Ok(_)));
        Reply { reserved, part: self.part(seen, now) }
    }

    /// When what changed has to be kept.
    pub fn due(&self, now: UnixMs) -> Due {
        let Unkept { part, counted, sessions, pruned } = &self.unkept;
        let next = self.kept_at.after(KEEP_EVERY);
        match *part || *pruned || !sessions.is_empty() {
            false => Due::Never,
            true if *counted || next <= now => Due::Now,
            true => Due::At(next),
        }
    }

    /// What changed and has to be kept.
    pub fn unkept(&self, now: UnixMs) -> Kept {
        let Unkept { part, counted: _, sessions, pruned } = &self.unkept;
        let used = |key: &u64| Some((*key, self.state.session_of(*key, now)?));
        Kept {
            part: self.part(None, now).filter(|_| *part),
            sessions: sessions.iter().filter_map(used).collect(),
            pruned: *pruned,
        }
    }

    /// All of that is kept. What is not stays due.
    pub fn kept(&mut self, now: UnixMs) {
        self.unkept = Unkept::default();
        self.kept_at = now;
    }

    fn part(&self, session: Option<u64>, now: UnixMs) -> Option<Part> {
        self.state.part(&self.name, session, now)
    }

    fn open(&mut self, reservation: Reservation, session: Option<u64>, now: UnixMs) -> u64 {
        let id = self.next;
        self.next += 1;
        self.calls.insert(id, Open { reservation, session, until: now.after(LEASE) });
        id
    }

    /// Takes in what became of a call; returns its session, which may have moved.
    fn take_in(&mut self, event: Event, now: UnixMs) -> Option<u64> {
        match event {
            Event::Committed { id, first_output_ms } => {
                let open = self.calls.get_mut(&id)?;
                let first_output = first_output_ms.map(Duration::from_millis);
                self.state.commit(&mut open.reservation, first_output, now);
                open.session
            }
            Event::Settled { id, how } => {
                let open = self.calls.remove(&id)?;
                self.state.settle(open.reservation, &how, now);
                open.session
            }
            Event::Over(report) => {
                self.state.report(&self.table, &report, now);
                report.call.session
            }
        }
    }

    fn expire(&mut self, now: UnixMs) {
        while let Some(entry) = self.calls.first_entry()
            && entry.get().until <= now
        {
            let open = entry.remove();
            self.state.settle(open.reservation, &LOST, now);
        }
    }
}

#[cfg(test)]
mod tests;
