//! Made-up traffic that looks like coding agents: sessions of growing conversations.

use super::Recorded;
use crate::bucket::Tokens;
use crate::num::{real, whole};
use crate::seed::Seed;
use crate::simulate::ms;
use crate::time::UnixMs;
use router_wire::Dialect;

/// What traffic to make up.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Requests in all.
    pub requests: u64,
    /// When the first arrives.
    pub from: UnixMs,
    /// Mean time between two arrivals in milliseconds.
    pub every_ms: u64,
    /// Sessions under way at once; 0 for requests without one.
    pub sessions: u64,
    /// Turns of a session on average, after which another takes its place.
    pub turns: u64,
    /// Model names asked for, in turn by session.
    pub models: Vec<String>,
    /// What chance is drawn from.
    pub seed: u64,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            requests: 10_000,
            from: UnixMs(1_767_225_600_000),
            every_ms: 500,
            sessions: 20,
            turns: 25,
            models: Vec::new(),
            seed: 1,
        }
    }
}

/// Input of a first turn in tokens, and what each further turn adds.
const FIRST_INPUT: u64 = 12_000;
const TURN_INPUT: u64 = 1_800;

#[derive(Clone, Copy, Default)]
struct Session {
    id: u64,
    turn: u64,
}

/// Makes the traffic up; the same load gives the same traffic.
pub fn generate(load: &Load) -> Vec<Recorded> {
    let mut seed = Seed::new(load.seed);
    let mut sessions = Vec::new();
    for _ in 0..load.sessions {
        sessions.push(Session { id: seed.draw(), turn: seed.draw() % load.turns.max(1) });
    }
    let mut at = load.from;
    let mut made = Vec::new();
    for number in 0..load.requests {
        let gap = whole(real(load.every_ms) * 2.0 * seed.unit());
        at = at.after(ms(gap));
        let slot = seed.draw() % load.sessions.max(1);
        let session = usize::try_from(slot).ok().and_then(|slot| sessions.get_mut(slot));
        let (id, turn) = match session {
            Some(session) => {
                session.turn += 1;
                if session.turn > load.turns && seed.unit() < 0.2 {
                    *session = Session { id: seed.draw(), turn: 0 };
                }
                (Some(session.id), session.turn)
            }
            None => (None, 0),
        };
        let models = u64::try_from(load.models.len()).unwrap_or(0).max(1);
        let model = usize::try_from(id.unwrap_or(number) % models).ok();
        made.push(Recorded {
            at,
            model: model.and_then(|model| load.models.get(model).cloned()),
            dialect: Dialect::Anthropic,
            stream: true,
            session: id,
            tokens: Tokens::new(
                FIRST_INPUT + turn * TURN_INPUT,
                50 + whole(900.0 * seed.unit() * seed.unit()),
            ),
            attempts: Vec::new(),
            outcome: None,
        });
    }
    made
}
