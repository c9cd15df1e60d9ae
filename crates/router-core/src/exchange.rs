//! One client request from plan to end, as a machine without I/O.
//!
//! ```text
//!            step                       on_commit
//!   new ---> Dial --------------------> Relay ------------> end
//!             ^  \ on_failure             \ on_failure        on_end
//!             |   \ on_refused             \                  on_failure
//!             |    v                        v                 on_abandoned
//!             +-- next, or Wait, or Fail   Fail: one error event, never another Dial
//! ```
//!
//! The host carries each [`Step`] out and reports what happened; every report of a call's end
//! returns the [`Settlement`] for its reservation. A candidate is tried again, the next one is
//! tried, or the exchange fails, by the table of [`crate::failure`] within the bounds of
//! [`Retry`]: attempts per candidate, attempts in all, and time.

use std::time::Duration;

use crate::backoff;
use crate::bucket::Tokens;
use crate::catalog::{CooldownPolicy, Retry, Routing, Timeouts};
use crate::cooldown::Scope;
use crate::failure::{Failure, FailureClass, Verdict};
use crate::plan::{Candidate, Plan, SkipReason};
use crate::seed::Seed;
use crate::state::{BlockReason, Effect, Refused, Settlement};
use crate::time::UnixMs;

mod outcome;
mod queue;
mod refusal;

pub use outcome::Outcome;
pub use refusal::{Refusal, RefusalKind};

/// How long a request waits for another's probe of its only candidate to end, from accept.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks.
const PROBE_POLL: Duration = Duration::from_millis(200);

/// What the host must do next, and report back.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an exchange makes progress only when its step is carried out"]
pub enum Step {
    /// Reserve and call this candidate; then [`Exchange::on_refused`], [`Exchange::on_failure`]
    /// or [`Exchange::on_commit`].
    Dial(Dial),
    /// Do nothing until this moment, then [`Exchange::step`].
    Wait {
        /// When to go on.
        until: UnixMs,
    },
    /// Copy the rest of the answer to the client; then [`Exchange::on_end`] or
    /// [`Exchange::on_failure`].
    Relay,
    /// Tell the client: as an error answer, or after commit as the one terminal error event.
    Fail(Box<Refusal>),
}

/// One attempt to make.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dial {
    /// Index into the plan's candidates.
    pub candidate: usize,
    /// Which attempt of the exchange it is, from 1.
    pub attempt: u32,
    /// Its time limits. The total is `None` for streams.
    pub timeouts: Timeouts,
    /// Whether the state of earlier reasoning is left out, because the upstream could not read it.
    pub stateless: bool,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// Index into the plan's candidates.
    pub candidate: usize,
    /// When it began.
    pub started: UnixMs,
    /// When it failed, or its answer ended.
    pub ended: Option<UnixMs>,
    /// When its first output came.
    pub committed: Option<UnixMs>,
    /// What went wrong.
    pub failure: Option<(FailureClass, Option<u16>)>,
    /// How long the upstream asked to be left alone.
    pub retry_after: Option<Duration>,
}

/// Where the exchange is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Between attempts: the next may begin at this moment.
    Ready(UnixMs),
    /// A call is under way.
    Dialing,
    /// Output went to the client.
    Relaying,
    /// Over.
    Ended,
}

/// One client request.
#[derive(Clone, Debug)]
pub struct Exchange {
    plan: Plan,
    retry: Retry,
    cooldown: CooldownPolicy,
    stream: bool,
    started: UnixMs,
    seed: Seed,
    phase: Phase,
    /// Index of the candidate being tried.
    current: usize,
    /// Attempts made on it.
    tries: u32,
    /// Whether it is asked without the state of earlier reasoning.
    stateless: bool,
    attempts: Vec<AttemptRecord>,
    /// The failure that tells the client most, so far.
    worst: Option<Failure>,
    /// What this exchange has learned not to try.
    dead: Vec<(Scope, usize)>,
    /// Soonest moment something that was refused is free again.
    free_at: Option<UnixMs>,
    refused: Refusals,
    /// Until when room in full buckets may be waited for.
    patience: UnixMs,
    /// Candidates that had no room and were never called, in order.
    full: Vec<usize>,
    /// Whether only they are left.
    queueing: bool,
}

/// What candidates were refused for at reservation.
#[derive(Clone, Copy, Debug, Default)]
struct Refusals {
    exhausted: bool,
    /// By a cap on requests in flight, which may end at any moment.
    flight: bool,
    blocked: bool,
}

impl Exchange {
    /// Begins an exchange accepted at `now`.
    pub fn new(plan: Plan, policy: &Routing, stream: bool, now: UnixMs, seed: u64) -> Self {
        Self {
            plan,
            retry: policy.retry.clone(),
            cooldown: policy.cooldown.clone(),
            stream,
            started: now,
            seed: Seed::new(seed),
            phase: Phase::Ready(now),
            current: 0,
            tries: 0,
            stateless: false,
            attempts: Vec::new(),
            worst: None,
            dead: Vec::new(),
            free_at: None,
            refused: Refusals::default(),
            patience: now.after(policy.queue),
            full: Vec::new(),
            queueing: false,
        }
    }

    /// What to do now.
    pub fn step(&mut self, now: UnixMs) -> Step {
        match self.phase {
            Phase::Relaying => Step::Relay,
            Phase::Ready(at) if now < at => Step::Wait { until: at },
            Phase::Ready(_) => self.dial(now),
            // Asked again while a call is under way, or after the end: nothing else may happen.
            Phase::Dialing | Phase::Ended => self.fail(),
        }
    }

    fn dial(&mut self, now: UnixMs) -> Step {
        let made = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        let candidate = self.plan.candidates.get(self.current).copied();
        let Some(candidate) = candidate.filter(|_| made < self.retry.attempts_total.max(1)) else {
            return self.fail();
        };
        if made > 0 && now >= self.started.after(self.retry.budget) {
            return self.fail();
        }
        self.phase = Phase::Dialing;
        self.tries += 1;
        self.attempts.push(AttemptRecord {
            candidate: self.current,
            started: now,
            ended: None,
            committed: None,
            failure: None,
            retry_after: None,
        });
        let mut timeouts = candidate.timeouts;
        if self.stream {
            timeouts.total = None;
        }
        let (candidate, stateless) = (self.current, self.stateless);
        Step::Dial(Dial { candidate, attempt: made + 1, timeouts, stateless })
    }

    /// The candidate could not be reserved: another request was faster. If that is a probe of the
    /// only candidate left, its end is waited for.
    pub fn on_refused(&mut self, refused: &Refused, now: UnixMs) -> Step {
        if self.phase != Phase::Dialing {
            return self.fail();
        }
        // No call was made, so it is no attempt.
        self.attempts.pop();
        let probing = matches!(refused, Refused::Blocked(b) if b.reason == BlockReason::Probing);
        let free_at = match refused {
            Refused::Exhausted { resets_at, .. } => {
                self.refused.exhausted = true;
                self.refused.flight |= resets_at.is_none();
                *resets_at
            }
            Refused::Blocked(block) => {
                self.refused.blocked = true;
                // Nobody knows when a probe ends, but it is not at the end of its lease.
                (!probing).then_some(block.until)
            }
            Refused::Unfit | Refused::Unplanned => None,
        };
        self.free_at = self.free_at.into_iter().chain(free_at).min();
        let again = now.after(PROBE_POLL);
        if probing && self.next().is_none() && again <= self.started.after(PROBE_PATIENCE) {
            self.tries = self.tries.saturating_sub(1);
            self.phase = Phase::Ready(again);
            return self.step(now);
        }
        if matches!(refused, Refused::Exhausted { .. }) && !self.queueing && self.tries <= 1 {
            self.full.push(self.current);
        }
        self.advance();
        self.phase = Phase::Ready(now);
        if self.is_past_all() {
            self.queue(now);
        }
        self.step(now)
    }

    /// The attempt failed. Before the commit the next step may be another attempt; after it the
    /// step is always [`Step::Fail`].
    pub fn on_failure(&mut self, failure: Failure, now: UnixMs) -> (Settlement, Step) {
        let treatment = failure.class.treatment();
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.ended = Some(now);
            attempt.failure = Some((failure.class, failure.status));
            attempt.retry_after = failure.retry_after;
        }
        if self.phase == Phase::Relaying || self.phase == Phase::Ended {
            return self.end_broken(failure);
        }
        let again = if self.sheds_state(&failure) {
            Some(now)
        } else {
            self.again(&failure, treatment.verdict, now)
        };
        let asked = failure.retry_after;
        let effect = match (again, treatment.circuit, treatment.cooldown(&self.cooldown, asked)) {
            (None, None, None) if failure.answered() => Effect::Alive,
            (Some(_), ..) | (None, None, None) => Effect::Nothing,
            (None, circuit, cooldown) => {
                Effect::Failure { class: failure.class, cooldown, circuit }
            }
        };
        let used = Some(Tokens::default());
        let settlement = Settlement { answered: failure.answered(), used, effect };
        if again.is_none()
            && let Some((scope, _)) = treatment.cooldown(&self.cooldown, asked)
        {
            self.dead.push((scope, self.current));
        } else if again.is_none() && treatment.circuit == Some(Scope::Provider) {
            self.dead.push((Scope::Provider, self.current));
        }
        let give_up = again.is_none()
            && treatment.verdict == Verdict::GiveUp
            && !self.may_pass(failure.class);
        self.note(failure);
        if give_up {
            return (settlement, self.fail());
        }
        self.phase = Phase::Ready(again.unwrap_or(now));
        if again.is_none() {
            self.advance();
            if self.is_past_all() && !self.queueing {
                self.queue(now);
            }
        }
        (settlement, self.step(now))
    }

    /// Whether the candidate is asked once more without the state it could not read: state that
    /// another account or an older key made is worth less than an answer.
    fn sheds_state(&mut self, failure: &Failure) -> bool {
        let made = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        let sheds = failure.is_about_state() && !self.stateless && made < self.retry.attempts_total;
        self.stateless |= sheds;
        sheds
    }

    /// Whether a refusal that nothing can help may still go to the next candidate.
    fn may_pass(&self, class: FailureClass) -> bool {
        class == FailureClass::ContentRefused && self.cooldown.allow_policy_fallback
    }

    /// When to try the same candidate again; `None` for not at all.
    fn again(&mut self, failure: &Failure, verdict: Verdict, now: UnixMs) -> Option<UnixMs> {
        let others = self.next().is_some();
        let wanted = match verdict {
            Verdict::RetrySame => true,
            Verdict::TryNext => !others,
            Verdict::LeaveCandidate | Verdict::GiveUp => false,
        };
        let made = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        if !wanted || self.tries >= self.retry.attempts || made >= self.retry.attempts_total {
            return None;
        }
        let wait = match failure.retry_after {
            // Asked to wait: worth it only if it is short.
            Some(asked) if asked > self.retry.max_delay => return None,
            Some(asked) if !asked.is_zero() => asked,
            _ if failure.class == FailureClass::RateLimited => return None,
            _ => backoff::delay(&self.retry, self.tries, &mut self.seed),
        };
        let at = now.after(wait);
        (at < self.started.after(self.retry.budget)).then_some(at)
    }

    /// Keeps the failure that tells the client most; of equals the latest.
    fn note(&mut self, failure: Failure) {
        let telling = |failure: &Failure| failure.class.telling();
        if self.worst.as_ref().is_none_or(|held| telling(&failure) >= telling(held)) {
            self.worst = Some(failure);
        }
    }

    /// The next candidate this exchange has learned nothing against.
    fn next(&self) -> Option<usize> {
        let after = self.plan.candidates.iter().enumerate().skip(self.current + 1);
        let mut alive = after.filter(|(index, candidate)| {
            !self.is_dead(candidate) && (!self.queueing || self.full.contains(index))
        });
        alive.next().map(|(index, _)| index)
    }

    fn is_dead(&self, candidate: &Candidate) -> bool {
        self.dead.iter().any(|(scope, failed)| {
            let Some(failed) = self.plan.candidates.get(*failed) else { return false };
            let same_provider = failed.model.provider == candidate.model.provider;
            let same_credential = same_provider && failed.credential == candidate.credential;
            match scope {
                Scope::Provider => same_provider,
                Scope::Credential => same_credential,
                Scope::Model => failed.model == candidate.model,
                Scope::Lane => same_credential && failed.model == candidate.model,
            }
        })
    }

    fn advance(&mut self) {
        self.current = self.next().unwrap_or(self.plan.candidates.len());
        self.tries = 0;
        self.stateless = false;
    }

    /// The first meaningful output came: from here on a failure ends the answer.
    pub fn on_commit(&mut self, now: UnixMs) -> Step {
        if self.phase != Phase::Dialing {
            return self.fail();
        }
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.committed = Some(now);
        }
        self.phase = Phase::Relaying;
        Step::Relay
    }

    /// The answer was relayed to its proper end.
    pub fn on_end(&mut self, used: Option<Tokens>, now: UnixMs) -> Settlement {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.ended = Some(now);
        }
        self.phase = Phase::Ended;
        Settlement { answered: true, used, effect: Effect::Success }
    }

    /// The client went away. `answered` is whether the upstream's head had come.
    pub fn on_abandoned(
        &mut self,
        answered: bool,
        used: Option<Tokens>,
        now: UnixMs,
    ) -> Settlement {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.ended = Some(now);
        }
        self.phase = Phase::Ended;
        Settlement { answered, used, effect: Effect::Nothing }
    }

    /// A failure after the commit: counted, told to the client, never followed by an attempt.
    fn end_broken(&mut self, failure: Failure) -> (Settlement, Step) {
        let treatment = failure.class.treatment();
        let effect =
            match (treatment.circuit, treatment.cooldown(&self.cooldown, failure.retry_after)) {
                (None, None) => Effect::Alive,
                (circuit, cooldown) => Effect::Failure { class: failure.class, cooldown, circuit },
            };
        self.worst = Some(failure);
        let committed = self.phase == Phase::Relaying;
        self.phase = Phase::Ended;
        let mut refusal = self.refusal();
        if committed {
            refusal.kind = RefusalKind::Broken;
        }
        (Settlement { answered: true, used: None, effect }, Step::Fail(Box::new(refusal)))
    }

    fn fail(&mut self) -> Step {
        self.phase = Phase::Ended;
        Step::Fail(Box::new(self.refusal()))
    }

    fn refusal(&self) -> Refusal {
        if let Some(failure) = &self.worst {
            let asked = failure.retry_after.map(|asked| asked.min(self.cooldown.max));
            return Refusal {
                kind: RefusalKind::Upstream,
                failure: Some(failure.clone()),
                retry_after: asked,
                resets_at: None,
            };
        }
        let skipped = |is: fn(SkipReason) -> bool| self.plan.skipped.iter().any(|s| is(s.reason));
        let exhausted =
            self.refused.exhausted || skipped(|r| matches!(r, SkipReason::Exhausted(_)));
        let blocked = self.refused.blocked || skipped(SkipReason::is_failure);
        let kind = match (exhausted, blocked) {
            (_, true) => RefusalKind::Cooling,
            (true, false) => RefusalKind::Exhausted,
            (false, false) => RefusalKind::NoCandidate,
        };
        let resets = self.plan.skipped.iter().filter_map(|skipped| skipped.until);
        let resets_at = resets.chain(self.free_at).min();
        let wait = resets_at.map(|at| at.since(self.started));
        let wait =
            wait.or_else(|| (kind != RefusalKind::NoCandidate).then_some(Duration::from_secs(1)));
        Refusal { kind, failure: None, retry_after: wait, resets_at }
    }

    /// The plan being carried out.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether the answer is streamed. Only then does its first output tell of latency.
    pub const fn is_stream(&self) -> bool {
        self.stream
    }

    /// Whether another candidate is left to try after the one being tried.
    pub fn has_next(&self) -> bool {
        self.next().is_some()
    }

    /// The candidate being tried, or the last one tried.
    pub fn candidate(&self) -> Option<&Candidate> {
        let index = self.attempts.last().map_or(self.current, |attempt| attempt.candidate);
        self.plan.candidates.get(index)
    }

    /// Every attempt so far.
    pub fn attempts(&self) -> &[AttemptRecord] {
        &self.attempts
    }

    /// Whether output went to the client.
    pub fn is_committed(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.committed.is_some())
    }
}

#[cfg(test)]
mod tests;
