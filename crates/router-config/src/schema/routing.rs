//! `routing`.

use crate::read::document;

document! {
    /// Failure policy, timeouts and session affinity.
    pub struct Routing {
        /// How often and how fast to try again.
        retry: Retry = "retry",
        /// How long failures keep a candidate out.
        cooldown: Cooldown = "cooldown",
        /// When repeated failures keep a candidate out.
        circuit: Circuit = "circuit",
        /// Time limits of one attempt.
        timeouts: Timeouts = "timeouts",
        /// Holding back the start of streams and keeping connections alive.
        stream: Stream = "stream",
        /// Keeping sessions on their target.
        affinity: Affinity = "affinity",
        /// Waiting for room in full buckets.
        queue: Queue = "queue",
    }
}

document! {
    /// Bounds on the attempts of one request.
    pub struct Retry {
        /// Attempts on one candidate, the first included; 3 if absent.
        attempts: u32 = "attempts",
        /// Attempts of one request over all candidates; 10 if absent.
        attempts_total: u32 = "attemptsTotal" | "maxAttempts",
        /// Milliseconds after which no further attempt starts; 300000 if absent.
        budget_ms: u64 = "budgetMs",
        /// Milliseconds before the second attempt on the same candidate; 250 if absent.
        base_delay_ms: u64 = "baseDelayMs",
        /// Upper bound of the delay in milliseconds; 3000 if absent.
        max_delay_ms: u64 = "maxDelayMs",
    }
}

document! {
    /// Lengths of cooldowns where the provider names none, in milliseconds.
    pub struct Cooldown {
        /// After 429; 30000 if absent.
        rate_limit_ms: u64 = "rateLimitMs",
        /// After a refused credential; 600000 if absent.
        auth_ms: u64 = "authMs",
        /// After a refusal that speaks of money; 900000 if absent.
        billing_ms: u64 = "billingMs",
        /// After 404, 410 and unusable addresses; 45000 if absent.
        not_found_ms: u64 = "notFoundMs",
        /// Upper bound of what a provider may ask for; 86400000 if absent.
        max_ms: u64 = "maxMs",
        /// Whether a refusal for policy reasons may go to the next candidate.
        allow_policy_fallback: bool = "allowPolicyFallback",
    }
}

document! {
    /// When repeated failures open a circuit.
    pub struct Circuit {
        /// Failing requests in a row that open it; 0 turns circuits off; 2 if absent.
        failures: u32 = "failures",
        /// Milliseconds it stays open; 30000 if absent.
        cooldown_ms: u64 = "cooldownMs",
    }
}

document! {
    /// Time limits of one attempt in milliseconds; 0 turns a limit off.
    pub struct Timeouts {
        /// To an established connection; 10000 if absent.
        connect_ms: u64 = "connectMs",
        /// From the request sent to the first byte of the answer; 120000 if absent.
        first_byte_ms: u64 = "firstByteMs",
        /// Between two pieces of the answer; 120000 if absent.
        idle_ms: u64 = "idleMs",
        /// Of the whole attempt, streams excepted; 600000 if absent.
        total_ms: u64 = "totalMs",
    }
}

document! {
    /// Holding back the start of streams and keeping connections alive.
    pub struct Stream {
        /// Bytes of start-up events held back at most; 65536 if absent.
        hold_bytes: u64 = "holdBytes",
        /// Milliseconds start-up events are held back at most; 60000 if absent.
        hold_ms: u64 = "holdMs",
        /// Milliseconds of silence after which a ping is sent; 0 turns pings off; 10000 if absent.
        keep_alive_ms: u64 = "keepAliveMs",
    }
}

document! {
    /// Keeping sessions on their target.
    pub struct Affinity {
        /// Whether requests without a session identity get one from their content.
        hash: bool = "hash",
        /// Milliseconds an idle session is remembered; 3600000 if absent.
        ttl_ms: u64 = "ttlMs",
        /// Sessions remembered at most; 10000 if absent.
        max_sessions: u64 = "maxSessions",
    }
}

document! {
    /// Waiting for room in full buckets where nothing else could serve a request.
    pub struct Queue {
        /// Milliseconds a request waits at most before it is refused; 0 refuses at once; 1000 if
        /// absent.
        max_wait_ms: u64 = "maxWaitMs",
    }
}
