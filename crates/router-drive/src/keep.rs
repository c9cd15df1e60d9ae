//! Opaque reasoning state of upstreams, kept for clients that cannot carry it.
//!
//! A Messages or Responses client sends back what a model thought, signed, with the result of a
//! tool. Chat and Gemini clients have no place for it, so the router keeps it by the id of the
//! tool call and adds it when a request with that id goes upstream.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Calls whose state is kept at most; the oldest go first.
const CALLS_MAX: usize = 8_192;
/// Bytes of state kept at most; the oldest go first.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// State by the id of a tool call.
#[derive(Debug, Default)]
pub struct Kept {
    /// Written when an answer with tool calls is complete, read before a translation.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    states: BTreeMap<String, String>,
    /// Ids, oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

impl Kept {
    /// Keeps the state of some calls.
    pub(crate) fn keep(&self, states: &[(String, String)]) {
        if states.is_empty() {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, state) in states {
            inner.bytes += state.len();
            match inner.states.insert(id.clone(), state.clone()) {
                Some(old) => inner.bytes -= old.len(),
                None => inner.order.push_back(id.clone()),
            }
        }
        inner.trim();
    }

    /// The state of every call that `body` mentions by its id.
    pub(crate) fn of(&self, body: &[u8]) -> Vec<(String, String)> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.states.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<(String, String)> = Vec::new();
        for id in ids(body) {
            if let Some((id, state)) = inner.states.get_key_value(id)
                && !found.iter().any(|(known, _)| known == id)
            {
                found.push((id.clone(), state.clone()));
            }
        }
        found
    }
}

impl Inner {
    fn trim(&mut self) {
        while CALLS_MAX < self.order.len() || BYTES_MAX < self.bytes {
            let Some(oldest) = self.order.pop_front() else { return };
            let state = self.states.remove(&oldest).unwrap_or_default();
            self.bytes = self.bytes.saturating_sub(state.len());
        }
    }
}

/// The text of every member whose name ends in `id`. Ids of calls need no escapes in JSON.
fn ids(body: &[u8]) -> impl Iterator<Item = &str> {
    memchr::memmem::find_iter(body, b"id\"").filter_map(|at| {
        let rest = body.get(at + b"id\"".len()..)?.trim_ascii_start();
        let rest = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', rest)?;
        std::str::from_utf8(rest.get(..end)?).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(id: &str, state: &str) -> (String, String) {
        (id.to_owned(), state.to_owned())
    }

    #[test]
    fn a_request_gets_the_state_of_the_calls_it_mentions_once_each() {
        let kept = Kept::default();
        kept.keep(&[pair("call_1", "one"), pair("call_2", "two"), pair("call_3", "three")]);
        let body = br#"{"messages":[{"tool_calls":[{"id" : "call_1"},{"id":"call_2"}]},
            {"role":"tool","tool_call_id":"call_1"},{"text":"call_3"}]}"#;
        assert_eq!(kept.of(body), [pair("call_1", "one"), pair("call_2", "two")]);
        assert_eq!(kept.of(b"{}"), []);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let kept = Kept::default();
        let all: Vec<_> = (0..=CALLS_MAX).map(|n| pair(&format!("call_{n}"), "x")).collect();
        kept.keep(&all);
        assert_eq!(kept.of(br#"{"id":"call_0"}"#), []);
        assert_eq!(kept.of(br#"{"id":"call_1"}"#).len(), 1);
        kept.keep(&[pair("large", &"x".repeat(BYTES_MAX))]);
        assert_eq!(kept.of(br#"{"id":"call_1"}"#), []);
        assert_eq!(kept.of(br#"{"id":"large"}"#).len(), 1);
    }
}
