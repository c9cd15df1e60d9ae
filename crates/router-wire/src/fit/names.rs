//! Tool names every upstream takes, and the way back to the client's.
//!
//! A name that is legal stays. Otherwise illegal characters become `_`, the name is cut, and a
//! hash of the whole original is put behind it, so that the same tool has the same name in every
//! request (a changed name would cost the prompt cache) and two tools never share one.

use std::borrow::Cow;

use crate::ids::{hex, is_word, stable_hash};
use crate::translate::ToolAlias;

/// Longest name OpenAI and Gemini take, in bytes.
pub(super) const NAME_MAX: usize = 64;
/// Digits of the hash put behind a changed name.
const HASH_LEN: usize = 8;
/// What joins a namespace and a name.
const JOIN: &str = "__";

/// The names of one request.
#[derive(Debug, Default)]
pub(super) struct Names {
    aliases: Vec<ToolAlias>,
    /// Names in use at the upstream that are the client's own.
    kept: Vec<String>,
}

impl Names {
    /// The name to send for a tool. `unwrap` and `hosted` as in [`ToolAlias`].
    pub(super) fn send(
        &mut self,
        name: &str,
        namespace: Option<&str>,
        unwrap: bool,
        hosted: Option<&str>,
    ) -> Option<String> {
        if let Some(known) = self.known(name, namespace) {
            return Some(known.sent.clone()).filter(|sent| sent != name);
        }
        if namespace.is_none() && self.kept.iter().any(|kept| kept == name) {
            return None;
        }
        let full = match namespace {
            Some(space) => Cow::Owned(format!("{space}{JOIN}{name}")),
            None => Cow::Borrowed(name),
        };
        let sent = self.free(&full);
        let changed = sent != name;
        if changed || unwrap || hosted.is_some() {
            self.aliases.push(ToolAlias {
                sent: sent.clone(),
                name: name.to_owned(),
                namespace: namespace.map(str::to_owned),
                unwrap,
                hosted: hosted.map(str::to_owned),
            });
        } else {
            self.kept.push(sent.clone());
        }
        changed.then_some(sent)
    }

    /// What is sent for a tool whose name or form differs.
    pub(super) fn known(&self, name: &str, namespace: Option<&str>) -> Option<&ToolAlias> {
        self.aliases
            .iter()
            .find(|alias| alias.name == name && alias.namespace.as_deref() == namespace)
    }

    pub(super) fn into_aliases(self) -> Vec<ToolAlias> {
        self.aliases
    }

    fn free(&self, full: &str) -> String {
        let taken = |name: &str| {
            self.kept.iter().any(|other| other == name)
                || self.aliases.iter().any(|alias| alias.sent == name)
        };
        if is_legal(full) && !taken(full) {
            return full.to_owned();
        }
        let mut seed = full.to_owned();
        loop {
            let made = shortened(full, &seed);
            if !taken(&made) {
                return made;
            }
            seed.push('+');
        }
    }
}

pub(super) fn is_legal(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(is_word)
}

fn shortened(full: &str, seed: &str) -> String {
    let clean = full.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
    let mut made: String = clean.take(NAME_MAX - HASH_LEN - 1).collect();
    made.push('_');
    made.extend(hex(stable_hash(seed.as_bytes())).chars().take(HASH_LEN));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_names_stay_as_they_are() {
        let mut names = Names::default();
        assert_eq!(names.send("get_weather-2", None, false, None), None);
        assert!(names.into_aliases().is_empty());
    }

    #[test]
    fn illegal_and_long_names_are_changed_and_restored() {
        let long = "x".repeat(65);
        for name in ["a.b", "größe", long.as_str(), ""] {
            let mut names = Names::default();
            let sent = names.send(name, None, false, None).unwrap();
            assert!(is_legal(&sent), "{sent}");
            assert_eq!(names.send(name, None, false, None).as_ref(), Some(&sent), "not stable");
            let aliases = names.into_aliases();
            assert_eq!((aliases[0].sent.as_str(), aliases[0].name.as_str()), (sent.as_str(), name));
        }
    }

    #[test]
    fn two_tools_never_share_a_name() {
        let mut names = Names::default();
        let mut seen = vec!["a_b".to_owned()];
        names.send("a_b", None, false, None);
        for (name, space) in [("a.b", None), ("a b", None), ("b", Some("a")), ("a__b", None)] {
            let sent = names.send(name, space, false, None).unwrap_or_else(|| name.to_owned());
            assert!(!seen.contains(&sent), "{sent} twice");
            seen.push(sent);
        }
    }
}
