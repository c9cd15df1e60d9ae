//! Which headers pass, in each direction. Everything not listed stays where it is.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};
use router_core::exchange::{AttemptRecord, Exchange};
use router_wire::Dialect;
use router_wire::canonical::Loss;

use super::Job;
use crate::host::Host;

/// Client headers that pass to any upstream of the same dialect.
const TO_UPSTREAM: [HeaderName; 2] = [header::ACCEPT, header::USER_AGENT];
/// Messages: what the client's body was written for.
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// Messages: which unreleased features the client uses.
const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");
/// The same for `OpenAI`.
const OPENAI_BETA: HeaderName = HeaderName::from_static("openai-beta");
/// The version of a request that names none, as the API requires one.
const ANTHROPIC_VERSION_DEFAULT: HeaderValue = HeaderValue::from_static("2023-06-01");
/// How the router names itself where the client does not.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("llm-router/", env!("CARGO_PKG_VERSION")));

/// Upstream headers that pass to the client.
const TO_CLIENT: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::RETRY_AFTER,
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-should-retry"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("openai-processing-ms"),
];
/// Families of upstream headers that pass to the client: its rate limits there.
const TO_CLIENT_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// What a translation could not carry.
const LOSS: HeaderName = HeaderName::from_static("x-llm-router-loss");
/// The same in full, where debug is on.
const LOSSES: HeaderName = HeaderName::from_static("x-llm-router-losses");
/// Bytes of that header at most; clients commonly take 16 KB of headers.
const LOSSES_BYTES_MAX: usize = 6 * 1024;
/// Characters of one debug header at most.
const DEBUG_CHARS_MAX: usize = 512;
/// Candidates or attempts listed in one debug header at most.
const DEBUG_ITEMS_MAX: usize = 8;

/// Adds the client's headers to what config says about the provider; config wins, but for the
/// version and the beta features, which belong to the client's body and pass with it only where
/// the upstream is `native`: speaks the client's dialect.
pub(super) fn to_upstream<H: Host>(
    job: &Job<H>,
    native: bool,
    allows_beta: impl Fn(&str) -> bool,
    headers: &mut HeaderMap,
) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for name in &TO_UPSTREAM {
        if let (Some(value), false) = (job.headers.get(name), headers.contains_key(name)) {
            headers.insert(name, value.clone());
        }
    }
    if !headers.contains_key(header::USER_AGENT) {
        headers.insert(header::USER_AGENT, USER_AGENT);
    }
    headers.insert(header::ACCEPT_ENCODING, accepted_encoding(job));
    if !native {
        return;
    }
    if job.dialect == Dialect::Anthropic {
        if let Some(version) = job.headers.get(ANTHROPIC_VERSION) {
            headers.insert(ANTHROPIC_VERSION, version.clone());
        } else if !headers.contains_key(ANTHROPIC_VERSION) {
            headers.insert(ANTHROPIC_VERSION, ANTHROPIC_VERSION_DEFAULT);
        }
        merge_beta(job, allows_beta, headers);
    } else if job.dialect != Dialect::Gemini
        && let Some(value) = job.headers.get(OPENAI_BETA)
    {
        headers.entry(OPENAI_BETA).or_insert_with(|| value.clone());
    }
}

/// A stream is watched as it passes, so it is asked for as it is. For a whole answer the client
/// decides.
fn accepted_encoding<H: Host>(job: &Job<H>) -> HeaderValue {
    let asked = job.headers.get(header::ACCEPT_ENCODING).filter(|_| !job.stream);
    asked.cloned().unwrap_or_else(|| HeaderValue::from_static("identity"))
}

/// Config's beta features, then the client's that may pass; each once.
fn merge_beta<H: Host>(job: &Job<H>, allows: impl Fn(&str) -> bool, headers: &mut HeaderMap) {
    let configured = headers.get(ANTHROPIC_BETA).cloned();
    let listed = |value: &HeaderValue| -> Vec<String> {
        let text = value.to_str().unwrap_or_default();
        text.split(',').map(|each| each.trim().to_owned()).filter(|each| !each.is_empty()).collect()
    };
    let mut all = configured.as_ref().map(listed).unwrap_or_default();
    for value in job.headers.get_all(ANTHROPIC_BETA) {
        all.extend(listed(value).into_iter().filter(|each| allows(each)));
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|each| seen.insert(each.clone()));
    if let (false, Ok(value)) = (all.is_empty(), HeaderValue::from_str(&all.join(","))) {
        headers.insert(ANTHROPIC_BETA, value);
    }
}

/// The upstream's headers that the client gets.
pub(super) fn to_client(upstream: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    for (name, value) in upstream {
        let passes = TO_CLIENT.contains(name)
            || TO_CLIENT_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
        if passes {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// How many things a translation lost, and which, if it lost any; with debug on also where and
/// why, as JSON.
pub(super) fn add_losses<H: Host>(job: &Job<H>, losses: &[Loss], headers: &mut HeaderMap) {
    let codes: std::collections::BTreeSet<&str> =
        losses.iter().map(|loss| loss.code.as_ref()).collect();
    if codes.is_empty() {
        return;
    }
    let listed: Vec<_> = codes.iter().copied().collect();
    let text: String =
        format!("{}; {}", codes.len(), listed.join(", ")).chars().take(DEBUG_CHARS_MAX).collect();
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(LOSS, value);
    }
    if job.host.snapshot().config.server.debug
        && let Some(value) = in_full(losses)
    {
        headers.insert(LOSSES, value);
    }
}

/// As many losses as a header may hold, as a JSON array in ASCII.
fn in_full(losses: &[Loss]) -> Option<HeaderValue> {
    let mut array = String::from("[");
    for loss in losses {
        let text = serde_json::to_string(loss).ok()?;
        let ascii: String =
            text.chars().map(|each| if each.is_ascii() { each } else { '?' }).collect();
        if LOSSES_BYTES_MAX < array.len() + ascii.len() {
            break;
        }
        if array.len() > 1 {
            array.push(',');
        }
        array.push_str(&ascii);
    }
    array.push(']');
    HeaderValue::from_str(&array).ok()
}

/// How the request was routed, for whoever debugs it.
pub(super) fn add_debug<H: Host>(job: &Job<H>, exchange: &Exchange, headers: &mut HeaderMap) {
    let catalog = &job.host.snapshot().config.catalog;
    let plan = exchange.plan();
    let strategy = match &job.route {
        router_core::resolve::Route::Alias(name) => {
            catalog.aliases.get(name.as_str()).map(|alias| alias.strategy).unwrap_or_default()
        }
        router_core::resolve::Route::Direct(_) => router_core::catalog::Strategy::Ordered,
    };
    let asked = if job.asked.is_empty() { "smart" } else { &job.asked };
    let name = |model| catalog.name(model);
    let selected = exchange.candidate().map(|candidate| name(candidate.model));
    let skipped = plan.skipped.iter().take(DEBUG_ITEMS_MAX);
    let skipped = skipped.map(|each| format!("{}:{}", name(each.model), each.reason.name()));
    let attempts = exchange.attempts().iter().take(DEBUG_ITEMS_MAX).enumerate();
    let attempts = attempts.map(|(index, attempt)| {
        let candidate = plan.candidates.get(attempt.candidate);
        let model = candidate.map(|candidate| name(candidate.model)).unwrap_or_default();
        format!("{model}:{}#{}", result_of(attempt), index + 1)
    });
    let all = [
        ("x-llm-router-requested-model", asked.to_owned()),
        ("x-llm-router-state", job.host.caveat().unwrap_or_default().to_owned()),
        ("x-llm-router-route-type", job.route.kind().to_owned()),
        ("x-llm-router-route-ref", job.route_name.clone()),
        ("x-llm-router-route-strategy", strategy.name().to_owned()),
        ("x-llm-router-selected-candidate", selected.unwrap_or_default()),
        ("x-llm-router-skipped-candidates", skipped.collect::<Vec<_>>().join(",")),
        ("x-llm-router-attempts", attempts.collect::<Vec<_>>().join(",")),
    ];
    for (header, text) in all {
        let text: String =
            text.chars().filter(|each| !each.is_control()).take(DEBUG_CHARS_MAX).collect();
        if let (false, Ok(value)) = (text.is_empty(), HeaderValue::from_str(&text)) {
            headers.insert(HeaderName::from_static(header), value);
        }
    }
}

fn result_of(attempt: &AttemptRecord) -> String {
    match attempt.failure {
        None => "200/ok".to_owned(),
        Some((class, Some(status))) => format!("{status}/{}", class.name()),
        Some((class, None)) => format!("-/{}", class.name()),
    }
}
