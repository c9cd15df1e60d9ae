//! How long an upstream asks to be left alone.
//!
//! | source | form |
//! |---|---|
//! | `retry-after-ms` | milliseconds |
//! | `retry-after` | seconds (fractions too) or an HTTP date |
//! | `x-ratelimit-reset-requests`, `-tokens`, `x-ratelimit-reset` | `1m2.5s`, seconds, Unix time in s or ms |
//! | `anthropic-ratelimit-*-reset` | RFC 3339 |
//! | body: Google `RetryInfo` | `12.5s` |
//! | message: "try again in 1.5s" | `1.5s`, `350ms`, `1m30s` |
//!
//! A reset header counts only where its `remaining` sibling is 0 or missing; of several the
//! latest wins, since all of them must have passed.

use std::time::Duration;

use router_wire::error::UpstreamError;

use crate::time::UnixMs;

/// Values above this many seconds are points in time rather than delays.
const SPAN_MAX_S: f64 = 10_000_000.0;
/// Values above this are points in time in milliseconds.
const MOMENT_S_MAX: f64 = 100_000_000_000.0;

/// Reset headers, each with the one that says how much is left.
const RESETS: [(&str, &str); 10] = [
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("ratelimit-reset", "ratelimit-remaining"),
    ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    ("anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"),
    ("anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"),
    ("x-ratelimit-reset-input-tokens", "x-ratelimit-remaining-input-tokens"),
    ("x-ratelimit-reset-output-tokens", "x-ratelimit-remaining-output-tokens"),
];

/// The delay an answer asks for; `None` where it asks for none.
pub fn retry_after<'a>(
    headers: &'a dyn Fn(&str) -> Option<&'a str>,
    body: &UpstreamError,
    now: UnixMs,
) -> Option<Duration> {
    let ms = headers("retry-after-ms").and_then(number).map(|ms| ms / 1e3);
    if let Some(found) = ms.and_then(seconds) {
        return Some(found);
    }
    if let Some(found) = headers("retry-after").and_then(|text| delay_or_moment(text, now)) {
        return Some(found);
    }
    if let Some(millis) = body.retry_after_ms {
        return Some(Duration::from_millis(millis));
    }
    let resets = RESETS.iter().filter_map(|(reset, remaining)| {
        let spent = headers(remaining).and_then(number).is_none_or(|left| left <= 0.0);
        spent.then(|| headers(reset).and_then(|text| delay_or_moment(text, now))).flatten()
    });
    resets.max().or_else(|| spoken(&body.message))
}

fn seconds(value: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(value).ok()
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if digits && !text.is_empty() { text.parse().ok() } else { None }
}

/// A delay (`30`, `1.5`, `1m2s`) or a moment (Unix time, HTTP date, RFC 3339).
fn delay_or_moment(text: &str, now: UnixMs) -> Option<Duration> {
    let text = text.trim();
    if let Some(value) = number(text) {
        return if value > MOMENT_S_MAX {
            Some(until(value / 1e3, now))
        } else if value > SPAN_MAX_S {
            Some(until(value, now))
        } else {
            seconds(value)
        };
    }
    if let Some(found) = units(text) {
        return Some(found);
    }
    let moment = text
        .parse::<jiff::Timestamp>()
        .or_else(|_| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text))
        .ok()?;
    let moment = UnixMs(u64::try_from(moment.as_millisecond()).unwrap_or(0));
    Some(moment.since(now))
}

fn until(unix_s: f64, now: UnixMs) -> Duration {
    UnixMs(crate::num::whole(unix_s * 1e3)).since(now)
}

/// `1h2m3.5s`, `350ms`; `None` for anything else.
fn units(text: &str) -> Option<Duration> {
    let (length, rest) = leading_units(text.trim());
    if rest.is_empty() { length } else { None }
}

/// The units a text begins with, and what follows them.
fn leading_units(text: &str) -> (Option<Duration>, &str) {
    let mut total: Option<f64> = None;
    let mut rest = text;
    loop {
        let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (figure, tail) = rest.split_at(digits);
        let unit = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
        let unit = unit.into_iter().find_map(|(name, s)| Some((s, tail.strip_prefix(name)?)));
        let (Ok(figure), Some((scale, after))) = (figure.parse::<f64>(), unit) else { break };
        total = Some(total.unwrap_or(0.0) + figure * scale);
        rest = after;
    }
    (total.and_then(seconds), rest)
}

/// "try again in 1.5s", as several vendors write into their message.
fn spoken(message: &str) -> Option<Duration> {
    const PHRASES: [&str; 3] = ["try again in ", "retry in ", "retry after "];
    let lower = message.to_ascii_lowercase();
    let after = PHRASES.iter().find_map(|phrase| lower.split_once(phrase).map(|(_, tail)| tail))?;
    if let (Some(found), _) = leading_units(after) {
        return Some(found);
    }
    let (figure, tail) = after.split_once(' ')?;
    let figure = number(figure)?;
    if tail.starts_with("second") {
        seconds(figure)
    } else if tail.starts_with("minute") {
        seconds(figure * 60.0)
    } else if tail.starts_with("millisecond") {
        seconds(figure / 1e3)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z.
    const NOW: UnixMs = UnixMs(1_767_225_600_000);

    #[track_caller]
    fn check(headers: &[(&str, &str)], body: &str, expect_ms: Option<u64>) {
        let lookup =
            |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let found = retry_after(&lookup, &UpstreamError::read(429, body.as_bytes()), NOW);
        assert_eq!(found, expect_ms.map(Duration::from_millis), "{headers:?} {body}");
    }

    #[test]
    fn reset_headers_of_all_vendors_are_understood() {
        check(&[("retry-after", "20")], "", Some(20_000));
        check(&[("retry-after", "1.5")], "", Some(1_500));
        check(&[("retry-after", "0")], "", Some(0));
        check(&[("retry-after-ms", "250"), ("retry-after", "1")], "", Some(250));
        check(&[("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT")], "", Some(60_000));
        check(&[("retry-after", "Wed, 31 Dec 2025 00:01:00 GMT")], "", Some(0));
        check(&[("x-ratelimit-reset-requests", "1m2.5s")], "", Some(62_500));
        check(&[("x-ratelimit-reset-tokens", "7ms")], "", Some(7));
        check(&[("x-ratelimit-reset", "1767225630")], "", Some(30_000));
        check(&[("x-ratelimit-reset", "1767225630000")], "", Some(30_000));
        check(&[("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:45Z")], "", Some(45_000));
    }

    #[test]
    fn only_spent_limits_count_and_the_latest_wins() {
        let requests = ("x-ratelimit-reset-requests", "10s");
        let tokens = ("x-ratelimit-reset-tokens", "90s");
        check(&[requests, tokens], "", Some(90_000));
        check(&[requests, tokens, ("x-ratelimit-remaining-tokens", "5000")], "", Some(10_000));
        check(&[requests, ("x-ratelimit-remaining-requests", "1")], "", None);
    }

    #[test]
    fn bodies_that_name_a_delay_are_understood() {
        let gemini = r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED",
            "details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}"#;
        check(&[], gemini, Some(34_500));
        check(&[], r#"{"error":{"message":"Please try again in 1m30s. Visit"}}"#, Some(90_000));
        check(&[], r#"{"error":{"message":"Please retry after 6 seconds."}}"#, Some(6_000));
        check(&[], r#"{"error":{"message":"Please try again in 350ms."}}"#, Some(350));
        check(&[], r#"{"error":{"message":"Please try again later."}}"#, None);
    }

    #[test]
    fn d43_a_date_is_never_read_as_seconds() {
        check(&[("retry-after", "2026-01-01T00:00:30Z")], "", Some(30_000));
        check(&[("retry-after", "2026-01-01")], "", None);
        check(&[("retry-after", "12abc")], "", None);
        check(&[("retry-after", "-5")], "", None);
    }
}
