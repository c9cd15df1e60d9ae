//! The record of an exchange, made while it goes on. It holds no prompt and no answer.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use router_core::bucket::Tokens;
use router_core::catalog::{Catalog, Price};
use router_core::exchange::{AttemptRecord, Exchange};
use router_core::time::UnixMs;
use router_store::records::{Outcome, Record, RecordedAttempt};
use router_wire::Usage;

use super::{Job, headers};
use crate::app::now;
use crate::telemetry::{self, Ended};

/// The status of a client that went away before it got one, as reverse proxies log it.
const CLIENT_GONE: u16 = 499;
/// Characters kept of a name that a client chose.
const NAME_CHARS_MAX: usize = 256;

/// A record under way.
#[derive(Debug)]
pub(crate) struct Recording {
    record: Record,
}

impl Recording {
    /// Begins with what the request says.
    pub(super) fn new(job: &Job) -> Self {
        let asked = job.asked.chars().take(NAME_CHARS_MAX).collect();
        let accepted = UnixMs(now().0.saturating_sub(millis(job.started.elapsed())));
        let record = Record {
            id: job.id.to_string(),
            at: accepted,
            client: job.snapshot.auth.then(|| "master".to_owned()),
            dialect: job.dialect,
            outbound: None,
            model: Some(asked).filter(|asked: &String| !asked.is_empty()),
            route: job.route_name.clone(),
            target: None,
            credential: None,
            stream: job.stream,
            request_bytes: u64::try_from(job.body.len()).unwrap_or(u64::MAX),
            session: job.session.map(|session| session.0),
            outcome: Outcome::ClientGone,
            status: CLIENT_GONE,
            first_output_ms: None,
            total_ms: 0,
            tokens: Tokens::default(),
            cache_read: None,
            cache_write: None,
            reasoning: None,
            cost: None,
            losses: Vec::new(),
            attempts: Vec::new(),
        };
        Self { record }
    }

    /// The client is about to get this head.
    pub(super) fn head(&mut self, status: StatusCode, head: &HeaderMap) {
        self.record.status = status.as_u16();
        self.record.losses = headers::losses(head);
    }

    /// The client is told of an error instead.
    pub(super) fn refused(&mut self, status: u16) {
        self.record.status = status;
    }

    /// The finished record.
    pub(super) fn finish(self, ended: &Ended<'_>) -> Record {
        let Ended { catalog, exchange, .. } = *ended;
        let mut record = self.record;
        record.outcome = outcome(ended.outcome);
        record.first_output_ms = ended.first_output.map(millis);
        record.total_ms = millis(ended.total);
        if let Some(usage) = ended.usage {
            record.tokens = super::settle::tokens(usage);
            record.cache_read = usage.cache_read;
            record.cache_write = usage.cache_write;
            record.reasoning = usage.reasoning;
        }
        let attempts = exchange.attempts().iter();
        record.attempts = attempts.map(|it| attempt(it, exchange, catalog, record.at)).collect();
        if let Some(last) = record.attempts.last() {
            record.target = Some(last.target.clone());
            record.credential = Some(last.credential.clone());
            record.outbound = exchange.candidate().map(|candidate| candidate.dialect);
        }
        let model = exchange.candidate().and_then(|candidate| catalog.model(candidate.model));
        let price = model.and_then(|model| model.price);
        record.cost = price.zip(ended.usage).map(|(price, usage)| cost(&price, usage));
        record
    }
}

const fn outcome(ended: telemetry::Outcome) -> Outcome {
    match ended {
        telemetry::Outcome::Complete => Outcome::Complete,
        telemetry::Outcome::Broken => Outcome::Broken,
        telemetry::Outcome::ClientGone => Outcome::ClientGone,
        telemetry::Outcome::Failed => Outcome::Failed,
        telemetry::Outcome::Exhausted => Outcome::Exhausted,
        telemetry::Outcome::Cooling => Outcome::Cooling,
        telemetry::Outcome::NoCandidate => Outcome::NoCandidate,
    }
}

fn attempt(
    made: &AttemptRecord,
    exchange: &Exchange,
    catalog: &Catalog,
    accepted: UnixMs,
) -> RecordedAttempt {
    let candidate = exchange.plan().candidates.get(made.candidate);
    let label = candidate.and_then(|candidate| {
        let provider = catalog.provider(candidate.model)?;
        Some(provider.credentials.get(candidate.credential)?.label.clone())
    });
    let ended = made.ended.unwrap_or_else(now);
    let after = |moment: UnixMs| millis(moment.since(made.started));
    RecordedAttempt {
        target: candidate.map(|it| catalog.name(it.model)).unwrap_or_default(),
        credential: label.unwrap_or_default(),
        failure: made.failure.map(|(class, _)| class),
        status: made.failure.and_then(|(_, status)| status),
        answered: made.committed.is_some() || made.failure.is_some_and(|(_, s)| s.is_some()),
        after_ms: millis(made.started.since(accepted)),
        first_output_ms: after(made.committed.unwrap_or(ended)),
        total_ms: after(ended),
    }
}

/// US dollars.
fn cost(price: &Price, usage: &Usage) -> f64 {
    // Nobody is billed for four thousand million tokens at once.
    let real = |tokens: Option<u64>| {
        f64::from(tokens.map_or(0, |tokens| u32::try_from(tokens).unwrap_or(u32::MAX)))
    };
    let input = real(usage.input_uncached) * price.input;
    let read = real(usage.cache_read) * price.cache_read.unwrap_or(price.input);
    let write = real(usage.cache_write) * price.cache_write.unwrap_or(price.input);
    (input + read + write + real(usage.output) * price.output) / 1e6
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_token_has_its_price() {
        let price = Price { input: 3.0, output: 15.0, cache_read: Some(0.3), cache_write: None };
        let usage = Usage {
            input_uncached: Some(1_000_000),
            cache_read: Some(2_000_000),
            cache_write: Some(1_000_000),
            output: Some(100_000),
            reasoning: Some(50_000),
            ..Usage::default()
        };
        assert!((cost(&price, &usage) - (3.0 + 0.6 + 3.0 + 1.5)).abs() < 1e-9);
    }
}
