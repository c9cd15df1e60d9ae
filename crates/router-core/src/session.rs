//! Which session a request belongs to.
//!
//! | client | where it says so |
//! |---|---|
//! | Claude Code | `x-claude-code-session-id`, or `session_id` in the JSON text `metadata.user_id` |
//! | older Claude Code | the part of `metadata.user_id` after `_session_` |
//! | Codex | `session-id`, `thread-id` |
//! | `OpenCode` | `x-session-affinity`, `x-session-id` |
//! | Responses and Chat clients | `prompt_cache_key` |
//!
//! The first found wins. A user id that names no session is not one: all sessions of a machine
//! would be the same. Where a config asks for it, a request without an identity gets one by hash
//! of what stays the same throughout a conversation: the client key's label, the system text, the
//! tools, and everything up to the first user turn.

use std::borrow::Cow;

use router_wire::peek::{find, text_of};
use serde_json::value::RawValue;

pub use crate::plan::SessionKey;
use crate::seed::Digest;

/// Headers that name a session, most telling first.
const HEADERS: [&str; 6] = [
    "x-claude-code-session-id",
    "session-id",
    "session_id",
    "thread-id",
    "x-session-affinity",
    "x-session-id",
];

/// Where a session may be named. Values of members are raw JSON.
#[derive(Clone, Copy)]
pub struct Hints<'a> {
    /// Looks a header up by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body's `metadata`.
    pub metadata: Option<&'a [u8]>,
    /// The body's `prompt_cache_key`.
    pub prompt_cache_key: Option<&'a [u8]>,
}

impl std::fmt::Debug for Hints<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hints").finish_non_exhaustive()
    }
}

/// The session the client names, if it names one.
pub fn named(hints: &Hints<'_>) -> Option<SessionKey> {
    let header = HEADERS.iter().find_map(|name| identity((hints.header)(name)?));
    header
        .or_else(|| identity(&user_session(hints.metadata?)?))
        .or_else(|| identity(&text_of(hints.prompt_cache_key?)?))
}

fn identity(name: &str) -> Option<SessionKey> {
    let name = name.trim();
    (!name.is_empty()).then(|| SessionKey(Digest::default().with(name.as_bytes()).value()))
}

fn user_session(metadata: &[u8]) -> Option<Cow<'_, str>> {
    let user = text_of(find(metadata, "user_id")?)?;
    if user.trim_start().starts_with('{') {
        let session = find(user.as_bytes(), "session_id")?;
        return Some(Cow::Owned(text_of(session)?.into_owned()));
    }
    let (_, session) = user.rsplit_once("_session_")?;
    Some(Cow::Owned(session.to_owned()))
}

/// A session for a request that names none: `client` is the label of its key, `body` the whole
/// JSON object. Reads the body once, about a nanosecond a byte.
pub fn hashed(client: &str, body: &[u8]) -> Option<SessionKey> {
    let mut digest = Digest::default().with(client.as_bytes());
    for member in ["system", "instructions", "systemInstruction", "tools"] {
        digest = digest.with(find(body, member).unwrap_or_default());
    }
    let turns = ["messages", "input", "contents"].iter().find_map(|member| find(body, member))?;
    if let Some(text) = text_of(turns) {
        return Some(SessionKey(digest.with(text.as_bytes()).value()));
    }
    let turns: Vec<&RawValue> = serde_json::from_slice(turns).ok()?;
    for turn in turns {
        let turn = turn.get().as_bytes();
        digest = digest.with(turn);
        if find(turn, "role").and_then(text_of).is_none_or(|role| role == "user") {
            return Some(SessionKey(digest.value()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The session named by headers and a body.
    fn session(headers: &[(&str, &str)], body: &str) -> Option<SessionKey> {
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, v)| *v);
        let find = |member| find(body.as_bytes(), member);
        let hints = Hints {
            header: &header,
            metadata: find("metadata"),
            prompt_cache_key: find("prompt_cache_key"),
        };
        named(&hints)
    }

    #[test]
    fn real_clients_name_their_session() {
        let expect = identity("5f0c-1");
        assert!(expect.is_some());
        for (headers, body) in [
            (&[("x-claude-code-session-id", "5f0c-1")][..], "{}"),
            (&[("session-id", "5f0c-1"), ("thread-id", "t")], "{}"),
            (&[("thread-id", " 5f0c-1 ")], "{}"),
            (&[("x-session-affinity", "5f0c-1")], r#"{"prompt_cache_key":"other"}"#),
            (&[], r#"{"metadata":{"user_id":"{\"device_id\":\"d\",\"session_id\":\"5f0c-1\"}"}}"#),
            (&[], r#"{"metadata":{"user_id":"user_ab_account_cd_session_5f0c-1"}}"#),
            (&[], r#"{"prompt_cache_key":"5f0c-1"}"#),
            (&[("session-id", " ")], r#"{"prompt_cache_key":"5f0c-1"}"#),
        ] {
            assert_eq!(session(headers, body), expect, "{headers:?} {body}");
        }
    }

    #[test]
    fn what_names_no_session_is_none() {
        for body in [
            "{}",
            r#"{"metadata":{"user_id":"user-123"}}"#,
            r#"{"metadata":{"user_id":"{\"device_id\":\"d\"}"}}"#,
            r#"{"metadata":{"user_id":7}}"#,
            r#"{"metadata":null,"prompt_cache_key":null}"#,
            r#"{"prompt_cache_key":""}"#,
        ] {
            assert_eq!(session(&[], body), None, "{body}");
        }
    }

    #[test]
    fn a_hash_stays_the_same_while_a_conversation_grows() {
        let body = |system: &str, rest: &str| {
            format!(
                r#"{{"model":"m","system":"{system}","messages":[{{"role":"user","content":"a"}}{rest}]}}"#
            )
        };
        let key = |client: &str, system: &str, rest: &str| {
            hashed(client, body(system, rest).as_bytes()).unwrap()
        };
        let first = key("k", "s", "");
        let grown =
            key("k", "s", r#",{"role":"assistant","content":"b"},{"role":"user","content":"c"}"#);
        assert_eq!(first, grown);
        assert_ne!(first, key("other", "s", ""));
        assert_ne!(first, key("k", "other", ""));
        assert!(hashed("k", br#"{"input":"hello"}"#).is_some());
        assert_ne!(hashed("k", br#"{"input":"hello"}"#), hashed("k", br#"{"input":"bye"}"#));
        assert!(hashed("k", br#"{"contents":[{"parts":[{"text":"x"}]}]}"#).is_some());
        assert_eq!(hashed("k", br#"{"messages":[{"role":"system","content":"x"}]}"#), None);
        assert_eq!(hashed("k", b"{}"), None);
    }
}
