//! The master key: what clients present.

use router_config::edit::{Document, Path};
use router_config::schema::File;
use serde_json::Value;

use super::{Done, weakness};
use crate::{Failure, mask};

/// Characters of a generated key if nothing is said.
pub const LENGTH: usize = 48;
/// Bounds of that number.
const LENGTH_MIN: usize = 24;
const LENGTH_MAX: usize = 256;
/// Random characters at least, whatever the length.
const RANDOM_MIN: usize = 24;
/// What a generated key begins with if nothing is said.
pub const PREFIX: &str = "gw_";
/// Characters of a prefix at most.
const PREFIX_CHARS_MAX: usize = 32;
/// Keys drawn until one is strong; all but one in a million are at once.
const DRAWS_MAX: usize = 12;
/// The 64 characters of URL-safe base64.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Puts a key, or a reference to one (`env:`, `file:`, `keychain:`), in the place of the master
/// key. A weak key is taken, with a note.
pub fn set(document: &mut Document, key: &str) -> Result<Done, Failure> {
    let key = key.trim();
    if key.is_empty() {
        return Err(Failure::input("the key is empty")
            .hint("`key generate` makes a good one; `key clear` removes the key"));
    }
    write(document, Some(key))?;
    let shown = mask::secret(key);
    let done =
        Done::new(format!("the master key is set: {shown}")).fact("masterKey", shown.as_str());
    // What a reference stands for is not known here.
    Ok(match weakness(key).filter(|_| shown != key) {
        None => done,
        Some(why) => done
            .note(format!("the key is weak: {why}; `llm-router key generate` makes a strong one")),
    })
}

/// Removes the master key.
pub fn clear(document: &mut Document) -> Result<Done, Failure> {
    write(document, None)?;
    let done = Done::new("the master key is removed").fact("masterKey", Value::Null);
    Ok(done.note("whoever reaches the router may use it, as far as requireAuth allows"))
}

/// The key as it is written; `None` if there is none.
pub fn written(document: &Document) -> Option<String> {
    let file = File::parse(document.text()).ok()?;
    let key = file.master_key.or_else(|| file.server?.master_key)?;
    Some(key.0).filter(|key| !key.trim().is_empty())
}

fn write(document: &mut Document, key: Option<&str>) -> Result<(), Failure> {
    document.set_master_key(key)?;
    // The older place of the key would come back into force, or only confuse.
    for spelling in ["masterKey", "master-key"] {
        document.remove(&Path::root().key("server").key(spelling))?;
    }
    Ok(())
}

/// Makes a strong key of `length` characters, the prefix included.
pub fn generate(length: usize, prefix: &str) -> Result<String, Failure> {
    let prefix: String = prefix.chars().filter(|c| !c.is_control()).collect();
    let prefix = match prefix.trim() {
        "" => PREFIX,
        prefix => prefix,
    };
    if PREFIX_CHARS_MAX < prefix.chars().count() {
        return Err(Failure::input(format!(
            "the prefix has more than {PREFIX_CHARS_MAX} characters"
        )));
    }
    let length = length.clamp(LENGTH_MIN, LENGTH_MAX);
    let random = length.saturating_sub(prefix.chars().count()).max(RANDOM_MIN);
    let mut key = String::new();
    for _ in 0..DRAWS_MAX {
        let mut bytes = vec![0; random];
        getrandom::fill(&mut bytes).map_err(|error| {
            Failure::failed(format!("the system gives no random bytes: {error}"))
        })?;
        let random = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 64)));
        key = prefix.chars().chain(random.map(|byte| char::from(*byte))).collect();
        if weakness(&key).is_none() {
            break;
        }
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_are_strong_and_as_long_as_asked() {
        for (length, prefix, chars) in
            [(48, "gw_", 48), (1, "gw_", 27), (999, "", 256), (24, "a-rather-long-prefix-", 45)]
        {
            let key = generate(length, prefix).unwrap();
            assert_eq!(key.chars().count(), chars, "{length} {prefix}");
            assert_eq!(weakness(&key), None);
            assert_ne!(key, generate(length, prefix).unwrap());
        }
        assert!(generate(48, &"x".repeat(33)).is_err());
        assert!(generate(48, " \r\n").unwrap().starts_with(PREFIX));
    }

    #[test]
    fn a_weak_key_is_taken_with_a_note_and_an_older_one_goes() {
        let mut document = Document::parse(r#"{"server": {"master-key": "old"}}"#).unwrap();
        let done = set(&mut document, "weak").unwrap();
        assert!(done.notes.iter().any(|note| note.contains("weak")), "{done:?}");
        assert_eq!(written(&document).as_deref(), Some("weak"));
        assert!(!document.text().contains("old"));
        assert!(set(&mut document, "env:KEY").unwrap().notes.is_empty());
        assert!(set(&mut document, " ").is_err());
    }
}
