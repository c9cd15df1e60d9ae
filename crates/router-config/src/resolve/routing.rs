//! `routing` and the timeouts of providers.

use std::time::Duration;

use router_core::catalog::{
    AffinityPolicy, CircuitPolicy, CooldownPolicy, Retry, Routing, StreamPolicy, Timeouts,
};

use crate::schema;

/// Puts the timeouts of a section over those of `base`, or over the defaults; 0 is no limit.
pub(crate) fn timeouts(section: Option<&schema::Timeouts>, base: Option<Timeouts>) -> Timeouts {
    let base = base.unwrap_or_default();
    let Some(section) = section else { return base };
    let over = |ms: Option<u64>, base: Option<Duration>| match ms {
        Some(0) => None,
        Some(ms) => Some(Duration::from_millis(ms)),
        None => base,
    };
    Timeouts {
        connect: over(section.connect_ms, base.connect),
        first_byte: over(section.first_byte_ms, base.first_byte),
        idle: over(section.idle_ms, base.idle),
        total: over(section.total_ms, base.total),
    }
}

fn millis(ms: Option<u64>, or: Duration) -> Duration {
    ms.map_or(or, Duration::from_millis)
}

fn size(number: Option<u64>, or: usize) -> usize {
    number.map_or(or, |number| usize::try_from(number).unwrap_or(usize::MAX))
}

/// Fills a routing section with the defaults of the core.
pub(crate) fn policy(section: &schema::Routing) -> Routing {
    let retry = section.retry.clone().unwrap_or_default();
    let cooldown = section.cooldown.clone().unwrap_or_default();
    let circuit = section.circuit.clone().unwrap_or_default();
    let stream = section.stream.clone().unwrap_or_default();
    let affinity = section.affinity.clone().unwrap_or_default();
    let or = Routing::default();
    let base_delay = millis(retry.base_delay_ms, or.retry.base_delay);
    Routing {
        retry: Retry {
            attempts: retry.attempts.unwrap_or(or.retry.attempts).max(1),
            attempts_total: retry.attempts_total.unwrap_or(or.retry.attempts_total).max(1),
            budget: millis(retry.budget_ms, or.retry.budget),
            base_delay,
            max_delay: millis(retry.max_delay_ms, or.retry.max_delay).max(base_delay),
        },
        cooldown: CooldownPolicy {
            rate_limit: millis(cooldown.rate_limit_ms, or.cooldown.rate_limit),
            auth: millis(cooldown.auth_ms, or.cooldown.auth),
            billing: millis(cooldown.billing_ms, or.cooldown.billing),
            not_found: millis(cooldown.not_found_ms, or.cooldown.not_found),
            max: millis(cooldown.max_ms, or.cooldown.max),
            allow_policy_fallback: cooldown
                .allow_policy_fallback
                .unwrap_or(or.cooldown.allow_policy_fallback),
        },
        circuit: CircuitPolicy {
            failures: circuit.failures.unwrap_or(or.circuit.failures),
            cooldown: millis(circuit.cooldown_ms, or.circuit.cooldown),
        },
        stream: StreamPolicy {
            hold_bytes: size(stream.hold_bytes, or.stream.hold_bytes),
            hold: millis(stream.hold_ms, or.stream.hold),
            keep_alive: millis(stream.keep_alive_ms, or.stream.keep_alive),
        },
        affinity: AffinityPolicy {
            hash: affinity.hash.unwrap_or(or.affinity.hash),
            ttl: millis(affinity.ttl_ms, or.affinity.ttl),
            sessions_max: size(affinity.max_sessions, or.affinity.sessions_max),
        },
        queue: millis(section.queue.as_ref().and_then(|queue| queue.max_wait_ms), or.queue),
    }
}
