//! `server`, `translation`, `state`, `telemetry`, `update`.

use super::leaf::{Map, SecretText, Texts};
use crate::read::document;

document! {
    /// Where and how clients are served.
    pub struct Server {
        /// Address to listen on; `127.0.0.1` if absent.
        host: String = "host",
        /// Port to listen on; 8787 if absent.
        port: u16 = "port",
        /// Whether clients must present the master key; by default only off the loopback address.
        require_auth: bool = "requireAuth" | "require-auth",
        /// The key clients present; the top-level `masterKey` is preferred.
        master_key: SecretText = "masterKey" | "master-key",
        /// Largest request body in bytes; 33554432 (32 MiB) if absent.
        max_body_bytes: u64 = "maxBodyBytes",
        /// Whether answers carry `x-llm-router-*` headers.
        debug: bool = "debug",
        /// Which web pages may call the router.
        cors: Cors = "cors",
        /// Client addresses that are served, such as `10.0.0.0/8`; absent means all.
        allowed_ips: Texts = "allowedIps",
        /// Milliseconds a stopping server waits for requests in flight; 30000 if absent.
        drain_ms: u64 = "drainMs",
        /// Milliseconds a client has to send its request head; 30000 if absent.
        header_timeout_ms: u64 = "headerTimeoutMs",
        /// Whether the config file is watched; `true` if absent.
        watch_config: bool = "watchConfig" | "watch-config",
        /// Milliseconds of quiet after a change of the file before it is read; 300 if absent.
        reload_debounce_ms: u64 = "reloadDebounceMs",
        /// Listener for operators; off if absent.
        admin: Admin = "admin",
    }
}

document! {
    /// Which web pages may call the router.
    pub struct Cors {
        /// Every page.
        allow_all: bool = "allowAll",
        /// Pages of these origins.
        allowed_origins: Texts = "allowedOrigins",
    }
}

document! {
    /// Listener for operators.
    pub struct Admin {
        /// Whether it is on; `true` if the section is present.
        enabled: bool = "enabled",
        /// Address to listen on; `127.0.0.1` if absent.
        host: String = "host",
        /// Port to listen on; 8788 if absent.
        port: u16 = "port",
        /// The key operators present: text, `env:NAME`, `file:PATH` or `keychain:NAME`.
        key: SecretText = "key",
    }
}

document! {
    /// How requests and answers are translated between dialects.
    pub struct Translation {
        /// Severities of loss that refuse a request: `true` for all, or a list of `hint`, `setting`
        /// and `content`.
        strict: serde_json::Value = "strict",
        /// Whether reasoning reaches Chat clients as `reasoning_content`; `true` if absent.
        reasoning_to_chat: bool = "reasoningToChat",
        /// Whether effort headers of clients count where the body asks for none.
        effort_headers: bool = "effortHeaders",
        /// Limit of an answer where neither the client nor what is known of the model states one,
        /// in tokens; 8192 if absent.
        max_tokens_default: u64 = "maxTokensDefault",
        /// Whether a cache mark of an hour may become one of twelve hours, which costs more.
        cache_12h: bool = "cache12h",
    }
}

document! {
    /// Where counters and cooldowns are kept.
    pub struct State {
        /// `sqlite` (also `file`), `memory` or `redis`; `sqlite` if absent.
        backend: String = "backend",
        /// File of the `sqlite` backend.
        path: String = "path",
        /// Address of the `redis` backend: text, `env:NAME`, `file:PATH` or `keychain:NAME`.
        url: SecretText = "url",
        /// What the names of keys in Redis begin with.
        prefix: String = "prefix",
        /// Milliseconds state about an unused candidate is kept; 86400000 if absent.
        ttl_ms: u64 = "ttlMs",
    }
}

document! {
    /// Logs, records and traces.
    pub struct Telemetry {
        /// `error`, `warn`, `info`, `debug` or `trace`, or a filter by module; `info` if absent.
        log_level: String = "logLevel",
        /// `text` or `json`; `text` if absent.
        log_format: String = "logFormat",
        /// Records of finished requests.
        records: Records = "records",
        /// Address of an OpenTelemetry collector (HTTP).
        otlp_endpoint: String = "otlpEndpoint",
        /// Headers for the collector.
        otlp_headers: Map<SecretText> = "otlpHeaders",
    }
}

document! {
    /// Records of finished requests; they never hold prompts or answers.
    pub struct Records {
        /// Whether records are kept; `true` if absent.
        enabled: bool = "enabled",
        /// File of the records; beside the state if absent.
        path: String = "path",
        /// Days a record is kept; 30 if absent.
        max_age_days: u64 = "maxAgeDays",
        /// Bytes of records kept at most; 268435456 if absent.
        max_bytes: u64 = "maxBytes",
    }
}

document! {
    /// Where newer versions are looked for.
    pub struct Update {
        /// Address of a release index.
        index: String = "index",
        /// Whether a starting router looks into the index and says in its log that there is a newer version.
        check: bool = "check",
    }
}
