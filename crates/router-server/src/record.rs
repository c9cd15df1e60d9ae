//! The record of an exchange, made while it goes on. It holds no prompt and no answer.

use std::collections::BTreeSet;
use std::time::Duration;

use router_core::bucket::Tokens;
use router_core::catalog::Catalog;
use router_core::exchange::{AttemptRecord, Exchange, Outcome};
use router_core::time::UnixMs;
use router_drive::{Ended, Host, Job};
use router_store::records::{Record, RecordedAttempt};
use router_wire::canonical::Loss;

use crate::app::now;
use crate::host::Native;

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
    pub(crate) fn new(job: &Job<Native>) -> Self {
        let asked = job.asked.chars().take(NAME_CHARS_MAX).collect();
        let accepted = UnixMs(now().0.saturating_sub(millis(job.started.elapsed())));
        let record = Record {
            id: job.id.to_string(),
            at: accepted,
            client: Some(job.host.snapshot().label(job.caller).to_owned())
                .filter(|it| !it.is_empty()),
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

    /// The finished record.
    pub(crate) fn finish(self, ended: &Ended<'_>) -> Record {
        let Ended { catalog, exchange, .. } = *ended;
        let mut record = self.record;
        record.outcome = ended.outcome;
        record.status = ended.status.unwrap_or(CLIENT_GONE);
        record.losses = codes(ended.losses);
        record.first_output_ms = ended.first_output.map(millis);
        record.total_ms = millis(ended.total);
        if let Some(usage) = ended.usage {
            record.tokens = Tokens::new(usage.input(), usage.output());
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
        record.cost = price.zip(ended.usage).map(|(price, usage)| price.of(usage));
        record
    }
}

/// The codes of losses, each once.
fn codes(losses: &[Loss]) -> Vec<String> {
    let codes: BTreeSet<&str> = losses.iter().map(|loss| loss.code.as_ref()).collect();
    codes.into_iter().map(str::to_owned).collect()
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
        retry_after_ms: made.retry_after.map(millis),
        answered: made.committed.is_some() || made.failure.is_some_and(|(_, s)| s.is_some()),
        after_ms: millis(made.started.since(accepted)),
        first_output_ms: after(made.committed.unwrap_or(ended)),
        total_ms: after(ended),
    }
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
