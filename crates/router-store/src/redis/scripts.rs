//! Calling the scripts and reading what they answer.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script, Value};
use router_core::bucket::{Counter, Tokens};
use router_core::state::{Claim, SharedSession};
use router_core::time::UnixMs;
use router_core::window::Span;
use serde::de::DeserializeOwned;

use super::Taken;
use super::batch::Batch;
use super::cooling::Cooling;

/// Length of a call's lease in milliseconds: a router that dies frees its calls in flight then.
pub(super) const LEASE_MS: u64 = 120_000;
/// Figures a script returns for a counter.
const FIGURES: usize = 7;
/// Sessions of one look at most; the rest come with the next.
const SESSIONS_MAX: usize = 1_000;

#[derive(Debug)]
pub(super) struct Scripts {
    prefix: String,
    reserve: Script,
    merge: Script,
    look: Script,
}

impl Scripts {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            reserve: Script::new(include_str!("../scripts/reserve.lua")),
            merge: Script::new(include_str!("../scripts/merge.lua")),
            look: Script::new(include_str!("../scripts/look.lua")),
        }
    }

    fn key(&self, kind: &str, name: &str) -> String {
        format!("{}:{kind}:{name}", self.prefix)
    }

    /// Counts a call in all its buckets or in none.
    pub(super) async fn take(
        &self,
        connection: &mut MultiplexedConnection,
        call: &str,
        claims: &[Claim],
        provider: &str,
    ) -> Result<Taken, RedisError> {
        let mut invocation = self.reserve.prepare_invoke();
        for kind in ["count", "flight"] {
            for claim in claims {
                invocation.key(self.key(kind, &claim.key));
            }
        }
        invocation.key(self.key("held", provider));
        invocation.arg(claims.len()).arg(call).arg(LEASE_MS);
        for claim in claims {
            let bucket = &claim.bucket;
            invocation.arg(claim.span.start.0).arg(claim.span.end.0);
            let tokens = claim.tokens;
            invocation.arg(tokens.input).arg(tokens.output).arg(tokens.cost);
            let caps = [
                bucket.requests,
                bucket.tokens,
                bucket.input_tokens,
                bucket.output_tokens,
                bucket.cost,
                bucket.concurrent,
            ];
            for cap in caps {
                invocation.arg(cap.map(|cap| cap.to_string()).unwrap_or_default());
            }
        }
        let reply: Vec<Value> = invocation.invoke_async(connection).await?;
        let fits = figure(reply.first()) == 1;
        let counters = counters(reply.get(1..).unwrap_or_default(), claims.len());
        let cooling = reply.last().map(texts).unwrap_or_default();
        Ok(Taken { fits, counters, cooling })
    }

    /// Sends a batch; sent again under the same name it changes nothing more. Sessions are kept for
    /// so many milliseconds, and so many of them.
    pub(super) async fn merge(
        &self,
        connection: &mut MultiplexedConnection,
        (name, batch): (&str, &Batch),
        kept: (u64, usize),
    ) -> Result<(), RedisError> {
        let mut invocation = self.merge.prepare_invoke();
        invocation.key(self.key("batch", name)).arg(LEASE_MS);
        for ((key, span), by) in &batch.counts {
            invocation.key(self.key("count", key));
            invocation.arg("c").arg(span.start.0).arg(span.end.0);
            invocation.arg(by.requests).arg(by.input).arg(by.output).arg(by.cost);
        }
        for ((key, call), begins) in &batch.flights {
            invocation.key(self.key("flight", key));
            invocation.arg("f").arg(call).arg(u8::from(*begins));
            invocation.arg("").arg("").arg("").arg("");
        }
        for ((provider, name), cooling) in &batch.cooling {
            invocation.key(self.key("held", provider));
            let text = cooling.as_ref().and_then(|it| serde_json::to_string(it).ok());
            let until = cooling.as_ref().map_or(0, |it| it.until.0);
            invocation.arg("h").arg(name).arg(text.unwrap_or_default()).arg(until);
            invocation.arg("").arg("").arg("");
        }
        for (key, session) in &batch.sessions {
            invocation.key(self.sessions());
            let text = serde_json::to_string(session).unwrap_or_default();
            invocation.arg("s").arg(key).arg(text).arg(kept.0).arg(kept.1).arg("").arg("");
        }
        let _: i64 = invocation.invoke_async(connection).await?;
        Ok(())
    }

    /// How buckets stand, what is kept out of providers, and where sessions went since a moment of
    /// Redis's clock.
    pub(super) async fn look(
        &self,
        connection: &mut MultiplexedConnection,
        claims: &[Claim],
        providers: &[String],
        since: Option<u64>,
    ) -> Result<Seen, RedisError> {
        let mut invocation = self.look.prepare_invoke();
        for kind in ["count", "flight"] {
            for claim in claims {
                invocation.key(self.key(kind, &claim.key));
            }
        }
        for provider in providers {
            invocation.key(self.key("held", provider));
        }
        invocation.key(self.sessions());
        invocation.arg(claims.len());
        invocation.arg(since.map(|since| since.to_string()).unwrap_or_default());
        invocation.arg(SESSIONS_MAX);
        let reply: Vec<Value> = invocation.invoke_async(connection).await?;
        let mut rest = reply.iter().skip(claims.len() * FIGURES);
        let held = rest.by_ref().take(providers.len()).map(texts).collect();
        let sessions = rest.next().map(texts).unwrap_or_default();
        let next = since.map(|since| figure(rest.next()).max(since));
        Ok(Seen { counters: counters(&reply, claims.len()), held, sessions, next })
    }

    fn sessions(&self) -> String {
        format!("{}:sessions", self.prefix)
    }
}

/// What a look found.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) counters: Vec<Counter>,
    /// By provider.
    pub(super) held: Vec<Vec<Cooling>>,
    pub(super) sessions: Vec<SharedSession>,
    /// The moment to look from next time.
    pub(super) next: Option<u64>,
}

fn figure(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Int(figure)) => u64::try_from(*figure).unwrap_or(0),
        _ => 0,
    }
}

fn counters(figures: &[Value], count: usize) -> Vec<Counter> {
    let counter = |all: &[Value]| {
        let at = |index| figure(all.get(index));
        Counter {
            span: Span { start: UnixMs(at(0)), end: UnixMs(at(1)) },
            requests: at(2),
            tokens: Tokens { input: at(3), output: at(4), cost: at(5) },
            in_flight: at(6),
        }
    };
    figures.chunks(FIGURES).take(count).map(counter).collect()
}

/// What makes no sense, as from a later version, is left out.
fn texts<T: DeserializeOwned>(values: &Value) -> Vec<T> {
    let Value::Array(values) = values else { return Vec::new() };
    let text = |value: &Value| match value {
        Value::BulkString(text) => serde_json::from_slice(text).ok(),
        _ => None,
    };
    values.iter().filter_map(text).collect()
}
