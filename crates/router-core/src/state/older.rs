//! What the older program's state file is worth.
//!
//! Its bucket counts are: they are what vendors count too. Its cooldowns and penalties are not,
//! as they outlived what caused them, nor are its cursors, which were positions in lists that
//! changed under them.

use serde_json::Value;

use super::saved::{Saved, SavedBucket, SavedProvider};
use crate::bucket::Counter;
use crate::catalog::Window;
use crate::time::UnixMs;
use crate::window::span;

/// Counters taken over at most.
const COUNTERS_MAX: usize = 10_000;

impl Saved {
    /// Reads the older program's state file (version 1). `None` if it is none; entries that make
    /// no sense are left out.
    pub fn from_older(file: &[u8]) -> Option<Self> {
        let file: Value = serde_json::from_slice(file).ok()?;
        let buckets = file.get("bucketUsage")?.as_object()?;
        let mut saved = Self::default();
        for (key, windows) in buckets.iter().take(COUNTERS_MAX) {
            let latest = windows.as_object().into_iter().flatten().filter_map(counter);
            let latest = latest.max_by_key(|(_, counter)| counter.span);
            if let (Some((provider, bucket)), Some((window, counter))) = (names(key), latest) {
                saved.add(provider, SavedBucket::new(bucket, &window, counter));
            }
        }
        Some(saved)
    }

    fn add(&mut self, provider: String, bucket: SavedBucket) {
        if let Some(known) = self.providers.iter_mut().find(|known| known.id == provider) {
            known.buckets.push(bucket);
            return;
        }
        let mut added = SavedProvider::default();
        added.id = provider;
        added.buckets.push(bucket);
        self.providers.push(added);
    }
}

/// `bucket:<provider>:<bucket id>`, both percent-encoded.
fn names(key: &str) -> Option<(String, String)> {
    let (provider, bucket) = key.strip_prefix("bucket:")?.split_once(':')?;
    Some((decoded(provider)?, decoded(bucket)?))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

/// `minute:5:2026-02-28T15:40Z` with its count.
fn counter((key, entry): (&String, &Value)) -> Option<(Window, Counter)> {
    let (unit, rest) = key.split_once(':')?;
    let (size, label) = rest.split_once(':')?;
    let unit = super::saved::unit(unit)?;
    let window = Window { unit, size: size.parse().ok()?, time_zone: None };
    let count = entry.get("count")?;
    let requests = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    let full = match label.len() {
        7 => format!("{label}-01T00:00:00Z"),
        10 => format!("{label}T00:00:00Z"),
        17 => format!("{}:00Z", label.strip_suffix('Z')?),
        _ => label.to_owned(),
    };
    let start: jiff::Timestamp = full.parse().ok()?;
    let start = UnixMs(u64::try_from(start.as_millisecond()).ok()?);
    let span = span(&window, start);
    Some((window, Counter { span, requests, ..Counter::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::testing::{World, catalog};

    #[test]
    fn counts_of_the_older_program_go_on() {
        // The small world begins at 2026-02-02T02:40Z.
        let file = br#"{"version":1,"updatedAt":"2026-02-02T00:00:00.000Z",
            "routeCursors":{"route:alias:x@openai":3},
            "candidateStates":{"candidate:a%2Fm@openai":{"openUntil":9999999999999}},
            "bucketUsage":{
                "bucket:a:month":{
                    "month:1:2026-01":{"count":9,"expiresAt":0},
                    "month:1:2026-02":{"count":"2","expiresAt":0}},
                "bucket:%E0%A4:x":{"month:1:2026-02":{"count":1}},
                "bucket:b:month":{"fortnight:1:2026-02":{"count":1}},
                "nonsense":7}}"#;
        let mut world = World::new(catalog("ab"));
        world.state = State::restore(Saved::from_older(file).unwrap());
        world.reload(catalog("ab").monthly("a", 3).monthly("b", 1));
        assert_eq!(world.serve_all("a/m", 3), "a--", "two of three were used");
        assert_eq!(world.serve_all("b/m", 2), "b-");
        assert_eq!(world.state.held(world.now), []);
    }

    #[test]
    fn every_window_of_the_older_program_is_understood() {
        for (key, now) in [
            ("second:30:2026-02-28T15:42:30Z", "2026-02-28T15:42:47Z"),
            ("minute:5:2026-02-28T15:40Z", "2026-02-28T15:42:47Z"),
            ("hour:6:2026-02-28T12:00Z", "2026-02-28T15:42:47Z"),
            ("day:7:2026-02-26", "2026-02-28T15:42:47Z"),
            ("week:2:2026-02-16", "2026-02-28T15:42:47Z"),
            ("month:5:2025-11", "2026-02-28T15:42:47Z"),
        ] {
            let (window, counter) =
                counter((&key.to_owned(), &serde_json::json!({"count": 4}))).unwrap();
            let now: jiff::Timestamp = now.parse().unwrap();
            let now = UnixMs(u64::try_from(now.as_millisecond()).unwrap());
            assert_eq!(counter.span, span(&window, now), "{key}");
            assert_eq!(counter.requests, 4);
        }
    }

    #[test]
    fn what_is_no_state_file_is_none() {
        for file in ["", "[]", "{}", r#"{"bucketUsage":[]}"#, "null"] {
            assert_eq!(Saved::from_older(file.as_bytes()), None, "{file}");
        }
    }
}
