//! Secrets: where they come from, and a type that never shows them.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// What the host knows that is not in the document.
///
/// Errors are sentences for operators without a full stop; they must not contain secrets.
pub trait Lookup {
    /// Value of an environment variable (on Workers: of a binding).
    fn var(&self, name: &str) -> Option<String>;

    /// Content of a secret file.
    fn file(&self, path: &str) -> Result<String, String>;

    /// Entry of the operating system's keychain.
    fn keychain(&self, name: &str) -> Result<String, String> {
        let _ = name;
        Err("this host has no keychain".to_owned())
    }
}

/// A host without environment and files: every reference is missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("this host reads no files".to_owned())
    }
}

/// A lookup in prepared values, for hosts with few of them and for tests.
#[derive(Clone, Default)]
pub struct MapLookup {
    /// Environment variables.
    pub vars: BTreeMap<String, String>,
    /// Contents of files by path.
    pub files: BTreeMap<String, String>,
}

impl fmt::Debug for MapLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapLookup")
            .field("vars", &self.vars.keys())
            .field("files", &self.files.keys())
            .finish()
    }
}

impl Lookup for MapLookup {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.files.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }
}

/// A secret that is shown nowhere and wiped when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret itself, for the one header or connection it is meant for.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// A text of the config that may refer to a secret kept elsewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reference<'a> {
    Literal,
    Var(&'a str),
    File(&'a str),
    Keychain(&'a str),
}

impl<'a> Reference<'a> {
    /// Tells literal texts from references.
    pub(crate) fn parse(text: &'a str) -> Self {
        let text = text.trim();
        let after = |prefix| text.strip_prefix(prefix).map(str::trim);
        if let Some(name) = after("env:") {
            Self::Var(name)
        } else if let Some(path) = after("file:") {
            Self::File(path)
        } else if let Some(name) = after("keychain:") {
            Self::Keychain(name)
        } else {
            Self::Literal
        }
    }
}

/// Finds the secret a text stands for; surrounding white space is not part of a secret.
///
/// Gives `Ok(None)` for a blank text, and a sentence naming what is missing otherwise.
pub fn resolve(text: &str, lookup: &dyn Lookup) -> Result<Option<Secret>, String> {
    let found = match Reference::parse(text) {
        Reference::Literal => return Ok(trimmed(text)),
        Reference::Var(name) => {
            lookup.var(name).ok_or_else(|| format!("environment variable `{name}` is not set"))?
        }
        Reference::File(path) => lookup
            .file(path)
            .map_err(|error| format!("secret file `{path}` cannot be read: {error}"))?,
        Reference::Keychain(name) => lookup
            .keychain(name)
            .map_err(|error| format!("keychain entry `{name}` cannot be read: {error}"))?,
    };
    match trimmed(&found) {
        Some(secret) => Ok(Some(secret)),
        None => Err(format!("`{}` is empty", text.trim())),
    }
}

fn trimmed(text: &str) -> Option<Secret> {
    let text = text.trim();
    (!text.is_empty()).then(|| Secret::new(text))
}
