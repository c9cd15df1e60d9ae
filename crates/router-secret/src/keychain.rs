//! The operating system's keychain.
//!
//! | system | store | kept |
//! |---|---|---|
//! | macOS | Keychain Services | for good |
//! | Windows | Credential Manager | for good |
//! | Linux | the kernel's key retention service | until the machine restarts |
//!
//! On Linux the desktop's Secret Service would keep entries for good, but its client brings ninety
//! crates (D-Bus, a second async runtime, a second set of ciphers), needs a desktop session, and is
//! missing on the servers where a router mostly runs. The kernel's keyring is always there; for
//! what must outlive a restart there are `file:` and `env:`.

use std::fmt;
use std::sync::Arc;

use keyring_core::api::CredentialPersistence;
use keyring_core::{CredentialStore, Entry, Error};
use router_config::Secret;

/// The name under which every entry is kept.
const SERVICE: &str = "llm-router";
/// Bytes of an entry's name at most.
const NAME_BYTES_MAX: usize = 128;

/// Why the keychain did not do what was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeychainError {
    /// This machine has none, or it cannot be reached.
    Absent(String),
    /// The name cannot be one of an entry.
    Name,
    /// The entry holds something that is no text.
    NotText,
    /// The keychain refused.
    Refused(String),
}

impl fmt::Display for KeychainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(why) => write!(
                f,
                "this machine has no keychain that can be reached ({why}); refer to the secret \
                 with `env:NAME` or `file:PATH` instead"
            ),
            Self::Name => write!(
                f,
                "the name of an entry has 1 to {NAME_BYTES_MAX} letters, digits, `.`, `_` or `-`"
            ),
            Self::NotText => f.write_str("the entry is not text"),
            Self::Refused(why) => write!(f, "the keychain refused: {why}"),
        }
    }
}

impl std::error::Error for KeychainError {}

impl From<Error> for KeychainError {
    /// Says what happened without what an entry holds, which two of the variants carry.
    fn from(error: Error) -> Self {
        match error {
            Error::NoStorageAccess(why) => Self::Absent(why.to_string()),
            Error::NoDefaultStore | Error::NotSupportedByStore(_) => {
                Self::Absent("none is known for this system".to_owned())
            }
            Error::BadEncoding(_) | Error::BadDataFormat(..) => Self::NotText,
            Error::PlatformFailure(why) => Self::Refused(why.to_string()),
            Error::NoEntry => Self::Refused("there is no such entry".to_owned()),
            Error::Ambiguous(_) => Self::Refused("there is more than one such entry".to_owned()),
            Error::TooLong(what, max) => {
                Self::Refused(format!("the {what} is longer than {max} bytes"))
            }
            Error::Invalid(what, why) => Self::Refused(format!("the {what} {why}")),
            _ => Self::Refused("it gave no reason".to_owned()),
        }
    }
}

/// Whether entries outlive a restart of this machine.
pub fn is_lasting() -> bool {
    store().is_ok_and(|store| {
        !matches!(
            store.persistence(),
            CredentialPersistence::UntilReboot | CredentialPersistence::UntilLogout
        )
    })
}

/// The secret an entry holds; `None` if there is no such entry.
pub fn get(name: &str) -> Result<Option<Secret>, KeychainError> {
    get_from(&store()?, name)
}

/// Stores a secret, in place of an older one of the same name.
pub fn set(name: &str, secret: &Secret) -> Result<(), KeychainError> {
    Ok(entry(&store()?, name)?.set_password(secret.expose())?)
}

/// Removes an entry; `false` if there was none.
pub fn remove(name: &str) -> Result<bool, KeychainError> {
    remove_from(&store()?, name)
}

fn get_from(store: &Arc<CredentialStore>, name: &str) -> Result<Option<Secret>, KeychainError> {
    match entry(store, name)?.get_password() {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn remove_from(store: &Arc<CredentialStore>, name: &str) -> Result<bool, KeychainError> {
    match entry(store, name)?.delete_credential() {
        Ok(()) => Ok(true),
        Err(Error::NoEntry) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn entry(store: &Arc<CredentialStore>, name: &str) -> Result<Entry, KeychainError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || NAME_BYTES_MAX < name.len() || !name.bytes().all(is_plain) {
        return Err(KeychainError::Name);
    }
    Ok(Entry::new_in_store(store, SERVICE, name)?)
}

#[cfg(target_os = "linux")]
fn store() -> Result<Arc<CredentialStore>, KeychainError> {
    Ok(linux_keyutils_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn store() -> Result<Arc<CredentialStore>, KeychainError> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn store() -> Result<Arc<CredentialStore>, KeychainError> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn store() -> Result<Arc<CredentialStore>, KeychainError> {
    Err(Error::NoDefaultStore.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mock() -> Arc<CredentialStore> {
        keyring_core::mock::Store::new().unwrap()
    }

    #[test]
    fn an_entry_is_there_from_set_to_remove() {
        let store = mock();
        assert!(get_from(&store, "groq").unwrap().is_none());
        entry(&store, "groq").unwrap().set_password("k-1").unwrap();
        assert_eq!(get_from(&store, "groq").unwrap().unwrap().expose(), "k-1");
        assert!(remove_from(&store, "groq").unwrap());
        assert!(!remove_from(&store, "groq").unwrap());
        assert!(get_from(&store, "groq").unwrap().is_none());
    }

    #[test]
    fn a_name_that_a_shell_or_a_config_could_misread_is_refused() {
        for name in ["", "a b", "a/b", "käse", "x:y", &"n".repeat(NAME_BYTES_MAX + 1)] {
            assert_eq!(get_from(&mock(), name).unwrap_err(), KeychainError::Name, "{name}");
        }
    }

    #[test]
    fn what_an_entry_holds_is_never_part_of_an_error() {
        let errors = [
            Error::BadEncoding(b"secret".to_vec()),
            Error::BadDataFormat(b"secret".to_vec(), "bad".into()),
        ];
        for error in errors {
            let said = format!("{0} {0:?}", KeychainError::from(error));
            assert!(!said.contains("secret") && !said.contains("115"), "{said}");
        }
    }

    /// Containers may forbid the kernel's keyring; both kinds of machine are fine, silence is not.
    #[test]
    fn this_machine_keeps_an_entry_or_says_what_to_use_instead() {
        let name = format!("test-{}", std::process::id());
        match set(&name, &Secret::new("k-2")) {
            Ok(()) => {
                assert_eq!(get(&name).unwrap().unwrap().expose(), "k-2");
                assert!(remove(&name).unwrap());
            }
            Err(error @ KeychainError::Absent(_)) => {
                assert!(error.to_string().contains("`file:PATH`"), "{error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
