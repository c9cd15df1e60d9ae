//! Identifiers: made from what an upstream said, so that the same answer has the same ids.

use std::borrow::Cow;

use crate::json::Str;

/// What vendors put in front of the ids of answers.
const PREFIXES: [&str; 8] =
    ["msg_", "chatcmpl-", "chatcmpl_", "resp_", "gen-", "cmpl-", "msg-", "response_"];

/// Longest suffix taken over from an upstream's id.
const SUFFIX_MAX: usize = 64;

/// Longest pseudonym of an end user that OpenAI takes, in characters.
pub const END_USER_MAX: usize = 128;
/// Longest key of a prompt cache that OpenAI takes, in characters.
pub const CACHE_KEY_MAX: usize = 64;

/// The text, or a hash of it where it is longer than a vendor takes. The text itself is the client's
/// own to hide.
pub fn shortened<'t>(text: &'t Str<'_>, chars_max: usize) -> Cow<'t, str> {
    let plain = text.as_ref().decode();
    if plain.chars().count() <= chars_max {
        plain
    } else {
        hex(stable_hash(plain.as_bytes())).into()
    }
}

/// An id for an answer: `prefix` and what makes the upstream's own id unique.
pub fn answer_id(prefix: &str, upstream: &Str<'_>) -> String {
    let id = upstream.decode();
    let tail = PREFIXES.iter().find_map(|known| id.strip_prefix(known)).unwrap_or(&id);
    let mut made = String::with_capacity(prefix.len() + SUFFIX_MAX);
    made.push_str(prefix);
    if tail.is_empty() || tail.len() > SUFFIX_MAX || !tail.bytes().all(is_word) {
        made.push_str(&hex(stable_hash(id.as_bytes())));
    } else {
        made.push_str(tail);
    }
    made
}

/// An id for tool call number `index` of an answer whose upstream gives calls none.
pub fn call_id(answer: &Str<'_>, index: u32) -> String {
    let mut seed = answer.decode().into_owned();
    seed.push('#');
    seed.push_str(&index.to_string());
    format!("call_{}", hex(stable_hash(seed.as_bytes())))
}

/// Whether every dialect takes this as a tool-call id.
pub fn is_portable(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(is_word)
}

pub(crate) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// 16 hexadecimal digits.
pub fn hex(value: u64) -> String {
    format!("{value:016x}")
}

/// A hash that is the same in every run and on every machine. Not for secrets.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hash = StableHash::default();
    hash.write(bytes);
    hash.finish()
}

/// [`stable_hash`] over several pieces.
#[derive(Clone, Copy, Debug)]
pub struct StableHash(u64);

impl Default for StableHash {
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3)
    }
}

impl StableHash {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

    /// Adds a piece; where one piece ends and the next begins counts.
    pub fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((word, tail)) = rest.split_first_chunk::<8>() {
            self.add(u64::from_le_bytes(*word));
            rest = tail;
        }
        let mut last = [0_u8; 8];
        for (slot, byte) in last.iter_mut().zip(rest) {
            *slot = *byte;
        }
        self.add(u64::from_le_bytes(last));
        self.add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    const fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(Self::MIX);
        self.0 ^= self.0 >> 29;
    }

    /// The hash of all pieces.
    pub const fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(Self::MIX);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_ids_keep_the_unique_part() {
        assert_eq!(answer_id("msg_", &"chatcmpl-AbC123".into()), "msg_AbC123");
        assert_eq!(answer_id("chatcmpl-", &"msg_01X".into()), "chatcmpl-01X");
        assert_eq!(answer_id("msg_", &"a b".into()), answer_id("msg_", &"a b".into()));
        assert_ne!(answer_id("msg_", &"a b".into()), answer_id("msg_", &"a c".into()));
        assert!(is_portable(&answer_id("msg_", &"".into())));
    }

    #[test]
    fn the_hash_sees_every_byte_and_every_border() {
        let two = |a: &[u8], b: &[u8]| {
            let mut hash = StableHash::default();
            hash.write(a);
            hash.write(b);
            hash.finish()
        };
        assert_ne!(two(b"ab", b"c"), two(b"a", b"bc"));
        assert_ne!(stable_hash(b"12345678"), stable_hash(b"123456789"));
        assert_ne!(stable_hash(b"a\0"), stable_hash(b"a"));
        // The value is part of tool names and cache keys: it must not change between versions.
        assert_eq!(hex(stable_hash(b"router")), hex(stable_hash(b"router")));
    }
}
